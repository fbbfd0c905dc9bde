// What every store engine must do. Each engine's tests call these with a way to open it; the same
// suite decides about all of them.
//
// Thread: a test's. Promise: nothing here knows which engine it is.

package import Basics
internal import Model
package import Store
import Testing

/// An engine under test: `open` may be called again after `close`, and finds what was committed.
package struct EngineUnderTest {
  package var open: () throws -> any StoreEngine

  package init(open: @escaping () throws -> any StoreEngine) { self.open = open }
}

package enum StoreContract {
  package static let now = Instant(milliseconds: 1_700_000_000_000)

  static func event(_ number: Int64, subject: Int64 = 1, previous: Int64 = 0, at time: Instant = now) -> EventRow {
    EventRow(
      number: number, subject: subject, previous: previous, received: time, source: "web", name: "signup", cause: 0,
      depth: 0,
      body: Array("{\"n\":\(number)}".utf8))
  }

  static func delivery(_ number: Int64, at time: Instant = now) -> DeliveryRow {
    var made = Delivery(
      number: number, id: "msg_\(number)", destination: "crm", type: "hello", created: time, body: Array("{}".utf8),
      due: time, expires: time + 5_000)
    made.orderKey = -number
    return DeliveryRow(delivery: made, event: 1, subject: 1, rule: "welcome")
  }

  /// Everything a group can carry comes back after the engine was closed and opened again.
  package static func keepsWholeGroups(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    var group = Group(record: 1, time: now)
    group.events = EventPacks([event(1), event(2, previous: 1)])
    group.events.append(contentsOf: EventPacks([event(3, subject: 2)]))
    var verdicts = VerdictWriter()
    verdicts.append(
      event: 2, counted: 3,
      [
        Verdict(
          rule: "a", code: .ran, line: 7, reason: "why", reads: [ReadValue(name: "state.n", value: "1")], effects: 2)
      ])
    group.verdicts = [VerdictRow(first: 1, last: 3, packed: verdicts.packed)]
    group.deliveries = [[delivery(1)]]
    group.attempts = [
      Attempt(
        delivery: 1, attempt: 1, started: now, outcome: .status, status: 500, settlement: .retry(at: now + 5_000),
        message: "no",
        address: "127.0.0.1", dnsMicroseconds: 1, connectMicroseconds: 2, tlsMicroseconds: 3, firstByteMicroseconds: 4,
        totalMicroseconds: 5, response: [1, 2, 3])
    ]
    var changes = ChangeList()
    changes.append(RowKey(.chain, 1), number: 2)
    group.redo = Redo.pack([changes])
    group.dedupe = [UInt8](repeating: 7, count: 32)
    group.sweep = [Row(key: RowKey(.state, 5, 2), record: 1, value: [9, 8])]
    try engine.commit(group)
    engine.close()

    let again = try under.open()
    defer { again.close() }
    let reader = try again.makeReader()
    #expect(again.recovered.record == 1)
    #expect(again.recovered.event == 3)
    #expect(again.recovered.delivery == 1)
    #expect(try reader.event(2) == event(2, previous: 1))
    #expect(try reader.events(before: .max, limit: 2).map(\.number) == [3, 2])
    #expect(try reader.verdicts(around: 2).first?.unpack().first?.verdicts.first?.reads.first?.value == "1")
    #expect(try reader.delivery(1) == delivery(1))
    #expect(try reader.attempts(of: 1) == group.attempts)
    #expect(try reader.value(RowKey(.state, 5, 2)) == group.sweep[0])
    var redone: [Int64] = []
    try again.redo(after: 0) { (record, packed) throws(StoreError) in
      redone.append(record)
      #expect(packed == group.redo)
    }
    #expect(redone == [1])
    var hashes: [[UInt8]] = []
    try again.dedupe { _, time, packed in
      #expect(time == now)
      hashes.append(packed)
    }
    #expect(hashes == [group.dedupe])
  }

  /// An event that is set aside outlives its range, also over a start, until it is let go; runs that have
  /// ended are found by number and newest first.
  package static func keepsEventsAndEndedRuns(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    var group = Group(record: 1, time: now)
    group.events = EventPacks([event(1), event(2, previous: 1), event(3, previous: 2)])
    var run = RunRow(
      number: 5, subject: 1, rule: 2, version: 3, event: 2, seed: Hash128(high: 4, low: 5), depth: 1, key: "in_1",
      started: now)
    run.status = .stopped
    run.reason = "invoice.paid"
    run.ended = now + 9
    var older = run
    older.number = 4
    group.endedRuns = [older, run]
    try engine.commit(group)
    var newer = Group(record: 2, time: now)
    newer.events = EventPacks([event(2_000, previous: 3, at: now + 10)])
    try engine.commit(newer)
    try engine.keepEvents([2])
    while try engine.purge(.event, through: 3, olderThan: now + 5, limit: 10) > 0 {}
    engine.close()
    let again = try under.open()
    defer { again.close() }
    let reader = try again.makeReader()
    #expect(try reader.event(2) == event(2, previous: 1))
    #expect(try reader.event(1) == nil)
    #expect(again.recovered.run == 5)
    #expect(try reader.endedRun(5) == run)
    #expect(try reader.endedRuns(before: .max, limit: 1).map(\.number) == [5])
    #expect(try reader.endedRuns(before: 5, limit: 9).map(\.number) == [4])
    try again.keepEvents([])
    #expect(try reader.event(2) == nil)
    #expect(try again.delete(.endedRun, [LogPlace(4)]) == 1)
    #expect(try reader.endedRun(4) == nil)
  }

  /// A swept row replaces, a tombstone removes, and the mark decides what recovery reads.
  package static func sweepsAndMarks(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    for record in Int64(1)...3 {
      var changes = ChangeList()
      changes.append(RowKey(.state, 1, 1), Array("v\(record)".utf8))
      var group = Group(record: record, time: now)
      group.redo = Redo.pack([changes])
      if record == 2 { group.sweep = [Row(key: RowKey(.state, 1, 1), record: 1, value: Array("v1".utf8))] }
      if record == 3 { group.mark = 1 }
      try engine.commit(group)
    }
    engine.close()
    let again = try under.open()
    #expect(again.recovered.mark == 1)
    var redone: [Int64] = []
    try again.redo(after: again.recovered.mark) { (record, _) throws(StoreError) in redone.append(record) }
    #expect(redone == [2, 3])
    var removal = Group(record: 4, time: now)
    removal.sweep = [Row(key: RowKey(.state, 1, 1), record: 4, value: nil)]
    try again.commit(removal)
    #expect(try again.makeReader().value(RowKey(.state, 1, 1)) == nil)
    again.close()
  }

  /// Ranges are in key order, bounded below and above, negative keys included.
  package static func readsRangesInOrder(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    defer { engine.close() }
    var group = Group(record: 1, time: now)
    for first in [Int64(5), -3, 9, 1] {
      for second in [Int64(2), 1] { group.sweep.append(Row(key: RowKey(.due, first, second), record: 1, value: [1])) }
    }
    try engine.commit(group)
    let reader = try engine.makeReader()
    let all = try reader.rows(from: RowKey(.due, .min, .min), to: RowKey(.due, .max, .max), limit: 100)
    #expect(all.map(\.key.first) == [-3, -3, 1, 1, 5, 5, 9, 9])
    #expect(all.map(\.key.second) == [1, 2, 1, 2, 1, 2, 1, 2])
    let some = try reader.rows(from: RowKey(.due, 1, 2), to: RowKey(.due, 9, 1), limit: 100)
    #expect(some.map(\.key) == [RowKey(.due, 1, 2), RowKey(.due, 5, 1), RowKey(.due, 5, 2)])
    #expect(try reader.rows(from: RowKey(.due, 1), to: RowKey(.due, 9), limit: 1).count == 1)
  }

  /// Old rows go in bounded chunks; numbers never start again.
  package static func purgesInChunks(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    for number in Int64(1)...10 {
      var group = Group(record: number, time: now + number)
      group.events = EventPacks([event(number, at: now + number)])
      var changes = ChangeList()
      changes.append(RowKey(.chain, 1), number: number)
      group.redo = Redo.pack([changes])
      try engine.commit(group)
    }
    #expect(try engine.purge(.event, through: .max, olderThan: now + 8, limit: 3) == 3)
    #expect(try engine.purge(.event, through: .max, olderThan: now + 8, limit: 100) == 4)
    #expect(try engine.purge(.event, through: .max, olderThan: now + 8, limit: 100) == 0)
    #expect(try engine.makeReader().events(before: .max, limit: 100).map(\.number) == [10, 9, 8])
    #expect(try engine.purge(.redo, through: 9, olderThan: .distantFuture, limit: 100) == 9)
    engine.close()
    let again = try under.open()
    #expect(again.recovered.event == 10)
    #expect(again.recovered.record == 10)
    again.close()
  }

  private static func ended(_ number: Int64, started: Instant, ended: Instant) -> RunRow {
    var run = RunRow(
      number: number, subject: 1, rule: 2, version: 3, event: 1, seed: Hash128(high: 4, low: 5), depth: 0, key: "",
      started: started)
    run.status = .stopped
    run.ended = ended
    return run
  }

  private static func attempt(_ delivery: Int64, _ number: Int = 1, at time: Instant) -> Attempt {
    Attempt(
      delivery: delivery, attempt: number, started: time, outcome: .delivered, status: 200, settlement: .delivered)
  }

  /// Deliveries, tries and ended runs come in pages, in order, with how old they are and when the last of a page
  /// began; what is named goes, and nothing beside it.
  package static func walksThroughLogs(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    defer { engine.close() }
    var group = Group(record: 1, time: now)
    group.deliveries = [[delivery(2, at: now + 2), delivery(1, at: now + 1)], [delivery(4, at: now + 4)]]
    group.attempts = [attempt(4, at: now + 40), attempt(1, 2, at: now + 90), attempt(1, at: now + 10)]
    group.attempts.append(attempt(3, at: now + 30))
    group.endedRuns = [
      ended(2, started: now + 2, ended: now + 3), ended(1, started: now + 1, ended: now + 99),
      ended(3, started: now + 3, ended: now + 9),
    ]
    try engine.commit(group)
    func page(_ log: WalkedLog, after place: LogPlace = .start, limit: Int = 9) throws -> ([LogPage.Row], Instant?) {
      let page = try engine.page(of: log, after: place, limit: limit)
      return (page.rows, page.lastBegan)
    }
    func row(_ number: Int64, attempt: Int64 = 0, _ time: Int64) -> LogPage.Row {
      LogPage.Row(LogPlace(number, attempt: attempt), now + time)
    }
    #expect(try page(.delivery) == ([row(1, 1), row(2, 2), row(4, 4)], now + 4))
    #expect(try page(.delivery, after: LogPlace(1), limit: 1) == ([row(2, 2)], now + 2))
    #expect(try page(.attempt, limit: 2) == ([row(1, attempt: 1, 10), row(1, attempt: 2, 90)], now + 1))
    #expect(
      try page(.attempt, after: LogPlace(1, attempt: 1), limit: 2) == (
        [row(1, attempt: 2, 90), row(3, attempt: 1, 30)], nil
      ))
    #expect(try page(.attempt, after: LogPlace(4, attempt: 1)) == ([], nil))
    #expect(try page(.endedRun) == ([row(1, 99), row(2, 3), row(3, 9)], now + 3))
    #expect(try engine.delete(.attempt, [LogPlace(1, attempt: 2), LogPlace(4, attempt: 1), LogPlace(9)]) == 2)
    #expect(try engine.delete(.delivery, [LogPlace(2)]) == 1)
    #expect(try engine.delete(.endedRun, [LogPlace(1), LogPlace(2)]) == 2)
    #expect(try page(.attempt).0 == [row(1, attempt: 1, 10), row(3, attempt: 1, 30)])
    #expect(try page(.delivery).0 == [row(1, 1), row(4, 4)])
    #expect(try page(.endedRun).0 == [row(3, 9)])
  }

  /// Steps with nothing to do, a second apart.
  private static func idle(_ loop: StoreLoop, from time: Instant, seconds: Int64) throws {
    for second in 0..<seconds { _ = try loop.step([], now: time + second * 1_000) }
  }

  /// Runs that began long ago and ended lately, and old deliveries that were sent once more, stand before what is
  /// too old, more of them than one look takes.
  package static func purgesBehindWhatIsYoung(_ under: EngineUnderTest) throws {
    let loop = try StoreLoop(engine: try under.open())
    defer { loop.close() }
    loop.retention.sizeBytes = 0
    let later = now + 91 * 86_400_000
    var decisions = Decisions(lane: 0, sequence: 1)
    for number in Int64(1)...2_150 {
      let isYoung = number <= 2_100 || number == 2_150
      decisions.endedRuns.append(ended(number, started: now + number, ended: isYoung ? later : now + 5_000))
    }
    _ = try loop.step([.decisions(decisions)], now: now)
    _ = try loop.step([.settled((1...2_150).map { attempt($0, at: $0 <= 2_100 ? later : now) })], now: now)
    try idle(loop, from: later, seconds: 60)
    let reader = try loop.makeReader().engine
    #expect(try reader.endedRuns(before: .max, limit: 9_000).map(\.number) == [2_150] + (1...2_100).reversed())
    for number in Int64(1)...2_150 { #expect(try reader.attempts(of: number).count == (number <= 2_100 ? 1 : 0)) }
  }

  /// Deliveries that are open, more of them than one look takes, hold up none that are settled.
  package static func purgesBetweenOpenDeliveries(_ under: EngineUnderTest) throws {
    let loop = try StoreLoop(engine: try under.open())
    defer { loop.close() }
    loop.retention.sizeBytes = 0
    let open = Set((1...2_100) + [2_107, 2_120].map { Int64($0) })
    var decisions = Decisions(lane: 0, sequence: 1)
    decisions.deliveries = (1...2_120).map { delivery($0) }
    _ = try loop.step([.wants(3_000, except: []), .decisions(decisions)], now: now)
    let settled = (Int64(1)...2_120).filter { !open.contains($0) }
    _ = try loop.step([.settled(settled.map { attempt($0, at: now) })], now: now)
    let later = now + 31 * 86_400_000
    try idle(loop, from: later, seconds: 60)
    let reader = try loop.makeReader().engine
    #expect(try reader.deliveries(after: 0, limit: 9_000).map(\.delivery.number) == open.sorted())
    // What is settled later goes later.
    _ = try loop.step([.settled([attempt(1, at: later), attempt(2_107, at: later)])], now: later + 60_000)
    try idle(loop, from: later + 61_000, seconds: 60)
    #expect(try reader.delivery(1) == nil && reader.delivery(2_107) == nil && reader.delivery(2) != nil)
  }

  /// Two lanes number their events in turns and commit them in groups of their own; each one is found, alone
  /// and in order, whatever the engine keeps together.
  package static func findsEventsOfSeveralLanes(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    var record: Int64 = 0
    // The second lane lags behind; now and then a group has events of both, and some are large.
    for start in stride(from: Int64(1), to: 3_000, by: 300) {
      for lane in Int64(0)...1 {
        record += 1
        var group = Group(record: record, time: now)
        for number in stride(from: start + lane, to: start + 300, by: 2) {
          var row = event(number, subject: lane + 1, previous: max(0, number - 2), at: now + number)
          if number % 50 == 0 { row.body = [UInt8](repeating: UInt8(number / 50), count: 20_000) }
          group.events.append(contentsOf: EventPacks([row]))
        }
        try engine.commit(group)
      }
    }
    var last = Group(record: record + 1, time: now)
    last.events = EventPacks([3_002, 3_001, 9_000].map { event($0, at: now + 30_000) })
    try engine.commit(last)
    engine.close()
    let again = try under.open()
    defer { again.close() }
    #expect(again.recovered.event == 9_000)
    let reader = try again.makeReader()
    for number in stride(from: Int64(1), through: 3_002, by: 13) {
      #expect(try reader.event(number)?.number == number)
    }
    #expect(try reader.event(50)?.body == [UInt8](repeating: 1, count: 20_000))
    for number in [Int64(0), 3_003, 8_999, 9_001] { #expect(try reader.event(number) == nil) }
    for before in [Int64(2), 299, 301, 450, 3_002, .max] {
      for limit in [1, 7, 40] {
        let wanted = ((1...3_002) + [9_000]).filter { Int64($0) < before }.suffix(limit).reversed().map { Int64($0) }
        #expect(try reader.events(before: before, limit: limit).map(\.number) == wanted)
      }
    }
    while try again.purge(.event, through: .max, olderThan: now + 20_000, limit: 100) > 0 {}
    #expect(try reader.event(9_000)?.number == 9_000)
    #expect(try reader.events(before: .max, limit: 1_000).map(\.number) == [9_000, 3_002, 3_001])
  }

  /// What several steps of lanes had to say about their events is found again by event.
  package static func joinsVerdicts(_ under: EngineUnderTest) throws {
    let loop = try StoreLoop(engine: try under.open())
    defer { loop.close() }
    var inputs: [StoreInput] = []
    for number in [Int64(1), 3, 2, 4, 5] {
      var writer = VerdictWriter()
      let reason = String(repeating: "\(number)", count: number == 3 ? 200 : 3)
      for _ in 0..<(number == 3 ? 80 : 1) {
        writer.append(event: number, counted: 1, [Verdict(rule: "a", code: .ran, reason: reason)])
      }
      var decisions = Decisions(lane: Int(number % 2), sequence: number)
      decisions.events.append(event(number))
      decisions.verdicts = [VerdictRow(first: number, last: number, packed: writer.packed)]
      inputs.append(.decisions(decisions))
    }
    _ = try loop.step(inputs, now: now)
    let reader = try loop.makeReader()
    for number in Int64(1)...5 {
      let found = try reader.engine.verdicts(around: number).flatMap { $0.unpack() }.filter { $0.event == number }
      #expect(found.count == (number == 3 ? 80 : 1))
      #expect(found.first?.verdicts.first?.reason.hasPrefix("\(number)") == true)
    }
  }

  /// Closed runs of the dedupe set come page by page, and cover the packed rows they stand for.
  package static func closesRuns(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    let hashes = (0..<600).map { Hash128(high: UInt64($0) << 40, low: UInt64($0)) }
    let run = DedupeRun(run: 1, newest: now, hashes: hashes, coveredThrough: 2)
    for record in Int64(1)...3 {
      var group = Group(record: record, time: now)
      group.dedupe = [UInt8](repeating: UInt8(record), count: 16)
      if record == 3 {
        group.pages = (0..<DedupePage.count(of: run)).map { DedupePage(of: run, page: $0) }
        group.dedupeClosedThrough = run.coveredThrough
      }
      try engine.commit(group)
    }
    let reader = try engine.makeReader()
    #expect(try reader.dedupePage(run: 1, page: 0)?.unpacked == Array(hashes[..<256]))
    #expect(try reader.dedupePage(run: 1, page: 2)?.unpacked == Array(hashes[512...]))
    #expect(try reader.dedupePage(run: 1, page: 3) == nil)
    engine.close()
    let again = try under.open()
    var left: [Int64] = []
    try again.dedupe { record, _, _ in left.append(record) }
    #expect(left == [3])
    #expect(again.recovered.dedupeRun == 1)
    #expect(try again.purge(.dedupeRun, through: .max, olderThan: now + 1, limit: 100) == 3)
    again.close()
  }

  /// The secret of the store's hashes stays the same for ever.
  package static func keepsItsHashKey(_ under: EngineUnderTest) throws {
    let engine = try under.open()
    let key = engine.recovered.hashKey
    engine.close()
    let again = try under.open()
    #expect(again.recovered.hashKey == key)
    #expect(key.0 != 0 || key.1 != 0)
    again.close()
  }

  /// The loop above the engine: what was decided is there after a restart, swept or not.
  package static func loopRecovers(_ under: EngineUnderTest, sweeping: Bool) throws {
    var loop = try StoreLoop(engine: try under.open())
    loop.sweepingAllowed = sweeping
    var random = SeededRandom(seed: 7)
    var expected: [Int64: Int64] = [:]
    for step in 0..<300 {
      var decisions = Decisions(lane: 0, sequence: Int64(step))
      for _ in 0..<5 {
        let subject = Int64(random.next(below: 40)) + 1
        let value = Int64(random.next(below: 1_000_000))
        expected[subject] = value
        decisions.changes.append(RowKey(.chain, subject), number: value)
        if random.chance(1, in: 8) {
          decisions.changes.append(RowKey(.chain, subject), nil)
          expected[subject] = nil
        }
      }
      _ = try loop.step([.decisions(decisions)], now: now + Int64(step))
      if random.chance(1, in: 10) { _ = try loop.step([], now: now + Int64(step)) }
      if random.chance(1, in: 40) {
        loop.close()
        loop = try StoreLoop(engine: try under.open())
        loop.sweepingAllowed = sweeping
      }
    }
    if sweeping { try loop.sweepAll(now: now) }
    if sweeping { #expect(loop.behind.count == 0) }
    loop.close()
    loop = try StoreLoop(engine: try under.open())
    let reader = try loop.makeReader()
    for subject in Int64(1)...40 {
      #expect(try reader.value(RowKey(.chain, subject)).flatMap(NumberRow.unpack) == expected[subject])
    }
    let rows = try reader.rows(from: RowKey(.chain, 0), to: RowKey(.chain, .max), limit: 1_000)
    #expect(rows.count == expected.count)
    loop.close()
  }
}
