// What a lane counts, and what it reports about a publish; read by other threads.
//
// Thread: written by the lane, read anywhere. Promise: counts only grow.

package import Basics
internal import Model
package import Rules
internal import Synchronization

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
  /// By how many milliseconds the latest timer was late.
  package let timerLateness = Counter()

  private struct Publish {
    var book: RuleBook?
    var complaint: RuleComplaint?
    var count = 0
  }
  private let publish = Mutex(Publish())

  package init() {}

  private let living = Mutex<[Int64: Int64]>([:])
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

  func noteBook(_ book: RuleBook) {
    publish.withLock {
      $0.book = book
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
