// What the store can tell about segments: which there are, how many subjects are in each, and who.
//
// Thread: whoever owns the reader. Promise: a count is what the lanes counted; a list reads a bounded number of rows
// and says where to go on.

internal import Basics
internal import Model
internal import Store

extension Reports {
  private static let rowsPerPiece = 500

  private func definitions(_ reader: StoreReader) throws(StoreError) -> [(row: StoredDefinition, of: SegmentDefinition)]
  {
    var found: [(row: StoredDefinition, of: SegmentDefinition)] = []
    for row in try reader.rows(from: RowKey(.definition, 0), to: RowKey(.definition, .max), limit: Int.max / 4) {
      guard let definition = row.value.flatMap({ StoredDefinition(number: row.key.first, $0) }), !definition.isLeaving,
        case .segment(let segment) = definition.what
      else { continue }
      found.append((definition, segment))
    }
    // Of one name the newest is what counts: an older one is on its way out.
    let newest = Dictionary(found.map { ($0.of.name, $0.row.number) }, uniquingKeysWith: max)
    return found.filter { newest[$0.of.name] == $0.row.number }.sorted { $0.of.name < $1.of.name }
  }

  func segments(_ reader: StoreReader) throws(StoreError) -> JSONValue {
    var list: [JSONValue] = []
    for (row, segment) in try definitions(reader) {
      let tallies = try reader.rows(
        from: RowKey(.tally, row.number), to: RowKey(.tally, row.number, .max), limit: 1_000)
      let count = tallies.reduce(0) { $0 + ($1.value.flatMap(NumberRow.unpack) ?? 0) }
      let progress = try reader.rows(
        from: RowKey(.progress, row.number), to: RowKey(.progress, row.number, .max), limit: 1_000)
      let done = progress.count { $0.value.flatMap { ProgressRow($0) }?.phase == .done }
      list.append(
        .object([
          .init("segment", .string(segment.name)), .init("per", .string(segment.per)), .init("count", .integer(count)),
          .init("complete", .boolean(row.isFilled || done >= max(row.lanes, 1))),
        ]))
    }
    return .object([.init("segments", .array(list))])
  }

  /// Who is in one, from the oldest subject on; nil when there is no such segment.
  func members(
    of name: String, after: Int64, limit: Int, begun: [JSONValue] = [], pieces: Int = 1, _ reader: StoreReader
  ) throws(StoreError) -> ReportProgress {
    guard let number = try definitions(reader).first(where: { $0.of.name == name })?.row.number else {
      return .done(nil)
    }
    let rows = try reader.rows(
      from: RowKey(.measure, after + 1, .min), to: RowKey(.measure, .max, .max), limit: Reports.rowsPerPiece)
    var list = begun
    var next = after
    // The last subject of a piece may go on behind it: it is met again, unless it fills the piece alone.
    let isLast = rows.count < Reports.rowsPerPiece
    let last = rows.last?.key.first ?? after
    for row in rows where list.count < limit && (isLast || row.key.first < last || rows[0].key.first == last) {
      next = row.key.first
      guard row.key.second == number, let record = row.value.flatMap({ SegmentRecord($0) }), record.isInside else {
        continue
      }
      list.append(
        .object([
          .init("subject", .string(try self.name(of: row.key.first, reader))),
          .init("since", .string(ISO8601.format(record.since))),
        ]))
    }
    let isOver = isLast && list.count < limit
    if !isOver, list.count < limit, pieces * Reports.rowsPerPiece < Reports.longestWalk {
      return .further { [list, next] reader throws(StoreError) in
        try members(of: name, after: next, limit: limit, begun: list, pieces: pieces + 1, reader)
      }
    }
    return .done(
      .object([.init("members", .array(list)), .init("next_after", isOver ? .null : .integer(next))]))
  }

  /// The segments that a subject is in.
  func segments(of subject: Int64, _ reader: StoreReader) throws(StoreError) -> JSONValue {
    var list: [JSONValue] = []
    for (row, segment) in try definitions(reader) {
      guard let record = try reader.value(RowKey(.measure, subject, row.number)).flatMap({ SegmentRecord($0) }),
        record.isInside
      else { continue }
      list.append(
        .object([
          .init("segment", .string(segment.name)), .init("since", .string(ISO8601.format(record.since))),
        ]))
    }
    return .array(list)
  }
}
