// Tables, and what goes wrong between their braces.
//
// Thread: values. Promise: a missing comma is told at the place where it belongs.

extension Parser {
  mutating func table() -> Expression {
    let start = current
    advance()
    guard enter() else { return broken(start.span) }
    defer { leave() }
    // Blocks around the table are none of its own.
    let outer = openers
    openers = []
    brackets.append("{")
    defer { brackets.removeLast() }
    var fields: [TableField] = []
    var count = 0
    while !current.isSymbol("}"), !isAtEnd {
      let before = position
      if suspectTable == nil, source.isFirstOnLine(current.span.start), !goesOn,
        source.indent(at: current.span.start) <= source.indent(at: start.span.start)
      {
        suspectTable = previous.span
      }
      if let field = field(&count) { fields.append(field) }
      if !afterField() { break }
      if position == before { advance() }
    }
    openers = outer
    if !take("}") { missingBrace(of: start) }
    let children = fields.map(\.value)
    return node(.table(fields), Span(start: start.span.start, end: previous.span.end), children)
  }

  /// Probably where a line stands too far left to be in this table.
  private mutating func missingBrace(of opener: Token) {
    if current.isSymbol(")"), !goesOn { return tell(current.span, "a '}' is missing before this ')'") }
    if isAtEnd, suspectTable.map({ $0.start < opener.span.start }) ?? true, source.indent(at: opener.span.start) == 0,
      let next = source.start(ofLineAfter: previous.span.start)
    {
      let line = source.line(at: opener.span.start)
      return tell(Span(start: next, end: next), "a '}' is missing here: the '{' of line \(line) is still open")
    }
    guard let place = suspectTable, place.start > opener.span.start || isAtEnd else { return missing("}", of: opener) }
    suspectTable = nil
    tell(place, "a '}' is missing at the end of this line: a '{' above is still open")
  }

  private mutating func field(_ count: inout Int) -> TableField? {
    let start = current
    if start.isSymbol(",") || start.isSymbol(";") {
      tell(start.span, "one comma too many")
      return nil
    }
    if start.isSymbol("["), !peek().isSymbol("[") { return computedField(start) }
    let next = peek()
    let isName = start.kind == .name || start.kind == .string
    if start.kind == .name, next.isSymbol("=") {
      advance()
      advance()
      return TableField(key: .name(start.text, start.span), value: value(of: start))
    }
    if isName, next.kind == .symbol, [":", "=>", ":=", "=="].contains(next.text), isForeignKey(next) {
      let key = start.kind == .name ? start.text : "[\"\(start.text)\"]"
      slip(next.span, "between a key and its value stands '=': \(key) = …", suggestion: "=")
      advance()
      advance()
      return TableField(key: .name(start.text, start.span), value: value(of: start))
    }
    if start.kind == .string, next.isSymbol("=") {
      slip(start.span, "a text as a key stands in brackets: [\"\(start.text)\"] = …")
      advance()
      advance()
      return TableField(key: .name(start.text, start.span), value: value(of: start))
    }
    if case .keyword(let word) = start.kind, next.isSymbol("=") {
      slip(start.span, "'\(word.rawValue)' is a word of Lua; as a key write [\"\(word.rawValue)\"] = …")
      advance()
      advance()
      return TableField(key: .name(word.rawValue, start.span), value: value(of: start))
    }
    guard startsExpression(start) || start.isSymbol("!") else { return nil }
    if let lost = lostSign(start, next) { return lost }
    count += 1
    return TableField(key: .position(count), value: binary(above: 0))
  }

  /// `title "x"` where `title = "x"` was meant.
  private mutating func lostSign(_ start: Token, _ next: Token) -> TableField? {
    guard start.kind == .name, isSameLine(start.span, next.span), peek(2).isSymbol(",") || peek(2).isSymbol("}") else {
      return nil
    }
    guard next.kind == .number || next.isKeyword(.true) || next.isKeyword(.false) else { return nil }
    tell(start.span, "a '=' is missing after '\(start.text)'")
    advance()
    return TableField(key: .name(start.text, start.span), value: value(of: start))
  }

  private func isForeignKey(_ sign: Token) -> Bool {
    // name:method(…) is a call.
    guard sign.text == ":" else { return true }
    let after = peek(2)
    if after.kind == .name { return !(peek(3).isSymbol("(") || peek(3).kind == .string || peek(3).isSymbol("{")) }
    return true
  }

  private mutating func computedField(_ start: Token) -> TableField {
    advance()
    brackets.append("[")
    let key = binary(above: 0)
    brackets.removeLast()
    if !take("]") { missing("]", of: start) }
    if !take("=") {
      if current.isSymbol(":") || current.isSymbol("==") {
        slip(current.span, "between a key and its value stands '='", suggestion: "=")
        advance()
      } else {
        tell(previous.span, "after a key in brackets comes '=' and its value")
        return TableField(key: .computed(key), value: broken(start.span))
      }
    }
    return TableField(key: .computed(key), value: value(of: start))
  }

  private mutating func value(of key: Token) -> Expression {
    if !startsExpression(current), !current.isSymbol("!"), !current.isSymbol("~") {
      tell(previous.span, "a value is missing after '\(key.text) ='")
      return broken(previous.span)
    }
    let value = binary(above: 0)
    if current.isSymbol("="), case .index(_, let inner, isDot: false) = value.kind,
      !isSameLine(value.span, inner.span)
    {
      // The bracket on the next line was the next key.
      slip(
        Span(start: value.span.start, end: value.span.start + 1), "a comma is missing at the end of this line",
        code: .syntax)
      advance()
      _ = binary(above: 0)
    } else if current.isSymbol("="), goesOn {
      slip(current.span, "'=' assigns; to compare write '=='", suggestion: "==")
      advance()
      _ = binary(above: 0)
    } else if current.isSymbol("?"), goesOn {
      slip(current.span, "there is no '? :' in Lua; write: condition and this or that")
      while !isAtEnd, ![",", "}"].contains(current.text) { advance() }
    }
    return value
  }

  /// Between two fields; false when the table ends here although no brace closes it.
  private mutating func afterField() -> Bool {
    if take(",") || take(";") || current.isSymbol("}") { return true }
    if isAtEnd || current.isSymbol(")") { return false }
    if current.isSymbol("]") {
      slip(current.span, "a table ends with '}', not with ']'", suggestion: "}")
      advance()
      return true
    }
    if current.isKeyword(.end) {
      tell(current.span, "there is one 'end' too many: no function, if or loop is open here")
      advance()
      return true
    }
    if case .keyword(let word) = current.kind, ![.function, .not, .nil, .true, .false].contains(word) {
      if goesOn || peek().isSymbol("=") {
        unexpected()
        advance()
        return true
      }
      return false
    }
    // A line further left than the table belongs to what is around it.
    if startsExpression(current) || current.isSymbol("[") {
      slip(
        afterPrevious, "a comma is missing \(goesOn ? "before \(shown(current))" : "at the end of this line")",
        code: .syntax)
      return true
    }
    unexpected()
    advance()
    return true
  }
}
