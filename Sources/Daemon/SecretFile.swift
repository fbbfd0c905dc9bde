// Files with secrets: one a line, the newest first. An older one may carry the moment until which it still
// counts: then webhooks are signed with both while receivers change over, or with the older one where there is
// room for one signature.
//
// Thread: pure. Promise: a secret that is over is not used; what stands in the file is never shown.

internal import Basics
internal import Model

struct SecretFile: Equatable {
  struct Entry: Equatable {
    var text: [UInt8]
    /// Nil: for ever.
    var until: Instant?
  }
  var entries: [Entry] = []

  /// Nil: a line is not understood; its number.
  static func parse(_ bytes: [UInt8]) -> Result<SecretFile, LineError> {
    var file = SecretFile()
    for (number, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let words = line.split(whereSeparator: { $0 <= 0x20 })
      guard let first = words.first, first.first != UInt8(ascii: "#") else { continue }
      if words.count == 1 {
        file.entries.append(Entry(text: Array(first)))
        continue
      }
      guard words.count == 3, Array(words[1]) == Array("until".utf8),
        let until = ISO8601.parse(String(decoding: words[2], as: UTF8.self))
      else { return .failure(LineError(line: number + 1)) }
      file.entries.append(Entry(text: Array(first), until: until))
    }
    return .success(file)
  }

  struct LineError: Error, Equatable { var line: Int }

  func current(at now: Instant) -> [Secret] {
    entries.map { Secret(bytes: $0.text, until: $0.until) }.filter { $0.counts(at: now) }
  }

  /// As it is written, with `next` in front; what was there counts until `until`.
  func rotated(_ next: [UInt8], until: Instant, now: Instant) -> SecretFile {
    var file = SecretFile(entries: [Entry(text: next)])
    for entry in entries where entry.until.map({ $0 > now }) ?? true {
      file.entries.append(Entry(text: entry.text, until: min(entry.until ?? until, until)))
    }
    return file
  }

  var bytes: [UInt8] {
    var out: [UInt8] = []
    for entry in entries {
      out += entry.text
      if let until = entry.until { out += " until \(ISO8601.format(until))".utf8 }
      out.append(0x0A)
    }
    return out
  }
}
