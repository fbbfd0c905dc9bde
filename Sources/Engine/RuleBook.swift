// What a lane decides with: the rules, their stored numbers and the destinations, as one snapshot that
// is swapped between two events.
//
// Thread: immutable. Promise: rules and destinations of one event are of one publish.

package import Basics
package import Model
package import Rules
package import Store

package final class RuleBook: Sendable {
  package let rules: RuleSet
  /// The stored number of each rule, by its place in the set.
  package let numbers: [Int64]
  package let destinations: [String: Destination]
  /// Rows that tell which number is which rule: those of rules that are new in this book.
  package let rows: [Change]
  /// Rules that are not asked any more because they ended the process.
  package let switchedOff: Set<String>
  /// The stored number of each rule's version, by its place in the set.
  package let versions: [Int64]
  /// Places in the set by the stored numbers of rules and of versions.
  package let places: [Int64: Int]
  package let versionPlaces: [Int64: Int]
  /// The versions of every rule there ever was, by the rule's number; for the next book.
  package let knownVersions: [Int64: [KnownVersion]]
  package let highestVersion: Int64
  /// Where neither a rule nor a subject has a zone.
  package let zone: String
  /// Where links begin; empty: they are paths.
  package let publicURL: String
  package let policies: Policies
  /// There are none, and no rule has a topic or a cap of its own: only what a subject said of itself is asked.
  let isFreeOfPolicies: Bool
  /// Places of the rules whose goal an event is.
  let goals: [String: [Int]]
  let created: Instant
  /// A test of a rule is about what it does, and not about who was drawn.
  let holdsOut: Bool
  /// What is kept about every subject because rules ask for it.
  package let definitions: Definitions
  let gate = FillGate()

  package struct KnownVersion: Sendable, Equatable {
    package var number: Int64
    package var hash: Hash128
    package init(number: Int64, hash: Hash128) {
      self.number = number
      self.hash = hash
    }
  }

  package init(
    rules: RuleSet, known: [String: Int64], highest: Int64, destinations: [Destination], switchedOff: Set<String> = [],
    versions knownVersions: [Int64: [KnownVersion]] = [:], highestVersion: Int64 = 0, zone: String = "UTC",
    publicURL: String = "", policies: Policies = Policies(), holdsOut: Bool = true, created: Instant = .zero,
    definitions knownDefinitions: [StoredDefinition] = [], highestDefinition: Int64 = 0, livingRules: Set<Int64> = []
  ) {
    self.policies = policies
    let headers = rules.rules.map(\.header)
    goals = RuleBook.goals(headers)
    self.created = created
    self.holdsOut = holdsOut
    isFreeOfPolicies = policies.isEmpty && !headers.contains { $0.topic != nil || $0.cap != nil }
    self.rules = rules
    self.zone = zone
    self.publicURL = publicURL
    self.switchedOff = switchedOff
    var names = Numbering(known: known, highest: highest)
    numbers = rules.rules.map { names.number(of: $0.path) }
    var all = Versioning(known: knownVersions, highest: highestVersion, created: created)
    let ruleNumbers = numbers
    versions = rules.rules.indices.map { all.version(of: rules, $0, rule: ruleNumbers[$0]) }
    definitions = Definitions(
      rules, numbers: ruleNumbers, known: knownDefinitions, highest: highestDefinition, livingRules: livingRules)
    rows = names.rows + all.rows
    self.knownVersions = all.known
    self.highestVersion = all.highest
    places = Dictionary(zip(numbers, rules.rules.indices), uniquingKeysWith: { first, _ in first })
    versionPlaces = Dictionary(zip(versions, rules.rules.indices), uniquingKeysWith: { first, _ in first })
    self.destinations = Dictionary(destinations.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  private static func goals(_ headers: [RuleHeader]) -> [String: [Int]] {
    var goals: [String: [Int]] = [:]
    for (place, header) in headers.enumerated() {
      if let goal = header.goal { goals[goal.event, default: []].append(place) }
    }
    return goals
  }

  /// Whether an event is the goal of a rule about subjects of this kind.
  func isGoal(_ name: String, of kind: String) -> Bool {
    if goals.isEmpty { return false }
    return goals[name]?.contains { rules.rules[$0].header.per == kind } ?? false
  }

  /// Gives each path its number.
  private struct Numbering {
    var known: [String: Int64]
    var highest: Int64
    var rows: [Change] = []

    mutating func number(of path: String) -> Int64 {
      if let old = known[path] { return old }
      highest += 1
      known[path] = highest
      rows.append(Change(RowKey(.rule, highest), Array(path.utf8)))
      return highest
    }
  }

  /// Gives each content its number, and rows that keep its texts.
  private struct Versioning {
    var known: [Int64: [KnownVersion]]
    var highest: Int64
    let created: Instant
    var rows: [Change] = []

    mutating func version(of rules: RuleSet, _ place: Int, rule: Int64) -> Int64 {
      let hash = rules[place].contentHash
      if let old = known[rule]?.first(where: { $0.hash == hash }) { return old.number }
      highest += 1
      known[rule, default: []].append(KnownVersion(number: highest, hash: hash))
      var parts: [(path: String, hash: Hash128)] = []
      for source in rules.parts(of: place) {
        let text = SourceText.hash(source.text)
        rows.append(
          Change(
            RowKey(.source, Int64(bitPattern: text.high), Int64(bitPattern: text.low)), Array(source.text.utf8)))
        parts.append((source.path, text))
      }
      let row = VersionRow(rule: rule, created: created, hash: hash, parts: parts)
      rows.append(Change(RowKey(.version, highest), row.packed))
      return highest
    }
  }

  /// Numbers by path, for the next book.
  package var known: [String: Int64] {
    Dictionary(zip(rules.rules.map(\.path), numbers), uniquingKeysWith: { first, _ in first })
  }
}

/// Where the text of a rule or library is kept. The key only has to stay the same: it guards nothing.
enum SourceText {
  static func hash(_ text: String) -> Hash128 {
    KeyedHash(key0: 0x6E75_6467_6564_2E73, key1: 0x6F75_7263_652E_7465).hash(text)
  }
}

/// The counters that lanes share.
package final class Numbers: Sendable {
  private let events: Counter
  private let deliveries: Counter
  private let runs: Counter

  package init(event: Int64, delivery: Int64, run: Int64 = 0) {
    events = Counter(event)
    deliveries = Counter(delivery)
    runs = Counter(run)
  }

  package func nextRun() -> Int64 { runs.next() }
  var newestEvent: Int64 { events.value }

  package func nextEvent() -> Int64 { events.next() }
  package func nextDelivery() -> Int64 { deliveries.next() }
}
