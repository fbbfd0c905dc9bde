// What a field of an event can hold.
//
// Thread: values. Promise: a type is either known or `any`; nothing is guessed from samples.

package indirect enum FieldType: Sendable, Equatable {
  case any
  case text
  case integer
  case number
  case boolean
  /// Minor units, such as cents: a whole number.
  case money
  /// Milliseconds since 1970, or a text in the form of ISO 8601; never compared as a number.
  case time
  case list(FieldType)
  /// A table with these fields; an open one may have others, too.
  case part([String: FieldType], isOpen: Bool)

  static let names: [String: FieldType] = [
    "any": .any, "text": .text, "integer": .integer, "number": .number, "boolean": .boolean, "money": .money,
    "time": .time, "list": .list(.any),
  ]

  package static var allNames: [String] { names.keys.sorted() }

  /// What people call the types elsewhere.
  static let elsewhere: [String: String] = [
    "string": "text", "str": "text", "int": "integer", "float": "number", "double": "number", "bool": "boolean",
    "date": "time", "datetime": "time", "timestamp": "time", "array": "list", "table": "any", "object": "any",
  ]

  /// Fields of both; where they differ in kind, anything.
  func union(_ other: FieldType) -> FieldType {
    switch (self, other) {
    case (.part(let left, let leftOpen), .part(let right, let rightOpen)):
      return .part(left.merging(right) { $0.union($1) }, isOpen: leftOpen || rightOpen)
    case (.list(let left), .list(let right)): return .list(left.union(right))
    case (.integer, .number), (.number, .integer): return .number
    default: return self == other ? self : .any
    }
  }

  /// The name that LuaLS knows.
  package var luaName: String {
    switch self {
    case .any, .time: "any"
    case .text: "string"
    case .integer, .money: "integer"
    case .number: "number"
    case .boolean: "boolean"
    case .list(let element): element.luaName + "[]"
    case .part: "table"
    }
  }
}
