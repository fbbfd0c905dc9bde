// IP addresses as text: strict reading of literals, and writing in the usual short form.
//
// Thread: pure functions. Promise: reads exactly what inet_pton reads, so "127.1" or "0x7f.1" is not a
// literal here; such spellings are resolved by libcurl and judged as the address they become.

enum IPText {
  static func parse(_ text: String) -> IPAddress? {
    if text.utf8.contains(UInt8(ascii: ":")) { return parseV6(text) }
    return parseV4(text[...]).map { .v4($0) }
  }

  private static func parseV4(_ text: Substring) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard !part.isEmpty, part.utf8.count <= 3, part.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
        return nil
      }
      guard part.utf8.count == 1 || part.utf8.first != 0x30, let byte = UInt8(part) else { return nil }
      value = value << 8 | UInt32(byte)
    }
    return value
  }

  private static func parseV6(_ text: String) -> IPAddress? {
    let halves = splitAtDoubleColon(text)
    guard halves.count <= 2 else { return nil }
    guard let front = groups(halves[0]), let back = halves.count == 2 ? groups(halves[1]) : [] else { return nil }
    let missing = 8 - front.count - back.count
    // "::" stands for at least one group; without it all eight have to be there.
    guard halves.count == 2 ? missing >= 1 : missing == 0 else { return nil }
    // Dotted notation may only be the very end.
    if halves.count == 2, halves[0].contains(".") { return nil }
    let all = front + [UInt16](repeating: 0, count: missing) + back
    let high = all[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    let low = all[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    return .v6(high: high, low: low)
  }

  /// The parts around "::"; more than two when it stands there more than once.
  private static func splitAtDoubleColon(_ text: String) -> [Substring] {
    var parts: [Substring] = []
    var start = text.startIndex
    var position = text.startIndex
    while position < text.endIndex {
      let next = text.index(after: position)
      if text[position] == ":", next < text.endIndex, text[next] == ":" {
        parts.append(text[start..<position])
        start = text.index(after: next)
        position = start
      } else {
        position = next
      }
    }
    return parts + [text[start...]]
  }

  private static func groups(_ text: Substring) -> [UInt16]? {
    if text.isEmpty { return [] }
    var out: [UInt16] = []
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    for (position, part) in parts.enumerated() {
      if position == parts.count - 1, part.contains(".") {
        guard let value = parseV4(part) else { return nil }
        out += [UInt16(value >> 16), UInt16(value & 0xffff)]
      } else {
        let isHexadecimal = part.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20) }
        guard (1...4).contains(part.utf8.count), isHexadecimal, let group = UInt16(part, radix: 16) else { return nil }
        out.append(group)
      }
    }
    return out.count <= 8 ? out : nil
  }

  static func format(_ value: UInt32) -> String {
    "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
  }

  /// The longest run of zero groups becomes "::" (RFC 5952).
  static func format(high: UInt64, low: UInt64) -> String {
    let groups = (0..<8).map { position -> UInt16 in
      let half = position < 4 ? high : low
      return UInt16(truncatingIfNeeded: half >> UInt64(48 - position % 4 * 16))
    }
    let zeros = longestZeroRun(groups)
    func text(_ range: Range<Int>) -> String { groups[range].map { String($0, radix: 16) }.joined(separator: ":") }
    guard zeros.count > 1 else { return text(0..<8) }
    return text(0..<zeros.lowerBound) + "::" + text(zeros.upperBound..<8)
  }

  private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int> {
    var best = 0..<0
    var start = 0
    for position in 0...8 where position == 8 || groups[position] != 0 {
      if position - start > best.count { best = start..<position }
      start = position + 1
    }
    return best
  }
}
