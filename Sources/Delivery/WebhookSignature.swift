// Signing of webhooks: the three headers of Standard Webhooks, or an HMAC of the body in a header of
// the receiver's choice. The message's id and the time of the attempt go out in either case.
//
// Thread: a signer belongs to one thread (it keeps its key set up). Promise: the same id, second, body
// and secret give the same bytes; a secret that is over at that second signs nothing; header values contain
// no control characters.

internal import Basics
package import Model

package final class WebhookSigner {
  private enum Scheme {
    case standard(Overlap<MessageHash>)
    case body(header: String, prefix: String, Overlap<MessageHash>)
    case none
  }
  private enum More {
    case stripe(header: String, Overlap<MessageHash>)
    case github(header: String, Overlap<MessageHash>)
  }
  private let scheme: Scheme
  private let keys: Overlap<SigningKey>
  private let more: [More]
  private let idHeader: String
  private var scratch: [UInt8] = []

  package convenience init(_ destination: Destination) {
    self.init(
      destination.signing, keys: destination.signingKeys, more: destination.moreSigning,
      idHeader: destination.idHeader)
  }

  package init(
    _ signing: Destination.Signing, keys: [Secret] = [], more: [Destination.MoreSigning] = [], idHeader: String = ""
  ) {
    self.keys = Overlap(keys) { SigningKey(seed: $0) }
    self.idHeader = idHeader
    self.more = more.map {
      switch $0 {
      case .stripe(let header, let secrets): .stripe(header: header, Overlap(secrets) { MessageHash(secret: $0) })
      case .github(let header, let secrets): .github(header: header, Overlap(secrets) { MessageHash(secret: $0) })
      }
    }
    switch signing {
    case .standard(let secrets): scheme = .standard(Overlap(secrets) { MessageHash(secret: $0) })
    case .body(let header, let prefix, let secrets):
      scheme = .body(header: header, prefix: prefix, Overlap(secrets) { MessageHash(secret: $0) })
    case .none: scheme = .none
    }
  }

  /// False: every secret of one of its signatures is over, and what went out now would be refused.
  func canSign(at now: Instant) -> Bool {
    for one in more {
      switch one {
      case .stripe(_, let hashes), .github(_, let hashes): if !hashes.counts(at: now) { return false }
      }
    }
    switch scheme {
    case .none: return true
    case .body(_, _, let hashes): return hashes.counts(at: now)
    case .standard(let hashes):
      return hashes.isEmpty && keys.isEmpty || hashes.counts(at: now) || keys.counts(at: now)
    }
  }

  /// The headers of one attempt, for tests and for people.
  package func headers(id: String, timestampSeconds: Int64, body: [UInt8]) -> [Destination.Header] {
    var lines = HeaderLines()
    appendLines(id: id, timestampSeconds: timestampSeconds, body: body, to: &lines)
    return lines.pairs
  }

  /// The same headers as lines for libcurl, appended without a String in between.
  func appendLines(id: String, timestampSeconds: Int64, body: [UInt8], to lines: inout HeaderLines) {
    lines.append("webhook-id: ", id)
    lines.append("webhook-timestamp: ", decimal: timestampSeconds)
    if !idHeader.isEmpty { lines.append(idHeader + ": ", id) }
    for one in more { append(one, timestampSeconds, body, to: &lines) }
    let now = Instant(milliseconds: timestampSeconds * 1000)
    switch scheme {
    case .none: return
    case .body(let header, let prefix, let hashes):
      guard let hash = hashes.single(at: now) else { return }
      lines.begin(header + ": ")
      lines.add(prefix)
      lines.add(Hex.encode(hash.hash([], body)))
      lines.end()
    case .standard(let hashes):
      guard hashes.counts(at: now) || keys.counts(at: now) else { return }
      WebhookSigner.signedHead(id: id, timestampSeconds: timestampSeconds, into: &scratch)
      lines.begin("webhook-signature: ")
      var blank = ""
      hashes.each(at: now) { hash in
        lines.add(blank + "v1,")
        lines.add(Base64.encode(hash.hash(scratch, body)))
        blank = " "
      }
      keys.each(at: now) { key in
        lines.add(blank + "v1a,")
        lines.add(Base64.encode(key.sign(scratch + body)))
        blank = " "
      }
      lines.end()
    }
  }

  private func append(_ one: More, _ timestampSeconds: Int64, _ body: [UInt8], to lines: inout HeaderLines) {
    let now = Instant(milliseconds: timestampSeconds * 1000)
    switch one {
    case .github(let header, let hashes):
      guard let hash = hashes.single(at: now) else { return }
      lines.append(header + ": ", "sha256=" + Hex.encode(hash.hash([], body)))
    case .stripe(let header, let hashes):
      let head = Array("\(timestampSeconds).".utf8)
      lines.begin("\(header): t=\(timestampSeconds)")
      hashes.each(at: now) { lines.add(",v1=" + Hex.encode($0.hash(head, body))) }
      lines.end()
    }
  }

  /// "id.timestamp.", what stands before the body in the signed text.
  static func signedHead(id: String, timestampSeconds: Int64, into bytes: inout [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    bytes.append(contentsOf: id.utf8)
    bytes.append(UInt8(ascii: "."))
    JSONWriter.appendDecimal(timestampSeconds, to: &bytes)
    bytes.append(UInt8(ascii: "."))
  }
}

/// The keys of one signature, the newest first, and until when each counts.
private struct Overlap<Key> {
  private let keys: [(key: Key, until: Instant?)]

  init(_ secrets: [Secret], _ make: (Secret) -> Key?) {
    keys = secrets.compactMap { secret in make(secret).map { ($0, secret.until) } }
  }

  var isEmpty: Bool { keys.isEmpty }

  private static func counts(_ until: Instant?, at now: Instant) -> Bool { until.map { $0 > now } ?? true }

  func counts(at now: Instant) -> Bool { keys.contains { Overlap.counts($0.until, at: now) } }

  func each(at now: Instant, _ body: (Key) -> Void) {
    for one in keys where Overlap.counts(one.until, at: now) { body(one.key) }
  }

  /// Where there is room for one signature, the oldest signs until its time is over: a receiver that compares
  /// one value cannot use a second one, and has until then to be given the new secret.
  func single(at now: Instant) -> Key? {
    let leaving = keys.last { $0.until != nil && Overlap.counts($0.until, at: now) }
    return (leaving ?? keys.first { $0.until == nil })?.key
  }
}

/// Lines "name: value", each ended by a zero byte, in one buffer: what libcurl takes as C strings.
struct HeaderLines {
  private(set) var bytes: [UInt8] = []
  private(set) var starts: [Int] = []

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    starts.removeAll(keepingCapacity: true)
  }

  mutating func begin(_ name: String) {
    starts.append(bytes.count)
    add(name)
  }
  mutating func add(_ text: String) { bytes.append(contentsOf: text.utf8) }
  mutating func end() { bytes.append(0) }

  mutating func append(_ name: String, _ value: String) {
    begin(name)
    add(value)
    end()
  }
  mutating func append(_ name: String, decimal value: Int64) {
    begin(name)
    JSONWriter.appendDecimal(value, to: &bytes)
    end()
  }

  var pairs: [Destination.Header] {
    starts.map { start in
      let line = bytes[start...].prefix { $0 != 0 }
      let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
      let value = line[colon...].dropFirst(2)
      return Destination.Header(
        name: String(decoding: line[..<colon], as: UTF8.self), value: String(decoding: value, as: UTF8.self))
    }
  }
}

package enum WebhookSecret {
  /// "whsec_" and base64 of 24 to 64 bytes, as Standard Webhooks writes shared secrets.
  package static func parse(_ text: String) throws(DeliveryError) -> Secret {
    guard text.hasPrefix("whsec_") else {
      throw DeliveryError("a webhook secret starts with \"whsec_\", followed by base64; this one does not")
    }
    guard let bytes = Base64.decode(text.dropFirst(6)) else {
      throw DeliveryError("what follows \"whsec_\" is not valid base64")
    }
    guard (24...64).contains(bytes.count) else {
      throw DeliveryError("a webhook secret holds 24 to 64 bytes; this one holds \(bytes.count)")
    }
    return Secret(bytes: bytes)
  }

  package static func text(_ secret: Secret) -> String { "whsec_" + Base64.encode(secret.bytes) }
}
