// What the words of waiting are told, beyond the kinds of their arguments: moments, whose event it is, which
// one, and what a run keeps.
//
// Thread: one check. Promise: only what is written out is judged.

internal import Basics

extension FileCheck {
  func checkWaiting(_ word: HostWord, _ span: Span, _ arguments: [Expression], _ shapes: [Shape]) {
    switch word.name {
    case "before": checkDates(word, arguments)
    case "wait_until":
      if let first = arguments.first { checkMoment(first, shapes[0]) }
      checkDates(word, arguments)
    case "wait_for", "wait_any":
      if word.name == "wait_any" { checkTwice(arguments) }
      for field in FileCheck.fields(of: arguments, at: 1) { checkListening(field, word, arguments) }
    case "emit":
      for field in FileCheck.fields(of: arguments, at: 2) where field.name == "subject" { checkSubject(field, word) }
    case "checkpoint": checkKept(span, arguments)
    default: break
    }
  }

  private static func fields(of arguments: [Expression], at position: Int) -> [TableField] {
    guard position < arguments.count, case .table(let fields) = arguments[position].kind else { return [] }
    return fields
  }

  // Moments.

  private func checkMoment(_ argument: Expression, _ found: Shape) {
    var constants = found.constants
    // wait_until(event.data.at or "tomorrow")
    if case .binary("or", _, let right) = argument.kind, let text = right.string {
      constants.append(Shape.Constant(text: text, span: right.span))
    }
    for constant in constants where !constant.text.isEmpty && ISO8601.parse(constant.text) == nil {
      let isDuration = DurationText.milliseconds(constant.text) != nil
      let advice =
        isDuration
        ? "for a time from now on write wait(\"\(constant.text)\")"
        : "one is such as \"2026-12-01T09:00:00+01:00\", with its zone, or { days = 1, at = \"09:00\" }"
      tell(
        constant.span, .wrongValue, "wait_until: \"\(constant.text.prefix(60))\" is no moment; \(advice)",
        suggestion: isDuration ? nil : MomentFix.suggestion(constant.text))
    }
    if case .number(let text) = argument.origin.kind, let number = Double(text), number < 100_000_000_000 {
      tell(
        argument.span, .wrongValue, "times are in milliseconds since 1970; \(text) is long ago",
        suggestion: NumberText.integer(text) != nil && number >= 100_000_000 ? "\(text)000" : nil, severity: .warning)
    }
    checkStep(argument)
  }

  private func checkStep(_ argument: Expression) {
    guard case .table(let fields) = argument.kind else { return }
    let steps = fields.filter { $0.name == "days" || $0.name == "weekday" }
    guard steps.count == 2, steps[0].name != steps[1].name else { return }
    tell(
      steps[1].keySpan, .wrongValue,
      "wait_until: 'days' and 'weekday' do not go together; write one of them, such as { weekday = \"monday\", at = \"09:00\" }"
    )
  }

  /// now() + 3 * 86400: seconds, added to milliseconds.
  func checkSeconds(_ found: Shape, _ length: Expression) {
    guard case .time = found else { return }
    tellSeconds(length)
  }

  /// now() - event.time > 86400
  func checkSpan(_ difference: Expression, _ length: Expression) {
    guard case .binary("-", let left, let right) = difference.origin.kind, left.isTime || right.isTime else { return }
    tellSeconds(length)
  }

  private func tellSeconds(_ length: Expression) {
    guard let factors = length.factors, SecondsText.areSeconds(factors) else { return }
    let text = source.text(length.span)
    let real = DurationText.format(Int64(min(factors.reduce(1, *), 1e15)))
    tell(
      length.span, .wrongValue, "times are in milliseconds, so that this is only \(real)", suggestion: "\(text) * 1000",
      severity: .warning)
  }

  // Events.

  private func checkTwice(_ arguments: [Expression]) {
    var seen: Set<String> = []
    for field in FileCheck.fields(of: arguments, at: 0) {
      guard case .position = field.key, let name = field.value.string, !seen.insert(name).inserted else { continue }
      tell(field.value.span, .twice, "the event '\(name)' stands in this list twice", severity: .warning)
    }
  }

