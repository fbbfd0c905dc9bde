// The wall clock as far as it is believed: one that jumps forward, because someone set it or the machine slept,
// counts only when it has stood for a while. Until then time goes on from what it was.
//
// Thread: its owner's. Promise: a clock that is wrong for less than a minute fires no timer; one that goes back is
// believed at once, as it fires none.

internal import Basics
internal import Model

struct BelievedClock {
  /// A moment and what the steady clock said then.
  private var anchor: (wall: Instant, steady: Int64)?
  /// When the jump that is not believed yet was seen, by the steady clock, and what it amounted to.
  private var jump: (seen: Int64, milliseconds: Int64)?
  private var ranFast = false

  init() {}

  mutating func now(_ clocks: Clocks) -> Instant {
    let steady = clocks.steadyNanoseconds() / 1_000_000
    let runsFast = clocks.rate() > 1
    defer { ranFast = runsFast }
    // Nobody sets a clock that runs fast; and when it has caught up, its last stretch was no jump.
    return runsFast || ranFast ? believe(clocks.wall(), steady) : now(wall: clocks.wall(), steadyMilliseconds: steady)
  }

  mutating func now(wall: Instant, steadyMilliseconds steady: Int64) -> Instant {
    guard let anchor else { return believe(wall, steady) }
    let expected = anchor.wall + (steady - anchor.steady)
    let ahead = wall - expected
    guard ahead > Limits.clockJumpMilliseconds else { return believe(wall, steady) }
    if let jump, abs(jump.milliseconds - ahead) <= Limits.clockJumpMilliseconds {
      return steady - jump.seen >= Limits.clockTrialMilliseconds ? believe(wall, steady) : expected
    }
    jump = (steady, ahead)
    return expected
  }

  private mutating func believe(_ wall: Instant, _ steady: Int64) -> Instant {
    anchor = (wall, steady)
    jump = nil
    return wall
  }
}
