// Rules that wait, seen from outside: through HTTP, the commands, reloads and restarts of the real daemon.
//
// Thread: the test's. Promise: what is waited for is a change that has to come, never a time.

import Basics
import Testing

@Suite struct RunsTests {
  static let waiting = """
    return rule {
      title = "Wait", on = "begin", key = "data.key", stop_on = "stop",
      run = function(event, customer)
        send("crm", "began", { customer = customer.id })
        local next = wait_for("next", { within = "30 days" })
        finish(next and next.data.reason or "nothing came")
      end,
    }
    """

  private static func begin(_ daemon: Daemon, _ key: String, user: String = "ada") throws {
    let event = "{\"name\":\"begin\",\"user\":\"\(user)\",\"data\":{\"key\":\"\(key)\"}}"
    #expect(try daemon.post(event).status == 200)
  }

  @Test func `a run is listed, shown, cancelled, and found again after a stop without a daemon`() throws {
    let place = Place(rules: ["wait": RunsTests.waiting])
    let daemon = try Daemon(place)
    for key in ["a", "b", "c"] { try RunsTests.begin(daemon, key) }
    let listed = daemon.command("runs", "list")
    #expect(listed.code == 0 && listed.out.contains("user:ada") && listed.out.contains("next"), "\(listed)")
    #expect(try daemon.get("/v1/runs?rule=wait&subject=user:ada")["runs"]?.count == 3)
    #expect(try daemon.get("/v1/runs?rule=other")["runs"]?.count == 0)
    let shown = daemon.command("runs", "show", "1")
    #expect(shown.out.contains("woken by event 1 begin") && shown.out.contains("send crm began"), "\(shown)")
    #expect(daemon.command("runs", "cancel", "1").out == "run 1 is cancelled\n")
    #expect(daemon.command("runs", "cancel", "1").code == 1)
    #expect(daemon.command("runs", "cancel", "--rule", "wait").out == "2 runs would be cancelled; add --yes to do it\n")
    #expect(try daemon.post(#"{"name":"next","user":"ada","data":{"key":"b","reason":"it came"}}"#).status == 200)
    let ended = daemon.command("runs", "list", "--status", "ended")
    #expect(ended.out.contains("it came") && ended.out.contains("by hand"), "\(ended)")
    let before = daemon.command("runs", "show", "3", "--json").out
    #expect(daemon.stop() == 0)
    let offline = Child.run(["runs", "show", "3", "--json"] + place.configuration, in: place)
    #expect(offline.out == before && !before.isEmpty)
  }

  @Test func `many runs are cancelled by filter`() throws {
    let daemon = try Daemon(Place(rules: ["wait": RunsTests.waiting]))
    let lines = (1...1_200).map { "{\"name\":\"begin\",\"user\":\"u\($0)\",\"data\":{\"key\":\"k\"}}" }
    #expect(try daemon.post(lines.joined(separator: "\n")).status == 200)
    #expect(daemon.command("runs", "cancel", "--all", "--yes").out == "1200 runs were asked to end\n")
    #expect(try Wait.until { try daemon.get("/v1/runs?limit=1")["runs"]?.count == 0 })
    #expect(daemon.command("runs", "cancel").code == 2)
  }

  @Test func `a reload says how many runs keep an older version, and history shows it`() throws {
    let place = Place(rules: ["wait": RunsTests.waiting])
    let daemon = try Daemon(place)
    try RunsTests.begin(daemon, "a")
    try RunsTests.begin(daemon, "b")
    place.write("rules/wait.lua", RunsTests.waiting + "\n-- changed\n")
    let reloaded = daemon.command("rules", "reload")
    #expect(reloaded.out == "1 rule is loaded anew\n2 runs of wait keep an older version\n", "\(reloaded)")
    let history = try daemon.get("/v1/rules/history?rule=wait")["versions"]
    #expect(history?.count == 2)
    place.write("rules/other.lua", RunsTests.waiting)
    place.delete("rules/wait.lua")
    let gone = daemon.command("rules", "reload").out
    #expect(gone.contains("2 runs of wait go on with the version they began with; the file is gone"), "\(gone)")
    #expect(daemon.command("rules", "history", "wait", "--version", "1").out.contains("title = \"Wait\""))
    #expect(daemon.command("rules", "history", "nothing").code == 1)
  }

  @Test func `a paused rule starts nothing until it is resumed, also over a restart`() throws {
    let place = Place(more: "timers_after_start = 0,", rules: ["wait": RunsTests.waiting])
    var daemon = try Daemon(place)
    #expect(daemon.command("rules", "pause", "wait", "--reason", "a mistake").code == 0)
    try RunsTests.begin(daemon, "a")
    #expect(try daemon.get("/v1/events/1").text.contains("a mistake"))
    #expect(daemon.stop() == 0)
    daemon = try Daemon(place)
    try RunsTests.begin(daemon, "b")
    #expect(try daemon.get("/v1/runs")["runs"]?.count == 0)
    #expect(daemon.command("rules", "resume", "wait").out == "wait lives again\n")
    #expect(daemon.command("rules", "resume", "wait").out == "wait was not paused\n")
    try RunsTests.begin(daemon, "c")
    #expect(try daemon.get("/v1/runs")["runs"]?.count == 1)
    #expect(daemon.command("rules", "pause", "wait").code == 0)
    #expect(daemon.command("runs", "wake", "1").out == "run 1 goes on later: its rule is paused: by hand\n")
    #expect(daemon.command("rules", "resume", "wait").code == 0)
    #expect(Wait.until { daemon.command("runs", "show", "1").out.contains("nothing came") })
    place.write("rules/wait.lua", RunsTests.waiting.replacing("rule {", with: "rule { mode = \"paused\","))
    #expect(daemon.command("rules", "reload").code == 0)
    #expect(daemon.command("rules", "resume", "wait").out.hasPrefix("wait stays paused: its file says mode"))
    #expect(daemon.command("rules", "pause", "wiat").err.contains("did you mean 'wait'"))
  }

