// The command line: flags that all commands share, the environment behind them, and a command's own.
//
// Thread: main. Promise: an unknown flag is an error with a suggestion; what is left over is the
// command's own business.

internal import Basics
internal import Glibc
internal import Rules

/// Used wrongly: exit code 2.
struct UsageError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}

struct Arguments {
  private(set) var words: [String] = []
  private var values: [String: [String]] = [:]
  private var switches: Set<String> = []

  static let sharedValues = ["--config", "--rules", "--store", "--listen", "--admin", "--set"]
  static let sharedSwitches = ["--json", "--help", "-h"]

  /// `values` are flags that take one, `switches` those that do not; the shared ones come on top.
  init(_ raw: [String], values known: [String] = [], switches: [String] = []) throws(UsageError) {
    let takesValue = Arguments.sharedValues + known
    let isSwitch = Arguments.sharedSwitches + switches
    var rest = raw[...]
    while let word = rest.popFirst() {
      guard word.hasPrefix("-"), word != "-" else {
        words.append(word)
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      if takesValue.contains(parts[0]) {
        guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
          throw UsageError("\(parts[0]) needs a value")
        }
        values[parts[0], default: []].append(value)
      } else if isSwitch.contains(word) {
        self.switches.insert(word == "-h" ? "--help" : word)
      } else {
        throw UsageError("unknown flag \(word)" + Suggestion.ending(for: parts[0], among: takesValue + isSwitch))
      }
    }
  }

  /// For commands that take flags only.
  func takeNoWords(_ advice: String = "") throws(UsageError) {
    if let word = words.first { throw UsageError("unexpected word \"\(word)\"" + advice) }
  }

  /// A flag that the command has, but not together with these words, would be passed over: then more or something
  /// else would happen than was meant.
  func take(only allowed: [String], with what: String) throws(UsageError) {
    let own = Set(values.keys).union(switches).subtracting(Arguments.sharedValues + Arguments.sharedSwitches)
    if let flag = own.subtracting(allowed).min() { throw UsageError("\(flag) does not go with \(what)") }
  }

  func has(_ name: String) -> Bool { switches.contains(name) }
  func value(_ name: String) -> String? { values[name]?.last }
  func all(_ name: String) -> [String] { values[name] ?? [] }

  /// A flag, else its environment variable.
  func shared(_ name: String) -> String? {
    value("--" + name) ?? Files.environment("NUDGED_" + name.uppercased())
  }

  var wantsJSON: Bool { has("--json") }

  func integer(_ name: String) throws(UsageError) -> Int64? {
    guard let text = value(name) else { return nil }
    guard let number = Int64(text), number >= 0 else {
      throw UsageError("\(name) needs a whole number, not \"\(text)\"")
    }
    return number
  }
}

extension Arguments {
  /// The configuration file, with what flags and environment say on top.
  func configuration() throws -> Configuration {
    let (configuration, complaints) = try readableConfiguration()
    if !complaints.isEmpty { throw Complaints(complaints) }
    return configuration
  }

  /// As much of it as can be read, and what is wrong with the rest.
  func readableConfiguration() throws(UsageError) -> (Configuration, [RuleComplaint]) {
    let path =
      shared("config")
      ?? (Files.exists("etc/nudged.lua") ? "etc/nudged.lua" : Files.exists("nudged.lua") ? "nudged.lua" : nil)
    var (configuration, complaints) = path.map(ConfigurationReader.read) ?? (Configuration(), [])
    if let store = shared("store") { configuration.store = try Arguments.storePath(store) }
    if let rules = shared("rules") { configuration.rules = rules }
    if let listen = shared("listen") { configuration.listen = [listen] }
    if let admin = shared("admin") { configuration.admin = admin }
    for pair in all("--set") { try apply(pair, to: &configuration) }
    let isGiven = shared("listen") != nil || all("--set").contains { $0.hasPrefix("listen=") }
    if isGiven, let problem = configuration.listen.compactMap({ ListenText.problem(of: $0) }).first {
      complaints.append(RuleComplaint(file: "the address to listen on", line: 1, message: problem))
    }
    return (configuration, complaints)
  }

