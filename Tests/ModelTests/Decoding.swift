// One text through the decoder, as a test wants to write it.
//
// Thread: the test's. Promise: the same text gives the same event or the same refusal.

import Basics
import Model

enum Decoding {
  static let received = Instant(milliseconds: 1_700_000_000_000)

  static func event(
    _ text: String, source: String = "web", call: String? = nil, sent: Instant? = nil
  ) throws -> Event {
    let document = try Document.parse(text)
    return try EventDecoder(source: source).decode(document.root, received: received, fallbackType: call, sent: sent)
  }

  /// The refusal of a text that must be refused.
  static func refusal(_ text: String, source: String = "web", call: String? = nil) -> EventRefusal? {
    do {
      _ = try event(text, source: source, call: call)
      return nil
    } catch {
      return error as? EventRefusal
    }
  }
}
