// What can be seen of a wait before anything runs: its moment, its event, whose it is, and what it answers.
//
// Thread: the test's own. Promise: each slip is named once, at its place, with what to write instead.

import Basics
import RuleCheck
import Rules
import Testing

@Suite struct WaitingTests {
  private static let noMoment =
    "is no moment; one is such as \"2026-12-01T09:00:00+01:00\", with its zone, or { days = 1, at = \"09:00\" }"

  static let times: [(body: String, finding: String)] = [
    (
      "wait('4000 days')",
      "2:7 error wait: one wait is at most ten years long; write \"3660 days\" or less, not \"4000 days\""
    ),
    (
      "wait_for('y', { within = '600 weeks' })",
      "2:27 error wait_for: 'within': one wait is at most ten years long; write \"3660 days\" or less, not \"600 weeks\""
    ),
    (
      "wait('1 month')",
      "2:7 error wait: \"1 month\" is not a duration, because months and years are not always equally long; give a number of days, or for a day of the calendar wait_until { days = 30, at = \"09:00\" } (did you mean '30 days'?)"
    ),
    (
      "wait_until { days = 1, weekday = 'monday', at = '09:00' }",
      "2:24 error wait_until: 'days' and 'weekday' do not go together; write one of them, such as { weekday = \"monday\", at = \"09:00\" }"
    ),
    (
      "wait_until('tomorrow')",
      "2:12 error wait_until: \"tomorrow\" \(noMoment) (did you mean '{ days = 1, at = \"09:00\" }'?)"
    ),
    (
      "wait_until('next Monday 8:30')",
      "2:12 error wait_until: \"next Monday 8:30\" \(noMoment) (did you mean '{ weekday = \"monday\", at = \"8:30\" }'?)"
    ),
    (
      "wait_until('2026-12-01 09:00')",
      "2:12 error wait_until: \"2026-12-01 09:00\" \(noMoment) (did you mean '\"2026-12-01T09:00:00Z\"'?)"
    ),
    (
      "local at = '09:00' wait_until(at)",
      "2:12 error wait_until: \"09:00\" \(noMoment) (did you mean '{ at = \"09:00\" }'?)"
    ),
    (
      "wait_until(event.data.at or 'noon')",
      "2:29 error wait_until: \"noon\" \(noMoment) (did you mean '{ at = \"12:00\" }'?)"
    ),
    (
      "wait_until('3 days')",
      "2:12 error wait_until: \"3 days\" is no moment; for a time from now on write wait(\"3 days\")"
    ),
    (
      "wait_until(1700000000)",
      "2:12 warning times are in milliseconds since 1970; 1700000000 is long ago (did you mean '1700000000000'?)"
    ),
    (
      "wait_until(now() + 3 * 86400)",
      "2:20 warning times are in milliseconds, so that this is only 4 min 19 s (did you mean '3 * 86400 * 1000'?)"
    ),
    (
      "local day = 24 * 60 * 60 state.t = event.time - day",
      "2:49 warning times are in milliseconds, so that this is only 1 min 26 s (did you mean 'day * 1000'?)"
    ),
    (
      "if now() - event.time > 3600 then log('x') end",
      "2:25 warning times are in milliseconds, so that this is only 3 s (did you mean '3600 * 1000'?)"
    ),
  ]

