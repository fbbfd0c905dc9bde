// A subject as its lane knows it: newest values, committed or not.
//
// Thread: the lane's that owns the subject. Promise: every change made here is also in the decisions
// of the same step; a cell never knows more than the record will.

internal import Basics
internal import Model
internal import Store

final class SubjectCell {
  let subject: Int64
  /// The number of its newest event.
  var chain: Int64
  /// The subject's row as it is stored; taken apart on first use.
  private var packedRow: [UInt8]
  private var openedRow: SubjectRow?
  private let face: SubjectRow.Face
  /// What rules remember, by rule number; loaded on first use. Empty bytes: nothing.
  private var states: [(rule: Int64, json: [UInt8])] = []
  /// When `again` last let a rule run, by hash; loaded on first use.
  private var again: [(hash: Int64, time: Int64)] = []
  /// A subject that was made just now has nothing in the store to look up.
  private let isNew: Bool
  private var parsedTraits: Document?
  /// The row is in no record yet.
  var isUnwritten = false

  init(subject: Int64, row: [UInt8], chain: Int64, isNew: Bool) {
    self.subject = subject
    packedRow = row
    self.chain = chain
    self.isNew = isNew
    face = SubjectRow.face(row)
  }

  var row: SubjectRow {
    get {
      if let openedRow { return openedRow }
      let opened =
        SubjectRow(packedRow) ?? SubjectRow(shard: Shards.shard(of: subject), names: [], created: Instant.zero)
      openedRow = opened
      return opened
    }
    set {
      openedRow = newValue
      parsedTraits = nil
    }
  }

  /// What rules see as `customer.id`, and whether there is more to see.
  var customerID: String { openedRow == nil ? face.id : row.names.first?.id ?? "" }
  var account: String { openedRow == nil ? face.account : row.account }

  func traits(_ parser: DocumentParser) -> Document? {
    if openedRow == nil, !face.hasTraits { return nil }
    if row.traits.isEmpty { return nil }
    if parsedTraits == nil { parsedTraits = try? parser.parse(row.traits) }
    return parsedTraits
  }

  func state(of rule: Int64, _ reader: StoreReader) throws(StoreError) -> [UInt8] {
    for known in states where known.rule == rule { return known.json }
    let json = isNew ? [] : try reader.value(RowKey(.state, subject, rule)) ?? []
    states.append((rule, json))
    return json
  }

  func setState(of rule: Int64, _ json: [UInt8]) {
    for position in states.indices where states[position].rule == rule {
      states[position].json = json
      return
    }
    states.append((rule, json))
  }

  /// When the rule last ran for this key; nil: never.
  func lastRun(_ hash: Int64, _ reader: StoreReader) throws(StoreError) -> Instant? {
    for known in again where known.hash == hash { return known.time == 0 ? nil : Instant(milliseconds: known.time) }
    let packed = isNew ? nil : try reader.value(RowKey(.again, subject, hash))
    let time = packed.flatMap(NumberRow.unpack) ?? 0
    again.append((hash, time))
    return time == 0 ? nil : Instant(milliseconds: time)
  }

  func setLastRun(_ hash: Int64, _ time: Instant) {
    again.removeAll { $0.hash == hash }
    again.append((hash, time.milliseconds))
  }

  // MARK: in the cache

  /// The cell as one stretch of bytes, for `SubjectCache`.
  func pack(into writer: inout PackedWriter) {
    writer.byte((isNew ? 1 : 0) | (isUnwritten ? 2 : 0))
    writer.signed(chain)
    writer.counted(openedRow?.packed ?? packedRow)
    writer.unsigned(UInt64(states.count))
    for (rule, json) in states {
      writer.signed(rule)
      writer.counted(json)
    }
    writer.unsigned(UInt64(again.count))
    for (hash, time) in again {
      writer.signed(hash)
      writer.signed(time)
    }
  }

  convenience init?(subject: Int64, packed: [UInt8]) {
    guard let parts = SubjectCell.unpack(packed) else { return nil }
    self.init(subject: subject, row: parts.row, chain: parts.chain, isNew: parts.flags & 1 != 0)
    isUnwritten = parts.flags & 2 != 0
    states = parts.states
    again = parts.again
  }

  private struct Parts {
    var flags: UInt8
    var chain: Int64
    var row: [UInt8]
    var states: [(rule: Int64, json: [UInt8])]
    var again: [(hash: Int64, time: Int64)]
  }

  private static func unpack(_ packed: [UInt8]) -> Parts? {
    PackedReader.read(packed) { reader in
      var parts = Parts(flags: reader.byte(), chain: reader.signed(), row: reader.counted(), states: [], again: [])
      for _ in 0..<reader.unsigned() where !reader.failed {
        let rule = reader.signed()
        parts.states.append((rule, reader.counted()))
      }
      for _ in 0..<reader.unsigned() where !reader.failed {
        let hash = reader.signed()
        parts.again.append((hash, reader.signed()))
      }
      return reader.failed ? nil : parts
    }
  }
}

/// Traits are JSON objects as text; merging keeps the order of what was there.
enum Traits {
  /// The merged object, or nil when nothing changes. Null removes.
  static func merge(_ base: [UInt8], _ additions: JSONCursor, _ parser: DocumentParser) -> (
    traits: [UInt8], changed: [UInt8]
  )? {
    let known = base.isEmpty ? [] : ((try? parser.parse(base))?.root.members ?? [])
    var merged: [(key: String, value: [UInt8])] = known.map { ($0.key, $0.value.text) }
    var changed = JSONWriter()
    changed.beginObject()
    var hasChanged = false
    for (key, value) in additions.members {
      let text = value.text
      let place = merged.firstIndex { $0.key == key }
      if value.isNull ? place == nil : place.map({ merged[$0].value == text }) ?? false { continue }
      hasChanged = true
      changed.key(key)
      changed.raw(text)
      if let place {
        if value.isNull { merged.remove(at: place) } else { merged[place].value = text }
      } else {
        merged.append((key, text))
      }
    }
    guard hasChanged else { return nil }
    changed.endObject()
    var writer = JSONWriter(capacity: base.count + 64)
    writer.beginObject()
    for (key, value) in merged {
      writer.key(key)
      writer.raw(value)
    }
    writer.endObject()
    return (merged.isEmpty ? [] : writer.bytes, changed.bytes)
  }
}

/// Who set which trait for one event: several rules may want different values, and the last one wins.
struct TraitConflicts {
  private var setters: [String: (rule: String, value: [UInt8])] = [:]

  /// A sentence when this replaces what another rule has just set.
  mutating func note(_ json: [UInt8], rule: String, _ parser: DocumentParser) -> String? {
    var replaced: String?
    for (key, value) in (try? parser.parse(json))?.root.members ?? [] {
      let text = value.text
      if let other = setters[key], other.rule != rule, other.value != text {
        replaced = "it set the trait '\(key)' after \(other.rule) had set it for the same event; the last one wins"
      }
      setters[key] = (rule, text)
    }
    return replaced
  }
}
