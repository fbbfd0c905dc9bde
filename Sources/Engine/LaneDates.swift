// The lane and dates that move: a run that sleeps until so long before a date is planned anew when an event
// moves the date, without a look at its rule, and ends when one cancels it.
//
// Thread: the lane's. Promise: the moment of a run always follows from the newest event that it has heard of,
// in the order of their numbers; its journal does not grow with moves.

internal import Basics
internal import Model
internal import Rules
internal import Store

extension Lane {
  // MARK: triggers

  /// What a run begins anew with that was cut short by a checkpoint.
  static func restart(_ outcome: ActivationOutcome) -> Trigger {
    outcome.date.map { .date($0, isLate: false) } ?? .start
  }

  /// The time of a wait for a date, or a hand that stands for it, tells the date, so that the journal knows it.
  static func ofDate(_ run: RunRow, _ trigger: Trigger) -> Trigger {
    guard let plan = run.wait?.plan, trigger == .timer || trigger == .hand else { return trigger }
    return .date(plan.date, isLate: false)
  }

  /// Where a name stands among those that a rule's runs listen to; behind them all for an event that is only
  /// known to carry a date.
  static func place(of name: String, _ rule: Rule) -> Int? {
    name.isEmpty ? rule.awaited.count : rule.awaited.firstIndex(of: name)
  }

  /// What a run whose time has come is woken with; nil when it is over or sleeps on instead.
  func dateTrigger(_ run: RunRow, _ version: RunVersion, _ cell: SubjectCell, now: Instant) throws(StoreError)
    -> Trigger?
  {
    if let pending = run.pending { return pending }
    guard let plan = run.wait?.plan, let date = ISO8601.parse(plan.date) else { return .timer }
    if plan.isLate {
      try end(run, .skipped, "\(plan.path), \(plan.date), came while it was late", cell, now: now)
      return nil
    }
    // A timer can be late itself, after a standstill: a reminder of what is over helps nobody.
    if date <= now, timerIsEarlier(run, than: date) {
      if plan.late == .tell { return .date(plan.date, isLate: true) }
      try end(run, .skipped, "\(plan.path), \(plan.date), was past when its time came", cell, now: now)
      return nil
    }
    // Its subject may live in another zone by now.
    guard case .at(let moment) = outlook(plan, date, version, cell, now: now) else { return .timer }
    var row = run
    row.wait?.until = moment
    try keep(row, was: run.due, cell)
    return nil
  }

  private func timerIsEarlier(_ run: RunRow, than date: Instant) -> Bool { run.wait?.until.map { $0 < date } ?? false }

  private func outlook(
    _ plan: DatePlan, _ date: Instant, _ version: RunVersion, _ cell: SubjectCell, now: Instant
  ) -> DateOutlook {
    plan.outlook(of: date, now: now) { name in
      DayZone.find(DayZone.name(name, version.rule.header, cell.traits(parser)?.root, book.zone), zones)
    }
  }

  // MARK: moves

