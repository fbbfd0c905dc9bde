// The store loop and deliveries: what was decided becomes open, goes out when it is due and there is room,
// and is closed by what it came to. People and ends of runs can cancel one, or want it sent once more.
//
// Thread: the store's. Promise: a row says at each moment what a delivery still has to do, so that a kill
// loses nothing; what people asked for is answered when it is on disk.

internal import Basics
internal import Model

/// What became of a request about one delivery.
package enum DeliveryAnswer: Sendable, Equatable {
  case done
  case cancelled
  /// It was only written down.
  case recorded
  /// It is under way, or over.
  case tooLate
  case missing
}

/// What a step does with deliveries, gathered until it is committed.
struct DeliveryWork {
  var changes = ChangeList()
  var attempts: [Attempt] = []
  /// Rows as this step leaves them; nil: gone.
  var rows: [Int64: OpenDelivery?] = [:]
  /// New ones that have to wait for others with their key.
  var inLine: Set<Int64> = []
  var cancelledRuns: [(run: Int64, reason: String)] = []
  var messages: [LaneMessage] = []
  var cancels: [CancelRequest] = []
  var states: [DestinationState] = []
  var completions: [@Sendable () -> Void] = []
}

/// A delivery that the delivery loop has.
struct HandedOut {
  var due: Instant
  var destination: String
  var triesBefore: Int
  var orderKey: Int64
  var isRetry: Bool
  /// Its `within`.
  var expires: Instant?
}

extension StoreLoop {
  // MARK: start

  /// Everything that is open, from its rows.
  func recoverBacklog() throws(StoreError) {
    for row in try reader.rows(from: RowKey(.destination, 0), to: RowKey(.destination, .max), limit: Int.max / 4) {
      guard let found = row.value.flatMap({ DestinationRow($0) }) else { continue }
      destinations[found.state.name] = (row.key.first, found.state)
      highestDestination = max(highestDestination, row.key.first)
      backlog.setStopped(found.state.name, found.state.takesNothing)
    }
    for row in try reader.rows(from: RowKey(.replay, 0), to: RowKey(.replay, .max), limit: Int.max / 4) {
      guard let replay = row.value.flatMap({ ReplayRow($0) }) else { continue }
      highestReplay = max(highestReplay, row.key.first)
      if replay.ended == nil { replays.append((row.key.first, replay)) }
    }
    var from: Int64 = .min
    while true {
      let rows = try reader.rows(
        from: RowKey(.openDelivery, from), to: RowKey(.openDelivery, .max, .max), limit: 10_000)
      for row in rows { if let open = row.value.flatMap(OpenDelivery.init) { recover(row.key.first, open) } }
      guard rows.count == 10_000, let last = rows.last?.key.first else { return }
      from = last + 1
    }
  }

  private func recover(_ number: Int64, _ open: OpenDelivery) {
    let mayGo = backlog.open(number, open.destination, orderKey: open.orderKey)
    if !open.cancelReason.isEmpty, !open.isRetry { return toCancel.append(number) }
    if open.isPoisoned { poisoned[open.destination, default: []].insert(number) }
    if !open.isPoisoned, open.triesBefore == 0 { endUnknown.append(number) }
    guard mayGo, !open.isPoisoned else { return }
    backlog.wait(number, open.destination, due: open.due, isRetry: open.isRetry)
  }

  /// Older versions had a table of when deliveries are due. What it says stands in their own rows as well,
  /// so that it goes, a few rows with each step.
  func dropOldDue() throws(StoreError) {
    guard hasOldDue else { return }
    let rows = try reader.rows(from: RowKey(.due, .min, .min), to: RowKey(.due, .max, .max), limit: 1_000)
    for row in rows { work.changes.append(row.key, nil) }
    hasOldDue = !rows.isEmpty
  }

  // MARK: rows

  private func openRow(_ number: Int64) throws(StoreError) -> OpenDelivery? {
    if let known = work.rows[number] { return known }
    return try reader.value(RowKey(.openDelivery, number)).flatMap(OpenDelivery.init)
  }

