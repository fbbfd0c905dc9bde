// Scripts that mean harm, by the seven classes: CPU, time inside C, memory and the boundary, escape,
// parser, faults of the Lua version at hand, fairness.
//
// Thread: the test's own. Promise: each is stopped or refused with a reason, leaves no effect, and the
// next rule in the same state runs as if nothing had been.

import Basics
import Model
import Rules
import Testing

@Suite struct HostileTests {
  static let endless: [String] = [
    "while true do end",
    "repeat until false",
    "for i = 1, math.huge do end",
    "local function f() return f() end f()",
    "while true do pcall(function() while true do end end) end",
    "pcall(pcall, function() while true do end end) log('survived')",
    "local function f() pcall(f) end while true do f() end",
    "::again:: goto again",
    "local t = {} for i = 1, 1000 do t[i] = i % 7 end table.sort(t, function() while true do end end)",
    "('x'):gsub('.', function() while true do end end)",
    "for i = 1, 1e9 do local s = ('a'):rep(1000) end",
    "while true do for k in pairs({ a = 1, b = 2 }) do end end",
    "while true do for i, v in ipairs(event.data.tags) do end end",
    "while true do local x = #event.data.lines end",
    "while true do pcall(error, 'x') end",
    "while true do tostring(1.5) end",
    "while true do random() end",
  ]

  static let insideC: [String] = [
    "local s = ('a'):rep(2000) .. 'b' s:find('.-.-.-.-x')",
    "(('a'):rep(40)):match('(a*)(a*)(a*)(a*)(a*)(a*)(a*)b')",
    "(('('):rep(100000)):find('%b()x')  while true do (('('):rep(50000)):gsub('%b()', '') end",
    "local s = ('a'):rep(500000) while true do s:find(('a'):rep(1000) .. 'b', 1, true) end",
    "local s = ('a'):rep(500000) while true do s:upper() end",
    "local s = ('a'):rep(500000) while true do s:byte(-1) end",
    "local s = ('a'):rep(500000) while true do utf8.len(s) end",
    "local s = ('a'):rep(500000) while true do s:reverse() end",
    "local t = {} for i = 1, 20000 do t[i] = 'x' end while true do table.concat(t) end",
    "local t = {} for i = 1, 20000 do t[i] = i end while true do table.insert(t, 1, 0) end",
    "local t = {} for i = 1, 20000 do t[i] = i end while true do table.remove(t, 1) table.insert(t, 1) end",
    "local s = ('a'):rep(100000) while true do s:gsub('a', 'b') end",
    "local s = ('x'):rep(200000) while true do tonumber(s) end",
    "local s = ('x'):rep(200000) while true do string.format('%s', s) end",
    "while true do for w in (('a '):rep(1000)):gmatch('%a') do end end",
    "local a = ('a'):rep(1000000) while true do local b = a == a .. '' end",
  ]

  static let memory: [String] = [
    "local t = {} while true do t[#t + 1] = {} end",
    "local t = {} for i = 1, 1e7 do t[i] = i end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end",
    "local function f(n) return 1 + f(n + 1) end f(1)",
    "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
    "local t = {} pcall(function() while true do t[#t + 1] = { t } end end) log('survived')",
    "local s = ('x'):rep(900000) local t = {} for i = 1, 100 do t[i] = s .. i end",
    "local function f(...) return f(1, ...) end f()",
    "for i = 1, 200 do send('crm', 'x', {}) end",
    "for i = 1, 99 do log(('x'):rep(1000)) end",
    "pcall(function() for i = 1, 200 do log('x') end end)",
  ]

  private func stopped(_ body: String) throws {
    let loading = Fixture.load(["a.lua": Fixture.rule(body), "b.lua": Fixture.rule("log('well')")])
    try #require(loading.complaints.isEmpty, "\(loading.complaints)")
    let runtime = try RuleRuntime(loading.set)
    let outcome = runtime.run(0, Fixture.input())
    #expect(outcome.code == .overBudget, "\(outcome)")
    #expect(outcome.effects.isEmpty && outcome.line >= 1 && !outcome.reason.isEmpty)
    #expect(runtime.run(1, Fixture.input()).effects == [.log(text: "well")])
  }

