// What can be seen of a rule that collects before anything runs: its numbers, its times, and what `run` gets.
//
// Thread: the test's own. Promise: each slip is named once, at its place, with what to write instead.

import Basics
import RuleCheck
import Rules
import Testing

@Suite struct CollectingTests {
  private static let collect = "collect = { up_to = 10, within = \"10 minutes\" }"

  private func findings(_ header: String, _ parameters: String = "event, customer", _ body: String = "") -> [String] {
    let text = "return rule { title = 'T', on = 'x', run = function(\(parameters))\n\(body)\nend,\n\(header) }"
    return Checking.lines(Checking.findings(text))
  }

  @Test func `the keys take what they take and nothing else`() {
    for header in [
      CollectingTests.collect, "debounce = '10 minutes'", "catch_up = 'skip'", "catch_up = 'fire'",
      "catch_up = '2 hours'", CollectingTests.collect + ", limit = 3", "debounce = '1 h', second = 'restart'",
    ] {
      #expect(findings(header) == [], "\(header)")
    }
    let wrong: [(String, [String])] = [
      (
        "collect = 5", ["4: 'collect' must be a table, such as { up_to = … }; it is 5"]
      ),
      ("collect = { up_to = 10 }", ["4: 'collect' needs 'within', a duration such as \"3 days\""]),
      (
        "collect = { up_to = 1, within = '1 h' }",
        ["4: collect: 'up_to' must be a whole number from 2 to 1000; it is 1"]
      ),
      (
        "collect = { upto = 10, within = '1 h' }",
        ["4: unknown option 'upto' (did you mean 'up_to'?)"]
      ),
      (
        "debounce = '10 minuts'",
        [
          "4: 'debounce': \"minuts\" is not a unit of time; known are seconds, minutes, hours, days and weeks (s, min, h, d, w) (did you mean '10 minutes'?)"
        ]
      ),
      (
        "catch_up = 'skipp'",
        [
          "4: 'catch_up' must be \"fire\", \"skip\" or a duration such as \"3 days\"; it is \"skipp\" (did you mean 'skip'?)"
        ]
      ),
      (
        "catch_up = '10 seconds'",
        ["4: 'catch_up' must be \(RuleHeader.catchUpForm); \"10 seconds\" late is on time"]
      ),
      ("debounce = '1 h', " + CollectingTests.collect, ["4: \(RuleHeader.collectAndDebounce)"]),
      ("colect = { up_to = 10, within = '1 h' }", ["4: unknown key 'colect' (did you mean 'collect'?)"]),
    ]
    for (header, expected) in wrong { #expect(findings(header) == expected, "\(header)") }
  }

  @Test func `run gets the list third and what was kept fourth`() {
    let list = "event, customer, events"
    #expect(findings(CollectingTests.collect, list, "log(events[1].data.n .. #events)") == [])
    #expect(
      findings(CollectingTests.collect, list, "for _, one in ipairs(events) do log(one.nmae) end")
        == ["2: event has no field 'nmae' (did you mean 'name'?)"])
    let kept = "if not saved then checkpoint { n = #events } end"
    #expect(findings(CollectingTests.collect, list + ", saved", kept) == [])
    #expect(
      findings(CollectingTests.collect, list, "checkpoint { n = #events } wait('1 h')").contains {
        $0.contains("as its fourth argument") && $0.contains("function(event, customer, events, saved)")
      })
    #expect(
      findings("debounce = '1 h'", list)
        == ["1: with 'debounce' the run gets the newest event alone; for all of them write \(CollectingTests.collect)"])
    #expect(
      findings("priority = 1", list)
        == ["1: a run gets a list of events only in a rule with \(CollectingTests.collect)"])
    #expect(
      findings(CollectingTests.collect, list + ", saved, more")
        == ["1: 'run' gets at most 4 arguments: function(event, customer, events, saved)"])
  }
}
