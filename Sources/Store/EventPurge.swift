// Which old events may go: all but those that a living run refers to. They are looked for in the runs, a
// few at a time, and set aside before the range they stand in is deleted.
//
// Thread: the store thread. Promise: an event that a living run refers to is always found; one that no run
// refers to any more goes with the next round.

internal import Basics
internal import Model

/// A round of purging: first all runs are looked through, then the events go.
struct EventPurge {
  /// Events up to this one are old enough to go,
  let bound: Int64
  /// because they were received before this.
  let before: Instant
  private var cursor: Int64 = 0
  private var kept: Set<Int64> = []
  private(set) var isComplete = false

  init(bound: Int64, before: Instant) {
    self.bound = bound
    self.before = before
  }

  /// The referred events, once every run was looked at.
  var found: [Int64] { kept.sorted() }

  /// Looks at the next runs.
  mutating func scan(_ reader: StoreReader, limit: Int) throws(StoreError) {
    let rows = try reader.rows(from: RowKey(.run, cursor + 1), to: RowKey(.run, .max), limit: limit)
    for row in rows {
      cursor = row.key.first
      if let run = row.value.flatMap({ RunRow(number: row.key.first, $0) }) { note(run) }
    }
    isComplete = rows.count < limit
  }

  private mutating func note(_ run: RunRow) {
    keep(run.event)
    for heard in run.heard { keep(heard.number) }
    for number in run.gathered?.numbers ?? [] { keep(number) }
    for part in run.journal.parts {
      if case .event(let number) = part.trigger { keep(number) }
      for entry in part.entries { if let number = entry.settledBy { keep(number) } }
    }
  }

  private mutating func keep(_ number: Int64) { if number > 0, number <= bound { kept.insert(number) } }

  /// The newest event that was received before `time`; numbers and times grow together.
  static func bound(before time: Instant, _ reader: any EngineReader) throws(StoreError) -> Int64 {
    guard let newest = try reader.events(before: .max, limit: 1).first else { return 0 }
    if newest.received < time { return newest.number }
    var low: Int64 = 0
    var high = newest.number
    while high - low > 1 {
      let middle = low + (high - low) / 2
      let at = try reader.events(before: middle + 1, limit: 1).first
      if at.map({ $0.received < time }) ?? true { low = middle } else { high = middle }
    }
    return low
  }
}
