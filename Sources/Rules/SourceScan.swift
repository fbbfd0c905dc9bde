// What can be known of a Lua file before it is compiled: limits on its bytes, slips with a plain
// explanation, the lines of its keys, and the destinations and libraries it names.
//
// Thread: values. Promise: names the true line; a file it refuses would not have worked or is not allowed.

internal import Basics
internal import Model

struct SourceScan {
  let file: String
  let tokens: [LuaToken]
  private(set) var complaints: [RuleComplaint] = []
  /// Line of a key in a table, by its path from the file's outermost table: "destinations.crm.url".
  private(set) var keyLines: [String: Int] = [:]
  /// Constant first arguments of send(…).
  private(set) var destinations: [LuaToken] = []
  /// Constant arguments of use(…).
  private(set) var libraries: [LuaToken] = []

  /// Constant names of events in wait_for(…) and wait_any(…).
  private(set) var awaited: [LuaToken] = []
  /// It uses a word in which a run can sleep.
  private(set) var waits = false
  /// It says by itself which events end a wait, or waits for those of other subjects.
  private(set) var matches = false
  /// What its waits for dates go by.
  var dates = RuleDates()
  /// It asks what time it is.
  var asksTime: Bool {
    tokens.indices.dropLast().contains {
      tokens[$0].kind == .name && tokens[$0].text == "now" && tokens[$0 + 1].text == "("
    }
  }
  /// The windows it asks for; whose they are the header says.
  private(set) var windows: [WindowCall] = []

  /// `isRule`: a rule or a library of rules, not configuration.
  init(file: String, text: String, isRule: Bool = false) {
    self.file = file
    let gate = SourceScan.byteGate(file: file, text: text)
    tokens = gate == nil ? LuaTokenizer.tokens(of: text) : []
    if let gate { complaints = [gate] }
    findSlips()
    findKeys()
    findCalls()
    if isRule { findWaits() }
    if isRule { findWindows() }
    if isRule { findFields() }
  }

  /// Bounds that keep the compiler and its error messages cheap; counted in the bytes, since counting
  /// tokens could be led astray.
  private static func byteGate(file: String, text: String) -> RuleComplaint? {
    let count = text.utf8.count
    if count > Limits.ruleSourceBytes {
      return RuleComplaint(
        file: file, line: 1,
        message: "the file has \(count) bytes; at most \(Limits.ruleSourceBytes) are read. Split it with use(\"lib/…\")"
      )
    }
    var line = 1
    var operators = 0
    for byte in text.utf8 {
      switch byte {
      case 0x0A: line += 1
      case 0: return RuleComplaint(file: file, line: line, message: "the file holds a zero byte; save it as plain text")
      case 0x1B where line == 1 && operators == 0:
        return RuleComplaint(file: file, line: 1, message: "this looks like compiled Lua; only source text is read")
      case UInt8(ascii: "."), UInt8(ascii: "["), UInt8(ascii: ":"): operators += 1
      default: break
      }
      if operators > Limits.ruleIndexOperators {
        return RuleComplaint(
          file: file, line: line,
          message:
            "the file has more than \(Limits.ruleIndexOperators) of the characters . [ and : in all; split it with use(\"lib/…\")"
        )
      }
    }
    return nil
  }

  private static let slips: [String: String] = [
    "!=": "'!=' is not Lua; write '~='",
    "!": "'!' is not Lua; write 'not'",
    "&&": "'&&' is not Lua; write 'and'",
    "||": "'||' is not Lua; write 'or'",
    "+=": "'+=' is not Lua; write 'x = x + …'",
    "-=": "'-=' is not Lua; write 'x = x - …'",
    "*=": "'*=' is not Lua; write 'x = x * …'",
    "/=": "'/=' is not Lua; write 'x = x / …'",
    "++": "'++' is not Lua; write 'x = x + 1'",
    "&": "bit operators (&) are not available in rules",
    "|": "bit operators (|) are not available in rules",
    "~": "bit operators (~) are not available in rules; for 'not equal' write '~='",
    "<<": "bit operators (<<) are not available in rules",
    ">>": "bit operators (>>) are not available in rules",
  ]

