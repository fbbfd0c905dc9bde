// The commands that read: subjects, events, deliveries, rules, status. They ask the running daemon
// over its admin socket; without one they take the store's lock, recover, and read.
//
// Thread: main. Promise: both ways give the same answer.

internal import Basics
internal import Engine
internal import Glibc
internal import Intake
internal import Model
internal import Rules
internal import SQLiteStore
internal import Store

/// Where a reading command gets its answer.
struct Source {
  let arguments: Arguments
  let configuration: Configuration

  init(_ arguments: Arguments) throws {
    self.arguments = arguments
    configuration = try arguments.configuration()
  }

  var client: Client { Client(target: .unix(configuration.adminPath)) }

  /// The daemon's answer; nil when no daemon runs.
  func ask(_ path: String) throws -> Client.Response? {
    do throws(ClientError) {
      return try client.get(path)
    } catch {
      if error.isAbsent { return nil }
      throw error
    }
  }

  /// The answer from the daemon, or from the store itself. Nil: not found, and `missing` says so.
  func value(_ question: Question, path: String) throws -> JSONValue? {
    if let response = try ask(path) {
      if response.status == 404 { return nil }
      let document = try Document.parse(response.body)
      guard response.status == 200 else {
        throw StartFailure(document.root["message"]?.string ?? "the daemon answered \(response.status)")
      }
      return document.root.value
    }
    return try offline { loop throws(StoreError) in
      try Reports(hashKey: loop.recovered.hashKey).value(question, try loop.makeReader())
    }
  }

  /// Opens the store under its lock and recovers.
  func offline<T>(_ body: (StoreLoop) throws(StoreError) -> T) throws -> T {
    guard Files.exists(configuration.storePath) else {
      throw StartFailure(
        "no daemon answers at \(configuration.adminPath), and there is no store at \(configuration.storePath); name one with --store"
      )
    }
    let loop = try StoreLoop(engine: try SQLiteStore(path: configuration.storePath))
    defer { loop.close() }
    return try body(loop)
  }

  static func escape(_ text: String) -> String {
    var out = ""
    for byte in text.utf8 {
      let plain =
        (byte >= 0x30 && byte <= 0x39) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || byte == 0x2D || byte == 0x5F
      out += plain ? String(UnicodeScalar(byte)) : "%" + Hex.encode([byte]).uppercased()
    }
    return out
  }
}

extension JSONValue {
  /// For columns: text as it is, everything else as JSON. Senders choose these texts: none of them may steer
  /// the operator's terminal or forge a line.
  var plain: String {
    if case .string(let text) = self { return text.printable }
    if case .null = self { return "-" }
    return String(decoding: text, as: UTF8.self)
  }
}

/// Columns as wide as what stands in them.
enum Columns {
  static func print(_ titles: [String], _ rows: [[String]]) {
    var widths = titles.map(\.count)
    for row in rows { for (place, cell) in row.enumerated() { widths[place] = max(widths[place], cell.count) } }
    func line(_ cells: [String]) -> String {
      var out = ""
      for (place, cell) in cells.enumerated() {
        out += place == cells.count - 1 ? cell : cell + String(repeating: " ", count: widths[place] - cell.count + 2)
      }
      return out
    }
    Terminal.print(line(titles.map { $0.uppercased() }))
    for row in rows { Terminal.print(line(row)) }
  }
}

func list(
  _ source: Source, _ value: JSONValue, _ key: String, columns: [String], empty: String
) {
  if source.arguments.wantsJSON { return Terminal.print(value.pretty) }
  let next = value["next_before"].flatMap { $0 == .null ? nil : $0.plain }
  guard case .array(let rows) = value[key] ?? .null, !rows.isEmpty else {
    return Terminal.print(next.map { "none of the newest; look further with --before \($0)" } ?? empty)
  }
  Columns.print(columns, rows.map { row in columns.map { (row[$0] ?? .null).plain } })
  if let next { Terminal.print("more with --before \(next)") }
}

/// The number in "show NUMBER".
func shown(_ arguments: Arguments) -> Int64? {
  arguments.words.count == 2 && arguments.words[0] == "show" ? Int64(arguments.words[1]) : nil
}

