// The word calendar: an entry for somebody's calendar, as a file and a link to its newest version.
//
// Thread: the runtime's. Promise: what cannot be understood is told with the option's name; the same entry at the
// same moment gives the same file.

package import Basics
internal import CRuleHost
package import Model

/// Whoever makes the file and knows where it can be fetched.
package protocol CalendarMaker: AnyObject {
  /// Nil: there is no such zone.
  func page(_ entry: CalendarEntry, now: Instant) -> CalendarPage?
}

extension EffectWords {
  private static let calendarOptions = [
    "uid", "sequence", "title", "starts_at", "ends_at", "zone", "description", "location", "url", "organizer",
    "attendee", "cancelled", "alarms",
  ]

  /// A year has four digits in a calendar file, in every zone: from 1900 to 9998.
  private static let calendarTimes =
    Instant(milliseconds: -2_208_988_800_000)...Instant(milliseconds: 253_370_764_799_999)

  func calendar(_ call: RuleCall) {
    if isTooMany(1, "calendar", call) { return }
    guard !call.isNil(0) else {
      return call.fail("calendar needs a table, such as calendar { uid = \"e7/42\", title = \"…\", starts_at = … }")
    }
    guard let options = options(0, "calendar", known: EffectWords.calendarOptions, call),
      let entry = calendarEntry(options, call)
    else { return }
    let now = player?.now ?? moment
    guard let page = calendars?.page(entry, now: now) else {
      return call.fail("calendar: there is no zone \"\(entry.zone)\"")
    }
    add(.calendar(page), .calendar, hash: player == nil ? 0 : JournalEntry.hash(entry.uid), call)
    call.answer(page.text, page.link)
  }

  private func calendarEntry(_ options: [String: JSONCursor], _ call: RuleCall) -> CalendarEntry? {
    func wrong<Value>(_ name: String, _ what: String) -> Value? {
      let given = options[name].map { String(decoding: $0.text.prefix(80), as: UTF8.self) } ?? "missing"
      call.fail("calendar: '\(name)' must be \(what); it is \(given)")
      return nil
    }
    func text(_ name: String, _ most: Int, isRequired: Bool = false) -> String? {
      guard let value = options[name] else { return isRequired ? wrong(name, "a text") : "" }
      guard let text = value.string, text.utf8.count <= most, !isRequired || !text.isEmpty else {
        return wrong(name, "a text of \(isRequired ? "1" : "0") to \(most) bytes")
      }
      return text
    }
    func person(_ name: String) -> CalendarEntry.Person?? {
      guard let value = options[name] else { return .some(nil) }
      guard let email = value["email"]?.string, email.contains("@"), email.utf8.count <= 320 else {
        return wrong(name, "a table with an address, such as { name = \"…\", email = \"…\" }")
      }
      let known = value["name"]?.string ?? ""
      guard known.utf8.count <= 200 else { return wrong(name, "a table with a name of at most 200 bytes") }
      return CalendarEntry.Person(name: known, email: email)
    }
    guard let uid = text("uid", 200, isRequired: true), let title = text("title", 500, isRequired: true) else {
      return nil
    }
    guard let starts = options["starts_at"]?.instant, EffectWords.calendarTimes.contains(starts) else {
      return wrong("starts_at", "a date with a time and a zone, or milliseconds since 1970")
    }
    guard let ends = options["ends_at"].map({ $0.instant }) ?? (starts + 3_600_000), ends >= starts,
      EffectWords.calendarTimes.contains(ends)
    else {
      return wrong("ends_at", "a date that is not before 'starts_at', and before the year 9999")
    }
    var entry = CalendarEntry(uid: uid, title: title, starts: starts, ends: ends)
    if let value = options["sequence"] {
      guard let number = value.integer, (0...1_000_000).contains(number) else {
        return wrong("sequence", "a whole number from 0 on, which grows with each version")
      }
      entry.sequence = number
    }
    if let value = options["cancelled"] {
      guard let isCancelled = value.boolean else { return wrong("cancelled", "true or false") }
      entry.isCancelled = isCancelled
    }
    guard let zone = text("zone", 100), let description = text("description", 4_000),
      let location = text("location", 500),
      let url = text("url", 1_000), let organizer = person("organizer"), let attendee = person("attendee")
    else { return nil }
    entry.zone = zone
    entry.description = description
    entry.location = location
    entry.url = url
    entry.organizer = organizer
    entry.attendee = attendee
    let alarms = options["alarms"]?.elements ?? []
    entry.alarmsMilliseconds = alarms.compactMap { $0.string.flatMap { DurationText.milliseconds($0) } }
    let isList = options["alarms"].map { $0.kind == .array || ($0.kind == .object && $0.count == 0) } ?? true
    guard isList, alarms.count <= 8, entry.alarmsMilliseconds.count == alarms.count else {
      return wrong("alarms", "a list of at most 8 durations, such as { \"1 hour\", \"10 minutes\" }")
    }
    return entry
  }
}
