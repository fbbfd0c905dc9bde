// Whether a value is what a word, an option or a key of the header takes.
//
// Thread: one check. Promise: what is not written out is taken for right, unless its kind is known to be
// wrong.

internal import Basics
internal import Model

extension FileCheck {
  struct Problem {
    var span: Span
    var code: Finding.Code
    var message: String
    var suggestion: String?
  }

  func tell(_ problem: Problem) { tell(problem.span, problem.code, problem.message, suggestion: problem.suggestion) }

  /// `label` begins the sentence: "'again'" or "wait: the duration". `found` is what `value` was seen to be.
  func check(_ value: Expression, _ found: Shape, takes: Takes, label: String) {
    if let problem = problem(value, found, takes, label) { tell(problem) }
  }

  private func problem(_ value: Expression, _ found: Shape, _ takes: Takes, _ label: String) -> Problem? {
    switch takes {
    case .any: return nil
    case .either(let ways): return eitherProblem(value, found, ways, label)
    case .options(let options): return optionsProblem(value, found, options, label)
    case .reply: return replyProblem(value, found, label)
    case .eventList:
      if case .table(let fields) = value.kind { return listProblem(fields, label) }
    case .events:
      if case .table(let fields) = value.kind { return listProblem(fields, label) }
      return problem(value, found, .event, label)
    default: break
    }
    if let wanted = FileCheck.wantedKind(takes), let kind = found.kind, kind != wanted {
      return wrongKind(value, found, takes, label)
    }
    switch found {
    case .constants(let list):
      for constant in list {
        if let problem = constantProblem(inside(constant.span), constant.text, takes, label) { return problem }
      }
      return nil
    case .integer, .number: return numberProblem(value, found, takes, label)
    default: break
    }
    if case .table(let fields) = value.kind { return tableProblem(value, fields, takes, label) }
    return nil
  }

  /// A word of ours takes something, a part of it must be something.
  private func must(_ label: String) -> String {
    HostWords.byName[label] == nil ? "\(label) must be" : "\(label) takes"
  }

  private static func wantedKind(_ takes: Takes) -> Shape.Kind? {
    switch takes {
    case .text, .reason, .duration, .pause, .clock, .weekday, .zone, .destination, .template, .event, .events, .library,
      .path, .subject, .choice:
      .text
    case .number, .integer: .number
    case .boolean: .boolean
    case .function: .function
    case .data, .traits, .list, .options, .eventList, .reply: .table
    case .any, .either: nil
    }
  }

  private func shown(_ value: Expression, _ found: Shape) -> String {
    switch value.kind {
    case .number, .boolean, .nil: source.text(value.span)
    default: found.words
    }
  }

  private func wrongKind(_ value: Expression, _ found: Shape, _ takes: Takes, _ label: String) -> Problem {
    var suggestion: String?
    if takes.isDuration, case .number(let text) = value.kind, let count = NumberText.integer(text) {
      suggestion = "\"\(count) \(count == 1 ? "day" : "days")\""
    } else if FileCheck.wantedKind(takes) == .text, let word = value.word, Keyword(rawValue: word) == nil,
      case .function = found
    {
      suggestion = "\"\(word)\""
    }
    return Problem(
      span: value.span, code: .wrongType, message: "\(must(label)) \(takes.sentence); it is \(shown(value, found))",
      suggestion: suggestion)
  }

  private func eitherProblem(_ value: Expression, _ found: Shape, _ ways: [Takes], _ label: String) -> Problem? {
    var problems: [Problem] = []
    let ways = FileCheck.fitting(ways, value)
    for way in ways {
      guard let problem = problem(value, found, way, label) else { return nil }
      // A table of the right kind with a wrong key is told about its key.
      if case .table = value.kind, problem.code == .unknownOption { return problem }
      problems.append(problem)
    }
    let whole = Takes.either(ways)
    let shown = found.constant.map { "\"\($0)\"" } ?? shown(value, found)
    return Problem(
      span: problems.first(where: { $0.suggestion != nil })?.span ?? value.span, code: problems[0].code,
      message: "\(must(label)) \(whole.sentence); it is \(shown)",
      suggestion: problems.compactMap(\.suggestion).first)
  }

