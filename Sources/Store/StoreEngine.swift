// The contract of a store engine: what SQLite and every other engine must do, and nothing about how.
// The conformance suite in Tests/StoreContract holds every engine to it.
//
// Thread: an engine belongs to the store thread; a reader to the thread that asked for it. Promise of
// an engine: a group is durable as a whole or not at all; a reader sees whole groups only.

package import Basics
package import Model

package struct StoreError: Error, Sendable, CustomStringConvertible {
  package enum Code: Sendable, Equatable {
    /// Another process has the store.
    case locked
    /// No space left; the group was rolled back and may be tried once more.
    case full
    /// Damage, or a format this version does not know.
    case damaged
    /// Made by a newer version.
    case newer
    /// A file that something else made.
    case foreign
    /// Anything else the disk or the library said. The process must end: nothing can be assumed.
    case failed
  }
  package var code: Code
  package var message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { message }
}

/// What an engine finds when it opens.
package struct Recovered: Sendable {
  /// The newest record, and the one after which redo has to be applied.
  package var record: Int64 = 0
  package var mark: Int64 = 0
  package var event: Int64 = 0
  package var delivery: Int64 = 0
  package var subject: Int64 = 0
  package var rule: Int64 = 0
  package var run: Int64 = 0
  package var version: Int64 = 0
  package var dedupeRun: Int64 = 0
  /// The secret of this store's keyed hashes.
  package var hashKey: (UInt64, UInt64) = (0, 0)

  package init() {}
}

/// The append-only tables in which what is oldest stands at the head.
package enum LogTable: String, Sendable, CaseIterable {
  case event, verdict, redo, dedupe
  case dedupeRun = "dedupe_run"
}

/// The append-only tables in which what may go stands between what may not: a delivery may be open for months and
/// tried once more after them, and a run ends long after younger ones have.
package enum WalkedLog: String, Sendable, CaseIterable {
  case delivery, attempt
  case endedRun = "ended_run"
}

/// Where a row of a walked log stands: a delivery, one of its tries, or a run.
package struct LogPlace: Sendable, Hashable, Comparable {
  package var number: Int64
  package var attempt: Int64

  /// Before every row.
  package static let start = LogPlace(.min, attempt: .min)

  package init(_ number: Int64, attempt: Int64 = 0) {
    self.number = number
    self.attempt = attempt
  }

  package static func < (left: LogPlace, right: LogPlace) -> Bool {
    left.number != right.number ? left.number < right.number : left.attempt < right.attempt
  }
}

/// A few rows of a walked log, in the order of their places.
package struct LogPage: Sendable, Equatable {
  package struct Row: Sendable, Equatable {
    package var place: LogPlace
    /// When the delivery was decided, the try was made, or the run ended.
    package var time: Instant

    package init(_ place: LogPlace, _ time: Instant) {
      self.place = place
      self.time = time
    }
  }

  package var rows: [Row] = []
  /// When the delivery or the run of the last row began, where that is known. What stands above began no earlier, so
  /// that nothing there is from before.
  package var lastBegan: Instant?

  package init() {}
}

package protocol StoreEngine: AnyObject {
  var recovered: Recovered { get }

  /// Redo records above `mark`, oldest first.
  func redo(after mark: Int64, _ body: (_ record: Int64, _ packed: [UInt8]) throws(StoreError) -> Void)
    throws(StoreError)

  /// Packed dedupe rows not yet covered by a closed run, oldest first.
  func dedupe(_ body: (_ record: Int64, _ time: Instant, _ packed: [UInt8]) -> Void) throws(StoreError)

  /// All or nothing, on disk when it returns.
  func commit(_ group: Group) throws(StoreError)

  /// Work that the last commits left behind and that nobody waits for. To be called after what they allowed
  /// was passed on.
  func tidy() throws(StoreError)

  /// Deletes rows of a log that are older than `time` or, for redo, not above `number`; at most
  /// `limit` of them. Returns how many went.
  func purge(_ log: LogTable, through number: Int64, olderThan time: Instant, limit: Int) throws(StoreError) -> Int

  /// The first rows above a place.
  func page(of log: WalkedLog, after place: LogPlace, limit: Int) throws(StoreError) -> LogPage

  /// Deletes these rows, all or nothing, and returns how many went: the newest row may have to stay, where numbers
  /// go on from it.
  func delete(_ log: WalkedLog, _ places: [LogPlace]) throws(StoreError) -> Int

  /// Sets these events aside so that they outlive their range, and lets go of others that were set aside.
  func keepEvents(_ numbers: [Int64]) throws(StoreError)

  /// A reader on the engine's own thread.
  func storeReader() throws(StoreError) -> any EngineReader

  /// A reader for another thread, to be used by that one alone.
  func makeReader() throws(StoreError) -> any EngineReader

  /// Frees the space set aside for the day the disk is full; true when there was some.
  func freeReserve() -> Bool
  /// Sets it aside again; false when there is no room for it.
  @discardableResult func restoreReserve() -> Bool

  /// Bytes in use inside the store: what was deleted and waits to be used again does not count.
  var usedBytes: Int64 { get throws(StoreError) }

  /// Bytes the store takes on disk.
  var sizeBytes: Int64 { get }

  func close()
}

extension StoreEngine {
  package func tidy() throws(StoreError) {}
}

/// Reads what is in the tables. Every call sees the newest commit there is when it begins.
package protocol EngineReader: AnyObject {
  func value(_ key: RowKey) throws(StoreError) -> Row?
  /// Rows with `from` <= key < `to`, in order.
  func rows(from: RowKey, to: RowKey, limit: Int) throws(StoreError) -> [Row]
  func event(_ number: Int64) throws(StoreError) -> EventRow?
  /// Newest first, numbers below `before`.
  func events(before: Int64, limit: Int) throws(StoreError) -> [EventRow]
  /// The batches of verdicts that may hold this event's.
  func verdicts(around event: Int64) throws(StoreError) -> [VerdictRow]
  func delivery(_ number: Int64) throws(StoreError) -> DeliveryRow?
  func deliveries(before: Int64, limit: Int) throws(StoreError) -> [DeliveryRow]
  /// Oldest first, numbers above `after`.
  func deliveries(after: Int64, limit: Int) throws(StoreError) -> [DeliveryRow]
  /// What a run sent, in the order in which it did.
  func deliveries(ofRun run: Int64, limit: Int) throws(StoreError) -> [DeliveryRow]
  func attempts(of delivery: Int64) throws(StoreError) -> [Attempt]
  /// A run that has ended.
  func endedRun(_ number: Int64) throws(StoreError) -> RunRow?
  /// Newest first, numbers below `before`.
  func endedRuns(before: Int64, limit: Int) throws(StoreError) -> [RunRow]
  /// One page of a closed run of the dedupe set.
  func dedupePage(run: Int64, page: Int64) throws(StoreError) -> DedupePage?
}
