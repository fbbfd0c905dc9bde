// One run of a rule as values: what it may read, and what came of it.
//
// Thread: values. Promise: the outcome depends on the rule's source and the input alone.

package import Basics
package import Model

package struct RuleInput: Sendable {
  package var event: Event
  package var customerID: String
  package var traits: Document?
  package var account: String?
  /// A JSON object as text, or empty.
  package var state: [UInt8]
  /// When this activation was decided.
  package var now: Instant
  package var seed: Hash128

  package init(
    event: Event, customerID: String, traits: Document? = nil, account: String? = nil, state: [UInt8] = [],
    now: Instant,
    seed: Hash128
  ) {
    self.event = event
    self.customerID = customerID
    self.traits = traits
    self.account = account
    self.state = state
    self.now = now
    self.seed = seed
  }
}

/// Which limit stopped a run. `time` depends on the machine, so the run is worth repeating once.
package enum RuleLimit: Sendable, Equatable { case units, memory, time }

package struct RuleOutcome: Sendable, Equatable {
  package var code: VerdictCode
  /// Of the rule's file or, when `reason` begins with another file's name, of that one; 0: none.
  package var line: Int
  package var reason: String
  /// In the order asked; empty unless the run ended well.
  package var effects: [Effect]
  /// The new state as JSON text; nil: unchanged.
  package var state: [UInt8]?
  package var reads: [ReadValue]
  /// Budget used; instructions count by the thousand.
  package var units: Int
  package var limit: RuleLimit?
}
