// The lane and what does not happen: silences that last, and subjects that come into segments or leave them.
//
// Thread: the lane's. Promise: each silence is told once, at its moment; a segment tells a change once and counts who
// is in it; who was there before it was written is taken in without a word.

internal import Basics
internal import Measures
internal import Model
internal import Rules
internal import Store

/// Timers of silences and segments stand among those of runs, below all numbers of theirs.
enum Alarm {
  private static let base: Int64 = -(1 << 61)
  private static let subjectBits: Int64 = 44

  static func number(_ definition: Int64, _ subject: Int64) -> Int64 { base - (definition << subjectBits | subject) }
  static func isOne(_ number: Int64) -> Bool { number < base }
  static func definition(_ number: Int64) -> Int64 { (base - number) >> subjectBits }
}

/// A way through all subjects, for definitions that are new.
struct Walk {
  var definitions: [StoredDefinition]
  /// Behind this subject it goes on.
  var cursor: Int64
  /// What was decided until then has to be on disk.
  var turn: Int64
}

extension Lane {
  /// Of which kind a subject is, by its first name.
  func kind(of cell: SubjectCell) -> String {
    let namespace = cell.row.names.first?.namespace ?? "user"
    return namespace == "anon" ? "user" : namespace
  }

  func setAlarm(_ definition: Int64, _ subject: Int64, was: Instant?, due: Instant?) {
    if was == due { return }
    let number = Alarm.number(definition, subject)
    if let was { out.changes.append(RowKey(.timer, was.milliseconds, number), nil) }
    guard let due else { return }
    out.changes.append(RowKey(.timer, due.milliseconds, number), NumberRow.pack(subject), isNew: true)
    timers.set(Timer(due: due, run: number, subject: subject), sequence: turn, durable: durable.value)
  }

  func fireAlarm(_ timer: Timer, now: Instant) throws(StoreError) {
    let number = Alarm.definition(timer.run)
    let cell = try cell(timer.subject, isNew: false, reference: nil, now: now)
    ringing = timer.due
    defer { told = nil }
    switch ownDefinitions[number]?.what {
    case .absence(let absence): try endSilence(number, absence, timer, cell, now: now)
    case .segment:
      guard let group = feeds.groups.first(where: { $0.number == number }) else {
        setAlarm(number, timer.subject, was: timer.due, due: nil)
        break
      }
      try look(group, cell, isTold: true, now: now)
      // One that was looked at meanwhile has another alarm, or none; one that still has this alarm has failed.
      if try segment(group, cell)?.due != timer.due {
        setAlarm(number, cell.subject, was: timer.due, due: nil)
      } else {
        try lookLater(group, cell, now: now)
      }
    case .schedule: try ring(timer, number, cell, now: now)
    default: setAlarm(number, timer.subject, was: timer.due, due: nil)
    }
    // What rules make of it is no alarm's doing.
    ringing = nil
    finishOccasion(cell)
    try decideEmitted(now: now)
  }

  func finishOccasion(_ cell: SubjectCell) {
    emitWishes(
      Cause(number: 0, dedupe: effectID(Hash128(high: 0, low: UInt64(cell.subject)), "occasion", 0)), cell)
    cells.keep(cell)
  }

  // MARK: silences

  /// An event breaks the silences that wait for it; a subject that was not there before begins all of its kind.
  func hearSilences(_ kind: String, _ event: Event, _ cell: SubjectCell, now: Instant) throws(StoreError) {
    for silence in feeds.silences where silence.absence.per == kind {
      let packed = try cell.measure(-silence.number, reader)
      let record = AbsenceRecord(packed)
      let isHeard = event.name == silence.absence.event && WindowField.fits(silence.absence.match, event)
      guard isHeard || record == nil else { continue }
      let heard = isHeard ? min(event.time, now) : now
      // However old the event is that someone is first seen with.
      guard var next = record else {
        begin(silence, last: now, cell, now: now)
        continue
      }
      // One that comes late does not make the silence longer than it is.
      guard heard > next.last else { continue }
      next.last = heard
      let was = next.due
      // The alarm stands where it stood; it is moved when it rings.
      if was == nil { next.due = heard + silence.absence.lastingMilliseconds }
      keep(next, silence.number, was: was, cell)
    }
  }

  private func begin(_ silence: Feeds.Silence, last: Instant, _ cell: SubjectCell, now: Instant) {
    let record = AbsenceRecord(last: last, due: last + silence.absence.lastingMilliseconds)
    keep(record, silence.number, was: nil, cell)
  }

