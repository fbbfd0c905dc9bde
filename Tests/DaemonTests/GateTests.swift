// The door when something behind it is in the way: busy, full, stopping.
//
// Thread: the gate turns on a thread of its own, as in the daemon. Promise: what is behind the gate is
// the test's, so that every obstacle can be had at will.

import Basics
import Glibc
import Intake
import Model
import Store
import Synchronization
import Testing

/// What the test decides about the rest of the house.
private final class Behind: Sendable {
  let obstacle = Mutex<Obstacle?>(nil)
  let takes = Atomic(true)
  let underWay = Counter()
}

private final class OpenGate {
  let behind = Behind()
  let port: UInt16
  private let loop: ConnectionLoop
  private let worker: Worker

  init() throws {
    let answers = AnswerBox()
    let behind = behind
    let exits = GateExits(
      submit: { events in
        guard behind.takes.load(ordering: .relaxed) else { return false }
        answers.post(settled: events.compactMap { event in event.ticket.flatMap { $0.settle(1) ? $0 : nil } })
        return true
      },
      ask: { _ in }, command: { _, _ in }, rules: { [] }, metrics: { [] }, status: { [] },
      obstacle: { behind.obstacle.withLock { $0 } })
    let gate = Gate(
      exits: exits, answers: answers, keyring: Keyring(keys: [], isOpenLocally: true), hashKey: (1, 2),
      clocks: .system, counters: GateCounters(underWay: behind.underWay))
    let listener = try Listener(.tcp("127.0.0.1:0"), kind: .public)
    port = listener.port
    let loop = ConnectionLoop(listeners: [listener], handler: gate, answers: answers)
    self.loop = loop
    worker = Worker.start("gate") { loop.run() }
  }

  deinit {
    loop.stop(deadlineMilliseconds: 100)
    worker.join()
  }

  func request(_ method: String, _ path: String) throws -> Reply {
    let wire = try #require(Wire(.port(port)))
    let body = method == "POST" ? Array(#"{"name": "n", "user": "1"}"#.utf8) : []
    wire.send(method, path, body: body)
    return try #require(wire.reply())
  }
}

@Suite struct GateTests {
  @Test func `what is in the way is told with a code, a sentence and a time`() throws {
    let gate = try OpenGate()
    #expect(try gate.request("POST", "/v1/events").status == 200)
    #expect(try gate.request("GET", "/readyz").status == 200)
    let obstacles: [(Obstacle.Kind, Int, String)] = [
      (.busy, 429, "busy"), (.full, 503, "not_ready"), (.stopping, 503, "not_ready"),
    ]
    for (kind, status, code) in obstacles {
      gate.behind.obstacle.withLock { $0 = Obstacle(kind, "the reason") }
      let reply = try gate.request("POST", "/v1/events")
      #expect(reply.status == status && reply.isRefusal && reply["code"] == .string(code))
      #expect(reply["message"]?.plainText.contains("the reason") == true)
      #expect(reply.head.contains("Retry-After: "))
      let ready = try gate.request("GET", "/readyz")
      #expect(ready.status == 503 && ready.isRefusal)
      #expect(try gate.request("GET", "/healthz").status == 200, "it lives, whatever is in the way")
    }
    gate.behind.obstacle.withLock { $0 = nil }
    #expect(try gate.request("POST", "/v1/events").status == 200, "and the door is open again")
  }

  @Test func `more than may be under way is sent back`() throws {
    let gate = try OpenGate()
    gate.behind.underWay.set(Int64(Limits.eventsUnderWay))
    let reply = try gate.request("POST", "/v1/events")
    #expect(reply.status == 429 && reply.isRefusal && reply.head.contains("Retry-After: 1"))
    gate.behind.underWay.set(Int64(Limits.eventsUnderWay) - 1)
    #expect(try gate.request("POST", "/v1/events").status == 200)
  }

  @Test func `a full queue behind the door is a 429, too`() throws {
    let gate = try OpenGate()
    gate.behind.takes.store(false, ordering: .relaxed)
    let reply = try gate.request("POST", "/v1/events")
    #expect(reply.status == 429 && reply.isRefusal && reply.head.contains("Retry-After: 1"))
    #expect(gate.behind.underWay.value == 0, "what was not taken is not under way")
  }
}
