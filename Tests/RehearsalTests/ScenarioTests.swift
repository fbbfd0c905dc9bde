// Scenarios: what a line means, what is wrong with one, and that the clock goes where it should.
//
// Thread: the test's. Promise: nothing is half-run.

import Basics
import Model
import Rehearsal
import Rules
import Testing

@Suite struct ScenarioTests {
  private static let rule = Room.rule(
    "on = 'failed', stop_on = { 'paid' }",
    "wait('1 day') local reply = call('billing', 'retry', {}) send('crm', reply.ok and 'thanks' or 'reminder', {})")

  private static func play(_ lines: [String], until: String? = nil) throws -> Rehearsal {
    let text = lines.joined(separator: "\n")
    let scenario = try Scenario(Array(text.utf8), knownDestinations: ["crm", "billing"])
    return try scenario.play(
      try Room.set(["r": rule]), destinations: [], zone: "UTC", until: until.flatMap { ISO8601.parse($0) })
  }

  private static func sent(_ room: Rehearsal) -> [String] {
    room.kinds(.send).map { "\(TimelineText.time($0.at)) \($0.type)" }
  }

  @Test func `an event's time moves the clock, and the first one sets it`() throws {
    let room = try ScenarioTests.play([
      #"{"name":"failed","user":"ada","time":"2026-03-01T10:00:00Z"}"#, "", "// a remark",
      #"{"name":"failed","user":"bob","time":"2026-03-02T12:00:00Z"}"#,
    ])
    #expect(ScenarioTests.sent(room) == ["Mon 2026-03-02 10:00:00 thanks"])
    #expect(TimelineText.time(room.now) == "Mon 2026-03-02 12:00:00")
    #expect(room.timeline.runs.count == 1)
  }

  @Test func `without a time an event happens when the clock stands, and one from the past comes late`() throws {
    let room = try ScenarioTests.play([
      #"{"name":"failed","user":"ada"}"#, #"{"advance":"12 hours"}"#, #"{"name":"failed","user":"bob"}"#,
      #"{"at":"2026-01-07T00:00:00Z"}"#, #"{"name":"failed","user":"cleo","time":"2026-01-01T00:00:00Z"}"#,
    ])
    #expect(
      room.kinds(.event).map { TimelineText.time($0.at) } == [
        "Mon 2026-01-05 09:00:00", "Mon 2026-01-05 21:00:00", "Wed 2026-01-07 00:00:00",
      ])
    #expect(ScenarioTests.sent(room) == ["Tue 2026-01-06 09:00:00 thanks", "Tue 2026-01-06 21:00:00 thanks"])
  }

  @Test func `a moment that the file names first is where it begins, also when an event is older`() throws {
    let room = try ScenarioTests.play([
      #"{"at":"2026-03-01T10:00:00Z"}"#, #"{"name":"failed","user":"ada","time":"2026-02-01T10:00:00Z"}"#,
    ])
    #expect(room.kinds(.event).map { TimelineText.time($0.at) } == ["Sun 2026-03-01 10:00:00"])
  }

  @Test func `replies answer calls, and until goes on or stops short`() throws {
    let lines = [
      #"{"reply":{"destination":"billing","type":"retry","ok":false,"status":402}}"#,
      #"{"name":"failed","user":"ada","time":"2026-03-01T10:00:00Z"}"#,
      #"{"name":"failed","user":"bob","time":"2026-03-09T10:00:00Z"}"#,
    ]
    let all = try ScenarioTests.play(lines, until: "2026-03-20T00:00:00Z")
    #expect(ScenarioTests.sent(all) == ["Mon 2026-03-02 10:00:00 reminder", "Tue 2026-03-10 10:00:00 thanks"])
    let some = try ScenarioTests.play(lines, until: "2026-03-01T18:00:00Z")
    #expect(some.kinds(.event).count == 1 && some.timeline.runs.count == 1)
    #expect(TimelineText.time(some.now) == "Sun 2026-03-01 18:00:00")
  }

  @Test func `an event at the moment of a wait's end comes before it`() throws {
    let room = try ScenarioTests.play([
      #"{"name":"failed","user":"ada","time":"2026-03-01T10:00:00Z"}"#,
      #"{"name":"paid","user":"ada","time":"2026-03-02T10:00:00Z"}"#,
    ])
    #expect(ScenarioTests.sent(room).isEmpty)
    #expect(room.kinds(.ended).map(\.name) == ["stopped"])
  }

  @Test func `Segment's calls and CloudEvents are events, too`() throws {
    let room = try ScenarioTests.play([
      #"{"type":"track","event":"failed","userId":"ada","timestamp":"2026-03-01T10:00:00Z"}"#,
      #"{"specversion":"1.0","id":"1","source":"x","type":"failed","subject":"bob","time":"2026-03-01T11:00:00Z"}"#,
    ])
    #expect(
      room.kinds(.event).map { TimelineText.time($0.at) } == ["Sun 2026-03-01 10:00:00", "Sun 2026-03-01 11:00:00"])
  }

  @Test func `every bad line is told with its number`() {
    let lines = [
      #"{"name":"failed","user":"ada"}"#, "{x", "5", #"{"advnce":"1 day"}"#, #"{"advance":"1 dya"}"#, #"{"at":"soon"}"#,
      #"{"reply":{"destination":"bling","type":"x"}}"#, #"{"reply":{"type":"x"}}"#,
      #"{"reply":{"destination":"billing","type":"x","okay":true}}"#, #"{"name":"failed"}"#,
      #"{"name":"failed","usr":"1"}"#,
    ]
    let wanted = [
      (2, "not valid JSON"), (3, "a line is an event such as"), (4, "did you mean 'advance'?"),
      (5, "\"dya\" is not a unit"),
      (6, "write it like"), (7, "no destination 'bling'"), (8, "it needs \"destination\" and \"type\""),
      (9, "unknown option 'okay'"), (10, "the event says nobody"), (11, "unknown field 'usr' (did you mean 'user'?)"),
    ]
    do {
      _ = try ScenarioTests.play(lines)
      Issue.record("it was played")
    } catch let error as ScenarioError {
      #expect(error.complaints.map(\.line) == wanted.map(\.0))
      for (complaint, (_, part)) in zip(error.complaints, wanted) {
        #expect(complaint.message.contains(part), "\(complaint.message)")
      }
    } catch { Issue.record("\(error)") }
  }

  @Test func `what a thing did to the runs of several people is told of each of them`() throws {
    let remind = Room.rule(
      "on = before('data.at', '1 hour', { event = 'came', moved = 'moved', cancelled = 'cancelled' }), key = 'thing'",
      "send('crm', 'soon', {})")
    let lines = ["ada", "bob", "cleo"].map {
      #"{"name":"came","user":"\#($0)","thing":"webinar:w7","data":{"at":"2026-03-01T10:00:00Z"}}"#
    }
    let scenario = try Scenario(
      Array((lines + [#"{"name":"cancelled","thing":"webinar:w7"}"#]).joined(separator: "\n").utf8),
      knownDestinations: ["crm"])
    let room = try scenario.play(try Room.set(["r": remind]), destinations: [], zone: "UTC", until: nil)
    let stopped = room.kinds(.rule).filter { $0.code == .stopped }
    #expect(stopped.count == 3)
    // Each of them where its run ended.
    let ended = room.kinds(.ended).map(\.subject)
    #expect(Set(stopped.map(\.subject)) == Set(ended) && Set(ended).count == 3)
  }
}
