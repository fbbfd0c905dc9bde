// Rules that are in order: every part of the language, every word, every key. The check has nothing to say
// about any of them.
//
// Thread: constants. Promise: each would run as it stands, once its words are there.

enum GoodRules {
  /// DESIGN's own example: a journey.
  static let recovery = """
    -- Recover a failed subscription payment.
    return rule {
      title   = "Recover a failed subscription payment",
      on      = "invoice.payment_failed",
      key     = "data.invoice",
      stop_on = { "invoice.paid", "invoice.voided" },
      when    = function(event) return event.data.attempt == 1 end,
      class   = "transactional",
      run = function(event, customer)
        for attempt, pause in ipairs { "1 day", "3 days", "5 days", "7 days" } do
          wait(pause)
          local reply = call("billing", "payment.retry", { invoice = event.data.invoice, attempt = attempt })
          if reply.ok then return finish("recovered") end
          send("crm", "dunning.reminder", { customer = customer.id, attempt = attempt })
        end
        send("crm", "dunning.exhausted", { customer = customer.id })
      end,
    }
    """

  static let trial = """
    return rule {
      title = "Walk a new customer through the trial",
      on    = "trial_started",
      per   = "account",
      again = "90 days",
      goal  = { event = "plan_bought", within = "30 days" },
      zone  = "Europe/Berlin",
      run = function(event, customer)
        send("crm", "trial.welcome", { customer = customer.id, plan = event.data.plan })
        local first = wait_for("project_created", { within = "3 days" })
        if not first then
          send("crm", "trial.help", { customer = customer.id })
        else
          state.project = first.data.project
        end
        wait_until { days = 1, at = "09:00" }
        local reply = call("billing", "quote.make", { seats = event.data.seats }, { within = "60 s", tries = 2 })
        if reply.unknown then
          log("no answer for " .. customer.id .. ": " .. tostring(reply.status))
        elseif reply.ok then
          set { quoted = true, quoted_at = now() }
        end
        local bought = wait_for("plan_bought", {
          within = "14 days",
          match = function(bought) return bought.data.plan ~= "free" end,
        })
        check(bought, "nothing was bought: " .. (state.project or "no project"))
        finish("bought")
      end,
    }
    """

  static let webinar = """
    local texts = use("lib/texts")

    return rule {
      title   = "Remind of a webinar",
      on      = { "webinar_registered", "webinar_moved" },
      key     = { webinar_registered = "data.webinar", webinar_moved = "data.webinar" },
      second  = "restart",
      stop_on = "webinar_cancelled",
      run = function(event, customer)
        local data = event.data
        wait_until(data.starts_at)
        send("crm", "webinar.starts", { text = texts.starts(data.title), at = data.starts_at }, { within = "2 hours" })
        local left = wait_any({ "webinar_left", "webinar_ended" }, { within = "1 day" })
        if left and left.name == "webinar_left" then skip("left early") end
        emit("webinar_attended", { webinar = data.webinar })
      end,
    }
    """

  static let journeys = [recovery, trial, webinar]

  static let libraries = [
    "lib/texts.lua": """
    local texts = {}
    function texts.starts(title) return (title or "It") .. " starts now" end
    texts.limit = 10
    return texts
    """,
    "lib/plans.lua": "local next = { free = 'team' } return { next = next, order = { 'free', 'team' } }",
    "lib/any.lua": "local t = {} for i = 1, 3 do t['f' .. i] = i end return t",
    "lib/score.lua": "return function(a, b) return (a or 0) + (b or 0) end",
  ]

  private static func body(_ text: String) -> String { Checking.rule(text) }

  static let all: [String] = journeys + whole + bodies.map(body)

  /// With a header or a file of their own.
  private static let whole: [String] = [
    "return rule { title = 'T', on = 'x', run = function() end }",
    "return rule({ title = 'T', on = { 'x', 'y' }; run = function(event) log(event.name) end })",
    "if true then return rule { title = 'A', on = 'x', run = function() end } end",
    "return rule { ['title'] = 'T', ['on'] = 'x', run = function(_, customer) log(customer.id) end, }",
    "local on = 'x'\nreturn rule { title = 'T', on = on, run = function(event, customer) end }",
    "local function run(event, customer) log(event.data.x) end\nreturn rule { title = 'T', on = 'x', run = run }",
    Checking.rule(
      "",
      header: "per = 'webinar', key = 'data.invoice.number', again = '1 day 12 hours', mode = 'shadow', priority = -5,"),
    Checking.rule(
      "", header: "again = '1 day', owner = 'growth', class = 'marketing', second = 'parallel', limit = 3,"),
    "return rule { title = 'T', on = 'x', run = function(event, customer, saved) log(tostring(saved and saved.day)) wait('1 day') end }",
    Checking.rule(
      "",
      header:
        "key = 'data.id', stop_on = { x = 'data.id', y = 'data.other' }, goal = { event = 'bought', key = 'data.id' },"),
    Checking.rule("", header: "stop_on = { 'y' }, goal = { event = 'bought' }, again = 'never', second = 'ignore',"),
    "return rule { title = 'T', on = 'x', run = function(event, customer, saved) local day = (saved and saved.day or 0) + 1 if day < 9 then wait('1 day') checkpoint { day = day } end log('done') end }",
    "local function go(event, customer, saved) if not saved then wait('1 day') checkpoint { day = 1 } end end return rule { title = 'T', on = 'x', run = go }",
    Checking.rule("for _ = 1, 30 do wait('1 day') end checkpoint {}"),
    Checking.rule("", header: "when = function(event, customer) return (event.data.n or 0) > (state.n or 0) end,")
      .replacing("\n\n", with: "\nstate.n = event.data.n\n"),
    "local plans = use('lib/plans') local any = use 'lib/any' local score = use('lib/score')\n"
      + Checking.rule("log(plans.next[event.data.plan] or plans.order[1]) log(any.f1 .. score(1, 2))"),
    "-- a comment\n--[[ a long\n comment ]]\n--[==[ another ]] ]==]\n" + Checking.rule("-- nothing"),
    "local limits <const> = { low = 1, ['very high'] = 99, [3] = 4, [true] = 5, nested = { { 1, 2 }, {} }, }\n"
      + Checking.rule("local x <const> = limits.low + limits['very high'] log(tostring(x) .. #limits.nested)"),
  ]

