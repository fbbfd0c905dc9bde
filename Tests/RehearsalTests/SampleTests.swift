// The sample rules and their tests.
//
// Thread: the test's, and workers. Promise: a sample rule without a test does not stay unnoticed.

import Glibc
import Model
import Rehearsal
import Rules
import Testing

@Suite struct SampleTests {
  private static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/rules"

  private static func read(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  private static func sources(_ folder: String = "") -> [RuleSource] {
    guard let directory = opendir(root + "/" + folder) else { return [] }
    defer { closedir(directory) }
    var out: [RuleSource] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      let path = folder.isEmpty ? name : folder + "/" + name
      if name.hasSuffix(".lua") {
        out.append(RuleSource(path: path, text: read(root + "/" + path)))
      } else if !name.hasPrefix(".") {
        out += sources(path)
      }
    }
    return out.sorted { $0.path < $1.path }
  }

  @Test func `every sample rule, segment and library has a test beside it, and all of them pass`() {
    let sources = SampleTests.sources()
    let tests = sources.filter { $0.kind == .test }
    let tested = Set(tests.map { String($0.name.dropLast("_test".count)) })
    #expect(tested == Set(sources.filter { [.rule, .library, .segment].contains($0.kind) }.map(\.name)))
    var run = TestRun(sources: sources, folder: "rules")
    run.knownDestinations = ["crm", "billing", "learning"]
    for file in run.run(tests, jobs: 2) {
      #expect(file.complaints.isEmpty, "\(file.complaints)")
      #expect(!file.results.isEmpty)
      for result in file.results { #expect(result.failure == nil, "\(file.file): \(result.failure?.unmet as Any)") }
    }
  }
}
