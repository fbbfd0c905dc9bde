// What the gate asks of a store that is large, slow to obey, or broken.
//
// Thread: the gate turns on a thread of its own. Promise: what is behind the gate is the test's, so that
// it can be counted what one question reads and what is under way at once.

import Basics
import Model
import Store
import Synchronization
import Testing

@Suite struct GateStoreTests {
  private static let now = Instant(milliseconds: 1_700_000_000_000)

  private static func runs(_ count: Int64) -> [Row] {
    (1...count).map { number in
      let run = RunRow(
        number: number, subject: number, rule: 1, version: 1, event: number, seed: Hash128(high: 1, low: 1), depth: 0,
        key: "k", started: now)
      return Row(key: RowKey(.run, number), record: 1, value: run.packed)
    }
  }

  @Test func `commands to many runs go out page by page, each when the one before is obeyed`() throws {
    let gate = try OpenGate()
    try gate.behind.put { $0.sweep = GateStoreTests.runs(1_200) }
    let wire = try gate.send("POST", "/v1/runs/wake?all=1")
    for page in [500, 500, 200] {
      #expect(Wait.until { gate.behind.commandCount == page })
      // The gate has one thread: once it answers somebody else, it is done with what it was doing.
      #expect(try gate.request("GET", "/healthz").status == 200)
      #expect(gate.behind.commandCount == page)
      gate.behind.obey(page - 1)
      #expect(gate.behind.commandCount == 1, "the next page waits for the last of this one")
      gate.behind.obey(1)
    }
    #expect(wire.reply()?["asked"] == .integer(1_200))
    #expect(try gate.request("POST", "/v1/runs/wake?all=1&count=1")["count"] == .integer(1_200))
  }

  private static func deliveries(_ count: Int64) -> (rows: [DeliveryRow], attempts: [Attempt]) {
    let rows = (1...count).map { number in
      DeliveryRow(
        delivery: Delivery(
          number: number, id: "msg_\(number)", destination: "crm", type: "t", created: now, body: Array("{}".utf8),
          due: now),
        event: 1, subject: 1, rule: "r")
    }
    let attempts = rows.map { row in
      Attempt(
        delivery: row.delivery.number, attempt: 1, started: now, outcome: .delivered, status: 200,
        settlement: .delivered)
    }
    return (rows, attempts)
  }

  @Test func `a try is shown with all that is kept of its answer`() throws {
    let gate = try OpenGate()
    let (rows, made) = GateStoreTests.deliveries(1)
    var attempts = made
    attempts[0].response = [UInt8](repeating: UInt8(ascii: "a"), count: Limits.responseBytes)
    try gate.behind.put { group in
      group.deliveries = [rows]
      group.attempts = attempts
    }
    let shown = try gate.request("GET", "/v1/deliveries/1")
    let tries = shown["tries"]
    guard case .array(let list) = tries, let text = list.first?["response"]?.plainText else {
      return #expect(Bool(false), "\(shown.text)")
    }
    #expect(text.utf8.count == 16_384)
  }

  /// A subject called user:1 with so many events, a verdict about each.
  private static func life(_ count: Int64, _ group: inout Group, _ key: (UInt64, UInt64)) {
    let name = KeyedHash(key0: key.0, key1: key.1).hash(Array("user:1".utf8))
    let subject = SubjectRow(shard: 0, names: [SubjectReference(namespace: "user", id: "1")], created: now)
    group.sweep = [
      Row(
        key: RowKey(.identity, Int64(bitPattern: name.high), Int64(bitPattern: name.low)), record: 1,
        value: NumberRow.pack(1)),
      Row(key: RowKey(.subject, 1), record: 1, value: subject.packed),
      Row(key: RowKey(.chain, 1), record: 1, value: NumberRow.pack(count)),
    ]
    group.events = EventPacks(
      (1...count).map { number in
        EventRow(
          number: number, subject: 1, previous: number - 1, received: now, source: "web", name: "n", cause: 0, depth: 0,
          body: Array("{}".utf8))
      })
    group.verdicts = (1...count).map { number in
      var writer = VerdictWriter()
      writer.append(event: number, counted: 0, [Verdict(rule: number % 2 == 0 ? "even" : "odd", code: .ran)])
      return VerdictRow(first: number, last: number, packed: writer.packed)
    }
  }