  private func checkListening(_ field: TableField, _ word: HostWord, _ arguments: [Expression]) {
    if field.name == "subject" { return checkSubject(field, word) }
    guard field.name == "match", case .table(let wanted) = field.value.kind else { return }
    if wanted.isEmpty {
      tell(
        field.value.span, .wrongValue,
        "\(word.name): 'match' is empty, so that every event would do; name a field and its value, such as { invoice = event.data.invoice }, or leave 'match' out"
      )
    }
    let names = constantEvents(arguments.first) ?? []
    let data = names.isEmpty ? Shape.unknown : world.data(ofAny: names)
    for entry in wanted { checkMatched(entry, data, word) }
  }

  /// A key of match is a path into the data of the event.
  private func checkMatched(_ entry: TableField, _ data: Shape, _ word: HostWord) {
    guard let path = entry.name else { return }
    let place = inside(entry.keySpan)
    var steps = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    if steps.count > 1, steps[0] == "data", !data.hasField("data") {
      let rest = steps.dropFirst().joined(separator: ".")
      return tell(
        place, .wrongValue, "\(word.name): the keys of 'match' are fields of event.data, without 'data.'",
        suggestion: rest)
    }
    var found = data
    var owner = ""
    var offset = place.start
    while !steps.isEmpty, case .part(let part) = found {
      let step = steps.removeFirst()
      found = partField(part, step, Span(start: offset, end: min(place.end, offset + step.utf8.count)))
      owner = part.isTeams ? "'\(step)' of \(part.owner)" : ""
      offset += step.utf8.count + 1
    }
    if steps.isEmpty, !owner.isEmpty { checkKind(of: entry, is: found, owner: owner) }
  }

  /// subject = customer.id: who it is of which kind, nobody could tell.
  private func checkSubject(_ field: TableField, _ word: HostWord) {
    guard case .index(let owner, let key, _) = field.value.origin.kind, let name = key.string else { return }
    let kind: String
    switch (owner.name, name) {
    case ("customer", "id"): kind = header?.first { $0.name == "per" }?.value.string ?? "user"
    case ("event", "user"): kind = "user"
    case ("customer", "account"), ("event", "account"): kind = "account"
    default: return
    }
    let text = source.text(field.value.span)
    tell(
      field.value.span, .wrongValue, "\(word.name): '\(text)' is an id without its kind",
      suggestion: "\"\(kind):\" .. \(text)", severity: .warning)
  }

  // Checkpoints.

  /// What is kept comes back as the third argument of run.
  private func checkKept(_ span: Span, _ arguments: [Expression]) {
    if let first = arguments.first, case .table(let fields) = first.kind, fields.isEmpty { return }
    guard let run = header?.first(where: { $0.name == "run" })?.value.function, !run.isVariadic,
      run.parameters.count < 2 + moreArguments.count
    else { return }
    tell(
      span, .wrongPlace,
      "run gets what is kept here as its \(moreArguments.count > 1 ? "fourth" : "third") argument, and has none: it would begin anew as if nothing had been; write run = \(runForm)",
      severity: .warning)
  }
}

extension Shape {
  fileprivate func hasField(_ name: String) -> Bool {
    if case .part(let part) = self { part.fields[name] != nil } else { false }
  }
}

extension Expression {
  /// now(), event.time or what was declared with one of them.
  fileprivate var isTime: Bool {
    switch origin.kind {
    case .call(let function, _): function.word == "now"
    case .index(let owner, let key, _): owner.name == "event" && key.string == "time"
    default: false
    }
  }

  /// The factors of a product of constants; nil for anything else, and for one that is beyond all measure.
  fileprivate var factors: [Double]? {
    var found: [Double] = []
    var open = [self]
    while let next = open.popLast() {
      switch next.origin.kind {
      case .number(let text): found.append(Double(text) ?? 0)
      case .binary("*", let left, let right): open += [left, right]
      default: return nil
      }
      if found.count + open.count > 20 { return nil }
    }
    return found
  }
}
