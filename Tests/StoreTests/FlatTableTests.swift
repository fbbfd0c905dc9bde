// The write-behind set against the simplest thing that could be right.

import Basics
import Model
import Store
import Testing

@Suite struct WriteBehindTests {
  private func apply(_ behind: WriteBehind, _ key: RowKey, _ value: [UInt8]?, record: Int64) throws {
    var list = ChangeList()
    list.append(key, value)
    try behind.apply(Redo.pack([list]), record: record)
  }

  @Test func `many random changes give what a dictionary gives`() throws {
    let behind = WriteBehind()
    var model: [RowKey: (Int64, [UInt8]?)] = [:]
    var random = SeededRandom(seed: 3)
    for record in Int64(1)...20_000 {
      let key = RowKey(
        random.chance(1, in: 2) ? .state : .chain, Int64(random.next(below: 300)), Int64(random.next(below: 3)))
      let value: [UInt8]? =
        random.chance(1, in: 5)
        ? nil : (0..<random.next(below: 40)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      try apply(behind, key, value, record: record)
      model[key] = (record, value)
    }
    #expect(behind.count == model.count)
    for (key, expected) in model {
      let row = behind.look(key)
      #expect(row?.record == expected.0)
      #expect(row?.value == expected.1)
    }
    #expect(behind.look(RowKey(.state, 1_000)) == nil)
  }

  @Test func `what empties gives its memory back long before it is empty, and knows how much it takes`() throws {
    let behind = WriteBehind()
    let count = Int64(100_000)
    var list = ChangeList()
    for number in 1...count {
      list.append(RowKey(.state, number, 1), [UInt8](repeating: 7, count: 40), isNew: true)
    }
    try behind.apply(Redo.pack([list]), record: 1)
    let most = behind.bytes
    #expect(most > 100_000 * 80 && most < 100_000 * 160)
    list = ChangeList()
    for number in 1...(count - 10_000) { list.append(RowKey(.state, number, 1), nil) }
    try behind.apply(Redo.pack([list]), record: 2)
    #expect(behind.count == 10_000 && behind.bytes < most / 3)
    for number in (count - 9_999)...count {
      #expect(behind.look(RowKey(.state, number, 1))?.value == [UInt8](repeating: 7, count: 40))
    }
  }

  @Test func `rows that come, change and go again by thousands give what a dictionary gives`() throws {
    var random = SeededRandom(seed: 11)
    let behind = WriteBehind()
    var model: [RowKey: [UInt8]?] = [:]
    var fresh: Set<RowKey> = []
    for record in Int64(1)...400 {
      var list = ChangeList()
      // Long stretches in which more comes than goes, and then the other way round.
      let goes = record / 50 % 2 == 0 ? 4 : 10
      for _ in 0..<200 {
        let key = RowKey(.timer, Int64(random.next(below: 6_000)) << 3, Int64(random.next(below: 2)))
        if random.chance(UInt64(goes), in: 15) {
          list.append(key, nil)
          // One that was never in its table just goes; others are remembered as deleted.
          if fresh.remove(key) != nil { model[key] = nil } else { model.updateValue(nil, forKey: key) }
        } else {
          let length = random.chance(1, in: 9) ? 700 : Int(random.next(below: 20))
          let value = [UInt8](repeating: UInt8(record & 0xFF), count: length)
          let isNew = model[key] == nil && random.chance(1, in: 2)
          if isNew { fresh.insert(key) }
          list.append(key, value, isNew: isNew)
          model.updateValue(value, forKey: key)
        }
      }
      try behind.apply(Redo.pack([list]), record: record)
    }
    #expect(behind.count == model.count)
    for (key, expected) in model {
      let row = behind.look(key)
      #expect(row != nil && row?.value == expected)
    }
    #expect(behind.bytes < 6 << 20)
  }

  @Test func `a deleted row may get an empty value when what was beside it has been packed anew`() throws {
    let behind = WriteBehind()
    var list = ChangeList()
    for number in Int64(1)...4_000 { list.append(RowKey(.state, number, 1), [UInt8](repeating: 7, count: 600)) }
    try behind.apply(Redo.pack([list]), record: 1)
    for (record, value) in [(Int64(2), nil), (3, [])] as [(Int64, [UInt8]?)] {
      list = ChangeList()
      for number in Int64(1)...4_000 { list.append(RowKey(.state, number, 1), value) }
      try behind.apply(Redo.pack([list]), record: record)
    }
    #expect(behind.look(RowKey(.state, 4_000, 1))?.value == [])
  }

  @Test func `rows of one byte cost no more time than rows of some`() throws {
    func milliseconds(_ length: Int) throws -> Int64 {
      let began = Clocks.system.steadyNanoseconds()
      let behind = WriteBehind()
      for record in Int64(0)..<100 {
        var list = ChangeList()
        for number in 1...Int64(1_000) {
          list.append(RowKey(.timer, record * 1_000 + number), [UInt8](repeating: 7, count: length), isNew: true)
        }
        try behind.apply(Redo.pack([list]), record: record + 1)
      }
      return (Clocks.system.steadyNanoseconds() - began) / 1_000_000
    }
    let some = try milliseconds(9)
    #expect(try milliseconds(1) < 5 * some + 200)
  }

  @Test func `what hundreds of tables keep once they are empty is little of what they may take`() throws {
    let behind = WriteBehind()
    for table in Table.allCases {
      for value in [[UInt8](repeating: 7, count: 120), nil] as [[UInt8]?] {
        var list = ChangeList()
        for number in Int64(1)...6_000 { list.append(RowKey(table, number), value, isNew: value != nil) }
        try behind.apply(Redo.pack([list]), record: 1)
      }
    }
    #expect(behind.count == 0 && behind.bytes < Limits.behindBytes / 8, "\(behind.bytes)")
  }

  @Test func `large rows that go give their memory back although one is left`() throws {
    let behind = WriteBehind()
    for value in [[UInt8](repeating: 7, count: 40_000), nil] as [[UInt8]?] {
      var list = ChangeList()
      for number in Int64(1)...500 {
        if value == nil, number % 20 == 0 { continue }
        list.append(RowKey(.state, number, 1), value, isNew: value != nil)
      }
      try behind.apply(Redo.pack([list]), record: 1)
    }
    #expect(behind.count == 25 && behind.bytes < 3 << 20, "\(behind.bytes)")
  }

  @Test func `rows that are not in their tables yet are swept before they take more memory than they may`() throws {
    let loop = try StoreLoop(engine: MemoryStore(MemoryStore.Disk()))
    var now = Instant(milliseconds: 1_700_000_000_000)
    var most = 0
    loop.mostBehindBytes = 2 << 20
    // More than twice the bound, in rows that are all new.
    for round in 0..<100 {
      var decisions = Decisions(lane: 0, sequence: Int64(round + 1))
      for number in 0..<25 {
        let key = RowKey(.state, Int64(round * 25 + number), 1)
        decisions.changes.append(key, [UInt8](repeating: 7, count: 2_000), isNew: true)
      }
      _ = try loop.step([.decisions(decisions)], now: now)
      now = now + 1
      most = max(most, loop.behind.bytes)
    }
    #expect(most > loop.mostBehindBytes / 2 && most <= loop.mostBehindBytes)
    for _ in 0..<50 { _ = try loop.step([], now: now) }
    #expect(loop.behind.count == 0 && loop.behind.bytes < 1 << 20)
  }

  @Test func `a range holds the rows of one table in order, deleted ones included`() throws {
    let behind = WriteBehind()
    for first in [Int64(4), -2, 7, 0] { try apply(behind, RowKey(.due, first, first), [1], record: 1) }
    try apply(behind, RowKey(.due, 0, 0), nil, record: 2)
    try apply(behind, RowKey(.state, 5, 5), [1], record: 2)
    let rows = behind.range(from: RowKey(.due, -1), to: RowKey(.due, 7), limit: 9)
    #expect(rows.map(\.key.first) == [0, 4])
    #expect(rows[0].value == nil)
  }

  @Test func `of many rows a range holds the first, and no more than are asked for`() throws {
    let behind = WriteBehind()
    var list = ChangeList()
    // Every number up to 5,000 once, in no order.
    for step in Int64(1)...5_000 { list.append(RowKey(.openDelivery, step * 1_237 % 5_000 + 1), [1]) }
    try behind.apply(Redo.pack([list]), record: 1)
    let to = RowKey(.openDelivery, .max)
    for (from, limit) in [(Int64(0), 1), (0, 7), (4_000, 200), (1, 4_999), (1, 5_000), (4_990, 100)] {
      let rows = behind.range(from: RowKey(.openDelivery, from), to: to, limit: limit)
      #expect(rows.map(\.key.first) == Array((max(1, from)...5_000).prefix(limit)))
    }
  }

  @Test func `a read of a few rows asks the table for few, however many are fresh`() throws {
    let behind = WriteBehind()
    var list = ChangeList()
    for number in Int64(1)...5_000 { list.append(RowKey(.openDelivery, number), [1]) }
    try behind.apply(Redo.pack([list]), record: 1)
    let table = AskedTable()
    let found = try StoreReader(behind: behind, engine: table).rows(
      from: RowKey(.openDelivery, 0), to: RowKey(.openDelivery, .max), limit: 3)
    #expect(found.map(\.key.first) == [1, 2, 3])
    #expect(table.asked.reduce(0, +) <= 6)
  }

  @Test func `fresh rows and those of the table are read as one, whatever the limit`() throws {
    var random = SeededRandom(seed: 6)
    for _ in 0..<40 {
      let engine = MemoryStore(MemoryStore.Disk())
      let behind = WriteBehind()
      let keys = (0..<80).map { _ in
        RowKey(.timer, Int64(random.next(below: 20)), random.chance(1, in: 3) ? .max : Int64(random.next(below: 4)))
      }
      var model: [RowKey: [UInt8]] = [:]
      var group = Group(record: 1, time: .zero)
      for key in Set(keys[..<50]) {
        group.sweep.append(Row(key: key, record: 1, value: [1]))
        model[key] = [1]
      }
      try engine.commit(group)
      for key in keys[25...] {
        let value: [UInt8]? = random.chance(2, in: 3) ? nil : [2]
        try apply(behind, key, value, record: 2)
        model[key] = value
      }
      let reader = StoreReader(behind: behind, engine: try engine.makeReader())
      for _ in 0..<20 {
        let from = RowKey(.timer, Int64(random.next(below: 10)))
        let to = RowKey(.timer, Int64(10 + random.next(below: 12)))
        let limit = Int(random.next(below: 30))
        let wanted = model.filter { $0.key >= from && $0.key < to }.sorted { $0.key < $1.key }.prefix(limit)
        let found = try reader.rows(from: from, to: to, limit: limit)
        #expect(found.map(\.key) == wanted.map(\.key) && found.map(\.value) == wanted.map(\.value))
      }
    }
  }

  @Test func `a damaged redo record is refused with what to do`() throws {
    let behind = WriteBehind()
    #expect(throws: StoreError.self) { try behind.apply([1, 2, 200], record: 1) }
    #expect(throws: StoreError.self) { try behind.apply([9], record: 1) }
    let error = #expect(throws: StoreError.self) { try behind.apply([1, 99, 0, 0], record: 1) }
    #expect(error?.message.contains("restore the store from a backup") == true)
  }
}

/// An empty table that remembers how many rows it was asked for.
private final class AskedTable: EngineReader {
  private(set) var asked: [Int] = []

  func rows(from: RowKey, to: RowKey, limit: Int) -> [Row] {
    asked.append(limit)
    return []
  }

  func value(_ key: RowKey) -> Row? { nil }
  func event(_ number: Int64) -> EventRow? { nil }
  func events(before: Int64, limit: Int) -> [EventRow] { [] }
  func verdicts(around event: Int64) -> [VerdictRow] { [] }
  func delivery(_ number: Int64) -> DeliveryRow? { nil }
  func deliveries(before: Int64, limit: Int) -> [DeliveryRow] { [] }
  func deliveries(after: Int64, limit: Int) -> [DeliveryRow] { [] }
  func deliveries(ofRun run: Int64, limit: Int) -> [DeliveryRow] { [] }
  func attempts(of delivery: Int64) -> [Attempt] { [] }
  func endedRun(_ number: Int64) -> RunRow? { nil }
  func endedRuns(before: Int64, limit: Int) -> [RunRow] { [] }
  func dedupePage(run: Int64, page: Int64) -> DedupePage? { nil }
}
