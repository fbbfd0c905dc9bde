// What stands in a rule's `on` instead of events: absence { … }, enters(…), leaves(…); and the header of a segment.
//
// Thread: values. Promise: what is not understood is a sentence that says what would be right.

internal import Basics
internal import Model

struct OccasionReader {
  struct Problem {
    var message: String
    var suggestion: String?
  }
  private(set) var occasion: Occasion?
  private(set) var problems: [Problem] = []

  init(_ word: String, _ arguments: [JSONCursor]) {
    switch word {
    case "absence": readAbsence(arguments)
    case "enters", "leaves": readSegment(word, arguments)
    case "every": readSchedule(arguments)
    default: complain("\(word)(…) as a trigger is not available in this version; use event names")
    }
  }

  private mutating func complain(_ message: String, suggestion: String? = nil) {
    problems.append(Problem(message: message, suggestion: suggestion))
  }

  private static let absence = "absence { of = \"login\", lasting = \"14 days\" }"

  private mutating func readAbsence(_ arguments: [JSONCursor]) {
    guard arguments.count == 1, arguments[0].kind == .object else {
      return complain("absence takes one table, such as \(OccasionReader.absence)")
    }
    let known = ["of", "lasting", "match"]
    for (name, _) in arguments[0].members where !known.contains(name) {
      complain("unknown key '\(name)' in absence", suggestion: Suggestion.nearest(to: name, among: known))
    }
    guard let event = arguments[0][name: "of"]?.string, !event.isEmpty, event.utf8.count <= Limits.eventNameBytes,
      !event.hasPrefix("nudged.")
    else { return complain("absence: 'of' must be the name of an event, such as \(OccasionReader.absence)") }
    guard let lasting = arguments[0][name: "lasting"]?.string.flatMap({ DurationText.milliseconds($0) }),
      (Limits.windowMinimumMilliseconds...Limits.windowMilliseconds).contains(lasting)
    else {
      return complain(
        "absence: 'lasting' must be a duration from 1 minute to 366 days, such as \(OccasionReader.absence)")
    }
    var match: WindowDefinition.Match?
    if let value = arguments[0][name: "match"] {
      guard value.kind == .object, value.members.count == 1, let only = value.members.first,
        [.string, .integer, .double, .boolean].contains(only.value.kind)
      else { return complain("absence: 'match' takes one field and its value, such as match = { device = \"ios\" }") }
      match = WindowDefinition.Match(path: WindowWords.path(only.key), value: only.value.text)
    }
    occasion = .absence(event: event, lastingMilliseconds: lasting, match: match)
  }

  private mutating func readSchedule(_ arguments: [JSONCursor]) {
    guard (1...2).contains(arguments.count), let text = arguments[0].string, text.utf8.count <= 100,
      SchedulePattern(text) != nil
    else {
      let given = arguments.first.map { String(decoding: $0.text.prefix(60), as: UTF8.self) } ?? "missing"
      let near = (arguments.first?.string ?? "").split(whereSeparator: { $0 == " " || $0 == "," }).lazy.compactMap {
        word in
        SchedulePattern.words.contains(word.lowercased())
          ? nil : Suggestion.nearest(to: word.lowercased(), among: SchedulePattern.words)
      }.first
      return complain("every takes a schedule \(SchedulePattern.right); it is \(given)", suggestion: near)
    }
    var schedule = ScheduleOccasion(
      text: text, forEach: nil, segment: nil, ratePerSecond: Limits.scheduleRatePerSecond)
    if arguments.count == 2 { readOptions(arguments[1], &schedule) }
    occasion = .every(schedule)
  }

  private mutating func readOptions(_ options: JSONCursor, _ schedule: inout ScheduleOccasion) {
    guard options.kind == .object else {
      return complain("every: the options must be a table, such as { for_each = \"user\" }")
    }
    let known = ["for_each", "segment", "rate"]
    for (name, _) in options.members where !known.contains(name) {
      complain("every: unknown option '\(name)'", suggestion: Suggestion.nearest(to: name, among: known))
    }
    if let value = options[name: "for_each"] {
      schedule.forEach = value.string
      if value.string?.isEmpty != false {
        complain("every: 'for_each' must be \"user\", \"account\" or a kind of thing")
      }
    }
    if let value = options[name: "segment"] {
      schedule.segment = value.string
      if value.string?.isEmpty != false { complain("every: 'segment' must be the name of a segment") }
      if schedule.forEach == nil { complain("every: 'segment' needs for_each, such as for_each = \"user\"") }
    }
    if let value = options[name: "rate"] {
      let rate = value.integer ?? 0
      schedule.ratePerSecond = Int(rate)
      if !(1...Int64(Limits.scheduleHighestRatePerSecond)).contains(rate) {
        complain("every: 'rate' must be a whole number from 1 to \(Limits.scheduleHighestRatePerSecond), a second")
        schedule.ratePerSecond = Limits.scheduleRatePerSecond
      }
    }
  }

  private mutating func readSegment(_ word: String, _ arguments: [JSONCursor]) {
    guard arguments.count == 1, let name = arguments[0].string, !name.isEmpty, name.utf8.count <= 200 else {
      return complain("\(word) takes the name of a segment, such as \(word)(\"at_risk\") for segments/at_risk.lua")
    }
    let plain = name.hasPrefix(RuleSource.segments) ? String(name.dropFirst(RuleSource.segments.count)) : name
    occasion = word == "enters" ? .enters(segment: plain) : .leaves(segment: plain)
  }
}
