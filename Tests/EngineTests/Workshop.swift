// Desk, lanes and store on a test's thread: an event goes in, everything that follows from it is decided
// and committed, and the test looks at what came of it.
//
// Thread: the test's. Promise: the clock stands still unless the test moves it.

import Basics
import Engine
import Model
import Rules
import Store

/// What followed from the events of one call.
struct Happened {
  var events: [EventRow] = []
  var verdicts: [EventVerdicts] = []
  var deliveries: [DeliveryRow] = []
  /// What rules in shadow wanted to send.
  var shadowed: [DeliveryRow] = []
  var ended: [RunRow] = []
  /// What the delivery loop was given.
  var handedOut: [Delivery] = []
  var logs: [String] = []
  var messages = 0
  var answered = 0

  /// The verdict of a rule, when there is exactly one.
  func verdict(_ rule: String) -> Verdict? {
    let found = verdicts.flatMap(\.verdicts).filter { $0.rule == rule }
    return found.count == 1 ? found[0] : nil
  }
}

final class Workshop {
  let disk: MemoryStore.Disk
  let store: StoreLoop
  let desk: Desk
  let router: Router
  private(set) var lanes: [Lane] = []
  private(set) var book: RuleBook
  let mark: EvaluationMark
  private let numbers: Numbers
  private let committed = Counter()
  private let durable: [Counter]
  let guardian: RuleGuard
  private let hash: KeyedHash
  private let parser = DocumentParser(maximumBytes: 1 << 20)
  var now = Instant(milliseconds: 1_700_000_000_000)
  /// Tries that the store hears of with the next step.
  var settled: [Attempt] = []

  static func rules(_ files: [String: String]) throws -> RuleSet {
    let sources = files.map { RuleSource(path: $0.key + ".lua", text: $0.value) }
    let loading = RuleSet.load(sources: sources, knownDestinations: ["crm", "bare", "billing"])
    if let complaint = loading.complaints.first { throw complaint }
    return loading.set
  }

  /// A rule in one line: `header` without the title, the body of `run`.
  static func rule(_ header: String, _ body: String) -> String {
    "return rule { title = 'T', \(header), run = function(event, customer)\n\(body)\nend }"
  }

  static let destinations = [
    Destination(name: "crm", url: "http://127.0.0.1:9/", signing: .none),
    Destination(name: "bare", url: "http://127.0.0.1:9/", signing: .none, shape: .bare),
  ]

  init(
    _ files: [String: String] = [:], lanes count: Int = 1, disk: MemoryStore.Disk = .init(),
    mark: EvaluationMark = EvaluationMark(), switchedOff: Set<String> = [], effectsPerHour: Int = 0,
    destinations: [Destination] = Workshop.destinations, policies: Policies = Policies(), catchUpRate: Int? = nil,
    dedupeBits: UInt64 = Limits.dedupeHalfBits
  ) throws {
    self.disk = disk
    self.mark = mark
    store = try StoreLoop(engine: MemoryStore(disk))
    committed.set(store.recovered.record)
    let reader = try store.makeReader()
    let dedupe = DedupeSet(nextRun: store.recovered.dedupeRun, capacityBits: dedupeBits)
    let runs = try Recovery.dedupe(dedupe, from: store, reader: reader)
    numbers = Numbers(
      event: store.recovered.event, delivery: store.recovered.delivery, run: store.highestRun)
    router = Router(
      reader: reader, hashKey: store.recovered.hashKey, highestSubject: store.highestSubject, dedupe: dedupe,
      runsToClose: runs, numbers: numbers, committed: committed, lanes: count)
    try router.learnIdentities()
    desk = Desk(router: router, lanes: count)
    hash = KeyedHash(key0: store.recovered.hashKey.0, key1: store.recovered.hashKey.1)
    let known = try Workshop.knownRules(reader)
    book = RuleBook(
      rules: try Workshop.rules(files), known: known, highest: store.highestRule, destinations: destinations,
      switchedOff: switchedOff, versions: try Recovery.versions(reader), highestVersion: store.highestVersion,
      policies: policies, definitions: try Recovery.definitions(reader, lanes: count),
      livingRules: Set(try Recovery.livingRuns(reader).filter { $0.value > 0 }.keys))
    let guardian = RuleGuard(pauses: try Recovery.pauses(reader), effectsPerHour: effectsPerHour)
    self.guardian = guardian
    durable = (0..<count).map { _ in Counter() }
    for index in 0..<count {
      lanes.append(
        try Lane(
          index: index, lanes: count, reader: try store.makeReader(), numbers: numbers,
          hashKey: store.recovered.hashKey, mark: mark, book: book, highestSubject: store.highestSubject,
          highestRun: store.highestRun, durable: durable[index], guardian: guardian,
          lastEvent: store.recovered.event, catchUpRate: catchUpRate))
    }
  }

  static func knownRules(_ reader: StoreReader) throws -> [String: Int64] {
    var known: [String: Int64] = [:]
    for row in try reader.rows(from: RowKey(.rule, 0), to: RowKey(.rule, .max), limit: 1_000) {
      known[String(decoding: row.value ?? [], as: UTF8.self)] = row.key.first
    }
    return known
  }