  @Test func `what came for a run while its rule was paused is kept over a restart, shown, and taken on resume`() throws
  {
    let place = Place(more: "timers_after_start = 0,", rules: ["wait": RunsTests.waiting])
    var daemon = try Daemon(place)
    try RunsTests.begin(daemon, "a")
    #expect(daemon.command("rules", "pause", "wait").code == 0)
    #expect(daemon.command("runs", "list").out.contains("next (its rule is paused)"))
    #expect(try daemon.post(#"{"name":"next","user":"ada","data":{"key":"a","reason":"it came"}}"#).status == 200)
    daemon.crash()
    daemon = try Daemon(place)
    #expect(daemon.command("runs", "list").out.contains("its rule, which was paused"))
    #expect(daemon.command("rules", "resume", "wait").code == 0)
    #expect(Wait.until { daemon.command("runs", "list", "--status", "ended").out.contains("it came") })
  }

  @Test func `explain tells what waits and why a rule did not run`() throws {
    let daemon = try Daemon(Place(rules: ["wait": RunsTests.waiting, "welcome": Place.welcome]))
    try RunsTests.begin(daemon, "a")
    try RunsTests.begin(daemon, "a")
    #expect(try daemon.post(#"{"name":"signup","user":"ada"}"#).status == 200)
    let told = daemon.command("explain", "user:ada")
    #expect(told.out.contains("run 1 of wait for next until"), "\(told)")
    #expect(told.out.contains("wait: second, run 1 with this key lives since"), "\(told)")
    #expect(told.out.contains("welcome: ran"))
    #expect(!daemon.command("explain", "user:ada", "welcome").out.contains("second"))
    #expect(daemon.command("explain", "user:nobody").code == 1)
    let slip = try daemon.get("/v1/runs?status=bogus")
    #expect(slip.status == 400)
  }

  @Test(arguments: [1, 2]) func `timers of runs fire in a new process`(lanes: Int) throws {
    let rule = """
      return rule { title = "T", on = "begin", run = function(event)
        wait("1 s")
        finish("woken")
      end }
      """
    let place = Place(more: "timers_after_start = 0,", rules: ["r": rule])
    let daemon = try Daemon(place, ["--set", "lanes=\(lanes)"])
    for user in 1...20 { #expect(try daemon.post("{\"name\":\"begin\",\"user\":\"u\(user)\"}").status == 200) }
    daemon.crash()
    let again = try Daemon(place, ["--set", "lanes=\(lanes)"])
    #expect(try Wait.until { try again.get("/v1/runs?status=finished")["runs"]?.count == 20 })
  }

  @Test func `a number that a rule names in its own words is nobody's run`() throws {
    let wait = "return rule { title = \"W\", on = \"go\", stop_on = \"stop\", run = function() wait(\"1 day\") end }"
    let say = "return rule { title = \"S\", on = \"say\", run = function() skip(\"run 1 is enough\") end }"
    let daemon = try Daemon(Place(rules: ["wait": wait, "say": say]))
    for (name, user) in [("go", "ada"), ("stop", "ada"), ("say", "bob")] {
      #expect(try daemon.post("{\"name\":\"\(name)\",\"user\":\"\(user)\"}").status == 200)
    }
    #expect(Wait.until { daemon.command("explain", "user:ada").out.contains("run 1") })
    #expect(Wait.until { daemon.command("explain", "user:bob").out.contains("run 1 is enough") })
    #expect(!daemon.command("explain", "user:bob").out.contains("ended at"))
    #expect(daemon.stop() == 0)
  }

  @Test func `who asks about a person is told what the thing of her reminder did, until it was cancelled`() throws {
    let remind = """
      return rule {
        title = "Remind", key = "thing",
        on = before("data.starts_at", "1 hour", { event = "came", moved = "moved", cancelled = "cancelled" }),
        run = function(event, customer, date) send("crm", "soon", { date = date }) end,
      }
      """
    let daemon = try Daemon(Place(rules: ["remind": remind]))
    func tell(_ name: String, _ rest: String) throws {
      #expect(try daemon.post("{\"name\":\"\(name)\",\"thing\":\"webinar:w7\"\(rest)}").status == 200)
    }
    func explained(_ words: String...) -> Bool {
      let out = daemon.command("explain", "user:ada").out
      return words.allSatisfy(out.contains)
    }
    try tell("came", #","user":"ada","data":{"starts_at":"2035-03-10T18:00:00Z"}"#)
    #expect(explained("run 1 of remind", "2035-03-10T18:00:00Z"))
    try tell("moved", #","data":{"starts_at":"2035-04-10T18:00:00Z"}"#)
    #expect(Wait.until { explained("1 hour before 2035-04-10T18:00:00Z", "told by event 2 moved") })
    try tell("cancelled", "")
    #expect(Wait.until { explained("nothing waits", "remind: run 1 ended at", "stopped: cancelled") })
    #expect(daemon.command("explain", "user:ada", "remind").out.contains("stopped: cancelled"))
    #expect(daemon.stop() == 0)
  }
}
