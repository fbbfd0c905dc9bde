// The system's folder of time zones: which there are, and reading one by its name.
//
// Thread: a value; reads files, so it is for start-up and checks and not for hot paths. Promise: no name
// leads out of the folder, and only zone files are opened as zones.

internal import Glibc

package struct ZoneFolder: Sendable {
  private let path: String

  package init(path: String = "/usr/share/zoneinfo") { self.path = path }

  package func load(_ name: String) throws(ZoneError) -> ZoneRules {
    guard ZoneFolder.isName(name) else {
      throw ZoneError(
        description: "\"\(name.prefix(80))\" is not the name of a time zone; write it like \"Europe/Berlin\"")
    }
    guard let bytes = ZoneFolder.read(path + "/" + name) else {
      throw ZoneError(description: "there is no time zone called \"\(name)\" in \(path)")
    }
    return try ZoneRules(name: name, file: bytes)
  }

  /// Every zone of the folder, in alphabetical order.
  package func names() -> [String] {
    var found: [String] = []
    collect(below: "", into: &found)
    return found.sorted()
  }

  /// Which edition of the database this is, such as "2026a"; nil when the folder does not say.
  package func version() -> String? {
    if let line = ZoneFolder.read(path + "/+VERSION", most: 64) { return ZoneFolder.firstLine(line) }
    let mark = "# version "
    guard let head = ZoneFolder.read(path + "/tzdata.zi", most: 64) else { return nil }
    let line = ZoneFolder.firstLine(head)
    return line.hasPrefix(mark) ? String(line.dropFirst(mark.count)) : nil
  }

  private static func firstLine(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
  }

  /// Words of letters, digits and "_+-" between slashes; so neither ".." nor an absolute path.
  package static func isName(_ name: String) -> Bool {
    guard !name.isEmpty, name.utf8.count <= 80 else { return false }
    let steps = name.split(separator: "/", omittingEmptySubsequences: false)
    return steps.count <= 4
      && steps.allSatisfy { step in
        !step.isEmpty
          && step.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F, 0x2B, 0x2D: true
            default: false
            }
          }
      }
  }

  /// Other editions of all zones, and links that are not names of places.
  private static let passedOver: Set<String> = ["posix", "right", "posixrules", "localtime", "Factory"]

  private func collect(below folder: String, into found: inout [String]) {
    guard folder.split(separator: "/").count <= 3, let directory = opendir(path + "/" + folder) else { return }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard ZoneFolder.isName(name), !ZoneFolder.passedOver.contains(name) else { continue }
      let whole = folder.isEmpty ? name : folder + "/" + name
      var status = stat()
      guard stat(path + "/" + whole, &status) == 0 else { continue }
      if status.st_mode & S_IFMT == S_IFDIR {
        collect(below: whole, into: &found)
      } else if ZoneFolder.read(path + "/" + whole, most: 4)?.elementsEqual("TZif".utf8) == true {
        found.append(whole)
      }
    }
  }

  /// The beginning of a regular file; nil when there is none.
  private static func read(_ path: String, most: Int = 256 * 1024) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    var bytes = [UInt8](repeating: 0, count: min(most, max(0, Int(status.st_size))))
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress! + filled, $0.count - filled) }
      if count < 0, errno == EINTR { continue }
      if count <= 0 { break }
      filled += count
    }
    return Array(bytes.prefix(filled))
  }
}
