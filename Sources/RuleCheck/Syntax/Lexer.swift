// From bytes to tokens. What is not Lua is told and, where it is plain what was meant, read as if it were.
//
// Thread: values. Promise: linear in the length of the text; never fails, and never reads beyond the end.

struct Lexer {
  private let source: SourceText
  private var bytes: [UInt8] { source.bytes }
  private var position = 0
  private(set) var tokens: [Token] = []
  private(set) var issues: [SyntaxIssue] = []

  init(_ source: SourceText) {
    self.source = source
    tokens.reserveCapacity(source.bytes.count / 4)
    run()
  }

  private func byte(_ ahead: Int = 0) -> UInt8 {
    position + ahead < source.bytes.count ? source.bytes[position + ahead] : 0
  }

  private mutating func run() {
    skipMark()
    while position < source.bytes.count {
      let first = byte()
      switch first {
      case 0x20, 0x09, 0x0A, 0x0D, 0x0B, 0x0C: position += 1
      case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"): comment()
      case UInt8(ascii: "\""), UInt8(ascii: "'"): quoted()
      case UInt8(ascii: "["): if let level = longLevel() { long(level) } else { symbol() }
      case UInt8(ascii: "/") where byte(1) == UInt8(ascii: "*"): foreignComment()
      case UInt8(ascii: "."): if Lexer.isDigit(byte(1)) { number() } else { symbol() }
      case 0x80...: beyondASCII()
      default:
        if Lexer.startsName(first) {
          name()
        } else if Lexer.isDigit(first) {
          number()
        } else {
          symbol()
        }
      }
    }
    tokens.append(Token(kind: .end, text: "", span: source.end))
  }

  static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
  static func startsName(_ byte: UInt8) -> Bool {
    byte == 0x5F || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
  }

  private mutating func tell(_ start: Int, _ end: Int, _ message: String, code: Finding.Code = .slip) {
    issues.append(
      SyntaxIssue(span: Span(start: start, end: end), code: code, message: message, isCertain: code == .slip))
  }

  private mutating func add(_ kind: Token.Kind, from start: Int, text: String? = nil) {
    let span = Span(start: start, end: position)
    tokens.append(Token(kind: kind, text: text ?? source.text(span), span: span))
  }

