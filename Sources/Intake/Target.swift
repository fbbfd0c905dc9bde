// The request target and the host name: which of them mean one thing only.
//
// Thread: as the parser. Promise: an accepted path begins with a slash, has whole escapes, no zero byte
// and no dot segment in any disguise; an accepted host is a name or address with an optional port.

internal import CPlatform
internal import Glibc

extension RequestParser {
  mutating func parseTarget(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Refusal? {
    var pathStart = start
    if base.load(fromByteOffset: start, as: UInt8.self) != 0x2F {
      guard let behind = parseAuthority(base, start, end) else { return .badTarget }
      pathStart = behind
    }
    var at = pathStart
    var hasDots = false
    var hasEscapes = false
    while at < end {
      let byte = base.load(fromByteOffset: at, as: UInt8.self)
      guard ByteSet.target.contains(byte) else { return .badTarget }
      if byte == 0x3F { break }
      if byte == 0x2E { hasDots = true }
      if byte == 0x25 { hasEscapes = true }
      at += 1
    }
    head.pathStart = pathStart
    head.pathLength = at - pathStart
    if hasDots || hasEscapes, !isPlainPath(base, pathStart, at) { return .badTarget }
    head.queryStart = min(at + 1, end)
    head.queryLength = end - head.queryStart
    while at < end {
      guard ByteSet.target.contains(base.load(fromByteOffset: at, as: UInt8.self)) else { return .badTarget }
      at += 1
    }
    return nil
  }

  /// Absolute form, which proxies send: http, a host, and a path. Returns where the path begins.
  private mutating func parseAuthority(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int? {
    guard end - start > 8, matches(base + start, 7, "http://") else { return nil }
    var at = start + 7
    while at < end, base.load(fromByteOffset: at, as: UInt8.self) != 0x2F {
      // A Host may have an underscore; before a path it is refused by proxies, so here, too.
      if base.load(fromByteOffset: at, as: UInt8.self) == 0x5F { return nil }
      at += 1
    }
    guard at < end, isHost(base + start + 7, at - start - 7) else { return nil }
    head.authorityStart = start + 7
    head.authorityLength = at - start - 7
    return at
  }

  /// Looks at the path as a decoder would: escapes are whole, none is a zero byte, and no segment is
  /// one or two dots.
  private func isPlainPath(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
    var at = start
    var length = 0
    var dots = 0
    while at < end {
      var byte = base.load(fromByteOffset: at, as: UInt8.self)
      if byte == 0x25 {
        guard at + 2 < end, let high = hexDigit(base.load(fromByteOffset: at + 1, as: UInt8.self)),
          let low = hexDigit(base.load(fromByteOffset: at + 2, as: UInt8.self)), high + low > 0
        else { return false }
        byte = UInt8(high << 4 | low)
        at += 2
      }
      at += 1
      if byte == 0x2F || byte == 0x5C {
        if length > 0, length < 3, dots == length { return false }
        length = 0
        dots = 0
      } else {
        length += 1
        if byte == 0x2E { dots += 1 }
      }
    }
    return !(length > 0 && length < 3 && dots == length)
  }

  private func isAddress6(_ text: UnsafeRawPointer, _ count: Int) -> Bool {
    guard count < Int(INET6_ADDRSTRLEN) else { return false }
    return withUnsafeTemporaryAllocation(byteCount: count + 1, alignment: 1) { copy in
      copy.copyMemory(from: UnsafeRawBufferPointer(start: text, count: count))
      copy[count] = 0
      var address = in6_addr()
      return inet_pton(AF_INET6, copy.baseAddress?.assumingMemoryBound(to: CChar.self), &address) == 1
    }
  }

  func isHost(_ text: UnsafeRawPointer, _ count: Int) -> Bool {
    guard count > 0 else { return false }
    var at = 0
    if text.load(as: UInt8.self) == 0x5B {
      at = 1
      while at < count, ByteSet.address6.contains(text.load(fromByteOffset: at, as: UInt8.self)) { at += 1 }
      guard at < count, text.load(fromByteOffset: at, as: UInt8.self) == 0x5D, isAddress6(text + 1, at - 1) else {
        return false
      }
      at += 1
    } else {
      var previous: UInt8 = 0x2E
      while at < count, ByteSet.host.contains(text.load(fromByteOffset: at, as: UInt8.self)) {
        let byte = text.load(fromByteOffset: at, as: UInt8.self)
        if byte == 0x2E, previous == 0x2E { return false }
        previous = byte
        at += 1
      }
      guard at > 0 else { return false }
    }
    if at == count { return true }
    guard text.load(fromByteOffset: at, as: UInt8.self) == 0x3A else { return false }
    for index in at + 1..<count where text.load(fromByteOffset: index, as: UInt8.self) &- 0x30 > 9 { return false }
    return true
  }
}
