// Rules that collect: what their header says, whether an event is one for them, and the list that a run gets.
//
// Thread: the runtime's, and values. Promise: a run sees the same list in the same order whenever it is played
// again; while events are collected no more of a rule runs than its `when`.

package import Basics
internal import CRuleHost
internal import Model

extension RuleHeader {
  /// How events are gathered before a run begins.
  package enum Gather: Sendable, Equatable {
    /// So many of them, or all that come in a time that begins with the first.
    case collect(upTo: Int, withinMilliseconds: Int64)
    /// Until none has come for so long.
    case debounce(milliseconds: Int64)

    /// When a run begins whose first or newest event comes now.
    package func end(after now: Instant) -> Instant {
      switch self {
      case .collect(_, let milliseconds), .debounce(let milliseconds): now + milliseconds
      }
    }

    package var most: Int { if case .collect(let most, _) = self { most } else { 0 } }

    /// Whether the run gets all of them, and not the newest alone.
    package var keepsAll: Bool { if case .collect = self { true } else { false } }
  }

  /// What becomes of timers that are late.
  package enum CatchUp: Sendable, Equatable {
    case fire
    case skip
    /// Those that are later than this are skipped.
    case within(milliseconds: Int64)
  }
}

/// What the loader and the check say in the same words.
extension RuleHeader {
  package static let collectForm = "{ up_to = 10, within = \"10 minutes\" }"
  package static let collectAndDebounce =
    "'collect' and 'debounce' do not go together: the one takes what comes in a time, the other waits for silence; remove one of them"
  package static let catchUpForm = "\"fire\", \"skip\" or a duration of at least one minute such as \"2 hours\""
}

extension RuleRuntime {
  /// What `when` says of an event that would join others; nothing else of the rule runs.
  package func admits(_ position: Int, _ input: RuleInput) -> RuleOutcome { run(position, input, onlyWhen: true) }
}

extension EffectWords {
  func collected(_ call: RuleCall) {
    guard let player, let place = call.integer(0), (1...Int64(player.activation.collected.count)).contains(place) else {
      return call.fail("there is no list of events here")
    }
    guard let event = player.receive(player.activation.collected[Int(place) - 1]) else {
      return call.diverge(player.divergence ?? "")
    }
    call.charge(EffectWords.unitsPerCollected)
    call.answer(event, index: player.received.count)
  }

  /// It may have to be read from the store.
  private static let unitsPerCollected = 100
}
