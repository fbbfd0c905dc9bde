// What an expression gives, and what is wrong inside of it.
//
// Thread: one check. Promise: a complaint about a kind is made only when both sides are known.

internal import Basics

extension FileCheck {
  func shape(_ expression: Expression) -> Shape {
    let found = look(expression)
    if case .list = found { shapes[ObjectIdentifier(expression)] = found }
    return found
  }

  private func look(_ expression: Expression) -> Shape {
    switch expression.kind {
    case .nil: return .nothing
    case .boolean: return .boolean
    case .number(let text): return NumberText.integer(text) == nil ? .number : .integer
    case .string(let text): return .constant(text, expression.span)
    case .varargs: return .unknown
    case .function(let body):
      visit(body)
      return .function
    case .name(let name): return nameShape(expression, name)
    case .index(let owner, let key, _): return index(owner, key)
    case .call(let function, let arguments): return call(function, arguments, expression)
    case .method(let owner, let name, let span, let arguments): return method(owner, name, span, arguments)
    case .unary(let sign, let operand): return unary(sign, operand)
    case .binary(let sign, let left, let right): return binary(sign, left, right, expression)
    case .table(let fields):
      return table(fields)
    case .parentheses(let inner): return shape(inner)
    case .many(let list):
      for item in list { _ = shape(item) }
      return .unknown
    }
  }

  private func nameShape(_ expression: Expression, _ name: String) -> Shape {
    if let variable = expression.variable { return variable.writes == 0 ? variable.shape : .unknown }
    switch name {
    case "state":
      if place == .file { tell(expression.span, .wrongPlace, "state can only be used inside run and when") }
      return .state
    case "null": return .nothing
    case "empty_list": return .unknown
    default: return HostWords.byName[name] != nil || LuaLibrary.basic[name] != nil ? .function : .unknown
    }
  }

  private func table(_ fields: [TableField]) -> Shape {
    var seen: Set<String> = []
    var texts: [Shape.Constant] = []
    for field in fields {
      if case .computed(let key) = field.key, key.string == nil { _ = shape(key) }
      if let name = field.name, !seen.insert(name).inserted {
        tell(field.keySpan, .twice, "the key '\(name)' stands in this table twice; the first one would be lost")
      }
      let found = shape(field.value)
      if case .position = field.key { texts += found.constants }
      noteState(found)
    }
    return texts.count == fields.count && !texts.isEmpty ? .list(.constants(texts)) : .table
  }

  /// State that is handed on may be written where we do not see it.
  func noteState(_ found: Shape) {
    if case .state = found { hasDynamicState = true }
  }

  // Operators.

  private func unary(_ sign: String, _ operand: Expression) -> Shape {
    let found = shape(operand)
    switch sign {
    case "not": return .boolean
    case "#":
      switch found.kind {
      case .number, .boolean, .nothing, .function:
        tell(operand.span, .wrongType, "'#' gives the length of a text or a list; this is \(found.words)")
      default: break
      }
      return .integer
    default:
      arithmetic(operand, found, sign)
      return found.kind == .number ? found : .number
    }
  }

  private func binary(_ sign: String, _ left: Expression, _ right: Expression, _ whole: Expression) -> Shape {
    let first = shape(left)
    let second = shape(right)
    switch sign {
    case "and": return conjunction(first, second)
    case "or":
      if case .unknown = first { return .unknown }
      return first.kind == second.kind ? first : .unknown
    case "==", "~=":
      equality(left, first, right, second, sign)
      return .boolean
    case "<", ">", "<=", ">=":
      order(left, first, right, second, sign)
      return .boolean
    case "..":
      concatenate(left, first)
      concatenate(right, second)
      return .text
    default:
      if sign == "+", first.isJoined || second.isJoined {
        tell(
          left.span.union(right.span), .wrongType, "texts are joined with '..', not with '+'",
          suggestion: "\(source.text(left.span)) .. \(source.text(right.span))")
        return .text
      }
      arithmetic(left, first, sign)
      arithmetic(right, second, sign)
      money(first, right, sign)
      money(second, left, sign)
      if sign == "+" || sign == "-" { checkSeconds(first, right) }
      if sign == "+" { checkSeconds(second, left) }
      if case .integer = first, case .integer = second, ["+", "-", "*", "//", "%"].contains(sign) { return .integer }
      return .number
    }
  }

