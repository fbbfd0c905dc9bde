// A hash table of rows with all values in one stretch of bytes: no allocation a row, one cache line a
// look. It is what makes the write-behind set cheap to fill and to empty at hundreds of thousands of
// rows a second.
//
// Thread: its owner's. Promise: a key is there once; what was removed leaves no trace that slows the
// rest down; the bytes of old values are reclaimed before they outweigh the living.

package struct FlatTable {
  private struct Slot {
    var first: Int64 = 0
    var second: Int64 = 0
    /// 0: the slot is free. Negative: the row is not in its table yet and never was.
    var record: Int64 = 0
    var offset: UInt32 = 0
    var length: UInt32 = 0
  }
  /// Values of fewer bytes are not worth packing anew.
  private static let compactFrom = 1 << 12
  /// Values of more bytes get room by the quarter: doubling would leave half of a large table's memory unused.
  private static let quarterFrom = 1 << 16
  /// The length of a row that was deleted.
  private static let tombstone = UInt32.max

  private var slots: [Slot] = []
  package private(set) var count = 0

  package init() {}

  private var values: [UInt8] = []
  /// What the values take, the dead ones included.
  package var valueBytes: Int { values.count }
  /// What living values take, with the room that each has to grow: no more than what is left when all is packed anew.
  private var living = 0
  /// What it takes of memory.
  package var bytes: Int { slots.count * MemoryLayout<Slot>.stride + values.capacity }

  private func home(_ first: Int64, _ second: Int64) -> Int {
    let mixed = UInt64(bitPattern: first) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(bitPattern: second) &* 0xC2B2_AE3D_27D4_EB4F
    // Any size will do, not only powers of two: a large table grows by half and not to twice its memory.
    return Int(truncatingIfNeeded: (mixed &* 0x9FB2_1C65_1E98_DF25).multipliedFullWidth(by: UInt64(slots.count)).high)
  }

  @inline(__always)
  private func following(_ place: Int) -> Int { place + 1 == slots.count ? 0 : place + 1 }

  private func find(_ first: Int64, _ second: Int64) -> Int? {
    if count == 0 { return nil }
    var place = home(first, second)
    while slots[place].record != 0 {
      if slots[place].first == first, slots[place].second == second { return place }
      place = following(place)
    }
    return nil
  }

  /// Reads where the rows of these keys begin, so that their memory is near when it is wanted: looks with
  /// work between them wait for memory each, looks in a row wait for it together. The result means nothing.
  package func touch(_ keys: [(first: Int64, second: Int64)]) -> Int {
    if count == 0 { return 0 }
    var sum = 0
    for key in keys {
      let slot = slots[home(key.first, key.second)]
      if slot.length < FlatTable.tombstone, Int(slot.offset) < values.count { sum &+= Int(values[Int(slot.offset)]) }
    }
    return sum
  }

  /// The record and the value; nil inside for a deleted row.
  package func look(_ first: Int64, _ second: Int64) -> (record: Int64, value: [UInt8]?)? {
    guard let place = find(first, second) else { return nil }
    return (abs(slots[place].record), value(of: slots[place]))
  }

  private func value(of slot: Slot) -> [UInt8]? {
    if slot.length == FlatTable.tombstone { return nil }
    return Array(values[Int(slot.offset)..<Int(slot.offset) + Int(slot.length)])
  }

  /// `value` nil marks the row as deleted; one that never reached its table just goes.
  package mutating func set(
    _ first: Int64, _ second: Int64, record: Int64, _ value: ArraySlice<UInt8>?, isNew: Bool = false
  ) {
    if (count + 1) * 5 > slots.count * 4 { grow() }
    var place = home(first, second)
    while slots[place].record != 0, slots[place].first != first || slots[place].second != second {
      place = following(place)
    }
    var slot = slots[place]
    let isFresh = slot.record < 0 || (slot.record == 0 && isNew)
    if slot.record == 0 {
      count += 1
      slot.first = first
      slot.second = second
      slot.length = FlatTable.tombstone
    }
    if value == nil, slot.record < 0 { return remove(at: place) }
    slot.record = isFresh ? -record : record
    store(value, in: &slot)
    slots[place] = slot
    compactIfWorthIt()
  }

  private mutating func store(_ value: ArraySlice<UInt8>?, in slot: inout Slot) {
    let room = FlatTable.room(of: slot)
    living -= room
    guard let value else {
      slot.length = FlatTable.tombstone
      // Where its value was there may be nothing any more when it gets another one.
      slot.offset = 0
      return
    }
    living += FlatTable.rounded(value.count)
    if value.count <= room {
      values.replaceSubrange(Int(slot.offset)..<Int(slot.offset) + value.count, with: value)
    } else {
      slot.offset = UInt32(values.count)
      append(value)
    }
    slot.length = UInt32(value.count)
  }

  /// A little room to grow in place: counters get longer one digit at a time.
  private static func rounded(_ count: Int) -> Int { (count + 15) & ~15 }

  private static func room(of slot: Slot) -> Int {
    slot.length == FlatTable.tombstone ? 0 : FlatTable.rounded(Int(slot.length))
  }

  private mutating func append(_ value: ArraySlice<UInt8>) {
    let room = FlatTable.rounded(value.count)
    if values.count + room > values.capacity, values.capacity > FlatTable.quarterFrom {
      values.reserveCapacity(values.capacity + values.capacity / 4)
    }
    values.append(contentsOf: value)
    for _ in value.count..<room { values.append(0) }
  }

  /// Removes the row if it is still of this record.
  package mutating func remove(_ first: Int64, _ second: Int64, ifRecord record: Int64) {
    guard let place = find(first, second), abs(slots[place].record) == record else { return }
    remove(at: place)
  }

  /// Steps from one place forward to another.
  private func distance(_ from: Int, _ to: Int) -> Int { to >= from ? to - from : to - from + slots.count }

  private mutating func remove(at place: Int) {
    var hole = place
    living -= FlatTable.room(of: slots[hole])
    count -= 1
    // The rows behind move up into the hole, so that no marks of removed rows are ever needed.
    var next = hole
    while true {
      next = following(next)
      guard slots[next].record != 0 else { break }
      let wanted = home(slots[next].first, slots[next].second)
      if distance(wanted, next) >= distance(hole, next) {
        slots[hole] = slots[next]
        hole = next
      }
    }
    slots[hole] = Slot()
    shrink()
  }

  /// A table that was large for a while gives its memory back as it empties. Below a sixth it is made half as
  /// large, so that it is still far from growing again and the work is paid for by what was removed.
  private mutating func shrink() {
    if count == 0, slots.count > FlatTable.smallest || values.capacity > FlatTable.compactFrom {
      self = FlatTable()
      return
    }
    if slots.count > FlatTable.smallest, count * 6 < slots.count { resize(to: slots.count / 2) }
    compactIfWorthIt()
  }
  /// What is smaller than this stays as it is: many tables are filled and emptied all the time. There are hundreds,
  /// and what all of them keep must be little beside what the set may take.
  private static let smallest = 64

  /// Every row: key, record, whether it is deleted.
  func visit(_ body: (_ first: Int64, _ second: Int64) -> Void) {
    for slot in slots where slot.record != 0 { body(slot.first, slot.second) }
  }

  private mutating func grow() {
    resize(to: max(16, slots.count < 32_768 ? slots.count * 2 : slots.count * 3 / 2))
  }

  private mutating func resize(to size: Int) {
    let old = slots
    slots = Array(repeating: Slot(), count: size)
    for slot in old where slot.record != 0 {
      var place = home(slot.first, slot.second)
      while slots[place].record != 0 { place = following(place) }
      slots[place] = slot
    }
  }

  /// A third of it has died since it was packed last, so that the work is paid for by what was changed.
  private mutating func compactIfWorthIt() {
    if values.count > FlatTable.compactFrom, values.count > living * 3 / 2 { compact() }
  }

  private mutating func compact() {
    var packed: [UInt8] = []
    packed.reserveCapacity(living * 5 / 4)
    for place in slots.indices where slots[place].record != 0 && slots[place].length != FlatTable.tombstone {
      let start = Int(slots[place].offset)
      let length = Int(slots[place].length)
      slots[place].offset = UInt32(packed.count)
      packed.append(contentsOf: values[start..<start + length])
      for _ in length..<FlatTable.rounded(length) { packed.append(0) }
    }
    values = packed
  }
}
