// Which declaration a name belongs to, and what is wrong with names that belong to none.
//
// Thread: one check. Promise: scopes are those of Lua; every read and write of a local is counted before
// anything is concluded from its value.

internal import Rules

/// Scopes as a stack: the innermost declaration of a name is the last of its list.
private struct Scopes {
  private var byName: [String: [Variable]] = [:]
  private var order: [String] = []
  private var marks: [Int] = []

  mutating func open() { marks.append(order.count) }

  mutating func close() {
    let mark = marks.popLast() ?? 0
    while order.count > mark { byName[order.removeLast()]?.removeLast() }
  }

  mutating func declare(_ variable: Variable, as name: String? = nil) {
    byName[name ?? variable.name, default: []].append(variable)
    order.append(name ?? variable.name)
  }

  func find(_ name: String) -> Variable? { byName[name]?.last }
  /// The names that can be seen, for suggestions: the nearest ones, so that hostile files stay cheap.
  var visible: [String] { Array(Set(order.suffix(200))) }
}

private final class Resolver {
  private let check: FileCheck
  private var scopes = Scopes()
  private var functionDepth = 0
  private var loopDepth = 0
  private var suggestions = 0
  /// Globals that are set: that is told once, and not for each time they are read.
  private var written: Set<String> = []
  /// The functions around this place, innermost last, each with its depth.
  private var around: [(body: ObjectIdentifier, depth: Int)] = []
  /// What functions change that stands outside of them.
  private var changes: [ObjectIdentifier: [(name: String, span: Span)]] = [:]
  /// The values of `match`.
  private var matches: [Expression] = []

  init(_ check: FileCheck) { self.check = check }

  func run() {
    scopes.open()
    block(check.tree)
    scopes.close()
    for match in matches {
      guard let body = match.function else { continue }
      for (name, span) in changes[ObjectIdentifier(body)] ?? [] { check.tellMatchChanges(name, span) }
    }
  }

  private func scoped(_ inner: Block) {
    scopes.open()
    block(inner)
    scopes.close()
  }

  private func block(_ block: Block) { for statement in block.statements { self.statement(statement) } }

  @discardableResult
  private func declare(_ name: String, _ span: Span, isConstant: Bool = false) -> Variable {
    let variable = Variable(name, span, functionDepth: functionDepth)
    variable.isConstant = isConstant
    scopes.declare(variable)
    check.declarations[span.start] = variable
    return variable
  }

  private func loop(_ inner: () -> Void) {
    loopDepth += 1
    scopes.open()
    inner()
    scopes.close()
    loopDepth -= 1
  }

  private func statement(_ statement: Statement) {
    switch statement.kind {
    case .local(let names, let values):
      values.forEach(expression)
      for (position, name) in names.enumerated() {
        let variable = declare(name.name, name.span, isConstant: name.isConstant)
        if position < values.count { variable.value = values[position] }
      }
    case .assignment(let targets, let values):
      for target in targets { if let name = target.name, scopes.find(name) == nil { written.insert(name) } }
      values.forEach(expression)
      targets.forEach(target)
    case .call(let call): expression(call)
    case .do(let inner): scoped(inner)
    case .while(let condition, let inner):
      expression(condition)
      loop { block(inner) }
    case .repeat(let inner, let condition):
      loop {
        block(inner)
        expression(condition)
      }
    case .if(let branches, let otherwise):
      for branch in branches {
        expression(branch.condition)
        scoped(branch.block)
      }
      if let otherwise { scoped(otherwise) }
    case .numericFor(let name, let span, let bounds, let inner):
      bounds.forEach(expression)
      loop {
        declare(name, span)
        block(inner)
      }
    case .genericFor(let names, let values, let inner):
      values.forEach(expression)
      loop {
        for name in names { declare(name.name, name.span) }
        block(inner)
      }
    case .function(let target, let body):
      self.target(target)
      function(body)
    case .localFunction(let name, let span, let body):
      declare(name, span).body = body
      function(body)
    case .return(let values): values.forEach(expression)
    case .break:
      if loopDepth == 0 { check.tell(statement.span, .syntax, "'break' leaves a loop, and there is none around it") }
    case .goto, .label: break
    }
  }

  private func function(_ body: FunctionBody) {
    let outerLoops = loopDepth
    loopDepth = 0
    functionDepth += 1
    around.append((ObjectIdentifier(body), functionDepth))
    scopes.open()
    body.variables = body.parameters.map { declare($0.name, $0.span) }
    declareMeant(body)
    block(body.block)
    scopes.close()
    around.removeLast()
    functionDepth -= 1
    loopDepth = outerLoops
  }

  /// run = function(evnt, customer): what is called `event` further down is this argument.
  private func declareMeant(_ body: FunctionBody) {
    guard let entrance = check.entrances[ObjectIdentifier(body)], entrance != "match" else { return }
    for (variable, name) in zip(body.variables, check.arguments) where variable.name != name {
      guard check.isMisnamed(variable.name, name), scopes.find(name) == nil else { continue }
      check.misnamed[variable.span.start] = false
      scopes.declare(variable, as: name)
    }
  }

  private func expression(_ expression: Expression) {
    switch expression.kind {
    case .name(let name): read(expression, name)
    case .function(let body): function(body)
    default:
      TreeWalk.children(of: expression).forEach(self.expression)
      if case .call(let function, let arguments) = expression.kind { called(function, arguments) }
    }
  }

