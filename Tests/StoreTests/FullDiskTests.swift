// A disk that is full: the reserve buys one more commit, the door closes, and what comes after decides.
//
// Thread: the test's. Promise: the clock moves only by hand.

import Basics
import Model
import Store
import Testing

@Suite struct FullDiskTests {
  private let disk = MemoryStore.Disk()
  private let now = Instant(milliseconds: 1_700_000_000_000)

  private func decisions(_ number: Int64) -> (Ticket, StoreInput) {
    let ticket = Ticket(request: (UInt64(number), 0), accepted: 1, refusals: [])
    var decisions = Decisions(lane: 0, sequence: number)
    decisions.events.append(
      EventRow(
        number: number, subject: 1, previous: number - 1, received: now, source: "web", name: "n", cause: 0, depth: 0,
        body: Array("{}".utf8)))
    decisions.changes.append(RowKey(.chain, 1), number: number)
    decisions.settle(ticket)
    return (ticket, .decisions(decisions))
  }

  private func loop() throws -> StoreLoop {
    let loop = try StoreLoop(engine: MemoryStore(disk))
    loop.sweepingAllowed = false
    return loop
  }

  @Test func `the first failure frees the reserve and commits the same group`() throws {
    let loop = try loop()
    _ = try loop.step([decisions(1).1], now: now)
    disk.fill(afterCommits: 0)
    let (ticket, input) = decisions(2)
    let outputs = try loop.step([input], now: now)
    #expect(outputs.answered.first === ticket, "what was let in is still answered")
    #expect(loop.status.full, "and the door closes")
    let reader = try loop.makeReader()
    #expect(try reader.engine.events(before: .max, limit: 9).map(\.number) == [2, 1])
    #expect(try reader.value(RowKey(.chain, 1)).flatMap(NumberRow.unpack) == 2)
    #expect(disk.newestRecord == 2)
  }

  @Test func `the second failure ends it, with nothing answered`() throws {
    let loop = try loop()
    disk.fill(afterCommits: 0)
    _ = try loop.step([decisions(1).1], now: now)
    disk.fill(afterCommits: 0)
    let (ticket, input) = decisions(2)
    let error = #expect(throws: StoreError.self) { try loop.step([input], now: now) }
    #expect(error?.code == .full)
    #expect(ticket.duplicateCount == 0)
    let again = try self.loop()
    #expect(try again.makeReader().engine.events(before: .max, limit: 9).map(\.number) == [1])
  }

  /// Steps with nothing to do, a second apart.
  private func idle(_ loop: StoreLoop, seconds: Int64) throws {
    for second in 1...seconds { _ = try loop.step([], now: now + second * 1_000) }
  }

  @Test func `when there is room again the reserve comes back and the door opens`() throws {
    let loop = try loop()
    disk.fill(afterCommits: 0)
    _ = try loop.step([decisions(1).1], now: now)
    #expect(loop.status.full)
    try idle(loop, seconds: 30)
    #expect(!loop.status.full)
    disk.fill(afterCommits: 0)
    _ = try loop.step([decisions(2).1], now: now + 60_000)
    #expect(loop.status.full, "the reserve carried a second time")
  }

  @Test func `the door stays closed as long as the reserve cannot be set aside`() throws {
    let loop = try loop()
    disk.fill(afterCommits: 0)
    _ = try loop.step([decisions(1).1], now: now)
    disk.fill(afterCommits: 0)
    try idle(loop, seconds: 60)
    #expect(loop.status.full)
    disk.fill(afterCommits: nil)
    for second in Int64(61)...120 { _ = try loop.step([], now: now + second * 1_000) }
    #expect(!loop.status.full)
  }

  @Test func `a start on a full disk keeps the door closed until there is room`() throws {
    disk.fill(afterCommits: 0)
    let loop = try loop()
    #expect(loop.status.full)
    disk.fill(afterCommits: nil)
    try idle(loop, seconds: 30)
    #expect(!loop.status.full)
  }
}
