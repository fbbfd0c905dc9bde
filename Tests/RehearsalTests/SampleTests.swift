// The sample rules and their tests.
//
// Thread: the test's, and workers. Promise: a sample rule without a test does not stay unnoticed.

import Files
import Model
import Rehearsal
import Rules
import Testing

@Suite struct SampleTests {
  private static let sources = Files.paths(below: Files.root + "/rules").compactMap { path -> RuleSource? in
    let text = Files.read(Files.root + "/rules/" + path)
    if path.hasSuffix(".lua") { return RuleSource(path: path, text: text) }
    guard path.hasSuffix(".csv"), let table = try? LookUpTable.library(text, file: path) else { return nil }
    return RuleSource(path: path.dropLast("csv".count) + "lua", text: table)
  }

  @Test func `every sample rule, segment and library has a test beside it, and all of them pass`() {
    let sources = SampleTests.sources
    let tests = sources.filter { $0.kind == .test }
    let tested = Set(tests.map { String($0.name.dropLast("_test".count)) })
    let testable = sources.filter { [.rule, .library, .segment].contains($0.kind) && !$0.path.hasPrefix("data/") }
    #expect(tested == Set(testable.map(\.name)))
    var run = TestRun(sources: sources, folder: "rules")
    run.knownDestinations = ["crm", "billing", "learning"]
    for file in run.run(tests, jobs: 2) {
      #expect(file.complaints.isEmpty, "\(file.complaints)")
      #expect(!file.results.isEmpty)
      for result in file.results { #expect(result.failure == nil, "\(file.file): \(result.failure?.unmet as Any)") }
    }
  }
}
