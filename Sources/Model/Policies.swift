// What holds a message back, whatever its rule wants: consent, quiet hours, caps, hold-outs.
//
// Thread: values. Promise: a policy never lets more through than it says; what it holds back has a reason.

package import Basics

package struct Policies: Sendable, Equatable {
  /// The part of a day in which nothing goes out, by the clock of the person it would reach.
  package struct QuietHours: Sendable, Equatable {
    /// Minutes after midnight; `to` may lie before `from`, which means over midnight.
    package var from: Int
    package var to: Int
    /// Whether what falls into it is dropped instead of held until its end.
    package var drops: Bool
    /// What was held goes out spread over so much time.
    package var spreadMilliseconds: Int64
    /// Empty: all.
    package var destinations: [String]

    package init(
      from: Int, to: Int, drops: Bool = false, spreadMilliseconds: Int64 = 0, destinations: [String] = []
    ) {
      self.from = from
      self.to = to
      self.drops = drops
      self.spreadMilliseconds = spreadMilliseconds
      self.destinations = destinations
    }
  }

  package enum Window: Sendable, Equatable {
    case rolling(milliseconds: Int64)
    /// By the person's calendar; a week begins on Monday.
    case day, week, month

    /// As people write it; nil when it is none of at most a year.
    package init?(_ text: String) {
      switch text {
      case "day": self = .day
      case "week": self = .week
      case "month": self = .month
      default:
        guard let milliseconds = DurationText.milliseconds(text), (1...366 * 86_400_000).contains(milliseconds) else {
          return nil
        }
        self = .rolling(milliseconds: milliseconds)
      }
    }

    package static let right =
      "a duration such as \"7 days\", of at most 366 days, or \"day\", \"week\" or \"month\" for those of the calendar"

    package var word: String {
      switch self {
      case .rolling(let milliseconds): DurationText.format(milliseconds)
      case .day: "day"
      case .week: "week"
      case .month: "month"
      }
    }

    /// No window of this kind is longer.
    package var longestMilliseconds: Int64 {
      switch self {
      case .rolling(let milliseconds): milliseconds
      case .day: 26 * 3_600_000
      case .week: 8 * 86_400_000
      case .month: 32 * 86_400_000
      }
    }
  }

  /// So many messages to one person in a window, and no more.
  package struct Cap: Sendable, Equatable {
    package var most: Int
    package var window: Window
    /// Nil: of any.
    package var topic: String?
    package var destination: String?

    package init(most: Int, window: Window, topic: String? = nil, destination: String? = nil) {
      self.most = most
      self.window = window
      self.topic = topic
      self.destination = destination
    }

    package func counts(_ sent: PolicyRecord.Sent) -> Bool {
      (topic == nil || topic == sent.topic) && (destination == nil || destination == sent.destination)
    }
  }

  package var quietHours: QuietHours?
  package var caps: [Cap] = []
  /// Topics that only those get who have agreed; the others go to all who have not withdrawn.
  package var optIn: Set<String> = []
  /// Of ten thousand people, how many get nothing from any rule, so that the rules can be judged.
  package var holdOut = 0

  package init() {}

  package var isEmpty: Bool { self == Policies() }
}

/// What is known of one subject, for policies: its consents, what was sent lately, what is held.
package struct PolicyRecord: Sendable, Equatable {
  package struct Consent: Sendable, Equatable {
    package var topic: String
    package var isGiven: Bool
    package var at: Instant

    package init(topic: String, isGiven: Bool, at: Instant) {
      self.topic = topic
      self.isGiven = isGiven
      self.at = at
    }
  }

  package struct Sent: Sendable, Equatable {
    package var at: Instant
    package var topic: String
    package var destination: String
    package var rule: Int64

    package init(at: Instant, topic: String, destination: String, rule: Int64) {
      self.at = at
      self.topic = topic
      self.destination = destination
      self.rule = rule
    }
  }

  /// A webhook that waits for the end of quiet hours.
  package struct Held: Sendable, Equatable {
    /// What its timer is told apart by.
    package var number: Int64
    package var due: Instant
    package var webhook: Webhook
    package var expires: Instant?
    /// Whose it is, so that it leaves under the id it would have had.
    package var rule: String
    package var ruleNumber: Int64
    package var event: Int64
    package var seed: Hash128
    package var run: Int64
    package var entry: Int
    package var isTest: Bool
    /// What it is about, should its rule not be there any more; "": nothing.
    package var topic: String

    package init(
      number: Int64, due: Instant, webhook: Webhook, expires: Instant?, rule: String, ruleNumber: Int64, event: Int64,
      seed: Hash128, run: Int64, entry: Int, isTest: Bool, topic: String = ""
    ) {
      self.number = number
      self.due = due
      self.webhook = webhook
      self.expires = expires
      self.rule = rule
      self.ruleNumber = ruleNumber
      self.event = event
      self.seed = seed
      self.run = run
      self.entry = entry
      self.isTest = isTest
      self.topic = topic
    }
  }

  /// The topic that stands for all of them.
  package static let everything = "*"

  package var consents: [Consent] = []
  package var sent: [Sent] = []
  package var held: [Held] = []
  /// It was there and is damaged.
  package private(set) var isUnreadable = false

  package init() {}

  /// What is said of nobody is no leave to write to them.
  package static var unreadable: PolicyRecord {
    var record = PolicyRecord()
    record.note(Consent(topic: everything, isGiven: false, at: .zero))
    record.isUnreadable = true
    return record
  }

  package var isEmpty: Bool { consents.isEmpty && sent.isEmpty && held.isEmpty }

  package func consent(to topic: String) -> Bool? { consents.first { $0.topic == topic }?.isGiven }

  package mutating func note(_ consent: Consent) {
    consents.removeAll { $0.topic == consent.topic }
    consents.append(consent)
  }
}

