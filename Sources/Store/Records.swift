// What lanes hand to the store, and what one commit carries.
//
// Thread: values, handed over whole. Promise: a group is decided before the store sees it; committing
// it needs no rule, no clock and no look-up.

package import Basics
package import Model
internal import Synchronization

/// An event as it is appended.
package struct EventRow: Sendable, Equatable {
  package var number: Int64
  package var subject: Int64
  /// The subject's event before this one; 0 for its first.
  package var previous: Int64
  package var received: Instant
  package var source: String
  package var name: String
  /// The event that caused it, for emitted ones; else 0.
  package var cause: Int64
  package var depth: Int
  package var body: [UInt8]

  package init(
    number: Int64, subject: Int64, previous: Int64, received: Instant, source: String, name: String, cause: Int64,
    depth: Int,
    body: [UInt8]
  ) {
    self.number = number
    self.subject = subject
    self.previous = previous
    self.received = received
    self.source = source
    self.name = name
    self.cause = cause
    self.depth = depth
    self.body = body
  }
}

/// The facts of a delivery, appended once; `body` is what is sent.
package struct DeliveryRow: Sendable, Equatable {
  package var delivery: Delivery
  package var event: Int64
  package var subject: Int64
  package var rule: String
  /// The run it belongs to; 0: none.
  package var run: Int64

  package init(delivery: Delivery, event: Int64, subject: Int64, rule: String, run: Int64 = 0) {
    self.delivery = delivery
    self.event = event
    self.subject = subject
    self.rule = rule
    self.run = run
  }
}

/// What one subject's lane has to tell another's: stored with the sender's decision, taken once.
package struct LaneMessage: Sendable {
  package enum Content: Sendable {
    /// The rules of an account or a thing are asked about an event that its user's lane decided.
    case observe(IncomingEvent)
    /// An event that a rule emitted to another subject.
    case emitted(IncomingEvent, to: SubjectReference)
    /// A run wants to hear of the events of someone else.
    case listen(RunListener, to: SubjectReference)
    /// It does not any more.
    case unlisten(run: Int64, to: SubjectReference)
    /// What a run listened for has happened: the event, by its number and name.
    case heard(run: Int64, event: Int64, name: String)
    /// What a run's call came to.
    case reply(run: Int64, delivery: Int64, json: [UInt8])
    /// The time of a run's wait for the events of someone else is up: is one of them still on its way? Not
    /// stored, because after a start the timer asks again.
    case ask(run: Int64, due: Instant, of: SubjectReference)
    /// None is: what was, has come before this.
    case caughtUp(run: Int64, due: Instant)
  }
  /// The event whose decision sent it, and its place among that decision's messages.
  package var event: Int64
  package var position: Int64
  package var subject: Int64
  package var content: Content

  package init(event: Int64, position: Int64, subject: Int64, content: Content) {
    self.event = event
    self.position = position
    self.subject = subject
    self.content = content
  }
}

/// A run that listens to the events of another subject.
package struct RunListener: Sendable, Equatable {
  package var run: Int64
  /// Whose run it is.
  package var subject: Int64
  /// It wants to hear of what came after this event, too.
  package var after: Int64
  package var names: [String]
  /// Where it lacks a date: of what came before, it wants the newest event that carries one, or one of `ends`.
  package var paths: [String] = []
  package var ends: [String] = []

  package init(run: Int64, subject: Int64, after: Int64, names: [String]) {
    self.run = run
    self.subject = subject
    self.after = after
    self.names = names
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 32)
    writer.byte(1)
    writer.signed(run)
    writer.signed(subject)
    writer.signed(after)
    writer.integer(names.count)
    for name in names { writer.counted(name) }
    if paths.isEmpty { return writer.bytes }
    for list in [paths, ends] {
      writer.integer(list.count)
      for text in list { writer.counted(text) }
    }
    return writer.bytes
  }

  private mutating func readPaths(_ reader: inout PackedReader) -> Bool {
    for list in [\RunListener.paths, \.ends] {
      let count = reader.integer()
      guard !reader.failed, (0...Limits.awaitedNames).contains(count) else { return false }
      for _ in 0..<count { self[keyPath: list].append(reader.text()) }
    }
    return !reader.failed
  }

  package init?(_ bytes: [UInt8]) {
    let found: RunListener? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      var listener = RunListener(run: reader.signed(), subject: reader.signed(), after: reader.signed(), names: [])
      let count = reader.integer()
      guard !reader.failed, (0...Limits.awaitedNames).contains(count) else { return nil }
      for _ in 0..<count { listener.names.append(reader.text()) }
      if !reader.failed, !reader.atEnd, !listener.readPaths(&reader) { return nil }
      return reader.failed ? nil : listener
    }
    guard let found else { return nil }
    self = found
  }
}

