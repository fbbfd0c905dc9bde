// Test files run side by side: each with the rule it lies beside, each test with a rehearsal of its own.
//
// Thread: `run` on the caller's, which waits; the files on workers. Promise: results come in the order of
// the files and of their tests, however many workers there are.

internal import Basics
internal import Engine
package import Model
package import Rules

package struct TestRun: Sendable {
  /// Every Lua file below the rules folder.
  package var sources: [RuleSource]
  package var folder: String
  package var destinations: [Destination] = []
  /// Nil: any name will do.
  package var knownDestinations: Set<String>?
  /// Names of events and types of webhooks; nil: any will do.
  package var knownEvents: Set<String>?
  package var knownTypes: Set<String>?
  package var zone = "UTC"
  package var policies = Policies()
  /// More wakes than these in one stretch of time are a rule that goes round in circles.
  package var wakesPerAdvance = Limits.testWakes
  /// Only tests whose file or sentence holds this text.
  package var filter = ""

  package init(sources: [RuleSource], folder: String) {
    self.sources = sources
    self.folder = folder
  }

  package struct Failure: Sendable {
    package var line: Int
    package var unmet: Unmet
    /// What happened until then.
    package var timeline: [TimelineEntry]
    package var names: [Int64: SubjectReference]
  }

  package struct Result: Sendable {
    package var sentence: String
    package var line: Int
    package var failure: Failure?
  }

  package struct FileResult: Sendable {
    /// As a person would open it.
    package var file: String
    /// What keeps the file from being run.
    package var complaints: [RuleComplaint] = []
    package var results: [Result] = []
  }

  package func run(_ tests: [RuleSource], jobs: Int) -> [FileResult] {
    let libraries = RuleSet.load(
      sources: sources.filter { $0.kind == .library }, knownDestinations: knownDestinations, folder: folder)
    let board = Board(count: tests.count)
    let workers = (0..<max(1, min(jobs, tests.count))).map { number in
      Worker.start("test-\(number)") {
        while let place = board.next() { board.put(run(tests[place], libraries), at: place) }
      }
    }
    for worker in workers { worker.join() }
    return board.results
  }

  /// What is still to do, and what came of the rest.
  private final class Board: Sendable {
    private let state: Guarded<(next: Int, results: [FileResult])>

    init(count: Int) { state = Guarded((0, Array(repeating: FileResult(file: ""), count: count))) }

    func next() -> Int? {
      state.withLock { state in
        guard state.next < state.results.count else { return nil }
        state.next += 1
        return state.next - 1
      }
    }
    func put(_ result: FileResult, at place: Int) { state.withLock { $0.results[place] = result } }
    var results: [FileResult] { state.withLock { $0.results } }
  }

  // MARK: one file

  private func display(_ path: String) -> String { folder.isEmpty ? path : folder + "/" + path }

  private func run(_ source: RuleSource, _ libraries: RuleSet.Loading) -> FileResult {
    var result = FileResult(file: display(source.path))
    do throws(RuleComplaint) {
      let file = try TestFile(source, libraries: libraries.set.libraries, folder: folder)
      let setting = try setting(file, source, &result)
      guard result.complaints.isEmpty else { return result }
      for (place, test) in file.tests.enumerated() where isWanted(test.sentence, result.file) {
        result.results.append(run(file, place, setting))
      }
    } catch {
      // A library that cannot be loaded is the cause of what is missing here.
      if result.complaints.isEmpty { result.complaints += libraries.complaints }
      result.complaints.append(error)
    }
    return result
  }

  private func isWanted(_ sentence: String, _ file: String) -> Bool {
    filter.isEmpty || sentence.contains(filter) || file.contains(filter)
  }

  /// The rule beside the file and those it names; a rule that cannot be loaded is told with its complaints.
  private func setting(
    _ file: TestFile, _ source: RuleSource, _ result: inout FileResult
  ) throws(RuleComplaint) -> StageSetting {
    let beside = String(source.name.dropLast("_test".count))
    let rules = sources.filter { $0.kind == .rule }
    let known = rules.map(\.name)
    var names: [String] = []
    if known.contains(beside) { names.append(beside) }
    for rule in file.rules where !names.contains(rule.name) {
      guard known.contains(rule.name) else {
        throw RuleComplaint(
          file: result.file, line: rule.line, message: "there is no rule '\(rule.name)'",
          suggestion: Suggestion.nearest(to: rule.name, among: known))
      }
      names.append(rule.name)
    }
    if names.isEmpty, !beside.hasPrefix("lib/"), !beside.hasPrefix(RuleSource.segments) {
      throw RuleComplaint(
        file: result.file, line: 1,
        message:
          "there is no rule beside this test; its file would be \(display(beside)).lua, or name one: rules { \"folder/rule\" }",
        suggestion: Suggestion.nearest(to: beside, among: known))
    }
    let wanted = sources.filter {
      [.library, .segment].contains($0.kind) || ($0.kind == .rule && names.contains($0.name))
    }
    let loading = RuleSet.load(sources: wanted, knownDestinations: knownDestinations, folder: folder)
    result.complaints += loading.complaints
    return StageSetting(
      rules: loading.set, rule: known.contains(beside) ? beside : nil, destinations: destinations,
      knownDestinations: knownDestinations, knownEvents: knownEvents, knownTypes: knownTypes, zone: zone,
      policies: policies,
      wakesPerAdvance: wakesPerAdvance)
  }

  private func run(_ file: TestFile, _ place: Int, _ setting: StageSetting) -> Result {
    let test = file.tests[place]
    var result = Result(sentence: test.sentence, line: test.line)
    guard let stage = try? Stage(setting) else {
      let unmet = Unmet(message: "there is no memory left for this test")
      result.failure = Failure(line: test.line, unmet: unmet, timeline: [], names: [:])
      return result
    }
    let failure = file.run(place, stage)
    let unmet = stage.unmet ?? failure.map { Unmet(message: $0.message) } ?? stage.unmetAtEnd()
    if let unmet {
      result.failure = Failure(
        line: failure?.line ?? test.line, unmet: unmet, timeline: stage.entries, names: stage.rehearsal.timeline.names)
    }
    return result
  }
}