  static let events: [(body: String, finding: String)] = [
    (
      "wait_for('y', { match = {} })",
      "2:25 error wait_for: 'match' is empty, so that every event would do; name a field and its value, such as { invoice = event.data.invoice }, or leave 'match' out"
    ),
    (
      "wait_for('y', { subject = 'w7' })",
      "2:28 error wait_for: 'subject' must be a kind and an id, such as \"webinar:w7\"; it is \"w7\""
    ),
    (
      "emit('y', {}, { subject = 'Account:acme' })",
      "2:28 error emit: 'subject' must be a kind and an id, such as \"webinar:w7\"; it is \"Account:acme\" (did you mean 'account:acme'?)"
    ),
    (
      "wait_for('y', { subject = customer.id })",
      "2:27 warning wait_for: 'customer.id' is an id without its kind (did you mean '\"user:\" .. customer.id'?)"
    ),
    (
      "local whose = event.account emit('y', {}, { subject = whose })",
      "2:55 warning emit: 'whose' is an id without its kind (did you mean '\"account:\" .. whose'?)"
    ),
    (
      "wait_for('y', { match = { ['data.invoice'] = 'x' } })",
      "2:29 error wait_for: the keys of 'match' are fields of event.data, without 'data.' (did you mean 'invoice'?)"
    ),
    ("wait_any({ 'y', 'z', 'y' })", "2:22 warning the event 'y' stands in this list twice"),
    (
      "if wait_for('y') == true then log('x') end",
      "2:4 error this is never true: an event is not true or false; compare with nil, or leave the comparison out"
    ),
    (
      "local e = wait_for('y') if e ~= false then log('x') end",
      "2:28 error this is never false: an event is not true or false; compare with nil, or leave the comparison out"
    ),
    (
      "if call('crm', 'x') == true then log('x') end",
      "2:4 error this is never true: a reply is not true or false; look at its field 'ok'"
    ),
    (
      "if wait('1 day') then log('x') end",
      "2:4 error wait answers nothing, so that there is nothing to decide by; let it stand alone, before this"
    ),
    (
      "if not (wait('1 day')) then log('x') end",
      "2:4 error wait answers nothing, so that there is nothing to decide by; let it stand alone, before this"
    ),
    (
      "local r = wait('1 day') log(tostring(r))",
      "2:7 warning wait answers nothing, so that 'r' is nil; let wait stand alone"
    ),
    (
      "local n = 0\nwait_for('y', { match = function(e) n = n + 1 return n == 2 end })",
      "3:37 error 'n' is changed here, but a match function may only look at the event: when the run is played again it is not called; wait in a loop and count there"
    ),
    (
      "local seen = {}\nlocal function new(e) seen[e.id] = true return true end\nwait_any({ 'y' }, { match = new })",
      "3:23 error 'seen' is changed here, but a match function may only look at the event: when the run is played again it is not called; wait in a loop and count there"
    ),
    (
      "local all = {}\nwait_for('y', { match = function(e) table.insert(all, e.id) return true end })",
      "3:50 error 'all' is changed here, but a match function may only look at the event: when the run is played again it is not called; wait in a loop and count there"
    ),
  ]

  private static let reply =
    "must be a table with ok, status, body, headers, error or unknown, such as { ok = true }; it is"
  private static let state = "state holds texts, numbers and true or false; this is"

  static let values: [(body: String, finding: String)] = [
    (
      "state.a = { 1 }",
      "2:11 error \(state) a table; set what is needed of it, each under a key of its own"
    ),
    (
      "local s, t = state, { 'a' } s.a = t",
      "2:35 error \(state) a table; set what is needed of it, each under a key of its own"
    ),
    (
      "state.a = event.data",
      "2:11 error \(state) a table; set what is needed of it, each under a key of its own"
    ),
    ("state.a = now", "2:11 error \(state) a function; call it"),
    ("state.a = null", "2:11 error \(state) null, and what is to go is set to nil (did you mean 'nil'?)"),
    ("call('crm', 'x', {}, { shadow_reply = true })", "2:39 error call: 'shadow_reply' \(reply) true"),
    ("call('crm', 'x', {}, { shadow_reply = 'ok' })", "2:39 error call: 'shadow_reply' \(reply) the text \"ok\""),
    (
      "call('crm', 'x', {}, { shadow_reply = { okay = true } })",
      "2:41 error a reply has no field 'okay' (did you mean 'ok'?)"
    ),
    (
      "call('crm', 'x', {}, { shadow_reply = { code = 200 } })",
      "2:41 error a reply has no field 'code'; it has ok, status, body, headers, error, unknown"
    ),
    (
      "call('crm', 'x', {}, { shadow_reply = { ok = 'yes' } })",
      "2:46 error 'ok' of a reply must be true or false; it is the text \"yes\""
    ),
    (
      "wait('1 day') checkpoint { day = 1 }",
      "2:15 warning run gets what is kept here as its third argument, and has none: it would begin anew as if nothing had been; write run = function(event, customer, saved)"
    ),
    ("wait('3 days'))", "2:15 error there is one ')' too many"),
    ("pcall(function() log('x')) end)", "2:26 error there is one ')' too many"),
    ("local t = { 1 } log(tostring(t[1]]))", "2:34 error a ')' is missing before ']'"),
    ("local t = { 1 } local x = t[1]] log(tostring(x))", "2:31 error there is one ']' too many"),
  ]

