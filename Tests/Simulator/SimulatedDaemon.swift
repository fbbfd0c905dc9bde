// The whole daemon on one thread: the gate with its parser, desk, lanes, store and delivery are the real ones;
// mailboxes, the disk, sockets and the network are values. Whoever holds it decides which loop steps next.
//
// Thread: the test's. Promise: nothing reads a clock or draws by chance that the seed did not give.

import Basics
import Delivery
import Engine
import Intake
import Model
import Rules
import Store

/// What the outside sees of a step.
struct SimulatedOutputs {
  var answered: [Ticket] = []
  var starts: [DeliveryLoop.Start] = []
}

final class SimulatedDaemon {
  private let store: StoreLoop
  private let desk: Desk
  private let lanes: [Lane]
  private var delivery = DeliveryLoop()
  private var deskInputs: [DeskInput] = []
  private var laneInputs: [[LaneInput]]
  private var storeInputs: [StoreInput] = []
  private var deliveryInputs: [DeliveryLoop.Input] = []
  private let committed = Counter()
  private let durable: [Counter]
  private var storeWakeAt = Instant.zero
  private var deliveryWakeAt = Instant.zero

  /// What requests brought, on its way to the desk.
  private final class Taken: @unchecked Sendable { var events: [IncomingEvent] = [] }
  private let taken = Taken()
  private let gate: Gate
  /// The connections of clients, each with what has come of its bytes.
  private var connections: [RequestStream] = (0..<SimulatedDaemon.connectionCount).map {
    RequestStream(slot: UInt32($0))
  }
  private final class Moment: @unchecked Sendable { var now = Instant.zero }
  private let moment = Moment()

  static let connectionCount = 3
  static let lanesOfSeed = [1, 2, 3]

  init(
    disk: MemoryStore.Disk, rules: RuleSet, destinations: [Destination], lanes count: Int, dedupeBits: UInt64,
    policies: Policies = Policies()
  ) throws {
    store = try StoreLoop(engine: MemoryStore(disk))
    committed.set(store.recovered.record)
    let reader = try store.makeReader()
    let dedupe = DedupeSet(nextRun: store.recovered.dedupeRun, capacityBits: dedupeBits)
    let runs = try Recovery.dedupe(dedupe, from: store, reader: reader)
    let numbers = Numbers(event: store.recovered.event, delivery: store.recovered.delivery, run: store.highestRun)
    let router = Router(
      reader: reader, hashKey: store.recovered.hashKey, highestSubject: store.highestSubject, dedupe: dedupe,
      runsToClose: runs, numbers: numbers, committed: committed, lanes: count)
    try router.learnIdentities()
    desk = Desk(router: router, lanes: count)
    var known: [String: Int64] = [:]
    for row in try reader.rows(from: RowKey(.rule, 0), to: RowKey(.rule, .max), limit: 1_000) {
      known[String(decoding: row.value ?? [], as: UTF8.self)] = row.key.first
    }
    let book = RuleBook(
      rules: rules, known: known, highest: store.highestRule, destinations: destinations,
      versions: try Recovery.versions(reader), highestVersion: store.highestVersion,
      policies: policies, created: Instant(milliseconds: 1),
      definitions: try Recovery.definitions(reader, lanes: count))
    let store = store
    let durable = (0..<count).map { _ in Counter() }
    self.durable = durable
    lanes = try (0..<count).map { index in
      try Lane(
        index: index, lanes: count, reader: try store.makeReader(), numbers: numbers, hashKey: store.recovered.hashKey,
        mark: EvaluationMark(), book: book, highestSubject: store.highestSubject,
        highestRun: store.highestRun, durable: durable[index], lastEvent: store.recovered.event)
    }
    for lane in lanes { lane.caughtUp = .zero }
    let taken = taken
    let moment = moment
    gate = Gate(
      exits: GateExits(
        submit: { events in
          taken.events += events
          return true
        }, ask: { _ in }, command: { _, _ in }, rules: { [] }, metrics: { [] }, status: { [] }, obstacle: { nil }),
      answers: AnswerBox(), keyring: Keyring(keys: [], isOpenLocally: true), hashKey: store.recovered.hashKey,
      clocks: Clocks(wall: { moment.now }, steadyNanoseconds: { moment.now.milliseconds * 1_000_000 }),
      counters: GateCounters(underWay: Counter()))
    laneInputs = Array(repeating: [], count: count)
    deliveryInputs = [.configure(destinations), .states(store.states)]
    storeInputs = [.configure(blocking: [], listens: ["nudged.delivery.failed"])]
    let hash = KeyedHash(key0: store.recovered.hashKey.0, key1: store.recovered.hashKey.1)
    for message in try Recovery.messages(reader, hash: hash) { deskInputs.append(.message(message)) }
  }

  var reader: StoreReader { get throws { try store.makeReader() } }
  var hashKey: (UInt64, UInt64) { store.recovered.hashKey }

