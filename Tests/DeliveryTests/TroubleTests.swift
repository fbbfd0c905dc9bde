// Receivers that misbehave: each of them costs its own delivery a try and nobody else anything.
//
// Thread: the test's, with the delivery thread and a receiver's threads beside it. Promise: loopback
// only; every wait has a deadline.

import Basics
import Delivery
import Glibc
import Model
import Testing

@Suite struct TroubleTests {
  /// The one attempt at a receiver that behaves like that.
  private func attempt(
    timeout: Int64 = 3_000, retries: [Int64] = [], _ behaviour: @escaping LoopbackReceiver.Behaviour
  ) throws -> Attempt {
    let receiver = LoopbackReceiver(behaviour)
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url, timeout: timeout, retries: retries)])
    defer { sending.stop() }
    return try #require(sending.attempts(of: delivery(1)).first)
  }

  @Test func `A receiver that hangs is a timeout`() throws {
    let attempt = try attempt(timeout: 100) { _, answering in
      answering.hang()
      return false
    }
    #expect(attempt.outcome == .timeout && attempt.status == 0)
    #expect(attempt.message.hasPrefix("no complete answer in time"))
    #expect((90_000...2_000_000).contains(attempt.totalMicroseconds))
  }

  @Test func `A receiver that drips is a timeout however much came`() throws {
    let attempt = try attempt(timeout: 150) { _, answering in
      answering.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
      while !answering.stopping() {
        answering.send("x")
        var nothing = pollfd(fd: answering.socket, events: Int16(POLLIN), revents: 0)
        if poll(&nothing, 1, 20) > 0 { return false }
      }
      return false
    }
    #expect(attempt.outcome == .timeout && attempt.settlement == .failed)
  }

  @Test func `Nobody listening is a refusal`() throws {
    let receiver = LoopbackReceiver.answering()
    let url = receiver.url
    receiver.stop()
    let sending = Sending([destination(url, retries: [])])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    #expect(attempt.outcome == .refused && attempt.message.hasPrefix("no connection"))
  }

  @Test func `A connection that breaks in the middle of the answer is a reset`() throws {
    let attempt = try attempt { _, answering in
      answering.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
      answering.reset()
      return false
    }
    #expect(attempt.outcome == .reset && attempt.settlement == .failed)
  }

  @Test func `A connection that ends before any answer is a reset`() throws {
    let attempt = try attempt { _, _ in false }
    #expect(attempt.outcome == .reset)
  }

  @Test func `An answer that is not HTTP is a failure, which another try may mend`() throws {
    let attempt = try attempt(retries: [60_000]) { _, answering in
      answering.send("SSH-2.0-OpenSSH\r\n")
      return false
    }
    #expect(attempt.outcome == .other && attempt.settlement != .failed)
  }

  @Test func `A receiver without TLS behind an https address is a TLS failure`() throws {
    let receiver = LoopbackReceiver { _, _ in false }
    defer { receiver.stop() }
    let listener = LoopbackSpeaker("HTTP/1.1 400 no\r\n\r\n")
    defer { listener.stop() }
    let sending = Sending([destination("https://127.0.0.1:\(listener.port)/", retries: [])])
    defer { sending.stop() }
    #expect(try #require(sending.attempts(of: delivery(1)).first).outcome == .tls)
  }

  @Test func `A name that leads nowhere is a failure of the name, each time it is looked up`() {
    let sending = Sending([destination("http://nowhere.invalid/", retries: [1, 1, 1, 1])])
    defer { sending.stop() }
    #expect(sending.attempts(of: delivery(1), 5).map(\.outcome) == [.dns, .dns, .dns, .dns, .dns])
  }

  @Test func `Redirects are not followed`() throws {
    let target = LoopbackReceiver.answering()
    defer { target.stop() }
    let url = target.url
    let attempt = try attempt { _, answering in
      answering.answer(307, headers: "Location: \(url)\r\n")
      return false
    }
    #expect(attempt.outcome == .status && attempt.status == 307)
    #expect(attempt.message.contains("redirects are not followed"))
    #expect(target.connectionCount == 0)
  }

  @Test func `410 ends the delivery although tries are left`() throws {
    let attempt = try attempt(retries: [10, 10]) { _, answering in
      answering.answer(410)
      return false
    }
    #expect(attempt.status == 410 && attempt.settlement == .failed && attempt.message.contains("gone"))
  }

  @Test func `Of a long answer the beginning is kept, and a 200 stays a success`() throws {
    let attempt = try attempt { _, answering in
      answering.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
      let part = String(repeating: "y", count: 65_536)
      for _ in 0..<64 where !answering.stopping() { answering.send(part) }
      return false
    }
    #expect(attempt.outcome == .delivered && attempt.response.count == Limits.responseBytes)
  }

  @Test func `Endless headers are cut off`() throws {
    let attempt = try attempt { _, answering in
      answering.send("HTTP/1.1 200 OK\r\n")
      let line = "X-Noise: " + String(repeating: "z", count: 1_000) + "\r\n"
      for _ in 0..<100 { answering.send(line) }
      answering.hang()
      return false
    }
    #expect(attempt.outcome == .other && attempt.message.contains("headers are too long"))
  }

  @Test(arguments: ["30", "date"])
  func `Retry-After moves the next try`(form: String) throws {
    let value = form == "date" ? HTTPDate.format(Clocks.system.wall() + 31_000) : form
    let attempt = try attempt(retries: [10]) { _, answering in
      answering.answer(503, headers: "retry-after: \(value)\r\n")
      return false
    }
    guard case .retry(let at) = attempt.settlement else {
      Issue.record("it is not tried again: \(attempt)")
      return
    }
    #expect((25_000...32_000).contains(at - attempt.started))
  }
}
