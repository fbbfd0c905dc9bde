// What is kept about every subject, as it is stored: windows now, and what else looks at events all the time.
//
// Thread: values. Promise: a definition keeps its number for ever, and a number is never given to another one.

package import Basics
package import Model

package enum MeasureDefinition: Sendable, Hashable {
  case window(WindowDefinition)
  case absence(AbsenceDefinition)
  case segment(SegmentDefinition)
  case schedule(ScheduleDefinition)

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 64)
    switch self {
    case .window(let window):
      writer.byte(1)
      window.pack(into: &writer)
    case .absence(let absence):
      writer.byte(2)
      absence.pack(into: &writer)
    case .segment(let segment):
      writer.byte(3)
      segment.pack(into: &writer)
    case .schedule(let schedule):
      writer.byte(4)
      schedule.pack(into: &writer)
    }
    return writer.bytes
  }

  /// Nil: damaged, or of a newer program.
  package init?(_ reader: inout PackedReader) {
    switch reader.byte() {
    case 1:
      guard let window = WindowDefinition(&reader) else { return nil }
      self = .window(window)
    case 2:
      guard let absence = AbsenceDefinition(&reader) else { return nil }
      self = .absence(absence)
    case 3:
      guard let segment = SegmentDefinition(&reader) else { return nil }
      self = .segment(segment)
    case 4:
      guard let schedule = ScheduleDefinition(&reader) else { return nil }
      self = .schedule(schedule)
    default: return nil
    }
  }

  package var window: WindowDefinition? { if case .window(let window) = self { window } else { nil } }
  package var per: String {
    switch self {
    case .window(let window): window.per
    case .absence(let absence): absence.per
    case .segment(let segment): segment.per
    case .schedule(let schedule): schedule.forEach ?? "rule"
    }
  }
  package var schedule: ScheduleDefinition? { if case .schedule(let schedule) = self { schedule } else { nil } }
  /// Something is known of every subject from the beginning.
  package var isOfAll: Bool {
    switch self {
    case .absence, .segment: true
    case .window, .schedule: false
    }
  }
}

package struct StoredDefinition: Sendable, Equatable {
  package var number: Int64
  package var what: MeasureDefinition
  /// Events up to this one come from the log, later ones as they are decided.
  package var cutoff: Int64
  /// How many lanes share the work of looking back.
  package var lanes: Int
  /// All of them have done it.
  package var isFilled: Bool
  /// No rule asks for it any more; what is known by it goes.
  package var isLeaving: Bool
  /// It has gone everywhere; its own row is all that is left, and keeps its number.
  package var isGone = false
  /// The numbers of the rules that ask or asked for it.
  package var rules: [Int64]

  package init(number: Int64, what: MeasureDefinition, rules: [Int64]) {
    self.number = number
    self.what = what
    self.rules = rules
    cutoff = 0
    lanes = 0
    isFilled = false
    isLeaving = false
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 96)
    writer.byte(1)
    writer.signed(cutoff)
    writer.integer(lanes)
    writer.byte((isFilled ? 1 : 0) | (isLeaving ? 2 : 0) | (isGone ? 4 : 0))
    writer.integer(rules.count)
    for rule in rules { writer.signed(rule) }
    writer.bytes += what.packed
    return writer.bytes
  }

  /// Nil: damaged.
  package init?(number: Int64, _ bytes: [UInt8]) {
    let found: StoredDefinition? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      let cutoff = reader.signed()
      let lanes = reader.integer()
      let flags = reader.byte()
      let count = reader.integer()
      guard !reader.failed, (0...Limits.rules).contains(count) else { return nil }
      let rules = (0..<count).map { _ in reader.signed() }
      guard let what = MeasureDefinition(&reader), !reader.failed else { return nil }
      var row = StoredDefinition(number: number, what: what, rules: rules)
      row.cutoff = cutoff
      row.lanes = lanes
      row.isFilled = flags & 1 != 0
      row.isLeaving = flags & 2 != 0
      row.isGone = flags & 4 != 0
      return row
    }
    guard let found else { return nil }
    self = found
  }
}

/// How far a lane has come with looking back for a definition.
package struct ProgressRow: Sendable, Equatable {
  package enum Phase: UInt8, Sendable {
    /// Goes through the log, the newest events first.
    case events = 1
    /// Goes through its subjects.
    case subjects = 2
    case done = 3
    /// What was known by a definition that nobody asks for is gone.
    case gone = 4
    /// As `subjects`, on the day on which a schedule was published.
    case firstSubjects = 5
  }
  package var phase: Phase
  /// The event below which, or the subject behind which it goes on; of what is gone, how many lanes there were.
  package var cursor: Int64
  /// From when on everything is known, where the log does not reach as far back as would be needed.
  package var since: Instant?
  /// Of schedules: among how many lanes this one is; 0 in rows of older versions, and of what is no schedule.
  package var lanes = 0
  /// Behind which subjects the lanes went on when they became other ones in the middle of a way.
  package var earlier: [Int64] = []
  /// Of windows: up to which event this lane takes them from the log, where that is not what the definition says.
  package var cutoff: Int64 = 0

  package init(phase: Phase, cursor: Int64, since: Instant? = nil) {
    self.phase = phase
    self.cursor = cursor
    self.since = since
  }

  /// More than any number of lanes.
  private static let mostEarlier = 1_000

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 16)
    writer.byte(phase.rawValue)
    writer.signed(cursor)
    writer.signed(since?.milliseconds ?? 0)
    if lanes == 0, cutoff == 0 { return writer.bytes }
    writer.integer(lanes)
    writer.integer(earlier.count)
    for cursor in earlier { writer.signed(cursor) }
    if cutoff != 0 { writer.signed(cutoff) }
    return writer.bytes
  }

  /// Nil: damaged.
  package init?(_ bytes: [UInt8]) {
    let found: ProgressRow? = PackedReader.read(bytes) { reader in
      guard let phase = Phase(rawValue: reader.byte()) else { return nil }
      let cursor = reader.signed()
      let since = reader.signed()
      var row = ProgressRow(phase: phase, cursor: cursor, since: since == 0 ? nil : Instant(milliseconds: since))
      if !reader.atEnd {
        row.lanes = reader.integer()
        let count = reader.integer()
        guard !reader.failed, (0...ProgressRow.mostEarlier).contains(count) else { return nil }
        row.earlier = (0..<count).map { _ in reader.signed() }
        if !reader.atEnd { row.cutoff = reader.signed() }
      }
      return reader.failed ? nil : row
    }
    guard let found else { return nil }
    self = found
  }
}
