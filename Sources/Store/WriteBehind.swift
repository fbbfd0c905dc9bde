// The write-behind set: rows whose newest value is in a committed record but not yet in its table.
// Fed by committed records only; emptied by sweeps.
//
// Thread: changed by the store thread; looked into by every thread, under a lock held for one look.
// Promise: whoever looks here first and into the table afterwards sees every committed row, because a
// row leaves this set only after the commit that wrote it to its table.

internal import Basics
internal import Model

package final class WriteBehind: Sendable {
  /// Each table in parts: one that grows or is packed anew is copied, and a copy of all of a large table would
  /// double its memory and make everyone wait who looks here.
  private struct Parts {
    private static let perTable = 16
    private var all = [FlatTable](repeating: FlatTable(), count: (Table.allCases.count + 1) * Parts.perTable)
    private(set) var count = 0
    private(set) var bytes = 0

    private static func place(_ key: RowKey) -> Int {
      let mixed = UInt64(bitPattern: key.first) &* 0xD6E8_FEB8_6659_FD93 ^ UInt64(bitPattern: key.second)
      return Int(key.table.rawValue) * perTable + Int(truncatingIfNeeded: (mixed &* 0x9E37_79B9_7F4A_7C15) >> 60)
    }

    func look(_ key: RowKey) -> (record: Int64, value: [UInt8]?)? {
      all[Parts.place(key)].look(key.first, key.second)
    }

    mutating func change(_ key: RowKey, _ body: (inout FlatTable) -> Void) {
      let place = Parts.place(key)
      let before = (all[place].count, all[place].bytes)
      body(&all[place])
      count += all[place].count - before.0
      bytes += all[place].bytes - before.1
    }

    func parts(of table: Table) -> ArraySlice<FlatTable> {
      let first = Int(table.rawValue) * Parts.perTable
      return all[first..<first + Parts.perTable]
    }
  }
  private let tables = Guarded(Parts())

  package init() {}

  package var count: Int { tables.withLock { $0.count } }
  /// What all of it takes of memory.
  package var bytes: Int { tables.withLock { $0.bytes } }

  /// Nil: not here. A row without value: deleted, do not look further.
  package func look(_ key: RowKey) -> Row? {
    tables.withLock { tables in
      tables.look(key).map { Row(key: key, record: $0.record, value: $0.value) }
    }
  }

  /// Absolute values of a new record; they replace what is here. While recovering, "new" means nothing:
  /// the last process may have swept the row already.
  package func apply(_ redo: [UInt8], record: Int64, isRecovery: Bool = false) throws(StoreError) {
    if redo.isEmpty { return }
    let result = tables.withLock { tables -> Result<Void, StoreError> in
      do throws(StoreError) {
        try Redo.walk(redo) { key, range, isNew in
          tables.change(key) { table in
            table.set(key.first, key.second, record: record, range.map { redo[$0] }, isNew: isNew && !isRecovery)
          }
        }
        return .success(())
      } catch { return .failure(error) }
    }
    try result.get()
  }

  /// The first rows in a range of keys of one table, in order, tombstones included. The rows here have no order, so
  /// that every one is passed by; but no more are held and copied than are asked for, because lanes wait meanwhile.
  package func range(from: RowKey, to: RowKey, limit: Int) -> [Row] {
    tables.withLock { tables in
      var lowest = LowestKeys(limit)
      for part in tables.parts(of: from.table) {
        part.visit { first, second in
          let key = RowKey(from.table, first, second)
          if key >= from, key < to { lowest.insert(key) }
        }
      }
      return lowest.sorted().map { key in
        let found = tables.look(key)
        return Row(key: key, record: found?.record ?? 0, value: found?.value)
      }
    }
  }

  /// The keys of one table, in the order in which a sweep writes them.
  func keys(of table: Table) -> [RowKey] {
    var keys = tables.withLock { tables in
      let parts = tables.parts(of: table)
      var keys: [RowKey] = []
      keys.reserveCapacity(parts.reduce(0) { $0 + $1.count })
      for part in parts { part.visit { keys.append(RowKey(table, $0, $1)) } }
      return keys
    }
    keys.sort { $0.first != $1.first ? $0.first < $1.first : $0.second < $1.second }
    return keys
  }

  /// The rows of these keys that are still here, as they are now.
  func rows(of keys: ArraySlice<RowKey>) -> [Row] {
    tables.withLock { tables in
      var out: [Row] = []
      out.reserveCapacity(keys.count)
      for key in keys {
        guard let found = tables.look(key) else { continue }
        out.append(Row(key: key, record: found.record, value: found.value))
      }
      return out
    }
  }

  /// These rows are in their tables now; those that changed again meanwhile stay.
  func remove(swept: [Row]) {
    tables.withLock { tables in
      for row in swept {
        tables.change(row.key) { $0.remove(row.key.first, row.key.second, ifRecord: row.record) }
      }
    }
  }
}

