// One thing that is wrong with a rule, and exactly where: what a person reads, and what an editor shows.
//
// Thread: values. Promise: lines and columns count from 1; columns count characters, and the end column is
// the one after the last character, as editors want it.

package import Basics

package struct Finding: Sendable, Equatable {
  package enum Severity: String, Sendable {
    /// The rule is not loaded.
    case error
    /// Probably a slip; the rule is loaded all the same.
    case warning
  }

  /// The kinds of findings, in the words that `check --json` uses.
  package enum Code: String, Sendable, CaseIterable {
    case syntax
    case slip
    case unknownName = "unknown-name"
    case globalWrite = "global-write"
    case outerWrite = "outer-write"
    case unknownKey = "unknown-key"
    case missingKey = "missing-key"
    case unknownField = "unknown-field"
    case unknownEvent = "unknown-event"
    case unknownDestination = "unknown-destination"
    case unknownTemplate = "unknown-template"
    case unknownOption = "unknown-option"
    case unknownLibrary = "unknown-library"
    case wrongType = "wrong-type"
    case wrongValue = "wrong-value"
    case arguments
    case notConstant = "not-constant"
    case notAvailable = "not-available"
    case wrongPlace = "wrong-place"
    case unreachable
    case twice
    case catalogue
    case configuration
    case load
  }

  package var file: String
  package var line: Int
  package var column: Int
  package var endColumn: Int
  package var severity: Severity
  package var code: Code
  package var message: String
  /// What to write in place of what stands between the columns.
  package var suggestion: String?

  package init(
    file: String, line: Int, column: Int, endColumn: Int, severity: Severity = .error, code: Code, message: String,
    suggestion: String? = nil
  ) {
    self.file = file
    self.line = line
    self.column = column
    self.endColumn = endColumn
    self.severity = severity
    self.code = code
    self.message = message
    self.suggestion = suggestion
  }

  /// "message (did you mean 'x'?)"
  package var sentence: String { message + (suggestion.map { " (did you mean '\($0)'?)" } ?? "") }

  package var json: JSONValue {
    [
      "file": .string(file), "line": .integer(Int64(line)), "column": .integer(Int64(column)),
      "end_column": .integer(Int64(endColumn)), "severity": .string(severity.rawValue), "code": .string(code.rawValue),
      "message": .string(message), "suggestion": suggestion.map { .string($0) } ?? .null,
    ]
  }
}