  private func write(_ number: Int64, _ open: OpenDelivery?) {
    work.rows[number] = .some(open)
    work.changes.append(RowKey(.openDelivery, number), open?.packed)
  }

  func openNew(_ rows: [DeliveryRow]) -> ChangeList {
    var changes = ChangeList()
    for row in rows {
      let delivery = row.delivery
      var open = OpenDelivery(attempts: delivery.attempts, due: delivery.due, destination: delivery.destination)
      open.orderKey = delivery.orderKey
      changes.append(RowKey(.openDelivery, delivery.number), open.packed, isNew: true)
      if !backlog.open(delivery.number, delivery.destination, orderKey: delivery.orderKey) {
        work.inLine.insert(delivery.number)
        work.rows[delivery.number] = .some(open)
      }
    }
    return changes
  }

  /// What is only written down is over before it begins.
  func closeRecorded(_ rows: [RecordedDelivery], now: Instant) {
    for recorded in rows {
      let number = recorded.row.delivery.number
      work.rows[number] = .some(nil)
      let why = recorded.isHeldOut ? "the subject is in the hold-out" : "the rule is in shadow"
      work.attempts.append(
        Attempt(
          delivery: number, attempt: 1, started: now, outcome: recorded.isHeldOut ? .heldOut : .shadow, status: 0,
          settlement: .failed, message: why + ": this is only written down"))
    }
  }

  // MARK: what deliveries came to

  /// One that is tried again stays with the delivery loop until it is handed back.
  func settle(_ attempts: [Attempt], now: Instant) throws(StoreError) {
    work.attempts.append(contentsOf: attempts)
    for attempt in attempts {
      guard let held = handedOut[attempt.delivery] else { continue }
      switch attempt.settlement {
      case .delivered, .failed:
        handedOut[attempt.delivery] = nil
        try close(attempt, held.destination, orderKey: held.orderKey, now: now)
      case .retry(let at):
        var open = OpenDelivery(attempts: attempt.attempt, due: at, destination: held.destination)
        open.triesBefore = held.triesBefore
        open.orderKey = held.orderKey
        handedOut[attempt.delivery]?.due = at
        handedOut[attempt.delivery]?.isRetry = true
        write(attempt.delivery, open)
        answerCancel(attempt.delivery, .tooLate)
      }
    }
  }

  /// The delivery is over, and whatever waits for that goes on.
  private func close(
    _ attempt: Attempt, _ destination: String, orderKey: Int64, now: Instant
  ) throws(StoreError) {
    let number = attempt.delivery
    let isCancelled = attempt.outcome == .cancelled
    let isPoisoned = orderKey != 0 && attempt.settlement == .failed && !isCancelled && blocking.contains(destination)
    if isPoisoned {
      var open = OpenDelivery(attempts: attempt.attempt, due: now, destination: destination)
      open.triesBefore = attempt.attempt
      open.orderKey = orderKey
      open.isPoisoned = true
      write(number, open)
      backlog.forgetEnd(of: number)
      poisoned[destination, default: []].insert(number)
    } else {
      try leave(number, destination, orderKey: orderKey)
    }
    try replyToCall(attempt)
    if attempt.settlement == .failed, !isCancelled, listens.contains(OwnEventName.deliveryFailed) {
      try tellFailed(attempt, now: now)
    }
    answerCancel(number, isCancelled ? .cancelled : .tooLate)
  }

  /// It is not open any more, and the one behind it may go.
  private func leave(_ number: Int64, _ destination: String, orderKey: Int64) throws(StoreError) {
    write(number, nil)
    forgetPoisoned(number, destination)
    backlog.forgetEnd(of: number)
    if let next = backlog.close(number, destination, orderKey: orderKey), let open = try openRow(next) {
      backlog.wait(next, destination, due: open.due, isRetry: open.isRetry)
    }
  }

  // MARK: what blocks

  private func forgetPoisoned(_ number: Int64, _ destination: String) {
    guard poisoned[destination]?.remove(number) != nil else { return }
    if poisoned[destination]?.isEmpty == true { poisoned[destination] = nil }
  }