/// A repeated event's ticket. It passes through every lane, so that it is answered only when whatever
/// was under way before it, the first one among it, is durable.
package final class RepeatBarrier: Sendable {
  private let ticket: Ticket
  private let lanes: Atomic<Int>

  package init(ticket: Ticket, lanes: Int) {
    self.ticket = ticket
    self.lanes = Atomic(lanes)
  }

  /// The ticket, once the last lane's part is durable and nothing else of its request is open.
  package func settleOne() -> Ticket? {
    guard lanes.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return nil }
    return ticket.settle(1) ? ticket : nil
  }
}

package struct RuleLog: Sendable {
  package var rule: String
  package var subject: Int64
  package var event: Int64
  package var text: String
  /// Someone should look at it; else it is what a rule itself wrote.
  package var isWarning: Bool

  package init(rule: String, subject: Int64, event: Int64, text: String, isWarning: Bool = false) {
    self.rule = rule
    self.subject = subject
    self.event = event
    self.text = text
    self.isWarning = isWarning
  }
}

/// A webhook of a rule in shadow, or to a subject in the hold-out.
package struct RecordedDelivery: Sendable {
  package var row: DeliveryRow
  package var isHeldOut: Bool

  package init(_ row: DeliveryRow, isHeldOut: Bool) {
    self.row = row
    self.isHeldOut = isHeldOut
  }
}

/// All that one step of a lane decided.
package struct Decisions: Sendable {
  package var lane: Int
  /// How many inputs the lane has taken so far; tells what is on disk of what it was given.
  package var sequence: Int64
  /// The lane's step that this is, counted from 1; every step has another one, also one without inputs.
  package var turn: Int64 = 0
  package var events = EventPacks()
  /// Verdicts of these events, packed; empty when no rule had a say.
  package var verdicts: [VerdictRow] = []
  package var changes = ChangeList()
  package var deliveries: [DeliveryRow] = []
  /// What is only written down and never sent.
  package var recorded: [RecordedDelivery] = []
  package var endedRuns: [RunRow] = []
  /// Runs that were ended before their rule did: what they sent and was not tried yet goes with them.
  package var cancelledRuns: [(run: Int64, reason: String)] = []
  package var dedupe: [Hash128] = []
  package var messages: [LaneMessage] = []
  /// Answered once this is durable, each with how many of its events are in here.
  package private(set) var tickets: [(ticket: Ticket, count: Int)] = []
  /// Repeats of events that other lanes may still have under way.
  package var repeats: [RepeatBarrier] = []
  /// Called when this is on disk: for those who asked for something and wait.
  package var completions: [@Sendable () -> Void] = []
  /// What rules had to say, with their paths; logged when it is durable.
  package var logs: [RuleLog] = []

  package init(lane: Int, sequence: Int64) {
    self.lane = lane
    self.sequence = sequence
  }

  package mutating func settle(_ ticket: Ticket) {
    if let last = tickets.indices.last, tickets[last].ticket === ticket {
      tickets[last].count += 1
    } else {
      tickets.append((ticket, 1))
    }
  }

  package var isEmpty: Bool {
    events.isEmpty && changes.isEmpty && tickets.isEmpty && deliveries.isEmpty && recorded.isEmpty && verdicts.isEmpty
      && messages.isEmpty && repeats.isEmpty
      && endedRuns.isEmpty && completions.isEmpty
  }
}

