// What is reached and what is not.
//
// Thread: pure functions. Promise: only what surely ends is said to end.

enum Flow {
  private static let enders: Set<String> = ["finish", "skip", "error"]
  private static let pauses: Set<String> = ["wait", "wait_until", "wait_for", "wait_any", "call"]

  /// What a statement ends with for sure, in words; nil when the next one may be reached.
  static func ending(_ statement: Statement) -> String? {
    switch statement.kind {
    case .return: return "return"
    case .break: return "'break'"
    case .goto: return "'goto'"
    case .call(let call):
      guard case .call(let function, _) = call.kind, let word = function.word, enders.contains(word) else { return nil }
      return "'\(word)'"
    case .do(let block): return ending(block)
    case .while(let condition, let block):
      guard case .boolean(true) = condition.kind, !leaves(block, byBreakOnly: true) else { return nil }
      return "an endless loop"
    case .if(let branches, let otherwise?):
      let all = branches.map(\.block) + [otherwise]
      return all.allSatisfy { ending($0) != nil } ? "every branch of the 'if'" : nil
    default: return nil
    }
  }

  private static func ending(_ block: Block) -> String? {
    guard let last = block.statements.last else { return nil }
    let found = ending(last)
    return found == "return" ? "'return'" : found
  }

  /// Whether something in a loop can end it.
  static func leaves(_ block: Block, byBreakOnly: Bool = false) -> Bool {
    block.statements.contains { statement in
      switch statement.kind {
      case .break, .goto: return true
      case .return: return !byBreakOnly
      case .while(_, let inner), .repeat(let inner, _), .numericFor(_, _, _, let inner), .genericFor(_, _, let inner):
        // A break in there leaves the inner loop.
        return leavesInner(inner, byBreakOnly: byBreakOnly)
      case .localFunction, .function: return false
      default:
        let (expressions, blocks) = TreeWalk.parts(of: statement)
        return !byBreakOnly && expressions.contains(where: callsEnder)
          || blocks.contains { leaves($0, byBreakOnly: byBreakOnly) }
      }
    }
  }

  private static func leavesInner(_ block: Block, byBreakOnly: Bool) -> Bool {
    block.statements.contains { statement in
      switch statement.kind {
      case .goto: return true
      case .break: return false
      case .return: return !byBreakOnly
      default:
        let (expressions, blocks) = TreeWalk.parts(of: statement)
        return !byBreakOnly && expressions.contains(where: callsEnder)
          || blocks.contains { leavesInner($0, byBreakOnly: byBreakOnly) }
      }
    }
  }

  /// A call of something that ends or pauses; of a function we do not know, too, since it may do so.
  private static func callsEnder(_ expression: Expression) -> Bool {
    if case .call(let function, _) = expression.kind {
      guard let word = function.word else { return true }
      if enders.contains(word) || pauses.contains(word) || ["check", "assert", "pcall"].contains(word) { return true }
    }
    if case .method = expression.kind { return true }
    return TreeWalk.children(of: expression).contains(where: callsEnder)
  }

  static func labels(_ block: Block, _ labels: inout Set<String>, _ jumps: inout [(String, Span)]) {
    for statement in block.statements {
      switch statement.kind {
      case .label(let name, _): labels.insert(name)
      case .goto(let name, let span): jumps.append((name, span))
      default: break
      }
      let (expressions, blocks) = TreeWalk.parts(of: statement)
      for inner in blocks { Flow.labels(inner, &labels, &jumps) }
      for expression in expressions { functions(in: expression) { Flow.labels($0.block, &labels, &jumps) } }
    }
  }

  private static func functions(in expression: Expression, _ visit: (FunctionBody) -> Void) {
    if case .function(let body) = expression.kind { visit(body) }
    for child in TreeWalk.children(of: expression) { functions(in: child, visit) }
  }
}
