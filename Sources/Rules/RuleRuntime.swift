// Runs the rules of a set on one lane: a Lua state of its own with every rule loaded.
//
// Thread: the lane's; not Sendable, created where it is used. Promise: a run touches nothing but its
// outcome; whatever a rule does, the next one finds the runtime as new.

package import Basics
internal import CRuleHost
package import Model

package final class RuleRuntime {
  package let set: RuleSet
  private let zones: ZoneShelf
  private let host: RuleHost
  private let words: EffectWords
  /// Position in the set → slot in the host.
  private let slots: [UInt32]

  /// Loads the set anew. It was checked when it was made, so this fails for want of memory only.
  /// `failFrom` is for tests: from that allocation on, counted from 1, memory is refused.
  /// `cpuMilliseconds` is the second net; a slow machine or a sanitizer may need a wider one.
  package init(
    _ set: RuleSet, failFrom: Int = 0, cpuMilliseconds: Int64 = Limits.ruleCPUMilliseconds,
    zones: ZoneShelf = ZoneShelf()
  ) throws(RuleComplaint) {
    self.zones = zones
    guard let host = RuleHost(failFrom: failFrom, cpuMilliseconds: cpuMilliseconds) else {
      throw RuleComplaint(file: set.folder, line: 1, message: "there is no memory left for the rules")
    }
    self.set = set
    self.host = host
    words = EffectWords(destinations: set.knownDestinations)
    host.setWords(words)
    for library in set.libraries {
      try host.loadLibrary(name: library.name, file: set.display(library), text: library.text)
    }
    var slots: [UInt32] = []
    for position in 0..<set.count {
      let source = set.source(position)
      let slot = try host.loadRule(file: set.display(source), text: source.text).slot
      if set[position].isStraight { host.trust(slot: slot) }
      slots.append(slot)
    }
    self.slots = slots
  }

  /// Who keeps windows.
  package var windows: (any WindowReader)? {
    get { words.windows }
    set { words.windows = newValue }
  }

  /// Who makes calendar files.
  package var calendars: (any CalendarMaker)? {
    get { words.calendars }
    set { words.calendars = newValue }
  }

  /// Puts someone else in the place of the effects; for tests, and for whoever replays.
  package func answer(with words: any RuleWords) { host.setWords(words) }

  /// For tests of what happens when memory runs out: counts anew from now; 0 ends it.
  package func fail(from allocation: Int) { host.fail(from: allocation) }
  package var allocations: Int { host.allocations }
  /// What the Lua state holds.
  package var bytes: Int { host.bytes }

  /// One run of the rule at `position`; never throws, an error is an outcome.
  package func run(_ position: Int, _ input: RuleInput, onlyWhen: Bool = false) -> RuleOutcome {
    if !set[position].windows.isEmpty { words.per = set[position].header.per }
    return withUnsafePointer(to: input) { pointer in
      words.begin(pointer)
      let status = RuleRuntime.withInput(pointer) {
        $0.only_when = onlyWhen
        return host.run(slot: slots[position], &$0)
      }
      return outcome(status, effects: words.end(), position: position)
    }
  }

  @inline(__always)
  private static func withInput(_ input: UnsafePointer<RuleInput>, _ body: (inout rule_input) -> rule_status)
    -> rule_status
  {
    input.pointee.state.withUnsafeBytes { state in
      var given = rule_input()
      given.event = RuleCall.handle(input.pointee.event, index: 0)
      given.now = input.pointee.now.milliseconds
      given.customer_traits = input.pointee.traits?.block
      given.state = state.baseAddress?.assumingMemoryBound(to: CChar.self)
      given.state_count = state.count
      given.seed_high = input.pointee.seed.high
      given.seed_low = input.pointee.seed.low
      return body(&given)
    }
  }

  /// What a library makes of a message: a JSON object, or nil when nothing is to be sent.
  package func transform(library: String, _ message: Document) throws(RuleComplaint) -> [UInt8]? {
    try host.transform(library: library, message)
  }

  // Runs that may wait.

  /// One activation of the rule at `position`: everything its journal holds again, then on from there.
  package func activate(_ position: Int, _ activation: Activation) -> ActivationOutcome {
    if !set[position].windows.isEmpty { words.per = set[position].header.per }
    return withUnsafePointer(to: activation.input) { pointer in
      words.begin(pointer)
      var player: RunPlayer?
      let status = RuleRuntime.withInput(pointer) { given in
        withUnsafeMutablePointer(to: &given) { given in
          player = RunPlayer(
            activation, header: set[position].header, dates: set[position].dates, input: given,
            parser: words.storedParser, zones: zones)
          words.player = player
          return host.run(slot: slots[position], &given.pointee)
        }
      }
      let entries = words.entries
      defer { words.player = nil }
      return outcome(status, position, player!, effects: words.end(), entries)
    }
  }

  private func outcome(
    _ status: rule_status, _ position: Int, _ player: RunPlayer, effects: [Effect], _ entries: [Int]
  ) -> ActivationOutcome {
    let report = host.report
    player.noteReads(state: report.pointee.state_touched, traits: touchedTraits(player.activation.input.traits))
    let ending = ending(status, player)
    let counts = ActivationOutcome.counts(ending)
    let hasPart = counts && ending != .unchanged
    var reason = status == RULE_OK || status == RULE_SUSPENDED ? "" : reason(position)
    if ending == .diverged { reason = player.divergence ?? reason }
    if ending == .skipped { reason = player.dateReason ?? reason }
    return ActivationOutcome(
      ending: ending, line: Int(report.pointee.line), reason: reason, effects: counts ? effects : [],
      entries: counts ? entries : [],
      part: hasPart
        ? JournalPart(
          trigger: player.trigger, now: player.activation.input.now, reads: player.reads, entries: player.entries)
        : nil,
      consumed: player.consumed, entryCount: player.entryCount, randoms: report.pointee.randoms,
      state: counts && report.pointee.state_changed && player.isLive ? host.reportText : nil, reads: reads(report),
      units: Int(report.pointee.units), limit: RuleRuntime.limit(status), date: player.date)
  }

  private func ending(_ status: rule_status, _ player: RunPlayer) -> ActivationOutcome.Ending {
    switch status {
    case RULE_SUSPENDED:
      if player.isUnchanged { return .unchanged }
      if let name = player.cancelledBy { return .stopped(by: name) }
      if player.dateReason != nil { return .skipped }
      if let saved = player.saved { return .checkpoint(saved: saved) }
      guard var wait = player.wait else { return .failed }
      wait.line = Int(host.report.pointee.line)
      return .waiting(wait)
    case RULE_OK, RULE_FINISHED: return player.endsEarly() ? .diverged : .finished
    case RULE_SKIPPED: return player.endsEarly() ? .diverged : .skipped
    case RULE_NOT_MATCHED: return .notMatched
    case RULE_DIVERGED: return .diverged
    case RULE_UNITS, RULE_MEMORY, RULE_TIME: return .overBudget
    default: return .failed
    }
  }

  private static func limit(_ status: rule_status) -> RuleLimit? {
    switch status {
    case RULE_UNITS: .units
    case RULE_MEMORY: .memory
    case RULE_TIME: .time
    default: nil
    }
  }

  /// The traits that the live activation read, as a JSON object; nil: none.
  private func touchedTraits(_ traits: Document?) -> [UInt8]? {
    let report = host.report
    guard let traits, report.pointee.all_traits || report.pointee.trait_count > 0 else { return nil }
    if report.pointee.all_traits { return traits.root.text }
    var writer = JSONWriter(capacity: 64)
    writer.beginObject()
    var names: [String] = []
    for index in 0..<report.pointee.trait_count {
      let trait = rule_report_trait(report, index)!
      names.append(RuleRuntime.text(rule_trait_name(trait), trait.pointee.count))
    }
    for name in names.sorted() {
      guard let value = traits.root[name: name] else { continue }
      writer.key(name)
      writer.raw(value.text)
    }
    writer.endObject()
    return writer.bytes
  }

  // Each case builds its outcome in one go: a variable filled bit by bit would be copied on return.
  private func outcome(_ status: rule_status, effects: [Effect], position: Int) -> RuleOutcome {
    let report = host.report
    switch status {
    case RULE_OK, RULE_FINISHED:
      return RuleOutcome(
        code: .ran, line: 0, reason: status == RULE_FINISHED ? host.message : "", effects: effects,
        state: report.pointee.state_changed ? host.reportText : nil,
        reads: reads(report), units: Int(report.pointee.units), limit: nil)
    case RULE_NOT_MATCHED: return ended(.notMatched, position, named: false)
    case RULE_SKIPPED: return ended(.skipped, position)
    case RULE_UNITS: return ended(.overBudget, position, limit: .units)
    case RULE_MEMORY: return ended(.overBudget, position, limit: .memory)
    case RULE_TIME: return ended(.overBudget, position, limit: .time)
    default: return ended(.failed, position)
    }
  }

  /// An end without effects; `named`: with line and reason.
  private func ended(_ code: VerdictCode, _ position: Int, named: Bool = true, limit: RuleLimit? = nil) -> RuleOutcome {
    let report = host.report
    return RuleOutcome(
      code: code, line: named ? Int(report.pointee.line) : 0, reason: named ? reason(position) : "", effects: [],
      state: nil, reads: reads(report), units: Int(report.pointee.units), limit: limit)
  }

  /// The message; a place in a library is named, the rule's own file goes without saying.
  private func reason(_ position: Int) -> String {
    let file = host.file
    if file.isEmpty || file == set.display(set.source(position)) { return host.message }
    return "\(file):\(host.report.pointee.line): \(host.message)"
  }

  private func reads(_ report: UnsafePointer<rule_report>) -> [ReadValue] {
    let count = report.pointee.read_count
    if count == 0 { return [] }
    var reads: [ReadValue] = []
    reads.reserveCapacity(Int(count))
    for index in 0..<count {
      let read = rule_report_read(report, index)!
      reads.append(
        ReadValue(
          name: RuleRuntime.text(rule_read_name(read), read.pointee.name_count),
          value: RuleRuntime.text(rule_read_value(read), read.pointee.value_count)))
    }
    return reads
  }

  @inline(__always)
  private static func text(_ start: UnsafePointer<CChar>?, _ count: UInt32) -> String {
    String(decoding: UnsafeRawBufferPointer(start: start, count: Int(count)), as: UTF8.self)
  }

  // Keys.

  /// The key of a run: nil when the rule has one and the event lacks it; "" when the rule runs per subject.
  package func key(_ position: Int, event: Event) -> String? {
    RuleKey.value(of: set[position].header.key, event: event)
  }
}

