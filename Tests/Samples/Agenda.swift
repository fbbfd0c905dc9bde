// What is to happen, in the order of time.
//
// Thread: the owner's. Promise: what is due at the same moment comes in the order in which it was put down.

package import Basics

package struct Agenda<Item> {
  private var heap: [(at: Instant, order: Int, item: Item)] = []
  private var order = 0

  package init() {}

  package var next: Instant? { heap.first?.at }

  package mutating func add(_ item: Item, at time: Instant) {
    order += 1
    heap.append((time, order, item))
    var child = heap.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  package mutating func take() -> Item? {
    guard let first = heap.first else { return nil }
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      let least = [2 * parent + 1, 2 * parent + 2].filter { $0 < heap.count }.min { isBefore($0, $1) }
      guard let least, isBefore(least, parent) else { return first.item }
      heap.swapAt(least, parent)
      parent = least
    }
  }

  private func isBefore(_ one: Int, _ other: Int) -> Bool {
    (heap[one].at, heap[one].order) < (heap[other].at, heap[other].order)
  }
}
