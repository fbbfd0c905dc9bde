// Effects: what a rule wants done, as values, in the order it asked. Nothing has happened yet when
// one of these exists; and what became of a rule for one event, with the reason.
//
// Thread: values. Promise: an effect never refers to the rule's memory; it can outlive the run.

/// What a rule sends to a destination.
package struct Webhook: Sendable, Equatable {
  package var destination: String
  package var type: String
  /// A JSON object as text.
  package var data: [UInt8]
  package var withinMilliseconds: Int64?
  /// How often a call is tried; 0: not a call, as often as the destination's schedule says.
  package var tries: Int

  package init(destination: String, type: String, data: [UInt8], withinMilliseconds: Int64? = nil, tries: Int = 0) {
    self.destination = destination
    self.type = type
    self.data = data
    self.withinMilliseconds = withinMilliseconds
    self.tries = tries
  }
}

package enum Effect: Sendable, Equatable {
  case send(Webhook)
  /// Traits to merge into the subject's; a JSON object as text, null removes a trait.
  case set(traits: [UInt8])
  /// An event of our own; `subject` nil means the run's own subject.
  case emit(name: String, data: [UInt8], subject: SubjectReference?)
  case log(text: String)
  /// A webhook whose answer the run waits for.
  case call(Webhook)
  /// A calendar file to be kept under its link.
  case calendar(CalendarPage)

  /// Others see it: a webhook or an event.
  package var leaves: Bool {
    switch self {
    case .send, .call, .emit: true
    case .set, .log, .calendar: false
    }
  }
}

/// One read of something that can change, kept for "why?".
package struct ReadValue: Sendable, Equatable {
  /// Such as "state.count" or "customer.traits.plan".
  package var name: String
  /// The value as JSON text, shortened.
  package var value: String

  package init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}

/// What became of one rule for one event.
package enum VerdictCode: UInt8, Sendable, CaseIterable {
  case ran = 1
  /// `when` said no.
  case notMatched = 2
  /// `skip(reason)` or a `check` that did not hold.
  case skipped = 3
  /// An error in the rule.
  case failed = 4
  /// Its budget of instructions, memory or effects was used up.
  case overBudget = 5
  /// The rule's key is missing in the event.
  case noKey = 6
  /// `again` holds it back: it ran before.
  case notAgain = 7
  /// The rule is paused or switched off.
  case paused = 8
  /// Effects recorded, not sent.
  case shadow = 9
  /// The chain of emitted events is too deep.
  case tooDeep = 10
  /// A run sleeps.
  case waiting = 11
  /// A run that lives already has the rule's key.
  case second = 12
  /// A run has ended before its rule did: by stop_on, its goal, a newer run or a person.
  case stopped = 13
  /// A run was parked.
  case parked = 14
  /// A run has heard the event and keeps it until it waits for it.
  case heard = 15
  /// A policy keeps a webhook from being sent.
  case suppressed = 16
  /// A policy lets a webhook wait.
  case held = 17
  /// The subject is in the hold-out: webhooks recorded, not sent.
  case heldOut = 18
  /// A run that collects has taken the event.
  case collected = 30

  package var word: String {
    switch self {
    case .ran: "ran"
    case .notMatched: "not matched"
    case .skipped: "skipped"
    case .failed: "failed"
    case .overBudget: "over budget"
    case .noKey: "no key"
    case .notAgain: "not again"
    case .paused: "paused"
    case .shadow: "shadow"
    case .tooDeep: "too deep"
    case .waiting: "waiting"
    case .second: "second"
    case .stopped: "stopped"
    case .parked: "parked"
    case .heard: "heard"
    case .suppressed: "suppressed"
    case .held: "held"
    case .heldOut: "held out"
    case .collected: "collected"
    }
  }
}

package struct Verdict: Sendable, Equatable {
  package var rule: String
  package var code: VerdictCode
  package var line: Int
  package var reason: String
  package var reads: [ReadValue]
  package var effects: Int

  package init(
    rule: String, code: VerdictCode, line: Int = 0, reason: String = "", reads: [ReadValue] = [], effects: Int = 0
  ) {
    self.rule = rule
    self.code = code
    self.line = line
    self.reason = reason
    self.reads = reads
    self.effects = effects
  }
}
