// The words in which a run can sleep, and those that end it: what they take, and what they answer when
// the run is played again.
//
// Thread: the runtime's. Promise: a wait that is over gives the same answer at every replay; a slip in its
// arguments is a sentence at its line.

internal import Basics
internal import CRuleHost
internal import Model

extension EffectWords {
  // MARK: ends

  func finish(_ call: RuleCall) {
    if isTooMany(1, "finish", call) { return }
    guard let reason = call.text(0) ?? (call.isNil(0) ? "" : nil) else {
      return call.fail("finish takes a reason as text, such as finish(\"recovered\"); this is \(call.describe(0))")
    }
    if player?.endsEarly() == true { return call.diverge(player?.divergence ?? "") }
    call.finish(reason)
  }

  func checkpoint(_ call: RuleCall) {
    if isTooMany(1, "checkpoint", call) { return }
    guard !call.isNil(0), let json = object(0, "checkpoint", call) else {
      if call.isNil(0) { call.fail("checkpoint needs a table of what is to be kept, such as checkpoint { day = day }") }
      return
    }
    guard let player else { return call.fail("checkpoint can only be used in a rule that waits") }
    if player.endsEarly() { return call.diverge(player.divergence ?? "") }
    guard !player.activation.journal.parts.isEmpty || !player.entries.isEmpty || player.activation.saved.isEmpty else {
      return call.fail("checkpoint: the run has done nothing since its last checkpoint; it would go round for ever")
    }
    player.saved = json
    call.suspend()
  }

  // MARK: time

  /// Whether a run can sleep is known from its file; if that was overlooked, it must not go on as if it had.
  private func playing(_ call: RuleCall) -> RunPlayer? {
    if player == nil { call.fail("this rule cannot wait here; write the word of waiting by its own name in the rule") }
    return player
  }

  func settle(_ settled: RunPlayer.Settled, _ player: RunPlayer, _ call: RuleCall) -> Bool {
    switch settled {
    case .diverged: call.diverge(player.divergence ?? "")
    case .full: call.exceed(EffectWords.journalIsFull)
    default: return false
    }
    return true
  }

  /// A wait of a second and one of a year are the same.
  private func duration(_ text: String?, _ word: String, _ shown: String, _ call: RuleCall) -> Int64? {
    guard let text, let milliseconds = DurationText.milliseconds(text), milliseconds <= Limits.waitMilliseconds else {
      call.fail("\(word) needs a duration such as \"3 days\", of at most ten years; it is \(shown)")
      return nil
    }
    return milliseconds
  }

  func wait(_ call: RuleCall) {
    if isTooMany(1, "wait", call) { return }
    guard let player = playing(call) else { return }
    let hash = JournalEntry.hash(call.text(0) ?? call.describe(0))
    // A wait that is in the journal had a duration; only a new one needs it.
    guard player.isLive else {
      let settled = player.meet(.wait, hash: hash)
      if settle(settled, player, call) { return }
      if case .here = settled { endByTime(player, call) } else { call.moveOn() }
      return
    }
    guard let pause = duration(call.text(0), "wait", call.describe(0), call) else { return }
    let settled = player.meet(.wait, hash: hash)
    if settle(settled, player, call) { return }
    player.sleep(Wait(kind: .wait, until: player.now + pause), hash: hash)
    call.suspend()
  }

  func endByTime(_ player: RunPlayer, _ call: RuleCall) {
    call.moveOn()
    if player.activation.trigger.endsWait { return }
    player.sleepOn()
    call.suspend()
  }

  func waitUntil(_ call: RuleCall) {
    if isTooMany(1, "wait_until", call) { return }
    guard let player = playing(call) else { return }
    if let table = dateTable(call) { return waitForDate(table, player, call) }
    let hash = JournalEntry.hash(call.text(0) ?? call.json(0).map { String(decoding: $0, as: UTF8.self) } ?? "")
    // What it means depends on the moment, so that it is only worked out when it is new.
    guard player.isLive else {
      let settled = player.meet(.waitUntil, hash: hash)
      if settle(settled, player, call) { return }
      switch settled {
      case .atOnce: return call.answer(false)
      case .here: endByTime(player, call)
      default: call.moveOn()
      }
      return call.answer(true)
    }
    guard let target = target(player, call) else { return }
    if settle(player.meet(.waitUntil, hash: hash), player, call) { return }
    if target <= player.now {
      player.passOver(.waitUntil, hash: hash)
      return call.answer(false)
    }
    player.sleep(Wait(kind: .waitUntil, until: target), hash: hash)
    call.suspend()
  }

