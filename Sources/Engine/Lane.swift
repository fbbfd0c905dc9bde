// A lane: the single owner of its shards' subjects. It takes events in order, asks the rules, and
// turns what they want into one set of decisions for the store. Reading, deciding and writing need no
// lock, because no one else touches these subjects.
//
// Thread: one lane, one thread (or the simulator). Promise: the same events and rules give the same
// decisions; nothing outside is touched; what a step decided is complete in its decisions.

package import Basics
package import Model
internal import Rules
package import Store

/// What a person wants of a run; `done` is called when it is on disk, with what became of it.
package struct RunCommand: Sendable {
  package enum Action: Sendable, Equatable { case wake, cancel }
  package var action: Action
  package var run: Int64
  package var subject: Int64
  package var done: (@Sendable (RunAnswer) -> Void)?

  package init(_ action: Action, run: Int64, subject: Int64, done: (@Sendable (RunAnswer) -> Void)? = nil) {
    self.action = action
    self.run = run
    self.subject = subject
    self.done = done
  }
}

/// Why something is decided: the event whose verdicts and effects it belongs to.
struct Cause {
  var number: Int64
  var dedupe: Hash128
  /// How many emitted events lie between it and the outside.
  var depth: Int
  var allowance: Int
  var isTest: Bool

  init(
    number: Int64, dedupe: Hash128, depth: Int = 0, allowance: Int = Limits.emittedPerEvent, isTest: Bool = false
  ) {
    self.isTest = isTest
    self.number = number
    self.dedupe = dedupe
    self.depth = depth
    self.allowance = allowance
  }

  init(_ incoming: IncomingEvent, number: Int64) {
    self.init(
      number: number, dedupe: incoming.dedupe, depth: incoming.event.depth, allowance: incoming.event.allowance,
      isTest: incoming.event.isTest)
  }
}

package enum LaneInput: Sendable {
  case event(RoutedEvent)
  case repeated(RepeatBarrier)
  case message(LaneMessage)
  /// A message to someone who is known by name only: whom it turned out to be, and rows that say so.
  case addressed(LaneMessage, subject: Int64, changes: [Change], isNew: Bool)
  case command(RunCommand)
  /// A rule is paused by hand, or lives again.
  case pause(rule: Int64, PauseRow?)
  case completion(@Sendable () -> Void)
  /// A row to write that no event comes with.
  case change(Change)
  /// What arrived before this moment has come.
  case caughtUp(Instant)
  /// Events up to `cutoff` are older than the book.
  case publish(RuleBook, cutoff: Int64)
}

