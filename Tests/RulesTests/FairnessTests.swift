// Honest scripts: none is stopped, and what the sandbox's own functions give is what Lua's manual says.
//
// Thread: the test's own. Promise: the budget begins anew with each run.

import Basics
import Model
import Rules
import Testing

@Suite struct FairnessTests {
  /// An expression, and its text.
  static let expressions: [(code: String, text: String)] = [
    ("('hello world'):find('o w')", "5 7"),
    ("('hello'):find('l', 1, true)", "3 3"),
    ("('hello'):find('xyz')", "nil"),
    ("('hello'):find('')", "1 0"),
    ("('hello'):find('', 10)", "nil"),
    ("('hello'):find('l', -2)", "4 4"),
    ("('a.b'):find('.', 2, true)", "2 2"),
    ("('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "key value"),
    ("('2024-05-17'):match('(%d+)-(%d+)-(%d+)')", "2024 05 17"),
    ("('[[x]]'):match('%[(%b[])%]')", "[x]"),
    ("('THE (quick) fox'):find('%((%a+)%)')", "5 11 quick"),
    ("('hello'):match('()ll()')", "3 5"),
    ("('aaa'):match('a-')", ""),
    ("('<b>x</b>'):match('<(.-)>')", "b"),
    ("('abab'):match('(ab)%1')", "ab"),
    ("('THE (quick) fox'):gsub('%f[%a]%a+', 'X')", "X (X) X 3"),
    ("('hello'):gsub('', '-')", "-h-e-l-l-o- 6"),
    ("('abc'):gsub('%w', '%0%0')", "aabbcc 3"),
    ("('abc'):gsub('%w', { a = '1', b = false })", "1bc 3"),
    ("('abc'):gsub('b', function(x) return x:upper() end)", "aBc 1"),
    ("('abc def'):gsub('(%w+) (%w+)', '%2 %1')", "def abc 1"),
    ("('aaaa'):gsub('a', 'b', 2)", "bbaa 2"),
    ("('aaa'):gsub('^a', 'b')", "baa 1"),
    ("('a-b]c'):gsub('[%-%]]', '')", "abc 2"),
    ("('a^b'):gsub('[%^]', '')", "ab 1"),
    ("('abc]'):find('[]]')", "4 4"),
    ("('x5'):match('[^%a]')", "5"),
    ("('f-z'):match('[a-f][-][x-z]')", "f-z"),
    ("('àé'):upper()", "àé"),
    ("('%d %s %5.2f %q'):format(3, true, 1.5, 'a')", "3 true  1.50 \"a\""),
    ("('%s'):format({})", "table"),
    ("('x'):rep(3, ',')", "x,x,x"),
    ("('hello'):sub(-3, -2)", "ll"),
    ("('abc'):reverse():byte(1, -1)", "99 98 97"),
    ("#'héllo'", "6"),
    ("utf8.len('héllo')", "5"),
    ("utf8.char(228, 8364)", "ä€"),
    ("table.concat({ 1, 2.5, 'x' }, '|')", "1|2.5|x"),
    ("table.unpack({ 1, 2, nil, 4 }, 1, 4)", "1 2 nil 4"),
    ("select('#', nil, nil)", "2"),
    ("select(-1, 1, 2, 3)", "3"),
    ("type(event.data), type(null), type(event.data.plan), type(nil)", "table null string nil"),
    ("tostring({}), tostring(event.data), tostring(log)", "table table function"),
    ("pcall(error, { 1 })", "false table"),
    ("pcall(error, 'x', 0)", "false x"),
    ("pcall(function() return 1, 2 end)", "true 1 2"),
    ("tonumber('0x10'), tonumber('z', 36), tonumber('1e2'), tonumber('x')", "16 35 100.0 nil"),
    ("math.tointeger(3.0), 7 // 2, 7 % -3, 2 ^ 10, 10 / 2", "3 3 -2 1024.0 5.0"),
    ("math.maxinteger + 1 == math.mininteger", "true"),
    ("event.data.none == nil, event.data == event.data", "true true"),
  ]

  @Test(arguments: expressions)
  func `the library means what the manual says`(code: String, text: String) throws {
    let body =
      "local function show(...) local o = {} for i = 1, select('#', ...) do o[i] = tostring((select(i, ...))) end log(table.concat(o, ' ')) end show(\(code))"
    #expect(try Fixture.log(body) == text)
  }

  @Test func `words come one after the other from gmatch`() throws {
    #expect(
      try Fixture.log(
        "local o = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do o[#o + 1] = v .. k end log(table.concat(o, ' '))"
      ) == "1a 2b")
    #expect(try Fixture.log("local n = 0 for _ in ('abc'):gmatch('') do n = n + 1 end log(tostring(n))") == "4")
  }

  @Test func `sort is stable and takes an order`() throws {
    let body = """
      local t = {} for i = 1, 100 do t[i] = { k = i % 3, i = i } end
      table.sort(t, function(a, b) return a.k < b.k end)
      local last = 0 for i = 1, 33 do if t[i].i < last then error('moved') end last = t[i].i end
      local w = { 'pear', 'apple', 'fig' } table.sort(w) log(table.concat(w, ' '))
      """
    #expect(try Fixture.log(body) == "apple fig pear")
  }

  @Test func `an honest rule with much garbage is not stopped`() throws {
    let body = "local n = 0 for i = 1, 2000 do local s = ('x'):rep(1500) .. i n = n + #s end log(tostring(n))"
    let runtime = try Fixture.runtime(body)
    for _ in 0..<20 {
      let outcome = runtime.run(0, Fixture.input())
      #expect(outcome.code == .ran, "\(outcome)")
    }
  }

  @Test func `the budget begins anew with each run and counts the same each time`() throws {
    let runtime = try Fixture.runtime(
      "local n = 0 for i = 1, 200000 do n = n + i end log(('x'):rep(1000):gsub('x', 'y'):sub(1, 1))")
    let first = runtime.run(0, Fixture.input())
    #expect(first.code == .ran && first.units > 100_000)
    for _ in 0..<20 { #expect(runtime.run(0, Fixture.input()).units == first.units) }
  }

  @Test func `an error has the line where it happened`() throws {
    #expect(
      try Fixture.log("local x = 1\n\nlocal function f()\n  return event.data.none.x\nend\nlog(f())")
        == "failed 5: attempt to index a nil value (field 'none')")
    let outcome = try Fixture.run(
      "log(tostring(lib.f(nil)))", before: "local lib = use('lib/a')",
      libraries: ["lib/a.lua": "return { f = function(x)\nreturn x.y end }"])
    #expect(outcome.reason == "rules/lib/a.lua:2: attempt to index a nil value (local 'x')")
    #expect(outcome.line == 2)
  }
}
