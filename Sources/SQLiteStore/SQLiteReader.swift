// Reading the SQLite file: each call is a transaction of its own, so that it sees the newest commit
// and holds nothing.
//
// Thread: the one whose connection it is. Promise: query-only; it never writes or checkpoints.

internal import Basics
internal import Model
internal import Store

final class SQLiteReader: EngineReader {
  private let connection: Connection

  init(_ connection: Connection) { self.connection = connection }

  func value(_ key: RowKey) throws(StoreError) -> Row? {
    let statement = try connection.statement(SQLiteReader.one[Int(key.table.rawValue) - 1])
    statement.bind(1, key.first)
    statement.bind(2, key.second)
    guard try statement.next() else { return nil }
    defer { statement.reset() }
    return Row(key: key, record: statement.integer(0), value: statement.bytes(1))
  }

  private static let one: [String] = Table.allCases.map {
    "SELECT record, value FROM \($0.names.table) WHERE \($0.names.first) = ? AND \($0.names.second) = ?"
  }
  private static let many: [String] = Table.allCases.map { table in
    let names = table.names
    return """
      SELECT \(names.first), \(names.second), record, value FROM \(names.table)
      WHERE (\(names.first), \(names.second)) >= (?1, ?2) AND (\(names.first), \(names.second)) < (?3, ?4)
      ORDER BY \(names.first), \(names.second) LIMIT ?5
      """
  }

  func rows(from: RowKey, to: RowKey, limit: Int) throws(StoreError) -> [Row] {
    let statement = try connection.statement(SQLiteReader.many[Int(from.table.rawValue) - 1])
    statement.bind(1, from.first)
    statement.bind(2, from.second)
    statement.bind(3, to.first)
    statement.bind(4, to.second)
    statement.bind(5, limit)
    var out: [Row] = []
    while try statement.next() {
      out.append(
        Row(
          key: RowKey(from.table, statement.integer(0), statement.integer(1)), record: statement.integer(2),
          value: statement.bytes(3)))
    }
    return out
  }

  private static let eventColumns = "event, subject, previous, received, source, name, cause, depth, body"

  private func eventRow(_ statement: Statement) -> EventRow {
    EventRow(
      number: statement.integer(0), subject: statement.integer(1), previous: statement.integer(2),
      received: Instant(milliseconds: statement.integer(3)), source: statement.text(4), name: statement.text(5),
      cause: statement.integer(6), depth: Int(statement.integer(7)), body: statement.bytes(8))
  }

  func event(_ number: Int64) throws(StoreError) -> EventRow? {
    let packs = try connection.statement(
      """
      SELECT packed FROM event_pack WHERE first <= ?1 AND first > ?1 - \(EventPack.span) AND last >= ?1
      ORDER BY first DESC
      """)
    packs.bind(1, number)
    while try packs.next() {
      guard let row = EventPack.find(number, in: packs.bytes(0)) else { continue }
      packs.reset()
      return row
    }
    if let row = try single(number) { return row }
    return try kept(number)
  }

  /// One that outlives its time because a run refers to it.
  private func kept(_ number: Int64) throws(StoreError) -> EventRow? {
    let statement = try connection.statement("SELECT packed FROM kept_event WHERE event = ?")
    statement.bind(1, number)
    guard try statement.next() else { return nil }
    defer { statement.reset() }
    return EventPack.find(number, in: statement.bytes(0))
  }

  /// An event from before they were packed.
  private func single(_ number: Int64) throws(StoreError) -> EventRow? {
    let statement = try connection.statement("SELECT \(SQLiteReader.eventColumns) FROM event WHERE event = ?")
    statement.bind(1, number)
    guard try statement.next() else { return nil }
    defer { statement.reset() }
    return eventRow(statement)
  }

  func events(before: Int64, limit: Int) throws(StoreError) -> [EventRow] {
    let packs = try connection.statement("SELECT first, last FROM event_pack WHERE first < ? ORDER BY first DESC")
    packs.bind(1, before)
    var out: [EventRow] = []
    while try packs.next() {
      if out.count == limit, let oldest = out.last {
        // Packs overlap by less than a span: further down nothing can be newer.
        if packs.integer(0) + EventPack.span <= oldest.number { break }
        if packs.integer(1) < oldest.number { continue }
      }
      out += try pack(packs.integer(0)).filter { $0.number < before }
      out.sort { $0.number > $1.number }
      if out.count > limit { out.removeLast(out.count - limit) }
    }
    packs.reset()
    // Those from before events were packed have lower numbers than all that came later.
    return out.count < limit ? out + (try singles(before: before, limit: limit - out.count)) : out
  }

  private func pack(_ first: Int64) throws(StoreError) -> [EventRow] {
    let statement = try connection.statement("SELECT packed FROM event_pack WHERE first = ?")
    statement.bind(1, first)
    defer { statement.reset() }
    return try statement.next() ? EventPack.unpack(statement.bytes(0)) : []
  }

  private func singles(before: Int64, limit: Int) throws(StoreError) -> [EventRow] {
    let statement = try connection.statement(
      "SELECT \(SQLiteReader.eventColumns) FROM event WHERE event < ? ORDER BY event DESC LIMIT ?")
    statement.bind(1, before)
    statement.bind(2, limit)
    var out: [EventRow] = []
    while try statement.next() { out.append(eventRow(statement)) }
    return out
  }

