// What goes back to a client: encoded where it is made, so that the intake thread only copies it. The
// head is kept apart from the body by one index, because the loop adds what only it knows: whether the
// connection stays open.
//
// Thread: an immutable value, made on any thread. Promise: the bytes are one well-formed HTTP answer;
// no header value can smuggle a line break into it.

internal import Basics

package struct Answer: Sendable {
  package let status: Int
  /// Ask the client to open a new connection.
  package let closes: Bool
  /// The head without its empty line, the empty line, the body.
  let bytes: [UInt8]
  let headLength: Int

  package init(
    status: Int, contentType: StaticString = "application/json", body: [UInt8],
    headers: [(String, String)] = [], closes: Bool = false
  ) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(160 + body.count)
    Answer.appendHead(status, contentType, headers, to: &bytes)
    let hasBody = Answer.allowsBody(status)
    if hasBody {
      bytes += "Content-Length: ".utf8
      Answer.append(body.count, to: &bytes)
      bytes += "\r\n".utf8
    }
    headLength = bytes.count
    bytes += "\r\n".utf8
    if hasBody { bytes += body }
    self.status = status
    self.closes = closes
    self.bytes = bytes
  }

  /// A failure as every client of the house reads it: a code for programs, a sentence for people.
  package init(
    status: Int, code: String, message: String, headers: [(String, String)] = [], closes: Bool = false
  ) {
    let body = JSONValue.object([.init("code", .string(code)), .init("message", .string(message))])
    self.init(status: status, body: body.text, headers: headers, closes: closes)
  }

  /// The head of a streaming answer; how its end is marked depends on the client's version.
  package init(
    streamStatus status: Int, contentType: StaticString, headers: [(String, String)] = [], closes: Bool = false
  ) {
    var bytes: [UInt8] = []
    Answer.appendHead(status, contentType, headers, to: &bytes)
    headLength = bytes.count
    bytes += "\r\n".utf8
    self.status = status
    self.closes = closes
    self.bytes = bytes
  }

  private static func appendHead(
    _ status: Int, _ contentType: StaticString, _ headers: [(String, String)], to bytes: inout [UInt8]
  ) {
    bytes += "HTTP/1.1 ".utf8
    append(status, to: &bytes)
    bytes.append(0x20)
    append(reason(status), to: &bytes)
    bytes += "\r\n".utf8
    if allowsBody(status) {
      bytes += "Content-Type: ".utf8
      append(contentType, to: &bytes)
      bytes += "\r\n".utf8
    }
    for (name, value) in headers {
      bytes += name.utf8.lazy.filter { ByteSet.token.contains($0) }
      bytes += ": ".utf8
      bytes += value.utf8.lazy.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }
      bytes += "\r\n".utf8
    }
  }

  private static func allowsBody(_ status: Int) -> Bool { status != 204 && status != 304 && status >= 200 }

  private static func append(_ text: StaticString, to bytes: inout [UInt8]) {
    bytes += UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  }

  private static func append(_ number: Int, to bytes: inout [UInt8]) {
    if number >= 10 { append(number / 10, to: &bytes) }
    bytes.append(UInt8(0x30 + number % 10))
  }

  private static func reason(_ status: Int) -> StaticString {
    switch status {
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 422: "Unprocessable Content"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    default: "Status"
    }
  }
}
