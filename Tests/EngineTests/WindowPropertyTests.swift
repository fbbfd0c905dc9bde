// Windows and silences against a plain computation: random events, some of them late, over starts and reloads that
// ask for windows that are new. NUDGED_WINDOW_EVENTS sets how many events;
// many are divided into lives of 6,000.
//
// Thread: the test's. Promise: the plain side keeps every event and looks at all of them each time; it shares no code
// with the rings but the definitions.

import Basics
import Engine
import Glibc
import Model
import Store
import Testing

/// What ought to be answered, worked out the slow way.
private struct PlainWindows {
  struct Fact {
    var name: String
    var time: Instant
    var taken: Instant
    var number: Int
    var amount: Int64
    var plan: String
  }
  private(set) var facts: [String: [Fact]] = [:]

  mutating func add(_ fact: Fact, _ user: String) {
    facts[user, default: []].append(fact)
    // Nothing that is asked for reaches farther back.
    if facts[user]!.count > 4_000 {
      facts[user]!.removeAll { fact.taken - $0.taken > 60 * WindowPropertyTests.day && $0.time < fact.taken }
    }
  }

  func counted(_ definition: WindowDefinition, _ user: String, at now: Instant) -> [Fact] {
    let width = definition.bucketMilliseconds
    func oldest(_ moment: Instant) -> Int64 {
      ((moment.milliseconds - definition.windowMilliseconds) / width + 1) * width
    }
    return (facts[user] ?? []).filter { fact in
      fact.name == definition.event && fact.time.milliseconds >= oldest(now)
        && (definition.match.map { String(decoding: $0.value, as: UTF8.self) == "\"\(fact.plan)\"" } ?? true)
    }.sorted { ($0.time, $0.number) < ($1.time, $1.number) }
  }

  /// As the rule's JSON shows it.
  func answer(_ definition: WindowDefinition, _ user: String, at now: Instant) -> String {
    let found = counted(definition, user, at: now)
    let amounts = found.map(\.amount)
    switch definition.kind {
    case .count: return "\(found.count)"
    case .sum: return "\(amounts.reduce(0, +))"
    case .min: return amounts.min().map { "\($0)" } ?? "\"none\""
    case .max: return amounts.max().map { "\($0)" } ?? "\"none\""
    case .distinct: return "\(Set(found.map(\.plan)).count)"
    case .first: return found.first.map { "\"\($0.plan)\"" } ?? "\"none\""
    case .last: return found.last.map { "\"\($0.plan)\"" } ?? "\"none\""
    case .avg:
      guard !amounts.isEmpty else { return "\"none\"" }
      let mean = Double(amounts.reduce(0, +)) / Double(amounts.count)
      return "\(Int((mean * 1_000).rounded(.down)))"
    }
  }
}

@Suite struct WindowPropertyTests {
  static let day: Int64 = 86_400_000
  static let events = getenv("NUDGED_WINDOW_EVENTS").flatMap { Int(String(cString: $0)) } ?? 3_000

  private static let words: [(name: String, call: String, definition: WindowDefinition)] = {
    func window(
      _ kind: WindowDefinition.Kind, _ text: String, _ milliseconds: Int64, field: String? = nil, match: String? = nil
    ) -> (String, String, WindowDefinition) {
      let fieldText = field.map { ", 'data.\($0)'" } ?? ""
      let options = match.map { ", { match = { plan = '\($0)' } }" } ?? ""
      let call = "\(kind.word)('act'\(fieldText), '\(text)'\(options))"
      return (
        "\(kind.word)\(milliseconds)\(match ?? "")", call,
        WindowDefinition(
          kind, event: "act", field: field, windowMilliseconds: milliseconds,
          match: match.map { WindowDefinition.Match(path: "plan", value: Array("\"\($0)\"".utf8)) })
      )
    }
    return [
      window(.count, "1 hour", 3_600_000), window(.count, "7 days", 7 * day),
      window(.count, "3 days", 3 * day, match: "pro"), window(.sum, "2 days", 2 * day, field: "amount"),
      window(.min, "30 days", 30 * day, field: "amount"), window(.max, "5 hours", 5 * 3_600_000, field: "amount"),
      window(.avg, "1 day", day, field: "amount"), window(.distinct, "10 days", 10 * day, field: "plan"),
      window(.first, "4 days", 4 * day, field: "plan"), window(.last, "90 minutes", 90 * 60_000, field: "plan"),
    ]
  }()

