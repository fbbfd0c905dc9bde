// What the daemon can tell about runs and about why something happened or did not: lists, one run's life,
// and everything that concerns one subject.
//
// Thread: whoever owns the reader. Promise: one report reads a bounded number of rows, in pieces; what it
// could not look at is said by where to go on.

internal import Basics
internal import Model
package import Store

/// Which runs are meant.
package struct RunFilter: Sendable, Equatable {
  /// "alive", "ended", or the word of a status.
  package var status = "alive"
  package var rule: String?
  package var subject: String?

  package init(status: String = "alive", rule: String? = nil, subject: String? = nil) {
    self.status = status
    self.rule = rule
    self.subject = subject
  }

  package static let statuses = ["alive", "ended"] + RunStatus.allCases.map(\.word)

  package var isAlive: Bool {
    status == "alive" || RunStatus.allCases.contains { $0.word == status && $0.isAlive }
  }

  func takes(_ row: RunRow, rule number: Int64?) -> Bool {
    if let number, row.rule != number { return false }
    return status == "alive" || status == "ended" || row.status.word == status
  }
}

extension Reports {
  /// How many runs are looked at between two commits.
  private static let runsPerPiece = 1_000
  /// So many windows of verdicts are searched between two commits: each is a walk of its own.
  private static let explainedPerPiece = 10

  // MARK: lists

  /// Rows of runs that live, in the order in which they began, and where to go on; so far as one piece goes.
  package func livingRuns(
    _ filter: RunFilter, after: Int64, limit: Int, _ reader: StoreReader
  ) throws(StoreError) -> (rows: [RunRow], next: Int64?)? {
    var rule: Int64?
    if let path = filter.rule {
      guard let found = try number(ofRule: path, reader) else { return ([], nil) }
      rule = found
    }
    if let name = filter.subject { return try runs(of: name, filter, rule, reader) }
    var found: [RunRow] = []
    let rows = try reader.rows(
      from: RowKey(.run, after == .max ? after : after + 1), to: RowKey(.run, .max), limit: Reports.runsPerPiece)
    for row in rows {
      guard let run = row.value.map({ RunRow.stored(number: row.key.first, $0) }), filter.takes(run, rule: rule)
      else { continue }
      found.append(run)
      if found.count == limit { return (found, run.number) }
    }
    return (found, rows.count < Reports.runsPerPiece ? nil : rows.last?.key.first)
  }

  private func runs(
    of name: String, _ filter: RunFilter, _ rule: Int64?, _ reader: StoreReader
  ) throws(StoreError) -> (rows: [RunRow], next: Int64?)? {
    guard let subject = try find(name, reader) else { return nil }
    return (try runs(ofSubject: subject, reader).filter { filter.takes($0, rule: rule) }, nil)
  }

  private func runs(ofSubject subject: Int64, _ reader: StoreReader) throws(StoreError) -> [RunRow] {
    guard let living = try reader.value(RowKey(.living, subject)).flatMap({ LivingRow($0) }) else { return [] }
    var found: [RunRow] = []
    for number in living.runs {
      if let row = try reader.value(RowKey(.run, number)).map({ RunRow.stored(number: number, $0) }) {
        found.append(row)
      }
    }
    return found
  }

  private func endedRuns(
    _ filter: RunFilter, before: Int64, limit: Int, _ reader: StoreReader
  ) throws(StoreError) -> (rows: [RunRow], next: Int64?)? {
    var rule: Int64?
    if let path = filter.rule {
      guard let found = try number(ofRule: path, reader) else { return ([], nil) }
      rule = found
    }
    let subject = try filter.subject.map { name throws(StoreError) in try find(name, reader) ?? -1 }
    if subject == -1 { return nil }
    var found: [RunRow] = []
    let rows = try reader.engine.endedRuns(before: before, limit: Reports.runsPerPiece)
    for row in rows {
      guard filter.takes(row, rule: rule), subject == nil || row.subject == subject else { continue }
      found.append(row)
      if found.count == limit { return (found, row.number) }
    }
    return (found, rows.count < Reports.runsPerPiece ? nil : rows.last?.number)
  }

