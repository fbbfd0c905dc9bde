// What the tests of sending share: a delivery thread whose results arrive in a mailbox.
//
// Thread: made by a test, fed by the delivery thread. Promise: `attempts` waits with a deadline and
// never longer.

import Basics
import Delivery
import Model

final class Sending: Sendable {
  let thread: DeliveryThread
  private let settled: Mailbox<Attempt>
  let handedBack: Mailbox<DeliveryLoop.HandBack>
  let wanted: Mailbox<DeliveryLoop.Wants>

  init(_ destinations: [Destination], log: Log = .silent, bounds: DeliveryLoop.Bounds = DeliveryLoop.Bounds()) {
    let settled = Mailbox<Attempt>(capacity: 1_000_000)
    let handedBack = Mailbox<DeliveryLoop.HandBack>(capacity: 1_000_000)
    let wanted = Mailbox<DeliveryLoop.Wants>(capacity: 1_000_000)
    self.settled = settled
    self.handedBack = handedBack
    self.wanted = wanted
    thread = DeliveryThread(
      version: "0.0.1", destinations: destinations, log: log, bounds: bounds,
      callbacks: DeliveryThread.Callbacks(
        settle: { settled.send(all: $0) }, handBack: { handedBack.send(all: $0) }, wants: { wanted.send($0) }))
  }

  /// Waits for that many attempts in all; fewer when the time is over.
  func attempts(_ count: Int, withinMilliseconds: Int64 = 10_000) -> [Attempt] {
    var all: [Attempt] = []
    let deadline = Clocks.system.steadyNanoseconds() + withinMilliseconds * 1_000_000
    while all.count < count {
      let left = (deadline - Clocks.system.steadyNanoseconds()) / 1_000_000
      guard left > 0, let more = settled.receive(timeoutMilliseconds: left) else { return all }
      all += more
    }
    return all
  }

  /// Sends one delivery and returns its attempts.
  func attempts(of delivery: Delivery, _ count: Int = 1) -> [Attempt] {
    _ = thread.deliver([delivery])
    return attempts(count)
  }

  func stop() { thread.stop(withinMilliseconds: 2_000) }
}

let loopback = ["127.0.0.0/8", "::1"]

func destination(
  _ url: String, name: String = "crm", signing: Destination.Signing = .none, timeout: Int64 = 3_000,
  retries: [Int64] = [10, 10], allowed: [String] = loopback, headers: [Destination.Header] = [], concurrency: Int = 64
) -> Destination {
  Destination(
    name: name, url: url, signing: signing, headers: headers, timeoutMilliseconds: timeout, concurrency: concurrency,
    retryDelaysMilliseconds: retries, allowedNetworks: allowed)
}

func delivery(
  _ number: Int64, to destination: String = "crm", body: String = #"{"plan":"pro"}"#, due: Instant? = nil,
  expires: Instant? = nil
) -> Delivery {
  let now = Clocks.system.wall()
  return Delivery(
    number: number, id: "msg_\(number)", destination: destination, type: "trial.ended", created: now,
    body: Array(body.utf8), due: due ?? now, expires: expires)
}
