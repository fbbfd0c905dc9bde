// Changes of rows as they are written down: one stretch of packed bytes, which is at the same time what
// a redo record consists of. Nothing is allocated for a single change.
//
// Thread: a value, filled by a lane, handed over whole. Promise: what was appended is read back in the
// same order; damage is noticed and never taken for a change.

internal import Basics

package struct ChangeList: Sendable {
  private var writer = PackedWriter()
  package private(set) var count = 0
  var packed: [UInt8] { writer.bytes }

  package init() {}
  package var isEmpty: Bool { count == 0 }

  package mutating func reserve(_ changes: Int) { writer.bytes.reserveCapacity(changes * 32) }

  package mutating func append(_ change: Change) { append(change.key, change.value) }

  /// Nil deletes the row. `isNew` says that this key never had a row before: then a deletion that comes
  /// before the first sweep takes both away, and the table never hears of it.
  package mutating func append(_ key: RowKey, _ value: [UInt8]?, isNew: Bool = false) {
    begin(key, value == nil ? ChangeList.deletedBit : isNew ? ChangeList.newBit : 0)
    guard let value else { return }
    writer.counted(value)
  }

  /// A row that is one number.
  package mutating func append(_ key: RowKey, number: Int64) {
    begin(key, 0)
    let start = writer.bytes.count
    writer.byte(0)
    writer.signed(number)
    writer.bytes[start] = UInt8(writer.bytes.count - start - 1)
  }

  private static let deletedBit: UInt8 = 0x80
  private static let newBit: UInt8 = 0x40

  private mutating func begin(_ key: RowKey, _ bits: UInt8) {
    count += 1
    writer.byte(key.table.rawValue | bits)
    writer.signed(key.first)
    writer.signed(key.second)
  }

  /// For tests and reports.
  package var changes: [Change] {
    var out: [Change] = []
    _ = ChangeList.walk(packed, from: 0) { key, range, _ in out.append(Change(key, range.map { Array(packed[$0]) })) }
    return out
  }

  /// Calls `body` for each change with the place of its value; nil for a deletion. False: damaged.
  static func walk(_ bytes: [UInt8], from start: Int, _ body: (RowKey, Range<Int>?, _ isNew: Bool) -> Void) -> Bool {
    var position = start
    func number() -> UInt64? {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while position < bytes.count, shift < 64 {
        let byte = bytes[position]
        position += 1
        value |= UInt64(byte & 0x7F) << shift
        if byte & 0x80 == 0 { return value }
        shift += 7
      }
      return nil
    }
    func signed() -> Int64? {
      number().map { Int64(bitPattern: ($0 >> 1) ^ (~($0 & 1) &+ 1)) }
    }
    while position < bytes.count {
      let tag = bytes[position]
      position += 1
      guard let table = Table(rawValue: tag & 0x3F), let first = signed(), let second = signed() else { return false }
      if tag & deletedBit != 0 {
        body(RowKey(table, first, second), nil, false)
        continue
      }
      guard let length = number(), length <= UInt64(bytes.count - position) else { return false }
      body(RowKey(table, first, second), position..<position + Int(length), tag & newBit != 0)
      position += Int(length)
    }
    return true
  }
}

/// The redo record: a format number, then the changes of all lists.
package enum Redo {
  private static let format: UInt8 = 1

  package static func pack(_ lists: [ChangeList]) -> [UInt8] {
    let size = lists.reduce(0) { $0 + $1.packed.count }
    if size == 0 { return [] }
    var out: [UInt8] = []
    out.reserveCapacity(size + 1)
    out.append(format)
    for list in lists { out.append(contentsOf: list.packed) }
    return out
  }

  package static func walk(_ record: [UInt8], _ body: (RowKey, Range<Int>?, _ isNew: Bool) -> Void) throws(StoreError) {
    guard record.first == format, ChangeList.walk(record, from: 1, body) else {
      throw StoreError(.damaged, "a redo record cannot be read; restore the store from a backup")
    }
  }
}
