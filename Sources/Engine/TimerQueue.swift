// When runs wake: the next timers of a lane in memory, all others in the store.
//
// Thread: the lane's. Promise: a timer that was set fires once it is due, whether it was ever read from
// the store or not; memory holds a bounded number of those that lie ahead.

internal import Basics
internal import Model
internal import Store

struct Timer: Sendable, Equatable {
  var due: Instant
  var run: Int64
  var subject: Int64
}

struct TimerQueue {
  /// A heap: the earliest first, of the same moment the lowest run.
  private var heap: [Timer] = []
  /// Every timer before this row is in the heap.
  private var horizon = RowKey(.timer, Int64.min, Int64.min)
  private var readsOn = true
  /// Timers behind the horizon that may not be in the store yet, with the step that set them.
  private var young: [(timer: Timer, sequence: Int64)] = []

  var count: Int { heap.count }

  private static func isBefore(_ left: Timer, _ right: Timer) -> Bool {
    left.due != right.due ? left.due < right.due : left.run < right.run
  }

  /// `sequence` is the step that sets it, `durable` the last one that is on disk.
  mutating func set(_ timer: Timer, sequence: Int64, durable: Int64) {
    if !readsOn || timer.row < horizon {
      push(timer)
      if heap.count > 4 * Limits.timersInMemory { shed(sequence) }
    } else {
      young.append((timer, sequence))
      if young.count > Limits.timersInMemory, young[0].sequence <= durable {
        young.removeAll { $0.sequence <= durable }
      }
    }
  }

  /// Leaves the later half to the store. What of it may not be there yet is kept as young.
  private mutating func shed(_ sequence: Int64) {
    heap.sort(by: TimerQueue.isBefore)
    let rest = heap[(2 * Limits.timersInMemory)...]
    horizon = heap[2 * Limits.timersInMemory].row
    readsOn = true
    young.append(contentsOf: rest.map { ($0, sequence) })
    heap.removeLast(rest.count)
  }

  private mutating func push(_ timer: Timer) {
    heap.append(timer)
    var child = heap.count - 1
    while child > 0, TimerQueue.isBefore(heap[child], heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func pop() -> Timer {
    let first = heap[0]
    let last = heap.removeLast()
    if heap.isEmpty { return first }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [parent * 2 + 1, parent * 2 + 2]
      where child < heap.count && TimerQueue.isBefore(heap[child], heap[least]) { least = child }
      if least == parent { return first }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  /// The next timer that is due. `durable` is the step whose decisions are on disk.
  mutating func nextDue(
    _ now: Instant, _ reader: StoreReader, durable: Int64, isMine: (Int64) -> Bool
  ) throws(StoreError) -> Timer? {
    while true {
      if let first = heap.first, first.due <= now { return pop() }
      guard readsOn, horizon.first <= now.milliseconds else { return nil }
      try refill(reader, durable: durable, isMine)
    }
  }

  /// Gives up what was due by then: the timers in memory, the earliest first, and the rows that were never read.
  mutating func giveUp(through moment: Instant) -> (timers: [Timer], rows: (from: RowKey, to: RowKey)?) {
    var given: [Timer] = []
    while let first = heap.first, first.due <= moment { given.append(pop()) }
    let end = RowKey(.timer, moment.milliseconds + 1, .min)
    guard readsOn, horizon < end else { return (given, nil) }
    let rows = (from: horizon, to: end)
    horizon = end
    // They may not be in the store when its rows are looked at.
    given += young.lazy.map(\.timer).filter { $0.due <= moment }
    young.removeAll { $0.timer.due <= moment }
    return (given, rows)
  }

  /// When to look again.
  var wakeAt: Instant {
    let next = heap.first?.due ?? .distantFuture
    return readsOn ? min(next, Instant(milliseconds: horizon.first)) : next
  }

  private mutating func refill(
    _ reader: StoreReader, durable: Int64, _ isMine: (Int64) -> Bool
  ) throws(StoreError) {
    let limit = Limits.timersInMemory
    let rows = try reader.rows(from: horizon, to: RowKey(.timer, .max, .max), limit: limit)
    let start = horizon
    if rows.count < limit {
      readsOn = false
      horizon = RowKey(.timer, .max, .max)
    } else if let last = rows.last {
      horizon = RowKey(.timer, last.key.first, last.key.second + 1)
    }
    var seen: Set<Timer.Key> = []
    for row in rows where row.key >= start {
      guard let subject = row.value.flatMap(NumberRow.unpack), isMine(subject) else { continue }
      let timer = Timer(due: Instant(milliseconds: row.key.first), run: row.key.second, subject: subject)
      seen.insert(timer.key)
      push(timer)
    }
    takeYoung(durable, seen)
  }

  /// Those that the read could not see, and now belong to the heap.
  private mutating func takeYoung(_ durable: Int64, _ seen: Set<Timer.Key>) {
    var stays: [(timer: Timer, sequence: Int64)] = []
    for (timer, sequence) in young {
      if timer.row < horizon {
        if !seen.contains(timer.key) { push(timer) }
      } else if sequence > durable {
        stays.append((timer, sequence))
      }
    }
    young = stays
  }
}

extension Timer {
  struct Key: Hashable {
    var due: Int64
    var run: Int64
  }
  fileprivate var row: RowKey { RowKey(.timer, due.milliseconds, run) }
  fileprivate var key: Key { Key(due: due.milliseconds, run: run) }
}
