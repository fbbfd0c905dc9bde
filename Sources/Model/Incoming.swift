// What intake hands to the engine, and how the answer finds its way back: an event with its ticket.
//
// Thread: made by intake, passed along by the lanes, completed by the store thread. Promise: a ticket
// is answered exactly once, when the last of its events is durable.

package import Basics
internal import Synchronization

/// One request that waits for its events to be durable.
package final class Ticket: Sendable {
  /// The request that waits; Intake's own numbers.
  package let request: (UInt64, UInt32)
  /// How many events were taken, and how many of them had been seen before.
  package let accepted: Int
  /// What to answer beyond the counts: the per-item refusals, as a JSON array; empty for none.
  package let refusals: [UInt8]
  private let remaining: Atomic<Int>
  private let duplicates: Atomic<Int>

  package init(request: (UInt64, UInt32), accepted: Int, refusals: [UInt8]) {
    self.request = request
    self.accepted = accepted
    self.refusals = refusals
    remaining = Atomic(accepted)
    duplicates = Atomic(0)
  }

  /// An event of this request turned out to be a repeat.
  package func noteDuplicate() { duplicates.add(1, ordering: .relaxed) }
  package var duplicateCount: Int { duplicates.load(ordering: .relaxed) }

  /// So many more events are durable. True when they were the last.
  package func settle(_ count: Int) -> Bool {
    remaining.subtract(count, ordering: .acquiringAndReleasing).newValue == 0
  }
}

/// An event on its way to its lane.
package final class IncomingEvent: Sendable {
  package let event: Event
  /// Hash of (source, id): what makes it the same event when it comes again.
  package let dedupe: Hash128
  /// What is stored: the text of this one event.
  package let body: [UInt8]
  package let ticket: Ticket?

  package init(event: Event, dedupe: Hash128, body: [UInt8], ticket: Ticket?) {
    self.event = event
    self.dedupe = dedupe
    self.body = body
    self.ticket = ticket
  }
}
