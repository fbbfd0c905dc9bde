// Checking a webhook's signature, as a receiver does: for `nudged receive`, `nudged verify` and tests.
//
// Thread: pure functions. Promise: signatures are compared in constant time; a refusal is a sentence
// that says which part is wrong and never shows what would have been right.

package import Basics
package import Model

package enum SignatureCheck: Sendable, Equatable {
  case valid
  case refused(String)

  package static let toleranceMilliseconds: Int64 = 5 * 60 * 1000

  /// `header` looks a header up by its lower-case name.
  package static func check(
    _ signing: Destination.Signing, header: (String) -> String?, body: [UInt8], now: Instant
  ) -> SignatureCheck {
    switch signing {
    case .none: .valid
    case .standard(let secrets): standard(secrets, header: header, body: body, now: now)
    case .body(let name, let prefix, let secrets):
      ofBody(name, prefix: prefix, secrets: secrets, header: header, body: body)
    }
  }

  /// Standard Webhooks' `v1a`: with the public key alone.
  package static func check(
    publicKey: [UInt8], header: (String) -> String?, body: [UInt8], now: Instant
  ) -> SignatureCheck {
    guard let id = header("webhook-id"), let stamp = header("webhook-timestamp"),
      let signature = header("webhook-signature")
    else { return .refused("one of webhook-id, webhook-timestamp and webhook-signature is missing") }
    guard let seconds = wholeSeconds(stamp) else {
      return .refused("webhook-timestamp is not whole seconds since 1970")
    }
    if let reason = age(seconds: seconds, now: now) { return .refused(reason) }
    let candidates = signature.split(separator: " ").filter { $0.hasPrefix("v1a,") }
    guard !candidates.isEmpty else { return .refused("webhook-signature has no entry that starts with \"v1a,\"") }
    var message: [UInt8] = []
    WebhookSigner.signedHead(id: id, timestampSeconds: seconds, into: &message)
    message += body
    let isValid = candidates.contains { candidate in
      SigningKey.verify(Base64.decode(candidate.dropFirst(4)) ?? [], of: message, publicKey: publicKey)
    }
    return isValid ? .valid : .refused("no signature matches: the key differs, or the body was changed on its way")
  }

  /// t=…,v1=… in one header, with HMAC-SHA-256 over "timestamp.body".
  package static func check(
    stripeHeader name: String, secrets: [Secret], header: (String) -> String?, body: [UInt8], now: Instant
  ) -> SignatureCheck {
    guard let value = header(name.lowercased()) else { return .refused("the header \(name) is missing") }
    var stamp: Int64?
    var candidates: [[UInt8]] = []
    for part in value.split(separator: ",") {
      if part.hasPrefix("t=") { stamp = wholeSeconds(String(part.dropFirst(2))) }
      if part.hasPrefix("v1="), let bytes = Hex.decode(part.dropFirst(3)) { candidates.append(bytes) }
    }
    guard let stamp, !candidates.isEmpty else {
      return .refused("the header \(name) is not t=SECONDS,v1=HEXADECIMAL")
    }
    if let reason = age(seconds: stamp, now: now) { return .refused(reason) }
    let isValid = secrets.contains { secret in
      let right = MessageHash(secret: secret).hash(Array("\(stamp).".utf8), body)
      return candidates.contains { MessageHash.equal($0, right) }
    }
    return isValid
      ? .valid : .refused("no signature matches: the secret differs, or the body was changed on its way")
  }

  private static func standard(
    _ secrets: [Secret], header: (String) -> String?, body: [UInt8], now: Instant
  ) -> SignatureCheck {
    guard let id = header("webhook-id"), !id.isEmpty else { return .refused("the header webhook-id is missing") }
    guard let stamp = header("webhook-timestamp") else { return .refused("the header webhook-timestamp is missing") }
    guard let signature = header("webhook-signature") else {
      return .refused("the header webhook-signature is missing")
    }
    guard let seconds = wholeSeconds(stamp) else {
      return .refused("webhook-timestamp is \"\(stamp.prefix(40))\"; it has to be whole seconds since 1970")
    }
    if let reason = age(seconds: seconds, now: now) { return .refused(reason) }
    let candidates = signature.split(separator: " ").filter { $0.hasPrefix("v1,") }.map {
      Base64.decode($0.dropFirst(3)) ?? []
    }
    guard !candidates.isEmpty else { return .refused("webhook-signature has no entry that starts with \"v1,\"") }
    return matches(candidates, secrets: secrets, id: id, seconds: seconds, body: body)
      ? .valid : .refused("no signature matches: the secret differs, or the body was changed on its way")
  }

  private static func matches(_ candidates: [[UInt8]], secrets: [Secret], id: String, seconds: Int64, body: [UInt8])
    -> Bool
  {
    var head: [UInt8] = []
    WebhookSigner.signedHead(id: id, timestampSeconds: seconds, into: &head)
    var found = false
    for secret in secrets {
      let right = MessageHash(secret: secret).hash(head, body)
      for candidate in candidates where MessageHash.equal(candidate, right) { found = true }
    }
    return found
  }

  private static func ofBody(
    _ name: String, prefix: String, secrets: [Secret], header: (String) -> String?, body: [UInt8]
  ) -> SignatureCheck {
    guard let value = header(name.lowercased()) else { return .refused("the header \(name) is missing") }
    guard value.hasPrefix(prefix) else { return .refused("the header \(name) does not start with \"\(prefix)\"") }
    guard let candidate = Hex.decode(value.dropFirst(prefix.count)) else {
      return .refused("the header \(name) is not hexadecimal after its prefix")
    }
    return secrets.contains { MessageHash.equal(candidate, MessageHash(secret: $0).hash([], body)) }
      ? .valid : .refused("the signature does not match: the secret differs, or the body was changed on its way")
  }

  private static func wholeSeconds(_ text: String) -> Int64? {
    guard !text.isEmpty, text.utf8.count <= 12, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int64(text)
  }

  private static func age(seconds: Int64, now: Instant) -> String? {
    let late = now.milliseconds - seconds * 1000
    if late > toleranceMilliseconds { return "the message is \(late / 1000) s old; at most 300 s are accepted" }
    // A whole second is cut off when the timestamp is made, so it cannot be ahead by rounding alone.
    if -late > toleranceMilliseconds {
      return "the message is dated \(-late / 1000) s ahead; at most 300 s are accepted"
    }
    return nil
  }
}
