// Who may do what: keys with rights, and the open door of this machine.
//
// Thread: immutable, read by intake. Promise: keys are compared in constant time by their digests; a
// request over the network without a key never passes.

internal import Basics
package import Model

package enum Right: String, Sendable, CaseIterable {
  /// Send events.
  case ingest
  /// Read events, subjects, deliveries, rules.
  case read
  /// Change something: reload rules, retry deliveries.
  case admin
}

package struct AccessKey: Sendable {
  package var name: String
  package var secret: Secret
  package var rights: Set<Right>
  /// Where events sent with it come from.
  package var source: String

  package init(name: String, secret: Secret, rights: Set<Right>, source: String) {
    self.name = name
    self.secret = secret
    self.rights = rights
    self.source = source
  }
}

/// What a request may do, once it is known who sent it.
package struct Caller: Sendable {
  package var rights: Set<Right>
  package var source: String
}

package struct Keyring: Sendable {
  private let keys: [Hash128: AccessKey]
  private let hash: KeyedHash
  /// Whether requests from this machine may send and read without a key.
  package let isOpenLocally: Bool

  package init(keys: [AccessKey], isOpenLocally: Bool) {
    var random = SystemRandom()
    // A hash with a key of this process tells nothing about the secrets and takes the same time for all.
    hash = KeyedHash(key0: random.next(), key1: random.next())
    var table: [Hash128: AccessKey] = [:]
    for key in keys { table[hash.hash(key.secret.bytes)] = key }
    self.keys = table
    self.isOpenLocally = isOpenLocally
  }

  /// Nil when the key is unknown, or there is none and none may be missing.
  func caller(of request: borrowing Request) -> Caller? {
    if request.listener == .admin { return Caller(rights: Set(Right.allCases), source: "default") }
    if let header = request.header("authorization") {
      guard let secret = Keyring.secret(in: header), let key = keys[hash.hash(secret)] else { return nil }
      return Caller(rights: key.rights, source: key.source)
    }
    guard isOpenLocally, request.peer.isLoopback else { return nil }
    return Keyring.local
  }

  private static let local = Caller(rights: [.ingest, .read], source: "default")

  /// "Bearer KEY", or "Basic" with the key as the user and no password, as Segment's clients send it.
  private static func secret(in header: UnsafeRawBufferPointer) -> [UInt8]? {
    let text = String(decoding: header, as: UTF8.self)
    let parts = text.split(separator: " ", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    switch parts[0].lowercased() {
    case "bearer": return Array(parts[1].utf8)
    case "basic":
      guard let decoded = Base64.decode(parts[1]) else { return nil }
      return Array(decoded.prefix { $0 != UInt8(ascii: ":") })
    default: return nil
    }
  }
}
