// Which parameters each path takes behind its question mark, and what makes them wrong.
//
// Thread: the intake's. Promise: a name that is not known, a name given twice, a value that is not UTF-8 or
// of the wrong kind is refused before anything is read or changed: a slip must never widen what is meant.

internal import Basics
internal import Store

extension Gate {
  private static let runFilter = ["status", "rule", "subject"]
  private static let pages = ["limit", "before"]

  /// What a path below /v1 takes; nil: whatever is there is left alone.
  private static func parameters(_ segments: [String], isCommand: Bool) -> [String]? {
    let path = segments.dropFirst()
    switch (path.first ?? "", path.last ?? "", isCommand) {
    case ("runs", "wake", true), ("runs", "cancel", true):
      return path.count == 2 ? runFilter + ["all", "count"] : []
    case ("rules", "pause", true): return ["rule", "reason"]
    case ("rules", "resume", true): return ["rule"]
    case ("deliveries", "retry", true) where path.count == 2:
      return DeliveryQuery.names.map(\.description) + ["all", "count", "rate"]
    case ("deliveries", "cancel", true), ("destinations", _, true): return ["reason"]
    case (_, _, true): return []
    case ("runs", "runs", _): return runFilter + pages + ["after"]
    case ("events", "events", _): return ["subject"] + pages
    case ("subjects", "events", _): return pages
    case ("subjects", "explain", _): return ["rule"] + pages
    case ("deliveries", "deliveries", _): return DeliveryQuery.names.map(\.description) + pages
    case ("rules", "history", _): return ["rule"]
    case ("segments", _, _) where path.count == 2: return ["limit", "after"]
    case ("", _, _): return nil
    default: return []
    }
  }

  /// Why the parameters of a request cannot be taken; nil when they can.
  static func parameterRefusal(_ request: borrowing Request, _ segments: [String], isCommand: Bool) -> Answer? {
    let statuses = segments.dropFirst().first == "runs" ? RunFilter.statuses : DeliveryFilter.statuses
    guard let known = parameters(segments, isCommand: isCommand) else { return nil }
    guard let pairs = request.queryPairs else {
      return refuse("the query is not valid UTF-8; escape each byte of a value as %XX")
    }
    var seen: Set<String> = []
    for (name, value) in pairs {
      guard known.contains(name) else {
        let near = Suggestion.ending(for: name, among: known)
        let all = known.isEmpty ? "; this path takes none" : "; it takes \(known.joined(separator: ", "))"
        return refuse("there is no parameter \"\(name.prefix(60))\" here" + (near.isEmpty ? all : near))
      }
      guard seen.insert(name).inserted else { return refuse("the parameter \(name) is given twice") }
      if let right = wanted(name, value, statuses) { return refuse("the parameter \(name) must be \(right)") }
    }
    return refusal(together: Dictionary(uniqueKeysWithValues: pairs), ofRuns: segments.dropFirst().first == "runs")
  }

  /// What is right by itself and makes no sense together.
  private static func refusal(together pairs: [String: String], ofRuns: Bool) -> Answer? {
    if let from = pairs["from"].flatMap({ Int64($0) }), let to = pairs["to"].flatMap({ Int64($0) }), from > to {
      return refuse("from is \(from), which lies behind to, \(to)")
    }
    guard ofRuns else { return nil }
    let isAlive = RunFilter(status: pairs["status"] ?? "alive").isAlive
    if isAlive, pairs["before"] != nil {
      return refuse("runs that live are listed from the oldest on; the next page begins with after")
    }
    if !isAlive, pairs["after"] != nil {
      return refuse("runs that are over are listed from the newest on; the next page begins with before")
    }
    return nil
  }

  private static func refuse(_ message: String) -> Answer {
    Answer(status: 400, code: "bad_query", message: message)
  }

  /// What a value should have been; nil when it is right.
  private static func wanted(_ name: String, _ value: String, _ statuses: [String]) -> String? {
    switch name {
    case "limit" where !(1...Question.maximumLimit).contains(Int(value) ?? 0):
      "a whole number from 1 to \(Question.maximumLimit)"
    case "before" where Int64(value).map({ $0 >= 0 }) != true:
      "a whole number, such as next_before of the page before"
    case "after" where Int64(value).map({ $0 >= 0 }) != true:
      "a whole number, such as next_after of the page before"
    case "status" where !statuses.contains(value):
      "\(statuses.dropLast().joined(separator: ", ")) or \(statuses.last ?? "")"
    case "all" where value != "1" && value != "0", "count" where value != "1" && value != "0": "1 or 0"
    case "rule" where value.isEmpty: "the path of a rule, such as dunning/failed"
    case "subject" where value.isEmpty: "a subject, such as user:7"
    case "type" where value.isEmpty: "the type of a webhook, such as offer.made"
    case "destination" where value.isEmpty: "the name of a destination"
    default: nil
    }
  }
}
