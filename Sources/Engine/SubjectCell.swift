// A subject as its lane knows it: newest values, committed or not.
//
// Thread: the lane's that owns the subject. Promise: every change made here is also in the decisions
// of the same step; a cell never knows more than the record will.

internal import Basics
internal import Model
internal import Store

final class SubjectCell {
  let subject: Int64
  var row: SubjectRow
  /// The number of its newest event.
  var chain: Int64
  /// What rules remember, by rule number; loaded on first use. Empty bytes: nothing.
  private var states: [(rule: Int64, json: [UInt8])] = []
  /// When `again` last let a rule run, by hash; loaded on first use.
  private var again: [(hash: Int64, time: Int64)] = []
  /// A subject that was made just now has nothing in the store to look up.
  private let isNew: Bool
  private var parsedTraits: Document?
  /// The row is in no record yet.
  var isUnwritten = false

  init(subject: Int64, row: SubjectRow, chain: Int64, isNew: Bool) {
    self.subject = subject
    self.row = row
    self.chain = chain
    self.isNew = isNew
  }

  /// What rules see as `customer.id`.
  var customerID: String { row.names.first?.id ?? "" }

  func traits(_ parser: DocumentParser) -> Document? {
    if row.traits.isEmpty { return nil }
    if parsedTraits == nil { parsedTraits = try? parser.parse(row.traits) }
    return parsedTraits
  }

  func setTraits(_ traits: [UInt8]) {
    row.traits = traits
    parsedTraits = nil
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
