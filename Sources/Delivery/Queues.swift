// The two queues of the delivery loop: a ring that grows, first in first out, and a heap of moments.
//
// Thread: values. Promise: both cost no allocation once they have grown to their size.

struct Ring<Element> {
  private var slots: [Element?] = Array(repeating: nil, count: 8)
  private var head = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ element: Element) {
    if count == slots.count { grow() }
    slots[(head + count) & (slots.count - 1)] = element
    count += 1
  }

  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = slots[head]
    slots[head] = nil
    head = (head + 1) & (slots.count - 1)
    count -= 1
    return element
  }

  /// Puts an element that was just taken back to the front.
  mutating func putBack(_ element: Element) {
    if count == slots.count { grow() }
    head = (head + slots.count - 1) & (slots.count - 1)
    slots[head] = element
    count += 1
  }

  mutating func popLast() -> Element? {
    guard count > 0 else { return nil }
    let position = (head + count - 1) & (slots.count - 1)
    let element = slots[position]
    slots[position] = nil
    count -= 1
    return element
  }

  // The number of slots stays a power of two, so that a mask replaces the division.
  private mutating func grow() {
    var larger: [Element?] = []
    larger.reserveCapacity(slots.count * 2)
    for offset in 0..<count { larger.append(slots[(head + offset) & (slots.count - 1)]) }
    larger.append(contentsOf: Array(repeating: nil, count: slots.count * 2 - count))
    slots = larger
    head = 0
  }
}

/// Entries by the moment they are due; equal moments come out by entry, so that order never depends on
/// how the heap happens to lie.
struct DueHeap: Sendable {
  private struct Item: Sendable {
    var due: Int64
    var order: Int64
    var entry: Int
    @inline(__always)
    func isBefore(_ other: Item) -> Bool { due != other.due ? due < other.due : order < other.order }
  }
  private var items: [Item] = []

  var count: Int { items.count }
  var firstDue: Int64? { items.first?.due }

  mutating func insert(_ entry: Int, order: Int64, due: Int64) {
    items.append(Item(due: due, order: order, entry: entry))
    var child = items.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard items[child].isBefore(items[parent]) else { break }
      items.swapAt(child, parent)
      child = parent
    }
  }

  mutating func popDue(at now: Int64) -> Int? {
    guard let first = items.first, first.due <= now else { return nil }
    removeFirst()
    return first.entry
  }

  private mutating func removeFirst() {
    let last = items.removeLast()
    guard !items.isEmpty else { return }
    items[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < items.count {
        if items[child].isBefore(items[least]) { least = child }
      }
      if least == parent { return }
      items.swapAt(parent, least)
      parent = least
    }
  }

  /// Takes out every entry that `matches` and returns them; rebuilds, so it is for rare occasions.
  mutating func remove(where matches: (Int) -> Bool) -> [Int] {
    let old = items
    items = []
    var removed: [Int] = []
    for item in old {
      if matches(item.entry) {
        removed.append(item.entry)
      } else {
        insert(item.entry, order: item.order, due: item.due)
      }
    }
    return removed
  }
}

extension Ring: Sendable where Element: Sendable {}
