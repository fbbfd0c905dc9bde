// nudged check and nudged rules annotate as people and editors meet them.
//
// Thread: the test's. Promise: the real binary.

import Basics
import Glibc
import Testing

@Suite struct CheckTests {
  private static let slip = """
    return rule {
      title = "T",
      on    = "signup",
      run = function(event, customer)
    \tsned("crm", "x")
        skip("done")
        log("never")
      end,
    }
    """

  private static let doubtful = slip.split(separator: "\n").filter { !$0.contains("sned") }.joined(separator: "\n")

  @Test func `a slip is shown with its line and a mark under the place`() {
    let place = Place(rules: ["a": CheckTests.slip])
    let result = Child.run(["check"] + place.configuration, in: place)
    #expect(result.code == 1 && result.err.isEmpty)
    #expect(result.out.contains("rules/a.lua:5:2: error: there is no 'sned' (did you mean 'send'?)\n"))
    #expect(result.out.contains("\n    \tsned(\"crm\", \"x\")\n    \t^~~~\n"), "\(result.out)")
    #expect(result.out.contains("rules/a.lua:7:5: warning: this is never reached: 'skip' ends what stands before it\n"))
    #expect(result.out.hasSuffix("\n1 error and 1 warning\n"), "\(result.out)")
    #expect(!result.out.contains("\u{1B}"), "colours are for terminals")
  }

  @Test func `a warning stops nothing, unless that is asked for`() {
    let place = Place(rules: ["a": CheckTests.doubtful])
    let result = Child.run(["check"] + place.configuration, in: place)
    #expect(result.code == 0 && result.out.hasSuffix("1 warning; the rules can be loaded\n"), "\(result)")
    #expect(Child.run(["check", "--strict"] + place.configuration, in: place).code == 1)
    #expect(Child.run(["rules", "list"] + place.configuration, in: place).code == 0)
  }

  @Test func `editors get every place and what to write there`() throws {
    let place = Place(rules: ["a": CheckTests.slip])
    let result = Child.run(["check", "--json"] + place.configuration, in: place)
    let root = try Document.parse(result.out).root.value
    #expect(root["errors"] == 1 && root["warnings"] == 1 && result.code == 1)
    guard case .array(let complaints) = root["complaints"], let first = complaints.first,
      case .object(let members) = first
    else { return #expect(Bool(false), "\(result.out)") }
    #expect(
      members.map(\.key) == ["file", "line", "column", "end_column", "severity", "code", "message", "suggestion"])
    #expect(first["line"] == 5 && first["column"] == 2 && first["end_column"] == 6 && first["severity"] == "error")
    #expect(first["code"] == "unknown-name" && first["suggestion"] == "send")
  }

  @Test func `what check calls an error is what a start refuses, word for word`() {
    let place = Place(rules: ["a": CheckTests.slip.replacing("sned(", with: "if event.id then send(")])
    let check = Child.run(["check"] + place.configuration, in: place)
    let serve = Child.run(["serve"] + place.configuration, in: place)
    #expect(check.code == 1 && serve.code == 1)
    let sentence = "this 'function' has no 'end'"
    #expect(check.out.contains(sentence) && serve.err.contains(sentence), "\(check.out)\n\(serve.err)")
  }

  @Test func `without a configuration the catalogue says which destinations there are`() {
    let place = Place(rules: ["welcome": Place.welcome])
    place.delete("nudged.lua")
    let without = Child.run(["check", "--rules", place.path("rules")], in: place)
    #expect(without.code == 1 && without.out.contains("there is no destination 'crm'"), "\(without.out)")
    place.write("rules/catalog.lua", #"return catalog { destinations = { "crm" } }"#)
    let with = Child.run(["check", "--rules", place.path("rules")], in: place)
    #expect(with.code == 0, "\(with.out)")
    place.write("rules/catalog.lua", #"return catalog { destinations = { "crn" } }"#)
    let wrong = Child.run(["check", "--rules", place.path("rules")], in: place)
    #expect(wrong.code == 1 && wrong.out.contains("there is no destination 'crm'"), "\(wrong.out)")
  }

  @Test func `a catalogue makes unknown events errors`() {
    let place = Place(rules: ["a": CheckTests.doubtful])
    place.write("rules/catalog.lua", "return catalog { events = { signpu = {} } }")
    let result = Child.run(["check"] + place.configuration, in: place)
    #expect(
      result.code == 1 && result.out.contains("there is no event 'signup' (did you mean 'signpu'?)"), "\(result.out)")
    place.write("rules/catalog.lua", "return catalog {\n  evnts = { } }")
    let wrong = Child.run(["check"] + place.configuration, in: place)
    #expect(wrong.code == 1 && wrong.out.contains("rules/catalog.lua:2:3: error: unknown key 'evnts'"), "\(wrong.out)")
    #expect(Child.run(["rules", "annotate"] + place.configuration, in: place).code == 1)
  }

  @Test func `annotate writes what the language server reads, and no rule is read from there`() {
    let place = Place()
    let result = Child.run(["rules", "annotate"] + place.configuration, in: place)
    #expect(result.code == 0 && result.out.contains(".nudged/nudged.lua"), "\(result)")
    #expect(place.read("rules/.nudged/nudged.lua").hasPrefix("---@meta\n"))
    #expect(place.read("rules/.luarc.json").contains("\".nudged\""))
    place.write("rules/.luarc.json", "{}")
    #expect(Child.run(["rules", "annotate"] + place.configuration, in: place).code == 0)
    #expect(place.read("rules/.luarc.json") == "{}", "settings of a person stay")
    #expect(Child.run(["check"] + place.configuration, in: place).out == "1 rule, nothing to complain about\n")
    let printed = Child.run(["rules", "annotate", "--to", "-"] + place.configuration, in: place)
    #expect(printed.out.hasPrefix("---@meta\n") && printed.out.contains("---| \"crm\"\n"))
  }

  @Test func `a look-up table that cannot be read is told once, and rules that use it are not to blame`() {
    let use = """
      local plans = use("data/plans")
      return rule { title = "T", on = "x", run = function() log(tostring(plans["pro"])) end }
      """
    let place = Place(rules: ["a": use])
    mkdir(place.path("rules/data"), 0o700)
    func checked(_ table: String) -> String {
      place.write("rules/data/plans.csv", table)
      let run = Child.run(["check"] + place.configuration, in: place)
      return run.out + run.err
    }
    let twice = checked("id,price\npro,1\npro,2\n")
    #expect(twice.contains("'pro' stands in line 2 already") && twice.contains("1 error\n"), "\(twice)")
    let empty = checked("id,price\n")
    #expect(empty.contains("the table 'data/plans' has no row 'pro'; it is empty"), "\(empty)")
    unlink(place.path("rules/data/plans.csv"))
    let missing = Child.run(["check"] + place.configuration, in: place)
    #expect((missing.out + missing.err).contains("its file would be data/plans.csv or data/plans.lua"), "\(missing)")
  }
}
