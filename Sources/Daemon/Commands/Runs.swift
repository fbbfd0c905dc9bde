// The commands about runs: list them, show the life of one, wake and cancel; and `explain`, which tells why
// somebody got something or did not.
//
// Thread: main. Promise: what changes many runs says first how many they are, and does nothing without --yes.

internal import Basics
internal import Intake

extension Command {
  static let runs = Command(
    name: "runs", summary: "list rules that wait, show one, wake or cancel them",
    help: """
      nudged runs list [--status WORD] [--rule RULE] [--subject NAMESPACE:ID] [--limit N] [--after RUN | --before RUN]
      nudged runs show RUN
      nudged runs wake RUN
      nudged runs cancel RUN
      nudged runs wake|cancel [--status waiting|parked] [--rule RULE] [--subject NAMESPACE:ID] [--all] [--yes]

      --status is alive (waiting or parked, the default), ended, or one of waiting, parked, finished, stopped,
      goal, cancelled, skipped, replaced. Waking a run that sleeps lets it go on as if its time had come; one
      that is parked tries again what it was doing. Without --yes, wake and cancel of many only say how many
      there are.
      """
  ) { raw in
    let arguments = try Arguments(
      raw, values: ["--status", "--rule", "--subject", "--limit", "--after", "--before"], switches: ["--yes", "--all"])
    let source = try Source(arguments)
    switch arguments.words.first ?? "list" {
    case "list" where arguments.words.count <= 1:
      try arguments.take(
        only: ["--status", "--rule", "--subject", "--limit", "--after", "--before"], with: "runs list")
      return try listRuns(source)
    case "show" where arguments.words.count == 2:
      try arguments.take(only: [], with: "runs show RUN")
      return try showRun(source)
    case "wake", "cancel": return try changeRuns(source)
    default: throw UsageError("write: runs list, runs show RUN, runs wake RUN or runs cancel RUN")
    }
  }

  private static func number(_ arguments: Arguments) throws(UsageError) -> Int64 {
    guard let number = Int64(arguments.words[1]), number > 0 else {
      throw UsageError("a run is named by its number, such as 12; this is \"\(arguments.words[1])\"")
    }
    return number
  }

  private static func filter(_ arguments: Arguments) throws(UsageError) -> RunFilter {
    let filter = RunFilter(
      status: arguments.value("--status") ?? "alive", rule: arguments.value("--rule"),
      subject: arguments.value("--subject"))
    guard RunFilter.statuses.contains(filter.status) else {
      throw UsageError(
        "--status must be one of \(RunFilter.statuses.joined(separator: ", ")), not \"\(filter.status)\""
          + Suggestion.ending(for: filter.status, among: RunFilter.statuses))
    }
    return filter
  }

  private static func query(_ filter: RunFilter) -> String {
    var query = "status=" + filter.status
    if let rule = filter.rule { query += "&rule=" + Source.escape(rule) }
    if let subject = filter.subject { query += "&subject=" + Source.escape(subject) }
    return query
  }

  // MARK: reading

  private static func listRuns(_ source: Source) throws -> Int32 {
    let arguments = source.arguments
    let filter = try filter(arguments)
    let limit = try arguments.integer("--limit") ?? Int64(Question.defaultLimit)
    guard (1...Int64(Question.maximumLimit)).contains(limit) else {
      throw UsageError("--limit must be 1 to \(Question.maximumLimit)")
    }
    let after = try arguments.integer("--after")
    let before = try arguments.integer("--before")
    if filter.isAlive, before != nil {
      throw UsageError("--before is for runs that are over; those that live go on with --after")
    }
    if !filter.isAlive, after != nil {
      throw UsageError("--after is for runs that live; those that are over go on with --before")
    }
    let question = Question.runs(filter, before: before ?? .max, after: after ?? 0, limit: Int(limit))
    var path = "/v1/runs?\(query(filter))&limit=\(limit)"
    if let after { path += "&after=\(after)" }
    if let before { path += "&before=\(before)" }
    guard let value = try source.value(question, path: path) else {
      Terminal.complain(Reports.missing(question))
      return 1
    }
    if arguments.wantsJSON {
      Terminal.print(value.pretty)
      return 0
    }
    let next = ["next_after": "--after", "next_before": "--before"].compactMap { key, flag in
      value[key].flatMap { $0 == .null ? nil : "\(flag) \($0.plain)" }
    }.first
    guard case .array(let rows) = value["runs"] ?? .null, !rows.isEmpty else {
      Terminal.print(next.map { "none so far; look further with \($0)" } ?? "there are no such runs")
      return 0
    }
    let ending = filter.isAlive ? ["waits", "until"] : ["ended", "reason"]
    let columns = ["run", "rule", "subject", "key", "status", "started"] + ending
    Columns.print(
      columns,
      rows.map { row in
        columns.map { $0 == "waits" ? waits(row) : (row[$0] ?? .null).plain }
      })
    if let next { Terminal.print("more with \(next)") }
    return 0
  }

