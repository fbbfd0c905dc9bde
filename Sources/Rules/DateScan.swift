// What a file's wait_until { date = … } goes by, found before it runs: a run listens from its start to what
// moves and cancels its dates, so that no move is missed.
//
// Thread: pure. Promise: what is not written out as constants is a complaint at its line.

internal import Basics
internal import Model

extension SourceScan {
  static let dateForm =
    "must be written out here, as \"…\" or { \"…\", \"…\" }, because it is known before the run which events move its date"

  /// The table behind `wait_until` at `index`, if it names a date: its parts into `dates`.
  mutating func findDates(after index: Int) {
    var next = index + 1
    if next < tokens.count, isSymbol(next, "(") { next += 1 }
    guard next < tokens.count, isSymbol(next, "{") else { return }
    let fields = fields(from: next)
    guard let date = fields.first(where: { $0.key == "date" }) else { return }
    guard let path = constants(date.value), path.count == 1 else {
      return complain(tokens[index].line, "wait_until: 'date' must be a constant text such as \"data.starts_at\"")
    }
    RuleDates.add(path.map(\.text), to: &dates.paths)
    for field in fields where field.key == "moved" || field.key == "cancelled" {
      guard let names = constants(field.value) else {
        complain(tokens[index].line, "wait_until: '\(field.key)' \(SourceScan.dateForm)")
        continue
      }
      for name in names { listen(for: name) }
      RuleDates.add(names.map(\.text), to: &dates.names)
      if field.key == "cancelled" { RuleDates.add(names.map(\.text), to: &dates.ends) }
    }
  }

  private func isSymbol(_ index: Int, _ text: String) -> Bool {
    tokens[index].kind == .symbol && tokens[index].text == text
  }

  /// The named fields of the table that opens here, with the places of their values.
  private func fields(from open: Int) -> [(key: String, value: Range<Int>)] {
    var found: [(key: String, value: Range<Int>)] = []
    var depth = 0
    var start: Int?
    var key = ""
    for index in tokens.indices.dropFirst(open) where tokens[index].kind == .symbol {
      switch tokens[index].text {
      case "{", "(", "[": depth += 1
      case "=" where depth == 1 && start == nil && tokens[index - 1].kind == .name:
        key = tokens[index - 1].text
        start = index + 1
      case "}", ")", "]", ",", ";":
        let isEnd =
          tokens[index].text.utf8.first != UInt8(ascii: ",") && tokens[index].text.utf8.first != UInt8(ascii: ";")
        if depth == 1, let from = start {
          found.append((key, from..<index))
          start = nil
        }
        if isEnd { depth -= 1 }
        if depth == 0 { return found }
      default: break
      }
    }
    return found
  }

  /// "x" or { "x", "y" }; nil for anything else.
  private func constants(_ range: Range<Int>) -> [LuaToken]? {
    var list = Array(tokens[range])
    if list.count == 1, list[0].kind == .string { return list }
    guard list.count > 2, list[0].text == "{", list[0].kind == .symbol, list.last?.text == "}" else { return nil }
    list = Array(list.dropFirst().dropLast())
    let names = list.filter { $0.kind == .string }
    let isPlain = list.allSatisfy { $0.kind == .string || [",", ";"].contains($0.text) }
    return isPlain && !names.isEmpty ? names : nil
  }
}
