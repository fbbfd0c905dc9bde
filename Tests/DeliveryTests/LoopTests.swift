// The delivery loop by itself, with time moved by hand and results made up by the test.
//
// Thread: any. Promise: pure, no clock and no network.

import Basics
import Delivery
import Model
import Testing

/// The loop with a clock that stands still unless told.
private struct Stage {
  var loop: DeliveryLoop
  var now = Instant(milliseconds: 1_768_472_430_000)

  init(_ destinations: [Destination], bounds: DeliveryLoop.Bounds = DeliveryLoop.Bounds()) {
    loop = DeliveryLoop(bounds: bounds)
    _ = loop.step([.configure(destinations)], now: now)
  }

  mutating func step(_ inputs: DeliveryLoop.Input...) -> DeliveryLoop.Outputs { loop.step(inputs, now: now) }

  func message(_ number: Int64, to name: String = "crm", inMilliseconds: Int64 = 0, expires: Int64? = nil) -> Delivery {
    delivery(number, to: name, due: now + inMilliseconds, expires: expires.map { now + $0 })
  }

  mutating func finish(_ number: Int64, _ outcome: AttemptOutcome = .delivered, status: Int = 200)
    -> DeliveryLoop.Outputs
  {
    step(.result(TransferResult(delivery: number, started: now, outcome: outcome, status: status)))
  }
}

@Suite struct LoopTests {
  @Test func `What is due starts at once, what is not waits for its moment`() {
    var stage = Stage([destination("http://a/")])
    let out = stage.step(.deliver([stage.message(1), stage.message(2, inMilliseconds: 30_000)]))
    #expect(out.starts.map(\.delivery.number) == [1])
    #expect(out.wakeUp == stage.now + 2_000)
    _ = stage.finish(1)
    #expect(stage.step().starts.isEmpty)
    stage.now = stage.now + 30_000
    #expect(stage.step().starts.map(\.delivery.number) == [2])
  }

  @Test func `What is due later than a minute goes back to the store`() {
    var stage = Stage([destination("http://a/")])
    let out = stage.step(
      .deliver([stage.message(1, inMilliseconds: 60_001), stage.message(2, inMilliseconds: 60_000)]))
    #expect(out.handedBack.map(\.delivery) == [1] && out.handedBack.first?.due == stage.now + 60_001)
    #expect(stage.loop.held == 1)
  }

  @Test func `A retry within a minute stays, a later one goes back`() {
    var stage = Stage([destination("http://a/", retries: [1_000, 600_000])])
    _ = stage.step(.deliver([stage.message(1)]))
    let first = stage.finish(1, .status, status: 500)
    guard case .retry(let at)? = first.settled.first?.settlement else {
      Issue.record("no retry")
      return
    }
    #expect(first.handedBack.isEmpty && first.wakeUp == at)
    stage.now = at
    #expect(stage.step().starts.first?.attempt == 2)
    let second = stage.finish(1, .status, status: 500)
    #expect(second.handedBack.map(\.delivery) == [1] && stage.loop.held == 0)
  }

  @Test func `A delivery that is held already is not taken again`() {
    var stage = Stage([destination("http://a/")])
    #expect(stage.step(.deliver([stage.message(1), stage.message(1)])).starts.count == 1)
    #expect(stage.step(.deliver([stage.message(1)])).starts.isEmpty)
    #expect(stage.loop.counters.repeated == 2)
  }

  @Test func `A result nobody waits for is counted and ignored`() {
    var stage = Stage([destination("http://a/")])
    #expect(stage.finish(7).settled.isEmpty)
    _ = stage.step(.deliver([stage.message(1)]))
    #expect(stage.finish(1).settled.count == 1)
    #expect(stage.finish(1).settled.isEmpty)
    #expect(stage.loop.counters.unknownResults == 2)
  }

