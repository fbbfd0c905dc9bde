// What is remembered about a destination beyond a restart: whether a person holds it, whether it was
// switched off, and since when nothing arrives there.
//
// Thread: values. Promise: a change says whether it changed anything, so that nothing is written or told twice.

package import Basics

package struct DestinationState: Sendable, Equatable {
  package var name: String
  /// A person wants its deliveries to wait.
  package var heldSince: Instant?
  /// Nothing is sent to it until a person enables it.
  package var disabledSince: Instant?
  /// Why it is held or disabled, else why it fails.
  package var reason = ""
  /// Its first failure after the last success, once it has failed for a while.
  package var failingSince: Instant?

  package init(name: String) { self.name = name }

  package var takesNothing: Bool { heldSince != nil || disabledSince != nil }

  package var word: String {
    if disabledSince != nil { return "disabled" }
    if heldSince != nil { return "held" }
    return failingSince != nil ? "failing" : "well"
  }

  /// False: it was like that already.
  package mutating func apply(_ change: DestinationChange, now: Instant) -> Bool {
    let before = self
    switch change {
    case .hold(let reason):
      heldSince = heldSince ?? now
      if disabledSince == nil { self.reason = reason }
    case .release:
      if heldSince == nil { return false }
      heldSince = nil
      if disabledSince == nil { reason = "" }
    case .disable(let reason):
      disabledSince = disabledSince ?? now
      if before.disabledSince == nil { self.reason = reason }
    case .enable:
      // One that only fails stays failing, so that it is told when something arrives there again.
      if disabledSince == nil { return false }
      disabledSince = nil
      failingSince = nil
      if heldSince == nil { reason = "" }
    case .failing(let since, let reason):
      failingSince = failingSince ?? since
      if !takesNothing { self.reason = reason }
    case .recovered:
      failingSince = nil
      if !takesNothing { reason = "" }
    }
    return self != before
  }
}

package enum DestinationChange: Sendable, Equatable {
  case hold(String)
  case release
  case disable(String)
  case enable
  /// With what was wrong with the last try.
  case failing(since: Instant, reason: String = "")
  case recovered

  /// The own event that tells of it; nil for what people did themselves.
  package var event: String? {
    switch self {
    case .disable: "nudged.destination.disabled"
    case .failing: "nudged.destination.failing"
    case .recovered: "nudged.destination.recovered"
    case .hold, .release, .enable: nil
    }
  }
}

/// A delivery that has not been tried yet is to go, for this reason.
package struct CancelRequest: Sendable, Equatable {
  package var delivery: Int64
  package var reason: String
  /// Also when it was tried already and waits to be tried again.
  package var isForced: Bool

  package init(delivery: Int64, reason: String, isForced: Bool = false) {
    self.delivery = delivery
    self.reason = reason
    self.isForced = isForced
  }
}
