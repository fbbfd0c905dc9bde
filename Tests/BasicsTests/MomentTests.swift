// Moments as text, and the calendar behind them, checked against the C library's.
//
// Thread: any. Promise: pure; timegm and gmtime_r keep no state.

import Basics
import Glibc
import Testing

@Suite struct MomentTests {
  @Test(
    arguments: [
      ("2026-01-15T10:20:30.123Z", 1_768_472_430_123), ("2026-01-15T10:20:30Z", 1_768_472_430_000),
      ("2026-01-15T10:20:30.1Z", 1_768_472_430_100), ("2026-01-15T10:20:30.12Z", 1_768_472_430_120),
      ("2026-01-15T10:20:30.123999999Z", 1_768_472_430_123), ("2026-01-15t10:20:30z", 1_768_472_430_000),
      ("2026-01-15 10:20:30,5Z", 1_768_472_430_500), ("2026-01-15T11:20:30+01:00", 1_768_472_430_000),
      ("2026-01-15T04:50:30-05:30", 1_768_472_430_000), ("2026-01-15T11:20:30+0100", 1_768_472_430_000),
      ("2016-12-31T23:59:60Z", 1_483_228_799_999), ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999Z", -1),
      ("2000-02-29T00:00:00Z", 951_782_400_000), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
      ("9999-12-31T23:59:59.999Z", 253_402_300_799_999), ("2026-01-15T10:20:30-00:00", 1_768_472_430_000),
    ] as [(String, Int64)])
  func `A moment is read to the millisecond`(text: String, milliseconds: Int64) {
    #expect(ISO8601.parse(text)?.milliseconds == milliseconds)
  }

  @Test(arguments: [
    "", "2026-01-15", "2026-01-15T10:20:30", "2026-01-15T10:20:30.123", "2026-01-15T10:20Z", "2026-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z", "1900-02-29T00:00:00Z", "2026-00-10T00:00:00Z", "2026-13-10T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-15T24:00:00Z", "2026-01-15T10:60:30Z", "2026-01-15T10:20:61Z", "2026-01-15T10:20:30.Z",
    "2026-01-15T10:20:30ZZ",
    "2026-01-15T10:20:30 Z", "2026-01-15T10:20:30+1:00", "2026-01-15T10:20:30+24:00", "2026-01-15T10:20:30+01:60",
    "2026-01-15T10:20:30+01", "2026/01/15T10:20:30Z", "2026-01-15T10.20.30Z", "+026-01-15T10:20:30Z",
    "2026-1-15T10:20:30Z0",
    "２026-01-15T10:20:30Z", "2026-01-15T10:20:3OZ", "1768472430000", "now", "2026-01-15T10:20:30+01:0x",
  ])
  func `A text without a zone, or with a date that does not exist, is none`(text: String) {
    #expect(ISO8601.parse(text) == nil)
  }

  @Test func `Random moments are written as the C library writes them, and read back`() {
    var random = SeededRandom(seed: 1)
    for _ in 0..<20_000 {
      let milliseconds = Int64(random.next(below: 315_569_520_000_000)) - 62_167_219_200_000
      let instant = Instant(milliseconds: milliseconds)
      let text = ISO8601.format(instant)
      #expect(ISO8601.parse(text) == instant)
      var seconds = time_t(CivilTime.floorDivide(milliseconds, 1000).quotient)
      var parts = tm()
      gmtime_r(&seconds, &parts)
      let civil = CivilTime(localMilliseconds: milliseconds)
      #expect(civil.date.year == Int(parts.tm_year) + 1900 && civil.date.month == Int(parts.tm_mon) + 1)
      #expect(civil.date.day == Int(parts.tm_mday) && civil.date.weekday == Int(parts.tm_wday))
      #expect(
        civil.hour == Int(parts.tm_hour) && civil.minute == Int(parts.tm_min) && civil.second == Int(parts.tm_sec))
      #expect(civil.localMilliseconds == milliseconds)
    }
  }

  @Test func `Every day of eight centuries goes there and back`() {
    for days in -150_000...150_000 {
      let date = CivilDate(daysSinceEpoch: days)
      #expect(date.daysSinceEpoch == days && CivilDate(year: date.year, month: date.month, day: date.day) == date)
    }
  }

  @Test func `Moments beyond four digits of a year are written at the end`() {
    #expect(ISO8601.format(Instant(milliseconds: .max)) == "9999-12-31T23:59:59.999Z")
    #expect(ISO8601.format(Instant(milliseconds: .min)) == "0000-01-01T00:00:00.000Z")
    var bytes: [UInt8] = []
    ISO8601.append(Instant(milliseconds: 0), to: &bytes)
    #expect(bytes == Array("1970-01-01T00:00:00.000Z".utf8))
  }

  @Test func `Random bytes never crash the reader`() {
    var random = SeededRandom(seed: 2)
    let alphabet = Array("0123456789-:TZ+. z,\u{e9}".utf8)
    for _ in 0..<50_000 {
      let count = Int(random.next(below: 70))
      let bytes = (0..<count).map { _ in alphabet[Int(random.next(below: UInt64(alphabet.count)))] }
      bytes.withUnsafeBufferPointer { _ = ISO8601.parse($0) }
    }
  }

  @Test(arguments: [
    "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    "Sun Nov 06 08:49:37 1994",
  ])
  func `The three dates of HTTP mean the same`(text: String) {
    #expect(HTTPDate.parse(text, now: Instant(milliseconds: 1_768_472_430_000))?.milliseconds == 784_111_777_000)
  }

  @Test(arguments: [
    "", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 31 Feb 1994 08:49:37 GMT",
    "06 Nov 1994 08:49:37 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 1994 8:49:37 GMT",
    "Xyz, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:49:37 GMT", "Sunday, 06-Nov-1994 08:49:37 GMT", "120",
  ])
  func `Anything else is no date of HTTP`(text: String) { #expect(HTTPDate.parse(text, now: .zero) == nil) }

  @Test func `A year of two digits is never more than fifty years ahead`() {
    let now = Instant(milliseconds: 1_768_472_430_000)
    func year(_ digits: String) -> Int? {
      HTTPDate.parse("Sunday, 06-Nov-\(digits) 08:49:37 GMT", now: now).map {
        CivilTime(localMilliseconds: $0.milliseconds).date.year
      }
    }
    #expect(year("76") == 2076 && year("77") == 1977 && year("26") == 2026)
  }

  @Test func `A date of HTTP is written and read back`() {
    let instant = Instant(milliseconds: 784_111_777_000)
    #expect(HTTPDate.format(instant) == "Sun, 06 Nov 1994 08:49:37 GMT")
  }
}
