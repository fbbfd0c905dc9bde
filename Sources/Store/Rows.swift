// What the packed bytes of the look-up tables mean.
//
// Thread: values. Promise: every row begins with its format number, so that a later version can tell.

package import Basics
package import Model

/// Who a subject is.
package struct SubjectRow: Sendable, Equatable {
  package var shard: Int
  /// Its external ids, the one rules see first.
  package var names: [SubjectReference]
  /// A JSON object as text; empty for none.
  package var traits: [UInt8]
  /// The account a user belongs to: its external id, last committed; empty for none.
  package var account: String
  package var created: Instant
  /// A packed `PolicyRecord`; empty for none.
  package var policy: [UInt8] = []

  package init(shard: Int, names: [SubjectReference], traits: [UInt8] = [], account: String = "", created: Instant) {
    self.shard = shard
    self.names = names
    self.traits = traits
    self.account = account
    self.created = created
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 48 + traits.count)
    writer.byte(policy.isEmpty ? 1 : 2)
    writer.integer(shard)
    writer.signed(created.milliseconds)
    writer.integer(names.count)
    for name in names {
      writer.counted(name.namespace)
      writer.counted(name.id)
    }
    writer.counted(account)
    writer.counted(traits)
    if !policy.isEmpty { writer.counted(policy) }
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let row: SubjectRow? = PackedReader.read(bytes) { reader in
      let format = reader.byte()
      guard format == 1 || format == 2 else { return nil }
      let shard = reader.integer()
      let created = Instant(milliseconds: reader.signed())
      let count = reader.integer()
      guard (0...10_000).contains(count) else { return nil }
      var names: [SubjectReference] = []
      for _ in 0..<count {
        let namespace = reader.text()
        names.append(SubjectReference(namespace: namespace, id: reader.text()))
      }
      let account = reader.text()
      let traits = reader.counted()
      let policy = format == 2 ? reader.counted() : []
      if reader.failed { return nil }
      var row = SubjectRow(shard: shard, names: names, traits: traits, account: account, created: created)
      row.policy = policy
      return row
    }
    guard let row else { return nil }
    self = row
  }
}

extension SubjectRow {
  /// What almost every event needs of a row, without taking all of it apart.
  package struct Face: Sendable {
    package var id: String
    package var account: String
    package var hasTraits: Bool
    package var hasPolicy = false
  }

  /// Of the row that stands at a place of some bytes.
  package static func face(_ bytes: [UInt8], _ place: Range<Int>) -> Face {
    unsafe bytes.withUnsafeBytes { raw in
      var reader = unsafe PackedReader(UnsafeRawBufferPointer(rebasing: raw[place]))
      return face(&reader)
    }
  }

  private static func face(_ reader: inout PackedReader) -> Face {
    let format = reader.byte()
    guard format == 1 || format == 2 else { return Face(id: "", account: "", hasTraits: false) }
    _ = reader.integer()
    _ = reader.signed()
    var id = ""
    let count = reader.integer()
    for position in 0..<max(0, count) where !reader.failed {
      reader.skipCounted()
      if position == 0 { id = reader.text() } else { reader.skipCounted() }
    }
    let account = reader.text()
    return Face(id: id, account: account, hasTraits: reader.unsigned() > 0, hasPolicy: format == 2)
  }
}

/// A delivery that is not settled.
package struct OpenDelivery: Sendable, Equatable {
  package var attempts: Int
  package var due: Instant
  package var destination: String
  /// Tries made before a person asked for it once more.
  package var triesBefore = 0
  /// What it keeps its order by; 0: nothing.
  package var orderKey: Int64 = 0
  /// It was given up and holds back those behind it.
  package var isPoisoned = false
  /// Why it is to go instead of being tried; empty: it is not.
  package var cancelReason = ""

  package init(attempts: Int, due: Instant, destination: String) {
    self.attempts = attempts
    self.due = due
    self.destination = destination
  }

  package var isRetry: Bool { attempts > triesBefore }

  /// Most have nothing special about them and take the shorter form.
  package var packed: [UInt8] {
    let isPlain = triesBefore == 0 && orderKey == 0 && !isPoisoned && cancelReason.isEmpty
    var writer = PackedWriter(capacity: 16 + destination.utf8.count + (isPlain ? 0 : 24 + cancelReason.utf8.count))
    writer.byte(isPlain ? 1 : 2)
    writer.integer(attempts)
    writer.signed(due.milliseconds)
    writer.counted(destination)
    if isPlain { return writer.bytes }
    writer.integer(triesBefore)
    writer.signed(orderKey)
    writer.byte(isPoisoned ? 1 : 0)
    writer.counted(cancelReason)
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let row: OpenDelivery? = PackedReader.read(bytes) { reader in
      let format = reader.byte()
      guard format == 1 || format == 2 else { return nil }
      let attempts = reader.integer()
      let due = Instant(milliseconds: reader.signed())
      var row = OpenDelivery(attempts: attempts, due: due, destination: reader.text())
      if format == 2 {
        row.triesBefore = reader.integer()
        row.orderKey = reader.signed()
        row.isPoisoned = reader.byte() == 1
        row.cancelReason = reader.text()
      }
      return reader.failed ? nil : row
    }
    guard let row else { return nil }
    self = row
  }
}

