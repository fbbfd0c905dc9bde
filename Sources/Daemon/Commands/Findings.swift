// What a check found, as people and as editors read it; and the file that editors read words from.
//
// Thread: main. Promise: colours only where a person looks on; the line is shown as it stands in the file,
// with a mark under the place.

internal import Basics
internal import Glibc
internal import Model
internal import RuleCheck
internal import Rules

struct FindingList {
  let findings: [Finding]
  let rules: Int
  private let segments: Int
  private let lines: [String: [Substring]]

  /// `texts`: of the files that were looked at, by their names in the findings.
  init(findings: [Finding], rules: Int, segments: Int = 0, texts: [String: String]) {
    self.findings = findings
    self.rules = rules
    self.segments = segments
    lines = texts.filter { text in findings.contains { $0.file == text.key } }
      .mapValues { $0.split(separator: "\n", omittingEmptySubsequences: false) }
  }

  private var errors: Int { findings.count { $0.severity == .error } }
  private var warnings: Int { findings.count - errors }

  /// The shape that etc/doc/rules.md describes.
  var json: JSONValue {
    [
      "complaints": .array(findings.map(\.json)), "errors": .integer(Int64(errors)),
      "warnings": .integer(Int64(warnings)), "rules": .integer(Int64(rules)),
    ]
  }

  func text(inColour: Bool) -> String {
    let style = Style(isOn: inColour)
    var out = findings.map { entry($0, style) }
    out.append(ending)
    return out.joined(separator: "\n")
  }

  private func entry(_ finding: Finding, _ style: Style) -> String {
    let place = style.bold("\(finding.file):\(finding.line):\(finding.column):")
    let isWarning = finding.severity == .warning
    let word = isWarning ? style.yellow("warning: ") : style.red("error: ")
    var out = "\(place) \(word)\(finding.sentence)"
    if let line = line(of: finding) { out += "\n" + mark(finding, under: line, style) }
    return out
  }

  private func line(of finding: Finding) -> String? {
    guard let all = lines[finding.file], finding.line <= all.count else { return nil }
    let line = all[finding.line - 1]
    // A line that nobody can look over helps nobody.
    return line.isEmpty || line.count > 200 ? nil : String(line.filter { $0 != "\r" })
  }

  private func mark(_ finding: Finding, under line: String, _ style: Style) -> String {
    let before = line.prefix(finding.column - 1).map { $0 == "\t" ? "\t" : " " }.joined()
    let count = max(1, min(finding.endColumn, line.count + 1) - finding.column)
    return "    \(line)\n    \(before)" + style.red("^" + String(repeating: "~", count: count - 1))
  }

  private static func count(_ number: Int, _ one: String) -> String { number == 1 ? "1 \(one)" : "\(number) \(one)s" }

  private var ending: String {
    if findings.isEmpty {
      let more = segments == 0 ? "" : " and " + FindingList.count(segments, "segment")
      return FindingList.count(rules, "rule") + more + ", nothing to complain about"
    }
    let parts = [(errors, "error"), (warnings, "warning")].filter { $0.0 > 0 }.map { FindingList.count($0.0, $0.1) }
    return parts.joined(separator: " and ") + (errors == 0 ? "; the rules can be loaded" : "")
  }

  private struct Style {
    var isOn: Bool
    private func wrap(_ text: String, _ code: Int) -> String { isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
    func bold(_ text: String) -> String { wrap(text, 1) }
    func red(_ text: String) -> String { wrap(text, 31) }
    func yellow(_ text: String) -> String { wrap(text, 33) }
  }
}

extension Command {
  /// nudged rules annotate
  static func annotate(_ source: Source, to path: String?) throws -> Int32 {
    let configuration = source.configuration
    let (report, sources) = try House.check(configuration)
    let broken = report.errors.filter { $0.code == .catalogue }
    if !broken.isEmpty { throw Complaints(broken.map(\.complaint)) }
    let text = Annotations.text(
      catalogue: report.catalogue, destinations: Set(configuration.destinations.map(\.name)),
      libraries: sources.filter { $0.kind == .library }.map(\.name))
    if path == "-" {
      Terminal.print(bytes: Array(text.utf8))
      return 0
    }
    let file = path ?? configuration.rules + "/.nudged/nudged.lua"
    if path == nil { Files.makeFolder(Files.folder(of: file)) }
    // Written anew each time: it is made from other files, and nobody edits it.
    unlink(file)
    guard Files.create(file, text) else {
      throw StartFailure("cannot write \(file): \(String(cString: strerror(errno)))")
    }
    Terminal.print("wrote \(file)")
    let settings = configuration.rules + "/.luarc.json"
    if path == nil, !Files.exists(settings), Files.create(settings, Annotations.settings(library: ".nudged")) {
      Terminal.print("wrote \(settings)")
    }
    return 0
  }
}
