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

  private func event(_ number: Int64, at time: Instant) -> EventRow {
    EventRow(
      number: number, subject: 1, previous: number - 1, received: time, source: "web", name: "n", cause: 0, depth: 0,
      body: [UInt8](repeating: 0x20, count: 1_000))
  }

  private func events(_ numbers: ClosedRange<Int64>, run: Int64? = nil, at time: Instant) -> StoreInput {
    var decisions = Decisions(lane: 0, sequence: numbers.upperBound)
    for number in numbers { decisions.events.append(event(number, at: time)) }
    if let run {
      let row = RunRow(
        number: run, subject: 1, rule: 1, version: 1, event: numbers.lowerBound, seed: Hash128(high: 1, low: 2),
        depth: 0, key: "", started: time)
      decisions.changes.append(RowKey(.run, run), row.packed)
    }
    return .decisions(decisions)
  }

  private func end(_ run: Int64) -> StoreInput {
    var decisions = Decisions(lane: 0, sequence: 0)
    decisions.changes.append(RowKey(.run, run), nil)
    return .decisions(decisions)
  }

  @Test(arguments: [false, true])
  func `old events go by age or by the ceiling, but not those that a run that lives refers to`(byCeiling: Bool) throws {
    let loop = try StoreLoop(engine: MemoryStore(MemoryStore.Disk()))
    loop.retention.sizeBytes = byCeiling ? 20_000 : 0
    _ = try loop.step([events(1...100, run: 7, at: start)], now: start)
    var later = start + (byCeiling ? 3_600_000 : 91 * 86_400_000)
    for second in Int64(1)...200 { _ = try loop.step([], now: later + second * 1_000) }
    let reader = try loop.makeReader()
    #expect(try reader.engine.event(1) == event(1, at: start))
    #expect(try reader.engine.event(2) == nil)
    // With the run the event goes, too, in the next round that finds something old.
    _ = try loop.step([end(7), events(101...200, at: later)], now: later + 300_000)
    later = later + (byCeiling ? 3_600_000 : 91 * 86_400_000)
    for second in Int64(1)...200 { _ = try loop.step([], now: later + second * 1_000) }
    #expect(try reader.engine.event(1) == nil)
    #expect(try reader.engine.event(101) == nil)
  }

  @Test func `events go by age also after a round for the ceiling's sake that was not needed to its end`() throws {
    let loop = try StoreLoop(engine: MemoryStore(MemoryStore.Disk()))
    loop.retention.sizeBytes = 20_000
    _ = try loop.step([events(1...100, at: start)], now: start)
    let reader = try loop.makeReader()
    // One look at the runs, and meanwhile there is room again.
    _ = try loop.step([], now: start + 3_600_000)
    loop.retention.sizeBytes = 1_000_000
    for second in Int64(1)...60 { _ = try loop.step([], now: start + 3_600_000 + second * 1_000) }
    #expect(try reader.engine.event(1) != nil, "nothing has to go yet")
    let later = start + 91 * 86_400_000
    for second in Int64(1)...60 { _ = try loop.step([], now: later + second * 1_000) }
    #expect(try reader.engine.event(1) == nil)
  }

  private func answered(_ number: Int64, _ settlement: Settlement) -> Attempt {
    Attempt(
      delivery: number, attempt: 1, started: start, outcome: .status, status: 500, settlement: settlement,
      response: [UInt8](repeating: 0x20, count: 1_000))
  }

  @Test func `the ceiling is kept also while the oldest delivery is open`() throws {
    let engine = MemoryStore(MemoryStore.Disk())
    let loop = try StoreLoop(engine: engine)
    loop.retention.sizeBytes = 20_000
    _ = try loop.step([.wants(100, except: [])] + (1...50).map { decisions($0) }, now: start)
    _ = try loop.step([.settled([answered(1, .retry(at: start + 1))])], now: start)
    _ = try loop.step([.settled((2...50).map { answered($0, .failed) })], now: start)
    #expect(try engine.usedBytes > 50_000)
    var later = start + 3_600_000
    for second in Int64(1)...60 { _ = try loop.step([], now: later + second * 1_000) }
    #expect(try engine.usedBytes <= 20_000)
    let reader = try loop.makeReader().engine
    #expect(try reader.delivery(1) != nil && reader.attempts(of: 1).count == 1, "what is open stays with its tries")
    // It is settled after the walk came by, and goes with the next one.
    loop.retention.sizeBytes = 1
    _ = try loop.step([.settled([answered(1, .failed)])], now: later + 61_000)
    later = later + 3_600_000
    for second in Int64(1)...60 { _ = try loop.step([], now: later + second * 1_000) }
    #expect(try reader.delivery(1) == nil && reader.attempts(of: 1).isEmpty)
    #expect(try engine.usedBytes == 0)
  }
}
