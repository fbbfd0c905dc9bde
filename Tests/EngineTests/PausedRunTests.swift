// Runs of rules that are paused, renamed or deleted: nothing that came is lost, nothing is sent that should not be.
//
// Thread: the test's. Promise: what a person switched off stays off until a person switches it on.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

struct PausedRunTests {
  static let body = "local b = wait_for('b', { within = '7 days' }) send('crm', b and 'came' or 'late', {})"
  static let rule = Workshop.rule("on = 'a'", body)
  static let paused = Workshop.rule("on = 'a', mode = 'paused'", body)

  private func event(_ name: String, _ data: String = "{}") -> String {
    JourneyTests.event(name, name, data)
  }

  @Test func `an event that comes while the rule is paused wakes its run when the rule lives again`() throws {
    let shop = try Workshop(["r": Self.rule])
    try shop.take(event("a"))
    try shop.publish(["r": Self.paused], highest: 1)
    #expect(try shop.take(event("b")).deliveries.isEmpty)
    shop.now = shop.now + 3_600_000
    #expect(try shop.run([]).deliveries.isEmpty)
    try shop.publish(["r": Self.rule], highest: 1)
    #expect(try shop.store.makeReader().engine.deliveries(before: .max, limit: 9).map(\.delivery.type) == ["came"])
    #expect(try shop.store.makeReader().rows(from: RowKey(.timer, 0), to: RowKey(.timer, .max), limit: 9).isEmpty)
  }

  @Test func `so it does after a restart in between, however often the rule was paused`() throws {
    let disk = MemoryStore.Disk()
    var shop = try Workshop(["r": Self.rule], disk: disk)
    try shop.take(event("a"))
    try shop.publish(["r": Self.paused], highest: 1)
    try shop.take(event("b"))
    shop = try Workshop(["r": Self.paused], disk: disk)
    shop.now = shop.now + 3_600_000
    #expect(try shop.run([]).deliveries.isEmpty)
    shop = try Workshop(["r": Self.rule], disk: disk)
    shop.now = shop.now + 3_600_000
    #expect(try shop.run([]).deliveries.map(\.delivery.type) == ["came"])
  }

  @Test func `a reply and a wake by hand also wait until the rule lives again`() throws {
    let body = "local r = call('crm', 'x', {}, { within = '9 days' }) send('crm', tostring(r.status), {})"
    let shop = try Workshop(["r": Workshop.rule("on = 'a'", body)])
    let asked = try shop.take(event("a"))
    try shop.publish(["r": Workshop.rule("on = 'a', mode = 'paused'", body)], highest: 1)
    _ = try shop.store.step([.wants(10, except: [])], now: shop.now)
    shop.settled = [
      Attempt(
        delivery: asked.deliveries[0].delivery.number, attempt: 1, started: shop.now, outcome: .delivered, status: 204,
        settlement: .delivered)
    ]
    #expect(try shop.run([]).deliveries.isEmpty)
    let subject = try #require(try shop.subject("user:ada"))
    #expect(try shop.run([.command(RunCommand(.wake, run: 1, subject: subject))]).deliveries.isEmpty)
    try shop.publish(["r": Workshop.rule("on = 'a'", body)], highest: 1)
    let types = try shop.store.makeReader().engine.deliveries(before: .max, limit: 9).map(\.delivery.type)
    #expect(types.contains("204"))
  }

  @Test func `runs of a shadow rule whose file is deleted or renamed do not begin to send`() throws {
    for files in [[:], ["renamed": Workshop.rule("on = 'a', mode = 'shadow'", Self.body)]] {
      let shop = try Workshop(["r": Workshop.rule("on = 'a', mode = 'shadow'", Self.body)])
      try shop.take(event("a"))
      try shop.publish(files, highest: 1)
      let woken = try shop.take(event("b"))
      #expect(woken.deliveries.isEmpty)
      #expect(woken.ended.map(\.status) == [.finished])
    }
  }

  @Test func `a rule that was paused and then deleted sends nothing, and by its number it is still paused`() throws {
    let shop = try Workshop(["r": Self.rule])
    try shop.take(event("a"))
    try shop.publish(["r": Self.paused], highest: 1)
    try shop.publish([:], highest: 1)
    #expect(try shop.take(event("b")).deliveries.isEmpty)
    let other = try Workshop(["r": Self.rule])
    try other.take(event("a"))
    other.guardian.setPause(of: 1, "by hand")
    try other.publish([:], highest: 1)
    #expect(try other.take(event("b")).deliveries.isEmpty)
    other.guardian.setPause(of: 1, nil)
    try other.publish([:], highest: 1)
    #expect(try other.store.makeReader().engine.deliveries(before: .max, limit: 9).map(\.delivery.type) == ["came"])
  }

  @Test(arguments: [#"{"k":null}"#, #"{"k":""}"#, #"{"k":[1]}"#, #"{"k":{"a":1}}"#])
  func `an event whose key is there and cannot be read is about no run`(_ data: String) throws {
    let shop = try Workshop(["r": Workshop.rule("on = 'a', key = 'data.k', stop_on = 'stop'", Self.body)])
    try shop.take(event("a", #"{"k":"7"}"#))
    #expect(try shop.take(event("stop", data)).ended.isEmpty)
    #expect(try shop.take(event("b", data)).deliveries.isEmpty)
    // One that says nothing of a key is about every run of its subject.
    #expect(try shop.take(JourneyTests.event("b", "b2")).deliveries.map(\.delivery.type) == ["came"])
  }

  @Test(arguments: [
    "local o = { match = { order = 7 } } local b = wait_for('b', o) send('crm', b.id, {})",
    "local b = wait_for('b', { ['match'] = { order = 7 } }) send('crm', b.id, {})",
    "local o = {} o.match = { order = 7 } local b = wait_for('b', o) send('crm', b.id, {})",
  ])
  func `options in a variable decide like those that are written out`(_ body: String) throws {
    let shop = try Workshop(["r": Workshop.rule("on = 'a', key = 'data.k'", body)])
    try shop.take(event("a", #"{"k":"1"}"#))
    #expect(try shop.take(event("b", #"{"k":"2","order":7}"#)).deliveries.map(\.delivery.type) == ["b"])
  }

  @Test func `what a rule only writes down about its subject is not counted as an effect of the hour`() throws {
    let shop = try Workshop(["r": Workshop.rule("on = 'a'", "set({ n = 1 }) log('x')")], effectsPerHour: 1)
    for number in 1...5 { try shop.take(JourneyTests.event("a", "\(number)")) }
    #expect(shop.guardian.pauses.isEmpty)
  }
}
