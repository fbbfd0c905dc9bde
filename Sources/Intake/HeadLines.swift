// The lines of a head, judged one by one: the request line, the header lines, and at the end what
// they mean together.
//
// Thread: as the parser. Promise: a head that passes has one reading only.

extension Refusal: Error {}

extension RequestParser {
  mutating func parseRequestLine(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Refusal? {
    var space = start
    while space < end, base.load(fromByteOffset: space, as: UInt8.self) != 0x20 { space += 1 }
    var last = end - 1
    while last > space, base.load(fromByteOffset: last, as: UInt8.self) != 0x20 { last -= 1 }
    if let reason = parseMethod(base, start, space) { return reason }
    guard last > space + 1 else { return .badRequestLine }
    if let reason = parseVersion(base + last + 1, end - last - 1) { return reason }
    guard last - space - 1 <= targetBytes else { return .targetTooLong }
    return parseTarget(base, space + 1, last)
  }

  private mutating func parseMethod(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Refusal? {
    var word: UInt64 = 0
    for at in start..<end {
      let byte = base.load(fromByteOffset: at, as: UInt8.self)
      guard byte &- 0x41 < 26 else { return .badMethod }
      word = word << 8 | UInt64(byte)
    }
    guard end - start <= 7 else { return .unknownMethod }
    switch word {
    case 0x504f_5354: head.method = .post
    case 0x0047_4554: head.method = .get
    case 0x4845_4144: head.method = .head
    case 0x0050_5554: head.method = .put
    case 0x50_4154_4348: head.method = .patch
    case 0x4445_4c45_5445: head.method = .delete
    case 0x4f_5054_494f_4e53: head.method = .options
    default: return .unknownMethod
    }
    return nil
  }

  private mutating func parseVersion(_ text: UnsafeRawPointer, _ count: Int) -> Refusal? {
    func byte(_ index: Int) -> UInt8 { text.load(fromByteOffset: index, as: UInt8.self) }
    guard count >= 6, byte(0) == 0x48, byte(1) == 0x54, byte(2) == 0x54, byte(3) == 0x50, byte(4) == 0x2F else {
      return .badVersion
    }
    if count == 8, byte(5) == 0x31, byte(6) == 0x2E, byte(7) & 0xFE == 0x30 {
      head.isCurrentVersion = byte(7) == 0x31
      return nil
    }
    for index in 5..<count where byte(index) != 0x2E && byte(index) &- 0x30 > 9 { return .badVersion }
    return .unknownVersion
  }

  mutating func parseHeader(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Refusal? {
    let length: Int
    switch nameLength(base, start, end) {
    case .failure(let reason): return reason
    case .success(let count): length = count
    }
    guard head.fields.count < headerLimit else { return .tooManyHeaders }
    var first = start + length + 1
    var last = end
    while first < last, isBlank(base.load(fromByteOffset: first, as: UInt8.self)) { first += 1 }
    while last > first, isBlank(base.load(fromByteOffset: last - 1, as: UInt8.self)) { last -= 1 }
    head.fields.append(
      HeaderField(
        nameStart: UInt16(truncatingIfNeeded: start), nameLength: UInt16(truncatingIfNeeded: length),
        valueStart: UInt16(truncatingIfNeeded: first), valueLength: UInt16(truncatingIfNeeded: last - first)))
    let isTabbed = hasTab(base, start + length + 1, first) || hasTab(base, last, end)
    return note(base, base + start, length, first, last - first, isTabbed: isTabbed)
  }

  @inline(__always)
  private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 9 }

  /// The length of a well-formed field name; a colon follows it directly.
  @inline(__always)
  func nameLength(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Result<Int, Refusal> {
    if isBlank(base.load(fromByteOffset: start, as: UInt8.self)) { return .failure(.foldedHeader) }
    var at = behindLetters(base, start, end)
    while at < end, ByteSet.token.contains(base.load(fromByteOffset: at, as: UInt8.self)) { at += 1 }
    guard at > start, at < end, base.load(fromByteOffset: at, as: UInt8.self) == 0x3A else {
      return .failure(.badHeaderName)
    }
    return .success(at - start)
  }

  /// Skips letters and hyphens, of which nearly all names are made, eight at a time. The line was
  /// searched for control characters before, so a byte that looks like a hyphen is one.
  @inline(__always)
  private func behindLetters(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops = ones &* 0x80
    var at = start
    while at + 8 <= end {
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      let low = (word & ~tops) | (ones &* 0x20)
      // Adding moves what is at least "a", and what is above "z", into the top bit of its byte.
      let letters = (low &+ ones &* 0x1f) & ~(low &+ ones &* 0x05)
      let hyphens = ~((low ^ (ones &* 0x2d)) &+ ones &* 0x7f)
      let others = ~((letters | hyphens) & ~word) & tops
      if others != 0 { return at + others.trailingZeroBitCount >> 3 }
      at += 8
    }
    return at
  }

  private func hasTab(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Bool {
    for at in start..<end where base.load(fromByteOffset: at, as: UInt8.self) == 9 { return true }
    return false
  }

  /// Takes note of the few headers that framing depends on, told apart by length first. Around their
  /// values a tab is refused, although it is allowed: servers differ in whether it is part of them.
  private mutating func note(
    _ base: UnsafeRawPointer, _ name: UnsafeRawPointer, _ length: Int, _ start: Int, _ count: Int, isTabbed: Bool
  ) -> Refusal? {
    let value = base + start
    switch length {
    case 4 where matches(name, length, "host"):
      guard !head.hasHost else { return .severalHosts }
      guard !isTabbed else { return .badHost }
      head.hasHost = true
      head.hostStart = start
      head.hostLength = count
      return isHost(value, count) ? nil : .badHost
    case 6 where matches(name, length, "expect"):
      guard !isTabbed, matches(value, count, "100-continue"), !head.expectsContinue else { return .unknownExpectation }
      head.expectsContinue = true
    case 10 where matches(name, length, "connection"):
      noteConnection(value, count)
    case 14 where matches(name, length, "content-length"):
      guard head.contentLength < 0 else { return .severalLengths }
      guard !isTabbed, let number = decimal(value, count) else { return .badLength }
      head.contentLength = number
    case 17 where matches(name, length, "transfer-encoding"):
      guard !head.isChunked else { return .severalEncodings }
      guard !isTabbed, matches(value, count, "chunked") else { return .unknownEncoding }
      head.isChunked = true
    default: break
    }
    return nil
  }

  private func decimal(_ value: UnsafeRawPointer, _ count: Int) -> Int? {
    // Eighteen digits cannot overflow; longer ones are refused, leading zeros and all.
    guard count > 0, count <= 18 else { return nil }
    var number = 0
    for index in 0..<count {
      let digit = value.load(fromByteOffset: index, as: UInt8.self) &- 0x30
      guard digit < 10 else { return nil }
      number = number * 10 + Int(digit)
    }
    return number
  }

  private mutating func noteConnection(_ value: UnsafeRawPointer, _ count: Int) {
    // Wherever the word stands: proxies search for it as text, and closing once more does no harm.
    for start in 0..<max(0, count - 4) where matches(value + start, 5, "close") { head.closes = true }
    var start = 0
    while start < count {
      var end = start
      while end < count, value.load(fromByteOffset: end, as: UInt8.self) != 0x2C { end += 1 }
      var last = end
      while start < last, isBlank(value.load(fromByteOffset: start, as: UInt8.self)) { start += 1 }
      while last > start, isBlank(value.load(fromByteOffset: last - 1, as: UInt8.self)) { last -= 1 }
      if matches(value + start, last - start, "keep-alive") { head.keepsAlive = true }
      start = end + 1
    }
  }

  /// What only the whole head can tell.
  func judgeHead(_ base: UnsafeRawPointer) -> Refusal? {
    if head.isChunked, head.contentLength >= 0 { return .lengthAndEncoding }
    if head.isChunked, !head.isCurrentVersion { return .encodingInOldVersion }
    guard head.hasHost else { return head.isCurrentVersion ? .noHost : nil }
    guard head.authorityLength > 0 else { return nil }
    // A target that names another host than the Host header is read differently by every second server.
    guard head.authorityLength == head.hostLength else { return .badHost }
    for index in 0..<head.hostLength {
      let left = base.load(fromByteOffset: head.hostStart + index, as: UInt8.self)
      let right = base.load(fromByteOffset: head.authorityStart + index, as: UInt8.self)
      if lowered(left) != lowered(right) { return .badHost }
    }
    return nil
  }

  private func lowered(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
