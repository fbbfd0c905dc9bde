// Runs: one execution of a rule for one key, which may sleep for weeks.
//
// Thread: values. Promise: the numbers of states and endings are stored and never change their meaning.

package import Basics

/// What a run waits for.
package struct Wait: Sendable, Equatable {
  /// One of the words a run can sleep in.
  package var kind: JournalKind
  /// When it wakes if nothing comes; nil: never by itself.
  package var until: Instant?
  /// The events it waits for.
  package var names: [String]
  /// Whose events; nil: its own subject's.
  package var subject: SubjectReference?
  /// The line of the rule at which it sleeps.
  package var line: Int
  /// Of a call: the delivery whose answer it waits for.
  package var delivery: Int64 = 0
  /// Of a wait for a date: how its moment follows from the date, and what moves that.
  package var plan: DatePlan?

  package init(
    kind: JournalKind, until: Instant? = nil, names: [String] = [], subject: SubjectReference? = nil, line: Int = 0
  ) {
    self.kind = kind
    self.until = until
    self.names = names
    self.subject = subject
    self.line = line
  }
}

extension Wait {
  /// What it waits for, as a word in a sentence: "paid or left of user:7", "the reply of its call", "its time".
  package var awaited: String {
    switch kind {
    case .waitFor, .waitAny: names.joined(separator: " or ") + (subject.map { " of \($0)" } ?? "")
    case .call: "the reply of its call"
    case .collect: "more of its events"
    default: plan.map { $0.sentence ?? "a date at \($0.path)" } ?? "its time"
    }
  }

  /// What a run does meanwhile: "waits for paid", or "sleeps" where nothing but time will wake it.
  package var sentence: String {
    switch kind {
    case .waitFor, .waitAny, .call: "waits for " + awaited
    case .collect: "collects"
    default: plan.map { $0.date.isEmpty } ?? false ? "waits for " + awaited : "sleeps"
    }
  }

  /// From which date its time follows, behind a sentence: " (1 day before 2026-03-01T09:00:00Z, data.starts_at)".
  package var planned: String { (plan?.sentence).map { " (\($0))" } ?? "" }
}

/// What became of a person's wish about one run.
package enum RunAnswer: Sendable, Equatable {
  case done
  /// It never was, or it is over.
  case missing
  /// It lives and stays as it is, for this reason.
  case refused(String)
  /// It will be done, when what this says is over.
  case later(String)
}

package enum RunStatus: UInt8, Sendable, CaseIterable {
  case waiting = 1
  /// An error, a limit or a changed rule stopped it; it stays until someone acts.
  case parked = 2
  // Ended:
  case finished = 3
  /// By an event of `stop_on`.
  case stopped = 4
  case goal = 5
  /// By a person.
  case cancelled = 6
  /// By skip or check in the middle of its life.
  case skipped = 7
  /// By a newer run, with second = "restart".
  case replaced = 8

  package var word: String {
    switch self {
    case .waiting: "waiting"
    case .parked: "parked"
    case .finished: "finished"
    case .stopped: "stopped"
    case .goal: "goal"
    case .cancelled: "cancelled"
    case .skipped: "skipped"
    case .replaced: "replaced"
    }
  }

  package var isAlive: Bool { self == .waiting || self == .parked }
}
