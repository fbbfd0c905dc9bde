// Calendar files against RFC 5545, as a calendar program reads them.
//
// Thread: the test's. Promise: pure, but for the zones of this machine.

import Basics
import Documents
import Model
import Testing

@Suite struct CalendarFileTests {
  private let now = ISO8601.parse("2026-01-05T09:00:00Z")!

  private func entry(_ starts: String = "2026-03-27T17:00:00Z", _ ends: String = "2026-03-27T18:30:00Z")
    -> CalendarEntry
  {
    CalendarEntry(
      uid: "e7/42", title: "Rules in ten minutes", starts: ISO8601.parse(starts)!, ends: ISO8601.parse(ends)!)
  }

  private func lines(_ entry: CalendarEntry, _ zone: String? = nil) throws -> [String] {
    let rules = try zone.map { try ZoneFolder().load($0) }
    let text = CalendarFile.text(entry, zone: rules, now: now)
    #expect(text.hasSuffix("END:VCALENDAR\r\n"))
    #expect(!text.replacing("\r\n", with: "").unicodeScalars.contains { $0 == "\r" || $0 == "\n" })
    // Unfolded, as every reader does it first.
    return text.replacing("\r\n ", with: "").split(separator: "\r\n").map(String.init)
  }

  @Test func `an entry in UTC has what every calendar program asks for, and nothing that is empty`() throws {
    #expect(
      try lines(entry()) == [
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//nudged//calendar//EN", "METHOD:PUBLISH", "BEGIN:VEVENT",
        "UID:e7/42", "SEQUENCE:0", "DTSTAMP:20260105T090000Z", "DTSTART:20260327T170000Z", "DTEND:20260327T183000Z",
        "SUMMARY:Rules in ten minutes", "STATUS:CONFIRMED", "END:VEVENT", "END:VCALENDAR",
      ])
  }

  @Test func `a zone comes with the change before the entry and the two after it`() throws {
    let found = try lines(entry(), "Europe/Berlin")
    let zone = found[4..<found.firstIndex(of: "BEGIN:VEVENT")!]
    #expect(
      Array(zone) == [
        "BEGIN:VTIMEZONE", "TZID:Europe/Berlin",
        "BEGIN:STANDARD", "DTSTART:20251026T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "TZNAME:CET",
        "END:STANDARD",
        "BEGIN:DAYLIGHT", "DTSTART:20260329T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "TZNAME:CEST",
        "END:DAYLIGHT",
        "BEGIN:STANDARD", "DTSTART:20261025T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "TZNAME:CET",
        "END:STANDARD",
        "END:VTIMEZONE",
      ])
    #expect(found.contains("DTSTART;TZID=Europe/Berlin:20260327T180000"))
    #expect(found.contains("DTEND;TZID=Europe/Berlin:20260327T193000"))
  }

  @Test func `an entry over a change of clocks has both its times right`() throws {
    let found = try lines(entry("2026-10-24T23:30:00Z", "2026-10-25T02:30:00Z"), "Europe/Berlin")
    #expect(found.contains("DTSTART;TZID=Europe/Berlin:20261025T013000"))
    #expect(found.contains("DTEND;TZID=Europe/Berlin:20261025T033000"))
  }

  @Test(arguments: ["Asia/Kolkata", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/St_Johns"])
  func `a reader that knows nothing but the file finds the same moments`(zone: String) throws {
    for month in 1...12 {
      let day = "2026-\(month < 10 ? "0" : "")\(month)-15T12:00:00Z"
      let one = entry(day, day)
      let found = try lines(one, zone)
      #expect(reading(found, "DTSTART") == one.starts, "\(zone) \(day)")
    }
  }

  @Test func `an entry that goes on over years ends when it ends, and one without an end is not walked to it`() throws {
    let long = entry("2026-01-15T12:00:00Z", "2028-07-15T12:00:00Z")
    #expect(reading(try lines(long, "Europe/Berlin"), "DTEND") == long.ends)
    var endless = entry()
    endless.ends = Instant(milliseconds: 1_700_000_000_000_000_000)
    #expect(try lines(endless, "Europe/Berlin").count < 300)
  }

  /// What RFC 5545 tells a reader to do: the observance that began last holds.
  private func reading(_ lines: [String], _ name: String) -> Instant? {
    func local(_ text: Substring) -> Int64 {
      let digits = Array(text.filter(\.isNumber)).map(String.init).joined()
      func part(_ from: Int, _ count: Int) -> Int {
        Int(digits.dropFirst(from).prefix(count))!
      }
      let date = CivilDate(year: part(0, 4), month: part(4, 2), day: part(6, 2))!
      return Int64(date.daysSinceEpoch) * 86_400 + Int64(part(8, 2) * 3600 + part(10, 2) * 60 + part(12, 2))
    }
    func offset(_ text: Substring) -> Int64 {
      let size = Int64(text.dropFirst().prefix(2))! * 3600 + Int64(text.dropFirst(3).prefix(2))! * 60
      return text.first == "-" ? -size : size
    }
    guard let line = lines.first(where: { $0.hasPrefix(name + ";TZID=") }) else { return nil }
    let wanted = local(line.split(separator: ":").last!)
    var best: (start: Int64, offset: Int64)?
    var start: Int64 = 0
    for line in lines {
      let value = line.split(separator: ":").last ?? ""
      if line.hasPrefix("DTSTART:") { start = local(value) }
      if line.hasPrefix("TZOFFSETTO:"), start <= wanted, start >= best?.start ?? .min { best = (start, offset(value)) }
    }
    return best.map { Instant(milliseconds: (wanted - $0.offset) * 1000) }
  }

  @Test func `between people it is a request, and a cancellation when it is cancelled`() throws {
    var one = entry()
    one.organizer = .init(name: "Team \"A\"", email: "team@example.com")
    one.attendee = .init(name: "", email: "ada@example.com\r\nX-EVIL:1")
    one.alarmsMilliseconds = [3_600_000, 600_000]
    var found = try lines(one)
    #expect(found.contains("METHOD:REQUEST") && found.contains("ORGANIZER;CN=\"Team A\":mailto:team@example.com"))
    #expect(found.contains("ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED:mailto:ada@example.comX-EVIL:1"))
    #expect(found.filter { $0.hasPrefix("TRIGGER:") } == ["TRIGGER:-PT60M", "TRIGGER:-PT10M"])
    one.isCancelled = true
    one.sequence = 3
    found = try lines(one)
    #expect(found.contains("METHOD:CANCEL") && found.contains("STATUS:CANCELLED") && found.contains("SEQUENCE:3"))
    #expect(!found.contains("BEGIN:VALARM"))
  }

  @Test func `texts are escaped and folded, and become no lines of their own`() throws {
    var one = entry()
    one.title = "One; two, three\\four\nEND:VEVENT"
    one.description = String(repeating: "Grüße 你好 ", count: 30)
    let text = CalendarFile.text(one, zone: nil, now: now)
    for line in text.split(separator: "\r\n") { #expect(line.utf8.count <= 75, "\(line)") }
    let found = try lines(one)
    #expect(found.contains("SUMMARY:One\\; two\\, three\\\\four\\nEND:VEVENT"))
    #expect(found.contains("DESCRIPTION:" + one.description))
    #expect(found.count { $0 == "END:VEVENT" } == 1)
  }
}
