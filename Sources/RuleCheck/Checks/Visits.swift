// The walk over statements: what each may hold, what is never reached, and where a function stands.
//
// Thread: one check. Promise: every expression is looked at exactly once.

extension FileCheck {
  var place: Place { placeStack.last ?? .file }

  func visit(_ block: Block) {
    var ending: String?
    var isTold = false
    checkLabels()
    for statement in block.statements {
      if case .label = statement.kind {
        // Whoever jumps here reaches what follows.
        ending = nil
        isTold = false
      }
      if let ending, !isTold {
        isTold = true
        tellUnreachable(statement, after: ending)
      }
      visit(statement)
      if ending == nil { ending = Flow.ending(statement) }
    }
  }

  private func tellUnreachable(_ statement: Statement, after ending: String) {
    let place = statement.span.first(in: source)
    if ending == "return" {
      return tell(place, .unreachable, "nothing may follow 'return' in its block; this is never reached")
    }
    tell(
      place, .unreachable, "this is never reached: \(ending) ends what stands before it", severity: .warning)
  }

  private func visit(_ statement: Statement) {
    switch statement.kind {
    case .local(let names, let values):
      let shapes = values.map { shape($0) }
      checkGiven(names.map { ($0.name, $0.span) }, values)
      for (position, name) in names.enumerated() where position < shapes.count {
        guard let variable = declarations[name.span.start], variable.writes == 0 else { continue }
        // A call may give several values; the last one stands for the rest.
        variable.shape = shapes[position]
      }
    case .assignment(let targets, let values):
      let shapes = values.map { shape($0) }
      checkGiven(targets.map { (source.text($0.span), $0.span) }, values)
      for (position, target) in targets.enumerated() {
        assign(target)
        if position < values.count { checkStateValue(target, values[position], shapes[position]) }
      }
    case .call(let call): _ = shape(call)
    case .do(let block): visit(block)
    case .while(let condition, let block):
      self.condition(condition)
      checkEndless(statement, condition, block)
      visit(block)
    case .repeat(let block, let condition):
      visit(block)
      self.condition(condition)
    case .if(let branches, let otherwise):
      for branch in branches {
        condition(branch.condition)
        visit(branch.block)
      }
      if let otherwise { visit(otherwise) }
    case .numericFor(_, let span, let bounds, let block):
      for bound in bounds { checkBound(bound, shape(bound)) }
      declarations[span.start]?.shape = .number
      visit(block)
    case .genericFor(let names, let values, let block):
      genericFor(names, values)
      visit(block)
    case .function(let target, let body):
      assign(target)
      visit(body)
    case .localFunction(_, let span, let body):
      declarations[span.start]?.shape = .function
      visit(body)
    case .return(let values): for value in values { returned(value) }
    case .break, .goto, .label: break
    }
  }

  private func returned(_ value: Expression) {
    if place == .when { condition(value) } else { _ = shape(value) }
  }

  private func checkBound(_ expression: Expression, _ found: Shape) {
    if let kind = found.kind, kind != .number {
      tell(expression.span, .wrongType, "'for' counts in numbers; this is \(found.words)")
    }
  }

  private func genericFor(_ names: [(name: String, span: Span)], _ values: [Expression]) {
    guard let first = values.first else { return }
    let found = shape(first)
    for value in values.dropFirst() { _ = shape(value) }
    guard case .call(let function, let arguments) = first.kind, let word = function.word,
      word == "ipairs" || word == "pairs"
    else {
      if values.count == 1, found.kind == .table || found.kind == .text || found.kind == .number {
        tell(
          first.span, .wrongType, "'for' needs ipairs(…) or pairs(…) around \(found.words)",
          suggestion: found.kind == .table ? "ipairs(\(source.text(first.span)))" : nil)
      }
      return
    }
    guard names.count == 2, let list = arguments.first else { return }
    declarations[names[0].span.start]?.shape = word == "ipairs" ? .integer : .unknown
    if case .list(let element) = shapes[ObjectIdentifier(list)] ?? .unknown {
      declarations[names[1].span.start]?.shape = element
    }
  }

  func visit(_ body: FunctionBody) {
    let entrance = entrances[ObjectIdentifier(body)]
    switch entrance {
    case "run": placeStack.append(.run)
    case "when", "match": placeStack.append(.when)
    default: placeStack.append(place == .when ? .when : .other)
    }
    let given = givenShapes[ObjectIdentifier(body)]
    for (position, variable) in body.variables.enumerated() where variable.writes == 0 {
      let known = given.flatMap { position < $0.count ? $0[position] : nil }
      variable.shape = known ?? parameterShape(variable.name, position, isEntrance: entrance != nil)
    }
    visit(body.block)
    placeStack.removeLast()
  }

