// Slow and silent clients, on a clock that the test moves by hand.
//
// Thread: each test its own. Promise: deadlines are totals: dripping bytes do not extend them.

import Basics
import Glibc
import Testing

@testable import Intake

@Suite struct DeadlineTests {
  @Test func `a head that drips in is cut off after its total time`() throws {
    let door = try Door()
    let client = door.connect()
    let text = Array("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: abcdefghijklmnopqrstuvwxyz".utf8)
    var seconds = 0
    for byte in text where client.replies.isEmpty {
      client.send([byte])
      door.settle(client)
      door.clock.advance(milliseconds: 700)
      seconds += 1
    }
    #expect(client.replies.map(\.status) == [408])
    #expect(client.isEnded)
    // Ten seconds at 0.7 seconds a byte.
    #expect((15...16).contains(seconds))
    #expect(door.loop.counters.values.timeouts == 1)
  }

  @Test func `a body that drips in is cut off after its total time`() throws {
    var limits = IntakeLimits()
    limits.bodyMilliseconds = 3000
    let door = try Door(limits: limits)
    let client = door.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
    var bytes = 0
    while client.replies.isEmpty, bytes < 100 {
      client.send("x")
      door.settle(client)
      door.clock.advance(milliseconds: 700)
      bytes += 1
    }
    #expect(client.replies.map(\.status) == [408])
    #expect(bytes <= 6)
  }

  @Test func `chunks that drip in are cut off, too`() throws {
    let door = try Door()
    let client = door.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in 0..<31 where client.replies.isEmpty {
      client.send("1\r\nx\r\n")
      door.settle(client)
      door.clock.advance(milliseconds: 1000)
    }
    door.settle(client)
    #expect(client.replies.map(\.status) == [408])
  }

  @Test func `each request has its own time`() throws {
    let door = try Door()
    let client = door.connect()
    for round in 1...5 {
      client.send("GET / HTTP/1.1\r\nHo")
      door.settle(client)
      door.clock.advance(milliseconds: 9000)
      door.exchange(client, "st: a\r\n\r\n", answers: round)
    }
    #expect(client.replies.allSatisfy { $0.status == 200 })
  }

  @Test func `an idle connection is closed without a word`() throws {
    let door = try Door()
    let silent = door.connect()
    let once = door.connect()
    door.exchange(once, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    door.clock.advance(milliseconds: 74_000)
    door.settle(silent, once)
    #expect(!silent.isEnded && !once.isEnded)
    door.clock.advance(milliseconds: 2000)
    door.settle(silent, once)
    #expect(silent.isEnded && once.isEnded)
    #expect(silent.received.isEmpty && once.replies.count == 1)
  }

  @Test func `a request that waits for its answer is not idle`() throws {
    let door = try Door()
    door.handler.reply = { _ in nil }
    let client = door.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    door.turn { door.handler.seen.count == 1 }
    door.clock.advance(milliseconds: 1_000_000)
    door.settle(client)
    #expect(!client.isEnded)
    door.box.post(door.handler.seen[0].token, Answer(status: 200, body: []))
    door.turn(client) { client.replies.count == 1 }
    door.clock.advance(milliseconds: 74_000)
    door.settle(client)
    #expect(!client.isEnded)
  }

  @Test func `a client that does not read is cut off after the write deadline`() throws {
    let door = try Door()
    let large = Answer(status: 200, body: [UInt8](repeating: 0x61, count: 24 << 20))
    door.handler.reply = { _ in large }
    let client = door.connect()
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    door.settle()
    #expect(door.loop.counters.values.open == 1)
    door.clock.advance(milliseconds: 31_000)
    door.turn { door.loop.counters.values.open == 0 }
    #expect(door.loop.counters.values.timeouts == 1)
  }

  @Test func `a large answer reaches a slow reader whole`() throws {
    let door = try Door()
    let body = [UInt8](repeating: 0x62, count: 8 << 20)
    door.handler.reply = { _ in Answer(status: 200, body: body) }
    let client = door.connect()
    client.send(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
    door.settle()
    // What waits is bounded: the second request was not read while the first answer is under way.
    #expect(door.handler.seen.count == 1)
    door.turn(client) { client.received.count > 24 << 20 }
    #expect(door.handler.seen.map(\.path) == ["/1", "/2", "/3"])
  }

  @Test func `a refused client may linger, but not for ever`() throws {
    let door = try Door()
    let client = door.connect()
    client.send("BAD\r\n\r\n")
    door.turn(client) { client.isEnded }
    // The client still sends: it is read away, so that its answer is not reset.
    for _ in 0..<5 {
      #expect(client.send([UInt8](repeating: 0x61, count: 50_000)) > 0)
      door.settle()
    }
    #expect(door.loop.counters.values.open == 1)
    door.clock.advance(milliseconds: 2001)
    door.settle()
    #expect(door.loop.counters.values.open == 0)
  }

  @Test func `lists of deadlines give what is due, in order, and forget what was cleared`() {
    var random = SeededRandom(seed: 11)
    var deadlines = Deadlines(slots: 50)
    var expected: [Int: Int64] = [:]
    var now: Int64 = 0
    for _ in 0..<20_000 {
      now += Int64(random.next(below: 3))
      let slot = Int(random.next(below: 50))
      switch random.next(below: 3) {
      case 0:
        let kind = Deadlines.Kind.allCases[Int(random.next(below: 5))]
        let due = now + Int64(kind.rawValue + 1) * 40
        deadlines.set(slot, kind, at: due)
        expected[slot] = due
      case 1:
        deadlines.clear(slot)
        expected[slot] = nil
      default:
        #expect(deadlines.earliest == expected.values.min())
        while let (slot, _) = deadlines.takeDue(now) {
          #expect((expected[slot] ?? .max) <= now)
          expected[slot] = nil
        }
        #expect(expected.values.allSatisfy { $0 > now })
      }
    }
  }
}
