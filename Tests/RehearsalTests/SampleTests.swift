// The sample rules and their tests.
//
// Thread: the test's, and workers. Promise: a sample rule without a test does not stay unnoticed.

import Model
import Rehearsal
import Rules
import Samples
import Testing

@Suite struct SampleTests {
  @Test func `every sample rule, segment and library has a test beside it, and all of them pass`() {
    let sources = SampleRules.sources
    let tests = sources.filter { $0.kind == .test }
    let tested = Set(tests.map { String($0.name.dropLast("_test".count)) })
    #expect(
      tested
        == Set(
          sources.filter { [.rule, .library, .segment].contains($0.kind) && !$0.path.hasPrefix("data/") }.map(\.name)))
    var run = TestRun(sources: sources, folder: "rules")
    run.knownDestinations = SampleRules.destinations
    for file in run.run(tests, jobs: 2) {
      #expect(file.complaints.isEmpty, "\(file.complaints)")
      #expect(!file.results.isEmpty)
      for result in file.results { #expect(result.failure == nil, "\(file.file): \(result.failure?.unmet as Any)") }
    }
  }
}
