// Inflation under bounds: what is allowed comes out whole, everything else is a named error.
//
// Thread: each test its own. Promise: the samples are made with zlib here, or written out by hand.

import Basics
import CZlib
import Testing

@Suite struct GunzipTests {
  /// Compresses as a client would; 31 asks zlib for gzip, 15 for its own format.
  private func deflate(_ bytes: [UInt8], window: Int32 = 31) -> [UInt8] {
    var stream = z_stream()
    let code = deflateInit2_(
      &stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK)
    defer { deflateEnd(&stream) }
    var input = bytes
    var output = [UInt8](repeating: 0, count: bytes.count + 1000)
    let room = output.count
    return input.withUnsafeMutableBufferPointer { source in
      output.withUnsafeMutableBufferPointer { target in
        stream.next_in = source.baseAddress
        stream.avail_in = UInt32(source.count)
        stream.next_out = target.baseAddress
        stream.avail_out = UInt32(room)
        _ = CZlib.deflate(&stream, Z_FINISH)
        return Array(target[..<(room - Int(stream.avail_out))])
      }
    }
  }

  private func inflate(_ bytes: [UInt8], most: Int = 1 << 24, ratio: Int = 100) throws(GunzipError) -> [UInt8] {
    // A copy at the end of its own allocation lets the sanitizer see a byte read too far.
    let exact = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { exact.deallocate() }
    exact.copyBytes(from: bytes)
    return try Gunzip.inflate(UnsafeRawBufferPointer(exact), maximumBytes: most, maximumRatio: ratio)
  }

  private func text(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    return (0..<count).map { _ in UInt8(0x61 + random.next(below: 20)) }
  }

  @Test(arguments: [0, 1, 100, 4095, 4096, 4097, 100_000, 3_000_000]) func `what was compressed comes out again`(
    _ size: Int
  ) throws {
    let plain = text(size)
    #expect(try inflate(deflate(plain)) == plain)
    #expect(try inflate(deflate(plain, window: 15)) == plain)
  }

  @Test func `several members are one body`() throws {
    let parts = [text(500), [], text(5000, seed: 2)]
    #expect(try inflate(parts.flatMap { deflate($0) }) == parts.flatMap { $0 })
  }

  @Test func `a body of exactly the bound passes, one byte more does not`() throws {
    let plain = text(50_000)
    #expect(try inflate(deflate(plain), most: 50_000) == plain)
    #expect(throws: GunzipError.tooLarge(maximumBytes: 49_999)) { try inflate(deflate(plain), most: 49_999) }
  }

  @Test func `a bomb is refused by its ratio, a small run of zeros is not`() throws {
    let zeros = [UInt8](repeating: 0, count: 10 << 20)
    #expect(throws: GunzipError.tooDense(maximumRatio: 100)) { try inflate(deflate(zeros)) }
    #expect(throws: GunzipError.tooLarge(maximumBytes: 1000)) { try inflate(deflate(zeros), most: 1000) }
    let few = [UInt8](repeating: 0, count: 60_000)
    #expect(try inflate(deflate(few)) == few)
  }

  @Test func `every cut is an error`() {
    let whole = deflate(text(300))
    for end in 0..<whole.count {
      #expect(throws: GunzipError.truncated) { try inflate(Array(whole[..<end])) }
    }
  }

  @Test func `other bytes behind the body are an error`() {
    #expect(throws: GunzipError.trailingBytes) { try inflate(deflate(text(300)) + [0, 0]) }
    #expect(throws: GunzipError.trailingBytes) { try inflate(deflate(text(300)) + [0x1F]) }
  }

  @Test func `what is no gzip is an error`() {
    #expect(throws: GunzipError.damaged) { try inflate(Array("{\"event\":1}".utf8)) }
  }

  @Test func `a changed byte never passes for the original`() {
    let plain = text(2000)
    let whole = deflate(plain)
    var random = SeededRandom(seed: 3)
    for _ in 0..<5000 {
      var changed = whole
      changed[Int(random.next(below: UInt64(changed.count)))] ^= UInt8(1 + random.next(below: 255))
      if let out = try? inflate(changed, most: 100_000) {
        // The header's time and system bytes are not protected; the content is.
        #expect(out == plain)
      }
    }
  }
}
