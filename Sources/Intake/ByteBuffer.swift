// Raw memory with a filled part: input that waits for the rest of its request, output that waits for
// the peer. It grows as far as it
// is asked to, and `release` gives the memory back when a connection falls idle.
//
// Thread: owned by one connection on the intake thread. Promise: freed exactly once; growing keeps
// the filled part.

internal import Glibc

enum Bytes {
  @inline(__always)
  static func equal(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
    memcmp(left, right, count) == 0
  }
}

struct ByteBuffer: ~Copyable {
  private(set) var base: UnsafeMutableRawPointer?
  private(set) var capacity = 0
  private(set) var start = 0
  private(set) var end = 0

  init() {}
  deinit { free(base) }

  var count: Int { end - start }
  var isEmpty: Bool { end == start }
  var room: Int { capacity - end }
  /// Where the filled part begins. Only for a buffer that holds something or was reserved.
  var first: UnsafeMutableRawPointer { base.unsafelyUnwrapped + start }
  var spare: UnsafeMutableRawPointer { base.unsafelyUnwrapped + end }

  /// Makes room for so many more bytes behind the filled part.
  mutating func reserve(_ more: Int) {
    if room >= more { return }
    if start > 0 {
      memmove(base.unsafelyUnwrapped, first, count)
      end -= start
      start = 0
      if room >= more { return }
    }
    let size = max(end + more, 256)
    // Sizes are bounded by the limits of a request: where even that is not to be had, every allocation of
    // this process would end it, and what was acknowledged is on disk.
    guard let grown = realloc(base, size) else { fatalError("no memory for a buffer of \(size) bytes") }
    base = grown
    capacity = size
  }

  mutating func filled(_ more: Int) { end += more }

  mutating func append(_ bytes: UnsafeRawPointer, _ count: Int) {
    // As much again as there is: appending n bytes in pieces copies each of them a few times at most.
    if room < count { reserve(max(count, self.count)) }
    memcpy(spare, bytes, count)
    end += count
  }

  mutating func append(_ text: StaticString) { append(text.utf8Start, text.utf8CodeUnitCount) }

  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let from = bytes.baseAddress else { return }
    append(from, bytes.count)
  }

  mutating func drop(_ count: Int) {
    start += count
    if start == end {
      start = 0
      end = 0
    }
  }

  /// Cuts the filled part to so many bytes.
  mutating func truncate(_ count: Int) { end = start + count }

  mutating func release(above kept: Int) {
    start = 0
    end = 0
    guard capacity > kept else { return }
    free(base)
    base = nil
    capacity = 0
  }
}