  private static func places(_ findings: [Finding]) -> [String] {
    findings.map { "\($0.line):\($0.column) \($0.severity.rawValue) \($0.sentence)" }
  }

  @Test(arguments: times + events + values)
  func `what can never be right in a wait is told at its place`(body: String, finding: String) {
    #expect(WaitingTests.places(Checking.findings(Checking.rule(body))) == [finding])
  }

  static let headers: [(header: String, finding: String)] = [
    (
      "stop_on = { paid = 'data.invoice' },",
      "error 'stop_on' has the path 'data.invoice', which is compared with the rule's key, and there is no 'key'; write key = \"data.invoice\", or name the event alone"
    ),
    (
      "goal = { event = 'paid', key = 'data.invoice' },",
      "error 'goal' has the path 'data.invoice', which is compared with the rule's key, and there is no 'key'; write key = \"data.invoice\", or name the event alone"
    ),
    (
      "stop_on = {\n a = 'data.x',\n b = 'data.y',\n},",
      "error 'stop_on' has the path 'data.x', which is compared with the rule's key, and there is no 'key'; write key = \"data.x\", or name the event alone"
    ),
    ("kye = 'data.x',\nstop_on = { a = 'data.x' },", "error unknown key 'kye' (did you mean 'key'?)"),
    ("stop_on = {},", "error 'stop_on' is empty; name at least one event, or leave it out"),
    (
      "again = 'never', second = 'parallel',",
      "warning again = \"never\" lets no second run begin, so that second = \"parallel\" does nothing; leave one of the two out"
    ),
  ]

  @Test(arguments: headers)
  func `keys of a header that do not go together are told once, by check and loader`(header: String, finding: String) {
    let source = RuleSource(path: "a.lua", text: Checking.rule("wait('1 day')", header: header))
    let report = RuleCheck.check(sources: [source], knownDestinations: nil)
    #expect(report.findings.map { "\($0.severity.rawValue) \($0.sentence)" } == [finding])
  }

  @Test func `a match table is held against the catalogue: its fields, and the kinds of their values`() throws {
    let catalogue = try Checking.catalogue(
      "return catalog { events = { x = 'any', y = { invoice = 'text', data = { n = 'integer' } } } }"
    ).0
    func lines(_ match: String) -> [String] {
      let text = Checking.rule("wait_for('y', { match = { \(match) } })")
      return WaitingTests.places(Checking.findings(text, world: Checking.world(catalogue)))
    }
    #expect(lines("invoice = event.data.invoice, ['data.n'] = 3").isEmpty)
    #expect(
      lines("invioce = 'x'") == ["2:27 error the event 'y' has no field 'invioce' (did you mean 'invoice'?)"])
    #expect(lines("invoice = 5") == ["2:37 error 'invoice' of the event 'y' is a text; here stands a number"])
    #expect(lines("['data.n'] = 'a'").count == 1 && lines("['data.m'] = 1").count == 1)
  }

  @Test func `a missing end is still told as one, although a bracket closes what is around it`() {
    let findings = Checking.findings(Checking.rule("pcall(function() log('x') )"))
    #expect(findings.first?.line == 2 && findings.first?.message.contains("has no 'end'") == true)
  }
}
