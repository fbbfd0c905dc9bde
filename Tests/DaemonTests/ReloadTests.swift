// New rules, keys and destinations while it runs: all of them or none.
//
// Thread: the test's. Promise: the real binary, loopback only.

import Basics
import Glibc
import Testing

@Suite struct ReloadTests {
  private static func rule(_ text: String) -> String {
    "return rule { title = 'T', on = 'signup', run = function(event)\n state.says = '\(text)'\nend }"
  }

  private static let broken =
    "return rule {\n title = 'T', on = 'signup',\n run = function(event)\n  snd('crm', 'x', {})\nend }"

  private func says(_ daemon: Daemon, _ id: Int) throws -> JSONValue? {
    #expect(try daemon.post("{\"id\": \"\(id)\", \"name\": \"signup\", \"user\": \"42\"}").status == 200)
    return try daemon.state("user:42", "a")?["says"]
  }

  @Test func `a good rule swaps and a broken one is refused with its line`() throws {
    let place = Place(rules: ["a": ReloadTests.rule("one")])
    let daemon = try Daemon(place)
    #expect(try says(daemon, 1) == "one")
    place.write("rules/a.lua", ReloadTests.rule("two"))
    let done = daemon.command("rules", "reload")
    #expect(done.code == 0 && done.out == "1 rule is loaded anew\n", "\(done)")
    #expect(try says(daemon, 2) == "two")
    place.write("rules/a.lua", ReloadTests.broken)
    let refused = daemon.command("rules", "reload")
    #expect(refused.code == 1)
    #expect(refused.err.contains("rules/a.lua:4: ") && refused.err.contains("the old rules stay"), "\(refused.err)")
    let overHTTP = try daemon.request("POST", "/v1/rules/reload", at: daemon.admin)
    #expect(overHTTP.status == 422 && overHTTP.isRefusal)
    #expect(overHTTP.text.contains("rules/a.lua:4: "))
    #expect(try says(daemon, 3) == "two", "the old one goes on")
    place.write("rules/a.lua", ReloadTests.rule("three"))
    let again = try daemon.request("POST", "/v1/rules/reload", at: daemon.admin)
    #expect(again.status == 200 && again["rules"] == 1)
    #expect(try says(daemon, 4) == "three")
  }

  @Test func `SIGHUP does the same, and the log says what was wrong`() throws {
    let place = Place(rules: ["a": ReloadTests.rule("one")])
    let daemon = try Daemon(place)
    place.write("rules/a.lua", ReloadTests.broken)
    daemon.child.signal(SIGHUP)
    #expect(Wait.until { daemon.log.contains("the old ones stay") && daemon.log.contains("rules/a.lua:4: ") })
    #expect(try says(daemon, 1) == "one")
    place.write("rules/a.lua", ReloadTests.rule("two"))
    daemon.child.signal(SIGHUP)
    #expect(Wait.until { daemon.log.contains("loaded anew") })
    #expect(try says(daemon, 2) == "two")
  }

  @Test func `keys are reloaded, too, and a key that is gone opens nothing any more`() throws {
    let place = Place(more: "open_locally = false, keys = { old = { secret = file \"old\" } }")
    place.write("old", "old-key")
    place.write("new", "new-key")
    let daemon = try Daemon(place)
    let event = #"{"name": "signup", "user": "42"}"#
    let old = ["Authorization": "Bearer old-key"]
    let new = ["Authorization": "Bearer new-key"]
    #expect(try daemon.post(event, headers: old).status == 200)
    #expect(try daemon.post(event, headers: new).status == 401)
    place.configure(destination: 0, more: "open_locally = false, keys = { new = { secret = file \"new\" } }")
    #expect(daemon.command("rules", "reload").code == 0)
    #expect(try daemon.post(event, headers: old).status == 401)
    #expect(try daemon.post(event, headers: new).status == 200)
    place.configure(destination: 0, more: "open_locally = false, keyz = {}")
    let refused = daemon.command("rules", "reload")
    #expect(refused.code == 1)
    place.configure(destination: 0, more: "")
    daemon.child.signal(SIGHUP)
    #expect(Wait.until { (try? daemon.post(event).status) == 200 })
  }

  @Test func `what the command line set stays set`() throws {
    let place = Place(rules: ["a": ReloadTests.rule("one")])
    mkdir(place.path("other"), 0o700)
    place.write("other/a.lua", ReloadTests.rule("other"))
    let daemon = try Daemon(place, ["--set", "open_locally=false", "--set", "rules=\(place.path("other"))"])
    #expect(try daemon.request("POST", "/v1/rules/reload", at: daemon.admin).status == 200)
    #expect(try daemon.post(#"{"name": "signup", "user": "42"}"#).status == 401)
    #expect(
      try daemon.request("POST", "/v1/events", #"{"name": "signup", "user": "42"}"#, at: daemon.admin).status == 200)
    #expect(try daemon.state("user:42", "a")?["says"] == "other")
  }

  @Test func `destinations move, and a rule whose destination is gone is refused`() throws {
    let place = Place()
    let first = try Receiver(in: place)
    place.configure(destination: first.port)
    let daemon = try Daemon(place)
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#).status == 200)
    #expect(first.waitFor(1))
    let other = Place()
    let second = try Receiver(in: other)
    place.configure(destination: second.port)
    #expect(daemon.command("rules", "reload").code == 0)
    #expect(try daemon.post(#"{"id": "2", "name": "signup", "user": "42"}"#).status == 200)
    #expect(second.waitFor(1))
    #expect(first.hooks.count == 1)
    place.write("nudged.lua", "return { store = \"sqlite:nudged.db\", rules = \"rules\" }")
    let refused = daemon.command("rules", "reload")
    #expect(refused.code == 1 && refused.err.contains("rules/welcome.lua:5: ") && refused.err.contains("crm"))
  }

  @Test func `what a rule remembers survives its leaving, its return and a restart`() throws {
    let place = Place(rules: ["m": ReloadTests.rule("m")])
    let daemon = try Daemon(place)
    place.write("rules/a.lua", ReloadTests.rule("a"))
    #expect(daemon.command("rules", "reload").code == 0)
    #expect(daemon.command("rules", "reload").code == 0)
    #expect(try says(daemon, 1) == "a")
    unlink(place.path("rules/a.lua"))
    #expect(daemon.command("rules", "reload").code == 0)
    #expect(try daemon.state("user:42", "a")?["says"] == "a")
    daemon.crash()
    place.write("rules/0.lua", ReloadTests.rule("zero"))
    let next = try Daemon(place)
    place.write("rules/a.lua", ReloadTests.rule("a2"))
    #expect(next.command("rules", "reload").code == 0)
    #expect(try next.state("user:42", "a")?["says"] == "a", "its number waited for it")
    #expect(try next.state("user:42", "0") == nil)
    #expect(try says(next, 2) == "a2")
  }
}
