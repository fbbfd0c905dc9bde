// The model store: a store engine that keeps everything in memory. It is what the simulator runs on
// and what other engines are compared with; scratch runs that must leave nothing behind use it, too.
//
// Thread: any, one lock. Promise: the same contract as every engine; `MemoryStore.Disk` outlives the
// engine, so that a restart can be played.

package import Basics
internal import Model

package final class MemoryStore: StoreEngine {
  /// What would be on the disk.
  package final class Disk: Sendable {
    struct Content {
      var rows: [RowKey: Row] = [:]
      /// Keys of each table in order; nil: to be sorted anew.
      var sortedKeys: [Table: [RowKey]] = [:]
      /// In the order of their numbers.
      var events: [EventRow] = []
      var verdicts: [(row: VerdictRow, time: Instant)] = []
      var deliveries: [DeliveryRow] = []
      /// Those that are not settled; kept only by a store that forgets.
      var unsettled: [Int64: DeliveryRow] = [:]
      var attempts: [Attempt] = []
      var endedRuns: [Int64: RunRow] = [:]
      var keptEvents: [Int64: EventRow] = [:]
      var redo: [(record: Int64, packed: [UInt8])] = []
      var dedupe: [(record: Int64, time: Instant, packed: [UInt8])] = []
      var pages: [DedupePage] = []
      var record: Int64 = 0
      var mark: Int64 = 0
      var newestEvent: Int64 = 0
      var newestDelivery: Int64 = 0
      var closedRun: Int64 = 0
      /// How many more commits succeed; nil: all. For tests of a full disk.
      var commitsLeft: Int?
      var hasReserve = true
    }
    let content = Guarded(Content())
    package let hashKey: (UInt64, UInt64)

    package init(hashKey: (UInt64, UInt64) = (1, 2)) { self.hashKey = hashKey }

    /// Commits fail with `full` after `count` more, until the reserve is freed or this is called again.
    package func fill(afterCommits count: Int?) { content.withLock { $0.commitsLeft = count } }
    package var newestRecord: Int64 { content.withLock { $0.record } }
  }

  private let disk: Disk
  private let forgets: Bool
  package let recovered: Recovered

  /// `forgets`: what nobody will ask for again is not kept, which is for scratch runs of a great length.
  /// Such a store cannot be opened a second time.
  package init(_ disk: Disk, forgets: Bool = false) {
    self.disk = disk
    self.forgets = forgets
    recovered = disk.content.withLock { content in
      var found = Recovered()
      found.record = content.record
      found.mark = content.mark
      found.event = content.newestEvent
      found.delivery = content.newestDelivery
      found.subject = content.rows.keys.filter { $0.table == .subject }.map(\.first).max() ?? 0
      found.rule = content.rows.keys.filter { $0.table == .rule }.map(\.first).max() ?? 0
      found.run = max(
        content.rows.keys.filter { $0.table == .run }.map(\.first).max() ?? 0, content.endedRuns.keys.max() ?? 0)
      found.version = content.rows.keys.filter { $0.table == .version }.map(\.first).max() ?? 0
      found.dedupeRun = content.closedRun
      found.hashKey = disk.hashKey
      return found
    }
  }

  package func redo(
    after mark: Int64, _ body: (_ record: Int64, _ packed: [UInt8]) throws(StoreError) -> Void
  ) throws(StoreError) {
    for row in disk.content.withLock({ $0.redo }) where row.record > mark { try body(row.record, row.packed) }
  }

  package func dedupe(_ body: (_ record: Int64, _ time: Instant, _ packed: [UInt8]) -> Void) throws(StoreError) {
    for row in disk.content.withLock({ $0.dedupe }) { body(row.record, row.time, row.packed) }
  }

  package func commit(_ group: Group) throws(StoreError) {
    let refused = disk.content.withLock { content -> Bool in
      if let left = content.commitsLeft {
        if left <= 0 { return true }
        content.commitsLeft = left - 1
      }
      MemoryStore.append(group, to: &content, forgets: forgets)
      return false
    }
    if refused { throw StoreError(.full, "the disk is full") }
  }

  private static func append(_ group: Group, to content: inout Disk.Content, forgets: Bool) {
    content.record = max(content.record, group.record)
    for row in group.events.rows { insert(row, into: &content.events) }
    content.newestEvent = max(content.newestEvent, group.events.packs.map(\.last).max() ?? 0)
    if forgets { keepUnsettled(group, in: &content) } else { keepHistory(group, in: &content) }
    for page in group.pages {
      content.pages.removeAll { $0.run == page.run && $0.page == page.page }
      content.pages.append(page)
      content.closedRun = max(content.closedRun, page.run)
    }
    if let through = group.dedupeClosedThrough { content.dedupe.removeAll { $0.record <= through } }
    for row in group.sweep {
      if let known = content.rows[row.key], known.record > row.record { continue }
      let isKnown = content.rows[row.key] != nil
      content.rows[row.key] = row.value == nil ? nil : row
      if isKnown == (row.value == nil) { content.sortedKeys[row.key.table] = nil }
    }
    if let mark = group.mark { content.mark = mark }
  }

  private static func keepUnsettled(_ group: Group, in content: inout Disk.Content) {
    for row in group.deliveries.joined() { content.unsettled[row.delivery.number] = row }
    for attempt in group.attempts {
      if case .retry = attempt.settlement { continue }
      content.unsettled[attempt.delivery] = nil
    }
  }

  private static func keepHistory(_ group: Group, in content: inout Disk.Content) {
    content.verdicts.append(contentsOf: group.verdicts.map { ($0, group.time) })
    for rows in group.deliveries { content.deliveries.append(contentsOf: rows) }
    content.newestDelivery = max(content.newestDelivery, group.deliveries.joined().map(\.delivery.number).max() ?? 0)
    content.attempts.append(contentsOf: group.attempts)
    for run in group.endedRuns { content.endedRuns[run.number] = run }
    if !group.redo.isEmpty { content.redo.append((group.record, group.redo)) }
    if !group.dedupe.isEmpty { content.dedupe.append((group.record, group.time, group.dedupe)) }
  }

  /// Almost always at the end: only lanes that step at the same time get out of order.
  private static func insert(_ row: EventRow, into events: inout [EventRow]) {
    var place = events.count
    while place > 0, events[place - 1].number > row.number { place -= 1 }
    events.insert(row, at: place)
  }

  /// The first place whose element is not before what is looked for.
  static func place<T>(in list: [T], where isBefore: (T) -> Bool) -> Int {
    var low = 0
    var high = list.count
    while low < high {
      let middle = (low + high) / 2
      if isBefore(list[middle]) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  package func purge(
    _ log: LogTable, through number: Int64, olderThan time: Instant, limit: Int
  ) throws(StoreError) -> Int {
    disk.content.withLock { content in
      func drop<T>(_ rows: inout [T], while old: (T) -> Bool) -> Int {
        let count = min(limit, rows.prefix(while: old).count)
        rows.removeFirst(count)
        return count
      }
      switch log {
      case .event: return drop(&content.events) { $0.number <= number && $0.received < time }
      case .verdict: return drop(&content.verdicts) { $0.row.last <= number && $0.time < time }
      case .redo: return drop(&content.redo) { $0.record <= number }
      case .dedupe: return drop(&content.dedupe) { $0.record <= number && $0.time < time }
      case .dedupeRun:
        let before = content.pages.count
        content.pages.removeAll { $0.run <= number && $0.newest < time }
        return before - content.pages.count
      }
    }
  }

  package func page(of log: WalkedLog, after place: LogPlace, limit: Int) throws(StoreError) -> LogPage {
    disk.content.withLock { content in
      let rows: [LogPage.Row] =
        switch log {
        case .delivery: content.deliveries.map { LogPage.Row(LogPlace($0.delivery.number), $0.delivery.created) }
        case .attempt: content.attempts.map { LogPage.Row(MemoryStore.place(of: $0), $0.started) }
        case .endedRun: content.endedRuns.values.map { LogPage.Row(LogPlace($0.number), $0.ended ?? .zero) }
        }
      var page = LogPage()
      page.rows = Array(rows.filter { $0.place > place }.sorted { $0.place < $1.place }.prefix(limit))
      guard let last = page.rows.last?.place.number else { return page }
      page.lastBegan =
        log == .endedRun
        ? content.endedRuns[last]?.started : content.deliveries.last { $0.delivery.number == last }?.delivery.created
      return page
    }
  }

  private static func place(of attempt: Attempt) -> LogPlace {
    LogPlace(attempt.delivery, attempt: Int64(attempt.attempt))
  }

  package func delete(_ log: WalkedLog, _ places: [LogPlace]) throws(StoreError) -> Int {
    if places.isEmpty { return 0 }
    let gone = Set(places)
    return disk.content.withLock { content in
      let before = content.deliveries.count + content.attempts.count + content.endedRuns.count
      switch log {
      case .delivery: content.deliveries.removeAll { gone.contains(LogPlace($0.delivery.number)) }
      case .attempt: content.attempts.removeAll { gone.contains(MemoryStore.place(of: $0)) }
      case .endedRun: for place in gone { content.endedRuns[place.number] = nil }
      }
      return before - content.deliveries.count - content.attempts.count - content.endedRuns.count
    }
  }

  package func keepEvents(_ numbers: [Int64]) throws(StoreError) {
    disk.content.withLock { content in
      var kept: [Int64: EventRow] = [:]
      for number in numbers {
        let place = MemoryStore.place(in: content.events) { $0.number < number }
        if place < content.events.count, content.events[place].number == number {
          kept[number] = content.events[place]
        } else {
          kept[number] = content.keptEvents[number]
        }
      }
      content.keptEvents = kept
    }
  }

  package func storeReader() throws(StoreError) -> any EngineReader { MemoryReader(disk) }
  package func makeReader() throws(StoreError) -> any EngineReader { MemoryReader(disk) }

  package func freeReserve() -> Bool {
    disk.content.withLock { content in
      guard content.hasReserve else { return false }
      content.hasReserve = false
      content.commitsLeft = nil
      return true
    }
  }

  @discardableResult
  package func restoreReserve() -> Bool {
    disk.content.withLock { content in
      // On a disk that is full again there is no room for a reserve either.
      content.hasReserve = content.commitsLeft == nil
      return content.hasReserve
    }
  }

  package var usedBytes: Int64 {
    get throws(StoreError) {
      disk.content.withLock { content in
        let attempts = content.attempts.reduce(0) { $0 + $1.response.count + 64 }
        return Int64(attempts + content.events.reduce(0) { $0 + $1.body.count + 64 })
      }
    }
  }

  package var sizeBytes: Int64 { disk.content.withLock { Int64($0.events.reduce(0) { $0 + $1.body.count }) } }

  package func close() {}
}
