// The effect-making words of rules: checks what was asked and keeps it until the run has ended.
//
// Thread: the runtime's. Promise: a word either adds exactly one effect or raises a sentence that says
// what was wrong with which argument; nothing happens in the world.

internal import Basics
internal import CRuleHost
internal import Model

final class EffectWords: RuleWords {
  /// Of a run that may wait; nil for all others.
  @exclusivity(unchecked) var player: RunPlayer?
  /// The number of each effect's entry in the run's journal.
  @exclusivity(unchecked) private(set) var entries: [Int] = []
  // One thread, never re-entered: the run-time check of exclusive access would cost a tenth of a run.
  @exclusivity(unchecked) private var effects: [Effect] = []
  @exclusivity(unchecked) private var logBytes = 0
  let destinations: Set<String>?
  let parser = DocumentParser(maximumBytes: Limits.ruleArgumentBytes)
  /// Of what runs get to see again: the reply of a call has its body inside of an object of ours.
  let storedParser = DocumentParser(maximumBytes: Limits.storedReplyBytes, maximumDepth: Limits.jsonDepth + 1)
  /// Borrowed for the length of a run.
  @exclusivity(unchecked) private var input: UnsafePointer<RuleInput>?

  /// Whoever keeps windows, and whose they are for the rule at hand.
  @exclusivity(unchecked) var windows: (any WindowReader)?
  @exclusivity(unchecked) var per = ""
  @exclusivity(unchecked) var calendars: (any CalendarMaker)?
  /// The moment of a run that does not wait.
  var moment: Instant { input?.pointee.now ?? .zero }
  /// What calls mean that were taken apart before.
  @exclusivity(unchecked) var knownWindows: [String: WindowDefinition] = [:]

  init(destinations: Set<String>?) { self.destinations = destinations }

  func begin(_ input: UnsafePointer<RuleInput>) {
    self.input = input
    logBytes = 0
    if !effects.isEmpty { effects = [] }
    if !entries.isEmpty { entries = [] }
  }

  /// Hands the effects over and forgets the input.
  func end() -> [Effect] {
    input = nil
    if effects.isEmpty { return [] }
    defer { effects = [] }
    return effects
  }

  func answer(_ call: RuleCall) {
    switch call.word {
    case RULE_WORD_FIELD: field(call)
    case RULE_WORD_SEND: send(call)
    case RULE_WORD_SET: set(call)
    case RULE_WORD_EMIT: emit(call)
    case RULE_WORD_LOG: log(call)
    case RULE_WORD_FINISH: finish(call)
    case RULE_WORD_WAIT: wait(call)
    case RULE_WORD_WAIT_UNTIL: waitUntil(call)
    case RULE_WORD_WAIT_FOR: waitFor(call, .waitFor)
    case RULE_WORD_WAIT_ANY: waitFor(call, .waitAny)
    case RULE_WORD_CANDIDATE: candidate(call)
    case RULE_WORD_CALL: outsideCall(call)
    case RULE_WORD_CHECKPOINT: checkpoint(call)
    case RULE_WORD_COLLECTED: collected(call)
    case RULE_WORD_CALENDAR: calendar(call)
    default: window(call)
    }
  }

  private func field(_ call: RuleCall) {
    guard let input, let number = call.integer(0) else { return }
    let index = call.integer(1) ?? 0
    let event = index == 0 ? input.pointee.event : player?.event(index) ?? input.pointee.event
    let text: String? =
      switch rule_field(rawValue: UInt32(number)) {
      case RULE_FIELD_EVENT_NAME: event.name
      case RULE_FIELD_EVENT_ID: event.id
      case RULE_FIELD_EVENT_SOURCE: event.source
      case RULE_FIELD_EVENT_USER: event.user?.id
      case RULE_FIELD_EVENT_ACCOUNT: event.account?.id
      case RULE_FIELD_EVENT_THING: event.thing?.description
      case RULE_FIELD_CUSTOMER_ID: player?.customerID ?? input.pointee.customerID
      case RULE_FIELD_CUSTOMER_ACCOUNT: player == nil ? input.pointee.account : player?.account
      default: nil
      }
    if let text { call.answer(text) }
  }

  func add(_ effect: Effect, _ kind: JournalKind, hash: UInt32 = 0, _ call: RuleCall) {
    if let player {
      switch player.record(kind, hash: hash) {
      case .again: return
      case .diverged: return call.diverge(player.divergence ?? "")
      case .full: return call.exceed(EffectWords.journalIsFull)
      case .live(let entry): entries.append(entry)
      }
    }
    keep(effect, call)
  }

  static let journalIsFull =
    "the journal of this run has \(Limits.journalEntries) entries; cut it short with checkpoint now and then"

  /// False: it was one too many, and the call says so.
  @discardableResult
  private func keep(_ effect: Effect, _ call: RuleCall) -> Bool {
    guard effects.count < Limits.ruleEffects else {
      call.exceed("one run may have \(Limits.ruleEffects) effects; this one asks for more")
      return false
    }
    effects.append(effect)
    return true
  }

  /// The effect of a call, whose entry is its wait.
  func keepCall(_ effect: Effect, entry: Int, _ call: RuleCall) -> Bool {
    entries.append(entry)
    return keep(effect, call)
  }

