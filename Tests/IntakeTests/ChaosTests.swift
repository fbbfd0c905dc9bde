// Many clients doing anything in any order, drawn from a seed: pieces of requests, answers out of
// order, streams, ends in the middle, silence.
//
// Thread: each seed its own. Promise: whoever stayed got every answer, its own, once and in order; and
// nothing is left behind.

import Basics
import CPlatform
import Testing

@testable import Intake

@Suite struct ChaosTests {
  @Test(arguments: 0..<24) func `whatever clients do, answers are theirs, complete and in order`(_ seed: UInt64) throws
  {
    var chaos = try Chaos(seed: seed)
    for _ in 0..<600 { chaos.act() }
    chaos.finish()
  }
}

private struct Chaos {
  final class Member {
    let client: Client
    var outbox: [UInt8] = []
    var expected: [String] = []
    init(_ client: Client) { self.client = client }
  }

  private let door: Door
  private var random: SeededRandom
  private var members: [Member] = []
  private var answered = 0
  /// Requests that wait, as places in what the handler has seen.
  private var open: [Int] = []
  private var noticed = 0
  private var streams: [(stream: AnswerStream, rest: [UInt8])] = []
  private var number = 0

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    var limits = IntakeLimits()
    limits.pipelinedRequests = 1 + Int(random.next(below: 6))
    limits.waitingOutputBytes = 2000
    door = try Door(limits: limits)
    door.handler.reply = { _ in nil }
  }

  private mutating func below(_ bound: Int) -> Int { Int(random.next(below: UInt64(bound))) }

  mutating func act() {
    switch below(10) {
    case 0 where members.count < 8: members.append(Member(door.connect()))
    case 1, 2: if let member = any() { ask(member) }
    case 3, 4: if let member = any() { push(member, 1 + below(200)) }
    case 5, 6: answer()
    case 7: feedStream()
    case 8 where below(20) == 0: if !members.isEmpty { members.remove(at: below(members.count)).client.close() }
    default: turn()
    }
  }

  private mutating func any() -> Member? { members.isEmpty ? nil : members[below(members.count)] }

  private mutating func ask(_ member: Member) {
    number += 1
    let body = String(repeating: "\(number % 10)", count: below(3) == 0 ? below(9000) : below(30))
    let text =
      switch below(3) {
      case 0: "GET /\(number)/0 HTTP/1.1\r\nHost: a\r\n\r\n"
      case 1: "POST /\(number)/\(body.count) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n\(body)"
      default: "POST /\(number)/\(body.count) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(body)
      }
    member.outbox += text.utf8
    member.expected.append("/\(number)/\(text.hasPrefix("GET") ? 0 : body.count)")
  }

  private mutating func chunked(_ body: String) -> String {
    var rest = body[...]
    var text = ""
    while !rest.isEmpty {
      let piece = rest.prefix(1 + below(4000))
      text += String(piece.count, radix: 16) + (below(2) == 0 ? "" : ";x=y") + "\r\n" + piece + "\r\n"
      rest = rest.dropFirst(piece.count)
    }
    return text + "0\r\n" + (below(2) == 0 ? "" : "T: 1\r\n") + "\r\n"
  }

  private func push(_ member: Member, _ count: Int) {
    guard !member.outbox.isEmpty else { return }
    let sent = member.client.send(Array(member.outbox.prefix(count)))
    if sent > 0 { member.outbox.removeFirst(sent) }
  }

  private mutating func turn(waitAtMost: Int32 = 0) {
    door.loop.turn(waitAtMost: waitAtMost)
    open += noticed..<door.handler.seen.count
    noticed = door.handler.seen.count
    for member in members { member.client.collect() }
  }

  private mutating func answer() {
    guard !open.isEmpty else { return }
    let seen = door.handler.seen[open.remove(at: below(open.count))]
    #expect(seen.path.hasSuffix("/\(seen.body.count)"))
    let body = Array((seen.path + (below(5) == 0 ? String(repeating: "!", count: 3000) : "")).utf8)
    if below(3) == 0 {
      let head = Answer(streamStatus: 200, contentType: "text/plain")
      streams.append((door.box.beginStream(seen.token, head: head), body))
    } else {
      door.box.post(seen.token, Answer(status: 200, body: body))
    }
  }

  private mutating func feedStream() {
    guard !streams.isEmpty else { return }
    let at = below(streams.count)
    let piece = Array(streams[at].rest.prefix(1 + below(500)))
    let outcome = streams[at].stream.send(piece)
    if outcome == .taken { streams[at].rest.removeFirst(piece.count) }
    guard outcome == .gone || streams[at].rest.isEmpty else { return }
    streams[at].stream.end()
    streams.remove(at: at)
  }

  mutating func finish() {
    // The kernel may take its time to pass bytes on, so this waits by the clock and not by rounds.
    let limit = platform_monotonic_ns() + 10_000_000_000
    while members.contains(where: { $0.client.replies.count < $0.expected.count }), platform_monotonic_ns() < limit {
      for member in members { push(member, 5000) }
      turn(waitAtMost: 1)
      answer()
      feedStream()
    }
    for member in members {
      let bodies = member.client.replies.map { String($0.body.prefix { $0 != "!" }) }
      #expect(bodies == member.expected)
      member.client.close()
    }
    door.turn { door.loop.counters.values.open == 0 }
    #expect(door.loop.heldBytes == 0)
    #expect(door.loop.freeSlots.count == door.loop.connections.count)
  }
}
