// What a test expects, held against the timeline. An expectation takes what it matched, so that what is
// left is what nobody expected.
//
// Thread: the test's. Promise: what did not hold is told with the nearest thing that did happen.

internal import Basics
internal import Model
internal import Rules

extension Stage {
  private func fail(_ message: String, _ difference: Difference? = nil) -> UnmetError {
    UnmetError(
      unmet: Unmet(
        message: message, field: difference?.field ?? "", expected: difference?.expected ?? "",
        found: difference?.found ?? ""))
  }

  private static let whose = ["user", "account", "thing"]

  /// The subject that the options name; nil: they name none.
  private func named(_ options: [JSONValue.Member]) throws -> SubjectReference? {
    for option in options {
      let id = option.value.asText ?? String(decoding: option.value.text, as: UTF8.self)
      switch option.key {
      case "user", "account": return SubjectReference(namespace: option.key, id: id)
      case "thing":
        guard let reference = SubjectReference(id) else {
          throw WordError("'thing' must be such as \"webinar:w7\"; it is \(id)")
        }
        return reference
      default: continue
      }
    }
    return nil
  }

  private func number(of reference: SubjectReference) throws -> Int64 { try rehearsal.subject(reference) ?? 0 }

  private func open(_ kinds: Set<TimelineEntry.Kind>) -> [Int] {
    entries.indices.filter { kinds.contains(entries[$0].kind) && !taken.contains($0) }
  }

  private func value(_ json: [UInt8]) -> JSONValue? { json.isEmpty ? nil : try? Document.parse(json).root.value }

  private func shown(_ entry: TimelineEntry) -> String {
    let data = entry.data.isEmpty ? "" : " " + String(decoding: entry.data, as: UTF8.self)
    return entry.kind == .emit ? entry.name + data : "\(entry.name) \(entry.type)\(data)"
  }

  private func list(_ places: [Int]) -> String {
    places.prefix(5).map { shown(entries[$0]) }.joined(separator: "; ") + (places.count > 5 ? "; …" : "")
  }

  // MARK: webhooks

  func expectWebhook(_ words: Words, _ kind: TimelineEntry.Kind) throws {
    try words.takeAtMost(4)
    let destination = try destination(words)
    let type = try type(words, example: "\"user.welcome\"")
    let wanted = try words.object(2) ?? .object([])
    let options = try words.options(3, known: Stage.whose)
    var places = open([kind])
    if let reference = try named(options) {
      let subject = try number(of: reference)
      places = places.filter { entries[$0].subject == subject }
    }
    let same = places.filter { entries[$0].name == destination && entries[$0].type == type }
    var nearest: Difference?
    for place in same {
      guard let difference = Difference.between(wanted, value(entries[place].data)) else {
        taken.insert(place)
        return
      }
      nearest = nearest ?? difference
    }
    let verb = kind == .send ? "sent" : "called"
    if let nearest {
      throw fail("\(destination) \(type) was \(verb), but not with this data", nearest)
    }
    let otherKind: TimelineEntry.Kind = kind == .send ? .call : .send
    if let other = open([otherKind]).first(where: { entries[$0].name == destination && entries[$0].type == type }) {
      let right = kind == .send ? "t:expect_called" : "t:expect_sent"
      throw fail(
        "\(destination) \(type) was not \(verb) but \(kind == .send ? "called" : "sent"): \(shown(entries[other])); use \(right)"
      )
    }
    let near = Suggestion.ending(for: type, among: places.map { entries[$0].type })
    let what = places.isEmpty ? "nothing was \(verb)" : "\(verb) were: \(list(places))"
    throw fail("\(destination) \(type) was not \(verb)\(near); \(what)")
  }

  func expectNothing(_ words: Words) throws {
    try words.takeAtMost(0)
    let places = open([.send, .call])
    if places.isEmpty { return }
    throw fail("nothing more was expected to leave, but there is: \(list(places))")
  }

  func expectEmitted(_ words: Words) throws {
    try words.takeAtMost(2)
    let name = try words.text(0, "the event's name", example: "\"payment.recovered\"")
    let wanted = try words.object(1) ?? .object([])
    let places = open([.emit])
    var nearest: Difference?
    for place in places where entries[place].name == name {
      // An event without data has none that could differ.
      let data = entries[place].data.isEmpty ? .object([]) : value(entries[place].data)
      guard let difference = Difference.between(wanted, data) else {
        taken.insert(place)
        return
      }
      nearest = nearest ?? difference
    }
    if let nearest { throw fail("\(name) was emitted, but not with this data", nearest) }
    let near = Suggestion.ending(for: name, among: places.map { entries[$0].name })
    throw fail("\(name) was not emitted\(near); \(places.isEmpty ? "nothing was" : "emitted were: \(list(places))")")
  }

