// Which addresses a webhook may reach. Without this, whoever may write a destination could read the
// cloud's metadata service or speak to a database behind the firewall.
//
// Thread: values, pure. Promise: only public unicast addresses pass, unless a network is allowed by
// name; the verdict is about the binary address that is connected to, so no spelling escapes it.

package enum IPAddress: Sendable, Hashable, CustomStringConvertible {
  case v4(UInt32)
  case v6(high: UInt64, low: UInt64)

  /// Reads a literal as strictly as inet_pton; nil for anything else.
  package init?(_ text: String) {
    guard let address = IPText.parse(text) else { return nil }
    self = address
  }

  package var description: String {
    switch self {
    case .v4(let value): return IPText.format(value)
    case .v6(let high, let low): return IPText.format(high: high, low: low)
    }
  }

  /// The IPv4 address inside `64:ff9b::/96` or `::ffff:0:0/96`: what a translator would connect to.
  var embedded: UInt32? {
    guard case .v6(let high, let low) = self else { return nil }
    if high == 0x0064_ff9b_0000_0000, low >> 32 == 0 { return UInt32(truncatingIfNeeded: low) }
    if high == 0, low >> 32 == 0xffff { return UInt32(truncatingIfNeeded: low) }
    return nil
  }
}

/// A network in CIDR notation, such as "10.0.0.0/8" or "fd00::/8"; a bare address is a network of one.
package struct Network: Sendable, Hashable {
  private let base: IPAddress
  private let bits: Int

  package init(_ text: String) throws(DeliveryError) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let base = IPText.parse(String(parts[0])) else {
      throw DeliveryError("\"\(text)\" is not a network; write it like \"10.0.0.0/8\" or \"fd00::/8\"")
    }
    let most = if case .v4 = base { 32 } else { 128 }
    let bits = parts.count == 2 ? Network.prefixLength(parts[1]) : most
    guard let bits, bits <= most else {
      throw DeliveryError("\"\(text)\" has no prefix length from 0 to \(most) after the slash")
    }
    self.base = base
    self.bits = bits
  }

  private static func prefixLength(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 3, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(text)
  }

  package func contains(_ address: IPAddress) -> Bool {
    switch (base, address) {
    case (.v4(let base), .v4(let value)):
      return bits == 0 || (base ^ value) >> UInt32(32 - bits) == 0
    case (.v6(let high, let low), .v6(let otherHigh, let otherLow)):
      if bits <= 64 { return bits == 0 || (high ^ otherHigh) >> UInt64(64 - bits) == 0 }
      return high == otherHigh && (low ^ otherLow) >> UInt64(128 - bits) == 0
    default: return false
    }
  }
}

package struct AddressGuard: Sendable {
  private let allowed: [Network]

  package init(allowed: [Network] = []) { self.allowed = allowed }

  /// Nil when the address may be connected to, else a sentence.
  package func refusal(of address: IPAddress, port: UInt16) -> String? {
    if let service = AddressGuard.refusedPorts[port] { return "port \(port) (\(service)) is never spoken to" }
    if allowed.contains(where: { $0.contains(address) }) { return nil }
    // An allowed IPv4 network also holds in the form in which IPv6 sockets write it.
    if let inner = address.embedded, allowed.contains(where: { $0.contains(.v4(inner)) }) { return nil }
    if AddressGuard.isPublic(address) { return nil }
    return "the address \(address) is not public; allow its network for this destination if it is meant"
  }

  package static func isPublic(_ address: IPAddress) -> Bool {
    switch address {
    case .v4(let value): !blockedV4.contains { value & $0.mask == $0.base }
    case .v6(let high, let low): isPublic(high: high, low: low)
    }
  }

  /// Only 2000::/3 is handed out to anyone, and parts of it are not; and `64:ff9b::/96` stands for
  /// the IPv4 address it carries.
  private static func isPublic(high: UInt64, low: UInt64) -> Bool {
    if high == 0x0064_ff9b_0000_0000, low >> 32 == 0 { return isPublic(.v4(UInt32(truncatingIfNeeded: low))) }
    guard high >> 61 == 1 else { return false }
    return !blockedV6.contains { high & $0.mask == $0.base }
  }

  private static func four(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ bits: UInt32) -> (base: UInt32, mask: UInt32) {
    (a << 24 | b << 16 | c << 8, UInt32.max << (32 - bits))
  }

  private static let blockedV4: [(base: UInt32, mask: UInt32)] = [
    four(0, 0, 0, 8),  // this network
    four(10, 0, 0, 8),  // private
    four(100, 64, 0, 10),  // carriers' translation
    four(127, 0, 0, 8),  // loopback
    four(169, 254, 0, 16),  // link-local, metadata services
    four(172, 16, 0, 12),  // private
    four(192, 0, 0, 24),  // protocol assignments
    four(192, 0, 2, 24),  // documentation
    four(192, 88, 99, 24),  // 6to4 relays
    four(192, 168, 0, 16),  // private
    four(198, 18, 0, 15),  // benchmarks
    four(198, 51, 100, 24),  // documentation
    four(203, 0, 113, 24),  // documentation
    four(224, 0, 0, 4),  // multicast
    four(240, 0, 0, 4),  // reserved, broadcast
  ]

  /// Inside 2000::/3 only: everything else is refused already. The first 64 bits decide.
  private static let blockedV6: [(base: UInt64, mask: UInt64)] = [
    (0x2001_0000_0000_0000, UInt64.max << 41),  // 2001::/23, protocol assignments, Teredo
    (0x2001_0db8_0000_0000, UInt64.max << 32),  // 2001:db8::/32, documentation
    (0x2002_0000_0000_0000, UInt64.max << 48),  // 2002::/16, 6to4: carries any IPv4 address
    (0x3fff_0000_0000_0000, UInt64.max << 44),  // 3fff::/20, documentation
  ]

  /// Services that would take an HTTP request for commands, or that no webhook receiver runs on.
  package static let refusedPorts: [UInt16: String] = [
    0: "reserved", 7: "echo", 9: "discard", 13: "daytime", 19: "chargen", 20: "FTP data", 21: "FTP", 22: "SSH",
    23: "Telnet", 25: "SMTP", 42: "name server", 53: "DNS", 69: "TFTP", 110: "POP3", 111: "portmapper", 113: "ident",
    119: "NNTP", 123: "NTP", 135: "RPC", 137: "NetBIOS", 139: "NetBIOS", 143: "IMAP", 161: "SNMP", 179: "BGP",
    389: "LDAP", 445: "SMB", 465: "SMTP", 512: "exec", 513: "login", 514: "shell", 515: "printing", 543: "klogin",
    544: "kshell", 548: "AFP", 587: "SMTP", 631: "printing", 636: "LDAP", 873: "rsync", 993: "IMAP", 995: "POP3",
    1433: "SQL Server", 1521: "Oracle", 1723: "PPTP", 2049: "NFS", 2181: "ZooKeeper", 2375: "Docker", 2376: "Docker",
    2379: "etcd", 2380: "etcd", 3306: "MySQL", 3389: "RDP", 4369: "Erlang", 5432: "PostgreSQL", 5672: "AMQP",
    5900: "VNC", 5984: "CouchDB", 6000: "X11", 6379: "Redis", 6667: "IRC", 8086: "InfluxDB", 9042: "Cassandra",
    9092: "Kafka", 9200: "Elasticsearch", 9300: "Elasticsearch", 10250: "kubelet", 11211: "memcached",
    27017: "MongoDB",
  ]
}