func show(_ question: Question, path: String, _ source: Source) throws -> Int32 {
  guard let value = try source.value(question, path: path) else {
    Terminal.complain(Reports.missing(question))
    return 1
  }
  Terminal.print(value.pretty)
  return 0
}

func paging(_ arguments: Arguments) throws(UsageError) -> (limit: Int, before: Int64) {
  let limit = try arguments.integer("--limit") ?? Int64(Question.defaultLimit)
  guard (1...Int64(Question.maximumLimit)).contains(limit) else {
    throw UsageError("--limit must be 1 to \(Question.maximumLimit)")
  }
  return (Int(limit), try arguments.integer("--before") ?? Int64.max)
}

extension Command {
  static let subjects = Command(
    name: "subjects", summary: "show a user, an account or a thing",
    help: """
      nudged subjects show NAMESPACE:ID
      nudged subjects consent NAMESPACE:ID TOPIC given|withdrawn

      Shows who it is, its traits, what rules remember about it, its consents, what is held for it, and its newest
      event. `consent` notes that it agrees to a topic or does not any more; "*" stands for all topics.
      Example: nudged subjects show user:42
      """
  ) { raw in
    let arguments = try Arguments(raw)
    let source = try Source(arguments)
    if arguments.words.first == "consent" { return try consent(source) }
    guard arguments.words.count == 2, arguments.words[0] == "show" else {
      throw UsageError("write: subjects show NAMESPACE:ID, or subjects consent NAMESPACE:ID TOPIC given|withdrawn")
    }
    let question = Question.subject(arguments.words[1])
    guard let value = try source.value(question, path: "/v1/subjects/\(Source.escape(arguments.words[1]))") else {
      Terminal.complain(Reports.missing(question))
      return 1
    }
    Terminal.print(value.pretty)
    return 0
  }

  /// As an event like any other, so that it stands in the log and can be asked about.
  private static func consent(_ source: Source) throws -> Int32 {
    let words = source.arguments.words
    guard words.count == 4, ["given", "withdrawn"].contains(words[3]) else {
      throw UsageError(
        "write: subjects consent NAMESPACE:ID TOPIC given|withdrawn; the topic \"*\" stands for all of them")
    }
    guard let subject = SubjectReference(words[1]), subject.isWellFormed else {
      throw UsageError("a subject is such as user:42; this is \"\(words[1])\"")
    }
    let field = ["user": "user", "anon": "anonymous", "account": "account"][subject.namespace]
    let who = JSONValue.Member(field ?? "thing", .string(field == nil ? subject.description : subject.id))
    let data: JSONValue = ["topic": .string(words[2]), "given": .boolean(words[3] == "given")]
    let event = JSONValue.object([.init("name", "nudged.consent"), who, .init("data", data)])
    let response = try source.client.send("POST", "/v1/events", body: event.text, type: "application/json")
    guard response.status == 200 else {
      Terminal.complain((try? Document.parse(response.body))?.root["message"]?.string ?? response.text)
      return 1
    }
    Terminal.print("\(subject) has \(words[3] == "given" ? "given" : "withdrawn") consent to \(words[2])")
    return 0
  }

  static let events = Command(
    name: "events", summary: "list events, or show one with what the rules made of it",
    help: """
      nudged events list [--subject NAMESPACE:ID] [--limit N] [--before EVENT]
      nudged events show EVENT

      The list is newest first.
      """
  ) { raw in
    let arguments = try Arguments(raw, values: ["--subject", "--limit", "--before"])
    let source = try Source(arguments)
    if let number = shown(arguments) { return try show(.event(number), path: "/v1/events/\(number)", source) }
    guard arguments.words.isEmpty || arguments.words == ["list"] else {
      throw UsageError("write: events list, or events show EVENT")
    }
    let (limit, before) = try paging(arguments)
    let subject = arguments.value("--subject")
    var path = "/v1/events?limit=\(limit)&before=\(before)"
    if let subject { path += "&subject=" + Source.escape(subject) }
    guard let value = try source.value(.events(before: before, limit: limit, subject: subject), path: path) else {
      Terminal.complain(Reports.missing(.subject(subject ?? "")))
      return 1
    }
    list(
      source, value, "events", columns: ["event", "received", "name", "source", "id"], empty: "there are no events yet")
    return 0
  }

