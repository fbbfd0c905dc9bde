// What the parser found in a head, as offsets from the request's first byte. No text is made here.
//
// Thread: a value. Promise: every range lies inside the head it was parsed from.

package enum Method: UInt8, Sendable {
  case get, head, post, put, patch, delete, options
}

/// One header line: offsets fit 16 bits because a head is at most 64 KB.
struct HeaderField {
  var nameStart: UInt16
  var nameLength: UInt16
  var valueStart: UInt16
  var valueLength: UInt16
}

struct RequestHead {
  var method = Method.get
  /// HTTP/1.1 rather than 1.0.
  var isCurrentVersion = true
  var closes = false
  var keepsAlive = false
  var expectsContinue = false
  var isChunked = false
  var hasHost = false
  var pathStart = 0
  var pathLength = 0
  /// From behind the question mark; empty when there is none.
  var queryStart = 0
  var queryLength = 0
  /// The authority of an absolute-form target.
  var authorityStart = 0
  var authorityLength = 0
  var hostStart = 0
  var hostLength = 0
  /// -1 when the header is absent.
  var contentLength = -1
  var fields: [HeaderField] = []

  /// Whether the connection may carry another request after this one.
  var staysOpen: Bool { isCurrentVersion ? !closes : keepsAlive && !closes }

  mutating func reset() {
    var kept: [HeaderField] = []
    swap(&kept, &fields)
    kept.removeAll(keepingCapacity: true)
    self = RequestHead()
    swap(&kept, &fields)
  }
}
