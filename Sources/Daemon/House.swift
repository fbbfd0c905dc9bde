// The house: builds the rooms in order, connects them, and takes them down in reverse.
//
// Thread: main. Promise: a start that fails leaves nothing running and says why; a stop finishes what
// was accepted within its bound.

internal import Basics
internal import CPlatform
internal import Delivery
internal import Engine
internal import Glibc
internal import Intake
internal import Model
internal import RuleCheck
internal import Rules
internal import SQLiteStore
internal import Store
internal import Synchronization

struct StartFailure: Error, CustomStringConvertible {
  var description: String
  /// systemd does not restart after this one: it would not help.
  var code: Int32 = 1
  init(_ description: String, code: Int32 = 1) {
    self.description = description
    self.code = code
  }
}

/// Exit codes that the unit file knows.
enum ExitCode {
  static let damaged: Int32 = 70
}

/// What the main thread is told by others.
enum MainEvent: Sendable {
  case reload(AnswerToken?)
  /// A rule is to be paused for this reason; nil: to live again.
  case pause(rule: String, String?, AnswerToken)
  case failed(StoreError)
}

final class House: @unchecked Sendable {
  static let version = "0.1.0"

  let clocks: Clocks
  private let log: Log
  private(set) var configuration: Configuration
  private let readAgain: () throws -> Configuration
  private let answers = AnswerBox()
  let wakeUp = WakeUp()
  let events: Mailbox<MainEvent>
  private let storeMailbox = Mailbox<StoreInput>(capacity: Limits.storeQueue)
  private let deskMailbox = Mailbox<DeskInput>(capacity: Limits.laneQueue)
  private var laneMailboxes: [Mailbox<LaneInput>] = []
  let storeCounters = StoreCounters()
  let committed = Counter()
  /// What of each lane's decisions is on disk.
  private var laneDurable: [Counter] = []
  var guardian = RuleGuard()
  var laneCounters: [LaneCounters] = []
  private var workers: [Worker] = []
  private var storeWorker: Worker?
  private var intakeWorker: Worker?
  var delivery: DeliveryThread?
  var loop: ConnectionLoop?
  var gate: Gate?
  let book = Guarded<RuleBook?>(nil)
  private var highestRule: Int64 = 0
  private let stopping = Atomic(false)
  let startedAt: Instant
  private(set) var ports: [UInt16] = []

  /// `readAgain` gives the configuration anew, with what the command line says on top.
  init(
    configuration: Configuration, clocks: Clocks = .system, log: Log, readAgain: @escaping () throws -> Configuration
  ) {
    self.configuration = configuration
    self.readAgain = readAgain
    events = Mailbox(capacity: 1_000, wakeUp: wakeUp)
    self.clocks = clocks
    self.log = log
    startedAt = clocks.wall()
  }

  // MARK: start

  func start() throws(StartFailure) {
    let store = try openStore()
    if configuration.clock != nil, store.recovered.event > 0 {
      throw StartFailure(
        "a clock that runs fast begins in the past, and the store \(configuration.storePath) knows later times; name a new one, or take 'clock' out of the configuration"
      )
    }
    let rules = try loadRules(configuration)
    let known = try knownRules(store)
    let versions = try knownVersions(store)
    highestRule = store.highestRule
    // A rule that ended the process at its first event has its number in no record yet.
    let numbered = RuleBook(rules: rules, known: known, highest: highestRule, destinations: []).known
    let first = RuleBook(
      rules: rules, known: known, highest: highestRule, destinations: configuration.destinations,
      switchedOff: switchedOff(numbered), versions: versions, highestVersion: store.highestVersion,
      zone: configuration.zone, publicURL: configuration.publicURL, policies: configuration.policies,
      created: startedAt,
      definitions: try definitions(store), livingRules: try livingRules(store))
    forgotten = known
    remember(first)
    let listeners = try openListeners()
    try startLanes(store, first)
    startDelivery(store.states)
    orphans = tellOrphans(first, open: store.openByDestination)
    tellStore(first)
    startStore(store)
    startIntake(listeners, hashKey: store.recovered.hashKey)
  }

