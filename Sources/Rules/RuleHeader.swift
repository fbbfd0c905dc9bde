// What a rule says about itself before its code: when it runs, for whom, how often.
//
// Thread: values. Promise: every key is either understood and honoured or refused with its line; none is
// silently ignored.

internal import Basics
package import Model

package struct RuleHeader: Sendable, Equatable {
  /// Where the path of a key may begin.
  package static let keyRoots = ["data", "traits", "context", "user", "account", "thing", "id", "name"]

  package enum Again: Sendable, Equatable {
    case always
    case never
    /// Not again within this time.
    case after(milliseconds: Int64)
  }

  package enum Mode: String, Sendable, CaseIterable { case live, shadow, paused }

  package enum Key: Sendable, Equatable {
    /// One run per subject.
    case subject
    /// A path into the event, such as "data.invoice".
    case path(String)
    /// Event name → path.
    case byEvent([String: String])
  }

  /// What happens when an event would start a run whose key has one that lives.
  package enum Second: String, Sendable, CaseIterable { case ignore, restart, parallel }

  /// Ends a run, and counts as what it was for.
  package struct Goal: Sendable, Equatable {
    package var event: String
    package var withinMilliseconds: Int64?
    /// Where the event carries the rule's key; nil: where the rule's own events do.
    package var path: String?
  }

  /// The keys that are honoured, and those that are known and refused.
  package static var availableKeys: [String] { HeaderReader.available }
  package static var laterKeys: [String] { HeaderReader.later }

  package var title: String
  package var on: [String]
  /// What begins it instead of the events of `on`.
  package var occasion: Occasion?
  /// "user", "account" or a kind of thing.
  package var per: String
  package var key: Key
  package var again: Again
  package var mode: Mode
  /// Higher runs first.
  package var priority: Int
  package var `class`: String?
  package var owner: String?
  package var hasWhen: Bool
  /// Event name → where it carries the rule's key; nil: where the rule's own events do.
  package var stopOn: [(event: String, path: String?)] = []
  package var goal: Goal?
  package var second = Second.ignore
  /// How many runs of one key may live at once, with second = "parallel".
  package var limit = Limits.parallelRuns
  /// For civil times; nil: the subject's, else the configured one.
  package var zone: String?
  /// What its messages are about, for consent and caps.
  package var topic: String?
  /// Its own cap beside those that are configured; and whether those hold for it.
  package var cap: Policies.Cap?
  package var obeysCaps = true
  package var obeysQuietHours = true
  /// Of ten thousand subjects, how many get nothing from it.
  package var holdOut = 0
  /// Nil: each event begins a run of its own.
  package var gather: Gather?
  package var catchUp = CatchUp.fire
  /// Its runs begin with a wait for a date: on = before(…).
  package var before: DatePlan?

  /// What it sends has to arrive: no policy holds it back.
  package var isTransactional: Bool { self.class == RuleHeader.transactional }
  package static let transactional = "transactional"

  /// Of a rule that is not there any more.
  package static let nameless = RuleHeader(
    title: "", on: [], per: "user", key: .subject, again: .always, mode: .live, priority: 0, class: nil, owner: nil,
    hasWhen: false)

  package static func == (left: RuleHeader, right: RuleHeader) -> Bool {
    left.title == right.title && left.on == right.on && left.per == right.per && left.key == right.key
      && left.again == right.again && left.mode == right.mode && left.priority == right.priority
      && left.class == right.class && left.owner == right.owner && left.hasWhen == right.hasWhen
      && left.hasSameEnds(as: right)
  }

  private func hasSameEnds(as other: RuleHeader) -> Bool {
    occasion == other.occasion && stopOn.map(\.event) == other.stopOn.map(\.event)
      && stopOn.map(\.path) == other.stopOn.map(\.path)
      && goal == other.goal && second == other.second && limit == other.limit && zone == other.zone
      && topic == other.topic && cap == other.cap && obeysCaps == other.obeysCaps
      && obeysQuietHours == other.obeysQuietHours && holdOut == other.holdOut && gather == other.gather
      && catchUp == other.catchUp && before == other.before
  }
}

