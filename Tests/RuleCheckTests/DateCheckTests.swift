// What can be seen of dates that move before anything runs: the check says it with place and advice, and the
// loader alone refuses it, too.
//
// Thread: the test's own. Promise: each slip is named at its place, with what to write instead.

import Basics
import RuleCheck
import Rules
import Testing

@Suite struct DateCheckTests {
  private static func rule(_ header: String, _ body: String = "") -> String {
    "return rule { title = 'T', \(header),\nrun = function(event, customer, date)\n\(body)\nend }"
  }

  private static func found(_ text: String) -> [String] {
    RuleCheck.check(
      sources: [RuleSource(path: "a.lua", text: text)], knownDestinations: ["crm"], zones: { ["Europe/Berlin", "UTC"] }
    )
    .findings.map { "\($0.line): \($0.severity) \($0.sentence)" }
  }

  private static func refused(_ text: String) -> [String] {
    RuleSet.load(sources: [RuleSource(path: "a.lua", text: text)], knownDestinations: nil).complaints.map(\.message)
  }

  @Test(arguments: [
    "on = before('data.at', '24 hours', { event = 'x.y' })",
    "on = before('data.at', { days = 1, at = '18:00', zone = 'Europe/Berlin' }, { event = { 'x.y', 'x.z' }, moved = 'x.m', cancelled = { 'x.c', 'x.d' } }), late = 'send'",
    "key = { ['x.y'] = 'data.a', ['x.m'] = 'data.b' }, on = before('context.at', '1 week', { event = 'x.y', moved = 'x.m' })",
  ])
  func `a rule that goes by a date is in order`(header: String) {
    #expect(DateCheckTests.found(DateCheckTests.rule(header, "send('crm', 'x', { date = date })")).isEmpty)
  }

  @Test(arguments: [
    (
      "on = before('at', '1 day', { event = 'x.y' })",
      "1: error before: the path 'at' must be a field of data, traits or context, such as \"data.starts_at\" (did you mean 'data.at'?)"
    ),
    (
      "on = before('dta.at', '1 day', { event = 'x.y' })",
      "1: error before: the path 'dta.at' must be a field of data, traits or context, such as \"data.starts_at\" (did you mean 'data.at'?)"
    ),
    (
      "on = before('data.at', '1 dya', { event = 'x.y' })",
      "1: error before: the lead must be a table such as { days = … } or a duration such as \"3 days\"; it is \"1 dya\" (did you mean '1 day'?)"
    ),
    (
      "on = before('data.at', { days = 1 }, { event = 'x.y' })",
      "1: error before: the lead needs 'at', a time of day such as \"09:00\""
    ),
    (
      "on = before('data.at', { days = 1, at = '6 pm' }, { event = 'x.y' })",
      "1: error before: 'at' must be a time of day such as \"09:00\"; it is \"6 pm\" (did you mean '18:00'?)"
    ),
    (
      "on = before('data.at', { days = 1, att = '18:00' }, { event = 'x.y' })",
      "1: error unknown option 'att' (did you mean 'at'?)"
    ),
    (
      "on = before('data.at', '1 day', { moved = 'x.m' })",
      "1: error before: the events need 'event', an event name or a list of them"
    ),
    (
      "on = before('data.at', '1 day', { event = 'x.y', canceled = 'x.c' })",
      "1: error unknown option 'canceled' (did you mean 'cancelled'?)"
    ),
    (
      "on = before('data.at', '1 day', { event = 'x.y', moved = 'x.m', cancelled = 'x.m' })",
      "1: error 'x.m' cannot both move and cancel a date"
    ),
    (
      "on = before('data.at', '1 day')",
      "1: error before(path, lead, events): the events are missing, a table such as { event = … }"
    ),
    (
      "on = before('data.at', '1 day', { event = 'x.y' }), late = 'sent'",
      "1: error 'late' must be \"skip\" or \"send\"; it is \"sent\" (did you mean 'send'?)"
    ),
    (
      "on = 'x.y', late = 'send'", "1: error 'late' says what becomes of a moment that is past: it needs on = before(…)"
    ),
    (
      "on = { 'x.y', before('data.at', '1 day', { event = 'x.y' }) }",
      "1: error before(…) stands alone: write a rule of its own for it"
    ),
  ])
  func `a slip in the header is named once, and the loader alone refuses it`(header: String, finding: String) {
    let text = DateCheckTests.rule(header)
    #expect(DateCheckTests.found(text) == [finding])
    #expect(DateCheckTests.refused(text).count == 1, "\(DateCheckTests.refused(text))")
  }

  private static let needed =
    "must be written out here, because it is known before the run which events move its date"

  @Test(arguments: [
    (
      "wait_until { date = event.data.at, before = '1 hour' }",
      "3: error wait_until: 'date' \(needed) (did you mean '\"data.at\"'?)"
    ),
    ("wait_until { date = 'data.at', moved = event.name }", "3: error wait_until: 'moved' \(needed)"),
    ("local t = { date = 'data.at' } wait_until(t)", "3: error wait_until: a table with 'date' \(needed)"),
    ("wait_until { date = 'data.at', befor = '1 hour' }", "3: error unknown option 'befor' (did you mean 'before'?)"),
    (
      "wait_until { date = 'data.at', before = { days = 1, at = '25:00' } }",
      "3: error wait_until: 'before': 'at' must be a time of day such as \"09:00\"; it is \"25:00\""
    ),
    (
      "wait_until { date = 'at' }",
      "3: error wait_until: 'date': the path 'at' must be a field of data, traits or context, such as \"data.starts_at\" (did you mean 'data.at'?)"
    ),
    ("before('data.at', '1 day', { event = 'x.y' })", "3: error before(…) stands in the header: on = before(…)"),
  ])
  func `a slip in a wait is named`(body: String, finding: String) {
    #expect(DateCheckTests.found(DateCheckTests.rule("on = 'x.y'", body)) == [finding])
  }

  @Test func `the loader alone refuses a date that is not written out`() {
    let refused = DateCheckTests.refused(
      DateCheckTests.rule("on = 'x.y'", "wait_until { date = event.data.at }"))
    #expect(refused == ["wait_until: 'date' must be a constant text such as \"data.starts_at\""])
  }

  @Test func `what a checkpoint keeps comes behind the date`() {
    let header = "on = before('data.at', '1 day', { event = 'x.y' })"
    #expect(
      DateCheckTests.found(DateCheckTests.rule(header, "wait('1 day') checkpoint { a = 1 }")) == [
        "3: warning run gets what is kept here as its fourth argument, and has none: it would begin anew as if nothing had been; write run = function(event, customer, date, saved)"
      ])
  }

  @Test func `fields of the first event are known in a rule that goes by a date`() throws {
    let (catalogue, _) = try Checking.catalogue(
      "return catalog { events = { ['x.y'] = { starts_at = 'time', title = 'text' }, ['x.m'] = { starts_at = 'time' } } }"
    )
    let world = Checking.world(catalogue)
    let rule = DateCheckTests.rule(
      "on = before('data.start_at', '1 day', { event = 'x.y', moved = 'x.n' })", "log(event.data.titel)")
    let lines = RuleCheck.findings(sources: [RuleSource(path: "a.lua", text: rule)], world: world).map(\.sentence)
    #expect(lines.count == 3, "\(lines)")
    #expect(lines.contains { $0.contains("'start_at'") && $0.contains("'starts_at'") })
    #expect(lines.contains { $0.contains("'x.n'") })
    #expect(lines.contains { $0.contains("'titel'") && $0.contains("'title'") })
  }
}