  private func openStore() throws(StartFailure) -> StoreLoop {
    do throws(StoreError) {
      // A demonstration holds out the same subjects each time, those of `nudged play`.
      let key = configuration.clock == nil ? nil : MemoryStore.Disk().hashKey
      let loop = try StoreLoop(engine: try SQLiteStore(path: configuration.storePath, newHashKey: key))
      loop.retention.eventsMilliseconds = configuration.eventsMilliseconds
      loop.retention.verdictsMilliseconds = configuration.verdictsMilliseconds
      loop.retention.attemptsMilliseconds = configuration.attemptsMilliseconds
      loop.retention.sizeBytes = configuration.sizeBytes
      loop.retention.endedRunsMilliseconds = configuration.runsMilliseconds
      committed.set(loop.recovered.record)
      return loop
    } catch {
      throw StartFailure(error.message, code: error.code == .damaged ? ExitCode.damaged : 1)
    }
  }

  private func loadRules(_ configuration: Configuration) throws(StartFailure) -> RuleSet {
    let loading = try House.load(configuration)
    if !loading.complaints.isEmpty {
      throw StartFailure(Complaints(loading.complaints).description)
    }
    return loading.set
  }

  static func load(
    _ configuration: Configuration, knowsDestinations: Bool = true
  ) throws(StartFailure) -> RuleSet.Loading {
    let (report, _) = try check(configuration, knowsDestinations: knowsDestinations)
    return report.loading
  }

  /// The one door to the rules: what `nudged check` calls an error is what a start and a reload refuse.
  static func check(
    _ configuration: Configuration, knowsDestinations: Bool = true
  ) throws(StartFailure) -> (report: RuleCheck.Report, sources: [RuleSource]) {
    guard let files = Files.rules(in: configuration.rules) else {
      throw StartFailure(
        "cannot read the rules folder \(configuration.rules): \(String(cString: strerror(errno))); name another with --rules"
      )
    }
    var known = knowsDestinations ? Set(configuration.destinations.map(\.name)) : nil
    // Without a configuration, as on a build server, the catalogue says which ones there are.
    if configuration.file.isEmpty, configuration.destinations.isEmpty {
      let catalogue = RuleCheck.check(sources: files.sources.filter { $0.kind == .catalogue }, knownDestinations: nil)
      known = catalogue.catalogue.destinations.isEmpty ? known : catalogue.catalogue.destinations
    }
    var report = RuleCheck.check(
      sources: files.sources, knownDestinations: known,
      folder: configuration.rules, zones: { ZoneFolder().names() })
    report.findings += files.complaints.map { Finding($0, code: .load, text: nil) }
    let libraries = report.set.libraries.map(\.name)
    for destination in configuration.destinations
    where !destination.transform.isEmpty && !libraries.contains(destination.transform) {
      let complaint = RuleComplaint(
        file: configuration.file, line: 1,
        message:
          "'destinations.\(destination.name).transform': there is no library '\(destination.transform)' in the rules folder",
        suggestion: Suggestion.nearest(to: destination.transform, among: libraries))
      report.findings.append(Finding(complaint, code: .configuration, text: nil))
    }
    return (report, files.sources)
  }

  private func knownRules(_ store: StoreLoop) throws(StartFailure) -> [String: Int64] {
    do throws(StoreError) {
      return try Recovery.rules(try store.makeReader())
    } catch {
      throw StartFailure(error.message)
    }
  }

  private func knownVersions(_ store: StoreLoop) throws(StartFailure) -> [Int64: [RuleBook.KnownVersion]] {
    do throws(StoreError) {
      let reader = try store.makeReader()
      guardian = RuleGuard(pauses: try Recovery.pauses(reader), effectsPerHour: configuration.effectsPerHour)
      return try Recovery.versions(reader)
    } catch {
      throw StartFailure(error.message)
    }
  }

  private func definitions(_ store: StoreLoop) throws(StartFailure) -> [StoredDefinition] {
    do throws(StoreError) {
      return try Recovery.definitions(try store.makeReader(), lanes: configuration.lanes)
    } catch {
      throw StartFailure(error.message)
    }
  }

  private func livingRules(_ store: StoreLoop) throws(StartFailure) -> Set<Int64> {
    do throws(StoreError) {
      return Set(try Recovery.livingRuns(try store.makeReader()).filter { $0.value > 0 }.keys)
    } catch {
      throw StartFailure(error.message)
    }
  }

