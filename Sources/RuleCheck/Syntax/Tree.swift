// A file as a tree: statements and expressions with their places.
//
// Thread: values and objects of one check. Promise: no tree is deeper than `depthLimit`, so that walking it
// needs a bounded stack, whatever was written.

/// A local variable or a parameter.
final class Variable {
  let name: String
  let span: Span
  /// 0 at the top of the file, more inside functions.
  let functionDepth: Int
  /// Names one of a loop or a parameter: what it holds is decided elsewhere.
  var isConstant = false
  var reads = 0
  var writes = 0
  var shape: Shape = .unknown
  /// What it was declared with.
  var value: Expression?
  /// Of a local function. Weak, because the body of one that calls itself names this variable; the tree holds it.
  weak var body: FunctionBody?

  init(_ name: String, _ span: Span, functionDepth: Int) {
    self.name = name
    self.span = span
    self.functionDepth = functionDepth
  }
}

final class Expression {
  static let depthLimit = 120
  /// Operands of one row that are taken as a tree; further ones only stand beside it.
  static let rowLimit = 20

  indirect enum Kind {
    case `nil`
    case boolean(Bool)
    case number(String)
    case string(String)
    case varargs
    case function(FunctionBody)
    case name(String)
    case index(Expression, Expression, isDot: Bool)
    case call(Expression, [Expression])
    case method(Expression, String, Span, [Expression])
    case unary(String, Expression)
    case binary(String, Expression, Expression)
    case table([TableField])
    case parentheses(Expression)
    /// More operands in a row than a tree may be deep, or what could not be read.
    case many([Expression])
  }

  let kind: Kind
  let span: Span
  let depth: Int
  /// Of a name, once it is resolved; nil for globals.
  var variable: Variable?

  init(_ kind: Kind, _ span: Span, depth: Int) {
    self.kind = kind
    self.span = span
    self.depth = depth
  }

  var string: String? {
    switch kind {
    case .string(let text): text
    case .parentheses(let inner): inner.string
    default: nil
    }
  }
  /// What a local that is never set again was declared with, also by way of others; else the expression itself.
  var origin: Expression {
    var found = self
    // A row of locals may be as long as a file.
    for _ in 0..<20 {
      if case .parentheses(let inner) = found.kind {
        found = inner
      } else if let variable = found.variable, variable.writes == 0, let value = variable.value {
        found = value
      } else {
        break
      }
    }
    return found
  }
  /// The function that it is or names.
  var function: FunctionBody? {
    let origin = origin
    if case .function(let body) = origin.kind { return body }
    return origin.variable.flatMap { $0.writes == 0 ? $0.body : nil }
  }
  var name: String? { if case .name(let text) = kind { text } else { nil } }
  /// The name of a word of ours or of Lua: a name that no local hides.
  var word: String? { variable == nil ? name : nil }
}

struct TableField {
  enum Key {
    case position(Int)
    case name(String, Span)
    case computed(Expression)
  }
  var key: Key
  var value: Expression

  /// A constant key: { x = 1 } or { ["x"] = 1 }.
  var name: String? {
    switch key {
    case .name(let text, _): text
    case .computed(let expression): expression.string
    case .position: nil
    }
  }
  var keySpan: Span {
    switch key {
    case .name(_, let span): span
    case .computed(let expression): expression.span
    case .position: value.span
    }
  }
}

final class FunctionBody {
  let parameters: [(name: String, span: Span)]
  let isVariadic: Bool
  let block: Block
  let span: Span
  /// Filled by the resolver.
  var variables: [Variable] = []

  init(parameters: [(name: String, span: Span)], isVariadic: Bool, block: Block, span: Span) {
    self.parameters = parameters
    self.isVariadic = isVariadic
    self.block = block
    self.span = span
  }
}

struct Block {
  var statements: [Statement]
  var span: Span
  var depth: Int { statements.reduce(0) { max($0, $1.depth) } }
}

struct Statement {
  indirect enum Kind {
    case local(names: [LocalName], values: [Expression])
    case assignment(targets: [Expression], values: [Expression])
    case call(Expression)
    case `do`(Block)
    case `while`(Expression, Block)
    case `repeat`(Block, Expression)
    case `if`([(condition: Expression, block: Block)], otherwise: Block?)
    case numericFor(name: String, nameSpan: Span, bounds: [Expression], Block)
    case genericFor(names: [(name: String, span: Span)], values: [Expression], Block)
    case function(target: Expression, FunctionBody)
    case localFunction(name: String, nameSpan: Span, FunctionBody)
    case `return`([Expression])
    case `break`
    case goto(String, Span)
    case label(String, Span)
  }
  var kind: Kind
  var span: Span
  var depth: Int
}

struct LocalName {
  var name: String
  var span: Span
  var isConstant: Bool
}
