// Hold-out and goal: who is on which side of a rule and stays there, what is counted of both, and what is not.
//
// Thread: the test's. Promise: the clock stands still unless the test moves it.

import Basics
import Engine
import Model
import Store
import Testing

@Suite struct LiftTests {
  private static let hour: Int64 = 3_600_000
  private static let goal = "goal = { event = 'bought', within = '14 days' }"

  private static func event(_ name: String, _ id: String, _ data: String = "{}", user: String) -> String {
    JourneyTests.event(name, id, user: user, data)
  }

  private static func rule(_ header: String = "hold_out = 50, \(goal)", _ body: String = "send('crm', 'offer', {})")
    -> [String: String]
  {
    ["r": Workshop.rule("on = 'a', \(header)", body)]
  }

  /// All lanes together, of the rule "r".
  private static func counts(_ shop: Workshop) throws -> (sent: LiftSide, heldOut: LiftSide) {
    var sum = (sent: LiftSide(), heldOut: LiftSide())
    let number = try #require(shop.book.known["r"])
    for row in try shop.store.makeReader().rows(from: RowKey(.arms, number), to: RowKey(.arms, number, .max), limit: 99)
    {
      let arms = try #require(row.value.flatMap { ArmsRow($0) })
      sum.sent.subjects += arms.sent.subjects
      sum.sent.converted += arms.sent.converted
      sum.heldOut.subjects += arms.heldOut.subjects
      sum.heldOut.converted += arms.heldOut.converted
    }
    return sum
  }

  private static func exposures(_ shop: Workshop) throws -> Int {
    try shop.store.makeReader().rows(from: RowKey(.exposure, 0), to: RowKey(.exposure, .max), limit: 9_999).count
  }

  /// Of the people u0, u1, … those who got nothing, by their number.
  private static func meet(_ shop: Workshop, _ users: Range<Int>, _ id: String = "", name: String = "a") throws -> Set<
    Int
  > {
    var silent: Set<Int> = []
    for user in users {
      if try shop.take(event(name, "\(id)\(user)", user: "u\(user)")).deliveries.isEmpty { silent.insert(user) }
    }
    return silent
  }

  // MARK: counting

  @Test(arguments: [1, 3])
  func `both sides are counted once for each subject, and their goals once`(lanes: Int) throws {
    let shop = try Workshop(LiftTests.rule(), lanes: lanes)
    let silent = try LiftTests.meet(shop, 0..<60)
    _ = try LiftTests.meet(shop, 0..<60, "again")
    #expect((15...45).contains(silent.count))
    for user in 0..<20 {
      for id in 1...2 { try shop.take(LiftTests.event("bought", "b\(id)\(user)", user: "u\(user)")) }
    }
    // Who never met the rule counts for nothing.
    try shop.take(LiftTests.event("bought", "z", user: "stranger"))
    let counts = try LiftTests.counts(shop)
    let early = silent.count { $0 < 20 }
    #expect(counts.heldOut == LiftSide(subjects: silent.count, converted: early))
    #expect(counts.sent == LiftSide(subjects: 60 - silent.count, converted: 20 - early))
  }

  @Test(arguments: [1, 3])
  func `nothing is forgotten or counted twice over starts, also with another number of lanes`(lanes: Int) throws {
    var shop = try Workshop(LiftTests.rule(), lanes: lanes)
    var silent: Set<Int> = []
    for part in 0..<6 {
      silent.formUnion(try LiftTests.meet(shop, part * 10..<part * 10 + 10))
      shop = try Workshop(LiftTests.rule(), lanes: [1, 4, 2][part % 3], disk: shop.disk)
      _ = try LiftTests.meet(shop, 0..<part * 10 + 10, "p\(part)")
      for user in 0..<part * 10 { try shop.take(LiftTests.event("bought", "b\(part)\(user)", user: "u\(user)")) }
    }
    let counts = try LiftTests.counts(shop)
    let early = silent.count { $0 < 50 }
    #expect(counts.heldOut == LiftSide(subjects: silent.count, converted: early))
    #expect(counts.sent == LiftSide(subjects: 60 - silent.count, converted: 50 - early))
  }

