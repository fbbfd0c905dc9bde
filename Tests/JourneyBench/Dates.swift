// A webinar with 5,000 registrants moves twice and is cancelled, or takes place: how long the work takes, and
// whether each of them is reminded at the right time and once.
//
// Thread: main. Promise: everything but the registrations and the passing of time is counted; a reminder too
// many, too few or at a wrong time ends the bench.

import Basics
import Engine
import Model
import Rehearsal
import Rules
import Store

enum DatesBench {
  private static let registrants = 5_000

  private static let rule = """
    return rule {
      title = "The evening before", key = "thing",
      on = before("data.starts_at", { days = 1, at = "18:00" }, {
        event = "webinar.registered", moved = "webinar.rescheduled", cancelled = "webinar.cancelled",
      }),
      run = function(event, customer, date)
        send("crm", "webinar.reminder", { customer = customer.id, starts_at = date })
      end,
    }
    """

  private static let zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney"]

  static func run() throws {
    for cancels in [true, false] {
      let rounds = try (0..<3).map { _ in try play(cancels: cancels) }
      let least = rounds.min { $0.total < $1.total } ?? rounds[0]
      print("\(registrants) registrants, two moves, \(cancels ? "cancelled" : "reminded"): \(least.text)")
    }
  }

  private struct Work {
    var parts: [(name: String, nanoseconds: Int64)] = []
    var total: Int64 { parts.reduce(0) { $0 + $1.nanoseconds } }
    var text: String {
      let each = parts.map { "\($0.name) \($0.nanoseconds / 1_000_000) ms" }
      return each.joined(separator: ", ") + "; in all \(total / 1_000_000) ms"
    }

    mutating func measure(_ name: String, _ body: () throws -> Void) rethrows {
      let began = Clocks.system.steadyNanoseconds()
      try body()
      parts.append((name, Clocks.system.steadyNanoseconds() - began))
    }
  }

  private static func play(cancels: Bool) throws -> Work {
    let loading = RuleSet.load(sources: [RuleSource(path: "dates.lua", text: rule)], knownDestinations: ["crm"])
    if let complaint = loading.complaints.first { throw complaint }
    let room = try Rehearsal(
      rules: loading.set, destinations: [Destination(name: "crm", url: "http://127.0.0.1:9/", signing: .none)],
      keepsTimeline: false, dedupeBits: 16)
    var sent: [(run: Int64, at: Instant)] = []
    var stopped = 0
    room.watch = { decisions in
      for row in decisions.deliveries { sent.append((row.run, room.now)) }
      stopped += decisions.endedRuns.count { $0.status == .stopped }
    }
    try register(room)
    var work = Work()
    try work.measure("first move") { try tell(room, "webinar.rescheduled", "m1", "2026-02-20T18:00:00Z") }
    try work.measure("second move") { try tell(room, "webinar.rescheduled", "m2", "2026-02-15T18:00:00Z") }
    if cancels { try work.measure("cancelling") { try tell(room, "webinar.cancelled", "c", "") } }
    let evening = ISO8601.parse("2026-02-12T00:00:00Z") ?? room.now
    try room.advance(to: evening)
    try work.measure(cancels ? "the time that passes" : "reminders") {
      try room.advance(to: ISO8601.parse("2026-02-16T00:00:00Z") ?? evening)
    }
    try check(sent, stopped, cancels: cancels)
    return work
  }

  private static func register(_ room: Rehearsal) throws {
    for start in stride(from: 0, to: registrants, by: 500) {
      let texts = (start..<start + 500).map { number in
        #"{"id":"r\#(number)","name":"webinar.registered","user":"u\#(number)","thing":"webinar:w7","traits":{"timezone":"\#(zones[number % zones.count])"},"data":{"starts_at":"2026-02-10T18:00:00Z"}}"#
      }
      let named = (start..<start + 500).map { number in
        #"{"id":"i\#(number)","name":"identify","user":"u\#(number)","traits":{"timezone":"\#(zones[number % zones.count])"}}"#
      }
      try room.submit(all: try (named + texts).map { try room.event(Array($0.utf8), source: "bench", id: "") })
    }
  }

  private static func tell(_ room: Rehearsal, _ name: String, _ id: String, _ date: String) throws {
    let text = #"{"id":"\#(id)","name":"\#(name)","thing":"webinar:w7","data":{"starts_at":"\#(date)"}}"#
    try room.submit(try room.event(Array(text.utf8), source: "bench", id: ""))
  }

  /// 18:00 in each of the zones on the day before 15 February, 18:00 in UTC; in Sydney it begins on the 16th.
  private static let moments = [
    "2026-02-14T18:00:00Z", "2026-02-14T17:00:00Z", "2026-02-14T23:00:00Z", "2026-02-15T09:00:00Z",
    "2026-02-15T07:00:00Z",
  ]

  private static func check(_ sent: [(run: Int64, at: Instant)], _ stopped: Int, cancels: Bool) throws {
    let right = cancels ? sent.isEmpty && stopped == registrants : stopped == 0 && areRight(sent)
    if !right { throw RehearsalError("\(sent.count) reminders, \(stopped) stopped: not what they had to be") }
  }

  private static func areRight(_ sent: [(run: Int64, at: Instant)]) -> Bool {
    var counts: [Instant: Int] = [:]
    for one in sent { counts[one.at, default: 0] += 1 }
    let wanted = moments.compactMap { ISO8601.parse($0) }
    return Set(sent.map(\.run)).count == registrants && wanted.allSatisfy { counts[$0] == registrants / wanted.count }
  }
}
