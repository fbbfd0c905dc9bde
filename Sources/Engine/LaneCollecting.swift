// The lane and runs that gather events before they begin: they open, take what comes, and begin when there is
// enough or their time is over.
//
// Thread: the lane's. Promise: an event that was collected is in exactly one run's list; while a run collects,
// each event costs the same however many came before, and no more of its rule runs than `when`.

internal import Basics
internal import Model
internal import Rules
internal import Store

extension Lane {
  // MARK: events

  /// What becomes of an event whose rule gathers; nil: its rule does not.
  func gather(
    _ position: Int, _ key: String, _ event: Event, _ number: Int64, _ dedupe: Hash128, _ cell: SubjectCell,
    now: Instant, wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict? {
    let rule = book.rules.rules[position]
    let ruleNumber = book.numbers[position]
    // What was sent for a trial does not mix with what was not: where a run's webhooks go is one thing for all of it.
    let collecting = try living(of: cell).runs.first {
      $0.isCollecting && $0.status == .waiting && $0.rule == ruleNumber && $0.key == key
        && $0.isTest == event.isTest
    }
    // What an older version of the rule has begun to collect is collected to its end.
    guard collecting != nil || rule.header.gather != nil else { return nil }
    if collecting == nil, let verdict = try meetBegun(rule, ruleNumber, key, event, number, cell, now: now) {
      return verdict
    }
    if let verdict = try refusal(of: position, event, dedupe, cell, now: now) { return verdict }
    shelf.keep(number, event, sequence: turn, durable: durable.value)
    if let collecting { return try join(collecting, event, number, cell, now: now, wanted: &wanted) }
    guard let gather = rule.header.gather else { return nil }
    return try open(gather, position, key, event, number, dedupe, cell, now: now)
  }

  /// Whether an event may open a collection beside runs that have begun. One that is to replace them does so
  /// when it begins.
  private func meetBegun(
    _ rule: Rule, _ ruleNumber: Int64, _ key: String, _ event: Event, _ number: Int64, _ cell: SubjectCell,
    now: Instant
  ) throws(StoreError) -> Verdict? {
    if let ended = endedByEvent.first(where: { $0.rule == ruleNumber && $0.key == key && $0.isCollecting }) {
      return Verdict(rule: rule.path, code: .second, reason: "run \(ended.number) with this key took the event")
    }
    guard rule.header.second == .restart else {
      return try meetSecond(rule, ruleNumber, key, event, number, cell, now: now)
    }
    let count = try living(of: cell).runs.count
    guard count >= Limits.runsPerSubject else { return nil }
    return Verdict(rule: rule.path, code: .second, reason: "\(count) runs of this subject live already; no more may")
  }

  /// What `when` says against an event; nil: nothing.
  private func refusal(
    of position: Int, _ event: Event, _ dedupe: Hash128, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> Verdict? {
    let rule = book.rules.rules[position]
    guard rule.header.hasWhen else { return nil }
    let ruleNumber = book.numbers[position]
    let input = try input(event, ruleNumber, seed: dedupe, cell, now: now)
    mark.enter(rule: ruleNumber, event: dedupe)
    var outcome = runtime.admits(position, input)
    if outcome.limit == .time { outcome = runtime.admits(position, input) }
    mark.leave()
    if outcome.code == .ran { return nil }
    counters.note(outcome.code)
    if let limit = outcome.limit, limit != .time { noteViolation(ruleNumber, outcome.reason, now: now) }
    return Verdict(
      rule: rule.path, code: outcome.code, line: outcome.line, reason: outcome.reason, reads: outcome.reads)
  }

  private func open(
    _ gather: RuleHeader.Gather, _ position: Int, _ key: String, _ event: Event, _ number: Int64, _ dedupe: Hash128,
    _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> Verdict {
    let rule = book.rules.rules[position]
    var row = RunRow(
      number: numbers.nextRun(), subject: cell.subject, rule: book.numbers[position], version: book.versions[position],
      event: number, seed: dedupe, depth: event.depth, key: key, started: now)
    row.isTest = event.isTest
    let end = gather.end(after: now)
    row.gathered = Gathered(numbers: gather.keepsAll ? [number] : [], count: 1, most: gather.most, until: end)
    row.wait = Wait(kind: .collect, until: end)
    try begin(row, cell, now: now)
    return Lane.collected(row, rule.path)
  }

  private static func collected(_ row: RunRow, _ path: String) -> Verdict {
    var reason = "run \(row.number) collects it (\(row.gathered?.progress ?? ""))"
    if let until = row.gathered?.until { reason += " until \(ISO8601.format(until))" }
    return Verdict(rule: path, code: .collected, reason: reason)
  }

  private func join(
    _ run: RunRow, _ event: Event, _ number: Int64, _ cell: SubjectCell, now: Instant, wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict {
    let path = rulePath(run)
    guard let version = try version(run.version), let gather = version.rule.header.gather, var gathered = run.gathered
    else { return Verdict(rule: path, code: .second, reason: "run \(run.number) collects, but cannot be loaded") }
    var row = run
    // The newest one is what the run is given as its event.
    row.event = number
    gathered.count += 1
    if gather.keepsAll { gathered.numbers.append(number) } else { gathered.until = gather.end(after: now) }
    row.gathered = gathered
    let verdict = Lane.collected(row, version.rule.path)
    guard gathered.most > 0, gathered.count >= gathered.most, try pause(of: row, version) == nil else {
      try keep(row, was: run.due, cell)
      return verdict
    }
    return try wake(row, was: run.due, version, .start, cell, now: now, wanted: &wanted) ?? verdict
  }

  // MARK: beginning

  /// True for a run whose time was put off since its timer was set: then the timer is set anew. It stands still
  /// while events come, so that ten thousand of them do not move it ten thousand times.
  func movesOn(_ run: RunRow, _ cell: SubjectCell, now: Instant) throws(StoreError) -> Bool {
    guard run.pending == nil, let until = run.gathered?.until, until > now else { return false }
    var row = run
    row.wait?.until = until
    try keep(row, was: run.due, cell)
    return true
  }

  /// Makes a run that collects one that begins now; false: it has begun before.
  func beginCollected(
    _ row: inout RunRow, _ version: RunVersion, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> Bool {
    guard row.isCollecting else { return false }
    row.gathered?.until = nil
    row.started = now
    row.wait = nil
    guard version.rule.header.second == .restart else { return true }
    let older = try living(of: cell).runs.filter { [row] in
      $0.rule == row.rule && $0.key == row.key && $0.number != row.number && $0.isTest == row.isTest
        && !($0.isCollecting && $0.status == .waiting)
    }
    for run in older { try end(run, .replaced, "a newer run of the same key", cell, now: now) }
    return true
  }
}
