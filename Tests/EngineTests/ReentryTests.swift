// When a rule may run again, and for which key.
//
// Thread: the test's. Promise: the clock moves only by hand.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct ReentryTests {
  private func tick(_ id: Int, _ more: String = "") -> String {
    "{\"id\": \(id), \"name\": \"tick\", \"user\": \"a\"\(more)}"
  }

  @Test func `never means once for each subject`() throws {
    let workshop = try Workshop(["a": Workshop.rule("on = 'tick', again = 'never'", "log('ran')")])
    #expect(try workshop.take(tick(1)).logs == ["ran"])
    let second = try workshop.take(tick(2))
    #expect(second.logs.isEmpty)
    #expect(second.verdict("a")?.code == .notAgain)
    #expect(second.verdict("a")?.reason.contains("2023-11-14T22:13:20") == true, "it says when it ran")
    #expect(try workshop.take(#"{"id": 3, "name": "tick", "user": "b"}"#).logs == ["ran"])
  }

  @Test func `a cool-down ends when its time is over, for each key alone`() throws {
    let rule = Workshop.rule("on = 'tick', again = '30 days', key = 'data.metric'", "log(event.data.metric)")
    let workshop = try Workshop(["a": rule])
    func at(_ id: Int, _ metric: String) throws -> [String] {
      try workshop.take(tick(id, ", \"data\": {\"metric\": \"\(metric)\"}")).logs
    }
    #expect(try at(1, "seats") == ["seats"])
    #expect(try at(2, "files") == ["files"])
    workshop.now = workshop.now + Int64(30 * 86_400_000 - 1)
    #expect(try at(3, "seats") == [])
    workshop.now = workshop.now + 1
    #expect(try at(4, "seats") == ["seats"])
    #expect(try at(5, "seats") == [])
  }

  @Test func `the memory of having run survives a start`() throws {
    let disk = MemoryStore.Disk()
    let files = ["a": Workshop.rule("on = 'tick', again = 'never'", "log('ran')")]
    #expect(try Workshop(files, disk: disk).take(tick(1)).logs == ["ran"])
    #expect(try Workshop(files, disk: disk).take(tick(2)).logs == [])
  }

  @Test func `a run that failed or skipped may come again`() throws {
    let rule = Workshop.rule("on = 'tick', again = 'never'", "check(event.data.ok, 'not yet') log('ran')")
    let workshop = try Workshop(["a": rule])
    let first = try workshop.take(tick(1, ", \"data\": {}"))
    #expect(first.verdict("a")?.code == .skipped)
    #expect(first.verdict("a")?.reason == "not yet")
    #expect(try workshop.take(tick(2, ", \"data\": {\"ok\": true}")).logs == ["ran"])
  }

  @Test(arguments: ["", ", \"data\": {}", ", \"data\": {\"metric\": null}", ", \"data\": {\"metric\": [1]}"])
  func `a missing key is a verdict`(data: String) throws {
    let workshop = try Workshop(["a": Workshop.rule("on = 'tick', key = 'data.metric'", "log('ran')")])
    let happened = try workshop.take(tick(1, data))
    #expect(happened.logs.isEmpty)
    #expect(happened.verdict("a")?.code == .noKey)
  }

  @Test func `a clock that goes back does not let a rule run early or the past be written`() throws {
    let workshop = try Workshop(["a": Workshop.rule("on = 'tick', again = '1 hour'", "log('ran')")])
    try workshop.take(tick(1))
    workshop.now = workshop.now + -7_200_000
    #expect(try workshop.take(tick(2)).verdict("a")?.code == .notAgain)
    workshop.now = workshop.now + Int64(7_200_000 + 3_600_000)
    #expect(try workshop.take(tick(3)).logs == ["ran"])
  }

  @Test func `shadow decides and sends nothing, paused is not asked`() throws {
    let body =
      "state.n = (state.n or 0) + 1 send('crm', 'x', {}) emit('other', {}) set { seen = true } log('l')"
    let workshop = try Workshop([
      "s": Workshop.rule("on = 'tick', mode = 'shadow'", body),
      "p": Workshop.rule("on = 'tick', mode = 'paused'", body),
    ])
    let happened = try workshop.take(tick(1))
    #expect(happened.verdict("s")?.code == .shadow)
    #expect(happened.verdict("s")?.effects == 4)
    let reason = try #require(happened.verdict("s")?.reason)
    #expect(
      reason == "it would send x to crm; emit other {}; set {\"seen\":true}; log l",
      "\(reason)")
    #expect(happened.verdict("p")?.code == .paused)
    #expect(happened.handedOut.isEmpty && happened.events.count == 1 && happened.logs.isEmpty)
    #expect(happened.shadowed.map(\.rule) == ["s"] && happened.deliveries.isEmpty)
    #expect(try workshop.traits("user:a") == "")
    #expect(try workshop.state("user:a", "s") == "{\"n\":1}")
    #expect(try workshop.state("user:a", "p") == "")
  }

  @Test(arguments: ["ignore", "restart", "parallel"])
  func `what a test key sends ends and wakes no run that is meant, and keeps none from beginning`(second: String) throws
  {
    let limit = second == "parallel" ? "limit = 1, " : ""
    let rule = Workshop.rule(
      "on = 'a', second = '\(second)', \(limit)stop_on = 'stop'",
      "local b = wait_for('b', { within = '7 days' }) send('crm', b and 'came' or 'late', {})")
    let shop = try Workshop(["r": rule])
    func event(_ name: String, _ id: String) -> String { JourneyTests.event(name, id) }
    try shop.take(event("a", "1"))
    for (name, id) in [("a", "t1"), ("b", "t2"), ("a", "t3"), ("stop", "t4")] {
      #expect(try shop.take(event(name, id), source: "test:web").deliveries.isEmpty)
    }
    #expect(try DateTests.living(shop).map(\.number) == [1])
    try shop.take(event("a", "t5"), source: "test:web")
    #expect(try DateTests.living(shop).count == 2)
    #expect(try shop.take(event("stop", "2")).verdicts.flatMap(\.verdicts).count { $0.code == .stopped } == 2)
    try shop.take(event("a", "t6"), source: "test:web")
    #expect(try shop.take(event("a", "3")).verdict("r")?.code == .waiting)
  }
}
