// The schema, as numbered steps that only go forward. A fresh file runs all of them; an older one the
// rest. Each step is one transaction with its number, so that a kill between two steps, or in one,
// leaves a file that the next start takes further.
//
// Thread: the store thread, while opening. Promise: a step that was released is never edited.

internal import CSQLite
internal import Store

package enum Migrations {
  package static let newest = steps.count

  /// Step n takes a file from version n to n + 1.
  package static let steps: [[String]] = [
    // 1: the logs and the first look-up tables.
    [
      "CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) WITHOUT ROWID, STRICT",
      "INSERT INTO meta VALUES ('mark', 0)",
      """
      CREATE TABLE event (event INTEGER PRIMARY KEY, subject INTEGER NOT NULL, previous INTEGER NOT NULL,
        received INTEGER NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL) STRICT
      """,
      """
      CREATE TABLE verdict (row INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
        time INTEGER NOT NULL, packed BLOB NOT NULL) STRICT
      """,
      """
      CREATE TABLE delivery (delivery INTEGER PRIMARY KEY, id TEXT NOT NULL, event INTEGER NOT NULL,
        subject INTEGER NOT NULL, rule TEXT NOT NULL, destination TEXT NOT NULL, type TEXT NOT NULL,
        created INTEGER NOT NULL, expires INTEGER, body BLOB NOT NULL) STRICT
      """,
      """
      CREATE TABLE attempt (delivery INTEGER NOT NULL, attempt INTEGER NOT NULL, started INTEGER NOT NULL,
        outcome INTEGER NOT NULL, status INTEGER NOT NULL, settlement INTEGER NOT NULL, next INTEGER,
        message TEXT NOT NULL, address TEXT NOT NULL, dns_us INTEGER NOT NULL, connect_us INTEGER NOT NULL,
        tls_us INTEGER NOT NULL, first_byte_us INTEGER NOT NULL, total_us INTEGER NOT NULL, response BLOB NOT NULL,
        PRIMARY KEY (delivery, attempt)) WITHOUT ROWID, STRICT
      """,
      "CREATE TABLE redo (record INTEGER PRIMARY KEY, packed BLOB NOT NULL) STRICT",
      "CREATE TABLE dedupe (record INTEGER PRIMARY KEY, time INTEGER NOT NULL, packed BLOB NOT NULL) STRICT",
      lookUp(.subject), lookUp(.state), lookUp(.identity), lookUp(.chain), lookUp(.openDelivery), lookUp(.due),
      lookUp(.rule),
    ],
    // 2: emitted events, with what caused them and how deep; messages between lanes; `again`.
    [
      "ALTER TABLE event ADD COLUMN cause INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE event ADD COLUMN depth INTEGER NOT NULL DEFAULT 0",
      lookUp(.message), lookUp(.again), lookUp(.counter),
    ],
    // 3: verdicts are found by event; closed runs of the dedupe set.
    [
      "CREATE INDEX verdict_by_first ON verdict (first)",
      """
      CREATE TABLE dedupe_run (run INTEGER NOT NULL, page INTEGER NOT NULL, newest INTEGER NOT NULL,
        hashes BLOB NOT NULL, PRIMARY KEY (run, page)) WITHOUT ROWID, STRICT
      """,
    ],
    // 4: the events of a commit in few rows. Those from before stay where they are until their time is over.
    [
      """
      CREATE TABLE event_pack (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, received INTEGER NOT NULL,
        events INTEGER NOT NULL, packed BLOB NOT NULL) STRICT
      """
    ],
    // 5: runs that wait, with their timers and versions; which run a delivery belongs to.
    [
      lookUp(.run), lookUp(.living), lookUp(.timer), lookUp(.waiter), lookUp(.version), lookUp(.source),
      lookUp(.pause),
      "CREATE TABLE kept_event (event INTEGER PRIMARY KEY, packed BLOB NOT NULL) STRICT",
      "CREATE TABLE ended_run (run INTEGER PRIMARY KEY, ended INTEGER NOT NULL, packed BLOB NOT NULL) STRICT",
      "ALTER TABLE delivery ADD COLUMN run INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE delivery ADD COLUMN tries INTEGER NOT NULL DEFAULT 0",
      "ALTER TABLE delivery ADD COLUMN request TEXT NOT NULL DEFAULT ''",
      "CREATE INDEX delivery_by_run ON delivery (run) WHERE run <> 0",
    ],
    // 6: what is remembered of destinations; jobs that send deliveries once more.
    [lookUp(.destination), lookUp(.replay)],
    // 7: what windows, absences, segments and hold-outs know of subjects.
    [
      lookUp(.measure), lookUp(.definition), lookUp(.progress), lookUp(.tally), lookUp(.exposure), lookUp(.arms),
    ],
    // 8: what a delivery keeps its order by, also when it is sent once more.
    ["ALTER TABLE delivery ADD COLUMN order_key INTEGER NOT NULL DEFAULT 0"],
    // 9: calendar files.
    [lookUp(.calendar)],
  ]

  private static func lookUp(_ table: Table) -> String {
    let names = table.names
    return """
      CREATE TABLE \(names.table) (\(names.first) INTEGER NOT NULL, \(names.second) INTEGER NOT NULL,
        record INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (\(names.first), \(names.second))) WITHOUT ROWID, STRICT
      """
  }

  static func version(of connection: Connection) throws(StoreError) -> Int {
    let statement = try connection.prepare("PRAGMA user_version")
    return try statement.next() ? Int(statement.integer(0)) : 0
  }

  /// A file of ours has its version with its first table, in one transaction.
  static func refuseForeign(_ connection: Connection, _ path: String) throws(StoreError) {
    let first = try connection.prepare("SELECT 1 FROM sqlite_schema LIMIT 1")
    defer { first.reset() }
    guard try version(of: connection) == 0, try first.next() else { return }
    throw StoreError(
      .foreign,
      "\(path) is a database of something else and stays as it is; name another file with store = \"sqlite:PATH\"")
  }

  /// Takes the file to the newest version. An older file with records that were not swept keeps them:
  /// every step so far adds, and records keep their format.
  static func run(on connection: Connection) throws(StoreError) {
    var version = try version(of: connection)
    guard version <= newest else {
      throw StoreError(
        .newer,
        "the store has version \(version) and this nudged knows only \(newest); start the newer nudged, or restore a backup"
      )
    }
    while version < newest {
      try connection.run("BEGIN IMMEDIATE")
      for sql in steps[version] { try connection.run(sql) }
      try connection.run("PRAGMA user_version = \(version + 1)")
      try connection.run("COMMIT")
      version += 1
    }
  }
}