  private func keep(_ record: AbsenceRecord, _ number: Int64, was: Instant?, _ cell: SubjectCell) {
    cell.setMeasure(-number, record.packed)
    out.changes.append(RowKey(.measure, cell.subject, -number), record.packed)
    setAlarm(number, cell.subject, was: was, due: record.due)
  }

  private func endSilence(
    _ number: Int64, _ absence: AbsenceDefinition, _ timer: Timer, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) {
    guard var record = AbsenceRecord(try cell.measure(-number, reader)), record.due == timer.due else {
      return setAlarm(number, cell.subject, was: timer.due, due: nil)
    }
    let due = record.last + absence.lastingMilliseconds
    record.due = due > now ? due : nil
    keep(record, number, was: timer.due, cell)
    guard record.due == nil, !book.rules.matching(Occasion.absent + " " + absence.rule).isEmpty else { return }
    counters.noteTimer(lateMilliseconds: now - timer.due)
    var data = JSONWriter(capacity: 160)
    data.beginObject()
    data.member("rule", absence.rule)
    data.member("event", absence.event)
    data.member("since", ISO8601.format(record.last))
    data.member("lasting", DurationText.format(absence.lastingMilliseconds))
    data.endObject()
    let id = effectID(
      Hash128(high: UInt64(bitPattern: number), low: UInt64(bitPattern: cell.subject)), "absence",
      Int(record.last.milliseconds))
    told = (id.hex, due)
    emit(Occasion.absent, data.bytes, id: id, cell)
  }

  // MARK: segments

  private func segment(_ group: Feeds.Group, _ cell: SubjectCell) throws(StoreError) -> SegmentRecord? {
    SegmentRecord(try cell.measure(-group.number, reader))
  }

  /// After an event was decided and what it set is set: is the subject in other segments now?
  func lookAtSegments(_ event: String?, _ cell: SubjectCell, isNew: Bool = false, now: Instant) throws(StoreError) {
    if feeds.groups.isEmpty { return }
    let kind = kind(of: cell)
    let changed = cell.takeChangedTraits()
    for group in feeds.groups where group.segment.per == kind {
      guard changed || isNew || event.map({ group.events.contains($0) }) == true else { continue }
      let isKnown = try !cell.measure(-group.number, reader).isEmpty
      // While all subjects are being looked at for the first time, nothing is told of those that were there.
      let isTold = isKnown || isNew || !isWalking(group.number)
      try look(group, cell, isTold: isTold, now: now)
    }
  }

  private func isWalking(_ number: Int64) -> Bool { walk?.definitions.contains { $0.number == number } == true }

  private func look(_ group: Feeds.Group, _ cell: SubjectCell, isTold: Bool, now: Instant) throws(StoreError) {
    let before = try segment(group, cell)
    guard let isInside = try decide(group, before, cell, now: now) else { return }
    var next = before ?? SegmentRecord(isInside: false, since: now)
    let due = try dueAgain(group, cell, now: now)
    // An alarm that rings too early is moved when it rings.
    if let known = next.due, known > now, let due, known <= due {} else { next.due = due }
    let hasChanged = isInside != next.isInside
    if hasChanged {
      next.isInside = isInside
      next.since = now
    }
    if !hasChanged, next == before || before == nil && next.due == nil { return }
    let isNothing = !next.isInside && next.due == nil
    let packed = isNothing ? [] : next.packed
    cell.setMeasure(-group.number, packed)
    out.changes.append(RowKey(.measure, cell.subject, -group.number), isNothing ? nil : packed)
    setAlarm(group.number, cell.subject, was: before?.due, due: next.due)
    guard hasChanged else { return }
    count(group, isInside ? 1 : -1)
    if isTold { tell(group, isInside, since: before?.since, cell) }
  }

  /// Nothing but time may ever change what a segment that failed says.
  private func lookLater(_ group: Feeds.Group, _ cell: SubjectCell, now: Instant) throws(StoreError) {
    guard var record = try segment(group, cell) else { return }
    let was = record.due
    record.due = now + Limits.segmentLookMilliseconds
    cell.setMeasure(-group.number, record.packed)
    out.changes.append(RowKey(.measure, cell.subject, -group.number), record.packed)
    setAlarm(group.number, cell.subject, was: was, due: record.due)
  }

