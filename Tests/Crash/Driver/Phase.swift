// The moments at which the daemon is ended, and how far into them.
//
// Thread: values. Promise: the same random numbers give the same orders.

import Basics

enum Phase: String, CaseIterable, Sendable {
  /// On the way from an older store, or from none, to the newest version.
  case migration
  case beforeAppend = "before_append"
  case appended, committed, answered, sent, checkpoint, sweep, stop
  /// In the middle of a rule, most often while a run is played again.
  case replay
  /// While the timers of thousands of runs are due, right after a start.
  case storm
  /// While webhooks that are over are sent once more, by a job.
  case resend
  /// While one webhook finds out whether a receiver that failed is back.
  case probe
  /// SIGKILL from outside, at no chosen call.
  case moment

  /// At which matching call, at most. Where a phase has fewer, the round goes on and is drawn again.
  var farthest: UInt64 {
    switch self {
    case .migration: 64
    case .beforeAppend, .appended, .committed: 120
    case .answered, .sent: 150
    case .checkpoint: 500
    case .sweep: 60
    case .stop: 90
    case .replay: 400
    case .storm: 600
    case .resend: 90
    case .probe: 3
    case .moment: 0
    }
  }

  /// Which sides of a call are different moments.
  var sides: [String] {
    switch self {
    case .beforeAppend, .committed, .answered, .replay: ["before"]
    case .appended: ["before", "torn"]
    case .sent, .probe: ["before", "after"]
    case .resend: ["before", "after", "torn"]
    case .migration, .checkpoint, .sweep, .stop, .storm: ["before", "after", "torn"]
    case .moment: [""]
    }
  }
}

/// One kill as it is ordered.
struct Order: Sendable, CustomStringConvertible {
  var phase: Phase
  var count: UInt64
  var side: String

  init(_ phase: Phase, _ random: inout SeededRandom, farthest: UInt64? = nil) {
    self.phase = phase
    count = phase == .moment ? 3 + random.next(below: 400) : 1 + random.next(below: farthest ?? phase.farthest)
    side = phase.sides[Int(random.next(below: UInt64(phase.sides.count)))]
  }

  var description: String {
    phase == .moment ? "moment after \(count) ms" : "\(phase.rawValue) at call \(count), \(side)"
  }
}

/// What is wrong, as a sentence.
struct Wrong: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
