// The lane and its policies: each message is judged when it is decided, and again when it is let go.
//
// Thread: the lane's. Promise: what a policy holds back has a verdict; what is held outlives a kill and leaves,
// if it may, under the id it would have had.

internal import Basics
internal import Model
internal import Rules
internal import Store

extension Lane {
  /// Sends, or keeps for later, or not at all.
  func judge(_ webhook: Webhook, entry: Int, of origin: EffectOrigin, _ cell: SubjectCell, now: Instant) {
    guard let header = judging(origin, cell) else {
      deliver(webhook, entry: entry, of: origin, cell, now: now)
      return
    }
    let question = question(webhook, header, origin.ruleNumber, cell, now: now)
    switch PolicyJudge.rule(on: question) {
    case .go:
      // What someone tries out takes nothing away from what is meant.
      if deliver(webhook, entry: entry, of: origin, cell, now: now), !origin.isTest {
        remember(webhook, header, origin.ruleNumber, cell, now: now)
      }
    case .suppress(let reason):
      tell(.suppressed, reason, webhook, origin)
    case .hold(let until, let reason):
      hold(webhook, header, entry: entry, of: origin, cell, until: until, reason, now: now)
    }
  }

  /// The header to judge by, the newest; nil: nothing holds this rule's messages back.
  private func judging(_ origin: EffectOrigin, _ cell: SubjectCell) -> RuleHeader? {
    if book.isFreeOfPolicies, !cell.hasPolicy, origin.header?.cap == nil { return nil }
    let header =
      book.places[origin.ruleNumber].map { book.rules.rules[$0].header } ?? origin.header ?? RuleHeader.nameless
    return header.isTransactional ? nil : header
  }

  private func question(
    _ webhook: Webhook, _ header: RuleHeader, _ rule: Int64, _ cell: SubjectCell, now: Instant
  ) -> PolicyQuestion {
    let (zone, name) = zone(of: header, cell)
    let day = zone.civil(at: now).date.daysSinceEpoch
    let draw = hash.hash("\(cell.subject) spread \(day)").low
    return PolicyQuestion(
      webhook: webhook, rule: header, ruleNumber: rule, record: cell.policy, policies: book.policies, zone: zone,
      zoneName: name, now: now, share: Double(draw >> 11) / Double(1 << 53))
  }

  /// The subject's zone, else the rule's, else the configured one: a message is read by its clock.
  private func zone(of header: RuleHeader, _ cell: SubjectCell) -> (ZoneRules, String) {
    let traits = cell.traits(parser)?.root
    let names = [traits?["timezone"]?.string, traits?["zone"]?.string, header.zone, book.zone]
    for case let name? in names { if let zone = zones.zone(name) { return (zone, name) } }
    return (ZoneRules.utc, "UTC")
  }

  /// What caps have to know of.
  private func remember(_ webhook: Webhook, _ header: RuleHeader, _ rule: Int64, _ cell: SubjectCell, now: Instant) {
    let sent = PolicyRecord.Sent(at: now, topic: header.topic ?? "", destination: webhook.destination, rule: rule)
    let memory = PolicyJudge.memory(of: sent, header, book.policies)
    guard memory > 0 else { return }
    var record = cell.policy
    record.sent.append(sent)
    record.sent = PolicyJudge.remembered(record.sent, book.policies, now: now) { rule in
      book.places[rule].flatMap { book.rules.rules[$0].header.cap }
    }
    cell.policy = record
  }

  private func tell(_ code: VerdictCode, _ reason: String, _ webhook: Webhook, _ origin: EffectOrigin) {
    let text = "\(webhook.type) to \(webhook.destination): \(reason)"
    noteVerdict(origin.event, 0, [Verdict(rule: origin.rule, code: code, reason: text)])
  }

  // MARK: holding

  private func hold(
    _ webhook: Webhook, _ header: RuleHeader, entry: Int, of origin: EffectOrigin, _ cell: SubjectCell,
    until: Instant, _ reason: String, now: Instant
  ) {
    var record = cell.policy
    let expires = webhook.withinMilliseconds.map { now + $0 }
    if let expires, expires <= until {
      return tell(.suppressed, "\(reason); it would be too late at \(ISO8601.format(until))", webhook, origin)
    }
    guard record.held.count < Limits.heldWebhooks else {
      return tell(.suppressed, "\(reason); \(Limits.heldWebhooks) are held already", webhook, origin)
    }
    // All of it is one row, which is written with everything that happens to the subject.
    let bytes = record.held.reduce(0) { $0 + $1.webhook.data.count }
    guard bytes + webhook.data.count <= Limits.heldBytes else {
      return tell(
        .suppressed, "\(reason); \(bytes) bytes are held already, \(Limits.heldBytes) may be", webhook, origin)
    }
    // Numbered like a run: its timer stands among theirs, and no number is given twice, also after a start.
    newestRun = numbers.nextRun()
    let held = PolicyRecord.Held(
      number: newestRun, due: until, webhook: webhook, expires: expires, rule: origin.rule,
      ruleNumber: origin.ruleNumber, event: origin.event, seed: origin.seed, run: origin.run, entry: entry,
      isTest: origin.isTest, topic: header.topic ?? "")
    record.held.append(held)
    cell.policy = record
    setTimer(of: held, cell)
    tell(.held, "\(reason); it goes out at \(ISO8601.format(until))", webhook, origin)
  }