  /// Rules with runs that sleep, as the lanes count them now.
  private func livingRules(_ book: RuleBook?) -> Set<Int64> {
    guard let book else { return [] }
    var living: [Int64: Int64] = [:]
    for counters in laneCounters {
      for (version, count) in counters.livingRuns { living[version, default: 0] += count }
    }
    return Set(
      book.knownVersions.filter { rule in rule.value.contains { living[$0.number, default: 0] > 0 } }.keys)
  }

  private func remember(_ next: RuleBook) {
    highestRule = max(highestRule, next.numbers.max() ?? 0)
    book.withLock { $0 = next }
  }

  /// Rules that were being evaluated when the process ended twice at the same event.
  private func switchedOff(_ known: [String: Int64]) -> Set<String> {
    var off: Set<String> = []
    for lane in 0..<configuration.lanes {
      guard let mark = EvaluationMark(path: configuration.storePath + ".lanes", lane: lane), let found = mark.takeLast()
      else { continue }
      let path = known.first { $0.value == found.rule }?.key ?? "rule \(found.rule)"
      guard found.times >= 2 else {
        log.warning("the last process ended while it evaluated a rule", ["rule": path, "event": found.event.hex])
        continue
      }
      off.insert(path)
      log.error(
        "a rule is switched off: the process ended twice while it evaluated it for the same event",
        ["rule": path, "event": found.event.hex])
    }
    return off
  }

  // MARK: lanes

  private func startLanes(_ store: StoreLoop, _ book: RuleBook) throws(StartFailure) {
    let lanes = configuration.lanes
    let numbers = Numbers(
      event: store.recovered.event, delivery: store.recovered.delivery, run: store.highestRun)
    let hashKey = store.recovered.hashKey
    let highestSubject = store.highestSubject
    let highestRun = store.highestRun
    let catchUpRate = configuration.catchUpRate
    let lastEvent = store.recovered.event
    let timersFrom = startedAt + configuration.timersAfterStartMilliseconds
    laneDurable = (0..<lanes).map { _ in Counter() }
    let durable = laneDurable
    let guardian = guardian
    laneMailboxes = (1..<max(lanes, 1)).map { _ in Mailbox<LaneInput>(capacity: Limits.laneQueue) }
    laneCounters = (0..<lanes).map { _ in LaneCounters() }
    let path = configuration.storePath + ".lanes"
    let exits = laneExits()
    do throws(StoreError) {
      // The router and the first lane live on one thread and share its reader.
      var readers: [Carried<StoreReader>] = []
      let shared = try store.makeReader()
      for index in 0..<lanes { readers.append(Carried(index == 0 ? shared : try store.makeReader())) }
      let (router, pending) = try recoverRouter(store, reader: shared, numbers: numbers, lanes: lanes)
      // Before a lane asks whether what came in time has come.
      for message in pending { deskMailbox.sendAlways(.message(message)) }
      let counters = laneCounters
      func make(_ index: Int) -> @Sendable () throws -> Lane {
        let reader = readers[index]
        return {
          try Lane(
            index: index, lanes: lanes, reader: reader.take(), numbers: numbers, hashKey: hashKey,
            mark: EvaluationMark(path: path, lane: index) ?? EvaluationMark(), book: book,
            highestSubject: highestSubject, highestRun: highestRun, counters: counters[index],
            durable: durable[index], timersFrom: timersFrom, guardian: guardian, lastEvent: lastEvent,
            catchUpRate: catchUpRate)
        }
      }
      for index in 1..<max(lanes, 1) {
        workers.append(
          LaneThreads.start(
            index, mailbox: laneMailboxes[index - 1], desk: deskMailbox, clocks: clocks, exits: exits, make: make(index)
          ))
      }
      let carriedRouter = Carried(router)
      let makeFirst = make(0)
      workers.append(
        LaneThreads.startFirst(mailbox: deskMailbox, others: laneMailboxes, clocks: clocks, exits: exits) {
          (Desk(router: carriedRouter.take(), lanes: lanes), try makeFirst())
        })
    } catch {
      throw StartFailure(error.message)
    }
  }

  private func laneExits() -> LaneExits {
    let store = storeMailbox
    let events = events
    return LaneExits(
      decisions: { store.sendAlways(.decisions($0)) }, closeRun: { store.sendAlways(.closeRun($0)) },
      failed: { events.sendAlways(.failed($0)) })
  }