  /// A text of 1 to 200 bytes, or a failure.
  func name(_ position: Int, _ word: String, _ what: String, _ call: RuleCall) -> String? {
    guard let text = call.text(position) else {
      call.fail("\(word): \(what) must be a text; it is \(call.describe(position))")
      return nil
    }
    guard !text.isEmpty, text.utf8.count <= Limits.eventNameBytes else {
      call.fail("\(word): \(what) must have 1 to \(Limits.eventNameBytes) bytes; it has \(text.utf8.count)")
      return nil
    }
    return text
  }

  func object(_ position: Int, _ word: String, _ call: RuleCall) -> [UInt8]? {
    if call.isNil(position) { return Array("{}".utf8) }
    guard let json = call.json(position), json.first == UInt8(ascii: "{") else {
      let what = call.json(position) == nil ? call.describe(position) : "a list"
      call.fail("\(word): the data must be a table with names, such as { plan = \"pro\" }; it is \(what)")
      return nil
    }
    return json
  }

  /// The table of options; nil after a failure, an empty one when there is none.
  func options(_ position: Int, _ word: String, known: [String], _ call: RuleCall) -> [String: JSONCursor]? {
    if call.isNil(position) { return [:] }
    guard let json = call.json(position), let document = try? parser.parse(json), document.root.kind == .object else {
      call.fail(
        "\(word): the options must be a table, such as { \(known[0]) = … }; here stands \(call.describe(position))")
      return nil
    }
    var options: [String: JSONCursor] = [:]
    for (key, value) in document.root.members {
      guard known.contains(key) else {
        call.fail("\(word): unknown option '\(key)'\(Suggestion.ending(for: key, among: known))")
        return nil
      }
      options[key] = value
    }
    return options
  }

  func isTooMany(_ count: Int, _ word: String, _ call: RuleCall) -> Bool {
    if call.count <= count { return false }
    call.fail("\(word) takes at most \(count) arguments; here are \(call.count)")
    return true
  }

  private func send(_ call: RuleCall) {
    if isTooMany(4, "send", call) { return }
    guard let destination = name(0, "send", "the destination", call) else { return }
    if let destinations, !destinations.contains(destination) {
      return call.fail(EffectWords.unknownDestination(destination, known: destinations, suggests: true))
    }
    guard let type = name(1, "send", "the type", call), let data = object(2, "send", call),
      let options = options(3, "send", known: ["within"], call)
    else { return }
    var within: Int64?
    if let value = options["within"] {
      within = value.string.flatMap { DurationText.milliseconds($0) }
      if within == nil {
        return call.fail(
          "send: 'within' must be a duration such as \"2 hours\"; it is \(String(decoding: value.text, as: UTF8.self))")
      }
    }
    add(
      .send(Webhook(destination: destination, type: type, data: data, withinMilliseconds: within)), .send,
      hash: player == nil ? 0 : JournalEntry.hash(destination, type), call)
  }

  static func unknownDestination(_ name: String, known: Set<String>, suggests: Bool) -> String {
    let ending = suggests ? Suggestion.ending(for: name, among: known) : ""
    let list =
      known.isEmpty ? "none is configured" : "configured are \(known.sorted().prefix(8).joined(separator: ", "))"
    return "there is no destination '\(name)'\(ending); \(list)"
  }

  private func set(_ call: RuleCall) {
    if isTooMany(1, "set", call) { return }
    guard !call.isNil(0) else { return call.fail("set needs a table of traits, such as set { plan = \"pro\" }") }
    guard let traits = object(0, "set", call) else { return }
    guard traits.count <= Limits.traitsBytes else {
      return call.fail("set: these traits take \(traits.count) bytes; a subject may have \(Limits.traitsBytes)")
    }
    add(.set(traits: traits), .set, call)
  }

  private func emit(_ call: RuleCall) {
    if isTooMany(3, "emit", call) { return }
    guard let name = name(0, "emit", "the event's name", call) else { return }
    if name.hasPrefix("nudged.") {
      return call.fail("emit: names that begin with 'nudged.' are reserved; this one is '\(name)'")
    }
    guard let data = object(1, "emit", call), let options = options(2, "emit", known: ["subject"], call) else { return }
    var subject: SubjectReference?
    if let value = options["subject"] {
      subject = value.string.flatMap { SubjectReference($0) }
      guard let subject, subject.isWellFormed else {
        return call.fail(
          "emit: 'subject' must be such as \"account:acme\"; it is \(String(decoding: value.text, as: UTF8.self))")
      }
    }
    add(
      .emit(name: name, data: data, subject: subject), .emit, hash: player == nil ? 0 : JournalEntry.hash(name), call)
  }

  private func log(_ call: RuleCall) {
    if isTooMany(1, "log", call) { return }
    guard let text = call.text(0) else {
      return call.fail("log takes one text; this is \(call.describe(0)). Use string.format or .. to make one")
    }
    logBytes += text.utf8.count
    guard logBytes <= Limits.ruleLogBytes else {
      return call.exceed("one run may log \(Limits.ruleLogBytes) bytes; this one logs more")
    }
    add(.log(text: text), .log, call)
  }
}
