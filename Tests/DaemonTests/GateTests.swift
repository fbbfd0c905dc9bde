// The door when something behind it is in the way: busy, full, stopping.
//
// Thread: the gate turns on a thread of its own, as in the daemon. Promise: what is behind the gate is
// the test's, so that every obstacle can be had at will.

import Basics
import Intake
import Model
import Synchronization
import Testing

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
