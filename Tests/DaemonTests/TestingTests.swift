// nudged test and nudged play as a stranger meets them.
//
// Thread: the test's. Promise: the real binary.

import Basics
import Testing

@Suite struct TestingTests {
  private static let journey = """
    return rule {
      title = "Trial", on = "trial_started", stop_on = { "paid" },
      run = function(event, customer)
        wait("3 days")
        local reply = call("crm", "trial.extend", { plan = event.data.plan })
        send("crm", reply.ok and "trial.extended" or "trial.ending", { customer = customer.id })
        wait_for("paid", { within = "4 days" })
        finish("over")
      end,
    }
    """
  private static let good = """
    test("a trial is extended after three days", function(t)
      t:event("trial_started", { plan = "pro" })
      t:advance("3 days")
      t:expect_called("crm", "trial.extend", { plan = "pro" })
      t:expect_sent("crm", "trial.extended", { customer = "42" })
    end)
    """
  private static let bad = """
    test("a trial is not extended", function(t)
      t:event("trial_started", { plan = "pro" })
      t:reply("crm", "trial.extend", { ok = false })
      t:advance("3 days")
      t:expect_sent("crm", "trial.ending", { customer = "43" })
    end)
    """

  private static func place(_ test: String = good) -> Place {
    Place(rules: ["trial": journey, "trial_test": test])
  }

  @Test func `tests that pass are counted, and the exit code is 0`() {
    let place = TestingTests.place()
    let result = Child.run(["test"] + place.configuration, in: place)
    #expect(result.code == 0, "\(result)")
    #expect(result.out.contains("trial_test.lua  1 test\n") && result.out.hasSuffix("1 test passed\n"), "\(result.out)")
  }

