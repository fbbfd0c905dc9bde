// What the loader says about files that are not in order, and about those that are.
//
// Thread: the test's own. Promise: every message has the line where a person has to look.

import Basics
import Model
import Rules
import Testing

@Suite struct LoadTests {
  /// A whole file, and the complaint expected of it.
  static let slips: [(text: String, complaint: String)] = [
    ("return rule {\n title = 'T'\n on = 'x',\n run = function() end }", "rules/a.lua:2: a comma is missing at the end of this line"),
    ("return rule { title = 'T' on = 'x', run = function() end }", "rules/a.lua:1: a comma is missing before 'on'"),
    (Fixture.rule("if event.id != 'x' then end"), "rules/a.lua:2: '!=' is not Lua; write '~='"),
    (Fixture.rule("if a && b then end"), "rules/a.lua:2: '&&' is not Lua; write 'and'"),
    (Fixture.rule("local x = 1\nx += 1"), "rules/a.lua:3: '+=' is not Lua; write 'x = x + …'"),
    (Fixture.rule("log(“hello”)"), "rules/a.lua:2: curly quotes (“) are not Lua; write \""),
    (Fixture.rule("if event.id = 'x' then end"), "rules/a.lua:2: '=' assigns; to compare write '=='"),
    (Fixture.rule("if true then\nelse if false then log('x') end"), "rules/a.lua:3: 'else if' opens a second if that needs its own 'end'; write 'elseif'"),
    (Fixture.rule("log('x)"), "rules/a.lua:2: a text is not closed on this line: its second quote is missing"),
    (Fixture.rule("", header: "\n\npriorty = 3,"), "rules/a.lua:3: unknown key 'priorty' (did you mean 'priority'?)"),
    (Fixture.rule("sned('crm', 'x')"), "rules/a.lua:2: there is no 'sned' (did you mean 'send'?)"),
    (Fixture.rule("if false then\nlgo('x') end"), "rules/a.lua:3: there is no 'lgo' (did you mean 'log'?)"),
    (Fixture.rule("total = 3"), "rules/a.lua:2: cannot set the global 'total'; write 'local total = …' or 'local function total(…)'"),
    (Fixture.rule("print('x')"), "rules/a.lua:2: 'print' is not available in rules; use log(text)"),
    (Fixture.rule("wait('1 day')"), "rules/a.lua:2: wait(…) is not available in this version"),
    (Fixture.rule("local e = _ENV"), "rules/a.lua:2: _ENV is not available in rules"),
    (Fixture.rule("log(1 | 2)"), "rules/a.lua:2: bit operators (|) are not available in rules"),
    (Fixture.rule("", header: "stop_on = 'x',"), "rules/a.lua:1: 'stop_on' is not available in this version; remove it"),
    ("return rule { title = 'T', run = function() end,\non = every('monday') }", "rules/a.lua:2: every(…) as a trigger is not available in this version; use event names"),
    (Fixture.rule("", header: "again = '3 moons',"), "rules/a.lua:1: 'again' must be \"always\", \"never\" or a duration such as \"30 days\"; it is \"3 moons\""),
    (Fixture.rule("", header: "mode = 'shadwo',"), "rules/a.lua:1: 'mode' must be \"live\", \"shadow\" or \"paused\"; it is \"shadwo\" (did you mean 'shadow'?)"),
    (Fixture.rule("", header: "key = 'date.x',"), "rules/a.lua:1: the path 'date.x' of 'key' must begin with one of data, traits, context, user, account, thing, id, name (did you mean 'data'?)"),
    (Fixture.rule("", header: "when = true,"), "rules/a.lua:1: 'when' must be a function; it is true"),
    ("return rule { title = 'T', on = 'x' }", "rules/a.lua:1: a rule needs 'run', such as run = function(event, customer) … end"),
    ("return { title = 'T' }", "rules/a.lua:1: a rule's file must end with: return rule { … }"),
    ("local x = nil\nlocal y = x.z", "rules/a.lua:2: attempt to index a nil value (local 'x')"),
    ("log('x')", "rules/a.lua:1: log can only be used inside run"),
    (Fixture.rule("count = 1", before: "local count = 0"), ""),
    (Fixture.rule("use(event.name)"), "rules/a.lua:2: use needs a constant name, such as use(\"lib/score\"), so that it is known what a rule is made of"),
    (Fixture.rule("", before: "local s = use('lib/scor')"), "rules/a.lua:1: there is no library 'lib/scor'; its file would be lib/scor.lua"),
    ("\u{1B}Lua", "rules/a.lua:1: this looks like compiled Lua; only source text is read"),
    ("return\n\u{0}", "rules/a.lua:2: the file holds a zero byte; save it as plain text"),
  ]

