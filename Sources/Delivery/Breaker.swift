// The circuit breaker of one destination, and its pace. The breaker opens when half of the tries of the
// last minute failed; from then on one delivery at a time probes whether the receiver is back. The pace
// spaces starts so that no second has more of them than the destination allows.
//
// Thread: values, part of the loop's. Promise: no clock inside; while the breaker is open nothing is
// spent but its probes.

internal import Basics

struct Breaker: Sendable, Equatable {
  enum State: Sendable, Equatable {
    case closed
    case open(until: Instant)
    /// This delivery tells whether the receiver is back.
    case probing(Int64)
  }
  private struct Slot: Sendable, Equatable {
    var number: Int64 = -1
    var tries = 0
    var failures = 0
  }

  static let fewestTries = 20
  static let firstPauseMilliseconds: Int64 = 15_000
  static let longestPauseMilliseconds: Int64 = 300_000
  private static let slotMilliseconds: Int64 = 10_000
  private static let slotCount = 6

  private(set) var state = State.closed
  private var slots = [Slot](repeating: Slot(), count: Breaker.slotCount)
  private var pauseMilliseconds = Breaker.firstPauseMilliseconds

  /// When it lets a probe through; nil: it is closed, or one is under way.
  var probesAt: Instant? {
    if case .open(let until) = state { return until }
    return nil
  }

  func lets(through now: Instant) -> Bool {
    switch state {
    case .closed: true
    // A clock that was set back must not keep it open for longer than it ever is.
    case .open(let until): until <= now || until - now > Breaker.longestPauseMilliseconds
    case .probing: false
    }
  }

  mutating func started(_ delivery: Int64) {
    if case .open = state { state = .probing(delivery) }
  }

  /// What a try says about the receiver.
  enum Word: Sendable { case well, failing, nothing }

  enum Turn: Sendable { case none, opened, closed }

  mutating func note(_ delivery: Int64, _ word: Word, now: Instant) -> Turn {
    switch state {
    case .probing(delivery): return judgeProbe(word, now: now)
    // What was under way when it opened says nothing new.
    case .open, .probing: return .none
    case .closed:
      guard word != .nothing else { return .none }
      count(failed: word == .failing, now: now)
      guard word == .failing, isHalfLost(now: now) else { return .none }
      state = .open(until: now + pauseMilliseconds)
      return .opened
    }
  }

  private mutating func judgeProbe(_ word: Word, now: Instant) -> Turn {
    if word == .well {
      reset()
      return .closed
    }
    // One that never reached the receiver is no reason to trust it, and none to wait longer: the next one asks.
    if word == .failing { pauseMilliseconds = min(pauseMilliseconds * 2, Breaker.longestPauseMilliseconds) }
    state = .open(until: now + pauseMilliseconds)
    return .none
  }

  mutating func reset() { self = Breaker() }

  /// After a restart one that was failing begins with a probe.
  mutating func beginOpen(now: Instant) { state = .open(until: now) }

  private mutating func count(failed: Bool, now: Instant) {
    let number = now.milliseconds / Breaker.slotMilliseconds
    let place = Int(number % Int64(Breaker.slotCount))
    if slots[place].number != number { slots[place] = Slot(number: number) }
    slots[place].tries += 1
    if failed { slots[place].failures += 1 }
  }

  private func isHalfLost(now: Instant) -> Bool {
    let oldest = now.milliseconds / Breaker.slotMilliseconds - Int64(Breaker.slotCount) + 1
    var tries = 0
    var failures = 0
    for slot in slots where slot.number >= oldest {
      tries += slot.tries
      failures += slot.failures
    }
    return tries >= Breaker.fewestTries && failures * 2 >= tries
  }
}

struct Pace: Sendable {
  /// Microseconds between two starts; 0: none.
  private var interval: Double = 0
  /// When the next start is due, in microseconds.
  private var next: Double = 0
  /// Someone was told to wait for that moment.
  private var isWaitedFor = false

  /// So much of what was missed, because the loop looked late, is made up for. What was not asked for is not: after
  /// a rest the first second would have more starts than it may.
  private static let slackMicroseconds = 50_000.0

  mutating func set(_ perSecond: Double) { interval = perSecond > 0 ? 1_000_000 / perSecond : 0 }

  /// When the next may start; nil: at once. A clock that was set back does not make it wait for longer
  /// than it ever does.
  mutating func waits(now: Instant) -> Instant? {
    let moment = Double(now.milliseconds) * 1000
    if interval == 0 || next <= moment || next - moment > 2 * interval + Pace.slackMicroseconds { return nil }
    isWaitedFor = true
    return Instant(milliseconds: Int64((next / 1000).rounded(.up)))
  }

  /// `isAlone`: nothing else of the receiver is under way.
  mutating func started(now: Instant, isAlone: Bool) {
    guard interval > 0 else { return }
    let moment = Double(now.milliseconds) * 1000
    if next - moment > 2 * interval + Pace.slackMicroseconds { next = moment }
    let slack = isAlone && !isWaitedFor ? 0 : Pace.slackMicroseconds
    next = max(next, moment - slack) + interval
    isWaitedFor = false
  }
}
