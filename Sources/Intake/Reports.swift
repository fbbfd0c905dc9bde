// What the daemon can tell about events, subjects and deliveries, as JSON. The same reports serve the
// HTTP paths and the commands, with a running daemon or without.
//
// Thread: whoever owns the reader. Promise: everything committed before the question is in the answer;
// one report reads a bounded number of rows, and in pieces, so that commits come in between.

package import Basics
internal import Model
package import Store

/// A question that the store can answer.
package enum Question: Sendable {
  case subject(String)
  case events(before: Int64, limit: Int, subject: String?)
  case event(Int64)
  case deliveries(DeliveryQuery, before: Int64, limit: Int)
  case replays
  case delivery(Int64)
  case runs(RunFilter, before: Int64, after: Int64, limit: Int)
  case run(Int64)
  case explain(String, rule: String?, before: Int64, limit: Int)
  case history(rule: String)
  case version(Int64)
  /// What a rule with a goal brings about; nil: all of them.
  case lift(rule: String?)
  case segments
  case members(segment: String, after: Int64, limit: Int)

  package static let defaultLimit = 50
  package static let maximumLimit = 1_000
}

/// How far a report has come.
package enum ReportProgress: Sendable {
  /// Nil: what was asked for does not exist.
  case done(JSONValue?)
  /// Not there yet: the rest is a question of its own, so that the store commits before it.
  case further(@Sendable (StoreReader) throws(StoreError) -> ReportProgress)
}

extension Answer {
  /// The store could not be read: nobody knows whether what was asked for exists.
  init(_ error: StoreError) { self.init(status: 500, code: "store_failed", message: error.message) }
}