  /// Destinations where something was given up that blocks nobody any more: the configuration has changed.
  var unblocked: [String] { isConfigured ? poisoned.keys.filter { !blocking.contains($0) }.sorted() : [] }

  /// How many deliveries that blocked are settled in one step.
  private static let freedAtOnce = 1_000

  /// That it was given up stands in its tries, and was told; all that is left is to let the others go.
  func freePoisoned() throws(StoreError) {
    var left = StoreLoop.freedAtOnce
    for name in unblocked where left > 0 {
      let numbers = (poisoned[name] ?? []).sorted().prefix(left)
      left -= numbers.count
      for number in numbers {
        forgetPoisoned(number, name)
        guard let open = try openRow(number), open.isPoisoned else { continue }
        try leave(number, name, orderKey: open.orderKey)
      }
    }
  }

  private func replyToCall(_ attempt: Attempt) throws(StoreError) {
    if let caller = calls.removeValue(forKey: attempt.delivery) { return reply(attempt, to: caller) }
    // Nobody has it in memory when it is over before it was handed out.
    guard attempt.outcome == .cancelled || attempt.outcome == .expired,
      let row = try reader.engine.delivery(attempt.delivery), row.delivery.tries > 0
    else { return }
    reply(attempt, to: (row.run, row.subject))
  }

  /// The answer of a call goes to its run as a message: on disk with the try, taken once.
  private func reply(_ attempt: Attempt, to caller: (run: Int64, subject: Int64)) {
    let json = CallReply.json(attempt)
    let message = LaneMessage(
      event: -caller.run, position: attempt.delivery << 2 | 3, subject: caller.subject,
      content: .reply(run: caller.run, delivery: attempt.delivery, json: json))
    let row = MessageRow(
      kind: .reply, subject: caller.subject, id: "\(attempt.delivery)", received: Instant(milliseconds: caller.run),
      body: json)
    work.changes.append(RowKey(.message, message.event, message.position), row.packed, isNew: true)
    work.messages.append(message)
  }

  /// One that comes back meets the wish to cancel it: the delivery loop had let it go before it heard of it. What
  /// was tried already is spared by the end of its run, but not by a person, who waits for the answer.
  func takeBack(_ numbers: [Int64], now: Instant) throws(StoreError) {
    for number in numbers {
      guard let held = handedOut.removeValue(forKey: number) else { continue }
      calls[number] = nil
      if let open = try openRow(number), !open.cancelReason.isEmpty, !open.isRetry || cancelWaiters[number] != nil {
        try cancelNow(number, open, open.cancelReason, now: now)
      } else {
        backlog.wait(number, held.destination, due: held.due, isRetry: held.isRetry)
        backlog.wait(number, until: held.expires)
      }
    }
  }

  // MARK: what is past its time

  /// How many are looked at in one step, so that nobody waits for it.
  private static let endsAtOnce = 100

  /// What was open at the start tells its end only in its own row, and all of those at once would make the start
  /// long.
  func learnEnds() throws(StoreError) {
    for number in endUnknown.prefix(StoreLoop.endsAtOnce) where handedOut[number] == nil {
      guard let open = try openRow(number), !open.isPoisoned, open.triesBefore == 0 else { continue }
      backlog.wait(number, until: try reader.engine.delivery(number)?.delivery.expires)
    }
    endUnknown = endUnknown.dropFirst(StoreLoop.endsAtOnce)
    // A slice keeps all of the array it was cut from.
    if endUnknown.isEmpty { endUnknown = [] }
  }

  /// Held, behind another one or behind an open breaker: its time is over all the same. What the delivery loop
  /// has it gives up itself.
  func giveUpEnded(now: Instant) throws(StoreError) {
    for number in backlog.takeEnded(StoreLoop.endsAtOnce, now: now) where handedOut[number] == nil {
      guard let open = try openRow(number), !open.isPoisoned, open.triesBefore == 0, open.cancelReason.isEmpty else {
        continue
      }
      let attempt = Attempt(
        delivery: number, attempt: open.attempts + 1, started: now, outcome: .expired, status: 0, settlement: .failed,
        message: Attempt.expiredMessage)
      work.attempts.append(attempt)
      try close(attempt, open.destination, orderKey: open.orderKey, now: now)
    }
  }

