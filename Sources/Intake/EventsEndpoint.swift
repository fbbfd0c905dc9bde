// POST /v1/events and its Segment-shaped sisters: from a body to events with a ticket.
//
// Thread: intake. Promise: an item that cannot be taken is refused alone, with its place and a
// sentence; what is taken is answered when it is on disk, and not before.

internal import Basics
package import Model

/// What became of a body.
enum Reading {
  case events([IncomingEvent], Ticket)
  case refused(Answer)
}

struct EventsEndpoint {
  private let parser: DocumentParser
  private let hash: KeyedHash
  private var random = SystemRandom()
  private(set) var withoutID: Int64 = 0

  init(hashKey: (UInt64, UInt64)) {
    parser = DocumentParser(maximumBytes: Limits.inflatedBodyBytes, maximumDepth: Limits.jsonDepth)
    hash = KeyedHash(key0: hashKey.0, key1: hashKey.1)
  }

  /// `call` is the Segment call of the path, such as "track"; nil on /v1/events.
  mutating func read(
    _ body: UnsafeRawBufferPointer, call: String?, caller: Caller, token: AnswerToken, received: Instant
  ) -> Reading {
    do throws(JSONError) {
      let document = try parser.parse(body)
      return read(document, body, call: call, caller: caller, token: token, received: received)
    } catch {
      if error.code == .invalid, let lines = EventsEndpoint.lines(body) {
        return read(lines: lines, call: call, caller: caller, token: token, received: received)
      }
      let hint =
        error.code == .empty ? "send an event such as {\"name\": \"signup\", \"user\": \"42\"}" : "check the body"
      return .refused(Answer(status: 400, code: "invalid_json", message: "\(error); \(hint)"))
    }
  }

  private mutating func read(
    _ document: Document, _ body: UnsafeRawBufferPointer, call: String?, caller: Caller, token: AnswerToken,
    received: Instant
  ) -> Reading {
    let root = document.root
    if root.kind == .object, root["batch"] == nil || call == nil && root["name"] != nil {
      return single(root, Array(body), call: call, caller: caller, token: token, received: received)
    }
    let list = root.kind == .array ? root : root["batch"] ?? root
    guard list.kind == .array else {
      return .refused(
        Answer(
          status: 400, code: "not_an_event",
          message: "send one event as a JSON object, several as an array or one a line"))
    }
    let items = list.elements.map { (item: $0, text: $0.text) }
    let sent = root.kind == .object ? root["sentAt"]?.instant : nil
    return several(items.map { .success($0) }, call: call, caller: caller, token: token, received: received, sent: sent)
  }

  // MARK: one

  private mutating func single(
    _ item: JSONCursor, _ text: [UInt8], call: String?, caller: Caller, token: AnswerToken, received: Instant
  ) -> Reading {
    do throws(EventRefusal) {
      let event = try decode(item, text.count, call: call, caller: caller, received: received, sent: nil)
      let ticket = Ticket(request: token.numbers, accepted: 1, refusals: [])
      let incoming = finish(event, text: text, call: call, sent: nil, ticket: ticket)
      return .events([incoming], ticket)
    } catch {
      return .refused(Answer(status: 400, code: error.code, message: error.message))
    }
  }

  private func decode(
    _ item: JSONCursor, _ bytes: Int, call: String?, caller: Caller, received: Instant, sent: Instant?
  ) throws(EventRefusal) -> Event {
    guard bytes <= Limits.eventBytes else {
      throw EventRefusal("too_large", "the event has \(bytes) bytes; at most \(Limits.eventBytes) are taken")
    }
    return try EventDecoder(source: caller.source).decode(
      item, received: received, fallbackType: call, sent: sent)
  }

  /// What only the request told is written into the event's own text, so that reading it again from the
  /// store gives the same event: an id where the sender gave none, the call of the path, the batch's sentAt.
  private mutating func finish(
    _ event: Event, text: [UInt8], call: String?, sent: Instant?, ticket: Ticket
  ) -> IncomingEvent {
    let item = event.itemCursor
    let shape = EventDecoder.shape(of: item, fallbackType: call)
    var event = event
    var told: [JSONValue.Member] = []
    if event.id.isEmpty {
      withoutID += 1
      event = event.with(id: "made-" + Hex.encode(random.next()) + Hex.encode(random.next()))
      told.append(.init(shape == .native ? "id" : "messageId", .string(event.id)))
    }
    if case .segment(let type) = shape {
      if item["type"]?.string == nil { told.append(.init("type", .string(type))) }
      if let sent, item["sentAt"]?.instant == nil { told.append(.init("sentAt", .integer(sent.milliseconds))) }
    }
    return IncomingEvent(
      event: event, dedupe: dedupe(event), body: EventsEndpoint.write(told, into: text), ticket: ticket)
  }

  /// At the front, because of a key that stands twice the first one counts.
  private static func write(_ members: [JSONValue.Member], into text: [UInt8]) -> [UInt8] {
    guard !members.isEmpty, let brace = text.firstIndex(of: UInt8(ascii: "{")) else { return text }
    let isEmpty = text[(brace + 1)...].first { $0 > 0x20 } == UInt8(ascii: "}")
    var text = text
    text.insert(
      contentsOf: JSONValue.object(members).text.dropFirst().dropLast() + (isEmpty ? [] : [0x2C]), at: brace + 1)
    return text
  }

