// Looks at charges from the outside, as a card network and a customer would: which came too often, after a payment,
// twice, or on a card that may not be tried.
//
// Thread: the owner's. Promise: knows the calls and their answers alone, and shares no code with the rules.

package import Basics

package struct ChargeWatch {
  package struct Charge {
    package var invoice: String
    package var card: String
    package var network: String
    package var amount: String
    package var triedAt: Int64
    package var at: Instant

    package init(invoice: String, card: String, network: String, amount: String, triedAt: Int64, at: Instant) {
      self.invoice = invoice
      self.card = card
      self.network = network
      self.amount = amount
      self.triedAt = triedAt
      self.at = at
    }
  }

  /// How the last charge of an invoice ended.
  package enum End: Sendable { case inFlight, declined, notTried, settled }

  private struct Invoice {
    var end = End.declined
    var last: Charge?
  }
  private struct Card {
    var tries: [String: [Instant]] = [:]
    var isDead = false
    var notBefore = Instant.zero
    var changed = Instant.zero
  }

  private static let hour: Int64 = 3_600_000
  private var invoices: [String: Invoice] = [:]
  private var cards: [String: Card] = [:]
  private var marks: Set<String> = []
  package private(set) var charges = 0
  /// The most tries of one card and amount in 30 days, to see that the limits were met at all.
  package private(set) var mostInMonth: [String: Int] = [:]
  package private(set) var faults: [String] = []

  package init() {}

  private static func limits(_ network: String) -> [(most: Int, within: Int64)] {
    switch network {
    case "visa": [(15, 720 * hour)]
    case "mastercard": [(10, 24 * hour), (35, 720 * hour)]
    default: [(10, 24 * hour), (15, 720 * hour)]
    }
  }

  package mutating func charge(_ charge: Charge) {
    charges += 1
    var card = cards[charge.card] ?? Card()
    var invoice = invoices[charge.invoice] ?? Invoice()
    func fault(_ what: String) { faults.append("\(charge.invoice) on \(charge.card) at \(charge.at): \(what)") }
    if !marks.insert("\(charge.invoice) \(charge.card) \(charge.triedAt)").inserted { fault("the same try twice") }
    if invoice.end == .inFlight { fault("charged while in flight") }
    if invoice.end == .settled { fault("charged although nothing is left to pay") }
    if card.isDead { fault("charged a card that must never be") }
    if charge.at < card.notBefore { fault("charged before the network allows it") }
    if let last = invoice.last, last.card == charge.card, card.changed < last.at {
      let pause = (invoice.end == .notTried ? 1 : 24) * ChargeWatch.hour
      if charge.at - last.at < pause { fault("charged \(charge.at - last.at) ms after the last try") }
    }
    var tries = card.tries[charge.amount] ?? []
    tries.append(charge.at)
    for limit in ChargeWatch.limits(charge.network) {
      let count = tries.count { charge.at - $0 < limit.within }
      if count > limit.most { fault("\(count) tries, \(limit.most) are allowed") }
      if limit.within > 24 * ChargeWatch.hour {
        mostInMonth[charge.network] = max(mostInMonth[charge.network] ?? 0, count)
      }
    }
    card.tries[charge.amount] = tries
    cards[charge.card] = card
    invoice.end = .inFlight
    invoice.last = charge
    invoices[charge.invoice] = invoice
  }

  package mutating func ended(_ invoice: String, _ end: End) { invoices[invoice, default: Invoice()].end = end }

  package func end(_ invoice: String) -> End? { invoices[invoice]?.end }

  /// A decline said so.
  package mutating func forbid(_ card: String, until time: Instant?) {
    if let time {
      cards[card, default: Card()].notBefore = max(cards[card]?.notBefore ?? .zero, time)
    } else {
      cards[card, default: Card()].isDead = true
    }
  }

  package mutating func changed(_ card: String, at time: Instant) {
    cards[card, default: Card()].isDead = false
    cards[card, default: Card()].notBefore = .zero
    cards[card, default: Card()].changed = time
  }
}
