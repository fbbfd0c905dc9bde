// Older stores and the way to the newest version: everything in them is found afterwards, wherever a
// kill cuts the way in two.
//
// Thread: a test's. Promise: the fixtures are read as they are; each test works on a copy of its own.

import Basics
import CSQLite
import Glibc
import Model
import SQLiteStore
import Store
import Testing

@Suite struct MigrationTests {
  private let scratch = Scratch()
  private var path: String { scratch.path + "/store.db" }

  @Test(arguments: [1, 2, 3, 7])
  func `a store of an older version keeps everything`(version: Int) throws {
    try PlainFile(path, fixture: version).close()
    try findEverything(path, since: version)
    // And once more, now that it is of the newest version.
    try findEverything(path, since: version)
  }

  @Test(arguments: [1, 2, 3, 7])
  func `a kill after any statement of any step leaves a store that goes on`(version: Int) throws {
    for step in version..<Migrations.newest {
      // The statements of the step, then its number, then its commit.
      for statements in 0...Migrations.steps[step].count + 2 {
        let file = try PlainFile(path, fixture: version)
        for whole in version..<step { try file.migrate(whole, statements: .max) }
        try file.migrate(step, statements: statements)
        // What a kill at this moment would leave: both files as they are, the transaction open or not.
        let cut = Scratch()
        try copy(path, to: cut.path + "/store.db")
        try copy(path + "-wal", to: cut.path + "/store.db-wal")
        file.close()
        try findEverything(cut.path + "/store.db", since: version)
        scratch.empty()
      }
    }
  }

  @Test func `events from before they were packed stay in order and go when their time is over`() throws {
    try PlainFile(path, fixture: 3).close()
    let engine = try SQLiteStore(path: path)
    defer { engine.close() }
    let old = Instant(milliseconds: 1_760_000_100_000)
    #expect(try engine.purge(.event, through: .max, olderThan: old, limit: 100) == 4, "numbers go on from the last")
    var group = Group(record: 5, time: old)
    group.events = EventPacks([
      EventRow(
        number: 6, subject: 2, previous: 5, received: old, source: "default", name: "tick", cause: 0, depth: 0, body: []
      )
    ])
    try engine.commit(group)
    let reader = try engine.makeReader()
    #expect(try reader.events(before: .max, limit: 10).map(\.number) == [6, 5])
    #expect(try reader.events(before: 6, limit: 10).map(\.number) == [5])
    #expect(try reader.event(5)?.previous == 4)
    while try engine.purge(.event, through: .max, olderThan: old, limit: 100) > 0 {}
    #expect(try reader.events(before: .max, limit: 10).map(\.number) == [6])
  }

  @Test func `a store of a newer version is left alone`() throws {
    let file = try PlainFile(path, fixture: 2)
    try file.run("PRAGMA user_version = 99")
    file.close()
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
    #expect(error?.code == .newer)
  }

  @Test func `a database of something else is refused and stays as it was`() throws {
    var opened: OpaquePointer?
    try #require(sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nil) == SQLITE_OK)
    try #require(sqlite3_exec(opened, "CREATE TABLE wish (name TEXT)", nil, nil, nil) == SQLITE_OK)
    sqlite3_close_v2(opened)
    let before = try PlainFile.bytes(of: path)
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
    #expect(error?.code == .foreign)
    #expect(error?.message.contains("a database of something else") == true)
    #expect(try PlainFile.bytes(of: path) == before)
  }

  // MARK: what is in the fixtures

