// Versions of rules that runs keep: the newest ones live in the book, older ones are loaded from their
// stored texts when a run of theirs is met.
//
// Thread: the lane's. Promise: a run is played by exactly the texts it began with.

internal import Basics
internal import Model
internal import Rules
internal import Store

struct RunVersion {
  var number: Int64
  var rule: Rule
  var runtime: RuleRuntime
  /// In the runtime's set.
  var place: Int
}

/// Which events runs hear, by name and kind of subject.
struct Listening {
  private var kinds: [String: Set<String>] = [:]

  /// Every event that may end a run or a wait of its own subject.
  mutating func add(_ rule: Rule) {
    guard rule.waits else { return }
    let header = rule.header
    for name in rule.awaited + header.stopOn.map(\.event) + (header.goal.map { [$0.event] } ?? []) {
      kinds[name, default: []].insert(header.per)
      // Events of others are awaited by name; whose they are is only known when the run says so.
      if rule.matches || rule.dates.names.contains(name) { kinds[name, default: []].insert("") }
    }
  }

  func hears(_ name: String) -> Bool { kinds[name] != nil }

  func hears(_ name: String, _ kind: String) -> Bool {
    if kinds.isEmpty { return false }
    guard let found = kinds[name] else { return false }
    return found.contains(kind) || found.contains("")
  }
}

/// Events by number, those that were read or decided last.
struct EventShelf {
  private var young: [Int64: (event: Event, sequence: Int64)] = [:]
  private var old: [Int64: (event: Event, sequence: Int64)] = [:]
  private static let capacity = 4_096
  /// Grows while many are not on disk, so that they are not sorted out again with each new one.
  private var room = capacity

  subscript(_ number: Int64) -> Event? { young[number]?.event ?? old[number]?.event }

  /// An event that may not be in the store yet stays until its step is on disk.
  mutating func keep(_ number: Int64, _ event: Event, sequence: Int64, durable: Int64) {
    if young.count >= room {
      let waiting = old.filter { $0.value.sequence > durable }
      old = young
      young = waiting
      room = max(EventShelf.capacity, 2 * waiting.count)
    }
    young[number] = (event, sequence)
  }
}
