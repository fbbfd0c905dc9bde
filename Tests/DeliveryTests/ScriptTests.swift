// Receivers that follow a script: statuses one after the other, Retry-After in both forms, slow answers,
// huge ones; and how one that hangs and one that drips leave another alone.
//
// Thread: the test's, with the delivery thread and the receivers' threads beside it. Promise: loopback only;
// every wait has a deadline.

import Basics
import Delivery
import Glibc
import Model
import Testing

@Suite struct ScriptTests {
  private func attempts(
    _ script: [LoopbackReceiver.Line], retries: [Int64] = [10, 10, 10, 10], timeout: Int64 = 3_000, count: Int
  ) -> [Attempt] {
    let receiver = LoopbackReceiver.following(script)
    defer { receiver.stop() }
    let sending = Sending([destination(receiver.url, timeout: timeout, retries: retries)])
    defer { sending.stop() }
    return sending.attempts(of: delivery(1), count)
  }

  @Test func `A sequence of statuses ends with the first of 2xx`() {
    let found = attempts([.status(500), .status(302), .status(401), .status(204)], count: 4)
    #expect(found.map(\.status) == [500, 302, 401, 204])
    #expect(found.map(\.isFlagged) == [false, false, true, false])
    #expect(found.map(\.attempt) == [1, 2, 3, 4] && found.last?.settlement == .delivered)
  }

  @Test(arguments: [
    ([LoopbackReceiver.Line.reset, .status(200)], [AttemptOutcome.reset, .delivered]),
    ([.hang, .status(200)], [.timeout, .delivered]), ([.half, .status(200)], [.reset, .delivered]),
    ([.drip, .status(200)], [.timeout, .delivered]), ([.huge(500), .huge(200)], [.status, .delivered]),
    ([.slow(60), .status(410)], [.delivered]),
  ])
  func `What goes wrong once goes well the next time`(script: [LoopbackReceiver.Line], wanted: [AttemptOutcome]) {
    #expect(attempts(script, timeout: 300, count: wanted.count).map(\.outcome) == wanted)
  }

  @Test(arguments: [429, 503, 500, 404, 302])
  func `Retry-After counts with any status and no longer than a day`(status: Int) {
    let distant = HTTPDate.format(Clocks.system.wall() + 40 * 86_400_000)
    for value in ["9999999", distant] {
      let found = attempts([.status(status, "Retry-After: \(value)\r\n")], count: 1)
      guard case .retry(let at)? = found.first?.settlement else {
        Issue.record("\(found)")
        continue
      }
      #expect((86_390_000...86_410_000).contains(at - found[0].started))
    }
  }

  @Test func `One that hangs and one that drips keep nothing from one that answers`() {
    let bad = [LoopbackReceiver.following([.hang]), .following([.drip])]
    let good = LoopbackReceiver.answering()
    let sending = Sending(
      [destination(good.url, name: "good")]
        + bad.enumerated().map { destination($1.url, name: "bad \($0)", timeout: 5_000) })
    defer {
      sending.stop()
      for receiver in bad + [good] { receiver.stop() }
    }
    let mixed = (0..<3_000).map { number in
      delivery(Int64(number + 1), to: number % 3 == 0 ? "good" : "bad \(number % 3 - 1)")
    }
    let began = Clocks.system.steadyNanoseconds()
    for start in stride(from: 0, to: 3_000, by: 300) { _ = sending.thread.deliver(Array(mixed[start..<start + 300])) }
    let found = sending.attempts(1_000, withinMilliseconds: 20_000).filter { $0.settlement == .delivered }
    #expect(found.count >= 990)
    // Long before the bad ones' first timeout.
    #expect(Clocks.system.steadyNanoseconds() - began < 5_000_000_000)
    #expect(sending.thread.standings.first { $0.name == "good" }?.breaker == "closed")
  }
}
