// Log lines: what reaches the journal, and what never does.
//
// Thread: any; one test starts a child process to see what is really written. Promise: nothing is
// written to this process's own standard error.

import Basics
import Glibc
import Testing

@Suite struct LogTests {
  private final class Collected: Sendable {
    let lines = Mailbox<String>(capacity: 100)
    var log: Log { Log { [lines] level, line in lines.send("\(level.rawValue) \(line)") } }
  }

  @Test func `A line is a sentence and then its pairs, in their order`() {
    let collected = Collected()
    collected.log.warning("the receiver does not answer", ["destination": "crm", "attempts": "3"])
    #expect(collected.lines.takeAll() == ["4 the receiver does not answer destination=crm attempts=3"])
  }

  @Test(arguments: [
    ("two words", "\"two words\""), ("", "\"\""), ("a=b", "\"a=b\""), ("say \"hi\"", #""say \"hi\"""#),
    ("plain-1.2/x", "plain-1.2/x"),
    ("line\nbreak", #""line\nbreak""#), ("bell\u{7}", #""bell\u0007""#),
  ])
  func `Values are quoted where a reader could mistake them`(value: String, shown: String) {
    let collected = Collected()
    collected.log.info("it happened", ["value": value])
    #expect(collected.lines.takeAll() == ["6 it happened value=\(shown)"])
  }

  @Test func `Control characters never reach the log`() {
    let collected = Collected()
    collected.log.error("one\ntwo\r\u{1b}[31m\0three\u{7f}", ["x": "a\u{1b}[0m\n<0>forged"])
    let line = collected.lines.takeAll().joined()
    #expect(line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
    #expect(line.hasPrefix("3 one two"))
  }

  @Test func `Each level has journald's number`() {
    let collected = Collected()
    let log = collected.log
    log.error("e")
    log.warning("w")
    log.notice("n")
    log.info("i")
    log.debug("d")
    #expect(collected.lines.takeAll() == ["3 e", "4 w", "5 n", "6 i", "7 d"])
    #expect(LogLevel.error < .warning && LogLevel.info < .debug)
  }

  /// What `body` writes to standard error, seen through a pipe put in its place for that moment.
  private func written(_ body: () -> Void) -> [String] {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { return [] }
    let saved = dup(2)
    dup2(ends[1], 2)
    body()
    dup2(saved, 2)
    close(saved)
    close(ends[1])
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = read(ends[0], &bytes, bytes.count)
    close(ends[0])
    return String(decoding: bytes[..<max(0, count)], as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test func `Under systemd a line starts with its priority, on a terminal with time and level`() {
    let mark = "mark-\(Clocks.system.steadyNanoseconds())"
    let lines = written {
      Log.standardError(journald: true).warning("\(mark) journal", ["a": "1"])
      Log.standardError(journald: false).notice("\(mark) terminal")
      Log.standardError(journald: true, threshold: .error).info("\(mark) hidden")
    }.filter { $0.contains(mark) }
    #expect(lines.count == 2 && lines.first == "<4>\(mark) journal a=1")
    #expect(lines.last?.hasSuffix(" notice \(mark) terminal") == true)
    #expect(lines.last?.utf8.prefix(12).map { $0 }.filter { $0 == UInt8(ascii: ":") }.count == 2)
  }
}
