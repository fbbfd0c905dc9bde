// nudged test and nudged play: rules in virtual time, on a scratch store, with nobody who could send.
//
// Thread: main, and workers that run test files side by side. Promise: the same files give the same output,
// byte for byte; nothing leaves the machine.

internal import Basics
internal import Glibc
internal import Model
internal import Rehearsal
internal import RuleCheck
internal import Rules

extension Command {
  static let test = Command(
    name: "test", summary: "run the tests beside the rules",
    help: """
      nudged test [PATH…] [--filter TEXT] [--jobs N] [--rules DIR] [--json]

      Runs every ..._test.lua below the rules folder, or those that PATH names: a test file, its rule, or a
      folder. Time is virtual and nothing is sent.
      --filter TEXT   only tests whose sentence or file holds TEXT
      --jobs N        how many files run side by side (default: one for each processor)
      Exit 0 when all passed, 1 when one failed or there was none.
      """
  ) { raw in
    let arguments = try Arguments(raw, values: ["--filter", "--jobs"])
    let jobs =
      try arguments.integer("--jobs") ?? max(1, min(Limits.testJobs, Int64(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    guard (1...Limits.testJobs).contains(jobs) else { throw UsageError("--jobs must be 1 to \(Limits.testJobs)") }
    let scene = try Scene(arguments)
    var run = TestRun(sources: scene.files.sources, folder: scene.configuration.rules)
    run.destinations = scene.configuration.destinations
    run.knownDestinations = scene.knownDestinations
    run.knownEvents = scene.catalogue.hasTeamsEvents ? Set(scene.catalogue.events.keys) : nil
    run.knownTypes = scene.catalogue.templates.map { Set($0.keys) }
    run.zone = scene.configuration.zone
    run.policies = scene.configuration.policies
    run.filter = arguments.value("--filter") ?? ""
    let tests = try scene.tests(arguments.words)
    let complaints = scene.complaints(about: tests)
    let results = complaints.isEmpty ? run.run(tests, jobs: Int(jobs)) : []
    return TestReport(
      results, complaints: scene.files.complaints + complaints, arguments, folder: scene.configuration.rules
    ).show()
  }

  static let play = Command(
    name: "play", summary: "play a scenario in virtual time and show what would happen",
    help: """
      nudged play EVENTS.ndjson [--subject NAMESPACE:ID] [--until TIME] [--rules DIR] [--json]

      Plays the events of the file, one a line, against all rules, on a scratch store. An event's time moves
      the clock; {"advance": "3 days"} and {"at": "2026-03-01T09:00:00Z"} move it, too, and
      {"reply": {"destination": …, "type": …, "ok": false}} answers a call to come. "-" reads standard input.
      --subject X     shows this subject's timeline only
      --until TIME    goes on to this moment after the last line, such as 2026-03-01T09:00:00Z
      """
  ) { raw in
    let arguments = try Arguments(raw, values: ["--subject", "--until"])
    guard arguments.words.count == 1, let path = arguments.words.first else {
      throw UsageError("write: play EVENTS.ndjson")
    }
    let only = try arguments.value("--subject").map { text throws(UsageError) in
      guard let reference = SubjectReference(text) else {
        throw UsageError("--subject must be such as user:42, not \"\(text)\"")
      }
      return reference
    }
    let until = try arguments.value("--until").map { text throws(UsageError) in
      guard let instant = ISO8601.parse(text) else {
        throw UsageError("--until must be a moment such as 2026-03-01T09:00:00Z, not \"\(text)\"")
      }
      return instant
    }
    guard let text = path == "-" ? Files.read(descriptor: 0) : Files.read(path) else {
      throw StartFailure("cannot read \(path): \(String(cString: strerror(errno)))")
    }
    let scene = try Scene(arguments)
    let scenario: Scenario
    do throws(ScenarioError) {
      scenario = try Scenario(text, knownDestinations: scene.knownDestinations)
    } catch {
      for complaint in error.complaints {
        Terminal.complain("\(path == "-" ? "standard input" : path):\(complaint.line): \(complaint.message)")
      }
      return 1
    }
    let rehearsal = try scenario.play(
      try scene.rules(), destinations: scene.configuration.destinations, zone: scene.configuration.zone,
      policies: scene.configuration.policies, until: until)
    return try PlayReport(rehearsal, folder: scene.configuration.rules).show(only: only, wantsJSON: arguments.wantsJSON)
  }
}

/// Rules and destinations as both commands see them.
private struct Scene {
  let configuration: Configuration
  let files: Files.RuleFiles
  /// Nil: no destination is configured or in the catalogue, so that any name will do.
  let knownDestinations: Set<String>?
  let catalogue: Catalogue

  init(_ arguments: Arguments) throws {
    let (configuration, complaints) = try arguments.readableConfiguration()
    self.configuration = configuration
    guard let files = Files.rules(in: configuration.rules) else {
      throw StartFailure(
        "cannot read the rules folder \(configuration.rules): \(String(cString: strerror(errno))); name another with --rules"
      )
    }
    self.files = files
    if !complaints.isEmpty {
      Terminal.complain(
        "\(configuration.file) has complaints, so that its destinations are not known; `nudged check` tells them")
    }
    catalogue =
      RuleCheck.check(sources: files.sources.filter { $0.kind == .catalogue }, knownDestinations: nil).catalogue
    let names = complaints.isEmpty ? Set(configuration.destinations.map(\.name)) : []
    let known = names.isEmpty ? catalogue.destinations : names
    knownDestinations = known.isEmpty ? nil : known
  }

  /// All rules; what a daemon would refuse stops the scenario before it begins.
  func rules() throws -> RuleSet {
    let report = checked(files.sources)
    let complaints = errors(of: report) + files.complaints
    if !complaints.isEmpty { throw Complaints(complaints) }
    return report.set
  }

  /// What a daemon would refuse about everything but rules that no chosen test is about.
  func complaints(about tests: [RuleSource]) -> [RuleComplaint] {
    let rules = Set(tests.map { String($0.name.dropLast("_test".count)) + ".lua" })
    let skipped = Set(files.sources.filter { $0.kind == .rule && !rules.contains($0.path) }.map(\.path))
    return errors(of: checked(files.sources)).filter { complaint in
      !skipped.contains { complaint.file.hasSuffix("/" + $0) || complaint.file == $0 }
    }
  }

  private func checked(_ sources: [RuleSource]) -> RuleCheck.Report {
    RuleCheck.check(
      sources: sources, knownDestinations: knownDestinations, folder: configuration.rules,
      zones: { ZoneFolder().names() })
  }

  private func errors(of report: RuleCheck.Report) -> [RuleComplaint] {
    report.findings.filter { $0.severity == .error }.map {
      RuleComplaint(file: $0.file, line: $0.line, message: $0.message, suggestion: $0.suggestion)
    }
  }

  /// The test files that some paths name; all of them without any.
  func tests(_ paths: [String]) throws(UsageError) -> [RuleSource] {
    let all = files.sources.filter { $0.kind == .test }
    if paths.isEmpty { return all }
    var chosen: Set<String> = []
    for path in paths {
      let found = all.filter { Scene.names(path, configuration.rules, $0) }
      if found.isEmpty {
        let known = all.map { configuration.rules + "/" + $0.path }
        throw UsageError("there is no test at \(path)" + Suggestion.ending(for: path, among: known))
      }
      chosen.formUnion(found.map(\.path))
    }
    return all.filter { chosen.contains($0.path) }
  }

  /// A path names a test file itself, its rule, or a folder around it; seen from here or from the rules folder.
  private static func names(_ path: String, _ folder: String, _ test: RuleSource) -> Bool {
    let rule = String(test.name.dropLast("_test".count))
    let root = real(folder) ?? folder
    return [test.path, rule + ".lua", rule].contains { name in
      steps(name).starts(with: steps(path))
        || real(path).map { steps(root + "/" + name).starts(with: steps($0)) } ?? false
    }
  }

  /// Without links and dots; nil when there is nothing.
  private static func real(_ path: String) -> String? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
  }

  private static func steps(_ path: String) -> [Substring] { path.split(separator: "/").filter { $0 != "." } }
}

private struct TestReport {
  let results: [TestRun.FileResult]
  let complaints: [RuleComplaint]
  let arguments: Arguments
  let text: TimelineText

  init(_ results: [TestRun.FileResult], complaints: [RuleComplaint], _ arguments: Arguments, folder: String) {
    self.results = results
    self.complaints = complaints
    self.arguments = arguments
    text = TimelineText(folder: folder)
  }

  private var count: Int { results.reduce(0) { $0 + $1.results.count } }
  private var failed: Int { results.reduce(0) { $0 + $1.results.count { $0.failure != nil } } }
  private var broken: Int { complaints.count + results.reduce(0) { $0 + $1.complaints.count } }

  func show() -> Int32 {
    if arguments.wantsJSON {
      Terminal.print(json.pretty)
    } else {
      showLines()
    }
    return failed == 0 && broken == 0 && count > 0 ? 0 : 1
  }

  private static func tests(_ count: Int) -> String { count == 1 ? "1 test" : "\(count) tests" }

  private func showLines() {
    for complaint in complaints { Terminal.print(complaint.description) }
    for file in results where !file.results.isEmpty || !file.complaints.isEmpty {
      let failures = file.results.filter { $0.failure != nil }
      let mark = failures.isEmpty && file.complaints.isEmpty ? "ok    " : "FAILED"
      let how =
        failures.isEmpty
        ? TestReport.tests(file.results.count) : "\(failures.count) of \(TestReport.tests(file.results.count)) failed"
      Terminal.print("\(mark)  \(file.file)  \(file.complaints.isEmpty ? how : "cannot be run")")
      for complaint in file.complaints { Terminal.print("\n" + complaint.description + "\n") }
      for result in failures { show(result, file.file) }
    }
    if count == 0, broken == 0 {
      let why =
        results.isEmpty
        ? "tests lie beside rules: the one of rules/welcome.lua is rules/welcome_test.lua" : "no test holds that text"
      return Terminal.print("No tests found; \(why).")
    }
    Terminal.print(
      failed == 0 && broken == 0
        ? "\(TestReport.tests(count)) passed"
        : "\(TestReport.tests(count - failed)) passed, \(failed) failed"
          + (broken > 0 ? ", and something cannot be run" : ""))
  }

  private func show(_ result: TestRun.Result, _ file: String) {
    guard let failure = result.failure else { return }
    Terminal.print("\n\(file):\(failure.line): \(result.sentence)\n  \(failure.unmet.message)")
    if !failure.unmet.expected.isEmpty || !failure.unmet.found.isEmpty {
      let field = failure.unmet.field.isEmpty ? "" : failure.unmet.field + "  "
      let blank = String(repeating: " ", count: field.count)
      Terminal.print("    \(field)expected \(failure.unmet.expected)\n    \(blank)found    \(failure.unmet.found)")
    }
    if !failure.timeline.isEmpty {
      Terminal.print("  what happened:")
      for line in text.lines(failure.timeline, names: failure.names) { Terminal.print("    " + line) }
    }
    Terminal.print("")
  }

  private var json: JSONValue {
    let files: [JSONValue] = results.map { file in
      [
        "file": .string(file.file), "complaints": .array(file.complaints.map(TestReport.json)),
        "tests": .array(file.results.map(json)),
      ]
    }
    return [
      "passed": .integer(Int64(count - failed)), "failed": .integer(Int64(failed)),
      "complaints": .array(complaints.map(TestReport.json)), "files": .array(files),
    ]
  }

  private static func json(_ complaint: RuleComplaint) -> JSONValue {
    [
      "file": .string(complaint.file), "line": .integer(Int64(complaint.line)), "message": .string(complaint.message),
      "suggestion": complaint.suggestion.map { .string($0) } ?? .null,
    ]
  }

  private func json(_ result: TestRun.Result) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("test", .string(result.sentence)), .init("line", .integer(Int64(result.line))),
      .init("passed", .boolean(result.failure == nil)),
    ]
    if let failure = result.failure {
      let timeline = failure.timeline.map { entry in
        text.json(entry, subject: failure.names[entry.subject]?.description ?? "")
      }
      members.append(
        .init(
          "failure",
          [
            "line": .integer(Int64(failure.line)), "message": .string(failure.unmet.message),
            "field": .string(failure.unmet.field), "expected": .string(failure.unmet.expected),
            "found": .string(failure.unmet.found), "timeline": .array(timeline),
          ]))
    }
    return .object(members)
  }
}

