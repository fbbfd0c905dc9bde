// A scenario: events line by line, moments between them, replies to calls; and what comes of it when it
// is played in virtual time against all rules.
//
// Thread: the caller's. Promise: every line is read before the first is played, and all that is wrong is
// told at once, with line numbers; the same file and rules give the same timeline in every process.

package import Basics
internal import Engine
package import Model
package import Rules

package struct ScenarioError: Error, Sendable, CustomStringConvertible {
  package struct Complaint: Sendable, Equatable {
    package var line: Int
    package var message: String
  }
  package var complaints: [Complaint]
  package var description: String { complaints.map { "line \($0.line): \($0.message)" }.joined(separator: "\n") }
}

package struct Scenario: Sendable {
  private enum Step: Sendable {
    /// With its own time, if it has one.
    case event([UInt8], line: Int, time: Instant?)
    case advance(Int64)
    case at(Instant)
    case reply(Reply)
  }
  private var steps: [Step] = []
  package var isEmpty: Bool { steps.isEmpty }

  private static let words = ["advance", "at", "reply"]
  /// Far beyond any event: one that decodes to this time has none of its own.
  private static let far = Instant(milliseconds: 253_000_000_000_000)

  // MARK: reading

  /// `knownDestinations` nil: any name will do.
  package init(_ text: [UInt8], knownDestinations: Set<String>?) throws(ScenarioError) {
    let parser = DocumentParser(maximumBytes: Limits.nativeBodyBytes, maximumDepth: Limits.jsonDepth)
    var complaints: [ScenarioError.Complaint] = []
    for (place, line) in text.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let isBlank = line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
      if isBlank || line.drop(while: { $0 == 0x20 }).starts(with: Array("//".utf8)) { continue }
      do {
        steps.append(try Scenario.step(Array(line), line: place + 1, parser, knownDestinations))
      } catch let refusal as EventRefusal {
        complaints.append(.init(line: place + 1, message: refusal.message))
      } catch {
        complaints.append(.init(line: place + 1, message: "\(error)"))
      }
    }
    if !complaints.isEmpty { throw ScenarioError(complaints: complaints) }
  }

  private static func step(
    _ text: [UInt8], line: Int, _ parser: DocumentParser, _ known: Set<String>?
  ) throws -> Step {
    let root: JSONCursor
    do { root = try parser.parse(text).root } catch { throw WordError("\(error)") }
    guard root.kind == .object else {
      throw WordError(
        "a line is an event such as {\"name\": \"signup\", \"user\": \"42\"}, {\"advance\": \"3 days\"}, {\"at\": …} or {\"reply\": …}"
      )
    }
    if root.count == 1, let member = root.members.first {
      if let step = try word(member.key, member.value, known) { return step }
    }
    let event = try EventDecoder(source: "play").decode(root, received: far)
    return .event(text, line: line, time: event.time == far ? nil : event.time)
  }

  private static func word(_ name: String, _ value: JSONCursor, _ known: Set<String>?) throws -> Step? {
    switch name {
    case "advance":
      do throws(DurationError) {
        return .advance(try DurationText.parse(value.string ?? ""))
      } catch { throw WordError("advance: \(error.description)") }
    case "at":
      guard let instant = value.instant else {
        throw WordError(
          "at: write it like \"2026-03-01T09:00:00Z\"; it is \(String(decoding: value.text, as: UTF8.self))")
      }
      return .at(instant)
    case "reply": return .reply(try reply(value, known))
    default:
      guard let near = Suggestion.nearest(to: name, among: words) else { return nil }
      throw WordError("there is no line '\(name)' (did you mean '\(near)'?)")
    }
  }

  private static func reply(_ value: JSONCursor, _ known: Set<String>?) throws -> Reply {
    guard let destination = value["destination"]?.string, let type = value["type"]?.string else {
      throw WordError(
        "reply: it needs \"destination\" and \"type\", such as {\"reply\": {\"destination\": \"billing\", \"type\": \"payment.retry\", \"ok\": false}}"
      )
    }
    if let known, !known.contains(destination) {
      throw WordError(
        "reply: there is no destination '\(destination)'\(Suggestion.ending(for: destination, among: known))")
    }
    guard case .object(let members) = value.value else { throw WordError("reply: it needs an object") }
    return try Reply(
      destination: destination, type: type, members.filter { $0.key != "destination" && $0.key != "type" })
  }

  // MARK: playing

  /// Plays it to its end, and on to `until` when that is later; what lies behind `until` is left out.
  package func play(
    _ rules: RuleSet, destinations: [Destination], zone: String, policies: Policies = Policies(), until: Instant?
  ) throws -> Rehearsal {
    let rehearsal = try Rehearsal(
      rules: rules, destinations: destinations, zone: zone, policies: policies, dedupeBits: 14)
    var isPlaced = false
    for step in steps {
      if let target = Scenario.target(of: step, now: rehearsal.now) {
        if let until, target > until { break }
        try move(rehearsal, to: target, for: step, isPlaced: isPlaced)
        isPlaced = true
      }
      try take(step, rehearsal)
    }
    if let until, until > rehearsal.now { try rehearsal.advance(to: until) }
    return rehearsal
  }

  private static func target(of step: Step, now: Instant) -> Instant? {
    switch step {
    case .event(_, _, let time): time ?? now
    case .advance(let pause): now + pause
    case .at(let instant): instant
    case .reply: nil
    }
  }

  /// The first moment that the file names is where it begins; an event from the past comes late.
  private func move(_ rehearsal: Rehearsal, to target: Instant, for step: Step, isPlaced: Bool) throws {
    var isEvent = false
    if case .event = step { isEvent = true }
    if !isPlaced {
      if case .advance = step {} else { return rehearsal.begin(at: target) }
    }
    if target > rehearsal.now { try rehearsal.advance(to: target, stopsShort: isEvent) }
  }

  private func take(_ step: Step, _ rehearsal: Rehearsal) throws {
    switch step {
    case .event(let text, let line, _):
      try rehearsal.submit(try rehearsal.event(text, source: "play", id: "line-\(line)"))
    case .reply(let reply): rehearsal.reply(reply)
    case .advance, .at: break
    }
  }
}
