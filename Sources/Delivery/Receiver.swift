// One destination as the delivery loop sees it: what waits for it, what is under way, and how much it
// is trusted to take. Trust starts at one transfer at a time and doubles with each answer; after the
// first sign of overload it is halved and then grows by one each time that many were answered.
//
// Thread: part of the loop's value. Promise: never more under way than the destination's concurrency;
// first tries never wait for more than one retry each.

internal import Basics
internal import Model

struct Receiver: Sendable {
  enum Standing: Sendable { case unknown, answering, silent }

  /// Nil once it is not configured any more.
  var destination: Destination?
  /// What was not tried yet, and what is tried again.
  private(set) var first = Ring<Int>()
  private(set) var again = Ring<Int>()
  /// First tries taken since the last retry.
  private var firstsInARow = 0
  var held = 0
  var underWay = 0
  var isListed = false
  var isWatched = false
  var isFree = false
  /// When the loop looks at it again, because its breaker or its rate holds it back; and how often it
  /// stands among those that are looked at again.
  var resumesAt: Instant?
  var resumes = 0
  /// It stands among those that wait for a place to probe, and not in the round of turns.
  var waitsToProbe = false
  /// Since when something has been under way without a break.
  var busySince = Instant.zero
  var lastAnswer = Instant.zero
  private(set) var standing = Standing.unknown
  /// How many transfers it is trusted with; up to `threshold` it doubles, beyond it grows slowly.
  private var allowance = 1.0
  private var threshold = Double.infinity
  private var loweredAt = Instant.zero
  private var averageAnswerMicroseconds: Int64 = 0

  var breaker = Breaker()
  var pace = Pace()
  /// A person or the loop wants nothing sent to it.
  var isStopped = false
  /// Its first failure after the last success.
  var failingSince: Instant?
  /// That it fails was told to the outside.
  var failingIsTold = false

  init(_ destination: Destination) {
    self.destination = destination
    pace.set(destination.ratePerSecond)
  }

  mutating func configure(_ destination: Destination) {
    // A new address deserves a new judgement, but not a crowd at once.
    if destination.url != self.destination?.url {
      if standing == .answering { allowance = 1 }
      breaker.reset()
    }
    if destination.ratePerSecond != self.destination?.ratePerSecond { pace.set(destination.ratePerSecond) }
    self.destination = destination
  }

  // MARK: the two lanes

  var readyCount: Int { first.count + again.count }
  var hasReady: Bool { readyCount > 0 }

  mutating func append(_ entry: Int, isRetry: Bool) {
    if isRetry { again.append(entry) } else { first.append(entry) }
  }

  /// First tries before retries; of four starts one is a retry's, so that neither starves.
  mutating func popNext() -> (entry: Int, isRetry: Bool)? {
    let retryHasItsTurn = firstsInARow >= 3 || first.isEmpty
    if retryHasItsTurn, let entry = again.popFirst() {
      firstsInARow = 0
      return (entry, true)
    }
    guard let entry = first.popFirst() else { return nil }
    firstsInARow += 1
    return (entry, false)
  }

  mutating func putBack(_ next: (entry: Int, isRetry: Bool)) {
    if next.isRetry { again.putBack(next.entry) } else { first.putBack(next.entry) }
    if !next.isRetry { firstsInARow -= 1 }
  }

  /// What can wait longest: the newest retries, then the newest first tries.
  mutating func popLast() -> Int? { again.popLast() ?? first.popLast() }

  /// All of it, oldest first, for those who sort it anew.
  mutating func takeReady() -> [Int] {
    var out: [Int] = []
    out.reserveCapacity(readyCount)
    while let entry = first.popFirst() { out.append(entry) }
    while let entry = again.popFirst() { out.append(entry) }
    return out
  }

  // MARK: what is known of it

  /// Nothing in the loop refers to it.
  var isUnused: Bool { held == 0 && !isListed && !isWatched && !isFree && resumes == 0 }
  var isSilent: Bool { standing == .silent }
  /// Not known to answer.
  var isUnproven: Bool { standing != .answering }

  /// What the loop's sums depend on.
  struct Footing: Equatable {
    var isUnproven: Bool
    var isFirstProbe: Bool
    var isSilent: Bool
  }
  var footing: Footing {
    Footing(isUnproven: isUnproven, isFirstProbe: standing == .unknown && underWay > 0, isSilent: isSilent)
  }
  /// Whether its next transfer is a probe: those share a bounded part of all places.
  var probes: Bool { isUnproven && destination?.mode == .live }
  var mostUnderWay: Int { max(1, destination?.concurrency ?? 1) }
  /// How many transfers it is trusted with now.
  var trusted: Int { min(Int(allowance), mostUnderWay) }
  var mayStart: Bool { !isStopped && underWay < trusted }

  /// When its breaker or its rate lets something start; nil: now, or not before something else happens.
  mutating func waits(now: Instant) -> Instant? {
    let breakerOpens = breaker.lets(through: now) ? nil : breaker.probesAt
    return breakerOpens ?? pace.waits(now: now)
  }

  /// About how long what it has will take.
  var drainMilliseconds: Int64 {
    let byAnswers = Int64(held) * averageAnswerMicroseconds / Int64(mostUnderWay) / 1000
    guard let rate = destination?.ratePerSecond, rate > 0 else { return byAnswers }
    return max(byAnswers, Int64(min(Double(held) / rate * 1000, 1e15)))
  }
  /// Who is known to think for long is given longer before it counts as silent.
  var patienceMilliseconds: Int64 { max(2_000, averageAnswerMicroseconds / 500) }

  mutating func learn(from result: TransferResult, now: Instant) {
    switch result.outcome {
    case .delivered, .status:
      standing = .answering
      lastAnswer = now
      averageAnswerMicroseconds += (result.timings.total - averageAnswerMicroseconds) / 4
      let isBusy = [429, 502, 503, 504].contains(result.status)
      if isBusy {
        lower(result, now: now)
      } else if result.status < 500, breaker.state == .closed {
        raise()
      }
    case .reset: lower(result, now: now)
    case .timeout, .refused, .dns, .tls: suspect()
    case .blocked, .expired, .noDestination, .cancelled, .shadow, .heldOut, .other: break
    }
  }

  private mutating func raise() {
    let step = allowance < threshold ? allowance : 1 / allowance
    allowance = min(allowance + step, Double(mostUnderWay))
  }

  /// Halves it, once for all that was under way together.
  private mutating func lower(_ result: TransferResult, now: Instant) {
    guard result.started > loweredAt else { return }
    loweredAt = now
    allowance = max(1, (allowance / 2).rounded(.down))
    threshold = allowance
  }

  /// It begins anew with one transfer, and doubles only up to half of what it was trusted with before. One
  /// that never answered has nothing to be measured by.
  mutating func suspect() {
    if standing == .answering { threshold = max(4, (allowance / 2).rounded(.down)) }
    standing = .silent
    allowance = 1
  }

  /// What an outcome says about the receiver; a message that it does not take is the message's fault, and what was
  /// not sent says nothing.
  static func word(of result: TransferResult) -> Breaker.Word {
    switch result.outcome {
    case .delivered: .well
    case .expired, .noDestination, .cancelled, .shadow, .heldOut, .blocked: .nothing
    case .status: [400, 402, 409, 413, 415, 422].contains(result.status) ? .well : .failing
    default: .failing
    }
  }
}
