// What the engine needs to know again after a start: which events were seen, and which messages
// between lanes were not taken.
//
// Thread: main, before the lanes run. Promise: a message that was on disk and not taken is passed on
// once more; the receiver's record takes it away for good.

package import Basics
internal import Model
package import Store

package enum Recovery {
  /// Fills the set from the closed runs and the packed rows. Returns runs that became due meanwhile.
  package static func dedupe(_ set: DedupeSet, from loop: StoreLoop, reader: StoreReader) throws(StoreError)
    -> [DedupeRun]
  {
    try set.recoverRuns(through: loop.recovered.dedupeRun, reader: reader.engine)
    var runs: [DedupeRun] = []
    try loop.dedupeRows { record, time, packed in
      for hash in DedupePage.unpack(packed) {
        if let run = set.recover(hash, time: time, record: record) { runs.append(run) }
      }
    }
    return runs
  }

  /// Every version of every rule, by the rule's number.
  package static func versions(_ reader: StoreReader) throws(StoreError) -> [Int64: [RuleBook.KnownVersion]] {
    var found: [Int64: [RuleBook.KnownVersion]] = [:]
    for row in try reader.rows(from: RowKey(.version, 0), to: RowKey(.version, .max), limit: Int.max / 4) {
      guard let version = row.value.flatMap({ VersionRow($0) }) else { continue }
      found[version.rule, default: []].append(RuleBook.KnownVersion(number: row.key.first, hash: version.hash))
    }
    return found
  }

  /// What is kept about every subject. Where all lanes have looked back for one it says so; one for which other
  /// lanes than those of now began to look back is given up, so that it begins anew.
  package static func definitions(_ reader: StoreReader, lanes: Int) throws(StoreError) -> [StoredDefinition] {
    var found: [StoredDefinition] = []
    for row in try reader.rows(from: RowKey(.definition, 0), to: RowKey(.definition, .max), limit: Int.max / 4) {
      guard var definition = row.value.flatMap({ StoredDefinition(number: row.key.first, $0) }) else { continue }
      if !definition.isGone, !definition.isFilled || definition.isLeaving {
        let progress = try reader.rows(
          from: RowKey(.progress, definition.number, 0), to: RowKey(.progress, definition.number, .max), limit: 1_000)
        let done = progress.count { $0.value.flatMap { ProgressRow($0) }?.phase == .done }
        definition.isFilled = definition.isFilled || done >= definition.lanes
        definition.isGone = definition.isLeaving && isGone(progress.compactMap { $0.value.flatMap { ProgressRow($0) } })
        // A schedule looks back at nothing: its moments are the same for any number of lanes.
        let isInterrupted = !definition.isFilled && definition.lanes != lanes && definition.what.schedule == nil
        definition.isLeaving = definition.isLeaving || isInterrupted
      }
      found.append(definition)
    }
    return found
  }

  /// Whether all lanes of one time have removed it.
  private static func isGone(_ progress: [ProgressRow]) -> Bool {
    let lanes = progress.filter { $0.phase == .gone }.map(\.cursor)
    return Set(lanes).contains { count in lanes.count { $0 == count } >= max(count, 1) }
  }

  /// The numbers of all rules there ever were, by path.
  package static func rules(_ reader: StoreReader) throws(StoreError) -> [String: Int64] {
    var known: [String: Int64] = [:]
    for row in try reader.rows(from: RowKey(.rule, 0), to: RowKey(.rule, .max), limit: 1_000_000) {
      known[String(decoding: row.value ?? [], as: UTF8.self)] = row.key.first
    }
    return known
  }

  /// How many runs of each rule live, of all its versions.
  package static func livingRuns(_ reader: StoreReader) throws(StoreError) -> [Int64: Int64] {
    var owners: [Int64: Int64] = [:]
    for (rule, versions) in try versions(reader) { for version in versions { owners[version.number] = rule } }
    var found: [Int64: Int64] = [:]
    for row in try reader.rows(from: RowKey(.counter, .min), to: RowKey(.counter, 0), limit: Int.max / 4) {
      guard let rule = owners[-row.key.first] else { continue }
      found[rule, default: 0] += row.value.flatMap(NumberRow.unpack) ?? 0
    }
    return found
  }

  /// Rules that were paused, with the reason.
  package static func pauses(_ reader: StoreReader) throws(StoreError) -> [Int64: String] {
    var found: [Int64: String] = [:]
    for row in try reader.rows(from: RowKey(.pause, 0), to: RowKey(.pause, .max), limit: Int.max / 4) {
      found[row.key.first] = row.value.flatMap { PauseRow($0)?.reason }
    }
    return found
  }

  package static func messages(_ reader: StoreReader, hash: KeyedHash) throws(StoreError) -> [LaneMessage] {
    let rows = try reader.rows(
      from: RowKey(.message, Int64.min), to: RowKey(.message, Int64.max, Int64.max), limit: Int.max / 4)
    let parser = DocumentParser(maximumBytes: Limits.inflatedBodyBytes, maximumDepth: Limits.jsonDepth)
    var out: [LaneMessage] = []
    for row in rows {
      guard let packed = row.value, let message = MessageRow(packed) else {
        throw StoreError(.damaged, "a message between lanes cannot be read; restore the store from a backup")
      }
      if let content = try content(of: message, row.key, reader, parser, hash) {
        out.append(
          LaneMessage(event: row.key.first, position: row.key.second, subject: message.subject, content: content))
      }
    }
    return out
  }

  private static func content(
    of message: MessageRow, _ key: RowKey, _ reader: StoreReader, _ parser: DocumentParser, _ hash: KeyedHash
  ) throws(StoreError) -> LaneMessage.Content? {
    switch message.kind {
    case .observe:
      guard let row = try reader.engine.event(key.first) else { return nil }
      return read(row.body, source: row.source, received: row.received, parser, hash).map { .observe($0) }
    case .emitted:
      guard let target = SubjectReference(message.target) else { return nil }
      return OwnEvent.decode(message.body, received: message.received, parser: parser, hash: hash).map {
        .emitted($0, to: target)
      }
    case .listen, .unlisten, .heard, .reply: return ofRun(message, position: key.second)
    }
  }

  private static func ofRun(_ message: MessageRow, position: Int64) -> LaneMessage.Content? {
    let run = message.received.milliseconds
    let target = SubjectReference(message.target)
    switch message.kind {
    case .listen:
      guard let target, let listener = RunListener(message.body) else { return nil }
      return .listen(listener, to: target)
    case .unlisten: return target.map { .unlisten(run: run, to: $0) }
    case .heard:
      return NumberRow.unpack(message.body).map { .heard(run: run, event: $0, name: message.id) }
    default: return .reply(run: run, delivery: position >> 2, json: message.body)
    }
  }

  /// An event as it was first read.
  private static func read(
    _ body: [UInt8], source: String, received: Instant, _ parser: DocumentParser, _ hash: KeyedHash
  ) -> IncomingEvent? {
    guard let document = try? parser.parse(body),
      let event = try? EventDecoder(source: source).decode(document.root, received: received)
    else { return nil }
    return IncomingEvent(event: event, dedupe: OwnEvent.dedupe(source, event.id, hash), body: body, ticket: nil)
  }
}
