// The store's loop: takes what lanes decided and what deliveries came to, commits all of it as one
// group, and says what may now leave: answers, deliveries, messages. It also sweeps the write-behind
// set, hands deliveries out when they are due, and purges what is too old.
//
// Thread: `step` is called by the store thread only (or by the simulator). Promise: nothing is in the
// outputs that is not on disk. A step that throws leaves a store that must not be used again.

package import Basics
package import Model

package enum StoreInput: Sendable {
  case decisions(Decisions)
  case settled([Attempt])
  /// The delivery loop grants that many deliveries more; none to those that have enough.
  case wants(Int, except: Set<String>)
  /// The delivery loop let these go unsent; they stay due.
  case handedBack([Int64])
  /// The oldest part of the dedupe set, to be written as a closed run.
  case closeRun(DedupeRun)
  /// A question, answered between two commits with everything committed so far.
  case read(@Sendable (StoreReader) -> Void)
}

package struct StoreOutputs: Sendable {
  /// Tickets whose events are all durable now.
  package var answered: [Ticket] = []
  package var deliveries: [Delivery] = []
  package var messages: [LaneMessage] = []
  package var logs: [RuleLog] = []
  package var completions: [@Sendable () -> Void] = []
  /// The newest committed batch of each lane that had one in this group.
  package var committed: [(lane: Int, sequence: Int64)] = []
  /// The lanes' steps that are on disk now.
  package var turns: [(lane: Int, turn: Int64)] = []
  package var closedRuns: [Int64] = []
  /// The record this group was, 0 when nothing was committed.
  package var record: Int64 = 0
  /// When the next step is due although nothing arrives.
  package var wakeAt: Instant = .distantFuture
}

/// How long each kind of history is kept.
package struct Retention: Sendable, Equatable {
  package var eventsMilliseconds: Int64 = 90 * 86_400_000
  package var verdictsMilliseconds: Int64 = 30 * 86_400_000
  package var attemptsMilliseconds: Int64 = 30 * 86_400_000
  package var endedRunsMilliseconds: Int64 = 90 * 86_400_000
  package var dedupeMilliseconds: Int64 = Limits.dedupeHorizonMilliseconds
  package init() {}
}

package struct StoreStatus: Sendable {
  package var record: Int64 = 0
  package var behind = 0
  package var tailRecords: Int64 = 0
  package var openDeliveries = 0
  package var full = false
  package var sweeps: Int64 = 0
  package var commits: Int64 = 0
  package var eventsCommitted: Int64 = 0
}

