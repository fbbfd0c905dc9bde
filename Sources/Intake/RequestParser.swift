// HTTP/1.1 requests, read strictly: a state machine over the bytes of one request at a time. It does
// no input or output and reads no clock; it is given the bytes so far, from the request's first one,
// and says what it can say about them. Bytes already judged are not looked at again.
//
// Thread: a value of its connection. Promise: the outcome depends on the bytes alone, never on how
// they were split; whatever two servers could read differently is refused.

package struct RequestParser {
  package enum Step: Equatable, Sendable {
    case needMore
    /// The head is whole and a body follows: call `admitBody` and go on.
    case head
    /// The request is whole: `consumed` bytes belong to it.
    case complete
    case refused(Refusal)
  }

  enum Phase: UInt8 {
    case start, requestLine, headers, awaitingAdmission, sizedBody
    case chunkSize, chunkData, chunkEnd, trailers, complete, refused
  }

  let headBytes: Int
  let headerLimit: Int
  let targetBytes: Int

  var phase = Phase.start
  var head = RequestHead()
  /// Where the line begins that is being read, and up to where it was searched.
  var lineStart = 0
  var scanned = 0
  package internal(set) var headLength = 0
  package internal(set) var consumed = 0
  /// The decoded body lies directly behind the head; this is its end so far.
  var bodyEnd = 0
  var bodyLimit = 0
  var chunkLeft = 0
  var trailerBytes = 0
  var trailerCount = 0
  var extensionBytes = 0
  var refusal = Refusal.badRequestLine

  package init(limits: IntakeLimits) {
    precondition(limits.headBytes <= 65_535, "offsets into a head are 16 bits wide")
    headBytes = limits.headBytes
    headerLimit = limits.headers
    targetBytes = limits.targetBytes
    head.fields.reserveCapacity(16)
  }

  package var bodyLength: Int { bodyEnd - headLength }
  /// Whether a request has begun and is not whole yet.
  package var isUnderway: Bool { phase != .start && phase != .complete }
  package var isReadingBody: Bool {
    phase.rawValue >= Phase.sizedBody.rawValue && phase.rawValue <= Phase.trailers.rawValue
  }
  /// How many bytes the whole request takes, when its head says so.
  var announcedLength: Int? { phase == .sizedBody ? headLength + head.contentLength : nil }

  package mutating func reset() {
    phase = .start
    head.reset()
    lineStart = 0
    scanned = 0
    headLength = 0
    consumed = 0
    bodyEnd = 0
    chunkLeft = 0
    trailerBytes = 0
    trailerCount = 0
    extensionBytes = 0
  }

  /// Reads on. `count` is how many bytes there are from the request's first; it shrinks when a
  /// chunked body is unpacked in place and the bytes behind it move up.
  package mutating func advance(_ base: UnsafeMutableRawPointer, count: inout Int) -> Step {
    while true {
      let step: Step?
      switch phase {
      case .start: step = begin(base, count)
      case .requestLine: step = readRequestLine(base, count)
      case .headers: step = readHeaders(base, count)
      case .awaitingAdmission: return .head
      case .sizedBody: step = readSizedBody(count)
      case .chunkSize: step = readChunkSize(base, count)
      case .chunkData: step = readChunkData(base, count)
      case .chunkEnd: step = readChunkEnd(base, count)
      case .trailers: step = readTrailers(base, count)
      case .complete: return .complete
      case .refused: return .refused(refusal)
      }
      guard let step else { continue }
      if step == .needMore, isReadingBody, head.isChunked { closeGap(base, &count) }
      return step
    }
  }

  /// The answer to `head`: how large the body may be. A refusal means that it announces more.
  package mutating func admitBody(limit: Int) -> Refusal? {
    bodyLimit = limit
    lineStart = headLength
    scanned = headLength
    phase = head.isChunked ? .chunkSize : .sizedBody
    guard !head.isChunked, head.contentLength > limit else { return nil }
    _ = refuse(.bodyTooLarge)
    return .bodyTooLarge
  }

  mutating func refuse(_ reason: Refusal) -> Step {
    phase = .refused
    refusal = reason
    return .refused(reason)
  }

  // One empty line before a request is allowed by RFC 9112 2.2; anything but a capital letter after
  // that is no request, and saying so early tells a TLS client at once.
  private mutating func begin(_ base: UnsafeRawPointer, _ count: Int) -> Step? {
    guard count > lineStart else { return .needMore }
    let first = base.load(fromByteOffset: lineStart, as: UInt8.self)
    if first == 13, lineStart == 0 {
      guard count > 1 else { return .needMore }
      guard base.load(fromByteOffset: 1, as: UInt8.self) == 10 else { return refuse(.bareLineFeed) }
      lineStart = 2
      return nil
    }
    guard first &- 0x41 < 26 else { return refuse(first == 10 ? .bareLineFeed : .badMethod) }
    scanned = lineStart
    phase = .requestLine
    return nil
  }

  private mutating func readRequestLine(_ base: UnsafeRawPointer, _ count: Int) -> Step? {
    let longest = lineStart + targetBytes + 24
    let end: Int
    switch findLineEnd(base, min(count, longest)) {
    case .at(let position): end = position
    case .missing: return count >= longest ? refuse(.targetTooLong) : .needMore
    case .wrong(let reason): return refuse(reason)
    }
    if let reason = parseRequestLine(base, lineStart, end) { return refuse(reason) }
    lineStart = end + 2
    scanned = lineStart
    phase = .headers
    return nil
  }

  private mutating func readHeaders(_ base: UnsafeRawPointer, _ count: Int) -> Step? {
    let available = min(count, headBytes)
    while true {
      switch findLineEnd(base, available) {
      case .at(let end):
        if end == lineStart { return finishHead(base, end + 2) }
        if let reason = parseHeader(base, lineStart, end) { return refuse(reason) }
        lineStart = end + 2
        scanned = lineStart
      case .missing: return count >= headBytes ? refuse(.headTooLarge) : .needMore
      case .wrong(let reason): return refuse(reason)
      }
    }
  }

  private mutating func finishHead(_ base: UnsafeRawPointer, _ end: Int) -> Step? {
    headLength = end
    bodyEnd = end
    if let reason = judgeHead(base) { return refuse(reason) }
    if head.isChunked || head.contentLength > 0 {
      phase = .awaitingAdmission
      return nil
    }
    consumed = end
    phase = .complete
    return .complete
  }

  private mutating func readSizedBody(_ count: Int) -> Step? {
    let end = headLength + head.contentLength
    guard count >= end else { return .needMore }
    bodyEnd = end
    consumed = end
    phase = .complete
    return .complete
  }
}

