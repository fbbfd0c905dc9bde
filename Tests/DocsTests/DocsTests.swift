// The documentation is held against the program: its rules load, its configurations are accepted, its
// events decode, its numbers are the limits, and every public word is mentioned.
//
// Thread: a test's own. Promise: a word or a number that changes in the sources and not on its page fails here.

import Basics
import Daemon
import Files
import Glibc
import Model
import Rehearsal
import RuleCheck
import Rules
import Testing

@Suite struct DocsTests {
  private static let luaPages = ["README.md", "etc/doc/rules.md"] + Pages.packs
  private static let destinations: Set<String> = ["billing", "crm", "learning"]
  /// Configurations are held against the program further below.
  private static let ruleBlocks = Pages.blocks("lua", in: luaPages).filter { $0.name != "nudged.lua" }

  // MARK: rules

  private static func wrapped(_ block: Block) -> String {
    "return rule { title = 'T', on = 'x', run = function(event, customer)\n\(block.text)end }\n"
  }

  /// The block as a rule, with the libraries of its page beside it.
  private static func check(_ block: Block) -> RuleCheck.Report {
    var sources = Pages.blocks("lua", in: luaPages).filter {
      $0.page == block.page && ($0.name?.hasPrefix("lib/") == true || $0.name?.hasPrefix("segments/") == true)
    }
    .map { RuleSource(path: $0.name!, text: $0.text) }
    for table in Pages.blocks("csv", in: luaPages) where table.page == block.page {
      guard let name = table.name, let text = try? LookUpTable.library(table.text, file: name) else { continue }
      sources.append(RuleSource(path: name.dropLast("csv".count) + "lua", text: text))
    }
    switch block.name {
    case "fragment": sources.append(RuleSource(path: "fragment.lua", text: wrapped(block)))
    case let name? where name.hasPrefix("lib/") || name.hasPrefix("segments/"): break
    default: sources.append(RuleSource(path: block.name ?? "rule.lua", text: block.text))
    }
    return RuleCheck.check(sources: sources, knownDestinations: destinations)
  }

  @Test(arguments: ruleBlocks)
  func `every rule on the pages loads without a complaint`(block: Block) {
    let report = DocsTests.check(block)
    #expect(report.findings.isEmpty, "\(report.findings)")
    let kind = RuleSource(path: block.name ?? "rule.lua", text: "").kind
    #expect(report.set.rules.count { !$0.isSegment } == (kind == .rule ? 1 : 0))
  }

  @Test(arguments: ruleBlocks.filter { $0.name == "fragment" })
  func `every fragment runs to its end or says why not`(block: Block) throws {
    let text = #"{"name":"x","user":"42","data":{"plan":"enterprise","percent":90,"starts_at":"2026-01-15T10:20:30Z"}}"#
    let document = try Document.parse(text)
    let event = try EventDecoder(source: "default").decode(document.root, received: .zero)
    let loaded = DocsTests.check(block).set
    let set = try #require(loaded.rules.first?.isSegment == false ? loaded : nil)
    let runtime = try RuleRuntime(set)
    let calendars = AnyCalendar()
    runtime.calendars = calendars
    let outcome = runtime.activate(
      0, Activation(input: RuleInput(event: event, customerID: "42", now: .zero, seed: Hash128(high: 1, low: 2))))
    switch outcome.ending {
    case .waiting, .finished, .skipped: break
    default: Issue.record("\(outcome)")
    }
  }

  @Test func `the libraries that a pack's page shows are those of the rules folder`() {
    for block in Pages.blocks("lua", in: Pages.packs) where block.name?.hasPrefix("lib/") == true {
      #expect(block.text == Pages.read("rules/" + block.name!), "\(block)")
    }
  }

  @Test func `the rule of the first page is the one that init writes`() throws {
    let first = try #require(Pages.blocks("lua", in: ["README.md"]).first)
    let folder = TemporaryFolder()
    #expect(Nudged.run(["init", folder.path]) == 0)
    let written = Files.read(folder.path + "/rules/welcome.lua")
    #expect(written == first.text)
  }

  @Test(arguments: ["README.md", "etc/doc/testing.md"])
  func `who follows a page from init on meets no complaint`(page: String) {
    let folder = TemporaryFolder()
    let flags = ["--config", folder.path + "/nudged.lua"]
    #expect(Nudged.run(["init", folder.path]) == 0)
    let files = Pages.blocks("lua", in: [page]).filter { $0.name.map { $0.hasSuffix(".lua") } ?? false }
    #expect(files.count > 1)
    for file in files { Files.write(folder.path + "/rules/" + file.name!, file.text) }
    #expect(Nudged.run(["check"] + flags) == 0)
    #expect(Nudged.run(["test"] + flags) == 0)
  }

