// What two groups can be told apart by: how far their means differ, how sure that is, and how many it takes.
//
// Thread: pure functions. Promise: an interval made here may be looked at after every single observation, and is
// wrong about as seldom as one that is looked at once; see Contrast.

internal import Glibc

/// What was observed of one group.
package struct Sample: Sendable, Equatable {
  package var count: Double
  package var mean: Double
  /// Of one observation, not of the mean.
  package var variance: Double

  package init(count: Double, mean: Double, variance: Double) {
    self.count = count
    self.mean = mean
    self.variance = variance
  }

  /// How many of a group did something.
  package init(_ converted: Int, of count: Int) {
    let share = count == 0 ? 0 : Double(converted) / Double(count)
    self.init(count: Double(count), mean: share, variance: share * (1 - share))
  }

  /// The same with two more on each side, one of whom did it: with few observations the plain variance says that
  /// a rate of nought is certain.
  package static func careful(_ converted: Int, of count: Int) -> Sample {
    let share = (Double(converted) + 1) / (Double(count) + 2)
    var sample = Sample(converted, of: count)
    sample.variance = share * (1 - share)
    return sample
  }
}

/// How one group differs from another, and the variance of that.
///
/// The interval is a confidence sequence (Waudby-Smith and others, "Time-uniform central limit theory", 2021): it
/// holds for all sizes at once, so that one may look whenever one likes and stop when it leaves nought. It is
/// wider than the usual one, narrowest about `tuning` observations.
package struct Contrast: Sendable, Equatable {
  package var effect: Double
  package var variance: Double
  /// In both groups together.
  package var count: Double

  package static let tuning = 5_000.0
  package static let alpha = 0.05

  package init(effect: Double, variance: Double, count: Double) {
    self.effect = effect
    self.variance = variance
    self.count = count
  }

  package static func difference(_ base: Sample, _ other: Sample) -> Contrast {
    Contrast(
      effect: other.mean - base.mean, variance: base.variance / base.count + other.variance / other.count,
      count: base.count + other.count)
  }

  /// In parts of the base's mean.
  package static func relative(_ base: Sample, _ other: Sample) -> Contrast {
    let square = base.mean * base.mean
    let ofBase = base.variance * other.mean * other.mean / (base.count * square * square)
    return Contrast(
      effect: (other.mean - base.mean) / abs(base.mean), variance: other.variance / (other.count * square) + ofBase,
      count: base.count + other.count)
  }

  private static var mixture: Double {
    let logarithm = -2 * log(alpha)
    return (logarithm + log(logarithm + 1)) / tuning
  }

  /// How probable so large a difference is where there is none, for who looks once and had decided when.
  package var pOnce: Double { variance > 0 ? erfc(abs(effect) / (2 * variance).squareRoot()) : effect == 0 ? 1 : 0 }

  /// The same for who looks as often as they like.
  package var p: Double {
    guard variance > 0, count > 0 else { return 1 }
    let grown = count * Contrast.mixture + 1
    let exponent = -Contrast.mixture * effect * effect * count / variance / (2 * grown)
    return min(1, grown.squareRoot() * exp(exponent))
  }

  /// The interval reaches so far to each side of the effect.
  package var halfWidth: Double {
    count > 0 ? (variance * count).squareRoot() * Contrast.reach(count) : .infinity
  }

  private static func reach(_ count: Double) -> Double {
    let scaled = count * mixture
    let grown = scaled + 1
    return (2 * grown * log(grown.squareRoot() / alpha) / (count * scaled)).squareRoot()
  }

  /// How many observations it takes until a difference of this size is told from nought four times out of five,
  /// when one looks all the time and the groups go on to grow as they did. Nil: more than anyone will have.
  package var needed: Double? {
    guard effect != 0, variance > 0, count > 0 else { return nil }
    let spread = (variance * count).squareRoot()
    func isEnough(_ count: Double) -> Bool {
      abs(effect) >= spread * (Contrast.reach(count) + Statistics.eightyPercent / count.squareRoot())
    }
    var high = 100.0
    while !isEnough(high) {
      high *= 2
      if high > 1e12 { return nil }
    }
    var low = high / 2
    for _ in 0..<40 {
      let middle = (low + high) / 2
      if isEnough(middle) { high = middle } else { low = middle }
    }
    return high
  }
}

package enum Statistics {
  /// So many standard deviations lie below 97.5 and 80 of a hundred.
  package static let twoSided = 1.959_963_984_540_054
  package static let eightyPercent = 0.841_621_233_572_914

  /// How many each of two equal groups needs so that a difference is found four times out of five by who looks
  /// once, at the end.
  package static func subjectsPerArm(_ first: Double, _ second: Double, difference: Double) -> Double {
    let reach = twoSided + eightyPercent
    return reach * reach * (first + second) / (difference * difference)
  }

  /// How probable it is that chance alone split so unevenly (a chi-squared test with one degree of freedom).
  package static func splitByChance(_ first: Int, _ second: Int, expectedShareOfFirst share: Double) -> Double {
    let total = Double(first + second)
    let (one, other) = (total * share, total * (1 - share))
    guard one > 0, other > 0 else { return 1 }
    let distance = Double(first) - one
    return erfc((distance * distance * (1 / one + 1 / other) / 2).squareRoot())
  }
}