  /// What the segment says; nil: it failed, and everything stays as it was.
  private func decide(
    _ group: Feeds.Group, _ before: SegmentRecord?, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> Bool? {
    var state = JSONWriter(capacity: 48)
    state.beginObject()
    state.key("inside")
    state.boolean(before?.isInside ?? false)
    if let before { state.member("since", before.since.milliseconds) }
    state.endObject()
    let number = book.numbers[group.place]
    let input = RuleInput(
      event: Lane.nobodysEvent, customerID: cell.customerID, traits: cell.traits(parser),
      account: cell.account.isEmpty ? nil : cell.account, state: state.bytes, now: now,
      seed: effectID(Hash128(high: 0, low: UInt64(bitPattern: number)), "segment", Int(cell.subject)))
    windows.cell = cell
    mark.enter(rule: number, event: input.seed)
    var outcome = runtime.run(group.place, input)
    if outcome.limit == .time { outcome = runtime.run(group.place, input) }
    mark.leave()
    if let failure { throw failure }
    switch outcome.code {
    case .ran: return true
    case .notMatched, .skipped: return false
    default:
      noteFailure(group, outcome, cell, now: now)
      return nil
    }
  }

  /// A segment is asked without any event.
  private static let nobodysEvent: Event = {
    let body = OwnEvent.body(
      "nudged.segment", [], id: "segment", about: SubjectReference(namespace: "user", id: "-"), depth: 0, time: .zero)
    let parser = DocumentParser(maximumBytes: 1_024)
    guard let document = try? parser.parse(body),
      let event = try? EventDecoder(source: "nudged").decode(document.root, received: .zero)
    else { preconditionFailure("an event that is written here can be read") }
    return event
  }()

  /// Once an hour is enough: a segment that fails does so for everyone.
  private func noteFailure(_ group: Feeds.Group, _ outcome: RuleOutcome, _ cell: SubjectCell, now: Instant) {
    counters.failed.add(1)
    if let last = segmentFailures[group.number], now - last < 3_600_000 { return }
    segmentFailures[group.number] = now
    let text =
      "the segment '\(group.segment.name)' failed, and who is in it stays as it was: \(outcome.reason)"
      + (outcome.line > 0 ? " (line \(outcome.line))" : "")
    out.logs.append(
      RuleLog(
        rule: RuleSource.segments + group.segment.name, subject: cell.subject, event: 0, text: text, isWarning: true))
  }

  /// When time alone may change what the segment says.
  private func dueAgain(_ group: Feeds.Group, _ cell: SubjectCell, now: Instant) throws(StoreError) -> Instant? {
    let rule = book.rules.rules[group.place]
    var due: Instant? = rule.looksAtTime ? now + Limits.segmentLookMilliseconds : nil
    for window in rule.windows {
      guard let number = keptNumbers[.window(window)] else { continue }
      if let change = try ring(window, number, cell).changesAt(after: now) { due = min(due ?? change, change) }
    }
    return due
  }

  private func count(_ group: Feeds.Group, _ change: Int64) {
    let known = tallies[group.number] ?? 0
    tallies[group.number] = known + change
    out.changes.append(RowKey(.tally, group.number, Int64(index)), number: known + change)
  }

  private func tell(_ group: Feeds.Group, _ isInside: Bool, since: Instant?, _ cell: SubjectCell) {
    let name = isInside ? Occasion.entered : Occasion.left
    guard isAwaited(name) || !book.rules.matching(name + " " + group.segment.name).isEmpty else { return }
    var data = JSONWriter(capacity: 96)
    data.beginObject()
    data.member("segment", group.segment.name)
    if let since { data.member("since", ISO8601.format(since)) }
    data.endObject()
    let id = effectID(
      Hash128(high: UInt64(bitPattern: group.number), low: UInt64(bitPattern: cell.subject)), name,
      Int(lastNow.milliseconds))
    if let ringing { told = (id.hex, ringing) }
    emit(name, data.bytes, id: id, cell)
  }

  // MARK: subjects that are there

  /// After a start: what no lane has finished, and how many are in each segment.
  func recoverWalk() throws(StoreError) {
    var open: [StoredDefinition] = []
    var cursor = Int64.max
    for definition in book.definitions.kept where definition.what.isOfAll {
      let tally = try reader.value(RowKey(.tally, definition.number, Int64(index))).flatMap(NumberRow.unpack)
      tallies[definition.number] = tally
      let progress = try reader.value(RowKey(.progress, definition.number, Int64(index))).flatMap { ProgressRow($0) }
      if definition.isFilled || progress?.phase == .done { continue }
      open.append(definition)
      cursor = min(cursor, progress?.cursor ?? 0)
    }
    if !open.isEmpty { walk = Walk(definitions: open, cursor: cursor, turn: 0) }
    beginRemoval(book)
    try takeSchedules(of: book)
  }

  /// What the lane's last book did not have is new, even where a book between them had it that was overtaken.
  func beginWalk(_ next: RuleBook, after last: RuleBook) {
    let known = Set(last.definitions.kept.map(\.number))
    let open = next.definitions.kept.filter { $0.what.isOfAll && !known.contains($0.number) }
    // A walk that was under way begins again with those of it that are still wanted.
    let wanted = Set(next.definitions.kept.map(\.number))
    let rest = (walk?.definitions ?? []).filter { known in
      wanted.contains(known.number) && !open.contains { $0.number == known.number }
    }
    walk = open.isEmpty && rest.isEmpty ? nil : Walk(definitions: rest + open, cursor: 0, turn: turn)
    beginRemoval(next)
  }

  func walkOn(isIdle: Bool, now: Instant) throws(StoreError) {
    guard var walk, walk.turn <= durable.value, filling == nil else { return }
    let limit = isIdle ? Limits.walkedSubjectsIdle : Limits.walkedSubjects
    let rows = try reader.rows(
      from: RowKey(.subject, walk.cursor + 1), to: RowKey(.subject, .max), limit: limit)
    foundSubjects += rows.count
    for row in rows where Desk.lane(of: row.key.first, lanes: lanes) == index {
      let cell = try cell(row.key.first, isNew: false, reference: nil, now: now)
      try visit(cell, walk, now: now)
    }
    walk.cursor = rows.last?.key.first ?? walk.cursor
    let isDone = rows.count < limit
    for definition in walk.definitions {
      let row = ProgressRow(phase: isDone ? .done : .subjects, cursor: walk.cursor)
      out.changes.append(RowKey(.progress, definition.number, Int64(index)), row.packed)
    }
    self.walk = isDone ? nil : walk
  }

  private func visit(_ cell: SubjectCell, _ walk: Walk, now: Instant) throws(StoreError) {
    let kind = kind(of: cell)
    for definition in walk.definitions where definition.what.per == kind {
      guard try cell.measure(-definition.number, reader).isEmpty else { continue }
      if case .absence(let absence) = definition.what {
        begin(Feeds.Silence(number: definition.number, absence: absence), last: now, cell, now: now)
      } else if let group = feeds.groups.first(where: { $0.number == definition.number }) {
        try look(group, cell, isTold: false, now: now)
      }
    }
    cells.keep(cell)
  }

  // MARK: what nobody asks for any more

  private func beginRemoval(_ next: RuleBook) {
    let leaving = next.definitions.leaving.map(\.number)
    removal = leaving.isEmpty ? nil : Removal(definitions: Set(leaving), cursor: 0, turn: turn)
  }

  func removeOn(isIdle: Bool, now: Instant) throws(StoreError) {
    guard var removal, removal.turn <= durable.value, filling == nil else { return }
    let limit = isIdle ? Limits.walkedSubjectsIdle : Limits.walkedSubjects
    let rows = try reader.rows(
      from: RowKey(.measure, removal.cursor + 1, .min), to: RowKey(.measure, .max, .max), limit: limit)
    foundSubjects += rows.count
    // The last subject may have more rows than fit: it is met again.
    let last = rows.count < limit ? Int64.max : (rows.last?.key.first ?? 0)
    for row in rows where row.key.first < last {
      guard Desk.lane(of: row.key.first, lanes: lanes) == index else { continue }
      try remove(removal.definitions, from: row, now: now)
    }
    removal.cursor = max(removal.cursor, last - 1)
    guard rows.count < limit else {
      self.removal = removal
      return
    }
    for definition in removal.definitions {
      out.changes.append(
        RowKey(.progress, definition, Int64(index)), ProgressRow(phase: .gone, cursor: Int64(lanes)).packed)
      out.changes.append(RowKey(.tally, definition, Int64(index)), nil)
    }
    self.removal = nil
  }

  /// Alarms of theirs ring once more, find nothing and go. The subject's cell has what is newer than the row.
  private func remove(_ definitions: Set<Int64>, from row: Row, now: Instant) throws(StoreError) {
    if row.key.second < 0, !definitions.contains(-row.key.second) { return }
    let cell = try cell(row.key.first, isNew: false, reference: nil, now: now)
    var group = WindowGroup(row.key.second < 0 ? [] : try cell.measure(row.key.second, reader))
    if row.key.second > 0 {
      guard group.numbers.contains(where: definitions.contains) else { return }
      for number in group.numbers where definitions.contains(number) { group[number] = [] }
    }
    let packed = group.packed
    cell.setMeasure(row.key.second, packed)
    out.changes.append(row.key, packed.isEmpty ? nil : packed)
    cells.keep(cell)
  }
}

/// A way through what is known of subjects, for definitions that nobody asks for.
struct Removal {
  var definitions: Set<Int64>
  var cursor: Int64
  var turn: Int64
}
