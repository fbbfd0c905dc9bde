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
    let sent = root.kind == .object ? root["sentAt"]?.instant : nil
    // In an array the items' own texts are kept; inside an object they are written anew.
    let places = root.kind == .array ? JSONText.elements(of: body, count: list.count) : nil
    var collected = Collected(count: list.count)
    var item = list.firstElement
    for position in 0..<list.count {
      let text = places.map { Array(UnsafeRawBufferPointer(rebasing: body[$0[position]])) } ?? item.text
      collect(item, text, into: &collected, caller: caller, received: received, sent: sent)
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
      let incoming = finish(event, text: text, ticket: ticket)
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
      item, received: received, fallbackType: call ?? "track", sent: sent)
  }

  /// An event without an id gets one, written into its text, so that it keeps it.
  private mutating func finish(_ event: Event, text: [UInt8], ticket: Ticket) -> IncomingEvent {
    guard event.id.isEmpty else {
      return IncomingEvent(event: event, dedupe: dedupe(event), body: text, ticket: ticket)
    }
    var text = text
    withoutID += 1
    let event = event.with(id: "made-" + Hex.encode(random.next()) + Hex.encode(random.next()))
    let field = event.itemCursor["name"] != nil && event.itemCursor["type"] == nil ? "id" : "messageId"
    if let brace = text.firstIndex(of: UInt8(ascii: "{")) {
      text.insert(contentsOf: "\"\(field)\":\"\(event.id)\",".utf8, at: brace + 1)
    }
    return IncomingEvent(event: event, dedupe: dedupe(event), body: text, ticket: ticket)
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

    init(count: Int) {
      events.reserveCapacity(min(count, Limits.eventsPerRequest))
      refusals.beginArray()
    }

    mutating func refuse(_ refusal: EventRefusal) {
      refused += 1
      if refused <= 100 { EventsEndpoint.append(refusal, position, to: &refusals) }
    }
  }

  private func collect(
    _ item: JSONCursor, _ text: [UInt8], into collected: inout Collected, caller: Caller, received: Instant,
    sent: Instant?
  ) {
    do throws(EventRefusal) {
      collected.events.append(
        (try decode(item, text.count, call: nil, caller: caller, received: received, sent: sent), text))
    } catch {
      collected.refuse(error)
    }
    collected.position += 1
  }

  private mutating func finish(_ collected: Collected, token: AnswerToken) -> Reading {
    guard collected.position <= Limits.eventsPerRequest else {
      return .refused(
        Answer(
          status: 413, code: "too_many_events",
          message: "the body has \(collected.position) events; at most \(Limits.eventsPerRequest) are taken at once"))
    }
    var collected = collected
    collected.refusals.endArray()
    let ticket = Ticket(
      request: token.numbers, accepted: collected.events.count,
      refusals: collected.refused == 0 ? [] : collected.refusals.bytes)
    if collected.events.isEmpty { return .refused(EventsEndpoint.answer(ticket)) }
    var incoming: [IncomingEvent] = []
    incoming.reserveCapacity(collected.events.count)
    for (event, text) in collected.events { incoming.append(finish(event, text: text, ticket: ticket)) }
    return .events(incoming, ticket)
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
    return lines.count > 1 && lines.count <= Limits.eventsPerRequest + 1 ? lines : nil
  }

  private mutating func read(
    lines: [Slice<UnsafeRawBufferPointer>], call: String?, caller: Caller, token: AnswerToken, received: Instant
  ) -> Reading {
    var collected = Collected(count: lines.count)
    var readable = 0
    for line in lines {
      do throws(JSONError) {
        let document = try parser.parse(UnsafeRawBufferPointer(rebasing: line))
        readable += 1
        collect(document.root, Array(line), into: &collected, caller: caller, received: received, sent: nil)
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
