// Look-up tables that product people edit in a spreadsheet: data/NAME.csv becomes a library that rules use like
// any other.
//
// Thread: pure functions. Promise: each line of the file is the same line of the library, so that a complaint about
// one is about the other; what is no table is refused with its line.

internal import Basics
internal import Model

package enum LookUpTable {
  /// As it lies on disk: spreadsheets of old write other characters than UTF-8, and what cannot be read would become
  /// question marks that no key is found by.
  package static func library(_ bytes: [UInt8], file: String) throws(RuleComplaint) -> String {
    if let text = String(validating: bytes, as: UTF8.self) { return try library(text, file: file) }
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    let line = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
    throw RuleComplaint(
      file: file, line: line + 1, message: "the file is not UTF-8; save it from the spreadsheet as CSV in UTF-8")
  }

  /// The library's text: a table of rows by the value of their first column.
  package static func library(_ text: String, file: String) throws(RuleComplaint) -> String {
    var reader = CSVReader(text)
    guard let head = try reader.row(file) else {
      throw RuleComplaint(file: file, line: 1, message: "the table is empty; its first line names the columns")
    }
    try check(head.cells, file)
    var out = "return {"
    var line = 1
    var seen: [String: Int] = [:]
    while let row = try reader.row(file) {
      if row.cells.allSatisfy(\.isEmpty) { continue }
      guard row.cells.count == head.cells.count else {
        throw RuleComplaint(
          file: file, line: row.line,
          message: "the line has \(row.cells.count) columns, the first line names \(head.cells.count)")
      }
      let key = row.cells[0]
      guard !key.isEmpty else {
        throw RuleComplaint(
          file: file, line: row.line, message: "the first column is what a row is found by; it is empty here")
      }
      if let other = seen[key] {
        throw RuleComplaint(file: file, line: row.line, message: "'\(key)' stands in line \(other) already")
      }
      seen[key] = row.line
      // The library keeps the file's lines.
      out += String(repeating: "\n", count: max(0, row.line - line))
      line = row.line
      let members = zip(head.cells, row.cells).dropFirst().compactMap { name, cell in
        value(cell).map { "\(member(name))=\($0)" }
      }
      out += " \(member(key))={\(members.joined(separator: ","))},"
    }
    out += " }\n"
    try checkSize(out, file)
    return out
  }

  /// What the loader would refuse is told of the table here, and not of the library, which nobody has seen.
  private static func checkSize(_ library: String, _ file: String) throws(RuleComplaint) {
    let marks = library.utf8.count { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
    let bytes = library.utf8.count
    if bytes <= Limits.ruleSourceBytes, marks <= Limits.ruleIndexOperators { return }
    let why =
      bytes > Limits.ruleSourceBytes
      ? "with its columns' names in each row it takes \(bytes) bytes, \(Limits.ruleSourceBytes) may be"
      : "it has \(marks) decimal points and names that are no plain words, \(Limits.ruleIndexOperators) may be"
    throw RuleComplaint(
      file: file, line: 1,
      message: "the table is too large: \(why); leave out columns that no rule reads, or make several tables of it")
  }

  private static let reserved: Set<String> = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
    "not",
    "or", "repeat", "return", "then", "true", "until", "while",
  ]

  /// A key of a Lua table; a plain word needs no brackets, which are counted.
  private static func member(_ name: String) -> String {
    let isWord = name.utf8.allSatisfy {
      ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || (0x30...0x39).contains($0) || $0 == 0x5F
    }
    let isPlain = isWord && !(0x30...0x39).contains(name.utf8.first ?? 0x30) && !reserved.contains(name)
    return isPlain ? name : "[\(quoted(name))]"
  }

  private static func check(_ names: [String], _ file: String) throws(RuleComplaint) {
    if names.count == 1, names[0].contains("\t") {
      throw RuleComplaint(
        file: file, line: 1, message: "the columns are separated by tabs; save the table with commas or semicolons")
    }
    for (place, name) in names.enumerated() {
      if name.isEmpty {
        throw RuleComplaint(
          file: file, line: 1, message: "column \(place + 1) has no name; the first line names the columns")
      }
      if names[..<place].contains(name) {
        throw RuleComplaint(file: file, line: 1, message: "two columns are named '\(name)'")
      }
    }
  }

  /// Lua's word for a cell; nil for an empty one. Digits behind a zero are a text: they are a postal code.
  private static func value(_ cell: String) -> String? {
    if cell.isEmpty { return nil }
    if cell == "true" || cell == "TRUE" { return "true" }
    if cell == "false" || cell == "FALSE" { return "false" }
    return isNumber(cell) ? cell : quoted(cell)
  }

  private static func isNumber(_ cell: String) -> Bool {
    let digits = cell.hasPrefix("-") ? cell.dropFirst() : cell[...]
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, digits.count <= 16, !parts.contains(where: \.isEmpty) else { return false }
    guard parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }) else { return false }
    return parts[0] == "0" || !parts[0].hasPrefix("0")
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for byte in text.utf8 {
      // A point, a colon and a bracket are counted wherever they stand.
      let isPlain = byte >= 0x20 && byte < 0x7F && ![0x22, 0x5C, 0x2E, 0x3A, 0x5B].contains(byte)
      out += isPlain ? String(UnicodeScalar(byte)) : "\\" + (byte < 100 ? byte < 10 ? "00" : "0" : "") + "\(byte)"
    }
    return out + "\""
  }
}

