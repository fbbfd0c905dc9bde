// Files for tests of several rooms: the repository as text, and folders that go when their test does.
//
// Thread: a test's. Promise: writes only below the folder for temporary files.

import Glibc

package enum Files {
  /// Where the repository is.
  package static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

  /// Empty where there is none.
  package static func read(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }

  package static func bytes(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return bytes
  }

  package static func write(_ path: String, _ text: String) {
    guard let file = fopen(path, "w") else { return }
    fputs(text, file)
    fclose(file)
  }

  package static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// What stands in a folder, sorted.
  package static func names(_ path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var out: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { out.append(name) }
    }
    return out.sorted()
  }

  /// The paths of all files below a folder, from it on.
  package static func paths(below folder: String) -> [String] {
    names(folder).flatMap { name in
      isFolder(folder + "/" + name) ? paths(below: folder + "/" + name).map { name + "/" + $0 } : [name]
    }
  }

  package static func remove(_ path: String) {
    guard isFolder(path) else {
      unlink(path)
      return
    }
    for name in names(path) { remove(path + "/" + name) }
    rmdir(path)
  }
}

/// A new folder; everything in it is gone when nobody holds this any more.
package final class TemporaryFolder: Sendable {
  package let path: String

  package init(_ files: [(name: String, text: String)] = []) {
    var template = Array("/tmp/nudged-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? ""
    for (name, text) in files {
      let steps = name.split(separator: "/").dropLast()
      for count in 0..<steps.count { mkdir(path + "/" + steps[...count].joined(separator: "/"), 0o755) }
      Files.write(path + "/" + name, text)
    }
  }

  deinit { if !path.isEmpty { Files.remove(path) } }
}