  private mutating func skipMark() {
    if source.bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
      tell(0, 3, "the file begins with a byte order mark; save it as UTF-8 without one")
      position = 3
    } else if byte() == UInt8(ascii: "#"), byte(1) == UInt8(ascii: "!") {
      tell(0, 2, "a rule is no script of its own; remove the line that begins with #!")
      skipLine()
    }
  }

  private mutating func skipLine() {
    while position < source.bytes.count, byte() != 0x0A { position += 1 }
  }

  // Names and numbers.

  private mutating func name() {
    let start = position
    while Lexer.startsName(byte()) || Lexer.isDigit(byte()) { position += 1 }
    let text = source.text(Span(start: start, end: position))
    if let keyword = Keyword(rawValue: text) {
      add(.keyword(keyword), from: start, text: text)
    } else {
      add(.name, from: start, text: text)
    }
  }

  private mutating func number() {
    let start = position
    let isHexadecimal = byte() == 0x30 && byte(1) | 0x20 == UInt8(ascii: "x")
    let exponent = isHexadecimal ? UInt8(ascii: "p") : UInt8(ascii: "e")
    while true {
      if byte() | 0x20 == exponent, byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-") {
        position += 2
      } else if Lexer.startsName(byte()) || Lexer.isDigit(byte())
        || byte() == UInt8(ascii: ".") && byte(1) != UInt8(ascii: ".")
      {
        position += 1
      } else {
        break
      }
    }
    add(.number, from: start)
    let text = tokens[tokens.count - 1].text
    if !NumberText.isWellFormed(text) {
      tell(start, position, "'\(text)' is not a number\(NumberText.advice(text))")
    }
  }

  // Signs.

  private static let symbols: [[[UInt8]]] = [
    ["..."], ["===", "!=="],
    [
      "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>", "!=", "<>", "&&", "||", "+=", "-=", "*=", "/=", "++",
      "=>", "->", ":=", "?.", "??",
    ],
  ].map { $0.map { Array($0.utf8) } }

  private mutating func symbol() {
    let start = position
    for group in Lexer.symbols {
      for symbol in group where source.bytes[position...].starts(with: symbol) {
        position += symbol.count
        return add(.symbol, from: start)
      }
    }
    position += 1
    add(.symbol, from: start)
  }

  // Texts.

  private func longLevel() -> Int? {
    var level = 0
    while byte(1 + level) == UInt8(ascii: "=") { level += 1 }
    return byte(1 + level) == UInt8(ascii: "[") ? level : nil
  }

  /// The offset where a long bracket closes; the end of the file when it does not.
  private mutating func skipLong(_ level: Int) -> (end: Int, isClosed: Bool) {
    position += level + 2
    while position < source.bytes.count {
      if byte() == UInt8(ascii: "]"), (0..<level).allSatisfy({ byte(1 + $0) == UInt8(ascii: "=") }),
        byte(1 + level) == UInt8(ascii: "]")
      {
        let end = position
        position += level + 2
        return (end, true)
      }
      position += 1
    }
    return (position, false)
  }

  private mutating func long(_ level: Int) {
    let start = position
    let (end, isClosed) = skipLong(level)
    if !isClosed { tell(start, start + level + 2, "this long text is never closed", code: .syntax) }
    add(.string, from: start, text: source.text(Span(start: start + level + 2, end: end)))
    tokens[tokens.count - 1].isUnfinished = !isClosed
  }

  private mutating func comment() {
    let start = position
    position += 2
    if byte() == UInt8(ascii: "["), let level = longLevel() {
      if !skipLong(level).isClosed { tell(start, start + 4, "this long comment is never closed", code: .syntax) }
    } else {
      skipLine()
    }
  }

  private mutating func foreignComment() {
    let start = position
    tell(start, start + 2, "'/*' does not begin a comment in Lua; write '--' or '--[[ … ]]'")
    position += 2
    while position < source.bytes.count, !(byte() == UInt8(ascii: "*") && byte(1) == UInt8(ascii: "/")) {
      position += 1
    }
    position = min(position + 2, source.bytes.count)
  }

  private mutating func quoted() {
    let quote = byte()
    let start = position
    position += 1
    var value: [UInt8] = []
    while position < source.bytes.count, byte() != quote, byte() != 0x0A {
      if byte() == UInt8(ascii: "\\") {
        escape(into: &value)
      } else {
        value.append(byte())
        position += 1
      }
    }
    let isClosed = position < source.bytes.count && byte() == quote
    if isClosed {
      position += 1
    } else {
      let end = min(position, source.bytes.count)
      tell(start, end, "a text is not closed on this line: its second quote is missing", code: .syntax)
      position = unmatched(from: start + 1, to: end)
    }
    position = min(position, source.bytes.count)
    add(.string, from: start, text: String(decoding: value, as: UTF8.self))
  }

  /// The first bracket in an open text whose partner is outside of it: there the text was probably to end, and
  /// from there the brackets of the file fit again.
  private func unmatched(from start: Int, to end: Int) -> Int {
    var open: [Int] = []
    for place in start..<max(start, end) {
      switch source.bytes[place] {
      case UInt8(ascii: "("), UInt8(ascii: "{"), UInt8(ascii: "["): open.append(place)
      case UInt8(ascii: ")"), UInt8(ascii: "}"), UInt8(ascii: "]"):
        if open.popLast() == nil { return place }
      default: break
      }
    }
    return open.first ?? end
  }

  private static let plainEscapes: [UInt8: UInt8] = [
    UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "r"): 13, UInt8(ascii: "a"): 7, UInt8(ascii: "b"): 8,
    UInt8(ascii: "f"): 12, UInt8(ascii: "v"): 11, UInt8(ascii: "\\"): 92, UInt8(ascii: "\""): 34,
    UInt8(ascii: "'"): 39, 10: 10, 13: 13,
  ]

  private mutating func escape(into value: inout [UInt8]) {
    let start = position
    position += 1
    let letter = byte()
    if let plain = Lexer.plainEscapes[letter] {
      value.append(plain)
      position += 1
    } else if letter == UInt8(ascii: "z") {
      position += 1
      while [0x20, 0x09, 0x0A, 0x0D].contains(byte()) { position += 1 }
    } else if letter == UInt8(ascii: "x") {
      position += 1
      while position < start + 4, NumberText.isHexadecimal(byte()) { position += 1 }
      value.append(UInt8(source.text(Span(start: start + 2, end: position)), radix: 16) ?? 0x3F)
    } else if letter == UInt8(ascii: "u"), byte(1) == UInt8(ascii: "{") {
      while position < source.bytes.count, byte() != UInt8(ascii: "}"), byte() != 0x0A { position += 1 }
      if byte() == UInt8(ascii: "}") { position += 1 }
      value.append(0x3F)
    } else if Lexer.isDigit(letter) {
      while position < start + 4, Lexer.isDigit(byte()) { position += 1 }
      value.append(UInt8(truncatingIfNeeded: Int(source.text(Span(start: start + 1, end: position))) ?? 0))
    } else if position < source.bytes.count, letter != 0 {
      // Step over the whole character.
      position += 1
      while byte() & 0xC0 == 0x80 { position += 1 }
      let text = source.text(Span(start: start, end: position))
      tell(start, position, "'\(text)' means nothing in a text; for a backslash write '\\\\', in patterns of Lua '%'")
    }
  }

  // Bytes beyond ASCII.

  private static func isQuote(_ scalar: Unicode.Scalar) -> Bool {
    (0x2018...0x201F).contains(scalar.value) || scalar.value == 0xAB || scalar.value == 0xBB
  }

  private mutating func scalar() -> Unicode.Scalar {
    let start = position
    position += 1
    while byte() & 0xC0 == 0x80, position < start + 4 { position += 1 }
    return source.text(Span(start: start, end: position)).unicodeScalars.first ?? "?"
  }

  private mutating func beyondASCII() {
    let start = position
    let first = scalar()
    if Lexer.isQuote(first) { return curlyText(from: start, first) }
    switch first.value {
    case 0xA0, 0x2002...0x200B, 0x202F, 0x3000, 0xFEFF:
      tell(start, position, "an unusual blank stands here; replace it by a plain one")
    case 0x2260: foreign(start, "~=", "'≠' is not Lua; write '~='")
    case 0x2264: foreign(start, "<=", "'≤' is not Lua; write '<='")
    case 0x2265: foreign(start, ">=", "'≥' is not Lua; write '>='")
    case 0x2013, 0x2014, 0x2212: foreign(start, "-", "'\(first)' is not the minus sign; write '-'")
    default: beyondName(start)
    }
  }

  private mutating func foreign(_ start: Int, _ symbol: String, _ message: String) {
    tell(start, position, message)
    add(.symbol, from: start, text: symbol)
  }

  private mutating func beyondName(_ start: Int) {
    while byte() >= 0x80 || Lexer.startsName(byte()) || Lexer.isDigit(byte()) { position += 1 }
    let text = source.text(Span(start: start, end: position))
    // A name goes on where its first letters were plain ones.
    if let last = tokens.last, last.kind == .name, last.span.end == start {
      tokens[tokens.count - 1].text += text
      tokens[tokens.count - 1].span.end = position
      tell(
        last.span.start, position, "'\(last.text + text)' is not a name in Lua; use the letters a to z, digits and _")
    } else {
      tell(start, position, "'\(text)' is not Lua outside of a text")
      add(.name, from: start)
    }
  }

  /// “text” as one token, so that what follows can be read.
  private mutating func curlyText(from start: Int, _ first: Unicode.Scalar) {
    tell(start, position, "curly quotes (\(first)) are not Lua; write \"")
    let inside = position
    while position < source.bytes.count, byte() != 0x0A {
      let before = position
      if byte() >= 0x80 {
        if Lexer.isQuote(scalar()) {
          return add(.string, from: start, text: source.text(Span(start: inside, end: before)))
        }
      } else if byte() == UInt8(ascii: "\"") || byte() == UInt8(ascii: "'") {
        position += 1
        return add(.string, from: start, text: source.text(Span(start: inside, end: before)))
      } else {
        position += 1
      }
    }
    add(.string, from: start, text: source.text(Span(start: inside, end: position)))
  }
}
