// What is older than it has to be kept goes, while the process runs.
//
// Thread: the test's. Promise: the clock moves only by hand.

import Basics
import Model
import Store
import Testing

@Suite struct RetentionTests {
  private let start = Instant(milliseconds: 1_700_000_000_000)

  private func decisions(_ number: Int64) -> StoreInput {
    var decisions = Decisions(lane: 0, sequence: number)
    let delivery = Delivery(
      number: number, id: "msg_\(number)", destination: "crm", type: "t", created: start, body: [], due: start)
    decisions.deliveries = [DeliveryRow(delivery: delivery, event: 1, subject: 1, rule: "r")]
    return .decisions(decisions)
  }

  private func attempt(_ number: Int64) -> Attempt {
    Attempt(
      delivery: number, attempt: 1, started: start, outcome: .delivered, status: 200, settlement: .delivered)
  }

  @Test func `deliveries of this process go when their time is over, those that are open stay`() throws {
    let loop = try StoreLoop(engine: MemoryStore(MemoryStore.Disk()))
    _ = try loop.step([.wants(10, except: [])], now: start)
    for number in Int64(1)...3 { _ = try loop.step([decisions(number)], now: start) }
    _ = try loop.step([.settled([attempt(1), attempt(2)])], now: start)
    let later = start + 31 * 86_400_000
    for second in Int64(1)...60 { _ = try loop.step([], now: later + second * 1_000) }
    let reader = try loop.makeReader()
    #expect(try reader.engine.deliveries(before: .max, limit: 10).map(\.delivery.number) == [3])
    _ = try loop.step([.settled([attempt(3)])], now: later + 61_000)
    for second in Int64(62)...120 { _ = try loop.step([], now: later + second * 1_000) }
    #expect(try reader.engine.deliveries(before: .max, limit: 10).isEmpty)
    #expect(try reader.engine.attempts(of: 1).isEmpty)
  }
}
