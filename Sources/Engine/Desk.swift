// The desk: lane-0's front. It routes what arrives and gives each lane its inputs, in order.
//
// Thread: lane-0's. Promise: what arrives in one order reaches each lane in that order.

package import Basics
package import Model
package import Store

package enum DeskInput: Sendable {
  case incoming(IncomingEvent)
  case message(LaneMessage)
  case command(RunCommand)
  case pause(rule: Int64, PauseRow?)
  /// A lane has timers that were due at this moment, and wants to have what arrived before it.
  case ask(lane: Int, Instant)
  /// Called when everything before it is on disk.
  case completion(@Sendable () -> Void)
  case publish(RuleBook)
  /// The store has written a closed run of the dedupe set.
  case runClosed(Int64)
  /// How many of each lane's inputs are on disk.
  case committed([(lane: Int, sequence: Int64)])
}

package final class Desk {
  private let router: Router
  private let lanes: Int
  private var closing: [DedupeRun] = []
  private var nextForgetting = Instant.zero
  /// With several lanes: how many inputs each was given, and how many of them are on disk.
  private var given: [Int64]
  /// Of these, the last that was an event: what is decided of an event always comes to the store.
  private var givenEvents: [Int64]
  private var durable: [Int64]
  /// What each lane had been given when the router's fresh identities were last counted.
  private var awaited: [Int64]?

  package init(router: Router, lanes: Int) {
    self.router = router
    self.lanes = lanes
    given = Array(repeating: 0, count: lanes)
    durable = given
    givenEvents = given
  }

  package var repeats: Int64 { router.repeats }

  /// The subject of an id; nil when none is known.
  package func find(_ reference: SubjectReference) throws(StoreError) -> Int64? { try router.find(reference) }

  /// The lane of a subject.
  package static func lane(of subject: Int64, lanes: Int) -> Int { Shards.shard(of: subject) % lanes }

  /// One list of inputs for each lane, and runs the store should write.
  package func step(_ inputs: [DeskInput], now: Instant) throws(StoreError) -> (lanes: [[LaneInput]], runs: [DedupeRun])
  {
    var out = [[LaneInput]](repeating: [], count: lanes)
    if lanes == 1 { out[0].reserveCapacity(inputs.count) }
    // Before anything is routed: after a long rest the store has purged what would otherwise be looked for.
    if now >= nextForgetting {
      nextForgetting = now + 600_000
      router.forget(olderThan: now + -Limits.dedupeHorizonMilliseconds)
    }
    // First of the inputs, because what was given to lanes is counted at the end of a step.
    for case .committed(let list) in inputs { note(list) }
    // A lone event gains nothing by it.
    if inputs.count >= 4 { router.touch(inputs) }
    for input in inputs {
      switch input {
      case .incoming(let incoming): try route(incoming, now: now, to: &out)
      case .message(let message): try route(message, now: now, to: &out)
      case .command(let command):
        out[Desk.lane(of: command.subject, lanes: lanes)].append(.command(command))
      case .completion(let done): out[0].append(.completion(done))
      case .pause(let rule, let row): for lane in out.indices { out[lane].append(.pause(rule: rule, row)) }
      case .ask(let lane, let moment): out[lane].append(.caughtUp(moment))
      case .publish(let book):
        let cutoff = router.newestEvent
        for lane in out.indices { out[lane].append(.publish(book, cutoff: cutoff)) }
      case .runClosed(let number):
        for run in closing where run.run == number { router.closed(run) }
        closing.removeAll { $0.run == number }
      case .committed: break
      }
    }
    for lane in out.indices {
      let last = out[lane].lastIndex { if case .event = $0 { true } else { false } }
      if let last { givenEvents[lane] = given[lane] + Int64(last) + 1 }
      given[lane] += Int64(out[lane].count)
    }
    var runs = router.takeRunsToClose()
    for place in runs.indices { runs[place].awaits = givenEvents }
    closing.append(contentsOf: runs)
    return (out, runs)
  }

  /// Once everything that was under way at some moment is on disk, identities from before it are.
  private func note(_ list: [(lane: Int, sequence: Int64)]) {
    for (lane, sequence) in list { durable[lane] = max(durable[lane], sequence) }
    if let waited = awaited {
      guard zip(durable, waited).allSatisfy({ $0 >= $1 }) else { return }
      router.settleOlder()
    }
    router.beginOlder()
    awaited = given
  }

  private func route(_ incoming: IncomingEvent, now: Instant, to out: inout [[LaneInput]]) throws(StoreError) {
    if let routed = try router.route(incoming, now: now) {
      out[Desk.lane(of: routed.subject, lanes: lanes)].append(.event(routed))
      return
    }
    guard let ticket = incoming.ticket else { return }
    ticket.noteDuplicate()
    let barrier = RepeatBarrier(ticket: ticket, lanes: lanes)
    for lane in out.indices { out[lane].append(.repeated(barrier)) }
  }

  private func route(_ message: LaneMessage, now: Instant, to out: inout [[LaneInput]]) throws(StoreError) {
    let taken = Change(RowKey(.message, message.event, message.position), nil)
    switch message.content {
    case .observe, .heard, .reply, .caughtUp:
      out[Desk.lane(of: message.subject, lanes: lanes)].append(.message(message))
    case .listen(_, let reference), .unlisten(_, let reference):
      let found = try router.address(reference)
      out[Desk.lane(of: found.subject, lanes: lanes)].append(
        .addressed(message, subject: found.subject, changes: found.changes, isNew: !found.created.isEmpty))
    case .ask(let run, let due, let reference):
      guard let subject = try router.find(reference) else {
        // Nobody has told of it yet, so that nothing of it is on its way.
        let answer = LaneMessage(
          event: 0, position: 0, subject: message.subject, content: .caughtUp(run: run, due: due))
        out[Desk.lane(of: message.subject, lanes: lanes)].append(.message(answer))
        return
      }
      out[Desk.lane(of: subject, lanes: lanes)].append(
        .addressed(message, subject: subject, changes: [], isNew: false))
    case .emitted(let incoming, _):
      guard var routed = try router.route(incoming, now: now) else {
        out[0].append(.change(taken))
        return
      }
      routed.changes.append(taken)
      // What the store tells of deliveries and destinations has no event behind it.
      routed.cause = max(0, message.event)
      out[Desk.lane(of: routed.subject, lanes: lanes)].append(.event(routed))
    }
  }
}