  func verdicts(around event: Int64) throws(StoreError) -> [VerdictRow] {
    // A batch spans at most a group of events; further back no batch can reach this one.
    let statement = try connection.statement(
      "SELECT first, last, packed FROM verdict WHERE first <= ?1 AND first > ?1 - 100000 AND last >= ?1 ORDER BY first, row"
    )
    statement.bind(1, event)
    var out: [VerdictRow] = []
    while try statement.next() {
      out.append(VerdictRow(first: statement.integer(0), last: statement.integer(1), packed: statement.bytes(2)))
    }
    return out
  }

  private static let deliveryColumns =
    "delivery, id, event, subject, rule, destination, type, created, expires, body, run, tries, request, order_key"

  private func deliveryRow(_ statement: Statement) -> DeliveryRow {
    let created = Instant(milliseconds: statement.integer(7))
    var delivery = Delivery(
      number: statement.integer(0), id: statement.text(1), destination: statement.text(5), type: statement.text(6),
      created: created, body: statement.bytes(9), due: created,
      expires: statement.isNull(8) ? nil : Instant(milliseconds: statement.integer(8)),
      tries: Int(statement.integer(11)),
      request: statement.text(12))
    delivery.orderKey = statement.integer(13)
    return DeliveryRow(
      delivery: delivery, event: statement.integer(2), subject: statement.integer(3), rule: statement.text(4),
      run: statement.integer(10))
  }

  func delivery(_ number: Int64) throws(StoreError) -> DeliveryRow? {
    let statement = try connection.statement("SELECT \(SQLiteReader.deliveryColumns) FROM delivery WHERE delivery = ?")
    statement.bind(1, number)
    guard try statement.next() else { return nil }
    defer { statement.reset() }
    return deliveryRow(statement)
  }

  func deliveries(before: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    let statement = try connection.statement(
      "SELECT \(SQLiteReader.deliveryColumns) FROM delivery WHERE delivery < ? ORDER BY delivery DESC LIMIT ?")
    statement.bind(1, before)
    statement.bind(2, limit)
    var out: [DeliveryRow] = []
    while try statement.next() { out.append(deliveryRow(statement)) }
    return out
  }

  func deliveries(after: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    let statement = try connection.statement(
      "SELECT \(SQLiteReader.deliveryColumns) FROM delivery WHERE delivery > ? ORDER BY delivery LIMIT ?")
    statement.bind(1, after)
    statement.bind(2, limit)
    var out: [DeliveryRow] = []
    while try statement.next() { out.append(deliveryRow(statement)) }
    return out
  }

  func deliveries(ofRun run: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    let statement = try connection.statement(
      "SELECT \(SQLiteReader.deliveryColumns) FROM delivery WHERE run = ?1 AND run <> 0 ORDER BY delivery LIMIT ?2")
    statement.bind(1, run)
    statement.bind(2, limit)
    var out: [DeliveryRow] = []
    while try statement.next() { out.append(deliveryRow(statement)) }
    return out
  }

  func attempts(of delivery: Int64) throws(StoreError) -> [Attempt] {
    let statement = try connection.statement("SELECT * FROM attempt WHERE delivery = ? ORDER BY attempt")
    statement.bind(1, delivery)
    var out: [Attempt] = []
    while try statement.next() {
      let settlement: Settlement =
        switch statement.integer(5) {
        case 1: .delivered
        case 2: .retry(at: Instant(milliseconds: statement.integer(6)))
        default: .failed
        }
      out.append(
        Attempt(
          delivery: statement.integer(0), attempt: Int(statement.integer(1)),
          started: Instant(milliseconds: statement.integer(2)),
          outcome: AttemptOutcome(rawValue: UInt8(clamping: statement.integer(3))) ?? .other,
          status: Int(statement.integer(4)), settlement: settlement, message: statement.text(7),
          address: statement.text(8),
          dnsMicroseconds: statement.integer(9), connectMicroseconds: statement.integer(10),
          tlsMicroseconds: statement.integer(11), firstByteMicroseconds: statement.integer(12),
          totalMicroseconds: statement.integer(13), response: statement.bytes(14)))
    }
    return out
  }

  func endedRun(_ number: Int64) throws(StoreError) -> RunRow? {
    let statement = try connection.statement("SELECT packed FROM ended_run WHERE run = ?")
    statement.bind(1, number)
    guard try statement.next() else { return nil }
    defer { statement.reset() }
    return RunRow(number: number, statement.bytes(0))
  }

  func endedRuns(before: Int64, limit: Int) throws(StoreError) -> [RunRow] {
    let statement = try connection.statement(
      "SELECT run, packed FROM ended_run WHERE run < ? ORDER BY run DESC LIMIT ?")
    statement.bind(1, before)
    statement.bind(2, limit)
    var out: [RunRow] = []
    while try statement.next() {
      if let row = RunRow(number: statement.integer(0), statement.bytes(1)) { out.append(row) }
    }
    return out
  }

  func dedupePage(run: Int64, page: Int64) throws(StoreError) -> DedupePage? {
    let statement = try connection.statement("SELECT newest, hashes FROM dedupe_run WHERE run = ? AND page = ?")
    statement.bind(1, run)
    statement.bind(2, page)
    guard try statement.next() else { return nil }
    defer { statement.reset() }
    return DedupePage(
      run: run, page: page, newest: Instant(milliseconds: statement.integer(0)), hashes: statement.bytes(1))
  }
}
