// What the rules may speak of: events with their fields, traits, destinations and templates. The built-in
// entries, and what the team says on top of them in rules/catalog.lua.
//
// Thread: values. Promise: only what a team has written down itself is held against a rule as an error; a
// slip against a built-in entry is a warning.

package import Basics

package struct Catalogue: Sendable {
  package struct Event: Sendable, Equatable {
    package var fields: FieldType
    /// Written down by the team, and not only built in.
    package var isTeams: Bool
  }

  package var events: [String: Event]
  /// Nil: the team has not written them down.
  package var traits: [String: FieldType]?
  /// Types of messages; the fields of their data where they are known.
  package var templates: [String: FieldType]?
  package var destinations: Set<String> = []
  /// Whether the team has written its events down: then an unknown one is an error.
  package var hasTeamsEvents = false

  package static let builtIn: Catalogue = {
    var events: [String: Event] = [:]
    for (name, fields) in SegmentEvents.all + StripeEvents.all + OwnEvents.all {
      events[name] = Event(fields: .part(fields, isOpen: false), isTeams: false)
    }
    return Catalogue(events: events, traits: nil, templates: nil)
  }()

  /// The fields of Segment's that any user may have; near ones are slips, others are the team's own.
  static let commonTraits = [
    "address", "age", "avatar", "birthday", "company", "createdAt", "description", "email", "firstName", "gender",
    "lastName", "name", "phone", "plan", "title", "username", "website", "industry", "employees",
  ]
}

/// Reads the table that rules/catalog.lua returns.
package struct CatalogueReader {
  package struct Complaint: Sendable {
    /// The path of the key that it is about.
    package var path: String
    package var message: String
    package var suggestion: String?
  }

  package private(set) var catalogue: Catalogue
  package private(set) var complaints: [Complaint] = []

  private static let keys = ["events", "traits", "templates", "destinations"]

  package init(_ root: JSONCursor, over base: Catalogue = .builtIn) {
    catalogue = base
    let table = root["$catalog"] ?? root
    guard table.kind == .object else {
      complain("", "rules/catalog.lua must return a table: return catalog { events = { … } }")
      return
    }
    for (key, value) in table.members {
      switch key {
      case "events": readEvents(value)
      case "traits": if let fields = fields(value, "traits") { catalogue.traits = fields }
      case "templates": readTemplates(value)
      case "destinations": catalogue.destinations = Set(names(value, "destinations"))
      default:
        complain(
          key, "unknown key '\(key)' of the catalogue; it has \(CatalogueReader.keys.joined(separator: ", "))",
          suggestion: Nearest.find(key, among: CatalogueReader.keys))
      }
    }
  }

  private mutating func complain(_ path: String, _ message: String, suggestion: String? = nil) {
    complaints.append(Complaint(path: path, message: message, suggestion: suggestion))
  }

  private mutating func readEvents(_ value: JSONCursor) {
    catalogue.hasTeamsEvents = true
    guard value.kind == .object else {
      if value.kind == .array {
        for name in names(value, "events") { catalogue.events[name] = .init(fields: .any, isTeams: true) }
      } else {
        complain("events", "'events' must be a table of names and fields, such as { signup = { plan = \"text\" } }")
      }
      return
    }
    for (name, value) in value.members {
      let path = "events.\(name)"
      if name.hasPrefix("nudged.") {
        complain(path, "names that begin with 'nudged.' are reserved; this one is '\(name)'")
        continue
      }
      var type = type(value, path)
      // An event without fields written down may have any.
      if case .part(let fields, _) = type, fields.isEmpty { type = .any }
      if case .part = type {
      } else if type != .any {
        complain(path, "the fields of an event are a table, such as { plan = \"text\" }, or \"any\"")
        type = .any
      }
      if let known = catalogue.events[name], !known.isTeams, case .part = type { type = known.fields.union(type) }
      catalogue.events[name] = .init(fields: type, isTeams: true)
    }
  }

  private mutating func readTemplates(_ value: JSONCursor) {
    if value.kind == .array {
      catalogue.templates = Dictionary(names(value, "templates").map { ($0, .any) }) { first, _ in first }
    } else if let fields = fields(value, "templates") {
      catalogue.templates = fields.mapValues { if case .part(let inner, _) = $0, inner.isEmpty { .any } else { $0 } }
    }
  }

  private mutating func names(_ value: JSONCursor, _ path: String) -> [String] {
    guard value.kind == .array else {
      complain(path, "'\(path)' must be a list of names, such as { \"crm\" }")
      return []
    }
    let names = value.elements.compactMap(\.string)
    if names.count != value.elements.count { complain(path, "'\(path)' must hold texts only") }
    return names
  }

  private mutating func fields(_ value: JSONCursor, _ path: String) -> [String: FieldType]? {
    guard value.kind == .object, value["$function"] == nil else {
      complain(path, "'\(path)' must be a table of names and types, such as { plan = \"text\" }")
      return nil
    }
    var fields: [String: FieldType] = [:]
    for (name, value) in value.members { fields[name] = type(value, "\(path).\(name)") }
    return fields
  }

  private mutating func type(_ value: JSONCursor, _ path: String) -> FieldType {
    switch value.kind {
    case .string:
      let word = value.string ?? ""
      if let type = FieldType.names[word] { return type }
      let suggestion = FieldType.elsewhere[word] ?? Nearest.find(word, among: FieldType.names.keys.sorted())
      complain(
        path, "there is no type \"\(word)\"; there are \(FieldType.names.keys.sorted().joined(separator: ", "))",
        suggestion: suggestion)
      return .any
    case .array:
      guard let first = value.elements.first else { return .list(.any) }
      return .list(type(first, path + ".1"))
    case .object where value["$function"] == nil:
      return .part(fields(value, path) ?? [:], isOpen: false)
    default:
      complain(path, "a type is a word such as \"text\", or a table of fields")
      return .any
    }
  }
}
