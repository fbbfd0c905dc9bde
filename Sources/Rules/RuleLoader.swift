// From files to a rule set: byte gate, slips, compiling, a look at the bytecode, running each file once,
// and the check of its header. And the same door for the configuration file.
//
// Thread: any one; it makes a host of its own and drops it. Promise: all complaints of all files come out
// of one pass, and a file with a complaint is not in the set.

package import Basics
internal import Model

/// A table that a file returned, and where its keys stand.
package struct EvaluatedFile: Sendable {
  package let file: String
  package let document: Document
  private let lines: [String: Int]

  init(file: String, document: Document, lines: [String: Int]) {
    self.file = file
    self.document = document
    self.lines = lines
  }

  /// The line of a key by its path, such as "destinations.crm.url"; elements of lists count from 1. For
  /// a key that is nowhere, the line of the nearest one around it, else 1.
  package func line(of path: String) -> Int {
    var steps = path.split(separator: ".").map(String.init)
    while !steps.isEmpty {
      if let line = lines[steps.joined(separator: ".")] { return line }
      steps.removeLast()
    }
    return 1
  }

  /// A complaint at the line of a key.
  package func complaint(at path: String, _ message: String, suggestion: String? = nil) -> RuleComplaint {
    RuleComplaint(file: file, line: line(of: path), message: message, suggestion: suggestion)
  }
}

