// Deliveries as the store keeps them: who goes next, what is held, what keeps its order, what is cancelled
// and what is sent once more; with a kill between any two steps.
//
// Thread: the test's. Promise: the clock moves only by hand.

import Basics
import Model
import Store
import Testing

/// A store that can be killed, and a delivery loop that does what it is told.
private final class Depot {
  let disk = MemoryStore.Disk()
  private(set) var loop: StoreLoop
  var now = Instant(milliseconds: 1_700_000_000_000)
  var sequence: Int64 = 0
  var handedOut: [Delivery] = []
  var cancels: [CancelRequest] = []
  var messages: [LaneMessage] = []
  var blocking: Set<String> = []
  var listens: Set<String> = []
  /// By itself, because a store that was never asked to its end keeps who waits for an answer.
  private final class Answers: Sendable { let list = Guarded<[DeliveryAnswer]>([]) }
  private let answers = Answers()
  var answered: [DeliveryAnswer] { answers.list.withLock { $0 } }
  let replay = Guarded<Int64>(0)

  init() throws {
    loop = try StoreLoop(engine: MemoryStore(disk))
    try begin()
  }

  private func begin() throws {
    handedOut = []
    try step([.configure(blocking: blocking, listens: listens)])
  }

  /// The process ends and comes back.
  func kill() throws {
    loop = try StoreLoop(engine: MemoryStore(disk))
    try begin()
  }

  func step(_ inputs: [StoreInput] = []) throws {
    let outputs = try loop.step(inputs, now: now)
    for done in outputs.completions { done() }
    handedOut += outputs.deliveries
    cancels += outputs.cancels
    messages += outputs.messages
  }

  func grant(_ count: Int, except: Set<String> = []) throws { try step([.wants(count, except: except)]) }

  func decide(_ deliveries: [(number: Int64, destination: String)], key: Int64 = 0, run: Int64 = 0) throws {
    sequence += 1
    var decisions = Decisions(lane: 0, sequence: sequence)
    decisions.deliveries = deliveries.map { row(in: $0.number, $0.destination, key: key, run: run) }
    try step([.decisions(decisions)])
  }

  func row(in number: Int64, _ destination: String, key: Int64, run: Int64) -> DeliveryRow {
    var delivery = Delivery(
      number: number, id: "msg_\(number)", destination: destination, type: "t", created: now, body: [1], due: now)
    delivery.orderKey = key
    return DeliveryRow(delivery: delivery, event: 1, subject: 1, rule: "r", run: run)
  }

  func attempt(_ number: Int64, _ settlement: Settlement, outcome: AttemptOutcome = .status) throws {
    let made = handedOut.last { $0.number == number }?.attempts ?? 0
    let retried = try loop.makeReader().engine.attempts(of: number).count
    try step([
      .settled([
        Attempt(
          delivery: number, attempt: max(made, retried) + 1, started: now, outcome: outcome, status: 500,
          settlement: settlement)
      ])
    ])
  }

  func end(run: Int64) throws {
    sequence += 1
    var decisions = Decisions(lane: 0, sequence: sequence)
    decisions.cancelledRuns = [(run, "its run has ended")]
    try step([.decisions(decisions)])
  }

  func change(_ name: String, _ change: DestinationChange) throws { try step([.destination(name, change, done: nil)]) }

  var note: @Sendable (DeliveryAnswer) -> Void { { [answers] answer in answers.list.withLock { $0.append(answer) } } }

  func last(_ number: Int64) throws -> Attempt? { try loop.makeReader().engine.attempts(of: number).last }
  func open(_ number: Int64) throws -> OpenDelivery? {
    try loop.makeReader().value(RowKey(.openDelivery, number)).flatMap(OpenDelivery.init)
  }
}

extension Depot: @unchecked Sendable {}

@Suite struct OpenDeliveryTests {
  @Test func `destinations get their turns, and first tries go before retries`() throws {
    let depot = try Depot()
    try depot.decide((1...2_000).map { ($0, "a") })
    try depot.grant(2_000)
    for number in 1...2_000 { try depot.attempt(Int64(number), .retry(at: depot.now + 1_000)) }
    // All of them come back and wait to be tried again.
    try depot.step([.handedBack(Array(1...2_000))])
    depot.handedOut = []
    depot.now = depot.now + 2_000
    try depot.decide((3_001...3_100).map { ($0, "a") } + (4_001...4_100).map { ($0, "b") })
    try depot.grant(400)
    let firsts = depot.handedOut.prefix(330).filter { !$0.isRetry }
    #expect(firsts.count == 200 && Set(firsts.map(\.destination)) == ["a", "b"])
    #expect(depot.handedOut.contains { $0.isRetry })
  }

