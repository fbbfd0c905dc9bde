// When a delivery is tried again, and when it is given up.
//
// Thread: pure functions. Promise: the same delivery, attempt and answer give the same moment, on every
// machine: the spread comes from a hash of the delivery's id and not from chance, so that a thousand
// deliveries that failed together do not come back together and a replay still says the same.

package import Basics
package import Model

package enum RetrySchedule {
  /// The pause after try number `attempt` (1 is the first), spread by up to a fifth both ways; nil
  /// after the last.
  package static func delayMilliseconds(after attempt: Int, id: String, delays: [Int64]) -> Int64? {
    guard attempt >= 1, attempt <= delays.count else { return nil }
    let base = max(0, delays[attempt - 1])
    let hash = KeyedHash(key0: 0x7265_7472_7900_0000, key1: UInt64(attempt)).hash(id)
    let spread = Int64(hash.low.multipliedFullWidth(by: 4001).high) - 2000
    return base + base / 10_000 * spread + base % 10_000 * spread / 10_000
  }

  /// What becomes of a delivery after a try. Only 2xx is `delivered`; a blocked address and 410 Gone
  /// are final, because trying again cannot change them.
  package static func settlement(
    of delivery: Delivery, attempt: Int, outcome: AttemptOutcome, status: Int, retryAfterMilliseconds: Int64?,
    delays: [Int64], now: Instant
  ) -> Settlement {
    switch outcome {
    case .delivered: return .delivered
    case .blocked, .expired, .noDestination, .cancelled, .shadow, .heldOut: return .failed
    case .status where status == 410: return .failed
    default: break
    }
    let made = attempt - delivery.triesBefore
    if delivery.tries > 0, made >= delivery.tries { return .failed }
    // A call says itself how often it is tried, also where the destination has fewer pauses than that.
    let missing = max(0, min(delivery.tries, Limits.callTries) - delays.count)
    let all = delays + [Int64](repeating: delays.last ?? 1_000, count: missing)
    guard let delay = delayMilliseconds(after: made, id: delivery.id, delays: all) else { return .failed }
    let hint = min(max(0, retryAfterMilliseconds ?? 0), Limits.retryAfterCapMilliseconds)
    let next = now + max(delay, hint)
    if let expires = delivery.expires, next >= expires { return .failed }
    return .retry(at: next)
  }

  /// The value of a Retry-After header: whole seconds, or a date. Nil when it is neither.
  package static func retryAfterMilliseconds(_ value: String, now: Instant) -> Int64? {
    let text = value.filter { $0 != " " && $0 != "\t" }
    if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
      // More digits than fit are a long time all the same.
      return text.utf8.count > 9 ? Limits.retryAfterCapMilliseconds : Int64(text).map { $0 * 1000 }
    }
    return HTTPDate.parse(value, now: now).map { max(0, $0 - now) }
  }
}
