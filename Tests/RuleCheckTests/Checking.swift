// What the tests of this room share: the sample rules, a check of one text, and a folder's worth of them.
//
// Thread: the test's own. Promise: reads only.

import Basics
import Files
import Glibc
import Model
import RuleCheck
import Rules

enum Checking {
  static let destinations: Set<String> = ["crm", "billing", "learning"]

  static let isVerbose = getenv("NUDGED_VERBOSE") != nil

  /// The rules that come with the product, with their catalogue.
  static let samples = Files.paths(below: Files.root + "/rules").compactMap { path -> RuleSource? in
    let text = Files.read(Files.root + "/rules/" + path)
    if path.hasSuffix(".lua") { return RuleSource(path: path, text: text) }
    guard path.hasSuffix(".csv"), let table = try? LookUpTable.library(text, file: path) else { return nil }
    return RuleSource(path: path.dropLast("csv".count) + "lua", text: table)
  }
  .sorted { $0.path < $1.path }

  /// What the static pass says about one rule among libraries.
  static func findings(_ text: String, libraries: [String: String] = [:], world: World = world()) -> [Finding] {
    let sources =
      libraries.map { RuleSource(path: $0.key, text: $0.value) } + [RuleSource(path: "a.lua", text: text)]
    return RuleCheck.findings(sources: sources, world: world)
  }

  static func world(_ catalogue: Catalogue = .builtIn) -> World {
    World(catalogue: catalogue, destinations: destinations, zones: ["Europe/Berlin", "America/New_York", "UTC"])
  }

  /// A catalogue from the text of a table.
  static func catalogue(_ text: String) throws -> (Catalogue, [CatalogueReader.Complaint]) {
    let file = try RuleLoader.evaluate(path: "catalog.lua", text: text, words: ["catalog"])
    let reader = CatalogueReader(file.document.root)
    return (reader.catalogue, reader.complaints)
  }

  /// A rule's file around the body of `run`, which begins on line 2.
  static func rule(_ body: String, header: String = "", before: String = "", on: String = "'x'") -> String {
    "\(before) return rule { title = 'T', on = \(on), \(header) run = function(event, customer)\n\(body)\nend }"
  }

  static func lines(_ findings: [Finding]) -> [String] {
    findings.map { "\($0.line): \($0.sentence)" }
  }
}
