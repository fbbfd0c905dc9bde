// The lane, its runs and what lies between lanes: versions of rules, counts that survive a start, and
// runs that wait for the events of other subjects.
//
// Thread: the lane's. Promise: a run that waits for someone else's event hears of every one after its own
// start, once and in order, whichever lane that subject belongs to.

internal import Basics
internal import Model
internal import Rules
internal import Store

/// A run that wants to hear, while the events that are not in the store yet get there.
struct PendingListen {
  var listener: RunListener
  var subject: Int64
  /// The subject's newest event when the run asked.
  var head: Int64
  /// The step whose decisions have to be on disk before the store can tell all that came until then.
  var awaited: Int64
  /// Those that came since, which the run listens to.
  var since: [(number: Int64, name: String)] = []
  var message: RowKey
  /// The run's time is up; it is answered once it has got what came.
  var ask: LaneMessage?
}

struct YoungWaiter {
  var subject: Int64
  var run: Int64
  /// Nil: it is not registered any more.
  var listener: RunListener?
  var sequence: Int64
}

extension Lane {
  // MARK: versions

  /// After a start: how many runs of which version live, and what they listen to.
  func recoverRuns() throws(StoreError) {
    let rows = try reader.rows(from: RowKey(.counter, .min), to: RowKey(.counter, 0), limit: Int.max / 4)
    var sums: [Int64: Int64] = [:]
    for row in rows {
      let count = row.value.flatMap(NumberRow.unpack) ?? 0
      sums[-row.key.first, default: 0] += count
      let lane = Int(row.key.second)
      if lane == index { livingRuns[-row.key.first] = count }
      if lane >= lanes, index == 0 { inherited[-row.key.first, default: 0] += count }
    }
    for version in Set(livingRuns.keys).union(inherited.keys) { tellLiving(version) }
    for (version, count) in sums where count > 0 { _ = try self.version(version) }
    listen()
  }

  /// The names that matter now: of the newest versions, and of older ones that were met.
  func listen() {
    var listening = Listening()
    for rule in book.rules.rules { listening.add(rule) }
    for version in older.values { if let version { listening.add(version.rule) } }
    for rule in heardElsewhere.values { listening.add(rule) }
    self.listening = listening
  }

  /// Before the next book is taken: runs that live keep the versions of the old one. A version that no run
  /// of this lane needs is let go, because it holds the scripts of its whole book; that other lanes may
  /// have runs that listen is kept.
  func keepOlder(_ book: RuleBook, than next: RuleBook) {
    for (place, rule) in book.rules.rules.enumerated() where rule.waits {
      let number = book.versions[place]
      if next.versionPlaces[number] != nil { continue }
      older[number] = RunVersion(number: number, rule: rule, runtime: runtime, place: place)
    }
    for (number, version) in older where livingRuns[number, default: 0] == 0 {
      older[number] = nil
      if lanes > 1, let version { heardElsewhere[number] = version.rule }
    }
  }

  /// The version a run keeps; nil when it cannot be loaded.
  func version(_ number: Int64) throws(StoreError) -> RunVersion? {
    if let place = book.versionPlaces[number] {
      return RunVersion(
        number: number, rule: book.rules.rules[place], runtime: runtime, place: place)
    }
    if let known = older[number] { return known }
    let found = try load(number)
    older[number] = .some(found)
    if let found { listening.add(found.rule) }
    return found
  }

  private func load(_ number: Int64) throws(StoreError) -> RunVersion? {
    guard let row = try reader.value(RowKey(.version, number)).flatMap(VersionRow.init) else { return nil }
    var sources: [RuleSource] = []
    for part in row.parts {
      let key = RowKey(.source, Int64(bitPattern: part.hash.high), Int64(bitPattern: part.hash.low))
      guard let text = try reader.value(key) else { return nil }
      sources.append(RuleSource(path: part.path, text: String(decoding: text, as: UTF8.self)))
    }
    // Destinations that are not configured any more make a send fail at its line, not the whole rule.
    let loading = RuleSet.load(sources: sources, knownDestinations: nil, folder: book.rules.folder)
    guard loading.set.count == 1, let runtime = try? RuleRuntime(loading.set, zones: zones) else { return nil }
    runtime.calendars = calendars
    return RunVersion(number: number, rule: loading.set[0], runtime: runtime, place: 0)
  }

