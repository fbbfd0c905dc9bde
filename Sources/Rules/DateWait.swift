// Waiting for a date: what a rule with on = before(…) does before its run is called, and wait_until with a
// date. What moves the date while a run sleeps is the lane's; see its own file.
//
// Thread: the runtime's. Promise: a date that is known when the wait begins is the newest one that the run
// has heard of; the answer of a wait that is over is in the journal.

internal import Basics
internal import CRuleHost
package import Model

/// What a wait for a date comes to when it begins.
enum DateStart {
  case sleep(Wait)
  /// Its moment is past: the date, and the event that brought it.
  case late(String, by: Int64)
  case cancelled(String)
  case skip(String)
}

extension RunPlayer {
  /// The thing whose events may move a date, when it is not the run's own subject.
  var thing: SubjectReference? {
    guard let thing = activation.input.event.thing, thing.namespace != header.per else { return nil }
    return thing
  }

  /// The date as the run knows it now: of its first event, or of what it has heard since.
  private func newest(_ plan: DatePlan) -> (found: DateField, by: Int64, cancelled: String?) {
    var found = DateField.read(activation.input.event, plan.path)
    var by: Int64 = 0
    if case .wrong = found, isNull(plan) { found = .absent }
    for heard in activation.heard.sorted(by: { $0.number < $1.number }) {
      let isEarlier = heard.name.isEmpty
      guard isEarlier ? found == .absent : plan.names.contains(heard.name),
        let event = activation.load(heard.number), concerns(event, isOwn: heard.isOwn)
      else { continue }
      if plan.cancelled.contains(heard.name) { return (found, by, heard.name) }
      let next = DateField.read(event, plan.path)
      if next == .absent { continue }
      found = next
      by = heard.number
    }
    return (found, by, nil)
  }

  private func isNull(_ plan: DatePlan) -> Bool {
    guard let step = plan.path.split(separator: ".", maxSplits: 1).last else { return false }
    let event = activation.input.event
    let node = plan.path.hasPrefix("data.") ? event.data : plan.path.hasPrefix("traits.") ? event.traits : event.context
    return node.flatMap { JSONCursor(document: event.document, index: $0).at(path: String(step)) }?.isNull ?? false
  }

  private func concerns(_ event: Event, isOwn: Bool) -> Bool {
    DateMove.concerns(event, isOwn: isOwn, thing: thing, begins: header.on)
      && (!isOwn || RunKey.fits(header, event, activation.key))
  }

  /// Whether a later event may still bring a date.
  private func mayComeYet(_ plan: DatePlan) -> Bool { !plan.moved.isEmpty && activation.input.event.thing != nil }

  func begin(_ template: DatePlan) -> DateStart {
    var plan = template
    let (found, by, cancelled) = newest(plan)
    if let cancelled { return .cancelled(cancelled) }
    plan.by = by
    switch found {
    case .absent:
      return mayComeYet(plan) ? .sleep(wait(plan, until: nil)) : .skip(DateField.missing(plan.path))
    case .wrong(let reason):
      return by > 0 ? .sleep(wait(plan, until: nil)) : .skip(reason)
    case .date(let text, let date):
      plan.date = text
      switch plan.outlook(of: date, now: now, zone: { self.zone($0) }) {
      case .at(let moment): return .sleep(wait(plan, until: moment))
      case .late(let moment): return plan.late == .skip ? .skip(plan.lateReason(moment)) : .late(text, by: by)
      case .over(let reason): return plan.late == .tell && date <= now ? .late(text, by: by) : .skip(reason)
      }
    }
  }

  private func wait(_ plan: DatePlan, until: Instant?) -> Wait {
    var wait = Wait(kind: .waitUntil, until: until, subject: plan.names.isEmpty ? nil : thing)
    wait.plan = plan
    return wait
  }

  // MARK: before run

