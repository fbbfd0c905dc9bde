// The lane and its schedules: rules that begin at times, for themselves or for each of many subjects.
//
// Thread: the lane's. Promise: a moment is met once; a kill in the middle of many subjects goes on behind the last one
// that was met, and nobody is met twice; those of one moment are spread to a rate.

internal import Basics
internal import Model
internal import Rules
internal import Store

struct Schedule {
  var number: Int64
  var definition: ScheduleDefinition
  var pattern: SchedulePattern
  /// The number of its rule in the book at hand; nil: its file is gone.
  var rule: Int64?
  /// The moment that was met last, or when the schedule was published; nil: it is new, and the next step is its
  /// beginning.
  var last: Instant?
  var due = Instant.distantFuture
  /// When it began in this process; nil: in an earlier one.
  var published: Instant?
  var round: Round?
  /// Something of it is due, and its rule is paused.
  var isHeld = false
  /// When the lanes became other ones in the middle of the last round: behind which subject each of those of then went
  /// on. It is kept when the round is over: a lane that was killed before it heard of the change learns it from others.
  var earlier: [Int64] = []

  /// The way through the subjects for one moment.
  struct Round {
    var due: Instant
    /// Behind this subject it goes on.
    var cursor: Int64
    /// When the lanes became other ones in the middle of it: behind which subject each of those of then went on.
    var earlier: [Int64] = []
    /// The day in which it was published: those whose hour is over are none of its business.
    var isFirst = false
    /// Since when it goes in this process, and how many were met since then.
    var began: Instant?
    var met = 0
    /// How many of each zone have their alarm, so that they are spread.
    var perZone: [String: Int64] = [:]
    /// The time of day that follows on everyone's own clock, as if these were UTC.
    var following: CivilTime?

    func isMet(_ subject: Int64) -> Bool {
      earlier.isEmpty ? false : subject <= earlier[Desk.lane(of: subject, lanes: earlier.count)]
    }
  }

  /// As this lane wrote it down.
  mutating func take(_ row: ProgressRow) {
    earlier = row.earlier
    guard [.subjects, .firstSubjects].contains(row.phase), let due = row.since else {
      last = Instant(milliseconds: row.cursor)
      return
    }
    last = due
    round = Round(due: due, cursor: row.cursor, earlier: row.earlier, isFirst: row.phase == .firstSubjects)
  }
}

extension Lane {
  /// Where it is always earlier than here a day is over last; the first zone on Earth is so much ahead of UTC.
  private static let earliestZoneMilliseconds: Int64 = 14 * 3_600_000
  /// From the first zone to the last one.
  private static let longestDayMilliseconds: Int64 = 26 * 3_600_000

  func takeSchedules(of next: RuleBook) throws(StoreError) {
    var taken: [Schedule] = []
    for stored in next.definitions.kept {
      guard let definition = stored.what.schedule, let pattern = SchedulePattern(definition.text) else { continue }
      // What no subject owns is one lane's.
      guard definition.forEach != nil || index == 0 else { continue }
      let rule = next.rules.position(of: definition.rule).map { next.numbers[$0] }
      if var known = schedules.first(where: { $0.number == stored.number }) {
        known.rule = rule
        taken.append(known)
        continue
      }
      var schedule = Schedule(number: stored.number, definition: definition, pattern: pattern, rule: rule)
      try recover(&schedule)
      taken.append(schedule)
    }
    schedules = taken
    for place in schedules.indices { plan(place) }
  }

