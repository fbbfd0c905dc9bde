// What the delivery thread does around its transfers: keeps destinations apart, logs instead of
// sending, takes new configurations, bounds its memory, stops.
//
// Thread: the test's, with the delivery thread and a receiver's threads beside it. Promise: loopback
// only; every wait has a deadline.

import Basics
import Delivery
import Glibc
import Model
import Synchronization
import Testing

@Suite struct ThreadTests {
  private static func hanging() -> LoopbackReceiver {
    LoopbackReceiver { _, answering in
      answering.hang()
      return false
    }
  }

  @Test func `A receiver that hangs stops nobody else`() {
    let hanging = ThreadTests.hanging()
    defer { hanging.stop() }
    let answering = LoopbackReceiver.answering()
    defer { answering.stop() }
    let sending = Sending([
      destination(hanging.url, name: "slow", timeout: 5_000), destination(answering.url, name: "fast"),
    ])
    defer { sending.stop() }
    let slow = (1...500).map { delivery(Int64($0), to: "slow") }
    let fast = (501...1_000).map { delivery(Int64($0), to: "fast") }
    #expect(sending.thread.deliver(slow) && sending.thread.deliver(fast))
    let attempts = sending.attempts(500, withinMilliseconds: 4_000)
    #expect(attempts.count == 500 && attempts.allSatisfy { $0.outcome == .delivered && $0.delivery > 500 })
  }

  @Test func `A destination in log mode is written to the log and counts as delivered`() throws {
    let lines = Mailbox<String>(capacity: 100)
    var quiet = destination("http://127.0.0.1:1/")
    quiet.mode = .log
    let sending = Sending([quiet], log: Log { _, line in lines.send(line) })
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1)).first)
    #expect(attempt.outcome == .delivered && attempt.settlement == .delivered && attempt.status == 0)
    let line = try #require(lines.receive(timeoutMilliseconds: 5_000)?.first)
    #expect(line.contains("destination=crm") && line.contains("id=msg_1") && line.contains("plan"))
  }

  @Test func `A delivery to a destination nobody knows has failed`() throws {
    let sending = Sending([])
    defer { sending.stop() }
    let attempt = try #require(sending.attempts(of: delivery(1, to: "gone")).first)
    #expect(attempt.outcome == .noDestination && attempt.settlement == .failed)
    #expect(attempt.message.contains("\"gone\""))
  }

  @Test func `A new configuration counts from the next try on`() {
    let broken = LoopbackReceiver.answering(500)
    defer { broken.stop() }
    let repaired = LoopbackReceiver.answering()
    defer { repaired.stop() }
    let sending = Sending([destination(broken.url, retries: [300, 300, 300])])
    defer { sending.stop() }
    #expect(sending.attempts(of: delivery(1)).first?.status == 500)
    sending.thread.configure([destination(repaired.url)])
    #expect(sending.attempts(1).first?.outcome == .delivered)
  }

  @Test func `Large bodies arrive whole`() throws {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url)])
    defer { sending.stop() }
    let body = String(repeating: "0123456789abcdef", count: Limits.deliveryBodyBytes / 16)
    #expect(sending.attempts(of: delivery(1, body: body)).first?.outcome == .delivered)
    #expect(try #require(receiver.received().first).body == Array(body.utf8))
  }

  @Test func `It asks for as much as it can hold and hands back the rest`() throws {
    let hanging = ThreadTests.hanging()
    defer { hanging.stop() }
    let bounds = DeliveryLoop.Bounds(transfers: 4, deliveries: 64, bytes: 1_000_000)
    let sending = Sending([destination(hanging.url, timeout: 60_000)], bounds: bounds)
    defer { sending.thread.stop(withinMilliseconds: 0) }
    #expect(try #require(sending.wanted.receive(timeoutMilliseconds: 5_000)?.first).count == 64)
    #expect(sending.thread.deliver((1...200).map { delivery(Int64($0)) }))
    var back = 0
    while back < 136, let more = sending.handedBack.receive(timeoutMilliseconds: 5_000), !more.isEmpty {
      back += more.count
    }
    #expect(back >= 136 && sending.thread.figures.held <= 64)
  }

  @Test func `When it stops, what is under way may end, and what hangs is left alone`() {
    let hanging = ThreadTests.hanging()
    defer { hanging.stop() }
    let sending = Sending([destination(hanging.url, timeout: 60_000)])
    #expect(sending.thread.deliver([delivery(1)]))
    #expect(hanging.received().count == 1)
    let clock = Clocks.system.steadyNanoseconds
    let start = clock()
    sending.thread.stop(withinMilliseconds: 200)
    #expect(clock() - start < 3_000_000_000)
    #expect(sending.attempts(1, withinMilliseconds: 1).isEmpty)
    #expect(!sending.thread.deliver([delivery(2)]))
  }

  @Test func `It says whether it works or waits`() {
    let sending = Sending([])
    #expect(sending.attempts(of: delivery(1, to: "gone")).count == 1)
    let clock = Clocks.system.steadyNanoseconds
    let deadline = clock() + 5_000_000_000
    // Once it has nothing to do it must come to rest at an odd count.
    while sending.thread.progress % 2 == 0, clock() < deadline { poll(nil, 0, 1) }
    #expect(sending.thread.progress % 2 == 1)
    sending.stop()
  }

  @Test func `A thousand deliveries over four connections all arrive once`() {
    let receiver = LoopbackReceiver.answering()
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url, concurrency: 4)])
    defer { sending.stop() }
    #expect(sending.thread.deliver((1...1_000).map { delivery(Int64($0)) }))
    let attempts = sending.attempts(1_000)
    #expect(Set(attempts.map(\.delivery)).count == 1_000 && attempts.count == 1_000)
    let ids = receiver.received(count: 1_000).compactMap { $0.headers["webhook-id"] }
    #expect(ids.count == 1_000 && Set(ids).count == 1_000)
    #expect(receiver.connectionCount <= 4)
  }
}