  @Test func `a list that has to look far reads in pieces and tells where to go on`() throws {
    let gate = try OpenGate()
    let (rows, attempts) = GateStoreTests.deliveries(2_000)
    try gate.behind.put { group in
      group.deliveries = [rows]
      group.attempts = attempts
      group.sweep = GateStoreTests.runs(3_500)
    }
    #expect(try gate.request("GET", "/v1/deliveries?status=failed")["deliveries"]?.count == 0)
    #expect(gate.behind.questions.withLock { $0.count } >= 10)
    let page = try gate.request("GET", "/v1/deliveries?status=delivered&limit=700")
    #expect(page["deliveries"]?.count == 700 && page["next_before"] == .integer(1_301))
    #expect(try gate.request("GET", "/v1/deliveries?limit=1000&before=801")["deliveries"]?.count == 800)
    let before = gate.behind.questions.withLock { $0.count }
    #expect(try gate.request("GET", "/v1/runs?status=parked")["runs"]?.count == 0)
    #expect(gate.behind.questions.withLock { $0.count } >= before + 3)
    #expect(try gate.request("GET", "/v1/runs?limit=1000&after=2600")["runs"]?.count == 900)
    #expect(gate.behind.questions.withLock { $0.map(\.rows).max() ?? 0 } <= 3_000)
  }

  @Test func `what is told of a subject with a long life is read in pieces`() throws {
    let gate = try OpenGate()
    try gate.behind.put { GateStoreTests.life(1_500, &$0, gate.behind.disk.hashKey) }
    let told = try gate.request("GET", "/v1/subjects/user:1/explain?limit=1000&rule=even")
    guard case .array(let events) = told["events"] else { return #expect(Bool(false), "\(told.text)") }
    #expect(events.compactMap { $0["event"] } == (501...1_500).reversed().filter { $0 % 2 == 0 }.map { .integer($0) })
    #expect(gate.behind.questions.withLock { $0.map(\.verdicts).max() } == 10)
    #expect(told["next_before"] == .integer(501), "a thousand events are looked at, whatever they came to")
    let older = try gate.request("GET", "/v1/subjects/user:1/explain?limit=1000&before=501")
    #expect(older["events"]?.count == 500 && older["next_before"] == .null)
    let list = try gate.request("GET", "/v1/subjects/user:1/events?limit=1000")
    #expect(list["events"]?.count == 1_000 && list["next_before"] == .integer(501))
    let rest = try gate.request("GET", "/v1/subjects/user:1/events?limit=1000&before=501")
    #expect(rest["events"]?.count == 500 && rest["next_before"] == .null)
    #expect(gate.behind.questions.withLock { $0.map(\.rows).max() ?? 0 } < 1_000)
  }

  @Test(arguments: [
    ("POST", "/v1/runs/1/wake"), ("POST", "/v1/runs/cancel?subject=user:1"), ("POST", "/v1/runs/wake?all=1&count=1"),
    ("POST", "/v1/deliveries/retry?subject=user:1"), ("POST", "/v1/deliveries/retry?all=1&count=1"),
    ("GET", "/v1/runs?subject=user:1"), ("GET", "/v1/deliveries"),
  ])
  func `a store that cannot be read is told as such and not as something that is missing`(
    method: String, path: String
  ) throws {
    let gate = try OpenGate()
    gate.behind.isBroken.store(true, ordering: .relaxed)
    let reply = try gate.request(method, path)
    #expect(reply.status == 500 && reply.isRefusal && reply["code"] == "store_failed", "\(reply.text)")
    #expect(reply["message"] == "the disk cannot be read")
  }

  @Test func `a run that lives and cannot be woken is answered with the reason`() throws {
    let gate = try OpenGate()
    try gate.behind.put { $0.sweep = GateStoreTests.runs(1) }
    let answers: [(RunAnswer, Int, JSONValue?)] = [
      (.done, 200, nil), (.missing, 404, "not_found"), (.refused("its version is gone"), 409, "run_refused"),
    ]
    for (answer, status, code) in answers {
      let wire = try gate.send("POST", "/v1/runs/1/wake")
      #expect(Wait.until { gate.behind.commandCount == 1 })
      gate.behind.obey(1, answer)
      let reply = try #require(wire.reply())
      #expect(reply.status == status && reply["code"] == code, "\(reply.text)")
      if status == 409 { #expect(reply["message"]?.plainText.contains("its version is gone") == true) }
    }
  }
}
