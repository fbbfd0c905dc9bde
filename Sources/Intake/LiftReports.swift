// What rules bring about, as it is told: the counts of all lanes put together and compared.
//
// Thread: whoever owns the reader. Promise: one report reads a bounded number of rows, in pieces; counts that began
// at different times are never put together.

internal import Basics
internal import Model
internal import Store

extension Reports {
  private static let countsPerPiece = 500

  /// Of one rule, or of all that have a goal. Nil: there is no such rule, or it never had a goal.
  func lift(rule path: String?, _ reader: StoreReader) throws(StoreError) -> ReportProgress {
    guard let path else { return try goOn(LiftWalk(next: RowKey(.arms, 0, .min)), reader) }
    guard let number = try number(ofRule: path, reader) else { return .done(nil) }
    let rows = try reader.rows(from: RowKey(.arms, number, .min), to: RowKey(.arms, number, .max), limit: Int.max / 4)
    let counts = rows.compactMap { $0.value.flatMap { ArmsRow($0) } }
    guard let sum = Reports.sum(counts) else { return .done(nil) }
    return .done(.object([.init("rules", .array([Reports.describe(sum, path)]))]))
  }

  /// Rows of one rule lie together; those of the last one that was met may go on behind it.
  private struct LiftWalk {
    var next: RowKey
    var rule: Int64 = 0
    var counts: [ArmsRow] = []
    var out: [JSONValue] = []
  }

  private func goOn(_ begun: LiftWalk, _ reader: StoreReader) throws(StoreError) -> ReportProgress {
    var walk = begun
    let rows = try reader.rows(from: walk.next, to: RowKey(.arms, .max, .max), limit: Reports.countsPerPiece)
    for row in rows {
      if row.key.first != walk.rule { try close(&walk, reader) }
      walk.rule = row.key.first
      if let counts = row.value.flatMap({ ArmsRow($0) }) { walk.counts.append(counts) }
    }
    if rows.count == Reports.countsPerPiece, let last = rows.last?.key {
      walk.next = RowKey(.arms, last.first, last.second + 1)
      return .further { [walk] reader throws(StoreError) in try goOn(walk, reader) }
    }
    try close(&walk, reader)
    return .done(.object([.init("rules", .array(walk.out))]))
  }

  private func close(_ walk: inout LiftWalk, _ reader: StoreReader) throws(StoreError) {
    if let sum = Reports.sum(walk.counts) {
      walk.out.append(Reports.describe(sum, try path(ofRule: walk.rule, reader)))
    }
    walk.counts = []
  }

  /// Of the newest count. A lane that has not begun it yet still has its last one.
  private static func sum(_ counts: [ArmsRow]) -> ArmsRow? {
    guard let newest = counts.max(by: { $0.since < $1.since }) else { return nil }
    var sum = ArmsRow(newest.definition, since: newest.since)
    // The first lane is always there; a row of one that is not tells what was.
    sum.isGone = counts.first?.isGone ?? false
    for one in counts where one.since == newest.since {
      sum.sent.subjects += one.sent.subjects
      sum.sent.converted += one.sent.converted
      sum.heldOut.subjects += one.heldOut.subjects
      sum.heldOut.converted += one.heldOut.converted
    }
    return sum
  }

  /// On which side of which rules a subject is, and since when.
  func sides(of subject: Int64, _ reader: StoreReader) throws(StoreError) -> JSONValue {
    var members: [JSONValue.Member] = []
    let rows = try reader.rows(
      from: RowKey(.exposure, subject, .min), to: RowKey(.exposure, subject, .max), limit: 1_000)
    for row in rows {
      guard let met = row.value.flatMap({ ExposureRow($0) }) else { continue }
      members.append(
        .init(
          try path(ofRule: row.key.second, reader),
          .object([
            .init("held_out", .boolean(!met.sides.isEmpty)), .init("met", .string(ISO8601.format(met.at))),
            .init("reached", met.converted.map { .string(ISO8601.format($0)) } ?? .null),
          ])))
    }
    return .object(members)
  }

  // MARK: as JSON

  private static func describe(_ counts: ArmsRow, _ path: String) -> JSONValue {
    let definition = counts.definition
    let lift = Lift(sent: counts.sent, heldOut: counts.heldOut, share: definition.shares.heldOut)
    let who = ["user": "people", "account": "accounts"][definition.per] ?? "subjects"
    var members: [JSONValue.Member] = [
      .init("rule", .string(path)), .init("goal", .string(definition.goal)),
      .init("within", definition.withinMilliseconds.map { .string(DurationText.format($0)) } ?? .null),
      .init("per", .string(definition.per)), .init("since", .string(ISO8601.format(counts.since))),
      .init("hold_out", .double(percent(definition.shares.heldOut))),
      .init("sent", side(counts.sent)), .init("held_out", side(counts.heldOut)),
      .init("verdict", .string(lift.verdict.rawValue)), .init("sentence", .string(lift.sentence(who: who))),
      .init("gone", .boolean(counts.isGone)),
    ]
    let isCompared = [.notCertain, .raises, .lowers].contains(lift.verdict)
    members.append(.init("difference", isCompared ? difference(lift) : .null))
    members.append(.init("needed", lift.needed.map { .integer(Int64($0)) } ?? .null))
    return .object(members)
  }

  private static func side(_ side: LiftSide) -> JSONValue {
    .object([
      .init("subjects", .integer(Int64(side.subjects))), .init("converted", .integer(Int64(side.converted))),
      .init("percent", .double(percent(side.rate))),
    ])
  }

  private static func difference(_ lift: Lift) -> JSONValue {
    let contrast = lift.contrast
    return .object([
      .init("points", .double(percent(contrast.effect))),
      .init("low", .double(percent(max(-1, contrast.effect - contrast.halfWidth)))),
      .init("high", .double(percent(min(1, contrast.effect + contrast.halfWidth)))),
      .init("p", .double((contrast.p * 10_000).rounded() / 10_000)),
    ])
  }

  /// With two digits behind the point: more is chance.
  private static func percent(_ share: Double) -> Double { (share * 10_000).rounded() / 100 }
}
