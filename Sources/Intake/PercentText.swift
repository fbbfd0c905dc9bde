// Escapes in paths and queries.
//
// Thread: pure functions. Promise: whole escapes are decoded once; what is not UTF-8 then is nil, and
// an escape that is not whole stands for itself.

enum PercentText {
  static func decode(_ bytes: some Collection<UInt8>, plusIsSpace: Bool) -> String? {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var at = bytes.startIndex
    while at != bytes.endIndex {
      let byte = bytes[at]
      bytes.formIndex(after: &at)
      if byte == 0x25, let escaped = escape(bytes[at...]) {
        decoded.append(escaped)
        at = bytes.index(at, offsetBy: 2)
      } else {
        decoded.append(plusIsSpace && byte == 0x2B ? 0x20 : byte)
      }
    }
    return String(validating: decoded, as: UTF8.self)
  }

  private static func escape(_ rest: some Collection<UInt8>) -> UInt8? {
    let pair = rest.prefix(2)
    guard pair.count == 2, let high = hexDigit(pair.first ?? 0),
      let low = hexDigit(pair[pair.index(after: pair.startIndex)])
    else { return nil }
    return UInt8(high << 4 | low)
  }
}
