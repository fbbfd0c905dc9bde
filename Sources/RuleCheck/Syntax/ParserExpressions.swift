// Expressions, and the operators of other languages that people type in them.
//
// Thread: values. Promise: an operator whose meaning is plain is told once and read as what was meant.

extension Parser {
  mutating func expressionList() -> [Expression] {
    var list = [expression()]
    while take(",") { list.append(expression()) }
    return list
  }

  /// An expression where a single '=' can only be a comparison.
  mutating func expression() -> Expression {
    var left = binary(above: 0)
    if current.isSymbol("?"), goesOn { left = conditional(left) }
    while current.isSymbol("="), !isAtEnd {
      slip(current.span, "'=' assigns; to compare write '=='", suggestion: "==")
      advance()
      let right = binary(above: 0)
      left = node(.binary("==", left, right), left.span.union(right.span), [left, right])
    }
    return left
  }

  private mutating func conditional(_ condition: Expression) -> Expression {
    slip(current.span, "there is no '? :' in Lua; write: condition and this or that")
    advance()
    let first = binary(above: 0)
    guard take(":") else { return first }
    let second = binary(above: 0)
    return node(.many([condition, first, second]), condition.span.union(second.span), [condition, first, second])
  }

  // Operators.

  private static let strengths: [String: (left: Int, right: Int)] = [
    "or": (1, 1), "and": (2, 2), "<": (3, 3), ">": (3, 3), "<=": (3, 3), ">=": (3, 3), "~=": (3, 3), "==": (3, 3),
    "|": (4, 4), "~": (5, 5), "&": (6, 6), "<<": (7, 7), ">>": (7, 7), "..": (9, 9), "+": (10, 10), "-": (10, 10),
    "*": (11, 11), "/": (11, 11), "//": (11, 11), "%": (11, 11), "^": (14, 13),
  ]
  private static let unaryStrength = 12

  private static let foreignOperators: [String: (operator: String, message: String)] = [
    "!=": ("~=", "'!=' is not Lua; write '~='"), "!==": ("~=", "'!==' is not Lua; write '~='"),
    "<>": ("~=", "'<>' is not Lua; write '~='"), "===": ("==", "'===' is not Lua; write '=='"),
    "&&": ("and", "'&&' is not Lua; write 'and'"), "||": ("or", "'||' is not Lua; write 'or'"),
    "??": ("or", "'??' is not Lua; write 'or'"), "=>": (">=", "'=>' is not Lua; write '>='"),
  ]

  private static let bitOperators: [String: String] = [
    "&": "bit operators (&) are not available in rules; for 'and' write and",
    "|": "bit operators (|) are not available in rules; for 'or' write or",
    "~": "bit operators (~) are not available in rules; for 'not equal' write '~='",
    "<<": "bit operators (<<) are not available in rules", ">>": "bit operators (>>) are not available in rules",
  ]

  /// The operator that stands here, told where it is none of Lua's; nil when there is none.
  private mutating func operatorHere() -> String? {
    switch current.kind {
    case .keyword(.and): return "and"
    case .keyword(.or): return "or"
    case .symbol:
      if let foreign = Parser.foreignOperators[current.text] {
        slip(current.span, foreign.message, suggestion: foreign.operator)
        return foreign.operator
      }
      if let message = Parser.bitOperators[current.text] { slip(current.span, message) }
      return Parser.strengths[current.text] == nil ? nil : current.text
    case .name where goesOn && startsExpression(peek()) && isSameLine(current.span, peek().span):
      if peek().isSymbol("(") || peek().isSymbol("{") || peek().kind == .string { return nil }
      guard let near = keyword(near: current, among: [.and, .or]) else { return nil }
      slip(current.span, "'\(current.text)' is not a word of Lua", suggestion: near.rawValue)
      return near.rawValue
    default: return nil
    }
  }

  mutating func binary(above limit: Int) -> Expression {
    guard enter() else { return broken(current.span) }
    defer { leave() }
    var left = unary()
    // Rows of any length, such as a long text in pieces, stay flat beyond the depth that a tree may have.
    var more: [Expression] = []
    var count = 0
    while let sign = operatorHere(), let strength = Parser.strengths[sign], strength.left > limit {
      let place = current.span
      advance()
      if !startsExpression(current), !isUnary(current) {
        tell(place, "something is missing after '\(sign)'")
        break
      }
      let right = binary(above: strength.right)
      count += 1
      if count > Expression.rowLimit {
        more.append(right)
      } else {
        left = node(.binary(sign, left, right), left.span.union(right.span), [left, right])
      }
    }
    guard let last = more.last else { return left }
    return node(.many([left] + more), left.span.union(last.span), [left] + more)
  }