  /// What a list tells of a run that lives.
  private static func waits(_ row: JSONValue) -> String {
    if let progress = row["collects"] { return "collects \(progress.plain)" }
    return (row["waits"] ?? row["reason"] ?? .null).plain
  }

  private static func showRun(_ source: Source) throws -> Int32 {
    let number = try number(source.arguments)
    guard let value = try source.value(.run(number), path: "/v1/runs/\(number)") else {
      Terminal.complain(Reports.missing(.run(number)))
      return 1
    }
    if source.arguments.wantsJSON {
      Terminal.print(value.pretty)
      return 0
    }
    Terminal.print("run \(number) of \(value["rule"]?.plain ?? "") for \(value["subject"]?.plain ?? "")")
    for key in ["key", "status", "reason", "started", "ended", "version", "effects"] {
      if let found = value[key], found != .null, found.plain != "" { Terminal.print("  \(key): \(found.plain)") }
    }
    if let waits = value["waits"] {
      let until = value["until"].flatMap { $0 == .null ? nil : " until \($0.plain)" } ?? ""
      let place = value["line"].map { ", at line \($0.plain)" } ?? ""
      let what = value["collects"].map { "collects \($0.plain)" } ?? "waits for \(waits.plain)"
      Terminal.print("  \(what)\(until)\(place)")
    }
    if let line = value["parked_line"] { Terminal.print("  it stopped at line \(line.plain)") }
    Terminal.print("")
    for part in elements(value["timeline"]) {
      Terminal.print("\(part["at"]?.plain ?? "")  woken by \(part["woken_by"]?.plain ?? "")")
      for did in elements(part["did"]) { Terminal.print("    " + line(did)) }
    }
    return 0
  }

  private static func elements(_ value: JSONValue?) -> [JSONValue] {
    if case .array(let list) = value ?? .null { return list }
    return []
  }

  private static func line(_ did: JSONValue) -> String {
    var text = "\(did["entry"]?.plain ?? ""). \(did["did"]?.plain ?? "")"
    if let destination = did["destination"] {
      text += " \(destination.plain) \(did["type"]?.plain ?? "") (delivery \(did["delivery"]?.plain ?? ""))"
    }
    if let event = did["event"] { text += ", over at once: event \(event.plain)" }
    return text
  }

  // MARK: changing

  private static func changeRuns(_ source: Source) throws -> Int32 {
    let arguments = source.arguments
    let action = arguments.words[0]
    if arguments.words.count == 2 {
      try arguments.take(only: ["--yes"], with: "the number of one run")
      let number = try number(arguments)
      return try post(source, "/v1/runs/\(number)/\(action)") { root in
        if let reason = root["later"]?.string { return "run \(number) goes on later: \(reason)" }
        return action == "wake" ? "run \(number) was woken" : "run \(number) is cancelled"
      }
    }
    try arguments.take(only: ["--status", "--rule", "--subject", "--all", "--yes"], with: "runs \(action)")
    let filter = try filter(arguments)
    guard filter.isAlive else { throw UsageError("only runs that live can be woken or cancelled") }
    guard filter != RunFilter() || arguments.has("--all") else {
      throw UsageError("say which runs: \(action) RUN, --rule, --subject, --status, or --all for every one")
    }
    let path = "/v1/runs/\(action)?\(query(filter))&all=1"
    if arguments.has("--yes") {
      return try post(source, path) { root in
        let count = root["asked"]?.integer ?? 0
        return "\(count) \(count == 1 ? "run was" : "runs were") asked to \(action == "wake" ? "wake" : "end")"
      }
    }
    return try post(source, path + "&count=1") { root in
      let count = root["count"]?.integer ?? 0
      return
        "\(count) \(count == 1 ? "run" : "runs") would be \(action == "wake" ? "woken" : "cancelled"); add --yes to do it"
    }
  }

  static func post(_ source: Source, _ path: String, _ told: (JSONCursor) -> String) throws -> Int32 {
    let response = try source.client.send("POST", path, body: [], type: nil)
    let root = try Document.parse(response.body).root
    if source.arguments.wantsJSON {
      Terminal.print(root.value.pretty)
    } else if response.status == 200 {
      Terminal.print(told(root))
    } else {
      Terminal.complain(root["message"]?.string ?? response.text)
    }
    return response.status == 200 ? 0 : 1
  }

  // MARK: why

