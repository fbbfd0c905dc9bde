// The words and signs of Lua, and some of other languages that people type by habit.
//
// Thread: values. Promise: every token knows where it stands, to the byte.

enum Keyword: String, Sendable, CaseIterable {
  case and, `break`, `do`, `else`, elseif, end, `false`, `for`, function, goto, `if`, `in`, local, `nil`, not, or
  case `repeat`, `return`, then, `true`, until, `while`
}

struct Token: Sendable {
  enum Kind: Sendable, Equatable {
    case name
    case keyword(Keyword)
    /// `text` is the value.
    case string
    case number
    case symbol
    case end
  }

  var kind: Kind
  var text: String
  var span: Span
  /// A long text that is never closed: what follows cannot be trusted.
  var isUnfinished = false

  func isSymbol(_ symbol: String) -> Bool { kind == .symbol && text == symbol }
  func isKeyword(_ keyword: Keyword) -> Bool { kind == .keyword(keyword) }
}

/// What the lexer or the parser has to say, before lines and columns are known.
struct SyntaxIssue: Sendable {
  var span: Span
  var code: Finding.Code = .syntax
  var message: String
  var suggestion: String?
  /// It was plain what was meant, and it was read so: what else is found on the line holds.
  var isCertain = false
}
