// Timers that are late, because nobody was there when they were due: they fire spread over time, each rule at
// its own pace, so that neither what comes in nor whoever gets webhooks is flooded.
//
// Thread: the lane's. Promise: every late timer fires, in the order in which its rule's timers were due; what
// is on time never waits for what is late; memory holds a bounded number of each rule's.

internal import Basics
internal import Model
internal import Store

struct LateTimers {
  /// Late timers of one rule.
  private struct Queue {
    var timers: [Timer] = []
    var first = 0
    var isTransactional = false
    /// In microseconds: when its next one may fire.
    var next: Int64 = 0
    /// The last of its rows that was taken into memory, and the first that found no room.
    var through = RowKey(.timer, .min, .min)
    var skipped: RowKey?

    var count: Int { timers.count - first }

    mutating func pop() -> Timer {
      defer {
        first += 1
        if first == timers.count || first >= 4_096 {
          timers.removeFirst(first)
          first = 0
        }
      }
      return timers[first]
    }
  }

  /// How far from each other two of one rule fire, and two of any, in microseconds.
  private let pace: Int64
  private let lanePace: Int64
  private var laneNext: Int64 = 0
  private var queues: [Int64: Queue] = [:]
  /// Whose turn it is, among rules of equal right.
  private var order: [Int64] = []
  /// Stretches of rows in the store that are late, and where the next look begins. A look begins anew for those
  /// that found no room.
  private var stretches: [(from: RowKey, to: RowKey)] = []
  private var place: (stretch: Int, row: RowKey)?
  /// Those of which nobody knows yet whose they are.
  private var fresh: [Timer] = []

  /// `perSecond`: of one rule in all lanes together.
  init(perSecond: Int, lanes: Int) {
    pace = 1_000_000 * Int64(lanes) / Int64(max(1, perSecond))
    lanePace = min(pace, 1_000_000 / Int64(Limits.lateTimersPerSecond))
  }

  private var isEmpty: Bool { order.isEmpty && place == nil && fresh.isEmpty }

  // MARK: taking

  /// Timers that were in memory already.
  mutating func add(_ timers: [Timer]) { fresh.append(contentsOf: timers) }

  /// Rows of the store that are late; each stretch lies behind those before it.
  mutating func add(from: RowKey, to: RowKey) {
    stretches.append((from, to))
    if place == nil { place = (stretches.count - 1, from) }
  }

  /// Looks at the next rows. `rule` tells whose a timer is.
  mutating func look(
    _ reader: StoreReader, isMine: (Int64) -> Bool,
    rule: (Timer) throws(StoreError) -> (number: Int64, isTransactional: Bool)
  ) throws(StoreError) {
    for timer in fresh.prefix(Limits.lateTimersPerLook) {
      let (number, isTransactional) = try rule(timer)
      take(timer, nil, number, isTransactional)
    }
    if !fresh.isEmpty { return fresh.removeFirst(min(fresh.count, Limits.lateTimersPerLook)) }
    lookAgain()
    guard let place else { return }
    let end = stretches[place.stretch].to
    let rows = try reader.rows(from: place.row, to: end, limit: Limits.lateTimersPerLook)
    for row in rows {
      guard let subject = row.value.flatMap(NumberRow.unpack), isMine(subject) else { continue }
      let timer = Timer(due: Instant(milliseconds: row.key.first), run: row.key.second, subject: subject)
      let (number, isTransactional) = try rule(timer)
      take(timer, row.key, number, isTransactional)
    }
    if rows.count == Limits.lateTimersPerLook, let last = rows.last {
      self.place = (place.stretch, RowKey(.timer, last.key.first, last.key.second + 1))
    } else if place.stretch + 1 < stretches.count {
      self.place = (place.stretch + 1, stretches[place.stretch + 1].from)
    } else {
      self.place = nil
      if !queues.values.contains(where: { $0.skipped != nil }) { stretches = [] }
    }
  }

