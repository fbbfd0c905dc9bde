// nudged check and doctor: is everything as it should be, and if not, what to do.
//
// Thread: main. Promise: all complaints in one pass, each with file and line; doctor changes nothing.

internal import Basics
internal import CPlatform
internal import Glibc
internal import Intake
internal import Model
internal import RuleCheck
internal import Rules
internal import SQLiteStore
internal import Store

extension Command {
  static let check = Command(
    name: "check", summary: "check the configuration and every rule",
    help: """
      nudged check [--rules DIR] [--config FILE] [--strict] [--json]

      Prints everything that is wrong with the rules, the catalogue and the configuration, as
      FILE:LINE:COLUMN: sentence, with the line and a mark under the place. Nothing is run but the files
      themselves, and nothing is changed.

      Errors are what a daemon refuses to load; warnings are probably slips. Exit 0 when there is no error,
      1 when there is one; with --strict a warning counts as an error.
      """
  ) { raw in
    let arguments = try Arguments(raw, switches: ["--strict"])
    try arguments.takeNoWords("; name the folder with --rules")
    let (configuration, complaints) = try arguments.readableConfiguration()
    // Lines of the configuration are not shown: a secret may stand in one by mistake.
    var findings = complaints.map { complaint in
      let text = Files.read(complaint.file).map { String(decoding: $0, as: UTF8.self) }
      return Finding(complaint, code: .configuration, text: text)
    }
    var texts: [String: String] = [:]
    var count = (rules: 0, segments: 0)
    do throws(StartFailure) {
      // A destination that could not be read is no reason to blame the rules that use it.
      let checked = try House.check(configuration, knowsDestinations: complaints.isEmpty)
      findings += checked.report.findings
      for source in checked.sources { texts[configuration.rules + "/" + source.path] = source.text }
      let isSegment = checked.report.set.rules.map(\.isSegment)
      count = (isSegment.count { !$0 }, isSegment.count { $0 })
    } catch {
      let complaint = RuleComplaint(file: configuration.rules, line: 1, message: error.description)
      findings.append(Finding(complaint, code: .configuration, text: nil))
    }
    let shown = FindingList(findings: findings, rules: count.rules, segments: count.segments, texts: texts)
    Terminal.print(arguments.wantsJSON ? shown.json.pretty : shown.text(inColour: Terminal.hasColours))
    let isBad = { (finding: Finding) in finding.severity == .error || arguments.has("--strict") }
    return findings.contains(where: isBad) ? 1 : 0
  }

  static let doctor = Command(
    name: "doctor", summary: "check machine, configuration, store and rules, and say what to do",
    help:
      "nudged doctor\n\nLooks at everything nudged depends on. Exit 0 when all is well, 1 when something needs attention."
  ) { raw in
    let arguments = try Arguments(raw)
    try arguments.takeNoWords()
    return try Doctor(arguments).run()
  }
}

private struct Doctor {
  private let arguments: Arguments
  private final class Findings {
    var list: [(level: String, what: String, advice: String)] = []
  }
  private let findings = Findings()

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() throws -> Int32 {
    let configuration = readConfiguration()
    if let configuration {
      checkRules(configuration)
      checkStore(configuration)
      checkAccess(configuration)
      checkSecrets(configuration)
    }
    checkMachine()
    show()
    return findings.list.contains { $0.level != "ok" } ? 1 : 0
  }

  private func ok(_ what: String) { findings.list.append(("ok", what, "")) }
  private func warn(_ what: String, _ advice: String) { findings.list.append(("attention", what, advice)) }
  private func wrong(_ what: String, _ advice: String) { findings.list.append(("wrong", what, advice)) }

  private func readConfiguration() -> Configuration? {
    do {
      let configuration = try arguments.configuration()
      ok(
        configuration.file.isEmpty
          ? "no configuration file: the defaults hold" : "the configuration \(configuration.file) is fine")
      return configuration
    } catch {
      wrong("the configuration has errors:\n\(error)", "mend the lines named above")
      return nil
    }
  }

