// A value that is handed from the thread that made it to the one thread that will own it.
//
// Thread: `init` on the giving side, `take` once on the receiving side. Promise: it is never on both.

package final class Carried<Value>: @unchecked Sendable {
  private var value: Value?

  /// The giver must not touch the value afterwards; the compiler cannot see that across a whole start.
  package init(_ value: Value) { self.value = value }

  package func take() -> Value {
    guard let value else { preconditionFailure("a carried value is taken once") }
    self.value = nil
    return value
  }
}