  func expectLogged(_ words: Words) throws {
    try words.takeAtMost(1)
    let text = try words.text(0, "a part of what is logged", example: "\"no plan\"")
    let places = open([.log])
    if let place = places.first(where: { entries[$0].reason.contains(text) }) {
      taken.insert(place)
      return
    }
    let what =
      places.isEmpty
      ? "nothing was logged" : "logged were: \(places.map { entries[$0].reason }.joined(separator: "; "))"
    throw fail("'\(text)' was not logged; \(what)")
  }

  // MARK: runs

  private static let waitOptions = ["event", "ends", "left", "rule"] + whose

  private func waiting(_ options: [JSONValue.Member]) throws -> [Timeline.RunSeen] {
    let subject = try number(of: try named(options) ?? subject)
    return rehearsal.timeline.runs.values.filter { $0.subject == subject && !$0.isParked }
      .sorted { $0.number < $1.number }
  }

  func expectWaiting(_ words: Words) throws {
    try words.takeAtMost(1)
    let options = try words.options(0, known: Stage.waitOptions)
    var runs = try waiting(options)
    if let rule = try rule(options) { runs = runs.filter { $0.rule == rule } }
    let wanted = try waitWanted(options)
    var nearest: Difference?
    for run in runs {
      let found = waitFound(run)
      guard
        let difference = wanted.lazy.compactMap({ Difference.between($0.value, found[$0.key], field: $0.key) }).first
      else { return }
      nearest = nearest ?? difference
    }
    if let nearest { throw fail("a run waits, but otherwise", nearest) }
    throw fail("no run of \(try named(options) ?? subject) waits" + ending(of: runs))
  }

  /// Why none waits, if one has ended.
  private func ending(of runs: [Timeline.RunSeen]) -> String {
    guard let last = entries.last(where: { $0.kind == .ended || $0.kind == .parked }) else { return "" }
    let how = last.kind == .parked ? "was parked" : "has ended: \(last.name)"
    return "; the last one \(how)" + (last.reason.isEmpty ? "" : ", \(last.reason)")
  }

  private func waitWanted(_ options: [JSONValue.Member]) throws -> [JSONValue.Member] {
    var wanted: [JSONValue.Member] = []
    for option in options {
      guard ["event", "ends", "left"].contains(option.key) else { continue }
      guard let text = option.value.asText else { throw WordError("'\(option.key)' must be a text") }
      switch option.key {
      case "event": wanted.append(option)
      case "ends":
        let moment = try Stage.moment(text, zone: nil)
        wanted.append(.init("ends", .string(ISO8601.format(moment))))
      default:
        do throws(DurationError) {
          wanted.append(.init("left", .string(DurationText.exact(try DurationText.parse(text)))))
        } catch { throw WordError(error.description) }
      }
    }
    return wanted
  }

  private func waitFound(_ run: Timeline.RunSeen) -> [String: JSONValue] {
    var found: [String: JSONValue] = [:]
    if let names = run.wait?.names, !names.isEmpty { found["event"] = .string(names.joined(separator: " or ")) }
    if let until = run.wait?.until {
      found["ends"] = .string(ISO8601.format(until))
      found["left"] = .string(DurationText.exact(until - rehearsal.now))
    }
    return found
  }

  func expectNotWaiting(_ words: Words) throws {
    try words.takeAtMost(1)
    let options = try words.options(0, known: Stage.whose + ["rule"])
    var runs = try waiting(options)
    if let rule = try rule(options) { runs = runs.filter { $0.rule == rule } }
    guard let run = runs.first else { return }
    throw fail(
      "no run was expected to wait, but run \(run.number) of \(run.rule) "
        + TimelineText.describe(run.wait, at: rehearsal.now))
  }

  func expectEnded(_ words: Words) throws {
    try words.takeAtMost(2)
    let reason = try words.optionalText(0, "the reason, or how it ended,", example: "\"recovered\" or \"stopped\"")
    let options = try words.options(1, known: Stage.whose + ["rule"])
    let subject = try named(options).map { try number(of: $0) }
    let rule = try rule(options)
    // One that never slept leaves its reason in the verdict.
    let places = open([.ended, .rule]).filter { place in
      let entry = entries[place]
      let isEnd = entry.kind == .ended || (entry.code == .ran && !entry.reason.isEmpty && !hasRun(entry))
      return isEnd && (subject ?? entry.subject) == entry.subject && (rule ?? entry.rule) == entry.rule
    }
    let found = places.first { place in
      reason == nil || entries[place].reason == reason || entries[place].name == reason
    }
    if let found {
      taken.insert(found)
      return
    }
    let ends = places.filter { entries[$0].kind == .ended }
    guard let nearest = ends.first ?? places.first else {
      throw fail("no run has ended" + (reason.map { " with '\($0)'" } ?? ""))
    }
    let entry = entries[nearest]
    let seen = entry.reason.isEmpty ? entry.name : entry.reason
    throw fail("a run has ended, but otherwise", Difference(field: "reason", expected: reason ?? "", found: seen))
  }

  /// Whether a verdict speaks of a run whose end stands in the timeline by itself.
  private func hasRun(_ verdict: TimelineEntry) -> Bool {
    entries.contains {
      $0.kind == .ended && $0.at == verdict.at && $0.rule == verdict.rule && $0.subject == verdict.subject
    }
  }