  private func target(_ player: RunPlayer, _ call: RuleCall) -> Instant? {
    let target: WaitUntil.Target
    if let text = call.text(0) {
      target = WaitUntil.moment(text)
    } else if let milliseconds = call.integer(0) {
      target = .at(Instant(milliseconds: milliseconds))
    } else if call.isNil(0) {
      target = .unknown("wait_until: the date is missing")
    } else if let json = call.json(0), let table = try? parser.parse(json), table.root.kind == .object {
      target = WaitUntil.step(table.root, now: player.now) { player.zone($0) }
    } else {
      target = .wrong(
        "wait_until needs a date, such as event.data.starts_at, or a table, such as { days = 1, at = \"09:00\" }; it is \(call.describe(0))"
      )
    }
    switch target {
    case .at(let instant) where instant.milliseconds > player.now.milliseconds + Limits.waitMilliseconds:
      call.skip("wait_until: \(ISO8601.format(instant)) is more than ten years ahead")
    case .at(let instant): return instant
    case .unknown(let reason): call.skip(reason)
    case .wrong(let message): call.fail(message)
    }
    return nil
  }

  // MARK: events

  private static let eventOptions = ["within", "match", "since", "subject"]

  func waitFor(_ call: RuleCall, _ kind: JournalKind) {
    guard let player = playing(call), let names = names(call, kind) else { return }
    let hash = names.count == 1 ? JournalEntry.hash(names[0]) : JournalEntry.hash(names.joined(separator: "|"))
    // What a wait that is over was waiting for need not be read again.
    if player.isLive { return look(kind, names, hash, isNew: true, player, call) }
    let settled = player.meet(kind, hash: hash)
    if settle(settled, player, call) { return }
    if case .atOnce = settled {} else { call.moveOn() }
    switch settled {
    case .atOnce(let number): answer(number, player, call)
    case .ended(let trigger): if case .event(let number) = trigger { answer(number, player, call) }
    default: look(kind, names, hash, isNew: false, player, call)
    }
  }

  /// Looks for the event that ends a wait, among those that were heard.
  private func look(
    _ kind: JournalKind, _ names: [String], _ hash: UInt32, isNew: Bool, _ player: RunPlayer, _ call: RuleCall
  ) {
    guard let options = options(1, kind.word, known: EffectWords.eventOptions, call) else { return }
    var wait = Wait(kind: kind, names: names)
    var forgets = false
    var match: [(path: String, text: [UInt8])]?
    guard read(options, into: &wait, &forgets, &match, kind.word, player, call) else { return }
    if isNew, settle(player.meet(kind, hash: hash), player, call) { return }
    player.look(hash: hash, wait, isNew: isNew, forgets: isNew && forgets, match: match)
    decide(asks: call.boolean(2) ?? false, player, call)
  }

  private func names(_ call: RuleCall, _ kind: JournalKind) -> [String]? {
    if kind == .waitFor { return name(0, "wait_for", "the event's name", call).map { [$0] } }
    guard let json = call.json(0), let list = try? parser.parse(json), list.root.kind == .array else {
      call.fail("wait_any needs a list of event names, such as { \"invoice.paid\" }; it is \(call.describe(0))")
      return nil
    }
    let names = list.root.elements.compactMap(\.string)
    guard !names.isEmpty, names.count == list.root.elements.count else {
      call.fail("wait_any needs a list of event names, such as { \"invoice.paid\" }")
      return nil
    }
    return names
  }

  private func read(
    _ options: [String: JSONCursor], into wait: inout Wait, _ forgets: inout Bool,
    _ match: inout [(path: String, text: [UInt8])]?, _ word: String, _ player: RunPlayer, _ call: RuleCall
  ) -> Bool {
    func shown(_ value: JSONCursor) -> String { String(decoding: value.text.prefix(60), as: UTF8.self) }
    if let value = options["within"] {
      guard let within = duration(value.string, "\(word): 'within'", shown(value), call) else { return false }
      wait.until = player.now + within
    }
    if let value = options["since"] {
      guard let since = value.string, since == "now" || since == "start" else {
        call.fail("\(word): 'since' must be \"start\" or \"now\"; it is \(shown(value))")
        return false
      }
      forgets = since == "now"
    }
    if let value = options["subject"] {
      let text = value.count <= Limits.namespaceBytes + 1 + Limits.subjectIdBytes ? value.string : nil
      guard let subject = text.flatMap({ SubjectReference($0) }), subject.isWellFormed else {
        call.fail("\(word): 'subject' must be such as \"webinar:w7\"; it is \(shown(value))")
        return false
      }
      wait.subject = subject
    }
    if let value = options["match"] {
      guard value.kind == .object else {
        call.fail(
          "\(word): 'match' must be a table such as { invoice = event.data.invoice } or a function; it is \(shown(value))"
        )
        return false
      }
      match = value.members.map { ($0.key, $0.value.text) }
      if match?.isEmpty == true {
        call.fail("\(word): 'match' is empty, so that every event would do; is the value in it nil?")
        return false
      }
    }
    return true
  }

