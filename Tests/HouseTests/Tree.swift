// The repository as text, for the house's own tests.
//
// Thread: a test's. Promise: reads only; the build folder and git's are left out.

import Glibc

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
  private let root: String

  init(file: String = #filePath) {
    root = file.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
  }

  var topLevel: [String] { names(root) }
  var swiftSources: [SourceFile] { files(under: "Sources", endingWith: [".swift"]) }

  func read(_ path: String) -> String {
    guard let file = fopen(root + "/" + path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk[..<count]
    }
  }

  func files(under folder: String, endingWith endings: [String]) -> [SourceFile] {
    var out: [SourceFile] = []
    for name in names(root + "/" + folder).sorted() {
      let path = folder + "/" + name
      if endings.contains(where: { name.hasSuffix($0) }) {
        out.append(SourceFile(path: path, text: read(path)))
      } else if isFolder(root + "/" + path) {
        out += files(under: path, endingWith: endings)
      }
    }
    return out
  }

  private func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private func names(_ path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var out: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { out.append(name) }
    }
    return out
  }
}
