// SipHash-2-4 with 128 bits of result: the keyed hash behind dedupe, identity and effect ids. Keyed,
// so that a sender cannot forge a collision; 128 bits, so that chance cannot either.
//
// Thread: values. Promise: the same key and bytes give the same hash on every machine and for ever:
// the result is stored.

package struct Hash128: Sendable, Hashable, Comparable {
  package var high: UInt64
  package var low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  package static func < (left: Hash128, right: Hash128) -> Bool {
    left.high != right.high ? left.high < right.high : left.low < right.low
  }

  // The value is a good hash already; running it through another hasher would only cost time.
  package func hash(into hasher: inout Hasher) { hasher.combine(low) }

  package var hex: String { Hex.encode(high) + Hex.encode(low) }

  /// Nil: these are not 32 digits as `hex` writes them.
  package init?(hex text: some StringProtocol) {
    guard text.utf8.count == 32, let bytes = Hex.decode(text), bytes.count == 16 else { return nil }
    func number(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
    self.init(high: number(bytes[..<8]), low: number(bytes[8...]))
    guard hex == text else { return nil }
  }
}

package struct KeyedHash: Sendable {
  private let key0: UInt64
  private let key1: UInt64

  package init(key0: UInt64, key1: UInt64) {
    self.key0 = key0
    self.key1 = key1
  }

  @inline(__always)
  private static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 { (value << bits) | (value >> (64 - bits)) }

  private struct State {
    var v0: UInt64, v1: UInt64, v2: UInt64, v3: UInt64
    @inline(__always)
    mutating func round() {
      v0 = v0 &+ v1
      v1 = KeyedHash.rotate(v1, 13) ^ v0
      v0 = KeyedHash.rotate(v0, 32)
      v2 = v2 &+ v3
      v3 = KeyedHash.rotate(v3, 16) ^ v2
      v0 = v0 &+ v3
      v3 = KeyedHash.rotate(v3, 21) ^ v0
      v2 = v2 &+ v1
      v1 = KeyedHash.rotate(v1, 17) ^ v2
      v2 = KeyedHash.rotate(v2, 32)
    }
  }

  package func hash(_ bytes: UnsafeRawBufferPointer) -> Hash128 {
    var state = State(
      v0: key0 ^ 0x736f_6d65_7073_6575, v1: key1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
      v2: key0 ^ 0x6c79_6765_6e65_7261, v3: key1 ^ 0x7465_6462_7974_6573)
    let count = bytes.count
    var position = 0
    while position + 8 <= count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      state.v3 ^= word
      state.round()
      state.round()
      state.v0 ^= word
      position += 8
    }
    var last = UInt64(truncatingIfNeeded: count) << 56
    var shift: UInt64 = 0
    while position < count {
      last |= UInt64(bytes[position]) << shift
      shift += 8
      position += 1
    }
    state.v3 ^= last
    state.round()
    state.round()
    state.v0 ^= last
    state.v2 ^= 0xee
    for _ in 0..<4 { state.round() }
    let low = state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    state.v1 ^= 0xdd
    for _ in 0..<4 { state.round() }
    let high = state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    return Hash128(high: high, low: low)
  }

  package func hash(_ bytes: [UInt8]) -> Hash128 { bytes.withUnsafeBytes { hash($0) } }
  /// Two texts with a byte between them, without putting them together on the heap.
  package func hash(_ first: String, _ separator: UInt8, _ second: String) -> Hash128 {
    var first = first
    var second = second
    return first.withUTF8 { left in
      second.withUTF8 { right in
        withUnsafeTemporaryAllocation(byteCount: left.count + right.count + 1, alignment: 8) { joined in
          joined.copyMemory(from: UnsafeRawBufferPointer(left))
          joined[left.count] = separator
          UnsafeMutableRawBufferPointer(rebasing: joined[(left.count + 1)...]).copyMemory(
            from: UnsafeRawBufferPointer(right))
          return hash(UnsafeRawBufferPointer(joined))
        }
      }
    }
  }

  package func hash(_ text: String) -> Hash128 {
    var text = text
    return text.withUTF8 { hash(UnsafeRawBufferPointer($0)) }
  }
}
