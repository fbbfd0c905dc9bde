// What rules want, done: webhooks, traits, events of our own and log lines; and for a rule in shadow only
// written down.
//
// Thread: the lane's. Promise: the same effect of the same event has the same id, whenever and however often
// it is decided.

internal import Basics
internal import Model
internal import Rules
internal import Store

/// Whose effects these are.
struct EffectOrigin {
  var rule: String
  var ruleNumber: Int64
  /// The event that the rule was asked about, or that began the run.
  var event: Int64
  var seed: Hash128
  /// 0: a rule that does not wait.
  var run: Int64 = 0
  var isTest: Bool
  /// What is known of a rule whose file is gone: what it sends is still about its topic.
  var header: RuleHeader?
}

/// What rules want emitted because of one event, before it is known how many there are.
struct Wish {
  var name: String
  var data: [UInt8]
  var id: Hash128
  var reference: SubjectReference
  /// About another subject: it travels as a message.
  var isElsewhere: Bool
}

extension Lane {
  func effectID(_ dedupe: Hash128, _ rule: String, _ entry: Int) -> Hash128 {
    var writer = PackedWriter(capacity: 32 + rule.utf8.count)
    writer.fixed64(dedupe.high)
    writer.fixed64(dedupe.low)
    writer.counted(rule)
    writer.integer(entry)
    return hash.hash(writer.bytes)
  }

  func apply(
    _ effect: Effect, entry: Int, of origin: EffectOrigin, _ cell: SubjectCell, now: Instant, wanted: inout [[UInt8]]
  ) {
    switch effect {
    case .send(let webhook): judge(webhook, entry: entry, of: origin, cell, now: now)
    // A call waits for its answer: no policy holds it back.
    case .call(var webhook):
      webhook.withinMilliseconds = webhook.withinMilliseconds.map { $0 * clockRate }
      deliver(webhook, entry: entry, of: origin, cell, now: now)
    case .set(let traits):
      wanted.append(traits)
    case .emit(let name, let data, let subject):
      let id = effectID(origin.seed, origin.rule, entry)
      if let subject, !cell.row.names.contains(subject) {
        wishes.append(Wish(name: name, data: data, id: id, reference: subject, isElsewhere: true))
      } else {
        emit(name, data, id: id, cell)
      }
    case .calendar(let page): keep(page, now: now)
    case .log(let text):
      out.logs.append(RuleLog(rule: origin.rule, subject: cell.subject, event: origin.event, text: text))
    }
  }

  /// False: it could not be made, which is told.
  @discardableResult
  func deliver(
    _ webhook: Webhook, entry: Int, of origin: EffectOrigin, _ cell: SubjectCell, now: Instant
  ) -> Bool {
    do throws(Unsent) {
      out.deliveries.append(try delivery(of: webhook, entry: entry, of: origin, cell, now: now))
      return true
    } catch {
      // A run hears of a call that cannot be made like of every other failure: by a reply.
      if webhook.tries > 0 { refuseCall(origin.run, cell, error.reason) }
      noteVerdict(
        origin.event, 0,
        [
          Verdict(
            rule: origin.rule, code: error.code,
            reason: "\(webhook.type) to \(webhook.destination): \(error.reason)")
        ])
      return false
    }
  }

  /// What is done for a subject in the hold-out: everything but webhooks, which are only written down.
  func withhold(
    _ effects: [Effect], entries: [Int], of origin: EffectOrigin, _ cell: SubjectCell, now: Instant,
    wanted: inout [[UInt8]]
  ) -> String {
    var told: [Effect] = []
    var places: [Int] = []
    for (effect, entry) in zip(effects, entries) {
      switch effect {
      case .send, .call:
        told.append(effect)
        places.append(entry)
      case .set, .emit, .log, .calendar: apply(effect, entry: entry, of: origin, cell, now: now, wanted: &wanted)
      }
    }
    return record(told, entries: places, of: origin, cell, isHeldOut: true, now: now)
  }

  /// What a rule in shadow wanted: its webhooks stand in the log of deliveries and are never sent; the rest
  /// is told in one line, which a person reads and which stays short however much there is.
  func record(
    _ effects: [Effect], entries: [Int], of origin: EffectOrigin, _ cell: SubjectCell, isHeldOut: Bool = false,
    now: Instant
  ) -> String {
    var told: [String] = []
    for (effect, entry) in zip(effects, entries) {
      switch effect {
      case .send(let webhook), .call(let webhook):
        do throws(Unsent) {
          out.recorded.append(
            RecordedDelivery(
              try delivery(of: webhook, entry: entry, of: origin, cell, now: now), isHeldOut: isHeldOut))
          told.append("send \(webhook.type) to \(webhook.destination)")
        } catch {
          told.append("fail to send \(webhook.type) to \(webhook.destination): \(error.reason)")
        }
      case .set(let traits): told.append("set " + String(decoding: traits, as: UTF8.self))
      case .emit(let name, let data, _): told.append("emit \(name) " + String(decoding: data, as: UTF8.self))
      case .log(let text): told.append("log " + text)
      case .calendar(let page): told.append("keep a calendar file at \(page.link)")
      }
    }
    guard !told.isEmpty else { return "" }
    var line = told.prefix(20).map { $0.count > 200 ? $0.prefix(200) + "…" : $0 }.joined(separator: "; ")
    if told.count > 20 { line += "; and \(told.count - 20) more" }
    return "it would " + line
  }

