// The check of a rules folder: every file is read, held against the tables and the catalogue, and then
// loaded as the daemon loads it; what both say comes out as one list.
//
// Thread: any one. Promise: all findings of all files in one pass, ordered by file and line, and none twice.
// A set is usable exactly when there is no error among the findings: `nudged check`, the start of the daemon
// and a reload ask the same question and get the same answer.

internal import Basics
internal import Model
package import Rules

package struct RuleCheck {
  package struct Report: Sendable {
    package var findings: [Finding]
    package var catalogue: Catalogue
    private var loaded: RuleSet.Loading

    init(loaded: RuleSet.Loading, findings: [Finding], catalogue: Catalogue) {
      self.loaded = loaded
      self.findings = findings
      self.catalogue = catalogue
    }

    /// The rules that the loader could load; to be used only when there is no error at all.
    package var set: RuleSet { loaded.set }
    package var errors: [Finding] { findings.filter { $0.severity == .error } }
    /// The set, and everything that speaks against using it.
    package var loading: RuleSet.Loading {
      var loading = loaded
      loading.complaints = errors.map(\.complaint)
      return loading
    }
  }

  private let sources: [RuleSource]
  private let folder: String
  private var findings: [Finding] = []

  private init(sources: [RuleSource], folder: String) {
    self.sources = sources.sorted { $0.path < $1.path }
    self.folder = folder
  }

  /// `zones` is asked only when some file speaks of a zone.
  package static func check(
    sources: [RuleSource], knownDestinations: Set<String>?, folder: String = "rules",
    zones: () -> [String] = { [] }
  ) -> Report {
    var check = RuleCheck(sources: sources, folder: folder)
    let catalogue = check.readCatalogue()
    let speaksOfZones = sources.contains { $0.text.contains("zone") }
    let world = World(
      catalogue: catalogue, destinations: knownDestinations, zones: speaksOfZones ? Set(zones()) : nil)
    check.findings += RuleCheck.findings(sources: sources, folder: folder, world: world)
    let loading = RuleSet.load(sources: sources, knownDestinations: knownDestinations, folder: folder)
    check.merge(loading.complaints)
    return Report(loaded: loading, findings: RuleCheck.ordered(check.findings), catalogue: catalogue)
  }

  /// The static pass alone: what can be said without running anything.
  package static func findings(sources: [RuleSource], folder: String = "rules", world start: World) -> [Finding] {
    var world = start
    var parsed: [(source: RuleSource, text: SourceText, parsed: Parser.Parsed)] = []
    for source in sources.sorted(by: { $0.path < $1.path }) where [.rule, .library, .segment].contains(source.kind) {
      // A file that is too long is refused by the loader, and not looked at here.
      let isTooLong = source.text.utf8.count > Limits.ruleSourceBytes
      let text = SourceText(isTooLong ? "" : source.text)
      let tree = Parser.parse(text)
      world.learn(name: source.name, isLibrary: source.kind == .library, tree: tree.block)
      if !isTooLong { parsed.append((source, text, tree)) }
    }
    return ordered(
      parsed.flatMap { entry in
        FileCheck(
          file: display(entry.source, folder), kind: kinds[entry.source.kind] ?? .library,
          source: entry.text, parsed: entry.parsed, world: world
        ).run()
      })
  }

  private static let kinds: [RuleSource.Kind: FileCheck.Kind] = [.rule: .rule, .segment: .segment]

  private static func display(_ source: RuleSource, _ folder: String) -> String {
    folder.isEmpty ? source.path : folder + "/" + source.path
  }

  private static func ordered(_ findings: [Finding]) -> [Finding] {
    findings.sorted { ($0.file, $0.line, $0.column) < ($1.file, $1.line, $1.column) }
  }

  // The catalogue.

  private mutating func readCatalogue() -> Catalogue {
    guard let source = sources.first(where: { $0.kind == .catalogue }) else { return .builtIn }
    let file = RuleCheck.display(source, folder)
    do throws(RuleComplaint) {
      let evaluated = try RuleLoader.evaluate(path: file, text: source.text, words: ["catalog"])
      let reader = CatalogueReader(evaluated.document.root)
      for complaint in reader.complaints {
        add(evaluated.complaint(at: complaint.path, complaint.message, suggestion: complaint.suggestion), .catalogue)
      }
      return reader.catalogue
    } catch {
      add(error, .catalogue)
      return .builtIn
    }
  }

  private mutating func add(_ complaint: RuleComplaint, _ code: Finding.Code) {
    findings.append(Finding(complaint, code: code, text: text(of: complaint.file)))
  }

  private func text(of file: String) -> String? {
    sources.first { RuleCheck.display($0, folder) == file }?.text
  }

  // Merging.

  /// What the loader says beyond what was found already: it stops at the first mistake in the form of a file,
  /// and sees the same slips at the same lines.
  private mutating func merge(_ complaints: [RuleComplaint]) {
    let broken = Set(
      findings.filter { $0.code == .syntax || $0.code == .slip }.filter { $0.severity == .error }.map(\.file))
    var seen = Set(findings.filter { $0.severity == .error }.map { "\($0.file):\($0.line)" })
    var causes = Set(
      findings.compactMap { finding in RuleCheck.quoted(finding.message).map { "\(finding.file):\($0)" } })
    for complaint in complaints {
      if broken.contains(complaint.file) { continue }
      if seen.contains("\(complaint.file):\(complaint.line)") || isMissed(complaint) { continue }
      if let word = RuleCheck.quoted(complaint.message), causes.contains("\(complaint.file):\(word)"),
        hasError(complaint.file, word)
      {
        continue
      }
      add(complaint, .load)
      seen.insert("\(complaint.file):\(complaint.line)")
      if let word = RuleCheck.quoted(complaint.message) { causes.insert("\(complaint.file):\(word)") }
    }
  }

  /// What the loader misses, because a misspelt key or argument stands in its place.
  private func isMissed(_ complaint: RuleComplaint) -> Bool {
    findings.contains { finding in
      guard finding.file == complaint.file, let meant = finding.suggestion else { return false }
      if finding.code == .unknownEvent, let name = RuleCheck.quoted(finding.message) {
        return complaint.message.contains("'\(name)'") || complaint.message.contains("'\(meant)'")
      }
      guard finding.code == .unknownKey || finding.code == .slip else { return false }
      if RuleCheck.quoted(complaint.message) == meant { return true }
      return (complaint.message.hasPrefix("a rule needs") || complaint.message.hasPrefix("a segment needs"))
        && complaint.message.contains(meant)
    }
  }

  private func hasError(_ file: String, _ word: String) -> Bool {
    findings.contains { $0.file == file && $0.severity == .error && RuleCheck.quoted($0.message) == word }
  }

  /// The first thing in quotes: what a complaint is about.
  static func quoted(_ message: String) -> String? {
    let parts = message.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
    return parts.count == 3 ? String(parts[1]) : nil
  }
}

extension Finding {
  /// A complaint of the loader: the text that it is about, where it says what to write in its place; else its line, and
  /// the column of the first thing on it.
  package init(_ complaint: RuleComplaint, code: Code, text: String?) {
    let source = SourceText(text ?? "")
    if complaint.suggestion != nil, let word = RuleCheck.quoted(complaint.message),
      let span = source.span(ofText: word, fromLine: complaint.line)
    {
      self.init(
        file: complaint.file, line: source.line(at: span.start), column: source.column(at: span.start),
        endColumn: source.column(at: span.end), code: code, message: complaint.message,
        suggestion: complaint.suggestion)
      return
    }
    let line = source.lineText(complaint.line)
    let blanks = line.prefix { $0 == " " || $0 == "\t" }.count
    self.init(
      file: complaint.file, line: complaint.line, column: blanks + 1, endColumn: max(line.count + 1, blanks + 2),
      code: code, message: complaint.message, suggestion: complaint.suggestion)
  }

  package var complaint: RuleComplaint {
    RuleComplaint(file: file, line: line, message: message, suggestion: suggestion)
  }
}