  /// `from` stands in front of the first run that is looked at; `begun` is what earlier pieces have found.
  func runs(
    _ filter: RunFilter, from: Int64, limit: Int, begun: [JSONValue] = [], pieces: Int = 1, _ reader: StoreReader
  ) throws(StoreError) -> ReportProgress {
    let wanted = limit - begun.count
    let page =
      filter.isAlive
      ? try livingRuns(filter, after: from, limit: wanted, reader)
      : try endedRuns(filter, before: from, limit: wanted, reader)
    guard let page else { return .done(nil) }
    var list = begun
    for row in page.rows { list.append(.object(try face(of: row, reader))) }
    if let next = page.next, list.count < limit, pieces * Reports.runsPerPiece < Reports.longestWalk {
      return .further { [list] reader throws(StoreError) in
        try runs(filter, from: next, limit: limit, begun: list, pieces: pieces + 1, reader)
      }
    }
    return .done(
      .object([
        .init("runs", .array(list)),
        .init(filter.isAlive ? "next_after" : "next_before", page.next.map { .integer($0) } ?? .null),
      ]))
  }

  func number(ofRule path: String, _ reader: StoreReader) throws(StoreError) -> Int64? {
    let rows = try reader.rows(from: RowKey(.rule, 0), to: RowKey(.rule, .max), limit: Int.max / 4)
    return rows.first { $0.value.map { String(decoding: $0, as: UTF8.self) } == path }?.key.first
  }

  func path(ofRule number: Int64, _ reader: StoreReader) throws(StoreError) -> String {
    try reader.value(RowKey(.rule, number)).map { String(decoding: $0, as: UTF8.self) } ?? "rule \(number)"
  }

  func name(of subject: Int64, _ reader: StoreReader) throws(StoreError) -> String {
    try reader.value(RowKey(.subject, subject)).flatMap { SubjectRow($0) }?.names.first?.description
      ?? "subject \(subject)"
  }

  // MARK: one run

