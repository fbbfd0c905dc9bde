// The schedule of tries: pauses, their spread, what receivers ask for, and when it is over.
//
// Thread: any. Promise: pure, time is moved by hand.

import Basics
import Delivery
import Model
import Testing

@Suite struct RetryTests {
  private let now = Instant(milliseconds: 1_768_472_430_000)

  private func settlement(
    _ outcome: AttemptOutcome, status: Int = 0, attempt: Int = 1, retryAfter: Int64? = nil, expires: Instant? = nil,
    delays: [Int64] = [10_000, 60_000]
  ) -> Settlement {
    RetrySchedule.settlement(
      of: delivery(1, expires: expires), attempt: attempt, outcome: outcome, status: status,
      retryAfterMilliseconds: retryAfter, delays: delays, now: now)
  }

  private func pause(_ settlement: Settlement) -> Int64? {
    if case .retry(let at) = settlement { at - now } else { nil }
  }

  @Test func `Pauses are spread by a fifth both ways, the same way each time`() {
    var least = Int64.max
    var most = Int64.min
    for number in 0..<5_000 {
      let id = "msg_\(number)"
      let delay = RetrySchedule.delayMilliseconds(after: 1, id: id, delays: [10_000]) ?? 0
      #expect(delay == RetrySchedule.delayMilliseconds(after: 1, id: id, delays: [10_000]))
      least = min(least, delay)
      most = max(most, delay)
    }
    #expect((8_000...8_050).contains(least) && (11_950...12_000).contains(most))
  }

  @Test func `Attempts of one delivery are spread differently`() {
    let delays = [Int64](repeating: 1_000_000, count: 10)
    let pauses = Set((1...10).map { RetrySchedule.delayMilliseconds(after: $0, id: "m", delays: delays) })
    #expect(pauses.count == 10)
  }

  @Test func `The longest pauses do not overflow`() {
    let delay = RetrySchedule.delayMilliseconds(after: 1, id: "m", delays: [Int64.max / 8]) ?? 0
    #expect(delay > Int64.max / 16)
  }

  @Test(arguments: [[], [2_000], [10_000, 60_000, 1, 1, 1, 1]] as [[Int64]])
  func `A call is tried as often as it says, whatever pauses its destination has`(delays: [Int64]) {
    var call = delivery(1)
    call.tries = 5
    let made = (1...6).map { attempt in
      RetrySchedule.settlement(
        of: call, attempt: attempt, outcome: .status, status: 500, retryAfterMilliseconds: nil, delays: delays, now: now
      )
    }
    #expect(made.map { pause($0) != nil } == [true, true, true, true, false, false])
    if delays.isEmpty { #expect((800...1_200).contains(pause(made[0]) ?? 0)) }
  }

  @Test func `After the last pause the delivery has failed`() {
    #expect(pause(settlement(.status, status: 500, attempt: 2)) != nil)
    #expect(settlement(.status, status: 500, attempt: 3) == .failed)
    #expect(settlement(.timeout, delays: []) == .failed)
  }

  @Test(arguments: [AttemptOutcome.timeout, .refused, .dns, .tls, .reset, .other])
  func `What broke on the way is tried again`(outcome: AttemptOutcome) { #expect(pause(settlement(outcome)) != nil) }

  @Test(arguments: [301, 302, 400, 401, 404, 429, 500, 503])
  func `Every status but 2xx and 410 is tried again`(status: Int) {
    #expect(pause(settlement(.status, status: status)) != nil)
  }

  @Test func `Blocked, gone, expired and unknown are final`() {
    #expect(settlement(.blocked) == .failed)
    #expect(settlement(.status, status: 410) == .failed)
    #expect(settlement(.expired) == .failed)
    #expect(settlement(.noDestination) == .failed)
    #expect(settlement(.delivered, status: 204) == .delivered)
  }

  @Test func `A receiver may ask for a longer pause, never for a shorter one, up to a day`() {
    #expect(pause(settlement(.status, status: 429, retryAfter: 45_000)) == 45_000)
    #expect((pause(settlement(.status, status: 429, retryAfter: 1)) ?? 0) >= 8_000)
    #expect(pause(settlement(.status, status: 429, retryAfter: .max)) == Limits.retryAfterCapMilliseconds)
    #expect((pause(settlement(.status, status: 500, retryAfter: -5)) ?? 0) >= 8_000)
  }

  @Test func `A try that would come too late is not made`() {
    #expect(settlement(.timeout, expires: now + 5_000) == .failed)
    #expect(pause(settlement(.timeout, expires: now + 20_000)) != nil)
  }

  @Test func `Retry-After is read as seconds or as any of the three dates`() {
    func read(_ text: String) -> Int64? { RetrySchedule.retryAfterMilliseconds(text, now: now) }
    #expect(read("120") == 120_000)
    #expect(read(" 7 ") == 7_000)
    #expect(read("99999999999999999999") == Limits.retryAfterCapMilliseconds)
    let later = now + 90_000
    #expect(read(HTTPDate.format(later)) == 90_000)
    #expect(read("Thursday, 15-Jan-26 10:22:00 GMT") == 90_000)
    #expect(read("Thu Jan 15 10:22:00 2026") == 90_000)
    #expect(read(HTTPDate.format(now + -90_000)) == 0)
    for text in ["", "-1", "soon", "1.5", "Thu, 32 Jan 2026 10:22:00 GMT"] { #expect(read(text) == nil) }
  }
}