  private func tellLiving(_ version: Int64) {
    counters.setLiving(version, livingRuns[version, default: 0] + inherited[version, default: 0])
  }

  /// Counts of runs as rows, once a step.
  func countRuns() {
    for version in recounted {
      let count = livingRuns[version] ?? 0
      out.changes.append(RowKey(.counter, Counted.living(version), Int64(index)), number: count)
      tellLiving(version)
    }
    recounted = []
    if newestRun > countedRun {
      countedRun = newestRun
      out.changes.append(RowKey(.counter, Counted.runs, Int64(index)), number: newestRun)
    }
  }

  // MARK: listening to others

  /// A run that waits for someone else's events says so, once for each subject.
  func listenElsewhere(_ row: inout RunRow, to other: SubjectReference? = nil) {
    guard let subject = other ?? row.wait?.subject, !row.listening.contains(subject),
      let rule = (try? version(row.version))?.rule
    else { return }
    row.listening.append(subject)
    if row.listening.count > Limits.listenedSubjects { sendUnlisten(row, row.listening.removeFirst()) }
    var listener = RunListener(run: row.number, subject: row.subject, after: row.event, names: rule.awaited)
    askForDates(&listener, row, rule, of: subject)
    let position = Int64(JournalEntry.hash(subject.description)) << 2
    let message = MessageRow(
      kind: .listen, subject: row.subject, target: subject.description, body: listener.packed)
    out.changes.append(RowKey(.message, -row.number, position), message.packed, isNew: true)
    out.messages.append(
      LaneMessage(
        event: -row.number, position: position, subject: row.subject, content: .listen(listener, to: subject)))
  }

  func sendUnlisten(_ row: RunRow, _ subject: SubjectReference) {
    let position = Int64(JournalEntry.hash(subject.description)) << 2 | 1
    let message = MessageRow(
      kind: .unlisten, subject: row.subject, target: subject.description,
      received: Instant(milliseconds: row.number))
    out.changes.append(RowKey(.message, -row.number, position), message.packed, isNew: true)
    out.messages.append(
      LaneMessage(
        event: -row.number, position: position, subject: row.subject,
        content: .unlisten(run: row.number, to: subject)))
  }

  /// What the desk has found the subject for.
  func takeAddressed(
    _ message: LaneMessage, _ subject: Int64, isNew: Bool, now: Instant
  ) throws(StoreError) {
    let key = RowKey(.message, message.event, message.position)
    switch message.content {
    case .listen(let listener, let reference):
      let cell = try cell(subject, isNew: isNew, reference: reference, now: now)
      newestSubject = max(newestSubject, subject)
      write(cell, wanted: [], Cause(number: 0, dedupe: Hash128(high: 0, low: 0)), changed: cell.isUnwritten)
      pendingListens.append(
        PendingListen(
          listener: listener, subject: subject, head: cell.chain, awaited: out.isEmpty ? decidedTurn : turn,
          message: key))
      cells.keep(cell)
    case .unlisten(let run, _):
      out.changes.append(key, nil)
      pendingListens.removeAll { waiting in
        guard waiting.listener.run == run, waiting.subject == subject else { return false }
        out.changes.append(waiting.message, nil)
        return true
      }
      noteWaiter(subject, run, nil)
    case .ask(let run, _, _):
      let waiting = pendingListens.firstIndex { $0.listener.run == run && $0.subject == subject }
      if let waiting { pendingListens[waiting].ask = message } else { answer(message) }
    default: break
    }
  }

  /// Behind everything that the run was told of before.
  private func answer(_ message: LaneMessage) {
    guard case .ask(let run, let due, _) = message.content else { return }
    out.messages.append(
      LaneMessage(event: 0, position: 0, subject: message.subject, content: .caughtUp(run: run, due: due)))
  }