/// What the loader and the check say in the same words.
extension RuleHeader {
  package static let emptyStopOn = "'stop_on' is empty; name at least one event, or leave it out"

  package static func pathNeedsKey(_ name: String, _ path: String) -> String {
    "'\(name)' has the path '\(path)', which is compared with the rule's key, and there is no 'key'; write key = \"\(path)\", or name the event alone"
  }
}

/// Checks a header that came out of Lua as JSON.
struct HeaderReader {
  private let file: String
  private let scan: SourceScan
  let root: JSONCursor
  private(set) var complaints: [RuleComplaint] = []
  /// Of on = before(…).
  var plan: DatePlan?

  static let available = [
    "title", "on", "per", "key", "when", "run", "again", "mode", "priority", "class", "owner", "stop_on", "goal",
    "second", "limit", "zone", "topic", "cap", "quiet_hours", "hold_out", "collect", "debounce", "catch_up", "late",
  ]
  /// Known, and refused as long as nothing would honour them.
  static let later = ["was"]

  init(file: String, scan: SourceScan, header: Document) {
    self.file = file
    self.scan = scan
    root = header.root
  }

  static let ofSegments = ["title", "per", "when", "owner"]

  /// The header of a segment: who may be in it, and the function that decides.
  mutating func readSegment() -> RuleHeader? {
    guard root["$segment"] != nil else {
      complain("title", "a file below segments/ must end with: return segment { title = …, when = … }")
      return nil
    }
    for (name, _) in root.members where name != "$segment" && !HeaderReader.ofSegments.contains(name) {
      complain(
        name, "unknown key '\(name)' of a segment; it has \(HeaderReader.ofSegments.joined(separator: ", "))",
        suggestion: Suggestion.nearest(to: name, among: HeaderReader.ofSegments))
    }
    let header = RuleHeader(
      title: text("title") ?? "", on: [], per: per(), key: .subject, again: .always, mode: .live, priority: 0,
      class: nil, owner: text("owner"), hasWhen: true)
    if root["title"] == nil { complain("title", "a segment needs a title, such as title = \"At risk\"") }
    if root["when"] == nil {
      complain("when", "a segment needs 'when', such as when = function(customer) return … end")
    } else {
      _ = isFunction("when", required: false)
    }
    return complaints.isEmpty ? header : nil
  }

  mutating func read() -> RuleHeader? {
    if root["$segment"] != nil {
      complain("title", "segment { … } belongs into a file below segments/; a rule's file ends with: return rule { … }")
      return nil
    }
    checkNames()
    let on = events()
    var header = RuleHeader(
      title: text("title") ?? "", on: on, per: perOfSchedule() ?? per(), key: key(), again: again(), mode: mode(),
      priority: priority(),
      class: text("class"), owner: text("owner"), hasWhen: isFunction("when", required: false))
    _ = isFunction("run", required: true)
    if root["title"] == nil { complain("title", "a rule needs a title, such as title = \"Warn before the limit\"") }
    header.occasion = occasion
    header.stopOn = stopOn()
    header.goal = goal()
    header.gather = gather()
    header.catchUp = catchUp()
    header.second = second(gathers: header.gather != nil)
    header.limit = limit(header.second)
    header.zone = zone()
    readPolicies(&header)
    header.before = late()
    checkGathering(header)
    checkKeyEvents(header)
    checkPaths(header)
    checkSides(header)
    checkEnds(header)
    checkOwnKey(header)
    return complaints.isEmpty ? header : nil
  }

  mutating func complain(_ key: String, _ message: String, suggestion: String? = nil) {
    complaints.append(
      RuleComplaint(file: file, line: scan.keyLines[key] ?? ruleLine, message: message, suggestion: suggestion))
  }

  private var ruleLine: Int { scan.tokens.last { $0.kind == .name && $0.text == "rule" }?.line ?? 1 }

  private mutating func checkNames() {
    for (name, _) in root.members where !HeaderReader.available.contains(name) {
      if HeaderReader.later.contains(name) {
        complain(name, "'\(name)' is not available in this version; remove it")
      } else {
        let suggestion = Suggestion.nearest(to: name, among: HeaderReader.available + HeaderReader.later)
        complain(name, "unknown key '\(name)'", suggestion: suggestion)
      }
    }
  }

