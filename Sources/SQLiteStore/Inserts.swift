// The prepared statements of the hot path, one method a table.
//
// Thread: the store thread. Promise: bytes are bound where they lie, without a copy.

internal import Basics
internal import Model
internal import Store

final class Inserts {
  let begin: Statement
  let commit: Statement
  let rollback: Statement
  let mark: Statement
  private let event: Statement
  private let verdict: Statement
  private let delivery: Statement
  private let attempt: Statement
  private let redo: Statement
  private let dedupe: Statement
  private let page: Statement
  private let endedRun: Statement
  private let keptEvent: Statement
  private let replace: [Statement]
  private let remove: [Statement]

  init(_ connection: Connection) throws(StoreError) {
    begin = try connection.prepare("BEGIN IMMEDIATE")
    commit = try connection.prepare("COMMIT")
    rollback = try connection.prepare("ROLLBACK")
    mark = try connection.prepare("UPDATE meta SET value = ? WHERE name = 'mark'")
    event = try connection.prepare(
      "INSERT INTO event_pack (first, last, received, events, packed) VALUES (?,?,?,?,?)")
    verdict = try connection.prepare("INSERT INTO verdict (row, first, last, time, packed) VALUES (?,?,?,?,?)")
    delivery = try connection.prepare(
      """
      INSERT INTO delivery (delivery, id, event, subject, rule, destination, type, created, expires, body, run, tries,
        request, order_key) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)
      """)
    attempt = try connection.prepare("INSERT OR REPLACE INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
    redo = try connection.prepare("INSERT INTO redo (record, packed) VALUES (?,?)")
    dedupe = try connection.prepare("INSERT INTO dedupe (record, time, packed) VALUES (?,?,?)")
    page = try connection.prepare("INSERT OR REPLACE INTO dedupe_run (run, page, newest, hashes) VALUES (?,?,?,?)")
    keptEvent = try connection.prepare("INSERT OR REPLACE INTO kept_event (event, packed) VALUES (?,?)")
    endedRun = try connection.prepare("INSERT OR REPLACE INTO ended_run (run, ended, packed) VALUES (?,?,?)")
    var replace: [Statement] = []
    var remove: [Statement] = []
    for table in Table.allCases {
      let names = table.names
      replace.append(
        try connection.prepare(
          "INSERT OR REPLACE INTO \(names.table) (\(names.first), \(names.second), record, value) VALUES (?,?,?,?)"))
      remove.append(
        try connection.prepare("DELETE FROM \(names.table) WHERE \(names.first) = ? AND \(names.second) = ?"))
    }
    self.replace = replace
    self.remove = remove
  }

  func close() {
    for statement in [
      begin, commit, rollback, mark, event, verdict, delivery, attempt, redo, dedupe, page, endedRun, keptEvent,
    ]
      + replace
      + remove
    {
      statement.finalize()
    }
  }

  func insert(_ pack: EventPack) throws(StoreError) {
    event.bind(1, pack.first)
    event.bind(2, pack.last)
    event.bind(3, pack.received.milliseconds)
    event.bind(4, pack.count)
    try event.binding(5, pack.packed) { () throws(StoreError) in try event.finish() }
  }

  func insert(_ row: VerdictRow, number: Int64, time: Instant) throws(StoreError) {
    verdict.bind(1, number)
    verdict.bind(2, row.first)
    verdict.bind(3, row.last)
    verdict.bind(4, time.milliseconds)
    try verdict.binding(5, row.packed) { () throws(StoreError) in try verdict.finish() }
  }

  func insert(_ row: DeliveryRow) throws(StoreError) {
    delivery.bind(1, row.delivery.number)
    delivery.bind(3, row.event)
    delivery.bind(4, row.subject)
    delivery.bind(8, row.delivery.created.milliseconds)
    if let expires = row.delivery.expires { delivery.bind(9, expires.milliseconds) } else { delivery.bindNull(9) }
    delivery.bind(11, row.run)
    delivery.bind(12, row.delivery.tries)
    delivery.bind(14, row.delivery.orderKey)
    try delivery.binding(2, row.delivery.id) { () throws(StoreError) in
      try delivery.binding(5, row.rule) { () throws(StoreError) in
        try delivery.binding(6, row.delivery.destination) { () throws(StoreError) in
          try delivery.binding(7, row.delivery.type) { () throws(StoreError) in
            try delivery.binding(13, row.delivery.request) { () throws(StoreError) in
              try delivery.binding(10, row.delivery.body) { () throws(StoreError) in try delivery.finish() }
            }
          }
        }
      }
    }
  }

  func insert(_ row: Attempt) throws(StoreError) {
    attempt.bind(1, row.delivery)
    attempt.bind(2, row.attempt)
    attempt.bind(3, row.started.milliseconds)
    attempt.bind(4, Int(row.outcome.rawValue))
    attempt.bind(5, row.status)
    switch row.settlement {
    case .delivered:
      attempt.bind(6, 1)
      attempt.bindNull(7)
    case .retry(let at):
      attempt.bind(6, 2)
      attempt.bind(7, at.milliseconds)
    case .failed:
      attempt.bind(6, 3)
      attempt.bindNull(7)
    }
    attempt.bind(10, row.dnsMicroseconds)
    attempt.bind(11, row.connectMicroseconds)
    attempt.bind(12, row.tlsMicroseconds)
    attempt.bind(13, row.firstByteMicroseconds)
    attempt.bind(14, row.totalMicroseconds)
    try attempt.binding(8, row.message) { () throws(StoreError) in
      try attempt.binding(9, row.address) { () throws(StoreError) in
        try attempt.binding(15, row.response) { () throws(StoreError) in try attempt.finish() }
      }
    }
  }

  func insert(record: Int64, redo packed: [UInt8]) throws(StoreError) {
    redo.bind(1, record)
    try redo.binding(2, packed) { () throws(StoreError) in try redo.finish() }
  }

  func insert(record: Int64, time: Instant, dedupe packed: [UInt8]) throws(StoreError) {
    dedupe.bind(1, record)
    dedupe.bind(2, time.milliseconds)
    try dedupe.binding(3, packed) { () throws(StoreError) in try dedupe.finish() }
  }

  func insert(_ row: DedupePage) throws(StoreError) {
    page.bind(1, row.run)
    page.bind(2, row.page)
    page.bind(3, row.newest.milliseconds)
    try page.binding(4, row.hashes) { () throws(StoreError) in try page.finish() }
  }

  func keep(_ row: EventRow) throws(StoreError) {
    keptEvent.bind(1, row.number)
    try keptEvent.binding(2, EventPacks([row]).packs[0].packed) { () throws(StoreError) in try keptEvent.finish() }
  }

  func insert(_ row: RunRow) throws(StoreError) {
    endedRun.bind(1, row.number)
    endedRun.bind(2, row.ended?.milliseconds ?? 0)
    try endedRun.binding(3, row.packed) { () throws(StoreError) in try endedRun.finish() }
  }

  func sweep(_ row: Row) throws(StoreError) {
    let place = Int(row.key.table.rawValue) - 1
    guard let value = row.value else {
      remove[place].bind(1, row.key.first)
      remove[place].bind(2, row.key.second)
      return try remove[place].finish()
    }
    let statement = replace[place]
    statement.bind(1, row.key.first)
    statement.bind(2, row.key.second)
    statement.bind(3, row.record)
    try statement.binding(4, value) { () throws(StoreError) in try statement.finish() }
  }
}
