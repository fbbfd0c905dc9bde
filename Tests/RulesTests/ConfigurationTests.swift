// The door through which the configuration file is read.
//
// Thread: the test's own. Promise: keys are found at their lines.

import Basics
import Rules
import Testing

@Suite struct ConfigurationTests {
  static let text = """
    -- a comment with key = 1
    local base = "https://crm.example"
    return {
      listen = "127.0.0.1:8484",
      destinations = {
        crm = { url = base .. "/hook", secret = credential "crm" },
        second = {
          path = file("p") },
        ["odd name"] = true,
      },
    }
    """

  @Test func `a file gives its table as a document`() throws {
    let file = try RuleLoader.evaluate(path: "etc/nudged.lua", text: Self.text, words: ["credential", "file"])
    let root = file.document.root
    #expect(root["listen"]?.string == "127.0.0.1:8484")
    #expect(root.at(path: "destinations.crm.url")?.string == "https://crm.example/hook")
    #expect(root.at(path: "destinations.second.path.$file")?.string == "p")
    #expect(file.line(of: "destinations.second.path") == 8)
    #expect(file.line(of: "destinations.odd name") == 9)
  }

  @Test func `mixed tables are refused, lists and names are not`() throws {
    #expect(throws: RuleComplaint.self) { try RuleLoader.evaluate(path: "c", text: "return { 1, a = 2 }") }
    let file = try RuleLoader.evaluate(
      path: "etc/nudged.lua",
      text: "return {\n keys = { credential 'a', credential 'b' },\n list = {\n{ x = 1 },\n{ x = 2,\n y = 3 } } }",
      words: ["credential"])
    let text = String(decoding: file.document.root.text, as: UTF8.self)
    #expect(text == #"{"keys":[{"$credential":"a"},{"$credential":"b"}],"list":[{"x":1},{"x":2,"y":3}]}"#)
    #expect(file.line(of: "keys") == 2)
    #expect(file.line(of: "list.2.y") == 6)
    #expect(file.line(of: "list.2.missing") == 3)
    #expect(file.complaint(at: "list.1.x", "wrong").description == "etc/nudged.lua:4: wrong")
  }

  @Test func `the same key in two tables, or what only looks like one in a function, is no slip`() throws {
    let text = """
      local function pair(a, b) local c, d = a, b; c = b; return { a = c, b = d } end
      local list = { { a = 1 }, { a = 2 }, f = (function() local x, a = 1, 2; local y, a = 3, 4; return a end)() }
      return { one = pair(1, 2), two = { a = list.f }, a = { a = 5 } }
      """
    let file = try RuleLoader.evaluate(path: "etc/nudged.lua", text: text)
    #expect(file.document.root.at(path: "two.a")?.integer == 4)
  }

  @Test(arguments: [
    ("return {\n secret = credental 'x' }", "etc/nudged.lua:2: there is no 'credental' (did you mean 'credential'?)"),
    ("return {\n a = 1\n b = 2 }", "etc/nudged.lua:2: a comma is missing at the end of this line"),
    (
      "return {\n a = 1,\n b = { a = 1 },\n a = 2 }",
      "etc/nudged.lua:4: 'a' stands twice in this table, first in line 2; only the last one would count"
    ),
    (
      "return { d = { x = { url = 'u', [\"url\"] = 'v' } } }",
      "etc/nudged.lua:1: 'url' stands twice in this table, first in line 1; only the last one would count"
    ),
    (
      "local common = use(\"lib/common\")\nreturn { a = common.a }",
      "etc/nudged.lua:1: use finds no library here: libraries are for rules. Write what is needed into this file"
    ),
    ("return 5", "etc/nudged.lua:1: this file must end with: return { … }"),
    ("return {\n send('x') }", "etc/nudged.lua:2: send can only be used inside run"),
    ("local t = {} t.t = t\nreturn t", "etc/nudged.lua:1: the data holds a table that contains itself"),
  ])
  func `what is wrong is told with its line`(text: String, complaint: String) {
    #expect(throws: RuleComplaint.self) {
      try RuleLoader.evaluate(path: "etc/nudged.lua", text: text, words: ["credential"])
    }
    do throws(RuleComplaint) {
      _ = try RuleLoader.evaluate(path: "etc/nudged.lua", text: text, words: ["credential"])
    } catch {
      #expect(error.description == complaint)
    }
  }

  @Test func `durations are read strictly`() {
    #expect(DurationText.milliseconds("2 hours") == 7_200_000)
    #expect(DurationText.milliseconds("1 day 12 hours") == 129_600_000)
    #expect(DurationText.milliseconds("90s") == 90_000)
    for wrong in ["", "2", "hours", "2 months", "-1 day", "0 s", "1.5 h", "99999999999 days", "2  hours x"] {
      #expect(DurationText.milliseconds(wrong) == nil)
    }
  }
}
