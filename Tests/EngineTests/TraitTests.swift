// Traits: what events say of a subject and what rules set, in which order, and what it may grow to.
//
// Thread: the test's. Promise: what is expected is what is on the store's disk.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct TraitTests {
  private func event(_ id: Int, _ name: String, _ more: String = "") -> String {
    "{\"id\": \(id), \"name\": \"\(name)\", \"user\": \"a\"\(more)}"
  }

  @Test func `traits merge, null removes, the rest stays as it was`() throws {
    let workshop = try Workshop()
    try workshop.take(event(1, "identify", ", \"traits\": {\"plan\": \"pro\", \"seats\": 5, \"x\": {\"y\": [1]}}"))
    try workshop.take(
      event(2, "identify", ", \"traits\": {\"seats\": 6, \"plan\": null, \"none\": null, \"new\": \"é\"}"))
    #expect(try workshop.traits("user:a") == #"{"seats":6,"x":{"y":[1]},"new":"é"}"#)
    try workshop.take(event(3, "identify", ", \"traits\": {\"seats\": null, \"x\": null, \"new\": null}"))
    #expect(try workshop.traits("user:a") == "")
  }

  @Test func `rules run by priority and then by path, and the last one to set a trait wins with a verdict`() throws {
    let workshop = try Workshop([
      "high": Workshop.rule("on = 'tick', priority = 5", "log('high') set { plan = 'high', only = 1 }"),
      "b": Workshop.rule("on = 'tick'", "log('b') set { plan = 'b' }"),
      "a": Workshop.rule("on = 'tick'", "log('a') set { plan = 'a' }"),
    ])
    let happened = try workshop.take(event(1, "tick"))
    #expect(happened.logs == ["high", "a", "b"])
    #expect(try workshop.traits("user:a") == #"{"only":1,"plan":"b"}"#)
    #expect(happened.verdict("high")?.reason == "")
    #expect(happened.verdict("b")?.reason.contains("'plan' after a") == true, "\(happened.verdicts)")
  }

  @Test func `rules see traits and state as of before the event`() throws {
    let read = "log(tostring(customer.traits.plan))"
    let workshop = try Workshop([
      "a": Workshop.rule("on = 'tick'", "set { plan = 'a' } " + read), "b": Workshop.rule("on = 'tick'", read),
    ])
    #expect(try workshop.take(event(1, "tick", ", \"traits\": {\"plan\": \"event\"}")).logs == ["nil", "nil"])
    #expect(try workshop.take(event(2, "tick")).logs == ["a", "a"])
  }

  @Test func `what rules set comes after what the event says`() throws {
    let workshop = try Workshop(["a": Workshop.rule("on = 'tick'", "set { plan = 'rule' }")])
    try workshop.take(event(1, "tick", ", \"traits\": {\"plan\": \"event\", \"seats\": 1}"))
    #expect(try workshop.traits("user:a") == #"{"plan":"rule","seats":1}"#)
  }

  @Test func `traits that grow too large stay as they were, and a verdict says so`() throws {
    let workshop = try Workshop()
    try workshop.take(event(1, "identify", ", \"traits\": {\"plan\": \"pro\"}"))
    let large = String(repeating: "x", count: Limits.traitsBytes)
    let happened = try workshop.take(event(2, "identify", ", \"traits\": {\"note\": \"\(large)\"}"))
    #expect(try workshop.traits("user:a") == #"{"plan":"pro"}"#)
    #expect(happened.verdict("")?.code == .failed)
    #expect(happened.verdict("")?.reason.contains("\(Limits.traitsBytes) are allowed") == true)
  }

  @Test func `a group call describes the account and not the user`() throws {
    for lanes in [1, 2] {
      let workshop = try Workshop(lanes: lanes)
      let text = #"{"type": "group", "messageId": "m1", "userId": "a", "groupId": "acme", "traits": {"seats": 9}}"#
      try workshop.take(text)
      #expect(try workshop.traits("account:acme") == #"{"seats":9}"#)
      #expect(try workshop.traits("user:a") == "")
      #expect(try workshop.row("user:a")?.account == "acme")
    }
  }

  @Test(arguments: [1, 2]) func `account rules hear of a user's event by message`(lanes: Int) throws {
    let workshop = try Workshop(
      [
        "seen": Workshop.rule("on = 'tick', per = 'account'", "state.n = (state.n or 0) + 1 set { active = state.n }"),
        "own": Workshop.rule("on = 'tick'", "state.n = (state.n or 0) + 1"),
        "room": Workshop.rule("on = 'tick', per = 'webinar'", "state.n = (state.n or 0) + 1"),
      ], lanes: lanes)
    for id in 1...3 {
      let happened = try workshop.take(
        "{\"id\": \(id), \"name\": \"tick\", \"user\": \"u\(id)\", \"account\": \"acme\", \"thing\": \"webinar:w\"}")
      #expect(happened.messages == 2)
      #expect(happened.verdict("seen")?.code == .ran)
    }
    #expect(try workshop.state("account:acme", "seen") == "{\"n\":3}")
    #expect(try workshop.traits("account:acme") == "{\"active\":3}")
    #expect(try workshop.state("webinar:w", "room") == "{\"n\":3}")
    #expect(try workshop.state("user:u1", "own") == "{\"n\":1}")
    #expect(try workshop.state("account:acme", "own") == "")
    let open = try workshop.store.makeReader().rows(from: RowKey(.message, 0), to: RowKey(.message, .max), limit: 9)
    #expect(open.isEmpty, "messages that were taken are gone")
  }
}
