// Whether some data holds what is expected of it, and if not, the first field that differs.
//
// Thread: pure functions. Promise: what is not named does not matter; a number equals a number of the same
// size, however it is written; an expected null means that nothing is there.

internal import Basics

struct Difference: Equatable {
  /// Such as "items.2.price"; empty for the whole.
  var field: String
  var expected: String
  var found: String

  /// Nil when `found` holds all that is expected.
  static func between(_ expected: JSONValue, _ found: JSONValue?, field: String = "") -> Difference? {
    switch (expected, found ?? .null) {
    case (.object(let wanted), .object):
      for member in wanted {
        let path = field.isEmpty ? member.key : field + "." + member.key
        if let difference = between(member.value, found?[member.key], field: path) { return difference }
      }
      return nil
    case (.object(let wanted), .array(let list)) where wanted.isEmpty && list.isEmpty: return nil
    case (.array(let wanted), .array(let list)) where wanted.count == list.count:
      for place in wanted.indices {
        let path = field.isEmpty ? "\(place + 1)" : "\(field).\(place + 1)"
        if let difference = between(wanted[place], list[place], field: path) { return difference }
      }
      return nil
    case (let wanted, let other):
      if wanted == other { return nil }
      // Two whole numbers are compared as such: doubles would not tell large ones apart.
      if !isWhole(wanted) || !isWhole(other), let size = number(wanted), size == number(other) { return nil }
      return Difference(field: field, expected: shown(wanted), found: found == nil ? "nothing" : shown(other))
    }
  }

  private static func number(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .unsigned(let number): Double(number)
    case .double(let number): number
    default: nil
    }
  }

  private static func isWhole(_ value: JSONValue) -> Bool {
    if case .integer = value { return true }
    return false
  }

  static func shown(_ value: JSONValue) -> String {
    value == .null ? "nothing" : String(decoding: value.text, as: UTF8.self)
  }
}
