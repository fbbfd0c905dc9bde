// The threads of the lanes: they wait for inputs, let the desk and the lane step, and pass decisions
// on to the store.
//
// Thread: "lane-0" has the desk and its own lane; "lane-1" and on have a lane each. Start: `start`
// returns when the thread runs. Stop: close the mailbox, then `join`. Promise: what is inside the mailbox
// when it is closed is still decided.

package import Basics
internal import Model
package import Store

/// Called on the lane's thread.
package struct LaneExits: Sendable {
  package var decisions: @Sendable (Decisions) -> Void
  package var closeRun: @Sendable (DedupeRun) -> Void
  /// The store cannot be read: the process has to end.
  package var failed: @Sendable (StoreError) -> Void

  package init(
    decisions: @escaping @Sendable (Decisions) -> Void, closeRun: @escaping @Sendable (DedupeRun) -> Void,
    failed: @escaping @Sendable (StoreError) -> Void
  ) {
    self.decisions = decisions
    self.closeRun = closeRun
    self.failed = failed
  }
}

package enum LaneThreads {
  /// A lane that is not the first.
  package static func start(
    _ index: Int, mailbox: Mailbox<LaneInput>, desk: Mailbox<DeskInput>, clocks: Clocks, exits: LaneExits,
    make: @escaping @Sendable () throws -> Lane
  ) -> Worker {
    Worker.start("lane-\(index)") {
      do {
        let lane = try make()
        lane.caughtUp = .zero
        var clock = BelievedClock()
        while let inputs = mailbox.receive(timeoutMilliseconds: pause(lane, clock.now(clocks), clocks)) {
          let decisions = try lane.step(inputs, now: clock.now(clocks))
          lane.counters.steps.add(1)
          if !decisions.isEmpty { exits.decisions(decisions) }
          if let question = lane.takeQuestion() { desk.sendAlways(question) }
        }
      } catch {
        exits.failed(error as? StoreError ?? StoreError(.failed, "\(error)"))
      }
    }
  }

  /// The first lane with the desk in front of it.
  package static func startFirst(
    mailbox: Mailbox<DeskInput>, others: [Mailbox<LaneInput>], clocks: Clocks, exits: LaneExits,
    make: @escaping @Sendable () throws -> (Desk, Lane)
  ) -> Worker {
    Worker.start("lane-0") {
      do {
        let (desk, lane) = try make()
        lane.caughtUp = .zero
        var clock = BelievedClock()
        while let inputs = mailbox.receive(timeoutMilliseconds: pause(lane, clock.now(clocks), clocks)) {
          if inputs.isEmpty { try turn([], desk, lane, others, clock.now(clocks), exits) }
          // Not all at once: the store commits what the first part came to while the next is decided.
          for start in stride(from: 0, to: inputs.count, by: Limits.laneStepInputs) {
            let part = Array(inputs[start..<min(start + Limits.laneStepInputs, inputs.count)])
            try turn(part, desk, lane, others, clock.now(clocks), exits)
          }
          if let question = lane.takeQuestion() { mailbox.sendAlways(question) }
        }
      } catch {
        exits.failed(error as? StoreError ?? StoreError(.failed, "\(error)"))
      }
    }
  }

  /// Until the next timer, and never so long that the watchdog would take the lane for dead.
  private static func pause(_ lane: Lane, _ now: Instant, _ clocks: Clocks) -> Int64 {
    lane.clockRate = clocks.rate()
    return min(max(clocks.realMilliseconds(lane.wakeAt - now), 0), 5_000)
  }

  private static func turn(
    _ inputs: [DeskInput], _ desk: Desk, _ lane: Lane, _ others: [Mailbox<LaneInput>], _ now: Instant,
    _ exits: LaneExits
  ) throws(StoreError) {
    let (routed, runs) = try desk.step(inputs, now: now)
    for run in runs { exits.closeRun(run) }
    for (place, other) in others.enumerated() where !routed[place + 1].isEmpty {
      for input in routed[place + 1] { other.sendAlways(input) }
    }
    lane.counters.repeats.set(desk.repeats)
    let decisions = try lane.step(routed[0], now: now)
    lane.counters.steps.add(1)
    if !decisions.isEmpty { exits.decisions(decisions) }
  }
}