  @Test func `Trust begins with one transfer and doubles with each answer`() {
    var stage = Stage([destination("http://a/", concurrency: 8)])
    let batch = (1...100).map { stage.message($0) }
    #expect(stage.step(.deliver(batch)).starts.count == 1)
    #expect(stage.finish(1).starts.count == 2)
    #expect(stage.finish(2).starts.count == 3)
    _ = stage.finish(3)
    #expect(stage.loop.transfersUnderWay == 8)
    _ = stage.finish(4, .timeout, status: 0)
    #expect(stage.loop.transfersUnderWay == 7)
  }

  @Test func `Destinations get their turns one after the other`() {
    var stage = Stage([destination("http://a/", name: "a"), destination("http://b/", name: "b")])
    for name in ["a", "b"] {
      for number in 0..<6 {
        _ = stage.step(.deliver([stage.message(Int64(number) + (name == "a" ? 900 : 800), to: name)]))
      }
    }
    // Trust for both, so that only the turns decide.
    for number in 0..<6 { for base in [900, 800] { _ = stage.finish(Int64(base + number)) } }
    let many = (1...4).map { stage.message($0, to: "a") } + (5...8).map { stage.message($0, to: "b") }
    #expect(stage.step(.deliver(many)).starts.map(\.delivery.destination) == ["a", "b", "a", "b", "a", "b", "a", "b"])
  }

  @Test func `A crowd of silent receivers leaves places and memory to one that answers`() {
    let crowd = (0..<100).map { destination("http://s/", name: "silent \($0)") }
    let bounds = DeliveryLoop.Bounds(transfers: 16, deliveries: 400, bytes: 10_000_000)
    var stage = Stage([destination("http://a/", name: "good")] + crowd, bounds: bounds)
    _ = stage.step(.deliver([stage.message(1, to: "good")]))
    _ = stage.finish(1)
    _ = stage.step(.deliver((0..<1_000).map { stage.message(10 + Int64($0), to: "silent \($0 % 100)") }))
    let out = stage.step(.deliver((5_000..<5_100).map { stage.message($0, to: "good") }))
    #expect(!out.starts.isEmpty && out.starts.allSatisfy { $0.delivery.destination == "good" })
    #expect(stage.loop.held <= 400 && stage.loop.transfersUnderWay <= 16)
  }

  @Test func `A receiver never asked gets its chance while silent ones wait`() {
    let crowd = (0..<100).map { destination("http://s/", name: "silent \($0)") }
    let bounds = DeliveryLoop.Bounds(transfers: 16, deliveries: 10_000, bytes: 10_000_000)
    var stage = Stage(crowd + [destination("http://a/", name: "new")], bounds: bounds)
    _ = stage.step(.deliver((0..<8).map { stage.message(Int64($0), to: "silent \($0)") }))
    stage.now = stage.now + 3_000
    _ = stage.step()
    let out = stage.step(.deliver([stage.message(500, to: "silent 3"), stage.message(501, to: "new")]))
    #expect(out.starts.map(\.delivery.destination) == ["new"])
  }

  @Test func `What expires while it waits is not sent`() {
    var stage = Stage([destination("http://a/")])
    _ = stage.step(.deliver([stage.message(1, inMilliseconds: 10_000, expires: 9_000)]))
    stage.now = stage.now + 10_000
    let out = stage.step()
    #expect(out.starts.isEmpty && out.settled.map(\.outcome) == [.expired])
    #expect(out.settled.first?.settlement == .failed)
  }

  @Test func `What expires while its receiver is silent is settled with the next timeout`() {
    var stage = Stage([destination("http://a/", retries: [10_000])])
    _ = stage.step(.deliver([stage.message(1), stage.message(2, expires: 9_000), stage.message(3)]))
    stage.now = stage.now + 10_000
    let out = stage.finish(1, .timeout, status: 0)
    #expect(out.settled.map(\.delivery) == [1, 2] && out.settled.last?.outcome == .expired)
    #expect(out.starts.map(\.delivery.number) == [3])
  }

