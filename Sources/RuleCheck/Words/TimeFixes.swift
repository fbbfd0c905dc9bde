// What was probably meant by a duration or a time of day that is none.
//
// Thread: pure functions. Promise: a suggestion is always well-formed itself.

internal import Basics

enum DurationFix {
  private static let units = ["second", "minute", "hour", "day", "week", "month", "year"]
  private static let numbers = [
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10,
  ]

  static func suggestion(_ text: String) -> String? {
    var parts: [String] = []
    var count: Int64?
    for word in words(text) {
      if let number = Int64(word) ?? numbers[word.lowercased()].map(Int64.init) {
        count = number
      } else if let found = unit(word) {
        guard let number = count else { return nil }
        parts.append(part(number, found))
        count = nil
      } else {
        return nil
      }
    }
    let fixed = parts.joined(separator: " ")
    return fixed != text && DurationText.milliseconds(fixed) != nil ? fixed : nil
  }

  static func speaksOfMonths(_ text: String) -> Bool {
    words(text).contains { ["month", "months", "mo", "year", "years", "yr", "y"].contains($0.lowercased()) }
  }

  /// Letters and digits apart: "3dyas" → "3", "dyas".
  private static func words(_ text: String) -> [String] {
    var out: [String] = []
    for piece in text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "_" || $0 == "-" }) {
      var digits = piece.prefix { $0.isNumber }
      var letters = piece.dropFirst(digits.count)
      if digits.isEmpty {
        letters = piece.prefix { !$0.isNumber }
        digits = piece.dropFirst(letters.count)
      }
      if !digits.isEmpty, piece.first?.isNumber == true { out.append(String(digits)) }
      if !letters.isEmpty, letters != "and" { out.append(String(letters)) }
      if !digits.isEmpty, piece.first?.isNumber != true { out.append(String(digits)) }
    }
    return out
  }

  private static func unit(_ word: String) -> String? {
    let small = word.lowercased()
    let known = units + units.map { $0 + "s" }
    if known.contains(small) { return small.hasSuffix("s") ? String(small.dropLast()) : small }
    if DurationText.milliseconds("1 " + small) != nil { return small }
    return Nearest.find(small, among: known).map { $0.hasSuffix("s") ? String($0.dropLast()) : $0 }
  }

  private static func part(_ count: Int64, _ unit: String) -> String {
    let (number, name): (Int64, String) =
      switch unit {
      case "month": (count &* 30, "day")
      case "year": (count &* 365, "day")
      default: (count, unit)
      }
    return units.contains(name) && number != 1 ? "\(number) \(name)s" : "\(number) \(name)"
  }
}

enum ClockText {
  static let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

  static func isWellFormed(_ text: String) -> Bool {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.dropFirst().allSatisfy({ $0.utf8.count == 2 }) else {
      return false
    }
    guard (1...2).contains(parts[0].utf8.count), let hour = Int(parts[0]), (0..<24).contains(hour) else { return false }
    return parts.dropFirst().allSatisfy { Int($0).map { (0..<60).contains($0) } ?? false }
  }

  /// "9am", "9.30", "9" → "09:00" …
  static func suggestion(_ text: String) -> String? {
    let small = text.lowercased().filter { $0 != " " }
    let isAfternoon = small.hasSuffix("pm")
    let numbers = small.split { !$0.isNumber }.compactMap { Int($0) }
    guard let first = numbers.first, first < 24, numbers.count <= 2 else { return nil }
    let hour = isAfternoon && first < 12 ? first + 12 : small.hasSuffix("am") && first == 12 ? 0 : first
    let minute = numbers.count == 2 ? numbers[1] : 0
    guard minute < 60 else { return nil }
    return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
  }

  static func weekday(near text: String) -> String? {
    let small = text.lowercased()
    return weekdays.first { $0.hasPrefix(small) && small.utf8.count >= 2 } ?? Nearest.find(small, among: weekdays)
  }
}

/// Texts that are no moment.
enum MomentFix {
  private static let days: [String: String] = [
    "today": "{ at = \"18:00\" }", "tonight": "{ at = \"20:00\" }", "tomorrow": "{ days = 1, at = \"09:00\" }",
    "noon": "{ at = \"12:00\" }", "midnight": "{ at = \"00:00\" }",
  ]

  /// What wait_until was probably meant to be given, as Lua.
  static func suggestion(_ text: String) -> String? {
    let small = text.lowercased()
    if let step = days[small] { return step }
    let words = small.split(separator: " ").map(String.init)
    let clock = ClockText.isWellFormed(words.last ?? "") ? words.last ?? "09:00" : "09:00"
    if let weekday = ClockText.weekdays.first(where: { words.contains($0) }) {
      return "{ weekday = \"\(weekday)\", at = \"\(clock)\" }"
    }
    if words.first == "tomorrow" { return "{ days = 1, at = \"\(clock)\" }" }
    if ClockText.isWellFormed(text) { return "{ at = \"\(text)\" }" }
    return whole(text).map { "\"\($0)\"" }
  }

  /// A date with what it lacks: "2026-12-01 09:00" → "2026-12-01T09:00:00Z".
  private static func whole(_ text: String) -> String? {
    guard text.utf8.count <= 40 else { return nil }
    let date = text.replacing(" ", with: "T", maxReplacements: 1)
    return [date + "Z", date + ":00Z", date + "T09:00:00Z"].first { ISO8601.parse($0) != nil }
  }
}

/// Lengths of time that are written as seconds, where milliseconds are meant.
enum SecondsText {
  /// Of the factors of a product, all of them constants: a day, an hour or sixty sixties, and no thousand.
  static func areSeconds(_ factors: [Double]) -> Bool {
    let areDays = factors.contains { $0 == 3_600 || $0 >= 86_400 && $0.truncatingRemainder(dividingBy: 86_400) == 0 }
    let isThousand = { (factor: Double) in factor >= 1_000 && factor.truncatingRemainder(dividingBy: 1_000) == 0 }
    return (areDays || factors.count { $0 == 60 } >= 2) && !factors.contains(where: isThousand)
  }
}