  private func isUnary(_ token: Token) -> Bool { token.kind == .symbol && ["!", "~", "-", "#"].contains(token.text) }

  private mutating func unary() -> Expression {
    let start = current
    var sign: String?
    if start.isKeyword(.not) { sign = "not" } else if start.isSymbol("-") || start.isSymbol("#") { sign = start.text }
    if start.isSymbol("!") {
      slip(start.span, "'!' is not Lua; write 'not'", suggestion: "not")
      sign = "not"
    } else if start.isSymbol("~") {
      slip(start.span, "bit operators (~) are not available in rules; for 'not' write not")
      sign = "-"
    } else if start.kind == .name, isMisspeltNot {
      slip(start.span, "'\(start.text)' is not a word of Lua", suggestion: "not")
      sign = "not"
    }
    guard let sign else { return simple() }
    advance()
    if !startsExpression(current), !isUnary(current) {
      tell(start.span, "something is missing after '\(sign)'")
      return broken(start.span)
    }
    let operand = binary(above: Parser.unaryStrength)
    return node(.unary(sign, operand), start.span.union(operand.span), [operand])
  }

  /// nto x: two names in a row, where only `not` can be the first.
  private var isMisspeltNot: Bool {
    let next = peek()
    guard isSameLine(current.span, next.span), keyword(near: current, among: [.not]) != nil else { return false }
    if next.kind == .name, peek(2).isSymbol("=") { return false }
    return next.kind == .name || next.kind == .number || next.isKeyword(.true) || next.isKeyword(.nil)
  }

  // Operands.

  private mutating func simple() -> Expression {
    let start = current
    switch start.kind {
    case .number:
      advance()
      return node(.number(start.text), start.span)
    case .string:
      advance()
      return stringThen(node(.string(start.text), start.span))
    case .keyword(.nil):
      advance()
      return node(.nil, start.span)
    case .keyword(.true), .keyword(.false):
      advance()
      return node(.boolean(start.isKeyword(.true)), start.span)
    case .keyword(.function):
      advance()
      return function(start.span)
    case .symbol where start.text == "...":
      advance()
      return node(.varargs, start.span)
    case .symbol where start.text == "{": return table()
    default: return suffixed()
    }
  }

  /// ("…"):method() needs the parentheses.
  private mutating func stringThen(_ text: Expression) -> Expression {
    guard current.isSymbol(":"), peek().kind == .name, peek(2).isSymbol("("), goesOn else { return text }
    tell(text.span, "a text needs parentheses before ':', such as (\"…\"):upper()")
    return suffixes(text)
  }

  private mutating func function(_ start: Span) -> Expression {
    if current.kind == .name {
      tell(current.span, "a function that is a value has no name: function(…) … end")
      advance()
    }
    let outer = isCondition
    isCondition = false
    let body = functionBody(from: start)
    isCondition = outer
    return node(.function(body), body.span, [], extraDepth: body.block.depth)
  }

  private mutating func primary() -> Expression {
    let start = current
    if start.kind == .name {
      if start.text != "functions", peek().isSymbol("("), start.text.utf8.count >= 6,
        keyword(near: start, among: [.function]) != nil
      {
        slip(start.span, "'\(start.text)' is not a word of Lua", suggestion: "function")
        advance()
        return function(start.span)
      }
      advance()
      return node(.name(start.text), start.span)
    }
    if take("(") {
      brackets.append("(")
      let inner = expression()
      brackets.removeLast()
      if !take(")") { missing(")", of: start) }
      return node(.parentheses(inner), Span(start: start.span.start, end: previous.span.end), [inner])
    }
    if case .keyword(let word) = start.kind {
      tell(start.span, "'\(word.rawValue)' is a word of Lua and cannot stand here; a value is missing")
    } else {
      unexpected("a value is missing")
      if start.kind == .symbol, !["}", ")", "]", ",", ";", "="].contains(start.text) { advance() }
    }
    return broken(start.span)
  }

  /// A bracket that is still open; told at the end of what stands before.
  mutating func missing(_ bracket: String, of opener: Token) {
    let line = source.line(at: opener.span.start)
    let end = source.line(at: previous.span.start)
    let whose = line == end ? "" : ": the '\(opener.text)' of line \(line) is still open"
    let place = goesOn ? "before \(shown(current))" : "at the end of this line"
    tell(afterPrevious, "a '\(bracket)' is missing \(place)\(whose)")
  }

  mutating func suffixed() -> Expression { suffixes(primary()) }