extension RequestParser {
  enum LineEnd {
    case at(Int)
    case missing
    case wrong(Refusal)
  }

  /// Finds the carriage return of the line that began at `lineStart`, eight bytes a step, and on the
  /// way refuses every control character but the tab.
  @inline(__always)
  mutating func findLineEnd(_ base: UnsafeRawPointer, _ available: Int) -> LineEnd {
    var at = scanned
    while true {
      at = RequestParser.nextControl(base, at, available)
      guard at < available else {
        scanned = available
        return .missing
      }
      let byte = base.load(fromByteOffset: at, as: UInt8.self)
      if byte == 9 {
        at += 1
        continue
      }
      guard byte == 13 else { return .wrong(byte == 10 ? .bareLineFeed : .badCharacter) }
      guard at + 1 < available else {
        scanned = at
        return .missing
      }
      return base.load(fromByteOffset: at + 1, as: UInt8.self) == 10 ? .at(at) : .wrong(.bareLineFeed)
    }
  }

  /// The first byte below 0x20, or DEL, from `start`; `end` when there is none. The subtraction marks
  /// bytes above a true hit wrongly, never below it, and only the lowest mark is used.
  @inline(__always)
  private static func nextControl(_ base: UnsafeRawPointer, _ start: Int, _ end: Int) -> Int {
    let tops: UInt64 = 0x8080_8080_8080_8080
    var at = start
    while at + 8 <= end {
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      let low = (word &- 0x2020_2020_2020_2020) & ~word & tops
      let flipped = word ^ 0x7f7f_7f7f_7f7f_7f7f
      let delete = (flipped &- 0x0101_0101_0101_0101) & ~flipped & tops
      let hits = low | delete
      if hits != 0 { return at + hits.trailingZeroBitCount >> 3 }
      at += 8
    }
    while at < end {
      let byte = base.load(fromByteOffset: at, as: UInt8.self)
      if byte < 0x20 || byte == 0x7F { return at }
      at += 1
    }
    return end
  }
}
