// Ninety days of dunning in virtual time: customers whose payments fail at random, who pay by hand, attach cards or do
// nothing, and a billing system that declines, loses answers and breaks. The rules are those of the repository.
//
// Thread: the caller's. Promise: the same seed gives the same quarter; the charges are judged by ChargeWatch alone.

package import Basics
import Engine
import Model
import Rehearsal
import Rules
import Store

package final class DunningQuarter {
  private enum Act {
    case fail(String)
    case again(String)
    case paid(String)
    case pay(String)
    case void(String)
    case attach(Int)
    case update(String)
  }

  private struct Bill {
    var customer: Int
    var card: String
    var amount: Int
    var decline: Decline
    var isPaid = false
    var isVoid = false
    var outcome: String?
  }

  private static let hour: Int64 = 3_600_000
  private static let day: Int64 = 24 * hour
  private static let networks = ["visa", "visa", "mastercard", "mastercard", "amex", ""]
  private static let amounts = [900, 1_900, 4_900]
  private static let rules = ["dunning/access", "dunning/charge", "dunning/ledger", "dunning/recover"]
  private static let outcomes: Set = ["Payment Recovered", "Payment Lost", "Payment Closed", "Payment Unresolved"]

  private let room: Rehearsal
  private let hash = KeyedHash(key0: 1, key1: 2)
  private var random: SeededRandom
  private var agenda = Agenda<Act>()
  private var bills: [String: Bill] = [:]
  private var networkOf: [String: String] = [:]
  private var cardOf: [Int: String] = [:]
  private var changedCards = 0
  private var updatedCards: Set<String> = []
  private var submitted = 0

  package private(set) var watch = ChargeWatch()
  package private(set) var sum = Hash128(high: 0, low: 0)
  package private(set) var counts: [String: Int] = [:]
  package private(set) var faults: [String] = []
  /// In minor units.
  package private(set) var failedAmount = 0
  package private(set) var recoveredAmount = 0
  package var invoices: Int { bills.count }

  package init(customers: Int, seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    room = try Rehearsal(
      rules: SampleRules.set(of: DunningQuarter.rules),
      destinations: ["billing", "crm"].map { Destination(name: $0, url: "http://127.0.0.1:9/", signing: .none) },
      keepsTimeline: false, dedupeBits: 16)
    for customer in 0..<customers { plan(customer) }
  }

  /// One customer of ten has twenty equal invoices on one card, and little money: who would break the limits.
  private func plan(_ customer: Int) {
    let card = "pm_\(customer)_0"
    cardOf[customer] = card
    networkOf[card] = pick(DunningQuarter.networks)
    let isHeavy = random.chance(1, in: 10)
    let amount = pick(DunningQuarter.amounts)
    for number in 0..<(isHeavy ? 16 + Int(random.next(below: 8)) : 1 + Int(random.next(below: 2))) {
      let invoice = "in_\(customer)_\(number)"
      bills[invoice] = Bill(
        customer: customer, card: card, amount: isHeavy ? amount : pick(DunningQuarter.amounts),
        decline: isHeavy ? Decline.poor : Decline.draw(&random))
      let days: UInt64 = isHeavy ? 10 : 45
      let at = Rehearsal.start + Int64(random.next(below: days * 24)) * DunningQuarter.hour
      agenda.add(.fail(invoice), at: at)
      if random.chance(1, in: 20) { agenda.add(.void(invoice), at: at + hours(1, 400)) }
    }
  }

  private func pick<T>(_ list: [T]) -> T { list[Int(random.next(below: UInt64(list.count)))] }

  private func hours(_ from: Int64, _ to: Int64) -> Int64 {
    (from + Int64(random.next(below: UInt64(to - from)))) * DunningQuarter.hour
      + Int64(random.next(below: 3_600_000))
  }

  package func run() throws {
    room.watch = { [unowned self] decisions in see(decisions) }
    let end = Rehearsal.start + 90 * DunningQuarter.day
    while room.now < end {
      // What comes of it in the next hour is put down at least an hour ahead.
      let next = min(agenda.next ?? end, room.now + DunningQuarter.hour, end)
      try room.advance(to: max(next, room.now))
      while let due = agenda.next, due <= room.now, let act = agenda.take() { try perform(act) }
    }
    for (invoice, bill) in bills where bill.outcome == nil { faults.append("\(invoice) has no outcome") }
    faults += watch.faults
  }

  // MARK: what happens

  private func perform(_ act: Act) throws {
    switch act {
    case .fail(let invoice): try fail(invoice)
    case .again(let invoice):
      try tell("invoice.payment_failed", bills[invoice]?.customer, invoiceData(invoice))
    case .paid(let invoice): try tell("invoice.paid", bills[invoice]?.customer, #"{"id":"\#(invoice)"}"#)
    case .pay(let invoice):
      guard let bill = bills[invoice], !bill.isPaid, !bill.isVoid, watch.end(invoice) != .inFlight else { return }
      settle(invoice)
      try tell("invoice.paid", bill.customer, #"{"id":"\#(invoice)"}"#)
    case .void(let invoice):
      guard let bill = bills[invoice], !bill.isPaid, watch.end(invoice) != .inFlight else { return }
      bills[invoice]?.isVoid = true
      watch.ended(invoice, .settled)
      try tell("invoice.voided", bill.customer, #"{"id":"\#(invoice)"}"#)
    case .attach(let customer):
      changedCards += 1
      let card = "pm_\(customer)_\(changedCards)"
      let network = pick(DunningQuarter.networks)
      cardOf[customer] = card
      networkOf[card] = network
      try tell("payment_method.attached", customer, #"{"id":"\#(card)","card":{"network":"\#(network)"}}"#)
    case .update(let card):
      watch.changed(card, at: room.now)
      updatedCards.insert(card)
      let customer = Int(card.split(separator: "_")[1])
      try tell(
        "payment_method.automatically_updated", customer,
        #"{"id":"\#(card)","card":{"network":"\#(networkOf[card] ?? "")"}}"#)
    }
  }

  private func fail(_ invoice: String) throws {
    guard let bill = bills[invoice], !bill.isVoid else { return }
    failedAmount += bill.amount
    let card = #"{"card":{"network":"\#(networkOf[bill.card] ?? "")","country":"DE"}}"#
    let charge = """
      {"invoice":"\(invoice)","amount":\(bill.amount),"currency":"eur","payment_method":"\(bill.card)",\
      "outcome":{"reason":"\(bill.decline.code)"},"payment_method_details":\(card)}
      """
    let isFirst = random.chance(1, in: 2)
    if isFirst { try tell("charge.failed", bill.customer, charge) }
    try tell("invoice.payment_failed", bill.customer, invoiceData(invoice))
    if !isFirst { try tell("charge.failed", bill.customer, charge) }
    if random.chance(1, in: 10) { agenda.add(.again(invoice), at: room.now + hours(1, 900)) }
    if bill.decline.kind == .data, random.chance(1, in: 3) {
      agenda.add(.update(bill.card), at: room.now + hours(1, 300))
    }
  }

  private func invoiceData(_ invoice: String) -> String {
    let amount = bills[invoice]?.amount ?? 0
    return #"{"id":"\#(invoice)","amount_remaining":\#(amount),"currency":"eur","subscription":"sub_\#(invoice)"}"#
  }

  private func tell(_ name: String, _ customer: Int?, _ data: String) throws {
    guard let customer else { return }
    submitted += 1
    let text = #"{"id":"e\#(submitted)","name":"\#(name)","user":"u\#(customer)","data":\#(data)}"#
    try room.submit(try room.event(Array(text.utf8), source: "test", id: ""))
  }

  private func settle(_ invoice: String) {
    bills[invoice]?.isPaid = true
    watch.ended(invoice, .settled)
  }

  // MARK: what the rules do

  private func see(_ decisions: Decisions) {
    var writer = PackedWriter(capacity: 1_024)
    writer.fixed64(sum.high)
    writer.fixed64(sum.low)
    for row in decisions.deliveries {
      writer.counted(row.delivery.id)
      writer.counted(row.delivery.body)
      counts[row.delivery.type, default: 0] += 1
      guard let data = try? Document.parse(row.delivery.body) else { continue }
      answer(row.delivery.type, data.root)
    }
    sum = hash.hash(writer.bytes)
    for row in decisions.events.rows where DunningQuarter.outcomes.contains(row.name) {
      guard let data = try? Document.parse(row.body), let invoice = data.root["data"]?["invoice"]?.string else {
        continue
      }
      note(row.name, invoice, data.root)
    }
  }

  private func note(_ outcome: String, _ invoice: String, _ event: JSONCursor) {
    if let before = bills[invoice]?.outcome, before == outcome || before == "Payment Recovered" {
      faults.append("\(invoice) was \(before) and is \(outcome)")
    }
    if outcome == "Payment Recovered" {
      if bills[invoice]?.isPaid != true { faults.append("\(invoice) is told to be recovered and is not") }
      recoveredAmount += bills[invoice]?.amount ?? 0
      counts["by " + (event["data"]?["by"]?.string ?? ""), default: 0] += 1
    }
    if let before = bills[invoice]?.outcome { counts[before, default: 0] -= 1 }
    bills[invoice]?.outcome = outcome
    counts[outcome, default: 0] += 1
  }

  private func answer(_ type: String, _ data: JSONCursor) {
    let invoice = data["invoice"]?.string ?? ""
    let customer = bills[invoice]?.customer ?? 0
    switch type {
    case "payment.charge": charge(invoice, data)
    case "payment.lookup": lookUp(invoice)
    case "dunning.new_card":
      if random.chance(1, in: 5) { agenda.add(.attach(customer), at: room.now + hours(1, 90)) }
    case "dunning.confirm":
      if random.chance(1, in: 3) { agenda.add(.pay(invoice), at: room.now + hours(1, 60)) }
    case "dunning.reminder":
      if random.chance(1, in: 12) { agenda.add(.pay(invoice), at: room.now + hours(1, 200)) }
      if random.chance(1, in: 20) { agenda.add(.attach(customer), at: room.now + hours(1, 200)) }
    default: break
    }
  }

  private func charge(_ invoice: String, _ data: JSONCursor) {
    guard let card = data["payment_method"]?.string, let amount = data["amount"]?.integer,
      let triedAt = data["tried_at"]?.integer, let currency = data["currency"]?.string, let bill = bills[invoice]
    else { return faults.append("a charge without its fields for \(invoice)") }
    watch.charge(
      .init(
        invoice: invoice, card: card, network: networkOf[card] ?? "", amount: "\(amount) \(currency)", triedAt: triedAt,
        at: room.now))
    var reply = Reply(destination: "billing", type: "payment.charge")
    let isFresh = card != bill.card || updatedCards.contains(card)
    let isPaid = random.chance(isFresh ? 80 : bill.decline.paidPercent, in: 100)
    switch random.next(below: 100) {
    case 0..<3:
      reply.isMissing = true
      if isPaid { pays(invoice) }
    case 3..<5:
      (reply.ok, reply.status) = (false, 500)
      if isPaid { pays(invoice) }
    case 5..<8:
      (reply.ok, reply.status) = (false, 503)
      watch.ended(invoice, .notTried)
    default:
      if isPaid {
        pays(invoice)
        reply.body = Array((random.chance(1, in: 2) ? #"{"outcome":"paid"}"# : #"{"status":"paid"}"#).utf8)
      } else {
        decline(invoice, card, &reply)
      }
    }
    room.reply(reply)
  }

  /// Billing tells of what it was paid, mostly; and some hours later.
  private func pays(_ invoice: String) {
    settle(invoice)
    if random.chance(9, in: 10) { agenda.add(.paid(invoice), at: room.now + hours(1, 6)) }
  }

  private func decline(_ invoice: String, _ card: String, _ reply: inout Reply) {
    let decline = Decline.draw(&random)
    let advice = Decline.advice(&random)
    bills[invoice]?.decline = decline
    watch.ended(invoice, decline.kind == .technical && advice?.hours != .some(nil) ? .notTried : .declined)
    if decline.kind == .dead { watch.forbid(card, until: nil) }
    if let advice {
      watch.forbid(card, until: advice.hours.map { room.now + $0 * DunningQuarter.hour })
    }
    let isStripe = random.chance(1, in: 2)
    reply.body = Array(Decline.body(decline.code, advice?.text, isStripe: isStripe).utf8)
    if isStripe { (reply.ok, reply.status) = (false, 402) }
  }

  private func lookUp(_ invoice: String) {
    var reply = Reply(destination: "billing", type: "payment.lookup")
    if random.chance(3, in: 10) {
      (reply.ok, reply.status) = (false, 500)
    } else if bills[invoice]?.isPaid == true {
      reply.body = Array(#"{"outcome":"paid"}"#.utf8)
    } else {
      reply.body = Array(#"{"outcome":"none"}"#.utf8)
      watch.ended(invoice, .notTried)
    }
    room.reply(reply)
  }
}
