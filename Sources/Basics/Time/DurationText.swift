// Durations as people write them in rules and configuration, "1 day 12 hours", and as they read them in
// answers, "2 h 5 min".
//
// Thread: pure functions. Promise: a duration is a fixed number of milliseconds; months and years are
// none, because they are not always equally long, and are refused with the way to say them.

package struct DurationError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String
}

package enum DurationText {
  private static let second: Int64 = 1_000
  private static let minute = 60 * second
  private static let hour = 60 * minute
  private static let day = 24 * hour
  private static let week = 7 * day
  /// A hundred years: whatever is longer is a slip of the keyboard.
  private static let longest = 36_525 * day

  private static let form = "write it like \"30 seconds\", \"10 minutes\", \"2 h\", \"1 day 12 hours\" or \"1 week\""

  /// Milliseconds, always more than zero.
  package static func milliseconds(_ text: String) -> Int64? { try? parse(text) }

  package static func parse(_ text: String) throws(DurationError) -> Int64 {
    // No duration is so long; and a rule must not have a long text looked at for the price of a short one.
    guard text.utf8.count <= 200 else { throw DurationError(description: "a duration has at most 200 bytes; \(form)") }
    var scanner = Scanner(text)
    var total: Int64 = 0
    var finest = Int64.max
    scanner.skipBlanks()
    if scanner.isAtEnd { throw DurationError(description: "a duration is empty; \(form)") }
    while !scanner.isAtEnd {
      let (count, unit) = try part(&scanner, of: text)
      guard unit < finest else {
        throw refusal(text, "names its units from the largest to the smallest, each once")
      }
      finest = unit
      let (product, overflow) = unit.multipliedReportingOverflow(by: count)
      guard !overflow, product <= longest, total + product <= longest else {
        throw refusal(text, "is at most a hundred years long")
      }
      total += product
      scanner.skipBlanks()
    }
    guard total > 0 else { throw refusal(text, "is longer than nothing") }
    return total
  }

  private static func refusal(_ text: String, _ rule: String) -> DurationError {
    DurationError(description: "\"\(shown(text))\" is not a duration, because a duration \(rule); \(form)")
  }

  private static func shown(_ text: String) -> String { text.count > 60 ? text.prefix(60) + "…" : text }

  private static func part(_ scanner: inout Scanner, of text: String) throws(DurationError) -> (Int64, Int64) {
    if scanner.peek == UInt8(ascii: "-") { throw refusal(text, "is never negative") }
    guard let digits = scanner.digits() else { throw refusal(text, "is a whole number and a unit") }
    guard digits.count <= 15, let count = Int64(digits) else { throw refusal(text, "is at most a hundred years long") }
    if scanner.peek == UInt8(ascii: ".") || scanner.peek == UInt8(ascii: ",") {
      throw refusal(text, "has whole numbers; say \"1 hour 30 minutes\" for one and a half hours")
    }
    scanner.skipBlanks()
    let word = scanner.letters()
    if word.isEmpty { throw refusal(text, "has a unit after its number") }
    if let unit = unit(word) { return (count, unit) }
    if ["month", "months", "year", "years", "mo", "yr", "y"].contains(word.lowercased()) {
      throw DurationError(
        description: "\"\(shown(text))\" is not a duration, because months and years are not always equally long; "
          + "give a number of days, such as \"30 days\"")
    }
    throw DurationError(
      description:
        "\"\(word)\" is not a unit of time; known are seconds, minutes, hours, days and weeks (s, min, h, d, w)")
  }

  private static func unit(_ word: String) -> Int64? {
    switch word.lowercased() {
    case "ms", "millisecond", "milliseconds": 1
    case "s", "sec", "secs", "second", "seconds": second
    case "m", "min", "mins", "minute", "minutes": minute
    case "h", "hr", "hrs", "hour", "hours": hour
    case "d", "day", "days": day
    case "w", "wk", "wks", "week", "weeks": week
    default: nil
    }
  }

  /// The two largest units, rounded down: "2 h 5 min", "3 d", "45 s", "850 ms". Exact enough to read,
  /// not meant to be read back.
  package static func format(_ milliseconds: Int64) -> String {
    if milliseconds < 0 {
      // The smallest number has no positive counterpart.
      return "-" + format(milliseconds == .min ? .max : -milliseconds)
    }
    let units: [(String, Int64)] = [("w", week), ("d", day), ("h", hour), ("min", minute), ("s", second), ("ms", 1)]
    guard let first = units.firstIndex(where: { $0.1 <= milliseconds }) else { return "0 s" }
    let whole = milliseconds / units[first].1
    let text = "\(whole) \(units[first].0)"
    // Below a second nothing is added: "59 s 3 ms" says no more than "59 s".
    guard first + 1 < units.count - 1 else { return text }
    let rest = milliseconds % units[first].1 / units[first + 1].1
    return rest == 0 ? text : "\(text) \(rest) \(units[first + 1].0)"
  }

  /// Text that `parse` reads back as the same number: "1 day 12 hours".
  package static func exact(_ milliseconds: Int64) -> String {
    let units: [(String, Int64)] = [
      ("week", week), ("day", day), ("hour", hour), ("minute", minute), ("second", second), ("millisecond", 1),
    ]
    var left = max(0, milliseconds)
    var words: [String] = []
    for (name, size) in units where left >= size {
      let count = left / size
      words.append("\(count) \(name)\(count == 1 ? "" : "s")")
      left %= size
    }
    return words.isEmpty ? "0 seconds" : words.joined(separator: " ")
  }

  private struct Scanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var isAtEnd: Bool { position == bytes.count }
    var peek: UInt8? { isAtEnd ? nil : bytes[position] }

    mutating func skipBlanks() { while peek == 0x20 || peek == 0x09 { position += 1 } }

    mutating func digits() -> String? {
      let found = take { (0x30...0x39).contains($0) }
      return found.isEmpty ? nil : found
    }
    /// Everything up to a blank or a digit, so that a wrong unit can be named in full.
    mutating func letters() -> String { take { $0 != 0x20 && $0 != 0x09 && !(0x30...0x39).contains($0) } }

    private mutating func take(while matches: (UInt8) -> Bool) -> String {
      let start = position
      while let byte = peek, matches(byte) { position += 1 }
      return String(decoding: bytes[start..<position], as: UTF8.self)
    }
  }
}
