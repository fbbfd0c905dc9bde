// Numbers of rules: what a rule remembers hangs on its number, so that the number must outlive everything.
//
// Thread: the test's. Promise: reloads and starts as the daemon does them.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct RuleBookTests {
  private static let count = Workshop.rule("on = 'tick'", "state.n = (state.n or 0) + 1")
  private func tick(_ id: Int) -> String { "{\"id\": \(id), \"name\": \"tick\", \"user\": \"a\"}" }

  @Test func `a reload leaves every number as it is and gives new rules new ones`() throws {
    let workshop = try Workshop(["b": RuleBookTests.count, "c": RuleBookTests.count])
    let before = workshop.book.known
    try workshop.publish(["a": RuleBookTests.count, "b": RuleBookTests.count, "c": RuleBookTests.count], highest: 2)
    #expect(workshop.book.known["b"] == before["b"])
    #expect(workshop.book.known["c"] == before["c"])
    #expect(workshop.book.known["a"] == 3)
  }

  @Test func `a rule that goes and comes back finds what it remembered`() throws {
    let workshop = try Workshop(["a": RuleBookTests.count, "b": RuleBookTests.count])
    try workshop.take(tick(1))
    let old = workshop.book.known
    try workshop.publish(["b": RuleBookTests.count], highest: 2)
    try workshop.take(tick(2))
    try workshop.publish(["a": RuleBookTests.count, "b": RuleBookTests.count], forgotten: old, highest: 2)
    try workshop.take(tick(3))
    #expect(try workshop.state("user:a", "a") == "{\"n\":2}")
    #expect(try workshop.state("user:a", "b") == "{\"n\":3}")
  }

  @Test func `numbers are on disk although two reloads came before the first event`() throws {
    let disk = MemoryStore.Disk()
    let workshop = try Workshop(["m": RuleBookTests.count], disk: disk)
    try workshop.publish(["m": RuleBookTests.count, "z": RuleBookTests.count], highest: 1)
    try workshop.publish(["m": RuleBookTests.count, "z": RuleBookTests.count], highest: 2)
    try workshop.take(tick(1))
    let known = workshop.book.known
    // A start with one rule more, which sorts before the others.
    let after = try Workshop(
      ["a": RuleBookTests.count, "m": RuleBookTests.count, "z": RuleBookTests.count], disk: disk)
    #expect(after.book.known["m"] == known["m"])
    #expect(after.book.known["z"] == known["z"])
    #expect(after.book.known["a"] == 3)
    #expect(try after.state("user:a", "z") == "{\"n\":1}")
    #expect(try after.state("user:a", "a") == "")
  }

  @Test func `a rule that is gone at a start does not lend its number to another`() throws {
    let disk = MemoryStore.Disk()
    try Workshop(["a": RuleBookTests.count, "b": RuleBookTests.count], disk: disk).take(tick(1))
    let after = try Workshop(["c": RuleBookTests.count], disk: disk)
    #expect(after.book.known["c"] == 3)
    #expect(try after.state("user:a", "c") == "")
  }

  @Test func `one event meets rules of one publish`() throws {
    let workshop = try Workshop(["a": Workshop.rule("on = 'tick'", "log('old')")])
    let book = RuleBook(
      rules: try Workshop.rules(["a": Workshop.rule("on = 'tick'", "log('new')")]), known: workshop.book.known,
      highest: 1, destinations: [])
    let happened = try workshop.run([
      .incoming(try workshop.incoming(tick(1))), .publish(book), .incoming(try workshop.incoming(tick(2))),
    ])
    #expect(happened.logs == ["old", "new"])
  }
}
