// The delivery loop in twenty thousand seeded steps: receivers that come and go, answer, fail and hang,
// deliveries that are brought twice, memory that is too small, people who hold, enable and cancel; held
// against a model that only counts.
//
// Thread: any. Promise: pure; the same seed gives the same story.

import Basics
import Delivery
import Model
import Testing

/// A store and a network that keep account of every delivery.
private struct World {
  var random: SeededRandom
  var now = Instant(milliseconds: 1_768_472_430_000)
  var loop: DeliveryLoop
  let bounds: DeliveryLoop.Bounds
  var names: [String] = ["a", "b", "c"]
  /// In the store and due then.
  var stored: [Int64: Delivery] = [:]
  var all: [Int64: Delivery] = [:]
  var underWay: [Int64: Int] = [:]
  var attempts: [Int64: Int] = [:]
  var settled: Set<Int64> = []
  var inLoop: Set<Int64> = []
  var created: Int64 = 0
  var problems: [String] = []
  /// Destinations that answered 410; someone enables them again after a while.
  var disabled: Set<String> = []
  /// Destinations that a person holds.
  var held: Set<String> = []
  /// When deliveries to "c", which has a rate, were started.
  var paced: [Instant] = []
  var started: [String: Int] = [:]

  init(seed: UInt64, bounds: DeliveryLoop.Bounds) {
    random = SeededRandom(seed: seed)
    self.bounds = bounds
    loop = DeliveryLoop(bounds: bounds)
  }

  mutating func expect(_ holds: Bool, _ what: @autoclosure () -> String) { if !holds { problems.append(what()) } }

  func configuration() -> [Destination] {
    names.map { name in
      var made = destination("http://\(name)/", name: name, retries: [1_000, 90_000, 5_000], concurrency: 5)
      if name == "c" { made.ratePerSecond = World.rate }
      return made
    }
  }

  static let rate = 20.0

  /// One step, with what the model knows before it.
  mutating func step(_ inputs: [DeliveryLoop.Input]) {
    let shut = loop.standings.filter { $0.breaker == "half-open" || ($0.probesAt.map { $0 > now } ?? false) }
    let shutNames = Set(shut.map(\.name))
    var isConfigured = false
    var isResult = false
    for input in inputs {
      if case .configure = input { isConfigured = true }
      if case .result = input { isResult = true }
      if case .states = input { isConfigured = true }
    }
    let out = loop.step(inputs, now: now)
    for start in out.starts {
      let name = start.delivery.destination
      expect(!held.contains(name) && !disabled.contains(name), "\(name) takes nothing and got something")
      // A result may close a breaker, and a change of configuration may as well.
      if !isResult, !isConfigured { expect(!shutNames.contains(name), "the breaker of \(name) is open") }
      if name == "c" { paced.append(now) }
      started[name, default: 0] += 1
    }
    apply(out)
    let perName = Dictionary(grouping: underWay.keys.compactMap { all[$0]?.destination }, by: { $0 }).mapValues(\.count)
    expect(perName.values.allSatisfy { $0 <= 5 }, "more under way than its concurrency: \(perName)")
    paced.removeAll { now - $0 >= 1_000 }
    let count = paced.count
    expect(Double(count) <= World.rate * 1.05 + 1, "\(count) starts in a second, \(World.rate) may")
  }

  /// Somebody holds, releases, cancels.
  mutating func meddle() -> [DeliveryLoop.Input] {
    var inputs: [DeliveryLoop.Input] = []
    if random.chance(1, in: 60) {
      let name = ["a", "b", "c"][Int(random.next(below: 3))]
      var state = DestinationState(name: name)
      if !held.contains(name) { state.heldSince = now }
      held.formSymmetricDifference([name])
      disabled.remove(name)
      inputs.append(.states([state]))
    }
    if random.chance(1, in: 10), created > 0 {
      let number = 1 + Int64(random.next(below: UInt64(created)))
      inputs.append(.cancel([CancelRequest(delivery: number, reason: "by hand", isForced: random.chance(1, in: 2))]))
    }
    return inputs
  }

  mutating func createSome() {
    for _ in 0..<random.next(below: 2) {
      created += 1
      let name = ["a", "b", "c", "unknown"][Int(random.next(below: 4))]
      let due = now + (Int64(random.next(below: 100)) * 1_000 - 30_000)
      let expires = random.chance(1, in: 10) ? now + 20_000 : nil
      all[created] = delivery(created, to: name, due: due, expires: expires)
      stored[created] = all[created]
    }
  }

