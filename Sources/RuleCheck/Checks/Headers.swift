// The header of a rule as it is written: its keys, their values, and what must not be missing.
//
// Thread: one check. Promise: what is not written out is left to the loader, which runs the file.

internal import Model
internal import Rules

extension FileCheck {
  /// The table in `return rule { … }`, and what follows from it for the rest of the file.
  func findHeader() {
    guard kind != .library else { return }
    for statement in tree.statements {
      guard let first = FileCheck.outermost(statement) else { continue }
      if case .call(let function, let arguments) = first.kind, arguments.count == 1,
        case .table(let fields) = arguments[0].kind,
        function.name == ending || Nearest.find(function.name ?? "", among: [ending]) != nil
      {
        header = fields
      }
    }
    for field in header ?? [] {
      guard let name = keyMeant(field) else { continue }
      if case .function(let body) = field.value.kind, name == "run" || name == "when" {
        entrances[ObjectIdentifier(body)] = name
      }
      if name == "on" { events = constantNames(field.value) ?? occasionEvents(field.value) }
    }
    if let arguments = dateTrigger { events = FileCheck.dateEvents(arguments, "event").flatMap { constantNames($0) } }
  }

  /// What a statement at the top returns; a call that only lacks its `return`, too.
  private static func outermost(_ statement: Statement) -> Expression? {
    switch statement.kind {
    case .return(let values): values.first
    case .call(let call): call
    default: nil
    }
  }

  /// One that is missing comes first, then one that is not there yet.
  private func nearestKey(_ name: String) -> String? {
    let present = Set((header ?? []).compactMap(\.name))
    let absent = keys.filter { !present.contains($0.name) }
    let ranked = [absent.filter(\.isRequired), absent.filter(\.isAvailable), keys]
    for some in ranked {
      if let near = Nearest.find(name, among: some.map(\.name), short: true), near != name { return near }
    }
    return nil
  }

  /// A misspelt `run` is a run all the same.
  private func keyMeant(_ field: TableField) -> String? {
    guard let name = field.name else { return nil }
    return keys.contains { $0.name == name } ? name : nearestKey(name)
  }

  /// The own event that a rule with absence, enters or leaves gets.
  private func occasionEvents(_ value: Expression) -> [String]? {
    guard case .call(let function, _) = value.kind else { return nil }
    let names = [
      "absence": Occasion.absent, "enters": Occasion.entered, "leaves": Occasion.left, "every": Occasion.scheduled,
    ]
    return names[function.word ?? ""].map { [$0] }
  }

  private func constantNames(_ value: Expression) -> [String]? {
    if let name = value.string { return [name] }
    guard case .table(let fields) = value.kind else { return nil }
    let names = fields.compactMap(\.value.string)
    return names.count == fields.count && !names.isEmpty ? names : nil
  }

  func checkHeader() {
    guard kind != .library else { return }
    checkEnding()
    guard let header else { return }
    for field in header { checkKey(field) }
    if hasSyntaxErrors { return }
    let present = Set(header.compactMap(keyMeant))
    for key in keys where key.isRequired && !present.contains(key.name) {
      let missing = kind == .rule ? FileCheck.missing : FileCheck.missingOfSegments
      tell(ruleSpan, .missingKey, missing[key.name] ?? "a \(ending) needs '\(key.name)'")
    }
    if kind == .segment { return }
    if !present.contains("key") { checkPathsWithoutKey(header) }
    checkSecond(header)
    checkGathering(header)
  }

  private static let missing = [
    "title": "a rule needs a title, such as title = \"Warn before the limit\"",
    "on": "a rule needs 'on', the name of the event that starts it, such as on = \"invoice.paid\"",
    "run": "a rule needs 'run', such as run = function(event, customer) … end",
  ]

  private static let missingOfSegments = [
    "title": "a segment needs a title, such as title = \"At risk\"",
    "when": "a segment needs 'when', such as when = function(customer) return … end",
  ]

  /// Where the word `rule` stands.
  private var ruleSpan: Span {
    for statement in tree.statements {
      if case .return(let values) = statement.kind, case .call(let function, _)? = values.first?.kind {
        return function.span
      }
    }
    return Span(start: 0, end: 1)
  }

