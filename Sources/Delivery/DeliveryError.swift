// What can be wrong with a destination or a secret before anything is sent.
//
// Thread: a value. Promise: the description is a sentence that names the wrong thing and what would be
// right; it never contains a secret.

package struct DeliveryError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String

  package init(_ description: String) { self.description = description }
}