  private func findEverything(_ path: String, since version: Int) throws {
    if version >= 7 { return try findRuns(path) }
    let loop = try StoreLoop(engine: try SQLiteStore(path: path))
    defer { loop.close() }
    let reader = try loop.makeReader()
    #expect(loop.recovered.record == 4)
    #expect(loop.recovered.mark == 2)
    #expect(loop.recovered.event == 5)
    #expect(loop.recovered.hashKey.0 == 0x0123_4567_89ab_cdef)
    // The second subject stands in redo alone, and its number must not be given to another.
    #expect(loop.highestSubject == 2)
    #expect(loop.highestRule == 1)
    try findEvents(reader)
    try findState(reader, loop.recovered.hashKey)
    try findDeliveries(reader)
    let messages = try reader.rows(from: RowKey(.message, .min), to: RowKey(.message, .max), limit: 10)
    #expect(messages.map(\.key.first) == (version >= 2 ? [5] : []))
    var seen = 0
    try loop.dedupeRows { _, _, packed in seen += DedupePage.unpack(packed).count }
    #expect(seen == 5)
  }

  private func findEvents(_ reader: StoreReader) throws {
    let events = try reader.engine.events(before: .max, limit: 10)
    #expect(events.map(\.number) == [5, 4, 3, 2, 1])
    #expect(events.map(\.previous) == [4, 0, 2, 1, 0])
    #expect(events.allSatisfy { $0.cause == 0 && $0.depth == 0 && $0.source == "default" })
    #expect(String(decoding: events[4].body, as: UTF8.self).hasPrefix("{\"id\":\"old-1\""))
    let verdicts = try reader.engine.verdicts(around: 3).flatMap { $0.unpack() }
    #expect(verdicts.first { $0.event == 3 }?.verdicts.first?.code == .ran)
  }

  private func findState(_ reader: StoreReader, _ key: (UInt64, UInt64)) throws {
    for (name, subject, ticks, newest) in [("user:old", Int64(1), 3, Int64(3)), ("user:older", 2, 2, 5)] {
      let hash = KeyedHash(key0: key.0, key1: key.1).hash(name)
      let identity = RowKey(.identity, Int64(bitPattern: hash.high), Int64(bitPattern: hash.low))
      #expect(try reader.value(identity).flatMap(NumberRow.unpack) == subject)
      #expect(try reader.value(RowKey(.subject, subject)).flatMap(SubjectRow.init)?.names.map(\.description) == [name])
      #expect(try reader.value(RowKey(.state, subject, 1)) == Array("{\"ticks\":\(ticks)}".utf8))
      #expect(try reader.value(RowKey(.chain, subject)).flatMap(NumberRow.unpack) == newest)
    }
    #expect(try reader.value(RowKey(.rule, 1)) == Array("count".utf8))
  }

