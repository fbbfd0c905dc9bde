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
