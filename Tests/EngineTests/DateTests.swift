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

  static func shop(_ rule: String = reminder(), lanes: Int = 1, disk: MemoryStore.Disk = .init(), now: String = "2026-03-01T09:00:00Z") throws
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
    #expect(DateTests.bodies(sent).allSatisfy { $0.contains(#""who":"ada","date":"2026-03-10T18:00:00Z""#) || $0.contains(#""date":"2026-03-10T18:00:00Z","who":"ada""#) })
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
}