  // MARK: handing out

  /// New deliveries go straight out while they are granted; the others wait in the store.
  func handOutNew(_ rows: [[DeliveryRow]], to outputs: inout StoreOutputs) {
    for row in rows.joined() {
      let delivery = row.delivery
      // Cancelled by what was decided with it, or behind another one.
      if let known = work.rows[delivery.number], known == nil || !known!.cancelReason.isEmpty { continue }
      if work.inLine.contains(delivery.number) {
        backlog.wait(delivery.number, until: delivery.expires)
        continue
      }
      if granted > 0, !satisfied.contains(delivery.destination), !backlog.isStopped(delivery.destination) {
        handOut(row, delivery, to: &outputs)
      } else {
        backlog.wait(delivery.number, delivery.destination, due: delivery.due, isRetry: false)
        backlog.wait(delivery.number, until: delivery.expires)
      }
    }
  }

  private func handOut(_ row: DeliveryRow, _ delivery: Delivery, to outputs: inout StoreOutputs) {
    granted -= 1
    handedOut[delivery.number] = HandedOut(
      due: delivery.due, destination: delivery.destination, triesBefore: delivery.triesBefore,
      orderKey: delivery.orderKey, isRetry: delivery.isRetry, expires: delivery.expires)
    backlog.forgetEnd(of: delivery.number)
    if delivery.tries > 0 { calls[delivery.number] = (row.run, row.subject) }
    outputs.deliveries.append(delivery)
  }

  /// What the configuration holds from now on; what it does not hold any more goes unless a person holds it.
  func hold(_ names: Set<String>) {
    let changed = holding.symmetricDifference(names)
    holding = names
    for name in changed {
      backlog.setStopped(name, names.contains(name) || (destinations[name]?.state.takesNothing ?? false))
    }
  }

  /// Looks for due deliveries that nobody holds.
  func handOutDue(now: Instant, to outputs: inout StoreOutputs) throws(StoreError) {
    foundDue = false
    guard granted > 0, let due = backlog.nextDue(except: satisfied), due <= now else { return }
    // A part of each grant is kept for first tries that are still to come.
    let found = backlog.take(
      granted, forRetries: granted - lastGrant / 4, except: satisfied, now: now)
    foundDue = !found.isEmpty
    for item in found { try handOut(item, to: &outputs) }
  }

  /// What stands in the backlog may be out of date; the row decides.
  private func handOut(_ item: Backlog.Due, to outputs: inout StoreOutputs) throws(StoreError) {
    guard handedOut[item.number] == nil, let open = try openRow(item.number), !open.isPoisoned,
      open.due.milliseconds == item.due
    else { return }
    if !open.cancelReason.isEmpty, !open.isRetry { return toCancel.append(item.number) }
    guard let row = try reader.engine.delivery(item.number) else {
      throw StoreError(.damaged, "delivery \(item.number) is due, but its row is missing or unreadable")
    }
    var delivery = row.delivery
    delivery.attempts = open.attempts
    delivery.due = open.due
    delivery.triesBefore = open.triesBefore
    delivery.orderKey = open.orderKey
    // Whoever wants it once more wants it whatever the time.
    if open.triesBefore > 0 { delivery.expires = nil }
    handOut(row, delivery, to: &outputs)
  }

  // MARK: cancelling