  @Test func `a destination that is held waits in the store, others pass it, and a kill changes nothing`() throws {
    let depot = try Depot()
    try depot.change("a", .hold("by hand"))
    try depot.decide((1...30_000).map { ($0, "a") })
    try depot.decide([(40_000, "b")])
    try depot.kill()
    try depot.grant(100)
    #expect(depot.handedOut.map(\.number) == [40_000])
    #expect(depot.loop.states.first?.word == "held" && depot.loop.openByDestination["a"] == 30_000)
    try depot.change("a", .release)
    try depot.step()
    #expect(depot.handedOut.count == 75 + 1 || depot.handedOut.count == 100)
    #expect(depot.handedOut.allSatisfy { $0.attempts == 0 })
  }

  @Test func `what keeps its order goes one after the other, also after a kill`() throws {
    let depot = try Depot()
    try depot.grant(1_000)
    for number in 1...5 { try depot.decide([(Int64(number), "a")], key: 7) }
    try depot.decide([(9, "a")], key: 8)
    #expect(depot.handedOut.map(\.number) == [1, 9])
    try depot.attempt(1, .retry(at: depot.now + 100))
    #expect(depot.handedOut.count == 2)
    try depot.kill()
    depot.now = depot.now + 200
    try depot.grant(1_000)
    #expect(Set(depot.handedOut.map(\.number)) == [1, 9])
    try depot.attempt(1, .delivered, outcome: .delivered)
    try depot.attempt(2, .failed)
    #expect(depot.handedOut.map(\.number).filter { $0 != 9 } == [1, 2, 3], "given up, it does not hold back the next")
  }

  @Test(arguments: [false, true])
  func `what is sent once more keeps its order, also after a kill`(isKilled: Bool) throws {
    let depot = try Depot()
    try depot.grant(1_000)
    for number in 1...3 { try depot.decide([(Int64(number), "a")], key: 7) }
    for number in 1...3 { try depot.attempt(Int64(number), .failed) }
    try depot.decide([(4, "a")], key: 7)
    try depot.step([.replay(DeliveryFilter(), ratePerSecond: 0) { _ in }])
    try depot.step()
    #expect(depot.handedOut.map(\.number) == [1, 2, 3, 4], "the one that came meanwhile goes first")
    if isKilled {
      try depot.kill()
      try depot.grant(1_000)
    } else {
      depot.handedOut = []
      try depot.attempt(4, .delivered, outcome: .delivered)
    }
    for number in 1...3 { try depot.attempt(Int64(number), .delivered, outcome: .delivered) }
    #expect(depot.handedOut.map(\.number).prefix(3) == [1, 2, 3], "one at a time, the oldest first")
  }

  @Test func `one that was given up blocks those behind it where that is wanted`() throws {
    let depot = try Depot()
    depot.blocking = ["a"]
    try depot.kill()
    try depot.grant(1_000)
    for number in 1...3 { try depot.decide([(Int64(number), "a")], key: 7) }
    try depot.attempt(1, .failed)
    #expect(depot.handedOut.map(\.number) == [1])
    try depot.kill()
    try depot.grant(1_000)
    #expect(depot.handedOut.isEmpty)
    try depot.step([.retry(1, done: depot.note)])
    #expect(depot.handedOut.map(\.number) == [1])
    try depot.attempt(1, .delivered, outcome: .delivered)
    #expect(depot.handedOut.map(\.number) == [1, 2])
    try depot.attempt(2, .failed)
    try depot.step([.cancel(2, reason: "skip it", done: depot.note)])
    #expect(depot.handedOut.map(\.number) == [1, 2, 3] && depot.answered == [.done, .cancelled])
  }

