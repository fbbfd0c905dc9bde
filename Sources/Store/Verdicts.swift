// Verdicts of a batch of events in one packed blob: for each event with something to tell, its number
// and what became of each rule.
//
// Thread: values. Promise: a verdict never takes more than Limits.verdictBytes of text; what is longer
// is cut, visibly.

internal import Basics
package import Model

package struct VerdictWriter: Sendable {
  private var writer = PackedWriter()
  private var open = false

  package init() {}

  package var packed: [UInt8] {
    guard open else { return [] }
    return writer.bytes
  }

  /// `rules` are the numbers of the rules, in the order of `verdicts`.
  package mutating func append(event: Int64, counted notMatched: Int, _ verdicts: [Verdict]) {
    if !open {
      writer.byte(VerdictRow.joinable)
      open = true
    }
    writer.signed(event)
    writer.integer(notMatched)
    writer.integer(verdicts.count)
    for verdict in verdicts {
      writer.counted(verdict.rule)
      writer.byte(verdict.code.rawValue)
      writer.integer(verdict.line)
      writer.integer(verdict.effects)
      writer.counted(Verdict.cut(verdict.reason, to: Limits.verdictBytes))
      writer.integer(verdict.reads.count)
      for read in verdict.reads {
        writer.counted(Verdict.cut(read.name, to: 64))
        writer.counted(Verdict.cut(read.value, to: 64))
      }
    }
  }
}

package struct EventVerdicts: Sendable, Equatable {
  package var event: Int64
  /// Rules whose `when` said no and that are only counted.
  package var notMatched: Int
  package var verdicts: [Verdict]
}

extension VerdictRow {
  /// The format whose entries say their numbers in full; in the first one they were counted from the
  /// entry before.
  fileprivate static let joinable: UInt8 = 2
  /// Whether one row may speak of both events: it is looked for near its first one.
  package static func isNear(_ first: Int64, _ last: Int64) -> Bool { last - first <= 50_000 }

  /// Rows are joined up to so many bytes.
  private static let joinedBytes = 16 * 1_024

  /// Becomes a part of the last row, or a row of its own where that would be too long.
  func join(_ rows: inout [VerdictRow]) {
    let newest = rows.count - 1
    guard newest >= 0, rows[newest].packed.count + packed.count <= VerdictRow.joinedBytes,
      VerdictRow.isNear(min(rows[newest].first, first), max(rows[newest].last, last))
    else {
      rows.append(self)
      return
    }
    rows[newest].first = min(rows[newest].first, first)
    rows[newest].last = max(rows[newest].last, last)
    rows[newest].packed.append(contentsOf: packed[1...])
  }

  package func unpack() -> [EventVerdicts] {
    PackedReader.read(packed) { reader in
      let format = reader.byte()
      guard format == 1 || format == VerdictRow.joinable else { return [] }
      var out: [EventVerdicts] = []
      var number: Int64 = 0
      while !reader.atEnd {
        number = format == 1 ? number + reader.signed() : reader.signed()
        let notMatched = reader.integer()
        let count = reader.integer()
        guard (0...Limits.rules).contains(count) else { return out }
        var verdicts: [Verdict] = []
        for _ in 0..<count {
          guard let verdict = VerdictRow.verdict(&reader) else { return out }
          verdicts.append(verdict)
        }
        out.append(EventVerdicts(event: number, notMatched: notMatched, verdicts: verdicts))
      }
      return out
    }
  }

  private static func verdict(_ reader: inout PackedReader) -> Verdict? {
    let rule = reader.text()
    guard let code = VerdictCode(rawValue: reader.byte()) else { return nil }
    let line = reader.integer()
    let effects = reader.integer()
    let reason = reader.text()
    let count = reader.integer()
    guard (0...Limits.verdictReads).contains(count) else { return nil }
    var reads: [ReadValue] = []
    for _ in 0..<count {
      let name = reader.text()
      reads.append(ReadValue(name: name, value: reader.text()))
    }
    return reader.failed
      ? nil : Verdict(rule: rule, code: code, line: line, reason: reason, reads: reads, effects: effects)
  }
}

extension Verdict {
  /// Shortens to whole characters and says so with an ellipsis.
  package static func cut(_ text: String, to bytes: Int) -> String {
    guard text.utf8.count > bytes else { return text }
    var out = ""
    var used = 0
    for character in text {
      used += character.utf8.count
      if used > bytes - 3 { break }
      out.append(character)
    }
    return out + "…"
  }
}
