// Sets of ASCII characters as two words of bits: a membership test is a shift and a mask, without a
// table in memory, and no byte above 127 is ever a member.
//
// Thread: values. Promise: the bits are those of the characters named beside them; a test compares.

struct ByteSet {
  let low: UInt64
  let high: UInt64

  @inline(__always)
  func contains(_ byte: UInt8) -> Bool {
    let word = byte < 64 ? low : high
    return byte < 128 && word >> UInt64(byte & 63) & 1 == 1
  }

  /// RFC 9110 tchar: letters, digits and !#$%&'*+-.^_`|~
  @inline(__always)
  static var token: ByteSet { ByteSet(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe) }

  /// What RFC 3986 allows in a path and a query: letters, digits and -._~!$&'()*+,;=:@/?%
  @inline(__always)
  static var target: ByteSet { ByteSet(low: 0xafff_fff2_0000_0000, high: 0x47ff_fffe_87ff_ffff) }

  /// Names of hosts as they occur: letters, digits and -._ (RFC 3986 allows more, and nobody uses it).
  @inline(__always)
  static var host: ByteSet { ByteSet(low: 0x03ff_6000_0000_0000, high: 0x07ff_fffe_87ff_fffe) }

  /// The inside of an IPv6 literal: hexadecimal digits, colons and dots.
  @inline(__always)
  static var address6: ByteSet { ByteSet(low: 0x07ff_4000_0000_0000, high: 0x0000_007e_0000_007e) }
}

@inline(__always)
func hexDigit(_ byte: UInt8) -> Int? {
  switch byte {
  case 0x30...0x39: Int(byte) - 0x30
  case 0x41...0x46: Int(byte) - 0x41 + 10
  case 0x61...0x66: Int(byte) - 0x61 + 10
  default: nil
  }
}

/// Compares with a lower-case name, letters in either case.
@inline(__always)
func matches(_ bytes: UnsafeRawPointer, _ count: Int, _ name: StaticString) -> Bool {
  guard count == name.utf8CodeUnitCount else { return false }
  let expected = name.utf8Start
  for index in 0..<count {
    var byte = bytes.load(fromByteOffset: index, as: UInt8.self)
    if byte &- 0x41 < 26 { byte |= 0x20 }
    if byte != expected[index] { return false }
  }
  return true
}
