// Races of events with the waits they end: the event is sent just before, while and just after a run begins
// to wait for it, by HTTP to the real daemon; half of the runs wait for an event of another subject, mostly
// on another lane.
//
// Thread: main, and one for each connection. Promise: every trial has exactly one run, and that run has taken
// its event exactly once; otherwise the trial is named.

import Basics
import CSQLite
import Glibc
import Model
import Store

struct Races {
  let options: Options
  private let scene: Scene
  private static let block = 50
  /// How many blocks later an event may come than the start of the run that waits for it.
  private static let latest = 3

  init(_ options: Options) throws {
    self.options = options
    var random = SeededRandom(seed: options.seed)
    scene = try Scene(random: &random)
    try scene.configureRaces()
  }

  func run() throws {
    let daemon = try DaemonProcess(options, folder: scene.folder, order: nil)
    guard try daemon.start() == .ready else { throw Wrong("the daemon does not start") }
    let began = Patience.milliseconds()
    try send(daemon.port)
    try waitUntilAllEnded(daemon)
    let seconds = max(1, (Patience.milliseconds() - began) / 1_000)
    daemon.signal(SIGTERM)
    guard daemon.wait(milliseconds: 120_000) == .exited(0) else { throw Wrong("the daemon did not stop cleanly") }
    try StoreFile(path: scene.store).proveClean()
    let counts = try count()
    say(
      "\(options.trials) trials in \(seconds) s: \(counts.got) events taken, \(counts.missed) missed, \(counts.doubled) doubled"
    )
    guard counts.missed == 0, counts.doubled == 0, counts.got == options.trials else {
      throw Wrong("seed \(options.seed): a race was lost; the store is kept in \(scene.folder)")
    }
    scene.remove()
  }

  // MARK: sending

  private func send(_ port: UInt16) throws {
    let failures = Counter()
    let seed = options.seed
    let share = (options.trials + options.connections - 1) / options.connections
    let workers = (0..<options.connections).map { number in
      let trials = min(number * share, options.trials)..<min((number + 1) * share, options.trials)
      return Worker.start("sender") { if !Races.send(trials, port, seed: seed) { failures.add(1) } }
    }
    for worker in workers { worker.join() }
    if failures.value > 0 { throw Wrong("\(failures.value) connections ended before everything was sent") }
  }

  /// Starts block by block; a trial's event comes in the same request behind its start, or up to three later.
  private static func send(_ trials: Range<Int>, _ port: UInt16, seed: UInt64) -> Bool {
    guard let client = Client(.port(port)), !trials.isEmpty else { return trials.isEmpty }
    var random = SeededRandom(seed: seed &+ UInt64(trials.lowerBound))
    var waiting: [[Int]] = Array(repeating: [], count: latest + 1)
    var next = trials.lowerBound
    while next < trials.upperBound || waiting.contains(where: { !$0.isEmpty }) {
      var writer = JSONWriter(capacity: 20_000)
      writer.beginArray()
      for trial in waiting.removeFirst() { hit(trial, &writer) }
      waiting.append([])
      for trial in next..<min(next + block, trials.upperBound) {
        start(trial, pause: pauses[Int(random.next(below: UInt64(pauses.count)))], &writer)
        let later = Int(random.next(below: UInt64(latest + 1)))
        if later == 0 { hit(trial, &writer) } else { waiting[later - 1].append(trial) }
      }
      next = min(next + block, trials.upperBound)
      writer.endArray()
      guard post(writer.bytes, client) else { return false }
    }
    return true
  }

  private static let pauses = ["1 ms", "2 ms", "4 ms", "8 ms", "16 ms"]

  private static func post(_ body: [UInt8], _ client: Client) -> Bool {
    // An empty list is no request.
    if body.count <= 2 { return true }
    while true {
      guard let response = client.post("/v1/events", body) else { return false }
      if response.status == 200 { return true }
      guard response.status == 429 else { return false }
      poll(nil, 0, 5)
    }
  }

  private static func start(_ trial: Int, pause: String, _ writer: inout JSONWriter) {
    // Every eighth webinar has something else under way when the run asks for it.
    if trial % 8 == 1 { event(trial, "s\(trial)n", "noise", isOwn: false, pause: nil, &writer) }
    event(trial, "s\(trial)", trial % 2 == 0 ? "near" : "far", isOwn: true, pause: pause, &writer)
  }

  private static func hit(_ trial: Int, _ writer: inout JSONWriter) {
    event(trial, "h\(trial)", "hit", isOwn: trial % 2 == 0, pause: nil, &writer)
  }

  private static func event(
    _ trial: Int, _ id: String, _ name: String, isOwn: Bool, pause: String?, _ writer: inout JSONWriter
  ) {
    writer.beginObject()
    writer.member("id", id)
    writer.member("name", name)
    // Two trials share a webinar, so that runs hear of events that are not theirs.
    if isOwn {
      writer.member("user", "u\(trial % 60_000)")
    } else {
      writer.member("thing", "webinar:w\(trial / 4 % 20_000)")
    }
    writer.key("data")
    writer.beginObject()
    writer.member("k", "k\(trial)")
    writer.member("w", "webinar:w\(trial / 4 % 20_000)")
    if let pause { writer.member("pause", pause) }
    writer.endObject()
    writer.endObject()
  }

  // MARK: results

  private func waitUntilAllEnded(_ daemon: DaemonProcess) throws {
    guard let client = Client(scene.admin) else { throw Wrong("nobody listens at the admin socket") }
    let isDone = Patience.until(milliseconds: 300_000) {
      if daemon.ended() != nil { return true }
      guard let response = client.get("/v1/runs?limit=1"), response.status == 200 else { return false }
      return (try? Document.parse(response.body))?.root["runs"]?.count == 0
    }
    guard isDone, daemon.ended() == nil else { throw Wrong("some runs never ended") }
  }

  private func count() throws -> (got: Int, missed: Int, doubled: Int) {
    var got: [String: Int] = [:]
    var missed = 0
    var doubled = 0
    try StoreFile(path: scene.store).eachEndedRun { run in
      switch run.reason {
      case "got":
        if got.updateValue(1, forKey: run.key) != nil { doubled += 1 }
      case "doubled": doubled += 1
      default: missed += 1
      }
      if run.reason != "got", missed + doubled < 5 { say("trial \(run.key): \(run.status.word) \(run.reason)") }
    }
    return (got.count, missed, doubled)
  }
}

extension Scene {
  /// Rules whose runs wait a moment, then for their event, and then a moment for a second one of the same.
  private static func racer(_ name: String, _ options: String) -> String {
    """
    return rule {
      title = "Race", on = "\(name)", key = "data.k",
      run = function(event)
        wait(event.data.pause)
        local hit = wait_for("hit", { match = { k = event.data.k }, within = "2 min"\(options) })
        if not hit then finish("missed") end
        local again = wait_for("hit", { match = { k = event.data.k }, within = "20 ms"\(options) })
        finish(again and "doubled" or "got")
      end,
    }
    """
  }

  func configureRaces() throws {
    for name in Scene.ruleNames { unlink(folder + "/rules/\(name).lua") }
    try Scene.write(Scene.racer("near", ""), to: folder + "/rules/near.lua")
    try Scene.write(Scene.racer("far", ", subject = event.data.w"), to: folder + "/rules/far.lua")
    try Scene.write(
      "return { store = \"sqlite:nudged.db\", rules = \"rules\", lanes = 2, timers_after_start = 0 }",
      to: folder + "/nudged.lua")
  }
}
