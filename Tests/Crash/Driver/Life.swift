// The life of one store: it begins as an older one or as none, is killed again and again, and has to
// prove after every few kills that nothing was lost.
//
// Thread: main. Promise: a round counts only when the daemon was ended where it was ordered, and the
// proof after it held.

import Basics
import Glibc
import Synchronization

/// How often each phase was met, and how often a round was drawn that its phase was too short for.
struct Tally {
  var kills: [Phase: Int] = [:]
  var missed: [Phase: Int] = [:]
  var proofs = 0
  var events = 0
  var webhooks = 0
  var repeatedWebhooks = 0
  var hottest = 0
  var total: Int { kills.values.reduce(0, +) }
}

struct Life {
  let options: Options
  private var random: SeededRandom
  private let scene: Scene
  private let ledger: Ledger
  private let hooks: Hooks
  private let comesAgain = ComesAgain()
  private let version: Int
  private var proof: Proof {
    Proof(
      options: options, scene: scene, ledger: ledger, hooks: hooks, comesAgain: comesAgain,
      inheritedEvents: version == 0 ? [] : OlderStore.eventIDs)
  }
  private(set) var order: Order?

  init(_ options: Options, number: Int) throws {
    self.options = options
    random = SeededRandom(seed: options.seed &* 1_000_003 &+ UInt64(number))
    scene = try Scene(random: &random)
    hooks = try Hooks(secret: scene.secret)
    version = number % 5 == 0 ? 0 : OlderStore.versions[number % OlderStore.versions.count]
    ledger = Ledger(inherited: version == 0 ? Expected() : OlderStore.expected(version: version))
    try scene.configure(hookPort: hooks.port, lanes: 1 + Int(random.next(below: 3)))
    if version > 0 {
      let sql = try Scene.read(options.fixtures + "/store-\(version).sql")
      try StoreFile(path: scene.store).make(from: sql, keepsLog: random.chance(1, in: 2))
    }
  }

  /// All phases in some order, as often as needed; the migration first, because it comes once.
  mutating func run(_ tally: inout Tally) throws {
    let wanted = options.phases.isEmpty ? Phase.allCases : options.phases
    if wanted.contains(.migration) { try migrate(&tally) }
    repeat {
      var phases = wanted.filter { $0 != .migration }
      for position in phases.indices.reversed() {
        phases.swapAt(position, Int(random.next(below: UInt64(position + 1))))
      }
      for phase in phases {
        try round(Order(phase, &random), &tally)
        if random.chance(1, in: 2) { try prove(&tally) }
      }
    } while ledger.hotCount < options.increments
    try prove(&tally)
    tally.events += ledger.count
    tally.hottest = max(tally.hottest, ledger.hotCount)
    tally.webhooks += hooks.count
    tally.repeatedWebhooks += hooks.content.times - hooks.count
  }

  private mutating func prove(_ tally: inout Tally) throws {
    let began = Patience.milliseconds()
    try proof.run()
    tally.proofs += 1
    if options.talks { say("    proved with \(ledger.count) events in \(Patience.milliseconds() - began) ms") }
  }

  /// Kills on the way to the newest version until one start gets through.
  private mutating func migrate(_ tally: inout Tally) throws {
    for _ in 0...random.next(below: 4) {
      let order = Order(.migration, &random, farthest: OlderStore.writes[version])
      self.order = order
      let daemon = try DaemonProcess(options, folder: scene.folder, order: order)
      guard try daemon.start() == .ended else {
        tally.missed[.migration, default: 0] += 1
        return daemon.kill()
      }
      try count(order, daemon, &tally)
    }
  }

  private mutating func round(_ order: Order, _ tally: inout Tally) throws {
    self.order = order
    if order.phase == .storm { try gather() }
    if order.phase == .probe { try blackOut(order) }
    if order.phase == .resend { try deliverAll() }
    defer { hooks.isDown.store(false, ordering: .relaxed) }
    let began = Patience.milliseconds()
    let before = ledger.count
    let daemon = try DaemonProcess(options, folder: scene.folder, order: order)
    // What an earlier kill left to do may bring it to its end before it serves.
    if try daemon.start() == .ready {
      switch order.phase {
      case .moment: meetMoment(order, daemon)
      case .resend: meetResend(daemon)
      case .probe: Patience.until(milliseconds: 5_000) { daemon.ended() != nil }
      case .stop: meetStop(daemon)
      case .storm: meetStorm(daemon)
      case .sweep: try meet(daemon, requests: 12, idleMilliseconds: 900)
      default: try meet(daemon, requests: 40, idleMilliseconds: 0)
      }
    }
    if let complaint = ledger.complaint { throw Wrong(complaint) }
    if options.talks {
      say(
        "  \(order): \(ledger.count - before) events, \(Patience.milliseconds() - began) ms, \(daemon.ended()?.description ?? "alive")"
      )
    }
    try count(order, daemon, &tally)
  }

  private func count(_ order: Order, _ daemon: DaemonProcess, _ tally: inout Tally) throws {
    // A storm that is over, and a job that is, have left everybody alive.
    let mayLive = [.storm, .resend, .probe].contains(order.phase)
    let ending = daemon.wait(milliseconds: mayLive ? 0 : 10_000)
    if mayLive, ending == nil {
      tally.missed[order.phase, default: 0] += 1
      return daemon.kill()
    }
    if order.phase == .stop, ending == .exited(0) {
      tally.missed[.stop, default: 0] += 1
      return
    }
    guard ending == .signalled(SIGKILL), order.phase == .moment || daemon.isMarked else {
      throw Wrong("the daemon ended by itself: \(ending?.description ?? "it still runs")")
    }
    tally.kills[order.phase, default: 0] += 1
  }

