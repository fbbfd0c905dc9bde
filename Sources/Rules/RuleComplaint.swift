// What goes into this room, and what it says when something is wrong with it.
//
// Thread: values. Promise: a complaint names the file and line where a person has to look, and says what
// to do; it is the one error type of this room.

/// A Lua file as text. `path` is relative to the rules folder, such as "upsell/limit.lua".
package struct RuleSource: Sendable, Equatable {
  package var path: String
  package var text: String

  package init(path: String, text: String) {
    self.path = path
    self.text = text
  }

  /// The path without ".lua".
  package var name: String { path.hasSuffix(".lua") ? String(path.dropLast(4)) : path }

  /// What to look for where a library or a table is missing that a rule uses.
  package static func file(ofLibrary name: String) -> String {
    name.hasPrefix("data/") ? "\(name).csv or \(name).lua" : "\(name).lua"
  }

  package enum Kind: Sendable { case rule, library, test, catalogue, segment }

  /// The folder of segments.
  package static let segments = "segments/"
  package var kind: Kind {
    if path == "catalog.lua" { return .catalogue }
    if path.hasSuffix("_test.lua") { return .test }
    if path.hasPrefix(RuleSource.segments) { return .segment }
    return path.hasPrefix("lib/") || path.hasPrefix("data/") ? .library : .rule
  }
}

package struct RuleComplaint: Error, Sendable, Equatable, CustomStringConvertible {
  /// As a person would open it, such as "rules/upsell/limit.lua".
  package var file: String
  package var line: Int
  package var message: String
  /// What was probably meant; already part of `message`'s sense, not of its text.
  package var suggestion: String?

  package init(file: String, line: Int, message: String, suggestion: String? = nil) {
    self.file = file
    self.line = line
    self.message = message
    self.suggestion = suggestion
  }

  package var description: String {
    "\(file):\(line): \(message)" + (suggestion.map { " (did you mean '\($0)'?)" } ?? "")
  }
}
