// One destination as the delivery loop sees it: what waits for it, what is under way, and how much it
// is trusted to take. Trust starts at one transfer at a time and doubles with each answer.
//
// Thread: part of the loop's value. Promise: never more under way than the destination's concurrency.

internal import Basics
internal import Model

struct Receiver: Sendable {
  enum Standing: Sendable { case unknown, answering, silent }

  /// Nil once it is not configured any more.
  var destination: Destination?
  var ready = Ring<Int>()
  var held = 0
  var underWay = 0
  var isListed = false
  var isWatched = false
  var isFree = false
  /// It stands among those that wait for a place to probe, and not in the round of turns.
  var waitsToProbe = false
  /// Since when something has been under way without a break.
  var busySince = Instant.zero
  var lastAnswer = Instant.zero
  private(set) var standing = Standing.unknown
  private var allowance = 1
  private var averageAnswerMicroseconds: Int64 = 0

  init(_ destination: Destination) { self.destination = destination }

  mutating func configure(_ destination: Destination) {
    // A new address deserves a new judgement, but not a crowd at once.
    if destination.url != self.destination?.url, standing == .answering { allowance = 1 }
    self.destination = destination
  }

  /// Nothing in the loop refers to it.
  var isUnused: Bool { held == 0 && !isListed && !isWatched && !isFree }
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
  var mayStart: Bool { underWay < min(allowance, max(1, destination?.concurrency ?? 1)) }
  /// About how long what it has will take.
  var drainMilliseconds: Int64 {
    Int64(held) * averageAnswerMicroseconds / Int64(max(1, destination?.concurrency ?? 1)) / 1000
  }
  /// Who is known to think for long is given longer before it counts as silent.
  var patienceMilliseconds: Int64 { max(2_000, averageAnswerMicroseconds / 500) }

  mutating func learn(from result: TransferResult, now: Instant) {
    switch result.outcome {
    case .delivered, .status:
      standing = .answering
      lastAnswer = now
      averageAnswerMicroseconds += (result.timings.total - averageAnswerMicroseconds) / 4
      let isBusy = result.status == 429 || result.status == 503
      allowance = isBusy ? max(1, allowance / 2) : min(allowance * 2, max(1, destination?.concurrency ?? 1))
    case .reset: allowance = max(1, allowance / 2)
    case .timeout, .refused, .dns, .tls:
      standing = .silent
      allowance = 1
    case .blocked, .expired, .noDestination, .other: break
    }
  }

  mutating func suspect() {
    standing = .silent
    allowance = 1
  }
}
