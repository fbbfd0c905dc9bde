// The part of the configuration that says what holds messages back.
//
// Thread: main. Promise: an unknown key or a value that is none is a complaint with its place; nothing is
// silently a weaker policy than was written.

internal import Basics
internal import Model
internal import Rules

extension ConfigurationReader {
  static let policyKeys = ["quiet_hours", "caps", "opt_in", "hold_out"]

  mutating func readPolicies(_ table: JSONCursor) {
    checkNames(table, at: "policies", known: ConfigurationReader.policyKeys)
    if let hours = table["quiet_hours"] { configuration.policies.quietHours = quietHours(hours) }
    if let caps = table["caps"] { readCaps(caps) }
    if let topics = table["opt_in"] {
      let names = texts(topics, at: "policies.opt_in")
      for name in names { checkTopic(name, at: "policies.opt_in") }
      configuration.policies.optIn = Set(names)
    }
    if let share = table["hold_out"] {
      let percent = share.integer.map(Double.init) ?? share.double ?? -1
      guard percent >= 0, percent <= 50 else {
        return complain("policies.hold_out", "must be a percentage from 0 to 50")
      }
      configuration.policies.holdOut = Int((percent * 100).rounded())
      if percent > 0, configuration.policies.holdOut == 0 {
        complain("policies.hold_out", "is less than 0.01, which holds out nobody")
      }
    }
  }

  private mutating func quietHours(_ table: JSONCursor) -> Policies.QuietHours? {
    let at = "policies.quiet_hours"
    checkNames(table, at: at, known: ["from", "to", "action", "spread", "destinations"])
    guard let from = clock(table, "from", at: at), let to = clock(table, "to", at: at) else { return nil }
    guard from != to else {
      complain(at, "begins and ends at the same time; nothing would ever be sent, or all of it")
      return nil
    }
    var hours = Policies.QuietHours(from: from, to: to)
    if let action = text(table, "action", at: at + ".action") {
      if action != "hold", action != "drop" { complain(at + ".action", "must be \"hold\" or \"drop\"") }
      hours.drops = action == "drop"
    }
    if let spread = duration(table, "spread", at: at + ".spread") {
      if spread > 12 * 3_600_000 { complain(at + ".spread", "must be at most 12 hours") }
      hours.spreadMilliseconds = spread
    }
    if let names = table["destinations"] {
      hours.destinations = texts(names, at: at + ".destinations")
      for name in hours.destinations { checkDestination(name, at: at + ".destinations") }
    }
    return hours
  }

  private mutating func clock(_ table: JSONCursor, _ key: String, at path: String) -> Int? {
    let parts = table[name: key]?.string?.split(separator: ":", omittingEmptySubsequences: false) ?? []
    // Int would take a sign as well.
    let areDigits = parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    if areDigits, parts.count == 2, parts[0].count <= 2, parts[1].count == 2, let hour = Int(parts[0]),
      let minute = Int(parts[1]),
      (0..<24).contains(hour), (0..<60).contains(minute)
    {
      return hour * 60 + minute
    }
    complain(path + "." + key, "must be a time of day such as \"21:00\"")
    return nil
  }

  private mutating func readCaps(_ list: JSONCursor) {
    guard list.kind == .array || list.count == 0 else {
      return complain("policies.caps", "must be a list such as { { topic = \"offers\", most = 2, per = \"7 days\" } }")
    }
    for (place, cap) in list.elements.enumerated() {
      let at = "policies.caps.\(place + 1)"
      checkNames(cap, at: at, known: ["most", "per", "topic", "destination"])
      let most = integer(cap, "most", at: at + ".most", in: 1...Int64(Limits.cappedMessages))
      if cap["most"] == nil { complain(at, "needs 'most', how many messages there may be") }
      let window = cap["per"]?.string.flatMap { Policies.Window($0) }
      if window == nil { complain(at + ".per", "must be \(Policies.Window.right)") }
      let destination = text(cap, "destination", at: at + ".destination")
      if let destination { checkDestination(destination, at: at + ".destination") }
      let topic = text(cap, "topic", at: at + ".topic")
      if let topic { checkTopic(topic, at: at + ".topic") }
      guard let most, let window else { continue }
      configuration.policies.caps.append(
        Policies.Cap(
          most: Int(most), window: window, topic: topic, destination: destination))
    }
  }

  /// A policy about a topic that no rule can have would hold nothing back.
  private mutating func checkTopic(_ name: String, at path: String) {
    if !name.isEmpty, name != PolicyRecord.everything, name.utf8.count <= Limits.topicBytes { return }
    complain(path, "must name topics of rules, texts of 1 to \(Limits.topicBytes) bytes; \"\(name)\" is none")
  }

  /// A policy about a destination that is not there would hold nothing back.
  private mutating func checkDestination(_ name: String, at path: String) {
    let known = configuration.destinations.map(\.name)
    if known.contains(name) { return }
    complain(
      path, "names the destination '\(name)', which is not configured",
      suggestion: Suggestion.nearest(to: name, among: known))
  }
}