  @Test func `a goal counts when it happened in time and after the meeting, however late it is told`() throws {
    func converted(_ happened: Int64, told: Int64, within: Bool = true) throws -> Int {
      let header = within ? LiftTests.goal : "goal = { event = 'bought' }"
      let shop = try Workshop(LiftTests.rule(header))
      _ = try LiftTests.meet(shop, 0..<1)
      let time = ISO8601.format(shop.now + happened * LiftTests.hour)
      shop.now = shop.now + told * LiftTests.hour
      try shop.take(#"{"id":"b","name":"bought","user":"u0","time":"\#(time)"}"#)
      return try LiftTests.counts(shop).sent.converted
    }
    #expect(try converted(0, told: 0) == 1)
    #expect(try converted(14 * 24, told: 14 * 24) == 1)
    #expect(try converted(14 * 24, told: 30 * 24) == 1)
    #expect(try converted(14 * 24 + 1, told: 14 * 24 + 1) == 0)
    #expect(try converted(-1, told: 5) == 0)
    #expect(try converted(5_000, told: 5_000, within: false) == 1)
  }

  @Test func `what is sent for a trial counts for nothing, neither the meeting nor the goal`() throws {
    let shop = try Workshop(LiftTests.rule())
    try shop.take(LiftTests.event("a", "t", user: "u0"), source: "test:web")
    #expect(try LiftTests.exposures(shop) == 0)
    _ = try LiftTests.meet(shop, 0..<1)
    try shop.take(LiftTests.event("bought", "g", user: "u0"), source: "test:web")
    let counts = try LiftTests.counts(shop)
    #expect(
      counts.sent.subjects + counts.heldOut.subjects == 1 && counts.sent.converted + counts.heldOut.converted == 0)
  }

  @Test func `a rule that skips, fails, is in shadow or is paused meets nobody`() throws {
    for (header, body) in [
      ("priority = 1", "skip('no')"), ("priority = 1", "error('x')"), ("mode = 'shadow'", "log('x')"),
      ("mode = 'paused'", "log('x')"), ("priority = 1", "skip('no') wait('1 d')"),
    ] {
      let shop = try Workshop(LiftTests.rule("hold_out = 50, \(LiftTests.goal), \(header)", body))
      _ = try LiftTests.meet(shop, 0..<4)
      #expect(try LiftTests.exposures(shop) == 0, "\(header) \(body)")
    }
  }

  @Test func `a rule without a goal writes nothing for it`() throws {
    let shop = try Workshop(LiftTests.rule("hold_out = 50"))
    _ = try LiftTests.meet(shop, 0..<4)
    let reader = try shop.store.makeReader()
    #expect(try LiftTests.exposures(shop) == 0)
    #expect(try reader.rows(from: RowKey(.arms, 0), to: RowKey(.arms, .max), limit: 9).isEmpty)
  }

