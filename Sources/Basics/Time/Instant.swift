// A moment in time and the clocks that tell it. Nothing below the Daemon reads a clock by itself:
// a `Clocks` value is handed in, so that tests and the simulator move time by hand.
//
// Thread: values, usable anywhere. Promise: milliseconds since 1970 UTC, 64-bit, no zone inside.

internal import CPlatform

package struct Instant: Sendable, Hashable, Comparable {
  package var milliseconds: Int64

  package init(milliseconds: Int64) { self.milliseconds = milliseconds }

  package static func < (left: Instant, right: Instant) -> Bool { left.milliseconds < right.milliseconds }
  package static func + (left: Instant, milliseconds: Int64) -> Instant {
    Instant(milliseconds: left.milliseconds &+ milliseconds)
  }
  package static func - (left: Instant, right: Instant) -> Int64 { left.milliseconds &- right.milliseconds }

  package static let zero = Instant(milliseconds: 0)
  package static let distantFuture = Instant(milliseconds: Int64.max / 4)
}

/// The two clocks of the house: `wall` is civil time and may jump, `steady` only moves forward.
package struct Clocks: Sendable {
  package var wall: @Sendable () -> Instant
  package var steadyNanoseconds: @Sendable () -> Int64
  /// How many times as fast as a real clock `wall` runs just now: 1, but in demonstrations.
  package var rate: @Sendable () -> Int64
  /// What others take for the time: `wall`, but in demonstrations.
  package var real: @Sendable () -> Instant

  package init(
    wall: @escaping @Sendable () -> Instant, steadyNanoseconds: @escaping @Sendable () -> Int64,
    rate: @escaping @Sendable () -> Int64 = { 1 }, real: (@Sendable () -> Instant)? = nil
  ) {
    self.wall = wall
    self.steadyNanoseconds = steadyNanoseconds
    self.rate = rate
    self.real = real ?? wall
  }

  /// How long a thread has to sleep until `wall` has moved on by so much.
  package func realMilliseconds(_ milliseconds: Int64) -> Int64 {
    let rate = rate()
    return rate <= 1 || milliseconds <= 0 ? milliseconds : max(1, milliseconds / rate)
  }

  package static let system = Clocks(
    wall: { Instant(milliseconds: platform_realtime_ns() / 1_000_000) },
    steadyNanoseconds: { platform_monotonic_ns() })
}