/// The value that tells the runs of one rule apart.
package enum RuleKey {
  package static func value(of key: RuleHeader.Key, event: Event) -> String? {
    switch key {
    case .subject: ""
    case .path(let path): value(at: path, event: event)
    case .byEvent(let paths): paths[event.name].flatMap { value(at: $0, event: event) }
    }
  }

  static func value(at path: String, event: Event) -> String? {
    let steps = path.split(separator: ".", maxSplits: 1)
    let rest = steps.count > 1 ? String(steps[1]) : nil
    let found: String? =
      switch steps[0] {
      case "data": nested(event.data, rest, event)
      case "traits": nested(event.traits, rest, event)
      case "context": nested(event.context, rest, event)
      case "user": event.user?.id
      case "account": event.account?.id
      case "thing": event.thing?.description
      case "id": event.id
      case "name": event.name
      default: nil
      }
    guard let found, !found.isEmpty, found.utf8.count <= Limits.keyBytes else { return nil }
    return found
  }

  /// Whether the event has anything at the path, usable as a key or not.
  static func isPresent(at path: String, event: Event) -> Bool {
    let steps = path.split(separator: ".", maxSplits: 1)
    let node: UInt32?
    switch steps[0] {
    case "data": node = event.data
    case "traits": node = event.traits
    case "context": node = event.context
    case "user": return event.user != nil
    case "account": return event.account != nil
    case "thing": return event.thing != nil
    case "id", "name": return true
    default: return false
    }
    guard let node, steps.count > 1 else { return false }
    return JSONCursor(document: event.document, index: node).at(path: String(steps[1])) != nil
  }

  private static func nested(_ node: UInt32?, _ path: String?, _ event: Event) -> String? {
    guard let node, let path, let value = JSONCursor(document: event.document, index: node).at(path: path) else {
      return nil
    }
    return value.string ?? value.integer.map { String($0) }
  }
}
