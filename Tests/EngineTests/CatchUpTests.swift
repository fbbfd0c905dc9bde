// Timers that nobody was there for: how they are spread, what comes first, and what does not fire at all.
//
// Thread: the test's. Promise: the clock moves only by hand.

import Basics
import Model
import Rules
import Store
import Testing

@testable import Engine

@Suite struct CatchUpTests {
  private static let hour: Int64 = 3_600_000

  private static func waiting(_ header: String = "on = 'go'", _ type: String = "late") -> String {
    Workshop.rule(header, "wait('1 hour') send('crm', '\(type)', {})")
  }

  private static func go(_ id: Int, _ name: String = "go") -> String {
    JourneyTests.event(name, "\(name)\(id)", user: "u\(id)")
  }

  /// A shop that was left alone with so many runs of each event, and comes back `later` after they were due.
  private static func left(
    _ rules: [String: String], _ counts: [String: Int], rate: Int? = 100, lanes: Int = 1, later: Int64 = 8 * hour
  ) throws -> Workshop {
    let disk = MemoryStore.Disk()
    let before = try Workshop(rules, lanes: lanes, disk: disk, catchUpRate: rate)
    for (name, count) in counts.sorted(by: { $0.key < $1.key }) {
      try before.run(try (0..<count).map { .incoming(try before.incoming(go($0, name))) })
    }
    let after = try Workshop(rules, lanes: lanes, disk: disk, catchUpRate: rate)
    after.now = before.now + hour + later
    return after
  }

  /// How many webhooks go out in each step of so long.
  private static func sent(_ shop: Workshop, steps: Int, of milliseconds: Int64) throws -> [Int] {
    try (0..<steps).map { _ in
      defer { shop.now = shop.now + milliseconds }
      return try shop.run([]).deliveries.count
    }
  }

  @Test func `without a rate what is due fires at once, however late it is`() throws {
    let shop = try CatchUpTests.left(
      ["a": CatchUpTests.waiting()], ["go": 300], rate: nil, later: 30 * JourneyTests.day)
    #expect(try shop.run([]).deliveries.count == 300)
  }

  @Test func `late timers of one rule fire at its rate, each once`() throws {
    let shop = try CatchUpTests.left(["a": CatchUpTests.waiting()], ["go": 250])
    #expect(try CatchUpTests.sent(shop, steps: 20, of: 10) == Array(repeating: 1, count: 20))
    #expect(try CatchUpTests.sent(shop, steps: 2, of: 250) == [1, 25])
    var rest: [String] = []
    for _ in 0..<10 {
      shop.now = shop.now + 1_000
      rest += try shop.run([]).deliveries.map(\.delivery.id)
    }
    #expect(rest.count == 250 - 46 && Set(rest).count == rest.count)
    #expect(try shop.store.makeReader().rows(from: RowKey(.run, .min), to: RowKey(.run, .max), limit: 9).isEmpty)
  }

  @Test func `a step that comes late makes up for a second and no more`() throws {
    let shop = try CatchUpTests.left(["a": CatchUpTests.waiting()], ["go": 400])
    #expect(try CatchUpTests.sent(shop, steps: 2, of: 60_000) == [1, 101])
  }

  @Test func `the earliest goes first, and each rule has its own pace`() throws {
    let rules = ["a": CatchUpTests.waiting("on = 'go'", "a"), "b": CatchUpTests.waiting("on = 'other'", "b")]
    let shop = try CatchUpTests.left(rules, ["go": 20, "other": 3])
    var sent: [String] = []
    for _ in 0..<3 {
      sent += try shop.run([]).deliveries.map { "\($0.delivery.type)\($0.run)" }
      shop.now = shop.now + 10
    }
    #expect(sent.filter { $0.hasPrefix("a") } == ["a1", "a2", "a3"])
    #expect(sent.filter { $0.hasPrefix("b") } == ["b21", "b22"], "a lane fires one in two milliseconds")
  }

