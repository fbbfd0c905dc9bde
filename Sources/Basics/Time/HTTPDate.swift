// Dates as HTTP headers carry them: IMF-fixdate, which we write, and the two obsolete forms that a
// recipient has to read (RFC 9110, 5.6.7).
//
// Thread: pure functions. Promise: text that is not exactly one of the three forms is nil, never now.

package enum HTTPDate {
  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
  private static let shortDays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  private static let longDays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

  /// `now` decides the century of the form with two digits: more than 50 years ahead means the past.
  package static func parse(_ text: String, now: Instant) -> Instant? {
    let words = text.split(separator: " ", omittingEmptySubsequences: true)
    switch words.count {
    case 6: return fixed(words)
    case 5: return ctime(words)
    case 4: return obsolete(words, now: now)
    default: return nil
    }
  }

  /// "Thu, 15 Jan 2026 10:20:30 GMT"
  package static func format(_ instant: Instant) -> String {
    let civil = CivilTime(localMilliseconds: instant.milliseconds)
    let day = shortDays[civil.date.weekday]
    let date = "\(two(civil.date.day)) \(months[civil.date.month - 1]) \(four(civil.date.year))"
    return "\(day), \(date) \(two(civil.hour)):\(two(civil.minute)):\(two(civil.second)) GMT"
  }

  /// Sun, 06 Nov 1994 08:49:37 GMT
  private static func fixed(_ words: [Substring]) -> Instant? {
    guard words[0].hasSuffix(","), shortDays.contains(String(words[0].dropLast())), words[5] == "GMT" else {
      return nil
    }
    guard words[1].utf8.count == 2, words[3].utf8.count == 4 else { return nil }
    return instant(day: words[1], month: words[2], year: number(words[3]), clock: words[4])
  }

  /// Sunday, 06-Nov-94 08:49:37 GMT
  private static func obsolete(_ words: [Substring], now: Instant) -> Instant? {
    guard words[0].hasSuffix(","), longDays.contains(String(words[0].dropLast())), words[3] == "GMT" else { return nil }
    let parts = words[1].split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[2].utf8.count == 2, let short = number(parts[2]) else { return nil }
    let thisYear = CivilTime(localMilliseconds: now.milliseconds).date.year
    var year = thisYear - thisYear % 100 + short
    if year > thisYear + 50 { year -= 100 }
    return instant(day: parts[0], month: parts[1], year: year, clock: words[2])
  }

  /// Sun Nov  6 08:49:37 1994
  private static func ctime(_ words: [Substring]) -> Instant? {
    guard shortDays.contains(String(words[0])), words[4].utf8.count == 4 else { return nil }
    return instant(day: words[2], month: words[1], year: number(words[4]), clock: words[3])
  }

  private static func instant(day: Substring, month: Substring, year: Int?, clock: Substring) -> Instant? {
    guard let year, let day = number(day), let month = months.firstIndex(of: String(month)) else { return nil }
    let parts = clock.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3, parts.allSatisfy({ $0.utf8.count == 2 }) else { return nil }
    guard let hour = number(parts[0]), let minute = number(parts[1]), let second = number(parts[2]) else { return nil }
    guard let date = CivilDate(year: year, month: month + 1, day: day), second <= 60 else { return nil }
    guard let civil = CivilTime(date: date, hour: hour, minute: minute, second: min(second, 59)) else { return nil }
    return Instant(milliseconds: civil.localMilliseconds)
  }

  private static func number(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 4, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(text)
  }

  private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
  private static func four(_ value: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