  // MARK: in

  func incoming(_ text: String, source: String = "web", ticket: Ticket? = nil) throws -> IncomingEvent {
    let document = try parser.parse(text)
    let event = try EventDecoder(source: source).decode(document.root, received: now)
    return IncomingEvent(
      event: event, dedupe: OwnEvent.dedupe(source, event.id, hash), body: Array(text.utf8), ticket: ticket)
  }

  /// Decides and commits the events and all that follows from them.
  @discardableResult
  func take(_ texts: String..., source: String = "web") throws -> Happened {
    try run(
      texts.map { text in
        .incoming(
          try incoming(text, source: source, ticket: Ticket(request: (1, 1), accepted: 1, refusals: [])))
      })
  }

  @discardableResult
  func run(_ inputs: [DeskInput]) throws -> Happened {
    var happened = Happened()
    var next = inputs
    var rounds = 0
    while !next.isEmpty || lanes.contains(where: { $0.wakeAt <= now }) || rounds == 0 {
      rounds += 1
      let (routed, runs) = try desk.step(next, now: now)
      next = []
      var inputs = runs.map { StoreInput.closeRun($0) } + settled.map { .settled([$0]) }
      settled = []
      for (index, list) in routed.enumerated() {
        let decisions = try lanes[index].step(list, now: now)
        note(decisions, &happened)
        inputs.append(.decisions(decisions))
      }
      let outputs = try store.step(inputs, now: now)
      if outputs.record > 0 { committed.set(outputs.record) }
      for (lane, turn) in outputs.turns { durable[lane].set(turn) }
      for done in outputs.completions { done() }
      happened.handedOut += outputs.deliveries
      happened.answered += outputs.answered.count
      happened.messages += outputs.messages.count
      next = outputs.messages.map { .message($0) } + outputs.closedRuns.map { .runClosed($0) }
      if lanes.count > 1, !outputs.committed.isEmpty { next.append(.committed(outputs.committed)) }
      if next.allSatisfy({ if case .committed = $0 { true } else { false } }) { next = [] }
    }
    return happened
  }

  /// One step of the first lane, which is not on disk until it is committed.
  func decide(_ inputs: [DeskInput]) throws -> Decisions {
    try lanes[0].step(desk.step(inputs, now: now).lanes[0], now: now)
  }

  /// Commits steps and gives what follows from them.
  func commit(_ steps: [Decisions]) throws -> [DeskInput] {
    let outputs = try store.step(steps.filter { !$0.isEmpty }.map { .decisions($0) }, now: now)
    if outputs.record > 0 { committed.set(outputs.record) }
    for (lane, turn) in outputs.turns { durable[lane].set(turn) }
    for done in outputs.completions { done() }
    return outputs.messages.map { .message($0) }
  }

  private func note(_ decisions: Decisions, _ happened: inout Happened) {
    happened.events += decisions.events.rows
    happened.deliveries += decisions.deliveries
    happened.shadowed += decisions.recorded.map(\.row)
    happened.ended += decisions.endedRuns
    happened.logs += decisions.logs.map(\.text)
    happened.verdicts += decisions.verdicts.flatMap { $0.unpack() }
  }

  /// The next book, as a reload makes it.
  func publish(
    _ files: [String: String], forgotten: [String: Int64] = [:], highest: Int64, policies: Policies? = nil
  ) throws {
    try run([.publish(try draft(files, forgotten: forgotten, highest: highest, policies: policies))])
  }

  /// The next book as a reload hands it to the desk: the reload after it goes on from this one, whether or not the
  /// lanes have taken it.
  func draft(
    _ files: [String: String], forgotten: [String: Int64] = [:], highest: Int64, policies: Policies? = nil
  ) throws -> RuleBook {
    let known = book.known.merging(forgotten) { current, _ in current }
    book = RuleBook(
      rules: try Workshop.rules(files), known: known, highest: highest, destinations: Workshop.destinations,
      versions: book.knownVersions, highestVersion: book.highestVersion, policies: policies ?? book.policies,
      created: now,
      definitions: book.definitions.all, highestDefinition: book.definitions.highest,
      livingRules: Set(try Recovery.livingRuns(store.makeReader()).filter { $0.value > 0 }.keys))
    return book
  }

  // MARK: out

  func subject(_ name: String) throws -> Int64? {
    try SubjectReference(name).flatMap { reference throws in try router.find(reference) }
  }

  func row(_ name: String) throws -> SubjectRow? {
    guard let subject = try subject(name) else { return nil }
    return try store.makeReader().value(RowKey(.subject, subject)).flatMap(SubjectRow.init)
  }

  func traits(_ name: String) throws -> String { String(decoding: try row(name)?.traits ?? [], as: UTF8.self) }

  func state(_ name: String, _ rule: String) throws -> String {
    guard let subject = try subject(name), let number = book.known[rule] else { return "" }
    return String(decoding: try store.makeReader().value(RowKey(.state, subject, number)) ?? [], as: UTF8.self)
  }
}
