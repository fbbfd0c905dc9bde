// The delivery loop in ten thousand seeded steps: receivers that come and go, answer, fail and hang,
// deliveries that are brought twice, memory that is too small.
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

  init(seed: UInt64, bounds: DeliveryLoop.Bounds) {
    random = SeededRandom(seed: seed)
    self.bounds = bounds
    loop = DeliveryLoop(bounds: bounds)
  }

  mutating func expect(_ holds: Bool, _ what: @autoclosure () -> String) { if !holds { problems.append(what()) } }

  func configuration() -> [Destination] {
    names.map { destination("http://\($0)/", name: $0, retries: [1_000, 90_000, 5_000], concurrency: 5) }
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
    defer { disabled = [] }
    return .states(disabled.sorted().map { DestinationState(name: $0) })
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
  @Test(arguments: [1, 2] as [UInt64])
  func `Nothing is under way twice and everything settles`(seed: UInt64) {
    let bounds = DeliveryLoop.Bounds(transfers: 6, deliveries: 40, bytes: 20_000)
    var world = World(seed: seed, bounds: bounds)
    world.apply(world.loop.step([.configure(world.configuration())], now: world.now))
    for step in 0..<10_000 {
      if step < 6_000 { world.createSome() }
      var inputs: [DeliveryLoop.Input] = []
      if step % 3 == 0 { inputs.append(world.bring()) }
      inputs += world.results()
      if step < 6_000, world.random.chance(1, in: 200) {
        world.names = ["a", "b", "c"].filter { _ in world.random.chance(2, in: 3) }
        inputs.append(.configure(world.configuration()))
      }
      if world.random.chance(1, in: 20) { inputs.append(world.enable()) }
      world.now = world.now + Int64(world.random.next(below: step < 6_000 ? 200 : 20_000))
      world.apply(world.loop.step(inputs, now: world.now))
    }
    #expect(world.problems.isEmpty, "\(world.problems.prefix(5))")
    #expect(world.settled.count == Int(world.created), "\(world.stored.count) left in the store")
    #expect(world.loop.held == 0 && world.loop.bytesHeld == 0 && world.loop.transfersUnderWay == 0)
  }
}
