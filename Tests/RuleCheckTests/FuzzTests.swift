// Whatever bytes a file holds, the check comes to an end and says where.
//
// Thread: the test's own. Promise: the same bytes every time; more rounds with NUDGED_FUZZ_ROUNDS.

import Basics
import Glibc
import RuleCheck
import Rules
import Testing

@Suite struct FuzzTests {
  private static let rounds: Int = {
    guard let text = getenv("NUDGED_FUZZ_ROUNDS") else { return 1_500 }
    return min(Int(String(cString: text)) ?? 1_500, 1_000_000)
  }()

  /// Pieces that parsers stumble over.
  private static let pieces = [
    "(", ")", "{", "}", "[", "]", "[[", "]]", "[==[", "--[[", "--", "\"", "'", "\\", "“", "”", "\u{FEFF}", "\0", "=",
    "==",
    "!=", "::", "...", "..", ".", ":", ";", ",", " function(", " end ", " if ", " then ", " else if ", " elseif ",
    " for ", " in ", " do ", " repeat ", " until ", " while ", " local ", " return ", " goto x ", " not ", " and ",
    "0x", "1e", "~", "&&", "++", "+=", "?", "ä", "\n", "\r", "\t", "\\u{110000}", "\\x", "\\999", "nil", "rule", "edn",
    "thne",
  ]

  private static func isInOrder(_ findings: [Finding], lines: Int) -> Bool {
    var last = (0, 0)
    for finding in findings {
      guard finding.line >= 1, finding.line <= lines, finding.column >= 1, finding.endColumn > finding.column,
        (finding.line, finding.column) >= last, !finding.message.isEmpty
      else { return false }
      last = (finding.line, finding.column)
    }
    return findings.count <= 101
  }

  private static func damage(_ text: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = text
    for _ in 0...random.next(below: 6) {
      let place = Int(random.next(below: UInt64(bytes.count + 1)))
      switch random.next(below: 5) {
      case 0: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
      case 1 where place < bytes.count: bytes.remove(at: place)
      case 2: bytes.insert(contentsOf: bytes.dropFirst(place).prefix(40), at: min(place, bytes.count))
      case 3 where place < bytes.count:
        bytes.removeSubrange(place..<min(bytes.count, place + Int(random.next(below: 60))))
      default: bytes.insert(contentsOf: Array(pieces[Int(random.next(below: UInt64(pieces.count)))].utf8), at: place)
      }
    }
    return bytes
  }

  @Test func `damaged rules are looked at to their end, and every place is in the file`() {
    var random = SeededRandom(seed: 5)
    for round in 0..<FuzzTests.rounds {
      let good = Array(GoodRules.all[round % GoodRules.all.count].utf8)
      let text = String(decoding: FuzzTests.damage(good, &random), as: UTF8.self)
      let findings = Checking.findings(text, libraries: GoodRules.libraries).filter { $0.file == "rules/a.lua" }
      let lines = text.utf8.reduce(1) { $0 + ($1 == 0x0A ? 1 : 0) }
      #expect(FuzzTests.isInOrder(findings, lines: lines), "\(text)")
    }
  }

  @Test func `a heap of pieces is looked at to its end`() {
    var random = SeededRandom(seed: 6)
    for _ in 0..<FuzzTests.rounds / 10 {
      var text = ""
      for _ in 0..<random.next(below: 200) {
        text += FuzzTests.pieces[Int(random.next(below: UInt64(FuzzTests.pieces.count)))]
      }
      _ = Checking.findings(text)
    }
  }

  static let towers: [(name: String, text: String)] = [
    ("parentheses", "return " + String(repeating: "(", count: 60_000)),
    ("tables", "return " + String(repeating: "{", count: 60_000)),
    ("functions", String(repeating: "return function() ", count: 3_500)),
    ("ifs", String(repeating: "if x then ", count: 6_000)),
    ("nots", "return " + String(repeating: "not ", count: 15_000) + "x"),
    ("minuses", "return " + String(repeating: "- ", count: 30_000) + "1"),
    ("joins", "return " + String(repeating: "'a'..", count: 12_000) + "'a'"),
    ("sums", "return " + String(repeating: "1+", count: 30_000) + "1"),
    ("powers", "return " + String(repeating: "2^", count: 30_000) + "1"),
    ("fields", "return a" + String(repeating: ".b", count: 30_000)),
    ("calls", "a" + String(repeating: "()", count: 30_000)),
    ("tables as arguments", "a" + String(repeating: "{}", count: 30_000)),
    ("nested calls", String(repeating: "f(", count: 30_000)),
    ("sums in parentheses", String(repeating: "(1" + String(repeating: "+1", count: 150), count: 200)),
    ("else ifs", "if a then " + String(repeating: "else if a then ", count: 4_000)),
    ("elseifs", "if a then " + String(repeating: "elseif a then ", count: 4_500) + " end"),
    ("locals", String(repeating: "local a ", count: 8_000)),
    ("unknown names", (0..<6_000).map { "log(n\($0)) " }.joined()),
    ("misspelt words", String(repeating: "locla x = 1 ", count: 5_000)),
    ("conditions with tables", String(repeating: "if a { function() ", count: 3_500)),
    ("quotes", String(repeating: "\"\n", count: 30_000)),
    ("long brackets", String(repeating: "[==[", count: 16_000)),
    ("endless loops", String(repeating: "while true do ", count: 4_500)),
    ("labels", (0..<5_000).map { "goto l\($0) " }.joined()),
  ]

  @Test(arguments: towers) func `towers of one thing are looked at to their end`(name: String, text: String) {
    #expect(text.utf8.count <= 65_536)
    #expect(FuzzTests.isInOrder(Checking.findings(text), lines: 100_000))
  }

  @Test func `a file that is too long is left to the loader, which says so`() {
    let long = Checking.rule(String(repeating: "log('x') ", count: 8_000))
    #expect(Checking.findings(long).count <= 1)
    let report = RuleCheck.check(sources: [RuleSource(path: "a.lua", text: long)], knownDestinations: nil)
    #expect(report.findings.contains { $0.message.contains("bytes; at most") }, "\(Checking.lines(report.findings))")
  }
}
