// What a waiting run has seen and done, packed: one part for each activation, with what it read of
// things that change and one entry for each effect and wait. Playing it again rebuilds the run.
//
// Thread: values. Promise: a journal written here reads back entry for entry; damage is noticed and
// never taken for an entry.

package import Basics

/// What a rule did, as far as its journal tells. The numbers are stored.
package enum JournalKind: UInt8, Sendable, CaseIterable {
  case send = 1
  case set = 2
  case emit = 3
  case log = 4
  case call = 5
  case wait = 6
  case waitUntil = 7
  case waitFor = 8
  case waitAny = 9
  case window = 10
  case calendar = 11
  /// A run that has not begun and gathers events. It stands in rows, never in a journal.
  case collect = 20

  package var word: String {
    switch self {
    case .send: "send"
    case .set: "set"
    case .emit: "emit"
    case .log: "log"
    case .call: "call"
    case .wait: "wait"
    case .waitUntil: "wait_until"
    case .waitFor: "wait_for"
    case .waitAny: "wait_any"
    case .window: "a look at a window"
    case .calendar: "calendar"
    case .collect: "collect"
    }
  }

  /// Whether a run can sleep in it.
  fileprivate var isHashed: Bool {
    switch self {
    case .send, .emit, .call, .wait, .waitUntil, .waitFor, .waitAny, .window, .calendar: true
    case .set, .log, .collect: false
    }
  }

  /// Journals of older programs have no hash of how long these were to be.
  fileprivate var saysWhetherHashed: Bool { self == .wait || self == .waitUntil }
}

/// What began an activation.
package enum Trigger: Sendable, Equatable {
  case start
  /// Time is up.
  case timer
  /// The number of the event that was waited for.
  case event(Int64)
  /// What a call came to, as JSON.
  case reply([UInt8])
  /// A person let it go on as if its time had come.
  case hand
  /// The moment has come that was planned from this date, or it was missed; empty: nobody has told a date.
  case date(String, isLate: Bool)

  /// The wait is over although nothing came.
  package var endsWait: Bool {
    switch self {
    case .timer, .hand, .date: true
    case .start, .event, .reply: false
    }
  }

  package func pack(into writer: inout PackedWriter) {
    switch self {
    case .start: writer.byte(0)
    case .timer: writer.byte(1)
    case .event(let number):
      writer.byte(2)
      writer.signed(number)
    case .reply(let json):
      writer.byte(3)
      writer.counted(json)
    case .hand: writer.byte(4)
    case .date(let text, let isLate):
      writer.byte(isLate ? 6 : 5)
      writer.counted(text)
    }
  }

  package static func unpack(_ reader: inout PackedReader) -> Trigger? {
    switch reader.byte() {
    case 0: .start
    case 1: .timer
    case 2: .event(reader.signed())
    case 3: .reply(reader.counted())
    case 4: .hand
    case 5: .date(reader.text(), isLate: false)
    case 6: .date(reader.text(), isLate: true)
    default: nil
    }
  }
}

package struct JournalEntry: Sendable, Equatable {
  package var kind: JournalKind
  /// Of the destination and type, of the event names, or of the time as the rule wrote it; 0: it is not known.
  package var hash: UInt32
  /// The wait was over at once: by an event that had been heard before, or by a time that was past (0).
  package var settledBy: Int64?
  /// What a window said.
  package var value: WindowValue?

  package init(_ kind: JournalKind, hash: UInt32 = 0, settledBy: Int64? = nil) {
    self.kind = kind
    self.hash = kind.isHashed ? hash : 0
    self.settledBy = settledBy
  }

  /// The hash of texts, as it is stored: FNV-1a.
  package static func hash(_ texts: String...) -> UInt32 {
    var hash: UInt32 = 0x811C_9DC5
    for text in texts {
      for byte in text.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
      hash = (hash ^ 0xFF) &* 0x0100_0193
    }
    return hash
  }
}

/// What an activation could read. Nil: it did not read it.
package struct ActivationReads: Sendable, Equatable {
  package var customerID: String?
  /// Empty: it has none.
  package var account: String?
  /// The traits that were read, as a JSON object.
  package var traits: [UInt8]?
  /// The state it began with.
  package var state: [UInt8]?

  package init(customerID: String? = nil, account: String? = nil, traits: [UInt8]? = nil, state: [UInt8]? = nil) {
    self.customerID = customerID
    self.account = account
    self.traits = traits
    self.state = state
  }
}

package struct JournalPart: Sendable, Equatable {
  package var trigger: Trigger
  /// What `now()` answered.
  package var now: Instant
  package var reads: ActivationReads
  package var entries: [JournalEntry]

  package init(trigger: Trigger, now: Instant, reads: ActivationReads, entries: [JournalEntry]) {
    self.trigger = trigger
    self.now = now
    self.reads = reads
    self.entries = entries
  }
}

extension JournalPart {
  /// No less than what it takes when packed.
  fileprivate var weight: Int {
    var bytes = 48 + entries.count * 15
    for entry in entries where entry.kind == .window { bytes += 10 + (entry.value?.weight ?? 0) }
    if case .reply(let json) = trigger { bytes += json.count }
    if case .date(let text, _) = trigger { bytes += text.utf8.count }
    bytes += (reads.customerID?.utf8.count ?? 0) + (reads.account?.utf8.count ?? 0)
    return bytes + (reads.traits?.count ?? 0) + (reads.state?.count ?? 0)
  }
}