  private func answer(_ number: Int64?, _ player: RunPlayer, _ call: RuleCall) {
    guard let number else { return }
    guard let event = player.receive(number) else { return call.diverge(player.divergence ?? "") }
    call.answer(event, index: player.received.count)
  }

  private func decide(asks: Bool, _ player: RunPlayer, _ call: RuleCall) {
    player.findCandidate()
    call.charge(player.takeWork())
    if asks, let event = player.nextCandidate() { return call.propose(event, index: player.received.count) }
    if let event = player.acceptCandidate() { return call.answer(event, index: player.received.count) }
    if !player.endWithoutEvent() { call.suspend() }
  }

  /// What the rule's own function said of the event it was asked about.
  func candidate(_ call: RuleCall) {
    guard let player else { return }
    if call.boolean(0) == true { return decide(asks: false, player, call) }
    player.refuseCandidate()
    decide(asks: true, player, call)
  }

  // MARK: call

  private static let callOptions = ["within", "tries", "shadow_reply"]

  func outsideCall(_ call: RuleCall) {
    if isTooMany(4, "call", call) { return }
    guard let player = playing(call), let destination = name(0, "call", "the destination", call) else { return }
    if let destinations, !destinations.contains(destination) {
      return call.fail(EffectWords.unknownDestination(destination, known: destinations, suggests: true))
    }
    guard let type = name(1, "call", "the type", call), let data = object(2, "call", call),
      let options = options(3, "call", known: EffectWords.callOptions, call),
      let (within, tries) = callLimits(options, call)
    else { return }
    let hash = JournalEntry.hash(destination, type)
    let settled = player.meet(.call, hash: hash)
    if settle(settled, player, call) { return }
    switch settled {
    case .atOnce: answer(json: shadowReply(options), player, call)
    case .ended(let trigger):
      call.moveOn()
      answer(trigger, within, player, call)
    case .here:
      call.moveOn()
      if case .event = player.activation.trigger {
        player.sleepOn()
        return call.suspend()
      }
      answer(player.activation.trigger, within, player, call)
    default:
      let effect = Effect.call(
        Webhook(destination: destination, type: type, data: data, withinMilliseconds: within, tries: tries))
      if player.activation.isShadow { return shadow(effect, options, hash, player, call) }
      player.sleep(Wait(kind: .call, until: player.now + within), hash: hash)
      if keepCall(effect, entry: player.entryCount - 1, call) { call.suspend() }
    }
  }

  private func callLimits(_ options: [String: JSONCursor], _ call: RuleCall) -> (Int64, Int)? {
    var within: Int64 = 60_000
    var tries = 1
    if let value = options["within"] {
      guard
        let given = duration(value.string, "call: 'within'", String(decoding: value.text, as: UTF8.self), call)
      else { return nil }
      within = given
    }
    if let value = options["tries"] {
      guard let given = value.integer, (1...Int64(Limits.callTries)).contains(given) else {
        call.fail(
          "call: 'tries' must be a whole number from 1 to \(Limits.callTries); it is \(String(decoding: value.text, as: UTF8.self))"
        )
        return nil
      }
      tries = Int(given)
    }
    return (within, tries)
  }

  /// In shadow nothing leaves: the run goes on with the reply it is given, or ends.
  private func shadow(
    _ effect: Effect, _ options: [String: JSONCursor], _ hash: UInt32, _ player: RunPlayer, _ call: RuleCall
  ) {
    player.passOver(.call, hash: hash)
    guard keepCall(effect, entry: player.entryCount - 1, call) else { return }
    guard options["shadow_reply"] != nil else {
      return call.finish("in shadow: a run ends at its first call that has no shadow_reply")
    }
    answer(json: shadowReply(options), player, call)
  }

  private func shadowReply(_ options: [String: JSONCursor]) -> [UInt8] {
    options["shadow_reply"]?.text ?? Array(#"{"ok":false}"#.utf8)
  }

  private func answer(_ trigger: Trigger, _ within: Int64, _ player: RunPlayer, _ call: RuleCall) {
    if case .reply(let json) = trigger { return answer(json: json, player, call) }
    // Whether the request was acted on, nobody knows.
    let error =
      trigger == .hand ? "it was woken by hand before its reply came" : "no reply within \(DurationText.format(within))"
    answer(json: Array("{\"ok\":false,\"unknown\":true,\"error\":\"\(error)\"}".utf8), player, call)
  }

  private func answer(json: [UInt8], _ player: RunPlayer, _ call: RuleCall) {
    guard let document = player.document(json) else { return call.fail("call: the reply cannot be read") }
    call.answer(document)
  }
}
