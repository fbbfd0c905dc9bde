// The lane and its windows: every event of a subject goes into those that count it, and what the log tells is
// added when a window is new.
//
// Thread: the lane's. Promise: an event is counted once, whether it comes from the log or as it is decided; a rule
// is not asked before its windows know what the log knows.

internal import Basics
internal import Measures
internal import Model
internal import Rules
internal import Store

/// Answers for the subject at hand.
final class LaneWindowReader: WindowReader {
  weak var lane: Lane?
  var cell: SubjectCell?

  func value(of definition: WindowDefinition) -> WindowValue? {
    guard let lane, let cell else { return nil }
    return lane.value(of: definition, cell)
  }
}

/// The windows of a new book, while they are filled.
struct Filling {
  var book: RuleBook
  /// It is not the lane's book yet.
  var isWaiting: Bool
  var definitions: [StoredDefinition]
  var cutoff: Int64
  /// What was decided until then has to be on disk.
  var turn: Int64
  var phase = Phase.settling
  /// Where it goes on.
  var cursor: Int64
  /// The oldest event that was looked at.
  var oldest: Instant?
  var since: Instant?
  /// Nothing was done yet.
  var isFirst = true

  enum Phase { case settling, events, meeting }

  /// Whether there is something to do now.
  func goesOn(_ lanes: Int) -> Bool {
    switch phase {
    case .settling: book.gate.isSettled(lanes)
    case .events: true
    case .meeting: book.gate.isFilled(lanes)
    }
  }
}

extension Lane {
  // MARK: feeding

  /// Counts an event for a subject, as one of this kind.
  func feed(_ kind: String, _ event: Event, _ number: Int64, _ cell: SubjectCell, now: Instant) throws(StoreError) {
    if feeds.isEmpty { return }
    try hearSilences(kind, event, cell, now: now)
    for feed in feeds.of(event.name) where feed.window.per == kind && number > feed.cutoff {
      try add(event, number, to: feed.number, feed.window, cell, now: now)
    }
  }

  private func add(
    _ event: Event, _ number: Int64, to definition: Int64, _ window: WindowDefinition, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) {
    guard WindowField.fits(window.match, event) else { return }
    var ring = WindowRing(window, packed: try cell.measure(definition, reader))
    let sample = WindowSample(time: event.time, number: number, value: WindowField.value(window, event))
    guard ring.add(sample, now: now) else { return }
    let packed = ring.packed
    cell.setMeasure(definition, packed)
    out.changes.append(RowKey(.measure, cell.subject, definition), packed)
  }

  // MARK: asking

  func value(of window: WindowDefinition, _ cell: SubjectCell) -> WindowValue? {
    guard let number = keptNumbers[.window(window)] else { return nil }
    do throws(StoreError) {
      return WindowRing(window, packed: try cell.measure(number, reader)).value(at: lastNow)
    } catch {
      failure = error
      return .nothing
    }
  }

  /// Why a rule cannot be asked yet; nil when its windows are ready.
  func unready(_ position: Int) -> String? {
    guard let filling, !filling.isWaiting else { return nil }
    let open = Set(filling.definitions.map(\.number))
    guard book.definitions.windows(of: book.rules.rules[position]).contains(where: open.contains) else { return nil }
    return "its windows are being filled from the log of events; it goes live when they are"
  }

  /// Tells in a verdict from when on the windows of a rule know everything, where that is later than they reach.
  func noteSince(_ rule: Rule, _ verdict: inout Verdict, now: Instant) {
    if rule.windows.isEmpty || since.isEmpty { return }
    guard let known = knownSince(rule, now: now), verdict.reads.count < Limits.verdictReads else { return }
    verdict.reads.append(ReadValue(name: "windows since", value: "\"\(ISO8601.format(known))\""))
  }

  private func knownSince(_ rule: Rule, now: Instant) -> Instant? {
    var latest: Instant?
    for window in rule.windows {
      guard let number = keptNumbers[.window(window)], let known = since[number],
        now + -window.windowMilliseconds < known
      else { continue }
      latest = max(latest ?? known, known)
    }
    return latest
  }

  // MARK: books

