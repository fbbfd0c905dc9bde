// Effects and verdicts: what leaves a lane, under which ids, and what is told about it.
//
// Thread: the test's. Promise: the same event and rules give the same effects.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct EffectTests {
  private func tick(_ id: Int, _ more: String = "") -> String {
    "{\"id\": \(id), \"name\": \"tick\", \"user\": \"a\"\(more)}"
  }

  @Test func `the same event decided again gives the same ids and bodies`() throws {
    let files = [
      "a": Workshop.rule("on = 'tick'", "send('crm', 'x', { n = random(1000000) }) send('crm', 'x', {}) emit('e', {})"),
      "b": Workshop.rule("on = {'tick', 'e'}", "send('bare', 'y', { who = customer.id }, { within = '1 hour' })"),
    ]
    let first = try Workshop(files).take(tick(1))
    let second = try Workshop(files, lanes: 2).take(tick(1))
    #expect(first.deliveries.map(\.delivery.id) == second.deliveries.map(\.delivery.id))
    #expect(first.deliveries.map(\.delivery.body) == second.deliveries.map(\.delivery.body))
    #expect(Set(first.deliveries.map(\.delivery.id)).count == 4)
    #expect(first.deliveries.allSatisfy { $0.delivery.id.hasPrefix("msg_") })
    #expect(try Workshop(files).take(tick(2)).deliveries[0].delivery.id != first.deliveries[0].delivery.id)
  }

  @Test func `a delivery carries its envelope, or the data alone`() throws {
    let body = "send('crm', 'hello', { n = 1 }) send('bare', 'hello', { n = 1 }, { within = '2 h' })"
    let happened = try Workshop(["a": Workshop.rule("on = 'tick'", body)]).take(tick(1))
    let texts = happened.deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self) }
    #expect(texts == [#"{"type":"hello","timestamp":"2023-11-14T22:13:20.000Z","data":{"n":1}}"#, #"{"n":1}"#])
    #expect(happened.deliveries[1].delivery.expires == Instant(milliseconds: 1_700_000_000_000) + 7_200_000)
    #expect(happened.deliveries.allSatisfy { $0.event == 1 && $0.rule == "a" })
  }

  @Test func `a failing rule keeps nothing and does not touch the next one`() throws {
    let workshop = try Workshop([
      "a": Workshop.rule("on = 'tick'", "state.n = 1\nset { x = 1 }\nsend('crm', 'x', {})\nerror('broken')"),
      "b": Workshop.rule("on = 'tick'", "state.n = 1 send('crm', 'y', {})"),
    ])
    let happened = try workshop.take(tick(1))
    #expect(happened.deliveries.map(\.rule) == ["b"])
    #expect(happened.verdict("a")?.code == .failed)
    #expect(happened.verdict("a")?.line == 5)
    #expect(happened.verdict("a")?.reason.contains("broken") == true)
    #expect(happened.verdict("b")?.code == .ran)
    #expect(happened.verdict("b")?.effects == 1)
    #expect(try workshop.state("user:a", "a") == "")
    #expect(try workshop.traits("user:a") == "")
    #expect(happened.answered == 1)
  }

  @Test func `a verdict tells what was read, and 'when' that says no is counted`() throws {
    let workshop = try Workshop([
      "a": Workshop.rule(
        "on = 'tick'", "state.n = (state.n or 0) + 1\ncheck(customer.traits.plan == 'pro', 'only for pro')"),
      "b": Workshop.rule("on = 'tick', when = function(event) return false end", "log('never')"),
    ])
    let happened = try workshop.take(tick(1))
    let verdict = try #require(happened.verdict("a"))
    #expect(verdict.code == .skipped)
    #expect(verdict.line == 3)
    #expect(verdict.reason == "only for pro")
    #expect(verdict.reads.contains { $0.name == "customer.traits.plan" && $0.value == "null" }, "\(verdict.reads)")
    #expect(verdict.reads.contains { $0.name == "state.n" }, "\(verdict.reads)")
    #expect(happened.verdicts.map(\.notMatched) == [1])
    #expect(try workshop.state("user:a", "a") == "", "what a skipped run wrote is not kept")
  }

  @Test func `emitted events are decided in the same commit and end at the causal depth`() throws {
    let workshop = try Workshop(["loop": Workshop.rule("on = 'tick'", "state.n = (state.n or 0) + 1 emit('tick', {})")])
    let happened = try workshop.take(tick(1))
    #expect(happened.events.map(\.depth) == Array(0...Limits.causalDepth))
    #expect(happened.events.dropFirst().allSatisfy { $0.source == "nudged" })
    #expect(happened.events.map(\.cause) == Array(0...Int64(Limits.causalDepth)))
    #expect(happened.verdict("")?.code == .tooDeep)
    #expect(happened.verdict("")?.reason.contains("end here") == true)
    #expect(try workshop.state("user:a", "loop") == "{\"n\":\(Limits.causalDepth)}")
  }

  @Test(arguments: ["", ", { subject = 'user:' .. random(1, 50) }"])
  func `one event causes a bounded number of others, whoever they are about`(target: String) throws {
    let fan = Workshop.rule("on = 'tick'", "for i = 1, 50 do emit('tick', { i = i }\(target)) end")
    for lanes in [1, 2] {
      let happened = try Workshop(["fan": fan], lanes: lanes).take(tick(1))
      #expect(happened.events.count > 50)
      #expect(happened.events.count <= Limits.emittedPerEvent + 1)
      let told = happened.verdicts.flatMap(\.verdicts).filter { $0.code == .tooDeep }
      #expect(told.contains { $0.reason.contains("50 of 50 were not emitted") })
    }
  }

  @Test func `loops over two subjects end, too`() throws {
    let over = Workshop.rule("on = 'tick'", "emit('tock', {}, { subject = 'account:acme' })")
    let back = Workshop.rule("on = 'tock', per = 'account'", "emit('tick', {}, { subject = 'user:a' })")
    for lanes in [1, 2] {
      let happened = try Workshop(["over": over, "back": back], lanes: lanes).take(tick(1))
      #expect(happened.events.count == Limits.causalDepth + 1)
      #expect(happened.events.map(\.depth).max() == Limits.causalDepth)
    }
  }

  @Test(arguments: [1, 2]) func `an event emitted to another subject arrives there once`(lanes: Int) throws {
    let disk = MemoryStore.Disk()
    let files = [
      "tell": Workshop.rule("on = 'tick'", "emit('told', { by = customer.id }, { subject = 'account:acme' })"),
      "hear": Workshop.rule("on = 'told', per = 'account'", "state.n = (state.n or 0) + 1 log(event.data.by)"),
    ]
    let workshop = try Workshop(files, lanes: lanes, disk: disk)
    let happened = try workshop.take(tick(1))
    #expect(happened.logs == ["a"])
    #expect(happened.events.map(\.cause) == [0, 1])
    let again = try Workshop(files, lanes: lanes, disk: disk)
    #expect(try again.take(tick(1)).events.isEmpty)
    #expect(try again.state("account:acme", "hear") == "{\"n\":1}")
  }

  @Test func `an event cannot be emitted to a subject that cannot be`() throws {
    for name in ["Account:acme", "acme", "account:", "a b:c"] {
      let rule = Workshop.rule("on = 'tick'", "emit('told', {}, { subject = '\(name)' })")
      let happened = try Workshop(["a": rule]).take(tick(1))
      #expect(happened.verdict("a")?.code == .failed, "\(name) was lost without a word")
      #expect(happened.verdict("a")?.reason.contains("account:acme") == true)
    }
  }

  @Test func `a user and an account that change with one event tell of it under different ids`() throws {
    let workshop = try Workshop([
      "a": Workshop.rule("on = 'nudged.trait.changed'", "send('crm', 'x', {})"),
      "b": Workshop.rule("on = 'nudged.trait.changed', per = 'account'", "send('crm', 'x', {})"),
      "c": Workshop.rule("on = 'group'", "set { grouped = true }"),
    ])
    let happened = try workshop.take(
      #"{"type": "group", "messageId": "m1", "userId": "a", "groupId": "acme", "traits": {"seats": 9}}"#)
    #expect(happened.events.count == 3)
    let ids = happened.events.compactMap { try? Document.parse($0.body).root["id"]?.string }
    #expect(Set(ids).count == 2, "\(ids)")
    #expect(happened.deliveries.count == 2)
  }

  @Test func `rules hear of changed traits only when one listens`() throws {
    let text = tick(1, ", \"traits\": {\"plan\": \"pro\"}")
    #expect(try Workshop().take(text).events.count == 1)
    let workshop = try Workshop([
      "a": Workshop.rule("on = 'nudged.trait.changed'", "log(tostring(event.data.traits.plan))")
    ])
    #expect(try workshop.take(text).logs == ["pro"])
    #expect(try workshop.take(tick(2, ", \"traits\": {\"plan\": \"pro\"}")).logs == [], "nothing has changed")
  }
}
