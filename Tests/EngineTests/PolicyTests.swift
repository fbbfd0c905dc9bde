// Policies: what holds a message back, until when, and what is told about it.
//
// Thread: the test's. Promise: the clock stands still unless the test moves it; it begins on Tuesday 2023-11-14
// at 22:13:20 UTC.

import Basics
import Engine
import Model
import Store
import Testing

@Suite struct PolicyTests {
  private static let hour: Int64 = 3_600_000

  private static func event(_ name: String, _ id: String, _ data: String = "{}", user: String = "ada") -> String {
    JourneyTests.event(name, id, user: user, data)
  }

  private static func shop(_ header: String, _ change: (inout Policies) -> Void = { _ in }) throws -> Workshop {
    var policies = Policies()
    change(&policies)
    return try Workshop(
      ["r": Workshop.rule("on = 'a', \(header)", "send('crm', 'offer', { n = event.data.n })")], policies: policies)
  }

  private static func code(_ happened: Happened, _ code: VerdictCode) -> String? {
    happened.verdicts.flatMap(\.verdicts).first { $0.code == code }?.reason
  }

  // MARK: consent

  @Test func `who has withdrawn consent to a topic gets nothing of it, until it is given again`() throws {
    let shop = try PolicyTests.shop("topic = 'news'")
    #expect(try shop.take(PolicyTests.event("a", "1")).deliveries.count == 1)
    try shop.take(PolicyTests.event("nudged.consent", "2", #"{"topic":"news","given":false}"#))
    let kept = try shop.take(PolicyTests.event("a", "3"))
    #expect(kept.deliveries.isEmpty)
    #expect(PolicyTests.code(kept, .suppressed) == "offer to crm: consent to 'news' was withdrawn")
    #expect(try shop.take(PolicyTests.event("a", "4", user: "bob")).deliveries.count == 1)
    try shop.take(PolicyTests.event("nudged.consent", "5", #"{"topic":"news","given":true}"#))
    #expect(try shop.take(PolicyTests.event("a", "6")).deliveries.count == 1)
  }

  @Test func `who wants nothing at all gets nothing, also of rules without a topic, but what is transactional`() throws
  {
    for (header, count) in [("priority = 1", 0), ("topic = 'x'", 0), ("class = 'transactional'", 1)] {
      let shop = try PolicyTests.shop(header)
      try shop.take(PolicyTests.event("nudged.consent", "1", #"{"topic":"*","given":false}"#))
      #expect(try shop.take(PolicyTests.event("a", "2")).deliveries.count == count, "\(header)")
      // What was said is still known after a start.
      let again = try Workshop(
        ["r": Workshop.rule("on = 'a', \(header)", "send('crm', 'offer', {})")], disk: shop.disk)
      #expect(try again.take(PolicyTests.event("a", "3")).deliveries.count == count, "\(header)")
    }
  }

  @Test func `a topic that needs consent goes only to those who gave it`() throws {
    let shop = try PolicyTests.shop("topic = 'news'") { $0.optIn = ["news"] }
    let kept = try shop.take(PolicyTests.event("a", "1"))
    #expect(PolicyTests.code(kept, .suppressed) == "offer to crm: no consent to 'news' was given")
    try shop.take(PolicyTests.event("nudged.consent", "2", #"{"topic":"news","given":true}"#))
    #expect(try shop.take(PolicyTests.event("a", "3")).deliveries.count == 1)
  }

  @Test func `a consent that says nothing is refused at the door`() throws {
    let shop = try PolicyTests.shop("priority = 1")
    for data in ["{}", #"{"topic":"news"}"#, #"{"topic":"","given":true}"#, #"{"topic":"news","given":"no"}"#] {
      #expect(throws: EventRefusal.self) { try shop.incoming(PolicyTests.event("nudged.consent", "1", data)) }
    }
  }

  @Test func `a withdrawn consent is never forgotten to make room for others`() throws {
    let shop = try PolicyTests.shop("topic = 'news'")
    try shop.take(PolicyTests.event("nudged.consent", "n", #"{"topic":"news","given":false}"#))
    for number in 0..<Limits.consentTopics + 50 {
      let given = number % 2 == 0
      try shop.take(PolicyTests.event("nudged.consent", "c\(number)", #"{"topic":"t\#(number)","given":\#(given)}"#))
    }
    #expect(try shop.take(PolicyTests.event("a", "a")).deliveries.isEmpty)
  }

  // MARK: caps

  @Test func `two messages a week means two, in any seven days`() throws {
    let shop = try PolicyTests.shop("topic = 'offers'") {
      $0.caps = [Policies.Cap(most: 2, window: .rolling(milliseconds: 7 * 24 * PolicyTests.hour), topic: "offers")]
    }
    var sent: [Int] = []
    for day in 0..<30 {
      if try !shop.take(PolicyTests.event("a", "\(day)")).deliveries.isEmpty { sent.append(day) }
      shop.now = shop.now + 24 * PolicyTests.hour
    }
    #expect(sent == [0, 1, 7, 8, 14, 15, 21, 22, 28, 29])
    let kept = try shop.take(PolicyTests.event("a", "x"))
    #expect(
      PolicyTests.code(kept, .suppressed)?.contains("the cap of 2 of 'offers' per 1 w is reached; the last was at")
        == true)
  }

  @Test(arguments: [
    (Policies.Window.day, [0, 2, 26, 50]), (.week, [0, 122, 290]), (.month, [0, 386]),
  ])
  func `a cap by the calendar begins anew with its day, week or month`(window: Policies.Window, expected: [Int]) throws
  {
    let shop = try PolicyTests.shop("priority = 1") { $0.caps = [Policies.Cap(most: 1, window: window)] }
    var sent: [Int] = []
    for hour in 0..<(window == .day ? 60 : 400) {
      if try !shop.take(PolicyTests.event("a", "\(hour)")).deliveries.isEmpty { sent.append(hour) }
      shop.now = shop.now + PolicyTests.hour
    }
    #expect(sent == expected)
  }

  @Test func `a rule's own cap counts only its messages, and caps can be switched off for a rule`() throws {
    let files = [
      "own": Workshop.rule("on = 'a', cap = { most = 1, per = '30 days' }", "send('crm', 'own', {})"),
      "free": Workshop.rule("on = 'a', cap = false", "send('crm', 'free', {})"),
      "other": Workshop.rule("on = 'a'", "send('crm', 'other', {})"),
    ]
    var policies = Policies()
    policies.caps = [Policies.Cap(most: 2, window: .day, destination: "crm")]
    let shop = try Workshop(files, policies: policies)
    var types: [String] = []
    for id in ["1", "2", "3"] { types += try shop.take(PolicyTests.event("a", id)).deliveries.map(\.delivery.type) }
    // The free one is not held back, and takes its place among the two.
    #expect(
      types == ["free", "other", "free", "free"] || types == ["free", "other", "own", "free", "free"], "\(types)")
    #expect(types.filter { $0 == "free" }.count == 3)
  }

  // MARK: quiet hours

  private static func night(_ change: (inout Policies.QuietHours) -> Void = { _ in }) -> Policies {
    var hours = Policies.QuietHours(from: 21 * 60, to: 8 * 60)
    change(&hours)
    var policies = Policies()
    policies.quietHours = hours
    return policies
  }

  @Test func `in quiet hours a message waits for the morning, also over a start, and leaves under its own id`() throws {
    let files = ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', {})")]
    let free = try Workshop(files).take(PolicyTests.event("a", "1")).deliveries[0].delivery.id
    let shop = try Workshop(files, policies: PolicyTests.night())
    let held = try shop.take(PolicyTests.event("a", "1"))
    #expect(held.deliveries.isEmpty)
    #expect(
      PolicyTests.code(held, .held)
        == "offer to crm: quiet hours 21:00 to 08:00 (UTC); it goes out at 2023-11-15T08:00:00.000Z")
    let again = try Workshop(files, disk: shop.disk, policies: PolicyTests.night())
    again.now = Instant(milliseconds: 1_700_000_000_000 + 9 * PolicyTests.hour)
    #expect(try again.run([]).deliveries.isEmpty)
    again.now = again.now + PolicyTests.hour
    #expect(try again.run([]).deliveries.map(\.delivery.id) == [free])
    #expect(try again.run([]).deliveries.isEmpty)
    #expect(try again.store.makeReader().rows(from: RowKey(.timer, 0), to: RowKey(.timer, .max), limit: 9).isEmpty)
  }

  @Test(
    arguments: [
      // The same moment is 14:13 in Los Angeles, 23:13 in Berlin and 07:13 of the next day in Tokyo.
      ("America/Los_Angeles", nil), ("Europe/Berlin", "2023-11-15T07:00:00.000Z"),
      ("Asia/Tokyo", "2023-11-14T23:00:00.000Z"),
    ] as [(String, String?)])
  func `the hours are those of the person's own clock`(zone: String, until: String?) throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', {})")], policies: PolicyTests.night())
    try shop.take(#"{"id":"0","name":"b","user":"ada","traits":{"timezone":"\#(zone)"}}"#)
    let happened = try shop.take(PolicyTests.event("a", "1"))
    #expect(happened.deliveries.count == (until == nil ? 1 : 0))
    if let until { #expect(PolicyTests.code(happened, .held)?.hasSuffix("it goes out at \(until)") == true) }
  }

  @Test func `the end of the night is right on the day the clocks change`() throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', {})")], policies: PolicyTests.night())
    shop.now = try #require(ISO8601.parse("2024-03-30T22:00:00Z"))
    try shop.take(#"{"id":"0","name":"b","user":"ada","traits":{"timezone":"Europe/Berlin"}}"#)
    let happened = try shop.take(PolicyTests.event("a", "1"))
    #expect(PolicyTests.code(happened, .held)?.hasSuffix("it goes out at 2024-03-31T06:00:00.000Z") == true)
  }

  @Test func `what may be dropped is dropped, what would be too late is not held, and others are left alone`() throws {
    let offer = "send('crm', 'offer', {}, { within = '2 hours' }) send('bare', 'sync', {})"
    let files = ["r": Workshop.rule("on = 'a'", offer)]
    let dropping = try Workshop(files, policies: PolicyTests.night { $0.drops = true })
    let dropped = try dropping.take(PolicyTests.event("a", "1"))
    #expect(dropped.deliveries.isEmpty)
    #expect(PolicyTests.code(dropped, .suppressed) == "offer to crm: quiet hours 21:00 to 08:00 (UTC)")
    let some = try Workshop(files, policies: PolicyTests.night { $0.destinations = ["crm"] })
    let happened = try some.take(PolicyTests.event("a", "1"))
    #expect(happened.deliveries.map(\.delivery.type) == ["sync"])
    #expect(PolicyTests.code(happened, .suppressed)?.contains("it would be too late at") == true)
    let exempt = try Workshop(
      ["r": Workshop.rule("on = 'a', quiet_hours = false", offer)], policies: PolicyTests.night())
    #expect(try exempt.take(PolicyTests.event("a", "1")).deliveries.count == 2)
  }

  @Test func `what is held is judged again in the morning: by consent, and by caps in the order of priority`() throws {
    let files = [
      "low": Workshop.rule("on = 'a', topic = 'low'", "send('crm', 'low', {})"),
      "high": Workshop.rule("on = 'b', topic = 'high', priority = 10", "send('crm', 'high', {})"),
      "gone": Workshop.rule("on = 'c', topic = 'gone', priority = 20", "send('crm', 'gone', {})"),
    ]
    var policies = PolicyTests.night()
    policies.caps = [Policies.Cap(most: 1, window: .day)]
    let shop = try Workshop(files, policies: policies)
    try shop.take(PolicyTests.event("a", "1"), PolicyTests.event("b", "2"), PolicyTests.event("c", "3"))
    try shop.take(PolicyTests.event("nudged.consent", "4", #"{"topic":"gone","given":false}"#))
    shop.now = shop.now + 10 * PolicyTests.hour
    let morning = try shop.run([])
    #expect(morning.deliveries.map(\.delivery.type) == ["high"])
    let reasons = morning.verdicts.flatMap(\.verdicts).filter { $0.code == .suppressed }.map(\.reason)
    #expect(reasons.contains { $0.hasPrefix("gone to crm: consent to 'gone'") })
    #expect(reasons.contains { $0.hasPrefix("low to crm: the cap of 1") })
  }

  @Test func `what a run wanted to say at night is not said when the run is stopped before the morning`() throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a', stop_on = 'paid'", "send('crm', 'remind', {}) wait('2 days')")],
      policies: PolicyTests.night())
    #expect(try shop.take(PolicyTests.event("a", "1")).deliveries.isEmpty)
    let stopped = try shop.take(PolicyTests.event("paid", "2"))
    #expect(PolicyTests.code(stopped, .suppressed)?.contains("was stopped by paid") == true)
    shop.now = shop.now + 10 * PolicyTests.hour
    #expect(try shop.run([]).deliveries.isEmpty)
  }

  @Test func `what is held of a rule that is paused meanwhile waits on, and of one in shadow is written down`() throws {
    let body = "send('crm', 'offer', {})"
    let shop = try Workshop(["r": Workshop.rule("on = 'a'", body)], policies: PolicyTests.night())
    try shop.take(PolicyTests.event("a", "1"))
    try shop.publish(["r": Workshop.rule("on = 'a', mode = 'paused'", body)], highest: 1)
    shop.now = shop.now + 10 * PolicyTests.hour
    #expect(try shop.run([]).deliveries.isEmpty)
    try shop.publish(["r": Workshop.rule("on = 'a', mode = 'shadow'", body)], highest: 1)
    let told = try PolicyTests.told(shop)
    #expect(told.first { $0.code == .shadow }?.reason == "it would send offer to crm")
    shop.now = shop.now + PolicyTests.hour
    #expect(try shop.run([]).deliveries.isEmpty)
  }

  @Test func `what is held of a paused rule is looked at once with each reload, however much there is`() throws {
    let body = "send('crm', 'offer', {})"
    let paused = ["r": Workshop.rule("on = 'a', mode = 'paused'", body)]
    let shop = try Workshop(["r": Workshop.rule("on = 'a'", body)], policies: PolicyTests.night())
    for number in 0..<60 { try shop.take(PolicyTests.event("a", "\(number)")) }
    try shop.publish(paused, highest: 1)
    shop.now = shop.now + 10 * PolicyTests.hour
    #expect(try shop.run([]).deliveries.isEmpty)
    let next = DeskInput.publish(try shop.draft(paused, highest: 1))
    _ = try shop.commit([shop.decide([next])])
    #expect(shop.lanes[0].wakeAt > shop.now, "one step has looked at all of it")
    try shop.publish(["r": Workshop.rule("on = 'a'", body)], highest: 1)
    #expect(try shop.run([]).deliveries.isEmpty)
    #expect(try shop.store.makeReader().engine.deliveries(before: .max, limit: 500).count == 60)
  }

  /// All that was ever told of the first event.
  private static func told(_ shop: Workshop) throws -> [Verdict] {
    try shop.store.makeReader().engine.verdicts(around: 1).flatMap { $0.unpack() }.filter { $0.event == 1 }
      .flatMap(\.verdicts)
  }

  @Test func `what many people are held for at one moment is lost for none of them, over starts in between`() throws {
    let files = ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', {})")]
    var shop = try Workshop(files, policies: PolicyTests.night())
    for user in 0..<60 {
      if user % 20 == 19 { shop = try Workshop(files, disk: shop.disk, policies: PolicyTests.night()) }
      try shop.take(PolicyTests.event("a", "\(user)", user: "u\(user % 50)"))
    }
    shop.now = shop.now + 10 * PolicyTests.hour
    #expect(try shop.run([]).deliveries.count == 60)
  }

  @Test func `what was held over a night goes out spread, each at its own moment`() throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a'", "send('crm', 'offer', {})")],
      policies: PolicyTests.night { $0.spreadMilliseconds = PolicyTests.hour })
    for user in 0..<200 { try shop.take(PolicyTests.event("a", "\(user)", user: "u\(user)")) }
    shop.now = Instant(milliseconds: 1_700_000_000_000 + 9 * PolicyTests.hour + 2_800_000)
    var quarters: [Int] = []
    for _ in 0..<5 {
      quarters.append(try shop.run([]).deliveries.count)
      shop.now = shop.now + PolicyTests.hour / 4
    }
    #expect(quarters.reduce(0, +) == 200)
    #expect(quarters.dropFirst().allSatisfy { (25...80).contains($0) }, "\(quarters)")
  }

  // MARK: hold-out

  @Test func `the hold-out gets nothing, always the same people, and everything else happens to them`() throws {
    let files = [
      "r": Workshop.rule(
        "on = 'a', hold_out = 20", "send('crm', 'offer', {}) set { asked = true } state.n = (state.n or 0) + 1")
    ]
    let shop = try Workshop(files)
    var out: Set<Int> = []
    for user in 0..<500 {
      let happened = try shop.take(PolicyTests.event("a", "\(user)", user: "u\(user)"))
      if happened.deliveries.isEmpty { out.insert(user) }
      if happened.deliveries.isEmpty {
        #expect(happened.verdict("r")?.code == .heldOut && happened.shadowed.count == 1)
        #expect(happened.verdict("r")?.reason == "it would send offer to crm")
        #expect(try shop.traits("user:u\(user)") == #"{"asked":true}"#)
      }
    }
    #expect((60...140).contains(out.count), "\(out.count)")
    let again = try Workshop(files, disk: shop.disk)
    for user in 0..<500 {
      let sent = try again.take(PolicyTests.event("a", "x\(user)", user: "u\(user)")).deliveries
      #expect(sent.isEmpty == out.contains(user))
    }
  }

  @Test func `a hold-out over all rules leaves out what is transactional, and ends runs at their first call`() throws {
    var policies = Policies()
    policies.holdOut = 5_000
    let shop = try Workshop(
      [
        "r": Workshop.rule("on = 'a'", "send('crm', 'offer', {}) call('crm', 'c', {}) send('crm', 'never', {})"),
        "t": Workshop.rule("on = 'a', class = 'transactional'", "send('crm', 'receipt', {})"),
      ], policies: policies)
    var held = 0
    for user in 0..<40 {
      let happened = try shop.take(PolicyTests.event("a", "\(user)", user: "u\(user)"))
      let types = happened.deliveries.map(\.delivery.type)
      #expect(types.contains("receipt"))
      if !types.contains("offer") {
        held += 1
        #expect(types == ["receipt"] && happened.shadowed.map(\.delivery.type) == ["offer", "c"])
      }
    }
    #expect((8...32).contains(held))
  }

  @Test func `what a test key sends counts for no cap of what is meant`() throws {
    var policies = Policies()
    policies.caps = [Policies.Cap(most: 1, window: .rolling(milliseconds: 7 * 24 * PolicyTests.hour), topic: "news")]
    var destinations = Workshop.destinations
    destinations[1].isTest = true
    let rules = ["r": Workshop.rule("on = 'a', topic = 'news'", "send(event.data.to, 'offer', {})")]
    let shop = try Workshop(rules, destinations: destinations, policies: policies)
    #expect(try shop.take(PolicyTests.event("a", "1", #"{"to":"bare"}"#), source: "test:web").deliveries.count == 1)
    #expect(try shop.take(PolicyTests.event("a", "2", #"{"to":"crm"}"#)).deliveries.count == 1)
    #expect(try shop.take(PolicyTests.event("a", "3", #"{"to":"crm"}"#)).deliveries.isEmpty)
  }
}