  private mutating func load(_ daemon: DaemonProcess, requests: Int) -> Load {
    let isLong = options.increments > 0
    return Load(
      port: daemon.port, connections: options.connections, requests: requests, batch: isLong ? 60 : 8,
      hotShare: isLong ? 60 : 25, seed: random.next())
  }

  /// Load, and pauses if the phase is one of idleness, until the daemon has met its end.
  private mutating func meet(_ daemon: DaemonProcess, requests: Int, idleMilliseconds: Int) throws {
    let deadline = Patience.milliseconds() + 60_000
    while daemon.ended() == nil {
      guard Patience.milliseconds() < deadline else { throw Wrong("the phase was not reached within 60 s") }
      if load(daemon, requests: requests).run(ledger) {
        Patience.until(milliseconds: idleMilliseconds) { daemon.ended() != nil }
      } else if daemon.wait(milliseconds: 5_000) == nil {
        throw Wrong("connections ended, and the daemon lives")
      }
      if ledger.complaint != nil { return daemon.kill() }
    }
  }

  /// Thousands of runs fall asleep for a second, and the daemon is ended before they wake.
  private mutating func gather() throws {
    let daemon = try DaemonProcess(options, folder: scene.folder, order: nil)
    guard try daemon.start() == .ready else { throw Wrong("the daemon does not start before a storm") }
    var load = load(daemon, requests: 60)
    load.napShare = 100
    load.pause = "1 s"
    load.run(ledger)
    daemon.kill()
  }

  /// Nobody sends; the timers alone are at work. It is over when no run sleeps any more.
  private func meetStorm(_ daemon: DaemonProcess) {
    guard let client = Client(scene.admin) else { return }
    Patience.until(milliseconds: 30_000) {
      if daemon.ended() != nil { return true }
      guard let response = client.get("/v1/runs?limit=1"), response.status == 200 else { return false }
      return (try? Document.parse(response.body))?.root["runs"]?.count == 0
    }
    Patience.until(milliseconds: 200) { daemon.ended() != nil }
  }

  /// Enough webhooks for a job, all of them over.
  private mutating func deliverAll() throws {
    let daemon = try DaemonProcess(options, folder: scene.folder, order: nil)
    guard try daemon.start() == .ready, let client = Client(scene.admin) else {
      throw Wrong("the daemon does not start before a job")
    }
    if hooks.count < 100 { load(daemon, requests: 12).run(ledger) }
    func count(_ path: String, _ list: String) -> Int? {
      guard let response = client.get(path), response.status == 200 else { return nil }
      return (try? Document.parse(response.body))?.root[name: list]?.count
    }
    let isOver = Patience.until(milliseconds: 60_000) {
      ["waiting", "retrying"].allSatisfy { count("/v1/deliveries?limit=1&status=\($0)", "deliveries") == 0 }
        && count("/v1/runs?limit=1", "runs") == 0
    }
    daemon.kill()
    guard isOver else { throw Wrong("deliveries stay open before a job") }
  }

  /// Everything that has arrived is sent once more; from then on each of it has to come again.
  private func meetResend(_ daemon: DaemonProcess) {
    // What an older store had is not among what was sent within the hour.
    let before = hooks.content.counts.filter { !$0.key.hasPrefix("msg_old") }
    guard let client = Client(scene.admin), daemon.ended() == nil,
      client.post("/v1/deliveries/retry?since=1%20hour&status=delivered&rate=2000", [])?.status == 200
    else { return }
    comesAgain.note(before)
    Patience.until(milliseconds: 20_000) { daemon.ended() != nil || comesAgain.first(missing: hooks.content) == nil }
  }

  /// The receiver fails until its breaker is open, and the daemon is ended while it waits to probe.
  private mutating func blackOut(_ order: Order) throws {
    let daemon = try DaemonProcess(options, folder: scene.folder, order: nil)
    guard try daemon.start() == .ready else { throw Wrong("the daemon does not start before a probe") }
    hooks.isDown.store(true, ordering: .relaxed)
    var isOpen = false
    let deadline = Patience.milliseconds() + 20_000
    while !isOpen, Patience.milliseconds() < deadline {
      load(daemon, requests: 4).run(ledger)
      Patience.until(milliseconds: 500) {
        guard let response = Client(scene.admin)?.get("/v1/destinations"), response.status == 200 else { return false }
        let hook = (try? Document.parse(response.body))?.root["destinations"]?.elements.first
        isOpen = hook?["status"]?.string == "failing" && hook?["breaker"]?.string != "closed"
        return isOpen
      }
    }
    daemon.kill()
    guard isOpen else { throw Wrong("the breaker does not open while everything fails") }
    // The probe may find it back, or not; the next one would be long in coming.
    if order.count > 1 || random.chance(1, in: 2) { hooks.isDown.store(false, ordering: .relaxed) }
  }

  private mutating func meetStop(_ daemon: DaemonProcess) {
    load(daemon, requests: 12).run(ledger)
    daemon.signal(SIGTERM)
    _ = daemon.wait(milliseconds: 25_000)
  }

  /// The kill comes from outside while the senders are at work.
  private mutating func meetMoment(_ order: Order, _ daemon: DaemonProcess) {
    let load = load(daemon, requests: 1_000_000)
    let ledger = ledger
    let sending = Worker.start("load") { load.run(ledger) }
    Patience.until(milliseconds: Int(order.count)) { daemon.ended() != nil }
    daemon.kill()
    sending.join()
  }

  var logTail: String { scene.logTail }
  var folder: String { scene.folder }

  func end(removes: Bool) {
    hooks.stop()
    if removes { scene.remove() }
  }
}
