// The lane and what its rules bring about: on which side of a rule a subject is, who met a rule that has a goal,
// and who reached it.
//
// Thread: the lane's. Promise: a subject stays on the side it was on when it first met a rule; it is counted once,
// and its goal once, in the same decisions as what it comes from. Rules without a goal cost nothing here.

internal import Basics
internal import Model
internal import Rules
internal import Store

/// What a lane has counted, and the exposures that the store may not have yet.
struct LiftLedger {
  /// By the rule's number.
  var counts: [Int64: ArmsRow] = [:]
  var changed: Set<Int64> = []
  /// What was counted before this process is known.
  var isOpen = false
  /// Counts of lanes that there are no more and that count something else by now.
  var gone: [RowKey] = []
  /// Two generations, as with events: what is not on disk stays. Nil: known not to be there.
  private var young: [RowKey: (row: ExposureRow?, turn: Int64)] = [:]
  private var old: [RowKey: (row: ExposureRow?, turn: Int64)] = [:]
  private static let capacity = 4_096
  private var room = capacity

  func exposure(_ key: RowKey) -> ExposureRow?? { (young[key] ?? old[key]).map(\.row) }

  mutating func keep(_ key: RowKey, _ row: ExposureRow?, turn: Int64, durable: Int64) {
    if young.count >= room {
      let waiting = old.filter { $0.value.turn > durable }
      old = young
      young = waiting
      room = max(LiftLedger.capacity, 2 * waiting.count)
    }
    young[key] = (row, turn)
  }
}

extension LiftDefinition {
  init(_ header: RuleHeader, _ goal: RuleHeader.Goal, _ shares: LiftShares) {
    let key: String =
      switch header.key {
      case .subject: ""
      case .path(let path): path
      case .byEvent(let paths): paths.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
      }
    self.init(
      goal: goal.event, path: goal.path ?? "", key: key, withinMilliseconds: goal.withinMilliseconds, per: header.per,
      shares: shares)
  }
}

extension LiftShares {
  /// Of the sides that a subject was put on, those that are there today: a hold-out that was ended holds out nobody.
  func inForce(_ sides: LiftSides) -> LiftSides {
    var left = sides
    if rule == 0 { left.remove(.rule) }
    if all == 0 { left.remove(.all) }
    return left
  }

  /// Whether a hold-out that others were drawn for is there no more.
  func hasEnded(_ drawn: LiftShares?) -> Bool {
    guard let drawn else { return false }
    return drawn.rule > 0 && rule == 0 || drawn.all > 0 && all == 0
  }
}

extension RuleBook {
  func shares(_ header: RuleHeader) -> LiftShares {
    if header.isTransactional || !holdsOut { return .nobody }
    return LiftShares(rule: header.holdOut, all: policies.holdOut)
  }
}

extension Lane {
  // MARK: sides

  /// Whether a rule says nothing to this subject, so that it can be seen what it is good for. Who has met a rule
  /// with a goal stays on its side; else the same subject and rule always draw the same.
  func isHeldOut(_ position: Int, _ cell: SubjectCell) throws(StoreError) -> Bool {
    let rule = book.rules.rules[position]
    let shares = book.shares(rule.header)
    if shares.rule == 0, shares.all == 0 { return false }
    if rule.header.goal != nil, let met = try exposure(of: book.numbers[position], cell), met.shares != .nobody {
      return !shares.inForce(met.sides).isEmpty
    }
    return !draw(rule.path, shares, cell).isEmpty
  }

  /// Of a run, whose side was drawn when it began. One of an older version of this program has none yet.
  func isHeldOut(_ run: RunRow, _ version: RunVersion, _ cell: SubjectCell) -> Bool {
    let newest = book.places[run.rule].map { book.rules.rules[$0] } ?? version.rule
    if newest.header.isTransactional { return false }
    return run.isHeldOut
      ?? !draw(version.rule.path, book.shares(version.rule.header), cell).isEmpty
  }

  /// On which side a run is whose `run` is called now for the first time: with what holds now, and not when its first
  /// event came, because the subject meets the rule now.
  func sideToday(of run: RunRow, _ version: RunVersion, _ cell: SubjectCell) throws(StoreError) -> Bool {
    if let position = book.places[run.rule] { return try isHeldOut(position, cell) }
    return isHeldOut(run, version, cell)
  }

  /// What a run on the held-out side would have sent is a verdict of the event that began it, whenever it wakes.
  func tellHeldOut(_ told: String, _ run: RunRow) {
    noteVerdict(run.event, 0, [Verdict(rule: rulePath(run), code: .heldOut, reason: told)])
  }