  private mutating func findSlips() {
    for token in tokens {
      switch token.kind {
      case .symbol:
        if let message = SourceScan.slips[token.text] { complain(token.line, message) }
      case .other:
        let isQuote = token.text.unicodeScalars.contains { (0x2018...0x201F).contains($0.value) }
        complain(
          token.line,
          isQuote
            ? "curly quotes (\(token.text)) are not Lua; write \"" : "'\(token.text)' is not Lua outside of a text")
      case .name where token.text == "_ENV":
        complain(token.line, "_ENV is not available in rules")
      default: break
      }
    }
  }

  mutating func complain(_ line: Int, _ message: String) {
    complaints.append(RuleComplaint(file: file, line: line, message: message))
  }

  // Keys.

  /// Whether the table that opens here is the file's own: return {, rule {, catalog { or rule({. Others may have the
  /// same keys.
  private func isReturned(_ index: Int) -> Bool {
    let before = tokens[..<index].last { $0.text != "(" }
    return before?.kind == .name && ["return", "rule", "catalog"].contains(before?.text)
  }

  /// A key follows { , or ; and stands before =, as a name or as ["text"].
  private mutating func findKeys() {
    var path: [String] = []
    var positions: [Int] = []
    var pending: String?
    for (index, token) in tokens.enumerated() where token.kind == .symbol {
      switch token.text {
      case "=":
        pending = key(before: index)
        if let pending {
          let full = (path + [pending]).joined(separator: ".")
          if keyLines[full] == nil { keyLines[full] = token.line }
        }
      case "{":
        if let last = positions.indices.last {
          if pending == nil { positions[last] += 1 }
          path.append(pending ?? String(positions[last]))
        } else if !isReturned(index) {
          path.append("(local)")
        }
        positions.append(0)
        pending = nil
      case "}":
        if !positions.isEmpty { positions.removeLast() }
        if !path.isEmpty { path.removeLast() }
        pending = nil
      case ",", ";": pending = nil
      default: break
      }
    }
  }

  private func key(before index: Int) -> String? {
    guard index >= 2 else { return nil }
    let opens: (Int) -> Bool = { [tokens] in
      $0 >= 0 && ["{", ",", ";"].contains(tokens[$0].text) && tokens[$0].kind == .symbol
    }
    if tokens[index - 1].kind == .name, opens(index - 2) { return tokens[index - 1].text }
    guard index >= 4, tokens[index - 1].text == "]", tokens[index - 2].kind == .string, tokens[index - 3].text == "[",
      opens(index - 4)
    else { return nil }
    return tokens[index - 2].text
  }

  /// The first key that stands twice in one table: Lua takes the last one without a word, so that the table itself
  /// cannot tell. What stands in a function is no key, although it may look like one.
  var doubledKey: RuleComplaint? {
    var tables: [(depth: Int, lines: [String: Int])] = []
    var depth = 0
    for (index, token) in tokens.enumerated() {
      switch (token.kind, token.text) {
      case (.name, "function"), (.name, "if"), (.name, "do"), (.name, "repeat"): depth += 1
      case (.name, "end"), (.name, "until"): depth -= 1
      case (.symbol, "{"): tables.append((depth, [:]))
      case (.symbol, "}"): _ = tables.popLast()
      case (.symbol, "="):
        guard let last = tables.indices.last, tables[last].depth == depth, let key = key(before: index) else {
          continue
        }
        if let line = tables[last].lines.updateValue(token.line, forKey: key) {
          return RuleComplaint(
            file: file, line: token.line,
            message: "'\(key)' stands twice in this table, first in line \(line); only the last one would count")
        }
      default: break
      }
    }
    return nil
  }

  // Calls.

  private mutating func findCalls() {
    for (index, token) in tokens.enumerated() where token.kind == .name && (token.text == "send" || token.text == "use")
    {
      if index > 0, tokens[index - 1].kind == .symbol, [".", ":"].contains(tokens[index - 1].text) { continue }
      var next = index + 1
      if next < tokens.count, tokens[next].kind == .symbol, tokens[next].text == "(" { next += 1 }
      guard next < tokens.count else { continue }
      let after = next + 1 < tokens.count ? tokens[next + 1].text : ""
      let isConstant = tokens[next].kind == .string && (next == index + 1 || after == "," || after == ")")
      if token.text == "send" {
        if isConstant { destinations.append(tokens[next]) }
      } else if isConstant {
        libraries.append(tokens[next])
      } else {
        complain(
          token.line,
          "use needs a constant name, such as use(\"lib/score\"), so that it is known what a rule is made of")
      }
    }
  }

