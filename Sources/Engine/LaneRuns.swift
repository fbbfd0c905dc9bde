// The lane and its runs: it starts them, lets them hear of events, wakes them, and ends or parks them.
//
// Thread: the lane's. Promise: what a run did and where it sleeps is in the same decisions as its effects;
// an event that a run listens to is never lost between two waits.

package import Basics
internal import Model
internal import Rules
internal import Store

extension Lane {
  // MARK: starting

  /// The reason why a rule is not asked; nil when it is.
  func pause(of position: Int) -> String? {
    let rule = book.rules.rules[position]
    if rule.header.mode == .paused { return "" }
    if book.switchedOff.contains(rule.path) { return "switched off: it ended the process" }
    if filling != nil, let reason = unready(position) { return reason }
    return guardian.pause(of: book.numbers[position])
  }

  /// Starts a run of a rule that may wait. Only one that does becomes a row.
  func start(
    _ position: Int, _ key: String, _ againHash: Int64, _ event: Event, _ number: Int64, _ dedupe: Hash128,
    _ cell: SubjectCell, now: Instant, wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict {
    let rule = book.rules.rules[position]
    let ruleNumber = book.numbers[position]
    if let verdict = try gather(position, key, event, number, dedupe, cell, now: now, wanted: &wanted) {
      return verdict
    }
    if let verdict = try meetSecond(rule, ruleNumber, key, event, number, cell, now: now) { return verdict }
    shelf.keep(number, event, sequence: turn, durable: durable.value)
    var row = RunRow(
      number: 0, subject: cell.subject, rule: ruleNumber, version: book.versions[position], event: number, seed: dedupe,
      depth: event.depth, key: key, started: now)
    row.isTest = event.isTest
    let version = RunVersion(
      number: row.version, rule: rule, runtime: runtime, place: position)
    row.isHeldOut = try isHeldOut(position, cell)
    // A run that waits is numbered before its effects leave, so that they name it.
    row.number = numbers.nextRun()
    let outcome = try play(&row, version, .start, event, cell, now: now, wanted: &wanted)
    // A number that something was sent under is never given out again, though the run never slept.
    if !outcome.effects.isEmpty { newestRun = max(newestRun, row.number) }
    var verdict = Verdict(
      rule: rule.path, code: Lane.code(outcome.ending), line: outcome.line, reason: outcome.reason,
      reads: outcome.reads, effects: outcome.effects.count)
    noteSince(rule, &verdict, now: now)
    let told = takeToldInShadow()
    let isSilent = rule.header.mode != .shadow && isHeldOut(row, version, cell)
    guard case .waiting(let wait) = outcome.ending else {
      if !isSilent { tellInShadow(told, row, version, cell) }
      if try parkStarted(row, outcome, cell, now: now) {
        verdict.code = .parked
      } else if verdict.code == .failed || verdict.code == .overBudget {
        tellFailed(rule.path, verdict.reason, line: verdict.line, event, number, dedupe, cell)
      }
      if outcome.ending == .finished || verdict.code == .parked { try noteMet(position, key, event, cell, now: now) }
      if outcome.ending == .finished { noteAgain(rule, againHash, cell, now: now) }
      if outcome.ending == .finished, rule.header.mode == .shadow { verdict.code = .shadow }
      if outcome.ending == .finished, isSilent { verdict.code = .heldOut }
      verdict.reason = Lane.join(verdict.reason, told)
      return verdict
    }
    tellInShadow(told, row, version, cell)
    noteAgain(rule, againHash, cell, now: now)
    // Who waits for the moment before a date has met nothing of the rule yet.
    if rule.header.before == nil || outcome.date != nil { try noteMet(position, key, event, cell, now: now) }
    row.wait = inRealTime(wait)
    try begin(row, cell, now: now)
    verdict.reason = Lane.join("run \(row.number) \(Lane.describe(wait))", isSilent ? "" : told)
    return verdict
  }

  private func takeToldInShadow() -> String {
    defer { toldInShadow = "" }
    return toldInShadow
  }

  static func join(_ reason: String, _ told: String) -> String {
    reason.isEmpty || told.isEmpty ? reason + told : reason + "; " + told
  }

  /// A run that fails behind its first checkpoint has done things already, and so it stays.
  private func parkStarted(
    _ row: RunRow, _ outcome: ActivationOutcome, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> Bool {
    guard row.entriesBefore > 0 || !row.saved.isEmpty, [.failed, .overBudget, .diverged].contains(outcome.ending) else {
      return false
    }
    var row = row
    row.park(Lane.restart(outcome), outcome.reason, line: outcome.line)
    try begin(row, cell, now: now)
    tellParked(row, outcome.reason, line: outcome.line, cell)
    return true
  }

  static func describe(_ wait: Wait) -> String {
    wait.sentence + (wait.until.map { " until \(ISO8601.format($0))" } ?? "") + wait.planned
  }

  private static func code(_ ending: ActivationOutcome.Ending) -> VerdictCode {
    switch ending {
    case .waiting, .unchanged, .checkpoint: .waiting
    case .finished: .ran
    case .skipped: .skipped
    case .stopped: .stopped
    case .notMatched: .notMatched
    case .failed, .diverged: .failed
    case .overBudget: .overBudget
    }
  }

  /// What becomes of an event whose key has a run that lives; nil: it may start one. The rule sees the
  /// runs as of before the event, so that one that the event has just ended still counts.
  func meetSecond(
    _ rule: Rule, _ ruleNumber: Int64, _ key: String, _ event: Event, _ number: Int64, _ cell: SubjectCell,
    now: Instant
  ) throws(StoreError) -> Verdict? {
    let living = try living(of: cell).runs
    // What is tried out neither ends what is meant nor keeps it from beginning.
    let isTest = event.isTest
    func isSame(_ run: RunRow) -> Bool { run.rule == ruleNumber && run.key == key && run.isTest == isTest }
    let same = living.filter { isSame($0) && $0.event != number }
    let ended = endedByEvent.filter(isSame)
    if same.isEmpty, ended.isEmpty {
      guard living.count < Limits.runsPerSubject else {
        return Verdict(
          rule: rule.path, code: .second, reason: "\(living.count) runs of this subject live already; no more may")
      }
      return nil
    }
    switch rule.header.second {
    case .parallel:
      if same.count < rule.header.limit, living.count < Limits.runsPerSubject { return nil }
      return Verdict(
        rule: rule.path, code: .second, reason: "\(same.count) runs with this key live already, as many as may")
    case .restart:
      for run in same { try end(run, .replaced, "a newer run of the same key", cell, now: now) }
      return nil
    case .ignore:
      let reason =
        same.first.map { "run \($0.number) with this key lives since \(ISO8601.format($0.started))" }
        ?? "run \(ended.first?.number ?? 0) with this key took the event"
      return Verdict(rule: rule.path, code: .second, reason: reason)
    }
  }

  // MARK: playing

  /// Plays a run to its next wait or its end and takes what it asked for. A checkpoint begins it anew.
  func play(
    _ row: inout RunRow, _ version: RunVersion, _ trigger: Trigger, _ event: Event, _ cell: SubjectCell,
    now: Instant, wanted: inout [[UInt8]]
  ) throws(StoreError) -> ActivationOutcome {
    var trigger = trigger
    for _ in 0..<Lane.checkpointsPerStep {
      let isShadow = try mode(of: row, version) == .shadow
      let activation = try activation(
        row, version, trigger, event, cell, isShadow: isShadow || isHeldOut(row, version, cell), now: now)
      if !version.rule.windows.isEmpty {
        windows.cell = cell
        version.runtime.windows = windows
      }
      mark.enter(rule: row.rule, event: row.seed)
      var outcome = version.runtime.activate(version.place, activation)
      if outcome.limit == .time { outcome = version.runtime.activate(version.place, activation) }
      mark.leave()
      if let failure { throw failure }
      counters.note(Lane.code(outcome.ending))
      if let limit = outcome.limit, limit != .time { noteViolation(row.rule, outcome.reason, now: now) }
      guard let part = outcome.part else { return outcome }
      if case .waiting = outcome.ending, row.journal.isTooLong(with: part) { return journalIsTooLong(outcome, row) }
      try take(
        outcome, into: &row, version, cell, isShadow: isShadow, isTest: event.isTest, now: now, wanted: &wanted)
      guard case .checkpoint(let saved) = outcome.ending else { return outcome }
      row.saved = saved
      row.journal = Journal()
      row.entriesBefore = outcome.entryCount
      row.randoms = outcome.randoms
      row.wait = nil
      trigger = Lane.restart(outcome)
    }
    var failed = ActivationOutcome.failure(
      "checkpoint: it was used \(Lane.checkpointsPerStep) times without a wait between")
    if case .date(let text, _) = trigger { failed.date = text }
    return failed
  }

  private static let checkpointsPerStep = 8

  private func journalIsTooLong(_ outcome: ActivationOutcome, _ row: RunRow) -> ActivationOutcome {
    var failed = ActivationOutcome.failure(
      "the journal of this run takes more than \(Limits.journalBytes) bytes; cut it short with checkpoint now and then")
    failed.ending = .overBudget
    failed.date = outcome.date
    failed.limit = .memory
    if case .waiting(let wait) = outcome.ending { failed.line = wait.line }
    noteViolation(row.rule, failed.reason, now: lastNow)
    return failed
  }

  /// The mode of a run's rule as it is now. Of a rule whose file is gone: the strictest of what it was last
  /// and what the run began with, so that nothing is sent because a file was deleted or got another name.
  private func mode(of row: RunRow, _ version: RunVersion) throws(StoreError) -> RuleHeader.Mode {
    if let place = book.places[row.rule] { return book.rules.rules[place].header.mode }
    var modes = [version.rule.header.mode]
    if let last = book.knownVersions[row.rule]?.last, let found = try self.version(last.number) {
      modes.append(found.rule.header.mode)
    }
    return modes.contains(.paused) ? .paused : modes.contains(.shadow) ? .shadow : .live
  }

  private func activation(
    _ row: RunRow, _ version: RunVersion, _ trigger: Trigger, _ event: Event, _ cell: SubjectCell, isShadow: Bool,
    now: Instant
  ) throws(StoreError) -> Activation {
    var activation = Activation(
      input: try input(event, row.rule, seed: row.seed, cell, now: now), trigger: trigger, journal: row.journal,
      wait: row.wait, key: row.key,
      load: { [unowned self] number in self.event(number) })
    activation.entriesBefore = row.entriesBefore
    activation.randoms = row.randoms
    activation.saved = row.saved
    activation.isShadow = isShadow
    activation.skipsWhen = row.gathered != nil
    activation.collected = row.gathered?.numbers ?? []
    activation.defaultZone = book.zone
    activation.heard = row.heard.compactMap { heard in
      let names = version.rule.awaited
      guard heard.name <= names.count else { return nil }
      // One that is only known to carry a date has no name.
      return HeardEvent(
        number: heard.number, name: heard.name < names.count ? names[heard.name] : "", isOwn: heard.isOwn)
    }
    return activation
  }

  /// An event by its number: decided lately, or from the store.
  func event(_ number: Int64) -> Event? {
    if let known = shelf[number] { return known }
    do throws(StoreError) {
      guard let row = try reader.engine.event(number), let document = try? parser.parse(row.body),
        let event = try? EventDecoder(source: row.source).decode(document.root, received: row.received)
      else { return nil }
      shelf.keep(number, event, sequence: 0, durable: durable.value)
      return event
    } catch {
      failure = error
      return nil
    }
  }

  private func take(
    _ outcome: ActivationOutcome, into row: inout RunRow, _ version: RunVersion, _ cell: SubjectCell, isShadow: Bool,
    isTest: Bool, now: Instant, wanted: inout [[UInt8]]
  ) throws(StoreError) {
    if let state = outcome.state { keep(state, of: row.rule, cell) }
    if let part = outcome.part {
      row.journal.append(part)
      var gone = outcome.consumed
      if case .event(let number) = part.trigger { gone.insert(number) }
      if !gone.isEmpty { row.heard.removeAll { gone.contains($0.number) } }
    }
    row.effects += outcome.effects.count
    warn(row, version)
    let origin = EffectOrigin(
      rule: version.rule.path, ruleNumber: row.rule, event: row.event, seed: row.seed, run: row.number, isTest: isTest,
      header: book.places[row.rule] == nil ? version.rule.header : nil)
    if isShadow || isHeldOut(row, version, cell) {
      let told =
        isShadow
        ? record(outcome.effects, entries: outcome.entries, of: origin, cell, now: now)
        : withhold(outcome.effects, entries: outcome.entries, of: origin, cell, now: now, wanted: &wanted)
      toldInShadow = Lane.join(toldInShadow, told)
      return
    }
    for (effect, entry) in zip(outcome.effects, outcome.entries) {
      apply(effect, entry: entry, of: origin, cell, now: now, wanted: &wanted)
    }
    noteEffects(row.rule, outcome.effects, now: now)
  }

  /// A journal that grows is told once, long before it is too long.
  private func warn(_ row: RunRow, _ version: RunVersion) {
    let count = row.journal.entryCount
    let added = row.journal.parts.last?.entries.count ?? 0
    guard count >= Limits.journalWarningEntries, count - added < Limits.journalWarningEntries else { return }
    let text =
      "the journal of run \(row.number) has \(count) entries, \(Limits.journalEntries) are possible; cut it short with checkpoint"
    out.logs.append(
      RuleLog(rule: version.rule.path, subject: row.subject, event: row.event, text: text, isWarning: true))
  }

  // MARK: rows

  /// A run that sleeps for the first time.
  func begin(_ row: RunRow, _ cell: SubjectCell, now: Instant) throws(StoreError) {
    var row = row
    var living = try living(of: cell)
    noteCall(&row)
    listenElsewhere(&row)
    try listenForDates(&row)
    living.runs.append(row)
    cell.setLiving(living)
    newestRun = max(newestRun, row.number)
    livingRuns[row.version, default: 0] += 1
    recounted.insert(row.version)
    out.changes.append(RowKey(.run, row.number), row.packed, isNew: true)
    writeLiving(cell, living)
    setTimer(row, was: nil)
  }

  func writeLiving(_ cell: SubjectCell, _ living: SubjectCell.Living) {
    var packed = LivingRow()
    packed.runs = living.runs.map(\.number)
    packed.hasWaiters = living.hasWaiters
    out.changes.append(RowKey(.living, cell.subject), packed.isEmpty ? nil : packed.packed)
  }

  /// How long an answer may take is no matter of the rule's calendar: it does not shrink under a clock that runs fast.
  private func inRealTime(_ wait: Wait) -> Wait {
    guard clockRate > 1, wait.kind == .call, let until = wait.until else { return wait }
    var longer = wait
    longer.until = lastNow + (until - lastNow) * clockRate
    return longer
  }

  private func setTimer(_ row: RunRow, was: Instant?) {
    if was == row.due { return }
    if let was { out.changes.append(RowKey(.timer, was.milliseconds, row.number), nil) }
    guard let due = row.due else { return }
    let key = RowKey(.timer, due.milliseconds, row.number)
    out.changes.append(key, NumberRow.pack(row.subject), isNew: true)
    timers.set(
      Timer(due: due, run: row.number, subject: row.subject), sequence: turn, durable: durable.value)
  }

  /// Which delivery a call waits for: the newest one of the run.
  private func noteCall(_ row: inout RunRow) {
    guard row.wait?.kind == .call, row.wait?.delivery == 0 else { return }
    // The call is what the run did last; when that could not be made, its reply names no delivery.
    guard let last = out.deliveries.last, last.run == row.number, last.delivery.tries > 0 else { return }
    row.wait?.delivery = last.delivery.number
  }

  /// A call that cannot be made is answered at once, and not when its time is up.
  func refuseCall(_ run: Int64, _ cell: SubjectCell, _ reason: String) {
    var json = JSONWriter(capacity: reason.utf8.count + 48)
    json.beginObject()
    json.key("ok")
    json.boolean(false)
    json.key("unknown")
    json.boolean(false)
    json.member("error", reason)
    json.endObject()
    let row = MessageRow(
      kind: .reply, subject: cell.subject, id: "0", received: Instant(milliseconds: run), body: json.bytes)
    out.changes.append(RowKey(.message, -run, 3), row.packed, isNew: true)
    out.messages.append(
      LaneMessage(
        event: -run, position: 3, subject: cell.subject, content: .reply(run: run, delivery: 0, json: json.bytes)))
  }

  /// Writes a run that lives on.
  func keep(_ row: RunRow, was: Instant?, _ cell: SubjectCell) throws(StoreError) {
    var row = row
    noteCall(&row)
    listenElsewhere(&row)
    var living = try living(of: cell)
    guard let place = living.runs.firstIndex(where: { $0.number == row.number }) else { return }
    living.runs[place] = row
    cell.setLiving(living)
    out.changes.append(RowKey(.run, row.number), row.packed)
    setTimer(row, was: was)
  }

  /// Takes a run out of what lives and files it as ended.
  func end(
    _ run: RunRow, _ status: RunStatus, _ reason: String, line: Int = 0, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) {
    var living = try living(of: cell)
    guard let place = living.runs.firstIndex(where: { $0.number == run.number }) else { return }
    let due = living.runs[place].due
    living.runs.remove(at: place)
    cell.setLiving(living)
    livingRuns[run.version, default: 0] -= 1
    recounted.insert(run.version)
    out.changes.append(RowKey(.run, run.number), nil)
    if let due { out.changes.append(RowKey(.timer, due.milliseconds, run.number), nil) }
    writeLiving(cell, living)
    for subject in run.listening { sendUnlisten(run, subject) }
    var row = run
    row.status = status
    row.reason = reason
    row.line = line
    row.ended = now
    row.wait = nil
    row.heard = []
    row.pending = nil
    out.endedRuns.append(row)
    if row.effects > 0, let why = Lane.cancelReason(row) {
      out.cancelledRuns.append((run.number, why))
      dropHeld(ofRun: run, why, cell)
    }
    counters.endedRuns.add(1)
  }

  /// Why what a run has sent and was not tried yet is not to be sent; nil: it is. A run that has finished,
  /// or gave way to a newer one, meant what it sent.
  private static func cancelReason(_ run: RunRow) -> String? {
    switch run.status {
    case .stopped: "run \(run.number) was stopped by \(run.reason) before this was tried"
    case .goal: "run \(run.number) reached its goal with \(run.reason) before this was tried"
    case .cancelled: "run \(run.number) was cancelled \(run.reason) before this was tried"
    default: nil
    }
  }

  /// A run that cannot go on stays where it is, with the reason, until someone acts.
  func park(
    _ run: RunRow, was due: Instant?, _ trigger: Trigger, _ reason: String, line: Int, _ cell: SubjectCell
  ) throws(StoreError) {
    var row = run
    row.park(trigger, reason, line: line)
    try keep(row, was: due, cell)
    tellParked(row, reason, line: line, cell)
  }

  private func tellParked(_ row: RunRow, _ reason: String, line: Int, _ cell: SubjectCell) {
    counters.parkedRuns.add(1)
    let path = rulePath(row)
    let text = "run \(row.number) is parked: \(reason)" + (line > 0 ? " (line \(line))" : "")
    out.logs.append(RuleLog(rule: path, subject: row.subject, event: row.event, text: text, isWarning: true))
    tell("nudged.run.parked", [("rule", path), ("run", "\(row.number)"), ("reason", reason)], row, cell)
  }

  func rulePath(_ row: RunRow) -> String {
    if let place = book.places[row.rule] { return book.rules.rules[place].path }
    return (older[row.version] ?? nil)?.rule.path ?? "rule \(row.rule)"
  }

  /// Whether a rule begins with an event of this name or a run of one may listen to it.
  func isAwaited(_ name: String) -> Bool { !book.rules.matching(name).isEmpty || listening.hears(name) }

  /// An own event about a run's subject, for those rules that want to react.
  func tell(_ name: String, _ members: [(String, String)], _ row: RunRow, _ cell: SubjectCell) {
    guard isAwaited(name) else { return }
    var data = JSONWriter(capacity: 128)
    data.beginObject()
    for (key, value) in members { data.member(key, value) }
    data.endObject()
    emit(name, data.bytes, id: effectID(row.seed, name, row.entriesBefore + row.journal.entryCount), cell)
  }

  // MARK: events

  /// Runs of this subject hear of an event: some end, some wake, some keep it for later.
  func tellRuns(
    _ event: Event, _ number: Int64, _ cell: SubjectCell, now: Instant, told: inout [Verdict],
    wanted: inout [[UInt8]]
  ) throws(StoreError) {
    let living = try living(of: cell)
    if living.hasWaiters { try tellWaiters(event.name, number, cell) }
    let isTest = event.isTest
    for run in living.runs {
      // What someone tries out with a test key touches nothing that is meant.
      if isTest, !run.isTest { continue }
      guard let version = try version(run.version) else { continue }
      if let verdict = try endByEvent(run, version, event, cell, now: now) {
        told.append(verdict)
        continue
      }
      // What has not begun waits for nothing yet.
      guard !run.isCollecting, let name = version.rule.awaited.firstIndex(of: event.name) else { continue }
      guard version.rule.matches || RunKey.fits(version.rule.header, event, run.key) else { continue }
      shelf.keep(number, event, sequence: turn, durable: durable.value)
      told.append(
        try hear(run, version, Heard(number: number, name: name, isOwn: true), event.name, cell, now: now, &wanted))
    }
  }

  private func endByEvent(
    _ run: RunRow, _ version: RunVersion, _ event: Event, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> Verdict? {
    let header = version.rule.header
    var status: RunStatus?
    if let stop = header.stopOn.first(where: { $0.event == event.name }),
      RunKey.fits(header, event, run.key, path: stop.path)
    {
      status = .stopped
    } else if let goal = header.goal, goal.event == event.name,
      RunKey.fits(header, event, run.key, path: goal.path),
      goal.withinMilliseconds.map({ now - run.started <= $0 }) ?? true
    {
      status = .goal
    }
    guard let status else { return nil }
    try end(run, status, event.name, cell, now: now)
    endedByEvent.append(run)
    return Verdict(
      rule: version.rule.path, code: .stopped, reason: "\(event.name) ended run \(run.number)")
  }

  /// Gives a run an event that it listens to. It wakes if that is what it waits for.
  private func hear(
    _ run: RunRow, _ version: RunVersion, _ heard: Heard, _ name: String, _ cell: SubjectCell, now: Instant,
    _ wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict {
    if let verdict = try hearDate(run, version, heard, name, cell, now: now, &wanted) { return verdict }
    var row = run
    row.heard.append(heard)
    if row.heard.count > Limits.heardEvents { row.heard.removeFirst(row.heard.count - Limits.heardEvents) }
    let verdict = Verdict(rule: version.rule.path, code: .heard, reason: "run \(run.number) has heard it")
    let waits = row.wait.map { $0.names.contains(name) && ($0.subject == nil) == heard.isOwn } ?? false
    if row.status == .waiting, waits {
      if try pause(of: row, version) == nil {
        try keepInMemory(row, cell)
        return try wake(row, was: run.due, version, .event(heard.number), cell, now: now, wanted: &wanted) ?? verdict
      }
      row.pending = row.pending ?? .event(heard.number)
    }
    try keep(row, was: run.due, cell)
    return verdict
  }

  /// What lives of a subject; of what cannot be read the log tells.
  func living(of cell: SubjectCell) throws(StoreError) -> SubjectCell.Living {
    let living = try cell.living(reader)
    for number in cell.takeUnreadable() {
      out.logs.append(
        RuleLog(
          rule: "", subject: cell.subject, event: 0,
          text: "run \(number) of subject \(cell.subject) is parked: \(RunRow.unreadableReason)", isWarning: true))
    }
    return living
  }

  /// In memory only: the wake that follows writes the row.
  func keepInMemory(_ row: RunRow, _ cell: SubjectCell) throws(StoreError) {
    var living = try living(of: cell)
    guard let place = living.runs.firstIndex(where: { $0.number == row.number }) else { return }
    living.runs[place] = row
    cell.setLiving(living)
  }

  /// Why a run is not woken now; nil when it is.
  func pause(of row: RunRow, _ version: RunVersion) throws(StoreError) -> String? {
    if let place = book.places[row.rule] { return pause(of: place) }
    if let reason = guardian.pause(of: row.rule) { return reason }
    return try mode(of: row, version) == .paused ? "" : nil
  }

  // MARK: waking

  /// Wakes a run whose timer stands at `due`. Its verdict belongs to the event that woke it, if one did.
  @discardableResult
  func wake(
    _ run: RunRow, was due: Instant?, _ version: RunVersion, _ trigger: Trigger, _ cell: SubjectCell, now: Instant,
    wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict? {
    var row = run
    row.pending = nil
    let trigger = Lane.ofDate(run, trigger)
    guard let event = event(row.event) else {
      if let failure { throw failure }
      try park(row, was: due, trigger, "the event that started it, number \(row.event), is gone", line: 0, cell)
      return nil
    }
    let isBeginning = try beginCollected(&row, version, cell, now: now)
    let isCalledFirst = isBeginning || Lane.callsFirst(run, version, trigger)
    if isCalledFirst { row.isHeldOut = try sideToday(of: row, version, cell) }
    let outcome = try play(
      &row, version, isBeginning ? .start : trigger, event, cell, now: now, wanted: &wanted)
    if isCalledFirst { try noteCalled(row, version, event, was: run, outcome.ending, cell, now: now) }
    var verdict = Verdict(
      rule: version.rule.path, code: Lane.code(outcome.ending), line: outcome.line, reason: outcome.reason,
      reads: outcome.reads, effects: outcome.effects.count)
    let told = takeToldInShadow()
    tellInShadow(told, row, version, cell)
    switch outcome.ending {
    case .waiting(let wait):
      row.wait = inRealTime(wait)
      try keep(row, was: due, cell)
      verdict.reason = "run \(row.number) \(Lane.describe(wait))"
    case .unchanged, .checkpoint:
      try keep(row, was: due, cell)
      verdict = Verdict(rule: version.rule.path, code: .heard, reason: "run \(row.number) has heard it")
    case .finished:
      row.heard = []
      try end(row, .finished, outcome.reason, line: outcome.line, cell, now: now)
      endedByEvent.append(row)
      verdict.reason = "run \(row.number) has finished" + (outcome.reason.isEmpty ? "" : ": \(outcome.reason)")
    case .stopped(let name):
      row.heard = []
      try end(row, .stopped, name, line: outcome.line, cell, now: now)
      endedByEvent.append(row)
      verdict.reason = "\(name) ended run \(row.number)"
    case .skipped, .notMatched:
      try end(row, .skipped, outcome.reason, line: outcome.line, cell, now: now)
      endedByEvent.append(row)
    case .failed, .overBudget, .diverged:
      // What stands since a checkpoint is not done again: the run goes on from there.
      let isCut = row.entriesBefore != run.entriesBefore || row.saved != run.saved
      try park(
        row, was: due, isBeginning ? .start : isCut ? Lane.restart(outcome) : trigger, outcome.reason,
        line: outcome.line, cell)
      verdict.code = .parked
    }
    return verdict
  }

  /// A run in shadow wakes also when no event comes whose verdict could tell it.
  private func tellInShadow(_ told: String, _ row: RunRow, _ version: RunVersion, _ cell: SubjectCell) {
    if told.isEmpty { return }
    let mode = book.places[row.rule].map { book.rules.rules[$0].header.mode } ?? version.rule.header.mode
    if mode != .shadow, isHeldOut(row, version, cell) { return tellHeldOut(told, row) }
    out.logs.append(
      RuleLog(
        rule: rulePath(row), subject: row.subject, event: row.event,
        text: "only written down, run \(row.number): \(told)",
        isWarning: false))
  }

  /// Settles what a run did that no event of its own came with.
  func settle(_ row: RunRow, _ cell: SubjectCell, wanted: [[UInt8]], _ body: Cause) throws(StoreError) {
    write(cell, wanted: wanted, body, changed: cell.isUnwritten)
    try lookAtSegments(nil, cell, now: lastNow)
    emitWishes(body, cell)
    cells.keep(cell)
  }

  /// A cause of its own for each activation: two of them must not give two events one id.
  /// What woke it by an event of another subject stands as deep as that event.
  func cause(_ row: RunRow, heard: Event? = nil) -> Cause {
    let count = row.entriesBefore + row.journal.entryCount
    return Cause(
      number: row.event, dedupe: effectID(row.seed, "wake", count), depth: heard?.depth ?? 0,
      allowance: heard?.allowance ?? Limits.emittedPerEvent, isTest: event(row.event)?.isTest ?? false)
  }

  /// Due timers, as many as fit into one step; after the events, so that an event that came in time wins.
  func fireTimers(now: Instant) throws(StoreError) {
    guard now >= timersFrom, !isAhead else { return }
    let lanes = lanes
    let index = index
    try takeLate(now: now)
    for _ in 0..<Limits.timersPerStep {
      let next = try timers.nextDue(min(now, caughtUp), reader, durable: durable.value) {
        Desk.lane(of: $0, lanes: lanes) == index
      }
      guard let timer = next else { break }
      try fire(timer, isCaughtUp: false, now: now)
    }
    try fireLate(now: now)
    if asked == nil, timers.wakeAt <= now, timers.wakeAt > caughtUp {
      asked = now
      hasQuestion = true
    }
  }

  /// A question for the desk that is to be put behind everything that waits there.
  package func takeQuestion() -> DeskInput? {
    guard hasQuestion, let asked else { return nil }
    hasQuestion = false
    return .ask(lane: index, asked)
  }

  func fire(_ timer: Timer, isCaughtUp: Bool, now: Instant) throws(StoreError) {
    foundSubjects += 1
    if Alarm.isOne(timer.run) { return try fireAlarm(timer, now: now) }
    if timer.run < 0 { return try releaseHeld(timer, now: now) }
    let cell = try cell(timer.subject, isNew: false, reference: nil, now: now)
    let run = try living(of: cell).runs.first { $0.number == timer.run }
    // A run that was woken or ended by something else has left its timer behind.
    guard let run, run.due == timer.due else { return }
    guard let version = try version(run.version) else {
      try park(
        run, was: run.due, run.pending ?? .timer, "the version \(run.version) of its rule cannot be loaded", line: 0,
        cell)
      try settle(run, cell, wanted: [], cause(run))
      return try decideEmitted(now: now)
    }
    if try pause(of: run, version) != nil { return heldTimers.append(timer) }
    if !isCaughtUp, run.pending == nil, let other = run.wait?.subject {
      // Its events come by way of another lane and the store; one that came in time may be under way.
      out.messages.append(
        LaneMessage(
          event: 0, position: 0, subject: run.subject, content: .ask(run: run.number, due: timer.due, of: other)))
      return cells.keep(cell)
    }
    if try movesOn(run, cell, now: now) { return cells.keep(cell) }
    if try giveUpLate(run, cell, now: now) { return try decideEmitted(now: now) }
    var wanted: [[UInt8]] = []
    if run.pending == nil { counters.noteTimer(lateMilliseconds: now - timer.due) }
    guard let trigger = try dateTrigger(run, version, cell, now: now) else {
      try settle(run, cell, wanted: [], cause(run))
      return try decideEmitted(now: now)
    }
    try wake(run, was: run.due, version, trigger, cell, now: now, wanted: &wanted)
    try settle(run, cell, wanted: wanted, cause(run))
    try decideEmitted(now: now)
  }

  /// When this lane has something to do although nothing arrives.
  package var wakeAt: Instant {
    if !pendingListens.isEmpty { return lastNow + 1 }
    if walk != nil || removal != nil, filling == nil { return lastNow + 1 }
    if let filling { return filling.goesOn(lanes) && !isAhead ? lastNow : lastNow + 1 }
    if isAhead { return lastNow + 1 }
    let lateAt = late?.wakeAt(lastNow) ?? .distantFuture
    return max(timersFrom, asked == nil ? min(timers.wakeAt, schedulesWakeAt, lateAt) : lateAt)
  }

  // MARK: messages

  func takeForRun(_ message: LaneMessage, now: Instant) throws(StoreError) {
    let cell = try cell(message.subject, isNew: false, reference: nil, now: now)
    var wanted: [[UInt8]] = []
    switch message.content {
    case .heard(let number, let event, let name):
      guard let run = try living(of: cell).runs.first(where: { $0.number == number }),
        let version = try version(run.version), let place = Lane.place(of: name, version.rule)
      else { return }
      let told = self.event(event)
      if let told, told.isTest, !run.isTest { return }
      // An event that is about another key is none of this run's, unless it looks for itself.
      if !version.rule.matches, let told, !RunKey.fits(version.rule.header, told, run.key) { return }
      let heard = Heard(number: event, name: place, isOwn: false)
      let verdict = try hear(run, version, heard, name, cell, now: now, &wanted)
      noteVerdict(event, 0, [verdict])
      try settle(run, cell, wanted: wanted, cause(run, heard: told))
    case .reply(let number, let delivery, let json):
      let run = try living(of: cell).runs.first { $0.number == number }
      guard let run, run.wait?.kind == .call, run.wait?.delivery == delivery, let version = try version(run.version)
      else { return tellLate(number, delivery, json, cell) }
      let reason = try pause(of: run, version)
      if run.status == .parked || reason != nil {
        var row = run
        row.pending = .reply(json)
        try keep(row, was: run.due, cell)
      } else {
        try wake(run, was: run.due, version, .reply(json), cell, now: now, wanted: &wanted)
      }
      try settle(run, cell, wanted: wanted, cause(run))
    case .observe, .emitted, .listen, .unlisten, .ask, .caughtUp: break
    }
  }

  /// A reply that nobody waits for any more.
  private func tellLate(_ run: Int64, _ delivery: Int64, _ json: [UInt8], _ cell: SubjectCell) {
    guard isAwaited("nudged.call.late") else { return }
    var data = JSONWriter(capacity: 64 + json.count)
    data.beginObject()
    data.member("run", run)
    data.key("reply")
    data.raw(json)
    data.endObject()
    let id = effectID(Hash128(high: UInt64(bitPattern: run), low: UInt64(bitPattern: delivery)), "late", 0)
    emit("nudged.call.late", data.bytes, id: id, cell)
    emitWishes(Cause(number: 0, dedupe: id), cell)
    cells.keep(cell)
  }

  // MARK: commands

  func obey(_ command: RunCommand, now: Instant) throws(StoreError) -> RunAnswer {
    let cell = try cell(command.subject, isNew: false, reference: nil, now: now)
    guard let run = try living(of: cell).runs.first(where: { $0.number == command.run }) else { return .missing }
    var wanted: [[UInt8]] = []
    switch command.action {
    case .cancel: try end(run, .cancelled, "by hand", cell, now: now)
    case .wake:
      guard let version = try version(run.version) else {
        return .refused("the version \(run.version) of its rule cannot be loaded")
      }
      var row = run
      row.status = .waiting
      row.reason = ""
      row.line = 0
      if let reason = try pause(of: run, version) {
        row.pending = run.pending ?? .hand
        try keep(row, was: run.due, cell)
        try settle(run, cell, wanted: [], cause(run))
        return .later(reason.isEmpty ? "its rule is paused" : "its rule is paused: " + reason)
      }
      try keepInMemory(row, cell)
      // One that is asleep is woken as if its time had come.
      try wake(row, was: run.due, version, run.pending ?? .hand, cell, now: now, wanted: &wanted)
    }
    try settle(run, cell, wanted: wanted, cause(run))
    return .done
  }

  // MARK: watching

  /// What was held because its rule was paused gets another chance; the rule may live again.
  func releaseTimers() {
    for timer in heldTimers { timers.set(timer, sequence: turn, durable: durable.value) }
    heldTimers = []
  }

  func noteViolation(_ rule: Int64, _ what: String, now: Instant) {
    if let reason = guardian.noteViolation(of: rule, what, now: now) { pauseRule(rule, reason, now: now) }
  }

  /// What leaves the rule counts; what it only writes down about its subject does not.
  func noteEffects(_ rule: Int64, _ effects: [Effect], now: Instant) {
    let count = effects.count { $0.leaves }
    if let reason = guardian.noteEffects(of: rule, count, now: now) { pauseRule(rule, reason, now: now) }
  }

  /// A rule failed for an event; about the rule, so that one rule of its own can watch all others.
  func tellFailed(
    _ path: String, _ reason: String, line: Int, _ event: Event, _ number: Int64, _ dedupe: Hash128,
    _ cell: SubjectCell
  ) {
    let name = "nudged.rule.failed"
    // Whoever watches failures must not be woken by failing itself.
    guard !event.name.hasPrefix("nudged.rule."), isAwaited(name) else { return }
    var data = JSONWriter(capacity: 160)
    data.beginObject()
    data.member("rule", path)
    data.member("reason", reason)
    data.member("line", Int64(line))
    data.member("subject", cell.row.names.first?.description ?? "")
    data.member("event", "\(number)")
    data.endObject()
    tell(name, ofRule: path, data.bytes, id: effectID(dedupe, name + path, 0))
  }

  private func tell(_ name: String, ofRule path: String, _ data: [UInt8], id: Hash128) {
    wishes.append(
      Wish(
        name: name, data: data, id: id, reference: SubjectReference(namespace: "rule", id: path), isElsewhere: true))
  }

  private func pauseRule(_ rule: Int64, _ reason: String, now: Instant) {
    out.changes.append(RowKey(.pause, rule), PauseRow(since: now, reason: reason).packed)
    let path = book.places[rule].map { book.rules.rules[$0].path } ?? "rule \(rule)"
    out.logs.append(
      RuleLog(
        rule: path, subject: 0, event: 0,
        text: "the rule is paused: \(reason); look at it and resume it with: nudged rules resume \(path)",
        isWarning: true))
    tellPaused(rule, path, reason, now: now)
  }

  /// About the thing "rule:PATH", as a message that is on disk with the pause: rare, so that it is told
  /// whether a rule listens or not.
  private func tellPaused(_ rule: Int64, _ path: String, _ reason: String, now: Instant) {
    let about = SubjectReference(namespace: "rule", id: path)
    guard about.isWellFormed else { return }
    var data = JSONWriter(capacity: 64 + reason.utf8.count)
    data.beginObject()
    data.member("rule", path)
    data.member("reason", reason)
    data.endObject()
    let name = "nudged.rule.paused"
    let id = "\(name)/\(rule)/\(now.milliseconds)"
    let body = OwnEvent.body(name, data.bytes, id: id, about: about, depth: 0, time: now)
    guard let incoming = OwnEvent.decode(body, received: now, parser: parser, hash: hash) else { return }
    let message = LaneMessage(
      event: -(3 << 60) - rule, position: now.milliseconds, subject: 0, content: .emitted(incoming, to: about))
    let row = MessageRow(
      kind: .emitted, subject: 0, target: about.description, id: id, received: now, body: body)
    out.changes.append(RowKey(.message, message.event, message.position), row.packed, isNew: true)
    out.messages.append(message)
  }
}