  @Test(arguments: [false, true])
  func `what was given up blocks no longer than the configuration says`(isRestarted: Bool) throws {
    let depot = try Depot()
    depot.blocking = ["a"]
    try depot.kill()
    try depot.grant(10_000)
    // Two lines, and one of many keys, of which all are blocked.
    for number in 1...3 { try depot.decide([(Int64(number), "a")], key: 7) }
    for number in 10..<1_500 { try depot.decide([(Int64(number), "a")], key: Int64(number) + 100) }
    try depot.attempt(1, .failed)
    for number in 10..<1_500 { try depot.attempt(Int64(number), .failed) }
    try depot.decide([(2_000, "a")], key: 110)
    #expect(depot.loop.openByDestination["a"] == 3 + 1_490 + 1)
    depot.blocking = []
    depot.handedOut = []
    if isRestarted {
      try depot.kill()
      try depot.grant(10_000)
    } else {
      try depot.step([.configure(blocking: [], listens: [])])
    }
    for _ in 0..<3 { try depot.step() }
    #expect(depot.handedOut.map(\.number).sorted() == [2, 2_000], "what was given up is not sent once more")
    #expect(depot.loop.openByDestination["a"] == 3)
    #expect(try depot.open(1) == nil && depot.last(1)?.settlement == .failed)
    try depot.attempt(2, .failed)
    #expect(depot.handedOut.map(\.number).contains(3), "and new ones do not block")
  }

  @Test(arguments: [false, true])
  func `what is held or behind another one is given up when its time is over, also after a kill`(isKilled: Bool) throws
  {
    let depot = try Depot()
    depot.listens = ["nudged.delivery.failed"]
    try depot.kill()
    try depot.grant(1_000)
    try depot.change("a", .hold("by hand"))
    var held = depot.row(in: 1, "a", key: 0, run: 0)
    var first = depot.row(in: 2, "b", key: 7, run: 0)
    var second = depot.row(in: 3, "b", key: 7, run: 0)
    held.delivery.expires = depot.now + 5_000
    first.delivery.expires = depot.now + 5_000
    second.delivery.expires = depot.now + 5_000
    depot.sequence += 1
    var decisions = Decisions(lane: 0, sequence: depot.sequence)
    decisions.deliveries = [held, first, second, depot.row(in: 4, "b", key: 7, run: 0)]
    try depot.step([.decisions(decisions)])
    #expect(depot.handedOut.map(\.number) == [2])
    if isKilled {
      try depot.kill()
      try depot.grant(1_000)
      #expect(depot.handedOut.map(\.number) == [2])
    }
    depot.now = depot.now + 4_999
    try depot.step()
    #expect(try depot.open(1) != nil && depot.open(3) != nil)
    depot.now = depot.now + 1
    try depot.step()
    for number in [Int64(1), 3] {
      #expect(try depot.open(number) == nil && depot.last(number)?.outcome == .expired)
    }
    #expect(try depot.open(2) != nil, "what the delivery loop has it gives up itself")
    try depot.attempt(2, .failed, outcome: .expired)
    #expect(depot.handedOut.map(\.number) == [2, 4])
    #expect(depot.loop.openByDestination == ["b": 1])
  }

  @Test func `a run that is ended takes along what it sent and was not tried`() throws {
    let depot = try Depot()
    try depot.decide([(1, "a"), (2, "a"), (3, "b")], run: 5)
    try depot.grant(2)
    #expect(depot.handedOut.count == 2)
    try depot.end(run: 5)
    let waiting = try #require([Int64(1), 2, 3].first { number in !depot.handedOut.contains { $0.number == number } })
    #expect(try depot.last(waiting)?.outcome == .cancelled && depot.open(waiting) == nil)
    #expect(Set(depot.cancels.map(\.delivery)) == Set(depot.handedOut.map(\.number)))
    // One is let go by the delivery loop, the process ends before the other is: the wish is in its row.
    let first = depot.handedOut[0].number
    let second = depot.handedOut[1].number
    try depot.attempt(first, .failed, outcome: .cancelled)
    try depot.kill()
    try depot.grant(10)
    #expect(depot.handedOut.isEmpty)
    #expect(try depot.last(second)?.outcome == .cancelled && depot.last(second)?.message == "its run has ended")
  }

  @Test func `what was decided in the same commit in which its run ends is never sent`() throws {
    let depot = try Depot()
    try depot.grant(100)
    var decisions = Decisions(lane: 0, sequence: 1)
    decisions.deliveries = [depot.row(in: 1, "a", key: 0, run: 5), depot.row(in: 2, "a", key: 0, run: 6)]
    decisions.cancelledRuns = [(5, "its run has ended")]
    try depot.step([.decisions(decisions)])
    #expect(depot.handedOut.map(\.number) == [2])
    #expect(try depot.last(1)?.outcome == .cancelled)
  }

