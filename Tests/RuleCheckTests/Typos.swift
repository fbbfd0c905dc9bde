// Typos made by chance from rules that are in order: each knows what was changed, on which line, and what
// stood there.
//
// Thread: the test's own. Promise: the same seed makes the same typos; a typo changes the file's meaning, so
// there is always something to be found.

import Basics
import Rules

struct Typo: CustomStringConvertible, Sendable {
  var kind: TypoClass
  var path: String
  var text: String
  /// Lines on which a complaint counts as exact.
  var lines: Set<Int>
  /// What stood there; nil where nothing sensible can be suggested.
  var original: String?
  var change: String
  var description: String { "\(kind) in \(path):\(lines.sorted()): \(change)" }
}

/// Makes them; one generator for one file.
struct TypoMaker {
  let source: RuleSource
  let tokens: [LuaToken]
  let lines: [String]
  /// Names with a place in the catalogue that may be misspelt.
  let catalogue: Vocabulary

  struct Vocabulary: Sendable {
    var words: Set<String>
    var headerKeys: Set<String>
    var events: Set<String>
    var fields: Set<String>
    var names: Set<String>
    var options: Set<String>
    var choices: Set<String>
  }

  init(_ source: RuleSource, _ catalogue: Vocabulary) {
    self.source = source
    self.catalogue = catalogue
    tokens = RuleTokens.of(source.text)
    lines = source.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  // Changing one place.

  /// Replaces the `nth` of a text on a line.
  private func replace(_ part: String, by other: String, line: Int, nth: Int = 0) -> String? {
    var changed = lines
    let text = changed[line - 1]
    let ranges = text.ranges(of: part)
    guard nth < ranges.count else { return nil }
    changed[line - 1] = text[..<ranges[nth].lowerBound] + other + text[ranges[nth].upperBound...]
    return changed.joined(separator: "\n")
  }

  private func typo(
    _ kind: TypoClass, line: Int, _ part: String, by other: String, original: String?, nth: Int = 0
  ) -> Typo? {
    guard let text = replace(part, by: other, line: line, nth: nth), text != source.text else { return nil }
    return Typo(
      kind: kind, path: source.path, text: text, lines: [line], original: original, change: "\(part) → \(other)")
  }

  /// A slip of the keyboard: a letter twice, lost, another, or two swapped.
  static func slip(_ word: String, _ random: inout SeededRandom) -> String {
    var letters = Array(word)
    for _ in 0..<20 {
      var changed = letters
      // The first letter is the one that people get right.
      let place = letters.count < 3 ? 0 : 1 + Int(random.next(below: UInt64(letters.count - 1)))
      switch random.next(below: 4) {
      case 0: changed.insert(changed[place], at: place)
      case 1 where letters.count > 3: changed.remove(at: place)
      case 2 where place + 1 < letters.count: changed.swapAt(place, place + 1)
      case 3: changed[place] = Array("abcdefghijklmnopqrstuvwxyz")[Int(random.next(below: 26))]
      default: continue
      }
      if changed != letters { return String(changed) }
    }
    letters.append("x")
    return String(letters)
  }

  // Candidates.

  private func isName(_ index: Int, _ names: Set<String>) -> Bool {
    tokens[index].kind == .name && names.contains(tokens[index].text)
  }

  private func symbol(_ index: Int) -> String { tokens.indices.contains(index) ? tokens[index].text : "" }

  /// The place of a token among the same texts on its line.
  private func nth(_ index: Int) -> Int { tokens[index].nth }

  private func misspell(_ index: Int, _ kind: TypoClass, _ random: inout SeededRandom, avoiding: Set<String> = [])
    -> Typo?
  {
    let word = tokens[index].text
    for _ in 0..<10 {
      let wrong = TypoMaker.slip(word, &random)
      if avoiding.contains(wrong) || wrong == word || Keywords.all.contains(wrong) { continue }
      return typo(kind, line: tokens[index].line, word, by: wrong, original: word, nth: nth(index))
    }
    return nil
  }

  private func candidates(_ kind: TypoClass) -> [Int] {
    tokens.indices.filter { index in
      let token = tokens[index]
      let after = symbol(index + 1)
      let before = symbol(index - 1)
      switch kind {
      case .word:
        return isName(index, catalogue.words) && before != "." && before != "function"
          && (after == "(" || after == "{" || tokens[index].text == "state")
      case .variable:
        return token.kind == .name && locals.contains(token.text) && before != "." && before != "local"
          && after != "=" && before != "function" && !isDeclaration(index) && !isTableKey(index)
          && token.text.count > 2
      case .headerKey: return isName(index, catalogue.headerKeys) && after == "=" && depth(index) == 1
      case .event: return token.kind == .string && catalogue.events.contains(token.text)
      case .field: return isName(index, catalogue.fields) && before == "." && token.text.count > 1
      case .destination: return token.kind == .string && catalogue.names.contains(token.text)
      case .option:
        return isName(index, catalogue.options) && after == "=" && depth(index) > 1
          || token.kind == .string && catalogue.choices.contains(token.text)
      default: return false
      }
    }
  }

  private var locals: Set<String> {
    var names: Set<String> = []
    for index in tokens.indices {
      let before = symbol(index - 1)
      if tokens[index].kind == .name, before == "local" || isDeclaration(index) { names.insert(tokens[index].text) }
    }
    return names.subtracting(["function", "_"])
  }

  /// A parameter, or a name of `for` or `local`.
  private func isDeclaration(_ index: Int) -> Bool {
    guard tokens[index].kind == .name else { return false }
    var place = index - 1
    while place > 0, symbol(place) == "," || tokens[place].kind == .name && symbol(place + 1) == "," { place -= 1 }
    if symbol(place) == "for" || symbol(place) == "local" { return true }
    guard symbol(place) == "(", place > 0 else { return false }
    return symbol(place - 1) == "function" || symbol(place - 2) == "function"
  }

  private func isTableKey(_ index: Int) -> Bool { symbol(index + 1) == "=" && symbol(index + 2) != "=" }

  /// How many braces are open.
  private func depth(_ index: Int) -> Int {
    tokens[..<index].reduce(0) { $0 + ($1.kind != .symbol ? 0 : $1.text == "{" ? 1 : $1.text == "}" ? -1 : 0) }
  }

  // One typo of a class; nil when the file has no place for it.

  func make(_ kind: TypoClass, _ random: inout SeededRandom) -> Typo? {
    switch kind {
    case .word, .variable, .headerKey, .event, .field, .destination, .option:
      let places = candidates(kind)
      guard !places.isEmpty else { return nil }
      let all = catalogue.words.union(catalogue.events).union(catalogue.fields).union(catalogue.names).union(locals)
      return misspell(places[Int(random.next(below: UInt64(places.count)))], kind, &random, avoiding: all)
    case .duration: return duration(&random)
    case .separator: return separator(&random)
    case .keyword: return keyword(&random)
    case .foreign: return foreign(&random)
    case .wrongKind: return wrongKind(&random)
    }
  }

  private func pick<T>(_ list: [T], _ random: inout SeededRandom) -> T? {
    list.isEmpty ? nil : list[Int(random.next(below: UInt64(list.count)))]
  }

  private func duration(_ random: inout SeededRandom) -> Typo? {
    let units = ["day", "days", "hours", "hour", "week", "weeks", "min", "s"]
    let places = tokens.indices.filter { index in
      let parts = tokens[index].text.split(separator: " ")
      return tokens[index].kind == .string && parts.count == 2 && Int(parts[0]) != nil
        && units.contains(String(parts[1]))
    }
    let clocks = tokens.indices.filter { tokens[$0].kind == .string && tokens[$0].text == "09:00" }
    if random.chance(1, in: 6), let clock = pick(clocks, &random) {
      return typo(
        .duration, line: tokens[clock].line, "09:00", by: ["9am", "25:00", "09.00"][Int(random.next(below: 3))],
        original: nil)
    }
    guard let index = pick(places, &random) else { return nil }
    let text = tokens[index].text
    let parts = text.split(separator: " ").map(String.init)
    let line = tokens[index].line
    switch random.next(below: 4) {
    case 0 where parts[1].count > 2, 1 where parts[1].count > 2:
      let wrong = TypoMaker.slip(parts[1], &random)
      if units.contains(wrong) || wrong == "minx" { return nil }
      return typo(.duration, line: line, text, by: "\(parts[0]) \(wrong)", original: text)
    case 2: return typo(.duration, line: line, text, by: "1 month", original: nil)
    default: return typo(.duration, line: line, text, by: parts[0], original: nil)
    }
  }

  private func separator(_ random: inout SeededRandom) -> Typo? {
    let marks = tokens.indices.filter { index in
      guard tokens[index].kind == .symbol, [",", ")", "}"].contains(tokens[index].text) else { return false }
      // A last comma may be left out.
      if tokens[index].text == "," { return symbol(index + 1) != "}" && !isDeclaration(index - 1) }
      return true
    }
    let quotes = tokens.indices.filter { tokens[$0].kind == .string && lines[tokens[$0].line - 1].contains("\"") }
    if random.chance(1, in: 4), let index = pick(quotes, &random) {
      let text = tokens[index].text
      return typo(.separator, line: tokens[index].line, "\"\(text)\"", by: "\"\(text)", original: nil)
    }
    guard let index = pick(marks, &random) else { return nil }
    return typo(.separator, line: tokens[index].line, tokens[index].text, by: "", original: nil, nth: nth(index))
  }

  private func keyword(_ random: inout SeededRandom) -> Typo? {
    let words: Set<String> = [
      "then", "do", "end", "return", "function", "local", "if", "for", "not", "else", "elseif", "and",
    ]
    let places = tokens.indices.filter {
      tokens[$0].kind == .name && words.contains(tokens[$0].text) && symbol($0 - 1) != "."
    }
    guard let index = pick(places, &random) else { return nil }
    let word = tokens[index].text
    let line = tokens[index].line
    if word == "elseif" { return typo(.keyword, line: line, "elseif", by: "else if", original: "elseif") }
    if ["then", "do", "end"].contains(word), random.chance(1, in: 2) {
      var made = typo(.keyword, line: line, word, by: "", original: nil, nth: nth(index))
      if word == "end" { made?.lines.formUnion(openers(closedAt: index)) }
      return made
    }
    if word.count < 3 { return nil }
    return misspell(index, .keyword, &random)
  }

  /// The line of what an `end` closes.
  private func openers(closedAt index: Int) -> Set<Int> {
    var level = 0
    for place in stride(from: index - 1, through: 0, by: -1) where tokens[place].kind == .name {
      switch tokens[place].text {
      case "end": level += 1
      case "function", "if", "do":
        if level == 0 { return [tokens[place].line] }
        level -= 1
      default: break
      }
    }
    return []
  }

  private func foreign(_ random: inout SeededRandom) -> Typo? {
    var made: [Typo] = []
    for (position, line) in lines.enumerated() where !line.hasPrefix("--") {
      let number = position + 1
      let swaps = [
        (" ~= ", " != ", "~="), (" == ", " = ", "=="), (" and ", " && ", "and"), (" or ", " || ", "or"),
        ("not ", "!", "not"), (" nil", " None", "nil"), (" true", " True", "true"),
      ]
      for (from, to, original) in swaps where line.contains(from) {
        if let one = typo(.foreign, line: number, from, by: to, original: original) { made.append(one) }
      }
      if line.contains("\""), let one = typo(.foreign, line: number, "\"", by: "“", original: nil) { made.append(one) }
    }
    return pick(made, &random)
  }

  private func wrongKind(_ random: inout SeededRandom) -> Typo? {
    var made: [Typo] = []
    for (position, line) in lines.enumerated() where !line.hasPrefix("--") {
      let number = position + 1
      for (from, to) in [
        ("wait(pause)", "wait(5)"), ("{ within = \"3 days\" }", "\"3 days\""),
        ("{ within = \"3 days\" }", "{ within = 3 }"),
        ("\"30 days\"", "30"), ("priority = 10", "priority = \"10\""), ("again = \"never\"", "again = false"),
        ("local ", ""), ("set { ", "set \"x\" { "), ("run = function(event, customer)", "run = {"),
        (".id,", ".id .. {},"), (">= 70", ">= \"70\""), (">= 80", ">= \"80\""),
      ] where line.contains(from) {
        if from == "local ", line.contains("local function") && to.isEmpty { continue }
        if from == "local ", position == 0 || line.hasPrefix("local") { continue }
        if let one = typo(.wrongKind, line: number, from, by: to, original: nil) { made.append(one) }
      }
    }
    return pick(made.filter { !$0.change.contains("run = {") && !$0.change.contains("set \"x\"") }, &random)
  }
}

enum Keywords {
  static let all: Set<String> = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while",
  ]
}

