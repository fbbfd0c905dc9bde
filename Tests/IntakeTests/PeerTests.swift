// Addresses as the limit and the administrator's door see them.
//
// Thread: each test its own. Promise: no socket is needed to tell them apart.

import CPlatform
import Glibc
import Testing

@testable import Intake

@Suite struct PeerTests {
  private func peer(_ text: String, _ family: Int32) -> Peer {
    var storage = sockaddr_storage()
    withUnsafeMutableBytes(of: &storage) { bytes in
      if family == AF_INET {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(8484).bigEndian
        inet_pton(AF_INET, text, &address.sin_addr)
        bytes.storeBytes(of: address, as: sockaddr_in.self)
      } else {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = UInt16(8484).bigEndian
        inet_pton(AF_INET6, text, &address.sin6_addr)
        bytes.storeBytes(of: address, as: sockaddr_in6.self)
      }
    }
    return Peer(storage, descriptor: -1)
  }

  @Test(arguments: [
    ("127.0.0.1", AF_INET, true), ("127.9.8.7", AF_INET, true), ("128.0.0.1", AF_INET, false),
    ("203.0.113.7", AF_INET, false), ("::1", AF_INET6, true), ("::2", AF_INET6, false),
    ("::ffff:127.0.0.1", AF_INET6, true), ("::ffff:203.0.113.7", AF_INET6, false), ("2001:db8::1", AF_INET6, false),
  ]) func `an address is read, written back and known as local or not`(_ text: String, _ family: Int32, _ local: Bool) {
    let found = peer(text, family)
    #expect(found.text == text && found.port == 8484 && found.isLoopback == local && !found.isUnix)
  }

  @Test func `an IPv6 network counts as one sender, as does an IPv4 address in either form`() {
    #expect(peer("2001:db8:1:2::1", AF_INET6).countedAs == peer("2001:db8:1:2:ffff::9", AF_INET6).countedAs)
    #expect(peer("2001:db8:1:2::1", AF_INET6).countedAs != peer("2001:db8:1:3::1", AF_INET6).countedAs)
    #expect(peer("::ffff:203.0.113.7", AF_INET6).countedAs == peer("203.0.113.7", AF_INET).countedAs)
    #expect(peer("203.0.113.7", AF_INET).countedAs != peer("203.0.113.8", AF_INET).countedAs)
    #expect(Peer(kind: .unix).countedAs == nil)
  }

  @Test(arguments: [
    ("a%20b", "a b"), ("%41%e2%82%ac", "A€"), ("100%", "100%"), ("%4", "%4"), ("%zz", "%zz"), ("a+b", "a+b"), ("", ""),
  ]) func `escapes are decoded once, and half ones stand for themselves`(_ text: String, _ expected: String) {
    #expect(PercentText.decode(text.utf8, plusIsSpace: false) == expected)
  }

  @Test func `what is not UTF-8 is no text`() {
    #expect(PercentText.decode("%ff".utf8, plusIsSpace: false) == nil)
    #expect(PercentText.decode("a+b%2B".utf8, plusIsSpace: true) == "a b+")
  }
}