  /// What a run sent and was not tried yet goes with it.
  func cancelRuns(_ group: Group, now: Instant) throws(StoreError) {
    for (run, reason) in work.cancelledRuns {
      let fresh = group.deliveries.joined().filter { $0.run == run }.map(\.delivery.number)
      let known = try reader.engine.deliveries(ofRun: run, limit: Limits.deliveriesInMemory).map(\.delivery.number)
      for number in known + fresh {
        guard let open = try openRow(number) ?? madeNow(number, in: group), !open.isRetry, !open.isPoisoned else {
          continue
        }
        try cancel(number, open, reason, isForced: false, now: now)
      }
    }
    for number in toCancel {
      if handedOut[number] == nil, let open = try openRow(number) {
        try cancelNow(number, open, open.cancelReason, now: now)
      }
    }
    toCancel = []
  }

  /// One that this very group makes.
  private func madeNow(_ number: Int64, in group: Group) -> OpenDelivery? {
    guard work.rows[number] == nil, let row = group.deliveries.joined().first(where: { $0.delivery.number == number })
    else { return nil }
    var open = OpenDelivery(attempts: 0, due: row.delivery.due, destination: row.delivery.destination)
    open.orderKey = row.delivery.orderKey
    return open
  }

  private func cancel(
    _ number: Int64, _ open: OpenDelivery, _ reason: String, isForced: Bool, now: Instant
  ) throws(StoreError) {
    guard handedOut[number] != nil else { return try cancelNow(number, open, reason, now: now) }
    // The wish stands in the row: it outlives a kill, and a delivery that comes back meets it.
    var open = open
    open.cancelReason = reason
    write(number, open)
    work.cancels.append(CancelRequest(delivery: number, reason: reason, isForced: isForced))
  }

  private func cancelNow(
    _ number: Int64, _ open: OpenDelivery, _ reason: String, now: Instant
  ) throws(StoreError) {
    let attempt = Attempt(
      delivery: number, attempt: open.attempts + 1, started: now, outcome: .cancelled, status: 0, settlement: .failed,
      message: reason)
    work.attempts.append(attempt)
    try close(attempt, open.destination, orderKey: open.orderKey, now: now)
  }

  /// By hand: also what was tried already, unless it is under way just now.
  func cancel(
    _ number: Int64, _ reason: String, now: Instant, done: @escaping @Sendable (DeliveryAnswer) -> Void
  ) throws(StoreError) {
    guard let open = try openRow(number) else {
      let isKnown = try reader.engine.delivery(number) != nil
      return work.completions.append { done(isKnown ? .tooLate : .missing) }
    }
    cancelWaiters[number, default: []].append(done)
    try cancel(number, open, reason, isForced: true, now: now)
  }

  func answerTooLate(_ numbers: [Int64]) { for number in numbers { answerCancel(number, .tooLate) } }

  private func answerCancel(_ number: Int64, _ answer: DeliveryAnswer) {
    if cancelWaiters.isEmpty { return }
    for done in cancelWaiters.removeValue(forKey: number) ?? [] { work.completions.append { done(answer) } }
  }

  // MARK: once more

  /// By hand: one that waits is due now, one that is over is sent once more under its old id.
  func retry(
    _ number: Int64, now: Instant, done: @escaping @Sendable (DeliveryAnswer) -> Void
  ) throws(StoreError) {
    guard handedOut[number] == nil else { return work.completions.append { done(.tooLate) } }
    if var open = try openRow(number) {
      let mayGo = backlog.mayGo(number, open.destination, orderKey: open.orderKey)
      open.due = now
      open.isPoisoned = false
      forgetPoisoned(number, open.destination)
      write(number, open)
      if mayGo { backlog.wait(number, open.destination, due: now, isRetry: open.isRetry) }
    } else {
      guard let row = try reader.engine.delivery(number) else {
        return work.completions.append { done(.missing) }
      }
      let last = try reader.engine.attempts(of: number).last
      if last?.outcome.isRecorded == true { return work.completions.append { done(.recorded) } }
      sendAgain(row, after: last, now: now)
    }
    work.completions.append { done(.done) }
  }