/// Tokens of a rule, plainly; a second opinion beside the product's own lexer.
struct LuaToken: Sendable {
  enum Kind { case name, string, number, symbol }
  var kind: Kind
  var text: String
  var line: Int
  /// Which of the same texts on its line this one is.
  var nth: Int
}

enum RuleTokens {
  static func of(_ text: String) -> [LuaToken] {
    var out: [LuaToken] = []
    for (position, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      var rest = Substring(line)
      func add(_ kind: LuaToken.Kind, _ text: String, at start: Substring) {
        let before = line[..<start.startIndex]
        out.append(LuaToken(kind: kind, text: text, line: position + 1, nth: before.ranges(of: text).count))
      }
      while let first = rest.first {
        if rest.hasPrefix("--") { break }
        if first == "\"" {
          let value = rest.dropFirst().prefix { $0 != "\"" }
          add(.string, String(value), at: rest.dropFirst())
          rest = rest.dropFirst(value.count + 2)
        } else if first.isLetter || first == "_" {
          let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
          add(.name, String(name), at: rest)
          rest = rest.dropFirst(name.count)
        } else if first.isNumber {
          let number = rest.prefix { $0.isNumber || $0 == "." }
          add(.number, String(number), at: rest)
          rest = rest.dropFirst(number.count)
        } else {
          if first != " " { add(.symbol, String(first), at: rest) }
          rest = rest.dropFirst()
        }
      }
    }
    return out
  }
}
