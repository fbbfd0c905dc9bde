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

  package static func messages(_ reader: StoreReader, hash: KeyedHash) throws(StoreError) -> [LaneMessage] {
    let rows = try reader.rows(
      from: RowKey(.message, Int64.min), to: RowKey(.message, Int64.max, Int64.max), limit: Int.max / 4)
    let parser = DocumentParser(maximumBytes: Limits.inflatedBodyBytes, maximumDepth: Limits.jsonDepth)
    var out: [LaneMessage] = []
    for row in rows {
      guard let packed = row.value, let message = MessageRow(packed) else {
        throw StoreError(.damaged, "a message between lanes cannot be read; restore the store from a backup")
      }
      if let content = try content(of: message, event: row.key.first, reader, parser, hash) {
        out.append(
          LaneMessage(event: row.key.first, position: row.key.second, subject: message.subject, content: content))
      }
    }
    return out
  }

  private static func content(
    of message: MessageRow, event number: Int64, _ reader: StoreReader, _ parser: DocumentParser, _ hash: KeyedHash
  ) throws(StoreError) -> LaneMessage.Content? {
    switch message.kind {
    case .observe:
      guard let row = try reader.engine.event(number) else { return nil }
      return read(row.body, source: row.source, received: row.received, parser, hash).map { .observe($0) }
    case .emitted:
      guard let target = SubjectReference(message.target) else { return nil }
      return OwnEvent.decode(message.body, received: message.received, parser: parser, hash: hash).map {
        .emitted($0, to: target)
      }
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