  /// The second, where the first cannot be false or where only what is in the second matters.
  private func conjunction(_ first: Shape, _ second: Shape) -> Shape {
    if first.kind == .table || first.kind == .text || first.kind == .number { return second }
    return second.kind == .table ? second : .unknown
  }

  private func arithmetic(_ operand: Expression, _ found: Shape, _ sign: String) {
    switch found {
    case .constants(let list):
      let text = list.first?.text ?? ""
      if let milliseconds = DurationText.milliseconds(text) {
        tell(
          operand.span, .wrongType,
          "a duration cannot be calculated with as a text; \"\(text)\" are \(milliseconds) milliseconds",
          suggestion: String(milliseconds))
      } else {
        tell(
          operand.span, .wrongType, "'\(sign)' calculates with numbers; this is \(found.words)",
          suggestion: NumberText.isWellFormed(text) ? text : nil)
      }
    case .unknown, .integer, .number, .money, .time: break
    default:
      let advice = found.kind == .text ? "; use tonumber(…)" : ""
      tell(operand.span, .wrongType, "'\(sign)' calculates with numbers; this is \(found.words)\(advice)")
    }
  }

  /// Amounts in minor units are whole numbers.
  private func money(_ found: Shape, _ other: Expression, _ sign: String) {
    guard case .money = found, !["*", "/", "//"].contains(sign), case .number(let text) = other.kind else { return }
    if let minor = FileCheck.minorUnits(text) {
      tell(
        other.span, .wrongType, "amounts are whole numbers in minor units, such as cents; write \(minor) for \(text)",
        suggestion: minor)
    }
  }

