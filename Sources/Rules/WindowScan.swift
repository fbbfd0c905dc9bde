// The windows that a file asks for: which they are has to be known before any event comes, so that they are kept
// all the time.
//
// Thread: values. Promise: a call whose arguments are not constant, or not right, is a complaint at its line; what
// is found here is all that a rule can ask for.

internal import Basics
internal import Model

/// One window as the file has it; whose events it counts is the header's affair.
struct WindowCall: Equatable {
  var definition: WindowDefinition
  var line: Int
}

struct WindowScan {
  private let tokens: [LuaToken]
  private let file: String
  private(set) var calls: [WindowCall] = []
  private(set) var complaints: [RuleComplaint] = []

  init(_ tokens: [LuaToken], file: String) {
    self.tokens = tokens
    self.file = file
    for index in tokens.indices where tokens[index].kind == .name {
      guard let kind = WindowDefinition.Kind(word: tokens[index].text), isCall(index), !isOther(tokens[index].text)
      else { continue }
      read(kind, index)
    }
  }

  private func text(_ index: Int) -> String { tokens.indices.contains(index) ? tokens[index].text : "" }

  private func isCall(_ index: Int) -> Bool {
    let before = index > 0 ? tokens[index - 1] : nil
    if let before, [".", ":", "function"].contains(before.text), before.kind != .string { return false }
    return text(index + 1) == "(" && tokens[index + 1].kind == .symbol
  }

  /// The file gives the name another meaning: a local, a parameter, a variable of a loop.
  private func isOther(_ name: String) -> Bool {
    tokens.indices.contains { index in
      guard tokens[index].kind == .name, tokens[index].text == name else { return false }
      let before = index > 0 ? text(index - 1) : ""
      if ["local", "function", "for"].contains(before) || text(index + 1) == "in" { return true }
      return isListed(index)
    }
  }

  /// Among the names of a local, of a loop or of a function's parameters.
  private func isListed(_ index: Int) -> Bool {
    var place = index - 1
    while place > 0, tokens[place].kind == .name || text(place) == "," {
      if ["local", "for"].contains(text(place)) { return true }
      place -= 1
    }
    guard place > 0, text(place) == "(", text(index + 1) == "," || text(index + 1) == ")" else { return false }
    return text(place - 1) == "function" || (place > 1 && text(place - 2) == "function")
  }

  private mutating func complain(_ line: Int, _ message: String) {
    complaints.append(RuleComplaint(file: file, line: line, message: message))
  }

  // MARK: arguments

  /// The arguments of the call at `index`, each as its tokens; nil when it is not closed.
  private func arguments(after index: Int) -> [[LuaToken]]? {
    var depth = 0
    var found: [[LuaToken]] = [[]]
    for token in tokens[(index + 1)...] {
      let isSymbol = token.kind == .symbol
      if isSymbol, ["(", "{", "["].contains(token.text) { depth += 1 }
      if isSymbol, [")", "}", "]"].contains(token.text) { depth -= 1 }
      if depth == 0 { return found == [[]] ? [] : found }
      if isSymbol, token.text == ",", depth == 1 {
        found.append([])
      } else if depth > 1 || token.text != "(" || !isSymbol {
        found[found.count - 1].append(token)
      }
    }
    return nil
  }

  private mutating func read(_ kind: WindowDefinition.Kind, _ index: Int) {
    guard let arguments = arguments(after: index) else { return }
    let line = tokens[index].line
    var texts: [String] = []
    for argument in arguments {
      guard argument.count == 1, argument[0].kind == .string else { break }
      texts.append(argument[0].text)
    }
    let options = arguments.dropFirst(texts.count)
    guard options.count <= 1, options.first.map({ $0.first?.text == "{" }) ?? true else {
      return complain(line, WindowScan.constant(kind))
    }
    var match: WindowDefinition.Match?
    if let option = options.first {
      switch WindowScan.match(option) {
      case .success(let found): match = found
      case .failure(let problem): return complain(line, "\(kind.word): \(problem.message)")
      }
    }
    switch WindowWords.definition(kind, texts, match) {
    case .success(let definition): calls.append(WindowCall(definition: definition, line: line))
    case .failure(let problem): complain(line, problem.message)
    }
  }

  private static func constant(_ kind: WindowDefinition.Kind) -> String {
    "\(kind.word) needs constant texts, such as \(WindowWords.example(kind)), because a window is kept while events come in"
  }