  /// What stands inside run.
  private static let bodies: [String] = [
    "if event.data.a then log('a') elseif event.data.b then log('b') else log('c') end",
    "if event.data.a then log('a') else if event.data.b then log('b') end end",
    "for i = 1, 10 do if i % 2 == 0 then goto next end log(tostring(i)) ::next:: end",
    "for i = 10, 1, -1 do log('' .. i) end local i = 3 while i > 0 do i = i - 1 end repeat local j = i + 1 until j > 0",
    "while true do local found = wait_for('y', { within = '1 day' }) if not found then break end end",
    "while true do wait('1 week') send('crm', 'weekly') end",
    "for _, line in ipairs(event.data.lines) do log(line.sku) end for key, value in pairs(event.data) do log(key .. tostring(value)) end",
    "for index = 1, #event.data.lines do local line = event.data.lines[index] log(line.sku) end",
    "local a, b, c = 1, 2 local d local e, f = (function() return 1, 2 end)() a, b = b, a log(a .. b .. tostring(c) .. tostring(d) .. e .. f)",
    "local function fact(n) if n <= 1 then return 1 end return n * fact(n - 1) end log(tostring(fact(5)))",
    "local t = {} function t.f(x) return x end function t:g(y) return self.f(y) end log(t:g('x')) t.n = (t.n or 0) + 1",
    "local function many(...) local first = ... local list = { ... } return select('#', ...), first, #list end log(tostring(many(1, 2)))",
    "local text = 'a' .. 1 .. \"b\\n\\t\\\"\\x41\\65\\u{48}\" .. [[long\n]] .. [==[ ]] ]==] log(text:upper():sub(1, 3) .. ('x'):rep(3))",
    "local n = 0x1F + 1e3 + .5 + 3. + 1e-3 + 0xA.8p1 + 7 // 2 + 7 % 3 + 2 ^ 10 - -1 log(tostring(n))",
    "local ok, problem = pcall(function() error('no') end) if not ok then log(problem) end assert(ok ~= nil, 'x')",
    "if not (event.data.x == nil) and event.data.y ~= 'z' or #'abc' >= 3 then log('x') end",
    "do local x = 1 log(tostring(x)) end do return end",
    "if event.data.done then return end log('go on') return finish('done')",
    "if event.data.done then skip('done') end local x = check(event.data.n, 'no n') log(tostring(x + 1))",
    "state.count = (state.count or 0) + 1 if state.count > 3 and state.last then log('many') end state.last = now() state['x'] = nil if state.x then log('x') end",
    "local s = state s.seen = true if state.seen then log('seen') end for k in pairs({ 1 }) do state['k' .. k] = k end log(tostring(state.k1))",
    "set { plan = 'pro', old = null } send('crm', 'x.y', event.data) send('crm', 'x', { tags = empty_list, none = null, deep = { a = { b = 1 } } })",
    "send('crm', 'x', {}, { within = '2 h' }) emit('thing_done', { a = 1 }, { subject = 'account:acme' }) send 'crm'"
      .replacing(" send 'crm'", with: ""),
    "local d = event.data local traits = customer.traits if traits.plan == 'pro' then log(d.anything.deep.er) end",
    "local late = now() - event.time > 3 * 24 * 60 * 60 * 1000 if late then skip('late') end log(tostring(random()) .. random(6) .. random(1, 6))",
    "local list = { 'b', 'a' } table.sort(list) table.sort(list, function(x, y) return x > y end) table.insert(list, 'c') log(table.concat(list, ', ')) log(tostring(#list))",
    "local found = string.find('abc', 'b', 1, true) local clean = string.gsub(' x ', '^%s+', '') for word in ('a b'):gmatch('%a+') do log(word) end log(clean .. tostring(found))",
    "log(string.format('%d of %s', math.floor(2.5), tostring(event.data.x))) log(tostring(math.max(1, 2, 3)) .. math.pi .. utf8.char(228) .. utf8.len('ä'))",
    "local names = { on = 'x', mode = 'y' } local rule_name = names.on log(rule_name .. names.mode)",
    "local handlers = { a = function(e) return e.data.x end, b = function() return 1 end } local h = handlers[event.data.kind] if h then log(tostring(h(event))) end",
    "local function notify(kind, extra) send('crm', kind, { customer = customer.id, extra = extra }) end notify('a.b') notify('c.d', { 1 })",
    "local reply = call('billing', 'x') if reply.ok and reply.status == 200 then log(reply.body.text .. reply.headers.location) elseif reply.error then log(reply.error) end",
    "wait_until { weekday = 'monday', at = '9:00', zone = 'Europe/Berlin' } wait('30 s') wait_until(event.time + 3600 * 1000) if wait_until(now()) then log('x') end",
    "local seen = wait_for('y', { match = { invoice = event.data.invoice }, since = 'now', subject = 'webinar:' .. event.data.w }) if seen then log(seen.data.z) end",
    "wait('3660 days') wait_until('2030-12-01T09:00:00+01:00') wait_until(1800000000000) wait_until { days = 0, at = '9:00' }",
    "wait_until(now() + 3 * 86400 * 1000) wait_until(now() + 60 * 1000) wait_until(event.time + 90000) if now() - event.time > 5 * 60 * 1000 then log('late') end",
    "local hour <const> = 3600 * 1000 wait_until(now() + 2 * hour) local seconds = 3600 log(seconds * 2 .. '') state.t = now() + seconds * 1000",
    "if wait_for('y', { match = { invoice = event.data.invoice, ['to.city'] = 'Bonn' }, subject = 'user:' .. customer.id }) then log('y') end",
    "if wait_for('y', { subject = event.thing, match = function(e) local n = 0 for _ in pairs(e.data) do n = n + 1 end return n > 2 end }) ~= nil then log('y') end",
    "local n = 0 while n < 2 do local e = wait_for('y') n = n + 1 if e == nil then break end end local any = wait_any({ 'y', 'z' }) log(any and any.name or '')",
    "local waited = wait_until { at = '09:00' } if not waited then log('late') end return wait('1 day')",
    "state.a = event.data.a state.b = { 1, 2 }[1]".replacing("{ 1, 2 }", with: "({ 1, 2 })")
      + " state.c = event.data.list and #event.data.list state.d = now() state.e = nil log(tostring(state.a))",
    "local r = call('crm', 'x', {}, { shadow_reply = { ok = true, status = 200, body = { id = 'a' }, headers = {}, unknown = false } }) if r.ok == true then log('ok') end",
    "local shown = { ok = event.data.ok } call('crm', 'x', {}, { shadow_reply = shown }) emit('z', {}, { subject = event.data.whose })",
    "local f = (function(x) return ((x)) end) log(tostring((f(1)))) pcall(function() log(('x'):rep(2)) end) local t = { [(1)] = (2), f = function() return (1) end }",
    "local pause = event.data.fast and '1 min' or '1 day' wait(pause) if type(event.data.x) == 'number' then log('n') end",
    "local x = event.data.amount or 0 if x == 'a' or x == 'b' then log('ab') end if (x or 1) == 2 then log('2') end local y = x == 1 or 'other' log(tostring(y))",
    "for _, name in ipairs { 'crm', 'billing' } do send(name, 'x.y', { at = now() }) end",
    "local a = { b = { c = function() return { d = 'e' } end } } log(a.b.c().d) log((a.b.c()).d) log(#a.b.c().d .. '')",
    "if event.name == 'x' then log('x') end local user = event.user or event.account or event.thing log(user or event.source .. event.id) log(event.context.ip or event.traits.email or '')",
    "local t = { 1, 2, 3; 4, n = 5, } local m = -t[1] + -(-2) local same = not not event.data.x == true log(tostring(m) .. tostring(same))"
      .replacing("not not event.data.x == true", with: "(not not event.data.x) == true"),
    "local function bump(s) s.count = (s.count or 0) + 1 end bump(state) if (state.cuont or 0) > 3 then log('x') end",
    "local n = event.data.flag and 5 if n == false then log('no') elseif n == nil then log('nil') else log(tostring(n)) end",
    "log('a'" + String(repeating: " .. 'b'", count: 150) + ") log(tostring(1" + String(repeating: " + 1", count: 300)
      + "))",
    "goto finish_line do local z = 1 end ::finish_line:: log('end')".replacing("do local z = 1 end ", with: ""),
    ";;; local x = 1; log(tostring(x)); ;",
    "local long = 'a' .. 'b' .. 'c' .. 'd' .. 'e' .. 'f' .. 'g' local sum = 1 + 2 + 3 + 4 - 5 - 6 * 7 / 8 log(long .. sum)",
  ]
}

extension String {
  func replacing(_ part: String, with other: String) -> String {
    guard let range = firstRange(of: part) else { return self }
    return self[..<range.lowerBound] + other + self[range.upperBound...]
  }
}