  private static let settable = [
    "listen", "admin", "rules", "store", "lanes", "open_locally", "retention.events", "retention.verdicts",
    "retention.attempts", "retention.runs", "retention.size", "zone", "timers_after_start", "catch_up_rate",
    "effects_per_hour",
  ]

  private func apply(_ pair: String, to configuration: inout Configuration) throws(UsageError) {
    let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { throw UsageError("--set needs KEY=VALUE, not \"\(pair)\"") }
    switch parts[0] {
    case "listen": configuration.listen = [parts[1]]
    case "admin": configuration.admin = parts[1]
    case "rules": configuration.rules = parts[1]
    case "store": configuration.store = try Arguments.storePath(parts[1])
    case "lanes":
      guard let lanes = Int(parts[1]), (1...16).contains(lanes) else {
        throw UsageError("lanes must be a whole number from 1 to 16")
      }
      configuration.lanes = lanes
    case "open_locally":
      guard parts[1] == "true" || parts[1] == "false" else { throw UsageError("open_locally must be true or false") }
      configuration.openLocally = parts[1] == "true"
    case "retention.events": configuration.eventsMilliseconds = try duration(parts)
    case "retention.verdicts": configuration.verdictsMilliseconds = try duration(parts)
    case "retention.attempts": configuration.attemptsMilliseconds = try duration(parts)
    case "retention.size":
      guard let bytes = ByteSize.parse(parts[1]) else {
        throw UsageError("retention.size must be a size such as \"20 GB\", or \"none\"")
      }
      configuration.sizeBytes = bytes
    case "retention.runs": configuration.runsMilliseconds = try duration(parts)
    case "timers_after_start": configuration.timersAfterStartMilliseconds = parts[1] == "0" ? 0 : try duration(parts)
    case "zone":
      guard (try? ZoneFolder().load(parts[1])) != nil else {
        throw UsageError("zone must be a time zone such as Europe/Berlin; there is no '\(parts[1])'")
      }
      configuration.zone = parts[1]
    case "catch_up_rate":
      guard let rate = Int(parts[1]), (1...1_000_000).contains(rate) else {
        throw UsageError("catch_up_rate must be a whole number from 1 to 1000000")
      }
      configuration.catchUpRate = rate
    case "effects_per_hour":
      guard let limit = Int(parts[1]), limit >= 0 else {
        throw UsageError("effects_per_hour must be a whole number, 0 for no limit")
      }
      configuration.effectsPerHour = limit
    default:
      throw UsageError(
        "--set does not know the key \"\(parts[0])\""
          + Suggestion.ending(for: parts[0], among: Arguments.settable)
          + "; keys, destinations and secrets stand in the configuration file")
    }
  }

  private static func storePath(_ text: String) throws(UsageError) -> String {
    do throws(RuleComplaint) { return try StoreAddress.path(text) } catch { throw UsageError(error.message) }
  }

  private func duration(_ parts: [String]) throws(UsageError) -> Int64 {
    guard let milliseconds = DurationText.milliseconds(parts[1]) else {
      throw UsageError("\(parts[0]) must be a duration such as \"90 days\", not \"\(parts[1])\"")
    }
    return milliseconds
  }
}

/// Where commands print.
enum Terminal {
  /// A person looks on, and has not asked for plain text.
  static var hasColours: Bool {
    isatty(1) == 1 && Files.environment("NO_COLOR") == nil && Files.environment("TERM") != "dumb"
  }

  static func print(_ text: String) { write(1, text + "\n") }
  static func complain(_ text: String) { write(2, text + "\n") }
  static func print(bytes: [UInt8]) { write(1, bytes) }

  private static func write(_ descriptor: Int32, _ text: String) { write(descriptor, Array(text.utf8)) }
  private static func write(_ descriptor: Int32, _ bytes: [UInt8]) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count <= 0 { return }
      start += count
    }
  }
}