  /// What the store brings: what is due, now and then something that was brought before.
  mutating func bring() -> DeliveryLoop.Input {
    let due = stored.values.filter { $0.due - now <= 60_000 }.sorted { $0.number < $1.number }.prefix(20)
    var batch = Array(due)
    for delivery in batch {
      stored[delivery.number] = nil
      inLoop.insert(delivery.number)
    }
    if random.chance(1, in: 10), let again = underWay.keys.min(), let delivery = all[again] { batch.append(delivery) }
    return .deliver(batch)
  }

  mutating func results() -> [DeliveryLoop.Input] {
    let done = underWay.keys.sorted().filter { _ in random.chance(1, in: 3) }
    return done.map { number in
      underWay[number] = nil
      let outcome: AttemptOutcome = [.delivered, .delivered, .status, .timeout, .reset, .refused][
        Int(random.next(below: 6))]
      let status = outcome == .status ? [500, 429, 410, 302][Int(random.next(below: 4))] : 0
      return .result(TransferResult(delivery: number, started: now, outcome: outcome, status: status))
    }
  }

  mutating func apply(_ out: DeliveryLoop.Outputs) {
    for attempt in out.settled { settle(attempt) }
    for number in out.tooLate {
      expect(underWay[number] != nil || attempts[number] != nil, "\(number) could have been cancelled")
    }
    for start in out.starts {
      expect(underWay[start.delivery.number] == nil, "\(start.delivery.number) is under way twice")
      expect(!settled.contains(start.delivery.number), "\(start.delivery.number) starts after it was settled")
      underWay[start.delivery.number] = start.attempt
    }
    for back in out.handedBack {
      expect(inLoop.remove(back.delivery) != nil, "\(back.delivery) is handed back but was not held")
      guard var delivery = all[back.delivery] else { continue }
      delivery.due = back.due
      delivery.attempts = attempts[back.delivery] ?? 0
      stored[back.delivery] = delivery
    }
    for change in out.changes {
      if case .disable = change.change { disabled.insert(change.destination) }
    }
    let (held, known, counted) = (loop.held, inLoop.count, loop.transfersUnderWay)
    expect(underWay.count <= bounds.transfers, "too many transfers")
    expect(held <= bounds.deliveries && held == known, "memory: \(held), known \(known)")
    expect(counted == underWay.count, "counts of transfers differ")
  }

  /// Someone looks at what was switched off.
  mutating func enable() -> DeliveryLoop.Input {
    defer { disabled = disabled.intersection(held) }
    return .states(disabled.subtracting(held).sorted().map { DestinationState(name: $0) })
  }

  private mutating func settle(_ attempt: Attempt) {
    expect(!settled.contains(attempt.delivery), "\(attempt.delivery) is settled twice")
    if case .retry(let at) = attempt.settlement {
      expect(at > now, "a retry in the past")
      attempts[attempt.delivery] = attempt.attempt
    } else {
      settled.insert(attempt.delivery)
      inLoop.remove(attempt.delivery)
    }
  }
}

@Suite struct LoopScenarioTests {
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func `Nothing is under way twice and everything settles`(seed: UInt64) {
    let bounds = DeliveryLoop.Bounds(transfers: 6, deliveries: 40, bytes: 20_000)
    var world = World(seed: seed, bounds: bounds)
    world.step([.configure(world.configuration())])
    for step in 0..<20_000 {
      if step < 6_000 { world.createSome() }
      var inputs: [DeliveryLoop.Input] = []
      if step % 3 == 0 { inputs.append(world.bring()) }
      inputs += world.results()
      if step < 6_000, world.random.chance(1, in: 200) {
        world.names = ["a", "b", "c"].filter { _ in world.random.chance(2, in: 3) }
        inputs.append(.configure(world.configuration()))
      }
      if world.random.chance(1, in: 20) { inputs.append(world.enable()) }
      if step < 6_000 { inputs += world.meddle() }
      if step == 6_000 {
        inputs.append(.states(world.held.sorted().map { DestinationState(name: $0) }))
        world.held = []
      }
      world.now = world.now + Int64(world.random.next(below: step < 6_000 ? 200 : 20_000))
      world.step(inputs)
    }
    #expect(world.problems.isEmpty, "\(world.problems.prefix(5))")
    #expect(world.settled.count == Int(world.created), "\(world.stored.count) left in the store")
    #expect(world.loop.counters.cancelled > 0)
    #expect(world.loop.held == 0 && world.loop.bytesHeld == 0 && world.loop.transfersUnderWay == 0)
  }
}
