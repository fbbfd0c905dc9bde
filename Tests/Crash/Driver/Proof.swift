// What has to be true after a kill: a calm start, what was not acknowledged sent again, everything
// drained, and then every number compared.
//
// Thread: main. Promise: returns only when nothing is lost, nothing doubled, every webhook here, the
// stop clean and the file whole.

import Basics
import Glibc
import Model
import Store

struct Proof {
  let options: Options
  let scene: Scene
  let ledger: Ledger
  let hooks: Hooks
  let comesAgain: ComesAgain
  let inheritedEvents: [String]

  func run() throws {
    let daemon = try DaemonProcess(options, folder: scene.folder, order: nil)
    guard try daemon.start() == .ready else {
      throw Wrong("the daemon does not start again after the kill: \(daemon.ended()?.description ?? "")")
    }
    try proveKept()
    try Load.resend(ledger, port: daemon.port)
    let expected = ledger.expected
    try drain(expected, daemon)
    try proveKept()
    if let complaint = hooks.content.complaint { throw Wrong(complaint) }
    if let complaint = ledger.complaint { throw Wrong(complaint) }
    try stop(daemon)
    try StoreFile(path: scene.store).proveClean()
    try proveRuns(expected)
    // Once more from the tables alone: what was in memory is gone.
    let again = try DaemonProcess(options, folder: scene.folder, order: nil)
    guard try again.start() == .ready else { throw Wrong("the daemon does not start after a clean stop") }
    if let difference = try difference(expected) { throw Wrong("after a clean stop and a start: " + difference) }
    try stop(again)
    try StoreFile(path: scene.store).proveClean()
  }

  private func stop(_ daemon: DaemonProcess) throws {
    daemon.signal(SIGTERM)
    let ending = daemon.wait(milliseconds: 25_000)
    guard ending == .exited(0) else {
      throw Wrong("a clean stop ended with \(ending?.description ?? "nothing within 25 s")")
    }
  }

  private func ask(_ client: Client, _ path: String) throws -> JSONCursor? {
    guard let response = client.get(path) else { throw Wrong("no answer to GET \(path)") }
    if response.status == 404 { return nil }
    guard response.status == 200, let document = try? Document.parse(response.body) else {
      throw Wrong("GET \(path) was answered \(response.status)")
    }
    return document.root
  }

  private func client() throws -> Client {
    guard let client = Client(scene.admin) else { throw Wrong("nobody listens at the admin socket") }
    return client
  }

  // MARK: events

  /// Every acknowledged event is there once, and nothing that nobody sent.
  private func proveKept() throws {
    var found: [String: Int] = [:]
    let client = try client()
    var before = Int64.max
    while true {
      guard let page = try ask(client, "/v1/events?limit=1000&before=\(before)") else { break }
      for event in page["events"]?.elements ?? [] where event["source"]?.string != "nudged" {
        found[event["id"]?.string ?? "", default: 0] += 1
      }
      guard let next = page["next_before"]?.integer else { break }
      before = next
    }
    var known = Set(inheritedEvents)
    var lost = inheritedEvents.filter { found[$0] == nil }
    for event in ledger.events {
      known.insert(event.id)
      if event.isAcknowledged, found[event.id] == nil { lost.append(event.id) }
    }
    if let first = lost.first { throw Wrong("\(lost.count) acknowledged events are lost, the first is \(first)") }
    if let twice = found.first(where: { $0.value > 1 }) {
      throw Wrong("the event \(twice.key) is stored \(twice.value) times")
    }
    if let strange = found.keys.first(where: { !known.contains($0) }) {
      throw Wrong("nobody sent the event \(strange)")
    }
  }

  /// Every run has ended, once, by itself.
  private func proveRuns(_ expected: Expected) throws {
    var ended: [String: Int] = [:]
    try StoreFile(path: scene.store).eachEndedRun { run in
      ended[run.key, default: 0] += 1
      guard run.reason == "slept well" else {
        throw Wrong("the run of \(run.key) ended otherwise: \(run.status.word) \(run.reason)")
      }
    }
    if let lost = expected.runs.first(where: { ended[$0] == nil }) { throw Wrong("the run of \(lost) is lost") }
    if let twice = ended.first(where: { $0.value > 1 }) {
      throw Wrong("the event \(twice.key) has \(twice.value) ended runs")
    }
    if ended.count != expected.runs.count {
      throw Wrong("there are \(ended.count) ended runs, not \(expected.runs.count)")
    }
  }

  /// Whether a run still sleeps.
  private func someLive(_ client: Client) throws -> Bool {
    try ask(client, "/v1/runs?limit=1")?["runs"]?.count != 0
  }

  // MARK: draining

  private func drain(_ expected: Expected, _ daemon: DaemonProcess) throws {
    var reason = ""
    let client = try client()
    let isDrained = Patience.until(milliseconds: 60_000) {
      do {
        if let ending = daemon.ended() {
          reason = "the daemon ended by itself: \(ending)"
          return true
        }
        let arrived = hooks.content.ids
        if let missing = expected.hooks.first(where: { arrived[$0] == nil }) {
          reason = "the webhook \(missing) did not arrive"
          return false
        }
        let status = try ask(client, "/v1/status")
        guard status?["deliveries_held"]?.integer == 0, try noneOpen(client) else {
          reason = "some deliveries stay open"
          return false
        }
        if let missing = comesAgain.first(missing: hooks.content) {
          reason = "the webhook \(missing) was to be sent once more, and did not come again"
          return false
        }
        if try someReplay(client) {
          reason = "a job that sends webhooks once more never ends"
          return false
        }
        if try someLive(client) {
          reason = "some runs never end"
          return false
        }
        reason = try difference(expected) ?? ""
        return reason.isEmpty
      } catch {
        reason = "\(error)"
        return false
      }
    }
    guard isDrained, reason.isEmpty else { throw Wrong(reason) }
    for name in hooks.content.ids.keys where !expected.hooks.contains(name) {
      throw Wrong("the webhook \(name) was sent, and no rule asked for it")
    }
  }

  private func someReplay(_ client: Client) throws -> Bool {
    let replays = try ask(client, "/v1/replays")?["replays"]?.elements ?? []
    return replays.contains { $0["ended"]?.string == nil }
  }

  private func noneOpen(_ client: Client) throws -> Bool {
    for status in ["waiting", "retrying"] {
      let list = try ask(client, "/v1/deliveries?limit=1&status=\(status)")
      if list?["deliveries"]?.count != 0 { return false }
    }
    return true
  }

  // MARK: state

  /// The first number that is not what it must be; nil when all are right.
  private func difference(_ expected: Expected) throws -> String? {
    let client = try client()
    for name in Set(expected.ticks.keys).union(expected.seen.keys).union(expected.told.keys).sorted() {
      guard let subject = try ask(client, "/v1/subjects/\(name)") else { return "\(name) is not known" }
      let state = subject["state"]
      for (rule, key, wanted) in [
        ("count", "ticks", expected.ticks[name]), ("echo", "echoes", expected.echoes[name]),
        ("seen", "seen", expected.seen[name]), ("told", "told", expected.told[name]),
        ("nap", "naps", expected.naps[name]),
      ] {
        let found = state?[name: rule]?[name: key]?.integer
        if found != wanted { return "\(name) has \(key) = \(found ?? 0), it must be \(wanted ?? 0)" }
      }
    }
    return nil
  }
}