  @Test func `When a destination goes, what waits for it fails and what is under way ends`() {
    var stage = Stage([destination("http://a/")])
    _ = stage.step(.deliver([stage.message(1), stage.message(2), stage.message(3, inMilliseconds: 5_000)]))
    let out = stage.step(.configure([]))
    #expect(Set(out.settled.map(\.delivery)) == [2, 3] && out.settled.allSatisfy { $0.outcome == .noDestination })
    #expect(stage.finish(1, .status, status: 500).settled.first?.settlement == .failed)
    #expect(stage.loop.held == 0)
    #expect(stage.step(.deliver([stage.message(9)])).settled.first?.outcome == .noDestination)
  }

  @Test func `After stop nothing starts, and results are still taken`() {
    var stage = Stage([destination("http://a/", retries: [10])])
    _ = stage.step(.deliver([stage.message(1), stage.message(2)]))
    #expect(stage.step(.stop).starts.isEmpty)
    let out = stage.finish(1, .status, status: 500)
    #expect(out.settled.count == 1 && out.starts.isEmpty && out.handedBack.count == 1 && out.wants == nil)
  }

  @Test func `It never asks for more than fits, and asks again when there is room`() {
    let bounds = DeliveryLoop.Bounds(transfers: 64, deliveries: 160, bytes: 10_000_000)
    var stage = Stage([], bounds: bounds)
    var fresh = DeliveryLoop(bounds: bounds)
    #expect(fresh.step([.configure([destination("http://a/")])], now: stage.now).wants?.count == 160)
    stage.loop = fresh
    _ = stage.step(.deliver([stage.message(0)]))
    _ = stage.finish(0)
    #expect(stage.step(.deliver((1...159).map { stage.message($0) })).wants == nil)
    var asked = 0
    for number in 1...159 { asked += stage.finish(Int64(number)).wants?.count ?? 0 }
    #expect(asked > 100 && asked <= 160)
  }

  @Test func `Bytes are bounded, too`() {
    let bounds = DeliveryLoop.Bounds(transfers: 4, deliveries: 1_000, bytes: 100_000)
    var stage = Stage([destination("http://a/")], bounds: bounds)
    let heavy = (1...100).map { number in
      delivery(number, body: String(repeating: "x", count: 10_000), due: stage.now)
    }
    let out = stage.step(.deliver(heavy))
    #expect(stage.loop.bytesHeld <= 100_000 && out.handedBack.count + stage.loop.held == 100)
  }

  @Test func `A receiver that hung and answers again is brought its deliveries again`() {
    var stage = Stage([])
    // The store: what it holds, how much it may bring, and for whom it must not.
    var stored = (1...10_000).map { Int64($0) }
    var (granted, isPassedOver, delivered) = (DeliveryLoop.Bounds().deliveries, false, 0)
    var underWay: [Int64] = []
    var inputs: [DeliveryLoop.Input] = [.configure([destination("http://a/")])]
    // It hangs for four seconds, and then answers everything at once.
    for round in 0..<400 where delivered < 10_000 {
      stage.now = stage.now + 50
      if round >= 80 {
        inputs += underWay.map {
          .result(TransferResult(delivery: $0, started: stage.now, outcome: .delivered, status: 200))
        }
        underWay = []
      }
      let out = stage.loop.step(inputs, now: stage.now)
      inputs = []
      delivered += out.settled.count
      underWay += out.starts.map(\.delivery.number)
      stored += out.handedBack.map(\.delivery)
      if let wants = out.wants { (granted, isPassedOver) = (granted + wants.count, !wants.except.isEmpty) }
      if isPassedOver || granted == 0 || stored.isEmpty { continue }
      let brought = stored.prefix(granted)
      stored.removeFirst(brought.count)
      granted -= brought.count
      inputs.append(.deliver(brought.map { stage.message($0) }))
    }
    #expect(delivered == 10_000)
  }
}