  private func recoverRouter(
    _ store: StoreLoop, reader: StoreReader, numbers: Numbers, lanes: Int
  ) throws(StoreError) -> (Router, [LaneMessage]) {
    let dedupe = DedupeSet(nextRun: store.recovered.dedupeRun)
    let runs = try Recovery.dedupe(dedupe, from: store, reader: reader)
    let router = Router(
      reader: reader, hashKey: store.recovered.hashKey, highestSubject: store.highestSubject, dedupe: dedupe,
      runsToClose: runs, numbers: numbers, committed: committed, lanes: lanes)
    try router.learnIdentities()
    let hash = KeyedHash(key0: store.recovered.hashKey.0, key1: store.recovered.hashKey.1)
    return (router, try Recovery.messages(reader, hash: hash))
  }

  // MARK: delivery, store, intake

  private func startDelivery(_ states: [DestinationState]) {
    let store = storeMailbox
    destinationStates.withLock { known in for state in states { known[state.name] = state } }
    delivery = DeliveryThread(
      version: House.version, destinations: configuration.destinations, clocks: clocks, log: log,
      callbacks: .init(
        settle: { store.sendAlways(.settled($0)) },
        handBack: { store.sendAlways(.handedBack($0.map(\.delivery))) },
        wants: { store.sendAlways(.wants($0.count, except: Set($0.except))) },
        changes: { for change in $0 { store.sendAlways(.destination(change.destination, change.change, done: nil)) } },
        tooLate: { store.sendAlways(.tooLate($0)) }))
    if !states.isEmpty { delivery?.remember(states) }
  }

  /// What the store has to know of rules and destinations.
  private func tellStore(_ book: RuleBook) {
    let blocking = book.destinations.values.filter(\.blocksPoisoned).map(\.name)
    let listens = ["nudged.delivery.failed"].filter { name in
      !book.rules.matching(name).isEmpty || book.rules.rules.contains { $0.awaited.contains(name) }
    }
    let holding = book.destinations.values.filter { $0.mode == .hold }.map(\.name)
    storeMailbox.sendAlways(
      .configure(blocking: Set(blocking), listens: Set(listens), holding: Set(holding)))
  }

  /// What is remembered of destinations, for reports.
  let destinationStates = Guarded<[String: DestinationState]>([:])

  private func startStore(_ loop: StoreLoop) {
    let answers = answers
    let delivery = delivery!
    let desk = deskMailbox
    let committed = committed
    let log = log
    let events = events
    let manyLanes = configuration.lanes > 1
    let durable = laneDurable
    let underWay = underWay
    let counters = storeCounters
    let told = Counter()
    let noteStates = { @Sendable [unowned self] (states: [DestinationState]) in self.note(states) }
    storeWorker = StoreThread.start(
      mailbox: storeMailbox, clocks: clocks, counters: storeCounters,
      exits: StoreExits(
        outputs: { outputs in
          House.tellFull(counters, told, log)
          if outputs.record > 0 { committed.set(outputs.record) }
          for (lane, turn) in outputs.turns { durable[lane].set(turn) }
          var settled: Int64 = 0
          for ticket in outputs.answered { settled += Int64(ticket.accepted) }
          if settled > 0 { underWay.add(-settled) }
          answers.post(settled: outputs.answered)
          if !outputs.deliveries.isEmpty { _ = delivery.deliver(outputs.deliveries) }
          if !outputs.states.isEmpty {
            delivery.remember(outputs.states)
            noteStates(outputs.states)
          }
          if !outputs.cancels.isEmpty { delivery.cancel(outputs.cancels) }
          for message in outputs.messages { desk.sendAlways(.message(message)) }
          for run in outputs.closedRuns { desk.sendAlways(.runClosed(run)) }
          if manyLanes, !outputs.committed.isEmpty {
            desk.sendAlways(.committed(outputs.committed.map { ($0.lane, $0.sequence) }))
          }
          for completion in outputs.completions { completion() }
          for line in outputs.logs {
            let about: Log.Pairs = line.rule.isEmpty ? [:] : ["rule": line.rule, "event": "\(line.event)"]
            if line.isWarning { log.warning(line.text, about) } else { log.info(line.text, about) }
          }
        },
        failed: { events.sendAlways(.failed($0)) },
        swept: { platform_trim_memory() }),
      loop: Carried(loop))
  }

  private func note(_ states: [DestinationState]) {
    destinationStates.withLock { known in for state in states { known[state.name] = state } }
    for state in states {
      log.notice("a destination is \(state.word)", ["destination": state.name, "reason": state.reason])
    }
  }

