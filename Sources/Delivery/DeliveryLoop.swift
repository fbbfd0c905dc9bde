// The decisions of delivery, without the network: which delivery starts now, what becomes of a result,
// when to look again, and how much more the memory can take.
//
// Thread: a value, stepped by one thread (or by the simulator). No clock, no chance, no I/O inside.
// Promise: a delivery is never under way twice; every delivery that is taken ends in exactly one of
// settled or handed back; a receiver that hangs delays nobody else for longer than two seconds.

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
  }

  private struct Entry: Sendable {
    enum State: Sendable {
      case ready, waiting
      case underWay(probing: Bool)
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
      case .stop: stopping = true
      }
    }
    if !stopping {
      awaken(now: now)
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
    if stopping { return handBack(delivery.number, due: delivery.due) }
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
  /// gets half of it.
  private func hasEnough(_ receiver: Int) -> Bool {
    receivers[receiver].held > bounds.deliveries / 2
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
    receivers[entry.receiver].held += 1
    if receivers[entry.receiver].isUnproven { heldUnproven += 1 }
    return index
  }

  @discardableResult
  private mutating func release(_ index: Int) -> Delivery {
    guard let entry = entries[index] else { preconditionFailure("an entry is released twice") }
    entries[index] = nil
    freeEntries.append(index)
    entryOfDelivery[entry.delivery.number] = nil
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
    if isDelivered { counters.delivered += 1 } else { counters.failed += 1 }
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
    guard let receiver = entries[index]?.receiver else { return }
    entries[index]?.state = .ready
    receivers[receiver].ready.append(index)
    list(receiver)
  }

  private mutating func list(_ receiver: Int) {
    guard !receivers[receiver].isListed, !receivers[receiver].ready.isEmpty else { return }
    receivers[receiver].isListed = true
    turn.append(receiver)
  }

  /// One start a turn, round and round, until nobody may start anything.
  private mutating func startDue(now: Instant) {
    admitProbes()
    while underWay < bounds.transfers, let receiver = turn.popFirst() {
      guard receivers[receiver].mayStart, let index = receivers[receiver].ready.popFirst() else {
        receivers[receiver].isListed = false
        freeIfGone(receiver)
        continue
      }
      if receivers[receiver].probes, !mayProbe(receiver) {
        receivers[receiver].ready.putBack(index)
        receivers[receiver].waitsToProbe = true
        if receivers[receiver].isSilent { silentWaiting.append(receiver) } else { unknownWaiting.append(receiver) }
        continue
      }
      turn.append(receiver)
      start(index, now: now)
    }
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
      return settleUnsent(delivery, .expired, DeliveryLoop.expired, now: now)
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
    settle(index, entry.delivery, result, now: now)
    if receivers[entry.receiver].isSilent { dropExpired(entry.receiver, now: now) }
    list(entry.receiver)
  }

  /// What waits for a silent receiver may wait for hours until its turn; what has expired by then is
  /// settled now and not when it would have started.
  private mutating func dropExpired(_ receiver: Int, now: Instant) {
    for _ in 0..<receivers[receiver].ready.count {
      guard let index = receivers[receiver].ready.popFirst() else { return }
      if isExpired(index, now: now) {
        settleUnsent(release(index), .expired, DeliveryLoop.expired, now: now)
      } else {
        receivers[receiver].ready.append(index)
      }
    }
  }

  private func isExpired(_ index: Int, now: Instant) -> Bool {
    entries[index]?.delivery.expires.map { $0 <= now } ?? false
  }

  private static let expired = "it was not delivered within the time the rule gave it"

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
      if due - now > DeliveryLoop.horizonMilliseconds || stopping {
        release(index)
        return handBack(delivery.number, due: due)
      }
      entries[index]?.delivery.attempts = attempt
      entries[index]?.delivery.due = due
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
    while isUnprovenFull(receiver), let index = receivers[receiver].ready.popLast() {
      let delivery = release(index)
      handBack(delivery.number, due: now + DeliveryLoop.horizonMilliseconds)
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
        change(receiver, now: now) { $0.configure(destination) }
        list(receiver)
      } else {
        addReceiver(destination)
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
    while let index = receivers[receiver].ready.popFirst() { left.append(index) }
    for index in left {
      let delivery = release(index)
      settleUnsent(delivery, .noDestination, DeliveryLoop.noDestination(delivery.destination), now: now)
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
