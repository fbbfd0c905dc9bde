// The lane and what is late: timers that came due while nobody was there are set aside and fire one after the
// other, or not at all where their rule says so.
//
// Thread: the lane's. Promise: what is late never delays what is on time; what does not fire because it is late
// has a verdict and a reason.

internal import Basics
internal import Model
internal import Rules
internal import Store

extension Lane {
  // MARK: setting aside and firing

  /// Sets aside what is late, and finds out whose it is, a few rows at a time.
  func takeLate(now: Instant) throws(StoreError) {
    guard late != nil else { return }
    late?.tidy(now)
    let moment = min(caughtUp, now + -(lateMilliseconds + 1))
    if timers.wakeAt <= moment {
      let given = timers.giveUp(through: moment)
      late?.add(given.timers)
      if let rows = given.rows { late?.add(from: rows.from, to: rows.to) }
    }
    let lanes = lanes
    let index = index
    guard var looking = late else { return }
    late = nil
    defer { late = looking }
    func isMine(_ subject: Int64) -> Bool { Desk.lane(of: subject, lanes: lanes) == index }
    try looking.look(reader, isMine: isMine, rule: owner)
  }

  /// Whose timer it is; of one that stands in no row any more, nobody's.
  private func owner(of timer: Timer) throws(StoreError) -> (number: Int64, isTransactional: Bool) {
    // What tells silences and segments apart stands below all rules.
    if Alarm.isOne(timer.run) { return (-Alarm.definition(timer.run), false) }
    let rule = timer.run < 0 ? try ruleOfHeld(timer) : try ruleOfRun(timer)
    let place = book.places[rule]
    return (rule, place.map { book.rules.rules[$0].header.isTransactional } ?? false)
  }

  private func ruleOfRun(_ timer: Timer) throws(StoreError) -> Int64 {
    try reader.value(RowKey(.run, timer.run)).flatMap { RunRow.rule(of: $0) } ?? 0
  }

  private func ruleOfHeld(_ timer: Timer) throws(StoreError) -> Int64 {
    let cell = try cell(timer.subject, isNew: false, reference: nil, now: lastNow)
    return cell.policy.held.first { $0.number == -timer.run }?.ruleNumber ?? 0
  }

  func fireLate(now: Instant) throws(StoreError) {
    for _ in 0..<Limits.timersPerStep {
      guard let timer = late?.next(now) else { return }
      try fire(timer, isCaughtUp: false, now: now)
    }
  }

  // MARK: not firing

  /// Ends or parks a run whose time was so long ago that its rule does not want it any more; false: it wakes.
  func giveUpLate(_ run: RunRow, _ cell: SubjectCell, now: Instant) throws(StoreError) -> Bool {
    // What woke it came in time; and a call's limit is nobody's plan.
    guard run.pending == nil, let wait = run.wait, wait.kind != .call, let due = run.shownWait?.until,
      let reason = tooLate(run.rule, due: due, now: now)
    else { return false }
    let isParked = catchUp(of: run.rule) == .fire
    if isParked {
      try park(run, was: run.due, .timer, reason, line: wait.line, cell)
    } else {
      try end(run, .skipped, reason, line: wait.line, cell, now: now)
    }
    noteVerdict(
      run.event, 0,
      [
        Verdict(
          rule: rulePath(run), code: isParked ? .parked : .skipped, line: wait.line,
          reason: "run \(run.number): \(reason)")
      ])
    try settle(run, cell, wanted: [], cause(run))
    return true
  }

  func catchUp(of rule: Int64) -> RuleHeader.CatchUp {
    book.places[rule].map { book.rules.rules[$0].header.catchUp } ?? .fire
  }

  private var lateMilliseconds: Int64 { Limits.lateMilliseconds * clockRate }

  /// Why a rule does not want the silence, or the change of a segment, that an alarm has told so late; nil: it does.
  /// Without a word in the header it does, however late: there is no run that could be parked.
  func toldTooLate(_ event: Event, _ rule: Int64, now: Instant) -> String? {
    guard let told, told.id == event.id, event.source == "nudged", catchUp(of: rule) != .fire else { return nil }
    return tooLate(rule, due: told.due, now: now)
  }

  /// Why what was due then is not done any more; nil: it is.
  func tooLate(_ rule: Int64, due: Instant, now: Instant) -> String? {
    let lateness = now - due
    guard late != nil, lateness > lateMilliseconds else { return nil }
    let said: String
    switch catchUp(of: rule) {
    case .fire:
      guard lateness > Limits.staleMilliseconds else { return nil }
      said = "more than \(Limits.staleMilliseconds / 86_400_000) days late"
    case .skip: said = "\(DurationText.format(lateness)) late, and its rule has catch_up = \"skip\""
    case .within(let most):
      guard lateness > most else { return nil }
      said = "\(DurationText.format(lateness)) late, and its rule has catch_up = \"\(DurationText.format(most))\""
    }
    return "its time was \(ISO8601.format(due)); it is \(said)"
  }
}
