// The loop at the door, over real sockets, round by round.
//
// Thread: each test its own. Promise: behaviour as a client sees it.

import Basics
import Intake
import Testing

@Suite struct LoopTests {
  @Test(arguments: wellFormed + malformed)
  func `every probe gets its answers from the loop, too`(_ probe: Probe) throws {
    let door = try Door()
    let client = door.connect()
    client.send(probe.bytes)
    door.turn(client) { client.replies.count >= probe.statuses.count }
    door.settle(client)
    #expect(client.replies.map(\.status) == probe.statuses, "\(client.text)")
    guard let last = probe.statuses.last, last != 200 else { return }
    #expect(client.isEnded && client.replies.last?.head.contains("Connection: close") == true)
    #expect(client.replies.last?.body.hasPrefix("{\"code\":\"") == true)
  }

  @Test func `answers given later and out of order come back in order`() throws {
    let door = try Door()
    door.handler.reply = { _ in nil }
    let client = door.connect()
    client.send((1...3).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
    door.turn(client) { door.handler.seen.count == 3 }
    for seen in door.handler.seen.reversed() {
      #expect(client.replies.isEmpty)
      door.box.post(seen.token, Answer(status: 200, body: Array(seen.path.utf8)))
      door.settle(client)
    }
    #expect(client.replies.map(\.body) == ["/1", "/2", "/3"])
  }

  @Test func `no more requests are read than may be outstanding`() throws {
    var limits = IntakeLimits()
    limits.pipelinedRequests = 4
    let door = try Door(limits: limits)
    door.handler.reply = { _ in nil }
    let client = door.connect()
    client.send((0..<10).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
    door.settle(client)
    var answered = 0
    while answered < 10 {
      #expect(door.handler.seen.count == min(10, answered + 4))
      door.box.post(door.handler.seen[answered].token, Answer(status: 200, body: Array("\(answered)".utf8)))
      answered += 1
      door.turn(client) { client.replies.count == answered }
      door.settle(client)
    }
    #expect(client.replies.map(\.body) == (0..<10).map(String.init))
  }

  @Test func `an answer for a connection that is gone reaches nobody`() throws {
    let door = try Door()
    door.handler.reply = { _ in nil }
    let first = door.connect()
    first.send("GET /old HTTP/1.1\r\nHost: a\r\n\r\n")
    door.turn { door.handler.seen.count == 1 }
    first.close()
    door.box.post(door.handler.seen[0].token, Answer(status: 200, body: []))
    door.turn { door.loop.counters.values.open == 0 }
    let second = door.connect()
    second.send("GET /new HTTP/1.1\r\nHost: a\r\n\r\n")
    door.turn { door.handler.seen.count == 2 }
    let late = door.loop.counters.values.lateAnswers
    door.box.post(door.handler.seen[0].token, Answer(status: 500, body: []))
    door.box.post(door.handler.seen[1].token, Answer(status: 200, body: Array("new".utf8)))
    door.turn(second) { second.replies.count == 1 }
    #expect(second.replies.map(\.body) == ["new"])
    #expect(door.loop.counters.values.lateAnswers == late + 1)
  }

  @Test func `a second answer to one request is dropped`() throws {
    let door = try Door()
    door.handler.reply = { _ in nil }
    let client = door.connect()
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    door.turn { door.handler.seen.count == 2 }
    let tokens = door.handler.seen.map(\.token)
    door.box.post([(tokens[1], Answer(status: 200, body: Array("b".utf8))), (tokens[1], Answer(status: 500, body: []))])
    door.box.post([(tokens[0], Answer(status: 200, body: Array("a".utf8))), (tokens[0], Answer(status: 500, body: []))])
    door.turn(client) { client.replies.count == 2 }
    door.settle(client)
    #expect(client.replies.map(\.body) == ["a", "b"])
    #expect(door.loop.counters.values.lateAnswers == 2)
  }

  @Test func `a client that waits for 100 Continue gets it, then its answer`() throws {
    let door = try Door()
    let client = door.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    door.turn(client) { client.text == "HTTP/1.1 100 Continue\r\n\r\n" }
    door.exchange(client, "abc")
    #expect(client.replies.map(\.status) == [200])
    #expect(door.handler.seen.map(\.body) == [Array("abc".utf8)])
  }

  @Test func `100 Continue waits for the answers before it`() throws {
    let door = try Door()
    door.handler.reply = { $0.path == "/later" ? nil : Answer(status: 200, body: []) }
    let client = door.connect()
    client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    door.settle(client)
    #expect(client.received.isEmpty)
    door.box.post(door.handler.seen[0].token, Answer(status: 200, body: []))
    door.turn(client) { client.text.hasSuffix("\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n") }
    door.exchange(client, "x", answers: 2)
  }

  @Test func `a body that is too large is refused before it is sent`() throws {
    let door = try Door()
    door.handler.limit = 10
    let client = door.connect()
    door.exchange(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
    #expect(client.replies.map(\.status) == [413])
    #expect(!client.text.contains("100 Continue") && door.handler.seen.isEmpty)
  }

  @Test func `HEAD is answered without a body, with its length`() throws {
    let door = try Door()
    let client = door.connect()
    client.headRequests = [0]
    door.exchange(client, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", answers: 2)
    #expect(client.replies.map(\.body) == ["", "{}"])
    #expect(client.replies.allSatisfy { $0.head.contains("Content-Length: 2") })
  }

  @Test func `an HTTP 1_0 client that asks for it keeps its connection`() throws {
    let door = try Door()
    let client = door.connect()
    door.exchange(client, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    #expect(client.replies[0].head.contains("Connection: keep-alive"))
    door.exchange(client, "GET / HTTP/1.0\r\n\r\n", answers: 2)
    door.turn(client) { client.isEnded }
  }

  @Test func `a peer that has finished sending still gets its answers`() throws {
    let door = try Door()
    door.handler.reply = { _ in nil }
    let client = door.connect()
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
    client.finishSending()
    door.turn { door.handler.seen.count == 2 }
    door.settle(client)
    for seen in door.handler.seen { door.box.post(seen.token, Answer(status: 200, body: Array(seen.path.utf8))) }
    door.turn(client) { client.isEnded }
    #expect(client.replies.map(\.body) == ["/1", "/2"])
  }

  @Test func `a large body arrives whole, and its memory is given back`() throws {
    let door = try Door()
    door.handler.limit = 5 << 20
    let client = door.connect()
    let body = [UInt8]((0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
    var sent = 0
    door.turn(client) {
      if sent < body.count { sent += max(0, client.send(Array(body[sent..<min(body.count, sent + 100_000)]))) }
      return client.replies.count == 1
    }
    #expect(door.handler.seen.first?.body == body)
  }

  @Test func `what all unfinished requests may hold together is bounded`() throws {
    var limits = IntakeLimits()
    limits.heldBytes = 100_000
    let door = try Door(limits: limits)
    let client = door.connect()
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")
    door.turn(client) {
      client.send([UInt8](repeating: 0x61, count: 30_000))
      return client.replies.count == 1
    }
    #expect(client.replies.map(\.status) == [503])
  }
}
