// The store's thread: collects what has arrived, lets the loop commit it as one group, and passes on
// what the commit allows. While one group is being written the next one gathers; that is all the
// batching there is, and no timer is needed for it.
//
// Thread: "store". Start: `start` returns when it runs. Stop: close the mailbox. Promise: what is inside is
// committed, the write-behind set is swept to the end, the engine is closed; then `join`.

package import Basics

/// Called on the store's thread, after the commit.
package struct StoreExits: Sendable {
  package var outputs: @Sendable (StoreOutputs) -> Void
  /// The store failed: the process has to end.
  package var failed: @Sendable (StoreError) -> Void
  /// All that was behind when a sweep began is in its tables, and much memory is free in small pieces.
  package var swept: @Sendable () -> Void

  package init(
    outputs: @escaping @Sendable (StoreOutputs) -> Void, failed: @escaping @Sendable (StoreError) -> Void,
    swept: @escaping @Sendable () -> Void = {}
  ) {
    self.outputs = outputs
    self.failed = failed
    self.swept = swept
  }
}

/// Figures of the store for other threads.
package final class StoreCounters: Sendable {
  package let steps = Counter()
  package let commits = Counter()
  package let events = Counter()
  package let behind = Counter()
  package let sweeps = Counter()
  package let deliveriesCancelled = Counter()
  /// Thousandths of the bound of the unswept tail.
  package let tailPermille = Counter()
  package let full = Counter()
  package let sizeBytes = Counter()
  /// Deliveries that are not settled, by destination, at most half a second ago.
  package var openByDestination: [String: Int] { open.withLock { $0 } }
  private let open = Guarded<[String: Int]>([:])

  package init() {}

  func note(open counts: [String: Int]) { open.withLock { $0 = counts } }

  func note(_ status: StoreStatus, tailShare: Double) {
    steps.add(1)
    commits.set(status.commits)
    events.set(status.eventsCommitted)
    behind.set(Int64(status.behind))
    sweeps.set(status.sweeps)
    deliveriesCancelled.set(status.deliveriesCancelled)
    tailPermille.set(Int64(tailShare * 1000))
    full.set(status.full ? 1 : 0)
  }
}

package enum StoreThread {
  package static func start(
    mailbox: Mailbox<StoreInput>, clocks: Clocks, counters: StoreCounters, exits: StoreExits,
    loop carried: Carried<StoreLoop>
  ) -> Worker {
    return Worker.start("store") {
      let loop = carried.take()
      do throws(StoreError) {
        var wakeAt = clocks.wall()
        var countedAt = Instant.zero
        var sweeps: Int64 = 0
        while let inputs = mailbox.receive(timeoutMilliseconds: max(0, min(1_000, wakeAt - clocks.wall()))) {
          let outputs = try loop.step(inputs, now: clocks.wall(), tidies: false)
          counters.note(loop.status, tailShare: loop.tailShare)
          if clocks.wall() - countedAt >= 500 || clocks.wall() < countedAt {
            countedAt = clocks.wall()
            counters.note(open: loop.openByDestination)
          }
          wakeAt = outputs.wakeAt
          exits.outputs(outputs)
          try loop.tidy(now: clocks.wall())
          if loop.status.sweeps != sweeps {
            sweeps = loop.status.sweeps
            exits.swept()
          }
        }
        try loop.sweepAll(now: clocks.wall())
        loop.close()
      } catch {
        exits.failed(error)
      }
    }
  }
}