  /// "49.99" → "4999"; nil for whole numbers.
  private static func minorUnits(_ text: String) -> String? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].count <= 2, let whole = Int64(parts[0]) else { return nil }
    guard let cents = Int64(parts[1] + String(repeating: "0", count: 2 - parts[1].count)), whole < 1 << 50 else {
      return nil
    }
    return String(whole * 100 + cents)
  }

  private func concatenate(_ operand: Expression, _ found: Shape) {
    switch found.kind {
    case nil, .text, .number: break
    default:
      tell(
        operand.span, .wrongType,
        "'..' joins texts and numbers; this is \(found.words), use tostring(…) or a field of it")
    }
  }

  private func order(_ left: Expression, _ first: Shape, _ right: Expression, _ second: Shape, _ sign: String) {
    money(first, right, sign)
    money(second, left, sign)
    checkSpan(left, right)
    checkSpan(right, left)
    if duration(first, right, second, sign) || duration(second, left, first, sign) { return }
    guard let one = first.kind, let other = second.kind else {
      for (side, found) in [(left, first), (right, second)] {
        if let kind = found.kind, kind != .number, kind != .text {
          tell(side.span, .wrongType, "'\(sign)' compares numbers or texts; this is \(found.words)")
        }
      }
      return
    }
    if one == other, one == .number || one == .text { return }
    tell(
      left.span.union(right.span), .wrongType,
      "'\(sign)' compares two numbers or two texts; here are \(first.words) and \(second.words)",
      suggestion: nil)
  }

  /// now() - event.time > "3 days"
  private func duration(_ found: Shape, _ side: Expression, _ other: Shape, _ sign: String) -> Bool {
    guard let text = other.constant, let milliseconds = DurationText.milliseconds(text) else { return false }
    switch found {
    case .time, .number, .integer: break
    default: return false
    }
    tell(
      side.span, .wrongType, "times are compared in milliseconds; \"\(text)\" are \(milliseconds)",
      suggestion: String(milliseconds))
    return true
  }

  private func equality(_ left: Expression, _ first: Shape, _ right: Expression, _ second: Shape, _ sign: String) {
    money(first, right, sign)
    money(second, left, sign)
    if checkPrecedence(left, sign) { return }
    checkEventName(first, second, right)
    checkEventName(second, first, left)
    if answers(left, first, second, sign) || answers(right, second, first, sign) { return }
    guard let one = first.kind, let other = second.kind, one != other, one != .nothing, other != .nothing else {
      return
    }
    // A table may be compared with anything in a library of functions that take either.
    let scalars: [Shape.Kind] = [.number, .text, .boolean]
    guard scalars.contains(one), scalars.contains(other) else { return }
    tell(
      left.span.union(right.span), .wrongType,
      "this is never \(sign == "==" ? "true" : "false"): \(first.words) is not \(second.words)")
  }

  /// wait_for(…) == true: it answers an event or nil, and call a reply.
  private func answers(_ side: Expression, _ found: Shape, _ other: Shape, _ sign: String) -> Bool {
    guard case .boolean = other else { return false }
    let never = "this is never \(sign == "==" ? "true" : "false"): \(found.words) is not true or false"
    switch found {
    case .event: tell(side.span, .wrongType, "\(never); compare with nil, or leave the comparison out")
    case .reply: tell(side.span, .wrongType, "\(never); look at its field 'ok'")
    default: return false
    }
    return true
  }

  /// The word whose call this is, where that word answers nothing.
  func silent(_ expression: Expression) -> HostWord? {
    guard case .call(let function, _) = expression.kind, let word = function.word.flatMap({ HostWords.byName[$0] }),
      word.isAvailable, !word.endsRun, case .nothing = word.gives
    else { return nil }
    return word
  }

  /// local r = wait("1 day")
  func checkGiven(_ names: [(name: String, span: Span)], _ values: [Expression]) {
    for (position, value) in values.enumerated() where position < names.count {
      // What is called _ is not wanted.
      guard let word = silent(value), names[position].name != "_" else { continue }
      tell(
        names[position].span, .wrongValue,
        "\(word.name) answers nothing, so that '\(names[position].name)' is nil; let \(word.name) stand alone",
        severity: .warning)
    }
  }

  /// event.name == "…" with a name that never starts this rule.
  private func checkEventName(_ found: Shape, _ other: Shape, _ side: Expression) {
    guard case .eventName(let names) = found, let name = other.constant, !names.contains(name) else { return }
    let list = Sentence.few(names.map { "'\($0)'" })
    tell(
      inside(side.span), .unknownEvent, "the name of this event is never '\(name)'; it is \(list)",
      suggestion: Nearest.find(name, among: names))
  }

  private func checkPrecedence(_ left: Expression, _ sign: String) -> Bool {
    guard case .unary("not", let operand) = left.kind else { return false }
    if case .parentheses = operand.kind { return false }
    tell(
      left.span, .slip,
      "'not' belongs to '\(source.text(operand.span))' alone here; write \(source.text(operand.span)) \(sign == "==" ? "~=" : "==") …",
      severity: .warning)
    return true
  }

  /// Of `if`, `while`, `until`, and what `when` returns.
  func condition(_ expression: Expression) {
    checkAlways(expression)
    if let word = silent(expression.positive) {
      tell(
        expression.span, .wrongType,
        "\(word.name) answers nothing, so that there is nothing to decide by; let it stand alone, before this")
    }
    let found = shape(expression)
    if case .binary = expression.kind { return }
    switch found {
    case .function:
      if let name = expression.word {
        tell(expression.span, .wrongType, "'\(name)' is a function and always true here; call it: \(name)(…)")
      }
    default: break
    }
  }

  /// x == "a" or "b" is always true.
  private func checkAlways(_ expression: Expression) {
    switch expression.kind {
    case .binary("or", let left, let right):
      checkAlways(left)
      guard case .binary(let sign, let compared, _) = left.innermost.kind,
        ["==", "~=", "<", ">", "<=", ">="].contains(sign)
      else { return }
      switch right.kind {
      case .string, .number:
        let again = "\(source.text(compared.span)) \(sign) \(source.text(right.span))"
        tell(right.span, .slip, "this alone is always true; write or \(again)", suggestion: again)
      default: break
      }
    case .parentheses(let inner): checkAlways(inner)
    default: break
    }
  }
}

extension Shape {
  /// A text that is no number and no duration: whoever adds to it means to join.
  fileprivate var isJoined: Bool {
    guard let text = constant else { return false }
    return !NumberText.isWellFormed(text) && DurationText.milliseconds(text) == nil
  }
}

extension Expression {
  /// Without parentheses and `not`.
  fileprivate var positive: Expression {
    switch kind {
    case .parentheses(let inner), .unary("not", let inner): inner.positive
    default: self
    }
  }

  fileprivate var innermost: Expression {
    switch kind {
    case .parentheses(let inner): inner.innermost
    case .binary("or", _, let right): right.innermost
    default: self
    }
  }
}
