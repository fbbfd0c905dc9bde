// Dates that rules go by, as they are written: before(…) in `on`, and wait_until { date = … }.
//
// Thread: one check. Promise: only what is written out is judged; what has to be written out is asked for.

extension FileCheck {
  /// The arguments of on = before(…).
  var dateTrigger: [Expression]? {
    guard let on = header?.first(where: { $0.name == "on" })?.value, case .call(let function, let arguments) = on.kind,
      function.word == "before"
    else { return nil }
    return arguments
  }

  /// The events of on = before(…): those that begin a run, or those of another option.
  static func dateEvents(_ arguments: [Expression], _ option: String) -> Expression? {
    guard arguments.count > 2, case .table(let fields) = arguments[2].kind else { return nil }
    return fields.first { $0.name == option }?.value
  }

  func checkDates(_ word: HostWord, _ arguments: [Expression]) {
    switch word.name {
    case "before":
      guard arguments.count > 2 else { return }
      let events = FileCheck.dateEvents(arguments, "event").flatMap { constantEvents($0) }
      if let path = arguments[0].string { checkDatePath(path, arguments[0].span, "before", events) }
      checkDateEvents(arguments[2], ["event", "moved", "cancelled"])
      checkSides(arguments)
    case "wait_until":
      guard let first = arguments.first, case .table(let fields) = first.origin.kind,
        fields.contains(where: { $0.name == "date" })
      else { return }
      guard case .table = first.kind else {
        return tell(
          first.span, .notConstant,
          "wait_until: a table with 'date' must be written out here, because it is known before the run which events move its date"
        )
      }
      for field in fields { checkDateField(field) }
      checkDateEvents(arguments[0], ["moved", "cancelled"])
    default: break
    }
  }

  private func checkDateField(_ field: TableField) {
    guard let name = field.name else { return }
    if name == "before" { return checkLead(field.value, "wait_until: 'before'") }
    guard ["date", "moved", "cancelled"].contains(name) else { return }
    guard field.value.isWrittenOut else {
      return tell(
        field.value.span, .notConstant,
        "wait_until: '\(name)' must be written out here, because it is known before the run which events move its date",
        suggestion: name == "date" ? path(of: field.value).map { "\"\($0)\"" } : nil)
    }
    if name == "date", let path = field.value.string {
      checkDatePath(path, field.value.span, "wait_until: 'date'", events)
    }
  }

  /// event.data.starts_at where its path was meant.
  private func path(of value: Expression) -> String? {
    var steps: [String] = []
    var next = value
    while case .index(let owner, let key, _) = next.kind, let step = key.string {
      steps.insert(step, at: 0)
      next = owner
    }
    return next.name == "event" && steps.count > 1 ? steps.joined(separator: ".") : nil
  }

  private func checkDatePath(_ path: String, _ span: Span, _ label: String, _ events: [String]?) {
    let steps = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let roots = ["data", "traits", "context"]
    guard let root = steps.first, roots.contains(root), steps.count > 1, !steps.contains("") else {
      let near = steps.first.flatMap { Nearest.find($0, among: roots) }
      let rest = steps.dropFirst().joined(separator: ".")
      return tell(
        inside(span), .wrongValue,
        "\(label): the path '\(path)' must be a field of data, traits or context, such as \"data.starts_at\"",
        suggestion: near.map { rest.isEmpty ? $0 : "\($0).\(rest)" } ?? (steps.count == 1 ? "data.\(path)" : nil))
    }
    checkPath(path, span, what: label, events: events)
  }

  /// How long before: the options of a table have values of their own.
  private func checkLead(_ value: Expression, _ label: String) {
    guard case .table = value.kind else { return }
    checkOptionValues(value, HostWords.lead, word: label)
  }

  private func checkDateEvents(_ table: Expression, _ options: [String]) {
    guard case .table(let fields) = table.kind else { return }
    for field in fields where options.contains(field.name ?? "") { checkEvents(field.value, fieldShape(field.value)) }
  }

  /// One event cannot be two things to a date.
  private func checkSides(_ arguments: [Expression]) {
    let cancelled = FileCheck.dateEvents(arguments, "cancelled")
    for option in ["event", "moved"] {
      let names = FileCheck.dateEvents(arguments, option).flatMap { constantEvents($0) } ?? []
      guard let both = constantEvents(cancelled)?.first(where: names.contains), let cancelled else { continue }
      tell(
        inside(cancelled.span), .wrongValue,
        option == "event"
          ? "'\(both)' cannot both begin a run and cancel its date" : "'\(both)' cannot both move and cancel a date")
    }
  }

  /// late says what becomes of a moment; without a date there is none.
  func checkLate(_ field: TableField) {
    guard dateTrigger == nil else { return }
    tell(
      field.keySpan, .wrongValue,
      "'late' says what becomes of a moment that is past: it needs on = before(…)")
  }

  /// Of several kinds of tables the one that most of the fields belong to.
  static func fitting(_ ways: [Takes], _ value: Expression) -> [Takes] {
    guard case .table(let fields) = value.kind else { return ways }
    let names = Set(fields.compactMap(\.name))
    func known(_ way: Takes) -> Int {
      if case .options(let options) = way { options.count { names.contains($0.name) } } else { 0 }
    }
    let tables = ways.filter { if case .options = $0 { true } else { false } }
    guard tables.count > 1, let best = tables.max(by: { known($0) < known($1) }), known(best) > 0 else { return ways }
    return [best] + ways.filter { if case .options = $0 { false } else { true } }
  }
}
