// Tests of rules as product people write them: what passes, what fails, and what is said then.
//
// Thread: the test's, and workers. Promise: every word and every option is met once rightly and once wrongly.

import Basics
import Glibc
import Model
import Rehearsal
import Rules
import Testing

@Suite struct RuleTestTests {
  static let welcome = Room.rule(
    "on = { 'signup', 'login' }, again = 'never', stop_on = { 'left' }",
    """
    check(event.data.plan ~= 'none', 'no plan')
    state.n = (state.n or 0) + 1
    set { plan = event.data.plan }
    log('welcomed')
    emit('welcomed', { plan = event.data.plan })
    send('crm', 'user.welcome', { customer = customer.id, plan = event.data.plan, items = { { price = 5 } } })
    local visit = wait_for('visited', { within = '3 days' })
    local reply = call('billing', 'trial.extend', { days = visit and 7 or 1 })
    finish(reply.ok and 'extended' or 'refused')
    """)

  private static func run(
    _ body: String, rule: String = welcome, more: [String: String] = [:], known: Set<String>? = nil,
    whole: Bool = false,
    wakes: Int = 10_000, destinations: [Destination] = []
  ) -> TestRun.FileResult {
    let text = whole ? body : "test('it', function(t)\n\(body)\nend)"
    var sources = [RuleSource(path: "welcome.lua", text: rule), RuleSource(path: "welcome_test.lua", text: text)]
    sources += more.map { RuleSource(path: $0.key, text: $0.value) }
    var run = TestRun(sources: sources.sorted { $0.path < $1.path }, folder: "rules")
    run.knownDestinations = known
    run.wakesPerAdvance = wakes
    run.destinations = destinations
    return run.run([RuleSource(path: "welcome_test.lua", text: text)], jobs: 1)[0]
  }

  @Test func `nobody is held out of a test, whoever would be in life`() {
    let rule = Room.rule("on = 'signup', hold_out = 50", "send('crm', 'offer', {})")
    let body = "t:event('signup', {}, { user = 'u' .. i }) t:expect_sent('crm', 'offer', {}, { user = 'u' .. i })"
    let result = RuleTestTests.run("for i = 1, 40 do \(body) end", rule: rule)
    #expect(result.complaints.isEmpty && result.results.allSatisfy { $0.failure == nil }, "\(result)")
  }

  @Test func `an event that was emitted without data is found`() {
    let rule = Room.rule("on = 'signup'", "emit('told') emit('told too', {})")
    let result = RuleTestTests.run(
      "t:event('signup') t:expect_emitted('told') t:expect_emitted('told too', {})", rule: rule)
    #expect(result.complaints.isEmpty && result.results.allSatisfy { $0.failure == nil }, "\(result)")
    let wrong = RuleTestTests.run("t:event('signup') t:expect_emitted('told', { a = 1 })", rule: rule)
    #expect(wrong.results.first?.failure?.unmet.field == "a", "\(wrong)")
  }

  static let busy = "return segment { title = 'S', when = function(c) return count('login', '1 day') >= 2 end }"

  @Test(arguments: [
    ("t:event('login', { plan = 'none' }) t:expect_not_in('busy')", ""),
    ("t:event('login') t:event('login') t:expect_in('busy') t:advance('2 days') t:expect_not_in('busy')", ""),
    ("t:event('login') t:expect_in('busy')", "user:42 is not in 'busy'"),
    ("t:event('login') t:event('login') t:expect_not_in('busy')", "user:42 is in 'busy' since 2026-"),
    ("t:event('login') t:expect_in('bussy')", "there is no segment 'bussy' (did you mean 'busy'?)"),
    ("t:expect_in()", "it needs the name of a segment"),
  ])
  func `a test may ask who is in a segment`(body: String, message: String) throws {
    let result = RuleTestTests.run(
      body, rule: Room.rule("on = 'login'", "check(event.data.plan ~= 'none', 'no plan')"),
      more: ["segments/busy.lua": RuleTestTests.busy])
    #expect(result.complaints.isEmpty, "\(result.complaints)")
    let failure = result.results.first?.failure
    #expect(message.isEmpty ? failure == nil : failure?.unmet.message.contains(message) == true, "\(result)")
  }

  private static let begun = "t:event('signup', { plan = 'pro' })\n"