package struct Reports: Sendable {
  private let hash: KeyedHash

  package init(hashKey: (UInt64, UInt64)) { hash = KeyedHash(key0: hashKey.0, key1: hashKey.1) }

  static func answer(_ question: Question, _ value: JSONValue?) -> Answer {
    guard let value else { return Answer(status: 404, code: "not_found", message: missing(question)) }
    return Answer(status: 200, body: value.text + [0x0A])
  }

  static func noSubject(_ name: String) -> String {
    "no subject is called \(name); names are NAMESPACE:ID, such as user:42"
  }

  package static func missing(_ question: Question) -> String {
    switch question {
    case .subject(let name): noSubject(name)
    case .event(let number): "there is no event \(number); it never was, or its time to be kept is over"
    case .delivery(let number): "there is no delivery \(number); it never was, or its time to be kept is over"
    case .events(_, _, let subject): noSubject(subject ?? "")
    case .deliveries(let query, _, _): noSubject(query.subject ?? "")
    case .replays: "there are no replays"
    case .runs(let filter, _, _, _): noSubject(filter.subject ?? "")
    case .run(let number): "there is no run \(number); it never was, or its time to be kept is over"
    case .explain(let name, _, _, _): noSubject(name)
    case .history(let rule): "there never was a rule \(rule); the rules are listed by: nudged rules list"
    case .lift(let rule): "there is no rule \(rule ?? "") with a goal; write goal = { event = \"…\" } into it"
    case .segments: "there are no segments"
    case .members(let name, _, _): "there is no segment \(name); the segments are listed by: nudged segments list"
    case .version(let number): "there is no version \(number); versions are listed by: nudged rules history RULE"
    }
  }

  /// How many rows one question may look at.
  static let longestWalk = 20_000
  /// And how many of them between two commits.
  private static let rowsPerPiece = 200

  /// All pieces at once, for those who keep no daemon from committing. Nil when what is asked for does not exist.
  package func value(_ question: Question, _ reader: StoreReader) throws(StoreError) -> JSONValue? {
    var progress = try begin(question, reader)
    while case .further(let next) = progress { progress = try next(reader) }
    guard case .done(let value) = progress else { return nil }
    return value
  }

  func begin(_ question: Question, _ reader: StoreReader) throws(StoreError) -> ReportProgress {
    switch question {
    case .subject(let name): .done(try subject(name, reader))
    case .events(let before, let limit, let subject): try events(before, limit, subject, reader)
    case .event(let number): .done(try event(number, reader))
    case .deliveries(let query, let before, let limit): try deliveries(query, before, limit, reader)
    case .replays: .done(try replays(reader))
    case .delivery(let number): .done(try delivery(number, reader))
    case .runs(let filter, let before, let after, let limit):
      try runs(filter, from: filter.isAlive ? after : before, limit: limit, reader)
    case .run(let number): .done(try run(number, reader))
    case .explain(let name, let rule, let before, let limit):
      try explain(name, rule: rule, before: before, limit: limit, reader)
    case .history(let rule): .done(try history(rule, reader))
    case .version(let number): .done(try version(number, reader))
    case .lift(let rule): try lift(rule: rule, reader)
    case .segments: .done(try segments(reader))
    case .members(let name, let after, let limit): try members(of: name, after: after, limit: limit, reader)
    }
  }

  // MARK: subjects

  func find(_ name: String, _ reader: StoreReader) throws(StoreError) -> Int64? {
    guard let reference = SubjectReference(name) else { return nil }
    let key = hash.hash(Array(reference.description.utf8))
    let row = RowKey(.identity, Int64(bitPattern: key.high), Int64(bitPattern: key.low))
    return try reader.value(row).flatMap(NumberRow.unpack)
  }

  private func subject(_ name: String, _ reader: StoreReader) throws(StoreError) -> JSONValue? {
    guard let subject = try find(name, reader) else { return nil }
    let row = try reader.value(RowKey(.subject, subject)).flatMap(SubjectRow.init)
    let chain = try reader.value(RowKey(.chain, subject)).flatMap(NumberRow.unpack) ?? 0
    var states: [JSONValue.Member] = []
    for state in try reader.rows(from: RowKey(.state, subject), to: RowKey(.state, subject + 1), limit: 1_000) {
      let rule = try reader.value(RowKey(.rule, state.key.second)).map { String(decoding: $0, as: UTF8.self) }
      states.append(.init(rule ?? "rule \(state.key.second)", Reports.parse(state.value ?? [])))
    }
    return .object([
      .init("subject", .integer(subject)),
      .init("names", .array((row?.names ?? []).map { .string($0.description) })),
      .init("account", row?.account.isEmpty == false ? .string(row!.account) : .null),
      .init("traits", Reports.parse(row?.traits ?? [])),
      .init("state", .object(states)), .init("segments", try segments(of: subject, reader)),
      .init("consent", Reports.consents(row)), .init("held", Reports.held(row)),
      .init("goals", try sides(of: subject, reader)),
      .init("shard", .integer(Int64(row?.shard ?? 0))),
      .init("created", row.map { .string(ISO8601.format($0.created)) } ?? .null),
      .init("newest_event", .integer(chain)),
    ])
  }

  private static func consents(_ row: SubjectRow?) -> JSONValue {
    let record = row.flatMap { PolicyRecord($0.policy) ?? .unreadable } ?? PolicyRecord()
    return .object(record.consents.map { .init($0.topic, .boolean($0.isGiven)) })
  }

  /// Webhooks that wait for the end of quiet hours.
  private static func held(_ row: SubjectRow?) -> JSONValue {
    let record = row.flatMap { PolicyRecord($0.policy) ?? .unreadable } ?? PolicyRecord()
    return .array(
      record.held.map {
        .object([
          .init("rule", .string($0.rule)), .init("destination", .string($0.webhook.destination)),
          .init("type", .string($0.webhook.type)), .init("due", .string(ISO8601.format($0.due))),
        ])
      })
  }

  static func parse(_ json: [UInt8]) -> JSONValue {
    json.isEmpty ? .object([]) : (try? Document.parse(json))?.root.value ?? .null
  }

  // MARK: events

  private func events(
    _ before: Int64, _ limit: Int, _ subject: String?, _ reader: StoreReader
  ) throws(StoreError) -> ReportProgress {
    guard let subject else {
      let rows = try reader.engine.events(before: before, limit: limit)
      return .done(Reports.page(rows, next: rows.count == limit ? rows.last?.number : nil))
    }
    guard let number = try find(subject, reader) else { return .done(nil) }
    let next = try firstEvent(of: number, before: before, reader)
    return try goOn(EventWalk(before: before, limit: limit, next: next), reader)
  }

  /// Where a walk along a subject's events begins: a page goes on where the last one ended, without walking
  /// there again.
  func firstEvent(of subject: Int64, before: Int64, _ reader: StoreReader) throws(StoreError) -> Int64 {
    if before != .max, let row = try reader.engine.event(before), row.subject == subject { return row.previous }
    return try reader.value(RowKey(.chain, subject)).flatMap(NumberRow.unpack) ?? 0
  }

  /// A list of one subject's events, from event to event before it.
  private struct EventWalk {
    var before: Int64
    var limit: Int
    var next: Int64
    var last: Int64 = 0
    var looked = 0
    var rows: [EventRow] = []
  }

  private func goOn(_ begun: EventWalk, _ reader: StoreReader) throws(StoreError) -> ReportProgress {
    var walk = begun
    let end = min(walk.looked + Reports.rowsPerPiece, Reports.longestWalk)
    while walk.next > 0, walk.rows.count < walk.limit, walk.looked < end, let row = try reader.engine.event(walk.next) {
      if walk.next < walk.before { walk.rows.append(row) }
      walk.last = row.number
      walk.next = row.previous
      walk.looked += 1
    }
    let isCut = walk.looked == Reports.longestWalk
    if walk.looked == end, walk.rows.count < walk.limit, !isCut {
      return .further { [walk] reader throws(StoreError) in try goOn(walk, reader) }
    }
    return .done(Reports.page(walk.rows, next: walk.rows.count == walk.limit || isCut ? walk.last : nil))
  }

  private static func page(_ rows: [EventRow], next: Int64?) -> JSONValue {
    .object([
      .init("events", .array(rows.map { describe($0, short: true) })),
      .init("next_before", next.map { .integer($0) } ?? .null),
    ])
  }

  private static func describe(_ row: EventRow, short: Bool) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("event", .integer(row.number)),
      .init("name", .string(row.name)),
      .init("source", .string(row.source)),
      .init("received", .string(ISO8601.format(row.received))),
      .init("subject", .integer(row.subject)),
    ]
    if row.cause != 0 { members.append(.init("cause", .integer(row.cause))) }
    if row.depth != 0 || row.cause != 0 { members.append(.init("depth", .integer(Int64(row.depth)))) }
    let body = parse(row.body)
    if let id = body["id"] ?? body["messageId"] { members.append(.init("id", id)) }
    if !short { members.append(.init("body", body)) }
    return .object(members)
  }

  private func event(_ number: Int64, _ reader: StoreReader) throws(StoreError) -> JSONValue? {
    guard let row = try reader.engine.event(number), case .object(var members) = Reports.describe(row, short: false)
    else {
      return nil
    }
    var verdicts: [JSONValue] = []
    var notMatched = 0
    for batch in try reader.engine.verdicts(around: number) {
      for found in batch.unpack() where found.event == number {
        notMatched += found.notMatched
        verdicts.append(contentsOf: found.verdicts.map(Reports.describe))
      }
    }
    members.append(.init("verdicts", .array(verdicts)))
    members.append(.init("not_matched", .integer(Int64(notMatched))))
    return .object(members)
  }

  static func describe(_ verdict: Verdict) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("rule", .string(verdict.rule)), .init("verdict", .string(verdict.code.word)),
      .init("effects", .integer(Int64(verdict.effects))),
    ]
    if verdict.line > 0 { members.append(.init("line", .integer(Int64(verdict.line)))) }
    if !verdict.reason.isEmpty { members.append(.init("reason", .string(verdict.reason))) }
    if !verdict.reads.isEmpty {
      members.append(.init("read", .object(verdict.reads.map { .init($0.name, .string($0.value)) })))
    }
    return .object(members)
  }

  // MARK: deliveries

  private func deliveries(
    _ query: DeliveryQuery, _ before: Int64, _ limit: Int, _ reader: StoreReader
  ) throws(StoreError) -> ReportProgress {
    guard let filter = try filter(query, reader) else { return .done(nil) }
    let next = filter.to.map { min(before, $0 + 1) } ?? before
    return try goOn(DeliveryWalk(filter: filter, limit: limit, next: next), reader)
  }

  /// A list of deliveries, from the newest to older ones.
  private struct DeliveryWalk {
    var filter: DeliveryFilter
    var limit: Int
    var next: Int64
    var looked = 0
    var out: [JSONValue] = []
  }

  private func goOn(_ begun: DeliveryWalk, _ reader: StoreReader) throws(StoreError) -> ReportProgress {
    var walk = begun
    let rows = try reader.engine.deliveries(before: walk.next, limit: Reports.rowsPerPiece)
    for row in rows where walk.out.count < walk.limit {
      walk.looked += 1
      walk.next = row.delivery.number
      guard walk.filter.takes(row) else { continue }
      if let wanted = walk.filter.status, try status(of: row.delivery.number, reader) != wanted { continue }
      walk.out.append(try describe(row, reader, full: false))
    }
    // Numbers grow with time: what is older than all that is wanted ends the walk.
    let isOver = rows.count < Reports.rowsPerPiece || walk.next <= walk.filter.from ?? 0
    let isCut = walk.looked >= Reports.longestWalk
    if walk.out.count < walk.limit, !isOver, !isCut {
      return .further { [walk] reader throws(StoreError) in try goOn(walk, reader) }
    }
    return .done(
      .object([
        .init("deliveries", .array(walk.out)),
        // Also when the walk ended before the page was full: there may be more that match.
        .init("next_before", walk.out.count == walk.limit || isCut ? .integer(walk.next) : .null),
      ]))
  }

  /// Where a delivery stands; its tries are read only when they decide.
  private func status(of number: Int64, _ reader: StoreReader) throws(StoreError) -> String {
    let open = try reader.value(RowKey(.openDelivery, number)).flatMap(OpenDelivery.init)
    if let open, !open.isPoisoned { return DeliveryFilter.status(open, nil) }
    return DeliveryFilter.status(open, try reader.engine.attempts(of: number).last)
  }

  /// Nil when the subject is not known.
  func filter(_ query: DeliveryQuery, _ reader: StoreReader) throws(StoreError) -> DeliveryFilter? {
    var filter = query.filter
    if let name = query.subject {
      guard let subject = try find(name, reader) else { return nil }
      filter.subject = subject
    }
    return filter
  }

  /// How many of the deliveries above a number the filter takes, and where to go on.
  func count(
    _ filter: DeliveryFilter, after: Int64, limit: Int, _ reader: StoreReader
  ) throws(StoreError) -> (count: Int, next: Int64?) {
    let rows = try reader.engine.deliveries(after: after, limit: limit)
    var count = 0
    for row in rows where filter.takes(row) {
      if try status(of: row.delivery.number, reader) == filter.status { count += 1 }
    }
    guard rows.count == limit, let last = rows.last?.delivery.number, last < filter.to ?? .max else {
      return (count, nil)
    }
    return (count, last)
  }

  private func replays(_ reader: StoreReader) throws(StoreError) -> JSONValue {
    let rows = try reader.rows(from: RowKey(.replay, 0), to: RowKey(.replay, .max), limit: 10_000)
    let list = rows.suffix(100).reversed().compactMap { row in
      row.value.flatMap { ReplayRow($0) }.map { Reports.describe($0, number: row.key.first) }
    }
    return .object([.init("replays", .array(list))])
  }

  private static func describe(_ replay: ReplayRow, number: Int64) -> JSONValue {
    let filter = replay.filter
    var members: [JSONValue.Member] = [
      .init("replay", .integer(number)),
      .init("status", .string(replay.isCancelled ? "cancelled" : replay.ended != nil ? "ended" : "going on")),
      .init("created", .string(ISO8601.format(replay.created))), .init("sent", .integer(replay.sent)),
      .init("rate", .integer(replay.ratePerSecond)), .init("position", .integer(replay.position)),
      .init("last", .integer(replay.last)), .init("of", .string(filter.status ?? "failed")),
    ]
    if let ended = replay.ended { members.append(.init("ended", .string(ISO8601.format(ended)))) }
    if let destination = filter.destination { members.append(.init("destination", .string(destination))) }
    if let type = filter.type { members.append(.init("type", .string(type))) }
    if let subject = filter.subject { members.append(.init("subject", .integer(subject))) }
    if let since = filter.since { members.append(.init("since", .string(ISO8601.format(since)))) }
    if let until = filter.until { members.append(.init("until", .string(ISO8601.format(until)))) }
    return .object(members)
  }

  private func delivery(_ number: Int64, _ reader: StoreReader) throws(StoreError) -> JSONValue? {
    guard let row = try reader.engine.delivery(number) else { return nil }
    return try describe(row, reader, full: true)
  }

  private func describe(_ row: DeliveryRow, _ reader: StoreReader, full: Bool) throws(StoreError) -> JSONValue {
    let delivery = row.delivery
    let open = try reader.value(RowKey(.openDelivery, delivery.number)).flatMap(OpenDelivery.init)
    let attempts = try reader.engine.attempts(of: delivery.number)
    let status = DeliveryFilter.status(open, attempts.last)
    var members: [JSONValue.Member] = [
      .init("delivery", .integer(delivery.number)), .init("id", .string(delivery.id)),
      .init("destination", .string(delivery.destination)), .init("type", .string(delivery.type)),
      .init("status", .string(status)), .init("created", .string(ISO8601.format(delivery.created))),
      .init("event", .integer(row.event)), .init("subject", .integer(row.subject)),
      .init("who", .string(try name(of: row.subject, reader))), .init("rule", .string(row.rule)),
      .init("attempts", .integer(Int64(max(attempts.count { $0.outcome.isTry }, open?.attempts ?? 0)))),
    ]
    if let open, !open.isPoisoned { members.append(.init("due", .string(ISO8601.format(open.due)))) }
    if open?.isPoisoned == true { members.append(.init("blocks", true)) }
    if let open, let head = reader.ahead?(open), head != delivery.number {
      members.append(.init("behind", .integer(head)))
    }
    if attempts.last?.isFlagged == true { members.append(.init("flagged", true)) }
    if let last = attempts.last, last.settlement != .delivered {
      members.append(.init("last_message", .string(last.message)))
    }
    if full {
      members.append(.init("body", Reports.parse(delivery.body)))
      members.append(.init("tries", .array(attempts.map(Reports.describe))))
    }
    return .object(members)
  }

  private static func describe(_ attempt: Attempt) -> JSONValue {
    var next = JSONValue.null
    if case .retry(let at) = attempt.settlement { next = .string(ISO8601.format(at)) }
    return .object([
      .init("attempt", .integer(Int64(attempt.attempt))), .init("started", .string(ISO8601.format(attempt.started))),
      .init("outcome", .string(attempt.outcome.word)), .init("status", .integer(Int64(attempt.status))),
      .init("flagged", .boolean(attempt.isFlagged)),
      .init("message", .string(attempt.message)), .init("address", .string(attempt.address)), .init("next", next),
      .init("dns_us", .integer(attempt.dnsMicroseconds)), .init("connect_us", .integer(attempt.connectMicroseconds)),
      .init("tls_us", .integer(attempt.tlsMicroseconds)),
      .init("first_byte_us", .integer(attempt.firstByteMicroseconds)),
      .init("total_us", .integer(attempt.totalMicroseconds)),
      .init("response", .string(String(decoding: attempt.response.prefix(Limits.responseBytes), as: UTF8.self))),
    ])
  }
}

