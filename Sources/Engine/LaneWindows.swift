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
    let fed = feeds.of(event.name)
    if fed.isEmpty { return }
    let key = WindowGroup.number(ofEvent: event.name)
    var group: WindowGroup?
    var hasChanged = false
    for feed in fed where feed.window.per == kind && number > feed.cutoff {
      if group == nil { group = WindowGroup(try cell.measure(key, reader)) }
      if add(event, number, to: feed.number, feed.window, &group!, now: now) { hasChanged = true }
    }
    if hasChanged, let group { keep(group, key, cell) }
  }

  private func add(
    _ event: Event, _ number: Int64, to definition: Int64, _ window: WindowDefinition, _ group: inout WindowGroup,
    now: Instant
  ) -> Bool {
    guard WindowField.fits(window.match, event) else { return false }
    var ring = WindowRing(window, packed: group[definition])
    let sample = WindowSample(time: event.time, number: number, value: WindowField.value(window, event))
    guard ring.add(sample, now: now) else { return false }
    return group.put(ring.packed, definition, now: now)
  }

  private func keep(_ group: WindowGroup, _ key: Int64, _ cell: SubjectCell) {
    let packed = group.packed
    cell.setMeasure(key, packed)
    out.changes.append(RowKey(.measure, cell.subject, key), packed.isEmpty ? nil : packed)
  }

  /// What a subject's window knows.
  func ring(_ window: WindowDefinition, _ number: Int64, _ cell: SubjectCell) throws(StoreError) -> WindowRing {
    let group = WindowGroup(try cell.measure(WindowGroup.number(ofEvent: window.event), reader))
    return WindowRing(window, packed: group[number])
  }

  // MARK: asking

  /// A rule is going to ask the windows of this subject.
  func askWindows(of cell: SubjectCell) {
    windows.cell = cell
    missing = nil
  }

  func value(of window: WindowDefinition, _ cell: SubjectCell) -> WindowValue? {
    guard let number = keptNumbers[.window(window)] else { return nil }
    do throws(StoreError) {
      let group = WindowGroup(try cell.measure(WindowGroup.number(ofEvent: window.event), reader))
      if let missed = group.missed, lastNow - missed < window.windowMilliseconds { missing = (window.event, missed) }
      return WindowRing(window, packed: group[number]).value(at: lastNow)
    } catch {
      failure = error
      return .nothing
    }
  }

  /// Why a rule cannot be asked yet; nil when its windows are ready.
  func unready(_ position: Int) -> String? {
    if fillCursors.isEmpty { return nil }
    let windows = book.definitions.windows(of: book.rules.rules[position])
    guard windows.contains(where: { fillCursors[$0] != nil }) else { return nil }
    return "its windows are being filled from the log of events; it goes live when they are"
  }

  /// Tells in a verdict from when on the windows of a rule know everything, where that is later than they reach.
  func noteSince(_ rule: Rule, _ verdict: inout Verdict, now: Instant) {
    noteMissing(rule, &verdict)
    if rule.windows.isEmpty || since.isEmpty { return }
    guard let known = knownSince(rule, now: now), verdict.reads.count < Limits.verdictReads else { return }
    verdict.reads.append(ReadValue(name: "windows since", value: "\"\(ISO8601.format(known))\""))
  }

  /// Tells that windows which the rule has asked miss events, because there was no room for them.
  private func noteMissing(_ rule: Rule, _ verdict: inout Verdict) {
    guard let missing, rule.windows.contains(where: { $0.event == missing.event }) else { return }
    self.missing = nil
    let told =
      "its windows of '\(missing.event)' miss events, the last one at \(ISO8601.format(missing.last)):"
      + " of one subject they keep \(Limits.windowBytes) bytes"
    verdict.reason = Lane.join(verdict.reason, told)
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
    let fresh = Set(book.definitions.fresh.map(\.number))
    var cutoffs: [Int64: Int64] = [:]
    for number in fresh { cutoffs[number] = lastEvent }
    for definition in book.definitions.kept where definition.what.window != nil {
      let progress = try reader.value(RowKey(.progress, definition.number, Int64(index))).flatMap { ProgressRow($0) }
      if let known = progress?.since { since[definition.number] = known }
      if let own = progress?.cutoff, own > 0 {
        cutoffs[definition.number] = own
        ownCutoffs[definition.number] = own
        rowCutoffs[definition.number] = definition.cutoff
      }
      if definition.isFilled || progress?.phase == .done { continue }
      open.append(definition)
      // This lane was killed before it heard of it: all that it has decided is older.
      if progress == nil {
        cutoffs[definition.number] = lastEvent
        // The row of the definition has the cutoff of the lanes that had heard of it. What others sent this lane before
        // the kill is in the log up to here, and may come after yet another kill: it must not be counted then.
        if !fresh.contains(definition.number) { begin(definition, at: lastEvent) }
      }
    }
    takeFeeds(book.definitions.kept.map { row in cutoffs[row.number].map { cut(row, $0) } ?? row }, book.rules)
    writeDefinitions(book, cutoff: lastEvent)
    try recoverWalk()
    if open.isEmpty { return }
    // Where several were interrupted the one that has to look back from farthest tells where to begin; what was
    // counted already is below the others' own marks.
    filling = Filling(
      book: book, isWaiting: false, definitions: open.map { kept(of: $0) }, phase: .events, cursor: 0)
    try readProgress()
    filling?.cursor = fillCursors.values.max() ?? 0
  }

  private func begin(_ definition: StoredDefinition, at cutoff: Int64) {
    ownCutoffs[definition.number] = cutoff
    rowCutoffs[definition.number] = definition.cutoff
    var row = ProgressRow(phase: .events, cursor: cutoff + 1)
    row.cutoff = cutoff
    pendingRows.append(Change(RowKey(.progress, definition.number, Int64(index)), row.packed))
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

  /// A book with windows that are not filled: they are filled first, and until then the old book holds. False: it can
  /// be taken at once. A book that is overtaken by this one leaves behind what it had begun.
  func prepare(_ next: RuleBook, cutoff: Int64) throws(StoreError) -> Bool {
    for definition in next.definitions.fresh { ownDefinitions[definition.number] = cut(definition, cutoff) }
    writeDefinitions(next, cutoff: cutoff)
    let wanted = Set(next.definitions.kept.map(\.number))
    let begun = (filling?.definitions ?? []).filter { wanted.contains($0.number) }
    let fresh = next.definitions.fresh.filter { $0.what.window != nil }.map { kept(of: $0) }
    fillCursors = fillCursors.filter { wanted.contains($0.key) }
    let gate = next.gate
    out.completions.append { gate.settle() }
    guard !begun.isEmpty || !fresh.isEmpty else {
      // Other lanes may have to wait for this one.
      out.completions.append { gate.fill() }
      return false
    }
    feedEarly(begun + fresh, wanted: wanted)
    try beginFilling(fresh, cutoff: cutoff)
    let oldest = fresh.isEmpty ? filling?.oldest : nil
    filling = Filling(
      book: next, isWaiting: true, definitions: begun + fresh, cursor: fillCursors.values.max() ?? 0, oldest: oldest)
    return true
  }

  /// The windows of a book that is not the lane's yet are fed together with those of the old one.
  private func feedEarly(_ windows: [StoredDefinition], wanted: Set<Int64>) {
    let known = ownDefinitions
    let held = Set(book.definitions.kept.map(\.number))
    takeFeeds(
      book.definitions.kept.map { kept(of: $0) } + windows.filter { !held.contains($0.number) }, book.rules)
    ownDefinitions.merge(known.filter { wanted.contains($0.key) }) { current, _ in current }
  }

  private func beginFilling(_ fresh: [StoredDefinition], cutoff: Int64) throws(StoreError) {
    for definition in fresh {
      fillCursors[definition.number] = cutoff + 1
      let row = ProgressRow(phase: .events, cursor: cutoff + 1)
      out.changes.append(RowKey(.progress, definition.number, Int64(index)), row.packed)
    }
    for own in ownEvents where own.number > cutoff { try count(own, fresh) }
  }

  // MARK: what rules emit while a book is on its way

  /// The desk gave a book its cutoff before this lane took it. What the lane's rules emitted in between has a higher
  /// number although it is older than the book: neither the log up to the cutoff nor the feeds would count it.
  func noteOwn(_ routed: RoutedEvent) {
    if routed.incoming.event.name.hasPrefix("nudged.") { return }
    ownEvents.append(routed)
    if ownEvents.count > Limits.ownEvents { ownEvents.removeFirst(Limits.ownEvents / 2) }
  }

  /// A book that comes behind an event from the desk has no lower cutoff.
  func forgetOwn(through number: Int64) {
    if !ownEvents.isEmpty { ownEvents.removeAll { $0.number <= number } }
  }

  private func count(_ own: RoutedEvent, _ definitions: [StoredDefinition]) throws(StoreError) {
    let event = own.incoming.event
    let kind = event.user != nil ? "user" : event.primary?.namespace ?? "user"
    for definition in definitions {
      guard let window = definition.what.window, window.event == event.name, window.per == kind else { continue }
      let cell = try cell(own.subject, isNew: false, reference: nil, now: lastNow)
      try count(event, own.number, definition.number, window, cell, now: lastNow)
    }
  }

  /// Adds one event to one window.
  private func count(
    _ event: Event, _ number: Int64, _ definition: Int64, _ window: WindowDefinition, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) {
    let key = WindowGroup.number(ofEvent: window.event)
    var group = WindowGroup(try cell.measure(key, reader))
    if add(event, number, to: definition, window, &group, now: now) { keep(group, key, cell) }
    cells.keep(cell)
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
      // Rules that are asked now come first.
      if keptNumbers[definition.what] == nil { keptNumbers[definition.what] = definition.number }
    }
    feeds = next
    ownDefinitions = own
  }

  /// The windows of a book that is the lane's from now on.
  func takeWindows(of next: RuleBook, after last: RuleBook) {
    takeFeeds(next.definitions.kept.map { kept(of: $0) }, next.rules)
    beginWalk(next, after: last)
    do throws(StoreError) { try takeSchedules(of: next) } catch { failure = error }
  }

  /// By one lane for all; what is new by every lane, so that nothing is ever kept under a number that no row tells of.
  private func writeDefinitions(_ next: RuleBook, cutoff: Int64) {
    let fresh = Set(next.definitions.fresh.map(\.number))
    for definition in next.definitions.kept where index == 0 || fresh.contains(definition.number) {
      var row = fresh.contains(definition.number) ? cut(definition, cutoff) : kept(of: definition)
      // The others go by what the row says.
      if let all = rowCutoffs[definition.number], !fresh.contains(definition.number) { row.cutoff = all }
      pendingRows.append(Change(RowKey(.definition, definition.number), row.packed))
    }
    guard index == 0 else { return }
    for definition in next.definitions.leaving + next.definitions.gone {
      pendingRows.append(Change(RowKey(.definition, definition.number), definition.packed))
    }
  }

  // MARK: filling

  /// Before anything is decided: a book whose windows are filled in all lanes is the lane's.
  func takeFilledBook() throws(StoreError) {
    guard let filling, filling.phase == .meeting, filling.book.gate.isFilled(lanes) else { return }
    self.filling = nil
    if filling.isWaiting { try take(filling.book) }
    releaseCompletions()
  }

  func releaseCompletions() {
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
    // Those that an overtaken book had filled are all there is.
    if fillCursors.isEmpty {
      finish(&filling)
      self.filling = filling
      return
    }
    let limit = isIdle ? Limits.fillEventsIdle : Limits.fillEvents
    let rows = try reader.engine.events(before: filling.cursor, limit: limit)
    foundSubjects += rows.count
    for row in rows { try fill(row, filling, now: now) }
    filling.cursor = rows.last?.number ?? 0
    filling.oldest = rows.last?.received ?? filling.oldest
    let isPast = filling.oldest.map { $0 < horizon } ?? false
    if rows.count < limit || isPast {
      if !isPast { filling.since = filling.oldest ?? now }
      finish(&filling)
    } else {
      note(filling, .events)
    }
    self.filling = filling.phase == .meeting && !filling.isWaiting ? nil : filling
    // Runs whose time came meanwhile, and whose rule could not be asked.
    if self.filling == nil { releaseTimers() }
  }

  private func finish(_ filling: inout Filling) {
    note(filling, .done)
    for number in fillCursors.keys { since[number] = filling.since }
    if let oldest = filling.oldest {
      let text = "\(fillCursors.count) windows know what the log of events knows, back to \(ISO8601.format(oldest))"
      out.logs.append(RuleLog(rule: "", subject: 0, event: 0, text: text))
    }
    fillCursors = [:]
    filling.phase = .meeting
    // A start waits for no other lane: its rules are asked lane by lane.
    guard filling.isWaiting else { return }
    let gate = filling.book.gate
    out.completions.append { gate.fill() }
  }

  private func note(_ filling: Filling, _ phase: ProgressRow.Phase) {
    for (number, known) in fillCursors.sorted(by: { $0.key < $1.key }) {
      let cursor = min(known, filling.cursor)
      fillCursors[number] = cursor
      var row = ProgressRow(phase: phase, cursor: cursor, since: phase == .done ? filling.since : nil)
      row.cutoff = ownCutoffs[number] ?? 0
      out.changes.append(RowKey(.progress, number, Int64(index)), row.packed)
    }
  }

  private func fill(_ row: EventRow, _ filling: Filling, now: Instant) throws(StoreError) {
    var decoded: Event?
    for definition in filling.definitions {
      guard let window = definition.what.window, window.event == row.name else { continue }
      // Counted before, or as it was decided.
      guard let cursor = fillCursors[definition.number], row.number < cursor else { continue }
      if decoded == nil {
        guard let document = try? parser.parse(row.body),
          let event = try? EventDecoder(source: row.source).decode(document.root, received: row.received)
        else { return }
        decoded = event
      }
      guard let event = decoded, let subject = try subject(of: event, row, window.per) else { continue }
      guard Desk.lane(of: subject, lanes: lanes) == index else { continue }
      let cell = try cell(subject, isNew: false, reference: nil, now: now)
      try count(event, row.number, definition.number, window, cell, now: now)
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
