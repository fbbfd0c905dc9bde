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
  /// These deliveries could not be cancelled any more.
  case tooLate([Int64])
  /// A person wants this delivery gone.
  case cancel(Int64, reason: String, done: @Sendable (DeliveryAnswer) -> Void)
  /// A person wants this delivery tried now.
  case retry(Int64, done: @Sendable (DeliveryAnswer) -> Void)
  /// All that the filter takes is sent once more, so many a second (0: as many as can be); answered with
  /// the number of the job.
  case replay(DeliveryFilter, ratePerSecond: Int64, done: @Sendable (Int64) -> Void)
  case endReplay(Int64, done: @Sendable (Bool) -> Void)
  /// Something is to be remembered of a destination.
  case destination(String, DestinationChange, done: (@Sendable (DestinationState) -> Void)?)
  /// Destinations where a delivery that was given up blocks those behind it; own events that rules wait for.
  case configure(blocking: Set<String>, listens: Set<String>, holding: Set<String> = [])
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
  /// What changed about destinations.
  package var states: [DestinationState] = []
  /// Deliveries that the delivery loop has and should let go.
  package var cancels: [CancelRequest] = []
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
  /// The most the store may hold, whatever its age; 0: any amount.
  package var sizeBytes: Int64 = 20_000_000_000
  package var dedupeMilliseconds: Int64 = Limits.dedupeHorizonMilliseconds
  package init() {}
}

package struct StoreStatus: Sendable {
  package var record: Int64 = 0
  package var behind = 0
  package var tailRecords: Int64 = 0
  package var full = false
  package var sweeps: Int64 = 0
  package var commits: Int64 = 0
  package var eventsCommitted: Int64 = 0
  /// By hand or with their run; most of them never left the store.
  package var deliveriesCancelled: Int64 = 0
}

