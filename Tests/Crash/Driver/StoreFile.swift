// The store's file, looked into without the daemon.
//
// Thread: main, while no daemon runs. Promise: a look changes nothing; an older store is made exactly
// from its text.

import CSQLite
import Glibc
import Store

struct StoreFile {
  let path: String

  /// Makes an older store: the statements of a fixture, in write-ahead mode as the daemon leaves it. With
  /// `keepsLog` they stay in the log, as after a kill.
  func make(from sql: String, keepsLog: Bool) throws {
    var handle: OpaquePointer?
    guard sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nil) == SQLITE_OK, let handle
    else {
      throw Wrong("cannot make \(path)")
    }
    defer { sqlite3_close_v2(handle) }
    for text in ["PRAGMA journal_mode = WAL", sql] {
      guard sqlite3_exec(handle, text, nil, nil, nil) == SQLITE_OK else {
        throw Wrong("the fixture is wrong: \(String(cString: sqlite3_errmsg(handle)))")
      }
    }
    if keepsLog { _ = csqlite_config_flag(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1) }
  }

  /// What a clean stop leaves: a whole file, nothing to recover, nothing under way.
  func proveClean() throws {
    guard access(path + "-wal", F_OK) != 0 else { throw Wrong("a clean stop left the write-ahead log behind") }
    var handle: OpaquePointer?
    guard sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK, let handle else {
      throw Wrong("cannot open \(path)")
    }
    defer { sqlite3_close_v2(handle) }
    let report = try first(handle, "PRAGMA integrity_check")
    guard report == "ok" else { throw Wrong("the integrity check says: \(report)") }
    for (what, sql) in [
      (
        "records that recovery would have to apply",
        "SELECT count(*) FROM redo WHERE record > (SELECT value FROM meta WHERE name = 'mark')"
      ),
      ("messages that nobody took", "SELECT count(*) FROM message"),
      ("deliveries that are not settled", "SELECT count(*) FROM open_delivery"),
      ("runs that live", "SELECT count(*) FROM run"),
      ("timers", "SELECT count(*) FROM timer"),
      ("runs that listen to others", "SELECT count(*) FROM waiter"),
    ] {
      let count = try first(handle, sql)
      guard count == "0" else { throw Wrong("a clean stop after everything had drained left \(count) \(what)") }
    }
  }

  /// Every run that has ended, as it is stored.
  func eachEndedRun(_ body: (RunRow) throws -> Void) throws {
    var handle: OpaquePointer?
    guard sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, nil) == SQLITE_OK, let handle else {
      throw Wrong("cannot open \(path)")
    }
    defer { sqlite3_close_v2(handle) }
    var statement: OpaquePointer?
    guard sqlite3_prepare_v2(handle, "SELECT run, packed FROM ended_run", -1, &statement, nil) == SQLITE_OK else {
      throw Wrong("\(String(cString: sqlite3_errmsg(handle)))")
    }
    defer { sqlite3_finalize(statement) }
    while sqlite3_step(statement) == SQLITE_ROW {
      let bytes = UnsafeRawBufferPointer(
        start: sqlite3_column_blob(statement, 1), count: Int(sqlite3_column_bytes(statement, 1)))
      guard let run = RunRow(number: sqlite3_column_int64(statement, 0), Array(bytes)) else {
        throw Wrong("an ended run cannot be read")
      }
      try body(run)
    }
  }

  private func first(_ handle: OpaquePointer, _ sql: String) throws -> String {
    var statement: OpaquePointer?
    guard sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK else {
      throw Wrong("\(String(cString: sqlite3_errmsg(handle))) in \(sql)")
    }
    defer { sqlite3_finalize(statement) }
    guard sqlite3_step(statement) == SQLITE_ROW, let text = sqlite3_column_text(statement, 0) else {
      throw Wrong("\(String(cString: sqlite3_errmsg(handle))) in \(sql)")
    }
    return String(cString: text)
  }
}
