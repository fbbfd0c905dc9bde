// How the loop treats each destination on its own: breaker, rate, lanes, trust, holding and cancelling,
// with time moved by hand.
//
// Thread: any. Promise: pure, no clock and no network.

import Basics
import Delivery
import Model
import Testing

/// The loop, a store that brings what is handed back, and receivers that answer at once.
private struct Town {
  var loop = DeliveryLoop()
  var now = Instant(milliseconds: 1_768_472_430_000)
  var next: Int64 = 0
  var changes: [DeliveryLoop.Change] = []
  var settled: [Attempt] = []
  var handedBack: [Int64] = []
  var starts: [DeliveryLoop.Start] = []
  var underWay: [DeliveryLoop.Start] = []

  init(_ destinations: [Destination]) { step(.configure(destinations)) }

  mutating func step(_ inputs: DeliveryLoop.Input...) { take(loop.step(inputs, now: now)) }

  private mutating func take(_ out: DeliveryLoop.Outputs) {
    changes += out.changes
    settled += out.settled
    handedBack += out.handedBack.map(\.delivery)
    starts += out.starts
    underWay += out.starts
  }

  mutating func bring(_ count: Int, to name: String = "crm", attempts: Int = 0, expires: Int64? = nil) {
    let batch = (0..<count).map { _ in
      next += 1
      var made = delivery(next, to: name, due: now, expires: expires.map { now + $0 })
      made.attempts = attempts
      return made
    }
    step(.deliver(batch))
  }

  /// Everything under way is answered.
  mutating func answer(_ status: Int = 200) {
    answer(as: status == 0 ? .timeout : status == 200 ? .delivered : .status, status)
  }

  mutating func answer(as outcome: AttemptOutcome, _ status: Int = 0) {
    let ended = underWay
    underWay = []
    take(
      loop.step(
        ended.map {
          .result(
            TransferResult(
              delivery: $0.delivery.number, started: now, outcome: outcome, status: status,
              message: outcome == .delivered ? "" : "the receiver answered \(status)"))
        }, now: now))
  }

  mutating func pass(_ milliseconds: Int64) {
    now = now + milliseconds
    step()
  }

  var breaker: String { loop.standings.first?.breaker ?? "" }
}

@Suite struct FlowTests {
  private static let patient = Array(repeating: Int64(3_600_000), count: 12)

  @Test func `The breaker opens at half failures of twenty, and nothing is spent while it is open`() {
    var town = Town([destination("http://a/", retries: FlowTests.patient, concurrency: 8)])
    town.bring(400)
    var rounds = 0
    while town.breaker == "closed", rounds < 100 {
      town.answer(rounds % 2 == 0 ? 500 : 200)
      town.pass(100)
      rounds += 1
    }
    #expect(town.breaker == "open" && town.settled.count >= 20)
    town.answer(500)
    let spent = town.settled.count
    // For a quarter of a minute nothing starts, whatever comes.
    town.bring(50)
    town.pass(14_000)
    #expect(town.underWay.isEmpty && town.settled.count == spent)
    town.pass(1_100)
    #expect(town.underWay.count == 1 && town.breaker == "half-open")
    town.answer(500)
    #expect(town.settled.count == spent + 1 && town.breaker == "open")
    town.pass(29_000)
    #expect(town.underWay.isEmpty)
    town.pass(1_100)
    town.answer(200)
    #expect(town.breaker == "closed")
    // It is trusted with more again step by step.
    #expect(town.underWay.count <= 2)
    for _ in 0..<40 { town.answer(200) }
    #expect(town.loop.standings.first?.trusted == 8)
  }

  @Test func `A probe that never reached the receiver leaves the breaker as it was`() {
    var town = Town([destination("http://a/", retries: FlowTests.patient, concurrency: 8)])
    town.bring(200)
    for _ in 0..<100 where town.breaker == "closed" {
      town.answer(500)
      town.pass(10)
    }
    town.answer(500)
    let spent = town.settled.count
    town.pass(15_100)
    #expect(town.underWay.count == 1)
    town.answer(as: .blocked)
    #expect(town.breaker == "open" && town.settled.count == spent + 1)
    // The next one asks after the same pause, not a longer one, and nothing goes meanwhile.
    town.pass(14_000)
    #expect(town.underWay.isEmpty)
    town.pass(1_100)
    #expect(town.underWay.count == 1 && town.breaker == "half-open")
    town.answer(500)
    town.pass(29_000)
    #expect(town.underWay.isEmpty && town.breaker == "open")
    town.pass(1_100)
    town.answer(200)
    #expect(town.breaker == "closed")
  }

  @Test func `What is not sent does not count among the tries of which half must fail`() {
    var town = Town([destination("http://a/", retries: FlowTests.patient, concurrency: 1)])
    town.bring(200)
    for _ in 0..<40 {
      town.answer(as: .blocked)
      town.pass(10)
    }
    #expect(town.breaker == "closed")
    for _ in 0..<20 {
      town.answer(500)
      town.pass(10)
    }
    #expect(town.breaker == "open")
  }