  @Test(arguments: [
    "t:expect_sent('crm', 'user.welcome')", "t:expect_sent('crm', 'user.welcome', { plan = 'pro', customer = '42' })",
    "t:expect_sent('crm', 'user.welcome', { items = { { price = 5.0 } }, other = null })",
    "t:expect_sent('crm', 'user.welcome', {}, { user = '42' }) t:expect_nothing()",
    "t:expect_waiting() t:expect_waiting { event = 'visited', left = '3 days', ends = '2026-01-08T09:00:00Z' }",
    "t:expect_waiting { rule = 'welcome', user = 42 }", "t:expect_not_waiting { user = 'other' }",
    "t:expect_state { n = 1 } t:expect_traits { plan = 'pro', other = null }",
    "t:expect_logged('welcome') t:expect_emitted('welcomed', { plan = 'pro' })",
    "t:expect_verdict('waiting', 'visited', { rule = 'welcome' })",
    "t:advance('1 day') t:expect_waiting { left = '2 days' }",
    "t:at('2026-01-06T09:00:00Z') t:expect_waiting { left = '2 days' }",
    "t:at('2026-01-06 10:00', 'Europe/Berlin') t:expect_waiting { left = '2 days' }",
    "t:event('visited') t:expect_called('billing', 'trial.extend', { days = 7 }) t:expect_ended('extended')",
    "t:advance('3 days') t:expect_called('billing', 'trial.extend', { days = 1 }) t:expect_ended()",
    "t:reply('billing', 'trial.extend', { ok = false }) t:event('visited') t:expect_ended('refused', { rule = 'welcome' })",
    "t:reply('billing', 'trial.extend', { status = 402 }) t:event('visited') t:expect_ended('refused')",
    "t:reply('billing', 'trial.extend', { error = 'down' }) t:event('visited') t:expect_ended('refused')",
    "t:reply('billing', 'trial.extend', { no_reply = true }) t:event('visited') t:expect_waiting { left = '1 min' }",
    "t:event('left') t:expect_ended('stopped') t:expect_not_waiting()",
    "t:event('signup') t:expect_verdict('not again')",
    "t:identify { plan = 'free' } t:expect_traits { plan = 'free' }",
    "t:identify({ plan = 'free' }, { user = 'ada' }) t:expect_traits({ plan = 'pro' }, { user = '42' })",
    "t:event('signup', { plan = 'none' }, { user = 'ada' }) t:expect_verdict('skipped', 'no plan')",
    "t:event('signup', {}, { id = 'e', time = '2026-01-01T00:00:00Z', anonymous = 'x', context = { ip = '1' } }) t:expect_state { n = 1 }",
    "t:event('signup', nil, { account = 'acme', user = 'ada' }) t:expect_sent('crm', 'user.welcome', {}, { user = 'ada' })",
  ])
  func `what holds passes`(expectation: String) {
    let result = RuleTestTests.run(RuleTestTests.begun + expectation)
    #expect(result.complaints.isEmpty)
    #expect(result.results.count == 1)
    #expect(result.results.allSatisfy { $0.failure == nil }, "\(result.results.first?.failure?.unmet as Any)")
  }

