// Texts that come again and again, such as event names: each is made once and shared from then on.
//
// Thread: its owner's. Promise: bounded; when it is full it begins anew, which costs time and nothing
// else, so that a sender of endless new names cannot fill the memory.

internal import Glibc

package final class TextTable {
  private var texts: [String] = []
  private var slots: [Int32]
  private let mask: Int

  /// `capacity` texts at most.
  package init(capacity: Int = 1_024) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    mask = size - 1
  }

  package func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    if bytes.isEmpty { return "" }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    var place = Int(truncatingIfNeeded: hash >> 20) & mask
    while slots[place] >= 0 {
      var known = texts[Int(slots[place])]
      if known.utf8.count == bytes.count,
        known.withUTF8({ memcmp($0.baseAddress!, bytes.baseAddress!, bytes.count) == 0 })
      {
        return known
      }
      place = (place + 1) & mask
    }
    if texts.count * 2 > mask {
      texts.removeAll(keepingCapacity: true)
      for slot in slots.indices { slots[slot] = -1 }
      place = Int(truncatingIfNeeded: hash >> 20) & mask
    }
    let made = String(decoding: bytes, as: UTF8.self)
    slots[place] = Int32(texts.count)
    texts.append(made)
    return made
  }
}
