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
  /// The cell as the cache holds it, or only the row of one that was just looked up; taken apart no
  /// further than an event needs it.
  private let bytes: [UInt8]
  private let rowPlace: Range<Int>
  private let againPlace: Range<Int>
  /// What rules remember, by rule.
  private var states: NumberedBytes
  /// What windows know, by group.
  private var measures: NumberedBytes
  /// What lives of it, packed; nil while nobody has asked.
  private let livingPlace: Range<Int>?
  private var living: Living?
  private var unreadable: [Int64] = []
  private var openedRow: SubjectRow?
  private let face: SubjectRow.Face
  /// When `again` last let a rule run, by hash; likewise. 0: never.
  private var again: [(hash: Int64, time: Int64)] = []
  /// A subject that was made just now has nothing in the store to look up.
  private let isNew: Bool
  private var parsedTraits: Document?
  /// The row is in no record yet.
  var isUnwritten = false
  /// Traits or the account are others than before; until someone has asked.
  private var hasChangedTraits = false

  func noteTraits() { hasChangedTraits = true }
  func takeChangedTraits() -> Bool {
    defer { hasChangedTraits = false }
    return hasChangedTraits
  }

  /// A subject that the cache does not hold; `row` is as it is stored.
  init(subject: Int64, row: [UInt8], chain: Int64, isNew: Bool) {
    self.subject = subject
    self.chain = chain
    self.isNew = isNew
    bytes = row
    rowPlace = 0..<row.count
    againPlace = 0..<0
    livingPlace = nil
    states = NumberedBytes(row, 0..<0)
    measures = NumberedBytes(row, 0..<0)
    if isNew { living = Living() }
    face = SubjectRow.face(row, rowPlace)
  }

  /// As `pack` wrote it.
  init(subject: Int64, packed: [UInt8]) {
    self.subject = subject
    bytes = packed
    var parts = (
      flags: UInt8(0), chain: Int64(0), row: 0..<0, states: 0..<0, living: 0..<0, measures: 0..<0, again: 0..<0
    )
    packed.withUnsafeBytes { raw in
      var reader = PackedReader(raw)
      parts.flags = reader.byte()
      parts.chain = reader.signed()
      let rowBytes = Int(reader.unsigned())
      parts.row = reader.position..<reader.position + rowBytes
      reader.skip(rowBytes)
      let stateBytes = Int(reader.unsigned())
      parts.states = reader.position..<reader.position + stateBytes
      reader.skip(stateBytes)
      if parts.flags & 4 != 0 {
        let livingBytes = Int(reader.unsigned())
        parts.living = reader.position..<reader.position + livingBytes
        reader.skip(livingBytes)
      }
      if parts.flags & 8 != 0 {
        let measureBytes = Int(reader.unsigned())
        parts.measures = reader.position..<reader.position + measureBytes
        reader.skip(measureBytes)
      }
      parts.again = reader.position..<raw.count
    }
    chain = parts.chain
    isNew = parts.flags & 1 != 0
    isUnwritten = parts.flags & 2 != 0
    rowPlace = parts.row
    states = NumberedBytes(packed, parts.states)
    againPlace = parts.again
    livingPlace = parts.flags & 4 != 0 ? parts.living : nil
    measures = NumberedBytes(packed, parts.measures)
    face = SubjectRow.face(packed, parts.row)
  }

  var row: SubjectRow {
    get {
      if let openedRow { return openedRow }
      let opened =
        SubjectRow(Array(bytes[rowPlace]))
        ?? SubjectRow(shard: Shards.shard(of: subject), names: [], created: Instant.zero)
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

  /// Whether there is anything that policies look at.
  var hasPolicy: Bool { openedRow == nil ? face.hasPolicy : !row.policy.isEmpty }

  var policy: PolicyRecord {
    get { hasPolicy ? PolicyRecord(row.policy) ?? .unreadable : PolicyRecord() }
    set {
      row.policy = newValue.packed
      isUnwritten = true
    }
  }

  func traits(_ parser: DocumentParser) -> Document? {
    if openedRow == nil, !face.hasTraits { return nil }
    if row.traits.isEmpty { return nil }
    if parsedTraits == nil { parsedTraits = try? parser.parse(row.traits) }
    return parsedTraits
  }

  // MARK: what rules remember

  func state(of rule: Int64, _ reader: StoreReader) throws(StoreError) -> [UInt8] {
    if let known = states[rule] { return known }
    let json = isNew ? [] : try reader.value(RowKey(.state, subject, rule)) ?? []
    states[rule] = json
    return json
  }

  func setState(of rule: Int64, _ json: [UInt8]) { states[rule] = json }

  // MARK: what windows know

  /// Empty: nothing.
  func measure(_ group: Int64, _ reader: StoreReader) throws(StoreError) -> [UInt8] {
    if let known = measures[group] { return known }
    let packed = isNew ? [] : try reader.value(RowKey(.measure, subject, group)) ?? []
    measures[group] = packed
    return packed
  }

  func setMeasure(_ group: Int64, _ packed: [UInt8]) { measures[group] = packed }

  /// When the rule last ran for this key; nil: never.
  func lastRun(_ hash: Int64, _ reader: StoreReader) throws(StoreError) -> Instant? {
    for known in again where known.hash == hash { return known.time == 0 ? nil : Instant(milliseconds: known.time) }
    var found: Int64?
    visitAgain { known, time in if known == hash { found = time } }
    if found == nil {
      let packed = isNew ? nil : try reader.value(RowKey(.again, subject, hash))
      found = packed.flatMap(NumberRow.unpack) ?? 0
      again.append((hash, found ?? 0))
    }
    return found == 0 ? nil : found.map(Instant.init(milliseconds:))
  }

  func setLastRun(_ hash: Int64, _ time: Instant) {
    again.removeAll { $0.hash == hash }
    again.append((hash, time.milliseconds))
  }

  private func visitAgain(_ body: (Int64, Int64) -> Void) {
    bytes.withUnsafeBytes { raw in
      var reader = PackedReader(UnsafeRawBufferPointer(rebasing: raw[againPlace]))
      while !reader.atEnd {
        let hash = reader.signed()
        body(hash, reader.signed())
      }
    }
  }

  // MARK: what lives

  /// Its runs, in the order in which they began, and whether others wait for its events.
  struct Living {
    var runs: [RunRow] = []
    var hasWaiters = false
  }

  func living(_ reader: StoreReader) throws(StoreError) -> Living {
    if let living { return living }
    let found: Living
    if let livingPlace { found = SubjectCell.unpackLiving(bytes[livingPlace]) } else { found = try readLiving(reader) }
    living = found
    return found
  }

  private func readLiving(_ reader: StoreReader) throws(StoreError) -> Living {
    guard let packed = try reader.value(RowKey(.living, subject)), let row = LivingRow(packed) else { return Living() }
    var found = Living()
    found.hasWaiters = row.hasWaiters
    for number in row.runs {
      let run = try reader.value(RowKey(.run, number)).flatMap { RunRow(number: number, $0) }
      if run == nil { unreadable.append(number) }
      found.runs.append(run ?? RunRow.unreadable(number: number, subject: subject))
    }
    return found
  }

  /// Runs that were just found to be unreadable, each once.
  func takeUnreadable() -> [Int64] {
    defer { unreadable = [] }
    return unreadable
  }

  /// To be called with what `living` gave, changed.
  func setLiving(_ changed: Living) { living = changed }

  private static func unpackLiving(_ packed: ArraySlice<UInt8>) -> Living {
    PackedReader.read(Array(packed)) { reader in
      var living = Living()
      living.hasWaiters = reader.byte() == 1
      while !reader.atEnd {
        let number = reader.signed()
        if let run = RunRow(number: number, reader.counted()) { living.runs.append(run) }
      }
      return living
    }
  }

  private func packLiving(into writer: inout PackedWriter) {
    guard let living else {
      if let livingPlace { writer.counted(bytes[livingPlace]) }
      return
    }
    var packed = PackedWriter(capacity: 8 + living.runs.count * 128)
    if living.hasWaiters || !living.runs.isEmpty { packed.byte(living.hasWaiters ? 1 : 0) }
    for run in living.runs {
      packed.signed(run.number)
      packed.counted(run.packed)
    }
    writer.counted(packed.bytes)
  }

  // MARK: in the cache

  /// The cell as one stretch of bytes, for `SubjectCache`. `scratch` is only there to be used again.
  func pack(into writer: inout PackedWriter, _ scratch: inout PackedWriter) {
    let tellsMeasures = !measures.isEmpty
    writer.byte(
      (isNew ? 1 : 0) | (isUnwritten ? 2 : 0) | (living == nil && livingPlace == nil ? 0 : 4) | (tellsMeasures ? 8 : 0))
    writer.signed(chain)
    if let openedRow {
      writer.counted(openedRow.packed)
    } else {
      writer.counted(bytes[rowPlace])
    }
    scratch.bytes.removeAll(keepingCapacity: true)
    states.pack(into: &scratch)
    writer.counted(scratch.bytes[...])
    packLiving(into: &writer)
    if tellsMeasures {
      scratch.bytes.removeAll(keepingCapacity: true)
      measures.pack(into: &scratch)
      writer.counted(scratch.bytes[...])
    }
    visitAgain { hash, time in
      if !again.contains(where: { $0.hash == hash }) {
        writer.signed(hash)
        writer.signed(time)
      }
    }
    for (hash, time) in again {
      writer.signed(hash)
      writer.signed(time)
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
  /// What was set first; it is only looked at when something else is set as well.
  private var first: (json: [UInt8], rule: String)?
  private var count = 0

  /// A sentence when this replaces what another rule has just set.
  mutating func note(_ json: [UInt8], rule: String, _ parser: DocumentParser) -> String? {
    count += 1
    guard count > 1 else {
      first = (json, rule)
      return nil
    }
    if let first { _ = compare(first.json, rule: first.rule, parser) }
    first = nil
    return compare(json, rule: rule, parser)
  }

  private mutating func compare(_ json: [UInt8], rule: String, _ parser: DocumentParser) -> String? {
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
