// What must not leave the machine: private addresses in every spelling, smuggled headers, detours over
// proxies. And what the thread does around a transfer: other destinations, logs, stopping.
//
// Thread: the test's, with the delivery thread and a receiver's threads beside it. Promise: loopback
// only; every wait has a deadline.

import Basics
import Delivery
import Glibc
import Model
import Synchronization
import Testing

@Suite struct GuardedSendingTests {
  /// Spellings of hosts that lead to this machine, to its neighbours or to metadata services.
  static let spellings = [
    "127.0.0.1", "localhost", "localhost.", "LOCALHOST", "2130706433", "0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1",
    "017700000001", "0177.0.0.01", "127.1", "127.0.1", "0", "0.0.0.0", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "169.254.169.254", "10.0.0.1",
    "127.0.0.1%2f@example.invalid", "①②⑦.⓪.⓪.①", "[fe80::1]", "[fd00:ec2::254]",
  ]

  @Test(arguments: spellings)
  func `No spelling of a private address is connected to`(host: String) throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination("http://\(host):\(receiver.port)/", retries: [10], allowed: [])])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    #expect([.blocked, .dns, .other].contains(attempt.outcome), "\(attempt.outcome.word): \(attempt.message)")
    if attempt.outcome != .dns { #expect(attempt.settlement == .failed, "\(attempt.message)") }
    #expect(receiver.connectionCount == 0)
  }

  @Test func `A name that leads to a private address is blocked for good, with the address`() throws {
    let sending = Sending([destination("http://localhost:8998/", allowed: [])])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    #expect(attempt.outcome == .blocked && attempt.settlement == .failed)
    #expect(attempt.message.contains("is not public"))
  }

  @Test func `A receiver that repeats what it was sent brings no secret into what is kept`() throws {
    let receiver = LoopbackReceiver { request, answering in
      let told = ["authorization", "x-api-key"].map { request.headers[$0] ?? "missing" }.joined(separator: ", ")
      answering.answer(401, body: "who is \(told), and again \(told), at \(request.line)?")
      return true
    }
    defer { receiver.stop() }
    var one = destination("http://127.0.0.1:\(receiver.port)/hooks", retries: [])
    one.authorization = Secret(bytes: Array("Bearer sk_live_123456".utf8))
    one.headers = [
      .init(name: "X-Api-Key", value: "key-abcdef", isSecret: true), .init(name: "X-Plain", value: "plain"),
    ]
    let sending = Sending([one])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    let kept = String(decoding: attempt.response, as: UTF8.self)
    #expect(
      kept.hasPrefix("who is Bearer [secret], [secret], and again Bearer [secret], [secret], at POST /hooks"), "\(kept)"
    )
  }

  @Test func `An address that is a secret is blackened as a whole, as a path, and as JSON writes it`() throws {
    let receiver = LoopbackReceiver { request, answering in
      let host = request.headers["host"] ?? ""
      answering.answer(404, body: "Cannot POST /services/T0/B0; {\"url\": \"http:\\/\\/\(host)\\/services\\/T0\\/B0\"}")
      return true
    }
    defer { receiver.stop() }
    var one = destination("http://127.0.0.1:\(receiver.port)/services/T0/B0", retries: [])
    one.hasSecretAddress = true
    let sending = Sending([one])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    #expect(String(decoding: attempt.response, as: UTF8.self) == "Cannot POST [secret]; {\"url\": \"[secret]\"}")
  }

  @Test func `A receiver that answers nothing but the secret, and a secret like its mark, hold nobody up`() throws {
    let receiver = LoopbackReceiver { request, answering in
      answering.answer(401, body: String(repeating: request.headers["x-api-key"] ?? "", count: 8_000))
      return true
    }
    defer { receiver.stop() }
    var names: [String: Destination] = [:]
    for key in ["key-abcdef", "[secret]"] {
      var one = destination("http://127.0.0.1:\(receiver.port)/hooks", name: key, retries: [])
      one.headers = [.init(name: "X-Api-Key", value: key, isSecret: true)]
      one.replyHeaders = ["content-type"]
      names[key] = one
    }
    let sending = Sending(Array(names.values))
    defer { sending.stop() }
    let began = Clocks.system.steadyNanoseconds()
    for (number, key) in names.keys.sorted().enumerated() {
      var call = delivery(Int64(number + 1), to: key)
      call.tries = 1
      let attempt = try #require(sending.attempts(of: call).first)
      #expect(attempt.response.prefix(16) == Array("[secret][secret]".utf8)[...])
      #expect(attempt.response.count > 40_000)
    }
    #expect(Clocks.system.steadyNanoseconds() - began < 5_000_000_000)
  }

  @Test func `An open connection of a destination that may is no way for one that may not`() throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let url = "http://localhost:\(receiver.port)/"
    let sending = Sending([
      destination(url, name: "may"), destination(url, name: "may not", allowed: []),
    ])
    defer { sending.stop() }
    for round in 0..<3 {
      let number = Int64(round * 2)
      #expect(sending.attempts(of: delivery(number, to: "may")).first?.outcome == .delivered)
      let attempt = try #require(sending.attempts(of: delivery(number + 1, to: "may not")).first)
      #expect(
        attempt.outcome == .blocked && attempt.settlement == .failed && attempt.message.contains("not public"),
        "\(attempt)")
    }
    #expect(receiver.received(count: 3).count == 3 && receiver.received(withinMilliseconds: 20).isEmpty)
  }

  @Test func `IPv6 on this machine is reached where it is allowed`() throws {
    let receiver = LoopbackReceiver(family: AF_INET6) { _, answering in
      answering.answer(204)
      return true
    }
    defer { receiver.stop() }
    let sending = Sending([destination("http://[::1]:\(receiver.port)/", allowed: ["::1/128"])])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    #expect(attempt.outcome == .delivered && attempt.address == "::1")
  }

  @Test func `A proxy in the environment is not used`() throws {
    let proxy = LoopbackReceiver.answering()
    defer { proxy.stop() }
    setenv("http_proxy", "http://127.0.0.1:\(proxy.port)", 1)
    defer { unsetenv("http_proxy") }
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url)])
    defer { sending.stop() }
    #expect(try #require(sending.attempts(of: delivery(1)).first).outcome == .delivered)
    #expect(proxy.connectionCount == 0 && receiver.connectionCount == 1)
  }

  @Test(arguments: [
    ("X-Note", "one\r\nX-Two: two"), ("X-Note", "one\nX-Two: two"), ("X-Note\r\nX-Two", "two"), ("X Note", "one"),
    ("X-Note", "nul\0byte"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("Webhook-Id", "mine"),
    ("", "x"),
  ])
  func `A header that would change the request is never sent`(name: String, value: String) throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let header = Destination.Header(name: name, value: value)
    let sending = Sending([destination(receiver.url, headers: [header])])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    #expect(attempt.outcome == .other && attempt.settlement == .failed)
    #expect(receiver.connectionCount == 0)
  }

  @Test func `Own headers are sent, and may replace the type of content`() throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let headers = [("Authorization", "Token t"), ("Content-Type", "application/cloudevents+json"), ("X-Empty", "")]
    let sending = Sending([
      destination(receiver.url, headers: headers.map { Destination.Header(name: $0.0, value: $0.1) })
    ])
    defer { sending.stop() }
    #expect(sending.attempts(of: delivery(1)).count == 1)
    let request = try #require(receiver.received().first)
    #expect(request.headers["authorization"] == "Token t")
    #expect(request.headers["content-type"] == "application/cloudevents+json")
    #expect(request.headers["x-empty"] == "")
  }

  @Test func `An id with a line break is not sent`() throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url)])
    defer { sending.stop() }
    var message = delivery(1)
    message.id = "msg\r\nX-Two: two"
    #expect(try #require(sending.attempts(of: message).first).outcome == .other)
    #expect(receiver.connectionCount == 0)
  }
}
