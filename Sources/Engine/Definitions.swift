// The definitions of a book: which windows its rules ask for, under which numbers they are kept, and which events
// feed them.
//
// Thread: immutable, shared by all lanes. Promise: what two rules ask for alike is kept once; what no rule asks for
// any more is kept as long as a run that sleeps may ask for it.

internal import Basics
internal import Model
internal import Rules
package import Store
internal import Synchronization

/// Where lanes meet while the windows of a book are filled.
package final class FillGate: Sendable {
  /// Lanes whose decisions from before the book are on disk, and those that have looked back far enough.
  private let settled = Atomic(0)
  private let filled = Atomic(0)

  func settle() { settled.add(1, ordering: .releasing) }
  func fill() { filled.add(1, ordering: .releasing) }
  func isSettled(_ lanes: Int) -> Bool { settled.load(ordering: .acquiring) >= lanes }
  func isFilled(_ lanes: Int) -> Bool { filled.load(ordering: .acquiring) >= lanes }
}

package struct Definitions: Sendable {
  /// All that are kept, by number.
  package private(set) var kept: [StoredDefinition] = []
  /// Of these, the ones that nobody kept before.
  package private(set) var fresh: [StoredDefinition] = []
  /// Kept before, and not wanted any more.
  package private(set) var leaving: [StoredDefinition] = []
  /// Nothing is left of these but their rows, which keep their numbers from being given out again.
  private(set) var gone: [StoredDefinition] = []
  package private(set) var highest: Int64
  private(set) var numbers: [MeasureDefinition: Int64] = [:]

  /// `known` is what was kept before; `livingRules` are those with runs that sleep.
  init(
    _ rules: RuleSet, numbers ruleNumbers: [Int64], known: [StoredDefinition], highest: Int64, livingRules: Set<Int64>
  ) {
    self.highest = max(highest, known.map(\.number).max() ?? 0)
    var users: [MeasureDefinition: [Int64]] = [:]
    var order: [MeasureDefinition] = []
    for (place, rule) in rules.rules.enumerated() {
      for what in Definitions.wanted(by: rule) {
        if users[what] == nil { order.append(what) }
        users[what, default: []].append(ruleNumbers[place])
      }
    }
    let old = Dictionary(
      known.filter { !$0.isLeaving }.map { ($0.what, $0) }, uniquingKeysWith: { first, _ in first })
    for what in order {
      if var definition = old[what] {
        definition.rules = Array(Set(definition.rules + (users[what] ?? []))).sorted()
        kept.append(definition)
      } else {
        self.highest += 1
        let definition = StoredDefinition(number: self.highest, what: what, rules: users[what] ?? [])
        kept.append(definition)
        fresh.append(definition)
      }
    }
    for var definition in known where users[definition.what] == nil || definition.isLeaving {
      if definition.isGone {
        gone.append(definition)
      } else if definition.what.window != nil, !definition.isLeaving,
        definition.rules.contains(where: livingRules.contains)
      {
        // Only windows: what begins runs is the newest version's affair.
        kept.append(definition)
      } else {
        // What is on its way out has missed events: whoever asks for it again begins anew.
        definition.isLeaving = true
        leaving.append(definition)
      }
    }
    for definition in kept { self.numbers[definition.what] = definition.number }
  }

  private static func wanted(by rule: Rule) -> [MeasureDefinition] {
    var wanted = rule.windows.map { MeasureDefinition.window($0) }
    if rule.isSegment {
      wanted.append(
        .segment(SegmentDefinition(name: rule.segmentName, hash: rule.contentHash, per: rule.header.per)))
    }
    if case .absence(let event, let lasting, let match) = rule.header.occasion {
      wanted.append(
        .absence(
          AbsenceDefinition(
            rule: rule.path, event: event, lastingMilliseconds: lasting, match: match, per: rule.header.per)))
    }
    if case .every(let schedule) = rule.header.occasion {
      wanted.append(
        .schedule(
          ScheduleDefinition(
            rule: rule.path, text: schedule.text, zone: rule.header.zone, forEach: schedule.forEach,
            segment: schedule.segment, ratePerSecond: schedule.ratePerSecond)))
    }
    return wanted
  }

  /// The windows that a rule cannot do without.
  func windows(of rule: Rule) -> [Int64] { rule.windows.compactMap { numbers[.window($0)] } }

  /// For the next book.
  package var all: [StoredDefinition] { kept + leaving }
}

/// Which definitions an event of a subject feeds.
struct Feeds {
  struct Feed {
    var number: Int64
    var cutoff: Int64
    var window: WindowDefinition
  }
  struct Silence {
    var number: Int64
    var absence: AbsenceDefinition
  }
  /// A segment with its place in the set of rules.
  struct Group {
    var number: Int64
    var segment: SegmentDefinition
    var place: Int
    /// Events after which it has to be looked at again.
    var events: Set<String>
  }
  private var byEvent: [String: [Feed]] = [:]
  private(set) var silences: [Silence] = []
  private(set) var groups: [Group] = []
  private(set) var isEmpty = true

  /// Segments belong to a set of rules: those of another one cannot be asked.
  mutating func add(_ definition: StoredDefinition, _ rules: RuleSet) {
    isEmpty = false
    switch definition.what {
    case .window(let window):
      byEvent[window.event, default: []].append(
        Feed(number: definition.number, cutoff: definition.cutoff, window: window))
    case .absence(let absence): silences.append(Silence(number: definition.number, absence: absence))
    case .segment(let segment):
      guard let place = rules.position(of: RuleSource.segments + segment.name),
        rules[place].contentHash == segment.hash
      else { return }
      groups.append(
        Group(
          number: definition.number, segment: segment, place: place, events: Set(rules[place].windows.map(\.event))))
    case .schedule: break
    }
  }

  func of(_ event: String) -> [Feed] { byEvent.isEmpty ? [] : byEvent[event] ?? [] }

  func hears(_ event: String, _ kind: String) -> Bool {
    if isEmpty { return false }
    return of(event).contains { $0.window.per == kind }
      || silences.contains { $0.absence.event == event && $0.absence.per == kind }
  }
}