  private func findDeliveries(_ reader: StoreReader) throws {
    #expect(
      try reader.engine.deliveries(before: .max, limit: 10).map(\.delivery.id) == [
        "msg_old-4", "msg_old-3", "msg_old-2",
      ])
    let open = try reader.rows(from: RowKey(.openDelivery, 0), to: RowKey(.openDelivery, .max), limit: 10)
    #expect(open.map(\.key.first) == [2, 3])
    #expect(open.compactMap { $0.value.flatMap(OpenDelivery.init)?.attempts } == [1, 0])
    let due = try reader.rows(from: RowKey(.due, .min), to: RowKey(.due, .max), limit: 10)
    #expect(due.map(\.key.second) == [2, 3])
    #expect(try reader.engine.attempts(of: 1).map(\.settlement) == [.delivered])
  }

  /// What the fixture of version 7 holds besides: packed events, runs, windows and what is remembered of a destination.
  private func findRuns(_ path: String) throws {
    let loop = try StoreLoop(engine: try SQLiteStore(path: path))
    defer { loop.close() }
    let reader = try loop.makeReader()
    #expect(loop.recovered.record == 33 && loop.recovered.mark == 29)
    #expect(loop.recovered.event == 3 && loop.recovered.delivery == 6)
    // The second user and his run stand in redo alone.
    #expect(loop.highestSubject == 2 && loop.highestRun == 2 && loop.highestRule == 2 && loop.highestVersion == 2)
    let events = try reader.engine.events(before: .max, limit: 10)
    #expect(events.map(\.number) == [3, 2, 1] && events.map(\.previous) == [0, 1, 0])
    let runs = try reader.rows(from: RowKey(.run, .min), to: RowKey(.run, .max), limit: 10)
    #expect(runs.compactMap { row in row.value.flatMap { RunRow(number: row.key.first, $0) }?.subject } == [1, 2])
    let timers = try reader.rows(from: RowKey(.timer, .min), to: RowKey(.timer, .max), limit: 10)
    #expect(timers.map(\.key.second) == [1, 2])
    for (subject, ticks) in [(Int64(1), 2), (2, 1)] {
      #expect(try reader.value(RowKey(.state, subject, 1)) == Array("{\"ticks\":\(ticks)}".utf8))
      let measures = try reader.rows(from: RowKey(.measure, subject), to: RowKey(.measure, subject + 1), limit: 10)
      #expect(measures.count == 1)
    }
    let held = try #require(loop.states.first)
    #expect(loop.states.count == 1 && held.name == "hook" && held.heldSince != nil && held.reason == "kept")
    try findOrdered(reader)
  }

  private func findOrdered(_ reader: StoreReader) throws {
    let deliveries = try reader.engine.deliveries(before: .max, limit: 10).map(\.delivery)
    #expect(deliveries.map(\.number) == [6, 5, 4, 3, 2, 1])
    #expect(deliveries.map(\.destination) == ["done", "hook", "done", "hook", "done", "hook"])
    // The log did not know yet what a delivery keeps its order by; what is open does.
    #expect(deliveries.allSatisfy { $0.orderKey == 0 })
    let open = try reader.rows(from: RowKey(.openDelivery, 0), to: RowKey(.openDelivery, .max), limit: 10)
    #expect(open.map(\.key.first) == [1, 3, 5])
    #expect(open.compactMap { $0.value.flatMap(OpenDelivery.init) }.map(\.orderKey) == [1, 1, 2])
    #expect(try reader.engine.attempts(of: 1).map(\.status) == [503])
    #expect(try reader.engine.attempts(of: 2).map(\.settlement) == [.delivered])
  }

  private func copy(_ from: String, to: String) throws {
    let source = open(from, O_RDONLY)
    let target = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    defer {
      close(source)
      close(target)
    }
    try #require(source >= 0 && target >= 0, "cannot copy \(from)")
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(source, &chunk, chunk.count), count > 0 {
      try #require(write(target, chunk, count) == count)
    }
  }
}

/// A store's file in SQLite's own hands, without the engine.
private final class PlainFile {
  private let handle: OpaquePointer

  /// A new one from a fixture; what it holds stays in the log, as after a kill.
  init(_ path: String, fixture version: Int) throws {
    var opened: OpaquePointer?
    try #require(sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nil) == SQLITE_OK)
    handle = try #require(opened)
    _ = csqlite_config_flag(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    try run("PRAGMA journal_mode = WAL")
    // With no room in memory, an open transaction is in the log already.
    try run("PRAGMA cache_size = 1")
    try run(PlainFile.text(of: version))
  }

  private static func text(of version: Int, file: String = #filePath) throws -> String {
    let path = file.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 } + "/Fixtures/store-\(version).sql"
    return String(decoding: try bytes(of: path), as: UTF8.self)
  }

  static func bytes(of path: String) throws -> [UInt8] {
    let opened = try #require(fopen(path, "r"), "cannot read \(path)")
    defer { fclose(opened) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    return Array(bytes[..<fread(&bytes, 1, bytes.count, opened)])
  }

  func run(_ sql: String) throws {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    try #require(code == SQLITE_OK, "\(String(cString: sqlite3_errmsg(handle))) in \(sql)")
  }

  /// The first statements of a step as the engine runs them, its number and its commit among them.
  func migrate(_ step: Int, statements: Int) throws {
    let all = Migrations.steps[step] + ["PRAGMA user_version = \(step + 1)", "COMMIT"]
    try run("BEGIN IMMEDIATE")
    for sql in all.prefix(statements) { try run(sql) }
  }

  func close() { sqlite3_close_v2(handle) }
}
