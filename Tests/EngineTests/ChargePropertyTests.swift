// The rule that charges cards against whatever may be asked of it: months of random requests, answers that decline, are
// late or never come, cards that change, equal invoices, and starts in between. ChargeWatch sees the calls alone.
// NUDGED_CHARGE_STEPS sets how many requests there are.
//
// Thread: the test's. Promise: no chance but the seed's.

import Basics
import Engine
import Glibc
import Model
import Rules
import Samples
import Store
import Testing

@Suite struct ChargePropertyTests {
  @Test(arguments: [1, 2, 3] as [UInt64])
  func `no limit is exceeded and nothing is charged twice, whatever is asked and answered`(seed: UInt64) throws {
    let steps = getenv("NUDGED_CHARGE_STEPS").flatMap { Int(String(cString: $0)) } ?? 1_000
    var play = try ChargePlay(seed: seed)
    for step in 0..<steps { try play.step(step) }
    #expect(play.watch.faults.isEmpty, "\(play.watch.faults.count), the first ones: \(play.watch.faults.prefix(5))")
    #expect(play.watch.charges > steps / 20 && play.paid > steps / 100 && play.lookUps > steps / 100)
    #expect(play.refusals.isSuperset(of: ["limit", "never", "too soon", "in flight"]), "\(play.refusals)")
    #expect(play.watch.mostInMonth.contains { $0.value >= 15 }, "\(play.watch.mostInMonth)")
  }

  @Test func `Stripe gets the form that pays the invoice, and its answers are understood`() throws {
    var stripe = Destination(name: "billing", url: "https://api.stripe.com", signing: .none, shape: .form)
    stripe.transform = "lib/stripe"
    let shop = try Workshop(ChargePlay.files, destinations: [Workshop.destinations[0], stripe])
    let asks = [
      (402, #"{"error":{"code":"card_declined","decline_code":"insufficient_funds"}}"#, "declined"),
      (200, #"{"id":"in_1","object":"invoice","status":"paid"}"#, "paid"),
    ]
    for (number, ask) in asks.enumerated() {
      let asked = try shop.take(
        #"{"id":"r\#(number)","name":"payment.requested","thing":"card:pm_1","data":{"invoice":"in_1","amount":4900,"currency":"EUR","network":"visa","asked_by":"user:42"}}"#
      )
      let delivery = try #require(asked.deliveries.first?.delivery)
      #expect(delivery.request == "POST /v1/invoices/in_1/pay")
      #expect(
        String(decoding: delivery.body, as: UTF8.self)
          == "expand[0]=payment_intent&off_session=true&payment_method=pm_1")
      _ = try shop.store.step([.wants(10, except: [])], now: shop.now)
      shop.settled = [
        Attempt(
          delivery: delivery.number, attempt: 1, started: shop.now, outcome: ask.0 == 200 ? .delivered : .status,
          status: ask.0, settlement: ask.0 == 200 ? .delivered : .failed, response: Array(ask.1.utf8))
      ]
      let answer = try #require(try shop.run([]).events.first { $0.name == "payment.answered" })
      #expect(try Document.parse(answer.body).root["data"]?["outcome"]?.string == ask.2)
      shop.now = shop.now + 25 * 3_600_000
    }
  }
}

private struct ChargePlay {
  /// An answer on its way.
  private struct Answer {
    var due: Instant
    var attempt: Attempt
    var invoice: String
    var card: String
    /// What it says of the card; nil: nothing that forbids anything.
    var decline: Decline?
    var advice: (text: String, hours: Int64?)?
  }

  static let files = Dictionary(
    uniqueKeysWithValues: SampleRules.sources(of: ["dunning/charge"]).map { ($0.name, $0.text) })
  private static let destinations = ["crm", "billing"].map {
    Destination(name: $0, url: "http://127.0.0.1:9/", signing: .none, shape: .bare)
  }
  private static let networks = ["visa", "mastercard", "amex", ""]
  private static let hour: Int64 = 3_600_000

  private let disk = MemoryStore.Disk()
  private var shop: Workshop
  private var random: SeededRandom
  private var air: [Answer] = []
  private var truth: [String: Bool] = [:]
  private var paidAt: [String: Instant] = [:]
  private var generations: [String: Int] = [:]
  private var changes: [String: Instant] = [:]

  var watch = ChargeWatch()
  var refusals: Set<String> = []
  var paid = 0
  var lookUps = 0

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    shop = try Workshop(ChargePlay.files, disk: disk, destinations: ChargePlay.destinations)
  }

