// Every reason for which the door itself turns a request away, with the status and the sentence that
// the sender reads. After a refusal the connection is closed: where one request ended wrongly, nobody
// knows where the next one begins.
//
// Thread: values and constants. Promise: each refusal has exactly one status and one code, and its
// answer is encoded once.

package enum Refusal: UInt8, Sendable, CaseIterable {
  case badRequestLine, badMethod, unknownMethod, badTarget, targetTooLong, badVersion, unknownVersion
  case bareLineFeed, badCharacter, foldedHeader, badHeaderName, headTooLarge, tooManyHeaders
  case noHost, severalHosts, badHost
  case badLength, severalLengths, lengthAndEncoding, severalEncodings, unknownEncoding, encodingInOldVersion
  case unknownExpectation, badChunk, bodyTooLarge
  case headTooSlow, bodyTooSlow
  case tooManyConnections, tooManyFromAddress, outOfMemory

  package var status: Int {
    switch self {
    case .targetTooLong: 414
    case .headTooLarge, .tooManyHeaders: 431
    case .unknownMethod, .unknownEncoding: 501
    case .unknownVersion: 505
    case .unknownExpectation: 417
    case .bodyTooLarge: 413
    case .headTooSlow, .bodyTooSlow: 408
    case .tooManyFromAddress: 429
    case .tooManyConnections, .outOfMemory: 503
    default: 400
    }
  }

  package var code: StaticString {
    switch self {
    case .badRequestLine: "bad_request_line"
    case .badMethod: "bad_method"
    case .unknownMethod: "unknown_method"
    case .badTarget: "bad_target"
    case .targetTooLong: "target_too_long"
    case .badVersion: "bad_version"
    case .unknownVersion: "unknown_version"
    case .bareLineFeed: "bare_line_feed"
    case .badCharacter: "bad_character"
    case .foldedHeader: "folded_header"
    case .badHeaderName: "bad_header_name"
    case .headTooLarge: "head_too_large"
    case .tooManyHeaders: "too_many_headers"
    case .noHost: "no_host"
    case .severalHosts: "several_hosts"
    case .badHost: "bad_host"
    case .badLength: "bad_length"
    case .severalLengths: "several_lengths"
    case .lengthAndEncoding: "length_and_encoding"
    case .severalEncodings: "several_encodings"
    case .unknownEncoding: "unknown_encoding"
    case .encodingInOldVersion: "encoding_in_old_version"
    case .unknownExpectation: "unknown_expectation"
    case .badChunk: "bad_chunk"
    case .bodyTooLarge: "body_too_large"
    case .headTooSlow: "head_too_slow"
    case .bodyTooSlow: "body_too_slow"
    case .tooManyConnections: "too_many_connections"
    case .tooManyFromAddress: "too_many_from_address"
    case .outOfMemory: "busy"
    }
  }

  package var sentence: StaticString {
    switch self {
    case .badRequestLine: "The first line must be a method, a target and HTTP/1.1, with one space between them."
    case .badMethod: "A method is made of capital letters, for example POST."
    case .unknownMethod: "This server knows GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS."
    case .badTarget: "The target must be a path that starts with a slash; encode other characters as %XX."
    case .targetTooLong: "The target is too long."
    case .badVersion: "The protocol version is not written as HTTP/1.1."
    case .unknownVersion: "This server speaks HTTP/1.1 and HTTP/1.0."
    case .bareLineFeed: "Lines end with carriage return and line feed; one of the two came alone."
    case .badCharacter: "The head of the request holds a control character."
    case .foldedHeader: "A header is continued on a second line; write it on one."
    case .badHeaderName: "A header line must be a name, a colon directly after it, and a value."
    case .headTooLarge: "The head of the request is too large."
    case .tooManyHeaders: "The request has too many headers."
    case .noHost: "HTTP/1.1 requires a Host header."
    case .severalHosts: "There is more than one Host header."
    case .badHost: "The Host header is not a host name, with or without a port, or contradicts the target."
    case .badLength: "Content-Length is not a plain decimal number."
    case .severalLengths: "There is more than one Content-Length."
    case .lengthAndEncoding: "Content-Length and Transfer-Encoding exclude each other."
    case .severalEncodings: "There is more than one Transfer-Encoding header."
    case .unknownEncoding: "The only Transfer-Encoding this server knows is chunked; compress with Content-Encoding."
    case .encodingInOldVersion: "HTTP/1.0 has no Transfer-Encoding."
    case .unknownExpectation: "The only expectation this server knows is 100-continue."
    case .badChunk: "The chunked body is malformed."
    case .bodyTooLarge: "The body is larger than this path allows; send fewer events at a time."
    case .headTooSlow: "The head of the request took too long to arrive."
    case .bodyTooSlow: "The body of the request took too long to arrive."
    case .tooManyConnections: "The server holds as many connections as it may; try again later."
    case .tooManyFromAddress: "There are too many connections from this address; use fewer and keep them open."
    case .outOfMemory: "The server holds as many unfinished requests as it may; try again later."
    }
  }

  package var answer: Answer { Refusal.answers[Int(rawValue)] }

  private static let answers: [Answer] = Refusal.allCases.map { refusal in
    let again = refusal.status == 503 || refusal.status == 429 ? [("Retry-After", "1")] : []
    return Answer(
      status: refusal.status, code: refusal.code.description, message: refusal.sentence.description,
      headers: again, closes: true)
  }
}
