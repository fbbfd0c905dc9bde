// The windows of one subject that look at the same event, as one row: an event that feeds one of them feeds the others,
// too.
//
// Thread: values. Promise: what was put in comes out under its number; damaged bytes are as if nothing had been there.

internal import Basics

package struct WindowGroup: Sendable {
  private var windows: [(number: Int64, packed: [UInt8])] = []

  package init(_ bytes: [UInt8]) {
    if bytes.isEmpty { return }
    PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return }
      var found: [(number: Int64, packed: [UInt8])] = []
      while !reader.atEnd {
        let number = reader.signed()
        found.append((number, reader.counted()))
      }
      if !reader.failed { windows = found }
    }
  }

  /// Empty: nothing is known.
  package subscript(_ number: Int64) -> [UInt8] {
    get { windows.first { $0.number == number }?.packed ?? [] }
    set {
      let place = windows.firstIndex { $0.number == number }
      switch (place, newValue.isEmpty) {
      case (let place?, true): windows.remove(at: place)
      case (let place?, false): windows[place].packed = newValue
      case (nil, true): break
      case (nil, false): windows.append((number, newValue))
      }
    }
  }

  package var numbers: [Int64] { windows.map(\.number) }

  package var packed: [UInt8] {
    if windows.isEmpty { return [] }
    var writer = PackedWriter(capacity: windows.reduce(1) { $0 + $1.packed.count + 6 })
    writer.byte(1)
    for (number, packed) in windows {
      writer.signed(number)
      writer.counted(packed)
    }
    return writer.bytes
  }

  /// Under which number the windows of an event are kept; never below 1.
  package static func number(ofEvent name: String) -> Int64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return Int64(hash >> 16) + 1
  }
}
