// What a run gets to read of its call: the last try as a JSON table.
//
// Thread: pure. Promise: the same try gives the same bytes; `unknown` is true whenever the request may
// have been acted on although no answer says so.

internal import Basics
internal import Model

enum CallReply {
  static func json(_ attempt: Attempt) -> [UInt8] {
    let ok = attempt.settlement == .delivered
    var writer = JSONWriter(capacity: 96 + attempt.response.count)
    writer.beginObject()
    writer.key("ok")
    writer.boolean(ok)
    if attempt.status > 0 { writer.member("status", Int64(attempt.status)) }
    if !attempt.replyHeaders.isEmpty {
      writer.key("headers")
      writer.beginObject()
      for header in attempt.replyHeaders { writer.member(header.name, header.value) }
      writer.endObject()
    }
    if !attempt.response.isEmpty {
      writer.key("body")
      writer.raw(body(attempt.response))
    }
    if !ok {
      writer.member("error", attempt.message.isEmpty ? attempt.outcome.word : attempt.message)
      writer.key("unknown")
      writer.boolean(mayHaveActed(attempt))
    }
    writer.endObject()
    return writer.bytes
  }

  /// JSON as it is; anything else as a text.
  private static func body(_ response: [UInt8]) -> [UInt8] {
    if response.count <= Limits.callReplyBytes, (try? Document.parse(response)) != nil { return response }
    var writer = JSONWriter(capacity: response.count + 8)
    writer.string(String(decoding: response.prefix(Limits.callReplyBytes), as: UTF8.self))
    return writer.bytes
  }

  private static func mayHaveActed(_ attempt: Attempt) -> Bool {
    switch attempt.outcome {
    case .timeout, .reset, .other: true
    // A server that fails may have acted before it did; one that is not there now has not.
    case .status: attempt.status >= 500 && attempt.status != 503
    case .delivered, .refused, .dns, .tls, .blocked, .expired, .noDestination, .cancelled, .shadow, .heldOut: false
    }
  }
}