package final class StoreLoop {
  private let engine: any StoreEngine
  package let behind = WriteBehind()
  private let reader: StoreReader
  package var retention = Retention()
  package private(set) var status = StoreStatus()

  /// The highest numbers in use, tables and tail taken together.
  package private(set) var highestSubject: Int64
  package private(set) var highestRule: Int64
  package private(set) var highestRun: Int64
  package private(set) var highestVersion: Int64
  private var record: Int64
  private var mark: Int64
  private var tailBytes = 0
  private var sweep: Sweep?
  private var lastShare = 0.0
  /// Switched off by tests that want to see reads without it.
  package var sweepingAllowed = true

  /// Deliveries that the delivery loop has, with when they are due.
  private var handedOut: [Int64: Instant] = [:]
  /// Those of them whose answer a run waits for.
  private var calls: [Int64: (run: Int64, subject: Int64)] = [:]
  /// How many more it may be given, and which destinations have enough.
  private var granted = 0
  private var satisfied: Set<String> = []
  /// No delivery that nobody holds is due before this row of the due table; nil: there is none at all.
  private var waitingFrom: RowKey? = RowKey(.due, Int64.min)
  /// Something changed since the last look into the due table found nothing to hand out.
  private var looksForDue = true
  private var nextPurge: Instant = .zero
  private var eventPurge: EventPurge?
  private var purgedThrough: Int64 = 0
  private var purgeTurn = 0

  /// Runs of the dedupe set that are being written, with the page that comes next.
  private var runs: [(run: DedupeRun, position: Int)] = []

  /// A sweep in progress: the keys that were behind when it began, and how far it is.
  private struct Sweep {
    /// The tables that are still to come; keys are taken table by table, so that sorting them never
    /// takes long at once.
    var tables = Table.allCases
    var keys: [RowKey] = []
    var position = 0
    var began: Int64
    /// How many rows were behind when it began, and how many were taken since.
    var rows: Int
    var taken = 0
  }

  /// Applies what the last run of the daemon had committed and not swept.
  package init(engine: any StoreEngine) throws(StoreError) {
    self.engine = engine
    record = engine.recovered.record
    mark = engine.recovered.mark
    reader = StoreReader(behind: behind, engine: try engine.storeReader())
    let behind = behind
    var tail = 0
    var subject = engine.recovered.subject
    var rule = engine.recovered.rule
    var run = engine.recovered.run
    var version = engine.recovered.version
    try engine.redo(after: mark) { (number, packed) throws(StoreError) in
      tail += packed.count
      try behind.apply(packed, record: number, isRecovery: true)
      try Redo.walk(packed) { key, _, _ in
        if key.table == .rule { rule = max(rule, key.first) }
        if key.table == .run { run = max(run, key.first) }
        if key.table == .version { version = max(version, key.first) }
        if key.table == .subject { subject = max(subject, key.first) }
      }
    }
    tailBytes = tail
    let counted = try reader.rows(
      from: RowKey(.counter, Counted.subjects), to: RowKey(.counter, Counted.subjects + 1), limit: 1_000)
    for row in counted { subject = max(subject, row.value.flatMap(NumberRow.unpack) ?? 0) }
    if counted.isEmpty { subject = max(subject, try StoreLoop.highestNamed(reader)) }
    highestSubject = subject
    highestRule = rule
    let runs = try reader.rows(
      from: RowKey(.counter, Counted.runs), to: RowKey(.counter, Counted.runs + 1), limit: 1_000)
    for row in runs { run = max(run, row.value.flatMap(NumberRow.unpack) ?? 0) }
    highestRun = run
    highestVersion = version
    status.record = record
    status.behind = behind.count
    // A disk that is full from the start: without a reserve nothing may be let in.
    status.full = !engine.restoreReserve()
  }

  /// The highest subject that an identity refers to: for a store from before subjects were counted, once,
  /// until the first event after it writes the counter.
  private static func highestNamed(_ reader: StoreReader) throws(StoreError) -> Int64 {
    var highest: Int64 = 0
    var from = RowKey(.identity, .min, .min)
    while true {
      let rows = try reader.rows(from: from, to: RowKey(.identity, .max, .max), limit: 10_000)
      for row in rows { highest = max(highest, row.value.flatMap(NumberRow.unpack) ?? 0) }
      guard rows.count == 10_000, let last = rows.last?.key, last.second < .max else { return highest }
      from = RowKey(.identity, last.first, last.second + 1)
    }
  }

  package var recovered: Recovered { engine.recovered }

  /// Packed dedupe rows that no closed run covers, oldest first; for the start.
  package func dedupeRows(_ body: (_ record: Int64, _ time: Instant, _ packed: [UInt8]) -> Void) throws(StoreError) {
    try engine.dedupe(body)
  }

  /// A reader for another thread.
  package func makeReader() throws(StoreError) -> StoreReader {
    StoreReader(behind: behind, engine: try engine.makeReader())
  }

  /// How much is appended and not yet in the tables, as a share of what is allowed; at 1 the door closes.
  package var tailShare: Double {
    max(Double(record - mark) / Double(Limits.tailRecords), Double(tailBytes) / Double(Limits.tailBytes))
  }

  // MARK: step

  package func step(_ inputs: [StoreInput], now: Instant) throws(StoreError) -> StoreOutputs {
    var outputs = StoreOutputs()
    var group = Group(record: record + 1, time: now)
    var changes: [ChangeList] = []
    var eventCount = 0
    for input in inputs {
      switch input {
      case .decisions(let decisions):
        eventCount += decisions.events.count
        add(decisions, to: &group, changes: &changes, outputs: &outputs)
      case .settled(let attempts):
        changes.append(try settle(attempts, to: &outputs))
        group.attempts.append(contentsOf: attempts)
      case .wants(let count, let except):
        granted = min(granted + count, Limits.deliveriesInMemory)
        satisfied = except
        looksForDue = true
      case .handedBack(let numbers): takeBack(numbers)
      case .closeRun(let run): runs.append((run, 0))
      case .read: break
      }
    }
    group.redo = Redo.pack(changes)
    let closed = addPages(to: &group)
    addSweep(to: &group, changes: changes.reduce(0) { $0 + $1.count })
    if group.appends || !group.sweep.isEmpty || group.mark != nil {
      try commit(group)
      try finish(group, outputs: &outputs)
      if let closed { outputs.closedRuns.append(closed) }
    }
    status.eventsCommitted += Int64(eventCount)
    handOutNew(group.deliveries, to: &outputs)
    try handOutDue(now: now, to: &outputs)
    for case .read(let answer) in inputs { answer(reader) }
    try purgeSome(now: now, isBusy: group.appends)
    outputs.wakeAt = wakeTime(now: now)
    return outputs
  }

  private func add(
    _ decisions: Decisions, to group: inout Group, changes: inout [ChangeList], outputs: inout StoreOutputs
  ) {
    group.events.append(contentsOf: decisions.events)
    if !decisions.verdicts.isEmpty {
      let range = decisions.verdictRange
      VerdictRow(first: range.first, last: range.last, packed: decisions.verdicts).join(&group.verdicts)
    }
    if !decisions.deliveries.isEmpty { group.deliveries.append(decisions.deliveries) }
    if !decisions.endedRuns.isEmpty { group.endedRuns.append(contentsOf: decisions.endedRuns) }
    for hash in decisions.dedupe {
      group.dedupe.append(fixed64: hash.high)
      group.dedupe.append(fixed64: hash.low)
    }
    changes.append(decisions.changes)
    if !decisions.deliveries.isEmpty { changes.append(openChanges(decisions.deliveries)) }
    outputs.messages.append(contentsOf: decisions.messages)
    for barrier in decisions.repeats { if let ticket = barrier.settleOne() { outputs.answered.append(ticket) } }
    outputs.logs.append(contentsOf: decisions.logs)
    if !decisions.completions.isEmpty { outputs.completions.append(contentsOf: decisions.completions) }
    for (ticket, count) in decisions.tickets where ticket.settle(count) { outputs.answered.append(ticket) }
    outputs.committed.append((decisions.lane, decisions.sequence))
    outputs.turns.append((decisions.lane, decisions.turn))
  }

  private func openChanges(_ rows: [DeliveryRow]) -> ChangeList {
    var changes = ChangeList()
    for row in rows {
      let delivery = row.delivery
      let open = OpenDelivery(attempts: delivery.attempts, due: delivery.due, destination: delivery.destination)
      changes.append(RowKey(.openDelivery, delivery.number), open.packed, isNew: true)
      changes.append(
        RowKey(.due, delivery.due.milliseconds, delivery.number), Array(delivery.destination.utf8), isNew: true)
    }
    return changes
  }

  /// Commits; a full disk is given one second chance with the reserve freed.
  private func commit(_ group: Group) throws(StoreError) {
    do throws(StoreError) {
      try engine.commit(group)
    } catch {
      guard error.code == .full, engine.freeReserve() else { throw error }
      status.full = true
      try engine.commit(group)
    }
    record = group.record
  }

  private func finish(_ group: Group, outputs: inout StoreOutputs) throws(StoreError) {
    // First out, then in: a row that was swept and deleted by the same group has to be deleted from its
    // table by a later sweep.
    if !group.sweep.isEmpty { behind.remove(swept: group.sweep) }
    try behind.apply(group.redo, record: group.record)
    tailBytes += group.redo.count
    if let mark = group.mark {
      self.mark = mark
      tailBytes = 0
      status.sweeps += 1
    }
    outputs.record = group.record
    status.record = record
    status.commits += 1
    status.behind = behind.count
    status.tailRecords = record - mark
  }

  // MARK: closed runs

  /// A run is written a few pages with each group, because all of it at once would make a group wait.
  /// Returns the run that is complete with this group.
  private func addPages(to group: inout Group) -> Int64? {
    guard let (run, position) = runs.first else { return nil }
    let end = min(position + 48, DedupePage.count(of: run))
    for page in position..<end { group.pages.append(DedupePage(of: run, page: page)) }
    guard end == DedupePage.count(of: run) else {
      runs[0].position = end
      return nil
    }
    group.dedupeClosedThrough = run.coveredThrough
    runs.removeFirst()
    return run.run
  }

  // MARK: sweep

  /// Adds the next rows to write to their tables. How many depends on how much arrives and on how near
  /// the tail is to its bound.
  private func addSweep(to group: inout Group, changes: Int) {
    guard sweepingAllowed else { return }
    let share = tailShare
    defer { lastShare = tailShare }
    if sweep == nil, behind.count > 0, record > mark {
      // The longer a row stays behind, the more of its values are never written at all.
      guard changes == 0 || share > 0.5 else { return }
      sweep = Sweep(began: record, rows: behind.count)
    }
    guard let current = sweep else { return }
    takeSweepRows(changes == 0 ? 2_000 : pace(current, share), into: &group)
  }

  /// As many rows as keep the sweep on its way to be done before the tail is nine tenths of its bound.
  private func pace(_ sweep: Sweep, _ share: Double) -> Int {
    guard share < 0.9 else { return 20_000 }
    let stepsLeft = max(1, (0.9 - share) / max(share - lastShare, 0.000_1))
    return max(64, Int(Double(max(0, sweep.rows - sweep.taken)) / stepsLeft))
  }

  private func takeSweepRows(_ count: Int, into group: inout Group) {
    while sweep!.position == sweep!.keys.count {
      guard !sweep!.tables.isEmpty else {
        group.mark = sweep!.began
        sweep = nil
        return
      }
      // A row that became dirty after the sweep began may be taken along: it does no harm, because its
      // record is on disk already, and the mark stays where the sweep began.
      sweep!.keys = behind.keys(of: sweep!.tables.removeFirst())
      sweep!.position = 0
    }
    let end = min(sweep!.keys.count, sweep!.position + count)
    group.sweep = behind.rows(of: sweep!.keys[sweep!.position..<end])
    sweep!.position = end
    sweep!.taken += group.sweep.count
  }

  /// Sweeps to the end: for a clean stop, so that the next start has nothing to recover.
  package func sweepAll(now: Instant) throws(StoreError) {
    while behind.count > 0 || record > mark {
      if sweep == nil { sweep = Sweep(began: record, rows: behind.count) }
      var group = Group(record: record + 1, time: now)
      takeSweepRows(50_000, into: &group)
      let isEnd = group.mark != nil && behind.count == 0
      if isEnd { group.mark = group.record }
      try commit(group)
      var ignored = StoreOutputs()
      try finish(group, outputs: &ignored)
      try engine.tidy()
    }
    while try engine.purge(.redo, through: mark, olderThan: now, limit: 10_000) > 0 {}
  }

  // MARK: deliveries

  /// Rows for what deliveries came to. One that is tried again stays with the delivery loop until it
  /// is handed back.
  private func settle(_ attempts: [Attempt], to outputs: inout StoreOutputs) throws(StoreError) -> ChangeList {
    var changes = ChangeList()
    for attempt in attempts {
      guard let due = handedOut[attempt.delivery] else { continue }
      changes.append(RowKey(.due, due.milliseconds, attempt.delivery), nil)
      switch attempt.settlement {
      case .delivered, .failed:
        handedOut[attempt.delivery] = nil
        changes.append(RowKey(.openDelivery, attempt.delivery), nil)
        if let caller = calls.removeValue(forKey: attempt.delivery) {
          reply(attempt, to: caller, &changes, &outputs)
        }
      case .retry(let at):
        let name =
          try reader.value(RowKey(.openDelivery, attempt.delivery)).flatMap(OpenDelivery.init)?.destination ?? ""
        let open = OpenDelivery(attempts: attempt.attempt, due: at, destination: name)
        handedOut[attempt.delivery] = at
        changes.append(RowKey(.openDelivery, attempt.delivery), open.packed)
        changes.append(RowKey(.due, at.milliseconds, attempt.delivery), Array(name.utf8))
      }
    }
    return changes
  }

  /// The answer of a call goes to its run as a message: on disk with the try, taken once.
  private func reply(
    _ attempt: Attempt, to caller: (run: Int64, subject: Int64), _ changes: inout ChangeList,
    _ outputs: inout StoreOutputs
  ) {
    let json = CallReply.json(attempt)
    let message = LaneMessage(
      event: -caller.run, position: attempt.delivery << 2 | 3, subject: caller.subject,
      content: .reply(run: caller.run, delivery: attempt.delivery, json: json))
    let row = MessageRow(
      kind: .reply, subject: caller.subject, id: "\(attempt.delivery)", received: Instant(milliseconds: caller.run),
      body: json)
    changes.append(RowKey(.message, message.event, message.position), row.packed, isNew: true)
    outputs.messages.append(message)
  }

  private func takeBack(_ numbers: [Int64]) {
    for number in numbers {
      if let due = handedOut.removeValue(forKey: number) { leaveWaiting(RowKey(.due, due.milliseconds, number)) }
    }
  }

  private func leaveWaiting(_ key: RowKey) {
    waitingFrom = min(waitingFrom ?? key, key)
    looksForDue = true
  }

  /// New deliveries go straight out while they are granted; the others wait in the store.
  private func handOutNew(_ rows: [[DeliveryRow]], to outputs: inout StoreOutputs) {
    for row in rows.joined() {
      if granted > 0, !satisfied.contains(row.delivery.destination) {
        granted -= 1
        handedOut[row.delivery.number] = row.delivery.due
        if row.delivery.tries > 0 { calls[row.delivery.number] = (row.run, row.subject) }
        outputs.deliveries.append(row.delivery)
      } else {
        leaveWaiting(RowKey(.due, row.delivery.due.milliseconds, row.delivery.number))
      }
    }
  }

  /// Looks for due deliveries that nobody holds.
  private func handOutDue(now: Instant, to outputs: inout StoreOutputs) throws(StoreError) {
    status.openDeliveries = handedOut.count
    guard granted > 0, looksForDue, let from = waitingFrom, from.first <= now.milliseconds else { return }
    let limit = granted + 4_000
    let rows = try reader.rows(from: from, to: RowKey(.due, Int64.max, Int64.max), limit: limit)
    waitingFrom = nil
    looksForDue = false
    for row in rows where handedOut[row.key.second] == nil {
      if row.key.first > now.milliseconds || granted == 0 {
        leaveWaiting(row.key)
        return
      }
      if satisfied.contains(String(decoding: row.value ?? [], as: UTF8.self)) {
        waitingFrom = waitingFrom ?? row.key
      } else {
        try handOut(row.key.second, to: &outputs)
      }
    }
    // The rows beyond are looked at next time; what was passed over stays the first that waits.
    if rows.count == limit, let last = rows.last { leaveWaiting(last.key) }
  }

  private func handOut(_ number: Int64, to outputs: inout StoreOutputs) throws(StoreError) {
    guard let packed = try reader.value(RowKey(.openDelivery, number)), let open = OpenDelivery(packed),
      let row = try reader.engine.delivery(number)
    else { throw StoreError(.damaged, "delivery \(number) is due, but its row is missing or unreadable") }
    var delivery = row.delivery
    delivery.attempts = open.attempts
    delivery.due = open.due
    granted -= 1
    handedOut[number] = delivery.due
    if delivery.tries > 0 { calls[number] = (row.run, row.subject) }
    outputs.deliveries.append(delivery)
  }

  // MARK: time

  private func wakeTime(now: Instant) -> Instant {
    if sweep != nil || !runs.isEmpty { return now }
    var wake = now + 1_000
    if granted > 0, looksForDue, let from = waitingFrom {
      wake = min(wake, max(now, Instant(milliseconds: from.first)))
    }
    if sweepingAllowed, behind.count > 0 { wake = min(wake, now + 200) }
    return wake
  }

  /// One chunk of one log table at a time, between groups; smaller ones while something waits.
  private func purgeSome(now: Instant, isBusy: Bool) throws(StoreError) {
    guard now >= nextPurge else { return }
    let turns: [(LogTable, Int64, Int64)] = [
      (.redo, mark, 0),
      (.event, Int64.max, retention.eventsMilliseconds),
      (.verdict, Int64.max, retention.verdictsMilliseconds),
      (.attempt, Int64.max, retention.attemptsMilliseconds),
      (.delivery, try oldestOpenDelivery() - 1, retention.attemptsMilliseconds),
      (.endedRun, Int64.max, retention.endedRunsMilliseconds),
      // A day later than the router forgets a run, so that it never asks for a page that is gone.
      (.dedupeRun, Int64.max, retention.dedupeMilliseconds + 86_400_000),
    ]
    let (log, through, age) = turns[purgeTurn % turns.count]
    let limit = isBusy ? 200 : 2_000
    let gone =
      log == .event
      ? try purgeEvents(olderThan: now + -age, limit: limit)
      : try engine.purge(log, through: through, olderThan: age == 0 ? .distantFuture : now + -age, limit: limit)
    if gone == 0 { purgeTurn += 1 }
    nextPurge = gone > 0 ? now + 20 : now + 1_000
    // Without a reserve the next full disk would end the process, so that the door stays closed till then.
    if status.full, gone == 0, purgeTurn % turns.count == 0, engine.restoreReserve() { status.full = false }
  }

  /// Goes on with the round that is under way, or begins one; 0 when there is nothing to do.
  private func purgeEvents(olderThan time: Instant, limit: Int) throws(StoreError) -> Int {
    if eventPurge == nil {
      let bound = try EventPurge.bound(before: time, reader.engine)
      guard bound > purgedThrough else { return 0 }
      eventPurge = EventPurge(bound: bound)
    }
    if !eventPurge!.isComplete {
      try eventPurge!.scan(reader, limit: limit)
      if eventPurge!.isComplete { try engine.keepEvents(eventPurge!.found) }
      return 1
    }
    let bound = eventPurge!.bound
    let gone = try engine.purge(.event, through: bound, olderThan: time, limit: limit)
    if gone == 0 {
      purgedThrough = bound
      eventPurge = nil
    }
    return gone
  }

  private func oldestOpenDelivery() throws(StoreError) -> Int64 {
    try reader.rows(from: RowKey(.openDelivery, 0), to: RowKey(.openDelivery, Int64.max), limit: 1).first?.key.first
      ?? Int64.max
  }

  /// To be called after the outputs of a step were passed on: nobody has to wait for it.
  package func tidy() throws(StoreError) { try engine.tidy() }

  package func close() { engine.close() }
}
