// A number that many threads read and raise.
//
// Thread: any. Promise: `next` gives each number once.

internal import Synchronization

package final class Counter: Sendable {
  private let number: Atomic<Int64>

  package init(_ start: Int64 = 0) { number = Atomic(start) }

  package var value: Int64 { number.load(ordering: .relaxed) }
  package func add(_ amount: Int64) { number.add(amount, ordering: .relaxed) }
  package func set(_ value: Int64) { number.store(value, ordering: .relaxed) }
  /// The number after raising it by one.
  package func next() -> Int64 { number.add(1, ordering: .relaxed).newValue }
}
