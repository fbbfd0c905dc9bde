// Runs in trouble: failing behind a checkpoint, journals that are too long, replies that are hard to read,
// rows that are damaged, and steps that the store lags behind.
//
// Thread: the test's. Promise: the clock stands still unless the test moves it.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

/// What people were told of their commands.
private final class Told: Sendable {
  private let list = Guarded<[RunAnswer]>([])
  var answers: [RunAnswer] { list.withLock { $0 } }
  func add(_ answer: RunAnswer) { list.withLock { $0.append(answer) } }
}

@Suite struct HardJourneyTests {
  private func rule(_ header: String, _ body: String) -> String {
    "return rule { title = 'T', \(header), run = function(event, customer, saved)\n\(body)\nend }"
  }

  private func number(of shop: Workshop, _ user: String) throws -> Int64 {
    let subject = try #require(try shop.subject("user:\(user)"))
    let living = try #require(try shop.store.makeReader().value(RowKey(.living, subject)).flatMap(LivingRow.init))
    return try #require(living.runs.first)
  }

  private func run(_ shop: Workshop, _ number: Int64) throws -> RunRow? {
    try shop.store.makeReader().value(RowKey(.run, number)).flatMap { RunRow(number: number, $0) }
  }

  private func command(_ shop: Workshop, _ action: RunCommand.Action, _ number: Int64, _ user: String) throws
    -> Happened
  {
    let subject = try #require(try shop.subject("user:\(user)"))
    return try shop.run([.command(RunCommand(action, run: number, subject: subject))])
  }

  @Test func `a run that fails behind a checkpoint keeps what it did before, once, when it is woken by hand`() throws {
    let body = """
      if not saved then
        wait("1 hour")
        state.n = (state.n or 0) + 1
        send("crm", "before", {})
        checkpoint { x = 1 }
      end
      error("broken")
      """
    let shop = try Workshop(["r": rule("on = 'a'", body)])
    try shop.take(JourneyTests.event("a", "a"))
    shop.now = shop.now + 3_600_000
    #expect(try shop.run([]).deliveries.map(\.delivery.type) == ["before"])
    let number = try number(of: shop, "ada")
    #expect(try run(shop, number)?.status == .parked)
    #expect(try command(shop, .wake, number, "ada").deliveries.isEmpty)
    #expect(try run(shop, number)?.status == .parked)
    #expect(try shop.state("user:ada", "r") == #"{"n":1}"#)
  }

