// From what a rule sends to the bytes a destination gets: its shape, its transform, and which types it takes.
//
// Thread: the lane's. Promise: the bytes are made once, when the effect is decided, and never again; what
// is not sent has a reason.

internal import Basics
internal import Model
internal import Rules

/// Why a message is not sent.
struct Unsent: Error {
  var code: VerdictCode
  var reason: String
}

enum MessageShape {
  /// As `shape` makes it, when a destination may get so much.
  static func make(
    for destination: Destination?, _ type: String, _ data: [UInt8], id: String, _ now: Instant,
    subject: SubjectReference?, isTest: Bool, parser: DocumentParser, runtime: RuleRuntime
  ) throws(Unsent) -> (body: [UInt8], request: String) {
    let made = try shape(
      for: destination, type, data, id: id, now, subject: subject, isTest: isTest, parser: parser, runtime: runtime)
    guard made.body.count <= Limits.deliveryBodyBytes else {
      throw Unsent(
        code: .failed,
        reason: "its body would take \(made.body.count) bytes, \(Limits.deliveryBodyBytes) are allowed; nothing is sent"
      )
    }
    return made
  }

  private static func shape(
    for destination: Destination?, _ type: String, _ data: [UInt8], id: String, _ now: Instant,
    subject: SubjectReference?, isTest: Bool, parser: DocumentParser, runtime: RuleRuntime
  ) throws(Unsent) -> (body: [UInt8], request: String) {
    guard let destination else { return (standard(type, data, now), "") }
    guard destination.isTest == isTest else {
      throw Unsent(
        code: .skipped,
        reason: isTest
          ? "a test event reaches only destinations with test = true"
          : "it is a test destination and takes test events only")
    }
    guard destination.takes(type) else {
      throw Unsent(code: .skipped, reason: "the destination does not take this type (types)")
    }
    var data = data
    var request = ""
    if !destination.transform.isEmpty {
      (data, request) = try transform(destination, type, data, id: id, now, subject, parser, runtime)
    }
    switch destination.shape {
    case .standard: return (standard(type, data, now), request)
    case .bare: return (data, request)
    case .form: return (form(data, parser), request)
    case .segment: return (segment(type, data, id: id, now, subject), request)
    }
  }

  private static func standard(_ type: String, _ data: [UInt8], _ now: Instant) -> [UInt8] {
    var writer = JSONWriter(capacity: data.count + 96)
    writer.beginObject()
    writer.member("type", type)
    writer.member("timestamp", ISO8601.format(now))
    writer.key("data")
    writer.raw(data)
    writer.endObject()
    return writer.bytes
  }

  /// As Segment's HTTP API takes a track call; the webhook's id is what it tells repeats by.
  private static func segment(
    _ type: String, _ data: [UInt8], id: String, _ now: Instant, _ subject: SubjectReference?
  ) -> [UInt8] {
    var writer = JSONWriter(capacity: data.count + 160)
    writer.beginObject()
    writer.member(subject?.namespace == "anon" ? "anonymousId" : "userId", subject?.id ?? "")
    writer.member("event", type)
    writer.key("properties")
    writer.raw(data)
    writer.member("timestamp", ISO8601.format(now))
    writer.member("messageId", id)
    writer.endObject()
    return writer.bytes
  }

  // MARK: forms

  /// Tables inside tables get brackets: customer[name]=Ada&items[0]=1. Null is left out.
  static func form(_ data: [UInt8], _ parser: DocumentParser) -> [UInt8] {
    guard let document = try? parser.parse(data) else { return [] }
    var out: [UInt8] = []
    for (key, value) in document.root.members { append(escape(key), value, to: &out) }
    return out
  }

  private static func append(_ name: String, _ value: JSONCursor, to out: inout [UInt8]) {
    switch value.kind {
    case .null: return
    case .object: for (key, inner) in value.members { append("\(name)[\(escape(key))]", inner, to: &out) }
    case .array:
      for (position, inner) in value.elements.enumerated() { append("\(name)[\(position)]", inner, to: &out) }
    default:
      if !out.isEmpty { out.append(UInt8(ascii: "&")) }
      out += "\(name)=\(escape(value.string ?? String(decoding: value.text, as: UTF8.self)))".utf8
    }
  }

  private static func escape(_ text: String) -> String {
    var out = ""
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.unicodeScalars.append(UnicodeScalar(byte))
      default: out += "%" + Hex.encode([byte]).uppercased()
      }
    }
    return out
  }

  // MARK: transforms

  private static func transform(
    _ destination: Destination, _ type: String, _ data: [UInt8], id: String, _ now: Instant,
    _ subject: SubjectReference?, _ parser: DocumentParser, _ runtime: RuleRuntime
  ) throws(Unsent) -> (data: [UInt8], request: String) {
    var message = JSONWriter(capacity: data.count + 128)
    message.beginObject()
    message.member("id", id)
    message.member("type", type)
    message.member("time", now.milliseconds)
    message.member("subject", subject?.description ?? "")
    message.key("data")
    message.raw(data)
    message.endObject()
    let made: [UInt8]?
    do throws(RuleComplaint) {
      guard let document = try? parser.parse(message.bytes) else { return (data, "") }
      made = try runtime.transform(library: destination.transform, document)
    } catch {
      // What it returned has no line.
      let place = error.file.isEmpty ? destination.transform : "\(error.file):\(error.line)"
      throw Unsent(code: .failed, reason: "its transform \(place): \(error.message)")
    }
    guard let made, let table = try? parser.parse(made).root else {
      throw Unsent(code: .skipped, reason: "its transform returned nil: nothing is sent")
    }
    return try read(table, destination)
  }

  private static let known = ["data", "path", "method"]

  private static func read(
    _ table: JSONCursor, _ destination: Destination
  ) throws(Unsent) -> (data: [UInt8], request: String) {
    func wrong(_ what: String) -> Unsent {
      Unsent(code: .failed, reason: "its transform \(destination.transform): \(what)")
    }
    for (key, _) in table.members where !known.contains(key) {
      throw wrong(
        "unknown field '\(key)'\(Suggestion.ending(for: key, among: known)); it returns data, path and method")
    }
    guard let data = table["data"], data.kind == .object else { throw wrong("it must return { data = { … } }") }
    let method = table["method"]?.string ?? destination.method
    guard Destination.methods.contains(method) else {
      throw wrong("'method' must be one of \(Destination.methods.joined(separator: ", "))")
    }
    guard let given = table["path"] else { return (data.text, method == destination.method ? "" : method + " ") }
    guard let path = given.string, isPath(path) else {
      throw wrong(
        "'path' must begin with one /, of plain letters without blanks, '#' and '\\', and no step of it may be '..', such as \"/v1/invoices/in_1/pay\""
      )
    }
    return (data.text, method + " " + path)
  }

  /// Nothing in it may change the host, climb out of where it begins, or end the line; what the data holds is
  /// not trusted.
  private static func isPath(_ path: String) -> Bool {
    guard path.hasPrefix("/"), !path.hasPrefix("//"), path.utf8.count <= 2_000,
      path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x23 && $0 != 0x5C })
    else { return false }
    let steps = path.prefix { $0 != "?" }.split(separator: "/", omittingEmptySubsequences: false)
    return !steps.contains { [".", ".."].contains($0.lowercased().replacing("%2e", with: ".")) }
  }
}