package struct RuleLoader {
  private let sources: [RuleSource]
  private let knownDestinations: Set<String>?
  private let folder: String
  private var complaints: [RuleComplaint] = []

  init(sources: [RuleSource], knownDestinations: Set<String>?, folder: String) {
    self.sources = sources.sorted { $0.path < $1.path }
    self.knownDestinations = knownDestinations
    self.folder = folder
  }

  private func display(_ source: RuleSource) -> String { folder.isEmpty ? source.path : folder + "/" + source.path }

  func load() -> RuleSet.Loading {
    var loader = self
    return loader.run()
  }

  private mutating func run() -> RuleSet.Loading {
    guard let host = RuleHost() else {
      complaints.append(RuleComplaint(file: folder, line: 1, message: "there is no memory left to load rules"))
      return RuleSet.Loading(set: .empty, complaints: complaints)
    }
    host.keepClosures(true)
    let libraries = loadLibraries(host)
    let usable = Dictionary(uniqueKeysWithValues: libraries.map { ($0.name, $0) })
    var rules: [(rule: Rule, source: RuleSource)] = []
    for source in sources where source.kind == .rule || source.kind == .segment {
      if let rule = loadRule(source, host, libraries: usable) { rules.append((rule, source)) }
    }
    if rules.count > Limits.rules {
      complaints.append(
        RuleComplaint(
          file: folder, line: 1, message: "there are \(rules.count) rules; at most \(Limits.rules) are loaded"))
      rules = Array(rules.prefix(Limits.rules))
    }
    checkCrowds(rules.map(\.rule))
    checkSegments(rules.map(\.rule))
    let set = RuleSet(rules: rules, libraries: libraries, knownDestinations: knownDestinations, folder: folder)
    return RuleSet.Loading(set: set, complaints: complaints)
  }

  private mutating func checkCrowds(_ rules: [Rule]) {
    var counts: [String: Int] = [:]
    for name in rules.flatMap(\.header.on) { counts[name, default: 0] += 1 }
    for (name, count) in counts.sorted(by: { $0.key < $1.key }) where count > Limits.rulesPerEvent {
      complaints.append(
        RuleComplaint(
          file: folder, line: 1,
          message: "\(count) rules wait for the event '\(name)'; at most \(Limits.rulesPerEvent) may"))
    }
  }

  /// A rule that waits for someone to enter a segment that is not there would wait for ever.
  private mutating func checkSegments(_ rules: [Rule]) {
    let names = rules.filter(\.isSegment).map(\.segmentName)
    for rule in rules {
      let wanted: String
      switch rule.header.occasion {
      case .enters(let segment), .leaves(let segment): wanted = segment
      case .every(let schedule):
        guard let segment = schedule.segment else { continue }
        wanted = segment
      default: continue
      }
      let source = sources.first { $0.name == rule.path }
      let scan = SourceScan(file: "", text: source?.text ?? "", isRule: true)
      let line = scan.keyLines["on"] ?? 1
      let file = source.map(display) ?? rule.path
      guard let found = rules.first(where: { $0.isSegment && $0.segmentName == wanted }) else {
        let isBroken = sources.contains { $0.kind == .segment && $0.name == RuleSource.segments + wanted }
        if isBroken { continue }
        complaints.append(
          RuleComplaint(
            file: file, line: line,
            message: "there is no segment '\(wanted)'; its file would be \(RuleSource.segments)\(wanted).lua",
            suggestion: Suggestion.nearest(to: wanted, among: names)))
        continue
      }
      if found.header.per != rule.header.per {
        complaints.append(
          RuleComplaint(
            file: file, line: line,
            message:
              "the segment '\(wanted)' is of each \(found.header.per) and this rule of each \(rule.header.per); write per = \"\(found.header.per)\""
          ))
      }
    }
  }

  // Libraries.

  /// Depth first, so that each stands after those it uses.
  private mutating func loadLibraries(_ host: RuleHost) -> [RuleSource] {
    let all = Dictionary(
      sources.filter { $0.kind == .library }.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var loaded: [RuleSource] = []
    var done: Set<String> = []
    for name in all.keys.sorted() { visit(name, all, path: [], &done, &loaded, host) }
    return loaded
  }

  private mutating func visit(
    _ name: String, _ all: [String: RuleSource], path: [String], _ done: inout Set<String>,
    _ loaded: inout [RuleSource],
    _ host: RuleHost
  ) {
    guard let source = all[name], !done.contains(name) else { return }
    if path.contains(name) {
      let circle = (path.drop { $0 != name } + [name]).joined(separator: " → ")
      complaints.append(
        RuleComplaint(file: display(source), line: 1, message: "libraries use each other in a circle: \(circle)"))
      done.insert(name)
      return
    }
    for used in LuaUses.names(in: source.text) { visit(used, all, path: path + [name], &done, &loaded, host) }
    guard done.insert(name).inserted else { return }
    let before = complaints.count
    let usable = Dictionary(uniqueKeysWithValues: loaded.map { ($0.name, $0) })
    guard let scan = check(source, host, libraries: usable) else { return }
    do throws(RuleComplaint) {
      try host.loadLibrary(name: name, file: scan.file, text: source.text)
      checkClosures(host, scan)
    } catch {
      complaints.append(error)
    }
    if complaints.count == before { loaded.append(source) }
  }

  // Rules.

  private mutating func loadRule(_ source: RuleSource, _ host: RuleHost, libraries: [String: RuleSource]) -> Rule? {
    let before = complaints.count
    guard let scan = check(source, host, libraries: libraries) else { return nil }
    let header: RuleHeader?
    let isStraight: Bool
    do throws(RuleComplaint) {
      let loaded = try host.loadRule(file: scan.file, text: source.text)
      checkClosures(host, scan)
      isStraight = RuleLoader.areStraight(host.closures)
      header = readHeader(loaded.header, scan, isSegment: source.kind == .segment)
    } catch {
      complaints.append(error)
      return nil
    }
    guard let header, complaints.count == before else { return nil }
    let names = LuaUses.all(of: source) { libraries[$0] }.sorted()
    let used = names.map { SourceScan(file: "", text: libraries[$0]?.text ?? "", isRule: true) } + [scan]
    var awaited: [String] = []
    for name in used.flatMap(\.awaited).map(\.text) where !awaited.contains(name) { awaited.append(name) }
    var dates = RuleDates()
    if let plan = header.before { dates.add(plan) }
    for scan in used { dates.add(scan.dates) }
    RuleDates.add(dates.names, to: &awaited)
    var rule = Rule(
      path: source.name, header: header, contentHash: RuleLoader.hash(source, libraries: libraries),
      isStraight: isStraight,
      waits: used.contains(where: \.waits) || header.gather != nil || header.before != nil, awaited: awaited,
      matches: used.contains(where: \.matches))
    rule.dates = dates
    rule.windows = windows(of: used, per: header.per, scan)
    rule.isSegment = source.kind == .segment
    rule.looksAtTime = rule.isSegment && used.contains(where: \.asksTime)
    return complaints.count == before ? rule : nil
  }

  /// Each once, in the order of the files; a library's belong to the subject of the rule that uses it.
  private mutating func windows(of scans: [SourceScan], per: String, _ own: SourceScan) -> [WindowDefinition] {
    var found: [WindowDefinition] = []
    for var definition in scans.flatMap(\.windows).map(\.definition) {
      definition.per = per
      if !found.contains(definition) { found.append(definition) }
    }
    if found.count > Limits.windowsPerRule {
      complaints.append(
        RuleComplaint(
          file: own.file, line: own.windows.first?.line ?? 1,
          message: "a rule may ask for \(Limits.windowsPerRule) windows; this one asks for \(found.count)"))
    }
    let distinct = found.count { $0.kind == .distinct }
    if distinct > Limits.distinctWindowsPerRule {
      let line = own.windows.first { $0.definition.kind == .distinct }?.line ?? 1
      complaints.append(
        RuleComplaint(
          file: own.file, line: line,
          message:
            "a rule may ask for \(Limits.distinctWindowsPerRule) windows of distinct; this one asks for \(distinct)"))
    }
    return found
  }

  /// Short functions without loops that reach no library of rules either: they need no instruction count.
  private static func areStraight(_ dumps: [[UInt8]]) -> Bool {
    var instructions = 0
    for dump in dumps {
      guard let code = Bytecode(dump), code.isStraight, !code.globalReads.contains(where: { $0.name == "use" }) else {
        return false
      }
      instructions += code.instructionCount
    }
    return instructions <= Limits.ruleStraightInstructions
  }

  private mutating func readHeader(_ json: [UInt8], _ scan: SourceScan, isSegment: Bool) -> RuleHeader? {
    guard let document = RuleLoader.parse(json) else {
      complaints.append(RuleComplaint(file: scan.file, line: 1, message: "the header of this rule cannot be read"))
      return nil
    }
    var reader = HeaderReader(file: scan.file, scan: scan, header: document)
    let header = isSegment ? reader.readSegment() : reader.read()
    complaints += reader.complaints
    return header
  }

  /// The libraries it uses, also by way of others, by name.
  private static func hash(_ source: RuleSource, libraries: [String: RuleSource]) -> Hash128 {
    var texts = [source.text]
    for name in LuaUses.all(of: source, { libraries[$0] }).sorted() {
      texts.append(name + "\u{0}" + (libraries[name]?.text ?? ""))
    }
    // The key only has to stay the same: the hash names a version, it guards nothing.
    return KeyedHash(key0: 0x6E75_6467_6564_2E72, key1: 0x756C_652E_6861_7368).hash(
      texts.joined(separator: "\u{0}\u{0}"))
  }

  // Checks before anything runs.

  /// Nil when the file must not be run.
  private mutating func check(_ source: RuleSource, _ host: RuleHost, libraries: [String: RuleSource]) -> SourceScan? {
    let scan = SourceScan(file: display(source), text: source.text, isRule: true)
    let before = complaints.count
    complaints += scan.complaints
    if !scan.complaints.isEmpty { return nil }
    for use in scan.libraries where libraries[use.text] == nil {
      let exists = sources.contains { $0.kind == .library && $0.name == use.text }
      complaints.append(
        RuleComplaint(
          file: scan.file, line: use.line,
          message: exists
            ? "the library '\(use.text)' cannot be loaded"
            : "there is no library '\(use.text)'; its file would be \(RuleSource.file(ofLibrary: use.text))",
          suggestion: exists ? nil : Suggestion.nearest(to: use.text, among: libraries.keys)))
    }
    checkDestinations(scan)
    complaints += RuleLoader.compile(scan, source.text, host, words: Set())
    return complaints.count == before ? scan : nil
  }

  private mutating func checkDestinations(_ scan: SourceScan) {
    guard let knownDestinations else { return }
    for token in scan.destinations where !knownDestinations.contains(token.text) {
      complaints.append(
        RuleComplaint(
          file: scan.file, line: token.line,
          message: EffectWords.unknownDestination(token.text, known: knownDestinations, suggests: false),
          suggestion: Suggestion.nearest(to: token.text, among: knownDestinations)))
    }
  }

  /// Compiles and looks at the globals the file touches.
  static func compile(_ scan: SourceScan, _ text: String, _ host: RuleHost, words: Set<String>)
    -> [RuleComplaint]
  {
    let dump: [UInt8]
    do throws(RuleComplaint) { dump = try host.compile(file: scan.file, text: text) } catch {
      return [scan.explain(line: error.line, message: error.message)]
    }
    guard let code = Bytecode(dump) else {
      return [
        RuleComplaint(
          file: scan.file, line: 1,
          message: "this file was compiled to something that cannot be checked; is Lua 5.4 installed?")
      ]
    }
    return GlobalNames.complaints(file: scan.file, code: code, words: words)
  }

  private mutating func checkClosures(_ host: RuleHost, _ scan: SourceScan) {
    var seen: Set<Int> = []
    for dump in host.closures {
      guard let code = Bytecode(dump) else { continue }
      for write in code.outerWrites where seen.insert(write.line).inserted {
        complaints.append(
          RuleComplaint(
            file: scan.file, line: write.line,
            message:
              "'\(write.name)' is set here, but it stands outside of the function and would live on between runs and customers; use state, or a local inside the function"
          ))
      }
    }
  }

  // Configuration.

  /// Evaluates a file that returns a table. `words` become constructors: with "file", `file "p"` gives
  /// {"$file": "p"}.
  package static func evaluate(path: String, text: String, words: [String] = []) throws(RuleComplaint) -> EvaluatedFile
  {
    guard let host = RuleHost() else {
      throw RuleComplaint(file: path, line: 1, message: "there is no memory left to read this file")
    }
    let scan = SourceScan(file: path, text: text)
    if let library = scan.libraries.first {
      throw RuleComplaint(
        file: path, line: library.line,
        message: "use finds no library here: libraries are for rules. Write what is needed into this file")
    }
    if let first = scan.complaints.first ?? scan.doubledKey { throw first }
    for word in words { try host.addConstructor(word) }
    if let first = compile(scan, text, host, words: Set(words)).first { throw first }
    let json = try host.evaluate(file: path, text: text)
    guard let document = RuleLoader.parse(json) else {
      throw RuleComplaint(file: path, line: 1, message: "the table that this file returns cannot be read")
    }
    return EvaluatedFile(file: path, document: document, lines: scan.keyLines)
  }
}

extension RuleLoader {
  /// Room for the shortest texts, too: the parser wants a minimum.
  fileprivate static func parse(_ json: [UInt8]) -> Document? {
    try? DocumentParser(maximumBytes: max(json.count, 1024)).parse(json)
  }
}

/// The libraries a file names, in the order of the text.
enum LuaUses {
  static func names(in text: String) -> [String] { SourceScan(file: "", text: text).libraries.map(\.text) }

  /// What a source uses, and what that uses in turn.
  static func all(of source: RuleSource, _ find: (String) -> RuleSource?) -> Set<String> {
    var used: Set<String> = []
    var open = [source]
    while let next = open.popLast() {
      for name in names(in: next.text) where used.insert(name).inserted {
        if let library = find(name) { open.append(library) }
      }
    }
    return used
  }
}
