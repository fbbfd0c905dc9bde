// Rules that begin at times: for themselves, for each of many, on everyone's own clock.
//
// Thread: the test's.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct ScheduleTests {
  static let hour: Int64 = 3_600_000
  /// A Monday.
  static let monday = ISO8601.parse("2026-03-23T06:00:00Z")!

  private func bodies(_ happened: Happened) -> [String] {
    happened.deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self) }
  }

  private func rule(_ every: String, _ header: String = "") -> String {
    Workshop.rule("on = every(\(every))\(header)", "send('bare', 't', { who = customer.id, due = event.data.due })")
  }

  private func workshop(
    _ files: [String: String], lanes: Int = 1, disk: MemoryStore.Disk = .init(), now: Instant = ScheduleTests.monday,
    catchUpRate: Int? = nil
  ) throws -> Workshop {
    let workshop = try Workshop(files, lanes: lanes, disk: disk, catchUpRate: catchUpRate)
    workshop.now = now
    try workshop.run([])
    return workshop
  }

  private func see(_ users: [String], _ workshop: Workshop, traits: String = "{}") throws {
    for user in users {
      _ = try workshop.take(#"{"id":"i-\#(user)","name":"identify","user":"\#(user)","traits":\#(traits)}"#)
    }
  }

  /// Goes on in small steps and gathers what was sent.
  private func pass(_ milliseconds: Int64, _ workshop: Workshop, step: Int64 = 1_000) throws -> [String] {
    var sent: [String] = []
    let end = workshop.now + milliseconds
    while workshop.now < end {
      workshop.now = min(end, workshop.now + step)
      sent += bodies(try workshop.run([]))
    }
    return sent
  }

  @Test(arguments: [1, 2]) func `a rule begins at its time, about itself, once each time`(lanes: Int) throws {
    let workshop = try workshop(["report": rule("'monday 09:00'", ", zone = 'Europe/Berlin'")], lanes: lanes)
    #expect(try pass(2 * ScheduleTests.hour - 1, workshop, step: ScheduleTests.hour).isEmpty)
    #expect(try pass(1, workshop) == [#"{"due":"2026-03-23T08:00:00.000Z","who":"report"}"#])
    #expect(try pass(6 * 24 * ScheduleTests.hour, workshop, step: ScheduleTests.hour).isEmpty)
    #expect(try pass(24 * ScheduleTests.hour, workshop, step: ScheduleTests.hour).count == 1)
  }

  @Test func `of several moments that were missed the last one is met`() throws {
    let disk = MemoryStore.Disk()
    _ = try workshop(["report": rule("'day 09:00'")], disk: disk)
    let later = try workshop(
      ["report": rule("'day 09:00'")], disk: disk, now: ScheduleTests.monday + 75 * ScheduleTests.hour)
    let deliveries = try later.store.makeReader().engine.deliveries(before: .max, limit: 10)
    #expect(
      deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self) } == [
        #"{"due":"2026-03-26T09:00:00.000Z","who":"report"}"#
      ])
  }

  private static let everyKind = [
    ("'day 09:00'", ", zone = 'UTC'"), ("'day 09:00', { for_each = 'user' }", ", zone = 'UTC'"),
    ("'day 09:00', { for_each = 'user' }", ""),
  ]

  /// What is met of the last of two moments by a process that comes back so many hours after the last one.
  private func met(_ kind: (every: String, header: String), catchUp: String, late hours: Int64) throws -> (
    sent: Int, logs: [String]
  ) {
    let disk = MemoryStore.Disk()
    let files = ["all": rule(kind.every, kind.header + catchUp)]
    let before = try workshop(files, disk: disk, catchUpRate: 100)
    try see(["ann"], before)
    // On the day on which it is published the hour is met as ever.
    #expect(try pass(10 * ScheduleTests.hour, before, step: ScheduleTests.hour).count == 1)
    let after = try Workshop(files, disk: disk, catchUpRate: 100)
    after.now = ScheduleTests.monday + (51 + hours) * ScheduleTests.hour
    var happened = try after.run([])
    for _ in 0..<20 {
      after.now = after.now + 500
      let more = try after.run([])
      happened.deliveries += more.deliveries
      happened.logs += more.logs
    }
    return (happened.deliveries.count, happened.logs)
  }

  @Test(arguments: ScheduleTests.everyKind)
  func `a moment that was missed is met late, unless its rule does not want it any more`(every: String, header: String)
    throws
  {
    let kind = (every, header)
    #expect(try met(kind, catchUp: "", late: 3).sent == 1)
    #expect(try met(kind, catchUp: ", catch_up = 'fire'", late: 20).sent == 1)
    #expect(try met(kind, catchUp: ", catch_up = '2 hours'", late: 1).sent == 1)
    for (catchUp, hours) in [(", catch_up = 'skip'", Int64(1)), (", catch_up = '2 hours'", 3)] {
      let (sent, logs) = try met(kind, catchUp: catchUp, late: hours)
      #expect(sent == 0)
      #expect(
        logs.count == 1 && logs[0].hasPrefix("it does not begin: its time was 2026-03-25T09:00:00.000Z"), "\(logs)")
    }
  }

  @Test func `a schedule without a word about lateness is met although a month has passed`() throws {
    #expect(try met(ScheduleTests.everyKind[0], catchUp: "", late: 24 * 30).sent == 1)
  }

  @Test func `the rest of those that a process had no time for is left out when it is too late`() throws {
    let disk = MemoryStore.Disk()
    let files = ["all": rule("'day 09:00', { for_each = 'user', rate = 10 }", ", zone = 'UTC', catch_up = '2 hours'")]
    let before = try workshop(files, disk: disk, catchUpRate: 100)
    try see((0..<40).map { "u\($0)" }, before)
    before.now = ScheduleTests.monday + 3 * ScheduleTests.hour
    let begun = bodies(try before.run([])).count
    #expect((1..<40).contains(begun))
    let soon = try Workshop(files, disk: disk, catchUpRate: 100)
    soon.now = before.now + ScheduleTests.hour
    let more = try pass(1_000, soon, step: 100).count
    #expect((1..<40 - begun).contains(more))
    let late = try Workshop(files, disk: disk, catchUpRate: 100)
    late.now = before.now + 3 * ScheduleTests.hour
    #expect(try pass(10_000, late, step: 100).isEmpty)
    #expect(try pass(21 * ScheduleTests.hour + 10_000, late).count == 40)
  }

  @Test(arguments: [1, 2]) func `each user is met once, spread to the rate`(lanes: Int) throws {
    let workshop = try workshop(
      ["all": rule("'day 09:00', { for_each = 'user', rate = 10 }", ", zone = 'UTC'")], lanes: lanes)
    let users = (0..<40).map { "u\($0)" }
    try see(users, workshop)
    _ = try workshop.take(#"{"id":"a","name":"x","account":"acme"}"#)
    _ = try pass(3 * ScheduleTests.hour - 1, workshop, step: ScheduleTests.hour)
    let first = try pass(1_001, workshop, step: 100)
    #expect((5...20).contains(first.count))
    let rest = try pass(10_000, workshop, step: 100)
    let met = (first + rest).compactMap { $0.split(separator: "\"").last { $0.hasPrefix("u") } }
    #expect(Set(met).count == 40 && met.count == 40)
    #expect(try pass(20 * ScheduleTests.hour, workshop, step: ScheduleTests.hour).isEmpty)
  }

  @Test func `a restart in the middle goes on behind the last one that was met`() throws {
    let disk = MemoryStore.Disk()
    let files = ["all": rule("'day 09:00', { for_each = 'user', rate = 10 }", ", zone = 'UTC'")]
    let before = try workshop(files, disk: disk)
    try see((0..<40).map { "u\($0)" }, before)
    before.now = ScheduleTests.monday + 3 * ScheduleTests.hour
    var met = bodies(try before.run([]))
    met += try pass(1_000, before, step: 100)
    #expect((1..<40).contains(met.count))
    let after = try Workshop(files, disk: disk)
    after.now = before.now
    met += try pass(10_000, after, step: 100)
    #expect(Set(met).count == 40 && met.count == 40)
  }

  @Test func `without a zone each user's own clock counts`() throws {
    let workshop = try workshop(["all": rule("'09:00', { for_each = 'user' }")])
    try see(["tokyo"], workshop, traits: #"{"timezone":"Asia/Tokyo"}"#)
    try see(["berlin"], workshop, traits: #"{"timezone":"Europe/Berlin"}"#)
    try see(["utc"], workshop)
    var met: [(Int64, String)] = []
    for hour in 0..<30 {
      for body in try pass(ScheduleTests.hour, workshop, step: ScheduleTests.hour) {
        met.append((Int64(hour + 1), body))
      }
    }
    func hours(_ user: String) -> [Int64] { met.filter { $0.1.contains(user) }.map(\.0) }
    // From 06:00 UTC on: 09:00 in Berlin is 08:00 UTC, in Tokyo 00:00 UTC.
    #expect(hours("berlin") == [2, 26])
    #expect(hours("utc") == [3, 27])
    #expect(hours("tokyo") == [18])
  }

  @Test func `the day on which clocks change has its time once`() throws {
    let workshop = try workshop(
      ["report": rule("'day 02:30'", ", zone = 'Europe/Berlin'")], now: ISO8601.parse("2026-10-24T12:00:00Z")!)
    #expect(try pass(24 * ScheduleTests.hour, workshop, step: ScheduleTests.hour / 2).count == 1)
  }

  @Test func `only those in a segment are met`() throws {
    let workshop = try workshop([
      "segments/risk": "return segment { title = 'S', when = function(c) return c.traits.health == 'low' end }",
      "all": rule("'day 09:00', { for_each = 'user', segment = 'risk' }", ", zone = 'UTC'"),
    ])
    try see(["ann", "bob"], workshop, traits: #"{"health":"low"}"#)
    try see(["cid"], workshop)
    let met = try pass(4 * ScheduleTests.hour, workshop, step: ScheduleTests.hour)
    #expect(met.count == 2 && !met.contains { $0.contains("cid") })
  }

  @Test func `a schedule that is written anew begins with its next moment`() throws {
    let workshop = try workshop(["report": rule("'day 09:00'")])
    workshop.now = ScheduleTests.monday + 4 * ScheduleTests.hour
    try workshop.publish(["report": rule("'day 08:00'")], highest: 1)
    #expect(try pass(10 * ScheduleTests.hour, workshop, step: ScheduleTests.hour).isEmpty)
    #expect(try pass(13 * ScheduleTests.hour, workshop, step: ScheduleTests.hour).count == 1)
  }

  @Test func `a rule that waits may begin by a schedule`() throws {
    let text = Workshop.rule(
      "on = every('day 09:00', { for_each = 'user' }), zone = 'UTC'",
      "wait('1 hour')\nsend('bare', 't', { who = customer.id })")
    let workshop = try workshop(["wait": text])
    try see(["ann"], workshop)
    #expect(try pass(4 * ScheduleTests.hour, workshop, step: ScheduleTests.hour) == [#"{"who":"ann"}"#])
  }

  @Test(arguments: [
    ("every('mondy 09:00')", "every takes a schedule"), ("every()", "every takes a schedule"),
    ("every('day 09:00', { foreach = 'user' })", "unknown option 'foreach'"),
    ("every('day 09:00', { for_each = 7 })", "'for_each' must be"),
    ("every('day 09:00', { segment = 'risk' })", "'segment' needs for_each"),
    ("every('day 09:00', { for_each = 'user', segment = 'risk' })", "there is no segment 'risk'"),
    ("every('day 09:00', { rate = 0 })", "'rate' must be a whole number"),
    ("every('day 09:00'), per = 'user'", "every(…) says whom the rule is for"),
  ])
  func `a schedule that is not right is told when the rule is loaded`(on: String, message: String) {
    let loading = RuleSet.load(
      sources: [RuleSource(path: "a.lua", text: Workshop.rule("on = \(on)", "log('x')"))], knownDestinations: nil)
    #expect(loading.complaints.map(\.message).contains { $0.contains(message) }, "\(loading.complaints)")
  }

  // MARK: paused

  /// So many hours pass, in steps of one and some seconds at the end.
  private func later(_ hours: Int64, _ workshop: Workshop) throws -> [String] {
    try pass(hours * ScheduleTests.hour, workshop, step: ScheduleTests.hour) + pass(5_000, workshop)
  }

  /// All that was sent ever, the oldest first; what becomes of a reload is sent with it.
  private func sent(_ workshop: Workshop) throws -> [String] {
    try workshop.store.makeReader().engine.deliveries(before: .max, limit: 500).reversed().map {
      String(decoding: $0.delivery.body, as: UTF8.self)
    }
  }

  @Test(arguments: ScheduleTests.everyKind, [1, 2])
  func `of the moments that came while a rule was paused the last one is met when it lives again`(
    kind: (every: String, header: String), lanes: Int
  ) throws {
    func files(_ mode: String) -> [String: String] { ["all": rule(kind.every, kind.header + mode)] }
    let workshop = try workshop(files(""), lanes: lanes, catchUpRate: 100)
    try see(["ann"], workshop)
    try workshop.publish(files(", mode = 'paused'"), highest: 1)
    #expect(try later(52, workshop).isEmpty)
    try workshop.publish(files(""), highest: 1)
    _ = try later(24, workshop)
    #expect(try sent(workshop).map { $0.prefix(18) } == [#"{"due":"2026-03-25"#, #"{"due":"2026-03-26"#])
  }

  @Test(arguments: ScheduleTests.everyKind)
  func `what came while a rule was paused obeys catch_up, also over a restart`(every: String, header: String) throws {
    let disk = MemoryStore.Disk()
    func files(_ mode: String) -> [String: String] { ["all": rule(every, "\(header), catch_up = '2 hours'\(mode)")] }
    let before = try workshop(files(""), disk: disk, catchUpRate: 100)
    try see(["ann"], before)
    try before.publish(files(", mode = 'paused'"), highest: 1)
    #expect(try later(10, before).isEmpty)
    let after = try workshop(files(", mode = 'paused'"), disk: disk, now: before.now, catchUpRate: 100)
    #expect(try later(10, after).isEmpty)
    try after.publish(files(""), highest: 1)
    #expect(try later(4, after).isEmpty)
    #expect(try later(4, after).count == 1)
  }

  @Test(arguments: ScheduleTests.everyKind)
  func `a rule that was paused from its first day begins with its next moment`(every: String, header: String) throws {
    func files(_ mode: String) -> [String: String] { ["all": rule(every, header + mode)] }
    let workshop = try workshop(files(", mode = 'paused'"), catchUpRate: 100)
    try see(["ann"], workshop)
    #expect(try later(52, workshop).isEmpty)
    try workshop.publish(files(""), highest: 1)
    #expect(try later(20, workshop).isEmpty)
    #expect(try later(4, workshop).count == 1)
  }

  @Test func `a pause in the middle of many comes back to the rest of them`() throws {
    func files(_ mode: String) -> [String: String] {
      ["all": rule("'day 09:00', { for_each = 'user', rate = 10 }", ", zone = 'UTC'\(mode)")]
    }
    let workshop = try workshop(files(""), catchUpRate: 100)
    try see((0..<40).map { "u\($0)" }, workshop)
    workshop.now = ScheduleTests.monday + 3 * ScheduleTests.hour
    _ = try pass(1_000, workshop, step: 100)
    #expect((1..<40).contains(try sent(workshop).count))
    try workshop.publish(files(", mode = 'paused'"), highest: 1)
    #expect(try pass(ScheduleTests.hour, workshop, step: 60_000).isEmpty)
    try workshop.publish(files(""), highest: 1)
    _ = try pass(10_000, workshop, step: 100)
    #expect(try Set(sent(workshop)).count == 40 && sent(workshop).count == 40)
  }

  @Test func `an alarm that was set before a standstill of days does not add to the last moment that was missed`()
    throws
  {
    let disk = MemoryStore.Disk()
    let files = ["all": rule("'day 09:00', { for_each = 'user' }")]
    let before = try workshop(files, disk: disk, catchUpRate: 100)
    try see(["ann"], before)
    // Tuesday has begun in the first zone, and her alarm stands.
    #expect(try later(20, before).count == 1)
    let after = try workshop(
      files, disk: disk, now: ScheduleTests.monday + 100 * ScheduleTests.hour, catchUpRate: 100)
    _ = try later(1, after)
    #expect(try sent(after).count == 2)
  }

  // MARK: other lanes

  @Test(arguments: [(1, 2), (2, 1), (2, 3), (3, 2), (4, 1)])
  func `lanes that become more or fewer in the middle of many meet the rest, and nobody twice`(
    before: Int, after: Int
  ) throws {
    let disk = MemoryStore.Disk()
    let files = ["all": rule("'day 09:00', { for_each = 'user', rate = 10 }", ", zone = 'UTC'")]
    let first = try workshop(files, lanes: before, disk: disk, catchUpRate: 100)
    try see((0..<60).map { "u\($0)" }, first)
    first.now = ScheduleTests.monday + 3 * ScheduleTests.hour
    _ = try pass(1_000, first, step: 100)
    #expect(try (1..<40).contains(sent(first).count))
    let second = try workshop(files, lanes: after, disk: disk, now: first.now, catchUpRate: 100)
    _ = try pass(1_000, second, step: 100)
    // Who was met stays known over one more start.
    let third = try workshop(files, lanes: after, disk: disk, now: second.now, catchUpRate: 100)
    _ = try pass(20_000, third, step: 100)
    #expect(try Set(sent(third)).count == 60 && sent(third).count == 60)
    _ = try pass(24 * ScheduleTests.hour, third, step: ScheduleTests.hour)
    _ = try pass(20_000, third, step: 100)
    #expect(try Set(sent(third)).count == 120 && sent(third).count == 120)
  }

  @Test func `a kill when one lane alone has begun a schedule makes the others begin nothing before its time`() throws {
    let disk = MemoryStore.Disk()
    let first = try workshop([:], lanes: 2, disk: disk)
    try see((0..<20).map { "u\($0)" }, first)
    let files = ["all": rule("'day 09:00', { for_each = 'user', rate = 10 }", ", zone = 'UTC'")]
    let second = try Workshop(files, lanes: 2, disk: disk)
    second.now = first.now
    _ = try second.commit([second.lanes[0].step([], now: second.now)])
    let third = try workshop(files, lanes: 2, disk: disk, now: first.now)
    #expect(try pass(ScheduleTests.hour, third, step: 60_000).isEmpty)
    third.now = ScheduleTests.monday + 3 * ScheduleTests.hour
    _ = try pass(20_000, third, step: 100)
    #expect(try Set(sent(third)).count == 20 && sent(third).count == 20)
  }

  @Test(arguments: [(2, 4), (4, 2), (1, 3), (3, 2)], [0, 1])
  func `a kill when one lane alone has heard that lanes are more or fewer keeps nobody out, and nobody comes twice`(
    change: (before: Int, after: Int), lane: Int
  ) throws {
    let disk = MemoryStore.Disk()
    let files = ["all": rule("'day 09:00', { for_each = 'user', rate = 10 }", ", zone = 'UTC'")]
    let first = try workshop(files, lanes: change.before, disk: disk, catchUpRate: 100)
    try see((0..<60).map { "u\($0)" }, first)
    first.now = ScheduleTests.monday + 3 * ScheduleTests.hour
    _ = try pass(2_000, first, step: 100)
    #expect(try (1..<50).contains(sent(first).count))
    // It goes on to the end of its own, alone.
    let second = try Workshop(files, lanes: change.after, disk: disk, catchUpRate: 100)
    second.now = first.now
    for _ in 0..<60 {
      _ = try second.commit([second.lanes[lane].step([], now: second.now)])
      second.now = second.now + 200
    }
    let third = try workshop(files, lanes: change.after, disk: disk, now: second.now, catchUpRate: 100)
    _ = try pass(20_000, third, step: 100)
    #expect(try Set(sent(third)).count == 60 && sent(third).count == 60)
    _ = try pass(24 * ScheduleTests.hour, third, step: ScheduleTests.hour)
    _ = try pass(20_000, third, step: 100)
    #expect(try Set(sent(third)).count == 120 && sent(third).count == 120)
  }

  @Test(arguments: [(1, 2), (2, 1), (2, 3)])
  func `lanes that become more or fewer meet what was missed meanwhile, and nothing that was before`(
    before: Int, after: Int
  ) throws {
    for (every, header) in ScheduleTests.everyKind {
      let disk = MemoryStore.Disk()
      let files = ["all": rule(every, header)]
      let first = try workshop(files, lanes: before, disk: disk, catchUpRate: 100)
      try see((0..<9).map { "u\($0)" }, first)
      let count = every.contains("for_each") ? 9 : 1
      _ = try later(1, first)
      let early = try workshop(files, lanes: after, disk: disk, now: first.now, catchUpRate: 100)
      _ = try pass(5_000, early)
      #expect(try sent(early).isEmpty)
      let late = try workshop(
        files, lanes: before, disk: disk, now: ScheduleTests.monday + 52 * ScheduleTests.hour, catchUpRate: 100)
      _ = try pass(5_000, late)
      #expect(try sent(late).count == count, "\(every) \(header)")
      #expect(try sent(late).allSatisfy { $0.hasPrefix(#"{"due":"2026-03-25"#) })
    }
  }
}