  /// What a call says of the functions around it, or of those it is given.
  private func called(_ function: Expression, _ arguments: [Expression]) {
    if function.word == "wait_for" || function.word == "wait_any" {
      guard arguments.count > 1, case .table(let fields) = arguments[1].kind else { return }
      matches += fields.filter { $0.name == "match" }.map(\.value)
    }
    if case .index(let owner, let key, _) = function.kind, owner.word == "table",
      ["insert", "remove", "sort"].contains(key.string ?? ""), let list = arguments.first
    {
      change(list, at: list.span)
    }
  }

  /// Something is set that a variable holds, or the variable itself.
  private func change(_ target: Expression, at span: Span) {
    var owner = target
    while case .index(let inner, _, _) = owner.kind { owner = inner }
    guard let variable = owner.variable else { return }
    for (body, depth) in around where variable.functionDepth < depth {
      changes[body, default: []].append((variable.name, span))
    }
  }

  private func read(_ expression: Expression, _ name: String) {
    if let variable = scopes.find(name) {
      variable.reads += 1
      if variable.name != name { check.misnamed[variable.span.start] = true }
      expression.variable = variable
    } else if !check.knowsName(name), !written.contains(name) {
      check.tellUnknown(name, expression.span, visible: visible)
    }
  }

  /// Names for suggestions; none any more once a file has had very many.
  private var visible: [String] {
    suggestions += 1
    return suggestions > 100 ? [] : scopes.visible
  }

  private func target(_ target: Expression) {
    guard case .name(let name) = target.kind else {
      expression(target)
      return change(target, at: target.span)
    }
    guard let variable = scopes.find(name) else { return check.tellGlobalWrite(name, target.span, visible: visible) }
    variable.writes += 1
    target.variable = variable
    // What stands at the top of the file is told below.
    if variable.functionDepth > 0 { change(target, at: target.span) }
    if variable.isConstant {
      check.tell(target.span, .wrongValue, "'\(name)' is <const> and cannot be given another value")
    }
    if variable.functionDepth == 0, functionDepth > 0 {
      check.tell(
        target.span, .outerWrite,
        "'\(name)' is set here, but it stands outside of the function and would live on between runs and customers; use state, or a local inside the function"
      )
    }
  }
}

extension FileCheck {
  func resolve() { Resolver(self).run() }

  /// When a run is played again, its journal says which event it was, and `match` is not asked.
  fileprivate func tellMatchChanges(_ name: String, _ span: Span) {
    tell(
      span, .outerWrite,
      "'\(name)' is changed here, but a match function may only look at the event: when the run is played again it is not called; wait in a loop and count there"
    )
  }

  func knowsName(_ name: String) -> Bool {
    HostWords.byName[name] != nil || HostWords.values.contains(name) || LuaLibrary.basic[name] != nil
      || LuaLibrary.libraries[name] != nil
  }

  /// Names that people look for, and what to use: those of Lua, and some of other languages.
  private static let replaced: [String: String] = GlobalNames.replaced.merging(
    [
      "_ENV": "", "console": "use log(text)", "sleep": "use wait(\"1 day\")", "JSON": "tables are sent as they are",
      "Math": "use math", "date": "use now()", "Date": "use now()", "fetch": "use call(destination, type, data)",
      "http": "use call(destination, type, data)",
    ]) { first, _ in first }

  /// Names that are right in other places or other languages.
  private static let elsewhere: [String: String] = GlobalNames.elsewhere.merging(
    [
      "nill": "write nil", "Nil": "write nil", "NIL": "write nil", "this": "there are no objects here",
      "catalog": "it belongs into rules/catalog.lua",
    ]) { first, _ in first }

  /// What stands for a constant of another language.
  private static func constant(_ name: String) -> String? {
    switch name.lowercased() {
    case "true": "true"
    case "false": "false"
    case "none", "null", "undefined", "nil", "nill": "nil"
    default: nil
    }
  }

  private static let keywords = Keyword.allCases.map(\.rawValue)

  func tellUnknown(_ name: String, _ span: Span, visible: [String]) {
    if let advice = FileCheck.replaced[name] {
      let ending = advice.isEmpty ? "" : "; \(advice)"
      return tell(span, .unknownName, "'\(name)' is not available in rules\(ending)")
    }
    if let advice = FileCheck.elsewhere[name] {
      return tell(
        span, .unknownName, "there is no '\(name)' here; \(advice)", suggestion: FileCheck.constant(name))
    }
    let near =
      Nearest.find(name, among: visible + LuaLibrary.names.filter { HostWords.byName[$0]?.isAvailable ?? true })
      ?? Nearest.find(name, among: FileCheck.keywords + HostWords.all.map(\.name))
    // What is written to it is not seen.
    if near == "state" { hasDynamicState = true }
    let missing = near == nil ? "; is it misspelt, or is a 'local' missing?" : ""
    tell(span, .unknownName, "there is no '\(name)'\(missing)", suggestion: near)
  }

  func tellGlobalWrite(_ name: String, _ span: Span, visible: [String]) {
    if let near = Nearest.find(name, among: visible), name.utf8.count > 2 {
      return tell(span, .globalWrite, "cannot set the global '\(name)'", suggestion: near)
    }
    if HostWords.byName[name] != nil || LuaLibrary.names.contains(name) {
      return tell(span, .globalWrite, "'\(name)' is a word of rules and cannot be set; choose another name")
    }
    tell(
      span, .globalWrite,
      "cannot set the global '\(name)'; write 'local \(name) = …' or 'local function \(name)(…)'")
  }
}
