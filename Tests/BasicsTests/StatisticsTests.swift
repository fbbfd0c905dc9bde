// Two groups compared: against numbers that others have computed, and against chance itself.
//
// Thread: the test's. Promise: what is drawn is drawn from a seed.

import Basics
import Testing

@Suite struct StatisticsTests {
  private static func isNear(_ value: Double, _ expected: Double, _ most: Double) -> Bool {
    abs(value - expected) <= most
  }

  @Test func `a tenth more of 10,000 is significant for who looks once, and is not for who looks all the time`() {
    let contrast = Contrast.relative(Sample(1_000, of: 10_000), Sample(1_100, of: 10_000))
    #expect(StatisticsTests.isNear(contrast.effect, 0.1, 1e-12))
    #expect(StatisticsTests.isNear(contrast.pOnce, 0.0279, 0.00005), "\(contrast.pOnce)")
    #expect(StatisticsTests.isNear(contrast.p, 0.549, 0.0005), "\(contrast.p)")
  }

  @Test func `the interval leaves nought exactly when the p value falls below a twentieth`() {
    var difference = 0.001
    while difference < 0.05 {
      let other = Sample(count: 9_000, mean: 0.1 + difference, variance: 0.09)
      let contrast = Contrast.difference(Sample(count: 1_000, mean: 0.1, variance: 0.09), other)
      #expect((contrast.p < Contrast.alpha) == (abs(contrast.effect) > contrast.halfWidth), "\(difference)")
      difference += 0.0007
    }
  }

  @Test func `with nothing to compare nothing is claimed`() {
    for contrast in [
      Contrast.difference(Sample(0, of: 0), Sample(0, of: 0)), Contrast.difference(Sample(0, of: 9), Sample(0, of: 9)),
    ] {
      #expect(contrast.p == 1 && contrast.needed == nil)
    }
  }

  @Test func `how many it takes is what the books say, and more for who looks all the time`() throws {
    // 10 % against 11 %: some 14,750 on each side.
    let books = Statistics.subjectsPerArm(0.09, 0.0979, difference: 0.01)
    #expect((14_700...14_800).contains(books), "\(books)")
    let needed = try #require(Contrast.difference(Sample(100, of: 1_000), Sample(110, of: 1_000)).needed)
    #expect(needed > 2 * books && needed < 5 * books, "\(needed)")
  }

  @Test func `a split that chance would hardly make is told from one that it makes`() {
    #expect(StatisticsTests.isNear(Statistics.splitByChance(50, 50, expectedShareOfFirst: 0.5), 1, 1e-9))
    // 821 to 3,179 where a quarter was expected: chi-squared is 42.72.
    let uneven = Statistics.splitByChance(821, 3_179, expectedShareOfFirst: 0.25)
    #expect(uneven > 1e-11 && uneven < 1e-10, "\(uneven)")
    // Chi-squared 3.84 is the well-known twentieth.
    let border = Statistics.splitByChance(4_902, 5_098, expectedShareOfFirst: 0.5)
    #expect(StatisticsTests.isNear(border, 0.05, 0.001), "\(border)")
  }

  @Test(arguments: [(0.1, 0.05), (0.5, 0.1), (0.1, 0.02)])
  func `who looks after every hundred people and stops at the first verdict is wrong once in twenty times at most`(
    held: Double, rate: Double
  ) {
    var random = SeededRandom(seed: 7)
    func happens(_ chance: Double) -> Bool { Double(random.next(below: 1 << 30)) < chance * Double(1 << 30) }
    var wrong = 0
    let rounds = 300
    for _ in 0..<rounds {
      var (counts, converted) = ([0, 0], [0, 0])
      for person in 1...10_000 {
        let side = happens(held) ? 0 : 1
        counts[side] += 1
        if happens(rate) { converted[side] += 1 }
        guard person % 100 == 0, counts[0] >= 100,
          Double(converted[0] + converted[1]) / Double(person) * Double(counts[0]) >= 10
        else { continue }
        let contrast = Contrast.difference(
          Sample.careful(converted[0], of: counts[0]), Sample.careful(converted[1], of: counts[1]))
        if abs(contrast.effect) > contrast.halfWidth {
          wrong += 1
          break
        }
      }
    }
    #expect(wrong <= rounds / 20, "\(wrong) of \(rounds)")
  }
}