  /// A run hears of an event that moves or cancels its date; nil: it is neither, and the run keeps it.
  func hearDate(
    _ run: RunRow, _ version: RunVersion, _ heard: Heard, _ name: String, _ cell: SubjectCell, now: Instant,
    _ wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict? {
    let dates = version.rule.dates
    guard !dates.isEmpty, name.isEmpty || dates.names.contains(name) else { return nil }
    guard let event = event(heard.number) else {
      if let failure { throw failure }
      return nil
    }
    let plan = run.status == .waiting ? run.wait?.plan : nil
    let cancels =
      version.rule.header.before?.cancelled.contains(name) ?? false || plan?.cancelled.contains(name) ?? false
    guard cancels || plan.map({ name.isEmpty || $0.moved.contains(name) }) ?? false else { return nil }
    // What is about something else is kept for whatever else the run may wait for.
    guard try concerns(run, version, event, heard) else { return nil }
    if cancels { return try cancel(run, version, name, cell, now: now) }
    guard let plan else { return nil }
    var row = run
    keepHeard(heard, in: &row)
    // What stood before the event that brought the date says nothing new.
    if heard.number <= plan.by || plan.by == 0 && heard.number < run.event && !plan.date.isEmpty {
      try keep(row, was: run.due, cell)
      return Verdict(
        rule: version.rule.path, code: .heard, reason: "run \(run.number) knows a newer date: \(plan.date)")
    }
    return try follow(row, plan, (event, heard.number), version, cell, now: now, &wanted)
  }

  /// Goes by what an event says of the date.
  private func follow(
    _ run: RunRow, _ plan: DatePlan, _ told: (event: Event, number: Int64), _ version: RunVersion,
    _ cell: SubjectCell, now: Instant, _ wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict {
    var row = run
    var plan = plan
    switch DateField.read(told.event, plan.path) {
    case .absent:
      try keep(row, was: run.due, cell)
      return Verdict(
        rule: version.rule.path, code: .heard,
        reason: "run \(run.number) keeps its date: \(DateField.missing(plan.path)) in this event")
    case .wrong(let reason):
      plan.by = told.number
      plan.date = ""
      try sleep(&row, plan, until: nil, was: run.due, cell)
      return Verdict(
        rule: version.rule.path, code: .waiting, reason: "run \(run.number) \(Lane.describe(row.wait)): \(reason)")
    case .date(let text, let date):
      let change = DateChange(text: text, date: date, from: plan.date, by: told.event.name)
      plan.by = told.number
      plan.date = text
      plan.isLate = false
      return try move(row, was: run.due, plan, change, version, cell, now: now, &wanted)
    }
  }

  private struct DateChange {
    var text: String
    var date: Instant
    var from: String
    var by: String

    var sentence: String {
      from.isEmpty ? "told by \(by)" : from == text ? "told again by \(by)" : "moved from \(from) to \(text) by \(by)"
    }
  }

  private func move(
    _ run: RunRow, was due: Instant?, _ plan: DatePlan, _ change: DateChange, _ version: RunVersion,
    _ cell: SubjectCell,
    now: Instant, _ wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict {
    var row = run
    var plan = plan
    var verdict = Verdict(rule: version.rule.path, code: .waiting)
    switch outlook(plan, change.date, version, cell, now: now) {
    case .at(let moment):
      try sleep(&row, plan, until: moment, was: due, cell)
      verdict.reason = "run \(row.number) \(Lane.describe(row.wait)); \(change.sentence)"
    case .late(let moment) where plan.late == .skip:
      // Another move may bring its moment back.
      plan.isLate = true
      try sleep(&row, plan, until: change.date, was: due, cell)
      verdict.reason = "run \(row.number) is \(plan.lateReason(moment)); \(change.sentence)"
    case .over(let reason) where plan.late != .tell || change.date > now:
      try end(run, .skipped, reason, cell, now: now)
      endedByEvent.append(run)
      verdict.code = .skipped
      verdict.reason = "run \(row.number): \(reason); \(change.sentence)"
    case .late, .over:
      row.wait?.plan = plan
      row.pending = .date(change.text, isLate: plan.late == .tell)
      if try pause(of: row, version) != nil {
        try keep(row, was: due, cell)
        verdict.reason = "run \(row.number) goes on when its rule is no longer paused; \(change.sentence)"
        return verdict
      }
      let trigger = row.pending ?? .timer
      row.pending = nil
      try keepInMemory(row, cell)
      if let woken = try wake(row, was: due, version, trigger, cell, now: now, wanted: &wanted) {
        verdict = woken
        verdict.reason = verdict.reason.isEmpty ? change.sentence : verdict.reason + "; " + change.sentence
      }
    }
    return verdict
  }

  /// Planned in place: only the row and its timer change.
  private func sleep(
    _ row: inout RunRow, _ plan: DatePlan, until: Instant?, was due: Instant?, _ cell: SubjectCell
  ) throws(StoreError) {
    row.wait?.plan = plan
    row.wait?.until = until
    // A moment that had come while its rule was paused has moved with the date.
    if case .date = row.pending { row.pending = nil }
    try keep(row, was: due, cell)
  }

  private func keepHeard(_ heard: Heard, in row: inout RunRow) {
    if row.heard.contains(where: { $0.number == heard.number }) { return }
    row.heard.append(heard)
    if row.heard.count > Limits.heardEvents { row.heard.removeFirst(row.heard.count - Limits.heardEvents) }
  }

  private func cancel(
    _ run: RunRow, _ version: RunVersion, _ name: String, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> Verdict {
    try end(run, .stopped, name, cell, now: now)
    endedByEvent.append(run)
    return Verdict(rule: version.rule.path, code: .stopped, reason: "\(name) ended run \(run.number)")
  }

  /// Whether an event is about the thing of the run, or about no thing and its subject.
  private func concerns(
    _ run: RunRow, _ version: RunVersion, _ event: Event, _ heard: Heard
  ) throws(StoreError) -> Bool {
    let thing = try run.wait?.plan != nil ? run.wait?.subject : dateThing(run, version.rule)
    return DateMove.concerns(event, isOwn: heard.isOwn, thing: thing, begins: version.rule.header.on)
  }

  static func describe(_ wait: Wait?) -> String { wait.map { describe($0) } ?? "sleeps" }

  // MARK: the thing

  /// The thing that the run's first event names, when it is not the run's own subject.
  private func dateThing(_ row: RunRow, _ rule: Rule) throws(StoreError) -> SubjectReference? {
    guard let thing = event(row.event)?.thing, thing.namespace != rule.header.per else {
      if let failure { throw failure }
      return nil
    }
    return thing
  }

  /// From its first sleep on a run hears what moves its dates, also those that it does not wait for yet.
  func listenForDates(_ row: inout RunRow) throws(StoreError) {
    guard let rule = try version(row.version)?.rule, !rule.dates.names.isEmpty,
      let thing = try dateThing(row, rule)
    else { return }
    listenElsewhere(&row, to: thing)
  }

  /// A run whose own event has no date asks the thing for the newest one that it told before.
  func askForDates(_ listener: inout RunListener, _ row: RunRow, _ rule: Rule, of subject: SubjectReference) {
    guard !rule.dates.names.isEmpty, let event = event(row.event), event.thing == subject else { return }
    // Thousands who register would tell each other.
    if !rule.matches { listener.names.removeAll(where: rule.header.on.contains) }
    listener.paths = rule.dates.paths.filter { if case .date = DateField.read(event, $0) { false } else { true } }
    if !listener.paths.isEmpty { listener.ends = rule.dates.ends }
  }

  /// The newest event before the run that carries a date, or one that cancels it.
  func lookBack(_ listener: RunListener, from newest: Int64) throws(StoreError) -> (number: Int64, name: String)? {
    if listener.paths.isEmpty { return nil }
    let isTest = event(listener.after)?.isTest ?? false
    var number = newest
    for _ in 0..<Limits.dateLookBack {
      guard number > 0, let row = try reader.engine.event(number) else { return nil }
      if let event = event(number), isTest || !event.isTest {
        if listener.ends.contains(row.name) { return (number, row.name) }
        let isDated = listener.paths.contains { DateField.read(event, $0) != .absent }
        if number != listener.after, isDated { return (number, "") }
      }
      number = row.previous
    }
    return nil
  }
}
