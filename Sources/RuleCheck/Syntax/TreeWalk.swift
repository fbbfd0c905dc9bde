// Walks over a whole tree.
//
// Thread: pure functions. Promise: every expression is met once; the depth of trees is bounded, and so is
// the walk's.

enum TreeWalk {
  static func calls(in block: Block, _ found: (String, [Expression]) -> Void) {
    expressions(in: block) { expression in
      if case .call(let function, let arguments) = expression.kind, let name = function.name { found(name, arguments) }
    }
  }

  static func expressions(in block: Block, _ visit: (Expression) -> Void) {
    for statement in block.statements { TreeWalk.statement(statement, visit) }
  }

  static func statement(_ statement: Statement, _ visit: (Expression) -> Void) {
    let (children, blocks) = parts(of: statement)
    for child in children { expression(child, visit) }
    for block in blocks { expressions(in: block, visit) }
  }

  /// The expressions and the blocks right below a statement.
  static func parts(of statement: Statement) -> ([Expression], [Block]) {
    switch statement.kind {
    case .local(_, let values): (values, [])
    case .assignment(let targets, let values): (targets + values, [])
    case .call(let call): ([call], [])
    case .do(let block): ([], [block])
    case .while(let condition, let block), .repeat(let block, let condition): ([condition], [block])
    case .if(let branches, let otherwise):
      (branches.map(\.condition), branches.map(\.block) + (otherwise.map { [$0] } ?? []))
    case .numericFor(_, _, let bounds, let block): (bounds, [block])
    case .genericFor(_, let values, let block): (values, [block])
    case .function(let target, let body): ([target], [body.block])
    case .localFunction(_, _, let body): ([], [body.block])
    case .return(let values): (values, [])
    case .break, .goto, .label: ([], [])
    }
  }

  static func children(of expression: Expression) -> [Expression] {
    switch expression.kind {
    case .nil, .boolean, .number, .string, .varargs, .name, .function: []
    case .index(let owner, let key, _): [owner, key]
    case .call(let function, let arguments): [function] + arguments
    case .method(let owner, _, _, let arguments): [owner] + arguments
    case .unary(_, let operand), .parentheses(let operand): [operand]
    case .binary(_, let left, let right): [left, right]
    case .many(let list): list
    case .table(let fields):
      fields.flatMap { field in
        if case .computed(let key) = field.key { [key, field.value] } else { [field.value] }
      }
    }
  }

  private static func expression(_ expression: Expression, _ visit: (Expression) -> Void) {
    visit(expression)
    if case .function(let body) = expression.kind { expressions(in: body.block, visit) }
    for child in children(of: expression) { TreeWalk.expression(child, visit) }
  }
}