  @Test func `the goal of another key is none, and an event that begins a run is not its own goal`() throws {
    let shop = try Workshop(
      LiftTests.rule("key = 'data.k', goal = { event = 'a' }", "wait('1 day')"))
    try shop.take(LiftTests.event("a", "1", #"{"k":"x"}"#, user: "u"))
    #expect(try LiftTests.counts(shop).sent == LiftSide(subjects: 1))
    try shop.take(LiftTests.event("a", "2", #"{"k":"y"}"#, user: "u"))
    #expect(try LiftTests.counts(shop).sent == LiftSide(subjects: 1))
    try shop.take(LiftTests.event("a", "3", #"{"k":"x"}"#, user: "u"))
    #expect(try LiftTests.counts(shop).sent == LiftSide(subjects: 1, converted: 1))
  }

  @Test(arguments: [1, 3])
  func `goals of accounts and things reach them, also when no run lives and no rule begins with them`(lanes: Int) throws
  {
    for kind in ["account", "webinar"] {
      let shop = try Workshop(LiftTests.rule("per = '\(kind)', \(LiftTests.goal)"), lanes: lanes)
      let about = kind == "account" ? #""account":"acme""# : #""thing":"webinar:w1""#
      try shop.take(#"{"id":"1","name":"a","user":"u","\#(about.dropFirst())}"#)
      try shop.take(#"{"id":"2","name":"bought","user":"v","\#(about.dropFirst())}"#)
      #expect(try LiftTests.counts(shop).sent == LiftSide(subjects: 1, converted: 1), "\(kind)")
    }
  }

  @Test func `a run that is held out ends at its first call and its goal counts all the same`() throws {
    let shop = try Workshop(LiftTests.rule("hold_out = 50, \(LiftTests.goal)", "call('crm', 'c', {}) wait('9 days')"))
    let silent = try LiftTests.meet(shop, 0..<20)
    for user in 0..<20 { try shop.take(LiftTests.event("bought", "b\(user)", user: "u\(user)")) }
    let counts = try LiftTests.counts(shop)
    #expect(counts.heldOut == LiftSide(subjects: silent.count, converted: silent.count) && silent.count > 2)
    #expect(counts.sent == LiftSide(subjects: 20 - silent.count, converted: 20 - silent.count))
  }

  // MARK: rules whose run is called later

  /// What people bring about whose run is called a day or an hour after their event.
  private static func meetLater(_ shop: Workshop, _ users: Range<Int>, _ data: String) throws -> (
    sent: Set<String>, heldOut: Set<String>
  ) {
    for user in users { try shop.take(event("a", "m\(user)", data, user: "u\(user)")) }
    #expect(try exposures(shop) == 0, "nobody has met the rule while its run is not called")
    shop.now = shop.now + 25 * hour
    let happened = try shop.run([])
    func who(_ rows: [DeliveryRow]) -> Set<String> {
      Set(rows.map { String(decoding: $0.delivery.body, as: UTF8.self) })
    }
    return (who(happened.deliveries), who(happened.shadowed))
  }

  private static let later = [
    ("on = 'a', collect = { up_to = 9, within = '1 hour' }", "{}"), ("on = 'a', debounce = '1 hour'", "{}"),
    (
      "on = before('data.at', '1 hour', { event = 'a' })",
      #"{"at":\#((1_700_000_000_000 + 26 * 3_600_000).description)}"#
    ),
  ]

  @Test(arguments: LiftTests.later)
  func `both sides of a rule whose run is called later are counted when it is called`(on: String, data: String) throws {
    let body = "send('bare', 'offer', { who = customer.id })"
    let shop = try Workshop([
      "r": Workshop.rule("\(on), hold_out = 50, goal = { event = 'bought', within = '2 hours' }", body)
    ])
    let met = try LiftTests.meetLater(shop, 0..<30, data)
    #expect(met.sent.count + met.heldOut.count == 30 && met.heldOut.count > 5)
    shop.now = shop.now + LiftTests.hour
    for user in 0..<30 { try shop.take(LiftTests.event("bought", "b\(user)", user: "u\(user)")) }
    let counts = try LiftTests.counts(shop)
    #expect(counts.sent == LiftSide(subjects: met.sent.count, converted: met.sent.count))
    #expect(counts.heldOut == LiftSide(subjects: met.heldOut.count, converted: met.heldOut.count))
  }

  @Test(arguments: LiftTests.later)
  func `a run that is called later is on the side that holds then`(on: String, data: String) throws {
    let body = "send('bare', 'offer', { who = customer.id }) wait('1 day') send('bare', 'more', { who = customer.id })"
    func rule(_ share: String) -> [String: String] { ["r": Workshop.rule("\(on), \(share)\(LiftTests.goal)", body)] }
    let shop = try Workshop(rule(""))
    for user in 0..<30 { try shop.take(LiftTests.event("a", "m\(user)", data, user: "u\(user)")) }
    try shop.publish(rule("hold_out = 50, "), highest: 1)
    shop.now = shop.now + 25 * LiftTests.hour
    let called = try shop.run([])
    let counts = try LiftTests.counts(shop)
    #expect(counts.heldOut.subjects == called.shadowed.count && called.shadowed.count > 5)
    #expect(counts.sent.subjects == called.deliveries.count && called.deliveries.count > 5)
    // From there on it stays.
    try shop.publish(rule(""), highest: 1)
    shop.now = shop.now + 25 * LiftTests.hour
    #expect(try shop.run([]).shadowed.count == called.shadowed.count)
  }

  @Test func `a run that is called at once because it is late keeps its side while it waits for its date`() throws {
    let body = "send('bare', 'soon', {}) wait_until { date = 'data.at' } send('bare', 'now', {})"
    func rule(_ share: Int) -> [String: String] {
      let on = "on = before('data.at', '2 days', { event = 'a' }), late = 'send', hold_out = \(share)"
      return ["r": Workshop.rule(on, body)]
    }
    let shop = try Workshop(rule(50))
    let at = #"{"at":\#((1_700_000_000_000 + 26 * LiftTests.hour).description)}"#
    var silent = 0
    for user in 0..<20 {
      silent += try shop.take(LiftTests.event("a", "\(user)", at, user: "u\(user)")).shadowed.count
    }
    #expect((4...16).contains(silent))
    try shop.publish(rule(0), highest: 1)
    shop.now = shop.now + 26 * LiftTests.hour
    let later = try shop.run([])
    #expect(later.shadowed.count == silent && later.deliveries.count == 20 - silent)
  }

  @Test func `who moved on before the moment came has met nothing`() throws {
    let shop = try Workshop([
      "r": Workshop.rule(
        "on = before('data.at', '1 hour', { event = 'a', cancelled = 'off' }), \(LiftTests.goal)", "log('x')")
    ])
    let at = #"{"at":\#((1_700_000_000_000 + 26 * LiftTests.hour).description)}"#
    try shop.take(LiftTests.event("a", "1", at, user: "u1"), LiftTests.event("a", "2", at, user: "u2"))
    try shop.take(LiftTests.event("off", "3", user: "u1"))
    shop.now = shop.now + 40 * LiftTests.hour
    try shop.run([])
    #expect(try LiftTests.exposures(shop) == 0, "one was cancelled, the date of the other was past")
  }

  // MARK: sides

  @Test func `a run keeps the side it began on, whatever becomes of the shares`() throws {
    let body = "wait('1 day') send('crm', 'late', {})"
    let shop = try Workshop(LiftTests.rule("hold_out = 30", body))
    _ = try LiftTests.meet(shop, 0..<40)
    var policies = Policies()
    policies.holdOut = 5_000
    try shop.publish(LiftTests.rule("hold_out = 50", body), highest: 1, policies: policies)
    let again = try Workshop(LiftTests.rule("hold_out = 50", body), disk: shop.disk, policies: policies)
    again.now = shop.now + 25 * LiftTests.hour
    let happened = try again.run([])
    #expect((22...36).contains(happened.deliveries.count), "\(happened.deliveries.count)")
    #expect(happened.deliveries.count + happened.shadowed.count == 40)
    let told = happened.verdicts.flatMap(\.verdicts).filter { $0.code == .heldOut }
    #expect(told.count == happened.shadowed.count && told[0].reason == "it would send late to crm")
  }

  @Test func `a run on the silent side sends when its rule turns out to be one that has to arrive`() throws {
    let body = "wait('1 day') send('crm', 'late', {})"
    let shop = try Workshop(LiftTests.rule("hold_out = 50", body))
    _ = try LiftTests.meet(shop, 0..<10)
    try shop.publish(LiftTests.rule("class = 'transactional'", body), highest: 1)
    shop.now = shop.now + 25 * LiftTests.hour
    #expect(try shop.run([]).deliveries.count == 10)
  }

  @Test func `who has met a rule with a goal stays on its side when the share changes, and gets all when it ends`()
    throws
  {
    let shop = try Workshop(LiftTests.rule("hold_out = 20, \(LiftTests.goal)"))
    let silent = try LiftTests.meet(shop, 0..<50)
    try shop.publish(LiftTests.rule("hold_out = 50, \(LiftTests.goal)"), highest: 1)
    #expect(try LiftTests.meet(shop, 0..<50, "x") == silent)
    // They are not counted with those that another share was drawn for.
    #expect(try LiftTests.counts(shop) == (LiftSide(), LiftSide()))
    let others = try LiftTests.meet(shop, 50..<100)
    #expect(others.count > 12)
    #expect(try LiftTests.counts(shop).heldOut.subjects == others.count)
    try shop.publish(LiftTests.rule(LiftTests.goal), highest: 1)
    #expect(try LiftTests.meet(shop, 0..<100, "y").isEmpty)
    // Nobody who got nothing before and does now counts for either side.
    try shop.publish(LiftTests.rule("hold_out = 50, \(LiftTests.goal)"), highest: 1)
    #expect(try LiftTests.meet(shop, 0..<100, "z").isEmpty)
    #expect(try LiftTests.counts(shop) == (LiftSide(), LiftSide()))
  }

  @Test func `a hold-out that is added to a rule is drawn among all, also those who had met it`() throws {
    let shop = try Workshop(LiftTests.rule(LiftTests.goal))
    #expect(try LiftTests.meet(shop, 0..<40).isEmpty)
    try shop.publish(LiftTests.rule(), highest: 1)
    let silent = try LiftTests.meet(shop, 0..<40, "x")
    #expect((8...32).contains(silent.count))
    #expect(try LiftTests.meet(shop, 0..<40, "y") == silent)
    let counts = try LiftTests.counts(shop)
    #expect(counts.heldOut.subjects == silent.count && counts.sent.subjects == 40 - silent.count)
  }

  @Test func `who is held out of all rules stays so when the rule's own hold-out ends`() throws {
    var policies = Policies()
    policies.holdOut = 5_000
    let shop = try Workshop(LiftTests.rule(), policies: policies)
    let silent = try LiftTests.meet(shop, 0..<60)
    try shop.publish(LiftTests.rule(LiftTests.goal), highest: 1)
    let left = try LiftTests.meet(shop, 0..<60, "x")
    #expect(left.isSubset(of: silent) && left.count < silent.count && left.count > 15)
    try shop.publish(LiftTests.rule(), highest: 1)
    #expect(try LiftTests.meet(shop, 0..<60, "y") == left)
    #expect(try LiftTests.counts(shop) == (LiftSide(), LiftSide()))
  }

  @Test func `another goal begins a new count of everyone, on the sides they are on`() throws {
    let shop = try Workshop(LiftTests.rule())
    let silent = try LiftTests.meet(shop, 0..<20)
    for user in 0..<20 { try shop.take(LiftTests.event("bought", "b\(user)", user: "u\(user)")) }
    for round in 0..<2 {
      try shop.publish(LiftTests.rule("hold_out = 50, goal = { event = 'stayed' }"), highest: 1)
      #expect(try LiftTests.counts(shop) == (LiftSide(), LiftSide()))
      #expect(try LiftTests.meet(shop, 0..<20, "s\(round)") == silent)
      try shop.take(LiftTests.event("stayed", "s\(round)", user: "u0"))
      let counts = try LiftTests.counts(shop)
      #expect(counts.heldOut.subjects == silent.count && counts.sent.subjects == 20 - silent.count)
      #expect(counts.heldOut.converted + counts.sent.converted == 1)
      // The first goal again: what was counted then is not counted on.
      try shop.publish(LiftTests.rule(), highest: 1)
      try shop.take(LiftTests.event("bought", "again\(round)", user: "u0"))
      #expect(try LiftTests.counts(shop) == (LiftSide(), LiftSide()))
    }
  }

  @Test func `another title or body counts on, and so does a rule that was away`() throws {
    let shop = try Workshop(LiftTests.rule())
    _ = try LiftTests.meet(shop, 0..<20)
    let before = try LiftTests.counts(shop)
    try shop.publish(LiftTests.rule("hold_out = 50, \(LiftTests.goal)", "send('crm', 'better offer', {})"), highest: 1)
    #expect(try LiftTests.counts(shop) == before)
    let number = try #require(shop.book.known["r"])
    let without = try Workshop(["other": Workshop.rule("on = 'z'", "log('x')")], disk: shop.disk)
    try without.publish(LiftTests.rule(), forgotten: ["r": number], highest: 2)
    try without.take(LiftTests.event("bought", "b", user: "u0"))
    let after = try LiftTests.counts(without)
    #expect(after.sent.subjects == before.sent.subjects && after.heldOut.subjects == before.heldOut.subjects)
    #expect(after.sent.converted + after.heldOut.converted == 1)
  }

  @Test func `who is held out of all rules is on the silent side of each`() throws {
    var policies = Policies()
    policies.holdOut = 5_000
    let shop = try Workshop(LiftTests.rule(LiftTests.goal), policies: policies)
    let silent = try LiftTests.meet(shop, 0..<30)
    #expect(silent.count > 5)
    #expect(try LiftTests.counts(shop).heldOut.subjects == silent.count)
  }

  @Test func `rows are read as they were written, and none of their bytes can be missing`() {
    var exposure = ExposureRow(
      sides: [.rule, .all], shares: LiftShares(rule: 5, all: 0), since: Instant(milliseconds: 7),
      at: Instant(milliseconds: 9), key: "in_7")
    exposure.converted = Instant(milliseconds: 11)
    var arms = ArmsRow(
      LiftDefinition(
        goal: "g", path: "data.k", key: "", withinMilliseconds: nil, per: "user", shares: LiftShares(rule: 1, all: 2)),
      since: Instant(milliseconds: 3))
    arms.sent = LiftSide(subjects: 3, converted: 1)
    #expect(ExposureRow(exposure.packed) == exposure && ArmsRow(arms.packed) == arms)
    for count in 0..<exposure.packed.count { #expect(ExposureRow(Array(exposure.packed.prefix(count))) == nil) }
    for count in 0..<arms.packed.count { #expect(ArmsRow(Array(arms.packed.prefix(count))) == nil) }
  }
}
