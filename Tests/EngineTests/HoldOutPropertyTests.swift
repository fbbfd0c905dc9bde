// Hold-outs and goals against a plain computation: random events of many people, some of them late, over starts in
// between. NUDGED_HOLD_OUT_EVENTS sets how many events; many are divided into lives of 4,000.
//
// Thread: the test's. Promise: the plain side knows only which people got something; who is held out it learns from the
// first message and holds everything after against it.

import Basics
import Engine
import Glibc
import Model
import Store
import Testing

@Suite struct HoldOutPropertyTests {
  static let hour: Int64 = 3_600_000
  static let events = getenv("NUDGED_HOLD_OUT_EVENTS").flatMap { Int(String(cString: $0)) } ?? 3_000
  static let withinHours: Int64 = 14 * 24

  private static let rules = [
    "one": Workshop.rule(
      "on = 'act', hold_out = 20, goal = { event = 'bought', within = '14 days' }", "send('bare', 'one', {})"),
    "two": Workshop.rule("on = 'act', hold_out = 50", "send('bare', 'two', {})"),
    "vital": Workshop.rule("on = 'act', class = 'transactional'", "send('bare', 'vital', {})"),
  ]

  /// One person and one rule.
  private struct Side: Hashable {
    var user: Int
    var rule: String
  }

  private struct Met {
    var at: Instant
    var isConverted = false
  }

  private struct Plain {
    var isHeldOut: [Side: Bool] = [:]
    var met: [Int: Met] = [:]
    var wrong: [String] = []

    mutating func see(_ rule: String, _ user: Int, isHeldOut: Bool) {
      let side = Side(user: user, rule: rule)
      if let known = self.isHeldOut[side], known != isHeldOut { wrong.append("u\(user) changed sides of \(rule)") }
      self.isHeldOut[side] = isHeldOut
    }

    mutating func buy(_ user: Int, at: Instant) {
      guard let known = met[user], !known.isConverted else { return }
      let within = HoldOutPropertyTests.withinHours * HoldOutPropertyTests.hour
      if at >= known.at, at - known.at <= within { met[user]!.isConverted = true }
    }

    func count(isHeldOut: Bool) -> LiftSide {
      var side = LiftSide()
      for (user, met) in met where self.isHeldOut[Side(user: user, rule: "one")] == isHeldOut {
        side.subjects += 1
        if met.isConverted { side.converted += 1 }
      }
      return side
    }
  }

  @Test(arguments: [(1, UInt64(11)), (3, UInt64(12))])
  func `everyone stays on one side, and both sides are counted as they are`(lanes: Int, seed: UInt64) throws {
    for start in stride(from: 0, to: HoldOutPropertyTests.events, by: 4_000) {
      try live(lanes, seed: seed + UInt64(start), count: min(4_000, HoldOutPropertyTests.events - start))
    }
  }

  private func live(_ lanes: Int, seed: UInt64, count: Int) throws {
    var random = SeededRandom(seed: seed)
    let disk = MemoryStore.Disk()
    var policies = Policies()
    policies.holdOut = 500
    var shop = try Workshop(HoldOutPropertyTests.rules, lanes: lanes, disk: disk, policies: policies)
    var plain = Plain()
    let people = UInt64(max(400, count / 8))
    for number in 0..<count {
      shop.now = shop.now + Int64(random.next(below: 60_000))
      if random.chance(1, in: 1_000) {
        let now = shop.now
        shop = try Workshop(HoldOutPropertyTests.rules, lanes: lanes, disk: disk, policies: policies)
        shop.now = now
      }
      let user = Int(random.next(below: people))
      let isGoal = random.chance(1, in: 3)
      let late = random.chance(1, in: 5) ? Int64(random.next(below: 72)) * HoldOutPropertyTests.hour : 0
      let time = shop.now + -late
      let text =
        #"{"id":"e\#(number)","name":"\#(isGoal ? "bought" : "act")","user":"u\#(user)","time":\#(time.milliseconds)}"#
      let happened = try shop.take(text)
      if isGoal {
        plain.buy(user, at: time)
        continue
      }
      let sent = Set(happened.deliveries.map(\.delivery.type))
      let kept = Set(happened.shadowed.map(\.delivery.type))
      if !sent.contains("vital") || sent.union(kept) != ["one", "two", "vital"] || !sent.isDisjoint(with: kept) {
        plain.wrong.append("event \(number): sent \(sent.sorted()), kept back \(kept.sorted())")
      }
      for rule in ["one", "two"] { plain.see(rule, user, isHeldOut: kept.contains(rule)) }
      if plain.met[user] == nil { plain.met[user] = Met(at: shop.now) }
    }
    #expect(plain.wrong.isEmpty, "\(plain.wrong.prefix(5))")
    let counts = try counted(shop)
    #expect(counts.sent == plain.count(isHeldOut: false))
    #expect(counts.heldOut == plain.count(isHeldOut: true))
    expectShare(plain, "one", 1 - 0.8 * 0.95)
    expectShare(plain, "two", 1 - 0.5 * 0.95)
  }

  /// Within five times what chance alone would do.
  private func expectShare(_ plain: Plain, _ rule: String, _ wanted: Double) {
    let sides = plain.isHeldOut.filter { $0.key.rule == rule }.values
    let share = Double(sides.count { $0 }) / Double(sides.count)
    let chance = (wanted * (1 - wanted) / Double(sides.count)).squareRoot()
    #expect(abs(share - wanted) < 5 * chance, "\(rule): \(share) of \(sides.count)")
  }

  private func counted(_ shop: Workshop) throws -> (sent: LiftSide, heldOut: LiftSide) {
    var sum = (sent: LiftSide(), heldOut: LiftSide())
    let number = try #require(shop.book.known["one"])
    let rows = try shop.store.makeReader().rows(
      from: RowKey(.arms, number), to: RowKey(.arms, number, .max), limit: 99)
    for row in rows {
      let arms = try #require(row.value.flatMap { ArmsRow($0) })
      sum.sent.subjects += arms.sent.subjects
      sum.sent.converted += arms.sent.converted
      sum.heldOut.subjects += arms.heldOut.subjects
      sum.heldOut.converted += arms.heldOut.converted
    }
    return sum
  }
}
