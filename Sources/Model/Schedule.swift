// When a schedule is due: texts such as "monday 09:00", as moments in a zone.
//
// Thread: values. Promise: the moments of a schedule depend on its text and the zone alone; one that a change of
// clocks skips is the first moment after it, one that comes twice is the first of the two.

package import Basics

package struct SchedulePattern: Sendable, Hashable {
  private enum Days: Sendable, Hashable {
    /// Bit 0 is Sunday.
    case weekdays(UInt8)
    /// 0: the last one.
    case ofMonth(Int)
  }
  private enum Form: Sendable, Hashable {
    case interval(milliseconds: Int64)
    case clock(Days, hour: Int, minute: Int)
  }
  private let form: Form

  package static let right =
    "such as \"monday 09:00\", \"weekday 08:30\", \"day 18:00\", \"month 1 09:00\", \"month last 09:00\" or \"15 minutes\""

  package static let words = [
    "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "day", "weekday", "weekend", "month",
  ]

  /// Nil when it is none.
  package init?(_ text: String) {
    if let pause = DurationText.milliseconds(text) {
      guard pause >= 60_000, pause <= 366 * 86_400_000 else { return nil }
      form = .interval(milliseconds: pause)
      return
    }
    let plain = text.lowercased()
    var parts = plain.split(whereSeparator: { $0 == " " || $0 == "," }).map(String.init)
    guard let last = parts.popLast(), let (hour, minute) = SchedulePattern.clock(last),
      let days = SchedulePattern.days(parts)
    else { return nil }
    form = .clock(days, hour: hour, minute: minute)
  }

  private static func clock(_ text: String) -> (Int, Int)? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, (1...2).contains(parts[0].count), parts[1].count == 2, let hour = Int(parts[0]),
      let minute = Int(parts[1]), (0..<24).contains(hour), (0..<60).contains(minute)
    else { return nil }
    return (hour, minute)
  }

  private static func days(_ words: [String]) -> Days? {
    if words.isEmpty { return .weekdays(0x7F) }
    if words[0] == "month" {
      guard words.count == 2 else { return nil }
      if words[1] == "last" { return .ofMonth(0) }
      guard let day = Int(words[1]), (1...28).contains(day) else { return nil }
      return .ofMonth(day)
    }
    var bits: UInt8 = 0
    for word in words {
      switch word {
      case "day": bits |= 0x7F
      case "weekday": bits |= 0x3E
      case "weekend": bits |= 0x41
      default:
        guard let day = SchedulePattern.words.prefix(7).firstIndex(of: word) else { return nil }
        bits |= 1 << UInt8(day)
      }
    }
    return .weekdays(bits)
  }

  /// It is the same moment in every zone.
  package var isEverywhereAlike: Bool { if case .interval = form { true } else { false } }

  private func takes(_ date: CivilDate, _ days: Days) -> Bool {
    switch days {
    case .weekdays(let bits): return bits & (1 << UInt8(date.weekday)) != 0
    case .ofMonth(let day):
      return date.day == (day == 0 ? CivilDate.days(inMonth: date.month, ofYear: date.year) : day)
    }
  }

  /// The first moment after this one.
  package func next(after time: Instant, _ zone: ZoneRules) -> Instant {
    switch form {
    case .interval(let step):
      return Instant(milliseconds: (CivilTime.floorDivide(time.milliseconds, step).quotient + 1) * step)
    case .clock(let days, let hour, let minute):
      let today = zone.civil(at: time).date.daysSinceEpoch
      for day in (today - 1)...(today + SchedulePattern.reachDays) {
        if let moment = moment(CivilDate(daysSinceEpoch: day), days, hour, minute, zone), moment > time {
          return moment
        }
      }
      return .distantFuture
    }
  }

  /// The last moment that is not after this one.
  package func latest(upTo time: Instant, _ zone: ZoneRules) -> Instant {
    switch form {
    case .interval(let step):
      return Instant(milliseconds: CivilTime.floorDivide(time.milliseconds, step).quotient * step)
    case .clock(let days, let hour, let minute):
      let today = zone.civil(at: time).date.daysSinceEpoch
      for day in ((today - SchedulePattern.reachDays)...(today + 1)).reversed() {
        if let moment = moment(CivilDate(daysSinceEpoch: day), days, hour, minute, zone), moment <= time {
          return moment
        }
      }
      return .zero
    }
  }

  /// Within so many days there is one of any kind.
  private static let reachDays = 63

  private func moment(_ date: CivilDate, _ days: Days, _ hour: Int, _ minute: Int, _ zone: ZoneRules) -> Instant? {
    guard takes(date, days), let civil = CivilTime(date: date, hour: hour, minute: minute) else { return nil }
    return zone.instant(of: civil)
  }
}

package struct ScheduleDefinition: Sendable, Hashable {
  /// The path of the rule that asks.
  package var rule: String
  package var text: String
  /// The rule's zone; nil: each subject's, else the configured one.
  package var zone: String?
  /// The kind of the subjects it is for; nil: for the rule alone.
  package var forEach: String?
  /// Only those in this segment.
  package var segment: String?
  /// How many subjects begin in a second.
  package var ratePerSecond: Int

  package init(rule: String, text: String, zone: String?, forEach: String?, segment: String?, ratePerSecond: Int) {
    self.rule = rule
    self.text = text
    self.zone = zone
    self.forEach = forEach
    self.segment = segment
    self.ratePerSecond = ratePerSecond
  }

  package func pack(into writer: inout PackedWriter) {
    writer.counted(rule)
    writer.counted(text)
    writer.byte((zone == nil ? 0 : 1) | (forEach == nil ? 0 : 2) | (segment == nil ? 0 : 4))
    for part in [zone, forEach, segment] { if let part { writer.counted(part) } }
    writer.integer(ratePerSecond)
  }

  /// Nil: damaged.
  package init?(_ reader: inout PackedReader) {
    let rule = reader.text()
    let text = reader.text()
    let flags = reader.byte()
    let zone = flags & 1 == 0 ? nil : reader.text()
    let forEach = flags & 2 == 0 ? nil : reader.text()
    let segment = flags & 4 == 0 ? nil : reader.text()
    let rate = reader.integer()
    guard !reader.failed, rate > 0 else { return nil }
    self.init(rule: rule, text: text, zone: zone, forEach: forEach, segment: segment, ratePerSecond: rate)
  }
}