  /// A full disk is the operator's to mend: it stands in the log when it begins and when it ends.
  private static func tellFull(_ counters: StoreCounters, _ told: Counter, _ log: Log) {
    guard counters.full.value != told.value else { return }
    told.set(counters.full.value)
    if told.value != 0 {
      log.error(
        "the disk of the store is full: no events are taken until there is room for the store's reserve of 64 MB")
    } else {
      log.notice("the disk of the store has room again: events are taken")
    }
  }

  /// Events let in and not yet on disk; the gate raises it, the store's exits lower it.
  let underWay = Counter()

  private func openListeners() throws(StartFailure) -> [Listener] {
    do throws(ListenError) {
      var listeners: [Listener] = []
      let passed = Systemd.passedSockets()
      for socket in passed {
        listeners.append(try Listener(.descriptor(socket.descriptor), kind: socket.name == "admin" ? .admin : .public))
      }
      if !listeners.contains(where: { $0.kind == .public }) {
        for address in configuration.listen {
          let isPath = ListenText.isPath(address)
          let path = address.hasPrefix("unix:") ? String(address.dropFirst(5)) : address
          listeners.append(try Listener(isPath ? .unix(path: path, mode: 0o660) : .tcp(address), kind: .public))
        }
      }
      if !listeners.contains(where: { $0.kind == .admin }) {
        listeners.append(try Listener(.unix(path: configuration.adminPath), kind: .admin))
      }
      ports = listeners.filter { $0.kind == .public }.map(\.port)
      return listeners
    } catch {
      throw StartFailure(error.description)
    }
  }

  private func startIntake(_ listeners: sending [Listener], hashKey: (UInt64, UInt64)) {
    let clocks = clocks
    let marking: (@Sendable () -> [UInt8])? =
      configuration.clock == nil ? nil : { @Sendable in ClockMark.header(clocks) }
    let gate = Gate(
      exits: gateExits(), answers: answers, keyring: keyring(configuration), hashKey: hashKey, clocks: clocks,
      counters: GateCounters(underWay: underWay))
    let loop = ConnectionLoop(
      listeners: listeners, handler: gate, answers: answers, clocks: clocks, log: log,
      marking: marking)
    self.gate = gate
    self.loop = loop
    intakeWorker = Worker.start("intake") { loop.run() }
  }

  private func keyring(_ configuration: Configuration) -> Keyring {
    Keyring(keys: configuration.keys, isOpenLocally: configuration.openLocally)
  }

  private func gateExits() -> GateExits {
    let desk = deskMailbox
    let store = storeMailbox
    let events = events
    return GateExits(
      submit: { batch in desk.send(all: batch.map { .incoming($0) }) },
      ask: { question in store.sendAlways(.read(question)) },
      tell: { input in store.sendAlways(input) },
      mode: { [unowned self] name in self.mode(of: name) },
      destinations: { [unowned self] in self.destinationsReport() },
      destinationNames: { [unowned self] in self.book.withLock { $0.map { Array($0.destinations.keys) } ?? [] } },
      command: { command, token in
        switch command {
        case .reload: events.sendAlways(.reload(token))
        case .pause(let rule, let reason): events.sendAlways(.pause(rule: rule, reason, token))
        case .resume(let rule): events.sendAlways(.pause(rule: rule, nil, token))
        }
      },
      run: { action, run, subject, done in
        let command = RunCommand(action == .wake ? .wake : .cancel, run: run, subject: subject, done: done)
        desk.sendAlways(.command(command))
      },
      rules: { [unowned self] in self.rulesReport() }, metrics: { [unowned self] in self.metricsReport() },
      status: { [unowned self] in self.statusReport() }, obstacle: { [unowned self] in self.obstacle() })
  }

  /// One that is gone from the configuration may still be held with webhooks that wait, and then a person must be
  /// able to release it.
  private func mode(of name: String) -> Destination.Mode? {
    if let mode = book.withLock({ $0?.destinations[name]?.mode }) { return mode }
    let isRemembered = destinationStates.withLock { $0[name] != nil } || storeCounters.openByDestination[name] != nil
    return isRemembered ? .live : nil
  }

