// What the loader says about keys that gather events and about what is late.
//
// Thread: the test's own. Promise: every message has the line where a person has to look.

import Model
import Rules
import Testing

@Suite struct CollectingHeaderTests {
  private func header(_ text: String) throws -> RuleHeader {
    let loading = Fixture.load(["a.lua": Fixture.rule("", header: text + ",")])
    #expect(loading.complaints.isEmpty, "\(loading.complaints)")
    return try #require(loading.set.rules.first).header
  }

  @Test func `they are read, and a rule that gathers lets runs live side by side unless it says otherwise`() throws {
    let collect = try header("collect = { up_to = 10, within = '10 minutes' }")
    #expect(collect.gather == .collect(upTo: 10, withinMilliseconds: 600_000) && collect.second == .parallel)
    let silence = try header("debounce = '10 minutes', second = 'ignore'")
    #expect(silence.gather == .debounce(milliseconds: 600_000) && silence.second == .ignore)
    #expect(try header("priority = 1").catchUp == .fire && header("priority = 1").gather == nil)
    #expect(try header("catch_up = 'skip'").catchUp == .skip)
    #expect(try header("catch_up = '2 hours'").catchUp == .within(milliseconds: 7_200_000))
    #expect(try header("collect = { up_to = 10, within = '1 h' }, limit = 3").limit == 3)
  }

  @Test func `a rule that gathers is one that waits`() {
    let set = Fixture.load(["a.lua": Fixture.rule("", header: "debounce = '1 h',"), "b.lua": Fixture.rule("")]).set
    #expect(set.rules.map(\.waits) == [true, false])
  }

  @Test(arguments: [
    ("collect = 3", "'collect' must be such as { up_to = 10, within = \"10 minutes\" }; it is 3"),
    ("collect = { up_to = 1, within = '1 h' }", "'up_to' of 'collect' must be a whole number from 2 to 1000; it is 1"),
    (
      "collect = { up_to = 1001, within = '1 h' }",
      "'up_to' of 'collect' must be a whole number from 2 to 1000; it is 1001"
    ),
    ("collect = { within = '1 h' }", "'up_to' of 'collect' must be a whole number from 2 to 1000"),
    ("collect = { up_to = 3 }", "'within' of 'collect' must be a duration of at most ten years such as \"10 minutes\""),
    (
      "collect = { up_to = 3, within = 5 }",
      "'within' of 'collect' must be a duration of at most ten years such as \"10 minutes\"; it is 5"
    ),
    ("debounce = '0 s'", "'debounce' must be a duration of at most ten years such as \"10 minutes\"; it is \"0 s\""),
    (
      "catch_up = 'skipp'",
      "'catch_up' must be \(RuleHeader.catchUpForm); it is \"skipp\" (did you mean 'skip'?)"
    ),
    ("catch_up = '30 s'", "'catch_up' must be \(RuleHeader.catchUpForm); it is \"30 s\""),
    ("catch_up = true", "'catch_up' must be \(RuleHeader.catchUpForm); it is true"),
    (
      "debounce = '1 h', collect = { up_to = 3, within = '1 h' }", RuleHeader.collectAndDebounce
    ),
  ])
  func `a wrong value is refused with its line`(text: String, complaint: String) {
    #expect(Fixture.complaints(Fixture.rule("", header: "\n\(text),")) == ["rules/a.lua:2: \(complaint)"])
  }

  /// What a header with these keys and this `on` is refused for.
  private func refused(_ on: String, _ keys: String) -> [String] {
    Fixture.complaints("return rule { title = 'T', on = \(on), \(keys), run = function(event) end }").map {
      String($0.dropFirst("rules/a.lua:1: ".count))
    }
  }

  @Test(arguments: [
    "before('data.at', '1 hour', { event = 'a' })", "every('09:00')", "absence { of = 'a', lasting = '1 day' }",
  ])
  func `what begins by itself gathers nothing`(on: String) {
    for key in ["collect = { up_to = 3, within = '1 h' }", "debounce = '1 h'"] {
      let complaints = refused(on, key)
      #expect(
        complaints.count == 1 && complaints[0].hasPrefix("'collect' and 'debounce' gather events"), "\(complaints)")
    }
  }

  @Test func `an event that would end every collection which it joins is refused`() {
    for (key, ends) in [
      ("stop_on", "stop_on = { 'b', 'a' }"), ("goal", "goal = { event = 'a' }"), ("stop_on", "stop_on = 'a'"),
    ] {
      for gather in ["collect = { up_to = 3, within = '1 h' }", "debounce = '1 h'"] {
        #expect(
          refused("'a'", "\(gather), \(ends)") == [
            "'a' of 'on' is collected, and so it cannot end what it joins: take it out of '\(key)'"
          ])
      }
      #expect(refused("'a'", ends) == [], "a rule that begins at once may be ended by the next one")
    }
    #expect(refused("'a'", "debounce = '1 h', key = 'data.k', stop_on = { a = 'data.old' }") == [])
  }

  @Test func `a rule for itself alone has no sides`() {
    for key in ["hold_out = 10", "goal = { event = 'a' }"] {
      let complaints = refused("every('09:00')", key)
      #expect(complaints.count == 1 && complaints[0].contains("is about many subjects"), "\(complaints)")
      #expect(refused("every('09:00', { for_each = 'user' })", key) == [])
    }
  }

  @Test func `a key that no own event carries is refused, because the rule would never run`() {
    for on in ["every('09:00', { for_each = 'user' })", "absence { of = 'a', lasting = '1 day' }"] {
      for path in ["data.invoice", "traits.plan", "thing", "account", "data.due.day"] {
        let complaints = refused(on, "key = '\(path)'")
        #expect(complaints.count == 1 && complaints[0].hasPrefix("'key' is '\(path)', and the event"), "\(complaints)")
      }
      for path in ["user", "data.rule", "id"] { #expect(refused(on, "key = '\(path)'") == [], "\(path)") }
    }
  }

  @Test func `an unknown key of collect is told with what was meant`() {
    let complaints = Fixture.complaints(
      Fixture.rule("", header: "collect = { up_too = 3, up_to = 3, within = '1 h' },"))
    #expect(complaints == ["rules/a.lua:1: unknown key 'up_too' in 'collect' (did you mean 'up_to'?)"])
  }
}
