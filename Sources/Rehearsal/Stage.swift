// What the words of a test do: events and time go into a rehearsal, expectations are held against its
// timeline.
//
// Thread: the test's. Promise: a slip in a word's arguments is a sentence at its line; an expectation that
// does not hold says what was expected, what was found, and which field differs.

internal import Basics
internal import Engine
internal import Model
internal import Rules

/// Why an expectation did not hold.
package struct Unmet: Sendable, Equatable {
  package var message: String
  package var field = ""
  package var expected = ""
  package var found = ""
}

/// What tests share: the rules, and what is known of the outside.
struct StageSetting {
  var rules: RuleSet
  /// The rule beside the test; nil: there is none.
  var rule: String?
  var destinations: [Destination]
  /// Nil: any name will do.
  var knownDestinations: Set<String>?
  /// What the catalogue knows; nil: it does not say.
  var knownEvents: Set<String>?
  var knownTypes: Set<String>?
  var zone: String
  var policies = Policies()
  var wakesPerAdvance: Int
}

final class Stage: TestWords {
  let setting: StageSetting
  let rehearsal: Rehearsal
  let parser = DocumentParser(maximumBytes: Limits.ruleArgumentBytes)
  /// The expectation that did not hold, if that is what ended the test.
  private(set) var unmet: Unmet?
  /// Places in the timeline that an expectation has matched.
  var taken: Set<Int> = []
  /// Where the last event or stretch of time began in the timeline.
  var newest = 0
  /// Whom it was about.
  var subject = SubjectReference(namespace: "user", id: Stage.user)
  private var eventCount = 0

  /// The user of events that name nobody.
  static let user = "42"

  init(_ setting: StageSetting) throws {
    self.setting = setting
    rehearsal = try Rehearsal(
      rules: setting.rules, destinations: setting.destinations, zone: setting.zone, policies: setting.policies,
      holdsOut: false)
    rehearsal.wakesPerAdvance = setting.wakesPerAdvance
  }

  var entries: [TimelineEntry] { rehearsal.timeline.entries }

  func answer(_ word: TestWord, _ call: RuleCall) {
    do {
      try act(word, Words(word, call, parser))
    } catch let error as UnmetError {
      unmet = error.unmet
      call.fail(error.unmet.message)
    } catch let error as EventRefusal {
      call.fail("\(word.rawValue): \(error.message)")
    } catch {
      call.fail("\(word.rawValue): \(error)")
    }
  }

  private func act(_ word: TestWord, _ words: Words) throws {
    switch word {
    case .event: try event(words)
    case .identify: try identify(words)
    case .advance: try advance(words)
    case .at: try move(words)
    case .reply: try reply(words)
    case .expectSent: try expectWebhook(words, .send)
    case .expectCalled: try expectWebhook(words, .call)
    case .expectEmitted: try expectEmitted(words)
    case .expectLogged: try expectLogged(words)
    case .expectNothing: try expectNothing(words)
    case .expectWaiting: try expectWaiting(words)
    case .expectNotWaiting: try expectNotWaiting(words)
    case .expectVerdict: try expectVerdict(words)
    case .expectState: try expectState(words)
    case .expectTraits: try expectTraits(words)
    case .expectIn: try expectSegment(words, isInside: true)
    case .expectNotIn: try expectSegment(words, isInside: false)
    case .expectEnded: try expectEnded(words)
    }
  }

  // MARK: events

  private static let subjectOptions = ["user", "account", "thing", "anonymous"]
  private static let eventOptions = subjectOptions + ["id", "time", "context"]

  private func event(_ words: Words) throws {
    try words.takeAtMost(3)
    let name = try words.text(0, "the event's name", example: "\"signup\"")
    try checkEvent(name)
    let data = try words.object(1)
    let options = try words.options(2, known: Stage.eventOptions)
    try submit(name, [.init("data", data ?? .object([]))], options)
  }

  private func identify(_ words: Words) throws {
    try words.takeAtMost(2)
    guard let traits = try words.object(0) else {
      throw WordError("identify needs a table of traits, such as { plan = \"pro\" }")
    }
    let options = try words.options(1, known: Stage.eventOptions)
    try submit("identify", [.init("traits", traits)], options)
  }

  private func submit(_ name: String, _ more: [JSONValue.Member], _ options: [JSONValue.Member]) throws {
    eventCount += 1
    var members: [JSONValue.Member] = [.init("name", .string(name))]
    members += options
    if !options.contains(where: { Stage.subjectOptions.contains($0.key) }) {
      members.append(.init("user", .string(Stage.user)))
    }
    if !options.contains(where: { $0.key == "id" }) { members.append(.init("id", .string("test-\(eventCount)"))) }
    let incoming = try rehearsal.event(JSONValue.object(members + more).text, source: "test", id: "")
    subject = incoming.event.primary ?? subject
    newest = entries.count
    try rehearsal.submit(incoming)
  }

  /// A name that no rule here hears of may be meant so, if the catalogue has it; without a catalogue one that
  /// is nearly such a name is a slip.
  private func checkEvent(_ name: String) throws {
    var known: Set<String> = ["identify", "group"]
    for rule in setting.rules.rules {
      known.formUnion(rule.header.on)
      known.formUnion(rule.awaited)
      known.formUnion(rule.header.stopOn.map(\.event))
      if let goal = rule.header.goal { known.insert(goal.event) }
    }
    if known.contains(name) { return }
    if let events = setting.knownEvents {
      if events.contains(name) { return }
      let near = Suggestion.ending(for: name, among: events.union(known))
      throw WordError("there is no event '\(name)'\(near); new ones belong into catalog.lua")
    }
    guard let near = Suggestion.nearest(to: name, among: known) else { return }
    throw WordError("no rule here hears of the event '\(name)' (did you mean '\(near)'?)")
  }