  /// Runs of others hear of an event of this subject.
  func tellWaiters(_ name: String, _ number: Int64, _ cell: SubjectCell) throws(StoreError) {
    var waiters = try waiters(of: cell.subject)
    waiters.sort { $0.run < $1.run }
    for waiter in waiters where waiter.names.contains(name) { sendHeard(waiter, number, name) }
    if waiters.isEmpty {
      var living = try living(of: cell)
      living.hasWaiters = false
      cell.setLiving(living)
      writeLiving(cell, living)
    }
  }

  /// Registered on disk, or in decisions that are not there yet.
  private func waiters(of subject: Int64) throws(StoreError) -> [RunListener] {
    let rows = try reader.rows(
      from: RowKey(.waiter, subject, .min), to: RowKey(.waiter, subject, .max), limit: Int.max / 4)
    var found: [Int64: RunListener] = [:]
    for row in rows { if let listener = row.value.flatMap({ RunListener($0) }) { found[listener.run] = listener } }
    for young in youngWaiters where young.subject == subject { found[young.run] = young.listener }
    return Array(found.values)
  }

  /// What the store may not have yet: a registration, or its end.
  private func noteWaiter(_ subject: Int64, _ run: Int64, _ listener: RunListener?) {
    out.changes.append(RowKey(.waiter, subject, run), listener?.packed)
    youngWaiters.append(YoungWaiter(subject: subject, run: run, listener: listener, sequence: turn))
  }

  func forgetWaiters() {
    let durable = durable.value
    if let first = youngWaiters.first, first.sequence <= durable {
      youngWaiters.removeAll { $0.sequence <= durable }
    }
  }

  /// A subject's own event, while runs wait to be registered with it.
  func noteForPending(_ name: String, _ number: Int64, _ subject: Int64) {
    for place in pendingListens.indices where pendingListens[place].subject == subject {
      if pendingListens[place].listener.names.contains(name) { pendingListens[place].since.append((number, name)) }
    }
  }

  private func sendHeard(_ listener: RunListener, _ number: Int64, _ name: String) {
    let position = number << 2 | 2
    let row = MessageRow(
      kind: .heard, subject: listener.subject, id: name, received: Instant(milliseconds: listener.run),
      body: NumberRow.pack(number))
    out.changes.append(RowKey(.message, -listener.run, position), row.packed, isNew: true)
    out.messages.append(
      LaneMessage(
        event: -listener.run, position: position, subject: listener.subject,
        content: .heard(run: listener.run, event: number, name: name)))
  }

  /// Once everything that was under way when a run asked is in the store, it gets what came since its start
  /// and is registered for what comes.
  func finishListens(now: Instant) throws(StoreError) {
    forgetWaiters()
    if pendingListens.isEmpty { return }
    var waiting: [PendingListen] = []
    for pending in pendingListens {
      // An event that is not in the store although its step is on disk was purged long ago.
      if pending.head > pending.listener.after || !pending.listener.paths.isEmpty, pending.head > 0,
        pending.awaited > durable.value,
        try reader.engine.event(pending.head) == nil
      {
        waiting.append(pending)
      } else {
        try register(pending, now: now)
      }
    }
    pendingListens = waiting
  }

  private func register(_ pending: PendingListen, now: Instant) throws(StoreError) {
    let listener = pending.listener
    var found: [(number: Int64, name: String)] = []
    var number = pending.head
    // A run keeps no more than that.
    while number > listener.after, found.count < Limits.heardEvents, let row = try reader.engine.event(number) {
      if listener.names.contains(row.name) { found.append((number, row.name)) }
      number = row.previous
    }
    if let earlier = try lookBack(listener, from: number) { found.append(earlier) }
    for one in found.reversed() + pending.since { sendHeard(listener, one.number, one.name) }
    if let ask = pending.ask { answer(ask) }
    out.changes.append(pending.message, nil)
    noteWaiter(pending.subject, listener.run, listener)
    let cell = try cell(pending.subject, isNew: false, reference: nil, now: now)
    var living = try living(of: cell)
    if !living.hasWaiters {
      living.hasWaiters = true
      cell.setLiving(living)
      writeLiving(cell, living)
    }
    cells.keep(cell)
  }
}
