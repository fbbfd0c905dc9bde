// What is known of a value before anything runs.
//
// Thread: values. Promise: `unknown` where anything else would be a guess.

indirect enum Shape {
  case unknown
  /// nil or null.
  case nothing
  case boolean
  case integer
  case number
  case text
  /// Texts that are written out, with the places where they are; one of several in a loop over a list.
  case constants([Constant])
  /// event.name: one of these.
  case eventName([String])
  case money
  case time
  case function
  case table
  case list(Shape)
  case part(Part)
  case event(EventShape)
  case customer
  case traits
  case state
  case reply
  case library(LibraryShape)

  struct Constant {
    var text: String
    var span: Span
  }

  /// Fields of an event's data, or of a part of it.
  struct Part {
    var fields: [String: FieldType]
    var isOpen: Bool
    /// For sentences: "the event 'signup'".
    var owner: String
    /// Written down by the team: an unknown field is an error.
    var isTeams: Bool
  }

  struct EventShape {
    var names: [String]
    var data: Shape
  }

  struct LibraryShape {
    var name: String
    var fields: Set<String>
  }

  enum Kind { case boolean, number, text, table, function, nothing }

  var kind: Kind? {
    switch self {
    case .unknown: nil
    case .nothing: .nothing
    case .boolean: .boolean
    case .integer, .number, .money: .number
    case .text, .constants, .eventName: .text
    case .time: nil
    case .function: .function
    case .table, .list, .part, .event, .customer, .traits, .state, .reply, .library: .table
    }
  }

  init(_ type: FieldType, owner: String, isTeams: Bool) {
    switch type {
    case .any: self = .unknown
    case .text: self = .text
    case .integer: self = .integer
    case .number: self = .number
    case .boolean: self = .boolean
    case .money: self = .money
    case .time: self = .unknown
    case .list(let element): self = .list(Shape(element, owner: owner, isTeams: isTeams))
    case .part(let fields, let isOpen):
      self = .part(Part(fields: fields, isOpen: isOpen, owner: owner, isTeams: isTeams))
    }
  }

  init(_ gives: Gives) {
    switch gives {
    case .nothing: self = .nothing
    case .any, .event, .library, .header, .same: self = .unknown
    case .text: self = .text
    case .integer: self = .integer
    case .number: self = .number
    case .boolean: self = .boolean
    case .time: self = .time
    case .reply: self = .reply
    case .list: self = .list(.unknown)
    }
  }

  static func constant(_ text: String, _ span: Span) -> Shape { .constants([Constant(text: text, span: span)]) }

  /// The one text that is written out.
  var constant: String? { if case .constants(let list) = self, list.count == 1 { list[0].text } else { nil } }

  /// All texts that it can be.
  var constants: [Constant] { if case .constants(let list) = self { list } else { [] } }

  /// For sentences.
  var words: String {
    switch self {
    case .unknown: "a value"
    case .nothing: "nil"
    case .boolean: "true or false"
    case .integer, .number: "a number"
    case .money: "an amount in minor units"
    case .text, .eventName: "a text"
    case .constants(let list): "the text \"\((list.first?.text ?? "").prefix(40))\""
    case .time: "a time in milliseconds"
    case .function: "a function"
    case .table, .list, .part: "a table"
    case .event: "an event"
    case .customer: "the customer"
    case .traits: "the traits"
    case .state: "the state"
    case .reply: "a reply"
    case .library: "a library"
    }
  }
}
