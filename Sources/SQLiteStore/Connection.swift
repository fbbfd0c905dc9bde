// One SQLite connection and its prepared statements.
//
// Thread: the one that opened it, and no other. Promise: a handle is closed exactly once; every error
// carries SQLite's own words and code.

internal import Basics
internal import CSQLite
internal import CStoreFile
internal import Glibc
internal import Store

final class Connection {
  let handle: OpaquePointer
  private var statements: [String: Statement] = [:]

  private let path: String

  init(path: String, readOnly: Bool, cacheKilobytes: Int) throws(StoreError) {
    self.path = path
    var opened: OpaquePointer?
    let flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
      | (readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
    // Only the one that writes has something to gather.
    let code = sqlite3_open_v2(path, &opened, flags, readOnly ? nil : store_file_name())
    guard code == SQLITE_OK, let opened else {
      let reason = opened.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory"
      sqlite3_close_v2(opened)
      throw StoreError(
        .failed, "cannot open the store \(path): \(reason); check that the folder exists and is writable")
    }
    handle = opened
    _ = csqlite_config_flag(handle, SQLITE_DBCONFIG_DQS_DML, 0)
    _ = csqlite_config_flag(handle, SQLITE_DBCONFIG_DQS_DDL, 0)
    sqlite3_busy_timeout(handle, 5_000)
    try run("PRAGMA cache_size = -\(cacheKilobytes)")
    try run("PRAGMA temp_store = MEMORY")
    if readOnly { try run("PRAGMA query_only = ON") }
  }

  deinit { close() }

  // MARK: the log

  /// How many pages the log had after the last commit.
  private var logPages: Int32 = 0

  /// From here on SQLite copies nothing from the log into the file by itself: it would do so within a
  /// commit, and whoever waits for that one would wait for the copying.
  func copyLogMyself() {
    sqlite3_wal_hook(
      handle,
      { context, _, _, pages in
        Unmanaged<Connection>.fromOpaque(context!).takeUnretainedValue().logPages = pages
        return SQLITE_OK
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// Copies what readers allow, once the log has become long. On a full disk it just stays long.
  func copyLog(longerThan pages: Int32) throws(StoreError) {
    guard logPages >= pages else { return }
    logPages = 0
    let code = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    if code == SQLITE_OK || code & 0xFF == SQLITE_BUSY { return }
    let failure = failure(code, doing: "copying the log")
    if failure.code != .full { throw failure }
  }

  private var isClosed = false
  func close() {
    if isClosed { return }
    isClosed = true
    for statement in statements.values { statement.finalize() }
    statements = [:]
    sqlite3_close_v2(handle)
  }

  /// Statements that are needed once, without results.
  func run(_ sql: String) throws(StoreError) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    if code != SQLITE_OK { throw failure(code, doing: sql) }
  }

  /// The prepared statement for this text, made on first use.
  func statement(_ sql: String) throws(StoreError) -> Statement {
    if let known = statements[sql] { return known }
    let made = try prepare(sql)
    statements[sql] = made
    return made
  }

  /// A statement that is not kept; the caller holds on to it.
  func prepare(_ sql: String) throws(StoreError) -> Statement {
    var prepared: OpaquePointer?
    let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
    guard code == SQLITE_OK, let prepared else { throw failure(code, doing: sql) }
    return Statement(prepared, connection: self)
  }

  func failure(_ code: Int32, doing: String) -> StoreError {
    let words = String(cString: sqlite3_errmsg(handle))
    let primary = code & 0xFF
    // The system's own number stays from an earlier failure; it counts only where the disk was asked.
    let hasNoRoom = (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && sqlite3_system_errno(handle) == ENOSPC
    if primary == SQLITE_FULL || hasNoRoom {
      return StoreError(.full, "the disk of the store is full")
    }
    if primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB {
      return StoreError(
        .damaged, "the store \(path) is damaged or not a store of nudged (\(words)); restore it from a backup")
    }
    return StoreError(.failed, "the store failed: \(words) (SQLite code \(code)) while doing: \(doing.prefix(120))")
  }
}

final class Statement {
  private let handle: OpaquePointer
  private unowned let connection: Connection
  private var isFinalized = false

  init(_ handle: OpaquePointer, connection: Connection) {
    self.handle = handle
    self.connection = connection
  }

  deinit { finalize() }

  func finalize() {
    if isFinalized { return }
    isFinalized = true
    sqlite3_finalize(handle)
  }

  @inline(__always) func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }
  @inline(__always) func bind(_ index: Int32, _ value: Int) { sqlite3_bind_int64(handle, index, Int64(value)) }
  func bindNull(_ index: Int32) { sqlite3_bind_null(handle, index) }

  /// Binds without a copy and runs `body` while the bytes are pinned.
  @inline(__always)
  func binding<T>(_ index: Int32, _ bytes: [UInt8], _ body: () throws(StoreError) -> T) throws(StoreError) -> T {
    let result: Result<T, StoreError> = bytes.withUnsafeBytes { raw in
      _ = csqlite_bind_blob(handle, index, raw.baseAddress, Int64(raw.count))
      do throws(StoreError) { return .success(try body()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  @inline(__always)
  func binding<T>(_ index: Int32, _ text: String, _ body: () throws(StoreError) -> T) throws(StoreError) -> T {
    var text = text
    let result: Result<T, StoreError> = text.withUTF8 { raw in
      raw.withMemoryRebound(to: CChar.self) {
        _ = csqlite_bind_text(handle, index, $0.baseAddress, Int64($0.count))
      }
      do throws(StoreError) { return .success(try body()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// Runs to the end and makes ready for the next use.
  @inline(__always)
  func finish() throws(StoreError) {
    let code = sqlite3_step(handle)
    sqlite3_reset(handle)
    if code != SQLITE_DONE && code != SQLITE_ROW {
      throw connection.failure(code, doing: String(cString: sqlite3_sql(handle)))
    }
  }

  /// One row at a time; false at the end, when it is ready for the next use.
  @inline(__always)
  func next() throws(StoreError) -> Bool {
    let code = sqlite3_step(handle)
    if code == SQLITE_ROW { return true }
    sqlite3_reset(handle)
    if code != SQLITE_DONE { throw connection.failure(code, doing: String(cString: sqlite3_sql(handle))) }
    return false
  }

  /// Ends a reading before its end.
  func reset() { sqlite3_reset(handle) }

  func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
  func bytes(_ column: Int32) -> [UInt8] {
    let count = Int(sqlite3_column_bytes(handle, column))
    guard count > 0, let start = sqlite3_column_blob(handle, column) else { return [] }
    return Array(UnsafeRawBufferPointer(start: start, count: count))
  }
  func text(_ column: Int32) -> String { String(decoding: bytes(column), as: UTF8.self) }
}
