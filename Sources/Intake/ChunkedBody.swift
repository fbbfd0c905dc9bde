// The chunked half of the parser: sizes, extensions and trailers, with the data moved up in place so
// that the handler sees one unbroken body.
//
// Thread: as the parser. Promise: what lies between head and `bodyEnd` is exactly the decoded body,
// and what a sender can waste on extensions and trailers is bounded.

internal import Glibc

extension RequestParser {
  /// A chunk's line: sixteen digits and an extension nobody asked for.
  private static let chunkLineBytes = 1024

  mutating func readChunkSize(_ base: UnsafeRawPointer, _ count: Int) -> Step? {
    let longest = lineStart + RequestParser.chunkLineBytes
    let end: Int
    switch findLineEnd(base, min(count, longest)) {
    case .at(let position): end = position
    case .missing: return count >= longest ? refuse(.badChunk) : .needMore
    case .wrong(let reason): return refuse(reason)
    }
    guard let size = parseChunkSize(base, end) else { return refuse(.badChunk) }
    guard size <= bodyLimit - bodyLength else { return refuse(.bodyTooLarge) }
    lineStart = end + 2
    scanned = lineStart
    chunkLeft = size
    phase = size == 0 ? .trailers : .chunkData
    return nil
  }

  private mutating func parseChunkSize(_ base: UnsafeRawPointer, _ end: Int) -> Int? {
    var at = lineStart
    var size = 0
    while at < end, let digit = hexDigit(base.load(fromByteOffset: at, as: UInt8.self)) {
      // Fifteen digits fit a signed word; more are nobody's chunk.
      guard at - lineStart < 15 else { return nil }
      size = size << 4 | digit
      at += 1
    }
    guard at > lineStart else { return nil }
    if at == end { return size }
    guard base.load(fromByteOffset: at, as: UInt8.self) == 0x3B else { return nil }
    extensionBytes += end - at
    return extensionBytes <= headBytes ? size : nil
  }

  mutating func readChunkData(_ base: UnsafeMutableRawPointer, _ count: Int) -> Step? {
    let moved = min(chunkLeft, count - lineStart)
    memmove(base + bodyEnd, base + lineStart, moved)
    bodyEnd += moved
    lineStart += moved
    scanned = lineStart
    chunkLeft -= moved
    guard chunkLeft == 0 else { return .needMore }
    phase = .chunkEnd
    return nil
  }

  mutating func readChunkEnd(_ base: UnsafeRawPointer, _ count: Int) -> Step? {
    guard count > lineStart else { return .needMore }
    guard base.load(fromByteOffset: lineStart, as: UInt8.self) == 13 else { return refuse(.badChunk) }
    guard count > lineStart + 1 else { return .needMore }
    guard base.load(fromByteOffset: lineStart + 1, as: UInt8.self) == 10 else { return refuse(.badChunk) }
    lineStart += 2
    scanned = lineStart
    phase = .chunkSize
    return nil
  }

  /// Trailers are held to the rules of headers and then forgotten: nothing here depends on one.
  mutating func readTrailers(_ base: UnsafeRawPointer, _ count: Int) -> Step? {
    while true {
      let longest = lineStart + headBytes - trailerBytes
      switch findLineEnd(base, min(count, longest)) {
      case .at(let end):
        if end == lineStart {
          consumed = end + 2
          phase = .complete
          return .complete
        }
        if let reason = judgeTrailer(base, end) { return refuse(reason) }
        trailerBytes += end + 2 - lineStart
        lineStart = end + 2
        scanned = lineStart
      case .missing: return count >= longest ? refuse(.headTooLarge) : .needMore
      case .wrong(let reason): return refuse(reason)
      }
    }
  }

  private mutating func judgeTrailer(_ base: UnsafeRawPointer, _ end: Int) -> Refusal? {
    trailerCount += 1
    guard trailerCount <= headerLimit else { return .tooManyHeaders }
    switch nameLength(base, lineStart, end) {
    case .failure(let reason): return reason
    case .success: return nil
    }
  }

  /// Moves what was not read yet up to the decoded body, so that framing never fills the buffer.
  mutating func closeGap(_ base: UnsafeMutableRawPointer, _ count: inout Int) {
    let gap = lineStart - bodyEnd
    guard gap > 0 else { return }
    memmove(base + bodyEnd, base + lineStart, count - lineStart)
    lineStart -= gap
    scanned -= gap
    count -= gap
  }
}
