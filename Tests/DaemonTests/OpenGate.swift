// A gate with its door open, and behind it what the test decides instead of the rest of the house.
//
// Thread: the gate turns on a thread of its own, as in the daemon, and its questions are answered there.
// Promise: every question to the store reads what the test put on its disk, and is counted.

import Basics
import Glibc
import Intake
import Model
import Store
import Synchronization
import Testing

/// What the test decides about the rest of the house.
final class Behind: Sendable {
  typealias Done = @Sendable (RunAnswer) -> Void

  let obstacle = Guarded<Obstacle?>(nil)
  let takes = Atomic(true)
  let underWay = Counter()
  let disk = MemoryStore.Disk()
  /// Whether the store can be read.
  let isBroken = Atomic(false)
  /// The reads of each question, in the order in which they were asked.
  let questions = Guarded<[Reads]>([])
  /// Commands to runs that nobody has obeyed yet.
  private let commands = Guarded<[Done]>([])

  struct Reads: Sendable {
    var rows = 0
    var verdicts = 0
  }

  func put(_ fill: (inout Group) -> Void) throws {
    var group = Group(record: disk.newestRecord + 1, time: Instant(milliseconds: 1_700_000_000_000))
    fill(&group)
    try MemoryStore(disk).commit(group)
  }

  func ask(_ question: (StoreReader) -> Void) {
    do {
      let place = questions.withLock { all in
        all.append(Reads())
        return all.count - 1
      }
      let reader = CountedReader(try MemoryStore(disk).makeReader(), isBroken: isBroken.load(ordering: .relaxed)) {
        [self] read in questions.withLock { read(&$0[place]) }
      }
      question(StoreReader(behind: WriteBehind(), engine: reader))
    } catch { Issue.record("\(error)") }
  }

  func command(_ done: @escaping Done) { commands.withLock { $0.append(done) } }
  var commandCount: Int { commands.withLock { $0.count } }

  /// So many commands are obeyed, the oldest first.
  func obey(_ count: Int, _ answer: RunAnswer = .done) {
    let turn = commands.withLock { all in
      defer { all.removeFirst(count) }
      return all.prefix(count)
    }
    for done in turn { done(answer) }
  }
}

/// Another reader's answers, counted; or none, as from a disk that fails.
private final class CountedReader: EngineReader {
  private let inner: any EngineReader
  private let isBroken: Bool
  private let note: ((inout Behind.Reads) -> Void) -> Void

  init(_ inner: any EngineReader, isBroken: Bool, note: @escaping ((inout Behind.Reads) -> Void) -> Void) {
    self.inner = inner
    self.isBroken = isBroken
    self.note = note
  }

  private func counted<T>(_ read: () throws(StoreError) -> T, _ rows: (T) -> Int) throws(StoreError) -> T {
    if isBroken { throw StoreError(.failed, "the disk cannot be read") }
    let found = try read()
    note { $0.rows += rows(found) }
    return found
  }

  func value(_ key: RowKey) throws(StoreError) -> Row? {
    try counted({ () throws(StoreError) in try inner.value(key) }, { _ in 1 })
  }
  func rows(from: RowKey, to: RowKey, limit: Int) throws(StoreError) -> [Row] {
    try counted({ () throws(StoreError) in try inner.rows(from: from, to: to, limit: limit) }, \.count)
  }
  func event(_ number: Int64) throws(StoreError) -> EventRow? {
    try counted({ () throws(StoreError) in try inner.event(number) }, { _ in 1 })
  }
  func events(before: Int64, limit: Int) throws(StoreError) -> [EventRow] {
    try counted({ () throws(StoreError) in try inner.events(before: before, limit: limit) }, \.count)
  }
  func verdicts(around event: Int64) throws(StoreError) -> [VerdictRow] {
    note { $0.verdicts += 1 }
    return try counted({ () throws(StoreError) in try inner.verdicts(around: event) }, \.count)
  }
  func delivery(_ number: Int64) throws(StoreError) -> DeliveryRow? {
    try counted({ () throws(StoreError) in try inner.delivery(number) }, { _ in 1 })
  }
  func deliveries(before: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    try counted({ () throws(StoreError) in try inner.deliveries(before: before, limit: limit) }, \.count)
  }
  func deliveries(after: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    try counted({ () throws(StoreError) in try inner.deliveries(after: after, limit: limit) }, \.count)
  }
  func deliveries(ofRun run: Int64, limit: Int) throws(StoreError) -> [DeliveryRow] {
    try counted({ () throws(StoreError) in try inner.deliveries(ofRun: run, limit: limit) }, \.count)
  }
  func attempts(of delivery: Int64) throws(StoreError) -> [Attempt] {
    try counted({ () throws(StoreError) in try inner.attempts(of: delivery) }, \.count)
  }
  func endedRun(_ number: Int64) throws(StoreError) -> RunRow? {
    try counted({ () throws(StoreError) in try inner.endedRun(number) }, { _ in 1 })
  }
  func endedRuns(before: Int64, limit: Int) throws(StoreError) -> [RunRow] {
    try counted({ () throws(StoreError) in try inner.endedRuns(before: before, limit: limit) }, \.count)
  }
  func dedupePage(run: Int64, page: Int64) throws(StoreError) -> DedupePage? {
    try counted({ () throws(StoreError) in try inner.dedupePage(run: run, page: page) }, { _ in 1 })
  }
}

final class OpenGate {
  let behind = Behind()
  let port: UInt16
  private let loop: ConnectionLoop
  private let worker: Worker

  init() throws {
    let answers = AnswerBox()
    let behind = behind
    let exits = GateExits(
      submit: { events in
        guard behind.takes.load(ordering: .relaxed) else { return false }
        answers.post(settled: events.compactMap { event in event.ticket.flatMap { $0.settle(1) ? $0 : nil } })
        return true
      },
      ask: { behind.ask($0) }, command: { _, _ in }, run: { _, _, _, done in behind.command(done) }, rules: { [] },
      metrics: { [] }, status: { [] }, obstacle: { behind.obstacle.withLock { $0 } })
    let gate = Gate(
      exits: exits, answers: answers, keyring: Keyring(keys: [], isOpenLocally: true), hashKey: behind.disk.hashKey,
      clocks: .system, counters: GateCounters(underWay: behind.underWay))
    // Everything may be asked for here.
    let listener = try Listener(.tcp("127.0.0.1:0"), kind: .admin)
    port = listener.port
    let loop = ConnectionLoop(listeners: [listener], handler: gate, answers: answers)
    self.loop = loop
    worker = Worker.start("gate") { loop.run() }
  }

  deinit {
    loop.stop(deadlineMilliseconds: 100)
    worker.join()
  }

  /// Sends a request whose answer may take a while.
  func send(_ method: String, _ path: String) throws -> Wire {
    let wire = try #require(Wire(.port(port)))
    let body = path == "/v1/events" && method == "POST" ? Array(#"{"name": "n", "user": "1"}"#.utf8) : []
    wire.send(method, path, body: body)
    return wire
  }

  func request(_ method: String, _ path: String) throws -> Reply { try #require(try send(method, path).reply()) }
}
