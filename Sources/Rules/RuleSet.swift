// A set of rules as one immutable snapshot: checked, ordered, and indexed by the events they wait for.
//
// Thread: immutable, shared by all lanes. Promise: an event that no rule names costs one look-up, however
// many rules there are; a rule in the set has passed every check that can be made before it runs.

package import Basics
package import Model

package struct Rule: Sendable, Equatable {
  /// Relative to the rules folder, without ".lua": "upsell/limit".
  package var path: String
  package var header: RuleHeader
  /// Over its own text and that of every library it uses.
  package var contentHash: Hash128
  /// Short and without loops: runs without the instruction hook.
  var isStraight: Bool
  /// It can sleep, so that its runs are kept and played again.
  package var waits: Bool
  /// The events that its runs listen to from their start.
  package var awaited: [String]
  /// Its waits may take events that do not carry its key.
  package var matches: Bool
  /// The dates that its runs go by.
  package var dates = RuleDates()
  /// The windows it asks for.
  package var windows: [WindowDefinition] = []
  /// It only says who belongs to it.
  package var isSegment = false
  /// Its answer depends on the moment, not only on what happened.
  package var looksAtTime = false

  /// Of a segment, without the folder.
  package var segmentName: String { String(path.dropFirst(RuleSource.segments.count)) }
}

package final class RuleSet: Sendable {
  /// Higher priority first, then by path.
  package let rules: [Rule]
  package let knownDestinations: Set<String>?
  /// The folder's name as complaints and verdicts show it.
  package let folder: String
  /// In the order in which they must be loaded.
  package let libraries: [RuleSource]
  private let sources: [RuleSource]
  private let byEvent: [String: [Int]]

  /// The rule at `position` and all it uses, as texts: what its version consists of.
  package func parts(of position: Int) -> [RuleSource] {
    let names = LuaUses.all(of: sources[position]) { name in libraries.first { $0.name == name } }
    return [sources[position]] + libraries.filter { names.contains($0.name) }
  }

  package static let empty = RuleSet(rules: [], libraries: [], knownDestinations: nil, folder: "rules")

  init(
    rules: [(rule: Rule, source: RuleSource)], libraries: [RuleSource], knownDestinations: Set<String>?, folder: String
  ) {
    let ordered = rules.sorted { left, right in
      left.rule.header.priority != right.rule.header.priority
        ? left.rule.header.priority > right.rule.header.priority : left.rule.path < right.rule.path
    }
    self.rules = ordered.map(\.rule)
    sources = ordered.map(\.source)
    self.libraries = libraries
    self.knownDestinations = knownDestinations
    self.folder = folder
    var index: [String: [Int]] = [:]
    for (position, entry) in ordered.enumerated() {
      for name in entry.rule.header.on { index[name, default: []].append(position) }
      if let occasion = entry.rule.header.occasion {
        index[occasion.key(rule: entry.rule.path), default: []].append(position)
      }
    }
    byEvent = index
  }

  /// The rules that wait for this event, in the order in which they run.
  package func matching(_ eventName: String) -> [Int] { byEvent[eventName] ?? [] }

  package subscript(_ position: Int) -> Rule { rules[position] }
  package var count: Int { rules.count }

  package func source(_ position: Int) -> RuleSource { sources[position] }
  package func position(of path: String) -> Int? { rules.firstIndex { $0.path == path } }
  func display(_ source: RuleSource) -> String { folder.isEmpty ? source.path : folder + "/" + source.path }

  /// The rules that are in order, and every complaint about the others, of all files in one pass.
  package struct Loading: Sendable {
    package var set: RuleSet
    package var complaints: [RuleComplaint]
  }

  /// Checks and loads. Tests beside rules and the catalogue are left to those who know them.
  /// `knownDestinations` nil: any name will do.
  package static func load(sources: [RuleSource], knownDestinations: Set<String>?, folder: String = "rules") -> Loading
  {
    RuleLoader(sources: sources, knownDestinations: knownDestinations, folder: folder).load()
  }
}
