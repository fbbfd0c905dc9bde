// A run as it is stored: alive in its table until it ends, then once in the log of ended runs.
//
// Thread: values. Promise: every row begins with its format number, so that a later version can tell.

package import Basics
package import Model

/// An event that a run has heard and not consumed.
package struct Heard: Sendable, Equatable {
  package var number: Int64
  /// The place of its name among those that the run's version awaits.
  package var name: Int
  /// About the run's own subject.
  package var isOwn: Bool

  package init(number: Int64, name: Int, isOwn: Bool) {
    self.number = number
    self.name = name
    self.isOwn = isOwn
  }
}

package struct RunRow: Sendable, Equatable {
  package var number: Int64
  package var subject: Int64
  /// The stored number of its rule, and of the version it keeps.
  package var rule: Int64
  package var version: Int64
  /// The event that started it.
  package var event: Int64
  /// Hash of that event's source and id: what its effects' ids are made of.
  package var seed: Hash128
  package var depth: Int
  /// What the rule's `key` found in the event that started it; "" where the rule has none, and the subject
  /// alone tells its runs apart.
  package var key: String
  package var started: Instant
  package var status = RunStatus.waiting
  /// Why it was parked or has ended, in a sentence, and at which line.
  package var reason = ""
  package var line = 0
  package var wait: Wait?
  /// Entries and random numbers before the last checkpoint.
  package var entriesBefore = 0
  package var randoms: UInt64 = 0
  /// The table of the last checkpoint, as JSON; empty: none.
  package var saved: [UInt8] = []
  package var journal = Journal()
  /// Events it listens to and has not consumed, in the order of arrival.
  package var heard: [Heard] = []
  package var effects = 0
  /// What it is to be woken with: of a parked run, what woke it last; of a waiting one, what came while its
  /// rule was paused.
  package var pending: Trigger?
  /// Subjects whose events it listens to besides its own.
  package var listening: [SubjectReference] = []
  /// Of a run that collects, or was started by events that were collected.
  package var gathered: Gathered?
  /// Whether it is held out, which was drawn when it began and stays; nil in rows of older versions.
  package var isHeldOut: Bool?
  /// An event of a test key began it; rows of older versions do not tell.
  package var isTest = false
  /// Set when it ends.
  package var ended: Instant?

  package init(
    number: Int64, subject: Int64, rule: Int64, version: Int64, event: Int64, seed: Hash128, depth: Int, key: String,
    started: Instant
  ) {
    self.number = number
    self.subject = subject
    self.rule = rule
    self.version = version
    self.event = event
    self.seed = seed
    self.depth = depth
    self.key = key
    self.started = started
  }

  package mutating func park(_ trigger: Trigger, _ reason: String, line: Int) {
    status = .parked
    self.reason = reason
    self.line = line
    pending = trigger
  }

  /// What stands for a run whose row is damaged: it plays no part any more, and a person can see and end it.
  package static func unreadable(number: Int64, subject: Int64) -> RunRow {
    var row = RunRow(
      number: number, subject: subject, rule: 0, version: 0, event: 0, seed: Hash128(high: 0, low: 0), depth: 0,
      key: "", started: .zero)
    row.status = .parked
    row.reason = unreadableReason
    return row
  }
  /// A row as it stands in the store, whatever became of it there.
  package static func stored(number: Int64, _ bytes: [UInt8]) -> RunRow {
    if let row = RunRow(number: number, bytes) { return row }
    let subject = PackedReader.read(bytes) { reader in
      _ = reader.byte()
      return reader.signed()
    }
    return unreadable(number: number, subject: subject)
  }

  package static let unreadableReason =
    "its row in the store is missing or damaged and cannot be read; it can only be cancelled"

  /// When its timer is due. What came while its rule was paused is due since ever: the same instant in every
  /// reading of the row, so that the timer's own row is found again.
  package var due: Instant? { status == .waiting ? pending == nil ? wait?.until : started : nil }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 96)
    writer.byte(isHeldOut == nil ? 1 : isHeldOut == false ? 2 : 3)
    writer.signed(subject)
    writer.signed(rule)
    writer.signed(version)
    writer.signed(event)
    writer.fixed64(seed.high)
    writer.fixed64(seed.low)
    writer.signed(started.milliseconds)
    writer.byte(status.rawValue)
    let optional =
      (depth != 0 ? 1 : 0) | (key.isEmpty ? 0 : 2) | (reason.isEmpty && line == 0 ? 0 : 4) | (wait == nil ? 0 : 8)
      | (entriesBefore == 0 && randoms == 0 && saved.isEmpty ? 0 : 16) | (heard.isEmpty ? 0 : 32)
      | (ended == nil ? 0 : 64) | (pending == nil ? 0 : 128) | (listening.isEmpty ? 0 : 256)
      | (gathered == nil ? 0 : Gathered.flag) | (isTest ? RunRow.testFlag : 0)
    writer.integer(optional)
    if depth != 0 { writer.integer(depth) }
    if !key.isEmpty { writer.counted(key) }
    if !reason.isEmpty || line != 0 {
      writer.counted(reason)
      writer.integer(line)
    }
    if let wait { RunRow.pack(wait, since: started, into: &writer) }
    if optional & 16 != 0 {
      writer.integer(entriesBefore)
      writer.unsigned(randoms)
      writer.counted(saved)
    }
    if !heard.isEmpty { RunRow.pack(heard, after: event, into: &writer) }
    if let ended { writer.signed(ended - started) }
    if let pending { pending.pack(into: &writer) }
    if !listening.isEmpty {
      writer.integer(listening.count)
      for subject in listening { writer.counted(subject.description) }
    }
    if let gathered { gathered.pack(since: started, before: event, into: &writer) }
    writer.integer(effects)
    journal.pack(since: started, into: &writer)
    return writer.bytes
  }

  private static func pack(_ wait: Wait, since started: Instant, into writer: inout PackedWriter) {
    writer.byte(
      wait.kind.rawValue | (wait.until == nil ? 0 : 0x80) | (wait.subject == nil ? 0 : 0x40)
        | (wait.plan == nil ? 0 : 0x20))
    if let until = wait.until { writer.signed(until - started) }
    if let subject = wait.subject { writer.counted(subject.description) }
    writer.integer(wait.line)
    if wait.kind == .call { writer.signed(wait.delivery) }
    writer.integer(wait.names.count)
    for name in wait.names { writer.counted(name) }
    wait.plan?.pack(into: &writer)
  }

  private static func pack(_ heard: [Heard], after event: Int64, into writer: inout PackedWriter) {
    writer.integer(heard.count)
    var before = event
    for one in heard {
      writer.signed(one.number &- before)
      writer.unsigned(UInt64(one.name) << 1 | (one.isOwn ? 1 : 0))
      before = one.number
    }
  }

  package init?(number: Int64, _ bytes: [UInt8]) {
    guard let row = PackedReader.read(bytes, { RunRow.read(number, &$0) }) else { return nil }
    self = row
  }

  private static func read(_ number: Int64, _ reader: inout PackedReader) -> RunRow? {
    let format = reader.byte()
    guard (1...3).contains(format) else { return nil }
    let subject = reader.signed()
    let rule = reader.signed()
    let version = reader.signed()
    let event = reader.signed()
    let seed = Hash128(high: reader.fixed64(), low: reader.fixed64())
    let started = Instant(milliseconds: reader.signed())
    guard let status = RunStatus(rawValue: reader.byte()) else { return nil }
    var row = RunRow(
      number: number, subject: subject, rule: rule, version: version, event: event, seed: seed, depth: 0, key: "",
      started: started)
    row.status = status
    row.isHeldOut = format == 1 ? nil : format == 3
    guard row.readOptional(&reader) else { return nil }
    row.effects = reader.integer()
    guard counts.contains(row.effects) else { return nil }
    guard let journal = Journal.unpack(&reader, since: started) else { return nil }
    row.journal = journal
    return row
  }

  /// What is counted; with more, the bytes are damaged, and adding to it must not overflow.
  private static let counts = 0...Int(Int32.max)

  private static let testFlag = 8_192

  private mutating func readOptional(_ reader: inout PackedReader) -> Bool {
    let optional = reader.integer()
    isTest = optional & RunRow.testFlag != 0
    if optional & 1 != 0 { depth = reader.integer() }
    guard RunRow.counts.contains(depth) else { return false }
    if optional & 2 != 0 { key = reader.text() }
    if optional & 4 != 0 {
      reason = reader.text()
      line = reader.integer()
      guard RunRow.counts.contains(line) else { return false }
    }
    if optional & 8 != 0 {
      guard let wait = RunRow.wait(&reader, since: started) else { return false }
      self.wait = wait
    }
    if optional & 16 != 0 {
      entriesBefore = reader.integer()
      randoms = reader.unsigned()
      saved = reader.counted()
      guard RunRow.counts.contains(entriesBefore) else { return false }
    }
    if optional & 32 != 0 {
      let count = reader.integer()
      guard (0...Limits.heardEvents).contains(count) else { return false }
      var before = event
      for _ in 0..<count {
        before &+= reader.signed()
        let code = reader.unsigned()
        heard.append(Heard(number: before, name: Int(code >> 1), isOwn: code & 1 != 0))
      }
    }
    if optional & 64 != 0 { ended = started + reader.signed() }
    if optional & 128 != 0 {
      guard let trigger = Trigger.unpack(&reader) else { return false }
      pending = trigger
    }
    if optional & 256 != 0 {
      let count = reader.integer()
      guard !reader.failed, (0...Limits.journalEntries).contains(count) else { return false }
      for _ in 0..<count { if let subject = SubjectReference(reader.text()) { listening.append(subject) } }
    }
    if optional & Gathered.flag != 0 {
      guard let gathered = Gathered.unpack(&reader, since: started, before: event) else { return false }
      self.gathered = gathered
    }
    return !reader.failed
  }

  private static func wait(_ reader: inout PackedReader, since started: Instant) -> Wait? {
    let tag = reader.byte()
    guard let kind = JournalKind(rawValue: tag & 0x1F) else { return nil }
    var wait = Wait(kind: kind)
    if tag & 0x80 != 0 { wait.until = started + reader.signed() }
    if tag & 0x40 != 0 {
      guard let subject = SubjectReference(reader.text()) else { return nil }
      wait.subject = subject
    }
    wait.line = reader.integer()
    if kind == .call { wait.delivery = reader.signed() }
    let count = reader.integer()
    guard !reader.failed, (0...Limits.awaitedNames).contains(count), counts.contains(wait.line) else { return nil }
    for _ in 0..<count { wait.names.append(reader.text()) }
    guard tag & 0x20 != 0 else { return wait }
    guard let plan = DatePlan.unpack(&reader) else { return nil }
    wait.plan = plan
    return wait
  }
}
