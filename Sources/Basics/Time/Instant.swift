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

  package init(wall: @escaping @Sendable () -> Instant, steadyNanoseconds: @escaping @Sendable () -> Int64) {
    self.wall = wall
    self.steadyNanoseconds = steadyNanoseconds
  }

  package static let system = Clocks(
    wall: { Instant(milliseconds: platform_realtime_ns() / 1_000_000) },
    steadyNanoseconds: { platform_monotonic_ns() })
}
