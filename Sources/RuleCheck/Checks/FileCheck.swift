// One file under check: what was found so far, and how findings get their places.
//
// Thread: one check. Promise: at most `mostFindings` of one file, one for one place and cause; those
// on lines whose form is already wrong are left out, because they would only be consequences.

internal import Basics
internal import Model

final class FileCheck {
  enum Kind { case rule, library, segment }

  static let mostFindings = 100

  let file: String
  let kind: Kind
  let source: SourceText
  let tree: Block
  let world: World
  private(set) var findings: [Finding] = []
  private var told: Set<String> = []
  private var brokenLines: Set<Int> = []
  private var slips: Set<Int> = []
  let hasSyntaxErrors: Bool

  /// The word at the end of such a file, the keys it takes, and what its functions are called with.
  var ending: String { kind == .segment ? "segment" : "rule" }
  var keys: [HeaderKey] { kind == .segment ? HeaderKeys.ofSegments : HeaderKeys.all }
  var arguments: [String] { kind == .segment ? ["customer"] : ["event", "customer"] }

  // What the walk knows.

  /// The header's table, where it is written out.
  var header: [TableField]?
  /// Constant names of `on`; nil when they are not all written out.
  var events: [String]?
  /// Which functions are `run` and `when`.
  var entrances: [ObjectIdentifier: String] = [:]
  var placeStack: [Place] = [.file]
  var stateReads: [(name: String, span: Span)] = []
  var stateWrites: Set<String> = []
  var hasDynamicState = false
  /// Of arguments that were looked at.
  var shapes: [ObjectIdentifier: Shape] = [:]
  var isLabelChecked = false
  /// What functions are called with that are handed to a word.
  var givenShapes: [ObjectIdentifier: [Shape]] = [:]
  /// What run and when call their arguments, where that is a slip, and whether the right name is used.
  var misnamed: [Int: Bool] = [:]
  /// By where their names stand.
  var declarations: [Int: Variable] = [:]

  enum Place { case file, run, when, other }

  init(file: String, kind: Kind, source: SourceText, parsed: Parser.Parsed, world: World) {
    self.file = file
    self.kind = kind
    self.source = source
    tree = parsed.block
    self.world = world
    hasSyntaxErrors = parsed.issues.contains { !$0.isCertain }
    for issue in parsed.issues {
      tell(issue.span, issue.code, issue.message, suggestion: issue.suggestion)
    }
    slips = Set(parsed.issues.map(\.span.start))
    brokenLines = Set(parsed.issues.filter { !$0.isCertain }.map { source.line(at: $0.span.start) })
  }

  func run() -> [Finding] {
    findHeader()
    resolve()
    checkHeader()
    visit(tree)
    checkState()
    return findings.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
  }

  func tell(
    _ span: Span, _ code: Finding.Code, _ message: String, suggestion: String? = nil,
    severity: Finding.Severity = .error
  ) {
    guard findings.count < FileCheck.mostFindings else { return }
    let line = source.line(at: span.start)
    // A misspelt keyword is no unknown name as well.
    if brokenLines.contains(line) || code == .unknownName && slips.contains(span.start) { return }
    guard told.insert("\(span.start) \(message)").inserted else { return }
    let column = source.column(at: span.start)
    let endsHere = source.line(at: max(span.start, span.end - 1)) == line
    let end = endsHere ? source.column(at: span.end) : source.lineText(line).count + 1
    findings.append(
      Finding(
        file: file, line: line, column: column, endColumn: max(end, column + 1), severity: severity, code: code,
        message: message, suggestion: suggestion))
  }

  /// With the nearest of the names as suggestion.
  func tell(
    _ span: Span, _ code: Finding.Code, _ message: String, word: String, among names: some Sequence<String>,
    severity: Finding.Severity = .error
  ) {
    tell(span, code, message, suggestion: Nearest.find(word, among: names), severity: severity)
  }

  /// Inside of a text, without its quotes, so that a suggestion replaces the text alone.
  func inside(_ span: Span) -> Span {
    guard span.end - span.start >= 2, span.start < source.bytes.count else { return span }
    let quote = source.bytes[span.start]
    guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"), source.bytes[span.end - 1] == quote else {
      return span
    }
    return Span(start: span.start + 1, end: span.end - 1)
  }

  /// Kept until a file's end, because it depends on what stands further down.
  private func checkState() {
    if hasDynamicState || kind == .library { return }
    if kind == .segment { stateWrites = ["inside", "since"] }
    for (name, span) in stateReads where !stateWrites.contains(name) {
      let near = Nearest.find(name, among: stateWrites.sorted())
      if kind == .segment {
        tell(span, .unknownField, "a segment's state has inside and since, and no '\(name)'", suggestion: near)
        continue
      }
      if near != nil {
        tell(span, .unknownField, "nothing in this rule sets state.\(name)", suggestion: near)
      } else {
        tell(span, .unknownField, "state.\(name) is read, but nothing in this rule sets it", severity: .warning)
      }
    }
  }
}
