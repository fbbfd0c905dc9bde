// What the loader says about files that are not in order, and about those that are.
//
// Thread: the test's own. Promise: every message has the line where a person has to look.

import Basics
import Model
import Rules
import Testing

@Suite struct LoadTests {
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
    (
      "local function counter() local n = 0 return function()\nn = n + 1 return n end end local c = counter() return rule { title = 'T', on = 'x', run = function() c() end }",
      2
    ),
    (
      "local n = 0 local t = { f = function() return function()\nn = 1 end end } return rule { title = 'T', on = 'x', run = function() t.f()() end }",
      2
    ),
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
    #expect(
      header.on == ["x", "y"] && header.per == "account" && header.again == .after(milliseconds: 30 * 86_400_000))
    #expect(header.key == .byEvent(["x": "data.a", "y": "data.b"]) && header.mode == .shadow && header.hasWhen)
    #expect(set.matching("x") == [0])
    #expect(set.matching("invoice.paid") == [1, 2])
    #expect(set.matching("unknown") == [])
  }

  @Test func `the hash of a rule covers the libraries it uses`() {
    func hash(_ library: String, _ body: String = "") -> Hash128? {
      Fixture.load([
        "a.lua": Fixture.rule(body, before: "local s = use('lib/a')"), "lib/a.lua": "return use('lib/b')",
        "lib/b.lua": library,
      ]).set.rules.first?.contentHash
    }
    #expect(hash("return 1") != nil)
    #expect(hash("return 1") == hash("return 1"))
    #expect(hash("return 1") != hash("return 2"))
    #expect(hash("return 1") != hash("return 1", "log('x')"))
  }

  @Test(arguments: GlobalNames.available.subtracting(["use", "wait_for", "wait_any"]).sorted())
  func `every name said to be available is there`(name: String) throws {
    let outcome = try Fixture.run("local x = \(name)")
    #expect(outcome.code == .ran, "\(outcome)")
  }

  @Test func `damaged files are complaints or rules, never a crash`() {
    let text = Array(
      Fixture.rule(BoundaryTests.body, header: "key = { ['invoice.paid'] = 'data.plan' }, again = '3 days',").utf8)
    var random = SeededRandom(seed: 11)
    for _ in 0..<1500 {
      var damaged = text
      for _ in 0...random.next(below: 3) {
        let position = Int(random.next(below: UInt64(damaged.count)))
        switch random.next(below: 3) {
        case 0: damaged[position] = UInt8(truncatingIfNeeded: random.next())
        case 1: damaged.remove(at: position)
        default: damaged.insert(contentsOf: text.dropFirst(position).prefix(20), at: position)
        }
      }
      let loading = Fixture.load(["a.lua": String(decoding: damaged, as: UTF8.self)])
      #expect(loading.set.count == 1 || !loading.complaints.isEmpty)
      if loading.set.count == 1 { _ = try? RuleRuntime(loading.set).run(0, Fixture.input()) }
    }
  }

  @Test func `libraries in a circle are named`() {
    let complaints = Fixture.load(["lib/a.lua": "return use('lib/b')", "lib/b.lua": "return use('lib/a')"]).complaints
    #expect(complaints.contains { $0.message == "libraries use each other in a circle: lib/a → lib/b → lib/a" })
  }
}
