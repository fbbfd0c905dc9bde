// A timeline for people: one line for each thing that happened, times aligned, in UTC; and the same as
// JSON for programs.
//
// Thread: pure functions. Promise: what senders chose to write cannot steer a terminal.

package import Basics
package import Model

package struct TimelineText {
  private let folder: String

  /// `folder`: the rules folder as people write it.
  package init(folder: String) { self.folder = folder }

  private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

  /// "Mon 2026-01-05 09:00:00", with milliseconds where there are some.
  package static func time(_ instant: Instant) -> String {
    let text = ISO8601.format(instant)
    let day = CivilTime(localMilliseconds: instant.milliseconds).date.weekday
    let clock = text.hasSuffix(".000Z") ? text.dropLast(5) : text.dropLast(1)
    return weekdays[day] + " " + clock.map { $0 == "T" ? " " : String($0) }.joined()
  }

  /// With names, each line says whom it is about, where that is more than one.
  package func lines(_ entries: [TimelineEntry], names: [Int64: SubjectReference] = [:]) -> [String] {
    var last: Instant?
    let isMixed = !names.isEmpty && Set(entries.map(\.subject)).count > 1
    let width = entries.map { names[$0.subject]?.description.count ?? 0 }.max() ?? 0
    return entries.map { entry in
      let time = TimelineText.time(entry.at)
      let shown = last == entry.at ? String(repeating: " ", count: time.count) : time
      last = entry.at
      let label = entry.kind.rawValue
      let padding = String(repeating: " ", count: max(1, 8 - label.count))
      let name = names[entry.subject]?.description ?? ""
      let who = isMixed ? name + String(repeating: " ", count: width - name.count + 2) : ""
      return (shown + "  " + who + label + padding + sentence(entry)).printable
    }
  }

  private func sentence(_ entry: TimelineEntry) -> String {
    let data = entry.data.isEmpty ? "" : " " + String(decoding: entry.data, as: UTF8.self)
    let run = entry.run > 0 ? " (run \(entry.run))" : ""
    switch entry.kind {
    case .event, .emit: return entry.name + data
    case .again: return entry.name + ": " + entry.reason
    case .heard: return entry.name + (entry.reason.isEmpty ? "" : " of " + entry.reason)
    case .rule: return verdict(entry)
    case .send, .call: return "\(entry.name) \(entry.type)\(data)\(run)"
    case .reply: return "\(entry.name) \(entry.type): \(entry.reason)\(data)\(run)"
    case .traits: return String(decoding: entry.data, as: UTF8.self)
    case .state: return entry.rule + data
    case .log: return entry.rule + ": " + entry.reason
    case .ended:
      return "\(place(entry)) run \(entry.run) \(entry.name)" + (entry.reason.isEmpty ? "" : ": \(entry.reason)")
    case .parked: return "\(place(entry)) run \(entry.run): \(entry.reason)"
    case .waits: return "\(place(entry)) run \(entry.run) " + TimelineText.describe(entry.wait, at: entry.at)
    }
  }

  /// The rule, with its file and line where there is one.
  private func place(_ entry: TimelineEntry) -> String {
    let file = (folder.isEmpty ? "" : folder + "/") + entry.rule + ".lua"
    return entry.line > 0 ? "\(file):\(entry.line)" : entry.rule
  }

  private func verdict(_ entry: TimelineEntry) -> String {
    var text = entry.rule.isEmpty ? "" : place(entry) + " "
    text += entry.code?.word ?? ""
    // Where it waits stands in a line of its own.
    if !entry.reason.isEmpty, entry.code != .waiting { text += ": " + entry.reason }
    if !entry.reads.isEmpty {
      text += " [" + entry.reads.map { "\($0.name) = \($0.value)" }.joined(separator: ", ") + "]"
    }
    return text
  }

  /// "sleeps until Tue 2026-01-06 09:00:00, in 1 d".
  package static func describe(_ wait: Wait?, at now: Instant) -> String {
    guard let wait else { return "waits" }
    return wait.sentence + (wait.until.map { " until \(time($0)), in \(DurationText.format($0 - now))" } ?? "")
      + wait.planned
  }

  // MARK: JSON

  package func json(_ entry: TimelineEntry, subject: String) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("at", .string(ISO8601.format(entry.at))), .init("subject", .string(subject)),
      .init("kind", .string(entry.kind.rawValue)),
    ]
    func add(_ key: String, _ text: String) { if !text.isEmpty { members.append(.init(key, .string(text))) } }
    add("name", entry.name)
    add("type", entry.type)
    add("rule", entry.rule)
    if entry.line > 0 { members.append(.init("line", .integer(Int64(entry.line)))) }
    if entry.run > 0 { members.append(.init("run", .integer(entry.run))) }
    add("verdict", entry.code?.word ?? "")
    add("reason", entry.reason)
    if let data = try? Document.parse(entry.data).root.value { members.append(.init("data", data)) }
    if entry.kind == .rule, !entry.reads.isEmpty {
      members.append(.init("read", .object(entry.reads.map { .init($0.name, .string($0.value)) })))
    }
    if let wait = entry.wait { members += TimelineText.json(wait) }
    return .object(members)
  }

  package static func json(_ wait: Wait) -> [JSONValue.Member] {
    var members: [JSONValue.Member] = [.init("wait", .string(wait.kind.word))]
    if let until = wait.until { members.append(.init("until", .string(ISO8601.format(until)))) }
    if !wait.names.isEmpty { members.append(.init("for", .array(wait.names.map { .string($0) }))) }
    if let plan = wait.plan {
      members.append(.init("path", .string(plan.path)))
      members.append(.init("date", plan.date.isEmpty ? .null : .string(plan.date)))
    }
    if let subject = wait.subject { members.append(.init("of", .string(subject.description))) }
    return members
  }
}
