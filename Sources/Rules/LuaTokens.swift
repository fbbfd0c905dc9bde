// A Lua file as tokens with their lines: enough to find where a key stands, which destinations and
// libraries a file names, and the slips that the compiler explains badly.
//
// Thread: values. Promise: never fails; what is not Lua becomes tokens of kind `other`.

package struct LuaToken: Sendable, Equatable {
  package enum Kind: Sendable { case name, string, number, symbol, other }
  package var kind: Kind
  /// Of a string its value when it has no escapes, else its raw text.
  package var text: String
  package var line: Int
}

struct LuaTokenizer {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var tokens: [LuaToken] = []

  static func tokens(of text: String) -> [LuaToken] {
    var tokenizer = LuaTokenizer(bytes: Array(text.utf8))
    tokenizer.run()
    return tokenizer.tokens
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func byte(_ ahead: Int = 0) -> UInt8 {
    position + ahead < bytes.count ? bytes[position + ahead] : 0
  }

  private mutating func run() {
    while position < bytes.count {
      switch byte() {
      case UInt8(ascii: "\n"):
        line += 1
        position += 1
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
      case UInt8(ascii: "-") where byte(1) == UInt8(ascii: "-"): comment()
      case UInt8(ascii: "\""), UInt8(ascii: "'"): quoted()
      case UInt8(ascii: "["):
        if let level = longLevel() { long(level: level, asString: true) } else { symbol() }
      case let first where LuaTokenizer.startsName(first): name()
      case let first where LuaTokenizer.isDigit(first): number()
      case 0x80...: other()
      default: symbol()
      }
    }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
  private static func startsName(_ byte: UInt8) -> Bool {
    byte == 0x5F || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
  }

  private mutating func add(_ kind: LuaToken.Kind, from start: Int, line: Int) {
    tokens.append(LuaToken(kind: kind, text: String(decoding: bytes[start..<position], as: UTF8.self), line: line))
  }

  private mutating func name() {
    let start = position
    while LuaTokenizer.startsName(byte()) || LuaTokenizer.isDigit(byte()) { position += 1 }
    add(.name, from: start, line: line)
  }

  private mutating func number() {
    let start = position
    while LuaTokenizer.startsName(byte()) || LuaTokenizer.isDigit(byte()) || byte() == UInt8(ascii: ".") {
      position += 1
    }
    add(.number, from: start, line: line)
  }

  private mutating func other() {
    let start = position
    while byte() >= 0x80 { position += 1 }
    add(.other, from: start, line: line)
  }

  /// Two or three characters that belong together, then single ones.
  private static let longSymbols = [
    "...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>", "!=", "&&", "||", "+=", "-=", "*=", "/=", "++",
  ].map { Array($0.utf8) }

  private mutating func symbol() {
    let start = position
    for symbol in LuaTokenizer.longSymbols where bytes[position...].starts(with: symbol) {
      position += symbol.count
      return add(.symbol, from: start, line: line)
    }
    position += 1
    add(.symbol, from: start, line: line)
  }

  /// The number of = between two opening brackets; nil when this is no long bracket.
  private func longLevel() -> Int? {
    var level = 0
    while byte(1 + level) == UInt8(ascii: "=") { level += 1 }
    return byte(1 + level) == UInt8(ascii: "[") ? level : nil
  }

  private mutating func long(level: Int, asString: Bool) {
    let firstLine = line
    position += level + 2
    let start = position
    var end = bytes.count
    while position < bytes.count {
      if byte() == UInt8(ascii: "\n") { line += 1 }
      if byte() == UInt8(ascii: "]"), closes(level: level) {
        end = position
        position += level + 2
        break
      }
      position += 1
    }
    if asString {
      tokens.append(LuaToken(kind: .string, text: String(decoding: bytes[start..<end], as: UTF8.self), line: firstLine))
    }
  }

  private func closes(level: Int) -> Bool {
    for ahead in 0..<level where byte(1 + ahead) != UInt8(ascii: "=") { return false }
    return byte(1 + level) == UInt8(ascii: "]")
  }

  private mutating func comment() {
    position += 2
    if byte() == UInt8(ascii: "["), let level = longLevel() { return long(level: level, asString: false) }
    while position < bytes.count, byte() != UInt8(ascii: "\n") { position += 1 }
  }

  private mutating func quoted() {
    let quote = byte()
    let firstLine = line
    position += 1
    let start = position
    while position < bytes.count, byte() != quote, byte() != UInt8(ascii: "\n") {
      if byte() == UInt8(ascii: "\\") {
        position += 1
        if byte() == UInt8(ascii: "\n") { line += 1 }
      }
      position += 1
    }
    position = min(position, bytes.count)
    let end = position
    if byte() == quote { position += 1 }
    tokens.append(LuaToken(kind: .string, text: String(decoding: bytes[start..<end], as: UTF8.self), line: firstLine))
  }
}
