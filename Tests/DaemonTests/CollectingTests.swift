// Runs that collect as people see them: in lists, by themselves, and after a kill.
//
// Thread: the test's; the daemon is a process of its own. Promise: nothing waits for time to pass.

import Basics
import Testing

@Suite struct CollectingRunTests {
  private static let rule = """
    return rule {
      title   = "Many",
      on      = "tried",
      collect = { up_to = 3, within = "10 days" },
      run = function(event, customer, events) finish("there were " .. #events) end,
    }
    """

  @Test func `a run that collects is shown, outlives a kill, and begins when enough has come`() throws {
    let place = Place(rules: ["many": CollectingRunTests.rule])
    var daemon = try Daemon(place)
    for _ in 0..<2 { #expect(try daemon.post(#"{"name":"tried","user":"ada"}"#).status == 200) }
    #expect(try daemon.get("/v1/events/2").text.contains("run 1 collects it (2 of 3) until"))
    daemon.crash()
    daemon = try Daemon(place)
    #expect(daemon.command("runs", "list").out.contains("collects 2 of 3"))
    let shown = daemon.command("runs", "show", "1").out
    #expect(shown.contains("  collects 2 of 3 until ") && !shown.contains("at line"), "\(shown)")
    #expect(daemon.command("explain", "user:ada").out.contains("run 1 of many collects 2 of 3 until"))
    let run = try daemon.get("/v1/runs/1")
    #expect(run["collects"] == .string("2 of 3") && run["collected"]?.count == 2)
    #expect(try daemon.post(#"{"name":"tried","user":"ada"}"#).status == 200)
    let ended = daemon.command("runs", "show", "1").out
    #expect(ended.contains("there were 3") && ended.contains("woken by event 3 tried and 2 before it"), "\(ended)")
  }

  @Test func `one is woken by hand with what is there, and another is cancelled`() throws {
    let daemon = try Daemon(Place(rules: ["many": CollectingRunTests.rule]))
    for user in ["ada", "bob"] { #expect(try daemon.post("{\"name\":\"tried\",\"user\":\"\(user)\"}").status == 200) }
    #expect(daemon.command("runs", "wake", "1").code == 0)
    #expect(daemon.command("runs", "show", "1").out.contains("there were 1"))
    #expect(daemon.command("runs", "cancel", "2").code == 0)
    #expect(daemon.command("runs", "list", "--status", "ended").out.contains("cancelled"))
  }
}
