// A story: events that are sent one after the other, each when the daemon's clock has come to its moment.
//
// Thread: main, in a command. Promise: every line is read before the first is sent, and what is wrong is told with
// its line; under a clock that runs fast weeks are told in minutes, under a real one in weeks.

internal import Basics
internal import Glibc
internal import Model

struct Story {
  private enum Step {
    case say(String)
    case advance(Int64)
    case event(JSONValue)
  }
  private var steps: [Step] = []

  init(_ text: [UInt8], name: String) throws {
    var complaints: [String] = []
    for (place, bytes) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let line = Story.trimmed(String(decoding: bytes, as: UTF8.self))
      if line.isEmpty { continue }
      do { steps.append(try Story.step(line)) } catch { complaints.append("\(name):\(place + 1): \(error)") }
    }
    if !complaints.isEmpty { throw UsageError(complaints.joined(separator: "\n")) }
  }

  private static func trimmed(_ text: String) -> String {
    let start = text.drop { $0 == " " || $0 == "\t" }
    return String(start.reversed().drop { $0 == " " || $0 == "\t" || $0 == "\r" }.reversed())
  }

  private static func step(_ line: String) throws -> Step {
    if line.hasPrefix("//") { return .say(trimmed(String(line.dropFirst(2)))) }
    let value = try Document.parse(Array(line.utf8)).root.value
    guard case .object(let members) = value else {
      throw UsageError(
        "a line is an event such as {\"name\": \"signup\", \"user\": \"42\"}, {\"advance\": \"3 days\"}, or a comment")
    }
    if members.count == 1, let only = members.first {
      if only.key == "advance", case .string(let text) = only.value { return .advance(try DurationText.parse(text)) }
      if only.key == "reply" { throw UsageError("in a story whoever receives webhooks replies") }
      throw UsageError("\"\(only.key)\" alone is no event; write {\"advance\": \"3 days\"} or an event")
    }
    try check(value)
    return .event(value)
  }

  /// Moments are understood before anything is sent.
  private static func check(_ value: JSONValue) throws {
    _ = try filled(value, from: Instant.zero)
  }

  /// "@2 days" is a moment, and "@-1 day" one before the story.
  private static func filled(_ value: JSONValue, from start: Instant) throws -> JSONValue {
    switch value {
    case .string(let text) where text.hasPrefix("@"):
      let isBefore = text.hasPrefix("@-")
      let milliseconds = text == "@" ? 0 : try DurationText.parse(String(text.dropFirst(isBefore ? 2 : 1)))
      return .string(ISO8601.format(start + (isBefore ? -milliseconds : milliseconds)))
    case .array(let elements): return .array(try elements.map { try filled($0, from: start) })
    case .object(let members):
      return .object(try members.map { JSONValue.Member($0.key, try filled($0.value, from: start)) })
    default: return value
    }
  }

  // MARK: telling

  func tell(to client: Client) throws -> Int32 {
    let start = try moment(client)
    // Moments in events are those of people: whole minutes.
    let minute = start + -(start.milliseconds % 60_000)
    var due: Int64 = 0
    var moment: [JSONValue] = []
    for step in steps {
      if case .event(let value) = step {
        moment.append(try Story.filled(value, from: minute))
        if moment.count < Story.mostAtOnce { continue }
      }
      guard try send(&moment, to: client) else { return 1 }
      switch step {
      case .say(let text): Terminal.print("\n\(text)")
      case .advance(let milliseconds):
        due += milliseconds
        try sleep(until: start + due, client)
      case .event: break
      }
    }
    return try send(&moment, to: client) ? 0 : 1
  }

  private static let mostAtOnce = 10

  /// What stands together happens at one moment: between two requests a fast clock may go on by minutes.
  private func send(_ events: inout [JSONValue], to client: Client) throws -> Bool {
    if events.isEmpty { return true }
    defer { events = [] }
    let response = try client.send("POST", "/v1/events", body: JSONValue.array(events).text, type: "application/json")
    let refused = (try? Document.parse(response.body))?.root["refused"]?.elements ?? []
    if response.status == 200, refused.isEmpty { return true }
    Terminal.complain(refused.first?["message"]?.string ?? response.text)
    return false
  }

  private func moment(_ client: Client) throws -> Instant {
    try client.get("/healthz").clock.flatMap(ClockMark.moment) ?? Clocks.system.wall()
  }

  private func sleep(until due: Instant, _ client: Client) throws {
    while true {
      let clock = try client.get("/healthz").clock
      let left = due - (clock.flatMap(ClockMark.moment) ?? Clocks.system.wall())
      if left <= 0 { return }
      let rate = clock.flatMap { $0.split(separator: "=").last }.flatMap { Int64($0) } ?? 1
      // Never long at a time: a fast clock may have caught up meanwhile.
      poll(nil, 0, Int32(min(max(left / max(rate, 1), 1), 1_000)))
    }
  }
}