/// Rows of a file as spreadsheets write it: commas or semicolons, quotes around what holds them.
private struct CSVReader {
  private let bytes: [UInt8]
  private let separator: UInt8
  private var at = 0
  private var line = 1

  init(_ text: String) {
    var bytes = Array(text.utf8)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    self.bytes = bytes
    var isQuoted = false
    let first = bytes.prefix { $0 != 0x0A && $0 != 0x0D }.filter { byte in
      if byte == 0x22 { isQuoted.toggle() }
      return !isQuoted
    }
    separator = first.contains(0x2C) || !first.contains(0x3B) ? 0x2C : 0x3B
  }

  /// Nil at the end.
  mutating func row(_ file: String) throws(RuleComplaint) -> (cells: [String], line: Int)? {
    guard at < bytes.count else { return nil }
    let start = line
    var cells: [String] = []
    while true {
      cells.append(try cell(file))
      guard at < bytes.count else { return (cells, start) }
      let byte = bytes[at]
      at += 1
      if byte == separator { continue }
      if byte == 0x0D, at < bytes.count, bytes[at] == 0x0A { at += 1 }
      line += 1
      return (cells, start)
    }
  }

  private mutating func cell(_ file: String) throws(RuleComplaint) -> String {
    guard at < bytes.count, bytes[at] == 0x22 else {
      let start = at
      while at < bytes.count, bytes[at] != separator, bytes[at] != 0x0A, bytes[at] != 0x0D { at += 1 }
      return trimmed(bytes[start..<at])
    }
    let opened = line
    at += 1
    var out: [UInt8] = []
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      if byte == 0x0A { line += 1 }
      guard byte == 0x22 else {
        out.append(byte)
        continue
      }
      if at < bytes.count, bytes[at] == 0x22 {
        out.append(0x22)
        at += 1
        continue
      }
      while at < bytes.count, bytes[at] == 0x20 { at += 1 }
      if at == bytes.count || bytes[at] == separator || bytes[at] == 0x0A || bytes[at] == 0x0D {
        return String(decoding: out, as: UTF8.self)
      }
      throw RuleComplaint(
        file: file, line: line,
        message: "something stands behind the closing quote; write a quote inside of quotes twice")
    }
    throw RuleComplaint(file: file, line: opened, message: "a quote is opened here and never closed")
  }

  private func trimmed(_ cell: ArraySlice<UInt8>) -> String {
    let text = cell.drop { $0 == 0x20 || $0 == 0x09 }
    let end = text.lastIndex { $0 != 0x20 && $0 != 0x09 }
    return end.map { String(decoding: text[...$0], as: UTF8.self) } ?? ""
  }
}
