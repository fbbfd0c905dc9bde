// Events that nudged makes itself: emitted by rules, or told about itself. They are native events with
// the source "nudged", so that reading them again from the store is the same path as for all others.
//
// Thread: pure. Promise: the body decodes to the event it was made from.

package import Basics

package enum OwnEvent {
  package static func body(
    _ name: String, _ data: [UInt8], id: String, about reference: SubjectReference, depth: Int,
    allowance: Int = Limits.emittedPerEvent, isTest: Bool = false,
    time: Instant
  ) -> [UInt8] {
    var writer = JSONWriter(capacity: data.count + 128)
    writer.beginObject()
    writer.member("id", id)
    writer.member("name", name)
    writer.member("time", time.milliseconds)
    switch reference.namespace {
    case "user": writer.member("user", reference.id)
    case "anon": writer.member("anonymous", reference.id)
    case "account": writer.member("account", reference.id)
    default: writer.member("thing", reference.description)
    }
    writer.key("data")
    writer.raw(data.isEmpty ? Array("{}".utf8) : data)
    writer.member("depth", Int64(depth))
    writer.member("allowance", Int64(allowance))
    if isTest {
      writer.key("test")
      writer.boolean(true)
    }
    writer.endObject()
    return writer.bytes
  }

  package static func decode(
    _ body: [UInt8], received: Instant, parser: DocumentParser, hash: KeyedHash
  ) -> IncomingEvent? {
    guard let document = try? parser.parse(body),
      let event = try? EventDecoder(source: "nudged").decode(document.root, received: received)
    else { return nil }
    return IncomingEvent(event: event, dedupe: dedupe("nudged", event.id, hash), body: body, ticket: nil)
  }

  /// What makes an event the same event: its source and its id.
  package static func dedupe(_ source: String, _ id: String, _ hash: KeyedHash) -> Hash128 {
    hash.hash(source, 0, id)
  }
}
