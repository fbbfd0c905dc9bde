// A clock for demonstrations: it begins in the past and runs many times as fast as a real one until it has
// caught up; from then on it is a real one.
//
// Thread: values, usable anywhere. Promise: it never goes back and never tells a moment that is still to come,
// so what a store keeps of it is no riddle to the same store under a real clock.

package struct FastClock: Sendable, Hashable {
  /// How far in the past it begins.
  package var behindMilliseconds: Int64
  package var rate: Int64

  package init(behindMilliseconds: Int64, rate: Int64) {
    self.behindMilliseconds = behindMilliseconds
    self.rate = rate
  }

  /// `began` and `real` are told by a real clock.
  package func now(began: Instant, real: Instant) -> Instant {
    let passed = max(0, real - began)
    let (fast, isTooLong) = passed.multipliedReportingOverflow(by: rate)
    return isTooLong ? real : min(real, began + (fast - behindMilliseconds))
  }
}

extension Clocks {
  /// `wall` runs fast; `steadyNanoseconds` stays what it is, because limits of the network are real ones.
  package static func fast(_ clock: FastClock, on real: Clocks = .system) -> Clocks {
    let began = real.wall()
    return Clocks(
      wall: { clock.now(began: began, real: real.wall()) }, steadyNanoseconds: real.steadyNanoseconds,
      rate: {
        let now = real.wall()
        return clock.now(began: began, real: now) < now ? clock.rate : 1
      }, real: real.wall)
  }
}