  @Test func `A clock that is set back keeps neither the breaker open nor the rate waiting`() {
    var one = destination("http://a/", retries: FlowTests.patient, concurrency: 8)
    one.ratePerSecond = 50
    var town = Town([one])
    town.bring(2_000)
    for _ in 0..<2_000 where town.breaker == "closed" {
      town.answer(500)
      town.pass(20)
    }
    #expect(town.breaker == "open")
    town.answer(500)
    town.pass(-86_400_000)
    #expect(town.underWay.count == 1)
    town.answer(200)
    for _ in 0..<10 {
      town.pass(20)
      town.answer(200)
    }
    #expect(town.settled.count { $0.outcome == .delivered } >= 8)
  }

  @Test func `What waits behind an open breaker or for its turn is given up when its time is over`() {
    var town = Town([destination("http://a/", retries: FlowTests.patient, concurrency: 8)])
    town.bring(100)
    for _ in 0..<100 where town.breaker == "closed" {
      town.answer(500)
      town.pass(10)
    }
    town.answer(500)
    #expect(town.breaker == "open")
    town.settled = []
    town.bring(10, expires: 5_000)
    town.bring(10, expires: 60_000)
    let out = town.loop.step([], now: town.now)
    #expect(out.wakeUp.map { $0 <= town.now + 5_000 } == true)
    let held = town.loop.held
    town.pass(4_900)
    #expect(town.settled.isEmpty)
    town.pass(100)
    #expect(town.settled.count == 10 && town.settled.allSatisfy { $0.outcome == .expired && $0.settlement == .failed })
    #expect(town.loop.held == held - 10)
    // One that is under way is not.
    var busy = Town([destination("http://a/", concurrency: 1)])
    busy.bring(2, expires: 5_000)
    busy.pass(6_000)
    #expect(busy.settled.map(\.delivery) == [2])
    busy.answer(200)
    #expect(busy.settled.last?.outcome == .delivered && busy.loop.held == 0 && busy.loop.bytesHeld == 0)
  }

  @Test func `What the message is to blame for does not open the breaker`() {
    var town = Town([destination("http://a/", retries: FlowTests.patient, concurrency: 8)])
    town.bring(200)
    for _ in 0..<50 { town.answer(422) }
    #expect(town.breaker == "closed" && town.settled.count >= 100)
    #expect(town.settled.allSatisfy { $0.isFlagged })
  }

  @Test func `A billing tool that declines many cards on a payday is well`() {
    var town = Town([destination("http://a/", retries: FlowTests.patient, concurrency: 8)])
    town.bring(200)
    for _ in 0..<50 { town.answer(402) }
    #expect(town.breaker == "closed" && town.settled.count >= 100 && town.changes.isEmpty, "\(town.changes)")
  }

  @Test func `After a restart a destination that was failing begins with one probe`() {
    var town = Town([destination("http://a/", retries: FlowTests.patient)])
    var state = DestinationState(name: "crm")
    state.failingSince = town.now + -3_600_000
    town.step(.states([state]))
    town.bring(20)
    #expect(town.underWay.count == 1 && town.breaker == "half-open")
    town.answer(200)
    #expect(town.changes.map(\.change) == [.recovered] && town.breaker == "closed")
  }

  @Test func `A failing destination is told of once, disabled after five days, and lives again when enabled`() {
    var town = Town([destination("http://a/", retries: Array(repeating: 30_000, count: 100_000))])
    town.bring(1)
    town.answer(500)
    #expect(town.changes.isEmpty)
    for _ in 0..<30_000 where town.changes.count < 2 {
      town.pass(30_000)
      town.answer(500)
      town.step(.deliver([]))
    }
    #expect(town.changes.count == 2)
    guard case .failing(let since, let words) = town.changes.first?.change,
      case .disable(let reason) = town.changes.last?.change
    else {
      Issue.record("\(town.changes)")
      return
    }
    #expect(words == "the receiver answered 500", "the last failure's words")
    #expect(reason.contains("5 days") && town.now - since >= 5 * 86_400_000)
    town.bring(5)
    #expect(town.underWay.isEmpty && town.handedBack.count == 6 && town.loop.held == 0)
    town.step(.states([DestinationState(name: "crm")]))
    town.bring(2)
    #expect(town.underWay.count == 1)
  }

  @Test func `410 disables the destination, and what waits goes back unspent`() {
    var town = Town([destination("http://a/")])
    town.bring(10)
    town.answer(410)
    #expect(town.settled.count == 1 && town.settled.first?.settlement == .failed)
    #expect(Set(town.handedBack) == Set(2...10) && town.loop.held == 0)
    guard case .disable = town.changes.last?.change else {
      Issue.record("\(town.changes)")
      return
    }
  }

  @Test func `A destination that is held gives everything back, and takes up again when it is released`() {
    var town = Town([destination("http://a/")])
    town.bring(5)
    var state = DestinationState(name: "crm")
    state.heldSince = town.now
    town.step(.states([state]))
    #expect(Set(town.handedBack) == [2, 3, 4, 5])
    town.answer(200)
    #expect(town.settled.count == 1)
    state.heldSince = nil
    town.step(.states([state]))
    town.bring(1)
    #expect(town.underWay.count == 1)
  }

