// What the door has done since the start, for /metrics and for the watchdog.
//
// Thread: written by intake once a round, read from any. Promise: each number only grows, but for
// `open`; they are read one by one, so two of them may be a round apart.

internal import Synchronization

package final class IntakeCounters: Sendable {
  /// One round's view of the numbers, kept by the loop as plain integers.
  package struct Values: Sendable, Equatable {
    package var open = 0
    package var accepted = 0
    package var refusedConnections = 0
    package var requests = 0
    package var refusedRequests = 0
    package var answers = 0
    package var lateAnswers = 0
    package var timeouts = 0
    package var bytesIn = 0
    package var bytesOut = 0
  }

  private let open = Atomic(0)
  private let accepted = Atomic(0)
  private let refusedConnections = Atomic(0)
  private let requests = Atomic(0)
  private let refusedRequests = Atomic(0)
  private let answers = Atomic(0)
  private let lateAnswers = Atomic(0)
  private let timeouts = Atomic(0)
  private let bytesIn = Atomic(0)
  private let bytesOut = Atomic(0)
  private let roundsTurned = Atomic(0)

  package init() {}

  /// Grows with every round of the loop, at least once a second also when nothing happens.
  package var rounds: Int { roundsTurned.load(ordering: .relaxed) }

  package var values: Values {
    var now = Values()
    now.open = open.load(ordering: .relaxed)
    now.accepted = accepted.load(ordering: .relaxed)
    now.refusedConnections = refusedConnections.load(ordering: .relaxed)
    now.requests = requests.load(ordering: .relaxed)
    now.refusedRequests = refusedRequests.load(ordering: .relaxed)
    now.answers = answers.load(ordering: .relaxed)
    now.lateAnswers = lateAnswers.load(ordering: .relaxed)
    now.timeouts = timeouts.load(ordering: .relaxed)
    now.bytesIn = bytesIn.load(ordering: .relaxed)
    now.bytesOut = bytesOut.load(ordering: .relaxed)
    return now
  }

  func publish(_ now: Values) {
    open.store(now.open, ordering: .relaxed)
    accepted.store(now.accepted, ordering: .relaxed)
    refusedConnections.store(now.refusedConnections, ordering: .relaxed)
    requests.store(now.requests, ordering: .relaxed)
    refusedRequests.store(now.refusedRequests, ordering: .relaxed)
    answers.store(now.answers, ordering: .relaxed)
    lateAnswers.store(now.lateAnswers, ordering: .relaxed)
    timeouts.store(now.timeouts, ordering: .relaxed)
    bytesIn.store(now.bytesIn, ordering: .relaxed)
    bytesOut.store(now.bytesOut, ordering: .relaxed)
    // A single writer: a load and a store are enough, and cheaper than an addition under lock.
    roundsTurned.store(roundsTurned.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
  }
}