  @Test(arguments: [
    (
      "t:expect_sent('crm', 'user.welcome', { plan = 'free' })", "but not with this data", "plan", "\"free\"", "\"pro\""
    ),
    ("t:expect_sent('crm', 'user.welcome', { items = { { price = 6 } } })", "not with", "items.1.price", "6", "5"),
    ("t:expect_sent('crm', 'user.welcome', { zip = 1 })", "not with", "zip", "1", "nothing"),
    ("t:expect_sent('crm', 'user.welcome', { plan = null })", "not with", "plan", "nothing", "\"pro\""),
    (
      "t:expect_sent('crm', 'user.welcom')",
      "was not sent (did you mean 'user.welcome'?); sent were: crm user.welcome {", "", "", ""
    ),
    ("t:expect_called('billing', 'x')", "nothing was called", "", "", ""),
    ("t:event('visited') t:expect_sent('billing', 'trial.extend')", "use t:expect_called", "", "", ""),
    ("t:expect_called('crm', 'user.welcome')", "use t:expect_sent", "", "", ""),
    ("t:expect_nothing()", "there is: crm user.welcome {", "", "", ""),
    ("t:expect_waiting { event = 'paid' }", "a run waits, but otherwise", "event", "\"paid\"", "\"visited\""),
    ("t:expect_waiting { left = '2 days' }", "otherwise", "left", "\"2 days\"", "\"3 days\""),
    ("t:expect_waiting { user = 'ada' }", "no run of user:ada waits", "", "", ""),
    ("t:event('left') t:expect_waiting()", "has ended: stopped", "", "", ""),
    ("t:expect_not_waiting()", "run 1 of welcome waits for visited until", "", "", ""),
    ("t:expect_verdict('skipped')", "the verdict of welcome is another one", "verdict", "skipped", "waiting (run 1"),
    ("t:event('signup') t:expect_verdict('not again', 'paid')", "for another reason", "reason", "paid", "it ran at"),
    ("t:event('other') t:expect_verdict('ran')", "no rule has a verdict", "", "", ""),
    ("t:expect_state { n = 2 }", "the state of welcome about user:42", "n", "2", "1"),
    ("t:expect_traits { plan = 'free' }", "the traits of user:42", "plan", "\"free\"", "\"pro\""),
    ("t:expect_ended()", "no run has ended", "", "", ""),
    ("t:event('visited') t:expect_ended('refused')", "otherwise", "reason", "refused", "extended"),
    ("t:expect_logged('bye')", "logged were: welcomed", "", "", ""),
    ("t:expect_emitted('welcomd')", "did you mean 'welcomed'?", "", "", ""),
    ("t:expect_emitted('welcomed', { plan = 1 })", "not with this data", "plan", "1", "\"pro\""),
    ("t:reply('billing', 'extend', { ok = true })", "nothing called for it", "", "", ""),
    (
      "t:event('login', { plan = nil }, { user = 'bob' }) t:expect_state { n = 1 } local x = nil + 1", "arithmetic", "",
      "", ""
    ),
  ])
  func `what does not hold is told with what was found instead`(
    body: String, message: String, field: String, expected: String, found: String
  ) throws {
    let result = RuleTestTests.run(RuleTestTests.begun + body)
    let failure = try #require(result.results.first?.failure, "\(result.complaints)")
    #expect(failure.unmet.message.contains(message), "\(failure.unmet)")
    #expect(failure.unmet.field == field && failure.unmet.expected == expected, "\(failure.unmet)")
    #expect(failure.unmet.found.hasPrefix(found), "\(failure.unmet)")
    #expect(failure.line == (message.contains("called for it") ? 1 : 3))
    #expect(failure.timeline.first?.name == "signup")
  }

  @Test(arguments: [
    ("t:expect_snt('crm', 'x')", "there is no t:expect_snt (did you mean 'expect_sent'?)"),
    ("t:frobnicate()", "there are event, identify"), ("t.event('signup')", "write t:event(…), with a colon"),
    ("t:event('signup', {}, { usr = '1' })", "unknown option 'usr' (did you mean 'user'?)"),
    ("t:event('signpu')", "no rule here hears of the event 'signpu' (did you mean 'signup'?)"),
    ("t:event(5)", "it needs the event's name as text"), ("t:event('signup', 'pro')", "a table with names"),
    ("t:event('signup', { 1, 2 })", "this is a list"), ("t:event('signup', {}, {}, 1)", "at most 3 arguments"),
    ("t:event('signup', {}, { thing = 'w7' })", "must be text such as \"webinar:w7\""),
    ("t:event('signup', {}, { time = 'soon' })", "must be a time with its zone"),
    ("t:event('nudged.x')", "reserved"), ("t:identify()", "a table of traits"),
    ("t:advance('3 dys')", "\"dys\" is not a unit of time"), ("t:advance(3)", "a duration as text"),
    ("t:at('tomorrow')", "is no moment with a zone"), ("t:at('2026-01-06 10:00', 'Berlin')", "no time zone 'Berlin'"),
    ("t:event('signup') t:at('2020-01-01T00:00:00Z')", "time does not run backwards"),
    ("t:reply('billing', 'x')", "reply needs what is answered"),
    ("t:reply('billing', 'x', { stats = 1 })", "unknown option 'stats' (did you mean 'status'?)"),
    ("t:reply('billing', 'x', { status = 7 })", "a number from 100 to 599"),
    ("t:reply('billing', 'x', { ok = 1 })", "'ok' must be true or false; it is 1"),
    ("t:expect_sent('cmr', 'x')", "there is no destination 'cmr' (did you mean 'crm'?); configured are billing, crm"),
    ("t:expect_sent('crm')", "it needs the type as text"),
    ("t:expect_waiting { til = 'x' }", "unknown option 'til'; there are event, ends, left, rule"),
    ("t:expect_waiting { left = '2 dys' }", "not a unit of time"), ("t:expect_waiting { ends = 'soon' }", "no moment"),
    ("t:expect_verdict('skiped')", "there is no verdict 'skiped' (did you mean 'skipped'?)"),
    ("t:expect_verdict('ran', nil, { rule = 'welcom' })", "there is no rule 'welcom' here (did you mean 'welcome'?)"),
    ("t:expect_state(1)", "a table with names"), ("t:expect_traits()", "it needs a table"),
    ("send('crm', 'x', {})", "send can only be used inside run"), ("state.x = 1", "inside run"),
    ("test('inner', function() end)", "stands at the top of a test file"), ("rules { 'x' }", "at the top"),
    ("t.event = 1", "read-only"), ("while true do end", "the budget of 1000000 steps"),
    ("now()", "now can only be used inside run"),
  ])
  func `a slip is a sentence at its line, with a suggestion where something is near`(body: String, message: String)
    throws
  {
    let result = RuleTestTests.run(body, known: ["crm", "billing"])
    let failure = try #require(result.results.first?.failure, "\(result.complaints)")
    #expect(failure.unmet.message.contains(message), "\(failure.unmet.message)")
    #expect(failure.line == 2)
  }

