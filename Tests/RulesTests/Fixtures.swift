// What the tests of this room share: an event, a set from texts, and a run in one line.
//
// Thread: the test's own. Promise: the same texts give the same set.

import Basics
import Model
import Rules

enum Fixture {
  static let data = """
    {"name":"invoice.paid","data":{"amount":4200,"big":9007199254740993,"plan":"pro","vip":true,"none":null,
    "ratio":0.5,"tags":["a","b","c"],"empty":[],"customer":{"country":"DE"},"lines":[{"sku":"x","n":2},{"sku":"y","n":3}]},
    "traits":{"seats":5}}
    """

  static func parse(_ text: String) -> Document {
    try! DocumentParser(maximumBytes: 100_000).parse(text)
  }

  static func event(_ text: String = data) -> Event {
    let document = parse(text)
    return Event(
      name: "invoice.paid", id: "e1", source: "api", time: Instant(milliseconds: 1_700_000_000_000),
      received: Instant(milliseconds: 1_700_000_000_500), user: SubjectReference(namespace: "user", id: "42"),
      account: SubjectReference(namespace: "account", id: "acme"), thing: nil, depth: 0, document: document, item: 0,
      data: document.root["data"]?.index, traits: document.root["traits"]?.index, context: nil)
  }

  static func input(state: String = "", traits: String? = nil, seed: UInt64 = 7) -> RuleInput {
    RuleInput(
      event: event(), customerID: "42", traits: traits.map(parse), account: "acme",
      state: Array(state.utf8), now: Instant(milliseconds: 1_700_000_001_000), seed: Hash128(high: seed, low: ~seed))
  }

  /// A rule's file around the body of `run`, which begins on line 2.
  static func rule(_ body: String, header: String = "", before: String = "") -> String {
    "\(before) return rule { title = 'T', on = 'invoice.paid', \(header) run = function(event, customer)\n\(body)\nend }"
  }

  static func load(_ files: [String: String], destinations: Set<String>? = nil) -> RuleSet.Loading {
    RuleSet.load(sources: files.map { RuleSource(path: $0.key, text: $0.value) }, knownDestinations: destinations)
  }

  static func complaints(_ text: String, destinations: Set<String>? = nil) -> [String] {
    load(["a.lua": text], destinations: destinations).complaints.map(\.description)
  }

  static func runtime(_ body: String, header: String = "", before: String = "", libraries: [String: String] = [:])
    throws -> RuleRuntime
  {
    var files = libraries
    files["a.lua"] = rule(body, header: header, before: before)
    let loading = load(files)
    if let first = loading.complaints.first { throw first }
    return try RuleRuntime(loading.set, cpuMilliseconds: 60_000)
  }

  static func run(
    _ body: String, header: String = "", before: String = "", libraries: [String: String] = [:],
    _ input: RuleInput = input()
  ) throws -> RuleOutcome {
    try runtime(body, header: header, before: before, libraries: libraries).run(0, input)
  }

  /// What the body logs, or the reason why it did not end well.
  static func log(_ body: String, _ input: RuleInput = input()) throws -> String {
    let outcome = try run(body, input)
    guard outcome.code == .ran else { return "\(outcome.code.word) \(outcome.line): \(outcome.reason)" }
    return outcome.effects.map { if case .log(let text) = $0 { text } else { "?" } }.joined(separator: "|")
  }
}