  /// What a list shows of a run.
  private func face(of row: RunRow, _ reader: StoreReader) throws(StoreError) -> [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("run", .integer(row.number)), .init("rule", .string(try path(ofRule: row.rule, reader))),
      .init("subject", .string(try name(of: row.subject, reader))), .init("key", .string(row.key)),
      .init("status", .string(row.status.word)), .init("started", .string(ISO8601.format(row.started))),
    ]
    if let wait = row.shownWait, row.status == .waiting {
      // What it waited for has come; it goes on as soon as it may.
      let isDue = row.pending != nil
      let isPaused = try reader.value(RowKey(.pause, row.rule)) != nil
      let told = try wait.plan.map { plan throws(StoreError) in try whoTold(plan, reader) } ?? ""
      let awaited = wait.awaited + told + (isPaused ? " (its rule is paused)" : "")
      members.append(.init("waits", .string(isDue ? "its rule, which was paused" : awaited)))
      if let gathered = row.gathered, row.isCollecting { members.append(.init("collects", .string(gathered.progress))) }
      if wait.line > 0 { members.append(.init("line", .integer(Int64(wait.line)))) }
      members.append(.init("until", isDue ? .null : wait.until.map { .string(ISO8601.format($0)) } ?? .null))
    }
    if let ended = row.ended { members.append(.init("ended", .string(ISO8601.format(ended)))) }
    if !row.reason.isEmpty { members.append(.init("reason", .string(row.reason))) }
    if row.status == .parked, row.line > 0 { members.append(.init("parked_line", .integer(Int64(row.line)))) }
    return members
  }

  /// The event that a run has its date from, if it is not the one that began it.
  private func whoTold(_ plan: DatePlan, _ reader: StoreReader) throws(StoreError) -> String {
    plan.by > 0 ? ", told by event \(plan.by) " + (try nameOfEvent(plan.by, reader)) : ""
  }

  func run(_ number: Int64, _ reader: StoreReader) throws(StoreError) -> JSONValue? {
    var found = try reader.value(RowKey(.run, number)).map { RunRow.stored(number: number, $0) }
    if found == nil { found = try reader.engine.endedRun(number) }
    guard let row = found else { return nil }
    var members = try face(of: row, reader)
    members.append(.init("version", .integer(row.version)))
    members.append(.init("event", .integer(row.event)))
    members.append(.init("effects", .integer(Int64(row.effects))))
    if !row.heard.isEmpty { members.append(.init("heard", .array(row.heard.map { .integer($0.number) }))) }
    if let numbers = row.gathered?.numbers, !numbers.isEmpty {
      members.append(.init("collected", .array(numbers.map { .integer($0) })))
    }
    if !row.saved.isEmpty { members.append(.init("saved", Reports.parse(row.saved))) }
    members.append(.init("timeline", .array(try timeline(of: row, reader))))
    return .object(members)
  }

  /// A run's life: what woke it, and what it did then.
  private func timeline(of row: RunRow, _ reader: StoreReader) throws(StoreError) -> [JSONValue] {
    var sent = try reader.engine.deliveries(ofRun: row.number, limit: Limits.journalEntries)[...]
    // What was sent before the last checkpoint is in no journal any more.
    let told = row.journal.parts.flatMap(\.entries).count { [.send, .call].contains($0.kind) }
    if sent.count > told { sent = sent.suffix(told) }
    var entry = row.entriesBefore
    var out: [JSONValue] = []
    for part in row.journal.parts {
      var did: [JSONValue] = []
      for one in part.entries {
        entry += 1
        did.append(describe(one, entry, one.kind == .send || one.kind == .call ? sent.popFirst() : nil))
      }
      out.append(
        .object([
          .init("at", .string(ISO8601.format(part.now))),
          .init("woken_by", .string(try describe(part.trigger, row, reader))), .init("did", .array(did)),
        ]))
    }
    return out
  }

  private func describe(_ trigger: Trigger, _ row: RunRow, _ reader: StoreReader) throws(StoreError) -> String {
    switch trigger {
    case .start:
      if !row.saved.isEmpty { return "checkpoint" }
      let others = row.gathered.map { $0.count > 1 ? " and \($0.count - 1) before it" : "" } ?? ""
      return "event \(row.event) " + (try nameOfEvent(row.event, reader)) + others
    case .timer: return "its time"
    case .hand: return "hand"
    case .date(let text, let isLate):
      return text.isEmpty ? "hand" : "the date \(text)" + (isLate ? ", too late" : "")
    case .event(let number): return "event \(number) " + (try nameOfEvent(number, reader))
    case .reply(let json): return "reply " + String(decoding: json.prefix(300), as: UTF8.self)
    }
  }

  private func nameOfEvent(_ number: Int64, _ reader: StoreReader) throws(StoreError) -> String {
    try reader.engine.event(number)?.name ?? "(gone)"
  }

  private func describe(_ entry: JournalEntry, _ number: Int, _ sent: DeliveryRow?) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("entry", .integer(Int64(number))), .init("did", .string(entry.kind.word)),
    ]
    if let sent {
      members.append(.init("delivery", .integer(sent.delivery.number)))
      members.append(.init("destination", .string(sent.delivery.destination)))
      members.append(.init("type", .string(sent.delivery.type)))
    }
    if let event = entry.settledBy, event != 0 { members.append(.init("event", .integer(event))) }
    return .object(members)
  }

  // MARK: why

  /// What ran for a subject and what did not, and what it waits for.
  func explain(
    _ name: String, rule: String?, before: Int64, limit: Int, _ reader: StoreReader
  ) throws(StoreError) -> ReportProgress {
    guard let subject = try find(name, reader) else { return .done(nil) }
    let next = try firstEvent(of: subject, before: before, reader)
    var walk = Explanation(
      subject: try self.name(of: subject, reader), rule: rule, before: before, limit: limit, next: next)
    for row in try runs(ofSubject: subject, reader) {
      if let rule, try path(ofRule: row.rule, reader) != rule { continue }
      walk.waiting.append(.object(try face(of: row, reader)))
    }
    return try goOn(walk, reader)
  }

  /// What is told of a subject so far, and the next of its events to look at.
  private struct Explanation {
    var subject: String
    var rule: String?
    var before: Int64
    var limit: Int
    var next: Int64
    var last: Int64 = 0
    var looked = 0
    var waiting: [JSONValue] = []
    var events: [JSONValue] = []
    /// Runs whose end is told, or need not be.
    var told: Set<Int64> = []

    static let mostLooked = 1_000
    static let mostTold = 200
  }

  private func goOn(_ begun: Explanation, _ reader: StoreReader) throws(StoreError) -> ReportProgress {
    var walk = begun
    let end = min(walk.looked + Reports.explainedPerPiece, Explanation.mostLooked)
    while walk.next > 0, walk.events.count < walk.limit, walk.looked < end, let row = try reader.engine.event(walk.next)
    {
      walk.looked += 1
      walk.last = row.number
      walk.next = row.previous
      if row.number >= walk.before { continue }
      let verdicts = try verdicts(of: row.number, rule: walk.rule, reader)
      if walk.rule != nil, verdicts.isEmpty { continue }
      var members: [JSONValue.Member] = [
        .init("event", .integer(row.number)), .init("name", .string(row.name)),
        .init("received", .string(ISO8601.format(row.received))), .init("verdicts", .array(verdicts)),
      ]
      let ended = try runsEnded(verdicts, of: row.number, &walk, reader)
      if !ended.isEmpty { members.append(.init("ended", .array(ended))) }
      walk.events.append(.object(members))
    }
    if walk.looked == end, end < Explanation.mostLooked, walk.events.count < walk.limit {
      return .further { [walk] reader throws(StoreError) in try goOn(walk, reader) }
    }
    return .done(
      .object([
        .init("subject", .string(walk.subject)), .init("runs", .array(walk.waiting)),
        .init("events", .array(walk.events)),
        .init("next_before", walk.next > 0 ? .integer(walk.last) : .null),
      ]))
  }

  /// What became of the runs that an event's verdicts speak of: what ended them may have been their time, or an event of
  /// someone else, which has its verdicts there.
  private func runsEnded(
    _ verdicts: [JSONValue], of event: Int64, _ walk: inout Explanation, _ reader: StoreReader
  ) throws(StoreError) -> [JSONValue] {
    var out: [JSONValue] = []
    for verdict in verdicts {
      guard case .string(let reason) = verdict["reason"] ?? .null else { continue }
      func isOne(of codes: [VerdictCode]) -> Bool { codes.contains { .string($0.word) == verdict["verdict"] } }
      let isTold = isOne(of: [.stopped, .ran])
      // What a rule says itself may name any number.
      let isOwnWords = isOne(of: [.skipped, .failed])
      for number in Reports.runsNamed(in: reason) where walk.told.count < Explanation.mostTold {
        // Below zero: one that a rule named.
        if walk.told.contains(number) { continue }
        if !walk.told.insert(isOwnWords ? -number : number).inserted || isTold { continue }
        guard let row = try reader.engine.endedRun(number), !isOwnWords || row.event == event else { continue }
        walk.told.insert(number)
        out.append(.object(try face(of: row, reader)))
      }
    }
    return out
  }

  /// The numbers of runs in a verdict's sentence, which calls them "run 12".
  private static func runsNamed(in sentence: String) -> [Int64] {
    let words = sentence.split { !$0.isLetter && !$0.isNumber }
    return zip(words, words.dropFirst()).compactMap { $0.0 == "run" ? Int64($0.1) : nil }
  }

  private func verdicts(of event: Int64, rule: String?, _ reader: StoreReader) throws(StoreError) -> [JSONValue] {
    var out: [JSONValue] = []
    for batch in try reader.engine.verdicts(around: event) {
      for found in batch.unpack() where found.event == event {
        for verdict in found.verdicts where rule == nil || verdict.rule == rule {
          out.append(Reports.describe(verdict))
        }
        if rule == nil, found.notMatched > 0 {
          out.append(
            .object([
              .init("verdict", .string(VerdictCode.notMatched.word)),
              .init("rules", .integer(Int64(found.notMatched))),
            ]))
        }
      }
    }
    return out
  }

  // MARK: versions

  /// The versions of a rule, newest first, with how many runs keep each.
  func history(_ path: String, _ reader: StoreReader) throws(StoreError) -> JSONValue? {
    guard let rule = try number(ofRule: path, reader) else { return nil }
    var living: [Int64: Int64] = [:]
    for row in try reader.rows(from: RowKey(.counter, .min), to: RowKey(.counter, 0), limit: Int.max / 4) {
      living[-row.key.first, default: 0] += row.value.flatMap(NumberRow.unpack) ?? 0
    }
    var versions: [JSONValue] = []
    for row in try reader.rows(from: RowKey(.version, 0), to: RowKey(.version, .max), limit: Int.max / 4) {
      guard let version = row.value.flatMap({ VersionRow($0) }), version.rule == rule else { continue }
      versions.append(
        .object([
          .init("version", .integer(row.key.first)), .init("created", .string(ISO8601.format(version.created))),
          .init("hash", .string(String(version.hash.hex.prefix(12)))),
          .init("files", .array(version.parts.map { .string($0.path) })),
          .init("runs", .integer(living[row.key.first] ?? 0)),
        ]))
    }
    return .object([.init("rule", .string(path)), .init("versions", .array(versions.reversed()))])
  }

  /// The texts of one version.
  func version(_ number: Int64, _ reader: StoreReader) throws(StoreError) -> JSONValue? {
    guard let version = try reader.value(RowKey(.version, number)).flatMap({ VersionRow($0) }) else { return nil }
    var files: [JSONValue] = []
    for part in version.parts {
      let key = RowKey(.source, Int64(bitPattern: part.hash.high), Int64(bitPattern: part.hash.low))
      let text = try reader.value(key) ?? []
      files.append(
        .object([.init("path", .string(part.path)), .init("text", .string(String(decoding: text, as: UTF8.self)))]))
    }
    return .object([
      .init("version", .integer(number)), .init("rule", .string(try path(ofRule: version.rule, reader))),
      .init("created", .string(ISO8601.format(version.created))), .init("files", .array(files)),
    ])
  }
}