  private func checkRules(_ configuration: Configuration) {
    do throws(StartFailure) {
      let loading = try House.load(configuration)
      if loading.complaints.isEmpty {
        let count = loading.set.rules.count
        ok(
          count == 1
            ? "the rule in \(configuration.rules) is fine" : "\(count) rules in \(configuration.rules) are fine")
      } else {
        let count = loading.complaints.count
        wrong(
          "there is something wrong with the rules, in \(count == 1 ? "one place" : "\(count) places")",
          "run `nudged check` to see what")
      }
    } catch {
      wrong(error.description, "make the folder, or name another with --rules")
    }
  }

  private func checkStore(_ configuration: Configuration) {
    let running = (try? Client(target: .unix(configuration.adminPath)).get("/v1/status")) != nil
    if running {
      ok("a daemon answers at \(configuration.adminPath)")
    } else if !Files.exists(configuration.storePath) {
      ok("there is no store at \(configuration.storePath) yet; `nudged serve` makes it")
    } else {
      do throws(StoreError) {
        let loop = try StoreLoop(engine: try SQLiteStore(path: configuration.storePath))
        ok("the store \(configuration.storePath) opens; its newest record is \(loop.recovered.record)")
        loop.close()
      } catch {
        wrong(
          error.message,
          error.code == .locked
            ? "the daemon that has it does not answer on its admin socket; look at its log"
            : "mend that, or name another store with --store")
      }
    }
    var space = statvfs()
    if statvfs(Files.folder(of: configuration.storePath), &space) == 0 {
      let free = Int64(space.f_bavail) * Int64(space.f_frsize)
      if free < 1 << 30 {
        warn(
          "only \(free >> 20) MB are free where the store lies", "free some space: below 64 MB no events can be taken")
      } else {
        ok("\(free >> 30) GB are free where the store lies")
      }
    }
    ok("repeats are recognised for 7 days (source and id together)")
  }

  private func checkAccess(_ configuration: Configuration) {
    let outside = configuration.listen.filter {
      !$0.hasPrefix("127.") && !$0.hasPrefix("[::1]") && !$0.hasPrefix("localhost") && !$0.hasPrefix("/")
        && !$0.hasPrefix("unix:")
    }
    if !outside.isEmpty, configuration.keys.isEmpty {
      wrong(
        "it listens on \(outside.joined(separator: ", ")) and there are no keys",
        "nobody outside can send; add keys = { … } to the configuration")
    } else if configuration.openLocally {
      warn(
        "every process of this machine may send and read events without a key",
        "fine for one's own machine; else set open_locally = false and give keys")
    } else {
      ok("every request needs a key")
    }
    for destination in configuration.destinations
    where destination.url.hasPrefix("http://") && destination.allowedNetworks.isEmpty {
      warn("webhooks to \(destination.name) are not encrypted", "use an https:// address")
    }
    if configuration.destinations.contains(where: { $0.signing == .none }) {
      warn("some destinations get unsigned webhooks", "give them a secret")
    }
  }

  /// Certificates are no secrets, and what systemd hands over is closed to others by the folder it lies in.
  private func checkSecrets(_ configuration: Configuration) {
    let credentials = Files.environment("CREDENTIALS_DIRECTORY")
    let places = configuration.secretPlaces.filter { path, place in
      !path.hasSuffix(".ca") && !path.hasSuffix(".client_certificate")
        && credentials.map { !place.hasPrefix($0 + "/") } ?? true
    }
    for place in Set(places.values).sorted() where Files.isOpenToOthers(place) {
      warn("the secret in \(place) can be read by others", "close it: chmod 600 \(place)")
    }
  }

  private func checkMachine() {
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      let wanted = UInt(Limits.connections + Limits.transfers + 256)
      if limit.rlim_max < wanted {
        warn("only \(limit.rlim_max) files may be open", "raise it: LimitNOFILE=\(wanted) in the unit")
      } else {
        ok("\(limit.rlim_max) files may be open")
      }
    }
    ok("SQLite \(SQLiteStore.libraryVersion)")
  }

  private func show() {
    if arguments.wantsJSON {
      let list: [JSONValue] = findings.list.map {
        ["level": .string($0.level), "what": .string($0.what), "advice": .string($0.advice)]
      }
      return Terminal.print(JSONValue.object([.init("findings", .array(list))]).pretty)
    }
    for finding in findings.list {
      Terminal.print("\(finding.level): \(finding.what)" + (finding.advice.isEmpty ? "" : "\n  -> \(finding.advice)"))
    }
  }
}