  // MARK: verdicts

  /// The rule that the options name.
  private func rule(_ options: [JSONValue.Member]) throws -> String? {
    guard let value = options.first(where: { $0.key == "rule" })?.value else { return nil }
    let paths = setting.rules.rules.map(\.path)
    guard let name = value.asText, paths.contains(name) else {
      let name = value.asText ?? ""
      throw WordError(
        "there is no rule '\(name)' here\(Suggestion.ending(for: name, among: paths)); loaded are \(paths.sorted().joined(separator: ", "))"
      )
    }
    return name
  }

  func expectVerdict(_ words: Words) throws {
    try words.takeAtMost(3)
    let code = try verdictCode(words)
    let reason = try words.optionalText(1, "a part of the reason", example: "\"no larger plan\"")
    let rule = try rule(try words.options(2, known: ["rule"]))
    // A verdict is about what happened last.
    let places = open([.rule, .parked]).filter { $0 >= newest && (rule ?? entries[$0].rule) == entries[$0].rule }
    for place in places where self.code(place) == code && (reason.map { entries[place].reason.contains($0) } ?? true) {
      taken.insert(place)
      takeTwin(of: place)
      return
    }
    if let place = places.first(where: { self.code($0) == code }) {
      throw fail(
        "the verdict is \(code.word), but for another reason",
        Difference(field: "reason", expected: reason ?? "", found: entries[place].reason))
    }
    guard let place = places.first else { throw fail("no rule has a verdict about what happened last") }
    let entry = entries[place]
    let found = (self.code(place)?.word ?? "") + (entry.reason.isEmpty ? "" : " (\(entry.reason))")
    throw fail(
      "the verdict\(entry.rule.isEmpty ? "" : " of " + entry.rule) is another one",
      Difference(field: "verdict", expected: code.word, found: found))
  }

  /// A run that is parked by an event stands there twice: as its verdict and as its run's new state.
  private func takeTwin(of place: Int) {
    guard code(place) == .parked else { return }
    let other: TimelineEntry.Kind = entries[place].kind == .parked ? .rule : .parked
    for twin in open([other]) where code(twin) == .parked && entries[twin].rule == entries[place].rule {
      taken.insert(twin)
    }
    for twin in open([.log]) where entries[twin].rule == entries[place].rule { taken.insert(twin) }
  }

  private func code(_ place: Int) -> VerdictCode? { entries[place].kind == .parked ? .parked : entries[place].code }

  private func verdictCode(_ words: Words) throws -> VerdictCode {
    let text = try words.text(0, "the verdict", example: "\"skipped\"")
    if let code = VerdictCode.allCases.first(where: { $0.word == text }) { return code }
    let known = VerdictCode.allCases.map(\.word)
    throw WordError(
      "there is no verdict '\(text)'\(Suggestion.ending(for: text, among: known)); there are \(known.joined(separator: ", "))"
    )
  }

  // MARK: what is remembered

  func expectSegment(_ words: Words, isInside: Bool) throws {
    try words.takeAtMost(2)
    let name = try words.text(0, "the name of a segment", example: "\"at_risk\"")
    let known = setting.rules.rules.filter(\.isSegment).map(\.segmentName)
    guard known.contains(name) else {
      throw WordError("there is no segment '\(name)'\(Suggestion.ending(for: name, among: known))")
    }
    let reference = try named(try words.options(1, known: Stage.whose)) ?? subject
    let since = try rehearsal.inSegment(name, try number(of: reference))
    if (since != nil) == isInside { return }
    throw fail(
      since.map { "\(reference) is in '\(name)' since \(ISO8601.format($0))" } ?? "\(reference) is not in '\(name)'")
  }

  func expectTraits(_ words: Words) throws {
    try words.takeAtMost(2)
    guard let wanted = try words.object(0) else { throw WordError("it needs a table, such as { plan = \"pro\" }") }
    let options = try words.options(1, known: Stage.whose)
    let reference = try named(options) ?? subject
    let found = value(rehearsal.timeline.traits(of: try number(of: reference))) ?? .object([])
    if let difference = Difference.between(wanted, found) {
      throw fail("the traits of \(reference) are otherwise", difference)
    }
  }

  func expectState(_ words: Words) throws {
    try words.takeAtMost(2)
    guard let wanted = try words.object(0) else { throw WordError("it needs a table, such as { count = 2 }") }
    let options = try words.options(1, known: Stage.whose + ["rule"])
    let reference = try named(options) ?? subject
    guard let rule = try rule(options) ?? setting.rule else {
      throw WordError("there is no rule beside this test; name one: { rule = \"folder/rule\" }")
    }
    let found = value(rehearsal.timeline.state(of: try number(of: reference), rule)) ?? .object([])
    if let difference = Difference.between(wanted, found) {
      throw fail("the state of \(rule) about \(reference) is otherwise", difference)
    }
  }
}
