// What happened to each subject, in order: taken from the very decisions that a daemon would have put on
// disk, so that nothing is told that did not happen.
//
// Thread: its rehearsal's. Promise: the same decisions give the same entries in the same order.

package import Basics
internal import Engine
package import Model
internal import Rules
internal import Store

package struct TimelineEntry: Sendable {
  package enum Kind: String, Sendable {
    case event, emit, rule, waits, send, call, reply, traits, state, log, ended, parked
    /// An event that was seen before.
    case again = "repeat"
    /// An event of someone else that a run hears, or that an account's rules are asked about.
    case heard
  }
  package var at: Instant
  package var kind: Kind
  package var subject: Int64
  /// The event's name, the destination, or the state of a run.
  package var name = ""
  /// Of a webhook.
  package var type = ""
  package var rule = ""
  /// Of the rule's file; 0: none in particular.
  package var line = 0
  package var run: Int64 = 0
  package var code: VerdictCode?
  package var reason = ""
  /// JSON; empty: none.
  package var data: [UInt8] = []
  package var reads: [ReadValue] = []
  package var wait: Wait?

  package init(_ kind: Kind, _ subject: Int64, at: Instant) {
    self.kind = kind
    self.subject = subject
    self.at = at
  }
}

package struct Timeline {
  package private(set) var entries: [TimelineEntry] = []
  /// Runs that live, by their numbers.
  package private(set) var runs: [Int64: RunSeen] = [:]
  /// Names of subjects, as rules see them first.
  package private(set) var names: [Int64: SubjectReference] = [:]
  /// How many rules of each event said no in `when`.
  package private(set) var notMatched = 0
  private var traits: [Int64: [UInt8]] = [:]
  private var states: [StateKey: [UInt8]] = [:]
  private var eventSubjects: [Int64: Int64] = [:]
  private var eventNames: [Int64: String] = [:]
  private let rules: [Int64: String]
  /// Destinations that are configured.
  private let known: Set<String>

  /// What is known of a run that lives.
  package struct RunSeen: Sendable {
    package var number: Int64
    package var subject: Int64
    package var rule: String
    package var isParked: Bool
    package var wait: Wait?
    package var started: Instant
  }

  private struct StateKey: Hashable {
    var subject: Int64
    var rule: String
  }

  init(book: RuleBook) {
    rules = Dictionary(zip(book.numbers, book.rules.rules.map(\.path)), uniquingKeysWith: { first, _ in first })
    known = Set(book.destinations.keys)
  }

  package func traits(of subject: Int64) -> [UInt8] { traits[subject] ?? [] }
  package func state(of subject: Int64, _ rule: String) -> [UInt8] {
    states[StateKey(subject: subject, rule: rule)] ?? []
  }

  // MARK: noting

  mutating func noteRepeat(_ event: Event, _ subject: Int64, at now: Instant) {
    var entry = TimelineEntry(.again, subject, at: now)
    entry.name = event.name
    entry.reason = "the id '\(event.id)' was seen before; nothing happens"
    entries.append(entry)
  }

  mutating func noteReply(_ reply: Reply?, to delivery: Delivery, at now: Instant) {
    let run = entries.last { $0.kind == .call && $0.reads.first?.value == "\(delivery.number)" }
    var entry = TimelineEntry(.reply, run?.subject ?? 0, at: now)
    entry.run = run?.run ?? 0
    entry.rule = run?.rule ?? ""
    entry.name = delivery.destination
    entry.type = delivery.type
    switch reply {
    case nil: entry.reason = "200; no reply was laid down for it"
    case let reply? where reply.isMissing: entry.reason = "none"
    case let reply?:
      entry.reason = (reply.ok ? "ok" : "not ok") + (reply.status > 0 ? ", \(reply.status)" : "")
      if !reply.ok, !reply.error.isEmpty { entry.reason += ", \(reply.error)" }
      entry.data = reply.body
    }
    entries.append(entry)
  }

  mutating func note(_ decisions: Decisions, at now: Instant) {
    if decisions.isEmpty, decisions.logs.isEmpty { return }
    let changes = decisions.changes.changes
    for change in changes where change.key.table == .subject {
      if let row = change.value.flatMap(SubjectRow.init) { names[change.key.first] = row.names.first }
    }
    noteEvents(decisions, at: now)
    for row in decisions.deliveries { note(row, at: now) }
    for change in changes { note(change, at: now) }
    for log in decisions.logs {
      var entry = TimelineEntry(.log, log.subject, at: now)
      entry.rule = log.rule
      entry.reason = log.text
      entries.append(entry)
    }
    for run in decisions.endedRuns { note(ended: run, at: now) }
    for change in changes where change.key.table == .run {
      guard let row = change.value.flatMap({ RunRow(number: change.key.first, $0) }) else { continue }
      note(living: row, at: now)
    }
  }

  private mutating func noteEvents(_ decisions: Decisions, at now: Instant) {
    let verdicts = decisions.verdicts.flatMap { $0.unpack() }
    for row in decisions.events.rows {
      eventSubjects[row.number] = row.subject
      eventNames[row.number] = row.name
      var entry = TimelineEntry(row.source == "nudged" ? .emit : .event, row.subject, at: now)
      entry.name = row.name
      entry.data = Timeline.shown(row.body)
      entries.append(entry)
      for found in verdicts where found.event == row.number { note(found, row.subject, at: now) }
    }
    let own = Set(decisions.events.rows.map(\.number))
    // What a rule of someone else made of the event stands with that one.
    let other = decisions.deliveries.first?.subject ?? decisions.endedRuns.first?.subject
    for found in verdicts where !own.contains(found.event) {
      let whose = eventSubjects[found.event] ?? 0
      let other = Timeline.owner(of: found, decisions) ?? other
      if let other, other != whose, let name = eventNames[found.event] {
        var entry = TimelineEntry(.heard, other, at: now)
        entry.name = name
        entry.reason = names[whose]?.description ?? ""
        entries.append(entry)
      }
      note(found, other ?? whose, at: now)
    }
  }

  /// Whose run the verdicts of an event of someone else speak of, where this step has ended it or it has sent something:
  /// one step may end the runs of many.
  private static func owner(of found: EventVerdicts, _ decisions: Decisions) -> Int64? {
    for verdict in found.verdicts {
      let words = verdict.reason.split { !$0.isLetter && !$0.isNumber }
      for case (let word, let number?) in zip(words, words.dropFirst().map { Int64($0) }) where word == "run" {
        if let run = decisions.endedRuns.first(where: { $0.number == number }) { return run.subject }
        if let row = decisions.deliveries.first(where: { $0.run == number }) { return row.subject }
      }
    }
    return nil
  }

  /// What an event tells: its data, or the traits it brings.
  private static func shown(_ body: [UInt8]) -> [UInt8] {
    guard let root = try? Document.parse(body).root else { return [] }
    let found = root["data"] ?? root["properties"] ?? root["traits"]
    return found.flatMap { $0.count == 0 || $0.isNull ? nil : $0.text } ?? []
  }

  private mutating func note(_ found: EventVerdicts, _ subject: Int64, at now: Instant) {
    notMatched += found.notMatched
    for verdict in found.verdicts {
      var entry = TimelineEntry(.rule, subject, at: now)
      entry.rule = verdict.rule
      entry.line = verdict.line
      entry.code = verdict.code
      entry.reason = verdict.reason
      entry.reads = verdict.reads
      entries.append(entry)
    }
    if found.notMatched > 0 {
      var entry = TimelineEntry(.rule, subject, at: now)
      entry.code = .notMatched
      entry.reason = found.notMatched == 1 ? "when said no" : "when said no, in \(found.notMatched) rules"
      entries.append(entry)
    }
  }

  private mutating func note(_ row: DeliveryRow, at now: Instant) {
    var entry = TimelineEntry(row.delivery.tries > 0 ? .call : .send, row.subject, at: now)
    entry.name = row.delivery.destination
    entry.type = row.delivery.type
    entry.rule = row.rule
    entry.run = row.run
    entry.data = data(of: row.delivery)
    // What a reply is told apart by; no rule reads it.
    if entry.kind == .call { entry.reads = [ReadValue(name: "delivery", value: "\(row.delivery.number)")] }
    entries.append(entry)
  }

  /// What the rule sent, as its destination's transform left it: a rehearsal's destinations get just that,
  /// and those that are not configured the standard body.
  private func data(of delivery: Delivery) -> [UInt8] {
    guard let root = try? Document.parse(delivery.body).root else { return [] }
    return known.contains(delivery.destination) ? root.text : root["data"]?.text ?? []
  }

  private mutating func note(_ change: Change, at now: Instant) {
    switch change.key.table {
    case .subject:
      guard let row = change.value.flatMap(SubjectRow.init), row.traits != traits[change.key.first] ?? [] else {
        return
      }
      traits[change.key.first] = row.traits
      var entry = TimelineEntry(.traits, change.key.first, at: now)
      entry.data = row.traits.isEmpty ? Array("{}".utf8) : row.traits
      entries.append(entry)
    case .state:
      let rule = rules[change.key.second] ?? ""
      states[StateKey(subject: change.key.first, rule: rule)] = change.value
      var entry = TimelineEntry(.state, change.key.first, at: now)
      entry.rule = rule
      entry.data = change.value ?? Array("{}".utf8)
      entries.append(entry)
    default: return
    }
  }

  private mutating func note(ended run: RunRow, at now: Instant) {
    runs[run.number] = nil
    var entry = TimelineEntry(.ended, run.subject, at: now)
    entry.rule = rules[run.rule] ?? ""
    entry.run = run.number
    entry.name = run.status.word
    entry.reason = run.reason
    entry.line = run.line
    entries.append(entry)
  }

  private mutating func note(living row: RunRow, at now: Instant) {
    let known = runs[row.number]
    let isParked = row.status == .parked
    let rule = rules[row.rule] ?? ""
    runs[row.number] = RunSeen(
      number: row.number, subject: row.subject, rule: rule, isParked: isParked, wait: row.shownWait,
      started: row.started)
    if let known, known.wait == row.shownWait, known.isParked == isParked { return }
    var entry = TimelineEntry(isParked ? .parked : .waits, row.subject, at: now)
    entry.rule = rule
    entry.run = row.number
    entry.wait = row.shownWait
    entry.line = isParked ? row.line : row.wait?.line ?? 0
    entry.reason = row.reason
    entries.append(entry)
  }
}
