// The arguments of a test's word, taken one by one.
//
// Thread: the test's. Promise: a wrong argument is a sentence that names the word, what it takes and what
// it was given.

internal import Basics
internal import Model
internal import Rules

/// Used wrongly; not an expectation that did not hold.
package struct WordError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String
  package init(_ description: String) { self.description = description }
}

/// An expectation that did not hold, on its way out.
struct UnmetError: Error {
  var unmet: Unmet
}

struct Words {
  let word: TestWord
  private let call: RuleCall
  private let parser: DocumentParser

  init(_ word: TestWord, _ call: RuleCall, _ parser: DocumentParser) {
    self.word = word
    self.call = call
    self.parser = parser
  }

  func takeAtMost(_ count: Int) throws(WordError) {
    guard call.count <= count else {
      throw WordError("it takes at most \(count) arguments; here are \(call.count)")
    }
  }

  func isMissing(_ position: Int) -> Bool { call.isNil(position) }

  func text(_ position: Int, _ what: String, example: String) throws(WordError) -> String {
    guard let text = call.text(position), !text.isEmpty else {
      throw WordError("it needs \(what) as text, such as \(example); this is \(call.describe(position))")
    }
    return text
  }

  func optionalText(_ position: Int, _ what: String, example: String) throws(WordError) -> String? {
    call.isNil(position) ? nil : try text(position, what, example: example)
  }

  /// A table with names, or nothing.
  func object(_ position: Int) throws(WordError) -> JSONValue? {
    if call.isNil(position) { return nil }
    let value = call.json(position).flatMap { try? parser.parse($0) }?.root.value
    guard let value, case .object = value else {
      throw WordError(
        "here must stand a table with names, such as { plan = \"pro\" }; this is \(call.json(position) == nil ? call.describe(position) : "a list")"
      )
    }
    return value
  }

  func options(_ position: Int, known: [String]) throws(WordError) -> [JSONValue.Member] {
    guard let value = try object(position), case .object(let members) = value else { return [] }
    for member in members where !known.contains(member.key) {
      throw WordError(
        "unknown option '\(member.key)'\(Suggestion.ending(for: member.key, among: known)); there are \(known.joined(separator: ", "))"
      )
    }
    return members
  }
}

extension JSONValue {
  var asText: String? {
    if case .string(let text) = self { return text }
    return nil
  }
}
