// The room in virtual time, through its public door.
//
// Thread: the test's. Promise: no clock but the one that is moved.

import Basics
import Engine
import Model
import Rehearsal
import Rules
import Store
import Testing

/// Rules in a few lines, and a rehearsal of them.
enum Room {
  static let day: Int64 = 86_400_000

  static func rule(_ header: String, _ body: String) -> String {
    "return rule { title = 'T', \(header), run = function(event, customer)\n\(body)\nend }"
  }

  static func set(_ files: [String: String]) throws -> RuleSet {
    let sources = files.sorted { $0.key < $1.key }.map { RuleSource(path: $0.key + ".lua", text: $0.value) }
    let loading = RuleSet.load(sources: sources, knownDestinations: nil)
    if let complaint = loading.complaints.first { throw complaint }
    return loading.set
  }

  static func rehearsal(_ files: [String: String]) throws -> Rehearsal { try Rehearsal(rules: set(files)) }
}

extension Rehearsal {
  func take(_ name: String, _ data: String = "{}", user: String = "ada", id: String = "") throws {
    let member = id.isEmpty ? "" : #","id":"\#(id)""#
    let text = #"{"name":"\#(name)","user":"\#(user)","data":\#(data)\#(member)}"#
    try submit(try event(Array(text.utf8), source: "web", id: "made-\(timeline.entries.count)"))
  }

  func kinds(_ kinds: TimelineEntry.Kind...) -> [TimelineEntry] {
    timeline.entries.filter { kinds.contains($0.kind) }
  }
}

@Suite struct RehearsalTests {
  @Test func `time passes from wake to wake and stops exactly where it was told to`() throws {
    let room = try Room.rehearsal([
      "r": Room.rule("on = 'a'", "for n = 1, 3 do wait('1 day') send('crm', 't', { n = n }) end")
    ])
    #expect(ISO8601.format(room.now) == "2026-01-05T09:00:00.000Z")
    try room.take("a")
    try room.advance(to: room.now + (Room.day - 1))
    #expect(room.kinds(.send).isEmpty)
    try room.advance(to: room.now + 1)
    #expect(room.kinds(.send).count == 1)
    try room.advance(to: room.now + 5 * Room.day)
    #expect(room.kinds(.send).map { $0.at - Rehearsal.start } == [Room.day, 2 * Room.day, 3 * Room.day])
    #expect(room.now - Rehearsal.start == 6 * Room.day)
    #expect(room.timeline.runs.isEmpty)
    #expect(throws: RehearsalError.self) { try room.advance(to: Rehearsal.start) }
  }

  @Test func `the timeline tells what happened, in order, with rule, line and reason`() throws {
    let room = try Room.rehearsal([
      "r": Room.rule(
        "on = 'a', stop_on = { 'z' }",
        "check((state.n or 0) + event.data.n > 0, 'nothing to do')\nstate.n = event.data.n\nset { seen = true }\nlog('hello')\nwait('1 day')"
      )
    ])
    try room.take("a", #"{"n":0}"#)
    try room.take("a", #"{"n":2}"#)
    try room.take("z")
    #expect(
      room.timeline.entries.map(\.kind.rawValue) == [
        "event", "rule", "event", "rule", "state", "traits", "log", "waits", "event", "rule", "ended",
      ])
    let skipped = room.timeline.entries[1]
    #expect(skipped.code == .skipped && skipped.reason == "nothing to do" && skipped.line == 2)
    #expect(skipped.reads.contains(ReadValue(name: "state.n", value: "null")))
    let waits = try #require(room.kinds(.waits).first)
    #expect(waits.wait?.until == Rehearsal.start + Room.day && waits.line == 6 && waits.run > 0)
    #expect(room.kinds(.ended).map(\.name) == ["stopped"])
    let lines = TimelineText(folder: "rules").lines(room.timeline.entries)
    #expect(lines[1].hasSuffix("rule    rules/r.lua:2 skipped: nothing to do [state.n = null]"), "\(lines[1])")
    #expect(
      lines[7].hasSuffix("rules/r.lua:6 run \(waits.run) sleeps until Tue 2026-01-06 09:00:00, in 1 d"), "\(lines[7])")
    #expect(lines[0].hasPrefix("Mon 2026-01-05 09:00:00  event   a {\"n\":0}"))
    #expect(lines[1].hasPrefix(String(repeating: " ", count: 25)))
  }