  @Test func `what is on time never waits for what is late`() throws {
    let shop = try CatchUpTests.left(["a": CatchUpTests.waiting()], ["go": 500])
    try shop.run([])
    try shop.take(CatchUpTests.go(1_000))
    shop.now = shop.now + (CatchUpTests.hour - 1)
    // The late ones make up for a second; the one on time is not among them yet.
    #expect(try shop.run([]).deliveries.contains { $0.run == 501 } == false)
    shop.now = shop.now + Int64(1)
    #expect(try shop.run([]).deliveries.map(\.run).contains(501))
  }

  @Test func `a minute late is still on time`() throws {
    let rules = ["a": CatchUpTests.waiting()]
    #expect(try CatchUpTests.left(rules, ["go": 30], later: 60_000).run([]).deliveries.count == 30)
    #expect(try CatchUpTests.left(rules, ["go": 30], later: 60_001).run([]).deliveries.count == 1)
  }

  @Test func `a lane takes so many late ones in a second and no more, those of transactional rules first`() throws {
    var rules = ["vital": CatchUpTests.waiting("on = 'go', class = 'transactional'", "vital")]
    for number in 10..<40 { rules["r\(number)"] = CatchUpTests.waiting("on = 'go'", "r\(number)") }
    let shop = try CatchUpTests.left(rules, ["go": 40])
    var counts: [String: Int] = [:]
    var first: [String] = []
    for step in 0..<200 {
      let types = try shop.run([]).deliveries.map(\.delivery.type)
      if step == 0 { first = types }
      for type in types { counts[type, default: 0] += 1 }
      shop.now = shop.now + 1
    }
    #expect(first == ["vital"])
    // 200 ms: 20 of a rule at its own pace, 100 of all rules.
    #expect(counts["vital"] == 20)
    #expect(counts.values.reduce(0, +) == 100)
    #expect(counts.filter { $0.key != "vital" }.values.allSatisfy { (2...3).contains($0) })
  }

  @Test func `two lanes share a rule's rate, and nothing is lost or doubled between them`() throws {
    let shop = try CatchUpTests.left(["a": CatchUpTests.waiting()], ["go": 300], lanes: 2)
    var sent: [String] = []
    for _ in 0..<100 {
      sent += try shop.run([]).deliveries.map(\.delivery.id)
      shop.now = shop.now + 10
    }
    #expect((95...102).contains(sent.count))
    for _ in 0..<20 {
      sent += try shop.run([]).deliveries.map(\.delivery.id)
      shop.now = shop.now + 1_000
    }
    #expect(sent.count == 300 && Set(sent).count == 300)
  }

  @Test func `more than memory holds of a rule is read again from the store, and others do not wait for it`() throws {
    let count = Limits.lateTimersPerRule + 2_000
    let rules = ["a": CatchUpTests.waiting("on = 'go'", "a"), "b": CatchUpTests.waiting("on = 'zoo'", "b")]
    let shop = try CatchUpTests.left(rules, ["go": count, "zoo": 5], rate: 1_000)
    var sent: [String] = []
    var steps = 0
    var lastOfB = 0
    while sent.count < count + 5, steps < 600 {
      let deliveries = try shop.run([]).deliveries
      sent += deliveries.map { "\($0.delivery.type)\($0.run)" }
      if deliveries.contains(where: { $0.delivery.type == "b" }) { lastOfB = steps }
      // Long enough for a look at every row; then a second at a time.
      shop.now = shop.now + (steps < 400 ? 1 : 1_000)
      steps += 1
    }
    #expect(Set(sent).count == count + 5 && sent.count == count + 5)
    #expect((1...370).contains(lastOfB))
    #expect(sent.filter { $0.hasPrefix("a") } == (1...count).map { "a\($0)" })
  }

