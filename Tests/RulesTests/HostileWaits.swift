// Scripts that mean harm with the words of waiting, by the classes of the others and those that are new:
// waits in odd places, worlds that move under a run, and journals that cannot be played again.
//
// Thread: values. Promise: each says how its life must end.

enum HostileWaits {
  static let work: [HostileScript] = [
    .init("wait('1 s') while true do end", .parked("the budget of 1000000 steps")),
    .init("for i = 1, 400000 do end wait('1 s') while true do end", .parked("the budget of 1000000 steps")),
    .init("while true do end wait('1 s')", .parked("the budget of 1000000 steps")),
    .init("while true do pcall(wait, '1 s') end", .waiting),
    .init("pcall(function() wait('1 s') while true do end end) log('survived')", .parked("the budget")),
    .init("repeat wait('1 s') until false", .waiting),
    .init("::again:: wait('1 s') goto again", .waiting),
    .init("local function f() return f() end wait('1 s') f()", .parked("the budget")),
    .init("local function f() wait('1 s') return f() end f()", .waiting),
    .init("wait_for('b', { match = function(e) while true do end end })", .parked("the budget")),
    .init("pcall(function() wait_for('b', { match = function(e) while true do end end }) end)", .parked("the budget")),
    .init(
      "wait_for('b', { match = function(e) return pcall(function() while true do end end) end })",
      .parked("the budget")),
    .init("wait_for('b', { match = function(e) repeat local n = e.data.n until false end })", .parked("the budget")),
    .init("for i = 1, 12 do for j = 1, 200000 do end wait('1 s') end", .parked("playing this run again")),
    .init("for i = 1, 12 do for j = 1, 200000 do end wait_until(now()) end", .parked("the budget")),
    .init("table.sort({ 3, 2, 1 }, function(a, b) wait('1 s') while true do end end)", .parked("the budget")),
    .init("('abc'):gsub('.', function() wait('1 s') while true do end end)", .parked("the budget")),
    .init("wait('1 s') local s = ('a'):rep(2000) .. 'b' s:find('.-.-.-.-x')", .parked("the budget")),
    .init(
      "wait_for('b', { match = function(e) return (('a'):rep(2000)):find('.-.-.-.-x') ~= nil end })",
      .parked("the budget")),
    .init("local s = ('9'):rep(60000) while true do pcall(wait, s) end", .parked("the budget")),
    .init("local s = ('1 s '):rep(15000) while true do pcall(wait, s) end", .parked("the budget")),
    .init("local s = ('2026-01-01T'):rep(5000) while true do pcall(wait_until, s) end", .skipped("is no date")),
    .init(
      "local o = { [('w'):rep(60000)] = 1 } while true do pcall(function() wait_for('b', o) end) end",
      .parked("the budget")),
    .init(
      "local o = { within = ('w'):rep(60000) } while true do pcall(function() wait_for('b', o) end) end",
      .parked("the budget")),
    .init(
      "local o = { subject = ('w'):rep(60000) } while true do pcall(function() wait_for('b', o) end) end",
      .parked("the budget")),
    .init(
      "local o = { [('w'):rep(60000)] = 1 } while true do pcall(function() call('crm', 'x', {}, o) end) end",
      .parked("the budget")),
    .init(
      "local o = { weekday = ('m'):rep(60000), at = '09:00' } while true do pcall(wait_until, o) end",
      .parked("the budget")),
    .init(
      "local o = { at = ('m'):rep(60000) } while true do pcall(wait_until, o) end", .parked("the budget")),
    .init(
      "local o = { [{}] = 1, match = function() end } for i = 1, 60000 do o[i] = i end "
        + "while true do pcall(function() wait_for('b', o) end) end", .parked("the budget")),
    .init(
      "local o = { match = { [{}] = 1 } } for i = 1, 60000 do o.match[i] = i end "
        + "while true do pcall(function() wait_for('b', o) end) end", .parked("the budget")),
    .init(
      "local d = {} for i = 1, 9000 do d[i] = i end while true do pcall(call, 'crm', 'x', d) end",
      .parked("the budget")),
    .init(
      "local d = {} for i = 1, 9000 do d['k' .. i] = i end while true do pcall(checkpoint, { d, [{}] = 1 }) end",
      .parked("the budget")),
    .init(
      "local n = 0 while true do local e = wait_for('b', { match = { n = 1000 - n } }) n = n + 1 end",
      .parked("the budget"),
      wakes: 1, events: 0, heard: 1_000),
    .init(
      "for i = 1, 1000 do local e = wait_for('b') if e.data.n ~= i then error('order') end end", .finished, heard: 1_000
    ),
    .init(
      "for i = 1, 1000 do wait_for('b', { match = function(e) return e.data.n == 1001 - i end }) end",
      .parked("the budget"), heard: 1_000),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return false end, within = '1 s' }) "
        + "if n ~= 1000 then error('asked ' .. n) end", .finished, events: 0, heard: 1_000),
    .init(
      "local t = {} while true do t[#t + 1] = wait_for('b') end", .waiting, wakes: 700, events: 700),
    .init("while true do wait_for('b', { within = '1 s' }) end", .waiting, wakes: 60, events: 30),
    .init("while true do wait_any({ 'b', 'c', 'b' }, { within = '1 s' }) end", .waiting, wakes: 60, events: 30),
    .init("while true do call('crm', 'x', {}) end", .waiting, wakes: 60),
    .init("while true do wait_until { days = 1, at = '02:30', zone = 'Europe/Berlin' } end", .waiting, wakes: 60),
    .init("while true do wait_until(now() - 1) end", .parked("the journal of this run has 10000 entries")),
    .init("while true do if wait_until('2020-01-01T00:00:00Z') then log('x') end end", .parked("10000 entries")),
  ]

  static let memory: [HostileScript] = [
    .init("wait('1 s') local t = {} while true do t[#t + 1] = {} end", .parked("the memory limit")),
    .init(
      "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t wait('1 s') end", .parked("the memory limit"),
      wakes: 120),
    .init("while true do local s = ('x'):rep(300000) .. now() wait('1 s') end", .waiting, wakes: 18),
    .init(
      "wait_for('b', { match = function(e) local t = {} while true do t[#t + 1] = {} end end })",
      .parked("the memory limit")),
    .init(
      "wait_for('b', { match = function(e) local s = 'x' while true do pcall(function() s = s .. s end) end end })",
      .parked("the memory limit")),
    .init("local function f(n) return 1 + f(n + 1) end wait('1 s') f(1)", .parked("")),
    .init("local function f(n) wait('1 s') return 1 + f(n + 1) end f(1)", .waiting, wakes: 150),
    .init("local function f(n) return pcall(f, n + 1) and wait('1 s') end f(1)", .waiting),
    .init("local function f() return (('x'):gsub('x', f)) end wait('1 s') f()", .parked("C stack overflow")),
    .init("local function f() wait('1 s') return (('x'):gsub('x', f)) end f()", .waiting, wakes: 100),
    .init("local function f() table.sort({ 2, 1 }, f) end wait('1 s') f()", .parked("C stack overflow")),
    .init("local function f() wait('1 s') table.sort({ 2, 1 }, f) end f()", .parked("C stack overflow"), wakes: 250),
    .init(
      "local function f(n) return n == 0 or f(n - 1) and true end "
        + "wait_for('b', { match = function(e) return f(100000) end })", .parked("")),
    .init("wait('1 s') for i = 1, 200 do send('crm', 'x', {}) end", .parked("one run may have 100 effects")),
    .init("wait('1 s') for i = 1, 99 do log(('x'):rep(1000)) end", .parked("one run may log 65536 bytes")),
    .init("for i = 1, 100 do send('crm', 'x', {}) end call('crm', 'x', {})", .parked("one run may have 100 effects")),
    .init("for i = 1, 10 do for j = 1, 99 do log('x') end wait('1 s') end", .finished),
    .init("for i = 1, 60 do state['k' .. i] = ('\\1'):rep(100) end wait('1 s')", .parked("state would take")),
    .init(
      "wait('1 s') for i = 1, 60 do state['k' .. i] = ('\\1'):rep(100) end wait('1 s')", .parked("state would take")),
    .init("wait('1 s') state.x = ('x'):rep(9000)", .parked("state would grow to")),
    .init("wait('1 s') for i = 1, 65 do state['k' .. i] = i end", .parked("state would have 65 keys")),
    .init("while true do state.x = ('x'):rep(random(8000)) wait('1 s') end", .waiting, wakes: 60),
    .init("checkpoint { x = ('x'):rep(70000) }", .parked("at most 65536 are taken")),
    .init("local t = {} for i = 1, 70 do t = { t = t } end checkpoint(t)", .parked("nested deeper than 64")),
    .init("local t = {} t.t = t checkpoint(t)", .parked("a table that contains itself")),
    .init("checkpoint { f = function() end }", .parked("the data holds a function")),
    .init("checkpoint { a = '\\xff' }", .parked("not valid UTF-8")),
    .init("checkpoint { 1, 2 }", .parked("must be a table with names")),
    .init("checkpoint(nil)", .parked("checkpoint needs a table")),
    .init("checkpoint {}", .parked("it would go round for ever")),
    .init("pcall(checkpoint, {}) log('survived')", .finished),
    .init("while true do checkpoint { t = now() } end", .parked("it would go round for ever")),
    .init("if not saved then wait('1 s') checkpoint { a = 1 } end", .finished),
    .init("call('crm', 'x', { d = ('x'):rep(70000) })", .parked("at most 65536 are taken")),
    .init("wait_for('b', { match = { d = ('x'):rep(70000) } })", .parked("at most 65536 are taken")),
    .init(
      "local m = {} for i = 1, 4000 do m['k' .. i] = i end wait_for('b', { match = m })", .waiting, events: 1),
  ]

  /// Waits where nobody would write one.
  static let places: [HostileScript] = [
    .init("local ok, e = pcall(wait, '1 s') if not ok or e then error('held') end", .finished),
    .init("local ok = pcall(function() wait('1 s') error('x') end) if ok then error('not held') end", .finished),
    .init("pcall(pcall, pcall, wait, '1 s') log('x')", .finished),
    .init(
      "local t = { 5, 4, 3, 2, 1 } table.sort(t, function(a, b) wait('1 s') return a < b end) "
        + "if table.concat(t) ~= '12345' then error('order') end", .finished, wakes: 30),
    .init(
      "local s = ('abc'):gsub('.', function(c) wait('1 s') return c:upper() end) if s ~= 'ABC' then error(s) end",
      .finished),
    .init(
      "local n = 0 for w in ('a b c'):gmatch('%a') do wait('1 s') n = n + 1 end if n ~= 3 then error('n') end",
      .finished),
    .init("local n = 0 for _, c in utf8.codes('äöü') do wait('1 s') n = n + c end log(n .. '')", .finished),
    .init(
      "local n = 0 for k in pairs(event.data) do wait('1 s') n = n + 1 end if n ~= 9 then error('n ' .. n) end",
      .finished),
    .init("for k, v in pairs(customer.traits) do wait('1 s') end", .finished),
    .init(
      "for k, v in pairs(customer.traits) do for i, x in ipairs(customer.traits.list or {}) do wait('1 s') end end",
      .finished, wakes: 60),
    .init("for i, v in ipairs(event.data.tags) do wait('1 s') end", .finished),
    .init("for k, v in pairs({ a = 1, b = 2, [1] = 3 }) do wait('1 s') end", .finished),
    .init("local t = { 1, 2, 3 } for k in pairs(t) do t[k] = nil wait('1 s') end", .finished),
    .init(
      "local f, s, c = pairs(customer.traits) f(s, c) wait('1 s') f(s, c) wait('1 s') f(s, c) f(s, c) f(s, c)",
      .finished),
    .init(
      "local f = pairs(event.data) for i = 1, 8 do f(event.data) end "
        + "local r = call('crm', 'x', {}) f(r) f(r.body) f(r.body.list) f(customer.traits) f(event)", .finished),
    .init("local f = pairs({ a = 1 }) wait('1 s') f({}) f(nil) f(event.data)", .finished),
    .init(
      "local f = pairs(event.data) pcall(f) pcall(f, 1) pcall(f, event) pcall(f, null) pcall(f, customer) wait('1 s')",
      .finished),
    .init("local function w() wait('1 s') return 'x' end local t = { [w()] = w(), w() .. w() }", .finished),
    .init("local x = (wait('1 s') or 1) + (wait('1 s') or 2)", .finished),
    .init("for i = (wait('1 s') or 1), 3 do end", .finished),
    .init("while not wait('1 s') and random() > 0.2 do end", .finished, wakes: 100),
    .init("send('crm', 'x', { a = wait('1 s') })", .finished),
    .init("log('x' .. (wait('1 s') or 'y'))", .finished),
    .init("state.x = wait('1 s') or 5 if state.x ~= 5 then error('x') end", .finished),
    .init("local w = wait w('1 s')", .finished),
    .init("local wait = function() return 1 end log(wait('1 s') .. '')", .finished),
    .init("local t = { wait } t[1]('1 s')", .finished),
    .init("select(1, wait)('1 s')", .finished),
    .init("finish('x', 1)", .parked("takes at most 1 argument")),
    .init("wait('1 s') pcall(finish, 'done') log('survived')", .finished),
    .init("wait('1 s') table.sort({ 2, 1 }, function() finish('done') end)", .finished),
    .init("wait('1 s') pcall(skip, 'no') log('survived')", .skipped("no")),
    .init("wait('1 s'); ('x'):gsub('.', function() check(false, 'no') end)", .skipped("no")),
    .init("wait('1 s') finish(nil) log('x')", .finished),
    .init("wait('1 s') finish {}", .parked("finish takes a reason as text")),
    .init("wait('1 s')", .parked("'when' only decides"), header: "when = function() wait('1 s') return true end,"),
    .init("wait('1 s')", .parked("only decide"), header: "when = function() wait_for('b') return true end,"),
    .init("wait('1 s')", .refused("can only be used inside run"), before: "wait('1 s')"),
    .init("wait('1 s')", .refused("can only be used inside run"), before: "wait_for('b')"),
    .init("wait('1 s')", .refused("can only be used inside run"), before: "call('crm', 'x', {})"),
    .init("wait('1 s')", .refused("can only be used inside run"), before: "checkpoint {}"),
    .init("wait = nil", .refused("cannot set the global 'wait'")),
    .init("wait_for(event.name)", .refused("a constant text")),
    .init("pcall(wait_for, 'b')", .refused("a constant text")),
    .init("local w = wait_for", .refused("a constant text")),
    .init("wait_any({})", .refused("a list of constant names")),
    .init("wait_any(event.data.tags)", .refused("a list of constant names")),
    .init("wait_any({ 'a', event.name })", .refused("a list of constant names")),
    .init("wait_any({ " + String(repeating: "'a', ", count: 1_001) + "})", .refused("at most 1000")),
    .init("wait_any({ " + String(repeating: "'a', ", count: 1_000) + "}, { within = '1 s' })", .finished),
    .init("wait_any({ '' })", .refused("1 to 200 bytes")),
    .init("wait_any({ '" + String(repeating: "n", count: 201) + "' })", .refused("1 to 200 bytes")),
    .init("wait_for('" + String(repeating: "n", count: 201) + "')", .refused("1 to 200 bytes")),
    .init("wait_for('')", .refused("1 to 200 bytes")),
  ]

  /// Arguments that are no arguments.
  static let arguments: [HostileScript] = [
    .init("wait()", .parked("wait needs a duration")),
    .init("wait(5)", .parked("wait needs a duration")),
    .init("wait({})", .parked("wait needs a duration")),
    .init("wait(event)", .parked("the data holds the whole event")),
    .init("wait('-1 s')", .parked("wait needs a duration")),
    .init("wait('0 s')", .parked("wait needs a duration")),
    .init("wait('1 year')", .parked("wait needs a duration")),
    .init("wait('600 weeks')", .parked("at most ten years")),
    .init("wait('99999999999999999999 s')", .parked("wait needs a duration")),
    .init("wait('999999999999999 weeks')", .parked("wait needs a duration")),
    .init("wait('1 s\\0')", .parked("wait needs a duration")),
    .init("wait('\\xff')", .parked("not valid UTF-8")),
    .init("wait('1 s', 2)", .parked("takes at most 1 argument")),
    .init("wait_until(0 / 0)", .parked("wait_until needs a date")),
    .init("wait_until(1e308)", .parked("wait_until needs a date")),
    .init("wait_until(math.maxinteger)", .skipped("more than ten years ahead")),
    .init("wait_until(math.mininteger) finish('past')", .finished),
    .init("wait_until(true)", .parked("wait_until needs a date")),
    .init("wait_until(nil)", .skipped("the date is missing")),
    .init("wait_until({})", .parked("'at' must be a time of day")),
    .init("wait_until({ 1, 2 })", .parked("wait_until needs a date")),
    .init("wait_until { at = '25:00' }", .parked("'at' must be a time of day")),
    .init("wait_until { at = '١٢:٠٠' }", .parked("'at' must be a time of day")),
    .init("wait_until { days = -1, at = '09:00' }", .parked("'days' must be a whole number")),
    .init("wait_until { days = math.maxinteger, at = '09:00' }", .parked("'days' must be a whole number")),
    .init("wait_until { days = 1.5, at = '09:00' }", .parked("'days' must be a whole number")),
    .init("wait_until { weekday = 'mnoday', at = '09:00' }", .parked("did you mean 'monday'?")),
    .init("wait_until { at = '09:00', zone = '../../../../etc/passwd' }", .skipped("there is no time zone")),
    .init("wait_until { at = '09:00', zone = '/etc/passwd' }", .skipped("there is no time zone")),
    .init("wait_until { at = '09:00', zone = 'Europe/Berlin\\0' }", .skipped("there is no time zone")),
    .init("wait_until { at = '09:00', zone = ('x'):rep(60000) }", .skipped("there is no time zone")),
    .init("wait_until { at = '09:00', zone = '' }", .skipped("there is no time zone")),
    .init("wait_until { at = '09:00', zone = 7 }", .parked("'zone' must be a text")),
    .init("wait_until('0000-00-00T00:00:00Z')", .skipped("is no date")),
    .init("wait_until('9999-12-31T23:59:59Z')", .skipped("more than ten years ahead")),
    .init("wait_until(event.data)", .parked("unknown option")),
    .init("wait_for('b', 5)", .parked("the options must be a table")),
    .init("wait_for('b', { wihtin = '1 s' })", .parked("did you mean 'within'?")),
    .init("wait_for('b', { within = 5 })", .parked("needs a duration")),
    .init("wait_for('b', { since = 'yesterday' })", .parked("'since' must be")),
    .init("wait_for('b', { subject = 'acme' })", .parked("'subject' must be such as")),
    .init("wait_for('b', { subject = 'user:' .. ('x'):rep(300) })", .parked("'subject' must be such as")),
    .init("wait_for('b', { match = 5 })", .parked("'match' must be a table")),
    .init("wait_for('b', { match = event })", .parked("the data holds the whole event")),
    .init("wait_for('b', { match = event.data.tags })", .parked("'match' must be a table")),
    .init("wait_for('b', { match = { order = event.data.order } })", .parked("'match' is empty")),
    .init("wait_for('b', { match = {} })", .parked("'match' is empty")),
    .init("wait_for('b', state)", .parked("state cannot be used as a whole")),
    .init("wait_for('b', event.data)", .parked("unknown option")),
    .init("wait_for('b', {}, 1)", .parked("takes at most 2 arguments")),
    .init(
      "wait_for('b', options)", .finished, before: "local options = { match = function(e) return e.data.n > 2 end }"),
    .init(
      "wait_for('b', { match = function(e) return true end, within = function() end })",
      .parked("the data holds a function")),
    .init("call()", .parked("the destination must be a text")),
    .init("call('crm')", .parked("the type must be a text")),
    .init("call('crm', 'x', 5)", .parked("must be a table with names")),
    .init("call('crm', 'x', {}, { tries = 0 })", .parked("'tries' must be a whole number from 1 to 10")),
    .init("call('crm', 'x', {}, { tries = 1e9 })", .parked("'tries' must be a whole number from 1 to 10")),
    .init("call('crm', 'x', {}, { within = '1000 weeks' })", .parked("at most ten years")),
    .init("call('crm', 'x', {}, {}, {})", .parked("takes at most 4 arguments")),
  ]

  /// Functions of `match` that do what they must not.
  static let matches: [HostileScript] = [
    .init("wait_for('b', { match = function(e) error('own words') end })", .parked("own words")),
    .init("wait_for('b', { match = function(e) error() end })", .parked("error(…) was called with a nil")),
    .init("wait_for('b', { match = function(e) error({}) end })", .parked("error(…) was called with a table")),
    .init("wait_for('b', { match = function(e) error(null) end })", .parked("error(…) was called with")),
    .init("wait_for('b', { match = function(e) error(e) end })", .parked("error(…) was called with")),
    .init("wait_for('b', { match = function(e) return nil end })", .parked("must return true or false")),
    .init("wait_for('b', { match = function(e) return 1 end })", .parked("must return true or false")),
    .init("wait_for('b', { match = function(e) end })", .parked("must return true or false")),
    .init("wait_for('b', { match = function(e) return e end })", .parked("must return true or false")),
    .init("wait_for('b', { match = function(e) return true, 2, 3 end })", .finished),
    .init("wait_for('b', { match = function(e) state.x = 1 return true end })", .parked("not change it")),
    .init("wait_for('b', { match = function(e) send('crm', 'x', {}) return true end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) pcall(send, 'crm', 'x', {}) return true end })", .finished),
    .init("wait_for('b', { match = function(e) set { a = 1 } return true end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) emit('x') return true end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) log('x') return true end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) wait('1 s') return true end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) pcall(wait, '1 s') return true end })", .finished),
    .init("wait_for('b', { match = function(e) wait_until(now() + 5) return true end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) return wait_for('c') ~= nil end })", .parked("only decide")),
    .init("wait_for('b', { match = function(e) return wait_any({ 'c' }) ~= nil end })", .parked("only decide")),
    .init("wait_for('b', { match = function(e) return call('crm', 'x').ok end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) checkpoint {} end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) finish('x') end })", .parked("only decides")),
    .init("wait_for('b', { match = function(e) skip('not me') end })", .skipped("not me")),
    .init("wait_for('b', { match = function(e) rule {} end })", .parked("stands at the end")),
    .init("wait_for('b', { match = function(e) e.data.n = 5 return true end })", .parked("read-only")),
    .init("wait_for('b', { match = function(e) return e.nmae end })", .parked("did you mean 'name'?")),
    .init("wait_for('b', { match = function(e) return e.data.deep.list[2][2][1] == 3 end })", .finished),
    .init("wait_for('b', { match = function(e) return customer.traits.n == 2 end })", .finished),
    .init("wait_for('b', { match = function(...) return select('#', ...) == 1 end })", .finished),
    .init("wait_for('b', { match = pcall, within = '1 s' })", .finished),
    .init("wait_for('b', { match = error })", .parked("error(…) was called with")),
    .init("wait_for('b', { match = tostring })", .parked("must return true or false")),
    .init("wait_for('b', { match = wait })", .parked("only decides")),
    .init("wait_for('b', { match = ('x').rep })", .parked("")),
    .init(
      "local kept wait_for('b', { match = function(e) kept = e return false end, within = '1 s' }) "
        + "log(kept.name .. kept.data.n .. tostring(kept.data.deep.list[2][1]))", .finished),
    .init(
      "local kept = {} wait_for('b', { match = function(e) kept[#kept + 1] = e.data.deep return #kept > 4 end }) "
        + "for _, d in ipairs(kept) do if d.list[2][2][1] ~= 3 then error('moved') end end", .finished, heard: 8),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return n == 3 end }) for i = 1, n do send('crm', 't' .. i, {}) end "
        + "wait('1 s')", .parked("before (entry"), heard: 8),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return n == 3 end }) if n == 3 then wait('1 s') else call('crm', 'x', {}) end",
      .parked("it does call where it did wait before"), heard: 8),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return n == 3 end }) if n == 3 then wait('1 s') wait('1 s') end",
      .parked("it ends where it went on before"), heard: 8),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return n == 3 end }) if n == 3 then wait('1 s') else error('other') end",
      .parked("other"), heard: 8),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return n == 3 end }) if n == 3 then wait('1 s') else finish('x') end",
      .parked("it ends where it went on before"), heard: 8),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return n == 3 end }) if n == 3 then wait('1 s') else skip('x') end",
      .parked("it ends where it went on before"), heard: 8),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return n == 3 end }) if n == 3 then wait('1 s') else checkpoint {} end",
      .parked("it ends where it went on before"), heard: 8),
    .init(
      "local n = 0 wait_for('b', { match = function(e) n = n + 1 return n == 3 end }) if n == 3 then wait('1 s') else while true do end end",
      .parked("the budget"), heard: 8),
  ]

  /// What a run holds while the world changes under it, and attempts to be another run the second time.
  static let worlds: [HostileScript] = [
    .init(
      "local t = customer.traits wait('1 s') if t.n ~= 2 then error('old') end wait('1 s') if t.n ~= 1 then error('new') end",
      .finished),
    .init(
      "local t = customer.traits local p = t.plan wait('1 s') wait('1 s') wait('1 s') if p ~= 'pro' then error(tostring(p)) end",
      .finished),
    .init(
      "local a = customer.traits.address wait('1 s') wait('1 s') if a.city ~= 'Ulm' or #a.lines ~= 3 then error('moved') end",
      .finished),
    .init(
      "local l = customer.traits.list for i = 1, 8 do wait('1 s') if l[i] ~= i then error('moved') end end", .finished),
    .init(
      "local n = 0 for k in pairs(customer.traits) do n = n + 1 end wait('1 s') wait('1 s') if n ~= 4 then error('n' .. n) end",
      .finished),
    .init("send('crm', 'x', customer.traits) wait('1 s') send('crm', 'x', customer.traits) wait('1 s')", .finished),
    .init("local n = #customer.traits local t = tostring(customer.traits) wait('1 s')", .finished),
    .init("local p = customer.traits['" + String(repeating: "x", count: 100) + "'] wait('1 s') wait('1 s')", .finished),
    .init(
      "for i = 1, 40 do local x = customer.traits['t' .. i] end local c = customer.traits.address.city wait('1 s') wait('1 s') if c ~= 'Ulm' then error('x') end",
      .finished),
    .init(
      "local b = wait_for('b') wait('1 s') wait('1 s') if b.data.n ~= 1 or b.traits.t ~= 1 or b.context.x then error('moved') end",
      .finished),
    .init(
      "local b = wait_for('b') wait('1 s') send('crm', 'x', b.data) log(b.id .. b.name .. b.source .. b.user)",
      .finished),
    .init("local b = wait_for('b') wait('1 s') b.data = nil", .parked("read-only")),
    .init("local b = wait_for('b') wait('1 s') b()", .parked("a value, not a function")),
    .init("local b = wait_for('b') wait('1 s') local x = b.data.deep.list.x.y", .parked("attempt to index")),
    .init(
      "local r = call('crm', 'x', {}) wait('1 s') if not r.ok or r.body.n ~= 1 or #r.body.list ~= 3 then error('moved') end",
      .finished),
    .init("local r = call('crm', 'x', {}) r.ok = false", .parked("read-only")),
    .init("local r = call('crm', 'x', {}) send('crm', 'x', r) send('crm', 'y', r.body)", .finished),
    .init("local r = call('crm', 'x', {}) log(r .. '')", .parked("attempt to concatenate")),
    .init("local r = call('crm', 'x', {})", .parked("the reply cannot be read"), reply: "{"),
    .init("local r = call('crm', 'x', {})", .parked("the reply cannot be read"), reply: ""),
    .init("local r = call('crm', 'x', {}) wait('1 s')", .finished, reply: "5"),
    .init("local r = call('crm', 'x', {}) log(tostring(r == nil)) wait('1 s')", .finished, reply: "null"),
    .init("local r = call('crm', 'x', {}) wait('1 s') log(tostring(#r))", .finished, reply: "[]"),
    .init(
      "state.n = (state.n or 0) + 1 wait('1 s') state.n = state.n + 1 wait('1 s') if state.n ~= 2 then error(tostring(state.n)) end",
      .finished),
    .init("state.x = 1 wait('1 s') state.x = nil wait('1 s') if state.x ~= nil then error('back') end", .finished),
    .init(
      "local s = state state.a = 1 wait('1 s') s.a = s.a + 1 wait('1 s') if s.a ~= 2 then error('a') end", .finished),
    .init(
      "local a, b = random(1000000), random() wait('1 s') send('crm', 't' .. a, {}) wait('1 s') send('crm', 't' .. a, {}) wait('1 s')",
      .finished),
    .init(
      "local a = random(1000000) send('crm', 't' .. a, {}) wait('1 s') wait('1 s')", .finished,
      header: "when = function(event) return random() < 2 end,"),
    .init(
      "local t = {} for i = 1, 200 do t['k' .. i] = i end local s = '' for k in pairs(t) do s = s .. k end send('crm', s:sub(1, 99), {}) wait('1 s') wait('1 s')",
      .finished),
    .init("local a, b = tostring({}), tostring(wait) send('crm', a .. b, {}) wait('1 s') wait('1 s')", .finished),
    .init("local e = select(2, pcall(error, {})) send('crm', tostring(e), {}) wait('1 s') wait('1 s')", .finished),
    .init(
      "local e = select(2, pcall(function() local x = nil + 1 end)) send('crm', e:sub(-30), {}) wait('1 s') wait('1 s')",
      .finished),
    .init("local t = now() wait('1 s') if now() - t ~= 1000 then error('clock') end wait('1 s')", .finished),
    .init("send('crm', customer.id .. customer.account, {}) wait('1 s') wait('1 s')", .finished),
    .init(
      "local t = { 3, 1, 2 } table.sort(t, function() return random() < 0.5 end) send('crm', table.concat(t), {}) wait('1 s') wait('1 s')",
      .finished),
    .init("wait('1 s') error()", .parked("error(…) was called with a nil")),
    .init("wait('1 s') error({})", .parked("error(…) was called with a table")),
    .init("wait('1 s') error(42)", .parked("error(42)")),
    .init("wait('1 s') error(0 / 0)", .parked("error(")),
    .init("wait('1 s') error(true)", .parked("error(…) was called with a boolean")),
    .init("wait('1 s') error(wait)", .parked("error(…) was called with a function")),
    .init("wait('1 s') error(event)", .parked("error(…) was called with")),
    .init("wait('1 s') error(null)", .parked("error(…) was called with")),
    .init("wait('1 s') error(('x'):rep(100000))", .parked("xxx")),
    .init("wait('1 s') error('\\0\\xff')", .parked("")),
    .init("wait('1 s') error('own words', 0)", .parked("own words")),
    .init("wait('1 s') local t = nil t.x = 1", .parked("attempt to index a nil value")),
    .init("wait('1 s') local x = event.data.amount < event.data.plan", .parked("attempt to compare")),
    .init("wait('1 s') return error", .finished),
    .init("if saved then log(saved.a) finish('x') end wait('1 s') checkpoint { a = 'kept' }", .finished),
  ]

  static let all = work + memory + places + arguments + matches + worlds
}
