// Zone files that are damaged, hostile or unusual.
//
// Thread: any. Promise: seeded; the same files every time.

import Basics
import Testing

@Suite struct ZoneFileTests {
  private func head(_ version: Character, changes: UInt8 = 0, periods: UInt8 = 1, names: UInt8 = 4, leaps: UInt8 = 0)
    -> [UInt8]
  {
    let counts: [UInt8] = [0, 0, leaps, changes, periods, names]
    return Array("TZif".utf8) + [version.asciiValue!] + [UInt8](repeating: 0, count: 15)
      + counts.flatMap { [0, 0, 0, $0] }
  }

  /// A file of version 2 without changes, and that rule at its end.
  private func file(rule: String) -> [UInt8] {
    let data: [UInt8] = [0, 0, 0, 0, 0, 0] + Array("LMT\0".utf8)
    return head("2") + data + head("2") + data + Array("\n\(rule)\n".utf8)
  }

  private func offsets(_ rule: String, _ moments: [String]) throws -> [Int] {
    let zone = try ZoneRules(name: "Test", file: file(rule: rule))
    return try moments.map { zone.offsetSeconds(at: try #require(ISO8601.parse($0))) }
  }

  @Test func `Rules for the future are understood in every form`() throws {
    let seasons = ["2026-01-15T00:00:00Z", "2026-07-15T00:00:00Z"]
    #expect(try offsets("CET-1CEST,M3.5.0,M10.5.0/3", seasons) == [3_600, 7_200])
    #expect(try offsets("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", seasons) == [39_600, 37_800])
    #expect(try offsets("IST-1GMT0,M10.5.0,M3.5.0/1", seasons) == [0, 3_600])
    #expect(try offsets("EST5EDT,J60/0,J300/0", seasons) == [-18_000, -14_400])
    #expect(try offsets("EST5EDT,59/0,299/0", seasons) == [-18_000, -14_400])
    #expect(try offsets("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", seasons) == [-7_200, -3_600])
    #expect(try offsets("<+0545>-5:45", seasons) == [20_700, 20_700])
    #expect(try offsets("XXX3EDT4,0/0,J365/23", seasons) == [-14_400, -14_400])
  }

  @Test func `February 29 counts in ordinal days and not in Julian ones`() throws {
    let marchFirst = ["2028-02-29T23:59:59Z", "2028-03-01T00:00:00Z"]
    #expect(try offsets("AAA0BBB,J60/0,J300", marchFirst) == [0, 3_600])
    #expect(try offsets("AAA0BBB,60/0,300", marchFirst) == [0, 3_600])
    #expect(try offsets("AAA0BBB,59/0,300", ["2028-02-28T23:59:59Z", "2028-02-29T00:00:00Z"]) == [0, 3_600])
  }

  @Test(arguments: [
    "C", "CET", "CET-", "CET-25", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0",
    "CET-1CEST,M3.6.0,M10.5.0",
    "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J300", "CET-1CEST,J366,J300", "CET-1CEST,366,1",
    "CET-1CEST,M3.5.0/168,M10.5.0",
    "<CET-1", "CET-1CEST,M3.5.0,M10.5.0x", "CET-1:60", "C3T-1", "CET-1CEST,,",
  ])
  func `A rule that is none is refused`(rule: String) {
    #expect(throws: ZoneError.self) { try ZoneRules(name: "Test", file: file(rule: rule)) }
  }

  @Test func `Old files with 32 bits are read`() throws {
    let data: [UInt8] =
      [0, 0, 0, 100] + [1] + [0, 0, 0, 0, 0, 0] + [0, 0, 0x0E, 0x10, 1, 4] + Array("AAA\0BBB\0".utf8)
    let zone = try ZoneRules(name: "Test", file: head("\0", changes: 1, periods: 2, names: 8) + data)
    #expect(zone.period(at: Instant(milliseconds: 99_999)).abbreviation == "AAA")
    #expect(zone.period(at: Instant(milliseconds: 100_000)).offsetSeconds == 3_600)
    #expect(zone.nextChange(after: Instant(milliseconds: 100_000)) == nil)
  }

  @Test func `Files that count leap seconds are refused`() {
    let data: [UInt8] = [0, 0, 0, 0, 0, 0] + Array("UTC\0".utf8) + [0, 0, 0, 1, 0, 0, 0, 1]
    #expect(throws: ZoneError.self) { try ZoneRules(name: "Test", file: head("\0", leaps: 1) + data) }
  }

  private func use(_ zone: ZoneRules, _ random: inout SeededRandom) {
    for _ in 0..<4 {
      let instant = Instant(milliseconds: Int64(bitPattern: random.next()))
      let civil = zone.civil(at: instant)
      _ = (zone.nextChange(after: instant), zone.resolve(civil))
    }
  }

  @Test func `Random bytes as a zone never crash`() {
    var random = SeededRandom(seed: 4)
    for round in 0..<20_000 {
      var bytes = (0..<Int(random.next(below: 300))).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      if round % 2 == 0 {
        bytes = head(["\0", "2", "3"][round / 2 % 3], changes: UInt8(random.next(below: 4))) + bytes
      }
      if let zone = try? ZoneRules(name: "Test", file: bytes) { use(zone, &random) }
    }
  }

  @Test func `A real file with a few wrong bytes never crashes`() throws {
    var random = SeededRandom(seed: 6)
    var good = file(rule: "CET-1CEST,M3.5.0,M10.5.0/3")
    good += [0]
    for _ in 0..<20_000 {
      var bytes = good
      for _ in 0...random.next(below: 4) {
        bytes[Int(random.next(below: UInt64(bytes.count)))] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.chance(1, in: 4) { bytes.removeLast(Int(random.next(below: UInt64(bytes.count)))) }
      if let zone = try? ZoneRules(name: "Test", file: bytes) { use(zone, &random) }
    }
  }
}
