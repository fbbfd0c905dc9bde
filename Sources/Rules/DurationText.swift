// Durations as people write them in rules: "30 days", "2 hours", "1 day 12 hours".
//
// Thread: pure functions. Promise: a day is 24 hours and a week 168; there are no months or years, whose
// lengths differ. What is not understood is nil, never a guess.

package enum DurationText {
  private static let units: [String: Int64] = [
    "ms": 1, "millisecond": 1, "milliseconds": 1,
    "s": 1_000, "sec": 1_000, "second": 1_000, "seconds": 1_000,
    "min": 60_000, "minute": 60_000, "minutes": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000,
    "d": 86_400_000, "day": 86_400_000, "days": 86_400_000,
    "w": 604_800_000, "week": 604_800_000, "weeks": 604_800_000,
  ]

  /// Milliseconds; more than zero and at most ten years.
  package static func milliseconds(_ text: String) -> Int64? {
    let words = separated(text)
    guard !words.isEmpty, words.count % 2 == 0, words.count <= 10 else { return nil }
    var sum: Int64 = 0
    for position in stride(from: 0, to: words.count, by: 2) {
      guard words[position].utf8.count <= 9, let count = Int64(words[position]), count >= 0,
        let unit = units[words[position + 1]]
      else { return nil }
      let (part, tooLarge) = count.multipliedReportingOverflow(by: unit)
      if tooLarge { return nil }
      let (total, overflow) = sum.addingReportingOverflow(part)
      if overflow { return nil }
      sum = total
    }
    return sum > 0 && sum <= 3653 * 86_400_000 ? sum : nil
  }

  /// Numbers and words apart, with or without a space between them.
  private static func separated(_ text: String) -> [String] {
    var words: [String] = []
    var current = ""
    var inDigits = false
    for character in text.unicodeScalars {
      if character == " " {
        if !current.isEmpty { words.append(current) }
        current = ""
        continue
      }
      let isDigit = character >= "0" && character <= "9"
      if !current.isEmpty, isDigit != inDigits {
        words.append(current)
        current = ""
      }
      inDigits = isDigit
      current.unicodeScalars.append(character)
    }
    if !current.isEmpty { words.append(current) }
    return words
  }
}
