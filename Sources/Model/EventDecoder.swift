// From parsed JSON to an event: our native form, Segment's calls, CloudEvents. The shape is told by
// the item itself, so that one path takes all of them.
//
// Thread: pure. Promise: what cannot be understood is refused with a sentence that names the field,
// the value and what would be right; nothing is guessed. The same text decodes to the same event when
// it is read again from the store.

package import Basics

package struct EventRefusal: Error, Sendable, Equatable {
  /// A short word for programs.
  package var code: String
  package var message: String

  package init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}

package struct EventDecoder {
  package var source: String
  /// Shared texts for names that come again; whoever decodes much hands one in.
  private let names: TextTable?

  package init(source: String, names: TextTable? = nil) {
    self.source = source
    self.names = names
  }

  /// The members that mean something, looked for in one pass. The order is that of `Field`.
  private static let fieldNames = FieldNames([
    "id", "name", "time", "user", "anonymous", "account", "thing", "data", "traits", "context", "mode", "depth", "type",
    "event", "userId", "anonymousId", "previousId", "groupId", "messageId", "timestamp", "originalTimestamp",
    "properties", "specversion", "subject",
  ])

  private enum Field: Int {
    case id, name, time, user, anonymous, account, thing, data, traits, context, mode, depth, type
    case event, userId, anonymousId, previousId, groupId, messageId, timestamp, originalTimestamp
    case properties, specversion, subject
  }

  /// One item and what was found in it.
  private struct Item {
    var cursor: JSONCursor
    var fields: Fields

    init(_ cursor: JSONCursor) {
      self.cursor = cursor
      fields = cursor.fields(EventDecoder.fieldNames)
    }

    subscript(field: Field) -> JSONCursor? { fields[field.rawValue] }
    func has(_ field: Field) -> Bool { fields.has(field.rawValue) }
  }

  /// `fallbackType` is the Segment call of the path, such as "track" for /v1/track, nil for other paths; `sent` is the
  /// batch's sentAt, which counts where the item has none of its own.
  package func decode(
    _ cursor: JSONCursor, received: Instant, fallbackType: String? = nil, sent: Instant? = nil
  ) throws(EventRefusal) -> Event {
    guard cursor.kind == .object else {
      throw EventRefusal(
        "not_an_object", "an event must be a JSON object such as {\"name\": \"signup\", \"user\": \"42\"}")
    }
    let item = Item(cursor)
    switch EventDecoder.shape(of: item, fallbackType: fallbackType, names) {
    case .cloudEvent: return try decodeCloudEvent(item, received: received)
    case .segment(let type): return try decodeSegment(item, type: type, received: received, sent: sent)
    case .native: return try decodeNative(item, received: received)
    }
  }

  package enum Shape: Sendable, Equatable {
    case native, cloudEvent
    /// With the call it is, such as "track".
    case segment(String)
  }

  /// What kind of text an item is; told by its own fields, and by the path only where they leave it open.
  package static func shape(of cursor: JSONCursor, fallbackType: String?) -> Shape {
    shape(of: Item(cursor), fallbackType: fallbackType, nil)
  }

  private static func shape(of item: Item, fallbackType: String?, _ names: TextTable?) -> Shape {
    if item.has(.specversion) { return .cloudEvent }
    // Segment's pages have a name, too; what tells them apart is how they name their users and ids.
    if item.has(.name), !item.has(.userId), !item.has(.messageId), !item.has(.anonymousId) { return .native }
    let looksForeign = item.has(.event) || item.has(.userId) || item.has(.anonymousId)
    let type = item[.type]?.string(from: names) ?? fallbackType ?? (looksForeign ? "track" : nil)
    guard let type, segmentTypes.contains(type) else { return .native }
    return .segment(type)
  }

  package static let segmentTypes: Set<String> = ["track", "identify", "group", "alias", "page", "screen"]

  // MARK: native

  private static let nativeFields: Set<String> = [
    "id", "name", "time", "user", "anonymous", "account", "thing", "data", "traits", "context", "mode",
  ]

  private static let nativeFieldCount = Field.depth.rawValue + 1

  /// Our own events have more fields, such as how deep they lie, and nobody else writes them. From outside
  /// such a field could silence rules or let loops run on.
  private func refuseUnknownFields(_ item: Item) throws(EventRefusal) {
    if source == "nudged" { return }
    var known = 0
    for position in 0..<EventDecoder.nativeFieldCount where item.fields.has(position) { known += 1 }
    if known == item.cursor.count, !item.has(.depth) { return }
    for member in item.cursor.members where !EventDecoder.nativeFields.contains(member.key) {
      let hint = Suggestion.ending(for: member.key, among: EventDecoder.nativeFields)
      throw EventRefusal(
        "unknown_field", "unknown field '\(member.key.prefix(60))'\(hint); put your own fields into \"data\"")
    }
  }

  private func decodeNative(_ item: Item, received: Instant) throws(EventRefusal) -> Event {
    try refuseUnknownFields(item)
    guard let nameCursor = item[.name] else {
      throw EventRefusal("missing_name", "the field \"name\" is missing: it says what happened, such as \"signup\"")
    }
    let name = try eventName(nameCursor, field: "name")
    let user = try reference(item[.user], namespace: "user", field: "user")
    let anonymous = try reference(item[.anonymous], namespace: "anon", field: "anonymous")
    let account = try reference(item[.account], namespace: "account", field: "account")
    let thing = try thingReference(item[.thing])
    guard user ?? anonymous ?? account ?? thing != nil else {
      throw EventRefusal(
        "missing_subject",
        "the event says nobody it is about: give one of \"user\", \"anonymous\", \"account\" or \"thing\"")
    }
    if let mode = item[.mode], mode.string != "live" {
      throw EventRefusal(
        "bad_mode", "the field \"mode\" must be \"live\"; other modes are not available in this version")
    }
    if name == "nudged.consent" { try checkConsent(item[.data]) }
    return Event(
      name: name, id: try identifier(item[.id], field: "id"), source: source,
      time: try time(item[.time], field: "time", received: received, sent: nil), received: received,
      user: user ?? anonymous, anonymous: user == nil ? nil : anonymous, account: account, thing: thing,
      depth: source == "nudged" ? Int(item[.depth]?.integer ?? 0) : 0,
      allowance: source == "nudged" ? Int(item.cursor["allowance"]?.integer ?? 0) : Limits.emittedPerEvent,
      document: item.cursor.document,
      item: item.cursor.index, data: try object(item[.data], field: "data"),
      traits: try object(item[.traits], field: "traits"), context: try object(item[.context], field: "context"))
  }

  /// Someone's wish to be left alone must not be lost to a slip.
  private func checkConsent(_ data: JSONCursor?) throws(EventRefusal) {
    let topic = data?["topic"]?.string ?? ""
    guard (1...Limits.topicBytes).contains(topic.utf8.count), data?["given"]?.boolean != nil else {
      throw EventRefusal(
        "bad_consent",
        "nudged.consent needs data such as {\"topic\": \"newsletter\", \"given\": false}; the topic \"*\" stands for all of them"
      )
    }
  }

  private func thingReference(_ cursor: JSONCursor?) throws(EventRefusal) -> SubjectReference? {
    guard let cursor, !cursor.isNull else { return nil }
    if let text = cursor.string, let reference = SubjectReference(text), EventDecoder.plausible(reference) {
      return reference
    }
    if let kind = cursor["kind"]?.string, let id = cursor["id"]?.string {
      let reference = SubjectReference(namespace: kind, id: id)
      if EventDecoder.plausible(reference) { return reference }
    }
    throw EventRefusal(
      "bad_thing", "the field \"thing\" must be text such as \"webinar:w7\" or {\"kind\": \"webinar\", \"id\": \"w7\"}")
  }

  private static func plausible(_ reference: SubjectReference) -> Bool {
    reference.isWellFormed && !["user", "anon", "account"].contains(reference.namespace)
  }

  // MARK: Segment

  private func decodeSegment(
    _ item: Item, type: String, received: Instant, sent: Instant?
  ) throws(EventRefusal) -> Event {
    let context = try object(item[.context], field: "context")
    var user = try reference(item[.userId], namespace: "user", field: "userId")
    var anonymous = try reference(item[.anonymousId], namespace: "anon", field: "anonymousId")
    if type == "alias", let previous = try reference(item[.previousId], namespace: "anon", field: "previousId") {
      anonymous = previous
    }
    if user == nil {
      user = anonymous
      anonymous = nil
    }
    let account = try segmentAccount(item, context)
    guard user != nil || account != nil else {
      throw EventRefusal(
        "missing_subject", "the call says nobody it is about: give \"userId\" or \"anonymousId\"")
    }
    var name = type
    if type == "track" {
      guard let cursor = item[.event] else {
        throw EventRefusal("missing_name", "the field \"event\" is missing: a track call says there what happened")
      }
      name = try eventName(cursor, field: "event")
    }
    let original = item[.originalTimestamp]
    let sent = original == nil ? nil : item.cursor["sentAt"]?.instant ?? sent
    return Event(
      name: name, id: try identifier(item[.messageId], field: "messageId"), source: source,
      time: try time(
        original ?? item[.timestamp], field: original == nil ? "timestamp" : "originalTimestamp", received: received,
        sent: sent),
      received: received, user: user, anonymous: anonymous, account: account, thing: nil, depth: 0,
      document: item.cursor.document, item: item.cursor.index, data: try object(item[.properties], field: "properties"),
      traits: try object(item[.traits], field: "traits"), context: context)
  }

  /// A group call names its account itself; other calls name it in their context.
  private func segmentAccount(_ item: Item, _ context: UInt32?) throws(EventRefusal) -> SubjectReference? {
    if item.has(.groupId) { return try reference(item[.groupId], namespace: "account", field: "groupId") }
    guard let context else { return nil }
    return try reference(
      JSONCursor(document: item.cursor.document, index: context)["groupId"], namespace: "account",
      field: "context.groupId")
  }

  // MARK: CloudEvents

  private func decodeCloudEvent(_ item: Item, received: Instant) throws(EventRefusal) -> Event {
    guard item[.specversion]?.string == "1.0" else {
      throw EventRefusal("bad_specversion", "the field \"specversion\" must be \"1.0\"")
    }
    guard let type = item[.type] else {
      throw EventRefusal("missing_name", "the field \"type\" is missing: it says what happened")
    }
    guard let from = item.cursor["source"]?.string, !from.isEmpty else {
      throw EventRefusal(
        "missing_source", "the field \"source\" is missing: CloudEvents are told apart by source and id")
    }
    guard let subject = try reference(item[.subject], namespace: "user", field: "subject") else {
      throw EventRefusal("missing_subject", "the field \"subject\" is missing: it says whom the event is about")
    }
    let id = try identifier(item[.id], field: "id")
    guard !id.isEmpty else {
      throw EventRefusal("missing_id", "the field \"id\" is missing: CloudEvents are told apart by source and id")
    }
    // Their ids are unique within their own source only, so that source becomes part of the id.
    return Event(
      name: try eventName(type, field: "type"), id: from + "#" + id, source: source,
      time: try time(item[.time], field: "time", received: received, sent: nil), received: received, user: subject,
      anonymous: nil, account: nil, thing: nil, depth: 0, document: item.cursor.document, item: item.cursor.index,
      data: item[.data].flatMap { $0.kind == .object ? $0.index : nil }, traits: nil, context: nil)
  }

  // MARK: fields

  private func eventName(_ cursor: JSONCursor, field: String) throws(EventRefusal) -> String {
    guard let name = cursor.string(from: names), !name.isEmpty, name.utf8.count <= Limits.eventNameBytes else {
      throw EventRefusal(
        "bad_name", "the field \"\(field)\" must be text of 1 to \(Limits.eventNameBytes) bytes such as \"signup\"")
    }
    guard !name.hasPrefix("nudged.") || name == "nudged.consent" || source == "nudged" else {
      throw EventRefusal(
        "reserved_name", "the event name '\(name)' is reserved: names that start with \"nudged.\" are our own")
    }
    return name
  }

  /// Text, or a whole number, which some clients send as their ids.
  private func reference(
    _ cursor: JSONCursor?, namespace: String, field: String
  ) throws(EventRefusal) -> SubjectReference? {
    guard let cursor, !cursor.isNull else { return nil }
    let text = cursor.string ?? cursor.integer.map { String($0) }
    guard let text, !text.isEmpty, text.utf8.count <= Limits.subjectIdBytes else {
      if cursor.string == "" { return nil }
      throw EventRefusal(
        "bad_subject", "the field \"\(field)\" must be text of 1 to \(Limits.subjectIdBytes) bytes or a whole number")
    }
    return SubjectReference(namespace: namespace, id: text)
  }

  private func identifier(_ cursor: JSONCursor?, field: String) throws(EventRefusal) -> String {
    guard let cursor, !cursor.isNull else { return "" }
    let text = cursor.string ?? cursor.integer.map { String($0) }
    guard let text, !text.isEmpty, text.utf8.count <= Limits.eventIdBytes else {
      throw EventRefusal(
        "bad_id",
        "the field \"\(field)\" must be text of 1 to \(Limits.eventIdBytes) bytes: it tells repeats of an event")
    }
    return text
  }

  private func object(_ cursor: JSONCursor?, field: String) throws(EventRefusal) -> UInt32? {
    guard let cursor, !cursor.isNull else { return nil }
    guard cursor.kind == .object else {
      throw EventRefusal("bad_field", "the field \"\(field)\" must be an object such as {\"plan\": \"pro\"}")
    }
    return cursor.index
  }

  /// The sender's time, corrected by its own clock error where it says when it sent, and clamped to
  /// five minutes ahead of ours.
  private func time(
    _ cursor: JSONCursor?, field: String, received: Instant, sent: Instant?
  ) throws(EventRefusal) -> Instant {
    guard let cursor, !cursor.isNull else { return received }
    guard var time = cursor.instant else {
      throw EventRefusal(
        "bad_time",
        "the field \"\(field)\" must be a time with its zone such as \"2026-01-15T10:20:30Z\", or milliseconds since 1970"
      )
    }
    if let sent { time = received + (time - sent) }
    let latest = received + Limits.clockSkewMilliseconds
    return time > latest ? latest : time
  }
}
