// Policies where they are weakest: at their edges, with each other, and when what they rest on goes away.
//
// Thread: the test's. Promise: the clock stands still unless the test moves it; it begins on Tuesday 2023-11-14
// at 22:13:20 UTC.

import Basics
import Engine
import Model
import Store
import Testing

@Suite struct PolicyAttackTests {
  private static let hour: Int64 = 3_600_000

  private static func event(_ name: String, _ id: String, _ data: String = "{}", user: String = "ada") -> String {
    JourneyTests.event(name, id, user: user, data)
  }

  private static func night(_ change: (inout Policies.QuietHours) -> Void = { _ in }) -> Policies {
    var hours = Policies.QuietHours(from: 21 * 60, to: 8 * 60)
    change(&hours)
    var policies = Policies()
    policies.quietHours = hours
    return policies
  }

  private static func reasons(_ happened: Happened, _ code: VerdictCode) -> [String] {
    happened.verdicts.flatMap(\.verdicts).filter { $0.code == code }.map(\.reason)
  }

  // MARK: consent

  @Test func `a rule that answers a withdrawal does not send what was just withdrawn`() throws {
    let shop = try Workshop(["r": Workshop.rule("on = 'nudged.consent', topic = 'news'", "send('crm', 'sorry', {})")])
    let withdrawn = try shop.take(PolicyAttackTests.event("nudged.consent", "1", #"{"topic":"news","given":false}"#))
    #expect(withdrawn.deliveries.isEmpty)
    let given = try shop.take(PolicyAttackTests.event("nudged.consent", "2", #"{"topic":"news","given":true}"#))
    #expect(given.deliveries.count == 1)
  }

  @Test func `a withdrawal counts for what is held of a rule whose file is gone or has another name`() throws {
    let text = Workshop.rule("on = 'a', topic = 'news'", "send('crm', 'news', {})")
    let shop = try Workshop(["old": text], policies: PolicyAttackTests.night())
    try shop.take(PolicyAttackTests.event("a", "1"), PolicyAttackTests.event("a", "2", user: "bob"))
    try shop.take(PolicyAttackTests.event("nudged.consent", "3", #"{"topic":"news","given":false}"#))
    let again = try Workshop(["new": text], disk: shop.disk, policies: PolicyAttackTests.night())
    again.now = shop.now + 10 * PolicyAttackTests.hour
    let morning = try again.run([])
    #expect(morning.deliveries.count == 1)
    #expect(PolicyAttackTests.reasons(morning, .suppressed) == ["news to crm: consent to 'news' was withdrawn"])
  }

  @Test func `runs of a rule whose file is gone keep its topic and its class`() throws {
    for (header, count) in [("topic = 'news'", 0), ("class = 'transactional'", 1)] {
      let shop = try Workshop(
        ["r": Workshop.rule("on = 'a', \(header)", "wait('1 h') send('crm', 'late', {})")],
        policies: PolicyAttackTests.night())
      try shop.take(PolicyAttackTests.event("a", "1"))
      let topic = count == 0 ? "news" : "*"
      try shop.take(PolicyAttackTests.event("nudged.consent", "2", #"{"topic":"\#(topic)","given":false}"#))
      try shop.publish(["other": Workshop.rule("on = 'z'", "log('x')")], highest: 1)
      shop.now = shop.now + 2 * PolicyAttackTests.hour
      #expect(try shop.run([]).deliveries.count == count, "\(header)")
    }
  }

  @Test func `a record that cannot be read is taken for a wish to be left alone`() throws {
    let shop = try Workshop(["r": Workshop.rule("on = 'a', topic = 'news'", "send('crm', 'news', {})")])
    try shop.take(PolicyAttackTests.event("nudged.consent", "1", #"{"topic":"news","given":false}"#))
    let subject = try #require(try shop.subject("user:ada"))
    var row = try #require(try shop.row("user:ada"))
    row.policy = [9, 9, 9]
    let packed = row.packed
    try shop.run([.completion {}])
    var decisions = Decisions(lane: 0, sequence: 0)
    decisions.changes.append(RowKey(.subject, subject), packed)
    _ = try shop.commit([decisions])
    let again = try Workshop(["r": Workshop.rule("on = 'a'", "send('crm', 'news', {})")], disk: shop.disk)
    let happened = try again.take(PolicyAttackTests.event("a", "2"))
    #expect(happened.deliveries.isEmpty)
    #expect(PolicyAttackTests.reasons(happened, .suppressed).first?.contains("cannot be read") == true)
    // Asked again, the person is heard.
    try again.take(PolicyAttackTests.event("nudged.consent", "3", #"{"topic":"*","given":true}"#))
    #expect(try again.take(PolicyAttackTests.event("a", "4")).deliveries.count == 1)
  }

  @Test func `a packed record that is cut short or changed is not read as something else`() {
    var record = PolicyRecord()
    record.note(.init(topic: "news", isGiven: false, at: Instant(milliseconds: 5)))
    record.sent = [.init(at: Instant(milliseconds: 6), topic: "t", destination: "crm", rule: 3)]
    let whole = record.packed
    #expect(PolicyRecord(whole) == record)
    for count in 1..<whole.count { #expect(PolicyRecord(Array(whole.prefix(count))) == nil, "\(count)") }
    #expect(PolicyRecord(whole + [0]) == nil)
    // A count of consents that cannot be.
    #expect(PolicyRecord([1, 0xFF, 0xFF, 0xFF, 0x7F, 0, 0]) == nil)
  }

  // MARK: caps

  @Test func `what is sent under one cap does not make another one forget`() throws {
    var policies = Policies()
    policies.caps = [
      Policies.Cap(most: 2, window: .rolling(milliseconds: 30 * 24 * PolicyAttackTests.hour), topic: "offers"),
      Policies.Cap(most: 1_000, window: .rolling(milliseconds: 30 * 24 * PolicyAttackTests.hour), topic: "alerts"),
    ]
    let shop = try Workshop(
      [
        "offers": Workshop.rule("on = 'o', topic = 'offers'", "send('crm', 'offer', {})"),
        "alerts": Workshop.rule("on = 'a', topic = 'alerts'", "for i = 1, 100 do send('crm', 'alert', {}) end"),
      ], policies: policies)
    for id in 1...2 { #expect(try shop.take(PolicyAttackTests.event("o", "o\(id)")).deliveries.count == 1) }
    for id in 1...11 { try shop.take(PolicyAttackTests.event("a", "a\(id)")) }
    #expect(try shop.take(PolicyAttackTests.event("o", "o3")).deliveries.isEmpty)
  }

  @Test func `no more is remembered of what was sent than a cap can ask for`() throws {
    var policies = Policies()
    policies.caps = [
      Policies.Cap(most: 2, window: .rolling(milliseconds: 300 * 24 * PolicyAttackTests.hour), topic: "offers")
    ]
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a', topic = 'offers', cap = false", "send('crm', 'offer', {})")], policies: policies)
    for id in 0..<50 { try shop.take(PolicyAttackTests.event("a", "\(id)")) }
    let row = try #require(try shop.row("user:ada"))
    let record = try #require(PolicyRecord(row.policy))
    #expect(record.sent.count == 2)
  }

  @Test func `a webhook that could not be made does not use up a cap`() throws {
    var policies = Policies()
    policies.caps = [Policies.Cap(most: 1, window: .day)]
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a'", "send(event.data.to, 'offer', {})")], policies: policies)
    try shop.take(PolicyAttackTests.event("a", "1", #"{"to":"crm"}"#, user: "bob"))
    #expect(try shop.take(PolicyAttackTests.event("a", "2", #"{"to":"gone"}"#)).deliveries.isEmpty)
    #expect(try shop.take(PolicyAttackTests.event("a", "3", #"{"to":"crm"}"#)).deliveries.count == 1)
  }

  // MARK: quiet hours

  @Test func `a spread longer than the day is open ends before the next night`() throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', {})")],
      policies: PolicyAttackTests.night {
        $0.from = 9 * 60
        $0.spreadMilliseconds = 12 * PolicyAttackTests.hour
      })
    for user in 0..<50 { try shop.take(PolicyAttackTests.event("a", "\(user)", user: "u\(user)")) }
    // One minute before the next night.
    shop.now = Instant(milliseconds: 1_700_000_000_000 + 10 * PolicyAttackTests.hour + 46 * 60_000)
    #expect(try shop.run([]).deliveries.count == 50)
  }

  @Test(arguments: [
    // The clocks go back at 01:00Z; the second time of 02:15 is still night, and its end is one moment.
    ("2024-10-27T01:15:00Z", "2024-10-27T01:30:00.000Z"), ("2024-10-26T22:00:00Z", "2024-10-27T00:30:00.000Z"),
    // There is no 02:30 on this day.
    ("2024-03-31T00:30:00Z", "2024-03-31T01:00:00.000Z"), ("2024-03-30T22:00:00Z", "2024-03-31T01:00:00.000Z"),
  ])
  func `a night that ends in the hour in which the clocks change ends once`(at: String, until: String) throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', {})")],
      policies: PolicyAttackTests.night { $0.to = 2 * 60 + 30 })
    shop.now = try #require(ISO8601.parse(at))
    try shop.take(#"{"id":"0","name":"b","user":"ada","traits":{"timezone":"Europe/Berlin"}}"#)
    let held = PolicyAttackTests.reasons(try shop.take(PolicyAttackTests.event("a", "1")), .held)
    #expect(held.first?.hasSuffix("it goes out at \(until)") == true, "\(held)")
    shop.now = try #require(ISO8601.parse(until))
    #expect(try shop.run([]).deliveries.count == 1)
  }

  @Test func `what is held of one subject is bounded in bytes, and what goes beyond says so`() throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', { text = string.rep('x', 60000) })")],
      policies: PolicyAttackTests.night())
    var said: [String] = []
    for id in 0..<8 {
      said += PolicyAttackTests.reasons(try shop.take(PolicyAttackTests.event("a", "\(id)")), .suppressed)
    }
    #expect(said.count == 4 && said[0].contains("bytes are held already"), "\(said)")
    shop.now = shop.now + 10 * PolicyAttackTests.hour
    #expect(try shop.run([]).deliveries.count == 4)
  }

  @Test func `what is held of a rule whose file is gone obeys the mode that the rule had last`() throws {
    let body = "send('crm', 'offer', {})"
    for (mode, sent, written) in [("paused", 0, 0), ("shadow", 0, 1), ("live", 1, 0)] {
      let shop = try Workshop(["r": Workshop.rule("on = 'a'", body)], policies: PolicyAttackTests.night())
      try shop.take(PolicyAttackTests.event("a", "1"))
      try shop.publish(["r": Workshop.rule("on = 'a', mode = '\(mode)'", body)], highest: 1)
      try shop.publish(["other": Workshop.rule("on = 'z'", "log('x')")], forgotten: ["r": 1], highest: 2)
      shop.now = shop.now + 10 * PolicyAttackTests.hour
      let morning = try shop.run([])
      #expect(morning.deliveries.count == sent && morning.shadowed.count == written, "\(mode)")
    }
  }

  @Test func `what is held for a destination that is gone goes its way, and nothing is stuck`() throws {
    let files = ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', {}) send('bare', 'sync', {})")]
    let shop = try Workshop(files, policies: PolicyAttackTests.night())
    try shop.take(PolicyAttackTests.event("a", "1"))
    let again = try Workshop(
      files, disk: shop.disk, destinations: [Workshop.destinations[1]], policies: PolicyAttackTests.night())
    again.now = shop.now + 10 * PolicyAttackTests.hour
    let morning = try again.run([])
    // The one to nowhere is given up by the delivery, as others are, with a try that says why.
    #expect(morning.deliveries.map(\.delivery.type) == ["offer", "sync"])
    let row = try #require(try again.row("user:ada"))
    #expect(row.policy.isEmpty)
  }

  // MARK: told

  @Test func `a run that is held out says so with a verdict, at its start and whenever it wakes`() throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a', hold_out = 50", "send('crm', 'one', {}) wait('1 h') send('crm', 'two', {})")])
    var user = 0
    var first = try shop.take(PolicyAttackTests.event("a", "0", user: "u0"))
    while !first.deliveries.isEmpty {
      user += 1
      first = try shop.take(PolicyAttackTests.event("a", "\(user)", user: "u\(user)"))
    }
    #expect(PolicyAttackTests.reasons(first, .heldOut) == ["it would send one to crm"])
    #expect(PolicyAttackTests.reasons(first, .waiting).count == 1)
    shop.now = shop.now + 2 * PolicyAttackTests.hour
    #expect(PolicyAttackTests.reasons(try shop.run([]), .heldOut) == ["it would send two to crm"])
  }
}
