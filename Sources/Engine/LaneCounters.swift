// What a lane counts, and what it reports about a publish; read by other threads.
//
// Thread: written by the lane, read anywhere. Promise: counts only grow.

package import Basics
internal import Model
package import Rules

package final class LaneCounters: Sendable {
  package let events = Counter()
  package let ran = Counter()
  package let failed = Counter()
  package let notMatched = Counter()
  package let steps = Counter()
  package let repeats = Counter()
  package let endedRuns = Counter()
  package let parkedRuns = Counter()
  package let timers = Counter()
  /// Timers by how late they were: up to each of the bounds, and beyond the last.
  package static let latenessBoundsMilliseconds: [Int64] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 60_000]
  package let lateness: [Counter] = (0...latenessBoundsMilliseconds.count).map { _ in Counter() }

  func noteTimer(lateMilliseconds: Int64) {
    timers.add(1)
    let bounds = LaneCounters.latenessBoundsMilliseconds
    lateness[bounds.firstIndex { lateMilliseconds <= $0 } ?? bounds.count].add(1)
  }

  private struct Publish {
    var complaint: RuleComplaint?
    var count = 0
  }
  private let publish = Guarded(Publish())

  package init() {}

  private let living = Guarded<[Int64: Int64]>([:])
  /// Runs that live, by version.
  package var livingRuns: [Int64: Int64] { living.withLock { $0 } }
  func setLiving(_ version: Int64, _ count: Int64) { living.withLock { $0[version] = count } }

  func note(_ code: VerdictCode) {
    switch code {
    case .ran: ran.add(1)
    case .failed, .overBudget: failed.add(1)
    case .notMatched: notMatched.add(1)
    default: break
    }
  }

  func noteBook() {
    publish.withLock {
      $0.complaint = nil
      $0.count += 1
    }
  }

  func noteRefusedBook(_ complaint: RuleComplaint) {
    publish.withLock {
      $0.complaint = complaint
      $0.count += 1
    }
  }

  /// How many publishes were taken or refused, and the last refusal if the last one was refused.
  package var published: (count: Int, complaint: RuleComplaint?) { publish.withLock { ($0.count, $0.complaint) } }
}