  // Texts.

  private func constantProblem(_ place: Span, _ text: String, _ takes: Takes, _ label: String) -> Problem? {
    func wrong(_ suggestion: String?) -> Problem {
      Problem(
        span: place, code: .wrongValue, message: "\(must(label)) \(takes.sentence); it is \"\(text)\"",
        suggestion: suggestion)
    }
    switch takes {
    case .duration, .pause: return durationProblem(text, place, takes, label)
    case .subject:
      if FileCheck.isSubject(text) { return nil }
      return wrong(FileCheck.isSubject(text.lowercased()) ? text.lowercased() : nil)
    case .clock: return ClockText.isWellFormed(text) ? nil : wrong(ClockText.suggestion(text))
    case .weekday:
      return ClockText.weekdays.contains(text.lowercased()) ? nil : wrong(ClockText.weekday(near: text))
    case .zone: return zoneProblem(text, place, label)
    case .choice(let values):
      if values.contains(text) { return nil }
      return wrong(Nearest.find(text, among: values))
    case .text, .reason, .template, .event, .destination, .library, .path:
      return text.isEmpty ? wrong(nil) : nil
    default: return nil
    }
  }

  private static func isSubject(_ text: String) -> Bool { SubjectReference(text)?.isWellFormed ?? false }

  private func durationProblem(_ text: String, _ place: Span, _ takes: Takes, _ label: String) -> Problem? {
    func wrong(_ message: String, _ suggestion: String?) -> Problem {
      Problem(span: place, code: .wrongValue, message: "\(label): \(message)", suggestion: suggestion)
    }
    do throws(DurationError) {
      let length = try DurationText.parse(text)
      guard case .pause = takes, length > Limits.waitMilliseconds else { return nil }
      let most = Limits.waitMilliseconds / 86_400_000
      return wrong("one wait is at most ten years long; write \"\(most) days\" or less, not \"\(text)\"", nil)
    } catch {
      let fixed = DurationFix.suggestion(text)
      guard DurationFix.speaksOfMonths(text) else { return wrong(error.description, fixed) }
      let step = label == "wait" ? ", or for a day of the calendar wait_until { days = 30, at = \"09:00\" }" : ""
      return wrong(
        "\"\(text)\" is not a duration, because months and years are not always equally long; give a number of days\(step)",
        fixed)
    }
  }

  private func zoneProblem(_ text: String, _ place: Span, _ label: String) -> Problem? {
    guard let zones = world.zones, !zones.isEmpty, !zones.contains(text) else { return nil }
    return Problem(
      span: place, code: .wrongValue, message: "\(label): there is no time zone called \"\(text)\"",
      suggestion: Nearest.find(text, among: zones))
  }

  // Numbers.

  private func numberProblem(_ value: Expression, _ found: Shape, _ takes: Takes, _ label: String) -> Problem? {
    guard case .integer(let range) = takes else { return nil }
    var negative = false
    var inner = value
    if case .unary("-", let operand) = value.kind {
      negative = true
      inner = operand
    }
    guard case .number(let text) = inner.kind else { return nil }
    if let number = NumberText.integer(text), range.contains(negative ? -number : number) { return nil }
    return Problem(
      span: value.span, code: .wrongValue,
      message: "\(must(label)) \(takes.sentence); it is \(source.text(value.span))", suggestion: nil)
  }

  // Tables.

  private func tableProblem(_ value: Expression, _ fields: [TableField], _ takes: Takes, _ label: String) -> Problem? {
    switch takes {
    case .data, .traits:
      guard fields.isEmpty || fields.contains(where: { if case .position = $0.key { false } else { true } }) else {
        return Problem(
          span: value.span, code: .wrongType,
          message: "\(must(label)) a table with names, such as { plan = \"pro\" }; it is a list", suggestion: nil)
      }
      return nil
    default: return nil
    }
  }

  private func listProblem(_ fields: [TableField], _ label: String) -> Problem? {
    for field in fields {
      guard case .position = field.key else { continue }
      switch field.value.kind {
      case .string, .name, .index, .call, .method, .many, .parentheses, .binary: continue
      default:
        return Problem(
          span: field.value.span, code: .wrongType,
          message:
            "\(must(label)) an event name or a list of them; here stands \(source.text(field.value.span).prefix(40))",
          suggestion: nil)
      }
    }
    return nil
  }