  private func draw(_ path: String, _ shares: LiftShares, _ cell: SubjectCell) -> LiftSides {
    var sides: LiftSides = []
    if shares.rule > 0, draw("hold_out \(path)", cell) < shares.rule { sides.insert(.rule) }
    if shares.all > 0, draw("hold_out", cell) < shares.all { sides.insert(.all) }
    return sides
  }

  private func draw(_ what: String, _ cell: SubjectCell) -> Int {
    Int(hash.hash("\(cell.subject) \(what)").low % 10_000)
  }

  // MARK: meeting

  /// A subject has met a rule: it ran, or a run of it began. Counted once for each count of the rule.
  func noteMet(
    _ position: Int, _ key: String, _ event: Event, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) {
    let rule = book.rules.rules[position]
    guard rule.header.goal != nil, rule.header.mode == .live, !event.isTest else { return }
    let number = book.numbers[position]
    guard let counts = lift.counts[number] else { return }
    let shares = counts.definition.shares
    guard let met = try exposure(of: number, cell), met.shares == shares || met.shares != .nobody else {
      let sides = draw(rule.path, shares, cell)
      return count(ExposureRow(sides: sides, shares: shares, since: counts.since, at: now, key: key), number, cell)
    }
    if shares.hasEnded(met.shares) {
      // Those who were held out get now what the others got before: neither stands for its side any more, also when
      // the hold-out comes back and draws the same again.
      let free = ExposureRow(
        sides: shares.inForce(met.sides), shares: nil, since: counts.since, at: now, key: key)
      return keep(free, number, cell)
    }
    // Who was put on a side by other shares is on it for reasons that the others on it do not have.
    guard met.since != counts.since, met.shares == shares else { return }
    count(ExposureRow(sides: met.sides, shares: shares, since: counts.since, at: now, key: key), number, cell)
  }

  /// Whether this calls `run` for the first time although the run lives already: it has waited for the moment before
  /// its date, or could not begin with what it had collected.
  static func callsFirst(_ run: RunRow, _ version: RunVersion, _ trigger: Trigger) -> Bool {
    guard run.entriesBefore == 0, run.saved.isEmpty else { return false }
    if run.gathered != nil { return trigger == .start }
    guard version.rule.header.before != nil, case .date = trigger else { return false }
    // One that was late when it began has passed that moment over and waits for something else.
    return run.journal.entryCount <= 1
  }

  /// `run` was called for the first time, as it is at once for a run that an event begins. `again` counts from here
  /// for what was collected; for a date it has counted since the run began to wait.
  func noteCalled(
    _ row: RunRow, _ version: RunVersion, _ event: Event, was: RunRow, _ ending: ActivationOutcome.Ending,
    _ cell: SubjectCell, now: Instant
  ) throws(StoreError) {
    switch ending {
    case .waiting, .finished:
      if row.gathered != nil { noteAgain(version.rule, againHash(row.rule, row.key), cell, now: now) }
    case .failed, .overBudget, .diverged:
      // What stands before a checkpoint has happened.
      if row.entriesBefore == was.entriesBefore, row.saved == was.saved { return }
    default: return
    }
    if let position = book.places[row.rule] { try noteMet(position, row.key, event, cell, now: now) }
  }

  private func count(_ exposure: ExposureRow, _ rule: Int64, _ cell: SubjectCell) {
    keep(exposure, rule, cell)
    note(rule, exposure) { $0.subjects += 1 }
  }

  private func note(_ rule: Int64, _ exposure: ExposureRow, _ change: (inout LiftSide) -> Void) {
    guard var counts = lift.counts[rule] else { return }
    if exposure.sides.isEmpty { change(&counts.sent) } else { change(&counts.heldOut) }
    lift.counts[rule] = counts
    lift.changed.insert(rule)
  }

  private func exposure(of rule: Int64, _ cell: SubjectCell) throws(StoreError) -> ExposureRow? {
    let key = RowKey(.exposure, cell.subject, rule)
    if let known = lift.exposure(key) { return known }
    let found = try reader.value(key).flatMap { ExposureRow($0) }
    // As of the store: nothing is waited for.
    lift.keep(key, found, turn: 0, durable: durable.value)
    return found
  }

