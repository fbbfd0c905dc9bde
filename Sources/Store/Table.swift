// The look-up tables: rows that are found again by a key of two integers and hold packed bytes. What
// an engine has to know about them is here; what the bytes mean is in Rows.swift.
//
// Thread: values. Promise: the numbers of the tables are stored and never change their meaning.

package enum Table: UInt8, Sendable, CaseIterable, Hashable {
  /// Who a subject is: (subject, 0).
  case subject = 1
  /// What a rule remembers about a subject: (subject, rule).
  case state = 2
  /// External id to subject: the two halves of the keyed hash of "namespace:id".
  case identity = 3
  /// The number of a subject's newest event: (subject, 0).
  case chain = 4
  /// Deliveries that are not settled: (delivery, 0).
  case openDelivery = 5
  /// When they were due, in stores of older versions: (milliseconds, delivery). Not written any more.
  case due = 6
  /// Messages between lanes that are not taken yet: (event, position).
  case message = 7
  /// When a rule last ran for a key of a subject: (subject, hash of rule and key).
  case again = 8
  /// Numbers of rules by path: (number, 0).
  case rule = 9
  /// Highest numbers given out: (what, lane); see Counted.
  case counter = 10
  /// Runs that live: (run, 0).
  case run = 11
  /// What lives of a subject: its runs, and whether runs of others wait for its events: (subject, 0).
  case living = 12
  /// When runs wake by themselves: (milliseconds, run).
  case timer = 13
  /// Runs of others that wait for a subject's events: (subject, run).
  case waiter = 14
  /// What a version of a rule consists of: (version, 0).
  case version = 15
  /// Texts of rules and libraries, by the two halves of their hash.
  case source = 16
  /// Rules that were paused by hand or by a limit: (rule, 0).
  case pause = 17
  /// What is remembered of a destination: (number, 0).
  case destination = 18
  /// Deliveries that are sent once more, as a job that goes on after a restart: (replay, 0).
  case replay = 19
  /// What windows, absences and segments know of a subject: (subject, group). The windows of one event are a group, by
  /// a number above 0; an absence or a segment is one by itself, by the number of its definition, negative.
  case measure = 20
  /// What a window, an absence or a segment is: (definition, 0).
  case definition = 21
  /// How far each lane has come with looking back for a definition: (definition, lane).
  case progress = 22
  /// How many subjects of each lane are in a segment: (definition, lane).
  case tally = 23
  /// Which arm of a rule a subject is in, and what became of it: (subject, rule).
  case exposure = 24
  /// How many each lane has in the arms of a rule: (rule, lane).
  case arms = 25
  /// The newest version of a calendar file: (id_high, id_low).
  case calendar = 26

  /// The names an operator sees in the file: of the table and of its two key columns.
  package var names: (table: String, first: String, second: String) {
    switch self {
    case .subject: ("subject", "subject", "unused")
    case .state: ("state", "subject", "rule")
    case .identity: ("identity", "hash_high", "hash_low")
    case .chain: ("chain", "subject", "unused")
    case .openDelivery: ("open_delivery", "delivery", "unused")
    case .due: ("due", "due", "delivery")
    case .message: ("message", "event", "position")
    case .again: ("again", "subject", "key_hash")
    case .rule: ("rule", "rule", "unused")
    case .counter: ("counter", "what", "lane")
    case .run: ("run", "run", "unused")
    case .living: ("living", "subject", "unused")
    case .timer: ("timer", "due", "run")
    case .waiter: ("waiter", "subject", "run")
    case .version: ("version", "version", "unused")
    case .source: ("source", "hash_high", "hash_low")
    case .pause: ("pause", "rule", "unused")
    case .destination: ("destination", "destination", "unused")
    case .replay: ("replay", "replay", "unused")
    case .measure: ("measure", "subject", "kept")
    case .definition: ("definition", "definition", "unused")
    case .progress: ("progress", "definition", "lane")
    case .tally: ("tally", "definition", "lane")
    case .exposure: ("exposure", "subject", "rule")
    case .arms: ("arms", "rule", "lane")
    case .calendar: ("calendar", "id_high", "id_low")
    }
  }
}

/// What the counter table counts.
package enum Counted {
  /// Subjects. Each lane keeps its own row, so that none can lower what another wrote.
  package static let subjects: Int64 = 1
  /// Runs, likewise.
  package static let runs: Int64 = 2
  /// Runs of one version that live and belong to the lane: the version's number, negative.
  package static func living(_ version: Int64) -> Int64 { -version }
}

package struct RowKey: Sendable, Hashable, Comparable {
  package var table: Table
  package var first: Int64
  package var second: Int64

  package init(_ table: Table, _ first: Int64, _ second: Int64 = 0) {
    self.table = table
    self.first = first
    self.second = second
  }

  /// The next key of the same table, if there can be one.
  var successor: RowKey? {
    if second < .max { return RowKey(table, first, second + 1) }
    return first < .max ? RowKey(table, first + 1, .min) : nil
  }

  package static func < (left: RowKey, right: RowKey) -> Bool {
    if left.table != right.table { return left.table.rawValue < right.table.rawValue }
    return left.first != right.first ? left.first < right.first : left.second < right.second
  }

  // One word goes into the hasher: the mix below spreads dense keys, and it halves the cost.
  package func hash(into hasher: inout Hasher) {
    let mixed = UInt64(bitPattern: first) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(bitPattern: second) &* 0xC2B2_AE3D_27D4_EB4F
    hasher.combine(mixed &+ UInt64(table.rawValue))
  }
}

/// A new absolute value of a row, or its end.
package struct Change: Sendable, Equatable {
  package var key: RowKey
  package var value: [UInt8]?

  package init(_ key: RowKey, _ value: [UInt8]?) {
    self.key = key
    self.value = value
  }
}

/// A row as it is read or swept.
package struct Row: Sendable, Equatable {
  package var key: RowKey
  package var record: Int64
  /// Nil is a tombstone; a reader never returns one.
  package var value: [UInt8]?

  package init(key: RowKey, record: Int64, value: [UInt8]?) {
    self.key = key
    self.record = record
    self.value = value
  }
}
