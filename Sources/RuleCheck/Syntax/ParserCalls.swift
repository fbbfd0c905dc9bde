// Statements that begin with a name: calls, assignments, and words of other languages.
//
// Thread: values. Promise: what is neither a call nor an assignment is told as such.

extension Parser {
  private static let assigning: [String: String] = [
    "+=": "'+=' is not Lua; write 'x = x + …'", "-=": "'-=' is not Lua; write 'x = x - …'",
    "*=": "'*=' is not Lua; write 'x = x * …'", "/=": "'/=' is not Lua; write 'x = x / …'",
    ":=": "':=' is not Lua; write '='",
  ]

  private static let foreignWords: [String: String] = [
    "try": "there is no 'try' in Lua; use pcall(function() … end)", "catch": "there is no 'catch' in Lua; use pcall",
    "switch": "there is no 'switch' in Lua; use if … elseif … end, or a table",
    "throw": "there is no 'throw' in Lua; use error(\"…\")",
    "foreach": "there is no 'foreach' in Lua; write for _, x in ipairs(list) do … end",
    "import": "there is no 'import' in rules; write local x = use(\"lib/…\")",
    "class": "there are no classes in Lua; use tables and functions",
    "unless": "there is no 'unless' in Lua; write if not … then",
    "async": "there is no 'async' in rules; wait, call and wait_for pause by themselves",
    "await": "there is no 'await' in rules; wait, call and wait_for pause by themselves",
    "new": "there is no 'new' in Lua; call the function, or write a table { … }",
  ]

  private static let foreignKeywords: [String: Keyword] = [
    "var": .local, "let": .local, "const": .local, "def": .function, "func": .function, "fn": .function,
    "fun": .function, "elif": .elseif, "elsif": .elseif, "elseIf": .elseif, "Local": .local, "Return": .return,
    "If": .if,
  ]

  /// A misspelt or foreign word that a statement begins with, seen by what follows it.
  mutating func misspeltStatement() -> Statement? {
    let word = current
    let next = peek()
    if word.text == "continue", next.kind != .symbol || next.isSymbol(";") || next.isSymbol("}") { return soleWord() }
    guard isSameLine(word.span, next.span) else { return soleWord() }
    if let message = Parser.foreignWords[word.text], startsExpression(next) || next.isSymbol("{"),
      !next.isSymbol("(") || word.text == "switch" || word.text == "foreach" || word.text == "catch"
    {
      slip(word.span, message)
      recover()
      return nil
    }
    let opening: [Keyword] = [.local, .return, .if, .for, .while, .repeat, .function, .goto, .do]
    guard let meant = Parser.foreignKeywords[word.text] ?? keyword(near: word, among: opening) else { return nil }
    let follows: Bool =
      switch next.kind {
      case .name, .number: true
      case .keyword(let keyword): [.function, .not, .nil, .true, .false].contains(keyword)
      default: false
      }
    guard follows else { return nil }
    slip(word.span, "'\(word.text)' is not a word of Lua", suggestion: meant.rawValue)
    return misspelt(as: meant)
  }

  private mutating func misspelt(as keyword: Keyword) -> Statement? {
    reinterpret(keyword)
    return statement()
  }

  /// break and continue stand alone.
  private mutating func soleWord() -> Statement? {
    if current.text == "continue" {
      slip(
        current.span,
        "there is no 'continue' in Lua; turn the condition round, or write goto and a label at the end of the loop")
      advance()
      return nil
    }
    guard keyword(near: current, among: [.break, .return, .repeat]) != nil, peek().kind != .symbol else { return nil }
    let meant = keyword(near: current, among: [.break, .return, .repeat]) ?? .break
    guard meant != .repeat || peek().kind == .name else { return nil }
    slip(current.span, "'\(current.text)' is not a word of Lua", suggestion: meant.rawValue)
    return misspelt(as: meant)
  }

  mutating func expressionStatement() -> Statement? {
    let start = current
    let first = suffixed()
    if case .keyword = current.kind {
    } else if let message = Parser.assigning[current.text], current.kind == .symbol {
      slip(current.span, message)
      advance()
      let value = expression()
      return assignment([first], [value], start.span)
    }
    if current.isSymbol("++"), goesOn {
      slip(current.span, "'++' is not Lua; write 'x = x + 1'")
      advance()
      return assignment([first], [first], start.span)
    }
    if current.isSymbol("=") { return assignments([first], start.span) }
    if current.isSymbol(","), isAssignable(first) { return assignments([first], start.span) }
    if isCall(first) {
      if current.isSymbol(","), goesOn {
        tell(current.span, "a call with several arguments needs parentheses: name(…, …)")
        recover()
      } else {
        afterCall(first)
      }
      return Statement(kind: .call(first), span: first.span, depth: first.depth + 1)
    }
    nothing(first)
    return nil
  }

  /// A call that is part of something larger, which is no statement.
  private mutating func afterCall(_ call: Expression) {
    let joins = current.isKeyword(.and) || current.isKeyword(.or)
    guard goesOn, joins || current.kind == .symbol, !["}", ")", "]", ";", "::", "("].contains(current.text) else {
      return
    }
    if case .call(let function, _) = call.kind, let name = function.name,
      Nearest.find(name, among: ["return"], strict: true) != nil
    {
      slip(function.span, "'\(name)' is not a word of Lua", suggestion: "return")
    } else {
      unexpected("a call that is a statement stands alone")
    }
    recover()
  }

  private func isCall(_ expression: Expression) -> Bool {
    switch expression.kind {
    case .call, .method: true
    default: false
    }
  }

  private func isAssignable(_ expression: Expression) -> Bool {
    switch expression.kind {
    case .name, .index: true
    default: false
    }
  }

  private mutating func assignments(_ first: [Expression], _ start: Span) -> Statement? {
    var targets = first
    while take(",") { targets.append(suffixed()) }
    guard take("=") else {
      tell(previous.span, "a '=' is missing after these names")
      recover()
      return nil
    }
    return assignment(targets, expressionList(), start)
  }

  private mutating func assignment(_ targets: [Expression], _ values: [Expression], _ start: Span) -> Statement {
    for target in targets where !isAssignable(target) {
      tell(target.span, "this cannot be given a value; only a name or a field can")
    }
    let depth = (targets + values).reduce(0) { max($0, $1.depth) } + 1
    return Statement(
      kind: .assignment(targets: targets.filter(isAssignable), values: values),
      span: Span(start: start.start, end: previous.span.end), depth: depth)
  }

  /// An expression that stands alone.
  private mutating func nothing(_ expression: Expression) {
    if current.isSymbol("==") {
      slip(current.span, "'==' compares; to give a value write '='", suggestion: "=")
      advance()
      _ = self.expression()
    } else if goesOn, current.kind == .number || current.kind == .string || current.isSymbol("{") {
      tell(expression.span, "is a '=' missing after this?")
      _ = self.expression()
    } else if case .name(let name) = expression.kind {
      let all = Keyword.allCases.map(\.rawValue) + HostWords.all.map(\.name)
      slip(
        expression.span, "'\(name)' alone does nothing; a call needs parentheses and an assignment '='",
        suggestion: Nearest.find(name, among: all.filter { $0 != name }, strict: true))
      if goesOn { recover() }
    } else {
      tell(expression.span, "this alone does nothing; a call needs parentheses and an assignment '='")
      if goesOn { recover() }
    }
  }
}