  @Test(arguments: [
    ("tset('x', function(t) end)", "there is no 'tset' (did you mean 'test'?)"),
    ("test('x')", "test takes a sentence and a function"), ("test('', function(t) end)", "needs a sentence"),
    ("test('x', function(t) end)\ntest('x', function(t) end)", "with this sentence already, at line 1"),
    ("local n = 0\ntest('x', function(t) n = n + 1 end)", "'n' is set here, but it stands outside of the test"),
    ("rules { 'welcom' }\ntest('x', function(t) end)", "there is no rule 'welcom' (did you mean 'welcome'?)"),
    ("rules 'welcome'", "rules takes a list"), ("x = 1", "cannot set the global 'x'"),
    ("test('x', function(t) if a != b then end end)", "'!=' is not Lua"), ("use('lib/nope')", "there is no library"),
    ("return rule {}", "rule{…} stands at the end of a rule's file"), ("os.exit()", "'os' is not available"),
    ("test('x', function(t)", "expected"),
  ])
  func `a test file that cannot be run is told before anything runs`(text: String, message: String) throws {
    let result = RuleTestTests.run(text, whole: true)
    let complaint = try #require(result.complaints.first)
    #expect(complaint.description.contains(message), "\(complaint)")
    #expect(complaint.file == "rules/welcome_test.lua" && result.results.isEmpty)
  }

  @Test(arguments: [Destination.Shape.standard, .bare, .form, .segment])
  func `data is compared as the rule and the transform made it, whatever its shape on the wire`(
    shape: Destination.Shape
  ) {
    let plain = Destination(name: "crm", url: "http://127.0.0.1:9/", signing: .none, shape: shape)
    var shaped = Destination(name: "billing", url: "http://127.0.0.1:9/", signing: .none, shape: shape)
    shaped.transform = "lib/shape"
    let library = "return function(message) return { path = '/v1/trials', data = { length = message.data.days } } end"
    let body =
      RuleTestTests.begun
        + """
        t:expect_sent('crm', 'user.welcome', { plan = 'pro', items = { { price = 5 } } })
        t:event('visited')
        t:expect_called('billing', 'trial.extend', { length = 7, days = null })
        """
    let result = RuleTestTests.run(body, more: ["lib/shape.lua": library], destinations: [plain, shaped])
    #expect(result.results.map { $0.failure == nil } == [true], "\(result.results.first?.failure?.unmet as Any)")
  }

