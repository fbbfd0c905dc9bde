// Statements, and the slips that people make in them.
//
// Thread: values. Promise: a slip whose meaning is plain is told once and read as what was meant.

extension Parser {
  private func make(_ kind: Statement.Kind, _ start: Span, depth: Int) -> Statement {
    Statement(kind: kind, span: Span(start: start.start, end: max(start.end, previous.span.end)), depth: depth + 1)
  }

  private func deepest(_ expressions: [Expression]) -> Int { expressions.reduce(0) { max($0, $1.depth) } }

  mutating func statement() -> Statement? {
    let start = current
    switch start.kind {
    case .keyword(let keyword): return keywordStatement(keyword)
    case .name:
      let before = position
      if let fixed = misspeltStatement() { return fixed }
      return position == before ? expressionStatement() : nil
    case .symbol where start.text == ";":
      advance()
      return nil
    case .symbol where start.text == "(": return expressionStatement()
    case .symbol where start.text == "::": return label()
    default:
      symbolStatement()
      return nil
    }
  }

  private mutating func symbolStatement() {
    if current.isSymbol("//") || current.isSymbol("#") {
      slip(current.span, "a comment begins with '--' in Lua", suggestion: "--")
      return skipLine()
    }
    unexpected("a statement begins with a word such as local, if, for, return, or with a call")
    recover()
  }

  private mutating func skipLine() {
    let line = source.line(at: current.span.start)
    while !isAtEnd, source.line(at: current.span.start) == line { advance() }
  }

  /// On to where a statement may begin.
  mutating func recover() {
    advance()
    while !isAtEnd {
      if case .keyword(let word) = current.kind, ![.and, .or, .not, .nil, .true, .false, .then, .in].contains(word) {
        return
      }
      if ["}", ")"].contains(current.text), current.kind == .symbol { return }
      if current.kind == .name, source.isFirstOnLine(current.span.start) { return }
      advance()
    }
  }

  private mutating func keywordStatement(_ keyword: Keyword) -> Statement? {
    let start = current
    switch keyword {
    case .if: return ifStatement()
    case .for: return forStatement()
    case .while: return whileStatement()
    case .repeat: return repeatStatement()
    case .local: return localStatement()
    case .function: return functionStatement()
    case .return: return returnStatement()
    case .do:
      advance()
      open("do", start.span)
      let body = block()
      close()
      return make(.do(body), start.span, depth: body.depth)
    case .break:
      advance()
      return make(.break, start.span, depth: 0)
    case .goto:
      advance()
      guard current.kind == .name else {
        tell(start.span, "'goto' needs the name of a label, such as goto next")
        return nil
      }
      advance()
      return make(.goto(previous.text, previous.span), start.span, depth: 0)
    case .then:
      tell(start.span, "a 'then' without an 'if' before it")
      advance()
      return nil
    default:
      unexpected()
      recover()
      return nil
    }
  }

  private mutating func label() -> Statement? {
    let start = current
    advance()
    guard current.kind == .name else {
      unexpected("a label is written ::name::")
      return nil
    }
    let name = current
    advance()
    if !take("::") { tell(name.span, "a label is written ::\(name.text)::") }
    return make(.label(name.text, name.span), start.span, depth: 0)
  }

  // Loops and conditions.

  /// `then` or `do` after a condition, or what people write in its place.
  private mutating func expect(_ keyword: Keyword, after opener: Token) {
    if take(keyword) { return }
    while current.isSymbol("=") {
      slip(current.span, "'=' assigns; to compare write '=='", suggestion: "==")
      advance()
      _ = expression()
    }
    if take(keyword) || goesOn && takeMisspelt(keyword) { return }
    if current.isSymbol("{") {
      slip(current.span, "'{' opens no block in Lua; write '\(keyword.rawValue) … end'", suggestion: keyword.rawValue)
      openers[openers.count - 1].isBrace = true
      return advance()
    }
    let wrong: [Keyword] = [.then, .do]
    if case .keyword(let word) = current.kind, wrong.contains(word), goesOn {
      slip(
        current.span, "'\(opener.text)' wants '\(keyword.rawValue)' here, not '\(word.rawValue)'",
        suggestion: keyword.rawValue)
      return advance()
    }
    if current.isSymbol(":"), goesOn { advance() }
    tell(previous.span, "a '\(keyword.rawValue)' is missing here, after what '\(opener.text)' asks")
  }

  private mutating func ifStatement() -> Statement? {
    let start = current
    var branches: [(condition: Expression, block: Block)] = []
    var otherwise: Block?
    advance()
    open("if", start.span)
    var condition = self.condition()
    expect(.then, after: start)
    branches.append((condition, block()))
    while true {
      if current.isKeyword(.elseif) || misspeltCloserTaken == .elseif {
        misspeltCloserTaken = nil
        let word = current
        advance()
        condition = self.condition()
        expect(.then, after: word)
        branches.append((condition, block()))
      } else if current.isKeyword(.else) || misspeltCloserTaken == .else, otherwise == nil {
        misspeltCloserTaken = nil
        if peek().isKeyword(.if), isSameLine(current.span, peek().span) {
          elseIfs.append(current.span.union(peek().span))
        }
        advance()
        otherwise = block()
      } else {
        break
      }
    }
    let elseIfCount = elseIfs.count
    close()
    // One that got its own end is in order.
    if elseIfs.count == elseIfCount, openers.isEmpty { elseIfs = [] }
    let depth = branches.reduce(otherwise?.depth ?? 0) { max($0, $1.condition.depth, $1.block.depth) }
    return make(.if(branches, otherwise: otherwise), start.span, depth: depth)
  }

