// The decisions of delivery, without the network: which delivery starts now, what becomes of a result,
// when to look again, and how much more the memory can take.
//
// Thread: a value, stepped by one thread (or by the simulator). No clock, no chance, no I/O inside.
// Promise: a delivery is never under way twice; every delivery that is taken ends in exactly one of
// settled or handed back; a receiver that hangs delays nobody else for longer than two seconds; while a
// receiver's breaker is open nothing but its probes is spent.

package import Basics
package import Model

package struct DeliveryLoop: Sendable {
  package struct Bounds: Sendable {
    package var transfers = Limits.transfers
    package var deliveries = Limits.deliveriesInMemory
    package var bytes = Limits.deliveryMemoryBytes
    package init() {}
    package init(transfers: Int, deliveries: Int, bytes: Int) {
      self.transfers = transfers
      self.deliveries = deliveries
      self.bytes = bytes
    }
  }

  package enum Input: Sendable {
    case deliver([Delivery])
    case result(TransferResult)
    /// All destinations there are from now on.
    case configure([Destination])
    /// What is remembered of these destinations, as it stands on disk.
    case states([DestinationState])
    /// What has not been tried yet is to go.
    case cancel([CancelRequest])
    /// Nothing is started any more; results are still taken.
    case stop
  }

  package struct Start: Sendable {
    package var delivery: Delivery
    /// 1 for the first try.
    package var attempt: Int
  }

  /// A delivery that leaves memory without being settled for good. The store offers it again at `due`.
  package struct HandBack: Sendable, Equatable {
    package var delivery: Int64
    package var due: Instant
  }

  /// What is to be remembered of a destination.
  package struct Change: Sendable, Equatable {
    package var destination: String
    package var change: DestinationChange
  }

  /// How many deliveries may be brought beyond those asked for before. A grant, not a level, so that
  /// deliveries on their way while it is given are not counted twice.
  package struct Wants: Sendable, Equatable {
    package var count: Int
    /// Destinations that have enough here for a while; more for them would only be handed back.
    package var except: [String]
  }

  package struct Outputs: Sendable {
    package var starts: [Start] = []
    package var settled: [Attempt] = []
    package var handedBack: [HandBack] = []
    /// Deliveries to destinations in log mode: settled as delivered, to be written to the log.
    package var logged: [Delivery] = []
    package var changes: [Change] = []
    /// Deliveries that cannot be cancelled any more: they are under way.
    package var tooLate: [Int64] = []
    package var wants: Wants?
    /// When to step again although nothing came in.
    package var wakeUp: Instant?
    package init() {}
  }

  package struct Counters: Sendable, Equatable {
    package var taken = 0
    /// Brought although held already.
    package var repeated = 0
    package var unknownResults = 0
    package var started = 0
    package var delivered = 0
    package var retried = 0
    package var failed = 0
    package var handedBack = 0
    package var cancelled = 0
    package var breakersOpened = 0
  }

  private struct Entry: Sendable {
    enum State: Sendable {
      case ready, waiting
      case underWay(probing: Bool)
      /// Settled already, cancelled or past its time; its place is freed when its turn comes.
      case cancelled
    }
    var delivery: Delivery
    var receiver: Int
    var state: State
    var bytes: Int
  }

  /// Due later than this, a delivery waits in the store and not in memory.
  package static let horizonMilliseconds: Int64 = 60_000
  /// How long a receiver may keep others from the memory they all share.
  private static let patienceMilliseconds: Int64 = 2_000
  /// After deliveries had to be handed back for want of room, so long nothing is asked for.
  private static let pauseMilliseconds: Int64 = 250
  private static let bytesPerEntry = 300
  /// A receiver that fails for so long is told of, and switched off when it lasts.
  package static let failingMilliseconds: Int64 = 60_000
  package static let disabledAfterMilliseconds: Int64 = 5 * 86_400_000

  private let bounds: Bounds
  private var entries: [Entry?] = []
  private var freeEntries: [Int] = []
  private var entryOfDelivery: [Int64: Int] = [:]
  private var heldBytes = 0
  private var averageBytes = 512

  private var receivers: [Receiver] = []
  private var freeReceivers: [Int] = []
  private var receiverOfName: [String: Int] = [:]
  /// Receivers with something ready, in the order in which they get their turn.
  private var turn = Ring<Int>()
  /// Receivers that have to wait for a place to probe: those never heard of before those known silent.
  private var unknownWaiting = Ring<Int>()
  private var silentWaiting = Ring<Int>()
  private var waiting = DueHeap()
  private var patience = DueHeap()
  /// Receivers that their breaker or their rate holds back.
  private var resumes = DueHeap()
  /// What is remembered of destinations, also of those that are not configured now.
  private var states: [String: DestinationState] = [:]

  private var underWay = 0
  /// Transfers that started while their receiver was not known to answer.
  private var probes = 0
  /// Receivers whose very first transfer is under way.
  private var firstProbes = 0
  /// Deliveries held for receivers that are not known to answer.
  private var heldUnproven = 0
  private var asked = 0
  private var askAgainAt = Instant.zero
  /// Who was told to have enough, and when that may be told anew.
  private var passedOver: [String] = []
  private var tellAgainAt = Instant.zero
  /// Of the last step: when the clock was set back, everyone who waits for a moment is looked at anew.
  private var lastNow = Instant.zero
  /// When the first of those that wait here may be past its `within`, and when that was looked at last.
  private var endsAt: Instant?
  private var lookedForEndsAt = Instant.zero
  private static let endsMilliseconds: Int64 = 1_000
  private var stopping = false
  private var out = Outputs()
  package private(set) var counters = Counters()

  package init(bounds: Bounds = Bounds()) { self.bounds = bounds }

  package var held: Int { entryOfDelivery.count }
  package var transfersUnderWay: Int { underWay }
  package var bytesHeld: Int { heldBytes }

  package mutating func step(_ inputs: [Input], now: Instant) -> Outputs {
    for input in inputs {
      switch input {
      case .deliver(let deliveries):
        asked = max(0, asked - deliveries.count)
        for delivery in deliveries { take(delivery, now: now) }
      case .result(let result): finish(result, now: now)
      case .configure(let destinations): configure(destinations, now: now)
      case .states(let list): for state in list { apply(state, now: now) }
      case .cancel(let list): for request in list { cancel(request, now: now) }
      case .stop: stopping = true
      }
    }
    if !stopping {
      if now < lastNow { for receiver in receivers.indices { list(receiver) } }
      lastNow = now
      awaken(now: now)
      resumeDue(now: now)
      dropEnded(now: now)
      judgePatience(now: now)
      startDue(now: now)
      askForMore(now: now)
    }
    return takeOutputs()
  }

  private mutating func takeOutputs() -> Outputs {
    if !stopping {
      if let due = waiting.firstDue { wakeUp(at: Instant(milliseconds: due)) }
      if let due = patience.firstDue { wakeUp(at: Instant(milliseconds: due)) }
      if let due = resumes.firstDue { wakeUp(at: Instant(milliseconds: due)) }
      if let endsAt { wakeUp(at: max(endsAt, lookedForEndsAt + DeliveryLoop.endsMilliseconds)) }
    }
    var taken = Outputs()
    swap(&taken, &out)
    return taken
  }

  // MARK: Taking deliveries in

  private mutating func take(_ delivery: Delivery, now: Instant) {
    guard entryOfDelivery[delivery.number] == nil else {
      counters.repeated += 1
      return
    }
    guard let receiver = receiverOfName[delivery.destination] else {
      return settleUnsent(delivery, .noDestination, DeliveryLoop.noDestination(delivery.destination), now: now)
    }
    if stopping || receivers[receiver].isStopped { return handBack(delivery.number, due: delivery.due) }
    let bytes = delivery.body.count + DeliveryLoop.bytesPerEntry
    averageBytes += (bytes - averageBytes) / 16
    if delivery.due - now > DeliveryLoop.horizonMilliseconds { return handBack(delivery.number, due: delivery.due) }
    if let pause = pauseForWantOfRoom(receiver, bytes: bytes) {
      askAgainAt = now + DeliveryLoop.pauseMilliseconds
      return handBack(delivery.number, due: max(delivery.due, now + pause))
    }
    counters.taken += 1
    let entry = keep(Entry(delivery: delivery, receiver: receiver, state: .ready, bytes: bytes))
    if delivery.due > now { wait(entry, until: delivery.due) } else { makeReady(entry) }
  }

  private static func noDestination(_ name: String) -> String {
    "no destination is called \"\(name)\" any more; configure it again or cancel what is addressed to it"
  }

  /// How long a delivery to this receiver has to stay outside; nil when there is room.
  private func pauseForWantOfRoom(_ receiver: Int, bytes: Int) -> Int64? {
    if held >= bounds.deliveries || heldBytes + bytes > bounds.bytes { return 1_000 }
    if receivers[receiver].isUnproven {
      guard isUnprovenFull(receiver) else { return nil }
      return receivers[receiver].isSilent ? DeliveryLoop.horizonMilliseconds : DeliveryLoop.patienceMilliseconds
    }
    return hasEnough(receiver) ? min(receivers[receiver].drainMilliseconds, DeliveryLoop.horizonMilliseconds) : nil
  }

  /// Whoever answers fast may fill the memory, because it is soon empty again; whoever takes longer
  /// gets a part of it.
  private func hasEnough(_ receiver: Int) -> Bool {
    receivers[receiver].held > bounds.deliveries / 8
      && receivers[receiver].drainMilliseconds > DeliveryLoop.patienceMilliseconds
  }

  /// Receivers not known to answer share half of the memory. A few are always taken, so that a crowd
  /// of silent ones cannot keep a new one from showing that it answers.
  private func isUnprovenFull(_ receiver: Int) -> Bool {
    let held = receivers[receiver].held
    if held == 0 || held < min(16, shareOfSilent) && heldUnproven < bounds.deliveries * 3 / 4 { return false }
    return heldUnproven >= bounds.deliveries / 2 || receivers[receiver].isSilent && held >= shareOfSilent
  }

  private var shareOfSilent: Int { max(1, bounds.deliveries / 64) }

  private mutating func keep(_ entry: Entry) -> Int {
    let index: Int
    if let free = freeEntries.popLast() {
      index = free
      entries[index] = entry
    } else {
      index = entries.count
      entries.append(entry)
    }
    entryOfDelivery[entry.delivery.number] = index
    heldBytes += entry.bytes
    noteEnd(entry.delivery.expires)
    receivers[entry.receiver].held += 1
    if receivers[entry.receiver].isUnproven { heldUnproven += 1 }
    return index
  }

  @discardableResult
  private mutating func release(_ index: Int) -> Delivery {
    guard let entry = entries[index] else { preconditionFailure("an entry is released twice") }
    entries[index] = nil
    freeEntries.append(index)
    // One that was cancelled may have been brought again meanwhile.
    if entryOfDelivery[entry.delivery.number] == index { entryOfDelivery[entry.delivery.number] = nil }
    heldBytes -= entry.bytes
    receivers[entry.receiver].held -= 1
    if receivers[entry.receiver].isUnproven { heldUnproven -= 1 }
    freeIfGone(entry.receiver)
    return entry.delivery
  }

  private mutating func handBack(_ delivery: Int64, due: Instant) {
    counters.handedBack += 1
    out.handedBack.append(HandBack(delivery: delivery, due: due))
  }

  private mutating func settleUnsent(_ delivery: Delivery, _ outcome: AttemptOutcome, _ message: String, now: Instant) {
    let isDelivered = outcome == .delivered
    switch outcome {
    case .delivered: counters.delivered += 1
    // Nobody failed: somebody did not want it any more.
    case .cancelled: counters.cancelled += 1
    default: counters.failed += 1
    }
    out.settled.append(
      Attempt(
        delivery: delivery.number, attempt: delivery.attempts + 1, started: now, outcome: outcome, status: 0,
        settlement: isDelivered ? .delivered : .failed, message: message))
  }

  // MARK: Waiting and turns

  private mutating func wait(_ index: Int, until due: Instant) {
    entries[index]?.state = .waiting
    waiting.insert(index, order: entries[index]?.delivery.number ?? 0, due: due.milliseconds)
  }

  private mutating func awaken(now: Instant) {
    while let index = waiting.popDue(at: now.milliseconds) { makeReady(index) }
  }

  private mutating func makeReady(_ index: Int) {
    guard let entry = entries[index] else { return }
    if isGone(index) {
      release(index)
      return
    }
    entries[index]?.state = .ready
    receivers[entry.receiver].append(index, isRetry: entry.delivery.isRetry)
    list(entry.receiver)
  }

  private func isGone(_ index: Int) -> Bool {
    if case .cancelled = entries[index]?.state { return true }
    return false
  }

  private mutating func list(_ receiver: Int) {
    guard !receivers[receiver].isListed, receivers[receiver].hasReady else { return }
    receivers[receiver].isListed = true
    turn.append(receiver)
  }

  /// One start a turn, round and round, until nobody may start anything.
  private mutating func startDue(now: Instant) {
    admitProbes()
    while underWay < bounds.transfers, let receiver = turn.popFirst() {
      guard mayTakeTurn(receiver, now: now), let next = popLive(receiver) else {
        receivers[receiver].isListed = false
        freeIfGone(receiver)
        continue
      }
      if receivers[receiver].probes, !mayProbe(receiver) {
        receivers[receiver].putBack(next)
        receivers[receiver].waitsToProbe = true
        if receivers[receiver].isSilent { silentWaiting.append(receiver) } else { unknownWaiting.append(receiver) }
        continue
      }
      turn.append(receiver)
      start(next.entry, now: now)
    }
  }

  /// Whether it may start something now; if it is its breaker or its rate that says no, it gets its turn
  /// again when they say yes.
  private mutating func mayTakeTurn(_ receiver: Int, now: Instant) -> Bool {
    guard receivers[receiver].mayStart, receivers[receiver].hasReady else { return false }
    if receivers[receiver].destination?.mode == .log { return true }
    if let moment = receivers[receiver].waits(now: now) {
      resume(receiver, at: moment)
      return false
    }
    return receivers[receiver].breaker.lets(through: now)
  }

  private mutating func resume(_ receiver: Int, at moment: Instant) {
    if let known = receivers[receiver].resumesAt, known <= moment { return }
    receivers[receiver].resumesAt = moment
    receivers[receiver].resumes += 1
    resumes.insert(receiver, order: Int64(receiver), due: moment.milliseconds)
  }

  private mutating func resumeDue(now: Instant) {
    while let receiver = resumes.popDue(at: now.milliseconds) {
      receivers[receiver].resumes -= 1
      receivers[receiver].resumesAt = nil
      list(receiver)
      freeIfGone(receiver)
    }
  }

  /// The next of its deliveries that was not cancelled.
  private mutating func popLive(_ receiver: Int) -> (entry: Int, isRetry: Bool)? {
    while let next = receivers[receiver].popNext() {
      if !isGone(next.entry) { return next }
      release(next.entry)
    }
    return nil
  }

  /// A crowd of receivers that do not answer cannot take all places: a quarter is kept for those who
  /// do, and half for those who do or were never asked.
  private func mayProbe(_ receiver: Int) -> Bool {
    if receivers[receiver].isSilent { return probes < bounds.transfers / 2 }
    return probes < bounds.transfers - bounds.transfers / 4 && firstProbes < max(1, bounds.transfers / 2)
  }

  /// Brings those who wait for a place to probe back into the round, as many as may start now.
  private mutating func admitProbes() {
    let unknown = min(bounds.transfers - bounds.transfers / 4 - probes, max(1, bounds.transfers / 2) - firstProbes)
    admit(unknown, from: \.unknownWaiting)
    admit(bounds.transfers / 2 - probes, from: \.silentWaiting)
  }

  private mutating func admit(_ places: Int, from queue: WritableKeyPath<DeliveryLoop, Ring<Int>>) {
    var free = places
    while free > 0, let receiver = self[keyPath: queue].popFirst() {
      guard receivers[receiver].waitsToProbe else { continue }
      receivers[receiver].waitsToProbe = false
      turn.append(receiver)
      free -= 1
    }
  }

  private mutating func start(_ index: Int, now: Instant) {
    guard let entry = entries[index] else { preconditionFailure("an entry that is gone cannot start") }
    let delivery = entry.delivery
    if isExpired(index, now: now) {
      release(index)
      return settleUnsent(delivery, .expired, Attempt.expiredMessage, now: now)
    }
    if receivers[entry.receiver].destination?.mode == .log {
      release(index)
      out.logged.append(delivery)
      return settleUnsent(delivery, .delivered, "", now: now)
    }
    let isProbe = receivers[entry.receiver].probes
    entries[index]?.state = .underWay(probing: isProbe)
    underWay += 1
    if isProbe { probes += 1 }
    change(entry.receiver, now: now) { $0.underWay += 1 }
    if receivers[entry.receiver].underWay == 1 { receivers[entry.receiver].busySince = now }
    receivers[entry.receiver].breaker.started(delivery.number)
    receivers[entry.receiver].pace.started(now: now, isAlone: receivers[entry.receiver].underWay == 1)
    watch(entry.receiver, since: now)
    counters.started += 1
    out.starts.append(Start(delivery: delivery, attempt: delivery.attempts + 1))
  }

  // MARK: Results

  private mutating func finish(_ result: TransferResult, now: Instant) {
    guard let index = entryOfDelivery[result.delivery], let entry = entries[index],
      case .underWay(let probing) = entry.state
    else {
      counters.unknownResults += 1
      return
    }
    underWay -= 1
    if probing { probes -= 1 }
    change(entry.receiver, now: now) {
      $0.underWay -= 1
      $0.learn(from: result, now: now)
    }
    if receivers[entry.receiver].waitsToProbe, !receivers[entry.receiver].probes {
      receivers[entry.receiver].waitsToProbe = false
      turn.append(entry.receiver)
    }
    judge(entry.receiver, result, now: now)
    settle(index, entry.delivery, result, now: now)
    if receivers[entry.receiver].isSilent { dropExpired(entry.receiver, now: now) }
    list(entry.receiver)
  }

  /// What waits for a silent receiver may wait for hours until its turn; what has expired by then is
  /// settled now and not when it would have started.
  private mutating func dropExpired(_ receiver: Int, now: Instant) {
    for index in receivers[receiver].takeReady() {
      if isGone(index) {
        release(index)
      } else if isExpired(index, now: now) {
        settleUnsent(release(index), .expired, Attempt.expiredMessage, now: now)
      } else {
        receivers[receiver].append(index, isRetry: entries[index]?.delivery.isRetry ?? false)
      }
    }
  }

  private mutating func noteEnd(_ end: Instant?) {
    guard let end else { return }
    endsAt = min(endsAt ?? end, end)
  }

  /// What waits for its turn, for a breaker or for its next try is given up when its time is over, and not
  /// when its turn comes. All that is here is looked at, and so at most once a second.
  private mutating func dropEnded(now: Instant) {
    if now < lookedForEndsAt { lookedForEndsAt = .zero }
    guard let first = endsAt, first <= now, now - lookedForEndsAt >= DeliveryLoop.endsMilliseconds else { return }
    lookedForEndsAt = now
    endsAt = nil
    for index in entries.indices {
      guard let entry = entries[index], let end = entry.delivery.expires else { continue }
      switch entry.state {
      case .underWay, .cancelled: continue
      case .ready, .waiting:
        if end > now {
          noteEnd(end)
        } else {
          entryOfDelivery[entry.delivery.number] = nil
          entries[index]?.state = .cancelled
          settleUnsent(entry.delivery, .expired, Attempt.expiredMessage, now: now)
        }
      }
    }
  }

  private func isExpired(_ index: Int, now: Instant) -> Bool {
    entries[index]?.delivery.expires.map { $0 <= now } ?? false
  }

  private mutating func settle(_ index: Int, _ delivery: Delivery, _ result: TransferResult, now: Instant) {
    let attempt = delivery.attempts + 1
    let settlement = settlement(for: index, delivery, result, attempt: attempt, now: now)
    out.settled.append(result.attempt(number: attempt, settlement: settlement))
    switch settlement {
    case .delivered:
      counters.delivered += 1
      release(index)
    case .failed:
      counters.failed += 1
      release(index)
    case .retry(let due):
      counters.retried += 1
      if due - now > DeliveryLoop.horizonMilliseconds || stopping || isStopped(index) {
        release(index)
        return handBack(delivery.number, due: due)
      }
      entries[index]?.delivery.attempts = attempt
      entries[index]?.delivery.due = due
      noteEnd(delivery.expires)
      wait(index, until: due)
    }
  }

  private func settlement(
    for index: Int, _ delivery: Delivery, _ result: TransferResult, attempt: Int, now: Instant
  ) -> Settlement {
    if result.outcome == .delivered { return .delivered }
    guard !result.isPermanent, let receiver = entries[index]?.receiver else { return .failed }
    return RetrySchedule.settlement(
      of: delivery, attempt: attempt, outcome: result.outcome, status: result.status,
      retryAfterMilliseconds: result.retryAfterMilliseconds,
      delays: receivers[receiver].destination?.retryDelaysMilliseconds ?? [], now: now)
  }

  private func isStopped(_ index: Int) -> Bool { entries[index].map { receivers[$0.receiver].isStopped } ?? false }

  // MARK: Cancelling

  /// What is under way goes on; what waits goes at once, and what is not here is the store's.
  private mutating func cancel(_ request: CancelRequest, now: Instant) {
    guard let index = entryOfDelivery[request.delivery], let entry = entries[index] else { return }
    if case .underWay = entry.state { return out.tooLate.append(request.delivery) }
    if entry.delivery.isRetry, !request.isForced { return out.tooLate.append(request.delivery) }
    entryOfDelivery[request.delivery] = nil
    entries[index]?.state = .cancelled
    settleUnsent(entry.delivery, .cancelled, request.reason, now: now)
  }

  // MARK: Whether a receiver is well

  /// What one result says about the destination as a whole.
  private mutating func judge(_ receiver: Int, _ result: TransferResult, now: Instant) {
    switch receivers[receiver].breaker.note(result.delivery, Receiver.word(of: result), now: now) {
    case .opened:
      counters.breakersOpened += 1
      change(receiver, now: now) { $0.suspect() }
      noteFailure(receiver, result, now: now, isCertain: true)
    case .none, .closed: break
    }
    if result.outcome == .delivered {
      receivers[receiver].failingSince = nil
      if receivers[receiver].failingIsTold { tell(receiver, .recovered) }
      receivers[receiver].failingIsTold = false
      return
    }
    noteFailure(receiver, result, now: now, isCertain: false)
    if result.outcome == .status, result.status == 410 {
      disable(receiver, "the receiver answered 410: it is gone for good and wants no more messages")
    } else if let since = receivers[receiver].failingSince, now - since >= DeliveryLoop.disabledAfterMilliseconds {
      disable(receiver, "nothing arrived there for 5 days")
    }
  }

  private mutating func noteFailure(_ receiver: Int, _ result: TransferResult, now: Instant, isCertain: Bool) {
    let began = receivers[receiver].failingSince ?? result.started
    receivers[receiver].failingSince = began
    guard !receivers[receiver].failingIsTold, isCertain || now - began >= DeliveryLoop.failingMilliseconds else {
      return
    }
    receivers[receiver].failingIsTold = true
    let reason = result.message.isEmpty ? result.outcome.word : result.message
    tell(receiver, .failing(since: began, reason: reason))
  }

  private mutating func disable(_ receiver: Int, _ reason: String) {
    if receivers[receiver].isStopped { return }
    tell(receiver, .disable(reason))
    stop(receiver)
  }

  private mutating func tell(_ receiver: Int, _ change: DestinationChange) {
    guard let name = receivers[receiver].destination?.name else { return }
    out.changes.append(Change(destination: name, change: change))
  }

  /// Everything that waits for it goes back to the store, unspent; what is under way ends by itself.
  private mutating func stop(_ receiver: Int) {
    receivers[receiver].isStopped = true
    for index in waiting.remove(where: { entries[$0]?.receiver == receiver }) + receivers[receiver].takeReady() {
      let isGone = isGone(index)
      let delivery = release(index)
      if !isGone { handBack(delivery.number, due: delivery.due) }
    }
  }

  private mutating func apply(_ state: DestinationState, now: Instant) {
    states[state.name] = state
    if let receiver = receiverOfName[state.name] { apply(state, to: receiver, now: now) }
  }

  private mutating func apply(_ state: DestinationState, to receiver: Int, now: Instant) {
    if let since = state.failingSince, !receivers[receiver].failingIsTold, receivers[receiver].standing == .unknown {
      // It failed before this process began: one delivery finds out whether it still does.
      receivers[receiver].failingSince = since
      receivers[receiver].failingIsTold = true
      receivers[receiver].breaker.beginOpen(now: now)
    }
    if state.takesNothing, !receivers[receiver].isStopped { return stop(receiver) }
    let isHeld = receivers[receiver].destination?.mode == .hold
    guard !state.takesNothing, receivers[receiver].isStopped, !isHeld else { return }
    receivers[receiver].isStopped = false
    if state.failingSince == nil {
      receivers[receiver].failingSince = nil
      receivers[receiver].failingIsTold = false
      receivers[receiver].breaker.reset()
    }
    list(receiver)
  }

  /// How a destination stands, for people.
  package struct Standing: Sendable, Equatable {
    package var name: String
    package var held: Int
    package var underWay: Int
    /// How many transfers it is trusted with, of how many it may have.
    package var trusted: Int
    package var concurrency: Int
    /// "closed", "open" or "half-open".
    package var breaker: String
    package var probesAt: Instant?
    package var failingSince: Instant?
  }

  package var standings: [Standing] {
    receiverOfName.map { name, place in
      let receiver = receivers[place]
      let word =
        switch receiver.breaker.state {
        case .closed: "closed"
        case .open: "open"
        case .probing: "half-open"
        }
      return Standing(
        name: name, held: receiver.held, underWay: receiver.underWay, trusted: receiver.trusted,
        concurrency: receiver.mostUnderWay, breaker: word, probesAt: receiver.breaker.probesAt,
        failingSince: receiver.failingIsTold ? receiver.failingSince : nil)
    }.sorted { $0.name < $1.name }
  }

  // MARK: What is known about a receiver

  private mutating func watch(_ receiver: Int, since: Instant) {
    guard !receivers[receiver].isWatched else { return }
    receivers[receiver].isWatched = true
    patience.insert(
      receiver, order: Int64(receiver), due: (since + receivers[receiver].patienceMilliseconds).milliseconds)
  }

  /// A receiver that had something under way all the time and answered nothing is treated as silent,
  /// long before its transfers time out: it gives memory and places back to those who answer.
  private mutating func judgePatience(now: Instant) {
    while let receiver = patience.popDue(at: now.milliseconds) {
      receivers[receiver].isWatched = false
      freeIfGone(receiver)
      guard receivers[receiver].underWay > 0, !receivers[receiver].isSilent else { continue }
      let since = max(receivers[receiver].lastAnswer, receivers[receiver].busySince)
      if now - since >= receivers[receiver].patienceMilliseconds {
        change(receiver, now: now) { $0.suspect() }
      } else {
        watch(receiver, since: since)
      }
    }
  }

  private mutating func change(_ receiver: Int, now: Instant, _ body: (inout Receiver) -> Void) {
    let before = receivers[receiver].footing
    body(&receivers[receiver])
    let after = receivers[receiver].footing
    if after == before { return }
    firstProbes += (after.isFirstProbe ? 1 : 0) - (before.isFirstProbe ? 1 : 0)
    heldUnproven +=
      (after.isUnproven ? receivers[receiver].held : 0) - (before.isUnproven ? receivers[receiver].held : 0)
    if receivers[receiver].isSilent { trim(receiver, now: now) }
  }

  /// What a silent receiver holds beyond its share goes back to the store for a while.
  private mutating func trim(_ receiver: Int, now: Instant) {
    while isUnprovenFull(receiver), let index = receivers[receiver].popLast() {
      let isGone = isGone(index)
      let delivery = release(index)
      if !isGone { handBack(delivery.number, due: now + DeliveryLoop.horizonMilliseconds) }
    }
  }

  // MARK: Configuration

  private mutating func configure(_ destinations: [Destination], now: Instant) {
    let names = Set(destinations.map(\.name))
    for (name, receiver) in receiverOfName.sorted(by: { $0.value < $1.value }) where !names.contains(name) {
      receiverOfName[name] = nil
      dropReceiver(receiver, now: now)
    }
    for destination in destinations {
      if let receiver = receiverOfName[destination.name] {
        let wasHeld = receivers[receiver].destination?.mode == .hold
        change(receiver, now: now) { $0.configure(destination) }
        if destination.mode == .hold, !receivers[receiver].isStopped { stop(receiver) }
        if wasHeld, destination.mode != .hold, states[destination.name]?.takesNothing != true {
          receivers[receiver].isStopped = false
        }
        list(receiver)
      } else {
        addReceiver(destination)
        if let state = states[destination.name], let receiver = receiverOfName[destination.name] {
          apply(state, to: receiver, now: now)
        }
        if destination.mode == .hold, let receiver = receiverOfName[destination.name] { stop(receiver) }
      }
    }
  }

  private mutating func addReceiver(_ destination: Destination) {
    if let free = freeReceivers.popLast() {
      receivers[free] = Receiver(destination)
      receiverOfName[destination.name] = free
    } else {
      receiverOfName[destination.name] = receivers.count
      receivers.append(Receiver(destination))
    }
  }

  /// What is under way to it ends by itself; everything else fails now.
  private mutating func dropReceiver(_ receiver: Int, now: Instant) {
    receivers[receiver].destination = nil
    var left = waiting.remove { entries[$0]?.receiver == receiver }
    left += receivers[receiver].takeReady()
    for index in left {
      let isGone = isGone(index)
      let delivery = release(index)
      if !isGone {
        settleUnsent(delivery, .noDestination, DeliveryLoop.noDestination(delivery.destination), now: now)
      }
    }
    freeIfGone(receiver)
  }

  /// A place is used again only when nothing refers to it any more.
  private mutating func freeIfGone(_ receiver: Int) {
    guard receivers[receiver].destination == nil, receivers[receiver].isUnused else { return }
    receivers[receiver].isFree = true
    freeReceivers.append(receiver)
  }

  // MARK: Room

  /// Asks in portions of a sixteenth, so that the store is not asked for every single delivery. And says
  /// when someone who was passed over has room again: all that is granted may be waiting for him alone.
  private mutating func askForMore(now: Instant) {
    let byCount = bounds.deliveries - held
    let byBytes = (bounds.bytes - heldBytes) / max(averageBytes, DeliveryLoop.bytesPerEntry)
    let room = min(byCount, byBytes) - asked
    let isWorthIt = room >= max(1, bounds.deliveries / 16)
    let except = isWorthIt || !passedOver.isEmpty ? withEnough() : []
    guard isWorthIt || passedOver.contains(where: { !except.contains($0) }) else { return }
    let notBefore = isWorthIt ? askAgainAt : max(askAgainAt, tellAgainAt)
    guard now >= notBefore else {
      wakeUp(at: notBefore)
      return
    }
    let count = isWorthIt ? room : 0
    asked += count
    passedOver = except
    tellAgainAt = now + DeliveryLoop.pauseMilliseconds
    out.wants = Wants(count: count, except: except)
  }

  private func withEnough() -> [String] {
    guard held > bounds.deliveries / 2 || heldUnproven > 0 else { return [] }
    return receiverOfName.compactMap { name, receiver in
      let isFull = receivers[receiver].isUnproven ? isUnprovenFull(receiver) : hasEnough(receiver)
      return isFull ? name : nil
    }.sorted()
  }

  private mutating func wakeUp(at moment: Instant) {
    out.wakeUp = min(out.wakeUp ?? moment, moment)
  }
}
