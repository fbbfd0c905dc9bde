// The write-behind set: rows whose newest value is in a committed record but not yet in its table.
// Fed by committed records only; emptied by sweeps.
//
// Thread: changed by the store thread; looked into by every thread, under a lock held for one look.
// Promise: whoever looks here first and into the table afterwards sees every committed row, because a
// row leaves this set only after the commit that wrote it to its table.

internal import Basics
internal import Model
internal import Synchronization

package final class WriteBehind: Sendable {
  private struct Entry {
    var record: Int64
    var value: [UInt8]?
  }
  /// One dictionary a table, so that a range over a small table does not walk a large one.
  private struct Tables {
    var rows: [[RowKey: Entry]] = Array(repeating: [:], count: 32)
    var count = 0

    mutating func set(_ key: RowKey, _ entry: Entry?) {
      let table = Int(key.table.rawValue)
      let before = rows[table].count
      rows[table][key] = entry
      count += rows[table].count - before
    }
  }
  private let tables = Mutex(Tables())

  package init() {}

  package var count: Int { tables.withLock { $0.count } }

  /// Nil: not here. A row without value: deleted, do not look further.
  package func look(_ key: RowKey) -> Row? {
    tables.withLock { tables in
      tables.rows[Int(key.table.rawValue)][key].map { Row(key: key, record: $0.record, value: $0.value) }
    }
  }

  /// Absolute values of a new record; they replace what is here.
  package func apply(_ changes: [Change], record: Int64) {
    tables.withLock { tables in
      for change in changes { tables.set(change.key, Entry(record: record, value: change.value)) }
    }
  }

  /// For recovery, where a record may be met twice.
  package func applyIfNewer(_ change: Change, record: Int64) {
    tables.withLock { tables in
      if let known = tables.rows[Int(change.key.table.rawValue)][change.key], known.record > record { return }
      tables.set(change.key, Entry(record: record, value: change.value))
    }
  }

  /// Everything in a range of keys of one table, in order, tombstones included.
  package func range(from: RowKey, to: RowKey) -> [Row] {
    let found = tables.withLock { tables in
      tables.rows[Int(from.table.rawValue)].compactMap { key, entry in
        key >= from && key < to ? Row(key: key, record: entry.record, value: entry.value) : nil
      }
    }
    return found.sorted { $0.key < $1.key }
  }

  /// The keys of a sweep that begins now, in the order in which they are written.
  package func keys() -> [RowKey] { tables.withLock { $0.rows.flatMap(\.keys) }.sorted() }

  /// The rows of these keys that are still here, as they are now.
  package func rows(of keys: ArraySlice<RowKey>) -> [Row] {
    tables.withLock { tables in
      keys.compactMap { key in
        tables.rows[Int(key.table.rawValue)][key].map { Row(key: key, record: $0.record, value: $0.value) }
      }
    }
  }

  /// These rows are in their tables now; those that changed again meanwhile stay.
  package func remove(swept: [Row]) {
    tables.withLock { tables in
      for row in swept {
        let entry = tables.rows[Int(row.key.table.rawValue)][row.key]
        if let entry, entry.record == row.record { tables.set(row.key, nil) }
      }
    }
  }
}

/// Reads for one thread: the write-behind set first, then the table.
package final class StoreReader {
  private let behind: WriteBehind
  package let engine: any EngineReader

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
    let fresh = behind.range(from: from, to: to)
    // Every fresh row may hide one of the table, so that many more are read to be sure of `limit`.
    let stored = try engine.rows(from: from, to: to, limit: limit + fresh.count)
    var out: [Row] = []
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
    return out
  }
}