  func obstacle() -> Obstacle? {
    if stopping.load(ordering: .relaxed) { return Obstacle(.stopping, "nudged is stopping") }
    if storeCounters.full.value != 0 {
      return Obstacle(.full, "the disk of the store is full; free some space, nudged goes on by itself")
    }
    if storeCounters.tailPermille.value >= 1000 { return Obstacle(.busy, "the store cannot keep up") }
    return nil
  }

  // MARK: reload

  /// Loads everything new beside the old; on any error the old stays and the complaints come back.
  func reload() -> Complaints? {
    let next: Configuration
    do {
      next = merge(try readAgain())
    } catch let complaints as Complaints {
      return complaints
    } catch {
      return Complaints([RuleComplaint(file: configuration.file, line: 1, message: "\(error)")])
    }
    let loading: RuleSet.Loading
    do throws(StartFailure) { loading = try House.load(next) } catch {
      return Complaints([RuleComplaint(file: next.rules, line: 1, message: error.description)])
    }
    if !loading.complaints.isEmpty { return Complaints(loading.complaints) }
    let old = book.withLock { $0 }
    let known = (old?.known ?? [:]).merging(forgotten) { current, _ in current }
    let nextBook = RuleBook(
      rules: loading.set, known: known, highest: highestRule, destinations: next.destinations,
      switchedOff: old?.switchedOff ?? [], versions: old?.knownVersions ?? [:],
      highestVersion: old?.highestVersion ?? 0, zone: next.zone, publicURL: next.publicURL, policies: next.policies,
      created: clocks.wall(), definitions: old?.definitions.all ?? [],
      highestDefinition: old?.definitions.highest ?? 0, livingRules: livingRules(old))
    forgotten = known
    configuration = next
    remember(nextBook)
    gate?.replace(keyring(next))
    orphans = tellOrphans(nextBook, open: storeCounters.openByDestination)
    delivery?.configure(next.destinations)
    tellStore(nextBook)
    deskMailbox.sendAlways(.publish(nextBook))
    keeping = keepers(nextBook)
    for keeper in keeping {
      let text =
        keeper.isGone
        ? "runs go on although the file of their rule is gone" : "runs keep an older version of their rule"
      log.notice(text, ["rule": keeper.rule, "runs": "\(keeper.runs)"])
    }
    return nil
  }

  /// Webhooks that wait for a destination that is not configured any more.
  private struct Orphans {
    var destination: String
    var webhooks: Int
    /// A person or its own failures had stopped it: they wait until a person says more.
    var isStopped: Bool
  }

  /// Those of the last start or reload, for whoever asked for it.
  private var orphans: [Orphans] = []

  /// A name that was mistyped or changed costs webhooks, which must not happen without a word.
  private func tellOrphans(_ book: RuleBook, open: [String: Int]) -> [Orphans] {
    let states = destinationStates.withLock { $0 }
    let found = open.filter { $0.value > 0 && book.destinations[$0.key] == nil }.map {
      Orphans(destination: $0.key, webhooks: $0.value, isStopped: states[$0.key]?.takesNothing == true)
    }.sorted { $0.destination < $1.destination }
    for one in found {
      let text =
        one.isStopped
        ? "webhooks wait, unspent, for a destination that is not configured any more; release it to give them up"
        : "webhooks are given up: their destination is not configured any more"
      log.warning(text, ["destination": one.destination, "webhooks": "\(one.webhooks)"])
    }
    return found
  }

  /// Pauses a rule or lets it live again.
  func pause(_ path: String, _ reason: String?, _ token: AnswerToken) {
    // A rule whose file is gone may still have runs that sleep.
    guard let book = book.withLock({ $0 }), let number = book.known[path] ?? forgotten[path] else {
      let near = book.withLock { $0.map { Array($0.known.keys) } } ?? []
      let ending = Suggestion.ending(for: path, among: near)
      return answers.post(
        token, Answer(status: 404, code: "not_found", message: "there is no rule \(path)\(ending)"))
    }
    let was = guardian.pauses[number]
    let isPausedByFile = book.places[number].map { book.rules.rules[$0].header.mode == .paused } ?? false
    guardian.setPause(of: number, reason)
    deskMailbox.sendAlways(
      .pause(rule: number, reason.map { PauseRow(since: clocks.wall(), reason: $0) }))
    let word =
      reason != nil ? "paused" : isPausedByFile ? "paused by its file" : was == nil ? "was not paused" : "resumed"
    log.notice(
      "a rule was told to \(reason == nil ? "resume" : "pause")",
      ["rule": path, "reason": reason ?? "", "status": word])
    let answers = answers
    deskMailbox.sendAlways(
      .completion { answers.post(token, Answer(status: 200, body: Array("{\"status\":\"\(word)\"}\n".utf8))) })
  }