/// The lowest of many keys, without sorting all of them.
private struct LowestKeys {
  private let limit: Int
  private var keys: [RowKey] = []
  /// With `limit` keys below it, it and all above it are of no interest.
  private var bound: RowKey?

  init(_ limit: Int) { self.limit = max(1, limit) }

  mutating func insert(_ key: RowKey) {
    if let bound, key >= bound { return }
    keys.append(key)
    // Sorted only when they have doubled, so that a key costs next to nothing.
    if keys.count / 2 >= limit { cut() }
  }

  private mutating func cut() {
    keys.sort()
    if keys.count < limit { return }
    keys.removeLast(keys.count - limit)
    bound = keys.last
  }

  mutating func sorted() -> [RowKey] {
    cut()
    return keys
  }
}

/// Reads for one thread: the write-behind set first, then the table.
package final class StoreReader {
  private let behind: WriteBehind
  package let engine: any EngineReader
  /// Of the store's own reader: which delivery goes first of those that this one keeps its order with.
  package var ahead: ((OpenDelivery) -> Int64?)?

  package init(behind: WriteBehind, engine: any EngineReader) {
    self.behind = behind
    self.engine = engine
  }

  package func value(_ key: RowKey) throws(StoreError) -> [UInt8]? {
    if let row = behind.look(key) { return row.value }
    return try engine.value(key)?.value
  }

  /// Rows with `from` <= key < `to`, newest values, deleted ones left out.
  package func rows(from: RowKey, to: RowKey, limit: Int) throws(StoreError) -> [Row] {
    var out: [Row] = []
    var next: RowKey? = from
    var page = limit
    while let from = next, out.count < limit {
      let fresh = behind.range(from: from, to: to, limit: page)
      // Of what lies above the last fresh row nothing is known yet.
      next = fresh.count < page ? nil : fresh.last?.key.successor
      // Every fresh row may hide one of the table, so that many more are read to be sure of `limit`.
      let stored = try engine.rows(from: from, to: next ?? to, limit: limit - out.count + fresh.count)
      StoreReader.merge(fresh, stored, into: &out, limit: limit)
      // Only deleted rows lead to another page; twice as many each time, because each passes all rows by.
      if next != nil, out.count < limit { page *= 2 }
    }
    return out
  }

  private static func merge(_ fresh: [Row], _ stored: [Row], into out: inout [Row], limit: Int) {
    var i = 0
    var j = 0
    while out.count < limit, i < fresh.count || j < stored.count {
      let takeFresh = j >= stored.count || (i < fresh.count && fresh[i].key <= stored[j].key)
      if takeFresh {
        if j < stored.count, stored[j].key == fresh[i].key { j += 1 }
        if fresh[i].value != nil { out.append(fresh[i]) }
        i += 1
      } else {
        out.append(stored[j])
        j += 1
      }
    }
  }
}