  @Test func `a test that fails is told with its sentence, line, field and what happened, and the exit code is 1`() {
    let place = TestingTests.place(TestingTests.good + "\n" + TestingTests.bad)
    let result = Child.run(["test"] + place.configuration, in: place)
    #expect(result.code == 1)
    for part in [
      "1 of 2 tests failed", "trial_test.lua:11: a trial is not extended", "was sent, but not with this data",
      "customer  expected \"43\"\n              found    \"42\"", "what happened:",
      "Thu 2026-01-08 09:00:00  call    crm trial.extend {\"plan\":\"pro\"} (run 1)",
      "1 test passed, 1 failed",
    ] { #expect(result.out.contains(part), "\(part) is not in\n\(result.out)") }
    let json = Child.run(["test", "--json"] + place.configuration, in: place)
    #expect(json.code == 1)
    let root = try? Document.parse(Array(json.out.utf8)).root
    #expect(root?["failed"]?.integer == 1 && root?["passed"]?.integer == 1)
    let failure = root?["files"]?[0]?["tests"]?[1]?["failure"]
    #expect(failure?["field"]?.string == "customer" && failure?["line"]?.integer == 11)
    #expect(failure?["timeline"]?[0]?["name"]?.string == "trial_started")
  }

  @Test func `paths, a filter and jobs choose and do not change the answer`() {
    let place = TestingTests.place(TestingTests.good + "\n" + TestingTests.bad)
    let at = place.configuration
    #expect(Child.run(["test", "--filter", "is extended"] + at, in: place).code == 0)
    for path in ["rules/trial_test.lua", "rules/trial.lua", "./rules", "trial", "trial_test.lua"] {
      #expect(Child.run(["test", path, "--filter", "is extended"] + at, in: place).code == 0, "\(path)")
    }
    let none = Child.run(["test", "--filter", "nothing like it"] + at, in: place)
    #expect(none.code == 1 && none.out == "No tests found; no test holds that text.\n", "\(none)")
    let wrong = Child.run(["test", "rules/trail_test.lua"] + at, in: place)
    #expect(wrong.code == 2 && wrong.err.contains("there is no test at rules/trail_test.lua"), "\(wrong)")
    #expect(Child.run(["test", "--jobs", "0"] + at, in: place).code == 2)
    let one = Child.run(["test", "--jobs", "1"] + at, in: place)
    #expect(one.out == Child.run(["test", "--jobs", "4"] + at, in: place).out)
  }

  @Test func `no tests are said plainly, and a rule that cannot be loaded is told`() {
    let bare = Place(rules: ["trial": TestingTests.journey])
    let none = Child.run(["test"] + bare.configuration, in: bare)
    #expect(none.code == 1 && none.out.hasPrefix("No tests found; tests lie beside rules"), "\(none)")
    let broken = Place(rules: ["trial": "return rule { on = 'a' }", "trial_test": TestingTests.good])
    let told = Child.run(["test"] + broken.configuration, in: broken)
    #expect(told.code == 1 && told.out.contains("cannot be run") && told.out.contains("trial.lua:"), "\(told)")
    let unknown = TestingTests.place(TestingTests.good.replacing("\"crm\"", with: "\"cmr\""))
    let typo = Child.run(["test"] + unknown.configuration, in: unknown)
    #expect(typo.out.contains("there is no destination 'cmr' (did you mean 'crm'?)"), "\(typo)")
  }

  @Test func `names are held against the catalogue where there is one`() {
    let place = TestingTests.place()
    place.write(
      "rules/catalog.lua",
      "return catalog { events = { trial_started = 'any', paid = 'any', other = 'any' }, templates = { ['trial.extend'] = 'any', ['trial.extended'] = 'any', ['trial.ending'] = 'any' } }"
    )
    #expect(Child.run(["test"] + place.configuration, in: place).code == 0)
    for (line, part) in [
      ("t:event('other')", ""),
      ("t:event('othre')", "there is no event 'othre' (did you mean 'other'?); new ones belong"),
      (
        "t:expect_sent('crm', 'trial.edning')", "there is no template 'trial.edning' (did you mean 'trial.ending'?)"
      ),
      (
        "t:reply('crm', 'trial.extnd', { ok = true })",
        "there is no template 'trial.extnd' (did you mean 'trial.extend'?)"
      ),
    ] {
      place.write("rules/trial_test.lua", "test('it', function(t) \(line) end)")
      let result = Child.run(["test"] + place.configuration, in: place)
      #expect(result.code == (part.isEmpty ? 0 : 1) && result.out.contains(part), "\(result)")
    }
  }

  private static let scenario = """
    {"name": "trial_started", "user": "ada", "time": "2026-03-02T10:00:00Z", "data": {"plan": "pro"}}
    {"reply": {"destination": "crm", "type": "trial.extend", "ok": false, "status": 503}}
    {"advance": "1 day"}
    {"name": "trial_started", "user": "bob", "data": {"plan": "team"}}
    {"name": "paid", "user": "ada", "time": "2026-03-06T10:00:00Z"}

    """

  @Test func `a scenario is played and every subject's timeline is shown, the same in two processes`() {
    let place = TestingTests.place()
    place.write("events.ndjson", TestingTests.scenario)
    let words = ["play", "events.ndjson"] + place.configuration
    let first = Child.run(words, in: place)
    #expect(first.code == 0, "\(first)")
    for part in [
      "user:ada\n  Mon 2026-03-02 10:00:00  event   trial_started {\"plan\":\"pro\"}\n",
      "  Thu 2026-03-05 10:00:00  call    crm trial.extend", "reply   crm trial.extend: not ok, 503",
      "send    crm trial.ending {\"customer\":\"ada\"}", "run 1 stopped: paid",
      "It is Fri 2026-03-06 10:00:00 (all times in UTC). What still waits:\n",
      "  user:bob  trial  run 2 waits for paid until Tue 2026-03-10 10:00:00, in 4 d\n",
    ] { #expect(first.out.contains(part), "\(part) is not in\n\(first.out)") }
    #expect(Child.run(words, in: place).out == first.out)
    let json = Child.run(words + ["--json"], in: place)
    #expect(json.out == Child.run(words + ["--json"], in: place).out)
    let root = try? Document.parse(Array(json.out.utf8)).root
    #expect(
      root?["now"]?.string == "2026-03-06T10:00:00.000Z" && root?["waiting"]?[0]?["subject"]?.string == "user:bob")
    let one = Child.run(words + ["--subject", "user:bob", "--until", "2026-04-01T00:00:00Z"], in: place)
    #expect(
      !one.out.contains("ada") && one.out.contains("run 2 finished: over") && one.out.hasSuffix("No run waits.\n"))
    let input = Child.run(["play", "-"] + place.configuration, in: place, input: place.path("events.ndjson"))
    #expect(input.out == first.out)
  }

  @Test func `a bad line is told with its number, and nothing is played`() {
    let place = TestingTests.place()
    place.write("events.ndjson", TestingTests.scenario + "{\"nam\": 1}\n{\"advnce\": \"1 day\"}\n")
    let result = Child.run(["play", "events.ndjson"] + place.configuration, in: place)
    #expect(result.code == 1 && result.out.isEmpty)
    #expect(result.err.contains("events.ndjson:6: unknown field 'nam' (did you mean 'name'?)"), "\(result.err)")
    #expect(result.err.contains("events.ndjson:7: there is no line 'advnce' (did you mean 'advance'?)"))
    for (words, part) in [
      (["play"], "play EVENTS.ndjson"), (["play", "x", "--until", "soon"], "a moment such as"),
      (["play", "x", "--subject", "ada"], "such as user:42"),
    ] {
      let wrong = Child.run(words + place.configuration, in: place)
      #expect(wrong.code == 2 && wrong.err.contains(part), "\(wrong)")
    }
    #expect(Child.run(["play", "nope"] + place.configuration, in: place).err.contains("cannot read nope"))
    place.write("one.ndjson", "{\"name\": \"x\", \"user\": \"1\"}\n")
    let nobody = Child.run(["play", "one.ndjson", "--subject", "user:2"] + place.configuration, in: place)
    #expect(nobody.code == 1 && nobody.err.contains("does not know user:2"))
  }
}