  private func keep(_ exposure: ExposureRow, _ rule: Int64, _ cell: SubjectCell) {
    let key = RowKey(.exposure, cell.subject, rule)
    lift.keep(key, exposure, turn: turn, durable: durable.value)
    out.changes.append(key, exposure.packed)
  }

  // MARK: goals

  /// An event may be the goal of rules that its subject has met before, on either side and whether a run lives or
  /// not. It counts when it happened in time, however late it is told.
  func noteGoals(_ kind: String, _ event: Event, _ cell: SubjectCell) throws(StoreError) {
    guard let places = book.goals[event.name], !event.isTest else { return }
    for place in places where book.rules.rules[place].header.per == kind {
      let header = book.rules.rules[place].header
      let number = book.numbers[place]
      guard let goal = header.goal, let counts = lift.counts[number], var met = try exposure(of: number, cell),
        met.since == counts.since, met.shares != nil, met.converted == nil
      else { continue }
      let happened = min(event.time, event.received)
      guard happened >= met.at, goal.withinMilliseconds.map({ happened - met.at <= $0 }) ?? true,
        RunKey.fits(header, event, met.key, path: goal.path)
      else { continue }
      met.converted = happened
      keep(met, number, cell)
      note(number, met) { $0.converted += 1 }
    }
  }

  // MARK: counts

  /// With each book: a rule whose goal or shares are others than before is counted anew.
  func openCounts() throws(StoreError) {
    var stored: [Int64: [(lane: Int, row: ArmsRow)]]?
    // What a process before this one counted may be of rules that are gone since.
    if !lift.isOpen { stored = try storedCounts() }
    lift.isOpen = true
    var counted: Set<Int64> = []
    for (place, rule) in book.rules.rules.enumerated() {
      guard let goal = rule.header.goal else { continue }
      let definition = LiftDefinition(rule.header, goal, book.shares(rule.header))
      let number = book.numbers[place]
      counted.insert(number)
      if let known = lift.counts[number] {
        if known.definition != definition { begin(definition, of: number, after: known.since) }
      } else {
        if stored == nil { stored = try storedCounts() }
        recover(definition, of: number, stored?[number] ?? [])
      }
    }
    for (number, rows) in stored ?? [:] where lift.counts[number] == nil {
      lift.counts[number] = rows.first { $0.lane == index }?.row
    }
    for (number, known) in lift.counts where known.isGone == counted.contains(number) {
      lift.counts[number]?.isGone.toggle()
      lift.changed.insert(number)
    }
  }

  private func begin(_ definition: LiftDefinition, of rule: Int64, after last: Instant) {
    lift.counts[rule] = ArmsRow(definition, since: max(book.created, last + 1))
    lift.changed.insert(rule)
  }

  /// From the store. All lanes read the same rows and so agree on when the count began, also when some of them had
  /// begun it and others not yet when the last process ended.
  private func recover(_ definition: LiftDefinition, of rule: Int64, _ found: [(lane: Int, row: ArmsRow)]) {
    let last = found.map(\.row.since).max() ?? .zero
    let newest = found.first { $0.row.since == last && $0.row.definition == definition }
    if let newest {
      let own = found.first { $0.lane == index && $0.row.since == last }?.row
      lift.counts[rule] = own ?? ArmsRow(definition, since: newest.row.since)
      if own == nil { lift.changed.insert(rule) }
    } else {
      begin(definition, of: rule, after: last)
    }
    guard index == 0 else { return }
    for other in found where other.lane >= lanes && (newest == nil || other.row.since != last) {
      lift.gone.append(RowKey(.arms, rule, Int64(other.lane)))
    }
  }

  /// Of all rules at once: one walk, however many rules there are.
  private func storedCounts() throws(StoreError) -> [Int64: [(lane: Int, row: ArmsRow)]] {
    var found: [Int64: [(lane: Int, row: ArmsRow)]] = [:]
    let rows = try reader.rows(from: RowKey(.arms, 0, .min), to: RowKey(.arms, .max, .max), limit: Int.max / 4)
    for row in rows {
      guard let arms = row.value.flatMap({ ArmsRow($0) }) else { continue }
      found[row.key.first, default: []].append((Int(row.key.second), arms))
    }
    return found
  }

  /// Counts as rows, once a step.
  func writeCounts() {
    if lift.changed.isEmpty, lift.gone.isEmpty { return }
    for rule in lift.changed { out.changes.append(RowKey(.arms, rule, Int64(index)), lift.counts[rule]?.packed) }
    for key in lift.gone { out.changes.append(key, nil) }
    lift.changed = []
    lift.gone = []
  }
}