  private static func rules(_ count: Int) -> [String: String] {
    let fields = words.prefix(count).map { word in
      word.definition.kind == .avg
        ? "\(word.name) = \(word.call) and math.floor(\(word.call) * 1000) or 'none'"
        : "\(word.name) = \(word.call) or 'none'"
    }
    return [
      "tell": Workshop.rule("on = 'act'", "send('bare', 't', { \(fields.joined(separator: ", ")) })"),
      "quiet": Workshop.rule(
        "on = absence { of = 'act', lasting = '5 days' }",
        "send('bare', 'quiet', { who = customer.id, since = event.data.since })"),
    ]
  }

  /// When each silence ought to be told.
  private struct Silences {
    var last: [String: Instant] = [:]
    var told: Set<String> = []

    mutating func hear(_ user: String, _ time: Instant, now: Instant) {
      let heard = min(time, now)
      guard let known = last[user] else {
        last[user] = now
        return
      }
      guard heard > known else { return }
      last[user] = heard
      told.remove(user)
    }

    mutating func pass(_ now: Instant) -> Set<String> {
      var found: Set<String> = []
      for (user, time) in last where !told.contains(user) && time + 5 * WindowPropertyTests.day <= now {
        told.insert(user)
        found.insert("\(user) \(ISO8601.format(time))")
      }
      return found
    }
  }

  @Test(arguments: [(1, UInt64(1)), (2, UInt64(2)), (3, UInt64(3))])
  func `windows and silences agree with a plain computation`(lanes: Int, seed: UInt64) throws {
    for start in stride(from: 0, to: WindowPropertyTests.events, by: 6_000) {
      try live(lanes, seed: seed + UInt64(start), count: min(6_000, WindowPropertyTests.events - start))
    }
  }

  private func live(_ lanes: Int, seed: UInt64, count: Int) throws {
    var random = SeededRandom(seed: seed)
    let disk = MemoryStore.Disk()
    var plain = PlainWindows()
    var silences = Silences()
    var asked = 4
    var workshop = try Workshop(WindowPropertyTests.rules(asked), lanes: lanes, disk: disk)
    var wrong = 0
    for number in 0..<count {
      let gap = random.chance(1, in: 200) ? 2 * WindowPropertyTests.day : 6 * 60_000
      workshop.now = workshop.now + Int64(random.next(below: UInt64(gap)))
      if random.chance(1, in: 400) {
        // A start, now and then with rules that ask for more than before, or for less.
        let now = workshop.now
        if random.chance(1, in: 2) { asked = 1 + Int(random.next(below: 10)) }
        workshop = try Workshop(WindowPropertyTests.rules(asked), lanes: lanes, disk: disk)
        workshop.now = now
      } else if random.chance(1, in: 500) {
        asked = 1 + Int(random.next(below: 10))
        try workshop.publish(WindowPropertyTests.rules(asked), highest: 2)
      }
      let quiet = try told(workshop.run([]))
      #expect(quiet == silences.pass(workshop.now))
      let user = "u\(random.next(below: 12))"
      let late = random.chance(1, in: 5) ? Int64(random.next(below: UInt64(12 * WindowPropertyTests.day))) : 0
      let fact = PlainWindows.Fact(
        name: "act", time: workshop.now + -late, taken: workshop.now, number: number,
        amount: Int64(random.next(below: 1_000)) - 200, plan: ["free", "pro", "team"][Int(random.next(below: 3))])
      let text =
        #"{"id":"e\#(number)","name":"act","user":"\#(user)","time":\#(fact.time.milliseconds),"data":{"amount":\#(fact.amount),"plan":"\#(fact.plan)"}}"#
      let happened = try workshop.take(text)
      plain.add(fact, user)
      silences.hear(user, fact.time, now: workshop.now)
      #expect(told(happened) == silences.pass(workshop.now))
      let body = happened.deliveries.first { $0.delivery.type == "t" }.map {
        String(decoding: $0.delivery.body, as: UTF8.self)
      }
      let wanted = WindowPropertyTests.words.prefix(asked).map { word in
        (word.name, plain.answer(word.definition, user, at: workshop.now))
      }.sorted { $0.0 < $1.0 }
      let shown = "{" + wanted.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
      if body != shown {
        wrong += 1
        if wrong < 4 { Issue.record("event \(number) of \(user): \(body ?? "nothing") instead of \(shown)") }
      }
    }
    #expect(wrong == 0)
  }

  private func told(_ happened: Happened) -> Set<String> {
    Set(
      happened.deliveries.filter { $0.delivery.type == "quiet" }.compactMap { row in
        let body = (try? Document.parse(row.delivery.body))?.root
        return body.map { "\($0["who"]?.string ?? "") \($0["since"]?.string ?? "")" }
      })
  }
}
