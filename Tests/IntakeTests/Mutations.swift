// Damaged requests: probes, cut, joined, repeated and sprinkled with what parsers stumble over.
//
// Thread: values. Promise: the same seed gives the same requests.

import Basics

struct Mutations {
  private var random: SeededRandom
  private let seeds: [[UInt8]]
  private let good: [[UInt8]]
  private static let morsels: [[UInt8]] = [
    "\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", ":", ";", ",", "\0", "\u{b}", "%", "%2e", "%00", "/", "..", "?", "#",
    "0", "f", "-",
    "+", "\"", "[", "]", "@", "Host: b\r\n", "Content-Length: 3\r\n", "Content-Length: 0\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: identity\r\n", "Connection: close\r\n", "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n", " HTTP/1.1",
    " HTTP/1.0", "http://a", "0\r\n\r\n", "3\r\nabc\r\n", "1;a=b\r\nx\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\u{ff}", "\u{7f}",
  ].map { Array($0.utf8) }

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    // The three probes of many kilobytes only cost time here.
    good = wellFormed.map(\.bytes)
    seeds = (wellFormed + malformed).map(\.bytes).filter { $0.count < 2000 }
  }

  private mutating func number(_ bound: Int) -> Int { Int(random.next(below: UInt64(max(1, bound)))) }

  mutating func next() -> [UInt8] {
    // Little damage to good requests comes closest to the border between reading and refusing.
    var bytes = number(4) == 0 ? seeds[number(seeds.count)] : good[number(good.count)]
    for _ in 0...number(2) { change(&bytes) }
    return bytes
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    let at = number(bytes.count)
    switch number(7) {
    case 0 where !bytes.isEmpty: bytes[at] = UInt8(truncatingIfNeeded: random.next())
    case 1 where !bytes.isEmpty: bytes[at] ^= 1 << UInt8(number(8))
    case 2: bytes.insert(contentsOf: Mutations.morsels[number(Mutations.morsels.count)], at: at)
    case 3: bytes.removeSubrange(at..<min(bytes.count, at + 1 + number(6)))
    case 4: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + number(40))], at: number(bytes.count))
    case 5:
      let other = seeds[number(seeds.count)]
      bytes = Array(bytes[..<at] + other[number(other.count)...])
    default:
      let line = lines(bytes)
      guard line.count > 2 else { return }
      bytes.insert(contentsOf: bytes[line[number(line.count)]], at: line[1 + number(line.count - 1)].lowerBound)
    }
  }

  private func lines(_ bytes: [UInt8]) -> [Range<Int>] {
    var found: [Range<Int>] = []
    var start = 0
    for (index, byte) in bytes.enumerated() where byte == 10 {
      found.append(start..<index + 1)
      start = index + 1
    }
    return found
  }
}
