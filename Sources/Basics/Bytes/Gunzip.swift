// Compressed bodies, gzip or zlib, made plain under two bounds: how large the result may be, and how
// many times larger than what was sent. A few hundred bytes can be written that inflate to gigabytes.
//
// Thread: pure function. Promise: never more memory than the bound allows; the whole input is used and
// its checksum holds, or it is an error.

internal import CZlib

package enum GunzipError: Error, Sendable, Equatable, CustomStringConvertible {
  case tooLarge(maximumBytes: Int)
  case tooDense(maximumRatio: Int)
  case truncated
  case damaged
  case trailingBytes

  package var description: String {
    switch self {
    case .tooLarge(let bytes):
      "The compressed body is larger than \(bytes) bytes when inflated; send fewer events at a time."
    case .tooDense(let ratio):
      "The compressed body inflates to more than \(ratio) times its size; send it uncompressed."
    case .truncated: "The compressed body ends too early."
    case .damaged: "The compressed body is not gzip, or was damaged on its way."
    case .trailingBytes: "The compressed body is followed by other bytes."
    }
  }
}

package enum Gunzip {
  /// Bodies this small are never too dense: the shortest gzip of some zeros is all header.
  private static let alwaysAllowedBytes = 64 * 1024

  package static func inflate(
    _ bytes: UnsafeRawBufferPointer, maximumBytes: Int, maximumRatio: Int
  ) throws(GunzipError) -> [UInt8] {
    guard bytes.count > 0, bytes.count <= Int(UInt32.max) else { throw .truncated }
    let (product, overflows) = bytes.count.multipliedReportingOverflow(by: maximumRatio)
    let dense = max(overflows ? Int.max : product, alwaysAllowedBytes)
    var inflation = Inflation(bytes)
    guard inflation.start() else { throw .damaged }
    defer { inflation.end() }
    // One byte more than is allowed tells the full measure from too much.
    let result = try inflation.run(most: min(maximumBytes, dense))
    if let result { return result }
    if dense < maximumBytes { throw .tooDense(maximumRatio: maximumRatio) }
    throw .tooLarge(maximumBytes: maximumBytes)
  }
}

/// One run of zlib's state machine; several gzip members behind each other are one body.
private struct Inflation {
  private var stream = z_stream()
  private let input: UnsafeRawBufferPointer

  init(_ input: UnsafeRawBufferPointer) { self.input = input }

  mutating func start() -> Bool {
    guard czlib_start_gunzip(&stream) == Z_OK else { return false }
    // zlib only reads what it calls next_in; the cast is its missing const.
    stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
    stream.avail_in = UInt32(input.count)
    return true
  }

  mutating func end() { inflateEnd(&stream) }

  /// Nil when the result would be larger than `most`.
  mutating func run(most: Int) throws(GunzipError) -> [UInt8]? {
    var result: [UInt8] = []
    var capacity = min(most + 1, max(input.count * 4, 4096))
    while true {
      let (filled, code) = step(&result, capacity)
      if filled > most { return nil }
      switch code {
      case Z_STREAM_END:
        if stream.avail_in == 0 { return result }
        try continueWithNextMember()
      case Z_OK, Z_BUF_ERROR:
        if stream.avail_in == 0, filled < capacity { throw .truncated }
        if filled == capacity { capacity = min(most + 1, capacity * 2) }
      default: throw .damaged
      }
    }
  }

  /// RFC 1952 2.2 lets a file have several members. Only gzip does; anything else behind is an error.
  private mutating func continueWithNextMember() throws(GunzipError) {
    let next = input.suffix(Int(stream.avail_in))
    guard next.count >= 2, next[next.startIndex] == 0x1F, next[next.startIndex + 1] == 0x8B else {
      throw .trailingBytes
    }
    guard inflateReset(&stream) == Z_OK else { throw .damaged }
  }

  /// Inflates until `capacity` bytes are there or the input gives no more; returns how many there are.
  private mutating func step(_ result: inout [UInt8], _ capacity: Int) -> (Int, Int32) {
    let before = result.count
    let room = capacity - before
    guard room > 0 else { return (before, Z_OK) }
    var code: Int32 = Z_OK
    var used = 0
    let more = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
      stream.next_out = buffer.baseAddress
      stream.avail_out = UInt32(room)
      code = CZlib.inflate(&stream, Z_NO_FLUSH)
      used = room - Int(stream.avail_out)
      count = used
    }
    // The usual body fits the first guess and is not copied again.
    if before == 0 { result = more } else { result += more }
    return (before + used, code)
  }
}
