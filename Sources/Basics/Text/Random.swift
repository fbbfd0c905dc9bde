// Randomness as a value that is handed in: the system's for the daemon, a seeded one for tests and
// for whatever must come out the same again.
//
// Thread: a source belongs to one thread. Promise: SeededRandom gives the same numbers for the same
// seed on every machine and for ever: rules rely on it.

internal import CPlatform

package protocol RandomSource {
  mutating func next() -> UInt64
}

extension RandomSource {
  /// A number from 0 up to, not including, `bound`. The bias is below 2^-32 for bounds below 2^32.
  package mutating func next(below bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }

  package mutating func chance(_ numerator: UInt64, in denominator: UInt64) -> Bool {
    next(below: denominator) < numerator
  }
}

/// The kernel's, taken in blocks.
package struct SystemRandom: RandomSource {
  private var block: [UInt64] = []

  package init() {}

  package mutating func next() -> UInt64 {
    if block.isEmpty {
      block = [UInt64](repeating: 0, count: 64)
      let code = block.withUnsafeMutableBytes { platform_random($0.baseAddress, $0.count) }
      precondition(code == 0, "the kernel gave no random bytes")
    }
    return block.removeLast()
  }
}

/// SplitMix64.
package struct SeededRandom: RandomSource, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state = state &+ 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