  /// A rule's file without `return rule { … }` at its end.
  private func checkEnding() {
    if hasSyntaxErrors { return }
    guard let last = tree.statements.last else {
      return tell(
        Span(start: 0, end: 1), .missingKey,
        "this file is empty; a \(ending)'s file must end with: return \(ending) { … }")
    }
    switch last.kind {
    case .return(let values):
      guard header == nil, case .table? = values.first?.kind else { return }
      tell(
        last.span.first(in: source), .missingKey, "a \(ending)'s file must end with: return \(ending) { … }",
        suggestion: nil)
    case .call(let call):
      let isRule = if case .call(let function, _) = call.kind { function.word == ending } else { false }
      tell(
        last.span.first(in: source), .missingKey,
        isRule
          ? "'return' is missing before \(ending) { … }" : "a \(ending)'s file must end with: return \(ending) { … }",
        suggestion: isRule ? "return \(ending)" : nil)
    case .local, .assignment, .function, .localFunction:
      tell(last.span.first(in: source), .missingKey, "a \(ending)'s file must end with: return \(ending) { … }")
    default: break
    }
  }

  private func checkKey(_ field: TableField) {
    guard let name = field.name else {
      if case .position = field.key {
        tell(
          field.value.span.first(in: source), .unknownKey, "a header has names: key = value; here stands a value alone")
      }
      return
    }
    guard let key = keys.first(where: { $0.name == name }) else {
      let near = nearestKey(name)
      let list =
        near == nil ? "; there are \(keys.filter(\.isAvailable).map(\.name).joined(separator: ", "))" : ""
      tell(field.keySpan, .unknownKey, "unknown key '\(name)'\(list)", suggestion: near)
      return
    }
    guard key.isAvailable else {
      return tell(field.keySpan, .notAvailable, "'\(name)' is not available in this version; remove it")
    }
    let found = fieldShape(field.value)
    check(field.value, found, takes: key.takes, label: "'\(name)'")
    checkMeaning(name, field, found)
  }

  private func checkMeaning(_ name: String, _ field: TableField, _ found: Shape) {
    switch name {
    case "on": checkEvents(field.value, found)
    case "stop_on": checkStops(field, found)
    case "goal": checkGoal(field)
    case "limit": checkLimit(field)
    case "collect": checkCollect(field)
    case "catch_up": checkCatchUp(field, found)
    case "late": checkLate(field)
    case "key": checkKeyPaths(field, found)
    case "per": checkPer(field, found)
    case "run", "when": checkParameters(name, field)
    default: break
    }
  }

