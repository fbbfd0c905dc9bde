// How billing answers in tests: codes as often as they come, in both manners that the rules understand.
//
// Thread: any. Promise: what a code means is written down here a second time, apart from the rules.

package import Basics

package struct Decline {
  package enum Kind: Sendable { case dead, data, present, funds, vague, technical }

  package var code: String
  package var kind: Kind
  /// How many of a hundred further tries are paid.
  package var paidPercent: UInt64
  private var weight: UInt64

  private init(_ code: String, _ kind: Kind, _ paidPercent: UInt64, _ weight: UInt64) {
    self.code = code
    self.kind = kind
    self.paidPercent = paidPercent
    self.weight = weight
  }

  private static let all = [
    Decline("insufficient_funds", .funds, 45, 44), Decline("do_not_honor", .vague, 20, 18),
    Decline("generic_decline", .vague, 20, 10), Decline("processing_error", .technical, 70, 6),
    Decline("issuer_not_available", .technical, 70, 3), Decline("expired_card", .data, 5, 8),
    Decline("authentication_required", .present, 5, 5), Decline("stolen_card", .dead, 0, 2),
    Decline("lost_card", .dead, 0, 2), Decline("revocation_of_authorization", .dead, 0, 1),
    Decline("a_code_of_tomorrow", .vague, 20, 1),
  ]

  /// Of those who seldom have the money.
  package static let poor = Decline("insufficient_funds", .funds, 15, 0)

  package static func draw(_ random: inout SeededRandom) -> Decline {
    var place = random.next(below: all.reduce(0) { $0 + $1.weight })
    for one in all {
      if place < one.weight { return one }
      place -= one.weight
    }
    return all[0]
  }

  /// Hours that an advice forbids, `nil` for never; none for most declines.
  package static func advice(_ random: inout SeededRandom) -> (text: String, hours: Int64?)? {
    guard random.chance(1, in: 12) else { return nil }
    let all: [(String, Int64?)] = [
      ("03", nil), ("21", nil), ("24", 1), ("25", 24), ("26", 48), ("27", 96), ("28", 144), ("29", 192), ("30", 240),
    ]
    return all[Int(random.next(below: UInt64(all.count)))]
  }

  /// The answer in our own manner, or in Stripe's: then its status is 402.
  package static func body(_ code: String, _ advice: String?, isStripe: Bool) -> String {
    let hint = advice.map { #","\#(isStripe ? "network_advice_code" : "advice")":"\#($0)""# } ?? ""
    return isStripe
      ? #"{"error":{"code":"card_declined","decline_code":"\#(code)"\#(hint)}}"#
      : #"{"outcome":"declined","code":"\#(code)"\#(hint)}"#
  }
}
