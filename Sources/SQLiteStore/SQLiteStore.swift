// The store in one SQLite file: WAL, synchronous=FULL, one read-write connection which alone
// checkpoints (Debian's 3.40.1 can damage a file when a second connection writes or checkpoints, so
// there is never one). The hot path only appends; look-up tables are written by sweeps.
//
// Thread: the store thread; readers are connections of their own for the thread that asked. Promise:
// `commit` returns after the fsync, or throws and has left nothing behind.

package import Basics
internal import CPlatform
internal import CSQLite
internal import Glibc
internal import Model
package import Store

package final class SQLiteStore: StoreEngine {
  private let path: String
  let connection: Connection
  private var lock: StoreLock?
  package let recovered: Recovered
  private var verdictRow: Int64
  private let inserts: Inserts

  package static var libraryVersion: String { String(cString: sqlite3_libversion()) }

  /// Opens or makes the file, takes the lock and brings the schema up to date.
  /// `newHashKey`: what a new store shall take in place of chance.
  package init(path: String, newHashKey: (UInt64, UInt64)? = nil) throws(StoreError) {
    self.path = path
    lock = try StoreLock(path)
    SQLiteStore.makeForOwner(path)
    connection = try Connection(path: path, readOnly: false, cacheKilobytes: Limits.writerCacheKilobytes)
    try Migrations.refuseForeign(connection, path)
    try connection.run("PRAGMA journal_mode = WAL")
    try connection.run("PRAGMA synchronous = FULL")
    try connection.run("PRAGMA secure_delete = OFF")
    connection.copyLogMyself()
    try connection.run("PRAGMA journal_size_limit = 67108864")
    try Migrations.run(on: connection)
    recovered = try SQLiteStore.recover(connection, newHashKey)
    verdictRow = try SQLiteStore.maximum("row", of: "verdict", connection)
    inserts = try Inserts(connection)
    restoreReserve()
  }

  /// A new file is the owner's alone: it holds what customers did. SQLite gives its other files the same
  /// rights. What already exists keeps the rights that somebody chose for it.
  private static func makeForOwner(_ path: String) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    if descriptor >= 0 { Glibc.close(descriptor) }
  }

  private static func maximum(_ column: String, of table: String, _ connection: Connection) throws(StoreError) -> Int64
  {
    let statement = try connection.prepare("SELECT max(\(column)) FROM \(table)")
    defer { statement.reset() }
    return try statement.next() ? statement.integer(0) : 0
  }

  /// The highest number in a pack; no index is needed for it, because packs are narrow.
  private static func newestPacked(_ connection: Connection) throws(StoreError) -> Int64 {
    let statement = try connection.prepare(
      "SELECT max(last) FROM event_pack WHERE first > (SELECT max(first) FROM event_pack) - \(EventPack.span)")
    defer { statement.reset() }
    return try statement.next() ? statement.integer(0) : 0
  }

  private static func recover(
    _ connection: Connection, _ newHashKey: (UInt64, UInt64)?
  ) throws(StoreError) -> Recovered {
    var found = Recovered()
    found.mark = try meta("mark", connection) ?? 0
    found.record = max(
      found.mark, try maximum("record", of: "redo", connection), try maximum("record", of: "dedupe", connection))
    found.event = max(try maximum("event", of: "event", connection), try newestPacked(connection))
    found.delivery = try maximum("delivery", of: "delivery", connection)
    found.subject = try maximum("subject", of: "subject", connection)
    found.rule = try maximum("rule", of: "rule", connection)
    found.run = max(
      try maximum("run", of: "ended_run", connection), try maximum("run", of: "run", connection))
    found.version = try maximum("version", of: "version", connection)
    found.dedupeRun = try maximum("run", of: "dedupe_run", connection)
    if let high = try meta("hash_key_0", connection), let low = try meta("hash_key_1", connection) {
      found.hashKey = (UInt64(bitPattern: high), UInt64(bitPattern: low))
    } else {
      var random = SystemRandom()
      found.hashKey = newHashKey ?? (random.next(), random.next())
      try connection.run("BEGIN IMMEDIATE")
      try connection.run("INSERT INTO meta VALUES ('hash_key_0', \(Int64(bitPattern: found.hashKey.0)))")
      try connection.run("INSERT INTO meta VALUES ('hash_key_1', \(Int64(bitPattern: found.hashKey.1)))")
      try connection.run("COMMIT")
    }
    return found
  }

  private static func meta(_ name: String, _ connection: Connection) throws(StoreError) -> Int64? {
    let statement = try connection.prepare("SELECT value FROM meta WHERE name = '\(name)'")
    defer { statement.reset() }
    return try statement.next() ? statement.integer(0) : nil
  }

  package func redo(
    after mark: Int64, _ body: (_ record: Int64, _ packed: [UInt8]) throws(StoreError) -> Void
  ) throws(StoreError) {
    let statement = try connection.prepare("SELECT record, packed FROM redo WHERE record > ? ORDER BY record")
    statement.bind(1, mark)
    while try statement.next() { try body(statement.integer(0), statement.bytes(1)) }
  }

  package func dedupe(_ body: (_ record: Int64, _ time: Instant, _ packed: [UInt8]) -> Void) throws(StoreError) {
    let statement = try connection.prepare("SELECT record, time, packed FROM dedupe ORDER BY record")
    while try statement.next() {
      body(statement.integer(0), Instant(milliseconds: statement.integer(1)), statement.bytes(2))
    }
  }

  // MARK: commit

  package func commit(_ group: Group) throws(StoreError) {
    try together { () throws(StoreError) in try write(group) }
  }

  /// All of it or nothing.
  func together<T>(_ body: () throws(StoreError) -> T) throws(StoreError) -> T {
    do throws(StoreError) {
      try inserts.begin.finish()
      let result = try body()
      try inserts.commit.finish()
      return result
    } catch {
      // After a full disk SQLite may have rolled back by itself already; then this says so and is done.
      if sqlite3_get_autocommit(connection.handle) == 0 { try? inserts.rollback.finish() }
      throw error
    }
  }

  private func write(_ group: Group) throws(StoreError) {
    for pack in group.events.packs { try inserts.insert(pack) }
    for row in group.verdicts {
      verdictRow += 1
      try inserts.insert(row, number: verdictRow, time: group.time)
    }
    for rows in group.deliveries { for row in rows { try inserts.insert(row) } }
    for attempt in group.attempts { try inserts.insert(attempt) }
    for run in group.endedRuns { try inserts.insert(run) }
    if !group.redo.isEmpty { try inserts.insert(record: group.record, redo: group.redo) }
    if !group.dedupe.isEmpty { try inserts.insert(record: group.record, time: group.time, dedupe: group.dedupe) }
    for page in group.pages { try inserts.insert(page) }
    if let through = group.dedupeClosedThrough {
      try connection.run("DELETE FROM dedupe WHERE record <= \(through)")
    }
    for row in group.sweep { try inserts.sweep(row) }
    if let mark = group.mark {
      inserts.mark.bind(1, mark)
      try inserts.mark.finish()
    }
  }

  package func tidy() throws(StoreError) { try connection.copyLog(longerThan: SQLiteStore.longLogPages) }
  private static let longLogPages: Int32 = 1_000

  package func purge(
    _ log: LogTable, through number: Int64, olderThan time: Instant, limit: Int
  ) throws(StoreError) -> Int {
    let sql: String
    switch log {
    case .event: return try purgeEvents(through: number, olderThan: time, limit: limit)
    case .verdict: sql = SQLiteStore.purge("verdict", key: "row", time: "time")
    case .redo:
      sql =
        "DELETE FROM redo WHERE record IN (SELECT record FROM redo WHERE record <= ?1 AND ?2 > 0 ORDER BY record LIMIT ?3)"
    case .dedupe: sql = SQLiteStore.purge("dedupe", key: "record", time: "time")
    case .dedupeRun:
      sql = """
        DELETE FROM dedupe_run WHERE (run, page) IN
          (SELECT run, page FROM dedupe_run WHERE run <= ?1 AND newest < ?2 ORDER BY run, page LIMIT ?3)
        """
    }
    return try purge(sql, number, time, limit)
  }

  private func purge(_ sql: String, _ number: Int64, _ time: Instant, _ limit: Int) throws(StoreError) -> Int {
    let statement = try connection.statement(sql)
    statement.bind(1, number)
    statement.bind(2, time.milliseconds)
    statement.bind(3, limit)
    try statement.finish()
    return Int(sqlite3_changes(connection.handle))
  }

  /// First the rows from before events were packed, then packs, as many as have `limit` events together. Only
  /// few packs are looked at, because each lies on pages of its own.
  private func purgeEvents(
    through number: Int64, olderThan time: Instant, limit: Int
  ) throws(StoreError) -> Int {
    let isContinued = "EXISTS (SELECT 1 FROM event_pack)"
    let single = try purge(
      SQLiteStore.purge("event", key: "event", time: "received", orWhere: isContinued), number, time, limit)
    if single > 0 { return single }
    return try purge(
      """
      DELETE FROM event_pack WHERE first IN (SELECT first FROM
        (SELECT first, last, received, events, sum(events) OVER (ORDER BY first) AS total FROM
          (SELECT first, last, received, events FROM event_pack ORDER BY first LIMIT max(8, ?3 / 16)))
        WHERE total - events < ?3 AND last <= ?1 AND received < ?2 AND first < (SELECT max(first) FROM event_pack))
      """, number, time, limit)
  }

  /// The newest row always stays, because the numbers go on from it; unless they go on elsewhere.
  private static func purge(_ table: String, key: String, time: String, orWhere isContinued: String = "FALSE") -> String
  {
    """
    DELETE FROM \(table) WHERE \(key) IN (SELECT \(key) FROM (SELECT \(key), \(time) FROM \(table) ORDER BY \(key) LIMIT ?3)
      WHERE \(key) <= ?1 AND \(time) < ?2 AND (\(key) < (SELECT max(\(key)) FROM \(table)) OR \(isContinued)))
    """
  }

  package func keepEvents(_ numbers: [Int64]) throws(StoreError) {
    let reader = SQLiteReader(connection)
    let wanted = Set(numbers)
    var kept: Set<Int64> = []
    let list = try connection.statement("SELECT event FROM kept_event")
    while try list.next() { kept.insert(list.integer(0)) }
    if kept == wanted { return }
    try together { () throws(StoreError) in
      for number in wanted.subtracting(kept).sorted() {
        if let row = try reader.event(number) { try inserts.keep(row) }
      }
      for number in kept.subtracting(wanted) { try connection.run("DELETE FROM kept_event WHERE event = \(number)") }
    }
  }

  package func storeReader() throws(StoreError) -> any EngineReader { SQLiteReader(connection) }

  package func makeReader() throws(StoreError) -> any EngineReader {
    SQLiteReader(try Connection(path: path, readOnly: true, cacheKilobytes: Limits.readerCacheKilobytes))
  }

  // MARK: space

  private var reservePath: String { path + ".reserve" }

  package func freeReserve() -> Bool { unlink(reservePath) == 0 }

  @discardableResult
  package func restoreReserve() -> Bool {
    let descriptor = open(reservePath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return false }
    let held = platform_allocate(descriptor, Limits.reserveBytes) == 0
    Glibc.close(descriptor)
    // Half a reserve would only help to fill the disk.
    if !held { unlink(reservePath) }
    return held
  }

  package var usedBytes: Int64 {
    get throws(StoreError) {
      var numbers: [Int64] = []
      for name in ["page_count", "freelist_count", "page_size"] {
        let statement = try connection.statement("PRAGMA \(name)")
        defer { statement.reset() }
        numbers.append(try statement.next() ? statement.integer(0) : 0)
      }
      return (numbers[0] - numbers[1]) * numbers[2]
    }
  }

  package var sizeBytes: Int64 {
    var total: Int64 = 0
    for suffix in ["", "-wal"] {
      var information = stat()
      if stat(path + suffix, &information) == 0 { total += Int64(information.st_blocks) * 512 }
    }
    return total
  }

  package func close() {
    inserts.close()
    connection.close()
    lock = nil
  }

  deinit { close() }
}

/// Held while the store is open; another process finds it taken.
private final class StoreLock {
  private let descriptor: Int32

  init(_ path: String) throws(StoreError) {
    descriptor = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw StoreError(
        .failed,
        "cannot make the lock file \(path).lock: \(String(cString: strerror(errno))); check the folder and its rights")
    }
    guard platform_lock(descriptor) == 0 else {
      throw StoreError(
        .locked,
        "another nudged has the store \(path) open; stop it, or speak to it with --admin, or use another --store")
    }
  }

  deinit { if descriptor >= 0 { Glibc.close(descriptor) } }
}
