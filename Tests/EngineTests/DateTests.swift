// Dates that move: a reminder before a date follows it wherever it goes, for one person and for thousands.
//
// Thread: the test's. Promise: the clock stands still unless the test moves it.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct DateTests {
  static let hour: Int64 = 3_600_000
  static let day = 24 * hour
  static let named = "event = 'webinar.registered', moved = 'webinar.rescheduled', cancelled = 'webinar.cancelled'"

  static func header(_ lead: String = "'24 hours'", _ options: String = named, _ more: String = "") -> String {
    "on = before('data.starts_at', \(lead), { \(options) }), key = 'thing', \(more)"
  }

  /// Sends what `run` got.
  static func reminder(_ lead: String = "'24 hours'", _ options: String = named, _ more: String = "") -> String {
    "return rule { title = 'T', \(header(lead, options, more)) run = function(event, customer, date) send('crm', 'reminder', { who = customer.id, date = date }) end }"
  }

  static func at(_ text: String) -> Instant { ISO8601.parse(text)! }

  static func registered(_ id: String, user: String = "ada", thing: String = "webinar:w7", _ date: String?) -> String {
    let data = date.map { #"{"starts_at":\#($0)}"# } ?? "{}"
    return #"{"id":"\#(id)","name":"webinar.registered","user":"\#(user)","thing":"\#(thing)","data":\#(data)}"#
  }

  static func told(_ name: String, _ id: String, thing: String = "webinar:w7", _ date: String? = nil) -> String {
    let data = date.map { #"{"starts_at":\#($0)}"# } ?? "{}"
    return #"{"id":"\#(id)","name":"\#(name)","thing":"\#(thing)","data":\#(data)}"#
  }

  static func quoted(_ text: String) -> String { "\"\(text)\"" }

  static func shop(
    _ rule: String = reminder(), lanes: Int = 1, disk: MemoryStore.Disk = .init(), now: String = "2026-03-01T09:00:00Z"
  ) throws
    -> Workshop
  {
    let shop = try Workshop(["r": rule], lanes: lanes, disk: disk)
    shop.now = at(now)
    return shop
  }

  static func bodies(_ happened: Happened) -> [String] {
    happened.deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self) }
  }

  static func until(_ shop: Workshop, _ time: String) throws -> Happened {
    shop.now = at(time)
    return try shop.run([])
  }

  static func living(_ shop: Workshop) throws -> [RunRow] {
    try shop.store.makeReader().rows(from: RowKey(.run, .min), to: RowKey(.run, .max), limit: 100_000).compactMap {
      row in row.value.map { RunRow.stored(number: row.key.first, $0) }
    }
  }

  // MARK: one run

  @Test func `a run sleeps until so long before its date, and gets the date`() throws {
    let shop = try DateTests.shop()
    let began = try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    #expect(began.verdict("r")?.code == .waiting)
    #expect(
      began.verdict("r")?.reason
        == "run 1 sleeps until 2026-03-09T18:00:00.000Z (1 day before 2026-03-10T18:00:00Z, data.starts_at)")
    #expect(try DateTests.until(shop, "2026-03-09T17:59:59Z").deliveries.isEmpty)
    let sent = try DateTests.until(shop, "2026-03-09T18:00:00Z")
    #expect(
      DateTests.bodies(sent).allSatisfy {
        $0.contains(#""who":"ada","date":"2026-03-10T18:00:00Z""#)
          || $0.contains(#""date":"2026-03-10T18:00:00Z","who":"ada""#)
      })
    #expect(sent.deliveries.count == 1)
    #expect(sent.ended.map(\.status) == [.finished])
    #expect(try DateTests.until(shop, "2026-03-20T18:00:00Z").deliveries.isEmpty)
  }

  @Test(arguments: [1, 2]) func `the thing moves the date later and earlier, and the run follows`(lanes: Int) throws {
    let shop = try DateTests.shop(lanes: lanes)
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let later = try shop.take(DateTests.told("webinar.rescheduled", "m1", "\"2026-03-20T18:00:00Z\""))
    #expect(later.verdict("r")?.code == .waiting)
    #expect(
      later.verdict("r")?.reason
        == "run 1 sleeps until 2026-03-19T18:00:00.000Z (1 day before 2026-03-20T18:00:00Z, data.starts_at); moved from 2026-03-10T18:00:00Z to 2026-03-20T18:00:00Z by webinar.rescheduled"
    )
    #expect(try DateTests.until(shop, "2026-03-09T18:00:00Z").deliveries.isEmpty)
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-15T12:00:00+02:00\""))
    #expect(try DateTests.until(shop, "2026-03-14T09:59:59Z").deliveries.isEmpty)
    let sent = try DateTests.until(shop, "2026-03-14T10:00:00Z")
    #expect(DateTests.bodies(sent).count == 1)
    #expect(DateTests.bodies(sent)[0].contains("2026-03-15T12:00:00+02:00"))
    #expect(try DateTests.until(shop, "2026-03-19T18:00:00Z").deliveries.isEmpty)
  }

  @Test(arguments: [1, 2]) func `a cancelling event ends the run`(lanes: Int) throws {
    let shop = try DateTests.shop(lanes: lanes)
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let cancelled = try shop.take(DateTests.told("webinar.cancelled", "c"))
    #expect(cancelled.verdict("r")?.code == .stopped)
    #expect(cancelled.ended.map(\.status) == [.stopped])
    #expect(cancelled.ended.map(\.reason) == ["webinar.cancelled"])
    #expect(try DateTests.until(shop, "2026-03-09T18:00:00Z").deliveries.isEmpty)
    #expect(try DateTests.living(shop).isEmpty)
  }

  // MARK: late, missing, invalid

  @Test func `who registers when the moment is past is skipped, or reminded at once, as the header says`() throws {
    for (late, isSent) in [("", false), ("late = 'skip',", false), ("late = 'send',", true)] {
      let shop = try DateTests.shop(DateTests.reminder(DateTests.lead, DateTests.named, late))
      let began = try shop.take(DateTests.registered("r", "\"2026-03-01T20:00:00Z\""))
      #expect(began.deliveries.count == (isSent ? 1 : 0))
      #expect(began.verdict("r")?.code == (isSent ? .ran : .skipped))
      if isSent {
        #expect(DateTests.bodies(began)[0].contains("2026-03-01T20:00:00Z"))
      } else {
        #expect(
          began.verdict("r")?.reason
            == "late: 1 day before 2026-03-01T20:00:00Z, data.starts_at, was 2026-02-28T20:00:00.000Z")
      }
    }
  }

  static let lead = "'24 hours'"

  @Test func `a date that is itself past is skipped, whatever the header says`() throws {
    let shop = try DateTests.shop(DateTests.reminder(DateTests.lead, DateTests.named, "late = 'send',"))
    let began = try shop.take(DateTests.registered("r", "\"2026-03-01T08:59:59Z\""))
    #expect(began.verdict("r")?.code == .skipped)
    #expect(began.verdict("r")?.reason == "data.starts_at, 2026-03-01T08:59:59.000Z, is past")
    #expect(began.deliveries.isEmpty)
  }

  @Test(arguments: [
    ("\"soon\"", "data.starts_at is \"soon\", which is no date with a time and a zone, such as 2026-03-01T09:00:00Z"),
    (
      "\"2026-03-10\"",
      "data.starts_at is \"2026-03-10\", which is no date with a time and a zone, such as 2026-03-01T09:00:00Z"
    ),
    ("[1]", "data.starts_at is [1], which is no date with a time and a zone, such as 2026-03-01T09:00:00Z"),
    ("\"2400-03-10T18:00:00Z\"", "data.starts_at, 2400-03-10T18:00:00.000Z, is more than ten years ahead"),
  ])
  func `a date that cannot be read is a reason with path and value`(_ value: String, _ reason: String) throws {
    let shop = try DateTests.shop(DateTests.reminder(DateTests.lead, DateTests.named, "late = 'send',"))
    let began = try shop.take(DateTests.registered("r", value))
    #expect(began.verdict("r")?.code == .skipped)
    #expect(began.verdict("r")?.reason == reason)
    #expect(began.deliveries.isEmpty)
  }

  @Test func `a date that is missing is a reason where nothing could bring one`() throws {
    for value in [nil, "null"] {
      let shop = try DateTests.shop(DateTests.reminder(DateTests.lead, "event = 'webinar.registered'"))
      let began = try shop.take(DateTests.registered("r", value))
      #expect(began.verdict("r")?.code == .skipped)
      #expect(began.verdict("r")?.reason.hasPrefix("data.starts_at is") ?? false)
    }
  }

  @Test(arguments: [1, 2]) func `without a date of its own a run takes the newest one of the thing`(lanes: Int) throws {
    let shop = try DateTests.shop(lanes: lanes)
    try shop.take(DateTests.told("webinar.created", "c", "\"2026-03-08T18:00:00Z\""))
    try shop.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-10T18:00:00Z\""))
    try shop.take(DateTests.told("webinar.renamed", "n"))
    let began = try shop.take(DateTests.registered("r", nil))
    #expect(began.verdicts.flatMap(\.verdicts).map(\.reason).contains("run 1 waits for a date at data.starts_at"))
    #expect(
      try DateTests.living(shop).map { $0.wait?.until } == [DateTests.at("2026-03-09T18:00:00Z")])
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-12T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-11T17:59:59Z").deliveries.isEmpty)
    #expect(try DateTests.until(shop, "2026-03-11T18:00:00Z").deliveries.count == 1)
  }

  @Test func `without any date a run waits until one comes, and a thing that was cancelled ends it`() throws {
    let shop = try DateTests.shop()
    try shop.take(DateTests.registered("r", nil))
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-12T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-11T18:00:00Z").deliveries.count == 1)
    let other = try DateTests.shop()
    try other.take(DateTests.told("webinar.created", "a", "\"2026-03-12T18:00:00Z\""))
    try other.take(DateTests.told("webinar.cancelled", "b"))
    #expect(try other.take(DateTests.registered("r", nil)).ended.map(\.reason) == ["webinar.cancelled"])
  }

  @Test func `a move that takes the date away stops the clock until a date comes`() throws {
    let shop = try DateTests.shop()
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let moved = try shop.take(DateTests.told("webinar.rescheduled", "m", "\"to be announced\""))
    #expect(moved.verdict("r")?.code == .waiting)
    #expect(
      moved.verdict("r")?.reason
        == "run 1 waits for a date at data.starts_at: data.starts_at is \"to be announced\", which is no date with a time and a zone, such as 2026-03-01T09:00:00Z"
    )
    #expect(try DateTests.until(shop, "2026-03-09T18:00:00Z").deliveries.isEmpty)
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-15T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-14T18:00:00Z").deliveries.count == 1)
  }

  @Test func `an event that names no date leaves it as it is`() throws {
    let shop = try DateTests.shop()
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let told = try shop.take(DateTests.told("webinar.rescheduled", "m"))
    #expect(told.verdict("r")?.code == .heard)
    #expect(told.verdict("r")?.reason == "run 1 keeps its date: data.starts_at is missing in this event")
    #expect(try DateTests.until(shop, "2026-03-09T18:00:00Z").deliveries.count == 1)
  }

  @Test func `a date that moves so near that its moment is past waits for another move, or sends at once`() throws {
    let shop = try DateTests.shop()
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let near = try shop.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-01T20:00:00Z\""))
    #expect(near.verdict("r")?.code == .waiting)
    #expect(near.verdict("r")?.reason.hasPrefix("run 1 is late: 1 day before 2026-03-01T20:00:00Z") ?? false)
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-12T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-11T18:00:00Z").deliveries.count == 1)

    let over = try DateTests.shop()
    try over.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    try over.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-01T20:00:00Z\""))
    let ended = try DateTests.until(over, "2026-03-01T20:00:00Z")
    #expect(ended.deliveries.isEmpty)
    #expect(ended.ended.map(\.status) == [.skipped])

    let eager = try DateTests.shop(DateTests.reminder(DateTests.lead, DateTests.named, "late = 'send',"))
    try eager.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let sent = try eager.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-01T20:00:00Z\""))
    #expect(sent.deliveries.count == 1)
    #expect(DateTests.bodies(sent)[0].contains("2026-03-01T20:00:00Z"))
    try eager.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-12T18:00:00Z\""))
    #expect(try DateTests.until(eager, "2026-03-11T18:00:00Z").deliveries.isEmpty)
  }

  @Test func `a date that moves into the past ends the run with the reason`() throws {
    let shop = try DateTests.shop(DateTests.reminder(DateTests.lead, DateTests.named, "late = 'send',"))
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let moved = try shop.take(DateTests.told("webinar.rescheduled", "m", "\"2026-02-28T20:00:00Z\""))
    #expect(moved.verdict("r")?.code == .skipped)
    #expect(moved.ended.map(\.reason) == ["data.starts_at, 2026-02-28T20:00:00.000Z, is past"])
    #expect(moved.deliveries.isEmpty)
  }

  @Test func `after a standstill nobody is reminded of what is over, but of what is still ahead`() throws {
    let shop = try DateTests.shop()
    try shop.take(
      DateTests.registered("r1", user: "ada", "\"2026-03-10T18:00:00Z\""),
      DateTests.registered("r2", user: "bob", "\"2026-03-12T18:00:00Z\""))
    let late = try DateTests.until(shop, "2026-03-11T20:00:00Z")
    #expect(DateTests.bodies(late).count == 1)
    #expect(late.ended.map(\.status).sorted { $0.rawValue < $1.rawValue } == [.finished, .skipped])
  }

  // MARK: zones

  static let evening = "{ days = 1, at = '18:00' }"

  static func identify(_ user: String, _ zone: String) -> String {
    #"{"id":"i-\#(user)","name":"identify","user":"\#(user)","traits":{"timezone":"\#(zone)"}}"#
  }

  @Test func `the evening before is hers, and follows the webinar`() throws {
    let shop = try DateTests.shop(DateTests.reminder(DateTests.evening))
    try shop.take(DateTests.identify("ada", "America/New_York"), DateTests.identify("bob", "Asia/Tokyo"))
    for user in ["ada", "bob", "eve"] {
      try shop.take(DateTests.registered("r-\(user)", user: user, "\"2026-03-10T20:00:00Z\""))
    }
    let untils = { try DateTests.living(shop).map { ISO8601.format($0.wait?.until ?? .zero) } }
    // In Tokyo it begins on the eleventh.
    #expect(
      try untils() == ["2026-03-09T22:00:00.000Z", "2026-03-10T09:00:00.000Z", "2026-03-09T18:00:00.000Z"])
    try shop.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-04T20:00:00Z\""))
    // Before the clocks change in New York.
    #expect(
      try untils() == ["2026-03-03T23:00:00.000Z", "2026-03-04T09:00:00.000Z", "2026-03-03T18:00:00.000Z"])
  }

  @Test
  func `a time of day that a change of clocks skips is the first moment after it, one that comes twice the first`()
    throws
  {
    let shop = try DateTests.shop(DateTests.reminder("{ days = 1, at = '02:30', zone = 'Europe/Berlin' }"))
    try shop.take(DateTests.registered("r1", user: "ada", thing: "webinar:a", "\"2026-03-30T12:00:00+02:00\""))
    try shop.take(DateTests.registered("r2", user: "bob", thing: "webinar:b", "\"2026-10-26T12:00:00+01:00\""))
    #expect(
      try DateTests.living(shop).map { ISO8601.format($0.wait?.until ?? .zero) } == [
        "2026-03-29T01:00:00.000Z", "2026-10-25T00:30:00.000Z",
      ])
  }

  @Test func `whoever has moved west since is reminded in the evening of the new place`() throws {
    let shop = try DateTests.shop(DateTests.reminder(DateTests.evening))
    try shop.take(DateTests.identify("ada", "Europe/Berlin"))
    try shop.take(DateTests.registered("r", "\"2026-03-10T20:00:00Z\""))
    try shop.take(#"{"id":"i2","name":"identify","user":"ada","traits":{"timezone":"America/New_York"}}"#)
    #expect(try DateTests.until(shop, "2026-03-09T17:00:00Z").deliveries.isEmpty)
    #expect(try DateTests.until(shop, "2026-03-09T22:00:00Z").deliveries.count == 1)
  }

  @Test func `a time of day behind the date is a reason`() throws {
    let shop = try DateTests.shop(DateTests.reminder("{ days = 0, at = '18:00' }"))
    let began = try shop.take(DateTests.registered("r", "\"2026-03-10T09:00:00Z\""))
    #expect(began.verdict("r")?.code == .skipped)
    #expect(
      began.verdict("r")?.reason
        == "18:00, on the day of data.starts_at, 2026-03-10T09:00:00.000Z, is 2026-03-10T18:00:00.000Z, which is behind it"
    )
  }

  // MARK: whose

  @Test func `another thing moves nothing, nor does her own event about another thing`() throws {
    let shop = try DateTests.shop()
    try shop.take(
      DateTests.registered("r1", thing: "webinar:a", "\"2026-03-10T18:00:00Z\""),
      DateTests.registered("r2", thing: "webinar:b", "\"2026-03-10T18:00:00Z\""))
    try shop.take(DateTests.told("webinar.rescheduled", "m", thing: "webinar:b", "\"2026-03-20T18:00:00Z\""))
    try shop.take(
      #"{"id":"m2","name":"webinar.rescheduled","user":"ada","thing":"webinar:b","data":{"starts_at":"2026-03-21T18:00:00Z"}}"#
    )
    #expect(
      try DateTests.living(shop).map { ISO8601.format($0.wait?.until ?? .zero) } == [
        "2026-03-09T18:00:00.000Z", "2026-03-20T18:00:00.000Z",
      ])
  }

  @Test func `an event that begins runs may move her own date, and nobody else's`() throws {
    let options = "event = 'webinar.registered', moved = { 'webinar.registered', 'webinar.rescheduled' }"
    let shop = try DateTests.shop(DateTests.reminder(DateTests.lead, options))
    try shop.take(DateTests.registered("r1", user: "ada", "\"2026-03-10T18:00:00Z\""))
    try shop.take(DateTests.registered("r2", user: "bob", "\"2026-03-20T18:00:00Z\""))
    let again = try shop.take(DateTests.registered("r3", user: "ada", "\"2026-03-12T18:00:00Z\""))
    #expect(again.verdicts.flatMap(\.verdicts).map(\.code) == [.waiting, .second])
    #expect(
      try DateTests.living(shop).map { ISO8601.format($0.wait?.until ?? .zero) } == [
        "2026-03-11T18:00:00.000Z", "2026-03-19T18:00:00.000Z",
      ])
  }

  @Test func `a wait that ends at the date itself ends there, also when its timer is late`() throws {
    let rule = Workshop.rule(
      "on = 'webinar.registered'",
      "local ok, date = wait_until { date = 'data.starts_at', moved = 'webinar.rescheduled' } send('crm', ok and 'begins' or 'began', { date = date })"
    )
    let shop = try DateTests.shop(rule)
    try shop.take(DateTests.registered("r1", "\"2026-03-10T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-11T18:00:00Z").deliveries.map(\.delivery.type) == ["begins"])
  }

  @Test func `dates of the subject itself move without a thing`() throws {
    let rule =
      "return rule { title = 'T', on = before('data.due', '3 days', { event = 'trial.began', moved = 'trial.extended', cancelled = 'trial.ended' }), run = function(event, customer, date) send('crm', 'ends soon', { date = date }) end }"
    let shop = try DateTests.shop(rule)
    try shop.take(JourneyTests.event("trial.began", "a", #"{"due":"2026-03-20T00:00:00Z"}"#))
    let moved = try shop.take(JourneyTests.event("trial.extended", "b", #"{"due":1774915200000}"#))
    #expect(
      moved.verdict("r")?.reason.hasSuffix(
        "moved from 2026-03-20T00:00:00Z to 2026-03-31T00:00:00.000Z by trial.extended") ?? false)
    let sent = try DateTests.until(shop, "2026-03-28T00:00:00Z")
    #expect(DateTests.bodies(sent).map { $0.contains("2026-03-31T00:00:00.000Z") } == [true])
    try shop.take(JourneyTests.event("trial.began", "c", #"{"due":"2026-04-20T00:00:00Z"}"#))
    #expect(try shop.take(JourneyTests.event("trial.ended", "d")).ended.map(\.status) == [.stopped])
  }

  @Test func `a rule about the thing itself hears the thing's own events`() throws {
    let rule = DateTests.reminder().replacing("key = 'thing'", with: "per = 'webinar'").replacing(
      "webinar.registered", with: "webinar.created")
    let shop = try DateTests.shop(rule)
    try shop.take(DateTests.told("webinar.created", "a", "\"2026-03-20T00:00:00Z\""))
    try shop.take(DateTests.told("webinar.rescheduled", "b", "\"2026-03-25T00:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-19T00:00:00Z").deliveries.isEmpty)
    #expect(try DateTests.until(shop, "2026-03-24T00:00:00Z").deliveries.count == 1)
  }

  @Test func `a move that was told twice, or comes late behind a newer one, changes nothing`() throws {
    let shop = try DateTests.shop()
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    // Her own copy of the event is heard at once, the thing's by way of its lane.
    try shop.take(
      #"{"id":"m1","name":"webinar.rescheduled","user":"ada","thing":"webinar:w7","data":{"starts_at":"2026-03-21T18:00:00Z"}}"#
    )
    let row = try #require(try DateTests.living(shop).first)
    #expect(row.heard.count == 1)
    #expect(row.wait?.until == DateTests.at("2026-03-20T18:00:00Z"))
  }

  // MARK: in time, in all circumstances

  @Test(arguments: [1, 2]) func `a move that arrived before the moment wins, however long its way`(lanes count: Int)
    throws
  {
    let shop = try DateTests.shop(lanes: count)
    try shop.take(DateTests.told("webinar.created", "c"))
    let thing = try #require(try shop.subject("webinar:w7"))
    var number = 0
    while true {
      number += 1
      try shop.take(JourneyTests.event("somebody.came", "n\(number)", user: "u\(number)"))
      let subject = try #require(try shop.subject("user:u\(number)"))
      if count == 1 || Desk.lane(of: subject, lanes: count) != Desk.lane(of: thing, lanes: count) { break }
    }
    try shop.take(DateTests.registered("r", user: "u\(number)", "\"2026-03-10T18:00:00Z\""))
    let far = Desk.lane(of: thing, lanes: count)
    shop.now = DateTests.at("2026-03-09T18:00:00Z") + -1
    let moved = try shop.incoming(DateTests.told("webinar.rescheduled", "m", "\"2026-03-12T18:00:00Z\""))
    let routed = try shop.desk.step([.incoming(moved)], now: shop.now).lanes
    shop.now = shop.now + 1
    var steps: [Decisions] = []
    if count > 1 { steps.append(try shop.lanes[1 - far].step([], now: shop.now)) }
    steps.append(try shop.lanes[far].step(routed[far], now: shop.now))
    let after = try shop.run(shop.commit(steps))
    #expect((steps.flatMap(\.deliveries) + after.deliveries).isEmpty)
    #expect(try DateTests.until(shop, "2026-03-11T18:00:00Z").deliveries.count == 1)
  }

  @Test(arguments: [1, 2]) func `everything goes on after restarts`(lanes: Int) throws {
    let disk = MemoryStore.Disk()
    let first = try DateTests.shop(lanes: lanes, disk: disk)
    try first.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let second = try DateTests.shop(lanes: lanes, disk: disk, now: "2026-03-02T09:00:00Z")
    try second.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-20T18:00:00Z\""))
    let third = try DateTests.shop(lanes: lanes, disk: disk, now: "2026-03-09T18:00:00Z")
    #expect(try third.run([]).deliveries.isEmpty)
    let fourth = try DateTests.shop(lanes: lanes, disk: disk, now: "2026-03-19T18:00:00Z")
    #expect(DateTests.bodies(try fourth.run([])).map { $0.contains("2026-03-20T18:00:00Z") } == [true])
  }

  @Test func `a wake by hand is as if the moment had come`() throws {
    let shop = try DateTests.shop()
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let subject = try #require(try shop.subject("user:ada"))
    let woken = try shop.run([.command(RunCommand(.wake, run: 1, subject: subject))])
    #expect(DateTests.bodies(woken).map { $0.contains("2026-03-10T18:00:00Z") } == [true])
  }

  @Test func `moves are followed while a rule is paused, and what came meanwhile happens when it lives again`() throws {
    let shop = try DateTests.shop(DateTests.reminder(DateTests.lead, DateTests.named, "late = 'send',"))
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let paused = DateTests.reminder(DateTests.lead, DateTests.named, "late = 'send', mode = 'paused',")
    try shop.publish(["r": paused], highest: 1)
    try shop.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-01T20:00:00Z\""))
    #expect(try shop.run([]).deliveries.isEmpty)
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-12T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-11T18:00:00Z").deliveries.isEmpty)
    try shop.publish(["r": DateTests.reminder(DateTests.lead, DateTests.named, "late = 'send',")], highest: 1)
    let sent = try shop.store.makeReader().engine.deliveries(before: .max, limit: 9)
    #expect(sent.map { String(decoding: $0.delivery.body, as: UTF8.self).contains("2026-03-12T18:00:00Z") } == [true])
  }

  @Test func `moves leave the journal as it is, and the run plays again after many of them`() throws {
    let rule =
      "return rule { title = 'T', \(DateTests.header()) run = function(event, customer, date) send('crm', 'one', { date = date }) wait('1 hour') send('crm', 'two', { date = date }) end }"
    let shop = try DateTests.shop(rule)
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    let before = try DateTests.living(shop)[0].journal
    for number in 1...50 {
      try shop.take(
        DateTests.told("webinar.rescheduled", "m\(number)", "\"2026-04-\(number % 20 + 10)T18:00:00Z\""))
    }
    #expect(try DateTests.living(shop)[0].journal == before)
    #expect(before.entryCount == 1)
    let first = try DateTests.until(shop, "2026-04-19T18:00:00Z")
    let second = try DateTests.until(shop, "2026-04-19T19:00:00Z")
    #expect(
      (DateTests.bodies(first) + DateTests.bodies(second)).map { $0.contains("2026-04-20T18:00:00Z") } == [true, true])
    #expect(second.ended.map(\.status) == [.finished])
  }

  @Test func `when decides at the start, and a checkpoint keeps the date`() throws {
    let rule = """
      return rule { title = 'T', \(DateTests.header())
        when = function(event) return event.data.starts_at ~= '2026-03-11T18:00:00Z' end,
        run = function(event, customer, date, saved)
          send('crm', 'turn', { date = date, turn = saved and saved.turn or 0 })
          if saved and saved.turn == 2 then return end
          wait('1 hour')
          checkpoint { turn = (saved and saved.turn or 0) + 1 }
        end }
      """
    let shop = try DateTests.shop(rule)
    let other = try shop.take(DateTests.registered("r0", thing: "webinar:x", "\"2026-03-11T18:00:00Z\""))
    #expect(other.verdict("r") == nil)
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    var bodies = DateTests.bodies(try DateTests.until(shop, "2026-03-09T18:00:00Z"))
    bodies += DateTests.bodies(try DateTests.until(shop, "2026-03-09T19:00:00Z"))
    bodies += DateTests.bodies(try DateTests.until(shop, "2026-03-09T20:00:00Z"))
    #expect(bodies.count == 3)
    #expect(bodies.allSatisfy { $0.contains("2026-03-10T18:00:00Z") })
  }

  // MARK: wait_until

  static let waiting = """
    return rule { title = 'T', on = 'webinar.registered', key = 'thing', run = function(event, customer)
      wait('1 day')
      local inTime, date = wait_until { date = 'data.starts_at', before = '1 hour', moved = 'webinar.rescheduled', cancelled = { 'webinar.cancelled' } }
      send('crm', inTime and 'soon' or 'late', { date = date })
      local begins, last = wait_until { date = 'data.starts_at', moved = 'webinar.rescheduled' }
      send('crm', begins and 'begins' or 'began', { date = last })
    end }
    """

  @Test(arguments: [1, 2]) func `in a run the wait follows moves that came before and during it`(lanes: Int) throws {
    let shop = try DateTests.shop(DateTests.waiting, lanes: lanes)
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    try shop.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-12T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-02T09:00:00Z").deliveries.isEmpty)
    #expect(try DateTests.living(shop)[0].wait?.until == DateTests.at("2026-03-12T17:00:00Z"))
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-14T18:00:00Z\""))
    let soon = try DateTests.until(shop, "2026-03-14T17:00:00Z")
    #expect(soon.deliveries.map(\.delivery.type) == ["soon"])
    #expect(DateTests.bodies(soon)[0].contains("2026-03-14T18:00:00Z"))
    try shop.take(DateTests.told("webinar.rescheduled", "m3", "\"2026-03-14T18:30:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-14T18:00:00Z").deliveries.isEmpty)
    let begins = try DateTests.until(shop, "2026-03-14T18:30:00Z")
    #expect(begins.deliveries.map(\.delivery.type) == ["begins"])
    #expect(DateTests.bodies(begins)[0].contains("2026-03-14T18:30:00Z"))
    #expect(begins.ended.map(\.status) == [.finished])
  }

  @Test func `in a run a moment that is past answers false with the date, at once or by a move`() throws {
    let shop = try DateTests.shop(DateTests.waiting)
    try shop.take(DateTests.registered("r", "\"2026-03-02T09:30:00Z\""))
    let late = try DateTests.until(shop, "2026-03-02T09:00:00Z")
    #expect(late.deliveries.map(\.delivery.type) == ["late"])
    #expect(DateTests.bodies(late)[0].contains("2026-03-02T09:30:00Z"))
    // It plays again behind the wait that was over at once.
    #expect(try DateTests.until(shop, "2026-03-02T09:30:00Z").deliveries.map(\.delivery.type) == ["begins"])

    let other = try DateTests.shop(DateTests.waiting)
    try other.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    _ = try DateTests.until(other, "2026-03-02T09:00:00Z")
    let moved = try other.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-02T09:20:00Z\""))
    #expect(moved.deliveries.map(\.delivery.type) == ["late"])
    let past = try other.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-02T08:00:00Z\""))
    #expect(past.deliveries.map(\.delivery.type) == ["began"])
    #expect(DateTests.bodies(past)[0].contains("2026-03-02T08:00:00Z"))
  }

  @Test func `in a run a cancelling event ends it, also one that came before the wait`() throws {
    let shop = try DateTests.shop(DateTests.waiting)
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    #expect(try shop.take(DateTests.told("webinar.cancelled", "c")).ended.isEmpty)
    let ended = try DateTests.until(shop, "2026-03-02T09:00:00Z").ended
    #expect(ended.map(\.status) == [.stopped])
    #expect(ended.map(\.reason) == ["webinar.cancelled"])
  }

  @Test func `in a run a date that cannot be read ends it with the reason`() throws {
    let shop = try DateTests.shop(DateTests.waiting)
    try shop.take(DateTests.registered("r", "\"soon\""))
    let ended = try DateTests.until(shop, "2026-03-02T09:00:00Z").ended
    #expect(ended.map(\.status) == [.skipped])
    #expect(ended.first?.reason.hasPrefix("wait_until: data.starts_at is \"soon\"") ?? false)
  }

  @Test func `reminders in a row follow one date`() throws {
    let rule = """
      return rule { title = 'T', \(DateTests.header()) run = function(event, customer, date)
        send('crm', 'tomorrow', { date = date })
        local inTime, last = wait_until { date = 'data.starts_at', before = '1 hour', moved = 'webinar.rescheduled' }
        send('crm', 'soon', { date = last })
      end }
      """
    let shop = try DateTests.shop(rule)
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    try shop.take(DateTests.told("webinar.rescheduled", "m", "\"2026-03-12T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-11T18:00:00Z").deliveries.map(\.delivery.type) == ["tomorrow"])
    let soon = try DateTests.until(shop, "2026-03-12T17:00:00Z")
    #expect(soon.deliveries.map(\.delivery.type) == ["soon"])
    #expect(DateTests.bodies(soon)[0].contains("2026-03-12T18:00:00Z"))
    // A cancelling event of the header ends the run wherever it waits.
    let other = try DateTests.shop(rule)
    try other.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    _ = try DateTests.until(other, "2026-03-09T18:00:00Z")
    #expect(try other.take(DateTests.told("webinar.cancelled", "c")).ended.map(\.status) == [.stopped])
  }

  // MARK: many

  private static func crowd(_ count: Int, lanes: Int) throws -> Workshop {
    let shop = try DateTests.shop(DateTests.reminder(DateTests.evening), lanes: lanes)
    for start in stride(from: 0, to: count, by: 500) {
      try shop.run(
        try (start..<start + 500).map { number in
          .incoming(
            try shop.incoming(DateTests.registered("r\(number)", user: "u\(number)", "\"2026-03-10T18:00:00Z\"")))
        })
    }
    return shop
  }

  @Test(arguments: [1, 2])
  func `a webinar with 5,000 registrants moves twice and is cancelled, and nobody is reminded`(lanes: Int) throws {
    let shop = try DateTests.crowd(5_000, lanes: lanes)
    try shop.take(DateTests.told("webinar.rescheduled", "m1", "\"2026-03-20T18:00:00Z\""))
    let untils = Set(try DateTests.living(shop).map { $0.wait?.until })
    #expect(untils == [DateTests.at("2026-03-19T18:00:00Z")])
    #expect(try DateTests.until(shop, "2026-03-09T18:00:00Z").deliveries.isEmpty)
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-15T18:00:00Z\""))
    let ended = try shop.take(DateTests.told("webinar.cancelled", "c")).ended
    #expect(ended.count == 5_000)
    #expect(Set(ended.map(\.status)) == [.stopped])
    #expect(try DateTests.until(shop, "2026-04-15T18:00:00Z").deliveries.isEmpty)
    for table in [Table.run, .timer, .waiter] {
      #expect(try shop.store.makeReader().rows(from: RowKey(table, .min), to: RowKey(table, .max), limit: 9).isEmpty)
    }
  }

  @Test(arguments: [1, 2])
  func `a webinar with 5,000 registrants moves twice, and each is reminded once before its last date`(lanes: Int) throws
  {
    let shop = try DateTests.crowd(5_000, lanes: lanes)
    try shop.take(DateTests.told("webinar.rescheduled", "m1", "\"2026-03-20T18:00:00Z\""))
    try shop.take(DateTests.told("webinar.rescheduled", "m2", "\"2026-03-15T18:00:00Z\""))
    #expect(try DateTests.until(shop, "2026-03-14T17:59:59Z").deliveries.isEmpty)
    let sent = try DateTests.until(shop, "2026-03-14T18:00:00Z")
    #expect(sent.deliveries.count == 5_000)
    #expect(Set(sent.deliveries.map(\.run)).count == 5_000)
    #expect(DateTests.bodies(sent).allSatisfy { $0.contains("2026-03-15T18:00:00Z") })
    #expect(try DateTests.until(shop, "2026-04-15T18:00:00Z").deliveries.isEmpty)
  }

  // MARK: by chance

  /// What must become of one registration, worked out plainly.
  private struct Expected {
    var date: Instant
    var isLate = false

    /// Nil: it is over. True: it is reminded.
    func after(_ now: Instant) -> Bool? {
      if isLate || date + -DateTests.day > now { return date <= now && isLate ? nil : false }
      return date <= now ? nil : true
    }
  }

  @Test(arguments: [(1, 1), (1, 2), (2, 1), (2, 3), (3, 3)] as [(UInt64, Int)])
  func `moves, cancellations, restarts and time by chance come to what a plain computation says`(
    seed: UInt64, lanes: Int
  ) throws {
    var random = SeededRandom(seed: seed)
    let disk = MemoryStore.Disk()
    var shop = try DateTests.shop(lanes: lanes, disk: disk)
    var expected: [String: Expected] = [:]
    var number = 0
    var reminded = 0
    for step in 0..<300 {
      number += 1
      let thing = "webinar:w\(random.next(below: 4))"
      let date = shop.now + (Int64(random.next(below: 120)) - 12) * DateTests.hour
      let text = DateTests.quoted(ISO8601.format(date))
      var sent: [String] = []
      switch random.next(below: 10) {
      case 0..<4:
        let user = "u\(number)"
        sent += DateTests.bodies(
          try shop.take(DateTests.registered("r\(number)", user: user, thing: thing, text)))
        if date + -DateTests.day > shop.now { expected["\(thing)/\(user)"] = Expected(date: date) }
      case 4..<7:
        sent += DateTests.bodies(
          try shop.take(DateTests.told("webinar.rescheduled", "m\(number)", thing: thing, text)))
        for key in expected.keys where key.hasPrefix(thing + "/") {
          let isLate = date + -DateTests.day <= shop.now
          expected[key] = date <= shop.now ? nil : Expected(date: date, isLate: isLate)
        }
      case 7:
        sent += DateTests.bodies(try shop.take(DateTests.told("webinar.cancelled", "c\(number)", thing: thing)))
        for key in expected.keys where key.hasPrefix(thing + "/") { expected[key] = nil }
      case 8:
        let now = shop.now
        shop = try Workshop(["r": DateTests.reminder()], lanes: lanes, disk: disk)
        shop.now = now
        sent += DateTests.bodies(try shop.run([]))
      default:
        shop.now = shop.now + Int64(random.next(below: 30)) * DateTests.hour
        sent += DateTests.bodies(try shop.run([]))
        var wanted: Set<String> = []
        for (key, one) in expected {
          guard let isSent = one.after(shop.now) else {
            expected[key] = nil
            continue
          }
          guard isSent else { continue }
          expected[key] = nil
          wanted.insert(String(key.drop { $0 != "/" }.dropFirst()))
        }
        let found = sent.compactMap { body in wanted.first { body.contains(DateTests.quoted($0)) } }
        #expect(Set(found) == wanted && sent.count == wanted.count, "step \(step)")
        reminded += sent.count
        continue
      }
      #expect(sent.isEmpty, "step \(step)")
      #expect(try DateTests.living(shop).count == expected.count, "step \(step)")
    }
    #expect(reminded > 10, "\(reminded)")
  }

  // MARK: test keys

  @Test(arguments: [1, 2]) func `what a test key sends moves and ends no date that is meant`(lanes: Int) throws {
    let shop = try DateTests.shop(lanes: lanes)
    try shop.take(DateTests.registered("r", "\"2026-03-10T18:00:00Z\""))
    try shop.take(DateTests.told("webinar.rescheduled", "m0", "\"2026-03-12T18:00:00Z\""))
    let trial = DateTests.registered("t", user: "tess", "\"2026-03-10T18:00:00Z\"")
    try shop.take(trial, source: "test:web")
    let moved = DateTests.told("webinar.rescheduled", "m", "\"2026-03-20T18:00:00Z\"")
    let verdicts = try shop.take(moved, source: "test:web").verdicts.flatMap(\.verdicts)
    #expect(verdicts.count == 1 && verdicts.first?.reason.hasPrefix("run 2 sleeps until 2026-03-19") == true)
    try shop.take(DateTests.told("webinar.cancelled", "c"), source: "test:web")
    #expect(try DateTests.living(shop).map(\.number) == [1])
    // Who comes without a date asks the thing, and not what was tried out with it.
    let asked = try shop.take(DateTests.registered("r2", user: "bob", nil))
    #expect(asked.ended.isEmpty)
    #expect(try DateTests.living(shop).last?.wait?.plan?.date == "2026-03-12T18:00:00Z")
    #expect(try DateTests.until(shop, "2026-03-11T18:00:00Z").deliveries.count == 2)
  }
}