  @Test func `too late is said when it is under way`() throws {
    let depot = try Depot()
    try depot.grant(10)
    try depot.decide([(1, "a")])
    try depot.step([.cancel(1, reason: "no", done: depot.note), .cancel(2, reason: "no", done: depot.note)])
    try depot.step([.tooLate([1])])
    #expect(depot.answered == [.missing, .tooLate])
    try depot.attempt(1, .delivered, outcome: .delivered)
    try depot.step([.cancel(1, reason: "no", done: depot.note)])
    #expect(depot.answered.last == .tooLate)
  }

  @Test func `a person's cancel that crosses a hand-back is answered, also for what was tried before`() throws {
    let depot = try Depot()
    try depot.grant(10)
    try depot.decide([(1, "a"), (2, "a")], run: 5)
    for number in [Int64(1), 2] { try depot.attempt(number, .retry(at: depot.now + 60_000)) }
    // The delivery loop has let both go, and hears of the cancels too late to say anything about them.
    try depot.step([.cancel(1, reason: "by hand", done: depot.note)])
    try depot.end(run: 5)
    #expect(depot.answered.isEmpty && depot.cancels.map(\.delivery) == [1])
    try depot.step([.handedBack([1, 2])])
    #expect(depot.answered == [.cancelled])
    #expect(try depot.last(1)?.outcome == .cancelled && depot.open(1) == nil)
    #expect(try depot.open(2)?.attempts == 1, "the end of its run spares what was tried")
    #expect(depot.loop.status.deliveriesCancelled == 1)
  }

