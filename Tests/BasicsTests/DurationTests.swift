// Durations as people write and read them.
//
// Thread: any. Promise: pure.

import Basics
import Testing

@Suite struct DurationTests {
  @Test(
    arguments: [
      ("30 seconds", 30_000), ("10 minutes", 600_000), ("2 h", 7_200_000), ("1 day", 86_400_000),
      ("36 hours", 129_600_000),
      ("1 week", 604_800_000), ("1 day 12 hours", 129_600_000), ("90s", 90_000), ("5m", 300_000), ("500 ms", 500),
      ("1h30m", 5_400_000), ("  2   weeks  ", 1_209_600_000), ("1 Minute", 60_000),
      ("1w 2d 3h 4min 5s 6ms", 788_645_006),
      ("0 hours 5 minutes", 300_000), ("36525 days", 3_155_760_000_000),
    ] as [(String, Int64)])
  func `What people write is read`(text: String, milliseconds: Int64) throws {
    #expect(try DurationText.parse(text) == milliseconds)
  }

  @Test(arguments: [
    ("1 month", "30 days"), ("2 years", "30 days"), ("1y", "30 days"), ("", "empty"), ("   ", "empty"),
    ("0 seconds", "longer than nothing"), ("-5 minutes", "never negative"), ("5", "a unit"), ("soon", "a whole number"),
    ("five minutes", "a whole number"), ("1.5 hours", "1 hour 30 minutes"), ("1,5 hours", "whole numbers"),
    ("10 parsecs", "\"parsecs\" is not a unit"), ("5 minutes 1 hour", "largest to the smallest"),
    ("1 hour 1 hour", "each once"), ("1 hour and 5 minutes", "a whole number"),
    ("999999999999999999999 days", "a hundred years"),
    ("9999999 weeks", "a hundred years"), ("36525 days 1 second", "a hundred years"),
    ("1 hour,", "\"hour,\" is not a unit"),
  ])
  func `What is no duration is refused with what would be right`(text: String, hint: String) {
    let error = #expect(throws: DurationError.self) { try DurationText.parse(text) }
    #expect(error?.description.contains(hint) == true, "\(error?.description ?? "")")
  }

  @Test(
    arguments: [
      (0, "0 s"), (1, "1 ms"), (999, "999 ms"), (1_000, "1 s"), (59_999, "59 s"), (60_000, "1 min"),
      (125_000, "2 min 5 s"),
      (7_500_000, "2 h 5 min"), (86_400_000, "1 d"), (90_061_000, "1 d 1 h"), (604_800_000, "1 w"),
      (-7_500_000, "-2 h 5 min"),
    ] as [(Int64, String)])
  func `What people read is short`(milliseconds: Int64, text: String) {
    #expect(DurationText.format(milliseconds) == text)
  }

  @Test func `The ends of the range can be shown`() {
    #expect(DurationText.format(.max).hasSuffix(" d"))
    #expect(DurationText.format(.min).hasPrefix("-"))
  }

  @Test func `Exact text reads back as the same number`() throws {
    var random = SeededRandom(seed: 5)
    for _ in 0..<5_000 {
      let milliseconds = Int64(random.next(below: 3_155_760_000_000)) + 1
      #expect(try DurationText.parse(DurationText.exact(milliseconds)) == milliseconds)
    }
    #expect(DurationText.exact(129_600_000) == "1 day 12 hours")
  }
}
