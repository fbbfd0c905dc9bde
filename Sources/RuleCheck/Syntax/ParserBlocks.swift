// Blocks: how they open and close, and which one is still open when an `end` is missing.
//
// Thread: values. Promise: every loop of the parser moves on or ends.

extension Parser {
  mutating func file() -> Block {
    var all = block()
    while !isAtEnd {
      stray()
      let more = block()
      all.statements += more.statements
      all.span = all.span.union(more.span)
    }
    return all
  }

  /// Something that closes what is not open.
  private mutating func stray() {
    switch current.kind {
    case .keyword(.end):
      tell(current.span, "there is one 'end' too many: nothing is open here")
    case .keyword(let word):
      tell(current.span, "'\(word.rawValue)' belongs to an 'if' or a loop, and none is open here")
    default:
      tell(current.span, "there is one \(shown(current)) too many: nothing is open here")
    }
    advance()
    if case .keyword = previous.kind, current.isKeyword(.then) { advance() }
  }

  private var closesBlock: Bool {
    switch current.kind {
    case .end: true
    case .keyword(let word): [.end, .else, .elseif, .until].contains(word)
    // A comma can only follow a function in a table: an `end` is missing above.
    case .symbol: ["}", ")", "]"].contains(current.text) || current.text == "," && !openers.isEmpty
    default: false
    }
  }

  mutating func block() -> Block {
    let start = current.span
    var statements: [Statement] = []
    guard enter() else { return Block(statements: [], span: start) }
    while true {
      takeStrayBrackets()
      if closesBlock { break }
      let before = position
      if let closer = misspeltCloser() {
        slip(current.span, "'\(current.text)' is not a word of Lua", suggestion: closer.rawValue)
        misspeltCloserTaken = closer
        break
      }
      if let statement = statement() { statements.append(statement) }
      if position == before { advance() }
    }
    leave()
    let span = Span(start: start.start, end: max(start.start, previous.span.end))
    if (statements.map(\.depth).max() ?? 0) > Expression.depthLimit { return Block(statements: [], span: span) }
    return Block(statements: statements, span: span)
  }

  /// wait("3 days")): a bracket in the line of a statement that closes none of those around the block.
  private mutating func takeStrayBrackets() {
    guard !openers.isEmpty else { return }
    while goesOn, isStray(current) {
      tell(current.span, "there is one \(shown(current)) too many")
      advance()
    }
  }

  private func isStray(_ token: Token) -> Bool {
    if token.isSymbol("]") { return brackets.last != "[" }
    guard token.isSymbol(")") else { return false }
    if brackets.last != "(" { return true }
    // pcall(function() wait("3 days")) end): what would be closed is closed behind the function's `end`.
    return peek().isKeyword(.end) && peek(2).isSymbol(")") && brackets.dropLast().last != "("
  }

  /// A name that stands where only `end`, `else`, `elseif` or `until` makes sense.
  private func misspeltCloser() -> Keyword? {
    guard current.kind == .name, !openers.isEmpty else { return nil }
    let next = peek()
    let foreign: [String: Keyword] = [
      "endif": .end, "fi": .end, "done": .end, "endfor": .end, "endwhile": .end, "End": .end, "END": .end,
    ]
    let near = foreign[current.text] ?? keyword(near: current, among: [.end, .else, .elseif, .until])
    guard let near else { return nil }
    let isUsed =
      next.kind == .string
      || next.kind == .symbol && ["=", "(", ".", "[", ":", "{", "+=", "-=", "++"].contains(next.text)
    switch near {
    case .end:
      if isUsed { return nil }
      return next.isSymbol(",") && openers.last?.word != "function" ? nil : .end
    case .else: return isUsed || next.isSymbol(",") ? nil : .else
    default: return startsExpression(next) && !isUsed && goesOnAfterCurrent ? near : nil
    }
  }

  private var goesOnAfterCurrent: Bool { isSameLine(current.span, peek().span) }

  mutating func open(_ word: String, _ span: Span) {
    openers.append(Opener(word: word, span: span, indent: source.indent(at: span.start)))
  }

  /// Closes the innermost block.
  mutating func close() {
    guard let opener = openers.popLast() else { return }
    if misspeltCloserTaken == .end || current.isKeyword(.end) || opener.isBrace && current.isSymbol("}") {
      let isFirst = source.isFirstOnLine(current.span.start)
      if isFirst, source.indent(at: current.span.start) < opener.indent, suspect == nil { suspect = opener }
      misspeltCloserTaken = nil
      return advance()
    }
    let culprit = suspect ?? opener
    suspect = nil
    if let place = elseIfs.first {
      elseIfs = []
      return slip(
        place, "'else if' opens a second if that needs its own 'end'; write 'elseif'", suggestion: "elseif")
    }
    tell(
      culprit.span,
      "this '\(culprit.word)' has no 'end': it is still open at \(shown(current)) in line \(source.line(at: current.span.start))"
    )
  }

  /// The body of a function, after its name.
  mutating func functionBody(from start: Span, hasSelf: Bool = false) -> FunctionBody {
    var (parameters, isVariadic) = parameterList()
    if hasSelf { parameters.insert(("self", start), at: 0) }
    open("function", start)
    let body = block()
    close()
    return FunctionBody(
      parameters: parameters, isVariadic: isVariadic, block: body,
      span: Span(start: start.start, end: previous.span.end))
  }

  private mutating func parameterList() -> ([(name: String, span: Span)], Bool) {
    guard take("(") else {
      tell(previous.span, "after 'function' come its arguments in parentheses, such as (event, customer)")
      return ([], false)
    }
    var parameters: [(name: String, span: Span)] = []
    var isVariadic = false
    while !current.isSymbol(")") {
      if take("...") {
        isVariadic = true
      } else if current.kind == .name {
        parameters.append((current.text, current.span))
        advance()
      } else {
        tell(current.span, "\(shown(current)) cannot be the name of an argument")
        if isAtEnd || !goesOn { return (parameters, isVariadic) }
        advance()
      }
      if take(",") { continue }
      if current.kind == .name, goesOn {
        slip(previous.span, "a comma is missing before '\(current.text)'")
      } else if !current.isSymbol(")") {
        tell(previous.span, "a ')' is missing after the arguments of this function")
        return (parameters, isVariadic)
      }
    }
    advance()
    return (parameters, isVariadic)
  }
}