  @Test(arguments: slips.filter { !$0.complaint.isEmpty })
  func `a common slip is named at its line`(text: String, complaint: String) {
    #expect(Fixture.complaints(text).first == complaint)
  }

  @Test func `all complaints of all files come out of one pass`() {
    let loading = Fixture.load([
      "a.lua": Fixture.rule("sned()\nlgo()"), "b.lua": Fixture.rule("", header: "agian = 'never', mode = 3,"),
      "c.lua": Fixture.rule(""), "c_test.lua": "not lua", "catalog.lua": "neither",
    ])
    #expect(loading.complaints.map(\.line) == [2, 3, 1, 1])
    #expect(loading.set.rules.map(\.path) == ["c"])
  }

  @Test func `a misspelt destination is found in branches that never run`() {
    let complaints = Fixture.complaints(
      Fixture.rule("if false then send('crmm', 'x', {}) end"), destinations: ["crm", "billing"])
    #expect(
      complaints == [
        "rules/a.lua:2: there is no destination 'crmm'; configured are billing, crm (did you mean 'crm'?)"
      ])
  }

  @Test(arguments: [
    ("local n = 0 return rule { title = 'T', on = 'x', run = function()\nn = n + 1 end }", 2),
    ("local function counter() local n = 0 return function()\nn = n + 1 return n end end local c = counter() return rule { title = 'T', on = 'x', run = function() c() end }", 2),
    ("local n = 0 local t = { f = function() return function()\nn = 1 end end } return rule { title = 'T', on = 'x', run = function() t.f()() end }", 2),
  ])
  func `a variable that would live on between runs is refused`(text: String, line: Int) {
    let complaints = Fixture.load(["a.lua": text]).complaints
    #expect(complaints.map(\.line) == [line])
    #expect(complaints.first?.message.hasPrefix("'n' is set here, but it stands outside of the function") == true)
  }

  @Test func `a local inside run may be assigned by an inner function`() throws {
    #expect(try Fixture.log("local n = 0 local function add() n = n + 1 end add() add() log(tostring(n))") == "2")
  }

  @Test func `an iterator cannot be kept outside of run`() {
    let complaints = Fixture.complaints(Fixture.rule("it()", before: "local it = ('a b'):gmatch('%a')"))
    #expect(complaints.count == 1)
    #expect(complaints.first?.contains("an iterator (from pairs or gmatch) is kept outside run") == true)
  }

  @Test func `a header is read`() throws {
    let set = Fixture.load([
      "a/b.lua": """
      return rule { title = "T", on = { "x", "y" }, per = "account", key = { x = "data.a", y = "data.b" }, again = "30 days",
        mode = "shadow", priority = 5, class = "transactional", owner = "growth", when = function() return true end, run = function() end }
      """,
      "a/a.lua": Fixture.rule(""), "z.lua": Fixture.rule("", header: "priority = 5,"),
    ]).set
    #expect(set.rules.map(\.path) == ["a/b", "z", "a/a"])
    let header = set[0].header
    #expect(header.on == ["x", "y"] && header.per == "account" && header.again == .after(milliseconds: 30 * 86_400_000))
    #expect(header.key == .byEvent(["x": "data.a", "y": "data.b"]) && header.mode == .shadow && header.hasWhen)
    #expect(set.matching("x") == [0])
    #expect(set.matching("invoice.paid") == [1, 2])
    #expect(set.matching("unknown") == [])
  }

  @Test func `the hash of a rule covers the libraries it uses`() {
    func hash(_ library: String, _ body: String = "") -> Hash128? {
      Fixture.load([
        "a.lua": Fixture.rule(body, before: "local s = use('lib/a')"), "lib/a.lua": "return use('lib/b')", "lib/b.lua": library,
      ]).set.rules.first?.contentHash
    }
    #expect(hash("return 1") != nil)
    #expect(hash("return 1") == hash("return 1"))
    #expect(hash("return 1") != hash("return 2"))
    #expect(hash("return 1") != hash("return 1", "log('x')"))
  }

  @Test func `libraries in a circle are named`() {
    let complaints = Fixture.load(["lib/a.lua": "return use('lib/b')", "lib/b.lua": "return use('lib/a')"]).complaints
    #expect(complaints.contains { $0.message == "libraries use each other in a circle: lib/a → lib/b → lib/a" })
  }
}
