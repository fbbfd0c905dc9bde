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

  @Test func `a range holds the rows of one table in order, deleted ones included`() throws {
    let behind = WriteBehind()
    for first in [Int64(4), -2, 7, 0] { try apply(behind, RowKey(.due, first, first), [1], record: 1) }
    try apply(behind, RowKey(.due, 0, 0), nil, record: 2)
    try apply(behind, RowKey(.state, 5, 5), [1], record: 2)
    let rows = behind.range(from: RowKey(.due, -1), to: RowKey(.due, 7))
    #expect(rows.map(\.key.first) == [0, 4])
    #expect(rows[0].value == nil)
  }

  @Test func `a damaged redo record is refused with what to do`() throws {
    let behind = WriteBehind()
    #expect(throws: StoreError.self) { try behind.apply([1, 2, 200], record: 1) }
    #expect(throws: StoreError.self) { try behind.apply([9], record: 1) }
    let error = #expect(throws: StoreError.self) { try behind.apply([1, 99, 0, 0], record: 1) }
    #expect(error?.message.contains("restore the store from a backup") == true)
  }
}
