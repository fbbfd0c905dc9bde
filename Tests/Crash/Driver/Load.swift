// Many connections that send at once, until their share is sent or the daemon is gone.
//
// Thread: one for each connection, joined before `run` returns. Promise: what was answered with 200 is
// marked as acknowledged, and nothing else is; a repeat that is not called one is a complaint.

import Basics
import Glibc

struct Load: Sendable {
  var port: UInt16
  var connections: Int
  /// Requests of each connection.
  var requests: Int
  /// The largest batch.
  var batch: UInt64
  /// Of a hundred events, how many are the hot subject's.
  var hotShare: UInt64
  var seed: UInt64
  /// Of a hundred events, how many start a run that sleeps, and how long it does.
  var napShare: UInt64 = 4
  var pause = "30 ms"

  /// Sends everything, or as much as the daemon lives to take. True: everything was sent.
  @discardableResult
  func run(_ ledger: Ledger) -> Bool {
    let finished = Counter()
    let workers = (0..<connections).map { number in
      Worker.start("sender") {
        var sender = Sender(load: self, random: SeededRandom(seed: seed &+ UInt64(number) &* 7919), ledger: ledger)
        if sender.run() { finished.add(1) }
      }
    }
    for worker in workers { worker.join() }
    return finished.value == Int64(connections)
  }
}

private struct Sender {
  let load: Load
  var random: SeededRandom
  let ledger: Ledger

  /// False when the connection ended before everything was sent.
  mutating func run() -> Bool {
    guard let client = Client(.port(load.port)) else { return false }
    for _ in 0..<load.requests {
      if random.chance(1, in: 10), let known = ledger.anyAcknowledged(&random) {
        guard repeated(known, client) else { return false }
      } else {
        guard fresh(client) else { return false }
      }
    }
    return true
  }

  private mutating func fresh(_ client: Client) -> Bool {
    let single = random.chance(2, in: 3)
    let count = single ? 1 : Int(2 + random.next(below: load.batch))
    let events = (0..<count).map { _ in draw() }
    let places = ledger.enter(events)
    guard let response = client.post("/v1/events", Load.body(events)) else { return false }
    // Too much is under way: they stay unacknowledged and are sent again after the restart.
    if response.status == 429 || response.status == 503 { return true }
    guard response.status == 200, Load.duplicates(response) == 0 else {
      ledger.complain("new events were answered \(response.status) \(String(decoding: response.body, as: UTF8.self))")
      return false
    }
    ledger.acknowledge(places)
    return true
  }

  private mutating func draw() -> SentEvent {
    let user = random.next(below: 100) < load.hotShare ? Ledger.hot : "u\(random.next(below: 150))"
    let hooks = random.next(below: 10)
    return SentEvent(
      id: Hex.encode(random.next()) + Hex.encode(random.next()), user: user,
      account: random.chance(1, in: 5) ? "a\(random.next(below: 6))" : nil,
      hooks: hooks < 7 ? 0 : hooks < 9 ? 1 : 2, echoes: random.chance(1, in: 5),
      naps: random.next(below: 100) < load.napShare ? Int(1 + random.next(below: 3)) : 0, pause: load.pause)
  }

  private func repeated(_ event: SentEvent, _ client: Client) -> Bool {
    guard let response = client.post("/v1/events", Load.body([event])) else { return false }
    if response.status == 429 || response.status == 503 { return true }
    if response.status != 200 || Load.duplicates(response) != 1 {
      ledger.complain(
        "the acknowledged event \(event.id) was sent again and not known: \(String(decoding: response.body, as: UTF8.self))"
      )
    }
    return true
  }
}

extension Load {
  static func body(_ events: [SentEvent]) -> [UInt8] {
    var writer = JSONWriter(capacity: events.count * 140)
    if events.count > 1 { writer.beginArray() }
    for event in events { event.append(to: &writer) }
    if events.count > 1 { writer.endArray() }
    return writer.bytes
  }

  static func duplicates(_ response: Response) -> Int64? {
    (try? Document.parse(response.body))?.root["duplicates"]?.integer
  }

  /// Sends what nobody acknowledged, until all of it is.
  static func resend(_ ledger: Ledger, port: UInt16) throws {
    guard let client = Client(.port(port)) else { throw Wrong("the daemon does not listen after its restart") }
    var rest = ledger.unacknowledged[...]
    while !rest.isEmpty {
      let part = rest.prefix(100)
      guard let response = client.post("/v1/events", body(part.map(\.event))) else {
        throw Wrong("the daemon closed the connection while events were sent again")
      }
      if response.status == 429 || response.status == 503 {
        poll(nil, 0, 20)
        continue
      }
      guard response.status == 200 else { throw Wrong("events sent again were answered \(response.status)") }
      ledger.acknowledge(part.map(\.place))
      rest = rest.dropFirst(part.count)
    }
  }
}