  @Test func `one that failed is sent once more under its id, and its tries are counted on`() throws {
    let depot = try Depot()
    try depot.grant(10)
    try depot.decide([(1, "a")])
    try depot.attempt(1, .retry(at: depot.now + 1))
    try depot.attempt(1, .failed)
    try depot.step([.retry(1, done: depot.note)])
    #expect(depot.handedOut.count == 2 && depot.handedOut[1].id == "msg_1")
    #expect(depot.handedOut[1].attempts == 2 && depot.handedOut[1].triesBefore == 2 && !depot.handedOut[1].isRetry)
    try depot.kill()
    try depot.grant(10)
    #expect(depot.handedOut.map(\.triesBefore) == [2])
    try depot.attempt(1, .delivered, outcome: .delivered)
    #expect(try depot.last(1)?.attempt == 3 && depot.open(1) == nil)
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `a replay sends each once, however often the process is killed`(seed: UInt64) throws {
    let depot = try Depot()
    var random = SeededRandom(seed: seed)
    let count = 700
    try depot.grant(20_000)
    try depot.decide((1...Int64(count)).map { ($0, $0 % 3 == 0 ? "b" : "a") })
    for number in 1...count {
      try depot.attempt(
        Int64(number), number % 5 == 0 ? .delivered : .failed, outcome: number % 5 == 0 ? .delivered : .status)
    }
    var filter = DeliveryFilter()
    filter.destination = "a"
    filter.from = 11
    depot.handedOut = []
    try depot.step([
      .replay(filter, ratePerSecond: seed % 2 == 0 ? 300 : 0) { [depot] in
        let number = $0
        depot.replay.withLock { $0 = number }
      }
    ])
    // What is made later is not meant.
    try depot.decide([(9_001, "a")])
    var sent: [Int64: Int] = [:]
    for _ in 0..<400 {
      depot.now = depot.now + Int64(random.next(below: 60))
      try depot.step()
      if random.chance(1, in: 6) { try depot.kill() }
      if random.chance(1, in: 3) { try depot.grant(100) }
      for delivery in depot.handedOut where delivery.triesBefore > 0 {
        guard try depot.open(delivery.number) != nil else { continue }
        sent[delivery.number, default: 0] += 1
        try depot.attempt(delivery.number, .delivered, outcome: .delivered)
      }
      depot.handedOut = []
    }
    let wanted = Set((11...Int64(count)).filter { $0 % 3 != 0 && $0 % 5 != 0 })
    #expect(Set(sent.keys) == wanted && sent.values.allSatisfy { $0 == 1 })
    for number in wanted { #expect(try depot.last(number)?.attempt == 2) }
    let row = try depot.loop.makeReader().value(RowKey(.replay, depot.replay.withLock { $0 })).flatMap { ReplayRow($0) }
    #expect(row?.sent == Int64(wanted.count) && row?.ended != nil)
  }

  @Test func `a replay keeps its rate`() throws {
    let depot = try Depot()
    try depot.grant(20_000)
    try depot.decide((1...2_000).map { ($0, "a") })
    for number in 1...2_000 { try depot.attempt(Int64(number), .failed) }
    depot.handedOut = []
    try depot.step([.replay(DeliveryFilter(), ratePerSecond: 50) { _ in }])
    for _ in 0..<1_000 {
      depot.now = depot.now + 10
      try depot.step()
    }
    #expect((495...505).contains(depot.handedOut.count), "\(depot.handedOut.count)")
  }

  @Test func `a replay makes up for a second's sleep, in as many portions as it takes`() throws {
    let depot = try Depot()
    try depot.grant(20_000)
    try depot.decide((1...600).map { ($0, "a") })
    for number in 1...600 { try depot.attempt(Int64(number), .failed) }
    depot.handedOut = []
    try depot.step([.replay(DeliveryFilter(), ratePerSecond: 400) { _ in }])
    depot.now = depot.now + 1_000
    for _ in 0..<5 { try depot.step() }
    #expect(depot.handedOut.count == 400)
  }

  @Test func `a destination that fails is told of as an event that a kill does not lose`() throws {
    let depot = try Depot()
    try depot.change("a", .failing(since: depot.now, reason: "the receiver answered 503"))
    try depot.change("a", .failing(since: depot.now, reason: "the receiver answered 503"))
    #expect(depot.messages.count == 1, "once")
    guard case .emitted(let incoming, let about)? = depot.messages.first?.content else {
      Issue.record("\(depot.messages)")
      return
    }
    #expect(about.description == "destination:a" && incoming.event.name == "nudged.destination.failing")
    #expect(incoming.event.dataCursor?["reason"]?.string == "the receiver answered 503")
    #expect(depot.loop.states.first?.reason == "the receiver answered 503")
    try depot.kill()
    let rows = try depot.loop.makeReader().rows(
      from: RowKey(.message, .min), to: RowKey(.message, .max, .max), limit: 10)
    #expect(rows.compactMap { $0.value.flatMap { MessageRow($0) } }.map(\.target) == ["destination:a"])
  }

  @Test func `enable leaves a destination that only fails as it is, so that its recovery is told`() throws {
    let depot = try Depot()
    try depot.change("a", .failing(since: depot.now))
    try depot.change("a", .enable)
    #expect(depot.loop.states.first?.word == "failing")
    try depot.change("a", .recovered)
    #expect(depot.loop.states.first?.word == "well" && depot.messages.count == 2)
    try depot.change("a", .failing(since: depot.now))
    try depot.change("a", .disable("it answers 410"))
    try depot.change("a", .enable)
    #expect(depot.loop.states.first?.word == "well")
  }

  @Test func `a delivery that is given up is told of only where a rule listens, and not for ever deeper`() throws {
    let depot = try Depot()
    try depot.grant(10)
    try depot.decide([(1, "a")])
    try depot.attempt(1, .failed)
    #expect(depot.messages.isEmpty)
    depot.listens = ["nudged.delivery.failed"]
    try depot.kill()
    try depot.grant(10)
    for (number, depth) in [(Int64(2), 0), (3, Limits.causalDepth)] {
      depot.sequence += 1
      var decisions = Decisions(lane: 0, sequence: depot.sequence)
      decisions.events.append(
        EventRow(
          number: number, subject: 1, previous: 0, received: depot.now, source: "web", name: "n", cause: 0,
          depth: depth,
          body: Array("{}".utf8)))
      let names = [SubjectReference(namespace: "user", id: "42")]
      decisions.changes.append(RowKey(.subject, 1), SubjectRow(shard: 0, names: names, created: depot.now).packed)
      var row = depot.row(in: number, "a", key: 0, run: 0)
      row.event = number
      decisions.deliveries = [row]
      try depot.step([.decisions(decisions)])
      try depot.attempt(number, .failed)
    }
    #expect(depot.messages.count == 1)
    guard case .emitted(let incoming, let about)? = depot.messages.first?.content else { return }
    #expect(about.description == "user:42" && incoming.event.depth == 1)
    #expect(incoming.event.dataCursor?["delivery"]?.integer == 2)
  }
}
