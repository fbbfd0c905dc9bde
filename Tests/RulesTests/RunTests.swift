// One run: what it reads, what it asks for, how it ends.

import Basics
import Model
import Rules
import Testing

@Suite struct RunTests {
  @Test func `a rule reads the event and sends`() throws {
    let outcome = try Fixture.run(
      """
      send("crm", "deal.won", { amount = event.data.amount, tags = event.data.tags, who = customer.id }, { within = "2 hours" })
      """)
    #expect(outcome.reason == "")
    #expect(outcome.code == .ran)
    #expect(
      outcome.effects == [
        .send(
          Webhook(
            destination: "crm", type: "deal.won", data: Array(#"{"amount":4200,"tags":["a","b","c"],"who":"42"}"#.utf8),
            withinMilliseconds: 7_200_000))
      ])
  }

  @Test func `fields of event and customer are what they say`() throws {
    let text = try Fixture.log(
      """
      log(event.name .. " " .. event.id .. " " .. event.user .. " " .. event.account .. " " .. tostring(event.thing) .. " " .. event.source)
      log(event.time .. " " .. now() .. " " .. customer.id .. " " .. customer.account)
      log(tostring(event.data.none) .. tostring(event.data.missing) .. tostring(event.context.anything) .. event.traits.seats)
      log(tostring(event.data.big) .. " " .. math.type(event.data.big) .. " " .. tostring(event.data.vip))
      """)
    #expect(
      text
        == "invoice.paid e1 42 acme nil api|1700000000000 1700000001000 42 acme|nilnilnil5|9007199254740993 integer true"
    )
  }

  @Test func `lists and objects of an event can be walked in order`() throws {
    let text = try Fixture.log(
      """
      local out = {}
      for i, line in ipairs(event.data.lines) do out[#out + 1] = i .. line.sku .. line.n end
      for k, v in pairs(event.data.lines[1]) do out[#out + 1] = k .. tostring(v) end
      out[#out + 1] = tostring(#event.data.tags) .. #event.data.empty .. table.concat(event.data.tags, "-")
      log(table.concat(out, ","))
      """)
    #expect(text == "1x2,2y3,skux,n2,30a-b-c")
  }

  @Test func `pairs follows sorted keys whatever the order of insertion`() throws {
    let text = try Fixture.log(
      "local t = { b = 1, a = 2 } t[10] = 3 t[2] = 4 t.aa = 5 local o = '' for k in pairs(t) do o = o .. k .. ' ' end log(o)"
    )
    #expect(text == "2 10 a aa b ")
  }

  @Test func `state is kept from run to run`() throws {
    let runtime = try Fixture.runtime(
      "state.count = (state.count or 0) + 1 state.last = event.data.plan state.gone = nil")
    let first = runtime.run(0, Fixture.input(state: #"{"gone":1}"#))
    #expect(String(decoding: first.state ?? [], as: UTF8.self) == #"{"count":1,"last":"pro"}"#)
    let second = runtime.run(0, Fixture.input(state: String(decoding: first.state ?? [], as: UTF8.self)))
    #expect(String(decoding: second.state ?? [], as: UTF8.self) == #"{"count":2,"last":"pro"}"#)
    #expect(second.reads == [ReadValue(name: "state.count", value: "1")])
  }

  @Test func `a rule that writes no state leaves it unchanged`() throws {
    #expect(try Fixture.run("local x = state.count").state == nil)
  }

  @Test func `reads of traits are kept for the verdict`() throws {
    let outcome = try Fixture.run(
      "local a, b = customer.traits.plan, customer.traits.missing for i = 1, 50 do local c = customer.traits.plan end",
      Fixture.input(traits: #"{"plan":"free"}"#))
    #expect(
      outcome.reads == [
        ReadValue(name: "customer.traits.plan", value: "\"free\""),
        ReadValue(name: "customer.traits.missing", value: "null"),
      ])
  }

  @Test func `reads are short and at most eight`() throws {
    let outcome = try Fixture.run(
      "local t = customer.traits local x = t.list, t.object, t.long for i = 1, 20 do x = state['k' .. i] end",
      Fixture.input(traits: #"{"list":[1],"object":{"a":1},"long":"\#(String(repeating: "ä", count: 100))"}"#))
    #expect(outcome.reads.count == 8)
    #expect(outcome.reads.prefix(2).map(\.value) == ["[...]", "{...}"])
    #expect(outcome.reads[2].value.utf8.count <= 48 && outcome.reads[2].value.hasPrefix("\"ää"))
    #expect(outcome.reads[3] == ReadValue(name: "state.k1", value: "null"))
  }

  @Test func `when decides whether a rule runs`() throws {
    let header = "when = function(event) return event.data.amount > 5000 end,"
    #expect(try Fixture.run("log('x')", header: header).code == .notMatched)
    let wrong = try Fixture.run("log('x')", header: "when = function(event) return event.data.missing end,")
    #expect(wrong.code == .failed)
    #expect(wrong.reason == "'when' must return true or false; it returned nil")
  }

  @Test func `when reads state but does not change it`() throws {
    let outcome = try Fixture.run("", header: "when = function(event) state.x = 1 return true end,")
    #expect(outcome.reason == "'when' may read state but not change it; write state.x in run")
    #expect(
      try Fixture.run("", header: "when = function(event) return state.x == 3 end,", Fixture.input(state: #"{"x":3}"#))
        .code == .ran)
  }

  @Test func `skip and check end the run and drop its effects, even through pcall`() throws {
    let skipped = try Fixture.run("state.x = 1 log('before')\npcall(function() skip('enough') end) log('after')")
    #expect(skipped.code == .skipped)
    #expect(skipped.reason == "enough")
    #expect(skipped.line == 3)
    #expect(skipped.effects.isEmpty && skipped.state == nil)
    #expect(try Fixture.run("check(event.data.amount < 10, 'too large')").reason == "too large")
    #expect(try Fixture.run("check(event.data.amount > 10, 'too small')").code == .ran)
    #expect(try Fixture.run("local why check(not why, why)").code == .ran, "where nothing is wrong there is no reason")
    #expect(try Fixture.run("check(true)").reason.contains("check needs a reason"))
    #expect(try Fixture.run("check(true, 7)").reason.contains("check needs a reason"))
  }

  @Test func `set, emit and log are effects in the order asked`() throws {
    let outcome = try Fixture.run(
      "set { plan = 'pro', old = null, list = empty_list } emit('deal.won', nil, { subject = 'account:acme' }) emit('x') log('done')"
    )
    #expect(
      outcome.effects == [
        .set(traits: Array(#"{"list":[],"old":null,"plan":"pro"}"#.utf8)),
        .emit(name: "deal.won", data: Array("{}".utf8), subject: SubjectReference(namespace: "account", id: "acme")),
        .emit(name: "x", data: Array("{}".utf8), subject: nil), .log(text: "done"),
      ])
  }

  @Test func `the same input and seed give the same outcome in two states`() throws {
    let body = """
      local t = {} for i = 1, 20 do t[i] = random(1, 1000) end
      state.sum = t[1] + t[2] send("crm", "x", { list = t, r = random() }) table.sort(t) log(table.concat(t, " "))
      """
    let one = try Fixture.runtime(body)
    let two = try Fixture.runtime(body)
    _ = two.run(0, Fixture.input(seed: 99))
    #expect(one.run(0, Fixture.input()) == two.run(0, Fixture.input()))
    #expect(one.run(0, Fixture.input(seed: 8)) != two.run(0, Fixture.input()))
  }

  @Test func `random numbers of a seed stay the same for ever`() throws {
    #expect(try Fixture.log("log(random(1000) .. ' ' .. random(1000) .. ' ' .. random(-5, 5))") == "630 189 2")
  }

  @Test func `a library is shared and read-only`() throws {
    let library = "local M = { limits = { pro = 10 } } function M.score(e) return e.data.amount // 100 end return M"
    let outcome = try Fixture.run(
      "log(tostring(score.score(event)) .. score.limits.pro .. #score.limits) score.limits.pro = 3",
      before: "local score = use('lib/score')", libraries: ["lib/score.lua": library])
    #expect(outcome.line == 2)
    #expect(outcome.reason.hasPrefix("cannot set 'pro': this table is read-only"))
  }

  @Test func `a key is read from the event`() throws {
    let set = Fixture.load([
      "a.lua": Fixture.rule("", header: "key = 'data.customer.country',"),
      "b.lua": Fixture.rule("", header: "key = 'data.nothing',"),
      "c.lua": Fixture.rule("", header: "key = { ['invoice.paid'] = 'data.amount' },"), "d.lua": Fixture.rule(""),
    ]).set
    let runtime = try RuleRuntime(set)
    #expect((0..<4).map { runtime.key($0, event: Fixture.event()) } == ["DE", nil, "4200", ""])
  }
}
