// When a run goes on that waits for a date in its events: so long before it, or at a time of day some days
// before it, and which later events move or cancel that date.
//
// Thread: values. Promise: a plan says all that is needed to work out its moment anew when the date moves,
// so that a move costs no look at the rule.

package import Basics

package struct DatePlan: Sendable, Equatable {
  /// How long before the date.
  package enum Lead: Sendable, Equatable {
    case duration(milliseconds: Int64)
    /// At a time of day, so many days before; the zone is the named one, else found as for every time of day.
    case calendar(days: Int, hour: Int, minute: Int, zone: String?)
  }

  /// What becomes of a moment that is past although the date lies ahead. The numbers are stored.
  package enum Late: UInt8, Sendable {
    case skip = 0
    case send = 1
    /// The rule is told and decides.
    case tell = 2
  }

  /// Where events carry the date: "data.starts_at".
  package var path: String
  package var lead: Lead
  package var moved: [String]
  package var cancelled: [String]
  package var late: Late
  /// The newest date, as its event has it; empty: none is known yet.
  package var date = ""
  /// The event that brought it; 0: the one that started the run.
  package var by: Int64 = 0
  /// Its moment was past when it was moved there: the run only waits for the date to move once more.
  package var isLate = false

  package init(path: String, lead: Lead, moved: [String] = [], cancelled: [String] = [], late: Late = .tell) {
    self.path = path
    self.lead = lead
    self.moved = moved
    self.cancelled = cancelled
    self.late = late
  }

  /// The events that its runs listen to.
  package var names: [String] { moved + cancelled }
}

extension DatePlan.Lead {
  /// For sentences: "1 day before", "18:00, 1 day before".
  package var sentence: String {
    switch self {
    case .duration(0): "at"
    case .duration(let milliseconds): DurationText.exact(milliseconds) + " before"
    case .calendar(let days, let hour, let minute, _):
      "\(DatePlan.two(hour)):\(DatePlan.two(minute)), "
        + (days == 0 ? "on the day of" : "\(days) \(days == 1 ? "day" : "days") before")
    }
  }
}

extension DatePlan {
  fileprivate static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  /// "1 day before 2026-03-01T09:00:00Z, data.starts_at"; nil while no date is known.
  package var sentence: String? {
    if date.isEmpty { return nil }
    return isLate
      ? "\(date), \(path), unless that moves: its moment is past" : "\(lead.sentence) \(date), \(path)"
  }
}

// MARK: stored

extension DatePlan {
  package func pack(into writer: inout PackedWriter) {
    writer.counted(path)
    writer.byte(late.rawValue | (isLate ? 0x10 : 0))
    switch lead {
    case .duration(let milliseconds):
      writer.byte(0)
      writer.signed(milliseconds)
    case .calendar(let days, let hour, let minute, let zone):
      writer.byte(1)
      writer.integer(days)
      writer.integer(hour * 60 + minute)
      writer.counted(zone ?? "")
    }
    for names in [moved, cancelled] {
      writer.integer(names.count)
      for name in names { writer.counted(name) }
    }
    writer.counted(date)
    writer.signed(by)
  }

  /// Nil: damaged.
  package static func unpack(_ reader: inout PackedReader) -> DatePlan? {
    let path = reader.text()
    let tag = reader.byte()
    guard let late = Late(rawValue: tag & 0x0F), let lead = lead(&reader), let moved = names(&reader),
      let cancelled = names(&reader)
    else { return nil }
    var plan = DatePlan(path: path, lead: lead, moved: moved, cancelled: cancelled, late: late)
    plan.isLate = tag & 0x10 != 0
    plan.date = reader.text()
    plan.by = reader.signed()
    return reader.failed ? nil : plan
  }

  private static func lead(_ reader: inout PackedReader) -> Lead? {
    if reader.byte() == 0 {
      let milliseconds = reader.signed()
      return (0...Limits.waitMilliseconds).contains(milliseconds) ? .duration(milliseconds: milliseconds) : nil
    }
    let days = reader.integer()
    let minutes = reader.integer()
    let zone = reader.text()
    guard (0...Limits.daysAhead).contains(days), (0..<1_440).contains(minutes) else { return nil }
    return .calendar(days: days, hour: minutes / 60, minute: minutes % 60, zone: zone.isEmpty ? nil : zone)
  }

  private static func names(_ reader: inout PackedReader) -> [String]? {
    let count = reader.integer()
    guard !reader.failed, (0...Limits.awaitedNames).contains(count) else { return nil }
    var names: [String] = []
    for _ in 0..<count { names.append(reader.text()) }
    return names
  }
}
