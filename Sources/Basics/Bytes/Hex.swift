// Bytes as text: hexadecimal and base64, both directions, strict when reading.
//
// Thread: pure functions. Promise: what was encoded decodes to the same bytes; anything else is nil.

package enum Hex {
  private static let digits: StaticString = "0123456789abcdef"

  package static func encode(_ bytes: some Collection<UInt8>) -> String {
    Array(bytes).withUnsafeBytes { encode($0) }
  }

  /// Not generic: every webhook is signed with it, and other rooms would walk a collection step by step.
  package static func encode(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { encode($0) } }

  package static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { out in
      var position = 0
      for byte in bytes {
        out[position] = digits.utf8Start[Int(byte >> 4)]
        out[position + 1] = digits.utf8Start[Int(byte & 15)]
        position += 2
      }
      return position
    }
  }

  package static func encode(_ value: UInt64) -> String {
    withUnsafeBytes(of: value.bigEndian) { encode($0) }
  }

  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var out: [UInt8] = []
    var half: UInt8?
    for byte in text.utf8 {
      let digit: UInt8
      switch byte {
      case 0x30...0x39: digit = byte - 0x30
      case 0x61...0x66: digit = byte - 0x61 + 10
      case 0x41...0x46: digit = byte - 0x41 + 10
      default: return nil
      }
      if let high = half {
        out.append(high << 4 | digit)
        half = nil
      } else {
        half = digit
      }
    }
    return half == nil ? out : nil
  }
}

package enum Base64 {
  private static let digits: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  package static func encode(_ bytes: [UInt8]) -> String {
    String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { out in
      var written = 0
      var position = 0
      while position < bytes.count {
        let left = bytes.count - position
        let word =
          UInt32(bytes[position]) << 16 | (left > 1 ? UInt32(bytes[position + 1]) << 8 : 0)
          | (left > 2 ? UInt32(bytes[position + 2]) : 0)
        out[written] = digits.utf8Start[Int(word >> 18)]
        out[written + 1] = digits.utf8Start[Int(word >> 12 & 63)]
        out[written + 2] = left > 1 ? digits.utf8Start[Int(word >> 6 & 63)] : UInt8(ascii: "=")
        out[written + 3] = left > 2 ? digits.utf8Start[Int(word & 63)] : UInt8(ascii: "=")
        written += 4
        position += 3
      }
      return written
    }
  }

  package static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var out: [UInt8] = []
    var word: UInt32 = 0
    var digitsSeen = 0
    var padding = 0
    for byte in text.utf8 {
      let digit: UInt32
      switch byte {
      case 0x41...0x5A: digit = UInt32(byte) - 0x41
      case 0x61...0x7A: digit = UInt32(byte) - 0x61 + 26
      case 0x30...0x39: digit = UInt32(byte) - 0x30 + 52
      case 0x2B, 0x2D: digit = 62
      case 0x2F, 0x5F: digit = 63
      case 0x3D:
        padding += 1
        continue
      default: return nil
      }
      if padding > 0 { return nil }
      word = word << 6 | digit
      digitsSeen += 1
      if digitsSeen % 4 == 0 {
        out.append(contentsOf: [UInt8(word >> 16 & 255), UInt8(word >> 8 & 255), UInt8(word & 255)])
        word = 0
      }
    }
    switch digitsSeen % 4 {
    case 0: return padding == 0 ? out : nil
    case 2:
      guard word & 0xF == 0, padding == 0 || padding == 2 else { return nil }
      out.append(UInt8(word >> 4 & 255))
    case 3:
      guard word & 0x3 == 0, padding == 0 || padding == 1 else { return nil }
      out.append(contentsOf: [UInt8(word >> 10 & 255), UInt8(word >> 2 & 255)])
    default: return nil
    }
    return out
  }
}