  @Test(arguments: endless) func `a rule that loops for ever is stopped`(body: String) throws { try stopped(body) }
  @Test(arguments: insideC) func `work inside library functions counts`(body: String) throws { try stopped(body) }
  @Test(arguments: memory) func `growth without end is stopped`(body: String) throws { try stopped(body) }

  /// Bodies that fail with an ordinary error, and a part of its text.
  static let errors: [(body: String, part: String)] = [
    ("error()", "error(…) was called with a nil"),
    ("error({})", "error(…) was called with a table"),
    ("error(42)", "error(42)"),
    ("error('own words')", "own words"),
    ("error('own words', 0)", "own words"),
    ("send('crm', 'x', { f = function() end })", "the data holds a function"),
    ("local t = {} t.t = t send('crm', 'x', t)", "a table that contains itself"),
    ("local t = {} for i = 1, 70 do t = { t = t } end send('crm', 'x', t)", "nested deeper than 64"),
    ("send('crm', 'x', { 0 / 0 })", "not a number"),
    ("send('crm', 'x', { a = 1 / 0 })", "infinite"),
    ("send('crm', 'x', { 1, a = 2 })", "both numbered and named"),
    ("send('crm', 'x', { [1] = 1, [3] = 3 })", "a list with gaps"),
    ("send('crm', 'x', { [{}] = 1 })", "a table with a table as key"),
    ("send('crm', 'x', { a = '\\xff' })", "not valid UTF-8"),
    ("send('crm', 'x', { ['\\xff'] = 1 })", "not valid UTF-8"),
    ("send('crm', 'x', { a = ('x'):rep(70000) })", "at most 65536 are taken"),
    ("send('crm', 'x', { 1, 2 })", "the data must be a table with names"),
    ("send('crm', 'x', event)", "the data holds the whole event"),
    ("send('crm', 'x', state)", "state cannot be used as a whole"),
    ("send('crm\\0', 'x', {}, { wihtin = '2 h' })", "unknown option 'wihtin' (did you mean 'within'?)"),
    ("send('crm', 'x', {}, { within = 'soon' })", "'within' must be a duration"),
    ("send('crm', nil, {})", "the type must be a text; it is nil"),
    ("send(table.unpack({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 }))", "at most 16 arguments"),
    ("emit('nudged.x')", "reserved"),
    ("emit('x', {}, { subject = 'acme' })", "'subject' must be such as"),
    ("set(nil)", "set needs a table"),
    ("log(nil)", "log takes one text"),
    ("state.x = {}", "state holds texts, numbers and true or false; this is a table"),
    ("state[1] = 2", "a key of state must be a text"),
    ("for i = 1, 65 do state['k' .. i] = i end", "state would have 65 keys"),
    ("state.x = ('x'):rep(9000)", "state would grow to"),
    ("state.x = 0 / 0", "not a number"),
    ("event.data.plan = 'free'", "event and customer are read-only"),
    ("local e = event local x = e.nmae", "event has no field 'nmae' (did you mean 'name'?)"),
    ("local c = customer local x = c.trait", "customer has no field 'trait' (did you mean 'traits'?)"),
    ("local x = '0.8' * 2", "attempt to perform arithmetic on a string value"),
    ("local x = -'1'", "attempt to perform arithmetic on a string value"),
    ("string.upper = nil", "read-only"),
    ("string.x = 1", "read-only"),
    ("table.sort(event.data.tags)", "table.sort needs a table made by this rule"),
    ("local x = ('').dump", "there is no 'dump' in this library"),
    ("local x = string.pack", "there is no 'pack' in this library"),
    ("local x = math.random", "there is no 'random' in this library"),
    ("string.format('%p', {})", "%p is not available"),
    ("('x'):rep(1e15)", "the result would be longer than"),
    ("table.concat({ 1, 2, 3 }, ('x'):rep(900000))", "the result would be longer than"),
    ("table.unpack({}, 1, 1e7)", "at most 250 values"),
    ("table.unpack({}, math.mininteger, math.maxinteger)", "at most 250 values"),
    ("('x'):find('[a')", "a [ without its ]"),
    ("('x'):find('%')", "a lone %"),
    ("('x'):find('(x')", "a ( without its )"),
    ("('x'):find('.)')", "a ) without its ("),
    ("('x'):find('%1')", "refers to capture"),
    ("('x'):find(('(x?)'):rep(40))", "captures"),
    ("('x'):gsub('x', '%9')", "there is no capture"),
    ("local function f() return (('x'):gsub('x', f)) end f()", "C stack overflow"),
    ("local function f() table.sort({ 2, 1 }, f) end f()", "C stack overflow"),
    ("('x'):rep(1000):find(('x?'):rep(1000))", "the pattern is too complex"),
    ("('x'):rep(300):find(('(.)'):rep(33))", "more than 32 captures"),
    ("('%'):find(('%'):rep(3))", "a lone %"),
    ("('x'):find('%f')", "%f in a pattern needs a set"),
    ("('x'):find('%b')", "%b in a pattern needs two characters"),
    ("table.insert(event.data.tags, 'x')", "event and customer are read-only"),
    ("local t = {} t[nil] = 1", "index is nil"),
    ("local t = {} t[0 / 0] = 1", "index is NaN"),
    ("local x = event.data.amount < event.data.plan", "attempt to compare"),
    ("local x = event.data .. 'x'", "attempt to concatenate"),
    ("for i = 1, 10, 0 do end", "'for' step is zero"),
    ("local x = 1 // 0", "attempt to"),
    ("for k in pairs({ [{}] = 1 }) do end", "such keys have no fixed order"),
    ("random(5, 1)", "nothing lies between"),
    ("skip()", "skip needs a reason"),
    ("use('lib/nothing')", "no library"),
    ("rule {}", "rule{…} stands at the end"),
    ("null.x = 1", "cannot be changed"),
    ("local x = null.x", "null has no fields"),
    ("event()", "a value, not a function"),
    ("local t = setmetatable", "'setmetatable' is not available"),
    ("local f = load", "'load' is not available"),
    ("local f = os.time", "'os' is not available"),
    ("local g = _G", "'_G' is not available"),
    ("collectgarbage()", "'collectgarbage' is not available"),
    ("coroutine.wrap(function() end)", "'coroutine' is not available"),
    ("local c = debug.getinfo", "'debug' is not available"),
    ("local c = require('os')", "'require' is not available"),
    ("send = nil", "cannot set the global 'send'"),
    ("goto nowhere", "no visible label 'nowhere'"),
    ("local " + (1...201).map { "a\($0)" }.joined(separator: ",") + " = 1", "too many local variables"),
    ("local x = " + String(repeating: "(", count: 300) + "1" + String(repeating: ")", count: 300), "overflow"),
    ("local x = " + String(repeating: "{", count: 300) + String(repeating: "}", count: 300), "overflow"),
    ("local a = event.data.none\nreturn a" + String(repeating: ".x", count: 3000), "attempt to index a nil value"),
    ("local a = 1 a" + String(repeating: ".x", count: 4100) + "()", "more than 4000"),
    ("--" + String(repeating: "x", count: 70_000), "at most 65536 are read"),
  ]

  @Test(arguments: errors)
  func `what is wrong or not allowed is an error with its reason`(body: String, part: String) throws {
    let loading = Fixture.load(["a.lua": Fixture.rule(body), "b.lua": Fixture.rule("log('well')")])
    let runtime = try RuleRuntime(loading.set)
    if let complaint = loading.complaints.first {
      #expect(complaint.message.contains(part), "\(complaint)")
    } else {
      let outcome = runtime.run(0, Fixture.input())
      #expect(outcome.reason.contains(part), "\(outcome)")
      #expect(outcome.code == .failed && outcome.line >= 2 && outcome.effects.isEmpty)
    }
    #expect(runtime.run(loading.set.count - 1, Fixture.input()).effects == [.log(text: "well")])
  }
}