  /// The first thing that a run of on = before(…) does is to wait, unless it was cut short since.
  func waitFirst(_ plan: DatePlan) {
    input.pointee.has_date = true
    let hash = JournalEntry.hash("before", plan.path)
    let first = activation.journal.parts.first?.trigger ?? activation.trigger
    // Cut short by a checkpoint: the date is what its journal began with.
    if case .date(let text, _) = first { return give(text) }
    guard !isLive else { return startFirst(plan, hash) }
    switch meet(.waitUntil, hash: hash) {
    case .atOnce(let number): give(date(plan.path, of: number))
    case .ended(.date(let text, _)): give(text)
    case .here:
      if case .date(let text, _) = activation.trigger { return give(text) }
      sleepOn()
      input.pointee.sleeps_first = true
    default: input.pointee.sleeps_first = true
    }
  }

  private func startFirst(_ plan: DatePlan, _ hash: UInt32) {
    input.pointee.sleeps_first = true
    switch begin(plan) {
    case .sleep(let wait): sleep(wait, hash: hash)
    case .cancelled(let name): cancelledBy = name
    case .skip(let reason): dateReason = reason
    case .late(let text, let by):
      passOver(.waitUntil, hash: hash, event: by)
      input.pointee.sleeps_first = false
      give(text)
    }
  }

  private func give(_ text: String) {
    date = text
    if text.isEmpty { return }
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: text.utf8.count)
    for (position, byte) in text.utf8.enumerated() { copy[position] = CChar(bitPattern: byte) }
    texts.append(copy)
    input.pointee.date = UnsafePointer(copy)
    input.pointee.date_count = text.utf8.count
  }

  /// The date that an event carries; the run's first one, when no number is given.
  func date(_ path: String, of number: Int64?) -> String {
    let event = number.map { activation.load($0) } ?? activation.input.event
    guard let event, case .date(let text, _) = DateField.read(event, path) else { return "" }
    return text
  }
}

extension EffectWords {
  /// The table of wait_until { date = … }; nil when it is another one.
  func dateTable(_ call: RuleCall) -> JSONCursor? {
    guard let json = call.json(0), let table = try? parser.parse(json), table.root.kind == .object,
      table.root["date"] != nil || table.root["before"] != nil
    else { return nil }
    return table.root
  }

  func waitForDate(_ table: JSONCursor, _ player: RunPlayer, _ call: RuleCall) {
    let plan: DatePlan
    switch DateWords.wait(table) {
    case .wrong(let message): return call.fail("wait_until: " + message)
    case .right(let read): plan = read
    }
    guard player.dates.cover(plan) else {
      return call.fail("wait_until: the table with 'date' \(SourceScan.dateForm)")
    }
    let hash = JournalEntry.hash(String(decoding: table.text, as: UTF8.self))
    let isReplayed = !player.isLive
    let settled = player.meet(.waitUntil, hash: hash)
    if settle(settled, player, call) { return }
    switch settled {
    case .atOnce(let number): call.answer(false, player.date(plan.path, of: number))
    case .ended(let trigger): answer(trigger, call)
    case .here where isReplayed:
      endByTime(player, call)
      if player.activation.trigger.endsWait { answer(player.activation.trigger, call) }
    default: begin(plan, hash, player, call)
    }
  }

  private func answer(_ trigger: Trigger, _ call: RuleCall) {
    call.moveOn()
    guard case .date(let text, let isLate) = trigger else { return call.answer(true) }
    call.answer(!isLate, text)
  }

  private func begin(_ plan: DatePlan, _ hash: UInt32, _ player: RunPlayer, _ call: RuleCall) {
    switch player.begin(plan) {
    case .sleep(let wait):
      player.sleep(wait, hash: hash)
      call.suspend()
    case .late(let text, let by):
      player.passOver(.waitUntil, hash: hash, event: by)
      call.answer(false, text)
    case .cancelled(let name):
      player.cancelledBy = name
      call.suspend()
    case .skip(let reason): call.skip("wait_until: " + reason)
    }
  }
}

/// Whether an event is about the date that a run waits for.
package enum DateMove {
  /// `thing`: the one that the run's first event names, when it is not the run's own subject. `begins`: the
  /// events that begin runs; those of someone else are about that one, whatever thing they name.
  package static func concerns(_ event: Event, isOwn: Bool, thing: SubjectReference?, begins: [String]) -> Bool {
    guard let thing else { return isOwn }
    if !isOwn, event.user != nil || event.anonymous != nil, begins.contains(event.name) { return false }
    return event.thing == thing || isOwn && event.thing == nil
  }
}