  /// Bytes of a client arrive; what of them is a whole request is read, and its events go to the desk. Returns
  /// the statuses of what was answered at once, and the tickets of what is answered once it is on disk.
  func receive(_ bytes: some Sequence<UInt8>, connection: Int, now: Instant) -> (statuses: [Int], tickets: [Ticket]) {
    moment.now = now
    let answers = connections[connection].take(bytes, gate)
    gate.turnEnded()
    let events = taken.events
    taken.events = []
    deskInputs += events.map { .incoming($0) }
    let refused = connections[connection].isRefused ? [400] : []
    return (answers.map(\.status) + refused, events.compactMap(\.ticket))
  }

  /// A breaker is half-open: one delivery finds out whether its receiver is back.
  var isProbing: Bool { delivery.standings.contains { $0.breaker == "half-open" } }
  /// A job that sends deliveries once more is not through.
  var isReplaying: Bool { store.replaysUnderWay > 0 }

  /// What a person asks of the store.
  func ask(_ input: StoreInput) { storeInputs.append(input) }
  func finish(_ result: TransferResult) { deliveryInputs.append(.result(result)) }

  /// Nothing waits in any mailbox and no loop asked to be woken by now.
  func isQuiet(now: Instant) -> Bool {
    deskInputs.isEmpty && laneInputs.allSatisfy(\.isEmpty) && storeInputs.isEmpty && deliveryInputs.isEmpty
      && delivery.transfersUnderWay == 0 && delivery.held == 0
  }

  /// What still waits, for messages.
  var waiting: String {
    "desk \(deskInputs.count), lanes \(laneInputs.map(\.count)), store \(storeInputs.count), delivery \(deliveryInputs.count),"
      + " held \(delivery.held), under way \(delivery.transfersUnderWay)"
  }

  var wakeAt: Instant { min(storeWakeAt, deliveryWakeAt) }

  /// When the first run wakes by itself.
  var timerAt: Instant { lanes.map(\.wakeAt).min() ?? .distantFuture }

  func stepDesk(now: Instant) throws {
    let inputs = take(&deskInputs)
    let (routed, runs) = try desk.step(inputs, now: now)
    for run in runs { storeInputs.append(.closeRun(run)) }
    for (lane, list) in routed.enumerated() { laneInputs[lane] += list }
  }

  func stepLane(_ index: Int, now: Instant) throws {
    let lane = index % lanes.count
    let inputs = take(&laneInputs[lane])
    if inputs.isEmpty, lanes[lane].wakeAt > now { return }
    let decisions = try lanes[lane].step(inputs, now: now)
    if !decisions.isEmpty { storeInputs.append(.decisions(decisions)) }
    if let question = lanes[lane].takeQuestion() { deskInputs.append(question) }
  }

  /// With `crashesAfterCommit` the outputs are lost, as when the process ends right after its fsync.
  func stepStore(now: Instant, crashesAfterCommit: Bool = false) throws -> SimulatedOutputs {
    let outputs = try store.step(take(&storeInputs), now: now)
    if crashesAfterCommit { return SimulatedOutputs() }
    storeWakeAt = outputs.wakeAt
    if outputs.record > 0 { committed.set(outputs.record) }
    for (lane, turn) in outputs.turns { durable[lane].set(turn) }
    if !outputs.deliveries.isEmpty { deliveryInputs.append(.deliver(outputs.deliveries)) }
    if !outputs.states.isEmpty { deliveryInputs.append(.states(outputs.states)) }
    if !outputs.cancels.isEmpty { deliveryInputs.append(.cancel(outputs.cancels)) }
    deskInputs += outputs.messages.map { .message($0) }
    deskInputs += outputs.closedRuns.map { .runClosed($0) }
    if lanes.count > 1, !outputs.committed.isEmpty { deskInputs.append(.committed(outputs.committed)) }
    return SimulatedOutputs(answered: outputs.answered)
  }

  func stepDelivery(now: Instant) -> SimulatedOutputs {
    let outputs = delivery.step(take(&deliveryInputs), now: now)
    deliveryWakeAt = outputs.wakeUp ?? .distantFuture
    if !outputs.settled.isEmpty { storeInputs.append(.settled(outputs.settled)) }
    if !outputs.handedBack.isEmpty { storeInputs.append(.handedBack(outputs.handedBack.map(\.delivery))) }
    if let wants = outputs.wants { storeInputs.append(.wants(wants.count, except: Set(wants.except))) }
    for change in outputs.changes { storeInputs.append(.destination(change.destination, change.change, done: nil)) }
    if !outputs.tooLate.isEmpty { storeInputs.append(.tooLate(outputs.tooLate)) }
    return SimulatedOutputs(starts: outputs.starts)
  }

  func sweepAll(now: Instant) throws { try store.sweepAll(now: now) }

  private func take<T>(_ list: inout [T]) -> [T] {
    defer { list = [] }
    return list
  }
}
