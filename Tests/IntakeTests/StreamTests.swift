// Answers in pieces.
//
// Thread: each test its own. Promise: pieces in order, a
// bounded queue, and a writer that learns when nobody reads.

import Basics
import Intake
import Testing

@Suite struct StreamTests {
  private let head = Answer(streamStatus: 200, contentType: "application/x-ndjson")

  private func waiting(_ door: Door, _ text: String, requests: Int = 1) -> Client {
    door.handler.reply = { _ in nil }
    let client = door.connect()
    client.send(text)
    door.turn { door.handler.seen.count == requests }
    return client
  }

  @Test func `pieces arrive as chunks, in order, and the next answer after them`() throws {
    let door = try Door()
    let client = waiting(door, "GET /s HTTP/1.1\r\nHost: a\r\n\r\nGET /n HTTP/1.1\r\nHost: a\r\n\r\n", requests: 2)
    door.box.post(door.handler.seen[1].token, Answer(status: 204, body: []))
    let stream = door.box.beginStream(door.handler.seen[0].token, head: head)
    #expect(stream.send(Array("one".utf8)) == .taken)
    door.turn(client) { client.text.hasSuffix("3\r\none\r\n") }
    #expect(stream.send(Array("twenty-one bytes here".utf8)) == .taken)
    door.turn(client) { client.text.hasSuffix("15\r\ntwenty-one bytes here\r\n") }
    stream.end()
    door.turn(client) { client.text.hasSuffix("0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n") }
    #expect(client.text.contains("Transfer-Encoding: chunked\r\n\r\n3\r\n"))
    #expect(stream.send([1]) == .gone)
  }

  @Test func `a stream waits for the answers before it`() throws {
    let door = try Door()
    let client = waiting(door, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /s HTTP/1.1\r\nHost: a\r\n\r\n", requests: 2)
    let stream = door.box.beginStream(door.handler.seen[1].token, head: head)
    #expect(stream.send(Array("x".utf8)) == .taken)
    stream.end()
    door.settle(client)
    #expect(client.received.isEmpty)
    door.box.post(door.handler.seen[0].token, Answer(status: 204, body: []))
    door.turn(client) { client.text.hasSuffix("1\r\nx\r\n0\r\n\r\n") }
  }

  @Test func `an HTTP 1_0 client reads until the end of the connection`() throws {
    let door = try Door()
    let client = waiting(door, "GET /s HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    let stream = door.box.beginStream(door.handler.seen[0].token, head: head)
    #expect(stream.send(Array("plain".utf8)) == .taken)
    stream.end()
    door.turn(client) { client.isEnded }
    #expect(client.text.hasSuffix("Connection: close\r\n\r\nplain"))
  }

  @Test func `HEAD gets the head of a stream only`() throws {
    let door = try Door()
    let client = waiting(door, "HEAD /s HTTP/1.1\r\nHost: a\r\n\r\n")
    let stream = door.box.beginStream(door.handler.seen[0].token, head: head)
    door.turn(client) { client.text.hasSuffix("\r\n\r\n") }
    #expect(stream.send([1]) == .gone)
    door.settle(client)
    #expect(client.text.hasSuffix("chunked\r\n\r\n"))
  }

  @Test func `a writer is held back by a client that does not read`() throws {
    let door = try Door()
    let client = waiting(door, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n")
    let stream = door.box.beginStream(door.handler.seen[0].token, head: head)
    let piece = [UInt8](repeating: 0x61, count: 64 * 1024)
    var sent = 0
    // The kernel's buffers grow for a while; what counts is that the queue stays full in the end.
    var fullRounds = 0
    door.turn { () -> Bool in
      var room = false
      while stream.send(piece) == .taken {
        sent += 1
        room = true
      }
      fullRounds = room ? 0 : fullRounds + 1
      return fullRounds == 20
    }
    #expect(sent * piece.count < 64 << 20)
    door.turn(client) { stream.waitingBytes == 0 }
    #expect(stream.send(piece) == .taken)
    stream.end()
    door.turn(client) { client.received.suffix(5).elementsEqual("0\r\n\r\n".utf8) }
    #expect(client.received.count > (sent + 1) * piece.count)
  }

  @Test func `a long stream outlives the write deadline as long as the client reads`() throws {
    let door = try Door()
    let client = waiting(door, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n")
    let stream = door.box.beginStream(door.handler.seen[0].token, head: head)
    let piece = [UInt8](repeating: 0x61, count: 64 * 1024)
    for _ in 0..<10 {
      door.turn { () -> Bool in
        while stream.send(piece) == .taken {}
        return stream.waitingBytes >= 256 * 1024
      }
      door.clock.advance(milliseconds: 20_000)
      door.turn(client) { stream.waitingBytes == 0 }
      door.settle(client)
    }
    #expect(!client.isEnded && !stream.isGone)
  }

  @Test func `a writer learns that its client is gone`() throws {
    let door = try Door()
    let client = waiting(door, "GET /s HTTP/1.1\r\nHost: a\r\n\r\n")
    let stream = door.box.beginStream(door.handler.seen[0].token, head: head)
    door.settle(client)
    client.close()
    door.turn { stream.send([0x61]) == .gone }
    #expect(stream.isGone)
    #expect(door.box.beginStream(door.handler.seen[0].token, head: head).isGone == false)
    door.settle()
  }
}