package struct Journal: Sendable, Equatable {
  package private(set) var parts: [JournalPart] = []

  package init() {}

  package mutating func append(_ part: JournalPart) {
    parts.append(part)
    weight += part.weight
  }

  /// At least what its parts take when packed.
  private var weight = 0

  /// Whether it would take more than a journal may with this part behind it.
  package func isTooLong(with part: JournalPart) -> Bool {
    guard weight + part.weight > Limits.journalBytes else { return false }
    var longer = self
    longer.append(part)
    var writer = PackedWriter(capacity: Limits.journalBytes)
    longer.pack(since: parts.first?.now ?? part.now, into: &writer)
    return writer.bytes.count > Limits.journalBytes
  }

  package var entryCount: Int { parts.reduce(0) { $0 + $1.entries.count } }

  // Packing. A value that is the same as in the part before it takes no room.

  package func pack(since started: Instant, into writer: inout PackedWriter) {
    writer.integer(parts.count)
    var before = ActivationReads()
    var time = started
    for place in parts.indices {
      Journal.pack(parts[place], before: &before, time: &time, into: &writer)
    }
  }

  private static func pack(
    _ part: JournalPart, before: inout ActivationReads, time: inout Instant, into writer: inout PackedWriter
  ) {
    writer.signed(part.now - time)
    time = part.now
    let reads = part.reads
    let flags =
      code(reads.customerID, before.customerID) | code(reads.account, before.account) << 2
      | code(reads.traits, before.traits) << 4 | code(reads.state, before.state) << 6
    writer.byte(flags)
    if let id = reads.customerID, id != before.customerID { writer.counted(id) }
    if let account = reads.account, account != before.account { writer.counted(account) }
    if let traits = reads.traits, traits != before.traits { writer.counted(traits) }
    if let state = reads.state, state != before.state { writer.counted(state) }
    before.customerID = reads.customerID ?? before.customerID
    before.account = reads.account ?? before.account
    before.traits = reads.traits ?? before.traits
    before.state = reads.state ?? before.state
    part.trigger.pack(into: &writer)
    writer.integer(part.entries.count)
    for entry in part.entries { pack(entry, into: &writer) }
  }

  private static func code<Value: Equatable>(_ value: Value?, _ before: Value?) -> UInt8 {
    guard let value else { return 0 }
    return value == before ? 1 : 2
  }

  private static func pack(_ entry: JournalEntry, into writer: inout PackedWriter) {
    let isMarked = entry.kind.saysWhetherHashed && entry.hash != 0
    writer.byte(entry.kind.rawValue | (entry.settledBy == nil ? 0 : 0x80) | (isMarked ? 0x40 : 0))
    if isMarked || entry.kind.isHashed && !entry.kind.saysWhetherHashed { writer.fixed32(entry.hash) }
    if let number = entry.settledBy { writer.signed(number) }
    if entry.kind == .window { (entry.value ?? .nothing).pack(into: &writer) }
  }

  /// Nil: damaged.
  package static func unpack(_ reader: inout PackedReader, since started: Instant) -> Journal? {
    let count = reader.integer()
    guard (0...Limits.journalEntries).contains(count) else { return nil }
    var journal = Journal()
    var before = ActivationReads()
    var time = started
    for _ in 0..<count {
      guard let part = part(&reader, before: &before, time: &time) else { return nil }
      journal.append(part)
    }
    return reader.failed ? nil : journal
  }

  private static func part(
    _ reader: inout PackedReader, before: inout ActivationReads, time: inout Instant
  ) -> JournalPart? {
    time = time + reader.signed()
    let flags = reader.byte()
    var reads = ActivationReads()
    reads.customerID = flags & 3 == 2 ? reader.text() : flags & 3 == 1 ? before.customerID : nil
    reads.account = flags >> 2 & 3 == 2 ? reader.text() : flags >> 2 & 3 == 1 ? before.account : nil
    reads.traits = flags >> 4 & 3 == 2 ? reader.counted() : flags >> 4 & 3 == 1 ? before.traits : nil
    reads.state = flags >> 6 == 2 ? reader.counted() : flags >> 6 == 1 ? before.state : nil
    before.customerID = reads.customerID ?? before.customerID
    before.account = reads.account ?? before.account
    before.traits = reads.traits ?? before.traits
    before.state = reads.state ?? before.state
    guard let trigger = Trigger.unpack(&reader) else { return nil }
    let count = reader.integer()
    guard !reader.failed, (0...Limits.journalEntries).contains(count) else { return nil }
    var entries: [JournalEntry] = []
    for _ in 0..<count {
      guard let entry = entry(&reader) else { return nil }
      entries.append(entry)
    }
    return JournalPart(trigger: trigger, now: time, reads: reads, entries: entries)
  }

  private static func entry(_ reader: inout PackedReader) -> JournalEntry? {
    let tag = reader.byte()
    guard let kind = JournalKind(rawValue: tag & 0x3F) else { return nil }
    let isMarked = tag & 0x40 != 0
    guard !isMarked || kind.saysWhetherHashed else { return nil }
    let hash = isMarked || kind.isHashed && !kind.saysWhetherHashed ? reader.fixed32() : 0
    let settled = tag & 0x80 == 0 ? nil : reader.signed()
    var entry = JournalEntry(kind, hash: hash, settledBy: settled)
    if kind == .window {
      guard let value = WindowValue(&reader) else { return nil }
      entry.value = value
    }
    return reader.failed ? nil : entry
  }
}