  private func checkPer(_ field: TableField, _ found: Shape) {
    guard let text = found.constant, text != "user", text != "account" else { return }
    let isName = text.utf8.allSatisfy { $0 == 0x5F || (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
    let near = Nearest.find(text, among: ["user", "account"], strict: true)
    if !isName {
      tell(
        inside(field.value.span), .wrongValue,
        "'per' must be \"user\", \"account\" or a kind of thing in small letters; it is \"\(text)\"", suggestion: near)
    } else if near != nil {
      tell(inside(field.value.span), .wrongValue, "'per' is \"\(text)\"", suggestion: near)
    }
  }

  // Paths.

  private func checkKeyPaths(_ field: TableField, _ found: Shape) {
    if let text = found.constant { return checkPath(text, field.value.span, what: "'key'", events: events) }
    guard case .table(let fields) = field.value.kind else { return }
    // A misspelt event of `on` is told there.
    let events = events?.map(meantEvent)
    for entry in fields {
      guard let event = entry.name else {
        tell(
          entry.value.span, .wrongValue,
          "'key' as a table has a path for each event: { [\"invoice.paid\"] = \"data.invoice\" }")
        continue
      }
      if let events, !events.contains(event), !listens(to: event) {
        tell(
          inside(entry.keySpan), .unknownEvent, "'key' has a path for '\(event)', which 'on' does not name",
          suggestion: Nearest.find(event, among: events))
      }
      if let text = entry.value.string { checkPath(text, entry.value.span, what: "'key'", events: [event]) }
    }
    let named = Set(fields.compactMap(\.name))
    for event in events ?? [] where !named.contains(event) && named.count == fields.count {
      tell(field.keySpan, .missingKey, "'key' has no path for the event '\(event)' of 'on'")
    }
  }

  /// Events of stop_on and goal, and those waited for, may have a path of their own.
  private func listens(to event: String) -> Bool {
    for field in header ?? [] where field.name == "stop_on" || field.name == "goal" {
      guard case .table(let fields) = field.value.kind else { continue }
      if fields.contains(where: { $0.value.string == event || $0.name == event }) { return true }
    }
    if header?.first(where: { $0.name == "stop_on" })?.value.string == event { return true }
    if let dates = dateTrigger {
      let names = ["moved", "cancelled"].compactMap { FileCheck.dateEvents(dates, $0) }.flatMap {
        constantNames($0) ?? []
      }
      if names.contains(event) { return true }
    }
    var isWaitedFor = false
    TreeWalk.calls(in: tree) { word, arguments in
      if word == "wait_until", case .table(let fields)? = arguments.first?.kind {
        let names = fields.filter { $0.name == "moved" || $0.name == "cancelled" }.flatMap {
          constantNames($0.value) ?? []
        }
        if names.contains(event) { isWaitedFor = true }
      }
      guard word == "wait_for" || word == "wait_any", let first = arguments.first else { return }
      if first.string == event || constantNames(first)?.contains(event) ?? false { isWaitedFor = true }
    }
    return isWaitedFor
  }

  /// A name, a list of names, or a table of event and path.
  private func checkStops(_ field: TableField, _ found: Shape) {
    guard case .table(let fields) = field.value.kind, fields.contains(where: { $0.name != nil }) else {
      if case .table(let fields) = field.value.kind, fields.isEmpty {
        tell(field.value.span.first(in: source), .wrongValue, RuleHeader.emptyStopOn)
      }
      return checkEvents(field.value, found)
    }
    for entry in fields {
      guard let event = entry.name else { continue }
      checkEvent(event, inside(entry.keySpan))
      if let path = entry.value.string { checkPath(path, entry.value.span, what: "'stop_on'", events: [event]) }
    }
  }

  /// { event = …, within = …, key = … }
  private func checkGoal(_ field: TableField) {
    guard case .options(let options)? = HeaderKeys.byName["goal"]?.takes else { return }
    checkOptionValues(field.value, options, word: "goal")
    guard case .table(let fields) = field.value.kind else { return }
    let event = fields.first { $0.name == "event" }?.value
    if let event { checkEvents(event, fieldShape(event)) }
    for entry in fields where entry.name == "key" {
      guard let path = entry.value.string else { continue }
      checkPath(path, entry.value.span, what: "'key' of 'goal'", events: event?.string.map { [$0] })
    }
  }

  /// What a path of stop_on or goal is compared with.
  private func checkPathsWithoutKey(_ header: [TableField]) {
    for field in header {
      guard case .table(let entries) = field.value.kind, field.name == "stop_on" || field.name == "goal" else {
        continue
      }
      let paths = entries.filter { $0.name != nil && (field.name == "stop_on" || $0.name == "key") }
      guard let name = field.name, let entry = paths.first(where: { $0.value.string != nil }) else { continue }
      tell(inside(entry.value.span), .missingKey, RuleHeader.pathNeedsKey(name, entry.value.string ?? ""))
    }
  }

  /// Whoever may never run again has no second run, whatever is to become of it.
  private func checkSecond(_ header: [TableField]) {
    guard let again = header.first(where: { $0.name == "again" })?.value.string, again == "never",
      let second = header.first(where: { $0.name == "second" }), let way = second.value.string,
      way == "parallel" || way == "restart"
    else { return }
    tell(
      second.value.span, .wrongValue,
      "again = \"never\" lets no second run begin, so that second = \"\(way)\" does nothing; leave one of the two out",
      severity: .warning)
  }

  private func checkLimit(_ field: TableField) {
    let second = header?.first { $0.name == "second" }?.value
    if second == nil && !gathers || second?.string.map({ $0 != "parallel" }) ?? false {
      tell(field.keySpan, .wrongValue, "'limit' says how many runs may live at once: it needs second = \"parallel\"")
    }
  }

  /// run = function(event, customer)
  private func checkParameters(_ name: String, _ field: TableField) {
    guard case .function(let body) = field.value.kind else { return }
    let names = arguments
    if kind == .rule, body.parameters.first?.name == "customer" {
      tell(
        body.parameters[0].span, .slip, "'\(name)' gets the event first: function(event, customer)",
        severity: body.parameters.count > 1 ? .error : .warning)
      return
    }
    // What was collected and what a checkpoint kept come behind.
    let most = name == "run" ? 2 + moreArguments.count : names.count
    if body.parameters.count > most {
      let form = name == "run" ? runForm : "function(\(names.joined(separator: ", ")))"
      tell(
        body.parameters[most].span, .arguments,
        "'\(name)' gets at most \(most == 1 ? "one argument" : "\(most) arguments"): \(form)")
    }
    for (position, parameter) in body.parameters.prefix(names.count).enumerated()
    where parameter.name != names[position] {
      if isMisnamed(parameter.name, names[position]) {
        let isUsed = misnamed[parameter.span.start] ?? false
        tell(
          parameter.span, .slip,
          "this argument is called '\(parameter.name)'"
            + (isUsed ? ", but '\(names[position])' where it is used" : " here"),
          suggestion: names[position], severity: isUsed ? .error : .warning)
      }
    }
  }

  func isMisnamed(_ name: String, _ meant: String) -> Bool {
    name.utf8.count > 3 && Nearest.find(name, among: [meant], strict: true) != nil
  }
}