  private mutating func whileStatement() -> Statement? {
    let start = current
    advance()
    open("while", start.span)
    let condition = self.condition()
    expect(.do, after: start)
    let body = block()
    close()
    return make(.while(condition, body), start.span, depth: max(condition.depth, body.depth))
  }

  private mutating func repeatStatement() -> Statement? {
    let start = current
    advance()
    open("repeat", start.span)
    let body = block()
    openers.removeLast()
    guard current.isKeyword(.until) || misspeltCloserTaken == .until else {
      tell(start.span, "this 'repeat' has no 'until'")
      if current.isKeyword(.end) { advance() }
      return make(.repeat(body, broken(start.span)), start.span, depth: body.depth)
    }
    misspeltCloserTaken = nil
    advance()
    let condition = expression()
    return make(.repeat(body, condition), start.span, depth: max(condition.depth, body.depth))
  }

  private mutating func forStatement() -> Statement? {
    let start = current
    advance()
    open("for", start.span)
    var names: [(name: String, span: Span)] = []
    let hasParenthesis = current.isSymbol("(")
    if hasParenthesis {
      slip(
        current.span, "'for' takes no parentheses in Lua: for i = 1, 10 do … end, or for _, x in ipairs(list) do … end")
      advance()
    }
    repeat {
      guard current.kind == .name else { break }
      names.append((current.text, current.span))
      advance()
    } while take(",")
    if names.isEmpty {
      tell(start.span, "'for' needs a name: for i = 1, 10 do … end, or for _, x in ipairs(list) do … end")
    }
    if names.count == 1, take("=") { return numericFor(start, names[0]) }
    if !take(.in), !takeMisspelt(.in) {
      tell(
        previous.span, "after the names of 'for' comes '=' or 'in': for i = 1, 10 do, or for _, x in ipairs(list) do")
    }
    let values = expressionList()
    if hasParenthesis { _ = take(")") }
    expect(.do, after: start)
    let body = block()
    close()
    return make(
      .genericFor(names: names, values: values, body), start.span, depth: max(deepest(values), body.depth))
  }

  private mutating func numericFor(_ start: Token, _ name: (name: String, span: Span)) -> Statement {
    let bounds = expressionList()
    if bounds.count < 2 { tell(name.span, "'for' needs a first and a last number: for \(name.name) = 1, 10 do") }
    _ = take(")")
    expect(.do, after: start)
    let body = block()
    close()
    return make(
      .numericFor(name: name.name, nameSpan: name.span, bounds: bounds, body), start.span,
      depth: max(deepest(bounds), body.depth))
  }

  // Declarations.

  private mutating func localStatement() -> Statement? {
    let start = current
    advance()
    if current.isKeyword(.function) || keyword(near: current, among: [.function]) != nil && peek().kind == .name {
      if !take(.function) { _ = takeMisspelt(.function) }
      guard current.kind == .name else {
        tell(current.span, "a local function needs a name: local function name(…)")
        return nil
      }
      let name = current
      advance()
      let body = functionBody(from: start.span)
      return make(.localFunction(name: name.text, nameSpan: name.span, body), start.span, depth: body.block.depth + 1)
    }
    var names: [LocalName] = []
    repeat {
      guard current.kind == .name else {
        tell(current.span, "\(shown(current)) cannot be the name of a local")
        if goesOn, !isAtEnd { advance() }
        break
      }
      names.append(LocalName(name: current.text, span: current.span, isConstant: false))
      advance()
      if current.isSymbol("<"), peek().kind == .name, peek(2).isSymbol(">") { attribute(&names[names.count - 1]) }
    } while take(",")
    if current.isSymbol("==") || current.isSymbol(":=") || current.isSymbol("+=") {
      slip(current.span, "to give a value write '=', not '\(current.text)'", suggestion: "=")
      advance()
      let values = expressionList()
      return make(.local(names: names, values: values), start.span, depth: deepest(values))
    }
    let values = take("=") ? expressionList() : []
    if values.isEmpty, goesOn, startsExpression(current) {
      tell(previous.span, "a '=' is missing after '\(previous.text)'")
      return make(.local(names: names, values: expressionList()), start.span, depth: 1)
    }
    return make(.local(names: names, values: values), start.span, depth: deepest(values))
  }

  private mutating func attribute(_ name: inout LocalName) {
    advance()
    if current.text == "const" {
      name.isConstant = true
    } else if current.text != "close" {
      slip(
        current.span, "a local can be <const> or <close>, not <\(current.text)>",
        suggestion: Nearest.find(current.text, among: ["const", "close"]))
    }
    advance()
    advance()
  }

  private mutating func functionStatement() -> Statement? {
    let start = current
    advance()
    guard current.kind == .name else {
      if current.isSymbol("(") {
        tell(start.span, "a function as a statement needs a name: local function name(…)")
        _ = functionBody(from: start.span)
        return nil
      }
      unexpected("a function needs a name: local function name(…)")
      return nil
    }
    var target = node(.name(current.text), current.span)
    advance()
    var isMethod = false
    while current.isSymbol(".") || current.isSymbol(":"), peek().kind == .name {
      isMethod = current.isSymbol(":")
      advance()
      let key = node(.string(current.text), current.span)
      target = node(.index(target, key, isDot: true), target.span.union(current.span), [target])
      advance()
    }
    let body = functionBody(from: start.span, hasSelf: isMethod)
    return make(.function(target: target, body), start.span, depth: max(target.depth, body.block.depth + 1))
  }

  private mutating func returnStatement() -> Statement? {
    let start = current
    advance()
    var values: [Expression] = []
    if startsExpression(current) || current.isSymbol("!") || current.isSymbol("~") { values = expressionList() }
    _ = take(";")
    return make(.return(values), start.span, depth: deepest(values))
  }
}
