// What editors need to know: a file for the Lua language server, made from the same tables as the check.
//
// Thread: values. Promise: the same catalogue gives the same text; nothing in it is ever run.

internal import Basics

package struct Annotations {
  private let catalogue: Catalogue
  private let destinations: [String]
  private let libraries: [String]
  private var lines: [String] = []

  /// The whole file.
  package static func text(catalogue: Catalogue, destinations: Set<String>, libraries: [String]) -> String {
    var annotations = Annotations(
      catalogue: catalogue, destinations: destinations.union(catalogue.destinations).sorted(),
      libraries: libraries.sorted())
    annotations.write()
    return annotations.lines.joined(separator: "\n") + "\n"
  }

  /// Settings of the language server for a rules folder; `file` is where the annotations are.
  package static func settings(library: String) -> String {
    let off: [JSONValue.Member] = ["coroutine", "debug", "ffi", "io", "os", "package"].map { .init($0, "disable") }
    return JSONValue.object([
      .init("runtime.version", "Lua 5.4"), .init("runtime.builtin", .object(off)),
      .init("workspace.library", .array([.string(library)])),
    ]).pretty + "\n"
  }

  private init(catalogue: Catalogue, destinations: [String], libraries: [String]) {
    self.catalogue = catalogue
    self.destinations = destinations
    self.libraries = libraries
  }

  private mutating func write() {
    lines = [
      "---@meta", "-- Written by `nudged rules annotate`; write it anew after changes of the catalogue.",
      "-- For editors only: nothing here is run.", "",
    ]
    alias("nudged.Destination", destinations)
    alias("nudged.Template", (catalogue.templates ?? [:]).keys.sorted(), orAny: catalogue.templates == nil)
    alias("nudged.EventName", catalogue.events.keys.sorted(), orAny: !catalogue.hasTeamsEvents)
    alias("nudged.Library", libraries)
    lines += [
      "---A whole number and a unit, such as \"3 days\".", "---@alias nudged.Duration string", "",
      "---A path into the event, such as \"data.invoice\".", "---@alias nudged.Path string", "",
    ]
    events()
    subjects()
    header()
    for word in HostWords.all where word.isAvailable { function(word) }
    lines += [
      "---What the rule remembers about one subject.", "---@type table<string, string|number|boolean>", "state = {}",
      "",
    ]
    lines += ["---An explicit null in data.", "---@type any", "null = nil", ""]
    lines += ["---An empty list in data.", "---@type any", "empty_list = nil"]
  }

  private static func quoted(_ text: String) -> String {
    String(decoding: JSONValue.string(text).text, as: UTF8.self)
  }

  private mutating func alias(_ name: String, _ values: [String], orAny: Bool = false) {
    lines.append("---@alias \(name)")
    for value in values { lines.append("---| \(Annotations.quoted(value))") }
    if orAny || values.isEmpty { lines.append("---| string") }
    lines.append("")
  }

  /// A field's name as LuaLS wants it.
  private static func fieldName(_ name: String) -> String {
    let isPlain =
      !name.isEmpty && name.utf8.allSatisfy { Lexer.startsName($0) || Lexer.isDigit($0) }
      && !Lexer.isDigit(name.utf8.first ?? 0x30) && Keyword(rawValue: name) == nil
    return isPlain ? name : "[\(quoted(name))]"
  }

  // Classes.

  private static func className(_ event: String) -> String {
    "nudged.event." + String(event.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  }

  private mutating func fields(_ type: FieldType) {
    guard case .part(let fields, _) = type else { return lines.append("---@field [string] any") }
    for (name, type) in fields.sorted(by: { $0.key < $1.key }) {
      lines.append("---@field \(Annotations.fieldName(name)) \(Annotations.luaType(type))?")
    }
  }

  private static func luaType(_ type: FieldType) -> String {
    guard case .part(let fields, let isOpen) = type, !fields.isEmpty, !isOpen else { return type.luaName }
    let inner = fields.sorted { $0.key < $1.key }.map { "\(fieldName($0.key)): \(luaType($0.value))?" }
    return "{ \(inner.joined(separator: ", ")) }"
  }

  /// A class for each event of the team; those built in are only names, unless there are no others.
  private var describedEvents: [(name: String, fields: FieldType)] {
    catalogue.events.filter { $0.value.isTeams || !catalogue.hasTeamsEvents }
      .map { ($0.key, $0.value.fields) }.sorted { $0.name < $1.name }
  }

  private mutating func events() {
    var all: FieldType = .part([:], isOpen: false)
    for (_, fields) in describedEvents { all = all.union(fields) }
    lines += ["---The fields of all events; which of them there are depends on the event.", "---@class nudged.Data"]
    if case .part = all { fields(all) } else { fields(.any) }
    lines += ["", "---@class nudged.Event", "---@field name nudged.EventName", "---@field id string"]
    lines += [
      "---@field source string", "---@field time integer milliseconds since 1970", "---@field data nudged.Data",
    ]
    lines += ["---@field traits table<string, any>", "---@field context table<string, any>"]
    lines += ["---@field user string?", "---@field account string?", "---@field thing string?", ""]
    for (name, type) in describedEvents {
      let own = Annotations.className(name)
      lines.append("---@class \(own).data")
      fields(type)
      lines += [
        "", "---@class \(own) : nudged.Event", "---@field name \(Annotations.quoted(name))",
        "---@field data \(own).data", "",
      ]
    }
  }

  private mutating func subjects() {
    lines.append("---@class nudged.Traits")
    for (name, type) in (catalogue.traits ?? [:]).sorted(by: { $0.key < $1.key }) {
      lines.append("---@field \(Annotations.fieldName(name)) \(Annotations.luaType(type))?")
    }
    if catalogue.traits == nil { lines.append("---@field [string] any") }
    lines += [
      "", "---@class nudged.Customer", "---@field id string", "---@field traits nudged.Traits",
      "---@field account string?", "",
    ]
    lines += ["---@class nudged.Reply", "---@field ok boolean", "---@field status integer?", "---@field body any"]
    lines += [
      "---@field error string?", "---@field unknown boolean? true when nobody knows whether it was acted on", "",
    ]
  }

  private mutating func header() {
    lines.append("---@class nudged.Header")
    for key in HeaderKeys.all where key.isAvailable {
      let optional = key.isRequired ? "" : "?"
      lines.append("---@field \(key.name)\(optional) \(headerType(key)) \(key.sentence)")
    }
    lines.append("")
  }

  private func headerType(_ key: HeaderKey) -> String {
    switch key.name {
    case "run":
      "fun(event: nudged.Event, customer: nudged.Customer, date_or_events_or_saved?: any, saved?: table)"
    case "when": "fun(event: nudged.Event, customer: nudged.Customer): boolean"
    default: Annotations.type(key.takes)
    }
  }

  // Words.

  private static func type(_ takes: Takes) -> String {
    switch takes {
    case .any: "any"
    case .text, .reason, .clock, .zone, .subject: "string"
    case .weekday: ClockText.weekdays.map(quoted).joined(separator: "|")
    case .number: "number"
    case .integer: "integer"
    case .boolean: "boolean"
    case .duration, .pause: "nudged.Duration"
    case .reply: "nudged.Reply"
    case .destination: "nudged.Destination"
    case .template: "nudged.Template"
    case .event: "nudged.EventName"
    case .events: "nudged.EventName|nudged.EventName[]"
    case .eventList: "nudged.EventName[]"
    case .library: "nudged.Library"
    case .path: "nudged.Path"
    case .function: "function"
    case .data: "table<string, any>"
    case .traits: "nudged.Traits"
    case .list: "any[]"
    case .choice(let values): values.map(quoted).joined(separator: "|")
    case .options(let options):
      "{ " + options.map { "\($0.name)\($0.isRequired ? "" : "?"): \(type($0.takes))" }.joined(separator: ", ") + " }"
    case .either(let ways): ways.map { type($0) }.joined(separator: "|")
    }
  }

  private static func result(_ gives: Gives) -> String? {
    switch gives {
    case .nothing: nil
    case .any, .same, .library: "any"
    case .text: "string"
    case .integer, .time: "integer"
    case .number: "number"
    case .boolean: "boolean"
    case .event: "nudged.Event?"
    case .reply: "nudged.Reply"
    case .header: "nudged.Header"
    case .list: "any[]"
    }
  }

  private mutating func function(_ word: HostWord) {
    lines.append("---\(word.sentence)")
    for parameter in word.parameters {
      let optional = parameter.isOptional ? "?" : ""
      let type = word.name == "rule" ? "nudged.Header" : Annotations.type(parameter.takes)
      lines.append("---@param \(parameter.name)\(optional) \(type)")
    }
    // The answer of wait_for has the fields of the event that is named.
    if word.name == "wait_for" {
      for (name, _) in describedEvents {
        lines.append(
          "---@overload fun(event: \(Annotations.quoted(name)), options?: table): \(Annotations.className(name))?")
      }
    }
    if word.name == "wait_until" {
      lines.append("---@return boolean, string?")
    } else if let result = Annotations.result(word.gives) {
      lines.append("---@return \(result)")
    }
    lines.append("function \(word.name)(\(word.parameters.map(\.name).joined(separator: ", "))) end")
    lines.append("")
  }
}