  @Test func `a kill in the middle of catching up loses nothing and doubles nothing`() throws {
    let rules = ["a": CatchUpTests.waiting()]
    let disk = MemoryStore.Disk()
    var shop = try Workshop(rules, disk: disk, catchUpRate: 100)
    try shop.run(try (0..<200).map { .incoming(try shop.incoming(CatchUpTests.go($0))) })
    var now = shop.now + 9 * CatchUpTests.hour
    var sent: [String] = []
    for _ in 0..<60 {
      shop = try Workshop(rules, disk: disk, catchUpRate: 100)
      shop.now = now
      for _ in 0..<5 {
        sent += try shop.run([]).deliveries.map(\.delivery.id)
        shop.now = shop.now + 10
      }
      now = shop.now
    }
    #expect(sent.count == 200 && Set(sent).count == 200)
  }

  @Test func `catch_up = "skip" ends a run that is late, with the reason`() throws {
    let shop = try CatchUpTests.left(["a": CatchUpTests.waiting("on = 'go', catch_up = 'skip'")], ["go": 1])
    let happened = try shop.run([])
    #expect(happened.deliveries.isEmpty && happened.ended.map(\.status) == [.skipped])
    let reason = "its time was 2023-11-14T23:13:20.000Z; it is 8 h late, and its rule has catch_up = \"skip\""
    #expect(happened.ended.map(\.reason) == [reason])
    #expect(happened.verdict("a")?.code == .skipped && happened.verdict("a")?.reason == "run 1: " + reason)
  }

  @Test func `catch_up with a duration lets those fire that are less late, and spreads them`() throws {
    let rules = ["a": CatchUpTests.waiting("on = 'go', catch_up = '2 hours'")]
    #expect(try CatchUpTests.left(rules, ["go": 3], later: 2 * CatchUpTests.hour).run([]).deliveries.count == 1)
    let late = try CatchUpTests.left(rules, ["go": 1], later: 2 * CatchUpTests.hour + 1).run([])
    #expect(late.ended.map(\.status) == [.skipped])
    #expect(late.verdict("a")?.reason.hasSuffix("catch_up = \"2 h\"") == true)
    let month = ["a": CatchUpTests.waiting("on = 'go', catch_up = '30 days'")]
    #expect(try CatchUpTests.left(month, ["go": 1], later: 20 * JourneyTests.day).run([]).deliveries.count == 1)
  }

