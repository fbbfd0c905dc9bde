// Deliveries over real sockets: what receivers do, and what becomes of the delivery.
//
// Thread: the test's, with the delivery thread and a receiver's threads beside it. Promise: loopback
// only; every wait has a deadline.

import Basics
import Delivery
import Model
import Testing

@Suite struct SendingTests {
  @Test func `A delivery arrives with its body, its type of content and its id`() throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url)])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(7)).first)
    #expect(attempt.delivery == 7 && attempt.attempt == 1 && attempt.status == 200)
    #expect(attempt.outcome == .delivered && attempt.settlement == .delivered && attempt.message.isEmpty)
    #expect(attempt.address == "127.0.0.1" && attempt.totalMicroseconds > 0)
    let request = try #require(receiver.received().first)
    #expect(request.line == "POST /hook HTTP/1.1")
    #expect(request.body == Array(#"{"plan":"pro"}"#.utf8))
    #expect(request.headers["content-type"] == "application/json")
    #expect(request.headers["user-agent"] == "nudged/0.0.1")
    #expect(request.headers["webhook-id"] == "msg_7")
    #expect(request.headers["expect"] == nil && request.headers["accept"] == nil)
  }

  @Test func `A receiver can check the signature of every secret`() throws {
    let old = Secret(bytes: Array(repeating: 1, count: 32))
    let new = Secret(bytes: Array(repeating: 2, count: 32))
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url, signing: .standard([old, new]))])
    defer { sending.stop() }
    #expect(sending.attempts(of: delivery(1)).count == 1)
    let request = try #require(receiver.received().first)
    for secret in [old, new] {
      let verdict = SignatureCheck.check(
        .standard([secret]), header: { request.headers[$0] }, body: request.body, now: Clocks.system.wall())
      #expect(verdict == .valid)
    }
  }

  @Test func `Nothing goes out unsigned when every secret is over, and it is tried again`() throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let over = Secret(bytes: Array(repeating: 1, count: 32), until: Instant(milliseconds: 1_000))
    let sending = Sending([destination(receiver.url, signing: .standard([over]))])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    #expect(attempt.message == "not sent: none of its secrets counts any more")
    guard case .retry = attempt.settlement else { return #expect(Bool(false), "\(attempt.settlement)") }
  }

  @Test func `After a 500 the same id comes again, and the second answer counts`() {
    let receiver = LoopbackReceiver { request, answering in
      answering.answer(request.connection == 0 ? 500 : 200)
      return false
    }
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url)])
    defer { sending.stop() }
    let attempts = sending.attempts(of: delivery(1), 2)
    #expect(attempts.map(\.outcome) == [.status, .delivered])
    #expect(attempts.map(\.attempt) == [1, 2])
    #expect(attempts.first?.message == "the receiver answered 500")
    #expect(receiver.received(count: 2).map { $0.headers["webhook-id"] } == ["msg_1", "msg_1"])
  }

  @Test func `Connections to many receivers stay open, also when only one is sent to at a time`() {
    let receivers = (0..<12).map { _ in LoopbackReceiver.answering() }
    defer { for receiver in receivers { receiver.stop() } }
    let names = receivers.indices.map { "crm\($0)" }
    let sending = Sending(zip(receivers, names).map { destination($0.url, name: $1) })
    var number: Int64 = 0
    for _ in 0..<3 {
      for name in names {
        number += 1
        #expect(sending.attempts(of: delivery(number, to: name)).map(\.outcome) == [.delivered])
      }
    }
    sending.stop()
    #expect(receivers.map(\.connectionCount) == Array(repeating: 1, count: 12))
  }

  @Test func `Connections stay open between deliveries`() {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url, concurrency: 1)])
    defer { sending.stop() }
    for number in 1...20 { #expect(sending.attempts(of: delivery(Int64(number))).first?.outcome == .delivered) }
    #expect(receiver.connectionCount == 1)
  }
}