  static func describe(_ value: JSONCursor) -> String {
    switch value.kind {
    case .null: "null"
    case .object where value["$function"] != nil: "a function"
    case .object, .array: "a table"
    default: String(decoding: value.text, as: UTF8.self)
    }
  }

  private mutating func text(_ key: String) -> String? {
    guard let value = root[name: key] else { return nil }
    guard let text = value.string, !text.isEmpty, text.utf8.count <= 200 else {
      complain(key, "'\(key)' must be a text of 1 to 200 bytes; it is \(HeaderReader.describe(value))")
      return nil
    }
    return text
  }

  private static let triggers = ["every", "absence", "before", "enters", "leaves"]
  /// What `on` has instead of events.
  private var occasion: Occasion?

  private mutating func trigger(_ value: JSONCursor, isAlone: Bool) -> Bool {
    guard value.kind == .object, let member = value.members.first, member.key.hasPrefix("$") else { return false }
    let word = String(member.key.dropFirst())
    guard HeaderReader.triggers.contains(word) else {
      complain("on", "'on' must be an event name or a list of them; it is \(HeaderReader.describe(value))")
      return true
    }
    guard isAlone else {
      complain("on", "\(word)(…) stands alone: write a rule of its own for it")
      return true
    }
    read(word, member.value.elements)
    return true
  }

  private mutating func read(_ word: String, _ arguments: [JSONCursor]) {
    let reader = OccasionReader(word, arguments)
    occasion = reader.occasion
    for problem in reader.problems { complain("on", problem.message, suggestion: problem.suggestion) }
  }

  private mutating func events() -> [String] {
    guard let value = root["on"] else {
      complain("on", "a rule needs 'on', the name of the event that starts it, such as on = \"invoice.paid\"")
      return []
    }
    if let events = before(value) { return events }
    if trigger(value, isAlone: true) { return [] }
    let candidates = value.kind == .array ? value.elements : [value]
    var names: [String] = []
    for candidate in candidates where !trigger(candidate, isAlone: false) {
      guard let name = candidate.string, !name.isEmpty, name.utf8.count <= Limits.eventNameBytes else {
        complain("on", "'on' must be an event name or a list of them; here stands \(HeaderReader.describe(candidate))")
        continue
      }
      if names.contains(name) { complain("on", "'on' names the event '\(name)' twice") }
      names.append(name)
    }
    if candidates.isEmpty { complain("on", "'on' is an empty list; name at least one event") }
    return names
  }

  /// A schedule says itself whom it is for; without `for_each` it is about the rule.
  private mutating func perOfSchedule() -> String? {
    guard case .every(let schedule) = occasion else { return nil }
    let wanted = schedule.forEach ?? "rule"
    if let given = root["per"]?.string, given != wanted {
      complain(
        "per",
        "every(…) says whom the rule is for: 'per' would be \"\(wanted)\" and not \"\(given)\"; use for_each, and leave 'per' out"
      )
    }
    return wanted
  }