  /// Where a schedule stands. Lanes that are as many as before go on each by itself; others find out together who was
  /// met, and write that down at once.
  private func recover(_ schedule: inout Schedule) throws(StoreError) {
    let rows = try reader.rows(
      from: RowKey(.progress, schedule.number, 0), to: RowKey(.progress, schedule.number, .max), limit: 1_000)
    let known = rows.compactMap { row in
      row.value.flatMap { ProgressRow($0) }.map { (lane: Int(row.key.second), row: $0) }
    }
    guard let first = known.first else { return }
    let own = known.first { $0.lane == index }?.row
    if schedule.definition.forEach == nil, let own { return schedule.take(own) }
    // The first lane is always there.
    let before = first.row.lanes > 0 ? first.row.lanes : known.count
    let old = known.filter { $0.lane < before && ($0.row.lanes == before || $0.row.lanes == 0) }
    var stand = schedule
    if before == lanes {
      // Nobody has to hear of a change any more, or the first lane has heard of it.
      if let own, first.row.earlier.isEmpty || own.earlier == first.row.earlier { return schedule.take(own) }
      begin(&stand, like: first.row)
      // It was killed before it began at all: the moments of the first lane are its own.
      if first.row.earlier.isEmpty {
        stand.take(first.row)
        stand.round?.cursor = 0
      }
    } else if old.count == before {
      inherit(&stand, of: old, lanes: before)
    } else if let other = known.first(where: { $0.row.lanes == lanes && $0.row.earlier.count == before })?.row {
      begin(&stand, like: other)
    } else {
      inherit(&stand, of: old, lanes: before)
    }
    // One that has heard of it goes on where it was.
    if let own, own.lanes == lanes, !own.earlier.isEmpty, own.earlier == stand.earlier { return schedule.take(own) }
    schedule = stand
    pendingRows.append(Change(RowKey(.progress, schedule.number, Int64(index)), progress(schedule).packed))
  }

  private func inherit(_ schedule: inout Schedule, of known: [(lane: Int, row: ProgressRow)], lanes before: Int) {
    let stands = known.map { one in
      var stand = schedule
      stand.take(one.row)
      return (lane: one.lane, stand: stand)
    }
    guard let newest = stands.compactMap(\.stand.last).max() else { return }
    var met = [Int64](repeating: 0, count: before)
    for (lane, stand) in stands {
      guard let last = stand.last else { continue }
      if let round = stand.round {
        if last == newest { met[lane] = round.cursor }
      } else if next(of: schedule, after: last) > newest {
        met[lane] = .max
      }
    }
    begin(&schedule, at: newest, met, isFirst: stands.contains { $0.stand.round?.isFirst ?? false })
  }

  /// As another lane began when it heard of the change.
  private func begin(_ schedule: inout Schedule, like other: ProgressRow) {
    var stand = schedule
    stand.take(other)
    guard let last = stand.last else { return }
    begin(&schedule, at: last, other.earlier, isFirst: stand.round?.isFirst ?? false)
  }

  private func begin(_ schedule: inout Schedule, at newest: Instant, _ met: [Int64], isFirst: Bool) {
    schedule.last = newest
    schedule.earlier = met
    guard let cursor = met.min(), cursor < .max else { return }
    schedule.round = Schedule.Round(due: newest, cursor: cursor, earlier: met, isFirst: isFirst)
  }

  /// Nil: each subject's own.
  private func zone(of schedule: Schedule) -> ZoneRules? {
    if let name = schedule.definition.zone { return zones.zone(name) ?? .utc }
    if schedule.definition.forEach != nil, !schedule.pattern.isEverywhereAlike { return nil }
    return zones.zone(book.zone) ?? .utc
  }

  private func plan(_ place: Int) {
    let schedule = schedules[place]
    guard let last = schedule.last else {
      schedules[place].due = .zero
      return
    }
    schedules[place].due = next(of: schedule, after: last)
  }

  private func next(of schedule: Schedule, after moment: Instant) -> Instant {
    if let zone = zone(of: schedule) { return schedule.pattern.next(after: moment, zone) }
    // As if the clocks of the earliest zone were UTC.
    let shift = Lane.earliestZoneMilliseconds
    return schedule.pattern.next(after: moment + shift, .utc) + -shift
  }

  var schedulesWakeAt: Instant {
    var wake = Instant.distantFuture
    for schedule in schedules where !schedule.isHeld {
      wake = min(wake, schedule.round == nil ? schedule.due : lastNow + Lane.roundPause)
    }
    return wake
  }

