// From tokens to a tree, by recursive descent: the state of the parse, what is told, and how it goes on
// after a mistake.
//
// Thread: values. Promise: linear in the number of tokens, bounded in depth, and at most one complaint about
// the form of one line: what follows from a first mistake is not told as a second one.

struct Parser {
  /// Lua itself stops at 200; this is far beyond what anyone can read, and needs little stack.
  static let nestingLimit = 100

  let source: SourceText
  private(set) var tokens: [Token]
  var position = 0
  var nesting = 0
  /// Between `if` and `then`.
  var isCondition = false
  var isAborted = false
  private(set) var issues: [SyntaxIssue]
  private var toldLines: Set<Int> = []
  /// Nothing on them can be trusted, because a quote is missing.
  private var brokenLines: Set<Int> = []
  private var toldPlaces: Set<Int> = []
  /// From here on, the form of the text says nothing: a long text is never closed.
  private var trustedUntil = Int.max

  /// Blocks that are open, innermost last.
  var openers: [Opener] = []
  /// The block whose `end` was probably lost: what closed it stands further left than it does.
  var suspect: Opener?
  /// Brackets that are open, innermost last.
  var brackets: [String] = []
  /// The end of what stands before a line that is too far left for the table it is in.
  var suspectTable: Span?
  var elseIfs: [Span] = []
  /// What the current name was meant to be, where a block ends at a misspelt word.
  var misspeltCloserTaken: Keyword?

  struct Opener {
    var word: String
    var span: Span
    var indent: Int
    var isBrace = false
  }

  struct Parsed {
    var block: Block
    var issues: [SyntaxIssue]
  }

  static func parse(_ source: SourceText) -> Parsed {
    let lexer = Lexer(source)
    var parser = Parser(source: source, tokens: lexer.tokens, issues: lexer.issues)
    let block = parser.file()
    return Parsed(block: block, issues: parser.issues)
  }

  private init(source: SourceText, tokens: [Token], issues: [SyntaxIssue]) {
    self.source = source
    self.tokens = tokens
    self.issues = issues
    for issue in issues where !issue.isCertain { brokenLines.insert(source.line(at: issue.span.start)) }
    if let broken = tokens.first(where: \.isUnfinished) { trustedUntil = broken.span.start }
  }

  // Tokens.

  var current: Token { tokens[position] }
  var isAtEnd: Bool { current.kind == .end }
  func peek(_ ahead: Int = 1) -> Token { tokens[min(position + ahead, tokens.count - 1)] }
  var previous: Token { tokens[max(0, position - 1)] }

  /// Where something is missing.
  var afterPrevious: Span { Span(start: previous.span.end, end: previous.span.end + 1) }

  mutating func advance() { if position < tokens.count - 1 { position += 1 } }

  mutating func take(_ symbol: String) -> Bool {
    guard current.isSymbol(symbol) else { return false }
    advance()
    return true
  }
  mutating func take(_ keyword: Keyword) -> Bool {
    guard current.isKeyword(keyword) else { return false }
    advance()
    return true
  }

  func isSameLine(_ left: Span, _ right: Span) -> Bool { source.line(at: left.start) == source.line(at: right.start) }
  /// Whether the current token goes on with the line of the one before.
  var goesOn: Bool { position > 0 && isSameLine(previous.span, current.span) }

  /// The current name is read as the keyword it was meant to be.
  mutating func reinterpret(_ keyword: Keyword) {
    tokens[position].kind = .keyword(keyword)
    tokens[position].text = keyword.rawValue
  }

  // Telling.

  mutating func tell(_ span: Span, _ message: String) {
    guard toldLines.insert(source.line(at: span.start)).inserted else { return }
    add(SyntaxIssue(span: span, message: message))
  }

  /// It is plain what was meant, and the parse goes on with that.
  mutating func slip(
    _ span: Span, _ message: String, code: Finding.Code = .slip, suggestion: String? = nil
  ) {
    add(SyntaxIssue(span: span, code: code, message: message, suggestion: suggestion, isCertain: true))
  }

  private mutating func add(_ issue: SyntaxIssue) {
    if isAborted || issue.span.start >= trustedUntil { return }
    if brokenLines.contains(source.line(at: issue.span.start)) { return }
    guard toldPlaces.insert(issue.span.start).inserted else { return }
    issues.append(issue)
  }

  func shown(_ token: Token) -> String {
    token.kind == .end ? "the end of the file" : "'\(source.text(token.span).prefix(40))'"
  }

  mutating func unexpected(_ advice: String = "") {
    tell(current.span, "\(shown(current)) cannot stand here" + (advice.isEmpty ? "" : "; " + advice))
  }

  /// Text that is nested beyond all measure is not looked at further.
  mutating func enter() -> Bool {
    nesting += 1
    if nesting <= Parser.nestingLimit { return true }
    abort()
    return false
  }

  mutating func abort() {
    tell(current.span, "this is nested too deeply; at most \(Parser.nestingLimit) levels are read")
    isAborted = true
    position = tokens.count - 1
  }

  mutating func leave() { nesting -= 1 }

  // Nodes.

  func node(_ kind: Expression.Kind, _ span: Span, _ children: [Expression] = [], extraDepth: Int = 0) -> Expression {
    let depth = children.reduce(extraDepth) { max($0, $1.depth) } + 1
    if depth > Expression.depthLimit { return Expression(.many([]), span, depth: 1) }
    return Expression(kind, span, depth: depth)
  }

  func broken(_ span: Span) -> Expression { Expression(.many([]), span, depth: 1) }

  // Keywords that are misspelt.

  /// The keyword that a name was probably meant to be.
  func keyword(near token: Token, among keywords: [Keyword]) -> Keyword? {
    guard token.kind == .name else { return nil }
    return Nearest.find(token.text, among: keywords.map(\.rawValue), strict: true).flatMap { Keyword(rawValue: $0) }
  }

  mutating func takeMisspelt(_ keyword: Keyword) -> Bool {
    guard self.keyword(near: current, among: [keyword]) != nil else { return false }
    slip(current.span, "'\(current.text)' is not a word of Lua", suggestion: keyword.rawValue)
    advance()
    return true
  }

  func startsExpression(_ token: Token) -> Bool {
    switch token.kind {
    case .name, .string, .number: true
    case .keyword(let word): [.function, .not, .nil, .true, .false].contains(word)
    case .symbol: ["{", "(", "-", "#", "..."].contains(token.text)
    case .end: false
    }
  }
}
