// The documentation as text: its pages, and the blocks of code in them.
//
// Thread: a test's. Promise: reads only.

import Files
import Glibc

/// A block between ``` lines; `words` are what stands after the first ```.
struct Block: Sendable, CustomStringConvertible {
  var page: String
  var line: Int
  var words: [String]
  var text: String

  var language: String { words.first ?? "" }
  var name: String? { words.count > 1 ? words[1] : nil }
  var description: String { "\(page):\(line)" }
}

enum Pages {
  static let all = [
    "README.md", "etc/CHANGELOG.md", "etc/BENCHMARKS.md", "etc/doc/rules.md", "etc/doc/events.md",
    "etc/doc/configuration.md", "etc/doc/webhooks.md", "etc/doc/operating.md", "etc/doc/testing.md",
    "etc/doc/packs/churn.md", "etc/doc/packs/upsell.md",
  ]

  static func read(_ path: String) -> String { Files.read(Files.root + "/" + path) }

  static func blocks(_ language: String, in pages: [String] = all) -> [Block] {
    pages.flatMap { page in
      var out: [Block] = []
      var open: Block?
      for (position, line) in read(page).split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        if line.hasPrefix("```") {
          if let block = open {
            out.append(block)
            open = nil
          } else {
            let words = line.dropFirst(3).split(separator: " ").map(String.init)
            open = Block(page: page, line: position + 1, words: words, text: "")
          }
        } else if open != nil {
          open?.text += line + "\n"
        }
      }
      return out.filter { $0.language == language }
    }
  }

  /// The texts in quotes of a list in a source file, from `start` to the next "]".
  static func list(_ path: String, after start: String) -> [String] {
    let text = read(path)
    guard let begin = text.firstRange(of: start)?.upperBound else { return [] }
    return quoted(text[begin...].prefix { $0 != "]" })
  }

  static func quoted(_ text: some StringProtocol) -> [String] {
    text.split(separator: "\"", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
      .map { String($0.element) }
  }

  /// What follows `start` up to the next quote, wherever it stands in these files.
  static func words(after start: String, in paths: [String]) -> [String] {
    paths.flatMap { path in
      read(path).split(separator: start, omittingEmptySubsequences: false).dropFirst().map {
        String($0.prefix { $0 != "\"" })
      }
    }
  }

  static func exists(_ path: String) -> Bool { access(Files.root + "/" + path, F_OK) == 0 }
}
