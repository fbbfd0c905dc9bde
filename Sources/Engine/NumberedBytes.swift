// Bytes by number, one stretch after the other as the cache holds them, with what was looked up or
// changed since beside it.
//
// Thread: the lane's that owns the cell. Promise: the packed stretch is read in place; only what is
// asked for is copied out of it, and what is set here wins over it.

internal import Basics

struct NumberedBytes {
  /// The whole cell; only `place` of it is ours.
  private let cell: [UInt8]
  private let place: Range<Int>
  private var known: [(number: Int64, bytes: [UInt8])] = []

  init(_ cell: [UInt8], _ place: Range<Int>) {
    self.cell = cell
    self.place = place
  }

  var isEmpty: Bool { known.isEmpty && place.isEmpty }

  /// Nil: not looked up yet. Empty bytes: there is nothing.
  subscript(number: Int64) -> [UInt8]? {
    get {
      for entry in known where entry.number == number { return entry.bytes }
      var found: [UInt8]?
      visit { other, bytes in if other == number { found = Array(bytes) } }
      return found
    }
    set {
      let bytes = newValue ?? []
      for position in known.indices where known[position].number == number {
        known[position].bytes = bytes
        return
      }
      known.append((number, bytes))
    }
  }

  func pack(into writer: inout PackedWriter) {
    visit { number, bytes in
      if !known.contains(where: { $0.number == number }) {
        writer.signed(number)
        writer.unsigned(UInt64(bytes.count))
        writer.bytes.append(contentsOf: bytes)
      }
    }
    for (number, bytes) in known {
      writer.signed(number)
      writer.counted(bytes)
    }
  }

  private func visit(_ body: (Int64, Slice<UnsafeRawBufferPointer>) -> Void) {
    cell.withUnsafeBytes { raw in
      var reader = PackedReader(UnsafeRawBufferPointer(rebasing: raw[place]))
      while !reader.atEnd {
        let number = reader.signed()
        let count = Int(reader.unsigned())
        let start = place.lowerBound + reader.position
        reader.skip(count)
        if reader.failed { return }
        body(number, raw[start..<start + count])
      }
    }
  }
}