  static let explain = Command(
    name: "explain", summary: "tell why somebody got something, or did not",
    help: """
      nudged explain NAMESPACE:ID [RULE] [--limit N] [--before EVENT]

      Shows what waits for a subject and until when, and what each rule made of its newest events: what ran, what
      was skipped and why, with line and values read. With a rule, only what concerns it. What a schedule skipped for
      the same reason day after day is told once.
      Example: nudged explain user:42 dunning/failed_payment
      """
  ) { raw in
    let arguments = try Arguments(raw, values: ["--limit", "--before"])
    guard (1...2).contains(arguments.words.count) else { throw UsageError("write: explain NAMESPACE:ID [RULE]") }
    let source = try Source(arguments)
    let name = arguments.words[0]
    let rule = arguments.words.count == 2 ? arguments.words[1] : nil
    let limit = Int(try arguments.integer("--limit") ?? Int64(Question.defaultLimit))
    guard (1...Question.maximumLimit).contains(limit) else {
      throw UsageError("--limit must be 1 to \(Question.maximumLimit)")
    }
    let before = try arguments.integer("--before") ?? Int64.max
    let question = Question.explain(name, rule: rule, before: before, limit: limit)
    var path = "/v1/subjects/\(Source.escape(name))/explain?limit=\(limit)&before=\(before)"
    if let rule { path += "&rule=" + Source.escape(rule) }
    guard let value = try source.value(question, path: path) else {
      Terminal.complain(Reports.missing(question))
      return 1
    }
    if arguments.wantsJSON { Terminal.print(value.pretty) } else { tell(value, rule) }
    return 0
  }

  private static func tell(_ value: JSONValue, _ rule: String?) {
    let runs = elements(value["runs"])
    let of = rule.map { " of \($0)" } ?? ""
    Terminal.print(
      runs.isEmpty ? "\(value["subject"]?.plain ?? ""): nothing\(of) waits" : "\(value["subject"]?.plain ?? "") waits:")
    for run in runs {
      let until = run["until"].flatMap { $0 == .null ? nil : " until \($0.plain)" } ?? ""
      let place = run["line"].map { ", at \(run["rule"]?.plain ?? "").lua:\($0.plain)" } ?? ""
      let what =
        run["status"]?.plain == "parked"
        ? "parked: \(run["reason"]?.plain ?? "")"
        : (run["collects"].map { "collects \($0.plain)" } ?? "for \(run["waits"]?.plain ?? "")") + "\(until)\(place)"
      Terminal.print("  run \(run["run"]?.plain ?? "") of \(run["rule"]?.plain ?? "") \(what)")
    }
    Terminal.print("")
    let events = elements(value["events"])
    if events.isEmpty {
      Terminal.print("no event\(rule == nil ? "" : " of its newest ones") concerned \(rule ?? "it")")
    }
    let alike = Dictionary(grouping: events.filter { uneventful($0) != nil }) { uneventful($0) ?? "" }
    var told: Set<String> = []
    for event in events {
      let same = uneventful(event)
      if let same, !told.insert(same).inserted { continue }
      Terminal.print(
        "\(event["received"]?.plain ?? "")  \(event["name"]?.plain ?? "") (event \(event["event"]?.plain ?? ""))")
      let verdicts = elements(event["verdicts"])
      if verdicts.isEmpty { Terminal.print("    no rule begins with it and no run waits for it") }
      for verdict in verdicts { Terminal.print("    " + sentence(verdict)) }
      for run in elements(event["ended"]) { Terminal.print("    " + ending(run)) }
      if let same, let all = alike[same], all.count > 1 {
        let times = all.count == 2 ? "once" : "\(all.count - 1) times"
        Terminal.print("    the same \(times) before, since \(all.last?["received"]?.plain ?? "")")
      }
    }
    if let next = value["next_before"], next != .null { Terminal.print("more with --before \(next.plain)") }
  }

  /// What a schedule came to when it came to nothing, but for the values read: told once for all of its days.
  private static func uneventful(_ event: JSONValue) -> String? {
    let verdicts = elements(event["verdicts"])
    guard event["name"] == "nudged.schedule", elements(event["ended"]).isEmpty, !verdicts.isEmpty,
      verdicts.allSatisfy({ $0["verdict"] == "skipped" })
    else { return nil }
    return verdicts.map { verdict in
      ["rule", "line", "reason"].map { verdict[$0]?.plain ?? "" }.joined(separator: "\n")
    }.joined(separator: "\n")
  }

  private static func ending(_ run: JSONValue) -> String {
    let reason = run["reason"].map { ": \($0.plain)" } ?? ""
    return "\(run["rule"]?.plain ?? ""): run \(run["run"]?.plain ?? "") ended at \(run["ended"]?.plain ?? ""),"
      + " \(run["status"]?.plain ?? "")\(reason)"
  }

  private static func sentence(_ verdict: JSONValue) -> String {
    if let count = verdict["rules"] { return "\(count.plain) more whose 'when' said no" }
    var text = "\(verdict["rule"]?.plain ?? ""): \(verdict["verdict"]?.plain ?? "")"
    if let reason = verdict["reason"] { text += ", \(reason.plain)" }
    if let line = verdict["line"] { text += " (line \(line.plain))" }
    if case .object(let read) = verdict["read"] ?? .null, !read.isEmpty {
      text += "; read " + read.map { "\($0.key) = \($0.value.plain)" }.joined(separator: ", ")
    }
    if let effects = verdict["effects"], effects != .integer(0) {
      text += "; \(effects.plain) \(effects == .integer(1) ? "effect" : "effects")"
    }
    return text
  }
}
