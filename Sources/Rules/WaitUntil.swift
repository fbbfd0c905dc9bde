// What wait_until means: a moment, or a step of the calendar in some zone.
//
// Thread: pure. Promise: a missing or bad date is a reason and never means now; a time of day that a
// change of clocks skips is the first moment after it.

internal import Basics
internal import Model

enum WaitUntil {
  enum Target: Equatable {
    case at(Instant)
    /// The data does not say when: the run ends with this reason.
    case unknown(String)
    /// The rule is wrong.
    case wrong(String)
  }

  private static let known = ["days", "weekday", "at", "zone"]
  static let weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

  static func moment(_ text: String) -> Target {
    if let instant = ISO8601.parse(text) { return .at(instant) }
    return .unknown("wait_until: '\(text.prefix(60))' is no date with a time and a zone, such as 2026-03-01T09:00:00Z")
  }

  /// { days = 1, at = "09:00" }, { weekday = "monday", at = "09:00" } or { at = "09:00" }.
  static func step(_ table: JSONCursor, now: Instant, zone name: (String?) -> Result<ZoneRules, ZoneError>) -> Target {
    for (key, _) in table.members where !known.contains(key) {
      return .wrong("wait_until: unknown option '\(key)'\(Suggestion.ending(for: key, among: known))")
    }
    guard let clock = table["at"].flatMap({ $0.count <= 5 ? $0.string : nil }).flatMap(timeOfDay) else {
      let given = table["at"].map { String(decoding: $0.text.prefix(60), as: UTF8.self) } ?? "missing"
      return .wrong("wait_until: 'at' must be a time of day such as \"09:00\"; it is \(given)")
    }
    if let zone = table["zone"], zone.string == nil {
      return .wrong(
        "wait_until: 'zone' must be a text such as \"Europe/Berlin\"; it is \(String(decoding: zone.text.prefix(60), as: UTF8.self))"
      )
    }
    let zone: ZoneRules
    switch name(table["zone"]?.string) {
    case .success(let found): zone = found
    case .failure(let error): return .unknown("wait_until: \(error.description)")
    }
    let today = zone.civil(at: now).date
    if let value = table["days"] {
      guard let days = value.integer, (0...Int64(Limits.daysAhead)).contains(days), table["weekday"] == nil else {
        return .wrong("wait_until: 'days' must be a whole number from 0 to \(Limits.daysAhead), without 'weekday'")
      }
      return moment(today, after: Int(days), clock, zone)
    }
    guard let value = table["weekday"] else { return next(now, today, clock, zone) { _ in true } }
    guard let wanted = (value.count <= 20 ? value.string : nil).flatMap({ weekdays.firstIndex(of: $0.lowercased()) })
    else {
      let given = String(decoding: value.text.prefix(60), as: UTF8.self)
      let near = value.count <= 20 ? value.string.map { Suggestion.ending(for: $0, among: weekdays) } ?? "" : ""
      return .wrong("wait_until: 'weekday' must be such as \"monday\"; it is \(given)\(near)")
    }
    return next(now, today, clock, zone) { $0.weekday == wanted }
  }

  static func timeOfDay(_ text: String) -> (hour: Int, minute: Int)? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count <= 2, parts[1].count == 2, let hour = Int(parts[0]),
      let minute = Int(parts[1]), (0..<24).contains(hour), (0..<60).contains(minute)
    else { return nil }
    return (hour, minute)
  }

  private static func moment(_ day: CivilDate, after days: Int, _ clock: (hour: Int, minute: Int), _ zone: ZoneRules)
    -> Target
  {
    let date = CivilDate(daysSinceEpoch: day.daysSinceEpoch + days)
    guard let civil = CivilTime(date: date, hour: clock.hour, minute: clock.minute) else { return .wrong("wait_until") }
    return .at(zone.instant(of: civil))
  }

  /// The first such day whose time of day is still to come.
  private static func next(
    _ now: Instant, _ today: CivilDate, _ clock: (hour: Int, minute: Int), _ zone: ZoneRules,
    _ isWanted: (CivilDate) -> Bool
  ) -> Target {
    for days in 0...8 where isWanted(CivilDate(daysSinceEpoch: today.daysSinceEpoch + days)) {
      let target = moment(today, after: days, clock, zone)
      if case .at(let instant) = target, instant > now { return target }
    }
    return .wrong("wait_until")
  }
}
