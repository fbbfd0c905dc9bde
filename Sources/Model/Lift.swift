// What a rule brings about: those who got something from it against those who were held out, in numbers and in a
// sentence.
//
// Thread: values. Promise: nothing is claimed below the stated numbers, and nothing at all when more or fewer were
// held out than should have been.

package import Basics

/// One side of a rule.
package struct LiftSide: Sendable, Equatable {
  package var subjects: Int
  package var converted: Int

  package init(subjects: Int = 0, converted: Int = 0) {
    self.subjects = subjects
    self.converted = converted
  }

  package var rate: Double { subjects == 0 ? 0 : Double(converted) / Double(subjects) }
}

package struct Lift: Sendable, Equatable {
  package enum Verdict: String, Sendable, CaseIterable {
    case noHoldOut = "no_hold_out"
    case notEnoughData = "not_enough_data"
    case wrongSplit = "wrong_split"
    case notCertain = "not_certain"
    case raises, lowers
  }

  /// A rate that a normal curve can stand for needs so many on each side, and so many that have reached the goal
  /// and have not; these are what is expected on the smaller side, so that a rule which stops everyone from doing
  /// something is seen as well.
  package static let leastSubjects = 100
  package static let leastConverted = 10
  /// Chance makes such a split once in a thousand times.
  private static let splitAlarm = 0.001
  private static let leastForSplit = 8.0

  package var sent: LiftSide
  package var heldOut: LiftSide
  /// Of all who meet the rule, how many should be held out: from 0 to 1.
  package var share: Double

  package init(sent: LiftSide, heldOut: LiftSide, share: Double) {
    self.sent = sent
    self.heldOut = heldOut
    self.share = share
  }

  package var contrast: Contrast {
    Contrast.difference(
      Sample.careful(heldOut.converted, of: heldOut.subjects), Sample.careful(sent.converted, of: sent.subjects))
  }

  package var splitP: Double {
    Statistics.splitByChance(heldOut.subjects, sent.subjects, expectedShareOfFirst: share)
  }

  private var isSplitWrong: Bool {
    let total = Double(sent.subjects + heldOut.subjects)
    return min(total * share, total * (1 - share)) >= Lift.leastForSplit && splitP < Lift.splitAlarm
  }

  private var isEnough: Bool {
    let smaller = min(sent.subjects, heldOut.subjects)
    guard smaller >= Lift.leastSubjects else { return false }
    let rate = Double(sent.converted + heldOut.converted) / Double(sent.subjects + heldOut.subjects)
    return Double(smaller) * min(rate, 1 - rate) >= Double(Lift.leastConverted)
  }

  package var verdict: Verdict {
    if share == 0 { return .noHoldOut }
    if isSplitWrong { return .wrongSplit }
    if !isEnough { return .notEnoughData }
    let contrast = contrast
    guard abs(contrast.effect) > contrast.halfWidth else { return .notCertain }
    return contrast.effect > 0 ? .raises : .lowers
  }

  /// How many it takes in all until a difference like the one that is seen is certain.
  package var needed: Int? {
    guard verdict == .notCertain, let needed = contrast.needed, needed < 1e9 else { return nil }
    return max(Int(needed.rounded(.up)), sent.subjects + heldOut.subjects)
  }
}

// MARK: in words

extension Lift {
  /// `who` is what a subject is called, of several: "people", "accounts".
  package func sentence(who: String) -> String {
    if sent.subjects + heldOut.subjects == 0 { return "Nobody new has met the rule since this count began." }
    let got = "\(Lift.group(sent.subjects, who)) got it: \(Lift.percent(sent.rate)) reached the goal."
    if verdict == .noHoldOut {
      return got + " Nobody is held out, so that nobody knows how many would have without it; write hold_out = 10."
    }
    if heldOut.subjects == 0 { return got + " Nobody was held out so far. " + conclusion(who) }
    let were = heldOut.subjects == 1 ? "was" : "were"
    let held =
      "\(Lift.group(heldOut.subjects, who)) \(were) held out: \(Lift.percent(heldOut.rate)) reached the goal. "
    if sent.subjects == 0 { return held + "Nobody got it so far. " + conclusion(who) }
    return held + got + " " + conclusion(who)
  }

  private static func group(_ number: Int, _ who: String) -> String {
    if number == 1 { return who == "people" ? "1 person" : "1 " + who.dropLast() }
    return "\(count(number)) \(who)"
  }

  private func conclusion(_ who: String) -> String {
    switch verdict {
    case .noHoldOut: return ""
    case .notEnoughData: return missing(who)
    case .wrongSplit:
      return
        "No verdict: \(Lift.percent(share)) should be held out, \(Lift.percent(shareHeldOut)) are, which chance does not do."
        + " Something keeps one side from being counted; find out what before you believe these numbers."
    case .notCertain:
      return difference + "It is not certain yet that the rule changes anything." + outlook(who)
    case .raises: return difference + "The rule brings more to the goal."
    case .lowers: return difference + "The rule keeps some from the goal."
    }
  }

  private var difference: String {
    let contrast = contrast
    let low = max(-1, contrast.effect - contrast.halfWidth)
    let high = min(1, contrast.effect + contrast.halfWidth)
    return "The difference is \(Lift.points(contrast.effect)) points, with 95 % certainty between"
      + " \(Lift.points(low)) and \(Lift.points(high)), however often you look. "
  }

  private func missing(_ who: String) -> String {
    let smaller = min(sent.subjects, heldOut.subjects)
    let start = "Not enough data: "
    guard smaller >= Lift.leastSubjects else {
      return start + "a verdict needs at least \(Lift.leastSubjects) \(who) on each side."
    }
    return start
      + "a verdict needs on each side at least \(Lift.leastConverted) \(who) who reached the goal and as many who did not."
  }

  private func outlook(_ who: String) -> String {
    let total = sent.subjects + heldOut.subjects
    guard let needed, needed > total else { return "" }
    return
      " If the difference stays as large, it takes about \(Lift.count(Lift.round(needed))) \(who) in all to be certain;"
      + " there are \(Lift.count(total)) now."
  }

  private var shareHeldOut: Double { Double(heldOut.subjects) / Double(max(1, sent.subjects + heldOut.subjects)) }

  /// To two digits, upwards: more would be a promise.
  private static func round(_ count: Int) -> Int {
    var unit = 1
    while count / unit >= 100 { unit *= 10 }
    return (count + unit - 1) / unit * unit
  }

  // MARK: numbers as people write them

  /// With commas: 1,012.
  package static func count(_ number: Int) -> String {
    let digits = Array(String(number))
    var out = ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place) % 3 == 0 { out += "," }
      out.append(digit)
    }
    return out
  }

  /// With one digit behind the point, and two where it would be all there is.
  package static func percent(_ share: Double) -> String { decimal(share * 100) + " %" }

  package static func points(_ difference: Double) -> String {
    (difference < 0 ? "-" : "+") + decimal(abs(difference) * 100, finestBelow: 0.1)
  }

  private static func decimal(_ value: Double, finestBelow border: Double = 1) -> String {
    let unit = value > 0 && value < border ? 100 : 10
    let scaled = Int((value * Double(unit)).rounded())
    let rest = String(scaled % unit)
    return "\(scaled / unit)." + String(repeating: "0", count: (unit == 100 ? 2 : 1) - rest.count) + rest
  }
}