  static let status = Command(
    name: "status", summary: "tell how the running daemon is",
    help: "nudged status\n\nShows what the running daemon is doing."
  ) { raw in
    let arguments = try Arguments(raw)
    try arguments.takeNoWords()
    let source = try Source(arguments)
    guard let response = try source.ask("/v1/status") else {
      Terminal.complain("no daemon answers at \(source.configuration.adminPath); start one with: nudged serve")
      return 1
    }
    let value = try Document.parse(response.body).root.value
    if source.arguments.wantsJSON {
      Terminal.print(value.pretty)
    } else if case .object(let members) = value {
      for member in members { Terminal.print("\(member.key): \(member.value.plain)") }
    }
    return value["obstacle"] == .null ? 0 : 1
  }

  static let rules = Command(
    name: "rules", summary: "list the rules, load them anew, pause one, show its versions and what it brings about",
    help: """
      nudged rules list
      nudged rules reload
      nudged rules history RULE [--version NUMBER]
      nudged rules lift [RULE]
      nudged rules pause RULE [--reason TEXT]
      nudged rules resume RULE
      nudged rules annotate [--to FILE]

      `lift` tells what rules with a `goal` bring about: how many of those who got something from them reached it,
      and how many of those who were held out (`hold_out`).
      `annotate` writes what editors need to know for completion and hints: a file for the Lua language
      server, made from the catalogue and the configuration (default .nudged/nudged.lua in the rules
      folder, with settings in .luarc.json beside the rules unless they exist; `--to -` prints it).
      `reload` makes the running daemon load rules, keys and destinations anew; when something is wrong
      with them it says what, and the old ones stay. Runs that wait keep the version they began with, and
      `reload` says how many do. A rule that is paused starts nothing, and its runs sleep on until it is resumed.
      """
  ) { raw in
    let arguments = try Arguments(raw, values: ["--reason", "--version", "--to"])
    let source = try Source(arguments)
    switch (arguments.words.first ?? "list", arguments.words.count) {
    case ("reload", 1): return try reload(source)
    case ("annotate", 1): return try annotate(source, to: arguments.value("--to"))
    case ("list", 0), ("list", 1): return try listRules(source)
    case ("history", 2): return try history(source)
    case ("lift", 1), ("lift", 2): return try lift(source)
    case ("pause", 2), ("resume", 2): return try pause(source)
    default:
      throw UsageError(
        "write: rules list, rules reload, rules annotate, rules history RULE, rules lift, rules pause RULE or rules resume RULE"
      )
    }
  }

  private static func pause(_ source: Source) throws -> Int32 {
    let word = source.arguments.words[0]
    let rule = source.arguments.words[1]
    var path = "/v1/rules/\(word)?rule=\(Source.escape(rule))"
    if let reason = source.arguments.value("--reason") { path += "&reason=" + Source.escape(reason) }
    return try post(source, path) { root in
      switch root["status"]?.string {
      case "paused": "\(rule) is paused; its runs sleep until: nudged rules resume \(rule)"
      case "paused by its file":
        "\(rule) stays paused: its file says mode = \"paused\"; change that and reload the rules"
      case "was not paused": "\(rule) was not paused"
      default: "\(rule) lives again"
      }
    }
  }

  private static func history(_ source: Source) throws -> Int32 {
    let rule = source.arguments.words[1]
    if let number = try source.arguments.integer("--version") { return try showVersion(source, number) }
    let question = Question.history(rule: rule)
    guard let value = try source.value(question, path: "/v1/rules/history?rule=\(Source.escape(rule))") else {
      Terminal.complain(Reports.missing(question))
      return 1
    }
    guard case .array(let rows) = value["versions"] ?? .null, !source.arguments.wantsJSON else {
      Terminal.print(value.pretty)
      return 0
    }
    let columns = ["version", "created", "hash", "runs"]
    Columns.print(columns, rows.map { row in columns.map { (row[$0] ?? .null).plain } })
    return 0
  }

  private static func showVersion(_ source: Source, _ number: Int64) throws -> Int32 {
    guard let value = try source.value(.version(number), path: "/v1/rules/versions/\(number)") else {
      Terminal.complain(Reports.missing(.version(number)))
      return 1
    }
    guard case .array(let files) = value["files"] ?? .null, !source.arguments.wantsJSON else {
      Terminal.print(value.pretty)
      return 0
    }
    for file in files {
      Terminal.print("-- \(file["path"]?.plain ?? "")")
      if case .string(let text) = file["text"] ?? .null { Terminal.print(text) }
    }
    return 0
  }

