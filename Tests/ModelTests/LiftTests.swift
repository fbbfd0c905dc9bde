// What is claimed of two sides, and in which words.
//
// Thread: the test's. Promise: none needed.

import Model
import Testing

@Suite struct LiftSentenceTests {
  private static func lift(_ sent: (Int, Int), _ heldOut: (Int, Int), share: Double = 0.1) -> Lift {
    Lift(
      sent: LiftSide(subjects: sent.0, converted: sent.1), heldOut: LiftSide(subjects: heldOut.0, converted: heldOut.1),
      share: share)
  }

  @Test func `a difference that chance may have made is told with its interval, and how many it would take`() {
    let lift = LiftSentenceTests.lift((9_020, 893), (1_012, 82))
    #expect(lift.verdict == .notCertain)
    #expect(
      lift.sentence(who: "people")
        == "1,012 people were held out: 8.1 % reached the goal. 9,020 people got it: 9.9 % reached the goal. "
        + "The difference is +1.8 points, with 95 % certainty between -1.0 and +4.6, however often you look. "
        + "It is not certain yet that the rule changes anything. "
        + "If the difference stays as large, it takes about 44,000 people in all to be certain; there are 10,032 now.")
  }

  @Test func `a clear difference is called one, in either direction`() {
    #expect(LiftSentenceTests.lift((9_000, 1_800), (1_000, 80)).verdict == .raises)
    let harm = LiftSentenceTests.lift((9_000, 700), (1_000, 200))
    #expect(harm.verdict == .lowers && harm.sentence(who: "people").hasSuffix("The rule keeps some from the goal."))
    // Nobody at all reached it without the rule.
    #expect(LiftSentenceTests.lift((900, 500), (100, 0)).verdict == .raises)
  }

  @Test func `below the stated numbers nothing is claimed, and what is missing is said`() {
    let few = LiftSentenceTests.lift((891, 800), (99, 0))
    #expect(few.verdict == .notEnoughData)
    #expect(few.sentence(who: "accounts").hasSuffix("a verdict needs at least 100 accounts on each side."))
    let rare = LiftSentenceTests.lift((9_000, 40), (1_000, 1))
    #expect(rare.verdict == .notEnoughData)
    #expect(rare.sentence(who: "people").contains("at least 10 people who reached the goal and as many who did not"))
    #expect(LiftSentenceTests.lift((0, 0), (0, 0)).verdict == .notEnoughData)
    #expect(
      LiftSentenceTests.lift((1, 0), (0, 0)).sentence(who: "people")
        == "1 person got it: 0.0 % reached the goal. Nobody was held out so far. "
        + "Not enough data: a verdict needs at least 100 people on each side.")
  }

  @Test func `a split that chance does not make blocks the verdict, and a small one does not raise an alarm`() {
    let lift = LiftSentenceTests.lift((9_000, 1_800), (700, 80))
    #expect(lift.verdict == .wrongSplit)
    #expect(lift.sentence(who: "people").contains("10.0 % should be held out, 7.2 % are, which chance does not do"))
    #expect(LiftSentenceTests.lift((70, 10), (0, 0)).verdict == .notEnoughData)
  }

  @Test func `without a hold-out only a rate is told, and how to get more`() {
    let lift = LiftSentenceTests.lift((200, 1), (0, 0), share: 0)
    #expect(lift.verdict == .noHoldOut)
    #expect(lift.sentence(who: "people").hasPrefix("200 people got it: 0.50 % reached the goal. Nobody is held out"))
  }

  @Test func `numbers are written as people write them`() {
    #expect([0, 999, 1_000, 1_234_567].map(Lift.count) == ["0", "999", "1,000", "1,234,567"])
    #expect([0, 0.004, 0.0999, 0.5, 1].map(Lift.percent) == ["0.0 %", "0.40 %", "10.0 %", "50.0 %", "100.0 %"])
    #expect([-0.0042, 0.018, 0, 0.0004].map(Lift.points) == ["-0.4", "+1.8", "+0.0", "+0.04"])
  }
}
