// What begins a rule besides an event from outside: that something did not happen, or that a subject has come into a
// segment or left it. Each is told by an event of our own, so that a run, a verdict and "why?" have one to point to.
//
// Thread: values. Promise: an own event of this kind is meant for the rules that asked for it, and no outsider can
// send one.

package import Basics

package struct AbsenceDefinition: Sendable, Hashable {
  /// The path of the rule that asks.
  package var rule: String
  package var event: String
  package var lastingMilliseconds: Int64
  package var match: WindowDefinition.Match?
  package var per: String

  package init(
    rule: String, event: String, lastingMilliseconds: Int64, match: WindowDefinition.Match? = nil, per: String
  ) {
    self.rule = rule
    self.event = event
    self.lastingMilliseconds = lastingMilliseconds
    self.match = match
    self.per = per
  }

  package func pack(into writer: inout PackedWriter) {
    writer.counted(rule)
    writer.counted(event)
    writer.signed(lastingMilliseconds)
    writer.byte(match == nil ? 0 : 1)
    if let match {
      writer.counted(match.path)
      writer.counted(match.value)
    }
    writer.counted(per)
  }

  /// Nil: damaged.
  package init?(_ reader: inout PackedReader) {
    let rule = reader.text()
    let event = reader.text()
    let lasting = reader.signed()
    var match: WindowDefinition.Match?
    if reader.byte() == 1 {
      let path = reader.text()
      match = WindowDefinition.Match(path: path, value: reader.counted())
    }
    let per = reader.text()
    guard !reader.failed, lasting > 0 else { return nil }
    self.init(rule: rule, event: event, lastingMilliseconds: lasting, match: match, per: per)
  }
}

/// A segment as it was written at one time: another text is another segment under the same name.
package struct SegmentDefinition: Sendable, Hashable {
  /// Without the folder: "at_risk".
  package var name: String
  package var hash: Hash128
  package var per: String

  package init(name: String, hash: Hash128, per: String) {
    self.name = name
    self.hash = hash
    self.per = per
  }

  package func pack(into writer: inout PackedWriter) {
    writer.counted(name)
    writer.fixed64(hash.high)
    writer.fixed64(hash.low)
    writer.counted(per)
  }

  /// Nil: damaged.
  package init?(_ reader: inout PackedReader) {
    let name = reader.text()
    let high = reader.fixed64()
    let hash = Hash128(high: high, low: reader.fixed64())
    let per = reader.text()
    guard !reader.failed else { return nil }
    self.init(name: name, hash: hash, per: per)
  }
}

/// What is remembered of one silence.
package struct AbsenceRecord: Sendable, Equatable {
  /// When the event came last; before that, when the silence began to count.
  package var last: Instant
  /// When it is to be looked at again; nil: it was told, and nothing is expected before the next event.
  package var due: Instant?

  package init(last: Instant, due: Instant?) {
    self.last = last
    self.due = due
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 20)
    writer.byte(1)
    writer.signed(last.milliseconds)
    writer.signed(due.map { $0 - last } ?? -1)
    return writer.bytes
  }

  /// Nil: damaged.
  package init?(_ bytes: [UInt8]) {
    let found: AbsenceRecord? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      let last = Instant(milliseconds: reader.signed())
      let distance = reader.signed()
      return reader.failed ? nil : AbsenceRecord(last: last, due: distance == -1 ? nil : last + distance)
    }
    guard let found else { return nil }
    self = found
  }
}

/// Whether a subject is in a segment.
package struct SegmentRecord: Sendable, Equatable {
  package var isInside: Bool
  /// Since when it is, or is not.
  package var since: Instant
  /// When it is to be looked at again although nothing happened.
  package var due: Instant?

  package init(isInside: Bool, since: Instant, due: Instant? = nil) {
    self.isInside = isInside
    self.since = since
    self.due = due
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 20)
    writer.byte((isInside ? 3 : 1) | (due == nil ? 0 : 4))
    writer.signed(since.milliseconds)
    if let due { writer.signed(due - since) }
    return writer.bytes
  }

  /// Nil: damaged.
  package init?(_ bytes: [UInt8]) {
    let found: SegmentRecord? = PackedReader.read(bytes) { reader in
      let flags = reader.byte()
      guard flags & 1 == 1 else { return nil }
      let since = Instant(milliseconds: reader.signed())
      let due = flags & 4 == 0 ? nil : since + reader.signed()
      return reader.failed ? nil : SegmentRecord(isInside: flags & 2 != 0, since: since, due: due)
    }
    guard let found else { return nil }
    self = found
  }
}

/// How the rules that an own event is meant for are found.
package enum Occasion: Sendable, Equatable {
  case absence(event: String, lastingMilliseconds: Int64, match: WindowDefinition.Match?)
  case enters(segment: String)
  case leaves(segment: String)
  case every(ScheduleOccasion)

  package static let absent = "nudged.absence"
  package static let entered = "nudged.segment.entered"
  package static let left = "nudged.segment.left"
  package static let scheduled = "nudged.schedule"

  /// Under which name a rule with this occasion is kept.
  package func key(rule: String) -> String {
    switch self {
    case .absence: Occasion.absent + " " + rule
    case .enters(let segment): Occasion.entered + " " + segment
    case .leaves(let segment): Occasion.left + " " + segment
    case .every: Occasion.scheduled + " " + rule
    }
  }

  /// Under which name the rules are kept that an event is meant for; nil: it is an event like all others.
  package static func key(of event: Event) -> String? {
    guard event.source == "nudged", event.name.utf8.first == UInt8(ascii: "n") else { return nil }
    let field: String
    switch event.name {
    case absent, scheduled: field = "rule"
    case entered, left: field = "segment"
    default: return nil
    }
    return event.dataCursor?[name: field]?.string.map { event.name + " " + $0 }
  }

  /// As a rule writes it, for lists.
  package var sentence: String {
    switch self {
    case .absence(let event, let lasting, let match):
      "absence of \(event) for \(DurationText.format(lasting))"
        + (match.map { " with \($0.path) = \(String(decoding: $0.value, as: UTF8.self))" } ?? "")
    case .enters(let segment): "enters \(segment)"
    case .leaves(let segment): "leaves \(segment)"
    case .every(let schedule):
      "every \(schedule.text)" + (schedule.forEach.map { " for each \($0)" } ?? "")
        + (schedule.segment.map { " in \($0)" } ?? "")
    }
  }

  /// What stands in the data of the event that it begins with.
  package var fields: [String] {
    switch self {
    case .absence: ["rule", "event", "since", "lasting"]
    case .enters, .leaves: ["segment", "since"]
    case .every: ["rule", "due"]
    }
  }

  /// The own event that it begins with.
  package var eventName: String {
    switch self {
    case .absence: Occasion.absent
    case .enters: Occasion.entered
    case .leaves: Occasion.left
    case .every: Occasion.scheduled
    }
  }
}

/// What stands in every(…).
package struct ScheduleOccasion: Sendable, Equatable {
  package var text: String
  package var forEach: String?
  package var segment: String?
  package var ratePerSecond: Int

  package init(text: String, forEach: String?, segment: String?, ratePerSecond: Int) {
    self.text = text
    self.forEach = forEach
    self.segment = segment
    self.ratePerSecond = ratePerSecond
  }
}