  @Test func `what is more than seven days late is parked, says so, and goes on by hand`() throws {
    let rules = [
      "a": CatchUpTests.waiting(), "watch": Workshop.rule("on = 'nudged.run.parked'", "log(event.data.reason)"),
    ]
    let shop = try CatchUpTests.left(rules, ["go": 1], later: 7 * JourneyTests.day + 1)
    let happened = try shop.run([])
    #expect(happened.deliveries.isEmpty)
    #expect(happened.verdicts.flatMap(\.verdicts).contains { $0.rule == "a" && $0.code == .parked })
    #expect(
      happened.logs.contains("its time was 2023-11-14T23:13:20.000Z; it is more than 7 days late"), "\(happened.logs)")
    let subject = try #require(try shop.subject("user:u0"))
    #expect(try shop.run([.command(RunCommand(.wake, run: 1, subject: subject))]).deliveries.count == 1)
    let week = try CatchUpTests.left(rules, ["go": 1], later: 7 * JourneyTests.day)
    #expect(try week.run([]).deliveries.count == 1)
  }

  /// A silence of a day and a segment that only time leaves, in a shop that comes back so long after both were due.
  private static func lateOccasions(_ catchUp: String, later: Int64) throws -> Happened {
    let body = "send('crm', 'late', {})"
    let rules = [
      "silence": Workshop.rule("on = absence { of = 'go', lasting = '1 day' }\(catchUp)", body),
      "segments/busy": "return segment { title = 'S', when = function() return count('go', '1 day') > 0 end }",
      "gone": Workshop.rule("on = leaves('busy')\(catchUp)", body),
    ]
    let disk = MemoryStore.Disk()
    let before = try Workshop(rules, disk: disk, catchUpRate: 100)
    try before.take(go(0))
    let after = try Workshop(rules, disk: disk, catchUpRate: 100)
    // The last part of the window ends up to a sixtieth of a day later.
    after.now = before.now + 24 * hour + later
    var happened = try after.run([])
    for _ in 0..<100 {
      after.now = after.now + 10
      let more = try after.run([])
      happened.deliveries += more.deliveries
      happened.verdicts += more.verdicts
    }
    return happened
  }

  @Test func `a silence or a segment's change that is told too late does not begin its rule, with the reason`() throws {
    let late = 8 * CatchUpTests.hour
    #expect(try CatchUpTests.lateOccasions("", later: late).deliveries.count == 2)
    #expect(try CatchUpTests.lateOccasions(", catch_up = '9 hours'", later: late).deliveries.count == 2)
    for (catchUp, told) in [("'skip'", "\"skip\""), ("'2 hours'", "\"2 h\"")] {
      let happened = try CatchUpTests.lateOccasions(", catch_up = \(catchUp)", later: late)
      #expect(happened.deliveries.isEmpty)
      for rule in ["silence", "gone"] {
        let verdict = happened.verdict(rule)
        #expect(verdict?.code == .skipped && verdict?.reason.hasSuffix("its rule has catch_up = \(told)") == true)
      }
      let silence = happened.verdict("silence")?.reason ?? ""
      #expect(silence.hasPrefix("its time was 2023-11-15T22:13:20.000Z; it is 8 h late"), "\(silence)")
    }
  }

  @Test func `what an alarm in time has told is not late, whatever its rule says of late ones`() throws {
    let body = "send('crm', 'late', {})"
    let rules = ["silence": Workshop.rule("on = absence { of = 'go', lasting = '1 day' }, catch_up = 'skip'", body)]
    let shop = try Workshop(rules, catchUpRate: 100)
    try shop.take(CatchUpTests.go(0))
    shop.now = shop.now + 24 * CatchUpTests.hour + 50_000
    #expect(try shop.run([]).deliveries.count == 1)
  }

  @Test func `catch_up of the newest version counts for runs of older ones`() throws {
    let shop = try CatchUpTests.left(["a": CatchUpTests.waiting()], ["go": 2])
    #expect(try shop.run([]).deliveries.count == 1)
    try shop.publish(["a": CatchUpTests.waiting("on = 'go', catch_up = 'skip'")], highest: 1)
    shop.now = shop.now + 10
    #expect(try shop.run([]).ended.map(\.status) == [.skipped])
  }

  @Test func `runs of a rule that lives again are spread, and what woke them meanwhile is not late`() throws {
    let skipping = "on = 'go', catch_up = 'skip'"
    let body = "local b = wait_for('b', { within = '1 hour' }) send('crm', b and 'yes' or 'no', {})"
    let shop = try Workshop(["a": Workshop.rule(skipping, body)], catchUpRate: 100)
    try shop.run(try (0..<50).map { .incoming(try shop.incoming(CatchUpTests.go($0))) })
    try shop.publish(["a": Workshop.rule(skipping + ", mode = 'paused'", body)], highest: 1)
    try shop.run(try (0..<25).map { .incoming(try shop.incoming(CatchUpTests.go($0, "b"))) })
    shop.now = shop.now + 5 * CatchUpTests.hour
    for _ in 0..<100 {
      #expect(try shop.run([]).deliveries.isEmpty)
      shop.now = shop.now + 10
    }
    try shop.publish(["a": Workshop.rule(skipping, body)], highest: 1)
    var types: [String] = []
    var most = 0
    var ended = 0
    for _ in 0..<60 {
      shop.now = shop.now + 10
      let happened = try shop.run([])
      types += happened.deliveries.map(\.delivery.type)
      ended += happened.ended.count { $0.status == .skipped }
      most = max(most, happened.ended.count)
    }
    // One was due at the very moment of the publish.
    #expect(most == 1 && types.allSatisfy { $0 == "yes" } && (24...25).contains(types.count))
    #expect((24...25).contains(ended) && types.count + ended == 49)
  }

  @Test func `a late limit of a call is no plan, and its run goes on`() throws {
    let body = "local reply = call('crm', 'ask', {}) send('crm', reply.unknown and 'unknown' or 'known', {})"
    let shop = try CatchUpTests.left(["a": Workshop.rule("on = 'go', catch_up = 'skip'", body)], ["go": 1])
    #expect(try shop.run([]).deliveries.map(\.delivery.type) == ["unknown"])
  }

  @Test func `webhooks held for quiet hours are spread when they are late, and skipped as their rule says`() throws {
    var policies = Policies()
    policies.quietHours = Policies.QuietHours(from: 21 * 60, to: 8 * 60)
    for (header, expected) in [("on = 'go'", VerdictCode.ran), ("on = 'go', catch_up = 'skip'", .suppressed)] {
      let rules = ["a": Workshop.rule(header, "send('crm', 'x', {})")]
      let disk = MemoryStore.Disk()
      let before = try Workshop(rules, disk: disk, policies: policies, catchUpRate: 100)
      try before.run(try (0..<3).map { .incoming(try before.incoming(CatchUpTests.go($0))) })
      let after = try Workshop(rules, disk: disk, catchUpRate: 100)
      after.now = before.now + 3 * JourneyTests.day
      let first = try after.run([])
      if expected == .suppressed {
        #expect(first.deliveries.isEmpty)
        #expect(first.verdict("a")?.code == .suppressed)
        #expect(first.verdict("a")?.reason.contains("catch_up = \"skip\"") == true)
      } else {
        #expect(first.deliveries.count == 1)
        #expect(try CatchUpTests.sent(after, steps: 4, of: 10) == [0, 1, 1, 0])
      }
    }
  }

  @Test func `webhooks held for quiet hours of a rule that was paused go out at once, or obey catch_up`() throws {
    var policies = Policies()
    policies.quietHours = Policies.QuietHours(from: 21 * 60, to: 8 * 60)
    for (catchUp, sent, told) in [
      ("", 1, false), (", catch_up = '5 hours'", 1, false), (", catch_up = 'skip'", 0, true),
    ] {
      func files(_ mode: String) -> [String: String] {
        ["a": Workshop.rule("on = 'go'\(catchUp)\(mode)", "send('crm', 'x', {})")]
      }
      let disk = MemoryStore.Disk()
      let before = try Workshop(files(""), disk: disk, policies: policies, catchUpRate: 100)
      try before.take(CatchUpTests.go(0))
      // From an evening to four hours after the end of the night, with a start in between.
      try before.publish(files(", mode = 'paused'"), highest: 1)
      before.now = before.now + 10 * CatchUpTests.hour
      #expect(try before.run([]).deliveries.isEmpty)
      let after = try Workshop(files(", mode = 'paused'"), disk: disk, policies: policies, catchUpRate: 100)
      after.now = before.now + 4 * CatchUpTests.hour
      #expect(try after.run([]).deliveries.isEmpty)
      try after.publish(files(""), highest: 1)
      after.now = after.now + 10
      _ = try after.run([])
      let engine = try after.store.makeReader().engine
      #expect(try engine.deliveries(before: .max, limit: 9).count == sent, "\(catchUp)")
      let verdicts = try engine.verdicts(around: 1).flatMap { $0.unpack() }.flatMap(\.verdicts)
      #expect(verdicts.contains { $0.code == .suppressed } == told, "\(catchUp)")
    }
  }

  @Test func `a collection that is late begins as late ones do`() throws {
    let rules = ["a": Workshop.rule("on = 'go', debounce = '1 hour'", "send('crm', 'x', {})")]
    let shop = try CatchUpTests.left(rules, ["go": 3])
    #expect(try CatchUpTests.sent(shop, steps: 4, of: 10) == [1, 1, 1, 0])
  }

  @Test func `an event that comes before its late timer had its turn still wakes the run`() throws {
    let body = "local b = wait_for('b', { within = '1 hour' }) send('crm', b and 'yes' or 'no', {})"
    let shop = try CatchUpTests.left(["a": Workshop.rule("on = 'go'", body)], ["go": 5])
    #expect(try shop.run([]).deliveries.map(\.delivery.type) == ["no"])
    #expect(try shop.take(CatchUpTests.go(4, "b")).deliveries.map(\.delivery.type) == ["yes"])
    #expect(try CatchUpTests.sent(shop, steps: 8, of: 10).reduce(0, +) == 3)
  }

  // MARK: the clock

  @Test func `a clock that jumps ahead is believed when it has stood for a minute`() {
    var clock = BelievedClock()
    let start = Instant(milliseconds: 1_700_000_000_000)
    func at(_ seconds: Int64, jumped: Int64 = 0) -> Int64 {
      clock.now(wall: start + (seconds * 1_000 + jumped), steadyMilliseconds: 5_000 + seconds * 1_000) - start
    }
    #expect(at(0) == 0 && at(10) == 10_000)
    // Five minutes are nothing; more is doubted.
    #expect(at(11, jumped: 300_000) == 311_000)
    let day = JourneyTests.day
    #expect(at(20, jumped: day) == 320_000)
    #expect(at(79, jumped: day) == 379_000)
    #expect(at(80, jumped: day) == day + 80_000)
    #expect(at(81, jumped: day) == day + 81_000)
  }

  @Test func `a clock that ran fast is believed at once when it has caught up`() {
    final class Real: @unchecked Sendable { var milliseconds: Int64 = 0 }
    let real = Real()
    let start = Instant(milliseconds: 1_700_000_000_000)
    let fast = Clocks.fast(
      FastClock(behindMilliseconds: 20 * JourneyTests.day, rate: 10_000),
      on: Clocks(wall: { start + real.milliseconds }, steadyNanoseconds: { real.milliseconds * 1_000_000 }))
    var clock = BelievedClock()
    func at(_ milliseconds: Int64) -> Int64 {
      real.milliseconds = milliseconds
      return clock.now(fast) - start
    }
    #expect(at(0) == -20 * JourneyTests.day && at(170_000) == 1_700_000_000 - 20 * JourneyTests.day)
    // Five seconds later it has moved on by the hours that were left.
    #expect(at(175_000) == 175_000)
    #expect(at(176_000) == 176_000)
  }

  @Test func `a clock that was ahead for less than a minute has fired nothing`() {
    var clock = BelievedClock()
    let start = Instant(milliseconds: 1_700_000_000_000)
    func at(_ seconds: Int64, jumped: Int64 = 0) -> Int64 {
      clock.now(wall: start + (seconds * 1_000 + jumped), steadyMilliseconds: seconds * 1_000) - start
    }
    #expect(at(0) == 0)
    #expect(at(30, jumped: JourneyTests.day) == 30_000)
    #expect(at(60) == 60_000)
    // The next jump is doubted anew, and one that goes on jumping, too.
    #expect(at(61, jumped: JourneyTests.day) == 61_000)
    #expect(at(100, jumped: 2 * JourneyTests.day) == 100_000)
    #expect(at(159, jumped: 2 * JourneyTests.day) == 159_000)
    #expect(at(160, jumped: 2 * JourneyTests.day) == 2 * JourneyTests.day + 160_000)
    // Back is back.
    #expect(at(170) == 170_000)
  }

  @Test func `a fast clock that has caught up is believed at once, and doubted like any other from then on`() {
    var clock = BelievedClock()
    let start = Instant(milliseconds: 1_700_000_000_000)
    func at(_ seconds: Int64, wall: Int64, rate: Int64) -> Int64 {
      clock.now(
        Clocks(
          wall: { start + wall }, steadyNanoseconds: { (5 + seconds) * 1_000_000_000 }, rate: { rate })) - start
    }
    let day = JourneyTests.day
    #expect(at(0, wall: 0, rate: 12_000) == 0)
    #expect(at(4, wall: day / 2, rate: 12_000) == day / 2)
    // Within these four seconds it has caught up.
    #expect(at(8, wall: day, rate: 1) == day)
    #expect(at(9, wall: 2 * day, rate: 1) == day + 1_000)
  }
}
