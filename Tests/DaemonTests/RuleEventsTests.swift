// What nudged tells rules about other rules: that one failed, that one was paused.
//
// Thread: the test's. Promise: what is waited for is a change that has to come, never a time.

import Basics
import Testing

@Suite struct RuleEventsTests {
  @Test func `a rule hears that another failed, and its own failure is not told for ever`() throws {
    let failing = """
      return rule { title = "Fail", on = "signup", run = function(event) local x = event.data.count + 1 end }
      """
    let listening = """
      return rule {
        title = "Hear", on = "nudged.rule.failed", per = "rule",
        run = function(event) state.rule = event.data.rule state.n = (state.n or 0) + 1 end,
      }
      """
    let hearing = """
      return rule { title = "Fail as well", on = "nudged.rule.failed", per = "rule", run = function(event, customer) local x = customer.traits.none + 1 end }
      """
    let daemon = try Daemon(Place(rules: ["fail": failing, "hear": listening, "worse": hearing]))
    #expect(try daemon.post(#"{"name":"signup","user":"ada","data":{}}"#).status == 200)
    #expect(try Wait.until { try daemon.state("rule:fail", "hear")?["rule"] == "fail" })
    #expect(try daemon.state("rule:fail", "hear")?["n"] == 1)
  }

  @Test func `a rule hears that another was paused`() throws {
    let listening = """
      return rule {
        title = "Hear", on = "nudged.rule.paused", per = "rule",
        run = function(event) state.reason = event.data.reason end,
      }
      """
    let place = Place(more: "effects_per_hour = 2,", rules: ["welcome": Place.welcome, "hear": listening])
    let daemon = try Daemon(place)
    for user in 1...3 { #expect(try daemon.post("{\"name\":\"signup\",\"user\":\"u\(user)\"}").status == 200) }
    #expect(
      try Wait.until {
        try daemon.state("rule:welcome", "hear")?["reason"]?.plainText.contains("effects within an hour") == true
      })
  }
}