  private struct Keeper {
    var rule: String
    var runs: Int64
    /// Its file is gone, or has another name.
    var isGone: Bool
  }

  /// Runs that keep another version than the newest one, by rule.
  private func keepers(_ new: RuleBook) -> [Keeper] {
    var living: [Int64: Int64] = [:]
    for counters in laneCounters {
      for (version, count) in counters.livingRuns { living[version, default: 0] += count }
    }
    var out: [Keeper] = []
    for (rule, versions) in new.knownVersions {
      let newest = new.places[rule].map { new.versions[$0] }
      let count = versions.filter { $0.number != newest }.reduce(0) { $0 + (living[$1.number] ?? 0) }
      guard count > 0 else { continue }
      let path = new.places[rule].map { new.rules.rules[$0].path } ?? forgotten.first { $0.value == rule }?.key
      out.append(Keeper(rule: path ?? "rule \(rule)", runs: count, isGone: new.places[rule] == nil))
    }
    return out.sorted { $0.rule < $1.rule }
  }

  /// Numbers of rules that are gone; one that comes back gets its old number, and with it its state.
  private var forgotten: [String: Int64] = [:]

  /// After the last reload: runs that keep an older version of their rule.
  private var keeping: [Keeper] = []

  /// Where it listens and keeps things is fixed at start and does not change at a reload.
  private func merge(_ read: Configuration) -> Configuration {
    var next = read
    next.listen = configuration.listen
    next.admin = configuration.admin
    next.store = configuration.store
    next.lanes = configuration.lanes
    return next
  }

  func answer(_ token: AnswerToken, _ complaints: Complaints?) {
    if let complaints {
      answers.post(
        token, Answer(status: 422, code: "rules_refused", message: "the old rules stay. " + complaints.description))
    } else {
      let count = ruleCount
      let list = keeping.map {
        JSONValue.object([
          .init("rule", .string($0.rule)), .init("runs", .integer($0.runs)), .init("file_gone", .boolean($0.isGone)),
        ])
      }
      let value: JSONValue = [
        "status": "reloaded", "rules": .integer(Int64(count)), "older_versions": .array(list),
        "gone_destinations": .array(
          orphans.map {
            .object([
              .init("destination", .string($0.destination)), .init("webhooks", .integer(Int64($0.webhooks))),
              .init("given_up", .boolean(!$0.isStopped)),
            ])
          }),
      ]
      // Whoever reads after the answer finds the new versions.
      let answers = answers
      deskMailbox.sendAlways(.completion { answers.post(token, Answer(status: 200, body: value.text + [0x0A])) })
    }
  }

  var ruleCount: Int { book.withLock { $0?.rules.rules.count { !$0.isSegment } ?? 0 } }

  // MARK: stop

  /// Stops accepting, answers what was accepted, decides and commits it, sweeps, closes.
  func stop(withinMilliseconds: Int64) {
    loop?.stop(deadlineMilliseconds: withinMilliseconds)
    intakeWorker?.join()
    stopping.store(true, ordering: .relaxed)
    delivery?.stop(withinMilliseconds: min(2_000, withinMilliseconds))
    deskMailbox.close()
    workers.last?.join()
    for mailbox in laneMailboxes { mailbox.close() }
    for worker in workers.dropLast() { worker.join() }
    storeMailbox.close()
    storeWorker?.join()
  }

  /// Makes the intake loop turn although nobody calls.
  func ping() { answers.ping() }

  /// The sum of what the loops did; it has to grow while there is something to do.
  var progress: [Int64] {
    let looked = delivery?.progress ?? 1
    // Odd: it waits for the network, which is healthy for any time.
    if looked % 2 == 1 || looked != lastDeliveryProgress { deliveryBeats += 1 }
    lastDeliveryProgress = looked
    return [storeCounters.steps.value, Int64(loop?.counters.rounds ?? 0), deliveryBeats]
      + laneCounters.map(\.steps.value)
  }

  private var lastDeliveryProgress = 0
  private var deliveryBeats: Int64 = 0
}
