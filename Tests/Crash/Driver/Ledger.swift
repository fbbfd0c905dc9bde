// What was sent, and what has to be found in the end.
//
// Thread: any, under its lock. Promise: an event stands here before its first byte leaves, so that
// nothing the daemon can have is unknown here.

import Basics

struct SentEvent: Sendable {
  var id: String
  var user: String
  var account: String?
  /// How many webhooks it is to cause.
  var hooks: Int
  var echoes: Bool
  /// How often the run that it starts sleeps; 0: it starts none.
  var naps = 0
  /// How long each time.
  var pause = "30 ms"
  var isAcknowledged = false

  func append(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("id", id)
    writer.member("name", "tick")
    writer.member("user", user)
    if let account { writer.member("account", account) }
    writer.key("data")
    writer.beginObject()
    writer.member("hooks", Int64(hooks))
    writer.key("echo")
    writer.boolean(echoes)
    if naps > 0 {
      writer.member("naps", Int64(naps))
      writer.member("pause", pause)
    }
    writer.endObject()
    writer.endObject()
  }
}

/// What the state of subjects must be, by their names.
struct Expected: Equatable, Sendable {
  var ticks: [String: Int64] = [:]
  var echoes: [String: Int64] = [:]
  var seen: [String: Int64] = [:]
  var told: [String: Int64] = [:]
  var naps: [String: Int64] = [:]
  /// Runs that must have ended, by their key.
  var runs: Set<String> = []
  /// Webhooks, "event/part".
  var hooks: Set<String> = []
}

final class Ledger: Sendable {
  static let hot = "hot"

  private struct Content: Sendable {
    var events: [SentEvent] = []
    var hot = 0
    var complaint: String?
    var doubted = 0
  }
  private let content = Guarded(Content())
  /// What was in the store before its life here began.
  private let inherited: Expected

  init(inherited: Expected) { self.inherited = inherited }

  /// Returns their places.
  func enter(_ events: [SentEvent]) -> Range<Int> {
    content.withLock { content in
      let start = content.events.count
      content.events += events
      content.hot += events.count { $0.user == Ledger.hot }
      return start..<content.events.count
    }
  }

  func acknowledge(_ places: some Sequence<Int>) {
    content.withLock { content in for place in places { content.events[place].isAcknowledged = true } }
  }

  /// An acknowledged one, to be sent once more.
  func anyAcknowledged(_ random: inout SeededRandom) -> SentEvent? {
    let draw = random.next()
    return content.withLock { content in
      guard !content.events.isEmpty else { return nil }
      let event = content.events[Int(draw % UInt64(content.events.count))]
      return event.isAcknowledged ? event : nil
    }
  }

  /// What a sender found wrong; the first one counts.
  func complain(_ sentence: String) { content.withLock { $0.complaint = $0.complaint ?? sentence } }
  var complaint: String? { content.withLock { $0.complaint } }

  var count: Int { content.withLock { $0.events.count } }
  var hotCount: Int { content.withLock { $0.hot } }
  var unacknowledged: [(place: Int, event: SentEvent)] {
    content.withLock { content in
      content.events.indices.filter { !content.events[$0].isAcknowledged }.map { ($0, content.events[$0]) }
    }
  }
  var events: [SentEvent] { content.withLock { $0.events } }

  /// When every event has been taken exactly once.
  var expected: Expected {
    var out = inherited
    for event in events {
      let user = "user:" + event.user
      out.ticks[user, default: 0] += 1
      if event.echoes { out.echoes[user, default: 0] += 1 }
      if let account = event.account {
        out.seen["account:" + account, default: 0] += 1
        out.told["account:" + account, default: 0] += 1
      }
      if event.naps > 0 {
        out.naps[user, default: 0] += Int64(event.naps)
        out.runs.insert(event.id)
        for nap in 1...event.naps { out.hooks.insert("\(event.id)/\(100 + nap)") }
      }
      for part in 0..<event.hooks { out.hooks.insert("\(event.id)/\(part + 1)") }
    }
    return out
  }
}