  /// Its tries are counted on, so that none is overwritten; its schedule begins anew. Its old place among those that
  /// it keeps its order with is taken: it goes behind all that wait.
  private func sendAgain(_ row: DeliveryRow, after last: Attempt?, now: Instant) {
    let made = max(1, last?.attempt ?? 1)
    var open = OpenDelivery(attempts: made, due: now, destination: row.delivery.destination)
    open.triesBefore = made
    open.orderKey = row.delivery.orderKey
    write(row.delivery.number, open)
    guard backlog.open(row.delivery.number, open.destination, orderKey: open.orderKey) else { return }
    backlog.wait(row.delivery.number, open.destination, due: now, isRetry: false)
  }

  func beginReplay(
    _ filter: DeliveryFilter, ratePerSecond: Int64, now: Instant, done: @escaping @Sendable (Int64) -> Void
  ) throws(StoreError) {
    let newest = try reader.engine.deliveries(before: .max, limit: 1).first?.delivery.number ?? 0
    highestReplay += 1
    let number = highestReplay
    var row = ReplayRow(
      filter: filter, ratePerSecond: ratePerSecond, created: now, last: min(newest, filter.to ?? newest))
    row.position = max(0, (filter.from ?? 1) - 1)
    replays.append((number, row))
    work.changes.append(RowKey(.replay, number), row.packed, isNew: true)
    work.completions.append { done(number) }
  }

  /// False: no such job goes on.
  func endReplay(_ number: Int64, now: Instant, done: @escaping @Sendable (Bool) -> Void) {
    guard let place = replays.firstIndex(where: { $0.number == number }) else {
      return work.completions.append { done(false) }
    }
    replays[place].row.ended = now
    replays[place].row.isCancelled = true
    work.changes.append(RowKey(.replay, number), replays[place].row.packed)
    replays.remove(at: place)
    work.completions.append { done(true) }
  }

  /// How many deliveries a job looks at in one step, and so the most that it sends in one.
  private static let replayPage = 200

  /// One portion of the oldest job: rows and position in the same commit, so that a kill repeats nothing.
  func runReplays(now: Instant, isBusy: Bool) throws(StoreError) {
    guard let (number, job) = replays.first, tailShare < 0.5 else { return }
    var row = job
    var budget = isBusy ? 50 : StoreLoop.replayPage
    if row.ratePerSecond > 0 {
      // What a second's sleep has missed is made up for, no more.
      let moment = Double(now.milliseconds) / 1000
      let since = max(replayedSeconds ?? moment, moment - 1)
      budget = min(budget, Int((moment - since) * Double(row.ratePerSecond) + 1e-6))
      replayedSeconds = since + Double(budget) / Double(row.ratePerSecond)
      if budget == 0 { return }
    }
    let rows = try reader.engine.deliveries(after: row.position, limit: StoreLoop.replayPage)
    for found in rows where budget > 0 {
      if found.delivery.number > row.last { break }
      row.position = found.delivery.number
      guard row.filter.takes(found), handedOut[found.delivery.number] == nil,
        try openRow(found.delivery.number) == nil
      else { continue }
      let last = try reader.engine.attempts(of: found.delivery.number).last
      guard DeliveryFilter.status(nil, last) == row.filter.status ?? "failed" else { continue }
      sendAgain(found, after: last, now: now)
      row.sent += 1
      budget -= 1
    }
    if budget > 0,
      rows.count < StoreLoop.replayPage || row.position >= row.last || rows.last!.delivery.number > row.last
    {
      row.ended = now
      replays.removeFirst()
      replayedSeconds = nil
    } else {
      replays[0] = (number, row)
    }
    work.changes.append(RowKey(.replay, number), row.packed)
  }

  /// When a job wants its next portion.
  func replayWakesAt(now: Instant) -> Instant? {
    guard let job = replays.first?.row else { return nil }
    if tailShare >= 0.5 { return now + 100 }
    return job.ratePerSecond == 0 ? now : now + max(1, min(1_000, 1_000 / job.ratePerSecond))
  }

  // MARK: destinations