  /// A round at a rate has a few more to meet after so long.
  private static let roundPause: Int64 = 10

  func fireSchedules(now: Instant) throws(StoreError) {
    if schedules.isEmpty || now < timersFrom || isAhead { return }
    for place in schedules.indices {
      guard schedules[place].round != nil || schedules[place].due <= now else { continue }
      hold(place)
      if schedules[place].isHeld { continue }
      if schedules[place].last == nil { begin(place, now: now) }
      if schedules[place].round != nil { try goOn(place, now: now) }
      guard schedules[place].round == nil, schedules[place].due <= now else { continue }
      try meet(place, now: now)
    }
  }

  /// While its rule is paused nothing begins: when it lives again, the last moment that was missed is met, or the rest
  /// of those that the pause came between. A rule that never lived begins with its first moment after that.
  private func hold(_ place: Int) {
    schedules[place].isHeld = isPaused(schedules[place])
    guard schedules[place].isHeld else { return }
    schedules[place].round?.began = nil
    schedules[place].round?.met = 0
  }

  private func isPaused(_ schedule: Schedule) -> Bool {
    schedule.rule.flatMap { book.places[$0] }.flatMap { pause(of: $0) } != nil
  }

  /// What was before it was published is none of its business. A day that has begun somewhere is not over
  /// everywhere.
  private func begin(_ place: Int, now: Instant) {
    schedules[place].last = zone(of: schedules[place]) == nil ? now + -Lane.longestDayMilliseconds : now
    schedules[place].published = now
    note(place)
    plan(place)
  }

  private func note(_ place: Int) {
    let schedule = schedules[place]
    out.changes.append(RowKey(.progress, schedule.number, Int64(index)), progress(schedule).packed)
  }

  private func progress(_ schedule: Schedule) -> ProgressRow {
    var row =
      schedule.round.map {
        ProgressRow(phase: $0.isFirst ? .firstSubjects : .subjects, cursor: $0.cursor, since: $0.due)
      }
      ?? ProgressRow(phase: .done, cursor: schedule.last?.milliseconds ?? 0)
    row.lanes = schedule.definition.forEach == nil ? 0 : lanes
    row.earlier = schedule.earlier
    return row
  }

  /// Its moment has come. Of several that were missed the last one counts.
  private func meet(_ place: Int, now: Instant) throws(StoreError) {
    let schedule = schedules[place]
    let isOwnZone = zone(of: schedule) == nil
    let shift = isOwnZone ? Lane.earliestZoneMilliseconds : 0
    // With everyone's own clock a day is missed only when it is over everywhere.
    let missed = isOwnZone ? now + -Lane.longestDayMilliseconds : now
    let latest = schedule.pattern.latest(upTo: missed + shift, zone(of: schedule) ?? .utc) + -shift
    let due = max(latest, schedule.due)
    schedules[place].last = due
    schedules[place].earlier = []
    // With everyone's own clock it is each one's alarm that may be too late.
    let isTooLate = isOwnZone ? false : tellTooLate(schedule, due: due, now: now)
    if isTooLate || schedule.definition.forEach == nil {
      if !isTooLate { tellRule(schedule, due: due, now: now) }
      note(place)
      return plan(place)
    }
    let isFirst = schedule.published.map { due <= $0 } ?? false
    schedules[place].round = Schedule.Round(due: due, cursor: 0, isFirst: isFirst, began: now)
    try goOn(place, now: now)
  }