  @Test func `everything that a check can say is on the page`() {
    let page = Pages.read("etc/doc/rules.md")
    for code in Finding.Code.allCases {
      #expect(page.contains("`\(code.rawValue)`"), "\(code.rawValue) is not mentioned")
    }
    for type in FieldType.allNames { #expect(page.contains("`\(type)`"), "the type \(type) is not mentioned") }
  }

  @Test func `every word is described with the arguments that the check knows, and with its options`() {
    let page = Pages.read("etc/doc/rules.md")
    for word in HostWords.all where word.isAvailable && !["now", "random"].contains(word.name) {
      #expect(page.contains(word.signature), "\(word.signature) is not described")
      for option in word.options {
        #expect(
          page.contains("`\(option)`") || page.contains("\(option) = "), "\(option) of \(word.name) is not described")
      }
    }
  }

  @Test func `every key and word of rules is on their page`() {
    let page = Pages.read("etc/doc/rules.md")
    for key in RuleHeader.availableKeys { #expect(page.contains("| `\(key)` |"), "the key \(key) is not in the table") }
    for key in RuleHeader.laterKeys { #expect(page.contains("`\(key)`"), "the key \(key) is not mentioned") }
    for word in GlobalNames.later { #expect(page.contains("`\(word)`"), "the word \(word) is not mentioned") }
    for word in GlobalNames.available {
      let ways = ["`\(word)`", "`\(word)(", "### \(word)(", " and \(word)(", "`\(word)."]
      #expect(ways.contains { page.contains($0) }, "the word \(word) is not mentioned")
    }
    for code in VerdictCode.allCases where code != .notMatched {
      #expect(page.contains("| `\(code.word)` |"), "the verdict \(code.word) is not in the table")
    }
  }

  // MARK: tests of rules

  private static let testing = "etc/doc/testing.md"

  private static func trial(_ test: String) -> TestRun.FileResult? {
    let rule = Pages.blocks("lua", in: [testing]).first { $0.name == "trial.lua" }
    let sources = [
      RuleSource(path: "trial.lua", text: rule?.text ?? ""), RuleSource(path: "trial_test.lua", text: test),
    ]
    return TestRun(sources: sources, folder: "rules").run([sources[1]], jobs: 1).first
  }

  @Test func `the first tests on the page pass, and the fragment does`() throws {
    let blocks = Pages.blocks("lua", in: [DocsTests.testing])
    let file = try #require(blocks.first { $0.name == "trial_test.lua" })
    let fragments = blocks.filter { $0.name == "fragment" }
    #expect(!fragments.isEmpty)
    for text in [file.text] + fragments.map({ "test('it', function(t)\n\($0.text)end)\n" }) {
      let result = try #require(DocsTests.trial(text))
      #expect(result.complaints.isEmpty && !result.results.isEmpty, "\(result.complaints)")
      for one in result.results { #expect(one.failure == nil, "\(one.sentence): \(one.failure?.unmet as Any)") }
    }
  }

  @Test func `a failure looks as the page shows it`() throws {
    let file = try #require(Pages.blocks("lua", in: [DocsTests.testing]).first { $0.name == "trial_test.lua" })
    let wrong = file.text.split(separator: "plan = \"pro\" })\nend)").joined(separator: "plan = \"team\" })\nend)")
    let result = try #require(DocsTests.trial(wrong)?.results.first)
    let failure = try #require(result.failure)
    let page = Pages.read(DocsTests.testing)
    #expect(page.contains("rules/trial_test.lua:\(failure.line): \(result.sentence)\n  \(failure.unmet.message)\n"))
    #expect(
      page.contains(
        "    \(failure.unmet.field)  expected \(failure.unmet.expected)\n          found    \(failure.unmet.found)\n"))
    for line in TimelineText(folder: "rules").lines(failure.timeline) {
      #expect(page.contains("    \(line)\n"), "\(line)")
    }
  }

  @Test func `the scenario on the page is played and ends as the page says`() throws {
    let blocks = Pages.blocks("json", in: [DocsTests.testing])
    let events = try #require(blocks.first { $0.name == "events.ndjson" })
    let rule = try #require(Pages.blocks("lua", in: [DocsTests.testing]).first { $0.name == "trial.lua" })
    let set = RuleSet.load(sources: [RuleSource(path: "trial.lua", text: rule.text)], knownDestinations: nil).set
    let room = try Scenario(Array(events.text.utf8), knownDestinations: nil).play(
      set, destinations: [], zone: "UTC", until: nil)
    let page = Pages.read(DocsTests.testing)
    #expect(page.contains("It is \(TimelineText.time(room.now)) (all times in UTC)."))
    let runs = room.timeline.runs.values
    #expect(runs.count == 1)
    for run in runs { #expect(page.contains("run \(run.number) \(TimelineText.describe(run.wait, at: room.now))\n")) }
  }

  @Test func `every word of tests is on its page and in the list of changes`() {
    let page = Pages.read(DocsTests.testing)
    let changes = Pages.read("etc/CHANGELOG.md")
    for word in TestWord.allCases {
      #expect(page.contains("| `t:\(word.rawValue)"), "t:\(word.rawValue) is not in a table")
      #expect(changes.contains("`t:\(word.rawValue)`"), "t:\(word.rawValue) is not among the changes")
    }
    for word in TestFile.fileWords { #expect(page.contains("`\(word)"), "\(word) is not mentioned") }
    for option in Reply.options { #expect(page.contains(option), "the field \(option) of a reply is not mentioned") }
    let start = TimelineText.time(Rehearsal.start).split(separator: " ")
    #expect(page.contains("\(start[1]), at 09:00 UTC") && start[2] == "09:00:00" && start[0] == "Mon")
  }

  // MARK: configuration

  @Test(
    arguments: Pages.blocks("lua").filter {
      $0.name == "nudged.lua" && !["README.md", "etc/doc/rules.md"].contains($0.page)
    })
  func `every configuration on the pages is accepted`(block: Block) {
    // 32 bytes, as Standard Webhooks wants them.
    let secret = "whsec_" + Base64.encode(Array(repeating: 7, count: 32)) + "\n"
    var files = [
      ("nudged.lua", block.text), ("rules/x.lua", "return rule { title = 'T', on = 'x', run = function() end }"),
    ]
    for library in Pages.blocks("lua", in: [block.page]) {
      if let name = library.name, name.hasPrefix("lib/") { files.append(("rules/" + name, library.text)) }
    }
    for word in ["file", "credential"] {
      for name in Pages.words(after: word + " \"", in: [block.page])
      where !name.contains(" ") && name != "PATH" && name != "NAME" {
        files.append((name, name.hasSuffix(".url") ? "https://hooks.example.com/1" : secret))
      }
    }
    let folder = TemporaryFolder(files)
    setenv("CREDENTIALS_DIRECTORY", folder.path, 1)
    #expect(Nudged.run(["check", "--config", folder.path + "/nudged.lua"]) == 0)
  }

  @Test func `every key of the configuration is on its page`() {
    let page = Pages.read("etc/doc/configuration.md")
    let source = "Sources/Daemon/Configuration.swift"
    let keys =
      Pages.list(source, after: "static let keys = [") + Pages.list(source, after: "static let destinationKeys = [")
    #expect(keys.count > 20)
    for key in keys + ["rights", "source"] {
      #expect(
        ["| `\(key)` |", "| `\(key)`, ", ", `\(key)` |"].contains { page.contains($0) }, "\(key) is not in a table")
    }
  }

  // MARK: events and reading

  @Test(arguments: Pages.blocks("json", in: ["etc/doc/events.md"]))
  func `every event on the page is taken`(block: Block) throws {
    let root = try Document.parse(block.text).root
    for item in root.kind == .array ? root.elements : [root] {
      let event = try EventDecoder(source: "default").decode(item, received: .zero)
      #expect(event.primary != nil && !event.id.isEmpty)
    }
  }

  @Test func `every reason to refuse an event is on the page`() {
    let page = Pages.read("etc/doc/events.md")
    let files = [
      "Sources/Model/EventDecoder.swift", "Sources/Intake/EventsEndpoint.swift", "Sources/Intake/Gate.swift",
    ]
    let codes =
      Pages.words(after: "EventRefusal(\"", in: files) + Pages.words(after: "EventRefusal(\n        \"", in: files)
      + Pages.words(after: "code: \"", in: files)
    #expect(codes.count > 20)
    for code in Set(codes) where code != "bad_path" { #expect(page.contains("`\(code)`"), "\(code) is not mentioned") }
  }

  @Test func `every metric is on the page and every one on the page is there`() {
    let source = Set(Pages.words(after: "\"nudged_", in: ["Sources/Daemon/HouseReports.swift"]))
    let page = Pages.read("etc/doc/operating.md").split(separator: "| `nudged_").dropFirst().map {
      String($0.prefix { $0 != "`" })
    }
    #expect(source.count > 10)
    #expect(Set(page) == source)
  }

  @Test func `every command is in the list of changes`() {
    let files = ["Serve", "Checking", "Testing", "Send", "Receive", "Reading", "Deliveries"].map {
      "Sources/Daemon/Commands/\($0).swift"
    }
    let page = Pages.read("etc/CHANGELOG.md")
    let commands = Pages.words(after: "name: \"", in: files)
    #expect(commands.count >= 13)
    for command in commands { #expect(page.contains("`\(command)"), "\(command) is not mentioned") }
  }

  // MARK: numbers and links

  private static func grouped(_ number: Int) -> String {
    var digits = String(number)
    var parts: [Substring] = []
    while digits.count > 3 {
      parts.insert(digits.suffix(3), at: 0)
      digits = String(digits.dropLast(3))
    }
    return ([Substring(digits)] + parts).joined(separator: ",")
  }

  @Test(arguments: [
    ("events.md", Limits.nativeBodyBytes), ("events.md", Limits.requestBodyBytes),
    ("events.md", Limits.inflatedBodyBytes),
    ("events.md", Limits.eventBytes), ("events.md", Limits.eventsPerRequest), ("events.md", Limits.requestHeadBytes),
    ("events.md", Limits.requestHeaders), ("events.md", Limits.connections),
    ("events.md", Limits.connectionsPerAddress),
    ("events.md", Limits.eventsUnderWay), ("events.md", Limits.inflationRatio), ("events.md", Limits.jsonDepth),
    ("events.md", Limits.eventNameBytes), ("events.md", Int(Limits.headDeadlineMilliseconds / 1000)),
    ("events.md", Int(Limits.bodyDeadlineMilliseconds / 1000)),
    ("events.md", Int(Limits.idleDeadlineMilliseconds / 1000)),
    ("events.md", Int(Limits.dedupeHorizonMilliseconds / 86_400_000)),
    ("rules.md", Limits.ruleInstructions), ("rules.md", Int(Limits.ruleCPUMilliseconds)),
    ("rules.md", Limits.ruleMemoryGrowthBytes), ("rules.md", Limits.ruleBlockBytes), ("rules.md", Limits.ruleEffects),
    ("rules.md", Limits.ruleLogBytes), ("rules.md", Limits.ruleSourceBytes), ("rules.md", Limits.ruleArgumentBytes),
    ("rules.md", Limits.rules), ("rules.md", Limits.rulesPerEvent), ("rules.md", Limits.stateKeys),
    ("rules.md", Limits.stateBytes), ("rules.md", Limits.traitsBytes), ("rules.md", Limits.keyBytes),
    ("rules.md", Limits.causalDepth), ("webhooks.md", Limits.transfers),
    ("webhooks.md", Int(Limits.retryAfterCapMilliseconds / 3_600_000)),
    ("operating.md", Int(Limits.reserveBytes >> 20)),
  ])
  func `every number on a page is the limit`(page: String, limit: Int) {
    let text = Pages.read("etc/doc/" + page)
    #expect(text.contains(DocsTests.grouped(limit)), "\(page) does not mention \(DocsTests.grouped(limit))")
  }

  @Test(arguments: [
    Limits.eventBytes, Limits.nativeBodyBytes, Limits.eventsPerRequest, Limits.ruleInstructions, Limits.ruleEffects,
    Limits.ruleMemoryGrowthBytes, Limits.stateKeys, Limits.stateBytes, Limits.traitsBytes, Limits.rules,
    Limits.rulesPerEvent,
    Limits.connections,
  ])
  func `every number of the first page is the limit`(limit: Int) {
    #expect(Pages.read("README.md").contains(DocsTests.grouped(limit)))
  }

  @Test(arguments: Pages.all) func `every link leads to a file`(page: String) {
    let text = Pages.read(page)
    #expect(!text.isEmpty, "\(page) is missing")
    let folder = page.split(separator: "/").dropLast().joined(separator: "/")
    for piece in text.split(separator: "](").dropFirst() {
      let target = piece.prefix { $0 != ")" && $0 != "#" }
      if target.hasPrefix("http") || target.isEmpty { continue }
      #expect(Pages.exists(folder.isEmpty ? String(target) : folder + "/" + target), "\(page) links to \(target)")
    }
  }
}

private final class AnyCalendar: CalendarMaker {
  func page(_ entry: CalendarEntry, now: Instant) -> CalendarPage? {
    CalendarPage(id: Hash128(high: 0, low: 0), link: "/calendars/0.ics", text: entry.title, ends: entry.ends)
  }
}