  func note(
    _ name: String, _ change: DestinationChange, now: Instant, done: (@Sendable (DestinationState) -> Void)?
  ) {
    var state = destinations[name]?.state ?? DestinationState(name: name)
    if state.apply(change, now: now) {
      if destinations[name] == nil { highestDestination += 1 }
      let number = destinations[name]?.number ?? highestDestination
      destinations[name] = (number, state)
      backlog.setStopped(name, state.takesNothing || holding.contains(name))
      work.changes.append(RowKey(.destination, number), DestinationRow(state).packed)
      work.states.append(state)
      if let event = change.event { tell(event, number, state, now: now) }
    }
    let answer = state
    if let done { work.completions.append { done(answer) } }
  }

  // MARK: own events

  /// These are rare, so that they are told whether a rule listens or not: they stand in the list of events.
  private func tell(_ name: String, _ number: Int64, _ state: DestinationState, now: Instant) {
    var data = JSONWriter(capacity: 128)
    data.beginObject()
    data.member("destination", state.name)
    data.member("status", state.word)
    if let since = state.failingSince { data.member("failing_since", ISO8601.format(since)) }
    if !state.reason.isEmpty { data.member("reason", state.reason) }
    data.endObject()
    let about = SubjectReference(namespace: "destination", id: state.name)
    guard about.isWellFormed else { return }
    emit(
      name, data.bytes, id: "\(name)/\(number)/\(now.milliseconds)", about: about, depth: 0,
      key: (-(1 << 62) - number, now.milliseconds << 2 | Int64(name.utf8.count & 3)), now: now)
  }

  /// About the delivery's subject, one deeper than the event it came from: a webhook about a webhook that
  /// failed may fail as well, but not for ever.
  private func tellFailed(_ attempt: Attempt, now: Instant) throws(StoreError) {
    guard let row = try reader.engine.delivery(attempt.delivery),
      let subject = try reader.value(RowKey(.subject, row.subject)).flatMap({ SubjectRow($0) }),
      let about = subject.names.first
    else { return }
    let depth = (try reader.engine.event(row.event)?.depth ?? 0) + 1
    if depth > Limits.causalDepth { return }
    var data = JSONWriter(capacity: 256)
    data.beginObject()
    data.member("delivery", attempt.delivery)
    data.member("id", row.delivery.id)
    data.member("destination", row.delivery.destination)
    data.member("type", row.delivery.type)
    data.member("rule", row.rule)
    data.member("attempts", Int64(attempt.outcome.isTry ? attempt.attempt : attempt.attempt - 1))
    data.member("outcome", attempt.outcome.word)
    if attempt.status > 0 { data.member("status", Int64(attempt.status)) }
    data.member("message", attempt.message)
    data.member("event", row.event)
    if row.run != 0 { data.member("run", row.run) }
    data.endObject()
    emit(
      OwnEventName.deliveryFailed, data.bytes,
      id: "\(OwnEventName.deliveryFailed)/\(attempt.delivery)/\(attempt.attempt)",
      about: about, depth: depth, key: (-(1 << 61) - attempt.delivery, Int64(attempt.attempt)), now: now)
  }

  /// As a message that is on disk with its reason, and taken once by whoever decides events.
  private func emit(
    _ name: String, _ data: [UInt8], id: String, about: SubjectReference, depth: Int, key: (Int64, Int64), now: Instant
  ) {
    // Each step away from the outside may cause a tenth of what the one before might.
    let allowance = Limits.emittedPerEvent / Int(pow10(depth))
    let body = OwnEvent.body(name, data, id: id, about: about, depth: depth, allowance: allowance, time: now)
    guard let incoming = OwnEvent.decode(body, received: now, parser: parser, hash: hash) else { return }
    let row = MessageRow(
      kind: .emitted, subject: 0, target: about.description, id: id, received: now, body: body)
    work.changes.append(RowKey(.message, key.0, key.1), row.packed, isNew: true)
    work.messages.append(
      LaneMessage(event: key.0, position: key.1, subject: 0, content: .emitted(incoming, to: about)))
  }

  private func pow10(_ exponent: Int) -> Int64 { (0..<min(exponent, 9)).reduce(1) { product, _ in product * 10 } }
}

enum OwnEventName {
  static let deliveryFailed = "nudged.delivery.failed"
}
