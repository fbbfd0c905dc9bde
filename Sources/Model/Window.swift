// Windows: what a rule wants to know of the events of late, such as how many logins there were in a week.
//
// Thread: values. Promise: two windows that are told the same thing are the same, whichever rule asks; the packed
// form reads back as it was.

package import Basics

/// Which events a window looks at, and what it makes of them. Every part is known before any event comes.
package struct WindowDefinition: Sendable, Hashable {
  package enum Kind: UInt8, Sendable, CaseIterable {
    case count = 1
    case sum = 2
    case min = 3
    case max = 4
    case avg = 5
    case distinct = 6
    case first = 7
    case last = 8

    /// As rules write it.
    package var word: String {
      switch self {
      case .count: "count"
      case .sum: "sum"
      case .min: "min"
      case .max: "max"
      case .avg: "avg"
      case .distinct: "distinct"
      case .first: "first"
      case .last: "last"
      }
    }

    package init?(word: String) {
      guard let kind = Kind.allCases.first(where: { $0.word == word }) else { return nil }
      self = kind
    }

    /// Whether it is told which field to look at: it has to be, it must not be, or it may be.
    package var field: FieldUse { self == .count ? .none : self == .first || self == .last ? .optional : .required }
  }

  package enum FieldUse: Sendable { case none, optional, required }

  /// An event counts only if it has this value there.
  package struct Match: Sendable, Hashable {
    /// A path below the event's data.
    package var path: String
    /// JSON text of a text, a number or a boolean.
    package var value: [UInt8]

    package init(path: String, value: [UInt8]) {
      self.path = path
      self.value = value
    }
  }

  package var kind: Kind
  package var event: String
  /// A path below the event's data; nil: the event itself.
  package var field: String?
  package var windowMilliseconds: Int64
  package var match: Match?
  /// Whose events: "user", "account" or a kind of thing.
  package var per: String

  package init(
    _ kind: Kind, event: String, field: String? = nil, windowMilliseconds: Int64, match: Match? = nil,
    per: String = "user"
  ) {
    self.kind = kind
    self.event = event
    self.field = field
    self.windowMilliseconds = windowMilliseconds
    self.match = match
    self.per = per
  }

  /// How finely time is divided.
  package var bucketMilliseconds: Int64 {
    let buckets = Int64(Limits.windowBuckets)
    return Swift.max(1, (windowMilliseconds + buckets - 1) / buckets)
  }

  /// The bucket a moment falls into.
  package func bucket(_ time: Instant) -> Int64 { WindowDefinition.floor(time.milliseconds, bucketMilliseconds) }

  /// The oldest bucket that counts at a moment: the window ends with the moment, and a bucket that it cuts
  /// does not count.
  package func oldest(at now: Instant) -> Int64 {
    WindowDefinition.floor(now.milliseconds - windowMilliseconds, bucketMilliseconds) + 1
  }

  /// When a bucket does not count any more.
  package func end(of bucket: Int64) -> Instant {
    Instant(milliseconds: bucket * bucketMilliseconds + windowMilliseconds)
  }

  private static func floor(_ value: Int64, _ step: Int64) -> Int64 {
    value >= 0 ? value / step : -((-value + step - 1) / step)
  }

  /// As a rule writes it; for people.
  package var sentence: String {
    var parts = ["\"\(event)\""]
    if let field { parts.append("\"data.\(field)\"") }
    parts.append("\"\(DurationText.format(windowMilliseconds))\"")
    if let match { parts.append("{ match = { \(match.path) = \(String(decoding: match.value, as: UTF8.self)) } }") }
    return "\(kind.word)(\(parts.joined(separator: ", ")))"
  }

  package func pack(into writer: inout PackedWriter) {
    writer.byte(kind.rawValue)
    writer.counted(event)
    writer.byte((field == nil ? 0 : 1) | (match == nil ? 0 : 2))
    if let field { writer.counted(field) }
    writer.signed(windowMilliseconds)
    if let match {
      writer.counted(match.path)
      writer.counted(match.value)
    }
    writer.counted(per)
  }

  /// Nil: damaged.
  package init?(_ reader: inout PackedReader) {
    guard let kind = Kind(rawValue: reader.byte()) else { return nil }
    let event = reader.text()
    let flags = reader.byte()
    let field = flags & 1 == 0 ? nil : reader.text()
    let window = reader.signed()
    let match: Match?
    if flags & 2 == 0 {
      match = nil
    } else {
      let path = reader.text()
      match = Match(path: path, value: reader.counted())
    }
    let per = reader.text()
    guard !reader.failed, window > 0 else { return nil }
    self.init(kind, event: event, field: field, windowMilliseconds: window, match: match, per: per)
  }
}

/// A number as events carry it: whole as long as it can be, so that amounts of money stay exact.
package enum MeasuredNumber: Sendable, Equatable {
  case whole(Int64)
  case real(Double)

  package var double: Double {
    switch self {
    case .whole(let value): Double(value)
    case .real(let value): value
    }
  }

  package static func + (left: MeasuredNumber, right: MeasuredNumber) -> MeasuredNumber {
    if case .whole(let one) = left, case .whole(let other) = right {
      let (sum, overflow) = one.addingReportingOverflow(other)
      if !overflow { return .whole(sum) }
    }
    return .real(left.double + right.double)
  }

  package static func < (left: MeasuredNumber, right: MeasuredNumber) -> Bool {
    if case .whole(let one) = left, case .whole(let other) = right { return one < other }
    return left.double < right.double
  }
}

/// What a window answers.
package enum WindowValue: Sendable, Equatable {
  /// There is nothing to tell: no such event, or none that has the field.
  case nothing
  case number(MeasuredNumber)
  /// JSON text of a text, a number or a boolean.
  case json([UInt8])

  package func pack(into writer: inout PackedWriter) {
    switch self {
    case .nothing: writer.byte(0)
    case .number(.whole(let value)):
      writer.byte(1)
      writer.signed(value)
    case .number(.real(let value)):
      writer.byte(2)
      writer.fixed64(value.bitPattern)
    case .json(let text):
      writer.byte(3)
      writer.counted(text)
    }
  }

  /// What it takes besides its number.
  var weight: Int { if case .json(let text) = self { text.count } else { 0 } }

  /// Nil: damaged.
  package init?(_ reader: inout PackedReader) {
    switch reader.byte() {
    case 0: self = .nothing
    case 1: self = .number(.whole(reader.signed()))
    case 2: self = .number(.real(Double(bitPattern: reader.fixed64())))
    case 3: self = .json(reader.counted())
    default: return nil
    }
    if reader.failed { return nil }
  }
}