  private func optionsProblem(_ value: Expression, _ found: Shape, _ options: [Option], _ label: String) -> Problem? {
    guard case .table(let fields) = value.kind else {
      guard let kind = found.kind, kind != .table else { return nil }
      let first = options.first?.name ?? "key"
      let isDuration = found.constant.map { DurationText.milliseconds($0) != nil } ?? false
      return Problem(
        span: value.span, code: .wrongType,
        message: "\(must(label)) a table, such as { \(first) = … }; it is \(shown(value, found))",
        suggestion: isDuration && options.contains { $0.name == "within" }
          ? "{ within = \(source.text(value.span)) }" : nil)
    }
    for field in fields {
      guard let name = field.name else {
        if case .position = field.key {
          return Problem(
            span: field.value.span, code: .unknownOption,
            message: "\(label) have names: { \(options.first?.name ?? "key") = … }", suggestion: nil)
        }
        continue
      }
      if !options.contains(where: { $0.name == name }) {
        let near = Nearest.find(name, among: options.map(\.name), short: true)
        let list = near == nil ? "; there are \(options.map(\.name).joined(separator: ", "))" : ""
        return Problem(
          span: field.keySpan, code: .unknownOption, message: "unknown option '\(name)'\(list)", suggestion: near)
      }
    }
    let names = fields.map(\.name)
    for option in options where option.isRequired && !names.contains(option.name) && !names.contains(nil) {
      return Problem(
        span: value.span.first(in: source), code: .unknownOption,
        message: "\(label) \(label.hasSuffix("events") ? "need" : "needs") '\(option.name)', \(option.takes.sentence)",
        suggestion: nil)
    }
    return nil
  }

  /// shadow_reply = { ok = true }: what is written out has to be what a call could answer.
  private func replyProblem(_ value: Expression, _ found: Shape, _ label: String) -> Problem? {
    guard case .table(let fields) = value.kind else {
      guard let kind = found.kind, kind != .table else { return nil }
      return wrongKind(value, found, .reply, label)
    }
    for field in fields {
      guard let name = field.name else { return namelessProblem(field) }
      guard let option = HostWords.reply.first(where: { $0.name == name }) else {
        let near = Nearest.find(name, among: FileCheck.replyFields, short: true)
        let list = near == nil ? "; it has \(FileCheck.replyFields.joined(separator: ", "))" : ""
        return Problem(
          span: inside(field.keySpan), code: .unknownField, message: "a reply has no field '\(name)'\(list)",
          suggestion: near)
      }
      let inner = problem(field.value, fieldShape(field.value), option.takes, "'\(name)' of a reply")
      if let inner { return inner }
    }
    return nil
  }

  private func namelessProblem(_ field: TableField) -> Problem? {
    guard case .position = field.key else { return nil }
    return Problem(
      span: field.value.span.first(in: source), code: .unknownField,
      message: "the fields of a reply have names: { ok = true }", suggestion: nil)
  }

  /// The values of options, each by itself.
  func checkOptionValues(_ value: Expression, _ options: [Option], word: String) {
    guard case .table(let fields) = value.kind else { return }
    for field in fields {
      guard let name = field.name, let option = options.first(where: { $0.name == name }) else { continue }
      check(field.value, fieldShape(field.value), takes: option.takes, label: "\(word): '\(name)'")
    }
  }

  /// Of a value that was looked at before: only what is plain from its form or its variable.
  func fieldShape(_ value: Expression) -> Shape {
    switch value.kind {
    case .string(let text): .constant(text, value.span)
    case .number(let text): NumberText.integer(text) == nil ? .number : .integer
    case .boolean: .boolean
    case .nil: .nothing
    case .function: .function
    case .table: .table
    case .parentheses(let inner): fieldShape(inner)
    case .unary("-", let inner): fieldShape(inner)
    case .name: value.variable.map { $0.writes == 0 ? $0.shape : .unknown } ?? .unknown
    default: .unknown
    }
  }
}