private struct PlayReport {
  let timeline: Timeline
  let now: Instant
  let rehearsal: Rehearsal
  let text: TimelineText

  init(_ rehearsal: Rehearsal, folder: String) {
    self.rehearsal = rehearsal
    timeline = rehearsal.timeline
    now = rehearsal.now
    text = TimelineText(folder: folder)
  }

  private func name(_ subject: Int64) -> String { timeline.names[subject]?.description ?? "nobody in particular" }

  func show(only: SubjectReference?, wantsJSON: Bool) throws -> Int32 {
    var wanted: Int64?
    if let only {
      guard let subject = try rehearsal.subject(only) else {
        Terminal.complain("nudged play: the scenario does not know \(only)")
        return 1
      }
      wanted = subject
    }
    let entries = timeline.entries.filter { wanted == nil || $0.subject == wanted }
    let runs = timeline.runs.values.filter { wanted == nil || $0.subject == wanted }.sorted { $0.number < $1.number }
    if wantsJSON { showJSON(entries, runs) } else { showLines(entries, runs) }
    return 0
  }

  private func showLines(_ entries: [TimelineEntry], _ runs: [Timeline.RunSeen]) {
    var order: [Int64] = []
    var bySubject: [Int64: [TimelineEntry]] = [:]
    for entry in entries {
      if bySubject[entry.subject] == nil { order.append(entry.subject) }
      bySubject[entry.subject, default: []].append(entry)
    }
    for subject in order {
      Terminal.print(name(subject))
      for line in text.lines(bySubject[subject] ?? []) { Terminal.print("  " + line) }
      Terminal.print("")
    }
    Terminal.print(
      "It is \(TimelineText.time(now)) (all times in UTC). \(runs.isEmpty ? "No run waits." : "What still waits:")")
    for run in runs {
      let state = run.isParked ? "is parked" : TimelineText.describe(run.wait, at: now)
      Terminal.print("  \(name(run.subject))  \(run.rule)  run \(run.number) \(state)")
    }
  }

  private func showJSON(_ entries: [TimelineEntry], _ runs: [Timeline.RunSeen]) {
    let waiting: [JSONValue] = runs.map { run in
      .object(
        [
          .init("subject", .string(name(run.subject))), .init("rule", .string(run.rule)),
          .init("run", .integer(run.number)), .init("parked", .boolean(run.isParked)),
        ] + (run.wait.map(TimelineText.json) ?? []))
    }
    let happened = entries.map { text.json($0, subject: name($0.subject)) }
    Terminal.print(
      JSONValue.object([
        .init("now", .string(ISO8601.format(now))), .init("timeline", .array(happened)),
        .init("waiting", .array(waiting)),
      ]).pretty)
  }
}
