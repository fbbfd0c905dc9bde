// The repository as text, for the house's own tests.
//
// Thread: a test's. Promise: reads only; the build folder and git's are left out.

import Files

struct SourceFile {
  var path: String
  var text: String
  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// Functions with their lengths: from a line that declares one to the line that closes its indentation.
  var functions: [(name: String, lines: Int)] {
    var out: [(name: String, lines: Int)] = []
    let lines = lines
    for (start, line) in lines.enumerated() {
      let words = line.split(separator: " ")
      guard let keyword = words.firstIndex(of: "func"), keyword + 1 < words.count, !line.contains("//") else {
        continue
      }
      let indent = line.prefix { $0 == " " }
      guard let length = lines[start...].firstIndex(where: { $0 == indent + "}" }) else { continue }
      out.append((String(words[keyword + 1].prefix { $0 != "(" && $0 != "<" }), length - start + 1))
    }
    return out
  }
}

struct Tree {
  var topLevel: [String] { Files.names(Files.root) }
  var swiftSources: [SourceFile] { files(under: "Sources", endingWith: [".swift"]) }

  func read(_ path: String) -> String { Files.read(Files.root + "/" + path) }

  func files(under folder: String, endingWith endings: [String]) -> [SourceFile] {
    Files.paths(below: Files.root + "/" + folder).map { folder + "/" + $0 }
      .filter { path in endings.contains { path.hasSuffix($0) } }
      .map { SourceFile(path: $0, text: read($0)) }
  }
}
