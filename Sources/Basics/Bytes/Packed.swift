// Packed bytes: variable-length integers and counted byte strings, the form in which records and rows
// are stored.
//
// Thread: values. Promise: what the writer wrote the reader reads; a reader never runs past its bytes
// but fails once and stays failed, so that damage is noticed at the end of a record at the latest.

package struct PackedWriter: Sendable {
  package var bytes: [UInt8] = []

  package init() {}
  package init(capacity: Int) { bytes.reserveCapacity(capacity) }

  @inline(__always)
  package mutating func byte(_ value: UInt8) { bytes.append(value) }

  /// LEB128.
  @inline(__always)
  package mutating func unsigned(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  /// Zigzag, so that small negative numbers stay small.
  @inline(__always)
  package mutating func signed(_ value: Int64) { unsigned(UInt64(bitPattern: (value << 1) ^ (value >> 63))) }

  @inline(__always)
  package mutating func integer(_ value: Int) { signed(Int64(value)) }

  package mutating func fixed32(_ value: UInt32) {
    for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
  }

  package mutating func fixed64(_ value: UInt64) { bytes.append(fixed64: value) }

  package mutating func counted(_ value: [UInt8]) {
    unsigned(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  package mutating func counted(_ value: ArraySlice<UInt8>) {
    unsigned(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  package mutating func counted(_ value: String) {
    // Where the text lies, without a copy of the string that would have to be counted.
    let isWritten: Void? = value.utf8.withContiguousStorageIfAvailable { text in
      unsigned(UInt64(text.count))
      bytes.append(contentsOf: text)
    }
    if isWritten == nil { counted(Array(value.utf8)) }
  }
}

extension [UInt8] {
  package mutating func append(fixed64 value: UInt64) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}

package struct PackedReader {
  private let bytes: UnsafeRawBufferPointer
  package private(set) var position = 0
  package private(set) var failed = false

  /// `bytes` must outlive the reader; use `PackedReader.read` to have that checked by scope.
  package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  package static func read<T>(_ bytes: [UInt8], _ body: (inout PackedReader) -> T) -> T {
    bytes.withUnsafeBytes { raw in
      var reader = PackedReader(raw)
      return body(&reader)
    }
  }

  package var atEnd: Bool { failed || position >= bytes.count }

  package mutating func byte() -> UInt8 {
    guard position < bytes.count else {
      failed = true
      return 0
    }
    position += 1
    return bytes[position - 1]
  }

  package mutating func unsigned() -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = byte()
      if failed || shift > 63 {
        failed = true
        return 0
      }
      value |= UInt64(next & 0x7F) << shift
      if next & 0x80 == 0 { return value }
      shift += 7
    }
  }

  package mutating func signed() -> Int64 {
    let value = unsigned()
    return Int64(bitPattern: (value >> 1) ^ (~(value & 1) &+ 1))
  }

  package mutating func integer() -> Int { Int(signed()) }

  package mutating func fixed32() -> UInt32 {
    var value: UInt32 = 0
    for shift in stride(from: UInt32(0), to: 32, by: 8) { value |= UInt32(byte()) << shift }
    return value
  }

  package mutating func fixed64() -> UInt64 {
    guard bytes.count - position >= 8 else {
      failed = true
      return 0
    }
    defer { position += 8 }
    return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
  }

  package mutating func counted() -> [UInt8] {
    let count = unsigned()
    guard !failed, count <= UInt64(bytes.count - position) else {
      failed = true
      return []
    }
    defer { position += Int(count) }
    return Array(bytes[position..<(position + Int(count))])
  }

  package mutating func text() -> String {
    let count = unsigned()
    guard !failed, count <= UInt64(bytes.count - position) else {
      failed = true
      return ""
    }
    defer { position += Int(count) }
    return String(decoding: bytes[position..<(position + Int(count))], as: UTF8.self)
  }

  package mutating func skip(_ count: Int) {
    guard !failed, count >= 0, count <= bytes.count - position else {
      failed = true
      return
    }
    position += count
  }

  package mutating func skipCounted() { skip(Int(clamping: unsigned())) }
}
