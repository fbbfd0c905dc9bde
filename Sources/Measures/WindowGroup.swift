// The windows of one subject that look at the same event, as one row: an event that feeds one of them feeds the others,
// too.
//
// Thread: values. Promise: what was put in comes out under its number; damaged bytes are as if nothing had been there.

package import Basics
internal import Model

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

  /// Under this number, which no window has, stands when an event was left out.
  private static let mark: Int64 = 0

  /// When an event was last left out because there was no room for it.
  package var missed: Instant? {
    let packed = self[WindowGroup.mark]
    return packed.isEmpty ? nil : PackedReader.read(packed) { Instant(milliseconds: $0.signed()) }
  }

  /// Puts in what a window knows, as far as there is room for it; whether anything is another than before.
  package mutating func put(_ packed: [UInt8], _ number: Int64, now: Instant) -> Bool {
    let known = self[number].count
    let bytes = windows.reduce(packed.count - known) { $0 + $1.packed.count }
    if packed.count <= known || bytes <= Limits.windowBytes {
      self[number] = packed
      return true
    }
    // Once a minute is enough for a row of this size.
    if let missed, now - missed < 60_000 { return false }
    var writer = PackedWriter(capacity: 10)
    writer.signed(now.milliseconds)
    self[WindowGroup.mark] = writer.bytes
    return true
  }

  package var packed: [UInt8] {
    if windows.allSatisfy({ $0.number == WindowGroup.mark }) { return [] }
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
