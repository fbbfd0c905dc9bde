// Closed runs of the dedupe set: when they are written.
//
// Thread: the test's. Promise: each step of the store is taken by the test.

import Basics
import Model
import Store
import Testing

@Suite struct ClosedRunTests {
  private static let now = Instant(milliseconds: 1_700_000_000_000)

  private static func decisions(_ number: Int64, lane: Int, sequence: Int64) -> StoreInput {
    var decisions = Decisions(lane: lane, sequence: sequence)
    decisions.events.append(
      EventRow(
        number: number, subject: 1, previous: 0, received: now, source: "web", name: "tick", cause: 0, depth: 0,
        body: Array("{}".utf8)))
    return .decisions(decisions)
  }

  @Test func `a closed run is not written before every event it speaks of is on disk`() throws {
    let loop = try StoreLoop(engine: MemoryStore(MemoryStore.Disk()))
    var run = DedupeRun(
      run: 1, newest: ClosedRunTests.now, hashes: [Hash128(high: 1, low: 2)], coveredThrough: 0)
    run.awaits = [2, 1]
    let waiting = try loop.step(
      [.closeRun(run), ClosedRunTests.decisions(1, lane: 0, sequence: 1)], now: ClosedRunTests.now)
    #expect(waiting.closedRuns.isEmpty)
    #expect(
      try loop.step([ClosedRunTests.decisions(2, lane: 0, sequence: 2)], now: ClosedRunTests.now).closedRuns.isEmpty)
    // It does not keep the store awake either.
    var idle = try loop.step([], now: ClosedRunTests.now)
    for _ in 0..<20 where idle.wakeAt <= ClosedRunTests.now { idle = try loop.step([], now: ClosedRunTests.now) }
    #expect(idle.wakeAt > ClosedRunTests.now && idle.closedRuns.isEmpty)
    #expect(
      try loop.step([ClosedRunTests.decisions(3, lane: 1, sequence: 1)], now: ClosedRunTests.now).closedRuns == [1])
  }
}