  private func delivery(
    of webhook: Webhook, entry: Int, of origin: EffectOrigin, _ cell: SubjectCell, now: Instant
  ) throws(Unsent) -> DeliveryRow {
    // A transform is a script, too, and stands in for the rule that sends.
    mark.enterAgain()
    defer { mark.leave() }
    let id = "msg_" + effectID(origin.seed, origin.rule, entry).hex
    let message = try MessageShape.make(
      for: book.destinations[webhook.destination], webhook.type, webhook.data, id: id, now,
      subject: cell.row.names.first, isTest: origin.isTest, parser: parser, runtime: runtime)
    var made = Delivery(
      number: numbers.nextDelivery(), id: id, destination: webhook.destination, type: webhook.type, created: now,
      body: message.body, due: now, expires: webhook.withinMilliseconds.map { now + $0 }, request: message.request)
    made.tries = webhook.tries
    made.orderKey = orderKey(webhook.destination, webhook.data, cell)
    return DeliveryRow(delivery: made, event: origin.event, subject: cell.subject, rule: origin.rule, run: origin.run)
  }

  /// Deliveries to one destination with the same key go out one after the other; 0: in any order.
  private func orderKey(_ name: String, _ data: [UInt8], _ cell: SubjectCell) -> Int64 {
    guard let order = book.destinations[name]?.order, !order.isEmpty else { return 0 }
    if order == "subject" { return cell.subject }
    guard var found = (try? parser.parse(data))?.root else { return 0 }
    for part in order.split(separator: ".").dropFirst() {
      guard let next = found[name: String(part)] else { return 0 }
      found = next
    }
    guard [.string, .integer].contains(found.kind) else { return 0 }
    let key = Int64(bitPattern: hash.hash(order + "=" + String(decoding: found.value.text, as: UTF8.self)).low)
    return key == 0 ? 1 : key
  }

  /// An event of our own about the subject at hand: appended in the same commit, decided in this step.
  func emit(_ name: String, _ data: [UInt8], id: Hash128, _ cell: SubjectCell) {
    guard let reference = cell.row.names.first else { return }
    wishes.append(Wish(name: name, data: data, id: id, reference: reference, isElsewhere: false))
  }

  /// Makes events of the wishes, within what the event may cause; each gets its share of the rest.
  func emitWishes(_ cause: Cause, _ cell: SubjectCell) {
    if wishes.isEmpty { return }
    let granted = min(wishes.count, cause.allowance)
    if granted < wishes.count {
      let reason =
        "one event may cause \(Limits.emittedPerEvent) others, by whatever chain of rules, and each of these its share"
        + " of the rest, which here is \(cause.allowance); \(wishes.count - granted) of \(wishes.count) were not emitted"
      noteVerdict(cause.number, 0, [Verdict(rule: "", code: .tooDeep, reason: reason)])
    }
    let share = granted == 0 ? 0 : (cause.allowance - granted) / granted
    for wish in wishes.prefix(granted) {
      let body = OwnEvent.body(
        wish.name, wish.data, id: wish.id.hex, about: wish.reference, depth: cause.depth + 1, allowance: share,
        isTest: cause.isTest, time: lastNow)
      guard let incoming = OwnEvent.decode(body, received: lastNow, parser: parser, hash: hash) else { continue }
      if wish.isElsewhere {
        pass(incoming, wish, cause.number, cell)
      } else {
        keepEmitted(incoming, cause.number, cell)
      }
    }
    wishes.removeAll(keepingCapacity: true)
  }

  private func keepEmitted(_ incoming: IncomingEvent, _ number: Int64, _ cell: SubjectCell) {
    var routed = RoutedEvent(incoming: incoming, number: numbers.nextEvent(), subject: cell.subject)
    routed.cause = number
    emitted.append(routed)
  }

  private func pass(_ incoming: IncomingEvent, _ wish: Wish, _ number: Int64, _ cell: SubjectCell) {
    // Places 0 and 1 belong to the event's account and thing; several rules and subjects may emit from
    // one event, so that the effect's hash tells their places apart.
    let position = Int64(bitPattern: wish.id.low >> 1) | 2
    let row = MessageRow(
      kind: .emitted, subject: cell.subject, target: wish.reference.description, id: wish.id.hex, received: lastNow,
      body: incoming.body)
    out.changes.append(RowKey(.message, number, position), row.packed, isNew: true)
    out.messages.append(
      LaneMessage(
        event: number, position: position, subject: cell.subject, content: .emitted(incoming, to: wish.reference)))
  }
}
