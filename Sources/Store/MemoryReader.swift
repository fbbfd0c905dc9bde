// Reads of the model store.
//
// Thread: any; each look is under the disk's lock. Promise: every call sees the newest commit.

internal import Basics
internal import Model
internal import Synchronization

final class MemoryReader: EngineReader {
  private let disk: MemoryStore.Disk
  init(_ disk: MemoryStore.Disk) { self.disk = disk }

  func value(_ key: RowKey) throws(StoreError) -> Row? { disk.content.withLock { $0.rows[key] } }

  func rows(from: RowKey, to: RowKey, limit: Int) throws(StoreError) -> [Row] {
    disk.content.withLock { content in
      if content.sortedKeys[from.table] == nil {
        content.sortedKeys[from.table] = content.rows.keys.filter { $0.table == from.table }.sorted()
      }
      let keys = content.sortedKeys[from.table] ?? []
      let start = MemoryStore.place(in: keys) { $0 < from }
      return keys[start...].prefix(limit).prefix { $0 < to }.compactMap { content.rows[$0] }
    }
  }

  func event(_ number: Int64) throws(StoreError) -> EventRow? {
    disk.content.withLock { content in
      let place = MemoryStore.place(in: content.events) { $0.number < number }
      let isThere = place < content.events.count && content.events[place].number == number
      return isThere ? content.events[place] : content.keptEvents[number]
    }
  }

  func events(before: Int64, limit: Int) throws(StoreError) -> [EventRow] {
    disk.content.withLock { content in
      let end = MemoryStore.place(in: content.events) { $0.number < before }
      return Array(content.events[..<end].suffix(limit).reversed())
    }
  }

  func verdicts(around event: Int64) throws(StoreError) -> [VerdictRow] {
    disk.content.withLock { $0.verdicts.map(\.row).filter { $0.first <= event && event <= $0.last } }
  }

  func delivery(_ number: Int64) throws(StoreError) -> DeliveryRow? {
    disk.content.withLock { content in
      content.unsettled[number] ?? content.deliveries.last { $0.delivery.number == number }
    }
  }

  func deliveries(before: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    disk.content.withLock { content in
      let found = content.deliveries.filter { $0.delivery.number < before }
      return Array(found.sorted { $0.delivery.number > $1.delivery.number }.prefix(limit))
    }
  }

  func deliveries(after: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    disk.content.withLock { content in
      let found = content.deliveries.filter { $0.delivery.number > after }
      return Array(found.sorted { $0.delivery.number < $1.delivery.number }.prefix(limit))
    }
  }

  func deliveries(ofRun run: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    disk.content.withLock { content in
      Array(
        content.deliveries.filter { $0.run == run }.sorted { $0.delivery.number < $1.delivery.number }.prefix(limit))
    }
  }

  func attempts(of delivery: Int64) throws(StoreError) -> [Attempt] {
    disk.content.withLock { $0.attempts.filter { $0.delivery == delivery } }
  }

  func endedRun(_ number: Int64) throws(StoreError) -> RunRow? {
    disk.content.withLock { $0.endedRuns[number] }
  }

  func endedRuns(before: Int64, limit: Int) throws(StoreError) -> [RunRow] {
    disk.content.withLock { content in
      let found = content.endedRuns.values.filter { $0.number < before }
      return Array(found.sorted { $0.number > $1.number }.prefix(limit))
    }
  }

  func dedupePage(run: Int64, page: Int64) throws(StoreError) -> DedupePage? {
    disk.content.withLock { $0.pages.first { $0.run == run && $0.page == page } }
  }
}
