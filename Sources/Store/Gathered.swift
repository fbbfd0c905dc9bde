// Events that a run gathers before it begins, and those it began with.
//
// Thread: values. Promise: what a run was begun with is the same list at every replay, however long it lives;
// a row grows with what a rule wants to see, and not with what has come.

package import Basics
package import Model

package struct Gathered: Sendable, Equatable {
  /// In a run's row.
  package static let flag = 4_096

  /// In the order of arrival. Empty where the rule only gets the newest one: then the row refers to that alone.
  package var numbers: [Int64]
  /// How many have come.
  package var count: Int
  /// How many begin the run at once; 0: as many as come.
  package var most: Int
  /// When it begins; nil: it has begun.
  package var until: Instant?

  package init(numbers: [Int64], count: Int, most: Int, until: Instant?) {
    self.numbers = numbers
    self.count = count
    self.most = most
    self.until = until
  }

  /// "3 of 10" or, where there is no most, "3".
  package var progress: String { most > 0 ? "\(count) of \(most)" : "\(count)" }

  func pack(since started: Instant, before event: Int64, into writer: inout PackedWriter) {
    writer.byte(until == nil ? 0 : 1)
    if let until { writer.signed(until - started) }
    writer.integer(count)
    writer.integer(most)
    writer.integer(numbers.count)
    var before = event
    for number in numbers {
      writer.signed(number &- before)
      before = number
    }
  }

  /// Nil: damaged.
  static func unpack(_ reader: inout PackedReader, since started: Instant, before event: Int64) -> Gathered? {
    let counts = 0...Int(Int32.max)
    let collects = reader.byte() == 1
    let until = collects ? started + reader.signed() : nil
    var gathered = Gathered(numbers: [], count: reader.integer(), most: reader.integer(), until: until)
    let kept = reader.integer()
    guard !reader.failed, counts.contains(gathered.count), counts.contains(gathered.most),
      (0...Limits.collectedEvents).contains(kept)
    else { return nil }
    var before = event
    for _ in 0..<kept {
      before &+= reader.signed()
      gathered.numbers.append(before)
    }
    return reader.failed ? nil : gathered
  }
}

extension RunRow {
  /// It has not begun: events join it.
  package var isCollecting: Bool { gathered?.until != nil }

  /// What it waits for, as people are told: a run that waits for silence has a timer that stands still while
  /// its end moves on.
  package var shownWait: Wait? {
    guard let until = gathered?.until else { return wait }
    var shown = wait
    shown?.until = until
    return shown
  }

  /// "collects 3 of 10"; nil: it does not.
  package var collecting: String? { isCollecting ? gathered.map { "collects " + $0.progress } : nil }

  /// The rule of a row that is not read as a whole.
  package static func rule(of packed: [UInt8]) -> Int64? {
    PackedReader.read(packed) { reader in
      guard (1...3).contains(reader.byte()) else { return nil }
      _ = reader.signed()
      let rule = reader.signed()
      return reader.failed ? nil : rule
    }
  }
}
