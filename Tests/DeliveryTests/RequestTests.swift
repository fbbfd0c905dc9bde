// What a request looks like at the other end: method, path, authorization, type of content; what a call reads of
// the answer; and the way over a proxy.
//
// Thread: the test's, with the delivery thread and a receiver's threads beside it. Promise: loopback
// only; every wait has a deadline.

import Basics
import Delivery
import Model
import Testing

@Suite struct RequestTests {
  private func request(
    _ change: (inout Destination) -> Void = { _ in }, _ aim: String = ""
  ) throws -> ReceivedRequest {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    var one = destination(receiver.url)
    change(&one)
    let sending = Sending([one])
    defer { sending.stop() }
    var message = delivery(1)
    message.request = aim
    #expect(sending.attempts(of: message).first?.outcome == .delivered)
    return try #require(receiver.received().first)
  }

  @Test func `method and path are the destination's, or the message's`() throws {
    #expect(try request { $0.method = "PUT" }.line == "PUT /hook HTTP/1.1")
    #expect(try request({ _ in }, "PATCH /v1/invoices/in_1/pay?x=1").line == "PATCH /v1/invoices/in_1/pay?x=1 HTTP/1.1")
    #expect(try request({ $0.method = "PUT" }, "POST /a").line == "POST /a HTTP/1.1")
    #expect(try request({ _ in }, "DELETE ").line == "DELETE /hook HTTP/1.1")
  }

  @Test func `a message with its own path leaves the next one with the destination's`() throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url)])
    defer { sending.stop() }
    var first = delivery(1)
    first.request = "PUT /other"
    #expect(sending.attempts(of: first).count == 1)
    #expect(sending.attempts(of: delivery(2)).count == 1)
    #expect(receiver.received(count: 2).map(\.line) == ["PUT /other HTTP/1.1", "POST /hook HTTP/1.1"])
  }

  @Test func `authorization, id and type of content go out as headers`() throws {
    let found = try request {
      $0.authorization = Secret(bytes: Array("Bearer sk_1".utf8))
      $0.idHeader = "Idempotency-Key"
      $0.shape = .form
      $0.moreSigning = [
        .stripe(header: "X-A", [Secret(bytes: [1])]), .github(header: "X-B", [Secret(bytes: [1])]),
      ]
    }
    #expect(found.headers["authorization"] == "Bearer sk_1")
    #expect(found.headers["idempotency-key"] == "msg_1")
    #expect(found.headers["content-type"] == "application/x-www-form-urlencoded")
    #expect(found.headers["x-a"]?.hasPrefix("t=") == true && found.headers["x-b"]?.hasPrefix("sha256=") == true)
  }

  @Test func `a call reads 64 KB and the headers it may; others keep the first 16 KB`() throws {
    let body = String(repeating: "x", count: 100_000)
    let receiver = LoopbackReceiver { _, answering in
      answering.answer(200, headers: "X-Request-Id: 7\r\nX-Secret: no\r\n", body: body)
      return true
    }
    defer { receiver.stop() }
    var one = destination(receiver.url)
    one.replyHeaders = ["x-request-id"]
    let sending = Sending([one])
    defer { sending.stop() }
    var call = delivery(1)
    call.tries = 1
    let reply = try #require(sending.attempts(of: call).first)
    #expect(reply.response.count == Limits.callReplyBytes)
    #expect(reply.replyHeaders == [.init(name: "x-request-id", value: "7")])
    let plain = try #require(sending.attempts(of: delivery(2)).first)
    #expect(plain.response.count == Limits.responseBytes && plain.replyHeaders.isEmpty)
  }

  @Test func `a destination with a proxy is reached over it, and others are not`() throws {
    let proxy = LoopbackReceiver.answering()
    defer { proxy.stop() }
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    var over = destination("http://receiver.example/hook", name: "over")
    over.proxy = "http://127.0.0.1:\(proxy.port)"
    let sending = Sending([over, destination(receiver.url, name: "direct")])
    defer { sending.stop() }
    for round in 0..<2 {
      let number = Int64(round * 2 + 1)
      #expect(sending.attempts(of: delivery(number, to: "over")).first?.outcome == .delivered)
      #expect(sending.attempts(of: delivery(number + 1, to: "direct")).first?.outcome == .delivered)
    }
    #expect(
      proxy.received(count: 2).map(\.line) == Array(repeating: "POST http://receiver.example/hook HTTP/1.1", count: 2))
    #expect(receiver.received(count: 2).count == 2)
  }
}