  /// What makes an event the same event: its source and its id.
  private func dedupe(_ event: Event) -> Hash128 {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(event.source.utf8.count + event.id.utf8.count + 1)
    bytes.append(contentsOf: event.source.utf8)
    bytes.append(0)
    bytes.append(contentsOf: event.id.utf8)
    return hash.hash(bytes)
  }

  // MARK: several

  private mutating func several(
    _ items: [Result<(item: JSONCursor, text: [UInt8]), EventRefusal>], call: String?, caller: Caller,
    token: AnswerToken,
    received: Instant, sent: Instant?
  ) -> Reading {
    if items.count > Limits.eventsPerRequest { return EventsEndpoint.tooMany(items.count) }
    var events: [(event: Event, text: [UInt8])] = []
    events.reserveCapacity(items.count)
    var refusals = JSONWriter()
    refusals.beginArray()
    var refused = 0
    for (position, item) in items.enumerated() {
      do throws(EventRefusal) {
        let (cursor, text) = try item.get()
        events.append(
          (try decode(cursor, text.count, call: call, caller: caller, received: received, sent: sent), text))
      } catch {
        refused += 1
        if refused <= 100 { EventsEndpoint.append(error, position, to: &refusals) }
      }
    }
    refusals.endArray()
    let ticket = Ticket(request: token.numbers, accepted: events.count, refusals: refused == 0 ? [] : refusals.bytes)
    if events.isEmpty { return .refused(EventsEndpoint.answer(ticket)) }
    var incoming: [IncomingEvent] = []
    incoming.reserveCapacity(events.count)
    for position in events.indices {
      let (event, text) = events[position]
      incoming.append(finish(event, text: text, call: call, sent: sent, ticket: ticket))
    }
    return .events(incoming, ticket)
  }

  private static func tooMany(_ count: Int) -> Reading {
    .refused(
      Answer(
        status: 413, code: "too_many_events",
        message: "the body has \(count) events; at most \(Limits.eventsPerRequest) are taken at once"))
  }

  private static func append(_ refusal: EventRefusal, _ position: Int, to writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("index", Int64(position))
    writer.member("code", refusal.code)
    writer.member("message", refusal.message)
    writer.endObject()
  }

  // MARK: one a line

  private static func lines(_ body: UnsafeRawBufferPointer) -> [Slice<UnsafeRawBufferPointer>]? {
    let lines = body.split(separator: 0x0A).filter { line in line.contains { $0 > 0x20 } }
    return lines.count > 1 ? lines : nil
  }

  private mutating func read(
    lines: [Slice<UnsafeRawBufferPointer>], call: String?, caller: Caller, token: AnswerToken, received: Instant
  ) -> Reading {
    if lines.count > Limits.eventsPerRequest { return EventsEndpoint.tooMany(lines.count) }
    var items: [Result<(item: JSONCursor, text: [UInt8]), EventRefusal>] = []
    var readable = 0
    for line in lines {
      do throws(JSONError) {
        let document = try parser.parse(UnsafeRawBufferPointer(rebasing: line))
        items.append(.success((document.root, Array(line))))
        readable += 1
      } catch {
        items.append(.failure(EventRefusal("invalid_json", "\(error)")))
      }
    }
    if readable == 0 {
      return .refused(
        Answer(status: 400, code: "invalid_json", message: "no line of the body is valid JSON; check the body"))
    }
    return several(items, call: call, caller: caller, token: token, received: received, sent: nil)
  }

  // MARK: answers

  private static let one = Answer(status: 200, body: Array("{\"accepted\":1,\"duplicates\":0,\"refused\":[]}\n".utf8))
  private static let oneRepeat = Answer(
    status: 200, body: Array("{\"accepted\":1,\"duplicates\":1,\"refused\":[]}\n".utf8))

  /// What a settled ticket is answered with. Repeats count as accepted: they are here.
  static func answer(_ ticket: Ticket) -> Answer {
    let duplicates = ticket.duplicateCount
    if ticket.accepted == 1, ticket.refusals.isEmpty { return duplicates == 0 ? one : oneRepeat }
    var writer = JSONWriter(capacity: 64 + ticket.refusals.count)
    writer.beginObject()
    writer.member("accepted", Int64(ticket.accepted))
    writer.member("duplicates", Int64(duplicates))
    writer.key("refused")
    writer.raw(ticket.refusals.isEmpty ? Array("[]".utf8) : ticket.refusals)
    writer.endObject()
    writer.bytes.append(0x0A)
    return Answer(status: 200, body: writer.bytes)
  }
}

extension AnswerBox {
  /// Answers the requests whose events are all on disk.
  package func post(settled tickets: [Ticket]) {
    guard !tickets.isEmpty else { return }
    post(tickets.map { (AnswerToken(numbers: $0.request), EventsEndpoint.answer($0)) })
  }
}