  @Test func `calls get their replies in order, all is well without one, and one that nobody gives times out`() throws {
    let room = try Room.rehearsal([
      "r": Room.rule(
        "on = 'a'",
        """
        for n = 1, 3 do
          local reply = call('billing', 'retry', { n = n }, { within = '10 s' })
          send('crm', reply.ok and 'yes' or 'no', { status = reply.status, id = reply.body and reply.body.id, unknown = reply.unknown })
        end
        """)
    ])
    var first = Reply(destination: "billing", type: "retry")
    first.ok = false
    first.status = 402
    room.reply(first)
    var second = Reply(destination: "billing", type: "retry")
    second.body = Array(#"{"id":"ch_1"}"#.utf8)
    room.reply(second)
    try room.take("a")
    #expect(room.kinds(.send).map(\.type) == ["no", "yes", "yes"])
    #expect(String(decoding: room.kinds(.send)[0].data, as: UTF8.self) == #"{"status":402,"unknown":false}"#)
    #expect(String(decoding: room.kinds(.send)[1].data, as: UTF8.self) == #"{"id":"ch_1","status":200}"#)
    #expect(room.replies.isEmpty)
    var silent = Reply(destination: "billing", type: "retry")
    silent.isMissing = true
    room.reply(silent)
    try room.take("a")
    #expect(room.kinds(.send).count == 3)
    try room.advance(to: room.now + 10_000)
    #expect(String(decoding: room.kinds(.send)[3].data, as: UTF8.self) == #"{"unknown":true}"#)
  }

  @Test func `an event that is seen twice happens once, and the timeline says so`() throws {
    let room = try Room.rehearsal(["r": Room.rule("on = 'a'", "send('crm', 't', {})")])
    try room.take("a", id: "e1")
    try room.take("a", id: "e1")
    #expect(room.kinds(.send).count == 1)
    #expect(room.kinds(.again).map(\.reason) == ["the id 'e1' was seen before; nothing happens"])
  }

  @Test func `an event at the moment at which a wait ends comes first`() throws {
    let room = try Room.rehearsal([
      "r": Room.rule(
        "on = 'a'", "local b = wait_for('b', { within = '1 day' }) send('crm', b and 'event' or 'time', {})")
    ])
    try room.take("a")
    try room.advance(to: Rehearsal.start + Room.day, stopsShort: true)
    try room.take("b")
    #expect(room.kinds(.send).map(\.type) == ["event"])
  }

  @Test func `runs hear of the events of other subjects, and rules emit to them`() throws {
    let room = try Room.rehearsal([
      "registered": Room.rule(
        "on = 'registered'",
        "local moved = wait_for('webinar.moved', { subject = 'webinar:' .. event.data.webinar }) send('crm', 'moved', { to = moved.data.to })"
      ),
      "moved": Room.rule("on = 'rescheduled'", "emit('webinar.moved', { to = 7 }, { subject = 'webinar:w1' })"),
    ])
    try room.take("registered", #"{"webinar":"w1"}"#)
    try room.take("rescheduled", user: "bob")
    #expect(room.kinds(.send).map { String(decoding: $0.data, as: UTF8.self) } == [#"{"to":7}"#])
    #expect(room.kinds(.emit).map(\.name) == ["webinar.moved"])
    let lines = TimelineText(folder: "").lines(room.timeline.entries, names: room.timeline.names)
    #expect(lines[0].hasSuffix("  user:ada    event   registered {\"webinar\":\"w1\"}"), "\(lines[0])")
    #expect(lines.contains { $0.hasSuffix("  webinar:w1  emit    webinar.moved {\"to\":7}") }, "\(lines)")
  }

  @Test func `a run of many months outlives every retention`() throws {
    let room = try Room.rehearsal([
      "r": Room.rule("on = 'a'", "wait('500 days') send('crm', 't', { n = event.data.n })")
    ])
    try room.take("a", #"{"n":5}"#)
    for day in 1...500 { try room.advance(to: Rehearsal.start + Int64(day) * Room.day) }
    #expect(room.kinds(.send).map { String(decoding: $0.data, as: UTF8.self) } == [#"{"n":5}"#])
  }

  @Test func `a run that fails after a wait is parked with its line`() throws {
    let room = try Room.rehearsal(["r": Room.rule("on = 'a'", "wait('1 day')\nlocal n = event.data.n + 1")])
    try room.take("a")
    try room.advance(to: room.now + Room.day)
    let parked = try #require(room.kinds(.parked).first)
    #expect(parked.line == 3 && parked.reason.contains("arithmetic"))
    #expect(room.timeline.runs.values.map(\.isParked) == [true])
  }
}