package final class Lane {
  package let index: Int
  let lanes: Int
  let reader: StoreReader
  let numbers: Numbers
  let hash: KeyedHash
  let mark: EvaluationMark
  let parser = DocumentParser(maximumBytes: Limits.inflatedBodyBytes, maximumDepth: Limits.jsonDepth)
  private let decoder = EventDecoder(source: "nudged")
  var cells = SubjectCache(capacity: Limits.subjectsInMemory)
  var book: RuleBook
  var runtime: RuleRuntime
  private var sequence: Int64 = 0
  /// This step's number. Steps without inputs, as those for timers, have one, too: what they decided is
  /// not on disk because what came before them is.
  var turn: Int64 = 0
  /// The last step before this one that decided something.
  var decidedTurn: Int64 = 0
  /// What steps found to do by themselves, as far as it is not on disk: for how many subjects.
  private var ahead: [(turn: Int64, subjects: Int)] = []
  private var aheadSubjects = 0
  /// Likewise of the step at hand.
  var foundSubjects = 0
  var out: Decisions
  private var verdicts = VerdictWriter()
  private var verdictRange: (first: Int64, last: Int64)?
  /// Events that rules emitted to the subject at hand, decided next, in the same step.
  var emitted: [RoutedEvent] = []
  var wishes: [Wish] = []
  /// `now` never runs backwards, whatever the clock does.
  var lastNow = Instant.zero
  /// How many times as fast as a real one the clock runs.
  var clockRate: Int64 = 1
  private var subjects: [(first: Int64, second: Int64)] = []
  private var touched = 0
  package let counters: LaneCounters
  /// The highest subject that came with this lane's events, and what of that is written down. A number
  /// that was given out must never be given out again, even when only an identity refers to it.
  var newestSubject: Int64
  private var countedSubject: Int64

  package init(
    index: Int, lanes: Int, reader: StoreReader, numbers: Numbers, hashKey: (UInt64, UInt64), mark: EvaluationMark,
    book: RuleBook, highestSubject: Int64, highestRun: Int64 = 0, counters: LaneCounters = LaneCounters(),
    durable: Counter = Counter(), timersFrom: Instant = .zero, guardian: RuleGuard = RuleGuard(),
    lastEvent: Int64 = 0, catchUpRate: Int? = nil
  ) throws {
    self.durable = durable
    self.timersFrom = timersFrom
    self.guardian = guardian
    late = catchUpRate.map { LateTimers(perSecond: $0, lanes: lanes) }
    newestRun = highestRun
    countedRun = highestRun
    self.index = index
    self.lanes = lanes
    self.reader = reader
    self.numbers = numbers
    self.mark = mark
    self.book = book
    self.counters = counters
    hash = KeyedHash(key0: hashKey.0, key1: hashKey.1)
    runtime = try RuleRuntime(book.rules, zones: zones)
    // What the last process wrote down is never lowered.
    newestSubject = highestSubject
    countedSubject = highestSubject
    out = Decisions(lane: index, sequence: 0)
    pendingRows = book.rows
    try recoverRuns()
    try openCounts()
    try recoverWindows(lastEvent: lastEvent)
    windows.lane = self
    calendars.lane = self
    runtime.windows = windows
    runtime.calendars = calendars
  }

  /// Rows of the first book, written with the first decisions.
  var pendingRows: [Change]

  // What windows need; see LaneWindows.
  let windows = LaneWindowReader()
  private(set) lazy var calendars = LaneCalendarMaker(zones: zones, hash: hash)
  var feeds = Feeds()
  /// Definitions with their cutoffs, and their numbers by what they are.
  var ownDefinitions: [Int64: StoredDefinition] = [:]
  var keptNumbers: [MeasureDefinition: Int64] = [:]
  /// From when on they know everything, where the log did not reach as far back as they do.
  var since: [Int64: Instant] = [:]
  /// The event whose windows a rule has asked although there was no room for all of them, and when one was left out last.
  var missing: (event: String, last: Instant)?
  var filling: Filling?
  /// Ways through all subjects; see LaneOccasions.
  var walk: Walk?
  var removal: Removal?
  /// See LaneSchedules.
  var schedules: [Schedule] = []
  /// How many of this lane's subjects are in a segment.
  var tallies: [Int64: Int64] = [:]
  var segmentFailures: [Int64: Instant] = [:]
  /// When the alarm that rings was due; and the own event that it has told, which may come too late for its rules.
  var ringing: Instant?
  var told: (id: String, due: Instant)?
  /// When the log last told that a schedule was missed by too much.
  var missedSchedules: [Int64: Instant] = [:]
  /// Of the windows that are not filled, the events below which are still to be counted.
  var fillCursors: [Int64: Int64] = [:]
  /// Up to which event this lane takes windows from the log, where it heard of them only after a kill; and up to which
  /// one those do that heard of them before.
  var ownCutoffs: [Int64: (own: Int64, all: Int64)] = [:]
  /// What rules emitted lately and a book that is on its way may take for newer than itself; see LaneWindows.
  var ownEvents: [RoutedEvent] = []
  /// For those who wait for a book that is not the lane's yet.
  var heldCompletions: [@Sendable () -> Void] = []

  // What runs need; see LaneRuns.
  var timers = TimerQueue()
  /// Everything that arrived before this moment has come: timers that are due later wait for what did not. A
  /// lane that takes what arrives without a queue before it need not ask.
  package var caughtUp = Instant.distantFuture
  /// When this lane asked the desk to be told.
  var asked: Instant?
  var hasQuestion = false
  /// Those that nobody was there for; nil: there is no such thing as late, and what is due fires.
  var late: LateTimers?
  /// Due runs of rules that are paused.
  var heldTimers: [Timer] = []
  /// No timer fires before this.
  let timersFrom: Instant
  /// The newest step of this lane whose decisions are on disk, by its turn.
  let durable: Counter
  var listening = Listening()
  /// Versions besides the newest ones, as far as they were needed.
  var older: [Int64: RunVersion?] = [:]
  /// Runs of each version that live and are counted by this lane; and which counts are to be written.
  var livingRuns: [Int64: Int64] = [:]
  var recounted: Set<Int64> = []
  /// What lanes counted that there are no more; the first lane tells of it.
  var inherited: [Int64: Int64] = [:]
  /// Rules of older versions that runs of other lanes may have.
  var heardElsewhere: [Int64: Rule] = [:]
  var newestRun: Int64
  var countedRun: Int64
  /// Events that runs refer to; the newest ones are not in the store yet.
  var shelf = EventShelf()
  var pendingListens: [PendingListen] = []
  var youngWaiters: [YoungWaiter] = []
  /// What the run at hand would have done, were its rule not in shadow.
  var toldInShadow = ""
  /// Runs that the event at hand has ended.
  var endedByEvent: [RunRow] = []
  let zones = ZoneShelf()
  /// A read that failed inside of a rule's word.
  var failure: StoreError?
  let guardian: RuleGuard
  /// What rules with a goal bring about; see LaneLift.
  var lift = LiftLedger()

  // MARK: step

  package func step(_ inputs: [LaneInput], now wall: Instant) throws(StoreError) -> Decisions {
    let now = max(wall, lastNow)
    lastNow = now
    sequence += Int64(inputs.count)
    if !out.isEmpty { decidedTurn = turn }
    noteAhead()
    turn += 1
    out = Decisions(lane: index, sequence: sequence)
    out.turn = turn
    out.changes.reserve(inputs.count * 3)
    flushRows()
    // A start with a short log is over before its first event is decided.
    if filling != nil, !isAhead { try fillSome(isIdle: inputs.isEmpty || filling?.isFirst == true, now: now) }
    try takeFilledBook()
    if walk != nil, !isAhead { try walkOn(isIdle: inputs.isEmpty, now: now) }
    if removal != nil, !isAhead { try removeOn(isIdle: inputs.isEmpty, now: now) }
    touch(inputs)
    for input in inputs { try take(input, now: now) }
    try finishListens(now: now)
    try fireTimers(now: now)
    try fireSchedules(now: now)
    countRuns()
    writeCounts()
    closeVerdicts()
    if newestSubject > countedSubject {
      countedSubject = newestSubject
      out.changes.append(RowKey(.counter, Counted.subjects, Int64(index)), number: newestSubject)
    }
    return out
  }

  private func noteAhead() {
    if foundSubjects > 0, !out.isEmpty {
      ahead.append((turn, foundSubjects))
      aheadSubjects += foundSubjects
    }
    foundSubjects = 0
    let known = durable.value
    guard let first = ahead.first, first.turn <= known else { return }
    for step in ahead where step.turn <= known { aheadSubjects -= step.subjects }
    ahead.removeAll { $0.turn <= known }
  }

  /// What a lane finds to do by itself, as it is for all subjects, waits for the disk now and then: what is decided
  /// and not on disk is only in the cache, which must never have to let go of it. The door bounds what others want.
  var isAhead: Bool { aheadSubjects >= Limits.subjectsAhead }

  /// Makes the cells that will be looked up come near; see `FlatTable.touch`.
  private func touch(_ inputs: [LaneInput]) {
    // A lone event gains nothing by it.
    if inputs.count < 4 { return }
    subjects.removeAll(keepingCapacity: true)
    for case .event(let routed) in inputs { subjects.append((routed.subject, 0)) }
    touched = cells.touch(subjects)
  }

  private func take(_ input: LaneInput, now: Instant) throws(StoreError) {
    switch input {
    case .event(let routed):
      forgetOwn(through: routed.number)
      try decide(routed, now: now)
      if let ticket = routed.incoming.ticket { out.settle(ticket) }
      try decideEmitted(now: now)
    case .repeated(let barrier):
      out.repeats.append(barrier)
    case .message(let message):
      try take(message, now: now)
      try decideEmitted(now: now)
    case .addressed(let message, let subject, let changes, let isNew):
      for change in changes { out.changes.append(change) }
      try takeAddressed(message, subject, isNew: isNew, now: now)
    case .command(let command):
      let answer = try obey(command, now: now)
      if let done = command.done { out.completions.append { done(answer) } }
      try decideEmitted(now: now)
    case .pause(let rule, let row):
      // One lane writes the row, all of them wake what was held.
      if index == 0 { out.changes.append(RowKey(.pause, rule), row?.packed) }
      releaseTimers()
    case .completion(let done):
      if filling?.isWaiting == true { heldCompletions.append(done) } else { out.completions.append(done) }
    case .change(let change):
      out.changes.append(change)
    case .caughtUp(let moment):
      caughtUp = max(caughtUp, moment)
      asked = nil
    case .publish(let book, let cutoff):
      if try prepare(book, cutoff: cutoff) { return flushRows() }
      filling = nil
      try take(book)
      releaseCompletions()
    }
  }

  func take(_ next: RuleBook) throws(StoreError) {
    do throws(RuleComplaint) {
      let loaded = try RuleRuntime(next.rules, zones: zones)
      keepOlder(book, than: next)
      runtime = loaded
      runtime.windows = windows
      runtime.calendars = calendars
      let last = book
      book = next
      takeWindows(of: next, after: last)
      listen()
      releaseTimers()
      pendingRows += next.rows
      flushRows()
      counters.noteBook()
    } catch {
      return counters.noteRefusedBook(error)
    }
    try openCounts()
  }

  /// At once and not with the next event: a number that no row explains would be given to another rule
  /// after the next start.
  private func flushRows() {
    for row in pendingRows { out.changes.append(row) }
    pendingRows = []
  }

  func decideEmitted(now: Instant) throws(StoreError) {
    var position = 0
    while position < emitted.count {
      try decide(emitted[position], now: now)
      noteOwn(emitted[position])
      position += 1
    }
    emitted.removeAll(keepingCapacity: true)
  }

  // MARK: one event

  private func decide(_ routed: RoutedEvent, now: Instant) throws(StoreError) {
    let event = routed.incoming.event
    let isNew = routed.created.contains(routed.subject)
    let cell = try cell(routed.subject, isNew: isNew, reference: event.primary, now: now)
    for change in routed.changes { out.changes.append(change) }
    out.dedupe.append(routed.incoming.dedupe)
    out.events.append(
      EventRow(
        number: routed.number, subject: routed.subject, previous: cell.chain, received: event.received,
        source: event.source,
        name: event.name, cause: routed.cause, depth: event.depth, body: routed.incoming.body))
    cell.chain = routed.number
    out.changes.append(RowKey(.chain, routed.subject), number: routed.number)
    // Not only the created ones: an identity may be on disk with a later event than the one that made it.
    newestSubject = max(newestSubject, routed.subject, routed.account ?? 0, routed.thing ?? 0)
    counters.events.add(1)
    if !pendingListens.isEmpty { noteForPending(event.name, routed.number, routed.subject) }

    let kind = event.user != nil ? "user" : event.primary?.namespace ?? "user"
    let isFirst = cell.isUnwritten
    // Before the rules: one that answers a withdrawal must not send what was just withdrawn.
    if event.name == "nudged.consent" { noteConsent(event, routed.number, cell, now: now) }
    try feed(kind, event, routed.number, cell, now: now)
    let wanted = try evaluate(kind, event, routed.number, routed.incoming.dedupe, cell, now: now)
    settleSubject(cell, routed, wanted: wanted)
    try lookAtSegments(event.name, cell, isNew: isFirst, now: now)
    if isFirst, !schedules.isEmpty { joinRounds(cell, now: now) }
    emitWishes(Cause(routed.incoming, number: routed.number), cell)
    try sendMessages(routed)
    cells.keep(cell)
  }

  /// What rules asked to be set, and what the event itself says of its subject; after the rules, which
  /// see the state as of before the event.
  private func settleSubject(
    _ cell: SubjectCell, _ routed: RoutedEvent, wanted: [[UInt8]]
  ) {
    let event = routed.incoming.event
    let cause = Cause(routed.incoming, number: routed.number)
    var changed = cell.isUnwritten
    for reference in routed.linked where !cell.row.names.contains(reference) {
      // The user's name comes before the visitor's: it is what rules see.
      if reference.namespace == "anon" {
        cell.row.names.append(reference)
      } else {
        cell.row.names.insert(reference, at: 0)
      }
      changed = true
    }
    if event.user != nil, let account = event.account?.id, cell.account != account {
      cell.row.account = account
      cell.noteTraits()
      changed = true
    }
    if let traits = event.traits, event.name != "group" || event.user == nil {
      changed = merge(JSONCursor(document: event.document, index: traits), into: cell, cause) || changed
    }
    write(cell, wanted: wanted, cause, changed: changed || cell.isUnwritten)
  }

  /// What rules asked to be set, and the subject's row if anything changed.
  func write(_ cell: SubjectCell, wanted: [[UInt8]], _ cause: Cause, changed: Bool) {
    var changed = changed
    for json in wanted {
      if let document = try? parser.parse(json) { changed = merge(document.root, into: cell, cause) || changed }
    }
    guard changed else { return }
    cell.isUnwritten = false
    out.changes.append(RowKey(.subject, cell.subject), cell.row.packed)
  }

  func merge(_ additions: JSONCursor, into cell: SubjectCell, _ cause: Cause) -> Bool {
    guard let merged = Traits.merge(cell.row.traits, additions, parser) else { return false }
    guard merged.traits.count <= Limits.traitsBytes else {
      let reason =
        "traits would take \(merged.traits.count) bytes, \(Limits.traitsBytes) are allowed; they stay as they were"
      noteVerdict(cause.number, 0, [Verdict(rule: "", code: .failed, reason: reason)])
      return false
    }
    cell.row.traits = merged.traits
    cell.noteTraits()
    if isAwaited("nudged.trait.changed") {
      var data = JSONWriter(capacity: merged.changed.count + 16)
      data.beginObject()
      data.key("traits")
      data.raw(merged.changed)
      data.endObject()
      // One event may change a user and an account: their own events must not share an id.
      let name = "nudged.trait.changed " + (cell.row.names.first?.namespace ?? "")
      emit("nudged.trait.changed", data.bytes, id: effectID(cause.dedupe, name, wishes.count), cell)
    }
    return true
  }

  /// Other subjects the event names hear of it from their own lanes, once this is on disk.
  private func sendMessages(_ routed: RoutedEvent) throws(StoreError) {
    let event = routed.incoming.event
    var others: [(subject: Int64, kind: String)] = []
    if let account = routed.account, account != routed.subject { others.append((account, "account")) }
    if let thing = routed.thing, thing != routed.subject { others.append((thing, event.thing?.namespace ?? "")) }
    for (position, other) in others.enumerated() {
      let listens =
        book.rules.matching(event.name).contains { book.rules.rules[$0].header.per == other.kind }
        || listening.hears(event.name, other.kind) || feeds.hears(event.name, other.kind)
        || book.isGoal(event.name, of: other.kind)
      let describes = other.kind == "account" && event.name == "group" && event.traits != nil
      guard listens || describes || routed.created.contains(other.subject) else { continue }
      let key = RowKey(.message, routed.number, Int64(position))
      out.changes.append(key, MessageRow(kind: .observe, subject: other.subject).packed, isNew: true)
      let copy = IncomingEvent(event: event, dedupe: routed.incoming.dedupe, body: routed.incoming.body, ticket: nil)
      out.messages.append(
        LaneMessage(event: routed.number, position: Int64(position), subject: other.subject, content: .observe(copy)))
    }
  }

  // MARK: messages

  private func take(_ message: LaneMessage, now: Instant) throws(StoreError) {
    if case .caughtUp(let run, let due) = message.content {
      return try fire(Timer(due: due, run: run, subject: message.subject), isCaughtUp: true, now: now)
    }
    out.changes.append(RowKey(.message, message.event, message.position), nil)
    guard case .observe(let incoming) = message.content else { return try takeForRun(message, now: now) }
    let event = incoming.event
    let reference =
      message.position == 0 && event.account != nil && event.primary != event.account ? event.account : event.thing
    let kind = reference?.namespace ?? "account"
    let cell = try cell(message.subject, isNew: false, reference: reference, now: now)
    let isFirst = cell.isUnwritten
    try feed(kind, event, message.event, cell, now: now)
    let wanted = try evaluate(kind, event, message.event, incoming.dedupe, cell, now: now)
    let cause = Cause(incoming, number: message.event)
    var changed = cell.isUnwritten
    if kind == "account", event.name == "group", let traits = event.traits {
      changed = merge(JSONCursor(document: event.document, index: traits), into: cell, cause) || changed
    }
    write(cell, wanted: wanted, cause, changed: changed)
    try lookAtSegments(event.name, cell, isNew: isFirst, now: now)
    if isFirst, !schedules.isEmpty { joinRounds(cell, now: now) }
    emitWishes(cause, cell)
    cells.keep(cell)
  }

  // MARK: rules

  /// Asks every rule of this kind of subject. Returns what they want to be set, in order.
  func evaluate(
    _ kind: String, _ event: Event, _ number: Int64, _ dedupe: Hash128, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> [[UInt8]] {
    if !book.goals.isEmpty { try noteGoals(kind, event, cell) }
    var matching = book.rules.matching(event.name)
    if let key = Occasion.key(of: event) { matching += book.rules.matching(key) }
    let isHeard = listening.hears(event.name, kind)
    if matching.isEmpty, !isHeard { return [] }
    if event.depth >= Limits.causalDepth {
      noteVerdict(
        number, 0,
        [
          Verdict(
            rule: "", code: .tooDeep,
            reason: "\(Limits.causalDepth) emitted events lie behind it: rules that wake each other end here")
        ])
      return []
    }
    var wanted: [[UInt8]] = []
    var told: [Verdict] = []
    var notMatched = 0
    var conflicts = TraitConflicts()
    endedByEvent = []
    if isHeard { try tellRuns(event, number, cell, now: now, told: &told, wanted: &wanted) }
    for position in matching where book.rules.rules[position].header.per == kind {
      let before = wanted.count
      var verdict = try ask(position, event, number, dedupe, cell, now: now, wanted: &wanted)
      for json in wanted[before...] {
        if let conflict = conflicts.note(json, rule: verdict.rule, parser) { verdict.reason = conflict }
      }
      if verdict.code == .notMatched { notMatched += 1 } else { told.append(verdict) }
    }
    if notMatched > 0 || !told.isEmpty { noteVerdict(number, notMatched, told) }
    return wanted
  }

  private static func noKey(_ key: RuleHeader.Key, _ name: String) -> String {
    let path: String? =
      switch key {
      case .subject: nil
      case .path(let path): path
      case .byEvent(let paths): paths[name]
      }
    guard let path else { return "the rule's key has no path for \(name)" }
    return
      "the event has nothing at '\(path)' that can be the rule's key: a text or a whole number of at most \(Limits.keyBytes) bytes"
  }

  func noteVerdict(_ number: Int64, _ notMatched: Int, _ told: [Verdict]) {
    var range = verdictRange ?? (number, number)
    range = (min(range.first, number), max(range.last, number))
    if !VerdictRow.isNear(range.first, range.last) {
      closeVerdicts()
      range = (number, number)
    }
    verdicts.append(event: number, counted: notMatched, told)
    verdictRange = range
  }

  private func closeVerdicts() {
    guard let range = verdictRange else { return }
    out.verdicts.append(VerdictRow(first: range.first, last: range.last, packed: verdicts.packed))
    verdicts = VerdictWriter()
    verdictRange = nil
  }

  private func ask(
    _ position: Int, _ event: Event, _ number: Int64, _ dedupe: Hash128, _ cell: SubjectCell, now: Instant,
    wanted: inout [[UInt8]]
  ) throws(StoreError) -> Verdict {
    let rule = book.rules.rules[position]
    if let reason = pause(of: position) { return Verdict(rule: rule.path, code: .paused, reason: reason) }
    if let reason = toldTooLate(event, book.numbers[position], now: now) {
      return Verdict(rule: rule.path, code: .skipped, reason: reason)
    }
    if !rule.windows.isEmpty { askWindows(of: cell) }
    var key = ""
    if rule.header.key != .subject {
      guard let found = runtime.key(position, event: event) else {
        return Verdict(rule: rule.path, code: .noKey, reason: Lane.noKey(rule.header.key, event.name))
      }
      key = found
    }
    let again = rule.header.again
    var againHash: Int64 = 0
    if again != .always {
      againHash = self.againHash(book.numbers[position], key)
      if let last = try cell.lastRun(againHash, reader), !Lane.mayRun(again, last: last, now: now) {
        return Verdict(rule: rule.path, code: .notAgain, reason: "it ran at \(ISO8601.format(last))")
      }
    }
    if rule.waits {
      return try start(
        position, key, againHash, event, number, dedupe, cell, now: now, wanted: &wanted)
    }
    let ruleNumber = book.numbers[position]
    let input = try input(event, ruleNumber, seed: dedupe, cell, now: now)
    mark.enter(rule: ruleNumber, event: dedupe)
    var outcome = runtime.run(position, input)
    // The second net counts time, which is the machine's and not the rule's: what it stopped had no
    // effect and may try once more.
    if outcome.limit == .time { outcome = runtime.run(position, input) }
    mark.leave()
    counters.note(outcome.code)
    if let limit = outcome.limit, limit != .time { noteViolation(ruleNumber, outcome.reason, now: now) }
    if outcome.code == .failed || outcome.code == .overBudget {
      tellFailed(rule.path, outcome.reason, line: outcome.line, event, number, dedupe, cell)
    }
    var verdict = Verdict(
      rule: rule.path, code: outcome.code, line: outcome.line, reason: outcome.reason, reads: outcome.reads,
      effects: outcome.effects.count)
    noteSince(rule, &verdict, now: now)
    guard outcome.code == .ran else { return verdict }
    if let state = outcome.state { keep(state, of: ruleNumber, cell) }
    noteAgain(rule, againHash, cell, now: now)
    let origin = EffectOrigin(
      rule: rule.path, ruleNumber: ruleNumber, event: number, seed: dedupe, isTest: event.isTest)
    if rule.header.mode == .shadow {
      verdict.code = .shadow
      verdict.reason = record(outcome.effects, entries: Array(outcome.effects.indices), of: origin, cell, now: now)
      return verdict
    }
    let isHeldOut = try isHeldOut(position, cell)
    try noteMet(position, key, event, cell, now: now)
    if isHeldOut {
      verdict.code = .heldOut
      verdict.reason = withhold(
        outcome.effects, entries: Array(outcome.effects.indices), of: origin, cell, now: now, wanted: &wanted)
      return verdict
    }
    noteEffects(ruleNumber, outcome.effects, now: now)
    for (entry, effect) in outcome.effects.enumerated() {
      apply(effect, entry: entry, of: origin, cell, now: now, wanted: &wanted)
    }
    return verdict
  }

  /// What a rule is given to look at.
  func input(
    _ event: Event, _ rule: Int64, seed: Hash128, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) -> RuleInput {
    RuleInput(
      event: event, customerID: cell.customerID, traits: cell.traits(parser),
      account: cell.account.isEmpty ? nil : cell.account, state: try cell.state(of: rule, reader), now: now,
      seed: Hash128(high: seed.high ^ UInt64(bitPattern: rule), low: seed.low))
  }

  func keep(_ state: [UInt8], of rule: Int64, _ cell: SubjectCell) {
    cell.setState(of: rule, state)
    // "{}" is what a rule without state has.
    out.changes.append(RowKey(.state, cell.subject, rule), state.isEmpty || state.count == 2 ? nil : state)
  }

  /// What `again` counts by.
  func againHash(_ rule: Int64, _ key: String) -> Int64 { Int64(bitPattern: hash.hash("\(rule):\(key)").low) }

  func noteAgain(_ rule: Rule, _ againHash: Int64, _ cell: SubjectCell, now: Instant) {
    if rule.header.again == .always { return }
    cell.setLastRun(againHash, now)
    out.changes.append(RowKey(.again, cell.subject, againHash), number: now.milliseconds)
  }

  static func mayRun(_ again: RuleHeader.Again, last: Instant, now: Instant) -> Bool {
    switch again {
    case .always: true
    case .never: false
    case .after(let milliseconds): now - last >= milliseconds
    }
  }

  // MARK: cells

  func cell(
    _ subject: Int64, isNew: Bool, reference: @autoclosure () -> SubjectReference?, now: Instant
  ) throws(StoreError) -> SubjectCell {
    if !isNew, let known = cells.find(subject) { return known }
    if !isNew, let row = try reader.value(RowKey(.subject, subject)) {
      let chain = try reader.value(RowKey(.chain, subject)).flatMap(NumberRow.unpack) ?? 0
      return SubjectCell(subject: subject, row: row, chain: chain, isNew: false)
    }
    let row = SubjectRow(shard: Shards.shard(of: subject), names: reference().map { [$0] } ?? [], created: now)
    let cell = SubjectCell(subject: subject, row: row.packed, chain: 0, isNew: isNew)
    cell.isUnwritten = true
    return cell
  }
}