package final class StoreLoop {
  let engine: any StoreEngine
  package let behind = WriteBehind()
  package var retention = Retention()
  package internal(set) var status = StoreStatus()

  /// The highest numbers in use, tables and tail taken together.
  package private(set) var highestSubject: Int64
  package private(set) var highestRule: Int64
  package private(set) var highestRun: Int64
  package private(set) var highestVersion: Int64
  private var record: Int64
  private(set) var mark: Int64
  private var tailBytes = 0
  private var sweep: Sweep?
  private var lastShare = 0.0
  /// Switched off by tests that want to see reads without it.
  package var sweepingAllowed = true
  /// Smaller in tests that want to reach it.
  package var mostBehindBytes = Limits.behindBytes

  // What deliveries need; see StoreDeliveries.
  let reader: StoreReader
  var work = DeliveryWork()
  var backlog = Backlog()
  /// Deliveries that the delivery loop has.
  var handedOut: [Int64: HandedOut] = [:]
  /// Those of them whose answer a run waits for.
  var calls: [Int64: (run: Int64, subject: Int64)] = [:]
  /// Deliveries that are to be cancelled with the next step, and who waits to hear of it.
  var toCancel: [Int64] = []
  var cancelWaiters: [Int64: [@Sendable (DeliveryAnswer) -> Void]] = [:]
  /// How many more it may be given, and which destinations have enough.
  var granted = 0
  var lastGrant = 0
  var satisfied: Set<String> = []
  /// The last look found something to hand out, so that there may be more.
  var foundDue = false
  /// There may be rows of an older version that say when deliveries are due.
  var hasOldDue = true
  var destinations: [String: (number: Int64, state: DestinationState)] = [:]
  var highestDestination: Int64 = 0
  var replays: [(number: Int64, row: ReplayRow)] = []
  var highestReplay: Int64 = 0
  /// Up to when the oldest job has sent what its rate allows.
  var replayedSeconds: Double?
  var blocking: Set<String> = []
  /// Deliveries that were given up and block, by destination.
  var poisoned: [String: Set<Int64>] = [:]
  /// Deliveries of the start of which it is not known yet whether they have a time to be delivered within.
  var endUnknown: ArraySlice<Int64> = []
  /// Before the first configuration nobody can say who blocks.
  var isConfigured = false
  /// Destinations whose deliveries wait because the configuration says so.
  var holding: Set<String> = []
  var listens: Set<String> = []
  let parser = DocumentParser(maximumBytes: Limits.inflatedBodyBytes, maximumDepth: Limits.jsonDepth)
  let hash: KeyedHash
  /// See StorePurge.
  var purging = PurgeProgress()
  /// The last step had something to append.
  private(set) var isBusy = false

  /// Runs of the dedupe set that are being written, with the page that comes next.
  private var runs: [(run: DedupeRun, position: Int)] = []
  /// How many inputs of each lane are on disk with the group at hand.
  private var laneInputs: [Int: Int64] = [:]

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
    hash = KeyedHash(key0: engine.recovered.hashKey.0, key1: engine.recovered.hashKey.1)
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
    try recoverBacklog()
    reader.ahead = { [unowned self] open in backlog.head(open.destination, orderKey: open.orderKey) }
  }

  /// What is remembered of destinations.
  package var states: [DestinationState] { destinations.values.map(\.state).sorted { $0.name < $1.name } }
  package var replaysUnderWay: Int { replays.count }
  /// How many deliveries are open, by destination.
  package var openByDestination: [String: Int] { backlog.counts }

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
    max(Double(record - mark) / Double(Limits.tailRecords), Double(tailBytes) / Double(Limits.tailBytes), behindShare)
  }

  /// Likewise of the memory that rows take which are not in their tables. Where the same rows change again and
  /// again the tail is what counts; where each event brings new ones, as when webhooks wait, this is.
  private var behindShare: Double { Double(behind.bytes) / Double(mostBehindBytes) }

  // MARK: step

  /// With `tidies` false the caller tidies up itself, once the outputs are on their way.
  package func step(
    _ inputs: [StoreInput], now: Instant, tidies: Bool = true
  ) throws(StoreError) -> StoreOutputs {
    var outputs = StoreOutputs()
    var group = Group(record: record + 1, time: now)
    var changes: [ChangeList] = []
    var eventCount = 0
    work = DeliveryWork()
    for input in inputs {
      switch input {
      case .decisions(let decisions):
        eventCount += decisions.events.count
        add(decisions, to: &group, changes: &changes, outputs: &outputs)
      case .closeRun(let run): runs.append((run, 0))
      case .read: break
      default: try take(input, now: now)
      }
    }
    try cancelRuns(group, now: now)
    try learnEnds()
    try giveUpEnded(now: now)
    try freePoisoned()
    try dropOldDue()
    try runReplays(now: now, isBusy: !group.events.isEmpty)
    group.attempts = work.attempts
    changes.append(work.changes)
    group.redo = Redo.pack(changes)
    let closed = addPages(to: &group)
    addSweep(to: &group, changes: changes.reduce(0) { $0 + $1.count })
    if group.appends || !group.sweep.isEmpty || group.mark != nil {
      try commit(group)
      try finish(group, outputs: &outputs)
      if let closed { outputs.closedRuns.append(closed) }
    }
    status.eventsCommitted += Int64(eventCount)
    passOn(&outputs)
    handOutNew(group.deliveries, to: &outputs)
    try handOutDue(now: now, to: &outputs)
    for case .read(let answer) in inputs { answer(reader) }
    isBusy = group.appends
    if tidies { try purgeSome(now: now) }
    outputs.wakeAt = wakeTime(now: now)
    return outputs
  }

  /// Inputs about deliveries.
  private func take(_ input: StoreInput, now: Instant) throws(StoreError) {
    switch input {
    case .settled(let attempts): try settle(attempts, now: now)
    case .wants(let count, let except):
      granted = min(granted + count, Limits.deliveriesInMemory)
      if count > 0 { lastGrant = count }
      satisfied = except
    case .handedBack(let numbers): try takeBack(numbers, now: now)
    case .tooLate(let numbers): answerTooLate(numbers)
    case .cancel(let number, let reason, let done): try cancel(number, reason, now: now, done: done)
    case .retry(let number, let done): try retry(number, now: now, done: done)
    case .replay(let filter, let rate, let done): try beginReplay(filter, ratePerSecond: rate, now: now, done: done)
    case .endReplay(let number, let done): endReplay(number, now: now, done: done)
    case .destination(let name, let change, let done): note(name, change, now: now, done: done)
    case .configure(let blocking, let listens, let holding):
      self.blocking = blocking
      isConfigured = true
      hold(holding)
      self.listens = listens
    case .decisions, .closeRun, .read: break
    }
  }

  /// What this step did with deliveries may leave: it is on disk.
  private func passOn(_ outputs: inout StoreOutputs) {
    outputs.messages.append(contentsOf: work.messages)
    outputs.completions.append(contentsOf: work.completions)
    outputs.states = work.states
    outputs.cancels = work.cancels
  }

  private func add(
    _ decisions: Decisions, to group: inout Group, changes: inout [ChangeList], outputs: inout StoreOutputs
  ) {
    group.events.append(contentsOf: decisions.events)
    laneInputs[decisions.lane] = decisions.sequence
    for row in decisions.verdicts { row.join(&group.verdicts) }
    if !decisions.deliveries.isEmpty { group.deliveries.append(decisions.deliveries) }
    if !decisions.endedRuns.isEmpty { group.endedRuns.append(contentsOf: decisions.endedRuns) }
    for hash in decisions.dedupe {
      group.dedupe.append(fixed64: hash.high)
      group.dedupe.append(fixed64: hash.low)
    }
    changes.append(decisions.changes)
    if !decisions.deliveries.isEmpty { changes.append(openNew(decisions.deliveries)) }
    if !decisions.recorded.isEmpty {
      group.deliveries.append(decisions.recorded.map(\.row))
      closeRecorded(decisions.recorded, now: group.time)
    }
    if !decisions.cancelledRuns.isEmpty { work.cancelledRuns.append(contentsOf: decisions.cancelledRuns) }
    outputs.messages.append(contentsOf: decisions.messages)
    for barrier in decisions.repeats { if let ticket = barrier.settleOne() { outputs.answered.append(ticket) } }
    outputs.logs.append(contentsOf: decisions.logs)
    if !decisions.completions.isEmpty { outputs.completions.append(contentsOf: decisions.completions) }
    for (ticket, count) in decisions.tickets where ticket.settle(count) { outputs.answered.append(ticket) }
    outputs.committed.append((decisions.lane, decisions.sequence))
    outputs.turns.append((decisions.lane, decisions.turn))
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
    status.deliveriesCancelled += Int64(group.attempts.count { $0.outcome == .cancelled })
    status.behind = behind.count
    status.tailRecords = record - mark
  }

  // MARK: closed runs

  private var mayWriteRun: Bool {
    guard let awaits = runs.first?.run.awaits else { return false }
    return awaits.indices.allSatisfy { laneInputs[$0, default: 0] >= awaits[$0] }
  }

  /// A run is written a few pages with each group, because all of it at once would make a group wait.
  /// Returns the run that is complete with this group.
  private func addPages(to group: inout Group) -> Int64? {
    guard mayWriteRun, let (run, position) = runs.first else { return nil }
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

  // MARK: time

  private func wakeTime(now: Instant) -> Instant {
    if sweep != nil || mayWriteRun { return now }
    var wake = now + 1_000
    if granted > 0, let due = backlog.nextDue(except: satisfied), due > now || foundDue {
      wake = min(wake, max(now, due))
    }
    if !toCancel.isEmpty || hasOldDue || !unblocked.isEmpty { wake = now }
    if let end = backlog.nextEnd { wake = min(wake, max(now, end)) }
    if !endUnknown.isEmpty { wake = min(wake, now + 10) }
    if let due = replayWakesAt(now: now) { wake = min(wake, due) }
    if sweepingAllowed, behind.count > 0 { wake = min(wake, now + 200) }
    return wake
  }

  /// To be called after the outputs of a step were passed on, because nobody waits for it: old history goes,
  /// and the engine puts its files in order.
  package func tidy(now: Instant) throws(StoreError) {
    try purgeSome(now: now)
    try engine.tidy()
  }

  package func close() { engine.close() }
}