  private mutating func per() -> String {
    guard let per = text("per") else { return "user" }
    let isName = per.utf8.allSatisfy { $0 == 0x5F || ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) }
    if !isName || per.utf8.count > Limits.namespaceBytes {
      complain("per", "'per' must be \"user\", \"account\" or a kind of thing in small letters; it is \"\(per)\"")
    }
    return per
  }

  private mutating func path(_ value: JSONCursor, _ key: String = "key") -> String? {
    guard let path = value.string, !path.isEmpty, path.utf8.count <= 200 else {
      complain(key, "'\(key)' must be a path such as \"data.invoice\"; it is \(HeaderReader.describe(value))")
      return nil
    }
    let steps = path.split(separator: ".", omittingEmptySubsequences: false)
    guard RuleHeader.keyRoots.contains(String(steps[0])), !steps.contains("") else {
      complain(
        key, "the path '\(path)' of '\(key)' must begin with one of \(RuleHeader.keyRoots.joined(separator: ", "))",
        suggestion: Suggestion.nearest(to: String(steps[0]), among: RuleHeader.keyRoots))
      return nil
    }
    return path
  }

  private mutating func key() -> RuleHeader.Key {
    guard let value = root["key"] else { return .subject }
    guard value.kind == .object, value["$function"] == nil else { return path(value).map { .path($0) } ?? .subject }
    var paths: [String: String] = [:]
    for (event, value) in value.members { paths[event] = path(value) }
    return .byEvent(paths)
  }

  /// A table event → path must cover exactly the events of `on`, or some could never have a key.
  private mutating func checkKeyEvents(_ header: RuleHeader) {
    guard case .byEvent(let paths) = header.key, !header.on.isEmpty else { return }
    for event in header.on where paths[event] == nil {
      complain("key", "'key' has no path for the event '\(event)' of 'on'")
    }
    let ends =
      header.stopOn.map(\.event) + (header.goal.map { [$0.event] } ?? []) + scan.awaited.map(\.text)
      + (header.before?.names ?? [])
    for event in paths.keys.sorted() where !header.on.contains(event) && !ends.contains(event) {
      complain(
        "key", "'key' has a path for '\(event)', which 'on' does not name",
        suggestion: Suggestion.nearest(to: event, among: header.on))
    }
  }

  /// A path is compared with the run's key; where there is none, it would never end a run.
  private mutating func checkPaths(_ header: RuleHeader) {
    // An unknown key may be the one that is missing, and is told already.
    if root["key"] != nil || root.members.contains(where: { !HeaderReader.available.contains($0.key) }) { return }
    if let path = header.stopOn.compactMap(\.path).first {
      complain("stop_on", RuleHeader.pathNeedsKey("stop_on", path))
    }
    if let path = header.goal?.path { complain("goal", RuleHeader.pathNeedsKey("goal", path)) }
  }

  private mutating func checkGathering(_ header: RuleHeader) {
    guard header.gather != nil, header.before != nil || header.occasion != nil else { return }
    complain(
      root["collect"] != nil ? "collect" : "debounce",
      "'collect' and 'debounce' gather events, and so 'on' must name events; before(…) and its like begin by themselves"
    )
  }

  /// What begins by itself has an event of nudged's own, of which it is known what it carries.
  private mutating func checkOwnKey(_ header: RuleHeader) {
    guard case .path(let path) = header.key, let fields = header.occasion?.fields else { return }
    let steps = path.split(separator: ".").map(String.init)
    let isThere =
      steps[0] == "data" ? steps.count == 2 && fields.contains(steps[1]) : ["id", "name"].contains(steps[0])
    if isThere || steps[0] == header.per { return }
    complain(
      "key",
      "'key' is '\(path)', and the event that this rule begins with carries no more than \(fields.map { "data." + $0 }.joined(separator: ", ")); leave 'key' out, the subject alone is enough"
    )
  }

  /// Of one subject there are no two sides to compare.
  private mutating func checkSides(_ header: RuleHeader) {
    guard case .every(let schedule) = header.occasion, schedule.forEach == nil else { return }
    for key in ["hold_out", "goal"] where root[name: key] != nil {
      complain(
        key,
        "'\(key)' is about many subjects, and every(…) without for_each begins for the rule alone; add for_each, such as { for_each = \"user\" }, or remove '\(key)'"
      )
    }
  }

  /// An event that ends a collection before it can join it would never be collected a second time.
  private mutating func checkEnds(_ header: RuleHeader) {
    if header.gather == nil { return }
    let ends = header.stopOn.filter { $0.path == nil }.map { ("stop_on", $0.event) }
    let goals = header.goal.map { $0.path == nil ? [("goal", $0.event)] : [] } ?? []
    for (key, event) in ends + goals where header.on.contains(event) {
      complain(key, "'\(event)' of 'on' is collected, and so it cannot end what it joins: take it out of '\(key)'")
    }
  }

  private mutating func again() -> RuleHeader.Again {
    guard let value = root["again"] else { return .always }
    switch value.string {
    case "always": return .always
    case "never": return .never
    case let text?:
      if let pause = DurationText.milliseconds(text) { return .after(milliseconds: pause) }
    case nil: break
    }
    complain(
      "again",
      "'again' must be \"always\", \"never\" or a duration such as \"30 days\"; it is \(HeaderReader.describe(value))")
    return .always
  }

  private mutating func eventName(_ value: JSONCursor, _ key: String) -> String? {
    if let name = value.string, !name.isEmpty, name.utf8.count <= Limits.eventNameBytes { return name }
    complain(key, "'\(key)' must name events; here stands \(HeaderReader.describe(value))")
    return nil
  }

  /// A name, a list of names, or a table event → path.
  private mutating func stopOn() -> [(event: String, path: String?)] {
    guard let value = root["stop_on"] else { return [] }
    if value.kind == .object || value.kind == .array, value.members.isEmpty, value.elements.isEmpty {
      complain("stop_on", RuleHeader.emptyStopOn)
    }
    var out: [(event: String, path: String?)] = []
    if value.kind == .object, value["$function"] == nil {
      for (name, value) in value.members { out.append((name, path(value, "stop_on"))) }
      return out
    }
    for candidate in value.kind == .array ? value.elements : [value] {
      guard let name = eventName(candidate, "stop_on") else { continue }
      if out.contains(where: { $0.event == name }) { complain("stop_on", "'stop_on' names the event '\(name)' twice") }
      out.append((name, nil))
    }
    return out
  }

  private mutating func goal() -> RuleHeader.Goal? {
    guard let value = root["goal"] else { return nil }
    guard value.kind == .object, value["$function"] == nil, let named = value["event"] else {
      complain(
        "goal",
        "'goal' must be such as { event = \"subscription.upgraded\", within = \"14 days\" }; it is \(HeaderReader.describe(value))"
      )
      return nil
    }
    for (name, _) in value.members where !["event", "within", "key"].contains(name) {
      complain(
        "goal", "unknown key '\(name)' in 'goal'",
        suggestion: Suggestion.nearest(to: name, among: ["event", "within", "key"]))
    }
    guard let event = eventName(named, "goal") else { return nil }
    var goal = RuleHeader.Goal(event: event)
    if let within = value["within"] {
      goal.withinMilliseconds = within.string.flatMap { DurationText.milliseconds($0) }
      if goal.withinMilliseconds == nil {
        complain(
          "goal",
          "'within' of 'goal' must be a duration such as \"14 days\"; it is \(HeaderReader.describe(within))")
      }
    }
    if let key = value["key"] { goal.path = path(key, "goal") }
    return goal
  }

  /// A run that lives on must not keep the next events from being collected, unless its rule says so.
  private mutating func second(gathers: Bool) -> RuleHeader.Second {
    guard let value = root["second"] else { return gathers ? .parallel : .ignore }
    if let second = value.string.flatMap({ RuleHeader.Second(rawValue: $0) }) { return second }
    complain(
      "second",
      "'second' must be \"ignore\", \"restart\" or \"parallel\"; it is \(HeaderReader.describe(value))",
      suggestion: value.string.flatMap {
        Suggestion.nearest(to: $0, among: RuleHeader.Second.allCases.map(\.rawValue))
      })
    return .ignore
  }

  private mutating func limit(_ second: RuleHeader.Second) -> Int {
    guard let value = root["limit"] else { return Limits.parallelRuns }
    guard let limit = value.integer, limit >= 1, limit <= Int64(Limits.runsPerSubject) else {
      complain(
        "limit",
        "'limit' must be a whole number from 1 to \(Limits.runsPerSubject); it is \(HeaderReader.describe(value))")
      return Limits.parallelRuns
    }
    if second != .parallel {
      complain("limit", "'limit' says how many runs may live at once: it needs second = \"parallel\"")
    }
    return Int(limit)
  }

  private mutating func zone() -> String? {
    guard let name = text("zone") else { return nil }
    if ZoneFolder.isName(name), (try? ZoneFolder().load(name)) != nil { return name }
    let suggestion = Suggestion.nearest(to: name, among: ZoneFolder().names())
    complain(
      "zone", "there is no time zone '\(name)'; zones are named such as \"Europe/Berlin\"", suggestion: suggestion)
    return nil
  }

  // MARK: policies

  private mutating func readPolicies(_ header: inout RuleHeader) {
    if let name = header.class, name != RuleHeader.transactional,
      let near = Suggestion.nearest(to: name, among: [RuleHeader.transactional])
    {
      complain("class", "'class' is \"\(name)\"; what no policy may hold back is \"transactional\"", suggestion: near)
    }
    if let topic = text("topic") {
      if topic.utf8.count > Limits.topicBytes || topic == PolicyRecord.everything {
        complain(
          "topic",
          "'topic' must be a text of 1 to \(Limits.topicBytes) bytes such as \"newsletter\"; it is \"\(topic)\"")
      }
      header.topic = topic
    }
    header.obeysQuietHours = switchedOff("quiet_hours")
    if let value = root["cap"] {
      if value.boolean == false { header.obeysCaps = false } else { header.cap = cap(value) }
    }
    if let value = root["hold_out"] {
      let percent = value.integer.map(Double.init) ?? value.double ?? -1
      if percent >= 0, percent <= 50 {
        header.holdOut = Int((percent * 100).rounded())
        if percent > 0, header.holdOut == 0 {
          complain("hold_out", "'hold_out' is less than 0.01, which holds out nobody")
        }
      } else {
        complain("hold_out", "'hold_out' must be a percentage from 0 to 50; it is \(HeaderReader.describe(value))")
      }
    }
    if header.isTransactional {
      for key in ["cap", "quiet_hours", "hold_out"] where root[name: key] != nil {
        complain(
          key, "'\(key)' has no effect with class = \"transactional\", which no policy holds back; remove one of them")
      }
    }
  }

  /// A key that can only be used to do without something.
  private mutating func switchedOff(_ key: String) -> Bool {
    guard let value = root[name: key] else { return true }
    if value.boolean == false { return false }
    complain(
      key,
      "'\(key)' can only be false, which lets this rule send at any hour; the hours stand in the configuration (policies)"
    )
    return true
  }

  private mutating func cap(_ value: JSONCursor) -> Policies.Cap? {
    let known = ["most", "per"]
    guard value.kind == .object, value["$function"] == nil else {
      complain(
        "cap", "'cap' must be such as { most = 1, per = \"30 days\" }, or false; it is \(HeaderReader.describe(value))")
      return nil
    }
    for (name, _) in value.members where !known.contains(name) {
      complain("cap", "unknown key '\(name)' in 'cap'", suggestion: Suggestion.nearest(to: name, among: known))
    }
    guard let most = value["most"]?.integer, (1...Int64(Limits.cappedMessages)).contains(most) else {
      complain("cap", "'most' of 'cap' must be a whole number from 1 to \(Limits.cappedMessages)")
      return nil
    }
    guard let window = value["per"]?.string.flatMap({ Policies.Window($0) }) else {
      complain("cap", "'per' of 'cap' must be \(Policies.Window.right)")
      return nil
    }
    return Policies.Cap(most: Int(most), window: window)
  }

  private mutating func mode() -> RuleHeader.Mode {
    guard let value = root["mode"] else { return .live }
    if let mode = value.string.flatMap({ RuleHeader.Mode(rawValue: $0) }) { return mode }
    complain(
      "mode", "'mode' must be \"live\", \"shadow\" or \"paused\"; it is \(HeaderReader.describe(value))",
      suggestion: value.string.flatMap { Suggestion.nearest(to: $0, among: RuleHeader.Mode.allCases.map(\.rawValue)) })
    return .live
  }

  private mutating func priority() -> Int {
    guard let value = root["priority"] else { return 0 }
    guard let priority = value.integer, priority >= -1000, priority <= 1000 else {
      complain(
        "priority", "'priority' must be a whole number from -1000 to 1000; it is \(HeaderReader.describe(value))")
      return 0
    }
    return Int(priority)
  }

  private mutating func isFunction(_ key: String, required: Bool) -> Bool {
    guard let value = root[name: key] else {
      if required { complain(key, "a rule needs '\(key)', such as \(key) = function(event, customer) … end") }
      return false
    }
    if value.kind == .object, value["$function"] != nil { return true }
    complain(key, "'\(key)' must be a function; it is \(HeaderReader.describe(value))")
    return false
  }
}
