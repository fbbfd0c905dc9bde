// stub for compiling until the room arrives
package import Basics
package import Model
package struct RuleSource: Sendable { package var path: String; package var text: String }
package enum AgainPolicy: Sendable, Equatable { case always, never, after(milliseconds: Int64) }
package enum RuleMode: String, Sendable { case live, shadow, paused }
package struct RuleHeader: Sendable { package var per: String = "user"; package var again: AgainPolicy = .always; package var mode: RuleMode = .live; package var hasKey = false }
package struct Rule: Sendable { package var path: String; package var header: RuleHeader }
package final class RuleSet: Sendable {
  package let rules: [Rule] = []
  package func matching(_ name: String) -> [Int] { [] }
  package init() {}
}
package struct RuleInput { 
  package var event: Event; package var customerID: String; package var traits: Document?; package var account: String?; package var state: [UInt8]; package var now: Instant; package var seed: Hash128
  package init(event: Event, customerID: String, traits: Document?, account: String?, state: [UInt8], now: Instant, seed: Hash128) { self.event = event; self.customerID = customerID; self.traits = traits; self.account = account; self.state = state; self.now = now; self.seed = seed }
}
package struct RuleOutcome { package var code: VerdictCode; package var line: Int; package var reason: String; package var effects: [Effect]; package var state: [UInt8]?; package var reads: [ReadValue]; package var units: Int }
package final class RuleRuntime {
  package init(_ set: RuleSet) throws(RuleComplaint) {}
  package func rest() {}
  package func run(_ rule: Int, _ input: RuleInput) -> RuleOutcome { fatalError() }
  package func key(_ rule: Int, event: Event) -> String? { nil }
}

package struct RuleComplaint: Error, Sendable { package var file: String; package var line: Int; package var message: String }