  @Test func `an error of a rule fails a test that did not expect it`() throws {
    let rule = Room.rule("on = 'a'", "local n = event.data.n + 1")
    let result = RuleTestTests.run("t:event('a') t:expect_nothing()", rule: rule)
    let failure = try #require(result.results.first?.failure)
    #expect(
      failure.unmet.message.hasPrefix("welcome failed (line 2): attempt to perform arithmetic"), "\(failure.unmet)")
    #expect(
      RuleTestTests.run("t:event('a') t:expect_verdict('failed', 'arithmetic')", rule: rule).results[0].failure == nil)
    let sleeper = Room.rule("on = 'a'", "wait('1 day') local n = event.data.n + 1")
    let parked = RuleTestTests.run("t:event('a') t:advance('1 day')", rule: sleeper)
    #expect(parked.results[0].failure?.unmet.message.contains("was parked") == true)
    let told = RuleTestTests.run("t:event('a') t:advance('1 day') t:expect_verdict('parked')", rule: sleeper)
    #expect(told.results[0].failure == nil, "\(told.results[0].failure?.unmet as Any)")
  }

  @Test func `only the rule beside the test is loaded, and those that it names`() {
    let other = Room.rule("on = 'signup'", "send('crm', 'other', {})")
    let alone = "t:event('signup') t:expect_sent('crm', 'user.welcome') t:expect_nothing()"
    #expect(RuleTestTests.run(alone, more: ["other.lua": other]).results[0].failure == nil)
    let both = "rules { 'other' }\ntest('it', function(t) t:event('signup') t:expect_sent('crm', 'other') end)"
    #expect(RuleTestTests.run(both, more: ["other.lua": other], whole: true).results[0].failure == nil)
    let broken = RuleTestTests.run("", rule: "return rule { on = 'a' }")
    #expect(broken.complaints.first?.file == "rules/welcome.lua")
  }

  @Test func `a library that cannot be loaded is told with its own line`() {
    let more = ["lib/a.lua": "return {", "lib/b.lua": "return { n = 1 }"]
    let uses = "local a = use('lib/a')\ntest('it', function(t) assert(a.n == 1) end)"
    let broken = RuleTestTests.run(uses, more: more, whole: true)
    #expect(broken.complaints.first?.file == "rules/lib/a.lua")
  }

  @Test func `thousands of events in one test are told apart, and repeats among them still known`() {
    let body = """
      for n = 1, 3000 do t:event('login', { plan = 'none' }, { id = 'e' .. n }) end
      t:event('login', { plan = 'pro' }, { id = 'e1' })
      t:expect_nothing()
      t:event('login', { plan = 'pro' }, { id = 'e3001' })
      t:expect_sent('crm', 'user.welcome')
      """
    let result = RuleTestTests.run(body)
    #expect(result.results.first?.failure == nil, "\(result.results.first?.failure?.unmet as Any)")
  }

  @Test func `a rule that waits and wakes for ever ends the test with a sentence`() throws {
    let rule =
      "return rule { title = 'T', on = 'a', run = function(e, c, saved) local n = saved and saved.n or 0 while true do wait('1 ms') n = n + 1 if n % 50 == 0 then checkpoint { n = n } end end end }"
    let result = RuleTestTests.run("t:event('a') t:advance('300 days')", rule: rule, wakes: 300)
    let failure = try #require(result.results.first?.failure)
    #expect(failure.unmet.message.hasPrefix("advance: runs woke 300 times on the way; does a rule"))
  }

  @Test func `results come in the order of the files, and each test begins anew`() {
    var sources = [RuleSource(path: "r.lua", text: Room.rule("on = 'a'", "state.n = (state.n or 0) + 1"))]
    var tests: [RuleSource] = []
    for number in 10..<40 {
      let text =
        "rules { 'r' }\nfor n = 1, 3 do test('n' .. n, function(t) t:event('a') t:expect_state({ n = 1 }, { rule = 'r' }) end) end"
      tests.append(RuleSource(path: "t\(number)_test.lua", text: text))
    }
    sources += tests
    let run = TestRun(sources: sources, folder: "rules")
    let results = run.run(tests, jobs: 4)
    #expect(results.map(\.file) == tests.map { "rules/" + $0.path })
    #expect(results.flatMap(\.results).count == 90)
    #expect(
      results.flatMap(\.results).allSatisfy { $0.failure == nil },
      "\(results.flatMap(\.results).compactMap(\.failure).first?.unmet as Any)")
    var some = run
    some.filter = "n2"
    #expect(some.run(tests, jobs: 2).flatMap(\.results).count == 30)
  }
}