extension Question {
  /// How much of a list is wanted. What is there is right, or the request was refused before this.
  private static func page(_ request: borrowing Request) -> (limit: Int, before: Int64) {
    (
      request.queryValue("limit").flatMap { Int($0) } ?? defaultLimit,
      request.queryValue("before").flatMap { Int64($0) } ?? Int64.max
    )
  }

  init(deliveries query: DeliveryQuery, _ request: borrowing Request) {
    let (limit, before) = Question.page(request)
    self = .deliveries(query, before: before, limit: limit)
  }

  /// From a path below /v1 and its parameters; nil when there is nothing at that path.
  init?(segments: [String], _ request: borrowing Request) {
    let (limit, before) = Question.page(request)
    switch (segments.first, segments.count) {
    case ("subjects", 2): self = .subject(segments[1])
    case ("subjects", 3) where segments[2] == "events":
      self = .events(before: before, limit: limit, subject: segments[1])
    case ("events", 1): self = .events(before: before, limit: limit, subject: request.queryValue("subject"))
    case ("events", 2):
      guard let number = Int64(segments[1]) else { return nil }
      self = .event(number)
    case ("subjects", 3) where segments[2] == "explain":
      self = .explain(segments[1], rule: request.queryValue("rule"), before: before, limit: limit)
    case ("runs", 1):
      let filter = RunFilter(
        status: request.queryValue("status") ?? "alive", rule: request.queryValue("rule"),
        subject: request.queryValue("subject"))
      self = .runs(
        filter, before: before, after: request.queryValue("after").flatMap { Int64($0) } ?? 0, limit: limit)
    case ("runs", 2):
      guard let number = Int64(segments[1]) else { return nil }
      self = .run(number)
    case ("rules", 2) where segments[1] == "history":
      guard let rule = request.queryValue("rule") else { return nil }
      self = .history(rule: rule)
    case ("rules", 2) where segments[1] == "lift": self = .lift(rule: request.queryValue("rule"))
    case ("rules", 3) where segments[1] == "versions":
      guard let number = Int64(segments[2]) else { return nil }
      self = .version(number)
    case ("replays", 1): self = .replays
    case ("segments", 1): self = .segments
    case ("segments", 2):
      self = .members(
        segment: segments[1], after: request.queryValue("after").flatMap { Int64($0) } ?? 0, limit: limit)
    case ("deliveries", 2):
      guard let number = Int64(segments[1]) else { return nil }
      self = .delivery(number)
    default: return nil
    }
  }
}
