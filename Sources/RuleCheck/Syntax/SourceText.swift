// A file as bytes, with the lines found once: offsets become lines and columns for people.
//
// Thread: values. Promise: any offset gives a place; columns count characters and not bytes.

struct Span: Sendable, Equatable {
  var start: Int
  var end: Int

  func union(_ other: Span) -> Span { Span(start: min(start, other.start), end: max(end, other.end)) }
}

struct SourceText: Sendable {
  let bytes: [UInt8]
  private let lineStarts: [Int]

  init(_ text: String) {
    bytes = Array(text.utf8)
    var starts = [0]
    for (position, byte) in bytes.enumerated() where byte == 0x0A { starts.append(position + 1) }
    lineStarts = starts
  }

  /// Counts from 1.
  func line(at offset: Int) -> Int {
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    return low + 1
  }

  func column(at offset: Int) -> Int {
    let start = lineStarts[line(at: offset) - 1]
    let end = min(max(offset, start), bytes.count)
    // Bytes that go on with a character are not counted.
    return bytes[start..<end].reduce(1) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
  }

  /// How far the first character of the line of `offset` is from the left.
  func indent(at offset: Int) -> Int {
    let start = lineStarts[line(at: offset) - 1]
    var position = start
    while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
    return position - start
  }

  func isFirstOnLine(_ offset: Int) -> Bool {
    lineStarts[line(at: offset) - 1] + indent(at: offset) == offset
  }

  func text(_ span: Span) -> String {
    let start = min(max(0, span.start), bytes.count)
    return String(decoding: bytes[start..<min(max(start, span.end), bytes.count)], as: UTF8.self)
  }

  func lineText(_ number: Int) -> String {
    guard number >= 1, number <= lineStarts.count else { return "" }
    let start = lineStarts[number - 1]
    let end = number < lineStarts.count ? lineStarts[number] - 1 : bytes.count
    return String(decoding: bytes[start..<max(start, end)], as: UTF8.self)
  }

  /// Where a text stands in quotes for the first time, from the beginning of a line on; without the quotes.
  func span(ofText text: String, fromLine line: Int) -> Span? {
    guard line >= 1, line <= lineStarts.count, !text.isEmpty else { return nil }
    let places = [#"""#, "'"].compactMap { quote in
      bytes[lineStarts[line - 1]...].firstRange(of: Array((quote + text + quote).utf8))
    }
    return places.min { $0.lowerBound < $1.lowerBound }.map { Span(start: $0.lowerBound + 1, end: $0.upperBound - 1) }
  }

  /// Nil when the line of `offset` is the last one.
  func start(ofLineAfter offset: Int) -> Int? {
    let line = line(at: offset)
    return line < lineStarts.count ? lineStarts[line] : nil
  }

  var end: Span { Span(start: bytes.count, end: bytes.count) }
}
