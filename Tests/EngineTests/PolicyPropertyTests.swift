// Policies against a plain computation: months of random events in five zones, over changes of the clocks and
// starts in between. NUDGED_POLICY_EVENTS sets how many events; many are divided into lives of 20,000.
//
// Thread: the test's. Promise: the plain side looks at every minute and every message; it shares no code with
// the judge but the calendar.

import Basics
import Engine
import Glibc
import Model
import Store
import Testing

/// What ought to be sent, worked out the slow way.
private struct PlainPolicies {
  struct Message: Equatable, Hashable {
    var at: Instant
    var user: String
    var topic: String
  }
  private struct Waiting {
    var due: Instant
    var order: Int
    var topic: String
  }
  private struct Person {
    var sent: [Message] = []
    var waiting: [Waiting] = []
    var refused: Set<String> = []
  }

  static let topics = ["news": 0, "offers": 5, "tips": -5]
  let zones: [String: ZoneRules]
  private var people: [String: Person] = [:]
  private(set) var sent: [Message] = []
  private var order = 0

  init(zones: [String: ZoneRules]) { self.zones = zones }

  mutating func refuse(_ user: String, _ topic: String, _ refused: Bool) {
    if refused { people[user, default: Person()].refused.insert(topic) } else { people[user]?.refused.remove(topic) }
  }

  /// Lets go, one moment after the other, what is due until then.
  mutating func pass(until time: Instant) {
    while let next = people.values.flatMap({ $0.waiting.map(\.due) }).min(), next <= time {
      for user in people.keys.sorted() {
        let due = people[user]!.waiting.filter { $0.due == next }
        people[user]!.waiting.removeAll { $0.due == next }
        let ordered = due.sorted {
          (-PlainPolicies.topics[$0.topic]!, $0.order) < (-PlainPolicies.topics[$1.topic]!, $1.order)
        }
        for one in ordered { decide(user, one.topic, next) }
      }
    }
  }

  mutating func decide(_ user: String, _ topic: String, _ now: Instant) {
    let zone = zones[user]!
    var person = people[user] ?? Person()
    defer { people[user] = person }
    if person.refused.contains(topic) || person.refused.contains("*") { return }
    if isQuiet(zone, now) {
      order += 1
      var minute = Instant(milliseconds: (now.milliseconds / 60_000 + 1) * 60_000)
      while isQuiet(zone, minute) { minute = minute + 60_000 }
      person.waiting.append(Waiting(due: minute, order: order, topic: topic))
      return
    }
    let day = zone.civil(at: now).date
    let today = person.sent.filter { zone.civil(at: $0.at).date == day }
    let week = person.sent.filter { $0.topic == "offers" && now - $0.at < 7 * 86_400_000 }
    if today.count >= 2 || topic == "offers" && week.count >= 2 { return }
    let message = Message(at: now, user: user, topic: topic)
    person.sent.append(message)
    sent.append(message)
  }

  private func isQuiet(_ zone: ZoneRules, _ time: Instant) -> Bool {
    let civil = zone.civil(at: time)
    let minute = civil.hour * 60 + civil.minute
    return minute >= 22 * 60 || minute < 7 * 60 + 30
  }
}

@Suite struct PolicyPropertyTests {
  private static let names = [
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata",
  ]

  @Test(arguments: [1, 2, 3] as [UInt64])
  func `what is sent over months is what a plain computation says`(seed: UInt64) throws {
    let count = getenv("NUDGED_POLICY_EVENTS").flatMap { Int(String(cString: $0)) } ?? 3_000
    for start in stride(from: 0, to: count, by: 20_000) {
      try live(seed: seed + UInt64(start), count: min(20_000, count - start))
    }
  }

  private func live(seed: UInt64, count: Int) throws {
    var random = SeededRandom(seed: seed)
    let users = (0..<20).map { "u\($0)" }
    var zones: [String: ZoneRules] = [:]
    for (place, user) in users.enumerated() {
      zones[user] = try ZoneFolder().load(PolicyPropertyTests.names[place % 5])
    }
    var plain = PlainPolicies(zones: zones)
    var policies = Policies()
    policies.quietHours = Policies.QuietHours(from: 22 * 60, to: 7 * 60 + 30)
    policies.caps = [
      Policies.Cap(most: 2, window: .day),
      Policies.Cap(most: 2, window: .rolling(milliseconds: 7 * 86_400_000), topic: "offers"),
    ]
    var files: [String: String] = [:]
    for (topic, priority) in PlainPolicies.topics {
      let header = "on = '\(topic)', topic = '\(topic)', priority = \(priority)"
      files[topic] = Workshop.rule(header, "send('crm', '\(topic)', { user = customer.id })")
    }
    let disk = MemoryStore.Disk()
    var shop = try Workshop(files, disk: disk, policies: policies)
    shop.now = try #require(ISO8601.parse("2024-02-20T00:00:00Z"))
    for (place, user) in users.enumerated() {
      let zone = PolicyPropertyTests.names[place % 5]
      try shop.take(#"{"id":"z\#(user)","name":"z","user":"\#(user)","traits":{"timezone":"\#(zone)"}}"#)
    }
    var sent: [PlainPolicies.Message] = []
    func note(_ happened: Happened) throws {
      for row in happened.deliveries {
        let user = try Document.parse(row.delivery.body).root["data"]?["user"]?.string ?? ""
        sent.append(.init(at: shop.now, user: user, topic: row.delivery.type))
      }
    }
    for number in 0..<count {
      let next = shop.now + Int64(random.next(below: 7_000_000))
      while let wake = shop.lanes.map(\.wakeAt).min(), wake <= next {
        shop.now = max(shop.now, wake)
        try note(shop.run([]))
      }
      shop.now = next
      plain.pass(until: next)
      if random.chance(1, in: 200) {
        let now = shop.now
        shop = try Workshop(files, disk: disk, policies: policies)
        shop.now = now
      }
      let user = users[Int(random.next(below: UInt64(users.count)))]
      let topic = ["news", "offers", "tips"][Int(random.next(below: 3))]
      if random.chance(1, in: 25) {
        let given = random.chance(2, in: 3)
        let about = random.chance(1, in: 5) ? "*" : topic
        let data = #"{"topic":"\#(about)","given":\#(given)}"#
        try note(shop.take(JourneyTests.event("nudged.consent", "c\(number)", user: user, data)))
        plain.refuse(user, about, !given)
      } else {
        try note(shop.take(JourneyTests.event(topic, "e\(number)", user: user)))
        plain.decide(user, topic, shop.now)
      }
    }
    #expect(sent.count > count / 10)
    let (wrong, missing) = (Set(sent).subtracting(plain.sent), Set(plain.sent).subtracting(sent))
    #expect(wrong.isEmpty && missing.isEmpty, "wrong \(wrong.prefix(3)), missing \(missing.prefix(3))")
    #expect(sent.count == plain.sent.count)
  }
}