  /// The windows of the first book: those that are new, and those that a kill interrupted.
  func recoverWindows(lastEvent: Int64) throws(StoreError) {
    var open: [StoredDefinition] = []
    var cursor: Int64 = 0
    let fresh = Set(book.definitions.fresh.map(\.number))
    for definition in book.definitions.kept where definition.what.window != nil {
      let progress = try reader.value(RowKey(.progress, definition.number, Int64(index))).flatMap { ProgressRow($0) }
      if let known = progress?.since { since[definition.number] = known }
      if definition.isFilled || progress?.phase == .done { continue }
      if fresh.contains(definition.number) {
        open.append(definition)
        cursor = lastEvent + 1
      } else {
        open.append(definition)
        cursor = max(cursor, progress?.cursor ?? definition.cutoff + 1)
      }
    }
    takeFeeds(book.definitions.kept.map { fresh.contains($0.number) ? cut($0, lastEvent) : $0 }, book.rules)
    writeDefinitions(book, cutoff: lastEvent)
    try recoverWalk()
    if open.isEmpty { return }
    // Where several were interrupted the one that has to look back from farthest tells where to begin; what was
    // counted already is below the others' own marks.
    filling = Filling(
      book: book, isWaiting: false, definitions: open.map { fresh.contains($0.number) ? cut($0, lastEvent) : $0 },
      cutoff: lastEvent, turn: 0, phase: .events, cursor: cursor)
    try readProgress()
  }

  private func cut(_ definition: StoredDefinition, _ cutoff: Int64) -> StoredDefinition {
    var definition = definition
    definition.cutoff = cutoff
    definition.lanes = lanes
    return definition
  }

  /// How far each of them had come.
  private func readProgress() throws(StoreError) {
    fillCursors = [:]
    for definition in filling?.definitions ?? [] {
      let row = try reader.value(RowKey(.progress, definition.number, Int64(index))).flatMap { ProgressRow($0) }
      fillCursors[definition.number] = row?.cursor ?? definition.cutoff + 1
    }
  }

  /// A book with windows that nobody kept: they are filled first, and until then the old book holds. False: it can
  /// be taken at once.
  func prepare(_ next: RuleBook, cutoff: Int64) -> Bool {
    let fresh = next.definitions.fresh.filter { $0.what.window != nil }
    if fresh.isEmpty {
      for definition in next.definitions.fresh { ownDefinitions[definition.number] = cut(definition, cutoff) }
      if index == 0 { writeDefinitions(next, cutoff: cutoff) }
      return false
    }
    let definitions = fresh.map { cut($0, cutoff) }
    // Those of the old book go on, and those of a book that did not make it are given up.
    takeFeeds(book.definitions.kept.map { kept(of: $0) } + definitions, book.rules)
    for definition in next.definitions.fresh { ownDefinitions[definition.number] = cut(definition, cutoff) }
    if index == 0 { writeDefinitions(next, cutoff: cutoff) }
    filling = Filling(
      book: next, isWaiting: true, definitions: definitions, cutoff: cutoff, turn: turn, cursor: cutoff + 1)
    fillCursors = Dictionary(uniqueKeysWithValues: definitions.map { ($0.number, cutoff + 1) })
    let gate = next.gate
    out.completions.append { gate.settle() }
    return true
  }

  /// The lane's own idea of a definition: it knows where the log ends for it.
  private func kept(of definition: StoredDefinition) -> StoredDefinition {
    ownDefinitions[definition.number] ?? definition
  }

  private func takeFeeds(_ definitions: [StoredDefinition], _ rules: RuleSet) {
    var next = Feeds()
    var own: [Int64: StoredDefinition] = [:]
    keptNumbers = [:]
    for definition in definitions {
      next.add(definition, rules)
      own[definition.number] = definition
      keptNumbers[definition.what] = definition.number
    }
    feeds = next
    ownDefinitions = own
  }

  /// The windows of a book that is the lane's from now on.
  func takeWindows(of next: RuleBook) {
    takeFeeds(next.definitions.kept.map { kept(of: $0) }, next.rules)
    beginWalk(next)
    do throws(StoreError) { try takeSchedules(of: next) } catch { failure = error }
  }

  /// By one lane for all.
  private func writeDefinitions(_ next: RuleBook, cutoff: Int64) {
    guard index == 0 else { return }
    let fresh = Set(next.definitions.fresh.map(\.number))
    for definition in next.definitions.kept {
      let row = fresh.contains(definition.number) ? cut(definition, cutoff) : kept(of: definition)
      pendingRows.append(Change(RowKey(.definition, definition.number), row.packed))
    }
    for definition in next.definitions.leaving + next.definitions.gone {
      pendingRows.append(Change(RowKey(.definition, definition.number), definition.packed))
    }
  }

  // MARK: filling

  /// Before anything is decided: a book whose windows are filled in all lanes is the lane's.
  func takeFilledBook() {
    guard let filling, filling.phase == .meeting, filling.book.gate.isFilled(lanes) else { return }
    self.filling = nil
    if filling.isWaiting { take(filling.book) }
    for completion in heldCompletions { out.completions.append(completion) }
    heldCompletions = []
  }