  private func goOn(_ place: Int, now: Instant) throws(StoreError) {
    guard var round = schedules[place].round else { return }
    let schedule = schedules[place]
    let isOwnZone = zone(of: schedule) == nil
    // Cut short by the end of a process: its rule may not want the rest any more.
    if round.began == nil, !isOwnZone, tellTooLate(schedule, due: round.due, now: now) {
      schedules[place].round = nil
      note(place)
      return plan(place)
    }
    round.began = round.began ?? now
    let allowed = isOwnZone ? Limits.walkedSubjectsIdle : share(schedule, &round, now: now)
    guard allowed > 0 else {
      schedules[place].round = round
      return
    }
    if isOwnZone, round.following == nil {
      let shift = Lane.earliestZoneMilliseconds
      round.following = ZoneRules.utc.civil(at: schedule.pattern.next(after: round.due + shift, .utc))
    }
    let limit = min(max(allowed, Limits.walkedSubjects), Limits.walkedSubjectsIdle)
    let rows = try reader.rows(from: RowKey(.subject, round.cursor + 1), to: RowKey(.subject, .max), limit: limit)
    let most = round.met + allowed
    foundSubjects += rows.count
    for row in rows {
      // Not all of them are meant; those that are may be more than the rate allows.
      if round.met == most { break }
      round.cursor = row.key.first
      guard Desk.lane(of: row.key.first, lanes: lanes) == index, !round.isMet(row.key.first) else { continue }
      let cell = try cell(row.key.first, isNew: false, reference: nil, now: now)
      guard kind(of: cell) == schedule.definition.forEach else { continue }
      round.met += 1
      if isOwnZone {
        setOwnAlarm(schedule, &round, cell, after: round.isFirst ? schedule.published ?? now : nil, now: now)
      } else {
        try meet(schedule.definition, schedule.number, due: round.due, cell)
        finishOccasion(cell)
        try decideEmitted(now: now)
      }
    }
    let isOver = rows.count < limit && round.cursor == rows.last?.key.first ?? round.cursor
    schedules[place].round = isOver ? nil : round
    note(place)
    if schedules[place].round == nil { plan(place) }
  }

  /// How many more may begin by now; lanes share the rate. What was not used for a second, because few of those that
  /// were looked at were meant, is not made up for.
  private func share(_ schedule: Schedule, _ round: inout Schedule.Round, now: Instant) -> Int {
    let since = min(now - (round.began ?? now), 86_400_000) + Lane.roundPause
    let allowed = Int(max(1, since * Int64(schedule.definition.ratePerSecond) / Int64(1_000 * lanes)))
    round.met = max(round.met, allowed - max(1, schedule.definition.ratePerSecond / lanes))
    return allowed - round.met
  }

  /// Whoever comes when a day has begun somewhere, and their own hour is still ahead, is met like all others.
  func joinRounds(_ cell: SubjectCell, now: Instant) {
    for place in schedules.indices {
      let schedule = schedules[place]
      guard schedule.round == nil, let last = schedule.last, zone(of: schedule) == nil,
        schedule.definition.forEach == kind(of: cell), now - last < Lane.longestDayMilliseconds
      else { continue }
      var round = Schedule.Round(due: last, cursor: 0, isFirst: true)
      setOwnAlarm(schedule, &round, cell, after: now, now: now)
    }
  }

  /// The same time of day on the subject's own clock, if it comes after a moment: published, or first seen, in the
  /// middle of the day, it is over for some. What was missed is not.
  private func setOwnAlarm(
    _ schedule: Schedule, _ round: inout Schedule.Round, _ cell: SubjectCell, after moment: Instant?, now: Instant
  ) {
    let zone = ownZone(of: cell)
    let civil = ZoneRules.utc.civil(at: round.due + Lane.earliestZoneMilliseconds)
    let place = round.perZone[zone.name, default: 0]
    round.perZone[zone.name] = place + 1
    let spread = place * 1_000 * Int64(lanes) / Int64(schedule.definition.ratePerSecond)
    let due = zone.instant(of: civil)
    if let moment, due <= moment { return }
    // Of two that were missed the later one counts.
    if due <= now, let following = round.following, zone.instant(of: following) <= now { return }
    setAlarm(schedule.number, cell.subject, was: nil, due: due + spread)
  }

