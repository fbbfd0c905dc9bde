// Log lines: one line an occurrence, a sentence and then key=value pairs. Under systemd each line
// starts with journald's priority prefix "<N>"; on a terminal with the time and a word.
//
// Thread: any; one write(2) a line, so lines do not mix. Promise: control characters never reach the
// log, and callers never hand in a secret.

internal import CPlatform
internal import Glibc
internal import Synchronization

package enum LogLevel: Int, Sendable, Comparable {
  case error = 3
  case warning = 4
  case notice = 5
  case info = 6
  case debug = 7

  package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }

  var word: String {
    switch self {
    case .error: "error"
    case .warning: "warning"
    case .notice: "notice"
    case .info: "info"
    case .debug: "debug"
    }
  }
}

/// Where lines go. Handed in like a clock; tests collect them.
package struct Log: Sendable {
  package typealias Pairs = KeyValuePairs<String, String>
  private let write: @Sendable (LogLevel, String) -> Void

  package init(_ write: @escaping @Sendable (LogLevel, String) -> Void) { self.write = write }

  package func callAsFunction(_ level: LogLevel, _ sentence: String, _ pairs: Pairs = [:]) {
    var line = Log.clean(sentence)
    for (key, value) in pairs { line += " " + key + "=" + Log.quoteIfNeeded(value) }
    write(level, line)
  }

  package func error(_ sentence: String, _ pairs: Pairs = [:]) { self(.error, sentence, pairs) }
  package func warning(_ sentence: String, _ pairs: Pairs = [:]) { self(.warning, sentence, pairs) }
  package func notice(_ sentence: String, _ pairs: Pairs = [:]) { self(.notice, sentence, pairs) }
  package func info(_ sentence: String, _ pairs: Pairs = [:]) { self(.info, sentence, pairs) }
  package func debug(_ sentence: String, _ pairs: Pairs = [:]) { self(.debug, sentence, pairs) }

  /// The same, with something in front of each sentence; nil: nothing.
  package func marked(_ mark: @escaping @Sendable () -> String?) -> Log {
    Log { [write] level, line in write(level, mark().map { $0 + " " + line } ?? line) }
  }

  /// Nothing is written: for commands whose output is their answer, and for tests.
  package static let silent = Log { _, _ in }

  /// Standard error, with journald's prefixes when systemd reads it.
  package static func standardError(journald: Bool, threshold: LogLevel = .info) -> Log {
    Log { level, line in
      guard level <= threshold else { return }
      let text =
        journald
        ? "<\(level.rawValue)>\(line)\n"
        : "\(clockText()) \(level.word) \(line)\n"
      var bytes = Array(text.utf8)
      bytes.withUnsafeMutableBytes { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    }
  }

  private static func clockText() -> String {
    let milliseconds = platform_realtime_ns() / 1_000_000
    let second = (milliseconds / 1000) % 86_400
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let rest = milliseconds % 1000
    let padded = rest < 10 ? "00\(rest)" : rest < 100 ? "0\(rest)" : "\(rest)"
    return "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)).\(padded)"
  }

  private static func clean(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
  }

  private static func quoteIfNeeded(_ value: String) -> String {
    let plain = value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D && $0 != 0x7F }
    return plain && !value.isEmpty ? value : String(decoding: JSONValue.string(value).text, as: UTF8.self)
  }
}