  /// A part of the log, a larger one when nothing else is to be done.
  func fillSome(isIdle: Bool, now: Instant) throws(StoreError) {
    guard var filling else { return }
    if filling.phase == .settling, filling.book.gate.isSettled(lanes) { filling.phase = .events }
    guard filling.phase == .events else {
      self.filling = filling
      return
    }
    filling.isFirst = false
    let reach = filling.definitions.compactMap(\.what.window?.windowMilliseconds).max() ?? 0
    let horizon = now + -(reach + Limits.fillSlackMilliseconds)
    let limit = isIdle ? Limits.fillEventsIdle : Limits.fillEvents
    let rows = try reader.engine.events(before: filling.cursor, limit: limit)
    for row in rows { try fill(row, filling, now: now) }
    filling.cursor = rows.last?.number ?? 0
    filling.oldest = rows.last?.received ?? filling.oldest
    let isPast = filling.oldest.map { $0 < horizon } ?? false
    if rows.count < limit || isPast {
      if !isPast { filling.since = filling.oldest ?? now }
      try finish(&filling)
    } else {
      note(filling, .events)
    }
    self.filling = filling.phase == .meeting && !filling.isWaiting ? nil : filling
  }

  private func finish(_ filling: inout Filling) throws(StoreError) {
    note(filling, .done)
    for definition in filling.definitions { since[definition.number] = filling.since }
    filling.phase = .meeting
    // A start waits for no other lane: its rules are asked lane by lane.
    guard filling.isWaiting else { return }
    let gate = filling.book.gate
    out.completions.append { gate.fill() }
  }

  private func note(_ filling: Filling, _ phase: ProgressRow.Phase) {
    for definition in filling.definitions {
      let cursor = min(fillCursors[definition.number] ?? .max, filling.cursor)
      fillCursors[definition.number] = cursor
      let row = ProgressRow(phase: phase, cursor: cursor, since: phase == .done ? filling.since : nil)
      out.changes.append(RowKey(.progress, definition.number, Int64(index)), row.packed)
    }
  }

  private func fill(_ row: EventRow, _ filling: Filling, now: Instant) throws(StoreError) {
    var decoded: Event?
    for definition in filling.definitions {
      guard let window = definition.what.window, window.event == row.name else { continue }
      // Counted before a kill, or as it was decided.
      guard row.number <= definition.cutoff, row.number < fillCursors[definition.number] ?? .max else { continue }
      if decoded == nil {
        guard let document = try? parser.parse(row.body),
          let event = try? EventDecoder(source: row.source).decode(document.root, received: row.received)
        else { return }
        decoded = event
      }
      guard let event = decoded, let subject = try subject(of: event, row, window.per) else { continue }
      guard Desk.lane(of: subject, lanes: lanes) == index else { continue }
      let cell = try cell(subject, isNew: false, reference: nil, now: now)
      try add(event, row.number, to: definition.number, window, cell, now: now)
      cells.keep(cell)
    }
  }

  /// Whose window of this kind an event of the log counts for.
  private func subject(of event: Event, _ row: EventRow, _ per: String) throws(StoreError) -> Int64? {
    let kind = event.user != nil ? "user" : event.primary?.namespace ?? "user"
    if kind == per { return row.subject }
    let reference = per == "account" ? event.account : event.thing?.namespace == per ? event.thing : nil
    guard let reference else { return nil }
    let key = hash.hash(reference.namespace, UInt8(ascii: ":"), reference.id)
    return try reader.value(RowKey(.identity, Int64(bitPattern: key.high), Int64(bitPattern: key.low)))
      .flatMap(NumberRow.unpack)
  }
}

/// What a window looks at in an event.
enum WindowField {
  static func fits(_ match: WindowDefinition.Match?, _ event: Event) -> Bool {
    guard let match else { return true }
    guard let found = event.dataCursor?.at(path: match.path) else { return false }
    if found.text == match.value { return true }
    // 1 and 1.0 are one number.
    guard found.kind == .integer || found.kind == .double else { return false }
    let wanted = Double(String(decoding: match.value, as: UTF8.self))
    return wanted != nil && wanted == found.double ?? found.integer.map(Double.init)
  }

  static func value(_ window: WindowDefinition, _ event: Event) -> WindowSample.Value {
    guard let field = window.field, let found = event.dataCursor?.at(path: field) else { return .absent }
    switch found.kind {
    case .integer:
      return found.integer.map { .number(.whole($0)) } ?? found.double.map { .number(.real($0)) } ?? .absent
    case .double: return found.double.map { .number(.real($0)) } ?? .absent
    case .string, .boolean: return .scalar(found.text)
    default: return .absent
    }
  }
}