  private func parameterShape(_ name: String, _ position: Int, isEntrance: Bool) -> Shape {
    // Swapped arguments are told elsewhere; what they are called is what was meant.
    if isEntrance, kind == .segment { return position == 0 ? .customer : .unknown }
    if isEntrance, name != "event", name != "customer" {
      return position == 0 ? eventShape : position == 1 ? .customer : .unknown
    }
    if isEntrance { return name == "event" ? eventShape : .customer }
    guard kind == .rule else { return .unknown }
    return name == "event" ? eventShape : name == "customer" ? .customer : .unknown
  }

  /// The event of `run` and `when`.
  var eventShape: Shape {
    .event(.init(names: events ?? [], data: events.map { world.data(ofAny: $0.map(meantEvent)) } ?? .unknown))
  }

  // Assignments.

  private func assign(_ target: Expression) {
    guard case .index(let owner, let key, _) = target.kind else { return }
    let found = shape(owner)
    if key.string == nil { _ = shape(key) }
    switch found {
    case .state: assignState(key, target)
    case .event, .customer, .traits, .part:
      let advice = owner.isTraits ? "; use set { … }" : "; it can only be read"
      tell(target.span, .wrongPlace, "\(found.words) cannot be changed here\(advice)")
    case .library: tell(target.span, .wrongPlace, "a library is shared by all rules and cannot be changed")
    case .constants, .text, .eventName, .integer, .number, .boolean, .nothing, .money:
      tell(target.span, .wrongType, "\(found.words) has no fields")
    default: break
    }
  }

  private func assignState(_ key: Expression, _ target: Expression) {
    if let name = key.string { stateWrites.insert(name) } else { hasDynamicState = true }
    if place == .when { tell(target.span, .wrongPlace, "'when' only decides; set state in run") }
    if place == .file { tell(target.span, .wrongPlace, "state can only be used inside run and when") }
  }

  /// State is flat: what is no text, number, true or false is refused when it is set.
  private func checkStateValue(_ target: Expression, _ value: Expression, _ found: Shape) {
    guard case .index(let owner, _, _) = target.kind, owner.origin.word == "state" else { return }
    let refusal = "state holds texts, numbers and true or false; this is"
    if value.word == "null" {
      return tell(value.span, .wrongType, "\(refusal) null, and what is to go is set to nil", suggestion: "nil")
    }
    let isTable = if case .table = value.origin.kind { true } else { false }
    switch found {
    case .function, .table, .event, .customer, .traits, .state, .reply, .library: break
    case .list where isTable: break
    case .part where value.origin.isData: break
    default: return
    }
    let advice = found.kind == .table ? "; set what is needed of it, each under a key of its own" : "; call it"
    tell(value.span.first(in: source), .wrongType, "\(refusal) \(found.words)\(advice)")
  }

  // Loops and labels.

  private func checkEndless(_ statement: Statement, _ condition: Expression, _ block: Block) {
    guard case .boolean(true) = condition.kind, !Flow.leaves(block) else { return }
    tell(
      Span(start: statement.span.start, end: statement.span.start + 5), .unreachable,
      "this loop never ends: there is no break, return, finish, skip or wait in it")
  }

  private func checkLabels() {
    guard !isLabelChecked else { return }
    isLabelChecked = true
    var labels: Set<String> = []
    var jumps: [(String, Span)] = []
    Flow.labels(tree, &labels, &jumps)
    for (name, span) in jumps where !labels.contains(name) {
      tell(
        span, .unknownName, "there is no label '::\(name)::'", suggestion: Nearest.find(name, among: labels.sorted()))
    }
  }
}

extension Expression {
  /// event.data, which is always a table.
  fileprivate var isData: Bool {
    if case .index(let owner, let key, _) = kind { return owner.name == "event" && key.string == "data" }
    return false
  }

  fileprivate var isTraits: Bool {
    if case .index(_, let key, _) = kind { return key.string == "traits" }
    return false
  }
}

extension Span {
  /// As far as the first line goes.
  func first(in source: SourceText) -> Span {
    let line = source.line(at: start)
    var last = end
    while last > start + 1, source.line(at: last - 1) != line { last = start + (last - start) / 2 }
    return Span(start: start, end: last)
  }
}