  private mutating func take(_ timer: Timer, _ row: RowKey?, _ rule: Int64, _ isTransactional: Bool) {
    if queues[rule] == nil { order.append(rule) }
    var queue = queues.removeValue(forKey: rule) ?? Queue()
    defer { queues[rule] = queue }
    queue.isTransactional = isTransactional
    guard let row else { return queue.timers.append(timer) }
    // It was taken by a look before this one.
    if row <= queue.through { return }
    guard queue.count < Limits.lateTimersPerRule, queue.skipped == nil else {
      queue.skipped = queue.skipped ?? row
      return
    }
    queue.timers.append(timer)
    queue.through = row
  }

  /// When a rule runs out of timers in memory and there are more of it, the rows are looked through once more.
  private mutating func lookAgain() {
    guard place == nil, queues.values.contains(where: { $0.skipped != nil && $0.count == 0 }) else { return }
    var from: RowKey?
    for rule in order {
      guard let skipped = queues[rule]?.skipped else { continue }
      from = from.map { min($0, skipped) } ?? skipped
      queues[rule]?.skipped = nil
    }
    guard let from, let stretch = stretches.firstIndex(where: { from < $0.to }) else { return }
    place = (stretch, max(from, stretches[stretch].from))
  }

  // MARK: firing

  /// The next one that may fire: of a transactional rule before all others, and of each rule in its turn.
  mutating func next(_ now: Instant) -> Timer? {
    let moment = now.milliseconds * 1_000
    guard laneNext <= moment else { return nil }
    guard
      let turn = order.firstIndex(where: { isReady($0, moment, isTransactional: true) })
        ?? order.firstIndex(where: { isReady($0, moment, isTransactional: false) })
    else { return nil }
    let rule = order.remove(at: turn)
    order.append(rule)
    laneNext = LateTimers.following(laneNext, moment, lanePace)
    guard var queue = queues.removeValue(forKey: rule) else { return nil }
    queue.next = LateTimers.following(queue.next, moment, pace)
    let timer = queue.pop()
    queues[rule] = queue
    return timer
  }

  private func isReady(_ rule: Int64, _ moment: Int64, isTransactional: Bool) -> Bool {
    guard let queue = queues[rule] else { return false }
    return queue.count > 0 && queue.isTransactional == isTransactional && queue.next <= moment
  }

  /// What a step that came late has missed is made up for, but no more than a second of it.
  private static func following(_ next: Int64, _ moment: Int64, _ pace: Int64) -> Int64 {
    (next == 0 ? moment : max(next, moment - 1_000_000)) + pace
  }

  /// Forgets rules of which nothing is left: whoever comes back after a pause has nothing to make up for.
  mutating func tidy(_ now: Instant) {
    if isEmpty { return }
    let moment = now.milliseconds * 1_000
    guard place == nil, fresh.isEmpty, !queues.values.contains(where: { $0.skipped != nil }) else { return }
    let over = order.filter { isOver($0, moment) }
    if over.isEmpty { return }
    for rule in over { queues[rule] = nil }
    order.removeAll { queues[$0] == nil }
    guard order.isEmpty else { return }
    stretches = []
    laneNext = 0
  }

  private func isOver(_ rule: Int64, _ moment: Int64) -> Bool {
    guard let queue = queues[rule] else { return true }
    return queue.count == 0 && queue.skipped == nil && queue.next <= moment
  }

  /// When there is something to do.
  func wakeAt(_ now: Instant) -> Instant {
    // What comes in has its turn between two looks.
    if place != nil || !fresh.isEmpty { return now + 1 }
    var next = Int64.max
    for queue in queues.values {
      if queue.count > 0 {
        next = min(next, queue.next)
      } else if queue.skipped != nil {
        return now + 1
      }
    }
    if next == .max { return .distantFuture }
    return Instant(milliseconds: (max(next, laneNext) + 999) / 1_000)
  }
}
