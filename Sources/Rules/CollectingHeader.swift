// Reads what a header says about gathering events and about what is late.
//
// Thread: values. Promise: a value that cannot be honoured is refused with its line and what would be right.

internal import Basics
internal import Model

extension HeaderReader {
  mutating func gather() -> RuleHeader.Gather? {
    let collect = root["collect"].flatMap { collecting($0) }
    guard let value = root["debounce"] else { return collect }
    if root["collect"] != nil { complain("debounce", RuleHeader.collectAndDebounce) }
    guard let silence = HeaderReader.waitable(value) else {
      complain(
        "debounce",
        "'debounce' must be a duration of at most ten years such as \"10 minutes\"; it is \(HeaderReader.describe(value))"
      )
      return nil
    }
    return .debounce(milliseconds: silence)
  }

  private mutating func collecting(_ value: JSONCursor) -> RuleHeader.Gather? {
    let known = ["up_to", "within"]
    guard value.kind == .object, value["$function"] == nil else {
      complain(
        "collect", "'collect' must be such as \(RuleHeader.collectForm); it is \(HeaderReader.describe(value))")
      return nil
    }
    for (name, _) in value.members where !known.contains(name) {
      complain("collect", "unknown key '\(name)' in 'collect'", suggestion: Suggestion.nearest(to: name, among: known))
    }
    guard let most = value["up_to"]?.integer, (2...Int64(Limits.collectedEvents)).contains(most) else {
      let found = value["up_to"].map { "; it is \(HeaderReader.describe($0))" } ?? ""
      complain(
        "collect", "'up_to' of 'collect' must be a whole number from 2 to \(Limits.collectedEvents)\(found)")
      return nil
    }
    guard let within = value["within"].flatMap({ HeaderReader.waitable($0) }) else {
      let found = value["within"].map { "; it is \(HeaderReader.describe($0))" } ?? ""
      complain(
        "collect", "'within' of 'collect' must be a duration of at most ten years such as \"10 minutes\"\(found)")
      return nil
    }
    return .collect(upTo: Int(most), withinMilliseconds: within)
  }

  private static func waitable(_ value: JSONCursor) -> Int64? {
    let milliseconds = value.string.flatMap { DurationText.milliseconds($0) } ?? 0
    return (1...Limits.waitMilliseconds).contains(milliseconds) ? milliseconds : nil
  }

  mutating func catchUp() -> RuleHeader.CatchUp {
    guard let value = root["catch_up"] else { return .fire }
    switch value.string {
    case "fire": return .fire
    case "skip": return .skip
    default: break
    }
    if let milliseconds = HeaderReader.waitable(value), milliseconds >= Limits.lateMilliseconds {
      return .within(milliseconds: milliseconds)
    }
    complain(
      "catch_up", "'catch_up' must be \(RuleHeader.catchUpForm); it is \(HeaderReader.describe(value))",
      suggestion: value.string.flatMap { Suggestion.nearest(to: $0, among: ["fire", "skip"]) })
    return .fire
  }
}
