// Windows, segments, silences and schedules at the moments that are easily got wrong: reloads that overtake each other,
// rules that change under runs that sleep, what lanes emit while a book is on its way.
//
// Thread: the test's.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct MeasureAttackTests {
  static let day: Int64 = 86_400_000

  private func event(_ name: String, _ id: Int, _ user: String = "ann", _ rest: String = "") -> String {
    #"{"id":"\#(name)-\#(user)-\#(id)","name":"\#(name)","user":"\#(user)"\#(rest)}"#
  }

  private func bodies(_ happened: Happened) -> [String] {
    happened.deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self) }
  }

  static let counting = Workshop.rule("on = 'login'", "send('bare', 't', { n = count('login', '7 days') })")
  static let other = Workshop.rule("on = 'other'", "log('x')")

  /// A workshop with a log that takes several steps to look through, after the first step of a reload.
  private func reloading(_ files: [String: String], done: Counter) throws -> Workshop {
    let workshop = try Workshop(["other": MeasureAttackTests.other])
    for number in 1...3_000 { _ = try workshop.take(event("login", number)) }
    let book = try workshop.draft(files, highest: 1)
    for inputs in [[.publish(book), .completion { done.add(1) }], []] as [[DeskInput]] {
      _ = try workshop.commit([try workshop.decide(inputs)])
    }
    #expect(done.value == 0)
    return workshop
  }

  /// What lanes do when nothing else is to be done.
  private func rest(_ workshop: Workshop) throws {
    for _ in 0..<5 {
      workshop.now = workshop.now + 1
      try workshop.run([])
    }
  }

  // MARK: reloads that overtake each other

  @Test func `a second reload while the first one fills its windows leaves them to be filled`() throws {
    let done = Counter()
    let workshop = try reloading(["count": MeasureAttackTests.counting], done: done)
    try workshop.publish(["count": MeasureAttackTests.counting], highest: 2)
    #expect(done.value == 1)
    #expect(bodies(try workshop.take(event("login", 9_000))) == [#"{"n":3001}"#])
  }

  @Test func `a second reload with windows of its own goes on with those of the first one`() throws {
    let done = Counter()
    let workshop = try reloading(["count": MeasureAttackTests.counting], done: done)
    let more = Workshop.rule("on = 'login'", "send('bare', 't', { more = count('login', '8 days') })")
    let book = try workshop.draft(["count": MeasureAttackTests.counting, "more": more], highest: 2)
    _ = try workshop.commit([try workshop.decide([.publish(book)])])
    _ = try workshop.commit([try workshop.decide([.incoming(try workshop.incoming(event("login", 8_000)))])])
    try workshop.run([])
    #expect(done.value == 1)
    #expect(Set(bodies(try workshop.take(event("login", 9_000)))) == [#"{"n":3002}"#, #"{"more":3002}"#])
  }

  @Test func `a second reload that takes the windows back is taken at once, and both are answered`() throws {
    let done = Counter()
    let workshop = try reloading(["count": MeasureAttackTests.counting], done: done)
    try workshop.publish(["other": MeasureAttackTests.other], highest: 2)
    #expect(done.value == 1)
    try workshop.publish(["count": MeasureAttackTests.counting], highest: 2)
    #expect(bodies(try workshop.take(event("login", 9_000))) == [#"{"n":3001}"#])
  }

  @Test func `a segment of a reload that was overtaken takes in those who are there`() throws {
    let done = Counter()
    let segment =
      "return segment { title = 'S', when = function(c) return count('login', '7 days') > 2 end }"
    let workshop = try reloading(["segments/busy": segment], done: done)
    try workshop.publish(["segments/busy": segment, "other": MeasureAttackTests.other], highest: 2)
    try rest(workshop)
    let tallies = try workshop.store.makeReader().rows(
      from: RowKey(.tally, 0), to: RowKey(.tally, .max, .max), limit: 10)
    #expect(tallies.compactMap { $0.value.flatMap(NumberRow.unpack) } == [1])
  }

  @Test func `a reload while a start fills its windows leaves them to be filled`() throws {
    let disk = MemoryStore.Disk()
    let before = try Workshop(disk: disk)
    for number in 1...3_000 { _ = try before.take(event("login", number)) }
    let workshop = try Workshop(["count": MeasureAttackTests.counting], disk: disk)
    let first = try workshop.decide([.incoming(try workshop.incoming(event("login", 8_000)))])
    _ = try workshop.commit([first])
    let book = try workshop.draft(
      ["count": MeasureAttackTests.counting, "other": MeasureAttackTests.other], highest: 2)
    let second = try workshop.decide([.publish(book), .incoming(try workshop.incoming(event("login", 8_001)))])
    #expect(second.deliveries.isEmpty)
    _ = try workshop.commit([second])
    try workshop.run([])
    #expect(bodies(try workshop.take(event("login", 9_000))) == [#"{"n":3003}"#])
  }

  @Test func `an event that a rule emits while a book is on its way is counted`() throws {
    let emitting = Workshop.rule("on = 'start'", "emit('done', {})")
    let counting = Workshop.rule("on = 'ask'", "send('bare', 't', { n = count('done', '7 days') })")
    let workshop = try Workshop(["emit": emitting])
    _ = try workshop.take(event("start", 1))
    let book = try workshop.draft(["emit": emitting, "count": counting], highest: 1)
    try workshop.run([.incoming(try workshop.incoming(event("start", 2))), .publish(book)])
    _ = try workshop.take(event("start", 3))
    #expect(bodies(try workshop.take(event("ask", 1))) == [#"{"n":3}"#])
  }

  // MARK: rules that change under runs that sleep

  @Test func `a silence is told once although runs of the rule's older version sleep`() throws {
    func rule(_ lasting: String) -> String {
      Workshop.rule(
        "on = absence { of = 'login', lasting = '\(lasting)' }, second = 'parallel', limit = 10",
        "send('bare', 't', { since = event.data.since })\nwait('90 days')")
    }
    let workshop = try Workshop(["quiet": rule("7 days")])
    _ = try workshop.take(event("login", 1))
    workshop.now = workshop.now + 8 * MeasureAttackTests.day
    _ = try workshop.run([])
    _ = try workshop.take(event("login", 2))
    try workshop.publish(["quiet": rule("5 days")], highest: 1)
    var sent = 0
    for _ in 0..<20 {
      workshop.now = workshop.now + MeasureAttackTests.day
      sent += try workshop.run([]).deliveries.count
    }
    #expect(sent == 1)
  }

  @Test func `a schedule that was written anew is the only one although older runs sleep`() throws {
    func rule(_ every: String) -> String {
      Workshop.rule("on = every('\(every)'), second = 'parallel', limit = 10", "send('bare', 't', {})\nwait('90 days')")
    }
    let workshop = try Workshop(["report": rule("day 09:00")])
    try workshop.run([])
    workshop.now = workshop.now + MeasureAttackTests.day
    #expect(try workshop.run([]).deliveries.count == 1)
    try workshop.publish(["report": rule("day 10:00")], highest: 1)
    var sent = 0
    for _ in 0..<(4 * 24) {
      workshop.now = workshop.now + 3_600_000
      sent += try workshop.run([]).deliveries.count
    }
    #expect(sent == 4)
  }

  @Test func `a segment that fails when time alone moves someone is looked at again`() throws {
    let segment = """
      return segment { title = 'S', when = function(c)
        local n = count('login', '1 day')
        if n == 0 and state.inside and now() < state.since + 90000000 then error('broken') end
        return n > 0
      end }
      """
    let left = Workshop.rule("on = leaves('busy')", "send('bare', 't', { left = customer.id })")
    let workshop = try Workshop(["segments/busy": segment, "left": left])
    _ = try workshop.take(event("login", 1))
    var sent: [String] = []
    for _ in 0..<48 {
      workshop.now = workshop.now + 3_600_000
      sent += bodies(try workshop.run([]))
    }
    #expect(sent == [#"{"left":"ann"}"#])
  }

  // MARK: starts

  @Test(arguments: [(3, 1), (2, 4)])
  func `what nobody asks for any more is gone after starts with other numbers of lanes`(
    first: Int, second: Int
  ) throws {
    let disk = MemoryStore.Disk()
    let files = ["count": MeasureAttackTests.counting]
    var workshop = try Workshop(files, lanes: first, disk: disk)
    for user in 0..<20 { _ = try workshop.take(event("login", 1, "u\(user)")) }
    for _ in 0..<2 {
      workshop = try Workshop(["other": MeasureAttackTests.other], lanes: second, disk: disk)
      try rest(workshop)
    }
    let reader = try workshop.store.makeReader()
    #expect(try reader.rows(from: RowKey(.measure, .min), to: RowKey(.measure, .max, .max), limit: 10).isEmpty)
    #expect(try Recovery.definitions(reader, lanes: second).map(\.isGone) == [true])
  }

  @Test func `a moment that was missed is met after a start with another number of lanes`() throws {
    let disk = MemoryStore.Disk()
    let files = ["report": Workshop.rule("on = every('day 09:00')", "send('bare', 't', { due = event.data.due })")]
    let before = try Workshop(files, lanes: 2, disk: disk)
    before.now = ISO8601.parse("2026-03-23T06:00:00Z")!
    try before.run([])
    let after = try Workshop(files, lanes: 3, disk: disk)
    after.now = ISO8601.parse("2026-03-23T12:00:00Z")!
    #expect(bodies(try after.run([])) == [#"{"due":"2026-03-23T09:00:00.000Z"}"#])
  }

  @Test(arguments: ["UTC", "Asia/Tokyo", "Pacific/Pago_Pago", "Pacific/Kiritimati"])
  func `whoever's own hour passed while nudged was not running is met when it runs again`(zone: String) throws {
    let disk = MemoryStore.Disk()
    let files = [
      "all": Workshop.rule(
        "on = every('monday 09:00', { for_each = 'user' })", "send('bare', 't', { due = event.data.due })")
    ]
    let before = try Workshop(files, disk: disk)
    before.now = ISO8601.parse("2026-03-20T12:00:00Z")!
    _ = try before.take(event("identify", 1, "ann", #","traits":{"timezone":"\#(zone)"}"#))
    try before.run([])
    let after = try Workshop(files, disk: disk)
    after.now = ISO8601.parse("2026-03-24T12:00:00Z")!
    var sent = bodies(try after.run([]))
    for _ in 0..<5 {
      after.now = after.now + 60_000
      sent += bodies(try after.run([]))
    }
    #expect(sent.count == 1)
  }

  @Test func `a rate holds also where those that are meant stand behind many others`() throws {
    let workshop = try Workshop([
      "all": Workshop.rule(
        "on = every('day 09:00', { for_each = 'account', rate = 1 }), zone = 'UTC'",
        "send('bare', 't', { who = customer.id })")
    ])
    workshop.now = ISO8601.parse("2026-03-23T08:00:00Z")!
    try workshop.run([])
    for user in 0..<3_000 { _ = try workshop.take(event("login", 1, "u\(user)")) }
    for account in 0..<40 { _ = try workshop.take(#"{"id":"a\#(account)","name":"x","account":"a\#(account)"}"#) }
    workshop.now = ISO8601.parse("2026-03-23T09:00:00Z")!
    var most = 0
    var all = 0
    for _ in 0..<120 {
      workshop.now = workshop.now + 1_000
      let count = try workshop.run([]).deliveries.count
      most = max(most, count)
      all += count
    }
    #expect(most <= 3)
    #expect(all == 40)
  }

  // MARK: the disk

  @Test func `what a lane finds to do for all subjects waits for the disk`() throws {
    let quiet = Workshop.rule("on = absence { of = 'login', lasting = '1 day' }", "log('x')")
    let workshop = try Workshop(["quiet": quiet])
    let users = 12_000
    for user in 0..<users { _ = try workshop.take(event("seen", 1, "u\(user)")) }
    workshop.now = workshop.now + MeasureAttackTests.day
    var steps: [Decisions] = []
    for _ in 0..<100 { steps.append(try workshop.decide([])) }
    let told = steps.reduce(0) { $0 + $1.events.rows.count }
    #expect((1..<users).contains(told))
    _ = try workshop.commit(steps)
    let rest = try workshop.run([]).events.count
    #expect(told + rest == users)
  }
}
