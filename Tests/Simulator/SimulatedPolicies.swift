// Policies and sides in the simulator: what was held is lost by no kill, nothing is sent against a cap, a consent or
// the hours, and both sides of a rule are counted once.
//
// Thread: constants and pure functions. Promise: what is checked is read from the store and from the events alone.

import Basics
import Model
import Store

enum SimulatedPolicies {
  private static let news = """
    return rule {
      title = "News", on = "news", topic = "news", priority = 5,
      run = function(event, customer) send("mail", "news", { key = "news/" .. event.data.k }) end,
    }
    """
  private static let late = """
    return rule {
      title = "More of it, after a while", on = "news", topic = "news", key = "data.k",
      run = function(event, customer)
        wait("20 s")
        send("mail", "more", { key = "more/" .. event.data.k })
      end,
    }
    """
  private static let measured = """
    return rule {
      title = "On two sides", on = "news", hold_out = 40, goal = { event = "bought" },
      run = function(event, customer) send("good", "measured", { key = "measured/" .. event.data.k }) end,
    }
    """

  static let sources = [("news", news), ("late", late), ("measured", measured)]
  static let names = ["news", "news", "news", "nudged.consent", "bought"]
  private static let most = 3

  static func policies(_ seed: UInt64) -> Policies {
    var policies = Policies()
    policies.quietHours = Policies.QuietHours(
      from: 21 * 60, to: 8 * 60, spreadMilliseconds: seed % 2 == 0 ? 0 : 1_800_000, destinations: ["mail"])
    policies.caps = [Policies.Cap(most: most, window: .day, topic: "news")]
    return policies
  }

  static func data(_ name: String, _ k: String, _ draw: UInt64) -> JSONValue {
    name == "nudged.consent" ? ["topic": "news", "given": .boolean(draw % 3 != 0)] : ["k": .string(k)]
  }

  // MARK: what must be

  struct Found {
    /// Keys of webhooks that have to arrive.
    var expected: Set<String> = []
    var held = 0
    var suppressed = 0
    var heldOut = 0
  }

  private struct Facts {
    var events: [EventRow] = []
    var deliveries: [DeliveryRow] = []
    var verdicts: [Int64: [Verdict]] = [:]
  }

  /// A complaint, or what was found.
  static func check(_ reader: StoreReader) throws -> (complaint: String?, found: Found) {
    var facts = Facts()
    facts.events = try reader.engine.events(before: .max, limit: 100_000).reversed()
    facts.deliveries = try reader.engine.deliveries(before: .max, limit: 100_000)
    for event in facts.events where event.name == "news" {
      for row in try reader.engine.verdicts(around: event.number) {
        for found in row.unpack() where found.event == event.number {
          facts.verdicts[event.number, default: []] += found.verdicts
        }
      }
    }
    var found = Found()
    if let complaint = try judge(facts, &found) { return (complaint, found) }
    return (try count(facts, reader, &found), found)
  }

  private static func key(_ row: DeliveryRow) throws -> String {
    try Document.parse(row.delivery.body).root["data"]?["key"]?.string ?? "?"
  }

  private static func judge(_ facts: Facts, _ found: inout Found) throws -> String? {
    let mail = facts.deliveries.filter { $0.delivery.destination == "mail" }
    var perDay: [String: Int] = [:]
    for row in mail {
      let civil = ZoneRules.utc.civil(at: row.delivery.created)
      if civil.hour >= 21 || civil.hour < 8 { return "\(row.delivery.type) was sent at \(civil.hour):\(civil.minute)" }
      perDay["\(row.subject) \(civil.date.daysSinceEpoch)", default: 0] += 1
      found.expected.insert(try key(row))
    }
    if let day = perDay.first(where: { $0.value > most }) { return "\(day.value) on one day: \(day.key)" }
    for event in facts.events where event.name == "news" {
      let told = facts.verdicts[event.number] ?? []
      for rule in ["news", "late"] {
        let sent = mail.count { $0.event == event.number && $0.rule == rule }
        let kept = told.count { $0.rule == rule && $0.code == .suppressed }
        if sent + kept != 1 { return "event \(event.number), \(rule): sent \(sent), kept back \(kept), \(told)" }
        found.suppressed += kept
      }
      let isHeld = told.contains { $0.rule == "news" && $0.code == .held }
      if isHeld { found.held += 1 }
      let isSent = mail.contains { $0.event == event.number && $0.rule == "news" }
      if isSent, !isHeld, try hasWithdrawn(event, facts) { return "event \(event.number) was sent against a consent" }
    }
    return nil
  }

  private static func hasWithdrawn(_ event: EventRow, _ facts: Facts) throws -> Bool {
    let last = facts.events.last {
      $0.name == "nudged.consent" && $0.subject == event.subject && $0.number < event.number
    }
    guard let last else { return false }
    return try Document.parse(last.body).root["data"]?["given"]?.boolean == false
  }

  private static func count(_ facts: Facts, _ reader: StoreReader, _ found: inout Found) throws -> String? {
    var sides: [Int64: ExposureRow] = [:]
    for row in try reader.rows(from: RowKey(.exposure, 0), to: RowKey(.exposure, .max), limit: 10_000) {
      guard let met = row.value.flatMap({ ExposureRow($0) }) else { return "an exposure is unreadable" }
      sides[row.key.first] = met
    }
    var (sent, heldOut) = (LiftSide(), LiftSide())
    for row in try reader.rows(from: RowKey(.arms, 0), to: RowKey(.arms, .max, .max), limit: 10_000) {
      guard let arms = row.value.flatMap({ ArmsRow($0) }) else { return "counts are unreadable" }
      sent.subjects += arms.sent.subjects
      sent.converted += arms.sent.converted
      heldOut.subjects += arms.heldOut.subjects
      heldOut.converted += arms.heldOut.converted
    }
    let met = Set(facts.events.filter { $0.name == "news" }.map(\.subject))
    if Set(sides.keys) != met { return "\(sides.count) have met the rule, \(met.count) must have" }
    let ofSent = sides.values.filter(\.sides.isEmpty)
    let ofHeldOut = sides.values.filter { !$0.sides.isEmpty }
    let counted = [
      LiftSide(subjects: ofSent.count, converted: ofSent.count { $0.converted != nil }),
      LiftSide(subjects: ofHeldOut.count, converted: ofHeldOut.count { $0.converted != nil }),
    ]
    if counted != [sent, heldOut] { return "the sides have \(counted), counted are \([sent, heldOut])" }
    found.heldOut = heldOut.subjects
    for event in facts.events where event.name == "news" {
      let row = facts.deliveries.first { $0.event == event.number && $0.rule == "measured" }
      guard let row else { return "event \(event.number) was neither sent nor written down" }
      if sides[event.subject]?.sides.isEmpty == true { found.expected.insert(try key(row)) }
    }
    return nil
  }
}