  private mutating func findWindows() {
    let found = WindowScan(tokens, file: file)
    windows = found.calls
    complaints += found.complaints
  }

  // Waits.

  private static let waitWords: Set<String> = [
    "wait", "wait_until", "wait_for", "wait_any", "call", "checkpoint",
  ]

  /// Which events a run will listen to is known before it runs, so that none is missed.
  private mutating func findWaits() {
    for (index, token) in tokens.enumerated() where token.kind == .name && SourceScan.waitWords.contains(token.text) {
      let before = index > 0 ? tokens[index - 1].text : ""
      let after = index + 1 < tokens.count ? tokens[index + 1].text : ""
      if before == "." || before == ":" || before == "function" || after == "=" { continue }
      waits = true
      if token.text == "wait_for" { findName(after: index) }
      if token.text == "wait_any" { findNames(after: index) }
      if token.text == "wait_until" { findDates(after: index) }
    }
    if Set(awaited.map(\.text)).count > Limits.awaitedNames {
      complain(1, "a rule may wait for at most \(Limits.awaitedNames) different events")
    }
    matches = waits && mayHaveOption(["match", "subject"])
  }

  /// The word anywhere in the file is enough, as a name or a text, and so is a table of options that comes
  /// from elsewhere: it only decides what a run keeps, not what it takes.
  private func mayHaveOption(_ names: Set<String>) -> Bool {
    tokens.indices.contains { index in
      let token = tokens[index]
      if token.kind == .name || token.kind == .string, names.contains(token.text) { return true }
      guard token.kind == .name, token.text == "wait_for" || token.text == "wait_any" else { return false }
      return hasForeignOptions(after: index)
    }
  }

  /// A call's second argument that is not written out as a table.
  private func hasForeignOptions(after index: Int) -> Bool {
    var depth = 0
    for next in tokens.indices.dropFirst(index + 1) where tokens[next].kind == .symbol {
      switch tokens[next].text {
      case "(", "{", "[": depth += 1
      case ")", "}", "]": depth -= 1
      case "," where depth == 1: return next + 1 < tokens.count && tokens[next + 1].text != "{"
      default: break
      }
      if depth <= 0 { return false }
    }
    return false
  }

  private mutating func findName(after index: Int) {
    var next = index + 1
    if next < tokens.count, tokens[next].text == "(", tokens[next].kind == .symbol { next += 1 }
    let ending = next + 1 < tokens.count ? tokens[next + 1].text : ""
    if next < tokens.count, tokens[next].kind == .string, next == index + 1 || ending == "," || ending == ")" {
      listen(for: tokens[next])
    } else {
      complain(
        tokens[index].line,
        "wait_for needs the event's name as a constant text, such as wait_for(\"invoice.paid\"), so that no event is missed"
      )
    }
  }

  private mutating func findNames(after index: Int) {
    var next = index + 1
    if next < tokens.count, tokens[next].text == "(" { next += 1 }
    guard next < tokens.count, tokens[next].text == "{", tokens[next].kind == .symbol else {
      return complain(tokens[index].line, SourceScan.waitAnyForm)
    }
    next += 1
    var count = 0
    while next < tokens.count, tokens[next].text != "}" || tokens[next].kind != .symbol {
      if tokens[next].kind == .string {
        listen(for: tokens[next])
        count += 1
      } else if tokens[next].text != ",", tokens[next].text != ";" {
        return complain(tokens[next].line, SourceScan.waitAnyForm)
      }
      next += 1
    }
    if count == 0 { complain(tokens[index].line, SourceScan.waitAnyForm) }
    if count > Limits.awaitedNames {
      complain(tokens[index].line, "wait_any takes at most \(Limits.awaitedNames) names; here are \(count)")
    }
  }

  mutating func listen(for name: LuaToken) {
    awaited.append(name)
    if !(1...Limits.eventNameBytes).contains(name.text.utf8.count) {
      complain(
        name.line, "an event's name has 1 to \(Limits.eventNameBytes) bytes; this one has \(name.text.utf8.count)")
    }
  }

  private static let waitAnyForm =
    "wait_any needs a list of constant names of events, such as wait_any({ \"invoice.paid\", \"invoice.voided\" })"