/// A stretch of keys of the dedupe set, sorted and closed.
package struct DedupeRun: Sendable {
  package var run: Int64
  package var newest: Instant
  package var hashes: [Hash128]
  /// Packed dedupe rows up to this record hold nothing that is not in a closed run.
  package var coveredThrough: Int64
  /// How many inputs of each lane must be on disk before it may be written: a hash that outlived its event
  /// would call the repeat that brings the event again a duplicate.
  package var awaits: [Int64] = []

  package init(run: Int64, newest: Instant, hashes: [Hash128], coveredThrough: Int64) {
    self.run = run
    self.newest = newest
    self.hashes = hashes
    self.coveredThrough = coveredThrough
  }
}

/// A part of a closed run as it is stored: sorted hashes of 16 bytes each.
package struct DedupePage: Sendable, Equatable {
  package var run: Int64
  package var page: Int64
  package var newest: Instant
  package var hashes: [UInt8]

  package static let hashesPerPage = 256

  package init(run: Int64, page: Int64, newest: Instant, hashes: [UInt8]) {
    self.run = run
    self.page = page
    self.newest = newest
    self.hashes = hashes
  }

  /// Page `page` of a run.
  package init(of run: DedupeRun, page: Int) {
    let start = page * DedupePage.hashesPerPage
    var writer = PackedWriter(capacity: DedupePage.hashesPerPage * 16)
    for hash in run.hashes[start..<min(start + DedupePage.hashesPerPage, run.hashes.count)] {
      writer.fixed64(hash.high)
      writer.fixed64(hash.low)
    }
    self.init(run: run.run, page: Int64(page), newest: run.newest, hashes: writer.bytes)
  }

  package static func count(of run: DedupeRun) -> Int { (run.hashes.count + hashesPerPage - 1) / hashesPerPage }

  package static func unpack(_ bytes: [UInt8]) -> [Hash128] {
    PackedReader.read(bytes) { reader in
      var out: [Hash128] = []
      out.reserveCapacity(bytes.count / 16)
      while !reader.atEnd {
        let high = reader.fixed64()
        out.append(Hash128(high: high, low: reader.fixed64()))
      }
      return out
    }
  }

  package var unpacked: [Hash128] { DedupePage.unpack(hashes) }
}

/// One commit.
package struct Group: Sendable {
  package var record: Int64
  package var time: Instant
  package var events = EventPacks()
  package var verdicts: [VerdictRow] = []
  package var deliveries: [[DeliveryRow]] = []
  package var attempts: [Attempt] = []
  package var endedRuns: [RunRow] = []
  /// The changes of this group, packed; recovery applies them.
  package var redo: [UInt8] = []
  /// Hashes of this group's events, 16 bytes each.
  package var dedupe: [UInt8] = []
  package var pages: [DedupePage] = []
  /// Dedupe rows up to this record are covered by closed runs.
  package var dedupeClosedThrough: Int64?
  /// Rows written to their tables; tombstones delete.
  package var sweep: [Row] = []
  /// Set in the commit that completes a sweep: recovery starts after this record.
  package var mark: Int64?

  package init(record: Int64, time: Instant) {
    self.record = record
    self.time = time
  }

  /// Whether anything is there that a crash must not lose.
  package var appends: Bool {
    !(events.isEmpty && verdicts.isEmpty && attempts.isEmpty && redo.isEmpty && dedupe.isEmpty && deliveries.isEmpty
      && pages.isEmpty && endedRuns.isEmpty)
  }
}

/// The verdicts of one batch of events, packed.
package struct VerdictRow: Sendable, Equatable {
  package var first: Int64
  package var last: Int64
  package var packed: [UInt8]

  package init(first: Int64, last: Int64, packed: [UInt8]) {
    self.first = first
    self.last = last
    self.packed = packed
  }
}
