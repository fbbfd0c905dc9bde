// One seed's life: clients that send and send again until they are answered, receivers that fail and
// dawdle, a daemon that is killed at any moment and comes back; and in the end the accounts are
// compared with what must have happened.
//
// Thread: the test's. Promise: the same seed gives the same life; a violated invariant is an error
// that names the seed.

import Basics
import Delivery
import Engine
import Model
package import Rules
import Store

package struct Violation: Error, CustomStringConvertible {
  package var description: String
}

package final class Simulation {
  private struct Sent {
    var id: String
    var name = "tick"
    var user: String
    var account: String?
    var k = ""
    var n = 0
    var body: [UInt8]
    var acknowledged = false
  }
  private struct Flying {
    var start: DeliveryLoop.Start
    var endsAt: Instant
  }

  private let seed: UInt64
  private var random: SeededRandom
  private var now = Instant(milliseconds: 1_700_000_000_000)
  private let disk: MemoryStore.Disk
  private let rules: RuleSet
  private let destinations: [Destination]
  private let lanes: Int
  private let dedupeBits: UInt64

  private var daemon: SimulatedDaemon
  private var events: [Sent] = []
  private var tickets: [ObjectIdentifier: (ticket: Ticket, event: Int)] = [:]
  /// Of each connection: bytes that have not arrived yet, and the events whose requests they end.
  private var pipes = [Pipe](repeating: Pipe(), count: SimulatedDaemon.connectionCount)
  private struct Pipe {
    var bytes: ArraySlice<UInt8> = []
    var events: [Int] = []
  }
  /// Requests that are not answered.
  private var underWay: Int { tickets.count + pipes.reduce(0) { $0 + $1.events.count } }
  private var flying: [Flying] = []
  /// What receivers accepted: webhook id to what was in it.
  private var received: [String: [UInt8]] = [:]
  private var reorderedIDs = false
  /// The newest delivery that arrived, by order key.
  private var newestInOrder: [Int64: Int64] = [:]
  private var isOutOfOrder = false
  private var isRestarted = false
  package private(set) var crashes = 0
  package private(set) var crashesWhileProbing = 0
  package private(set) var crashesWhileReplaying = 0
  package private(set) var deliveries = 0

  /// What runs must have sent.
  private var journeyWebhooks: Set<String> = []
  /// Whether its rules wait, and its clients send what they wait for.
  private let hasJourneys: Bool
  /// Whether messages are held back, and one rule has two sides.
  private let hasPolicies: Bool
  /// Whether its rules ask windows, a segment and an absence.
  private let hasMeasures: Bool
  private let policies: Policies
  package private(set) var held = 0
  package private(set) var suppressed = 0
  package private(set) var heldOut = 0

  package init(
    seed: UInt64, rules: RuleSet, hasJourneys: Bool = false, hasPolicies: Bool = false, hasMeasures: Bool = false
  ) throws {
    self.hasMeasures = hasMeasures
    self.hasPolicies = hasPolicies
    policies = hasPolicies ? SimulatedPolicies.policies(seed) : Policies()
    // One life begins at night, the next by day.
    if hasPolicies, seed % 3 != 0 { now = now + Int64(seed % 3) * 7 * 3_600_000 }
    self.seed = seed
    self.rules = rules
    self.hasJourneys = hasJourneys
    random = SeededRandom(seed: seed)
    disk = MemoryStore.Disk(hashKey: (seed | 1, seed &* 31 | 1))
    lanes = SimulatedDaemon.lanesOfSeed[Int(seed % 3)]
    // Small dedupe tables, so that closed runs are met in a life of some hundred events. As in the
    // daemon, fewer events are ever under way than one half holds: what is in a closed run is on disk.
    dedupeBits = seed % 2 == 0 ? 5 : 12
    destinations = (["good", "bad"] + (hasPolicies ? ["mail"] : [])).map { name in
      var destination = Destination(
        name: name, url: "http://127.0.0.1:9/\(name)", signing: .none, concurrency: 4,
        // So many that no unlucky seed uses them up.
        retryDelaysMilliseconds: [1_000, 2_000, 5_000] + Array(repeating: 90_000, count: 40))
      // In every other life what good gets about one subject keeps its order.
      if name == "good", seed % 2 == 0 { destination.order = "subject" }
      return destination
    }
    daemon = try SimulatedDaemon(
      disk: disk, rules: rules, destinations: destinations, lanes: lanes, dedupeBits: dedupeBits,
      policies: policies)
  }

  package func run(events count: Int) throws {
    var sent = 0
    while sent < count {
      try turn()
      if underWay < 10, random.chance(1, in: 3) {
        sendNew()
        sent += 1
      }
      if underWay < 10, random.chance(1, in: 12) { resend() }
      if hasJourneys, random.chance(1, in: 40) { now = now + Int64(random.next(below: 40_000)) }
      if hasPolicies, random.chance(1, in: 60) { now = now + Int64(random.next(below: 10_000_000)) }
      if random.chance(1, in: 60) { meddle() }
      if random.chance(1, in: 150) { try crash() }
      // And in the moments that are harder to come through.
      if random.chance(1, in: 12), daemon.isProbing || daemon.isReplaying { try crash() }
    }
    // Also those whose release was lost with a process.
    for name in ["good", "bad"] { daemon.ask(.destination(name, .release, done: nil)) }
    try quiesce()
    try check()
  }

  // MARK: turns

  private func turn() throws {
    now = now + Int64(random.next(below: 4))
    try arrive(at: Int(random.next(below: UInt64(pipes.count))), all: random.chance(1, in: 3))
    switch random.next(below: 6) {
    case 0: try daemon.stepDesk(now: now)
    case 1: try daemon.stepLane(Int(random.next(below: 8)), now: now)
    case 2, 3: note(try daemon.stepStore(now: now))
    case 4: note(daemon.stepDelivery(now: now))
    default: land()
    }
  }

  private func note(_ outputs: SimulatedOutputs) {
    for ticket in outputs.answered {
      guard let known = tickets.removeValue(forKey: ObjectIdentifier(ticket)) else { continue }
      events[known.event].acknowledged = true
    }
    for start in outputs.starts {
      let delay = Int64(random.next(below: random.chance(1, in: 20) ? 3_000 : 20))
      flying.append(Flying(start: start, endsAt: now + delay))
    }
  }

  /// Transfers whose time has come end: well, badly, or unheard, which is when the receiver has it and
  /// the daemon does not know.
  private func land() {
    for position in flying.indices.reversed() where flying[position].endsAt <= now {
      let flight = flying.remove(at: position)
      let fails = flight.start.delivery.destination == "bad" ? random.chance(2, in: 3) : random.chance(1, in: 20)
      let isDead = deadUntil[flight.start.delivery.destination].map { $0 > now } ?? false
      let arrives = !isDead && (!fails || random.chance(1, in: 3))
      if arrives { accept(flight.start.delivery) }
      let outcome: AttemptOutcome = isDead ? .refused : !fails ? .delivered : arrives ? .timeout : .status
      daemon.finish(
        TransferResult(
          delivery: flight.start.delivery.number, started: now, outcome: outcome,
          status: outcome == .delivered ? 200 : 500))
    }
  }

  private func accept(_ delivery: Delivery) {
    deliveries += 1
    // What is sent once more later may come at any time; the first time counts.
    if delivery.orderKey != 0, received[delivery.id] == nil {
      if newestInOrder[delivery.orderKey, default: 0] > delivery.number { isOutOfOrder = true }
      newestInOrder[delivery.orderKey] = delivery.number
    }
    if let known = received[delivery.id], known != delivery.body { reorderedIDs = true }
    received[delivery.id] = delivery.body
  }

  // MARK: people

  /// Somebody holds or releases a destination, or sends once more what has arrived: receivers see the same
  /// id and the same bytes again. A destination fails for a while, so that its breaker opens and probes.
  private func meddle() {
    let name = random.chance(1, in: 2) ? "good" : "bad"
    switch random.next(below: 5) {
    case 0: daemon.ask(.destination(name, .hold("by hand"), done: nil))
    case 1: daemon.ask(.destination(name, .release, done: nil))
    case 2:
      var filter = DeliveryFilter()
      filter.status = "delivered"
      filter.destination = name
      daemon.ask(.replay(filter, ratePerSecond: random.chance(1, in: 2) ? 20 : 0) { _ in })
    case 3: daemon.ask(.retry(1 + Int64(random.next(below: 60))) { _ in })
    default: deadUntil[name] = now + Int64(random.next(below: 900_000))
    }
  }

  /// Until then nothing answers there.
  private var deadUntil: [String: Instant] = [:]

  // MARK: clients

  private func sendNew() {
    if hasJourneys, random.chance(3, in: 4) { return sendForJourney() }
    if hasPolicies, random.chance(3, in: 4) { return sendForPolicies() }
    let user = "u\(random.next(below: 12))"
    let account = random.chance(1, in: 3) ? "a\(random.next(below: 4))" : nil
    let id = "e\(events.count)"
    var members: [JSONValue.Member] = [
      .init("id", .string(id)), .init("name", "tick"), .init("user", .string(user)),
    ]
    if let account { members.append(.init("account", .string(account))) }
    events.append(Sent(id: id, user: user, account: account, body: JSONValue.object(members).text))
    send(events.count - 1)
  }

  /// Starts of runs have a key each; answers and ends go to a key that was begun.
  private func sendForJourney(_ wanted: String? = nil) {
    let name = wanted ?? SimulatedJourneys.names[Int(random.next(below: UInt64(SimulatedJourneys.names.count)))]
    if SimulatedMoments.ofMeetings.contains(name) {
      let body = SimulatedMoments.meeting(name, events.count, &random)
      events.append(Sent(id: "e\(events.count)", name: name, user: "", body: body.text))
      return send(events.count - 1)
    }
    let starts = ["answer": "ask", "close": "open"]
    var user = "u\(random.next(below: 12))"
    var k = "k\(events.count)"
    if let start = starts[name] {
      let begun = events.filter { $0.name == start }
      guard !begun.isEmpty else { return }
      let chosen = begun[Int(random.next(below: UInt64(begun.count)))]
      user = chosen.user
      k = chosen.k
    }
    let id = "e\(events.count)"
    // What happens to someone else is about no run's key.
    let about = name == "moved" ? [] : [JSONValue.Member("k", .string(k))]
    let data = JSONValue.object(about + [.init("n", .integer(Int64(events.count)))])
    let who = name == "moved" ? JSONValue.Member("thing", "webinar:w") : .init("user", .string(user))
    let body = JSONValue.object([.init("id", .string(id)), .init("name", .string(name)), who, .init("data", data)])
    events.append(Sent(id: id, name: name, user: user, k: k, n: events.count, body: body.text))
    send(events.count - 1)
  }

  private func sendForPolicies() {
    let name = SimulatedPolicies.names[Int(random.next(below: UInt64(SimulatedPolicies.names.count)))]
    let (id, user) = ("e\(events.count)", "u\(random.next(below: 12))")
    let data = SimulatedPolicies.data(name, "k\(events.count)", random.next(below: 9))
    let body = JSONValue.object([
      .init("id", .string(id)), .init("name", .string(name)), .init("user", .string(user)), .init("data", data),
    ])
    events.append(Sent(id: id, name: name, user: user, body: body.text))
    send(events.count - 1)
  }

  private func resend() {
    guard !events.isEmpty else { return }
    send(Int(random.next(below: UInt64(events.count))))
  }

  private func send(_ position: Int) {
    let body = events[position].body
    let place = Int(random.next(below: UInt64(pipes.count)))
    var head = "POST /v1/events HTTP/1.1\r\nHost: nudged\r\nContent-Type: application/json\r\n"
    if random.chance(1, in: 4), body.count > 2 {
      let cut = 1 + Int(random.next(below: UInt64(body.count - 1)))
      head += "Transfer-Encoding: chunked\r\n\r\n"
      var chunks = Array(head.utf8)
      for chunk in [body[..<cut], body[cut...]] {
        chunks += Array((String(chunk.count, radix: 16) + "\r\n").utf8) + chunk + Array("\r\n".utf8)
      }
      pipes[place].bytes += chunks + Array("0\r\n\r\n".utf8)
    } else {
      head += "Content-Length: \(body.count)\r\n\r\n"
      pipes[place].bytes += Array(head.utf8) + body
    }
    pipes[place].events.append(position)
  }

  /// Some of what a client has sent arrives, in pieces of any size, with the next request behind it or not.
  private func arrive(at place: Int, all: Bool) throws {
    let waiting = pipes[place].bytes
    if waiting.isEmpty { return }
    let count = all ? waiting.count : 1 + Int(random.next(below: UInt64(waiting.count)))
    pipes[place].bytes = waiting.dropFirst(count)
    let (statuses, taken) = daemon.receive(waiting.prefix(count), connection: place, now: now)
    if let status = statuses.first { throw fail("a request was answered \(status)") }
    for ticket in taken {
      guard !pipes[place].events.isEmpty else { throw fail("more requests arrived than were sent") }
      tickets[ObjectIdentifier(ticket)] = (ticket, pipes[place].events.removeFirst())
    }
  }

  // MARK: crashes

  /// The process ends: what was in its mailboxes is gone, what was committed is not.
  private func crash() throws {
    crashes += 1
    if daemon.isProbing { crashesWhileProbing += 1 }
    if daemon.isReplaying { crashesWhileReplaying += 1 }
    if random.chance(1, in: 2) { _ = try daemon.stepStore(now: now, crashesAfterCommit: true) }
    tickets = [:]
    pipes = [Pipe](repeating: Pipe(), count: pipes.count)
    flying = flying.filter { _ in random.chance(1, in: 2) }
    // What was under way may still reach the receiver, but nobody hears of it.
    for flight in flying { accept(flight.start.delivery) }
    flying = []
    daemon = try SimulatedDaemon(
      disk: disk, rules: rules, destinations: destinations, lanes: lanes, dedupeBits: dedupeBits,
      policies: policies)
  }

  // MARK: the end

  /// Clients send until everything is acknowledged; then all deliveries run dry.
  private func quiesce() throws {
    try settle(jumps: false)
    if hasMeasures { try endSilences() }
    if hasPolicies { return try settle(jumps: true) }
    guard hasJourneys else { return }
    // Everything that was begun gets what it waits for.
    for _ in 0..<2 {
      for start in events where start.name == "ask" { sendAnswer(start) }
      sendForJourney("moved")
      try settle(jumps: false)
    }
    // Old events are purged from here on, except those that runs still refer to.
    journeyWebhooks = try expectedOfJourneys()
    try settle(jumps: true)
  }

  /// Everybody is silent for longer than the absence lasts, and the process ends now and then while that is told.
  private func endSilences() throws {
    now = now + 3 * 86_400_000
    for _ in 0..<300 {
      try turn()
      if random.chance(1, in: 40) { try crash() }
    }
    try settle(jumps: false)
  }

  private func sendAnswer(_ start: Sent) {
    let id = "e\(events.count)"
    let data = JSONValue.object([.init("k", .string(start.k)), .init("n", .integer(Int64(events.count)))])
    let body = JSONValue.object([
      .init("id", .string(id)), .init("name", "answer"), .init("user", .string(start.user)), .init("data", data),
    ])
    events.append(Sent(id: id, name: "answer", user: start.user, k: start.k, n: events.count, body: body.text))
  }

  /// `jumps`: the clock moves on to the next timer until nothing sleeps any more.
  private func settle(jumps: Bool) throws {
    for round in 0..<8_000 {
      if round % 10 == 0 {
        for position in events.indices where !events[position].acknowledged && underWay < 10 { send(position) }
      }
      for place in pipes.indices { try arrive(at: place, all: random.chance(1, in: 2)) }
      try daemon.stepDesk(now: now)
      for lane in 0..<lanes { try daemon.stepLane(lane, now: now) }
      note(try daemon.stepStore(now: now))
      note(daemon.stepDelivery(now: now))
      land()
      now = now + 5_000
      if round < 1_000, daemon.isProbing, random.chance(1, in: 8) { try crash() }
      if round > 100, events.allSatisfy(\.acknowledged), daemon.isQuiet(now: now), try openDeliveries() == 0 {
        if !jumps || daemon.timerAt == .distantFuture { return }
        now = max(now, daemon.timerAt)
        if random.chance(1, in: 30) { try crash() }
      }
    }
    let waiting = events.filter { !$0.acknowledged }.map(\.id)
    throw fail(
      "it never came to rest: unanswered \(waiting.prefix(5)), open deliveries \(try openDeliveries()), \(daemon.waiting)"
    )
  }

  private func openDeliveries() throws -> Int {
    try daemon.reader.rows(from: RowKey(.openDelivery, 0), to: RowKey(.openDelivery, .max), limit: 10).count
  }

  private func check() throws {
    try checkState()
    isRestarted = true
    // Once from the running daemon, and once after a clean stop and a start.
    try daemon.sweepAll(now: now)
    daemon = try SimulatedDaemon(
      disk: disk, rules: rules, destinations: destinations, lanes: lanes, dedupeBits: dedupeBits,
      policies: policies)
    try checkState()
    try checkWebhooks()
  }

  /// From the events as they stand in the store.
  private func expectedOfJourneys() throws -> Set<String> {
    var told: [(number: Int64, name: String, user: String, k: String, n: Int)] = []
    for row in try daemon.reader.engine.events(before: .max, limit: 100_000).reversed() {
      let root = try Document.parse(row.body).root
      let data = root["data"]
      told.append(
        (
          row.number, row.name, root["user"]?.string ?? "", data?["k"]?.string ?? "",
          Int(data?["n"]?.integer ?? 0)
        ))
    }
    let (complaint, moments) = try SimulatedMoments.expected(daemon.reader)
    if let complaint { throw fail(complaint) }
    return SimulatedJourneys.expected(told, seed: seed).union(moments)
  }

  private func fail(_ what: String) -> Violation {
    Violation(description: "seed \(seed), \(lanes) lanes\(isRestarted ? ", after the last start" : ""): \(what)")
  }

  private func checkState() throws {
    var users: [String: Int64] = [:]
    var accounts: [String: Int64] = [:]
    for event in events where event.name == "tick" {
      users[event.user, default: 0] += 1
      if let account = event.account { accounts[account, default: 0] += 1 }
    }
    for (user, count) in users {
      try expect("user:\(user)", "count", count, "ticks counted")
      try expect("user:\(user)", "echoes", count / 2, "emitted events counted")
    }
    for (account, count) in accounts {
      try expect("account:\(account)", "seen", count, "messages taken")
      let sum = events.filter { $0.account == account }.count
      try expect("account:\(account)", "told", Int64(sum), "events emitted across lanes counted")
    }
    let messages = try daemon.reader.rows(from: RowKey(.message, 0), to: RowKey(.message, .max, .max), limit: 10)
    if !messages.isEmpty { throw fail("\(messages.count) messages were never taken") }
    for row in try daemon.reader.rows(from: RowKey(.run, 0), to: RowKey(.run, .max), limit: 10) {
      guard let run = row.value.flatMap({ RunRow(number: row.key.first, $0) }) else {
        throw fail("a run is unreadable")
      }
      throw fail(
        "run \(run.number) never ended: \(run.status.word) \(run.reason), it waits for \(String(describing: run.wait))")
    }
    if hasMeasures { return try checkMeasures(users: users, accounts: accounts) }
    let timers = try daemon.reader.rows(from: RowKey(.timer, .min), to: RowKey(.timer, .max), limit: 10)
    if !timers.isEmpty { throw fail("\(timers.count) timers belong to no run") }
  }

  /// Windows know what a plain count knows; a border is told once, a silence is told once, and the tally of a segment
  /// is how many are in it.
  private func checkMeasures(users: [String: Int64], accounts: [String: Int64]) throws {
    for (user, count) in users {
      try expect("user:\(user)", "window", count, "what a window counts")
      try expect("user:\(user)", "echo_window", count / 2, "what a window counts of emitted events")
      try expect("user:\(user)", "entered", count >= 3 ? 1 : 0, "times it came into the segment")
      try expect("user:\(user)", "silent", 1, "silences told")
    }
    for (account, count) in accounts {
      try expect("account:\(account)", "account_window", count, "what an account's window counts")
    }
    let members = Int64(users.count { $0.value >= 3 })
    let tallies = try daemon.reader.rows(from: RowKey(.tally, 0), to: RowKey(.tally, .max, .max), limit: 100)
    let told = tallies.reduce(0) { $0 + ($1.value.flatMap(NumberRow.unpack) ?? 0) }
    if told != members { throw fail("the segment counts \(told), \(members) are in it") }
  }

  private func expect(_ subject: String, _ key: String, _ expected: Int64, _ what: String) throws {
    let reader = try daemon.reader
    let report = try Reported.state(of: subject, hashKey: daemon.hashKey, reader: reader)
    let found = report.first { $0.key == key }?.value ?? 0
    if found != expected { throw fail("\(subject): \(what): \(found), it must be \(expected); it has \(report)") }
  }

  private func checkPolicies() throws -> Set<String> {
    guard hasPolicies else { return [] }
    let (complaint, found) = try SimulatedPolicies.check(daemon.reader)
    if let complaint { throw fail(complaint) }
    (held, suppressed, heldOut) = (found.held, found.suppressed, found.heldOut)
    return found.expected
  }

  /// Every third tick of a user sends to "good", every fifth to "bad".
  private func checkWebhooks() throws {
    var users: [String: Int] = [:]
    for event in events where event.name == "tick" { users[event.user, default: 0] += 1 }
    var expected = journeyWebhooks.union(try checkPolicies())
    for (user, count) in users {
      for tick in 1...count {
        if tick % 3 == 0 { expected.insert("good/\(user)/\(tick)") }
        if tick % 5 == 0 { expected.insert("bad/\(user)/\(tick)") }
      }
    }
    var found: [String: Int] = [:]
    for body in received.values {
      let root = try Document.parse(body).root
      if root["type"]?.string == "charge" { continue }
      let data = root["data"]
      found[data?["key"]?.string ?? "?", default: 0] += 1
    }
    if seed % 2 == 0, expected.contains(where: { $0.hasPrefix("good/") }), newestInOrder.isEmpty {
      throw fail("nothing had to keep its order")
    }
    if isOutOfOrder { throw fail("webhooks about one subject arrived out of order") }
    if reorderedIDs { throw fail("one webhook id was used for two bodies") }
    if let lost = expected.first(where: { found[$0] == nil }) { throw fail("the webhook \(lost) never arrived") }
    if let twice = found.first(where: { $0.value > 1 }) { throw fail("the webhook \(twice.key) has two ids") }
    if found.count != expected.count { throw fail("there are \(found.count) webhooks, \(expected.count) are right") }
  }
}

/// State as the store holds it, rules taken together.
enum Reported {
  static func state(
    of name: String, hashKey: (UInt64, UInt64), reader: StoreReader
  ) throws -> [(key: String, value: Int64)] {
    let hash = KeyedHash(key0: hashKey.0, key1: hashKey.1).hash(name)
    let row = RowKey(.identity, Int64(bitPattern: hash.high), Int64(bitPattern: hash.low))
    guard let subject = try reader.value(row).flatMap(NumberRow.unpack) else { return [] }
    var out: [(key: String, value: Int64)] = []
    for state in try reader.rows(from: RowKey(.state, subject), to: RowKey(.state, subject + 1), limit: 100) {
      for member in try Document.parse(state.value ?? []).root.members {
        out.append((member.key, member.value.integer ?? 0))
      }
    }
    return out
  }
}