  // Fields.

  private static let fields: [String: [String]] = [
    "event": ["name", "time", "id", "data", "user", "account", "thing", "source", "traits", "context"],
    "customer": ["id", "traits", "account"],
  ]

  /// A misspelt field of `event` or `customer` is found here even where no test ever gets. A file that
  /// gives one of these names another meaning is left to the check at run time.
  private mutating func findFields() {
    for (owner, known) in SourceScan.fields.sorted(by: { $0.key < $1.key }) where !isRedefined(owner) {
      for index in tokens.indices.dropLast(2) where isName(index, owner) && tokens[index + 1].text == "." {
        let field = tokens[index + 2]
        if field.kind != .name || known.contains(field.text) { continue }
        if index > 0, tokens[index - 1].kind == .symbol, [".", ":"].contains(tokens[index - 1].text) { continue }
        let suggestion = Suggestion.nearest(to: field.text, among: known)
        let list = suggestion == nil ? "; it has \(known.joined(separator: ", "))" : ""
        complaints.append(
          RuleComplaint(
            file: file, line: field.line, message: "\(owner) has no field '\(field.text)'\(list)",
            suggestion: suggestion))
      }
    }
  }

  private func isName(_ index: Int, _ text: String) -> Bool {
    tokens[index].kind == .name && tokens[index].text == text
  }

  /// local event, event =, or a variable of a loop: for _, event in …
  private func isRedefined(_ name: String) -> Bool {
    tokens.indices.contains { index in
      guard isName(index, name) else { return false }
      let before = index > 0 ? tokens[index - 1].text : ""
      let after = index + 1 < tokens.count ? tokens[index + 1].text : ""
      return before == "local" || before == "for" || after == "in" || after == "="
    }
  }

  // The compiler's complaints in plain words.

  /// Finds the true place and cause of the commonest mistakes behind a message of the compiler.
  func explain(line: Int, message: String) -> RuleComplaint {
    let near = SourceScan.quoted(after: "near ", in: message)
    let index = near.flatMap { near in tokens.firstIndex { $0.line == line && $0.text == near } }
    if let index, index > 0, message.hasPrefix("'}' expected"), [.name, .string, .number].contains(tokens[index].kind) {
      let previous = tokens[index - 1]
      let place = previous.line < line ? "at the end of this line" : "before '\(tokens[index].text)'"
      return RuleComplaint(file: file, line: previous.line, message: "a comma is missing \(place)")
    }
    if near == "=", message.hasPrefix("'then' expected") || message.hasPrefix("'do' expected") {
      return RuleComplaint(file: file, line: line, message: "'=' assigns; to compare write '=='")
    }
    let isOpen =
      message.hasPrefix("unexpected symbol") && near == "}"
      && index.map { $0 > 0 && tokens[$0 - 1].text != "=" } ?? false
    if isOpen || message.hasPrefix("'end' expected") {
      if let place = elseIf() {
        return RuleComplaint(
          file: file, line: place, message: "'else if' opens a second if that needs its own 'end'; write 'elseif'")
      }
      if isOpen {
        return RuleComplaint(
          file: file, line: line,
          message: "an 'end' is missing before this '}': a function, if or loop above is still open")
      }
    }
    if message.hasPrefix("unfinished string") {
      return RuleComplaint(
        file: file, line: line, message: "a text is not closed on this line: its second quote is missing")
    }
    return RuleComplaint(file: file, line: line, message: message)
  }

  private func elseIf() -> Int? {
    tokens.indices.dropLast().first {
      tokens[$0].text == "else" && tokens[$0].kind == .name && tokens[$0 + 1].text == "if"
        && tokens[$0 + 1].line == tokens[$0].line
    }
    .map { tokens[$0].line }
  }

  private static func quoted(after word: String, in message: String) -> String? {
    guard let start = message.ranges(of: word).last?.upperBound else { return nil }
    let rest = message[start...]
    guard rest.first == "'", rest.last == "'", rest.count > 2 else { return nil }
    let text = rest.dropFirst().dropLast()
    // Strings are shown with their quotes.
    if let quote = text.first, quote == "\"" || quote == "'", text.last == quote, text.count > 1 {
      return String(text.dropFirst().dropLast())
    }
    return String(text)
  }
}