  private func setTimer(of held: PolicyRecord.Held, _ cell: SubjectCell) {
    // Below zero: no run has such a number.
    out.changes.append(
      RowKey(.timer, held.due.milliseconds, -held.number), NumberRow.pack(cell.subject), isNew: true)
    timers.set(Timer(due: held.due, run: -held.number, subject: cell.subject), sequence: turn, durable: durable.value)
  }

  private func removeTimer(of held: PolicyRecord.Held) {
    out.changes.append(RowKey(.timer, held.due.milliseconds, -held.number), nil)
  }

  /// Lets go what is due, the highest priority first: where a cap leaves room for one, that one is it.
  func releaseHeld(_ timer: Timer, now: Instant) throws(StoreError) {
    let cell = try cell(timer.subject, isNew: false, reference: nil, now: now)
    var due = cell.policy.held.filter { $0.due <= now }
    if due.isEmpty {
      // It went with others, or with its run.
      out.changes.append(RowKey(.timer, timer.due.milliseconds, timer.run), nil)
      return
    }
    func priority(_ held: PolicyRecord.Held) -> Int {
      book.places[held.ruleNumber].map { book.rules.rules[$0].header.priority } ?? 0
    }
    due.sort { (-priority($0), $0.number) < (-priority($1), $1.number) }
    for held in due { try release(held, timer, cell, now: now) }
    write(cell, wanted: [], Cause(number: 0, dedupe: Hash128(high: 0, low: 0)), changed: cell.isUnwritten)
    cells.keep(cell)
  }

  /// The mode that the rule has, or had last: nothing is sent because a file was deleted or got another name.
  private func mode(of rule: Int64) throws(StoreError) -> RuleHeader.Mode {
    if let place = book.places[rule] {
      return pause(of: place) != nil ? .paused : book.rules.rules[place].header.mode
    }
    if guardian.pause(of: rule) != nil { return .paused }
    guard let last = book.knownVersions[rule]?.last else { return .live }
    return try version(last.number)?.rule.header.mode ?? .live
  }

  private func release(
    _ held: PolicyRecord.Held, _ timer: Timer, _ cell: SubjectCell, now: Instant
  ) throws(StoreError) {
    let mode = try mode(of: held.ruleNumber)
    // What a paused rule wanted to say waits with its runs, and is as late as they are when it lives again.
    if mode == .paused {
      // Each by its own timer: kept with every timer of the others, too, they would grow more with each reload.
      if held.number == -timer.run { heldTimers.append(timer) }
      return
    }
    var record = cell.policy
    record.held.removeAll { $0.number == held.number }
    removeTimer(of: held)
    cell.policy = record
    let origin = Lane.origin(held)
    var webhook = held.webhook
    if let why = tooLate(held.ruleNumber, due: held.due, now: now) { return tell(.suppressed, why, webhook, origin) }
    if let expires = held.expires {
      guard expires > now else { return tell(.suppressed, "it was held until it was too late", webhook, origin) }
      webhook.withinMilliseconds = expires - now
    }
    guard mode == .shadow else {
      return judge(webhook, entry: held.entry, of: origin, cell, now: now)
    }
    let told = self.record([.send(webhook)], entries: [held.entry], of: origin, cell, now: now)
    noteVerdict(held.event, 0, [Verdict(rule: held.rule, code: .shadow, reason: told)])
  }

  private static func origin(_ held: PolicyRecord.Held) -> EffectOrigin {
    var header = RuleHeader.nameless
    header.topic = held.topic.isEmpty ? nil : held.topic
    return EffectOrigin(
      rule: held.rule, ruleNumber: held.ruleNumber, event: held.event, seed: held.seed, run: held.run,
      isTest: held.isTest, header: header)
  }

  /// A run has been ended before its rule did: what it wanted to say is not said.
  func dropHeld(ofRun run: RunRow, _ reason: String, _ cell: SubjectCell) {
    guard cell.hasPolicy else { return }
    var record = cell.policy
    let gone = record.held.filter { $0.run == run.number }
    if gone.isEmpty { return }
    record.held.removeAll { $0.run == run.number }
    cell.policy = record
    for held in gone {
      removeTimer(of: held)
      tell(.suppressed, reason, held.webhook, Lane.origin(held))
    }
  }

  // MARK: consent

  /// The subject of nudged.consent agrees to a topic, or does not any more.
  func noteConsent(_ event: Event, _ number: Int64, _ cell: SubjectCell, now: Instant) {
    guard let data = event.dataCursor, let topic = data["topic"]?.string, let isGiven = data["given"]?.boolean else {
      return
    }
    var record = cell.policy
    record.note(PolicyRecord.Consent(topic: topic, isGiven: isGiven, at: now))
    if record.consents.count > Limits.consentTopics {
      // A wish to be left alone is never forgotten to make room.
      guard let given = record.consents.firstIndex(where: \.isGiven) else {
        let reason = "\(Limits.consentTopics) topics are withdrawn already; withdraw \"*\" to stop all of them"
        return noteVerdict(number, 0, [Verdict(rule: "", code: .failed, reason: reason)])
      }
      record.consents.remove(at: given)
    }
    cell.policy = record
  }
}
