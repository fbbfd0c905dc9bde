// How a rule says which date it goes by: before(…) in its header, and wait_until { date = … } in its run.
//
// Thread: pure. Promise: both are read by the same code, and a slip is a sentence with what is wrong and
// what would be right.

internal import Basics
internal import Model

/// What a rule goes by dates for, known before it runs.
package struct RuleDates: Sendable, Equatable {
  /// Where the dates stand.
  package var paths: [String] = []
  /// Events that move or cancel them.
  package var names: [String] = []
  /// Of these, those that cancel.
  package var ends: [String] = []

  package var isEmpty: Bool { paths.isEmpty }

  mutating func add(_ plan: DatePlan) {
    RuleDates.add([plan.path], to: &paths)
    RuleDates.add(plan.names, to: &names)
    RuleDates.add(plan.cancelled, to: &ends)
  }

  mutating func add(_ other: RuleDates) {
    RuleDates.add(other.paths, to: &paths)
    RuleDates.add(other.names, to: &names)
    RuleDates.add(other.ends, to: &ends)
  }

  static func add(_ texts: [String], to list: inout [String]) {
    for text in texts where !list.contains(text) { list.append(text) }
  }

  /// Whether everything of a plan was known.
  func cover(_ plan: DatePlan) -> Bool {
    paths.contains(plan.path) && plan.moved.allSatisfy(names.contains) && plan.cancelled.allSatisfy(ends.contains)
  }
}

/// What was read, or what is wrong with it.
enum DateWord<Value> {
  case right(Value)
  case wrong(String)
}

enum DateWords {
  static let options = ["event", "moved", "cancelled"]
  static let waitOptions = ["date", "before", "moved", "cancelled"]
  static let leadOptions = ["days", "at", "zone"]
  static let leadForm = "a duration such as \"24 hours\", or such as { days = 1, at = \"18:00\" }"

  static func shown(_ value: JSONCursor) -> String { String(decoding: value.text.prefix(60), as: UTF8.self) }

  static func path(_ value: JSONCursor?, _ label: String) -> DateWord<String> {
    guard let path = value?.string, path.utf8.count <= 200 else {
      return .wrong(
        "\(label) must be the path of a date such as \"data.starts_at\"; it is \(value.map(shown) ?? "missing")")
    }
    let steps = path.split(separator: ".", omittingEmptySubsequences: false)
    guard let root = steps.first, DateField.roots.contains(String(root)), steps.count > 1, !steps.contains("") else {
      return .wrong(
        "the path '\(path)' of \(label) must be a field of data, traits or context, such as \"data.starts_at\"\(Suggestion.ending(for: String(steps.first ?? ""), among: DateField.roots))"
      )
    }
    return .right(path)
  }

  static func lead(_ value: JSONCursor, _ label: String) -> DateWord<DatePlan.Lead> {
    if let text = value.string {
      guard let milliseconds = DurationText.milliseconds(text), milliseconds <= Limits.waitMilliseconds else {
        return .wrong("\(label) must be \(leadForm), and at most ten years; it is \(shown(value))")
      }
      return .right(.duration(milliseconds: milliseconds))
    }
    guard value.kind == .object, value["$function"] == nil else {
      return .wrong("\(label) must be \(leadForm); it is \(shown(value))")
    }
    for (key, _) in value.members where !leadOptions.contains(key) {
      return .wrong("unknown option '\(key)' in \(label)\(Suggestion.ending(for: key, among: leadOptions))")
    }
    guard let clock = value["at"].flatMap({ $0.count <= 5 ? $0.string : nil }).flatMap(WaitUntil.timeOfDay) else {
      return .wrong(
        "'at' of \(label) must be a time of day such as \"18:00\"; it is \(value["at"].map(shown) ?? "missing")")
    }
    guard let days = value["days"]?.integer, (0...Int64(Limits.daysAhead)).contains(days) else {
      return .wrong(
        "'days' of \(label) must be a whole number from 0 to \(Limits.daysAhead), how many days before; it is \(value["days"].map(shown) ?? "missing")"
      )
    }
    if let zone = value["zone"], zone.string == nil {
      return .wrong("'zone' of \(label) must be a text such as \"Europe/Berlin\"; it is \(shown(zone))")
    }
    if let name = value["zone"]?.string, !ZoneFolder.isName(name) || (try? ZoneFolder().load(name)) == nil {
      return .wrong(
        "there is no time zone '\(name)'; zones are named such as \"Europe/Berlin\"\(Suggestion.ending(for: name, among: ZoneFolder().names()))"
      )
    }
    return .right(.calendar(days: Int(days), hour: clock.hour, minute: clock.minute, zone: value["zone"]?.string))
  }

