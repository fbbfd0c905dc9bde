// Who is at the other end: an address, or a process on this machine behind the Unix socket.
//
// Thread: a value. Promise: read from the kernel once, at accept; never from a header.

internal import CPlatform
internal import Glibc

package struct Peer: Sendable, Hashable {
  package enum Kind: UInt8, Sendable {
    case address4, address6, unix
  }

  package let kind: Kind
  /// The address, in network order: the first four bytes or all sixteen.
  let high: UInt64
  let low: UInt64
  package let port: UInt16
  /// The user of a local process, as the kernel knows it.
  package let user: UInt32?

  package var isUnix: Bool { kind == .unix }

  package var isLoopback: Bool {
    switch kind {
    case .unix: true
    case .address4: high >> 56 == 127
    case .address6: high == 0 && (low == 1 || low >> 24 == 0xffff7f)
    }
  }

  /// What the per-address limit counts: one IPv4 address, or one IPv6 network of 64 bits, because a
  /// single sender has that many.
  var countedAs: UInt64? {
    switch kind {
    case .unix: nil
    case .address4: high >> 32
    case .address6: high == 0 && low >> 32 == 0xffff ? low & 0xffff_ffff : high
    }
  }

  package var text: String {
    if kind == .unix { return "unix" }
    var bytes = (high.bigEndian, low.bigEndian)
    var out = [CChar](repeating: 0, count: 64)
    inet_ntop(kind == .address4 ? AF_INET : AF_INET6, &bytes, &out, socklen_t(out.count))
    return String(decoding: out.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  init(_ address: sockaddr_storage, descriptor: Int32) {
    var address = address
    switch Int32(address.ss_family) {
    case AF_INET:
      let four = withUnsafeBytes(of: &address) { $0.load(as: sockaddr_in.self) }
      self.init(kind: .address4, high: UInt64(UInt32(bigEndian: four.sin_addr.s_addr)) << 32, port: four.sin_port)
    case AF_INET6:
      let six = withUnsafeBytes(of: &address) { $0.load(as: sockaddr_in6.self) }
      let (high, low) = withUnsafeBytes(of: six.sin6_addr) {
        ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      }
      self.init(kind: .address6, high: UInt64(bigEndian: high), low: UInt64(bigEndian: low), port: six.sin6_port)
    default:
      let user = platform_peer_user(descriptor)
      self.init(kind: .unix, port: 0, user: user < 0 ? nil : UInt32(truncatingIfNeeded: user))
    }
  }

  init(kind: Kind, high: UInt64 = 0, low: UInt64 = 0, port: UInt16 = 0, user: UInt32? = nil) {
    self.kind = kind
    self.high = high
    self.low = low
    self.port = UInt16(bigEndian: port)
    self.user = user
  }
}
