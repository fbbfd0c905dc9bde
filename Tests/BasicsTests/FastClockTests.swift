// A clock that runs fast until it has caught up.
//
// Thread: the test's. Promise: no real clock.

import Basics
import Testing

@Suite struct FastClockTests {
  private let began = Instant(milliseconds: 1_000_000_000)
  private let clock = FastClock(behindMilliseconds: 86_400_000, rate: 1_000)

  @Test func `it begins in the past and runs so many times as fast`() {
    #expect(began - clock.now(began: began, real: began) == 86_400_000)
    #expect(began - clock.now(began: began, real: began + 1_000) == 85_400_000)
  }

  @Test func `it never overtakes a real clock, goes with it from then on, and never goes back`() {
    var last = Instant(milliseconds: 0)
    for passed in stride(from: Int64(0), to: 200_000, by: 37) {
      let real = began + passed
      let now = clock.now(began: began, real: real)
      #expect(now <= real && now >= last)
      last = now
    }
    #expect(clock.now(began: began, real: began + 86_487) == began + 86_487)
    #expect(clock.now(began: began, real: began + -5) == began + -86_400_000)
    #expect(clock.now(began: began, real: .distantFuture) == .distantFuture)
  }

  @Test func `sleeping until a moment takes so much less, and never no time at all`() {
    let fast = Clocks(wall: { Instant(milliseconds: 0) }, steadyNanoseconds: { 0 }, rate: { 1_000 })
    #expect(
      fast.realMilliseconds(60_000) == 60 && fast.realMilliseconds(10) == 1 && fast.realMilliseconds(0) == 0
        && fast.realMilliseconds(-5) == -5)
    let real = Clocks(wall: { Instant(milliseconds: 0) }, steadyNanoseconds: { 0 })
    #expect(real.realMilliseconds(60_000) == 60_000)
  }
}