  /// One name or a list of them; absent: none.
  static func names(_ value: JSONCursor?, _ label: String) -> DateWord<[String]> {
    guard let value else { return .right([]) }
    var names: [String] = []
    for one in value.kind == .array ? value.elements : [value] {
      guard let name = one.string, (1...Limits.eventNameBytes).contains(name.utf8.count) else {
        return .wrong("\(label) must be an event name or a list of them; here stands \(shown(one))")
      }
      if !names.contains(name) { names.append(name) }
    }
    return names.isEmpty ? .wrong("\(label) is an empty list; name at least one event, or leave it out") : .right(names)
  }

  /// The names of what moves and what cancels, into the plan; what is wrong with them.
  static func readNames(_ options: JSONCursor?, _ word: String, into plan: inout DatePlan) -> String? {
    switch names(options?["moved"], "'moved' of \(word)") {
    case .right(let names): plan.moved = names
    case .wrong(let message): return message
    }
    switch names(options?["cancelled"], "'cancelled' of \(word)") {
    case .right(let names): plan.cancelled = names
    case .wrong(let message): return message
    }
    let both = plan.moved.first { plan.cancelled.contains($0) }
    return both.map { "'\($0)' cannot both move and cancel a date" }
  }

  /// wait_until { date = …, before = …, moved = …, cancelled = … }
  static func wait(_ table: JSONCursor) -> DateWord<DatePlan> {
    for (key, _) in table.members where !waitOptions.contains(key) {
      return .wrong("unknown option '\(key)'\(Suggestion.ending(for: key, among: waitOptions))")
    }
    var plan: DatePlan
    switch path(table["date"], "'date'") {
    case .right(let path): plan = DatePlan(path: path, lead: .duration(milliseconds: 0))
    case .wrong(let message): return .wrong(message)
    }
    if let value = table["before"] {
      switch lead(value, "'before'") {
      case .right(let lead): plan.lead = lead
      case .wrong(let message): return .wrong(message)
      }
    }
    if let message = readNames(table, "wait_until", into: &plan) { return .wrong(message) }
    return .right(plan)
  }

  /// before(path, lead, { event = …, moved = …, cancelled = … }): the plan, and what begins a run.
  static func trigger(_ arguments: [JSONCursor]) -> DateWord<(plan: DatePlan, on: [String])> {
    guard arguments.count == 3, arguments[2].kind == .object else {
      return .wrong(
        "before takes the path of a date, how long before it, and events: before(\"data.starts_at\", \"24 hours\", { event = \"webinar.registered\" })"
      )
    }
    for (key, _) in arguments[2].members where !options.contains(key) {
      return .wrong("unknown option '\(key)' of before\(Suggestion.ending(for: key, among: options))")
    }
    guard let event = arguments[2]["event"] else {
      return .wrong("before needs 'event', the event that begins a run, such as { event = \"webinar.registered\" }")
    }
    switch (
      path(arguments[0], "before"), lead(arguments[1], "the second argument of before"),
      names(event, "'event' of before")
    ) {
    case (.wrong(let message), _, _), (_, .wrong(let message), _), (_, _, .wrong(let message)): return .wrong(message)
    case (.right(let path), .right(let lead), .right(let on)):
      var plan = DatePlan(path: path, lead: lead, late: .skip)
      if let message = readNames(arguments[2], "before", into: &plan) { return .wrong(message) }
      if let both = plan.cancelled.first(where: on.contains) {
        return .wrong("'\(both)' cannot both begin a run and cancel its date")
      }
      return .right((plan, on))
    }
  }
}

extension HeaderReader {
  /// on = before(…): the events that begin a run. Nil: it is something else.
  mutating func before(_ value: JSONCursor) -> [String]? {
    guard value.kind == .object, let arguments = value["$before"] else { return nil }
    switch DateWords.trigger(arguments.elements) {
    case .right(let read):
      plan = read.plan
      return read.on
    case .wrong(let message):
      complain("on", message)
      return []
    }
  }

  /// late = "skip" or "send", which only a date can be.
  mutating func late() -> DatePlan? {
    guard let value = root["late"] else { return plan }
    let known = ["skip", "send"]
    guard let text = value.string, known.contains(text) else {
      complain(
        "late", "'late' must be \"skip\" or \"send\"; it is \(DateWords.shown(value))",
        suggestion: value.string.flatMap { Suggestion.nearest(to: $0, among: known) })
      return plan
    }
    if plan == nil, root["on"]?["$before"] == nil {
      complain("late", "'late' says what becomes of a moment that is past: it needs on = before(…)")
    }
    plan?.late = text == "send" ? .send : .skip
    return plan
  }
}