  @Test(arguments: [1, 7.5, 100, 333, 4_000])
  func `The rate is exact to a hundredth over ten seconds`(rate: Double) {
    var one = destination("http://a/", concurrency: 512)
    one.ratePerSecond = rate
    var town = Town([one])
    town.bring(1)
    town.answer()
    town.pass(5_000)
    // Trust for it first, so that only the rate decides.
    for _ in 0..<40 {
      town.bring(512)
      town.pass(1_000)
      town.answer()
    }
    town.starts = []
    let begin = town.now
    var random = SeededRandom(seed: 3)
    while town.now - begin < 10_000 {
      if town.loop.held < 1_000 { town.bring(1_000) }
      town.pass(min(1 + Int64(random.next(below: 9)), 10_000 - (town.now - begin)))
      town.answer()
    }
    let wanted = rate * 10
    #expect(abs(Double(town.starts.count) - wanted) <= max(1, wanted * 0.01), "\(town.starts.count) of \(wanted)")
  }

  @Test(arguments: [10, 100, 1_000])
  func `After a rest the first second has no more starts than any other`(rate: Double) {
    var one = destination("http://a/", concurrency: 512)
    one.ratePerSecond = rate
    var town = Town([one])
    town.bring(5)
    while town.loop.held > 0 {
      town.pass(100)
      town.answer()
    }
    town.pass(60_000)
    town.starts = []
    town.bring(3_000)
    for _ in 0..<999 {
      town.pass(1)
      town.answer()
    }
    #expect(Double(town.starts.count) <= rate && Double(town.starts.count) >= rate * 0.99)
  }

  @Test func `A mountain of retries does not delay first tries, and is not starved by them`() {
    var town = Town([destination("http://a/", concurrency: 4)])
    town.bring(5_000, attempts: 1)
    for _ in 0..<10 { town.answer() }
    town.bring(100)
    town.starts = []
    var rounds = 0
    while town.starts.filter({ !$0.delivery.isRetry }).count < 100, rounds < 1_000 {
      town.answer()
      rounds += 1
    }
    #expect(town.starts.count <= 140 && town.starts.count { $0.delivery.isRetry } >= 25)
  }

  @Test func `Overload halves what a destination is trusted with, and then it grows by one`() {
    var town = Town([destination("http://a/", concurrency: 64)])
    town.bring(4_000)
    for _ in 0..<8 { town.answer() }
    #expect(town.loop.standings.first?.trusted == 64)
    town.pass(10)
    town.answer(503)
    #expect(town.loop.standings.first?.trusted == 32)
    town.pass(10)
    town.answer()
    #expect((32...34).contains(town.loop.standings.first?.trusted ?? 0))
    for _ in 0..<10 { town.answer() }
    #expect((38...46).contains(town.loop.standings.first?.trusted ?? 0))
  }

  @Test func `What is not under way can be cancelled, what is cannot`() {
    var town = Town([destination("http://a/")])
    town.bring(3)
    let out = town.loop.step(
      [.cancel([CancelRequest(delivery: 1, reason: "gone"), CancelRequest(delivery: 2, reason: "gone")])], now: town.now
    )
    #expect(out.tooLate == [1])
    #expect(out.settled.map(\.delivery) == [2] && out.settled.first?.outcome == .cancelled)
    #expect(out.settled.first?.message == "gone" && town.loop.held == 2)
    #expect(town.loop.counters.cancelled == 1 && town.loop.counters.failed == 0, "nobody failed")
    town.answer()
    #expect(town.underWay.map(\.delivery.number) == [3])
    town.answer()
    #expect(town.loop.held == 0 && town.loop.bytesHeld == 0)
  }

  @Test func `A dead and a hanging destination leave the others their pace`() {
    let crowd = [destination("http://dead/", name: "dead"), destination("http://hang/", name: "hang")]
    let good = (0..<8).map { destination("http://\($0)/", name: "good \($0)") }
    func served(with others: [Destination]) -> Int {
      var town = Town(good + others)
      var delivered = 0
      for _ in 0..<400 {
        for one in good + others where town.loop.held < 10_000 { town.bring(20, to: one.name) }
        let ended = town.underWay.filter { $0.delivery.destination != "hang" }
        town.underWay.removeAll { $0.delivery.destination != "hang" }
        let results = ended.map { start in
          DeliveryLoop.Input.result(
            TransferResult(
              delivery: start.delivery.number, started: town.now,
              outcome: start.delivery.destination == "dead" ? .refused : .delivered, status: 200))
        }
        let out = town.loop.step(results, now: town.now)
        delivered += out.settled.count { $0.settlement == .delivered }
        town.underWay += out.starts
        town.pass(10)
      }
      return delivered
    }
    let alone = served(with: [])
    let together = served(with: crowd)
    #expect(Double(together) > Double(alone) * 0.95, "\(together) of \(alone)")
  }
}
