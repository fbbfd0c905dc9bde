// Time zones against the system's own zdump, change by change over seventy years.
//
// Thread: any; zdump runs as a child process. Promise: reads the system's zone files and nothing else.

import Basics
import Glibc
import Testing

/// One line of zdump: a moment, and what clocks show then.
private struct DumpLine {
  var instant: Instant
  var local: CivilTime
  var period: ZonePeriod

  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  /// "Europe/Berlin  Sun Mar 25 00:59:59 1990 UT = Sun Mar 25 01:59:59 1990 CET isdst=0 gmtoff=3600"
  init?(_ line: Substring) {
    let words = line.split(separator: " ")
    guard words.count == 16, words[6] == "UT", words[7] == "=" else { return nil }
    guard let universal = DumpLine.civil(words[2...5]), let local = DumpLine.civil(words[9...12]) else { return nil }
    guard let offset = Int(words[15].dropFirst(7)) else { return nil }
    instant = Instant(milliseconds: universal.localMilliseconds)
    self.local = local
    period = ZonePeriod(
      offsetSeconds: offset, isDaylightSaving: words[14] == "isdst=1", abbreviation: String(words[13]))
  }

  private static func civil(_ words: ArraySlice<Substring>) -> CivilTime? {
    let words = Array(words)
    let clock = words[2].split(separator: ":").compactMap { Int($0) }
    guard let month = months.firstIndex(of: String(words[0])), let day = Int(words[1]), let year = Int(words[3]),
      clock.count == 3, let date = CivilDate(year: year, month: month + 1, day: day)
    else { return nil }
    return CivilTime(date: date, hour: clock[0], minute: clock[1], second: clock[2])
  }

  static func lines(of zone: String) -> [DumpLine] {
    guard let pipe = popen("zdump -v -c 1970,2040 \(zone)", "r") else { return [] }
    defer { pclose(pipe) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&chunk, 1, chunk.count, pipe)
      if count == 0 { break }
      text += chunk[..<count]
    }
    return String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { DumpLine($0) }
  }
}

@Suite struct ZoneTests {
  private let folder = ZoneFolder()

  static let zones = [
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
    "America/St_Johns",
    "Pacific/Apia", "Asia/Tehran", "Europe/Dublin", "Antarctica/Troll", "America/Sao_Paulo", "Europe/London",
    "Europe/Moscow", "Asia/Kolkata", "Asia/Pyongyang", "Pacific/Chatham", "America/Caracas", "Africa/Cairo",
    "America/Santiago", "Asia/Gaza", "Pacific/Kwajalein", "America/Nuuk", "Australia/Sydney", "Africa/El_Aaiun",
    "Antarctica/Casey", "UTC",
  ]

  @Test(arguments: zones)
  func `Every change of seventy years is where the system sees it`(name: String) throws {
    let zone = try folder.load(name)
    let lines = DumpLine.lines(of: name)
    if name != "UTC" && name != "Asia/Kolkata" { #expect(!lines.isEmpty, "zdump said nothing") }
    for line in lines {
      #expect(zone.period(at: line.instant) == line.period, "\(line)")
      #expect(zone.civil(at: line.instant) == line.local, "\(line)")
    }
    // zdump gives the second before each change and the change itself.
    for (before, after) in zip(lines, lines.dropFirst()) where after.instant - before.instant == 1_000 {
      #expect(zone.nextChange(after: before.instant) == after.instant)
      checkWallClock(zone, before, after)
    }
  }

  /// What clocks skip at this change leads to the change; what they show twice, to the first time.
  private func checkWallClock(_ zone: ZoneRules, _ before: DumpLine, _ after: DumpLine) {
    let change = after.instant
    let jump = Int64(after.period.offsetSeconds - before.period.offsetSeconds) * 1_000
    let end = before.local.localMilliseconds + 1_000
    for part in [0, abs(jump) / 3, abs(jump) / 2, abs(jump) - 1] where jump != 0 {
      let local = CivilTime(localMilliseconds: (jump > 0 ? end : end + jump) + part)
      let (instant, reading) = zone.resolve(local)
      if jump > 0 {
        #expect(instant == change && reading == .gap, "\(local) at \(change)")
      } else {
        let first = Instant(milliseconds: local.localMilliseconds - Int64(before.period.offsetSeconds) * 1_000)
        #expect(instant == first && reading == .overlap, "\(local) at \(change)")
      }
    }
    #expect(zone.instant(of: after.local) == change || jump < 0)
    let (earlier, reading) = zone.resolve(CivilTime(localMilliseconds: min(end, end + jump) - 1))
    #expect(reading == .exact && zone.civil(at: earlier).localMilliseconds == min(end, end + jump) - 1)
  }

  @Test(arguments: ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Antarctica/Troll"])
  func `Any moment goes to the wall clock and back, but for the second time of an hour that comes twice`(name: String)
    throws
  {
    let zone = try folder.load(name)
    var random = SeededRandom(seed: 3)
    for _ in 0..<3_000 {
      let instant = Instant(milliseconds: Int64(random.next(below: 4_000_000_000_000)) - 500_000_000_000)
      let (back, reading) = zone.resolve(zone.civil(at: instant))
      if reading == .exact { #expect(back == instant) } else { #expect(reading == .overlap && back <= instant) }
    }
  }

  @Test func `The rule at the end of a file reaches as far as anyone asks`() throws {
    let berlin = try folder.load("Europe/Berlin")
    let summer = try #require(ISO8601.parse("2450-07-01T12:00:00Z"))
    let winter = try #require(ISO8601.parse("2450-12-24T12:00:00Z"))
    #expect(berlin.offsetSeconds(at: summer) == 7_200 && berlin.offsetSeconds(at: winter) == 3_600)
    #expect(berlin.nextChange(after: Instant(milliseconds: 15_147_691_200_000)) != nil)
    for milliseconds in [Int64.min, Int64.max] {
      let instant = Instant(milliseconds: milliseconds)
      _ = (berlin.civil(at: instant), berlin.nextChange(after: instant), berlin.resolve(berlin.civil(at: instant)))
    }
  }

  @Test(arguments: [
    "../../etc/passwd", "Europe/../../../etc/passwd", "/etc/passwd", "", ".", "..", "Europe/", "/Europe/Berlin",
    "Europe//Berlin",
    "Europe/Berlin\0", "Europe Berlin", "tzdata.zi", "zone1970.tab", "Europe", "Europe/Atlantis",
    "posix/../Europe/Berlin",
  ])
  func `No name leads out of the folder or to anything but a zone`(name: String) {
    #expect(throws: ZoneError.self) { try folder.load(name) }
  }

  @Test func `The zones of the folder are listed, and every one of them can be read`() throws {
    let names = folder.names()
    #expect(names.count > 300 && names == names.sorted() && names.contains("America/Argentina/Ushuaia"))
    #expect(!names.contains { $0.hasPrefix("posix") || $0.hasPrefix("right") || $0 == "localtime" })
    for name in names { _ = try folder.load(name) }
  }

  @Test func `An empty folder has no zones and no edition`() {
    let nowhere = ZoneFolder(path: "/nonexistent")
    #expect(nowhere.names().isEmpty && nowhere.version() == nil)
  }
}