/// Rows that are one number: identity, chain, again.
package enum NumberRow {
  package static func pack(_ number: Int64) -> [UInt8] {
    var writer = PackedWriter(capacity: 10)
    writer.signed(number)
    return writer.bytes
  }

  package static func unpack(_ bytes: [UInt8]) -> Int64? {
    PackedReader.read(bytes) { reader in
      let number = reader.signed()
      return reader.failed ? nil : number
    }
  }
}

/// A message that was not taken yet; the event itself is in the event table, or here when it has not
/// been appended.
package struct MessageRow: Sendable, Equatable {
  package enum Kind: UInt8, Sendable {
    case observe = 1
    case emitted = 2
    /// `body` is a packed listener.
    case listen = 3
    /// `received` is the run.
    case unlisten = 4
    /// `received` is the run, `id` the event's name, `body` its number.
    case heard = 5
    /// `received` is the run, `body` what the call came to.
    case reply = 6
  }
  package var kind: Kind
  package var subject: Int64
  /// Of an emitted event: to whom, its id and body.
  package var target: String
  package var id: String
  package var received: Instant
  package var body: [UInt8]

  package init(
    kind: Kind, subject: Int64, target: String = "", id: String = "", received: Instant = .zero, body: [UInt8] = []
  ) {
    self.kind = kind
    self.subject = subject
    self.target = target
    self.id = id
    self.received = received
    self.body = body
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 32 + body.count)
    writer.byte(1)
    writer.byte(kind.rawValue)
    writer.signed(subject)
    writer.counted(target)
    writer.counted(id)
    writer.signed(received.milliseconds)
    writer.counted(body)
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let row: MessageRow? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1, let kind = Kind(rawValue: reader.byte()) else { return nil }
      let subject = reader.signed()
      let target = reader.text()
      let id = reader.text()
      let received = Instant(milliseconds: reader.signed())
      let body = reader.counted()
      if reader.failed { return nil }
      return MessageRow(kind: kind, subject: subject, target: target, id: id, received: received, body: body)
    }
    guard let row else { return nil }
    self = row
  }
}

/// What lives of a subject.
package struct LivingRow: Sendable, Equatable {
  /// In the order in which they began.
  package var runs: [Int64] = []
  /// Runs of others wait for its events.
  package var hasWaiters = false

  package init() {}
  package var isEmpty: Bool { runs.isEmpty && !hasWaiters }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 8 + runs.count * 4)
    writer.byte(1)
    writer.byte(hasWaiters ? 1 : 0)
    var before: Int64 = 0
    for run in runs {
      writer.signed(run &- before)
      before = run
    }
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let found: LivingRow? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      var row = LivingRow()
      row.hasWaiters = reader.byte() == 1
      var before: Int64 = 0
      while !reader.atEnd {
        before &+= reader.signed()
        row.runs.append(before)
      }
      return reader.failed ? nil : row
    }
    guard let found else { return nil }
    self = found
  }
}

/// What a version of a rule consists of.
package struct VersionRow: Sendable, Equatable {
  package var rule: Int64
  package var created: Instant
  package var hash: Hash128
  /// The rule's own file first, then its libraries in the order of loading; where their texts are.
  package var parts: [(path: String, hash: Hash128)]

  package init(rule: Int64, created: Instant, hash: Hash128, parts: [(path: String, hash: Hash128)]) {
    self.rule = rule
    self.created = created
    self.hash = hash
    self.parts = parts
  }

  package static func == (left: VersionRow, right: VersionRow) -> Bool { left.packed == right.packed }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 64)
    writer.byte(1)
    writer.signed(rule)
    writer.signed(created.milliseconds)
    writer.fixed64(hash.high)
    writer.fixed64(hash.low)
    writer.integer(parts.count)
    for part in parts {
      writer.counted(part.path)
      writer.fixed64(part.hash.high)
      writer.fixed64(part.hash.low)
    }
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let found: VersionRow? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      let rule = reader.signed()
      let created = Instant(milliseconds: reader.signed())
      let hash = Hash128(high: reader.fixed64(), low: reader.fixed64())
      var row = VersionRow(rule: rule, created: created, hash: hash, parts: [])
      let count = reader.integer()
      guard !reader.failed, (0...10_000).contains(count) else { return nil }
      for _ in 0..<count {
        let path = reader.text()
        row.parts.append((path, Hash128(high: reader.fixed64(), low: reader.fixed64())))
      }
      return reader.failed ? nil : row
    }
    guard let found else { return nil }
    self = found
  }
}

/// Why a rule is paused.
package struct PauseRow: Sendable, Equatable {
  package var since: Instant
  package var reason: String

  package init(since: Instant, reason: String) {
    self.since = since
    self.reason = reason
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 64)
    writer.byte(1)
    writer.signed(since.milliseconds)
    writer.counted(reason)
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let found: PauseRow? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      let since = Instant(milliseconds: reader.signed())
      let reason = reader.text()
      return reader.failed ? nil : PauseRow(since: since, reason: reason)
    }
    guard let found else { return nil }
    self = found
  }
}