  private static func reload(_ source: Source) throws -> Int32 {
    let response = try source.client.send("POST", "/v1/rules/reload", body: [], type: nil)
    let root = try Document.parse(response.body).root
    if source.arguments.wantsJSON { Terminal.print(root.value.pretty) }
    guard response.status == 200 else {
      if !source.arguments.wantsJSON { Terminal.complain(root["message"]?.string ?? response.text) }
      return 1
    }
    if !source.arguments.wantsJSON {
      let count = root["rules"]?.integer ?? 0
      Terminal.print(count == 1 ? "1 rule is loaded anew" : "\(count) rules are loaded anew")
      for keeper in root["older_versions"]?.elements ?? [] { Terminal.print(Command.keeps(keeper)) }
      for gone in root["gone_destinations"]?.elements ?? [] { Terminal.print(Command.losesItsWay(gone)) }
    }
    return 0
  }

  private static func losesItsWay(_ gone: JSONCursor) -> String {
    let count = gone["webhooks"]?.integer ?? 0
    let who = "\(count) \(count == 1 ? "webhook" : "webhooks") of \(gone["destination"]?.string ?? "")"
    guard gone["given_up"]?.boolean == true else {
      return "\(who) \(count == 1 ? "waits" : "wait"): it is held, and not configured any more"
    }
    return "\(who) \(count == 1 ? "is" : "are") given up: it is not configured any more"
  }

  private static func keeps(_ keeper: JSONCursor) -> String {
    let isOne = keeper["runs"]?.integer == 1
    let who = "\(keeper["runs"]?.integer ?? 0) \(isOne ? "run" : "runs") of \(keeper["rule"]?.string ?? "")"
    guard keeper["file_gone"]?.boolean == true else { return who + " \(isOne ? "keeps" : "keep") an older version" }
    let how = isOne ? "goes on with the version it" : "go on with the version they"
    return "\(who) \(how) began with; the file is gone"
  }

  /// As a daemon would tell it: how many runs live, and what is paused, stands in the store.
  private static func offlineReport(_ source: Source, _ rules: RuleSet) throws -> JSONValue {
    var runs: [Int64: Int64] = [:]
    var pauses: [Int64: String] = [:]
    var numbers: [String: Int64] = [:]
    if Files.exists(source.configuration.storePath) {
      try source.offline { loop throws(StoreError) in
        let reader = try loop.makeReader()
        runs = try Recovery.livingRuns(reader)
        pauses = try Recovery.pauses(reader)
        numbers = try Recovery.rules(reader)
      }
    }
    return House.report(rules) { place in
      let number = numbers[rules[place].path] ?? 0
      return [
        .init("runs", .integer(runs[number] ?? 0)), .init("paused", pauses[number].map { .string($0) } ?? .null),
      ]
    }
  }

  private static func listRules(_ source: Source) throws -> Int32 {
    let value: JSONValue
    if let response = try source.ask("/v1/rules") {
      value = try Document.parse(response.body).root.value
    } else {
      let loading = try House.load(source.configuration)
      if !loading.complaints.isEmpty { throw Complaints(loading.complaints) }
      value = try offlineReport(source, loading.set)
    }
    if case .array(let rows) = value["rules"] ?? .null, !source.arguments.wantsJSON {
      if rows.isEmpty {
        Terminal.print("there are no rules in \(source.configuration.rules)")
        return 0
      }
      Columns.print(
        ["rule", "mode", "on", "runs", "title"],
        rows.map { row in
          var events = ""
          if case .array(let names) = row["on"] ?? .null { events = names.map(\.plain).joined(separator: ",") }
          let isPaused = row["paused"].map { $0 != .null } ?? false
          return [
            row["rule"]?.plain ?? "", isPaused ? "paused" : row["mode"]?.plain ?? "", events,
            row["runs"]?.plain ?? "-", row["title"]?.plain ?? "",
          ]
        })
    } else {
      Terminal.print(value.pretty)
    }
    return 0
  }
}
