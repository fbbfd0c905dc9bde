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
  private let names = TextTable()
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
    if list.count > Limits.eventsPerRequest { return EventsEndpoint.tooMany(list.count) }
    // In an array the items' own texts are kept; inside an object they are written anew.
    let places = root.kind == .array ? JSONText.elements(of: body, count: list.count) : nil
    var collected = Collected(
      count: list.count, call: call, sent: root.kind == .object ? root["sentAt"]?.instant : nil)
    var item = list.firstElement
    for position in 0..<list.count {
      let text = places.map { Array(UnsafeRawBufferPointer(rebasing: body[$0[position]])) } ?? item.text
      collect(item, text, into: &collected, caller: caller, received: received)
      item = item.following
    }
    return finish(collected, token: token)
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
    return try EventDecoder(source: caller.source, names: names).decode(
      item, received: received, fallbackType: call, sent: sent)
  }

  /// What only the request told is written into the event's own text, so that reading it again from the
  /// store gives the same event: an id where the sender gave none, the call of the path, the batch's sentAt.
  private mutating func finish(
    _ event: Event, text: [UInt8], call: String?, sent: Instant?, ticket: Ticket
  ) -> IncomingEvent {
    // Most requests tell nothing that their events do not.
    if !event.id.isEmpty, call == nil, sent == nil {
      return IncomingEvent(event: event, dedupe: dedupe(event), body: text, ticket: ticket)
    }
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
  private func dedupe(_ event: Event) -> Hash128 { hash.hash(event.source, 0, event.id) }

  // MARK: several

  /// What was read of a body with several items so far.
  private struct Collected {
    var events: [(event: Event, text: [UInt8])] = []
    var refusals = JSONWriter()
    var refused = 0
    var position = 0
    /// What the path and the body around the items say of all of them.
    let call: String?
    let sent: Instant?

    init(count: Int, call: String?, sent: Instant?) {
      self.call = call
      self.sent = sent
      events.reserveCapacity(min(count, Limits.eventsPerRequest))
      refusals.beginArray()
    }

    mutating func refuse(_ refusal: EventRefusal) {
      refused += 1
      if refused <= 100 { EventsEndpoint.append(refusal, position, to: &refusals) }
    }
  }

  private func collect(
    _ item: JSONCursor, _ text: [UInt8], into collected: inout Collected, caller: Caller, received: Instant
  ) {
    do throws(EventRefusal) {
      collected.events.append(
        (
          try decode(
            item, text.count, call: collected.call, caller: caller, received: received, sent: collected.sent),
          text
        ))
    } catch {
      collected.refuse(error)
    }
    collected.position += 1
  }

  private mutating func finish(_ collected: Collected, token: AnswerToken) -> Reading {
    var collected = collected
    collected.refusals.endArray()
    let ticket = Ticket(
      request: token.numbers, accepted: collected.events.count,
      refusals: collected.refused == 0 ? [] : collected.refusals.bytes)
    if collected.events.isEmpty { return .refused(EventsEndpoint.answer(ticket)) }
    var incoming: [IncomingEvent] = []
    incoming.reserveCapacity(collected.events.count)
    for (event, text) in collected.events {
      incoming.append(finish(event, text: text, call: collected.call, sent: collected.sent, ticket: ticket))
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
    var collected = Collected(count: lines.count, call: call, sent: nil)
    var readable = 0
    for line in lines {
      do throws(JSONError) {
        let document = try parser.parse(UnsafeRawBufferPointer(rebasing: line))
        readable += 1
        collect(document.root, Array(line), into: &collected, caller: caller, received: received)
      } catch {
        collected.refuse(EventRefusal("invalid_json", "\(error)"))
        collected.position += 1
      }
    }
    if readable == 0 {
      return .refused(
        Answer(status: 400, code: "invalid_json", message: "no line of the body is valid JSON; check the body"))
    }
    return finish(collected, token: token)
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
