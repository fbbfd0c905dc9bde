// A calendar file as RFC 5545 has it: one entry, with the changes of clocks of its zone around it.
//
// Thread: pure. Promise: lines end with CR and LF and are folded at 75 bytes, never inside of a letter; nothing
// that a rule puts into a text can become a line of its own.

package import Basics
package import Model

package enum CalendarFile {
  /// `zone` nil: times are told in UTC.
  package static func text(_ entry: CalendarEntry, zone: ZoneRules?, now: Instant) -> String {
    var file = Lines()
    file.add("BEGIN:VCALENDAR")
    file.add("VERSION:2.0")
    file.add("PRODID:-//nudged//calendar//EN")
    file.add("METHOD:\(method(entry))")
    if let zone { add(zone, around: entry, to: &file) }
    file.add("BEGIN:VEVENT")
    file.add("UID:" + escaped(entry.uid))
    file.add("SEQUENCE:\(entry.sequence)")
    file.add("DTSTAMP:" + utc(now))
    file.add(moment("DTSTART", entry.starts, zone))
    file.add(moment("DTEND", entry.ends, zone))
    file.add("SUMMARY:" + escaped(entry.title))
    if !entry.description.isEmpty { file.add("DESCRIPTION:" + escaped(entry.description)) }
    if !entry.location.isEmpty { file.add("LOCATION:" + escaped(entry.location)) }
    if !entry.url.isEmpty { file.add("URL:" + plain(entry.url)) }
    if let person = entry.organizer { file.add("ORGANIZER" + address(person)) }
    if let person = entry.attendee {
      file.add("ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED" + address(person))
    }
    file.add("STATUS:" + (entry.isCancelled ? "CANCELLED" : "CONFIRMED"))
    if !entry.isCancelled { for alarm in entry.alarmsMilliseconds { add(alarm, entry, to: &file) } }
    file.add("END:VEVENT")
    file.add("END:VCALENDAR")
    return file.text
  }

  /// A mail program treats a request and a cancellation as such only when it knows between whom.
  private static func method(_ entry: CalendarEntry) -> String {
    guard entry.organizer != nil, entry.attendee != nil else { return "PUBLISH" }
    return entry.isCancelled ? "CANCEL" : "REQUEST"
  }

  private static func add(_ alarm: Int64, _ entry: CalendarEntry, to file: inout Lines) {
    file.add("BEGIN:VALARM")
    file.add("ACTION:DISPLAY")
    file.add("DESCRIPTION:" + escaped(entry.title))
    file.add("TRIGGER:-PT\(alarm / 60_000)M")
    file.add("END:VALARM")
  }

  // MARK: zones

  /// Of an entry that goes on for many years the first ones count.
  private static let mostChanges = 40

  /// The changes of clocks from the one before the entry to the one after its end, and at least two after its start, each
  /// with what it changes from and to: that is exact for this entry, whatever the rules of later years are.
  private static func add(_ zone: ZoneRules, around entry: CalendarEntry, to file: inout Lines) {
    file.add("BEGIN:VTIMEZONE")
    file.add("TZID:" + zone.name)
    let year: Int64 = 366 * 86_400_000
    var before: Instant?
    var after: [Instant] = []
    var from = entry.starts + -2 * year
    while after.count < mostChanges, let change = zone.nextChange(after: from), change < entry.ends + 2 * year {
      if change <= entry.starts { before = change } else { after.append(change) }
      if after.count >= 2, change > entry.ends { break }
      from = change
    }
    if let before {
      for change in [before] + after { add(zone, change, to: &file) }
    } else {
      // Nothing changed for so long: what holds has always held, as far as this entry goes.
      let period = zone.period(at: entry.starts)
      add(period, from: period.offsetSeconds, start: "19700101T000000", to: &file)
      for change in after { add(zone, change, to: &file) }
    }
    file.add("END:VTIMEZONE")
  }

  private static func add(_ zone: ZoneRules, _ change: Instant, to file: inout Lines) {
    let offset = zone.offsetSeconds(at: change + -1)
    // The local time at which it happens is told by the clock of before.
    let local = CivilTime(localMilliseconds: change.milliseconds + Int64(offset) * 1000)
    add(zone.period(at: change), from: offset, start: civil(local), to: &file)
  }

  private static func add(_ period: ZonePeriod, from: Int, start: String, to file: inout Lines) {
    let kind = period.isDaylightSaving ? "DAYLIGHT" : "STANDARD"
    file.add("BEGIN:" + kind)
    file.add("DTSTART:" + start)
    file.add("TZOFFSETFROM:" + offset(from))
    file.add("TZOFFSETTO:" + offset(period.offsetSeconds))
    file.add("TZNAME:" + escaped(period.abbreviation))
    file.add("END:" + kind)
  }

  private static func offset(_ seconds: Int) -> String {
    let size = abs(seconds)
    let text = (seconds < 0 ? "-" : "+") + two(size / 3600) + two(size / 60 % 60)
    return size % 60 == 0 ? text : text + two(size % 60)
  }

  // MARK: times

  private static func moment(_ name: String, _ instant: Instant, _ zone: ZoneRules?) -> String {
    guard let zone else { return "\(name):\(utc(instant))" }
    return "\(name);TZID=\(zone.name):\(civil(zone.civil(at: instant)))"
  }

  private static func utc(_ instant: Instant) -> String { civil(ZoneRules.utc.civil(at: instant)) + "Z" }

  private static func civil(_ time: CivilTime) -> String {
    let year = String(time.date.year)
    return String(repeating: "0", count: max(0, 4 - year.count)) + year + two(time.date.month) + two(time.date.day)
      + "T"
      + two(time.hour) + two(time.minute) + two(time.second)
  }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

  // MARK: texts

  private static func address(_ person: CalendarEntry.Person) -> String {
    let name = plain(person.name).filter { $0 != "\"" }
    return (name.isEmpty ? "" : ";CN=\"\(name)\"") + ":mailto:" + plain(person.email)
  }

  /// Values that have no way to write a line break lose it.
  private static func plain(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
  }

  private static func escaped(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\", ";", ",": out += ["\\", scalar]
      case "\n": out += ["\\", "n"]
      default: if scalar.value >= 0x20 && scalar.value != 0x7F { out.append(scalar) }
      }
    }
    return String(out)
  }

  /// Content lines, folded.
  private struct Lines {
    private(set) var text = ""

    mutating func add(_ line: String) {
      var room = 75
      for scalar in line.unicodeScalars {
        let size = UTF8.width(scalar)
        if size > room {
          text += "\r\n "
          // The blank that begins the rest counts.
          room = 74
        }
        room -= size
        text.unicodeScalars.append(scalar)
      }
      text += "\r\n"
    }
  }
}