  mutating func step(_ number: Int) throws {
    let pause: Int64 =
      switch random.next(below: 10) {
      case 0..<4: Int64(random.next(below: 10_000))
      case 4..<8: Int64(random.next(below: 2 * 3_600_000))
      default: Int64(random.next(below: 30 * 3_600_000))
      }
    try pass(until: shop.now + pause)
    if random.chance(1, in: 50) { try restart() }
    let place = Int(random.next(below: 4))
    let card = "pm_\(place)"
    if random.chance(1, in: 100) {
      changes[card] = shop.now
      watch.changed(card, at: shop.now)
    }
    let slot = "in_\(place)_\(random.next(below: 8))"
    let invoice = "\(slot)_\(generations[slot] ?? 0)"
    // Nobody asks for an invoice that was paid a season ago.
    if let since = paidAt[invoice], shop.now - since > 80 * 24 * ChargePlay.hour || random.chance(1, in: 3) {
      generations[slot, default: 0] += 1
      return
    }
    let data = ask(invoice, ChargePlay.networks[place])
    try note(shop.take(#"{"id":"r\#(number)","name":"payment.requested","thing":"card:\#(card)","data":\#(data)}"#))
  }

  private mutating func ask(_ invoice: String, _ network: String) -> String {
    var data =
      #"{"invoice":"\#(invoice)","amount":\#(random.chance(1, in: 9) ? 900 : 4900),"currency":"EUR","asked_by":"user:42""#
    if !network.isEmpty, random.chance(9, in: 10) { data += #","network":"\#(network)""# }
    let card = "pm_" + invoice.split(separator: "_")[1]
    if let changed = changes[card], random.chance(1, in: 2) { data += #","card_changed_at":\#(changed.milliseconds)"# }
    // Who lies about a change gains nothing.
    if changes[card] == nil, random.chance(1, in: 20) {
      data += #","card_changed_at":\#(shop.now.milliseconds + 1 + Int64(random.next(below: 1_000_000_000)))"#
    }
    if random.chance(1, in: 60) {
      let before = shop.now.milliseconds - Int64(random.next(below: 40 * 24)) * ChargePlay.hour
      data += #","tried_at":\#(before),"code":"\#(Decline.draw(&random).code)""#
    }
    return data + "}"
  }

  /// Everything that falls due until then, at its own moment.
  private mutating func pass(until target: Instant) throws {
    while true {
      let next = min(air.map(\.due).min() ?? target, shop.lanes.map(\.wakeAt).min() ?? target)
      guard next < target else { break }
      shop.now = max(shop.now, next)
      let now = shop.now
      for answer in air where answer.due <= now { hear(answer) }
      air.removeAll { $0.due <= now }
      try note(shop.run([]))
    }
    shop.now = target
  }

  private mutating func hear(_ answer: Answer) {
    shop.settled.append(answer.attempt)
    if truth[answer.invoice] == true {
      watch.ended(answer.invoice, .settled)
      return
    }
    guard let decline = answer.decline else {
      watch.ended(answer.invoice, .notTried)
      return
    }
    let isNever = decline.kind == .dead || answer.advice.map { $0.hours == nil } ?? false
    watch.ended(answer.invoice, decline.kind == .technical && !isNever ? .notTried : .declined)
    if isNever { watch.forbid(answer.card, until: nil) }
    if let hours = answer.advice?.hours { watch.forbid(answer.card, until: shop.now + hours * ChargePlay.hour) }
  }

  /// Some answers are lost with it.
  private mutating func restart() throws {
    let now = shop.now
    shop = try Workshop(ChargePlay.files, disk: disk, destinations: ChargePlay.destinations)
    shop.now = now
    air = air.filter { _ in random.chance(1, in: 2) }
    try note(shop.run([]))
  }

  private mutating func note(_ happened: Happened) throws {
    for row in happened.events where row.name == "payment.answered" {
      let data = try Document.parse(row.body).root["data"]
      if let reason = data?["reason"]?.string { refusals.insert(reason) }
      if data?["outcome"]?.string == "paid" { paid += 1 }
      let invoice = data?["invoice"]?.string ?? ""
      if data?["outcome"]?.string == "paid", truth[invoice] != true { Issue.record("\(invoice) is not paid") }
    }
    guard !happened.deliveries.isEmpty else { return }
    _ = try shop.store.step([.wants(100, except: [])], now: shop.now)
    for row in happened.deliveries { try called(row.delivery) }
  }

  private mutating func called(_ delivery: Delivery) throws {
    let data = try Document.parse(delivery.body).root
    let invoice = data["invoice"]?.string ?? ""
    let card = "pm_" + invoice.split(separator: "_")[1]
    let isLookUp = delivery.type == "payment.lookup"
    if isLookUp {
      lookUps += 1
    } else {
      let place = Int(card.split(separator: "_")[1]) ?? 0
      watch.charge(
        .init(
          invoice: invoice, card: data["payment_method"]?.string ?? "", network: ChargePlay.networks[place],
          amount: "\(data["amount"]?.integer ?? 0)", triedAt: data["tried_at"]?.integer ?? 0, at: shop.now))
      truth[invoice] = random.chance(1, in: 12)
      if truth[invoice] == true {
        watch.ended(invoice, .settled)
        paidAt[invoice] = shop.now
      }
    }
    let lost = random.chance(isLookUp ? 4 : 1, in: 12)
    if !lost { air.append(answer(delivery, invoice, card, isLookUp: isLookUp)) }
  }

  private mutating func answer(_ delivery: Delivery, _ invoice: String, _ card: String, isLookUp: Bool) -> Answer {
    let delay = [0, 1, 5_000, 50_000][Int(random.next(below: 4))] as Int64
    var attempt = Attempt(
      delivery: delivery.number, attempt: 1, started: shop.now, outcome: .delivered, status: 200, settlement: .delivered
    )
    let due = shop.now + delay
    if truth[invoice] == true {
      attempt.response = Array(#"{"outcome":"paid"}"#.utf8)
    } else if random.chance(1, in: 10) {
      if isLookUp {
        attempt.response = Array(#"{"outcome":"none"}"#.utf8)
      } else {
        (attempt.outcome, attempt.status, attempt.settlement) = (.status, 503, .failed)
      }
    } else {
      // Few that end it all, or the limits are never met.
      var decline = Decline.draw(&random)
      if decline.kind == .dead, random.chance(9, in: 10) { decline = .poor }
      let advice = random.chance(1, in: 4) ? Decline.advice(&random) : nil
      let isStripe = !isLookUp && random.chance(1, in: 2)
      attempt.response = Array(Decline.body(decline.code, advice?.text, isStripe: isStripe).utf8)
      if isStripe { (attempt.outcome, attempt.status, attempt.settlement) = (.status, 402, .failed) }
      return Answer(
        due: due, attempt: attempt, invoice: invoice, card: card, decline: decline, advice: advice)
    }
    return Answer(due: due, attempt: attempt, invoice: invoice, card: card)
  }
}