  private mutating func suffixes(_ first: Expression) -> Expression {
    var expression = first
    while true {
      switch current.kind {
      case .symbol where current.text == "." || current.text == "?.": expression = field(expression)
      case .symbol where current.text == "[":
        let start = current
        advance()
        brackets.append("[")
        let key = self.expression()
        brackets.removeLast()
        if !take("]") { missing("]", of: start) }
        expression = node(
          .index(expression, key, isDot: false), Span(start: expression.span.start, end: previous.span.end),
          [expression, key])
      case .symbol where current.text == ":":
        guard let called = method(expression) else { return expression }
        expression = called
      case .symbol where current.text == "{" && isForeignBlock: return expression
      case .symbol where current.text == "(" || current.text == "{": expression = call(expression)
      case .string: expression = call(expression)
      default: return expression
      }
    }
  }

  /// `if x {` as in other languages, seen by what comes after the closing brace.
  private var isForeignBlock: Bool {
    guard isCondition, goesOn, previous.span.end < current.span.start else { return false }
    var depth = 0
    for ahead in 0..<200 {
      let token = peek(ahead)
      if token.kind == .end { return true }
      if token.isSymbol("{") { depth += 1 }
      guard token.isSymbol("}") else { continue }
      depth -= 1
      if depth == 0 { return !endsCondition(peek(ahead + 1)) }
    }
    return false
  }

  private func endsCondition(_ token: Token) -> Bool {
    if case .keyword(let word) = token.kind { return [.then, .do, .and, .or].contains(word) }
    return token.kind == .symbol && ![";", "}", ",", ")"].contains(token.text)
  }

  /// What stands between `if` and `then`.
  mutating func condition() -> Expression {
    let outer = isCondition
    isCondition = true
    defer { isCondition = outer }
    return expression()
  }

  private mutating func field(_ owner: Expression) -> Expression {
    if current.isSymbol("?.") { slip(current.span, "'?.' is not Lua; write '.'", suggestion: ".") }
    advance()
    guard current.kind == .name else {
      if case .keyword(let word) = current.kind, goesOn {
        tell(current.span, "'\(word.rawValue)' is a word of Lua; as a field write [\"\(word.rawValue)\"]")
        advance()
      } else {
        tell(previous.span, "the name of a field is missing after '.'")
      }
      return broken(owner.span)
    }
    let key = node(.string(current.text), current.span)
    advance()
    return node(.index(owner, key, isDot: true), owner.span.union(key.span), [owner])
  }

  private mutating func method(_ owner: Expression) -> Expression? {
    guard peek().kind == .name else { return nil }
    let next = peek(2)
    guard next.isSymbol("(") || next.isSymbol("{") || next.kind == .string else {
      // In a table `a : b` may be a key of another language: the table tells that.
      if owner.name != nil, !isSameLine(current.span, peek().span) || previous.span.end < current.span.start {
        return nil
      }
      slip(current.span, "':' calls a function of a table; a field is read with '.'", suggestion: ".")
      return field(owner)
    }
    advance()
    let name = current
    advance()
    let (arguments, _) = arguments()
    return node(
      .method(owner, name.text, name.span, arguments), Span(start: owner.span.start, end: previous.span.end),
      [owner] + arguments)
  }

  private mutating func call(_ function: Expression) -> Expression {
    let (arguments, _) = arguments()
    return node(
      .call(function, arguments), Span(start: function.span.start, end: previous.span.end), [function] + arguments)
  }

  private mutating func arguments() -> ([Expression], Span) {
    let start = current
    if start.kind == .string {
      advance()
      return ([node(.string(start.text), start.span)], start.span)
    }
    if start.isSymbol("{") { return ([table()], start.span) }
    advance()
    brackets.append("(")
    defer { brackets.removeLast() }
    var list: [Expression] = []
    while !current.isSymbol(")") {
      if isAtEnd { break }
      let before = position
      list.append(expression())
      if take(",") {
        if current.isSymbol(")") { tell(previous.span, "one comma too many before ')'") }
        continue
      }
      if current.isSymbol(")") { break }
      if isAtEnd || !commaIsMissing(since: start) { break }
      if position == before { advance() }
    }
    if !take(")") { missing(")", of: start) }
    return (list, start.span)
  }

  /// Tells a missing comma between arguments; false when it is rather the bracket that is missing.
  private mutating func commaIsMissing(since opener: Token) -> Bool {
    guard startsExpression(current) else { return false }
    if goesOn {
      slip(afterPrevious, "a comma is missing before \(shown(current))", code: .syntax)
      return true
    }
    guard current.kind != .name || source.indent(at: current.span.start) > source.indent(at: opener.span.start) else {
      return false
    }
    slip(afterPrevious, "a comma is missing at the end of this line", code: .syntax)
    return true
  }
}