  // MARK: time

  private func advance(_ words: Words) throws {
    try words.takeAtMost(1)
    let text = try words.text(0, "a duration", example: "\"3 days\"")
    let pause: Int64
    do throws(DurationError) { pause = try DurationText.parse(text) } catch { throw WordError(error.description) }
    newest = entries.count
    try rehearsal.advance(to: rehearsal.now + pause)
  }

  private func move(_ words: Words) throws {
    try words.takeAtMost(2)
    let text = try words.text(0, "a moment", example: "\"2026-03-01T09:00:00Z\"")
    let target = try Stage.moment(text, zone: try words.optionalText(1, "the zone", example: "\"Europe/Berlin\""))
    newest = entries.count
    if !rehearsal.hasBegun { return rehearsal.begin(at: target) }
    try rehearsal.advance(to: target)
  }

  /// With a zone, the text is a time of day there.
  static func moment(_ text: String, zone: String?) throws -> Instant {
    guard let zone else {
      if let instant = ISO8601.parse(text) { return instant }
      throw WordError(
        "'\(text)' is no moment with a zone; write it like \"2026-03-01T09:00:00Z\", or \"2026-03-01 09:00\" and a zone such as \"Europe/Berlin\""
      )
    }
    guard let rules = ZoneShelf().zone(zone) else {
      throw WordError("there is no time zone '\(zone)'; write it like \"Europe/Berlin\"")
    }
    let whole = text.utf8.count == 16 ? text + ":00Z" : text + "Z"
    guard let local = ISO8601.parse(whole) else {
      throw WordError("'\(text)' is no local time; write it like \"2026-03-01 09:00\"")
    }
    return rules.instant(of: CivilTime(localMilliseconds: local.milliseconds))
  }

  // MARK: replies

  private func reply(_ words: Words) throws {
    try words.takeAtMost(3)
    let destination = try destination(words)
    let type = try type(words, example: "\"payment.retry\"")
    guard let answer = try words.object(2), case .object(let members) = answer else {
      throw WordError("reply needs what is answered, such as { ok = true, body = { id = \"ch_1\" } }")
    }
    rehearsal.reply(try Reply(destination: destination, type: type, members))
  }

  func type(_ words: Words, example: String) throws -> String {
    let type = try words.text(1, "the type", example: example)
    if let known = setting.knownTypes, !known.contains(type) {
      throw WordError(
        "there is no template '\(type)'\(Suggestion.ending(for: type, among: known)); new ones belong into catalog.lua")
    }
    return type
  }

  func destination(_ words: Words) throws -> String {
    let name = try words.text(0, "the destination", example: "\"crm\"")
    if let known = setting.knownDestinations, !known.contains(name) {
      let list = known.isEmpty ? "none is configured" : "configured are \(known.sorted().joined(separator: ", "))"
      throw WordError("there is no destination '\(name)'\(Suggestion.ending(for: name, among: known)); \(list)")
    }
    return name
  }

  // MARK: the end

  /// What a test has to answer for when it came to its end: nothing may have gone wrong unnoticed.
  func unmetAtEnd() -> Unmet? {
    for (place, entry) in entries.enumerated() where !taken.contains(place) {
      let isFailure = entry.kind == .parked || entry.code == .failed || entry.code == .overBudget
      guard isFailure else { continue }
      let what = entry.kind == .parked ? "a run of \(entry.rule) was parked" : "\(entry.rule) \(entry.code?.word ?? "")"
      let line = entry.line > 0 ? " (line \(entry.line))" : ""
      return Unmet(
        message:
          "\(what)\(line): \(entry.reason); if that is right, say t:expect_verdict(\"\(entry.kind == .parked ? "parked" : entry.code?.word ?? "")\")"
      )
    }
    if let reply = rehearsal.replies.first {
      return Unmet(
        message: "a reply of \(reply.destination) to \(reply.type) was laid down, and nothing called for it")
    }
    return nil
  }
}

extension Reply {
  package static let options = ["ok", "status", "body", "error", "no_reply"]

  /// From a table such as { ok = false, status = 402 }.
  init(destination: String, type: String, _ members: [JSONValue.Member]) throws {
    self.init(destination: destination, type: type)
    var saysOK = false
    for member in members {
      switch (member.key, member.value) {
      case ("ok", .boolean(let value)):
        ok = value
        saysOK = true
      case ("status", .integer(let value)) where (100...599).contains(value): status = Int(value)
      case ("body", let value): body = value == .null ? [] : value.text
      case ("error", .string(let value)): error = value
      case ("no_reply", .boolean(let value)): isMissing = value
      case (let key, let value):
        guard Reply.options.contains(key) else {
          throw WordError("unknown option '\(key)'\(Suggestion.ending(for: key, among: Reply.options))")
        }
        let wanted = ["status": "a number from 100 to 599", "error": "a text"][key] ?? "true or false"
        throw WordError("'\(key)' must be \(wanted); it is \(String(decoding: value.text, as: UTF8.self))")
      }
    }
    let hasStatus = members.contains { $0.key == "status" }
    if !saysOK { ok = hasStatus ? (200...299).contains(status) : error.isEmpty }
    // A connection that failed has no status.
    if !ok, !hasStatus { status = error.isEmpty ? 500 : 0 }
  }
}
