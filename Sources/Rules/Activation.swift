// One activation of a run that may wait: what wakes it and what it has seen so far, and what came of it.
//
// Thread: values. Promise: the outcome depends on the rule's source and the activation alone.

internal import Basics
package import Model

/// An event that a run has heard.
package struct HeardEvent: Sendable {
  package var number: Int64
  package var name: String
  /// About the run's own subject.
  package var isOwn: Bool

  package init(number: Int64, name: String, isOwn: Bool) {
    self.number = number
    self.name = name
    self.isOwn = isOwn
  }
}

package struct Activation {
  /// The event that started the run, and what is true now.
  package var input: RuleInput
  package var trigger: Trigger
  package var journal: Journal
  /// What the row says it sleeps in; nil at the start.
  package var wait: Wait?
  package var key: String
  package var entriesBefore = 0
  package var randoms: UInt64 = 0
  package var saved: [UInt8] = []
  /// Events it listens to and has not consumed, in the order of arrival.
  package var heard: [HeardEvent] = []
  /// `when` was asked of each event before the run began.
  package var skipsWhen = false
  /// The events it was begun with, in the order of arrival; empty: its rule gets no list.
  package var collected: [Int64] = []
  /// Calls leave nothing: the run ends at its first one.
  package var isShadow = false
  /// The zone of civil times where neither the rule nor the subject has one.
  package var defaultZone = "UTC"
  /// An event that was heard or that the journal refers to.
  package var load: (Int64) -> Event?

  package init(
    input: RuleInput, trigger: Trigger = .start, journal: Journal = Journal(), wait: Wait? = nil, key: String = "",
    load: @escaping (Int64) -> Event? = { _ in nil }
  ) {
    self.input = input
    self.trigger = trigger
    self.journal = journal
    self.wait = wait
    self.key = key
    self.load = load
  }
}

package struct ActivationOutcome: Sendable {
  package enum Ending: Sendable, Equatable {
    /// It sleeps.
    case waiting(Wait)
    /// It woke, found nothing for it and sleeps on as before.
    case unchanged
    case finished
    /// An event that it has heard cancels the date it would wait for.
    case stopped(by: String)
    /// Its journal is cut short; it begins anew with this table.
    case checkpoint(saved: [UInt8])
    /// By skip or check; nothing of this activation counts.
    case skipped
    /// `when` said no.
    case notMatched
    /// An error; nothing of this activation counts.
    case failed
    case overBudget
    /// It did not do again what its journal says it did.
    case diverged
  }
  package var ending: Ending

  /// Whether what the activation asked for stands.
  static func counts(_ ending: Ending) -> Bool {
    switch ending {
    case .waiting, .finished, .stopped, .checkpoint: true
    case .unchanged, .skipped, .notMatched, .failed, .overBudget, .diverged: false
    }
  }

  package var line: Int
  package var reason: String
  package var effects: [Effect]
  /// The number of each effect's entry, counted from the run's start.
  package var entries: [Int]
  /// What this activation adds to the journal.
  package var part: JournalPart?
  /// Heard events that are not to be looked at again.
  package var consumed: Set<Int64>
  /// Entries so far, counted from the run's start.
  package var entryCount: Int
  package var randoms: UInt64
  /// The new state as JSON text; nil: unchanged.
  package var state: [UInt8]?
  package var reads: [ReadValue]
  package var units: Int
  package var limit: RuleLimit?
  /// Of a rule that goes by a date: the one that `run` got; empty: none.
  package var date: String?

  /// An activation that came to nothing, for this reason.
  package static func failure(_ reason: String) -> ActivationOutcome {
    ActivationOutcome(
      ending: .failed, line: 0, reason: reason, effects: [], entries: [], part: nil, consumed: [], entryCount: 0,
      randoms: 0, state: nil, reads: [], units: 0, limit: nil)
  }
}
