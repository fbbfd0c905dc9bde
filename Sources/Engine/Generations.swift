// Caches in two generations: what is used moves to the young one; when that is full, it becomes the
// old one and what was old goes. Bounded, no lists, no clock, and no allocation an entry: what many
// small objects would cost in memory and in waiting for it is the price of a lane.
//
// Thread: its owner's. Promise: an entry survives at least `capacity` uses of other entries, which is
// what lets lanes keep undecided changes in such a cache: fewer are ever under way.

internal import Basics
internal import Model
internal import Store

/// Subjects as their lane knows them, packed.
struct SubjectCache {
  private var young = FlatTable()
  private var old = FlatTable()
  private var writer = PackedWriter(capacity: 512)
  private var scratch = PackedWriter(capacity: 512)
  private let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  func find(_ subject: Int64) -> SubjectCell? {
    guard let packed = young.look(subject, 0)?.value ?? old.look(subject, 0)?.value else { return nil }
    return SubjectCell(subject: subject, packed: packed)
  }

  /// Makes what `find` will read come near; see `FlatTable.touch`.
  func touch(_ subjects: [(first: Int64, second: Int64)]) -> Int { young.touch(subjects) }

  /// To be called whenever a cell may have changed.
  mutating func keep(_ cell: SubjectCell) {
    writer.bytes.removeAll(keepingCapacity: true)
    cell.pack(into: &writer, &scratch)
    let isHeavy =
      young.count >= Limits.largeSubjectsInMemory && young.valueBytes >= Limits.subjectGenerationBytes
    if young.count >= capacity || isHeavy {
      old = young
      young = FlatTable()
    }
    young.set(cell.subject, 0, record: 1, writer.bytes[...])
  }
}

/// Identities: hashes to numbers.
struct NumberCache {
  private struct Slot {
    var key = Hash128(high: 0, low: 0)
    /// 0: the slot is free.
    var number: Int64 = 0
  }
  private struct Half {
    var slots: [Slot]
    var count = 0

    func touch(_ keys: [Hash128]) -> Int {
      var sum = 0
      for key in keys { sum &+= Int(slots[Int(truncatingIfNeeded: key.low) & (slots.count - 1)].number) }
      return sum
    }

    func find(_ key: Hash128) -> Int64? {
      var place = Int(truncatingIfNeeded: key.low) & (slots.count - 1)
      while slots[place].number != 0 {
        if slots[place].key.low == key.low, slots[place].key.high == key.high { return slots[place].number }
        place = (place + 1) & (slots.count - 1)
      }
      return nil
    }

    mutating func set(_ key: Hash128, _ number: Int64) {
      var place = Int(truncatingIfNeeded: key.low) & (slots.count - 1)
      while slots[place].number != 0, slots[place].key.low != key.low || slots[place].key.high != key.high {
        place = (place + 1) & (slots.count - 1)
      }
      if slots[place].number == 0 { count += 1 }
      slots[place] = Slot(key: key, number: number)
    }

    mutating func grow() {
      var larger = Half(slots: Array(repeating: Slot(), count: slots.count * 2))
      for slot in slots where slot.number != 0 { larger.set(slot.key, slot.number) }
      self = larger
    }
  }
  private var young = Half(slots: Array(repeating: Slot(), count: 1_024))
  private var old = Half(slots: Array(repeating: Slot(), count: 1_024))
  private let capacity: Int
  /// Nothing exists that is not in here; so what is not found need not be looked for elsewhere.
  private(set) var isWhole = false

  init(capacity: Int) { self.capacity = capacity }

  /// To be called when everything that exists was inserted.
  mutating func becomeWhole() { isWhole = old.count == 0 }

  /// Makes what `find` will read come near; see `FlatTable.touch`.
  func touch(_ keys: [Hash128]) -> Int { young.touch(keys) }

  mutating func find(_ key: Hash128) -> Int64? {
    if let number = young.find(key) { return number }
    guard let number = old.find(key) else { return nil }
    insert(key, number)
    return number
  }

  /// `number` is never 0.
  mutating func insert(_ key: Hash128, _ number: Int64) {
    if young.count >= capacity {
      if old.count > 0 { isWhole = false }
      old = young
      young = Half(slots: Array(repeating: Slot(), count: 1_024))
    } else if young.count * 4 >= young.slots.count * 3 {
      young.grow()
    }
    young.set(key, number)
  }
}