  /// { match = { plan = "pro" } }
  private static func match(_ tokens: [LuaToken]) -> Result<WindowDefinition.Match, WindowProblem> {
    var rest = tokens[...]
    func next() -> LuaToken? { rest.popFirst() }
    guard next()?.text == "{", let key = next(), key.kind == .name else { return .failure(.form) }
    guard key.text == "match" else {
      return .failure(
        WindowProblem("unknown option '\(key.text)'\(Suggestion.ending(for: key.text, among: ["match"]))"))
    }
    guard next()?.text == "=", next()?.text == "{", let field = WindowScan.key(&rest), next()?.text == "=" else {
      return .failure(.form)
    }
    guard let value = WindowScan.value(&rest) else { return .failure(.form) }
    if rest.first?.text == "," { _ = next() }
    guard next()?.text == "}" else {
      return .failure(WindowProblem("'match' takes one field and one constant value, such as \(WindowProblem.match)"))
    }
    if rest.first?.text == "," { _ = next() }
    guard next()?.text == "}", rest.isEmpty else { return .failure(.form) }
    return .success(WindowDefinition.Match(path: WindowWords.path(field), value: value))
  }

  private static func key(_ rest: inout ArraySlice<LuaToken>) -> String? {
    guard let first = rest.popFirst() else { return nil }
    if first.kind == .name { return first.text }
    guard first.text == "[", let text = rest.popFirst(), text.kind == .string, rest.popFirst()?.text == "]" else {
      return nil
    }
    return text.text
  }

  private static func value(_ rest: inout ArraySlice<LuaToken>) -> [UInt8]? {
    guard var token = rest.popFirst() else { return nil }
    var sign = ""
    if token.text == "-", token.kind == .symbol, let number = rest.popFirst() {
      sign = "-"
      token = number
    }
    var writer = JSONWriter()
    switch token.kind {
    case .string where sign.isEmpty: writer.string(token.text)
    case .name where token.text == "true" || token.text == "false": writer.boolean(token.text == "true")
    case .number:
      if let whole = Int64(sign + token.text) {
        writer.integer(whole)
      } else if let real = Double(sign + token.text) {
        writer.double(real)
      } else {
        return nil
      }
    default: return nil
    }
    return writer.bytes
  }
}

struct WindowProblem: Error {
  var message: String
  init(_ message: String) { self.message = message }

  static let match = "{ match = { plan = \"pro\" } }"
  static let form = WindowProblem("the options must be constant and such as \(match)")
}

/// What the scan and the words themselves agree on.
enum WindowWords {
  static func example(_ kind: WindowDefinition.Kind) -> String {
    kind.field == .required
      ? "\(kind.word)(\"order.paid\", \"data.amount\", \"30 days\")" : "\(kind.word)(\"login\", \"7 days\")"
  }

  static func path(_ text: String) -> String { text.hasPrefix("data.") ? String(text.dropFirst(5)) : text }

  static func definition(
    _ kind: WindowDefinition.Kind, _ texts: [String], _ match: WindowDefinition.Match?
  ) -> Result<WindowDefinition, WindowProblem> {
    let hasField = texts.count == 3
    let fits =
      switch kind.field {
      case .none: texts.count == 2
      case .optional: texts.count == 2 || hasField
      case .required: hasField
      }
    guard fits else {
      return .failure(
        WindowProblem("\(kind.word) takes \(arguments(kind)), all of them constant texts, such as \(example(kind))"))
    }
    let event = texts[0]
    if event.isEmpty || event.utf8.count > Limits.eventNameBytes {
      return .failure(WindowProblem("\(kind.word): an event's name has 1 to \(Limits.eventNameBytes) bytes"))
    }
    if event.hasPrefix("nudged.") {
      return .failure(WindowProblem("\(kind.word): windows leave out nudged's own events; this one is '\(event)'"))
    }
    var field: String?
    if hasField {
      guard texts[1].hasPrefix("data."), texts[1].utf8.count > 5, texts[1].utf8.count <= 200 else {
        return .failure(
          WindowProblem("\(kind.word): the field must be a path such as \"data.amount\"; it is \"\(texts[1])\""))
      }
      field = path(texts[1])
    }
    guard let window = DurationText.milliseconds(texts[texts.count - 1]),
      (Limits.windowMinimumMilliseconds...Limits.windowMilliseconds).contains(window)
    else {
      return .failure(
        WindowProblem(
          "\(kind.word): the window must be a duration from 1 minute to 366 days, such as \"7 days\"; it is \"\(texts[texts.count - 1])\""
        ))
    }
    return .success(
      WindowDefinition(kind, event: event, field: field, windowMilliseconds: window, match: match))
  }

  private static func arguments(_ kind: WindowDefinition.Kind) -> String {
    switch kind.field {
    case .none: "the event's name and the window"
    case .optional: "the event's name, a field if you like, and the window"
    case .required: "the event's name, the field and the window"
    }
  }
}