  @Test func `a number that webhooks went out under is not given to a run after the next start`() throws {
    let body = "send('crm', 't', {}) if event.data.n == 1 then return end wait('1 day')"
    let files = ["r": rule("on = 'a'", body)]
    let shop = try Workshop(files)
    let sent = try #require(try shop.take(JourneyTests.event("a", "1", #"{"n":1}"#)).deliveries.first)
    let again = try Workshop(files, disk: shop.disk)
    try again.take(JourneyTests.event("a", "2", user: "bob", #"{"n":2}"#))
    #expect(try number(of: again, "bob") > sent.run)
  }

  @Test func `how many runs of each version live is known again after a start, also with fewer lanes`() throws {
    let files = ["r": rule("on = 'a'", "wait('1 day')")]
    let shop = try Workshop(files, lanes: 3)
    for user in 1...40 { try shop.take(JourneyTests.event("a", "\(user)", user: "u\(user)")) }
    func living(_ shop: Workshop) -> Int64 {
      shop.lanes.reduce(0) { $0 + $1.counters.livingRuns.values.reduce(0, +) }
    }
    #expect(living(try Workshop(files, lanes: 3, disk: shop.disk)) == 40)
    let again = try Workshop(files, disk: shop.disk)
    #expect(living(again) == 40)
    again.now = again.now + JourneyTests.day
    try again.run([])
    #expect(living(again) == 0)
  }

  @Test func `what an old run has to tell and what new events came to are both found`() throws {
    let files = [
      "r": rule("on = 'a'", "wait('1 hour') send('crm', 'not taken', {})"),
      "s": rule("on = 'b'", "state.n = 1"),
    ]
    let old = try Workshop(files)
    try old.take(JourneyTests.event("a", "a"))
    // As if 60,000 events had come in between.
    var decisions = Decisions(lane: 0, sequence: 0)
    decisions.events.append(
      EventRow(
        number: 60_000, subject: 1, previous: 0, received: old.now, source: "web", name: "c", cause: 0, depth: 0,
        body: Array("{}".utf8)))
    _ = try old.store.step([.decisions(decisions)], now: old.now)
    var crm = Workshop.destinations[0]
    crm.types = ["t"]
    let shop = try Workshop(files, disk: old.disk, destinations: [crm])
    shop.now = shop.now + 3_600_000
    try shop.take(JourneyTests.event("b", "b"))
    let reader = try shop.store.makeReader().engine
    func told(_ event: Int64) throws -> [Verdict] {
      try reader.verdicts(around: event).flatMap { $0.unpack() }.filter { $0.event == event }.flatMap(\.verdicts)
    }
    #expect(try told(1).contains { $0.reason.hasPrefix("not taken to crm") })
    #expect(try told(60_001).map(\.code) == [.ran])
  }

  @Test func `a call that cannot be made is answered at once, also behind another webhook`() throws {
    var crm = Workshop.destinations[0]
    crm.types = ["t", "answered"]
    let body = """
      send("crm", "t", {})
      local reply = call("crm", "not taken", {}, { within = "1 day" })
      send("crm", "answered", { ok = reply.ok, unknown = reply.unknown })
      """
    let shop = try Workshop(["r": rule("on = 'a'", body)], destinations: [crm])
    let sent = try shop.take(JourneyTests.event("a", "a")).deliveries
    #expect(sent.map(\.delivery.type) == ["t", "answered"])
    #expect(
      String(decoding: try #require(sent.last).delivery.body, as: UTF8.self).contains(#"{"ok":false,"unknown":false}"#))
  }

  @Test(arguments: ["wait('2 h')", "wait_until { days = 2, at = '09:00' }"])
  func `a run that waits for another time than its journal says is parked`(other: String) throws {
    let first = other.replacing("2", with: "1")
    let body = """
      local n = 0
      wait_for("x", { match = function(e) n = n + 1 return n == 2 end })
      if n == 2 then \(first) else \(other) end
      send("crm", "t", { n = n })
      """
    let shop = try Workshop(["r": rule("on = 'a'", body)])
    try shop.take(JourneyTests.event("a", "a"))
    try shop.take(JourneyTests.event("x", "x1"))
    try shop.take(JourneyTests.event("x", "x2"))
    let number = try number(of: shop, "ada")
    shop.now = shop.now + 3 * JourneyTests.day
    #expect(try shop.run([]).deliveries.isEmpty)
    let row = try #require(try run(shop, number))
    #expect(row.status == .parked && row.reason.contains("where it did another"), "\(row.reason)")
  }

  @Test func `an event of someone else wakes only runs of its key, where it carries one`() throws {
    let body = "local f = wait_for('y', { subject = 'thing:w' }) log(event.data.k .. ' ' .. tostring(f.data.k))"
    let shop = try Workshop(["r": rule("on = 'a', key = 'data.k'", body)])
    try shop.take(JourneyTests.event("a", "1", user: "ada", #"{"k":"one"}"#))
    try shop.take(JourneyTests.event("a", "2", user: "bob", #"{"k":"two"}"#))
    #expect(try shop.take(#"{"id":"3","name":"y","thing":"thing:w","data":{"k":"one"}}"#).logs == ["one one"])
    #expect(try shop.take(#"{"id":"4","name":"y","thing":"thing:w"}"#).logs == ["two nil"])
  }

  @Test func `a rule that may wait and fails at once is told of like any other`() throws {
    let shop = try Workshop([
      "r": rule("on = 'a'", "local x = event.data.none + 1 wait('1 day')"),
      "watch": rule("on = 'nudged.rule.failed', per = 'rule'", "log(event.data.rule)"),
    ])
    #expect(try shop.take(JourneyTests.event("a", "a")).logs == ["r"])
  }

  @Test(arguments: [(500, true), (502, true), (504, true), (503, false), (404, false)])
  func `a server that failed may have acted, and a rule is told so`(status: Int, isUnknown: Bool) throws {
    let body = "log(tostring(call('crm', 'c', {}).unknown))"
    let shop = try Workshop(["r": rule("on = 'a'", body)])
    let asked = try #require(try shop.take(JourneyTests.event("a", "a")).deliveries.first)
    _ = try shop.store.step([.wants(10, except: [])], now: shop.now)
    shop.settled = [
      Attempt(
        delivery: asked.delivery.number, attempt: 1, started: shop.now, outcome: .status, status: status,
        settlement: .failed)
    ]
    #expect(try shop.run([]).logs == ["\(isUnknown)"])
  }

  @Test func `a run that fails behind a checkpoint of its first activation is parked and not forgotten`() throws {
    let body = "if not saved then send('crm', 'first', {}) checkpoint { x = 1 } end error('broken')"
    let shop = try Workshop(["r": rule("on = 'a'", body)])
    let began = try shop.take(JourneyTests.event("a", "a"))
    #expect(began.deliveries.map(\.delivery.type) == ["first"])
    #expect(began.verdict("r")?.code == .parked)
    let number = try number(of: shop, "ada")
    #expect(try run(shop, number)?.reason == "broken")
    #expect(try command(shop, .wake, number, "ada").deliveries.isEmpty)
  }

  @Test func `checkpoints that go round without a wait are stopped, each effect once`() throws {
    let body = "local n = (saved and saved.n or 0) + 1 send('crm', 't' .. n, {}) checkpoint { n = n }"
    let shop = try Workshop(["r": rule("on = 'a'", body)])
    let began = try shop.take(JourneyTests.event("a", "a"))
    #expect(began.deliveries.map(\.delivery.type) == (1...8).map { "t\($0)" })
    #expect(began.verdict("r")?.code == .parked)
    let number = try number(of: shop, "ada")
    let woken = try command(shop, .wake, number, "ada")
    #expect(woken.deliveries.map(\.delivery.type) == (9...16).map { "t\($0)" })
    #expect(Set(began.deliveries.map(\.delivery.id)).isDisjoint(with: woken.deliveries.map(\.delivery.id)))
  }

  @Test func `a journal of more than a megabyte parks the run`() throws {
    let body = "while true do state.x = ('x'):rep(7000) .. now() wait('1 hour') end"
    let shop = try Workshop(["r": rule("on = 'a'", body)])
    try shop.take(JourneyTests.event("a", "a"))
    let number = try number(of: shop, "ada")
    for _ in 0..<200 {
      shop.now = shop.now + 3_600_000
      try shop.run([])
    }
    let row = try #require(try run(shop, number))
    #expect(row.status == .parked && row.reason.contains("takes more than \(Limits.journalBytes) bytes"))
    #expect(row.packed.count < Limits.journalBytes + 20_000)
    #expect(row.line == 2)
  }

  /// What a receiver may answer, and what the rule says of it.
  static let replies: [(response: [UInt8], told: String)] = [
    (Array(#"{"a":1}"#.utf8), "table"),
    (Array("null".utf8), "nil"),
    (Array("5".utf8), "number"),
    (Array(#""text""#.utf8), "string"),
    (Array("{".utf8), "string"),
    ([0xFF, 0xFE, 0x00, 0x80], "string"),
    ([UInt8](repeating: 0, count: 16_384), "string"),
    ([UInt8](repeating: 1, count: 65_536), "string"),
    ([UInt8](repeating: 0xFF, count: 65_536), "string"),
    (Array((String(repeating: "[", count: 64) + String(repeating: "]", count: 64)).utf8), "table"),
    (Array((String(repeating: "[", count: 65) + String(repeating: "]", count: 65)).utf8), "string"),
    (Array((String(repeating: "[", count: 5_000) + String(repeating: "]", count: 5_000)).utf8), "string"),
    (Array(("\"" + String(repeating: "x", count: 65_000) + "\"").utf8), "string"),
    (Array(("[" + String(repeating: "1,", count: 32_000) + "1]").utf8), "table"),
    (Array("1e999".utf8), "string"),
    (Array(#"{"a":1,"a":2}"#.utf8), "table"),
    (Array(#""\ud800""#.utf8), "string"),
  ]

  @Test(arguments: replies)
  func `whatever a receiver answers to a call, the run reads it and goes on`(response: [UInt8], told: String) throws {
    let body = "local r = call('crm', 'x', {}) local t = type(r.body) wait('1 hour') send('crm', t, {})"
    let shop = try Workshop(["r": rule("on = 'a'", body)])
    try shop.run([])
    let asked = try shop.take(JourneyTests.event("a", "a"))
    _ = try shop.store.step([.wants(10, except: [])], now: shop.now)
    shop.settled = [
      Attempt(
        delivery: try #require(asked.deliveries.first).delivery.number, attempt: 1, started: shop.now,
        outcome: .delivered, status: 200, settlement: .delivered, response: response)
    ]
    try shop.run([])
    shop.now = shop.now + 3_600_000
    #expect(try shop.run([]).deliveries.map(\.delivery.type) == [told])
  }

  @Test func `a run whose version is gone is not woken by hand, and who asks hears why`() throws {
    let disk = MemoryStore.Disk()
    let shop = try Workshop(["r": rule("on = 'a'", "wait('1 day')")], disk: disk)
    try shop.take(JourneyTests.event("a", "a"))
    let newer = ["r": rule("on = 'a'", "wait('2 days')")]
    try shop.publish(newer, highest: 1)
    var gone = Decisions(lane: 0, sequence: 0)
    gone.changes.append(RowKey(.version, 1), nil)
    _ = try shop.commit([gone])
    let later = try Workshop(newer, disk: disk)
    let subject = try #require(try later.subject("user:ada"))
    let told = Told()
    let commands = [(RunCommand.Action.wake, Int64(1)), (.wake, 9), (.cancel, 1)].map { action, run in
      DeskInput.command(RunCommand(action, run: run, subject: subject) { told.add($0) })
    }
    for done in try later.decide(commands).completions { done() }
    #expect(told.answers == [.refused("the version 1 of its rule cannot be loaded"), .missing, .done])
  }

  @Test func `a run whose row is damaged is told and can be cancelled, and the others of its subject go on`() throws {
    let disk = MemoryStore.Disk()
    let rules = ["r": rule("on = 'a', key = 'data.k'", "wait('1 hour') send('crm', 'woken', {})")]
    let first = try Workshop(rules, disk: disk)
    try first.take(JourneyTests.event("a", "a1", #"{"k":"1"}"#), JourneyTests.event("a", "a2", #"{"k":"2"}"#))
    let number = try number(of: first, "ada")
    var decisions = Decisions(lane: 0, sequence: 100)
    decisions.changes.append(RowKey(.run, number), [9, 9, 9])
    _ = try first.store.step([.decisions(decisions)], now: first.now)
    let later = try Workshop(rules, disk: disk)
    later.now = first.now + 3_600_000
    let woken = try later.run([])
    #expect(woken.deliveries.map(\.delivery.type) == ["woken"])
    #expect(woken.logs.contains { $0.contains("run \(number)") && $0.contains("damaged") })
    #expect(try command(later, .cancel, number, "ada").ended.map(\.status) == [.cancelled])
    #expect(try later.take(JourneyTests.event("a", "a3", #"{"k":"1"}"#)).verdict("r")?.code == .waiting)
  }

  private let watching = """
    local first = wait_for("moved", { subject = "webinar:w" })
    send("crm", "first", { to = first.data.to })
    local second = wait_for("moved", { subject = "webinar:w" })
    send("crm", "second", { to = second.data.to })
    """

  private func moved(_ to: Int) -> String {
    #"{"id":"m\#(to)","name":"webinar.moved","thing":"webinar:w","data":{"to":\#(to)}}"#
      .replacing("webinar.moved", with: "moved")
  }

  @Test func `an event between the step that registers a run and its commit is heard`() throws {
    let shop = try Workshop(["r": rule("on = 'a'", watching)])
    var next = try shop.commit([shop.decide([.incoming(try shop.incoming(JourneyTests.event("a", "a")))])])
    // The subject has an event that is not on disk when the run asks to hear of it.
    let before = try shop.decide([.incoming(try shop.incoming(moved(1)))])
    let asked = try shop.decide(next + [.incoming(try shop.incoming(JourneyTests.event("x", "y", user: "carl")))])
    next = try shop.commit([before, asked])
    shop.now = shop.now + Int64(1)
    // A step without any input registers the run; two more come before that is on disk.
    #expect(next.isEmpty)
    let registered = try shop.decide(next)
    let other = try shop.decide([.incoming(try shop.incoming(JourneyTests.event("x", "x", user: "bob")))])
    let after = try shop.decide([.incoming(try shop.incoming(moved(2)))])
    next = try shop.commit([registered, other, after])
    let happened = try shop.run(next)
    #expect(happened.deliveries.map(\.delivery.type) == ["first", "second"])
  }

  @Test func `a run hears of a subject whose newest event was purged before it asked`() throws {
    let shop = try Workshop(["r": rule("on = 'a'", "wait('100 days') " + watching)])
    try shop.take(JourneyTests.event("a", "a"))
    try shop.take(moved(1))
    shop.now = shop.now + 95 * JourneyTests.day
    for _ in 0..<400 {
      shop.now = shop.now + 1_000
      try shop.run([])
    }
    #expect(try shop.store.makeReader().engine.events(before: .max, limit: 9).isEmpty)
    shop.now = shop.now + 6 * JourneyTests.day
    try shop.run([])
    #expect(try shop.take(moved(2)).deliveries.map(\.delivery.type) == ["first"])
    #expect(try shop.take(moved(3)).deliveries.map(\.delivery.type) == ["second"])
  }

  @Test func `a run that waits for the events of ever more subjects listens to a bounded number of them`() throws {
    let body = """
      local n = saved and saved.n or 0
      while true do
        n = n + 1
        wait_for("moved", { subject = "webinar:w" .. n, within = "1 s" })
        if n % 20 == 0 then checkpoint { n = n } end
      end
      """
    let shop = try Workshop(["r": rule("on = 'a'", body)])
    try shop.take(JourneyTests.event("a", "a"))
    let number = try number(of: shop, "ada")
    for _ in 0..<(Limits.listenedSubjects + 100) {
      shop.now = shop.now + 1_000
      try shop.run([])
    }
    let row = try #require(try run(shop, number))
    #expect(row.status == .waiting && row.listening.count == Limits.listenedSubjects)
    let waiters = try shop.store.makeReader().rows(from: RowKey(.waiter, .min), to: RowKey(.waiter, .max), limit: 5_000)
    #expect(waiters.count == Limits.listenedSubjects)
  }
}
