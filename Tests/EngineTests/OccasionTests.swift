// What begins rules besides events: silences that last, and segments that are entered and left.
//
// Thread: the test's.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct OccasionTests {
  static let day: Int64 = 86_400_000

  private func event(_ name: String, _ id: Int, _ user: String = "ann", _ rest: String = "") -> String {
    #"{"id":"\#(name)-\#(user)-\#(id)","name":"\#(name)","user":"\#(user)"\#(rest)}"#
  }

  private func bodies(_ happened: Happened) -> [String] {
    happened.deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self) }
  }

  // MARK: absence

  static let quiet = Workshop.rule(
    "on = absence { of = 'login', lasting = '14 days' }",
    "send('bare', 't', { who = customer.id, since = event.data.since, of = event.data.event })")

  @Test func `a silence is told at its moment, once, with since when it lasts`() throws {
    let workshop = try Workshop(["quiet": OccasionTests.quiet])
    _ = try workshop.take(event("login", 1))
    let start = workshop.now
    workshop.now = start + (14 * OccasionTests.day - 1)
    #expect(try workshop.run([]).deliveries.isEmpty)
    workshop.now = start + 14 * OccasionTests.day
    let happened = try workshop.run([])
    #expect(bodies(happened) == [#"{"of":"login","since":"\#(ISO8601.format(start))","who":"ann"}"#])
    #expect(happened.events.map(\.name) == ["nudged.absence"])
    #expect(happened.verdict("quiet")?.code == .ran)
    workshop.now = start + 60 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.isEmpty)
  }

  @Test func `each event moves the moment, and a late one does not move it back`() throws {
    let workshop = try Workshop(["quiet": OccasionTests.quiet])
    let start = workshop.now
    _ = try workshop.take(event("login", 1))
    workshop.now = start + 10 * OccasionTests.day
    _ = try workshop.take(event("login", 2))
    _ = try workshop.take(event("login", 3, "ann", #","time":\#(start.milliseconds)"#))
    workshop.now = start + 20 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.isEmpty)
    workshop.now = start + 24 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.count == 1)
    // Another silence begins with the next event.
    _ = try workshop.take(event("login", 4))
    workshop.now = workshop.now + 14 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.count == 1)
  }

  @Test func `whoever never did it is told of, too, counted from when they were first seen`() throws {
    let workshop = try Workshop(["quiet": OccasionTests.quiet])
    _ = try workshop.take(event("signup", 1))
    workshop.now = workshop.now + 14 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.count == 1)
  }

  @Test(arguments: [1, 2]) func `those who were there before the rule count from when it was published`(
    lanes: Int
  ) throws {
    let workshop = try Workshop(lanes: lanes)
    for user in ["ann", "bob", "cid"] { _ = try workshop.take(event("login", 1, user)) }
    workshop.now = workshop.now + 10 * OccasionTests.day
    try workshop.publish(["quiet": OccasionTests.quiet], highest: 0)
    workshop.now = workshop.now + 1
    try workshop.run([])
    workshop.now = workshop.now + 10 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.isEmpty)
    _ = try workshop.take(event("login", 2, "bob"))
    workshop.now = workshop.now + 4 * OccasionTests.day
    #expect(Set(bodies(try workshop.run([])).map { $0.contains("ann") || $0.contains("cid") }) == [true])
    workshop.now = workshop.now + 10 * OccasionTests.day
    #expect(bodies(try workshop.run([])).allSatisfy { $0.contains("bob") })
  }

  @Test(arguments: [1, 2]) func `a silence outlives a restart`(lanes: Int) throws {
    let disk = MemoryStore.Disk()
    var workshop = try Workshop(["quiet": OccasionTests.quiet], lanes: lanes, disk: disk)
    let start = workshop.now
    _ = try workshop.take(event("login", 1))
    workshop.now = start + 10 * OccasionTests.day
    _ = try workshop.take(event("login", 2))
    workshop = try Workshop(["quiet": OccasionTests.quiet], lanes: lanes, disk: disk)
    workshop.now = start + 23 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.isEmpty)
    workshop = try Workshop(["quiet": OccasionTests.quiet], lanes: lanes, disk: disk)
    workshop.now = start + 24 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.count == 1)
    workshop = try Workshop(["quiet": OccasionTests.quiet], lanes: lanes, disk: disk)
    workshop.now = start + 40 * OccasionTests.day
    #expect(try workshop.run([]).deliveries.isEmpty)
  }

  @Test func `only events that match break a silence`() throws {
    let rule = Workshop.rule(
      "on = absence { of = 'login', lasting = '2 days', match = { device = 'phone' } }", "send('bare', 't', {})")
    let workshop = try Workshop(["quiet": rule])
    _ = try workshop.take(event("login", 1, "ann", #","data":{"device":"phone"}"#))
    workshop.now = workshop.now + OccasionTests.day
    _ = try workshop.take(event("login", 2, "ann", #","data":{"device":"web"}"#))
    workshop.now = workshop.now + OccasionTests.day
    #expect(try workshop.run([]).deliveries.count == 1)
  }

  @Test func `an account is silent when none of its users does it`() throws {
    let rule = Workshop.rule(
      "on = absence { of = 'login', lasting = '2 days' }, per = 'account'", "send('bare', 't', { who = customer.id })")
    let workshop = try Workshop(["quiet": rule], lanes: 2)
    for (hour, user) in ["u1", "u2", "u3"].enumerated() {
      _ = try workshop.take(event("login", hour, user, #","account":"acme""#))
      workshop.now = workshop.now + OccasionTests.day
    }
    #expect(try workshop.run([]).deliveries.isEmpty)
    workshop.now = workshop.now + OccasionTests.day
    #expect(bodies(try workshop.run([])) == [#"{"who":"acme"}"#])
  }

  @Test func `a rule that is gone is told of no silence`() throws {
    let workshop = try Workshop(["quiet": OccasionTests.quiet])
    _ = try workshop.take(event("login", 1))
    try workshop.publish([:], highest: 1)
    workshop.now = workshop.now + 30 * OccasionTests.day
    #expect(try workshop.run([]).events.isEmpty)
    let timers = try workshop.store.makeReader().rows(
      from: RowKey(.timer, .min, .min), to: RowKey(.timer, .max, .max), limit: 10)
    #expect(timers.isEmpty)
    let measures = try workshop.store.makeReader().rows(
      from: RowKey(.measure, .min, .min), to: RowKey(.measure, .max, .max), limit: 10)
    #expect(measures.isEmpty)
  }

  @Test(arguments: [
    ("absence { of = 'login' }", "'lasting' must be a duration"),
    ("absence { of = 'login', lasting = '14 dayz' }", "'lasting' must be a duration"),
    ("absence { lasting = '14 days' }", "'of' must be the name of an event"),
    ("absence { of = 'login', lasting = '14 days', wher = 1 }", "unknown key 'wher' in absence"),
    ("absence { of = 'nudged.absence', lasting = '14 days' }", "'of' must be the name of an event"),
    ("absence('login')", "absence takes one table"),
    ("{ absence { of = 'login', lasting = '14 days' }, 'login' }", "stands alone"),
    ("enters('at_risk')", "there is no segment 'at_risk'"),
    ("enters()", "takes the name of a segment"),
  ])
  func `an occasion that is not right is told when the rule is loaded`(on: String, message: String) {
    let loading = RuleSet.load(
      sources: [RuleSource(path: "a.lua", text: Workshop.rule("on = \(on)", "log('x')"))], knownDestinations: nil)
    #expect(loading.complaints.map(\.message).contains { $0.contains(message) }, "\(loading.complaints)")
  }

  // MARK: segments

  private static func segment(_ body: String, _ header: String = "") -> String {
    "return segment { title = 'S', \(header) when = function(customer) return \(body) end }"
  }
  private static let enters = Workshop.rule(
    "on = enters('risk')", "send('bare', 't', { came = customer.id, segment = event.data.segment })")
  private static let leaves = Workshop.rule("on = leaves('risk')", "send('bare', 't', { went = customer.id })")

  private func tally(_ workshop: Workshop) throws -> Int64 {
    try workshop.store.makeReader().rows(
      from: RowKey(.tally, .min, .min), to: RowKey(.tally, .max, .max), limit: 100
    ).reduce(0) { $0 + ($1.value.flatMap(NumberRow.unpack) ?? 0) }
  }

  private func inSegment(_ segment: String, lanes: Int = 1, disk: MemoryStore.Disk = .init()) throws -> Workshop {
    try Workshop(
      ["segments/risk": segment, "in": OccasionTests.enters, "out": OccasionTests.leaves], lanes: lanes, disk: disk)
  }

  @Test(arguments: [1, 2]) func `whoever comes into a segment by a trait, or leaves it, is told of once`(
    lanes: Int
  ) throws {
    let workshop = try inSegment(OccasionTests.segment("customer.traits.health == 'low'"), lanes: lanes)
    func health(_ id: Int, _ value: String) throws -> [String] {
      bodies(try workshop.take(event("identify", id, "ann", #","traits":{"health":"\#(value)"}"#)))
    }
    #expect(try health(1, "good").isEmpty)
    #expect(try health(2, "low") == [#"{"came":"ann","segment":"risk"}"#])
    #expect(try health(3, "low").isEmpty)
    #expect(try tally(workshop) == 1)
    #expect(try health(4, "good") == [#"{"went":"ann"}"#])
    #expect(try tally(workshop) == 0)
    // A new subject may be inside with its first event.
    #expect(bodies(try workshop.take(event("identify", 1, "bob", #","traits":{"health":"low"}"#))).count == 1)
    #expect(try tally(workshop) == 1)
  }

  @Test func `time alone moves people out of a segment that looks at windows`() throws {
    let workshop = try inSegment(OccasionTests.segment("count('error', '1 hour') >= 3"))
    for id in 1...2 { #expect(try workshop.take(event("error", id)).deliveries.isEmpty) }
    #expect(bodies(try workshop.take(event("error", 3))) == [#"{"came":"ann","segment":"risk"}"#])
    workshop.now = workshop.now + 30 * 60_000
    #expect(try workshop.run([]).deliveries.isEmpty)
    workshop.now = workshop.now + 31 * 60_000
    #expect(bodies(try workshop.run([])) == [#"{"went":"ann"}"#])
    let timers = try workshop.store.makeReader().rows(
      from: RowKey(.timer, .min, .min), to: RowKey(.timer, .max, .max), limit: 10)
    #expect(timers.isEmpty)
  }

  @Test func `a segment may look at whether the subject is inside, so that it does not flutter`() throws {
    let workshop = try inSegment(
      OccasionTests.segment("(customer.traits.score or 0) >= (state.inside and 40 or 60)"))
    func score(_ id: Int, _ value: Int) throws -> Int {
      try workshop.take(event("identify", id, "ann", #","traits":{"score":\#(value)}"#)).deliveries.count
    }
    #expect(try [score(1, 50), score(2, 61), score(3, 50), score(4, 39), score(5, 50)] == [0, 1, 0, 1, 0])
  }

  @Test func `what a rule sets moves its subject between segments`() throws {
    let rules = [
      "segments/risk": OccasionTests.segment("customer.traits.health == 'low'"), "in": OccasionTests.enters,
      "set": Workshop.rule("on = 'begin'", "wait('1 day')\nset { health = 'low' }"),
    ]
    let workshop = try Workshop(rules)
    _ = try workshop.take(event("begin", 1))
    workshop.now = workshop.now + OccasionTests.day
    #expect(bodies(try workshop.run([])) == [#"{"came":"ann","segment":"risk"}"#])
  }

  @Test(arguments: [1, 2]) func `those who were there when a segment was written are counted without a word`(
    lanes: Int
  ) throws {
    let workshop = try Workshop(lanes: lanes)
    for user in 0..<50 {
      _ = try workshop.take(
        event("identify", 1, "u\(user)", #","traits":{"health":"\#(user % 2 == 0 ? "low" : "good")"}"#))
    }
    try workshop.publish(
      [
        "segments/risk": OccasionTests.segment("customer.traits.health == 'low'"), "in": OccasionTests.enters,
        "out": OccasionTests.leaves,
      ], highest: 0)
    workshop.now = workshop.now + 1
    #expect(try workshop.run([]).deliveries.isEmpty)
    #expect(try tally(workshop) == 25)
    let traits = #","traits":{"health":"good"}"#
    #expect(bodies(try workshop.take(event("identify", 2, "u0", traits))) == [#"{"went":"u0"}"#])
    #expect(try tally(workshop) == 24)
  }

  @Test func `a segment with windows that is written later knows what the log knows`() throws {
    let workshop = try Workshop()
    for id in 1...3 { _ = try workshop.take(event("error", id)) }
    _ = try workshop.take(event("error", 1, "bob"))
    try workshop.publish(
      ["segments/risk": OccasionTests.segment("count('error', '1 day') >= 3"), "out": OccasionTests.leaves],
      highest: 0)
    workshop.now = workshop.now + 1
    try workshop.run([])
    #expect(try tally(workshop) == 1)
    workshop.now = workshop.now + 2 * OccasionTests.day
    #expect(bodies(try workshop.run([])) == [#"{"went":"ann"}"#])
  }

  @Test func `a segment is the same after a restart`() throws {
    let disk = MemoryStore.Disk()
    let text = OccasionTests.segment("count('error', '1 hour') >= 1")
    var workshop = try inSegment(text, disk: disk)
    _ = try workshop.take(event("error", 1))
    let start = workshop.now
    workshop = try inSegment(text, disk: disk)
    #expect(try tally(workshop) == 1)
    workshop.now = start + 61 * 60_000
    #expect(bodies(try workshop.run([])) == [#"{"went":"ann"}"#])
    #expect(try tally(workshop) == 0)
  }

  @Test func `a segment that fails leaves everyone where they are, and says so once`() throws {
    let workshop = try inSegment(OccasionTests.segment("customer.traits.score > 10"))
    let first = try workshop.take(event("identify", 1, "ann", #","traits":{"score":20}"#))
    #expect(first.deliveries.count == 1)
    let second = try workshop.take(event("identify", 2, "ann", #","traits":{"score":null}"#))
    #expect(second.deliveries.isEmpty)
    #expect(second.logs.contains { $0.contains("the segment 'risk' failed") })
    #expect(try workshop.take(event("identify", 3, "ann", #","traits":{"x":1}"#)).logs.isEmpty)
    #expect(try tally(workshop) == 1)
  }

  @Test func `a segment that asks what time it is is looked at every hour`() throws {
    let workshop = try inSegment(
      OccasionTests.segment("now() >= (customer.traits.trial_ends or math.huge)"))
    let ends = workshop.now.milliseconds + 90 * 60_000
    _ = try workshop.take(event("identify", 1, "ann", #","traits":{"trial_ends":\#(ends)}"#))
    workshop.now = workshop.now + 61 * 60_000
    #expect(try workshop.run([]).deliveries.isEmpty)
    workshop.now = workshop.now + 60 * 60_000
    #expect(bodies(try workshop.run([])) == [#"{"came":"ann","segment":"risk"}"#])
  }

  @Test(arguments: [
    ("segments/a", "return rule { title = 'T', on = 'x', run = function() end }", "must end with: return segment"),
    ("a", "return segment { title = 'T', when = function(c) return true end }", "belongs into a file below segments/"),
    ("segments/a", "return segment { when = function(c) return true end }", "a segment needs a title"),
    ("segments/a", "return segment { title = 'T' }", "a segment needs 'when'"),
    (
      "segments/a", "return segment { title = 'T', whne = 1, when = function(c) return true end }",
      "unknown key 'whne' of a segment"
    ),
    ("segments/a", "return segment { title = 'T', when = true }", "'when' must be a function"),
  ])
  func `a segment that is not right is told when it is loaded`(path: String, text: String, message: String) {
    let loading = RuleSet.load(sources: [RuleSource(path: path + ".lua", text: text)], knownDestinations: nil)
    #expect(loading.complaints.map(\.message).contains { $0.contains(message) }, "\(loading.complaints)")
  }
}
