// The router: the one owner of identity and of what was seen before. It turns external ids into
// subjects, draws a new subject's shard, drops repeats, and numbers events in the order of arrival.
//
// Thread: lane-0's. Promise: a new id is visible to the next event at once and durable in the record
// of the event that brought it; two events never disagree about who an id is.

package import Basics
package import Model
package import Store

/// An event that knows its subjects.
package struct RoutedEvent: Sendable {
  package var incoming: IncomingEvent
  package var number: Int64
  /// Whose lane decides it.
  package var subject: Int64
  package var account: Int64?
  package var thing: Int64?
  /// Rows of identities that are not surely on disk yet. They never change, so that it does no harm
  /// when two records carry the same one. A subject's own row is written by its own lane alone.
  package var changes: [Change] = []
  /// Subjects that did not exist before: nothing has to be looked up for them.
  package var created: [Int64] = []
  /// External ids that its subject got in addition.
  package var linked: [SubjectReference] = []
  package var cause: Int64 = 0
}

package enum Shards {
  /// A subject's shard: drawn from its number, which it keeps for ever.
  package static func shard(of subject: Int64) -> Int {
    Int((UInt64(bitPattern: subject) &* 0x9E37_79B9_7F4A_7C15) >> 54)
  }
}

package final class Router {
  private let reader: StoreReader
  private let hash: KeyedHash
  private var known: NumberCache
  private let dedupe: DedupeSet
  private var nextSubject: Int64
  private let numbers: Numbers
  private let lanes: Int
  /// The newest record on disk.
  private let committed: Counter
  /// With several lanes a new identity travels with every event that names it, until the store has it:
  /// the first event's lane may be slower than a later one's.
  private var fresh: [Int64: [Change]] = [:]
  private var older: [Int64: [Change]] = [:]
  package private(set) var repeats: Int64 = 0
  private var runsToClose: [DedupeRun] = []
  /// Of the events that are to be routed next; used again.
  private var events: [Hash128] = []
  private var users: [Hash128] = []
  private var touched = 0

  package init(
    reader: StoreReader, hashKey: (UInt64, UInt64), highestSubject: Int64, dedupe: DedupeSet,
    runsToClose: [DedupeRun] = [],
    numbers: Numbers, committed: Counter, lanes: Int
  ) {
    self.reader = reader
    self.dedupe = dedupe
    self.lanes = lanes
    hash = KeyedHash(key0: hashKey.0, key1: hashKey.1)
    self.committed = committed
    self.runsToClose = runsToClose
    known = NumberCache(capacity: Limits.identitiesInMemory)
    nextSubject = highestSubject + 1
    self.numbers = numbers
  }

  /// As long as all identities there are fit into the cache, an unknown one need not be looked for in the
  /// store. That begins with a store that has few of them.
  package func learnIdentities() throws(StoreError) {
    let few = 4_096
    let rows = try reader.rows(
      from: RowKey(.identity, .min, .min), to: RowKey(.identity, .max, .max), limit: few + 1)
    if rows.count > few { return }
    for row in rows {
      let key = Hash128(high: UInt64(bitPattern: row.key.first), low: UInt64(bitPattern: row.key.second))
      if let subject = row.value.flatMap(NumberRow.unpack) { known.insert(key, subject) }
    }
    known.becomeWhole()
  }

  /// Makes what routing these events will read come near; see `FlatTable.touch`.
  func touch(_ inputs: [DeskInput]) {
    events.removeAll(keepingCapacity: true)
    users.removeAll(keepingCapacity: true)
    for case .incoming(let incoming) in inputs {
      events.append(incoming.dedupe)
      if let user = incoming.event.user { users.append(identityHash(user)) }
    }
    touched = Int(truncatingIfNeeded: dedupe.touch(events)) &+ known.touch(users)
  }

  /// Every event that comes from now on has a higher number.
  var newestEvent: Int64 { numbers.newestEvent }

  package func identityHash(_ reference: SubjectReference) -> Hash128 {
    hash.hash(reference.namespace, UInt8(ascii: ":"), reference.id)
  }

  /// Nil for a repeat.
  package func route(_ incoming: IncomingEvent, now: Instant) throws(StoreError) -> RoutedEvent? {
    let (isNew, close) = try dedupe.insert(
      incoming.dedupe, now: now, committed: committed.value, reader: reader)
    if let close { runsToClose.append(close) }
    guard isNew else {
      repeats += 1
      return nil
    }
    return try resolve(incoming)
  }

  /// Runs of the dedupe set that the store should write.
  package func takeRunsToClose() -> [DedupeRun] {
    if runsToClose.isEmpty { return [] }
    defer { runsToClose = [] }
    return runsToClose
  }

  package func forget(olderThan time: Instant) { dedupe.forget(olderThan: time) }

  package func closed(_ run: DedupeRun) { dedupe.closed(run) }

  private func resolve(_ incoming: IncomingEvent) throws(StoreError) -> RoutedEvent {
    var routed = RoutedEvent(incoming: incoming, number: numbers.nextEvent(), subject: 0)
    let event = incoming.event
    if let reference = event.user { routed.subject = try user(reference, alsoKnownAs: event.anonymous, into: &routed) }
    if let account = event.account { routed.account = try subject(account, into: &routed) }
    if let thing = event.thing { routed.thing = try subject(thing, into: &routed) }
    if event.user == nil { routed.subject = routed.thing ?? routed.account ?? 0 }
    return routed
  }

  /// A user that also names the visitor it was: a new user takes over the visitor's subject, a known
  /// one gives an unknown visitor its own. Two known and different ones stay apart.
  private func user(
    _ reference: SubjectReference, alsoKnownAs other: SubjectReference?, into routed: inout RoutedEvent
  ) throws(StoreError) -> Int64 {
    guard let other else { return try subject(reference, into: &routed) }
    let mine = try find(reference)
    let theirs = try find(other)
    switch (mine, theirs) {
    case (nil, let subject?):
      link(reference, to: subject, into: &routed)
      return subject
    case (let subject?, nil):
      link(other, to: subject, into: &routed)
      return subject
    case (nil, nil):
      let subject = try subject(reference, into: &routed)
      link(other, to: subject, into: &routed)
      return subject
    case (let subject?, _):
      return subject
    }
  }

  /// The subject of an id that is known; nil otherwise.
  package func find(_ reference: SubjectReference) throws(StoreError) -> Int64? {
    try find(identityHash(reference))
  }

  private func find(_ key: Hash128) throws(StoreError) -> Int64? {
    if let subject = known.find(key) { return subject }
    if known.isWhole { return nil }
    let row = RowKey(.identity, Int64(bitPattern: key.high), Int64(bitPattern: key.low))
    guard let packed = try reader.value(row), let subject = NumberRow.unpack(packed) else { return nil }
    known.insert(key, subject)
    return subject
  }

  /// The subject of a name that a run waits for; made now if nobody has told of it yet.
  func address(_ reference: SubjectReference) throws(StoreError) -> (
    subject: Int64, changes: [Change], created: [Int64]
  ) {
    let key = identityHash(reference)
    if let subject = try find(key) { return (subject, (fresh[subject] ?? []) + (older[subject] ?? []), []) }
    let subject = nextSubject
    nextSubject += 1
    return (subject, [learn(key, subject)], [subject])
  }

  /// Remembers who an id is; the row has to become durable.
  private func learn(_ key: Hash128, _ subject: Int64) -> Change {
    known.insert(key, subject)
    let row = RowKey(.identity, Int64(bitPattern: key.high), Int64(bitPattern: key.low))
    let change = Change(row, NumberRow.pack(subject))
    if lanes > 1 { fresh[subject, default: []].append(change) }
    return change
  }

  private func subject(_ reference: SubjectReference, into routed: inout RoutedEvent) throws(StoreError) -> Int64 {
    let key = identityHash(reference)
    if let subject = try find(key) {
      if let changes = fresh[subject] { routed.changes.append(contentsOf: changes) }
      if let changes = older[subject] { routed.changes.append(contentsOf: changes) }
      return subject
    }
    let subject = nextSubject
    nextSubject += 1
    routed.created.append(subject)
    name(key, subject, into: &routed)
    return subject
  }

  private func link(_ reference: SubjectReference, to subject: Int64, into routed: inout RoutedEvent) {
    name(identityHash(reference), subject, into: &routed)
    routed.linked.append(reference)
  }

  private func name(_ key: Hash128, _ subject: Int64, into routed: inout RoutedEvent) {
    routed.changes.append(learn(key, subject))
  }

  /// From here on new identities are counted apart from those so far.
  package func beginOlder() {
    older.merge(fresh) { $0 + $1 }
    fresh = [:]
  }

  /// Everything from before the last `beginOlder` is on disk.
  package func settleOlder() { older = [:] }
}