extension PolicyRecord {
  package var packed: [UInt8] {
    if isEmpty { return [] }
    var writer = PackedWriter(capacity: 64)
    writer.byte(2)
    writer.integer(consents.count)
    for consent in consents {
      writer.counted(consent.topic)
      writer.byte(consent.isGiven ? 1 : 0)
      writer.signed(consent.at.milliseconds)
    }
    writer.integer(sent.count)
    for one in sent {
      writer.signed(one.at.milliseconds)
      writer.counted(one.topic)
      writer.counted(one.destination)
      writer.signed(one.rule)
    }
    writer.integer(held.count)
    for one in held { PolicyRecord.pack(one, into: &writer) }
    return writer.bytes
  }

  private static func pack(_ held: Held, into writer: inout PackedWriter) {
    writer.signed(held.number)
    writer.signed(held.due.milliseconds)
    writer.counted(held.webhook.destination)
    writer.counted(held.webhook.type)
    writer.counted(held.webhook.data)
    writer.byte((held.expires == nil ? 0 : 1) | (held.isTest ? 2 : 0))
    if let expires = held.expires { writer.signed(expires.milliseconds) }
    writer.counted(held.rule)
    writer.signed(held.ruleNumber)
    writer.signed(held.event)
    writer.fixed64(held.seed.high)
    writer.fixed64(held.seed.low)
    writer.signed(held.run)
    writer.integer(held.entry)
    writer.counted(held.topic)
  }

  /// Nil: damaged.
  package init?(_ bytes: [UInt8]) {
    if bytes.isEmpty { return }
    let record: PolicyRecord? = PackedReader.read(bytes) { reader in
      let format = reader.byte()
      guard format == 1 || format == 2 else { return nil }
      var record = PolicyRecord()
      guard let consents = PolicyRecord.count(&reader) else { return nil }
      for _ in 0..<consents where !reader.failed {
        let topic = reader.text()
        let isGiven = reader.byte() == 1
        record.consents.append(
          Consent(topic: topic, isGiven: isGiven, at: Instant(milliseconds: reader.signed())))
      }
      guard let sent = PolicyRecord.count(&reader) else { return nil }
      for _ in 0..<sent where !reader.failed {
        let at = Instant(milliseconds: reader.signed())
        let topic = reader.text()
        let destination = reader.text()
        record.sent.append(Sent(at: at, topic: topic, destination: destination, rule: reader.signed()))
      }
      guard let held = PolicyRecord.count(&reader) else { return nil }
      for _ in 0..<held where !reader.failed { record.held.append(PolicyRecord.held(&reader, format)) }
      return reader.failed || reader.position != bytes.count ? nil : record
    }
    guard let record else { return nil }
    self = record
  }

  private static func count(_ reader: inout PackedReader) -> Int? {
    let count = reader.integer()
    return !reader.failed && (0...100_000).contains(count) ? count : nil
  }

  private static func held(_ reader: inout PackedReader, _ format: UInt8) -> Held {
    let number = reader.signed()
    let due = Instant(milliseconds: reader.signed())
    let destination = reader.text()
    let type = reader.text()
    let data = reader.counted()
    let flags = reader.byte()
    let expires = flags & 1 == 0 ? nil : Instant(milliseconds: reader.signed())
    let rule = reader.text()
    let ruleNumber = reader.signed()
    let event = reader.signed()
    let high = reader.fixed64()
    let seed = Hash128(high: high, low: reader.fixed64())
    let run = reader.signed()
    let entry = reader.integer()
    return Held(
      number: number, due: due, webhook: Webhook(destination: destination, type: type, data: data), expires: expires,
      rule: rule, ruleNumber: ruleNumber, event: event, seed: seed, run: run, entry: entry,
      isTest: flags & 2 != 0, topic: format == 1 ? "" : reader.text())
  }
}
