// Numbers as Lua writes them.
//
// Thread: pure functions. Promise: what is called well-formed is what Lua reads as one number.

enum NumberText {
  static func isHexadecimal(_ byte: UInt8) -> Bool {
    Lexer.isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66)
  }

  static func isWellFormed(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    let isHexadecimal = rest.starts(with: Array("0x".utf8)) || rest.starts(with: Array("0X".utf8))
    if isHexadecimal { rest = rest.dropFirst(2) }
    let isDigit = isHexadecimal ? NumberText.isHexadecimal : Lexer.isDigit
    let whole = rest.prefix(while: isDigit)
    rest = rest.dropFirst(whole.count)
    var count = whole.count
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      let fraction = rest.prefix(while: isDigit)
      rest = rest.dropFirst(fraction.count)
      count += fraction.count
    }
    guard count > 0 else { return false }
    guard let mark = rest.first else { return true }
    guard mark | 0x20 == (isHexadecimal ? UInt8(ascii: "p") : UInt8(ascii: "e")) else { return false }
    rest = rest.dropFirst()
    if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    return !rest.isEmpty && rest.allSatisfy(Lexer.isDigit)
  }

  static func advice(_ text: String) -> String {
    let digits = text.filter { $0 != "_" }
    if digits != text, isWellFormed(digits) { return "; write \(digits)" }
    return text.contains { $0.isLetter } ? "; is a blank or an operator missing, or should it be a text in quotes?" : ""
  }

  /// A whole number, written without fraction or exponent.
  static func integer(_ text: String) -> Int64? {
    text.hasPrefix("0x") || text.hasPrefix("0X") ? Int64(text.dropFirst(2), radix: 16) : Int64(text)
  }
}
