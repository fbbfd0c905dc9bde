// Desk, lane and store in virtual time: what is submitted is decided and committed as in the daemon, and
// time passes only when it is told to. There is nobody here who could send a webhook: what is handed out
// is noted, and counts as delivered unless a reply was laid down for it.
//
// Thread: the caller's, one. Promise: the same rules and the same calls give the same timeline, in every
// process; nothing reads a clock.

package import Basics
package import Engine
package import Model
package import Rules
package import Store

package struct RehearsalError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

/// What a call comes to.
package struct Reply: Sendable, Equatable {
  package var destination: String
  package var type: String
  package var ok = true
  package var status = 200
  /// JSON; empty for none.
  package var body: [UInt8] = []
  package var error = ""
  /// Nobody answers, and the call's time runs out.
  package var isMissing = false

  package init(destination: String, type: String) {
    self.destination = destination
    self.type = type
  }
}

package final class Rehearsal {
  /// Monday, 2026-01-05, 09:00 in UTC.
  package static let start = Instant(milliseconds: 1_767_603_600_000)
  /// More wakes than these in one stretch of time are a rule that goes round in circles.
  package var wakesPerAdvance = Limits.scenarioWakes

  package private(set) var now: Instant
  package let book: RuleBook
  package private(set) var timeline: Timeline
  /// Sees all that is decided, as it is decided.
  package var watch: ((Decisions) -> Void)?
  package private(set) var hasBegun = false
  /// Replies for calls to come, in their order.
  package private(set) var replies: [Reply] = []

  private let store: StoreLoop
  private let desk: Desk
  private let lane: Lane
  private let hash: KeyedHash
  private let parser = DocumentParser(maximumBytes: Limits.inflatedBodyBytes, maximumDepth: Limits.jsonDepth)
  private let committed = Counter()
  private let durable = Counter()
  private let keepsTimeline: Bool
  private var settled: [Attempt] = []

  /// `dedupeBits`: for short runs a small set of what was seen is enough.
  package init(
    rules: RuleSet, destinations: [Destination] = [], zone: String = "UTC", policies: Policies = Policies(),
    holdsOut: Bool = true,
    start: Instant = Rehearsal.start,
    keepsTimeline: Bool = true, dedupeBits: UInt64 = 10
  ) throws {
    now = start
    self.keepsTimeline = keepsTimeline
    store = try StoreLoop(engine: MemoryStore(MemoryStore.Disk(), forgets: true))
    // Everything is in memory anyway.
    store.sweepingAllowed = false
    store.retention = Rehearsal.forEver
    let reader = try store.makeReader()
    let key = store.recovered.hashKey
    hash = KeyedHash(key0: key.0, key1: key.1)
    let numbers = Numbers(event: 0, delivery: 0)
    let router = Router(
      reader: reader, hashKey: key, highestSubject: 0, dedupe: DedupeSet(nextRun: 0, capacityBits: dedupeBits),
      numbers: numbers, committed: committed, lanes: 1)
    try router.learnIdentities()
    desk = Desk(router: router, lanes: 1)
    book = RuleBook(
      rules: rules, known: [:], highest: 0, destinations: destinations.map(Rehearsal.bare), zone: zone,
      policies: policies, holdsOut: holdsOut, created: start)
    lane = try Lane(
      index: 0, lanes: 1, reader: try store.makeReader(), numbers: numbers, hashKey: key, mark: EvaluationMark(),
      book: book, highestSubject: 0, durable: durable)
    timeline = Timeline(book: book)
  }

  /// Nobody receives anything here: a body that is the data alone can be compared with what a rule sent,
  /// whatever the wire would make of it.
  private static func bare(_ destination: Destination) -> Destination {
    var bare = destination
    bare.shape = .bare
    return bare
  }

  private static var forEver: Retention {
    var retention = Retention()
    let long: Int64 = 1_000 * 366 * 86_400_000
    retention.eventsMilliseconds = long
    retention.verdictsMilliseconds = long
    retention.attemptsMilliseconds = long
    retention.endedRunsMilliseconds = long
    retention.sizeBytes = 0
    return retention
  }

  // MARK: in

  /// The event of this text, as it would be taken now. `id` is for one that has none.
  package func event(_ text: [UInt8], source: String, id: String) throws -> IncomingEvent {
    var text = text
    var document = try parser.parse(text)
    let decoder = EventDecoder(source: source)
    var event = try decoder.decode(document.root, received: now)
    if event.id.isEmpty {
      let isSegment: Bool =
        if case .segment = EventDecoder.shape(of: document.root, fallbackType: nil) { true } else { false }
      text = Rehearsal.naming(document.root.value, isSegment ? "messageId" : "id", id).text
      document = try parser.parse(text)
      event = try decoder.decode(document.root, received: now)
    }
    return IncomingEvent(event: event, dedupe: OwnEvent.dedupe(source, event.id, hash), body: text, ticket: nil)
  }

  private static func naming(_ value: JSONValue, _ key: String, _ id: String) -> JSONValue {
    guard case .object(let members) = value else { return value }
    return .object(members.filter { $0.key != key } + [.init(key, .string(id))])
  }

  /// Decides an event and all that follows from it at this moment.
  package func submit(_ event: IncomingEvent) throws {
    let repeats = desk.repeats
    try settle([.incoming(event)])
    guard desk.repeats > repeats, keepsTimeline else { return }
    timeline.noteRepeat(event.event, try event.event.primary.flatMap { try desk.find($0) } ?? 0, at: now)
  }

  /// Many at once, as they come in a batch.
  package func submit(all events: [IncomingEvent]) throws { try settle(events.map { .incoming($0) }) }

  package func reply(_ reply: Reply) { replies.append(reply) }

  // MARK: time

  /// Lets time pass: everything that falls due on the way happens at its own moment. `stopsShort`: what is
  /// due at the target itself is left, for an event that comes then goes first.
  package func advance(to target: Instant, stopsShort: Bool = false) throws {
    guard target >= now else {
      throw RehearsalError(
        "time does not run backwards: it is \(ISO8601.format(now)) and was to be \(ISO8601.format(target))")
    }
    var steps = 0
    while stopsShort ? lane.wakeAt < target : lane.wakeAt <= target {
      steps += 1
      guard steps <= wakesPerAdvance else {
        throw RehearsalError("runs woke \(wakesPerAdvance) times on the way; does a rule wait and wake in circles?")
      }
      now = max(now, lane.wakeAt)
      try settle([])
    }
    now = target
  }

  /// Another moment to begin at; once something has happened or time has passed it is too late for that.
  package func begin(at start: Instant) {
    precondition(!hasBegun)
    now = start
  }

  private func settle(_ first: [DeskInput]) throws {
    hasBegun = true
    var next = first
    var quietRounds = 0
    repeat {
      let (routed, runs) = try desk.step(next, now: now)
      let decisions = try lane.step(routed[0], now: now)
      if keepsTimeline { timeline.note(decisions, at: now) }
      watch?(decisions)
      var inputs: [StoreInput] = [.wants(Limits.deliveriesInMemory, except: []), .decisions(decisions)]
      inputs += runs.map { .closeRun($0) }
      if !settled.isEmpty { inputs.append(.settled(settled)) }
      settled = []
      let outputs = try store.step(inputs, now: now)
      if outputs.record > 0 { committed.set(outputs.record) }
      for (_, turn) in outputs.turns { durable.set(turn) }
      for delivery in outputs.deliveries { deliver(delivery) }
      next = outputs.messages.map { .message($0) } + outputs.closedRuns.map { .runClosed($0) }
      // A run that asked for the events of someone else is registered one commit later.
      quietRounds = next.isEmpty && settled.isEmpty ? quietRounds + 1 : 0
    } while !next.isEmpty || !settled.isEmpty || lane.wakeAt <= now || (lane.wakeAt <= now + 1 && quietRounds < 3)
  }

  /// What becomes of a delivery: the reply that was laid down for it, or that all is well.
  private func deliver(_ delivery: Delivery) {
    var attempt = Attempt(
      delivery: delivery.number, attempt: 1, started: now, outcome: .delivered, status: 200, settlement: .delivered)
    if delivery.tries > 0 {
      let place = replies.firstIndex { $0.destination == delivery.destination && $0.type == delivery.type }
      let reply = place.map { replies.remove(at: $0) }
      if keepsTimeline { timeline.noteReply(reply, to: delivery, at: now) }
      if let reply {
        if reply.isMissing { return }
        attempt.status = reply.status
        attempt.response = reply.body
        attempt.outcome = reply.ok ? .delivered : reply.status > 0 ? .status : .refused
        attempt.settlement = reply.ok ? .delivered : .failed
        attempt.message = reply.ok ? "" : reply.error.isEmpty ? "the answer was \(reply.status)" : reply.error
      }
    }
    settled.append(attempt)
  }

  // MARK: out

  /// The subject of a name such as user:42; nil when nobody has heard of it.
  package func subject(_ name: SubjectReference) throws -> Int64? { try desk.find(name) }

  /// Since when a subject is in a segment; nil: it is not.
  package func inSegment(_ name: String, _ subject: Int64) throws -> Instant? {
    let definition = book.definitions.kept.first { stored in
      if case .segment(let segment) = stored.what { segment.name == name } else { false }
    }
    guard let number = definition?.number else { return nil }
    let row = try store.makeReader().value(RowKey(.measure, subject, -number)).flatMap { SegmentRecord($0) }
    return row?.isInside == true ? row?.since : nil
  }
}