  /// Someone's own hour has come.
  func ring(_ timer: Timer, _ number: Int64, _ cell: SubjectCell, now: Instant) throws(StoreError) {
    guard let schedule = schedules.first(where: { $0.number == number }) else {
      return setAlarm(number, cell.subject, was: timer.due, due: nil)
    }
    if isPaused(schedule) { return heldTimers.append(timer) }
    setAlarm(number, cell.subject, was: timer.due, due: nil)
    // Of several hours that were missed the last one is met, and that one has, or gets, an alarm of its own.
    if schedule.pattern.latest(upTo: now, ownZone(of: cell)) > timer.due { return }
    if tellTooLate(schedule, due: timer.due, now: now) { return }
    try meet(schedule.definition, number, due: timer.due, cell)
  }

  private func ownZone(of cell: SubjectCell) -> ZoneRules {
    let traits = cell.traits(parser)?.root
    let name = traits?["timezone"]?.string ?? traits?["zone"]?.string ?? book.zone
    return zones.zone(name) ?? zones.zone(book.zone) ?? .utc
  }

  // MARK: too late

  /// Whether a moment was missed by more than its rule's `catch_up` allows; the log tells of it, once an hour for all
  /// subjects. Without a word in the header it is met, however late: there is no run that could be parked.
  private func tellTooLate(_ schedule: Schedule, due: Instant, now: Instant) -> Bool {
    guard let rule = schedule.rule, catchUp(of: rule) != .fire, let reason = tooLate(rule, due: due, now: now)
    else { return false }
    if let last = missedSchedules[schedule.number], now - last < 3_600_000 { return true }
    missedSchedules[schedule.number] = now
    out.logs.append(
      RuleLog(
        rule: schedule.definition.rule, subject: 0, event: 0, text: "it does not begin: \(reason)", isWarning: true))
    return true
  }

  // MARK: telling

  /// One subject's turn.
  private func meet(_ schedule: ScheduleDefinition, _ number: Int64, due: Instant, _ cell: SubjectCell)
    throws(StoreError)
  {
    if let name = schedule.segment {
      guard let group = feeds.groups.first(where: { $0.segment.name == name }),
        SegmentRecord(try cell.measure(-group.number, reader))?.isInside == true
      else { return }
    }
    let id = effectID(
      Hash128(high: UInt64(bitPattern: number), low: UInt64(bitPattern: cell.subject)), "schedule",
      Int(due.milliseconds))
    emit(Occasion.scheduled, Lane.data(schedule, due: due), id: id, cell)
  }

  private static func data(_ schedule: ScheduleDefinition, due: Instant) -> [UInt8] {
    var data = JSONWriter(capacity: 96)
    data.beginObject()
    data.member("rule", schedule.rule)
    data.member("due", ISO8601.format(due))
    data.endObject()
    return data.bytes
  }

  /// About the thing "rule:PATH", as a message that is on disk with the note that the moment was met.
  private func tellRule(_ schedule: Schedule, due: Instant, now: Instant) {
    let about = SubjectReference(namespace: "rule", id: schedule.definition.rule)
    guard about.isWellFormed else { return }
    let id = effectID(Hash128(high: UInt64(bitPattern: schedule.number), low: 0), "schedule", Int(due.milliseconds))
    let body = OwnEvent.body(
      Occasion.scheduled, Lane.data(schedule.definition, due: due), id: id.hex, about: about, depth: 0, time: now)
    guard let incoming = OwnEvent.decode(body, received: now, parser: parser, hash: hash) else { return }
    let message = LaneMessage(
      event: -(3 << 60) - (1 << 40) - schedule.number, position: due.milliseconds, subject: 0,
      content: .emitted(incoming, to: about))
    let row = MessageRow(
      kind: .emitted, subject: 0, target: about.description, id: id.hex, received: now, body: body)
    out.changes.append(RowKey(.message, message.event, message.position), row.packed, isNew: true)
    out.messages.append(message)
  }
}
