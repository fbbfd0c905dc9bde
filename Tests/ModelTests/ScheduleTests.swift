// The moments of schedules.
//
// Thread: the test's.

import Basics
import Model
import Testing

@Suite struct ScheduleTests {
  private func moments(_ text: String, _ zone: String, from: String, count: Int) throws -> [String] {
    let pattern = try #require(SchedulePattern(text))
    let rules = zone == "UTC" ? ZoneRules.utc : try ZoneFolder().load(zone)
    var time = try #require(ISO8601.parse(from))
    return (0..<count).map { _ in
      time = pattern.next(after: time, rules)
      #expect(pattern.latest(upTo: time, rules) == time)
      #expect(pattern.latest(upTo: pattern.next(after: time, rules) + -1, rules) == time)
      return ISO8601.format(time)
    }
  }

  @Test func `days of the week and times of day are found in the zone`() throws {
    #expect(
      try moments("monday 09:00", "Europe/Berlin", from: "2026-03-20T00:00:00Z", count: 3) == [
        "2026-03-23T08:00:00.000Z", "2026-03-30T07:00:00.000Z", "2026-04-06T07:00:00.000Z",
      ])
    #expect(
      try moments("weekday 08:30", "UTC", from: "2026-05-29T08:30:00Z", count: 2) == [
        "2026-06-01T08:30:00.000Z", "2026-06-02T08:30:00.000Z",
      ])
    #expect(
      try moments("saturday, sunday 7:05", "UTC", from: "2026-05-29T08:30:00Z", count: 3) == [
        "2026-05-30T07:05:00.000Z", "2026-05-31T07:05:00.000Z", "2026-06-06T07:05:00.000Z",
      ])
  }

  @Test func `days of a month, and its last one`() throws {
    #expect(
      try moments("month 1 09:00", "UTC", from: "2026-01-15T00:00:00Z", count: 2) == [
        "2026-02-01T09:00:00.000Z", "2026-03-01T09:00:00.000Z",
      ])
    #expect(
      try moments("month last 23:59", "UTC", from: "2028-02-01T00:00:00Z", count: 2) == [
        "2028-02-29T23:59:00.000Z", "2028-03-31T23:59:00.000Z",
      ])
  }

  @Test func `a time that a change of clocks skips is the first after it, and one that comes twice comes once`() throws
  {
    #expect(
      try moments("day 02:30", "Europe/Berlin", from: "2026-03-28T12:00:00Z", count: 2) == [
        "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z",
      ])
    #expect(
      try moments("02:30", "Europe/Berlin", from: "2026-10-24T12:00:00Z", count: 2) == [
        "2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z",
      ])
  }

  @Test func `pauses come at round times`() throws {
    #expect(
      try moments("15 minutes", "UTC", from: "2026-01-01T00:01:00Z", count: 2) == [
        "2026-01-01T00:15:00.000Z", "2026-01-01T00:30:00.000Z",
      ])
  }

  @Test(arguments: [
    "", "monday", "mondy 09:00", "monday 9", "monday 24:00", "month 09:00", "month 31 09:00", "10 seconds", "09:0",
    "month 1 2 09:00", "every day",
  ])
  func `what is no schedule is none`(text: String) { #expect(SchedulePattern(text) == nil) }

  @Test func `a schedule reads back as it was written`() {
    let definition = ScheduleDefinition(
      rule: "a/b", text: "monday 09:00", zone: nil, forEach: "user", segment: "risk", ratePerSecond: 50)
    var writer = PackedWriter()
    definition.pack(into: &writer)
    #expect(PackedReader.read(writer.bytes) { ScheduleDefinition(&$0) } == definition)
    #expect(PackedReader.read(Array(writer.bytes.dropLast())) { ScheduleDefinition(&$0) } == nil)
  }
}
