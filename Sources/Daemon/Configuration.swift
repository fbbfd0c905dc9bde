// The configuration: one Lua file that returns a table, checked key by key.
//
// Thread: values, read at start and at reload. Promise: an unknown key, a wrong type or an impossible
// value is a complaint with its line; secrets come from credentials or files, never from this file.

internal import Basics
internal import CPlatform
internal import Delivery
internal import Glibc
internal import Intake
internal import Model
internal import Rules

struct Configuration: Sendable {
  var listen: [String] = ["127.0.0.1:8484"]
  var admin = ""
  var store = "nudged.db"
  var rules = "rules"
  var lanes = 1
  /// Whether requests from this machine may send and read without a key.
  var openLocally = true
  var keys: [AccessKey] = []
  var destinations: [Destination] = []
  var eventsMilliseconds: Int64 = 90 * 86_400_000
  var verdictsMilliseconds: Int64 = 30 * 86_400_000
  var attemptsMilliseconds: Int64 = 30 * 86_400_000
  var runsMilliseconds: Int64 = 90 * 86_400_000
  /// 0: any amount.
  var sizeBytes: Int64 = 20_000_000_000
  /// For civil times, where neither the rule nor the subject has a zone.
  var zone = "UTC"
  /// How long timers wait after a start, for events that were sent again meanwhile.
  var timersAfterStartMilliseconds: Int64 = 30_000
  /// Late timers of one rule in a second.
  var catchUpRate = Limits.catchUpRate
  /// A rule with more is paused; 0: none is.
  var effectsPerHour = 1_000_000
  var policies = Policies()
  /// Where the public door is reached from outside, without a slash at its end; empty: not known.
  var publicURL = ""
  /// A clock that runs fast, for demonstrations.
  var clock: FastClock?
  /// Where each secret was read from, by its path in the file.
  var secretPlaces: [String: String] = [:]
  /// Where relative paths of the file begin.
  var folder = "."
  var file = ""

  /// A path of the file, seen from where the process stands.
  func resolve(_ path: String) -> String {
    path.hasPrefix("/") || folder.isEmpty || folder == "." ? path : folder + "/" + path
  }

  var adminPath: String { admin.isEmpty ? storePath + ".sock" : admin }
  var storePath: String { store }
}

/// Reads the file and says everything that is wrong with it.
struct ConfigurationReader {
  private let file: EvaluatedFile
  private(set) var complaints: [RuleComplaint] = []
  var configuration = Configuration()

  static let keys = [
    "listen", "admin", "store", "rules", "lanes", "open_locally", "keys", "destinations", "retention", "zone",
    "timers_after_start", "catch_up_rate", "effects_per_hour", "policies", "clock", "public_url",
  ]

  private init(_ file: EvaluatedFile) { self.file = file }

  /// The words a configuration file may use.
  static let words = ["credential", "file"]

  static func read(path: String) -> (Configuration, [RuleComplaint]) {
    guard let text = Files.read(path) else {
      let reason = String(cString: strerror(errno))
      let message = "cannot read the configuration: \(reason); make one with: nudged init"
      return (Configuration(), [RuleComplaint(file: path, line: 1, message: message)])
    }
    do throws(RuleComplaint) {
      let evaluated = try RuleLoader.evaluate(path: path, text: String(decoding: text, as: UTF8.self), words: words)
      var reader = ConfigurationReader(evaluated)
      reader.configuration.file = path
      reader.configuration.folder = Files.folder(of: path)
      reader.read()
      return (reader.configuration, reader.complaints)
    } catch {
      return (Configuration(), [error])
    }
  }

  private mutating func read() {
    let root = file.document.root
    checkNames(root, at: "", known: ConfigurationReader.keys)
    if let listen = root["listen"] { readListen(listen) }
    if let admin = text(root, "admin", at: "admin") { configuration.admin = configuration.resolve(admin) }
    configuration.store = configuration.resolve(configuration.store)
    if let store = text(root, "store", at: "store") { readStore(store) }
    configuration.rules = configuration.resolve(text(root, "rules", at: "rules") ?? configuration.rules)
    if let lanes = integer(root, "lanes", at: "lanes", in: 1...16) { configuration.lanes = Int(lanes) }
    readTime(root)
    if let open = root["open_locally"] {
      if let value = open.boolean {
        configuration.openLocally = value
      } else {
        complain("open_locally", "must be true or false")
      }
    }
    for (name, value) in members(root, "keys") { readKey(name, value) }
    for (name, value) in members(root, "destinations") { readDestination(name, value) }
    if let retention = root["retention"] { readRetention(retention) }
    if let policies = root["policies"] { readPolicies(policies) }
    if let clock = root["clock"] { readClock(clock) }
    if let url = text(root, "public_url", at: "public_url") {
      if url.hasPrefix("https://") || url.hasPrefix("http://"), !url.contains("?"), !url.contains("#") {
        configuration.publicURL = url.hasSuffix("/") ? String(url.dropLast()) : url
      } else {
        complain(
          "public_url",
          "must be the address under which the public door is reached, such as \"https://nudged.example.com\"")
      }
    }
    cutComplaints()
  }

  /// A person mends the first ones and looks again.
  private static let mostComplaints = 50

  private mutating func cutComplaints() {
    let more = complaints.count - ConfigurationReader.mostComplaints
    guard more > 0 else { return }
    let line = complaints[ConfigurationReader.mostComplaints].line
    complaints.removeLast(more)
    complaints.append(RuleComplaint(file: configuration.file, line: line, message: "and \(more) more"))
  }

  private mutating func readListen(_ listen: JSONCursor) {
    configuration.listen = texts(listen, at: "listen")
    for address in configuration.listen {
      if let problem = ListenText.problem(of: address) { complain("listen", "is wrong: \(problem)") }
    }
  }

  private mutating func readTime(_ root: JSONCursor) {
    if let zone = text(root, "zone", at: "zone") {
      if (try? ZoneFolder().load(zone)) != nil {
        configuration.zone = zone
      } else {
        complain(
          "zone", "must be a time zone such as \"Europe/Berlin\"; there is no '\(zone)'",
          suggestion: Suggestion.nearest(to: zone, among: ZoneFolder().names()))
      }
    }
    if let pause = root["timers_after_start"] {
      if let milliseconds = pause.integer == 0 ? 0 : pause.string.flatMap({ DurationText.milliseconds($0) }),
        milliseconds <= 3_600_000
      {
        configuration.timersAfterStartMilliseconds = milliseconds
      } else {
        complain("timers_after_start", "must be a duration of at most one hour such as \"30 seconds\", or 0")
      }
    }
    if let rate = integer(root, "catch_up_rate", at: "catch_up_rate", in: 1...1_000_000) {
      configuration.catchUpRate = Int(rate)
    }
    if let limit = integer(root, "effects_per_hour", at: "effects_per_hour", in: 0...1_000_000_000_000) {
      configuration.effectsPerHour = Int(limit)
    }
  }

  private mutating func readClock(_ clock: JSONCursor) {
    checkNames(clock, at: "clock", known: ["behind", "rate"])
    let most: Int64 = 366 * 86_400_000
    let behind = duration(clock, "behind", at: "clock.behind")
    let rate = integer(clock, "rate", at: "clock.rate", in: 2...20_000)
    guard let behind, behind <= most, let rate else {
      let isKnown = clock[name: "behind"] != nil && clock[name: "rate"] != nil
      if !isKnown || (behind ?? 0) > most {
        complain(
          "clock",
          "needs both: how far in the past it begins, at most 366 days, and how many times as fast it runs, such as { behind = \"20 days\", rate = 10000 }"
        )
      }
      return
    }
    configuration.clock = FastClock(behindMilliseconds: behind, rate: rate)
  }

  // MARK: values

  mutating func complain(_ path: String, _ message: String, suggestion: String? = nil) {
    complaints.append(file.complaint(at: path, "'\(path)' \(message)", suggestion: suggestion))
  }

  mutating func checkNames(_ table: JSONCursor, at path: String, known: [String]) {
    guard table.kind == .object || table.count == 0 else {
      return complain(path.isEmpty ? "configuration" : path, "must be a table")
    }
    for (name, _) in table.members where !known.contains(name) {
      let full = path.isEmpty ? name : path + "." + name
      let suggestion = Suggestion.nearest(to: name, among: known)
      complaints.append(file.complaint(at: full, "unknown key '\(full)'", suggestion: suggestion))
    }
  }

  private mutating func members(_ table: JSONCursor, _ key: String) -> [(key: String, value: JSONCursor)] {
    guard let value = table[name: key] else { return [] }
    guard value.kind == .object || value.count == 0 else {
      complain(key, "must be a table of names")
      return []
    }
    return value.members
  }

  mutating func text(_ table: JSONCursor, _ key: String, at path: String) -> String? {
    guard let value = table[name: key] else { return nil }
    guard let text = value.string, !text.isEmpty else {
      complain(path, "must be text")
      return nil
    }
    return text
  }

  mutating func texts(_ value: JSONCursor, at path: String) -> [String] {
    if let one = value.string { return [one] }
    let list = value.elements.compactMap(\.string)
    if value.kind != .array || list.count != value.count { complain(path, "must be text or a list of texts") }
    return list
  }

  mutating func integer(
    _ table: JSONCursor, _ key: String, at path: String, in range: ClosedRange<Int64>
  ) -> Int64? {
    guard let value = table[name: key] else { return nil }
    guard let number = value.integer, range.contains(number) else {
      complain(path, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  mutating func duration(_ table: JSONCursor, _ key: String, at path: String) -> Int64? {
    guard let value = table[name: key] else { return nil }
    guard let text = value.string, let milliseconds = DurationText.milliseconds(text) else {
      complain(path, "must be a duration such as \"30 seconds\" or \"90 days\"")
      return nil
    }
    return milliseconds
  }

  /// `credential "name"` or `file "path"`.
  private mutating func secretText(_ value: JSONCursor, at path: String) -> [UInt8]? {
    if value.string != nil {
      complain(path, "must not stand in the configuration; write credential \"NAME\" or file \"PATH\"")
      return nil
    }
    let place: String
    if let name = value["$credential"]?.string {
      guard let folder = Files.environment("CREDENTIALS_DIRECTORY") else {
        complain(
          path,
          "asks for the credential \"\(name)\", but systemd gave none: use LoadCredential= in the unit, or file \"PATH\""
        )
        return nil
      }
      place = folder + "/" + name
    } else if let name = value["$file"]?.string {
      place = configuration.resolve(name)
    } else {
      complain(path, "must be credential \"NAME\" or file \"PATH\"")
      return nil
    }
    if Files.isSpecial(place) {
      complain(path, "cannot be read from \(place): it is no plain file")
      return nil
    }
    guard let bytes = Files.read(place) else {
      complain(path, "cannot be read from \(place): \(String(cString: strerror(errno)))")
      return nil
    }
    configuration.secretPlaces[path] = place
    let trimmed = bytes.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
    if trimmed.isEmpty { complain(path, "is empty in \(place)") }
    return trimmed.isEmpty ? nil : Array(trimmed)
  }

  /// A file of several secrets, the newest first, with the moments until which they count; those that are over
  /// are left out.
  private mutating func secretTexts(_ value: JSONCursor, at path: String) -> [Secret] {
    guard let bytes = secretText(value, at: path) else { return [] }
    switch SecretFile.parse(bytes) {
    case .failure(let error):
      complain(path, "holds a line \(error.line) that is no secret; a line is SECRET or SECRET until TIME")
      return []
    case .success(let file):
      let current = file.current(at: Clocks.system.wall())
      if current.isEmpty { complain(path, "holds no secret that still counts") }
      return current
    }
  }

  // MARK: parts

  private mutating func readStore(_ text: String) {
    do throws(RuleComplaint) {
      configuration.store = configuration.resolve(try StoreAddress.path(text, file: file))
    } catch {
      complaints.append(error)
    }
  }

  private mutating func readKey(_ name: String, _ value: JSONCursor) {
    let path = "keys.\(name)"
    checkNames(value, at: path, known: ["secret", "rights", "source", "test"])
    guard let secret = value["secret"] else {
      return complain(path, "needs a secret: credential \"NAME\" or file \"PATH\"")
    }
    var rights: Set<Right> = [.ingest]
    if let list = value["rights"] {
      rights = []
      for word in texts(list, at: path + ".rights") {
        if let right = Right(rawValue: word) {
          rights.insert(right)
        } else {
          complain(
            path + ".rights", "has the unknown right \"\(word)\"; rights are ingest, read and admin",
            suggestion: Suggestion.nearest(to: word, among: Right.allCases.map(\.rawValue)))
        }
      }
    }
    guard let bytes = secretText(secret, at: path + ".secret") else { return }
    let source = text(value, "source", at: path + ".source") ?? name
    if source == "nudged" { complain(path + ".source", "must not be \"nudged\": that is our own") }
    if source.hasPrefix(Event.testPrefix) {
      complain(path + ".source", "must not begin with \"\(Event.testPrefix)\": write test = true")
    }
    var isTest = false
    if let test = value["test"] {
      if let value = test.boolean { isTest = value } else { complain(path + ".test", "must be true or false") }
    }
    configuration.keys.append(
      AccessKey(
        name: name, secret: Secret(bytes: bytes), rights: rights, source: (isTest ? Event.testPrefix : "") + source))
  }

  private static let destinationKeys = [
    "url", "secret", "secrets", "signing", "header", "prefix", "shape", "mode", "headers", "timeout", "connect_timeout",
    "concurrency", "retry", "allow", "preset", "signing_key", "also_sign", "id_header", "bearer", "basic", "ca",
    "client_certificate", "client_key", "proxy", "types", "transform", "test", "reply_headers", "method",
    "rate", "order", "poisoned",
  ]

  private mutating func readDestination(_ name: String, _ value: JSONCursor) {
    let path = "destinations.\(name)"
    checkNames(value, at: path, known: ConfigurationReader.destinationKeys)
    guard let url = address(value, "url", at: path + ".url") else {
      if value["url"] == nil { complain(path, "needs a url") }
      return
    }
    let preset = readPreset(value, at: path)
    guard let signing = readSigning(value, at: path, preset: preset) else { return }
    var destination = Destination(name: name, url: url, signing: signing)
    destination.hasSecretAddress = value["url"]?.string == nil
    preset?.apply(to: &destination)
    if let shape = text(value, "shape", at: path + ".shape") {
      if let known = Destination.Shape(rawValue: shape) {
        destination.shape = known
      } else {
        let shapes = Destination.Shape.allCases.map(\.rawValue)
        complain(
          path + ".shape", "must be one of \(shapes.joined(separator: ", ")), not \"\(shape)\"",
          suggestion: Suggestion.nearest(to: shape, among: shapes))
      }
    }
    readKeys(value, at: path, into: &destination)
    readConnection(value, at: path, into: &destination)
    if let mode = text(value, "mode", at: path + ".mode") {
      if let known = Destination.Mode(rawValue: mode) {
        destination.mode = known
      } else {
        complain(path + ".mode", "must be \"live\", \"hold\" or \"log\"")
      }
    }
    for (header, content) in value["headers"]?.members ?? [] {
      if let text = content.string {
        destination.headers.append(.init(name: header, value: text))
      } else if let bytes = secretText(content, at: path + ".headers." + header) {
        let text = String(decoding: bytes, as: UTF8.self)
        destination.headers.append(.init(name: header, value: text, isSecret: true))
      }
    }
    if let time = duration(value, "timeout", at: path + ".timeout") { destination.timeoutMilliseconds = time }
    if let time = duration(value, "connect_timeout", at: path + ".connect_timeout") {
      destination.connectTimeoutMilliseconds = time
    }
    if let count = integer(value, "concurrency", at: path + ".concurrency", in: 1...512) {
      destination.concurrency = Int(count)
    }
    if let retry = value["retry"] { destination.retryDelaysMilliseconds = readRetry(retry, at: path + ".retry") }
    readFlow(value, at: path, into: &destination)
    if let allow = value["allow"] { destination.allowedNetworks = texts(allow, at: path + ".allow") }
    for problem in DestinationCheck.problems(of: destination) {
      complaints.append(file.complaint(at: path, "'\(path)': \(problem)"))
    }
    configuration.destinations.append(destination)
  }

  /// How fast and in which order.
  private mutating func readFlow(_ value: JSONCursor, at path: String, into destination: inout Destination) {
    if let rate = value["rate"] {
      if let number = rate.double, (0.001...100_000).contains(number) {
        destination.ratePerSecond = number
      } else {
        complain(path + ".rate", "must be how many tries may start within a second, from 0.001 to 100000")
      }
    }
    if let order = text(value, "order", at: path + ".order") {
      let parts = order.split(separator: ".", omittingEmptySubsequences: false)
      if order == "subject" || parts.count > 1 && parts[0] == "data" && !parts.contains("") {
        destination.order = order
      } else {
        complain(path + ".order", "must be \"subject\" or a path into the data such as \"data.invoice\"")
      }
    }
    if let poisoned = text(value, "poisoned", at: path + ".poisoned") {
      if poisoned == "block" || poisoned == "skip" {
        destination.blocksPoisoned = poisoned == "block"
      } else {
        complain(path + ".poisoned", "must be \"skip\" or \"block\"")
      }
      if destination.order.isEmpty { complain(path + ".poisoned", "has no meaning without 'order'") }
    }
  }

  private mutating func readPreset(_ value: JSONCursor, at path: String) -> DestinationPreset? {
    guard let name = text(value, "preset", at: path + ".preset") else { return nil }
    if let preset = DestinationPreset(rawValue: name) { return preset }
    let names = DestinationPreset.allCases.map(\.rawValue)
    complain(
      path + ".preset", "must be one of \(names.joined(separator: ", ")), not \"\(name)\"",
      suggestion: Suggestion.nearest(to: name, among: names))
    return nil
  }

  /// Some receivers are known by an address that nobody else may know: it comes from a file then.
  private mutating func address(_ value: JSONCursor, _ key: String, at path: String) -> String? {
    guard let given = value[name: key], given.kind == .object else { return text(value, key, at: path) }
    return secretText(given, at: path).map { String(decoding: $0, as: UTF8.self) }
  }

  private mutating func secrets(_ value: JSONCursor, at path: String) -> [Secret] {
    var secrets: [Secret] = []
    if let one = value["secret"] { secrets = secretTexts(one, at: path + ".secret") }
    for (position, one) in (value["secrets"]?.elements ?? []).enumerated() {
      secrets += secretTexts(one, at: path + ".secrets.\(position + 1)")
    }
    return secrets
  }

  /// What signs or shows who we are, beside the first signature.
  private mutating func readKeys(_ value: JSONCursor, at path: String, into destination: inout Destination) {
    if let key = value["signing_key"] {
      for text in secretTexts(key, at: path + ".signing_key") {
        do throws(DeliveryError) {
          var seed = try SigningKey.parsePrivate(String(decoding: text.bytes, as: UTF8.self))
          seed.until = text.until
          destination.signingKeys.append(seed)
        } catch { complain(path + ".signing_key", "\(error)") }
      }
    }
    if let more = value["also_sign"] { readMoreSigning(more, value, at: path, into: &destination) }
    if let header = text(value, "id_header", at: path + ".id_header") { destination.idHeader = header }
    if let bearer = value["bearer"], let bytes = secretText(bearer, at: path + ".bearer") {
      destination.authorization = Secret(bytes: Array("Bearer ".utf8) + bytes)
    }
    if let basic = value["basic"], let bytes = secretText(basic, at: path + ".basic") {
      if value["bearer"] != nil { complain(path, "has both bearer and basic; use one") }
      // A key alone is the user's name without a password.
      let pair = bytes.contains(UInt8(ascii: ":")) ? bytes : bytes + [UInt8(ascii: ":")]
      destination.authorization = Secret(bytes: Array("Basic \(Base64.encode(pair))".utf8))
    }
  }

  private mutating func readMoreSigning(
    _ more: JSONCursor, _ value: JSONCursor, at path: String, into destination: inout Destination
  ) {
    let known = ["stripe", "github"]
    checkNames(more, at: path + ".also_sign", known: known)
    let keys = secrets(value, at: path)
    guard !keys.isEmpty else {
      if value["secret"] == nil, value["secrets"] == nil {
        complain(path + ".also_sign", "needs a secret to sign with")
      }
      return
    }
    for (name, header) in more.members where known.contains(name) {
      guard let header = header.string, !header.isEmpty else {
        complain(path + ".also_sign." + name, "must be the name of the header, such as \"X-Signature\"")
        continue
      }
      destination.moreSigning.append(
        name == "stripe" ? .stripe(header: header, keys) : .github(header: header, keys))
    }
  }

  /// How it is reached, and what it takes.
  private mutating func readConnection(_ value: JSONCursor, at path: String, into destination: inout Destination) {
    for (key, place) in [
      ("ca", \Destination.Certificates.authority), ("client_certificate", \Destination.Certificates.client),
      ("client_key", \Destination.Certificates.clientKey.bytes),
    ] {
      guard let file = value[name: key], let bytes = secretText(file, at: path + "." + key) else { continue }
      if !String(decoding: bytes.prefix(40), as: UTF8.self).hasPrefix("-----BEGIN ") {
        complain(path + "." + key, "must be PEM text, which begins with -----BEGIN")
      }
      destination.certificates[keyPath: place] = bytes
    }
    if let method = text(value, "method", at: path + ".method") {
      if Destination.methods.contains(method) {
        destination.method = method
      } else {
        complain(path + ".method", "must be one of \(Destination.methods.joined(separator: ", "))")
      }
    }
    if let proxy = address(value, "proxy", at: path + ".proxy") {
      destination.proxy = proxy
      destination.hasSecretProxy = value["proxy"]?.string == nil
    }
    if let types = value["types"] { destination.types = texts(types, at: path + ".types") }
    if let names = value["reply_headers"] {
      destination.replyHeaders = texts(names, at: path + ".reply_headers").map { $0.lowercased() }
    }
    if let transform = text(value, "transform", at: path + ".transform") { destination.transform = transform }
    if let test = value["test"] {
      if let isTest = test.boolean {
        destination.isTest = isTest
      } else {
        complain(path + ".test", "must be true or false")
      }
    }
  }

  private mutating func readSigning(
    _ value: JSONCursor, at path: String, preset: DestinationPreset?
  ) -> Destination.Signing? {
    let scheme = text(value, "signing", at: path + ".signing") ?? preset?.signing ?? "standard"
    let secrets = secrets(value, at: path)
    switch scheme {
    case "none": return Destination.Signing.none
    case "standard":
      if secrets.isEmpty {
        if value["signing_key"] != nil { return .standard([]) }
        if value["secret"] == nil, value["secrets"] == nil {
          complain(path, "needs a secret to sign with: credential \"NAME\" or file \"PATH\" (or signing = \"none\")")
        }
        return nil
      }
      return .standard(secrets.compactMap { readStandardSecret($0, at: path) })
    case "body":
      guard !secrets.isEmpty else {
        if value["secret"] == nil, value["secrets"] == nil {
          complain(path, "needs a secret to sign with: credential \"NAME\" or file \"PATH\"")
        }
        return nil
      }
      return .body(
        header: text(value, "header", at: path + ".header") ?? "X-Signature",
        prefix: value["prefix"]?.string ?? "sha256=", secrets: secrets)
    default:
      complain(path + ".signing", "must be \"standard\", \"body\" or \"none\"")
      return nil
    }
  }

  private mutating func readStandardSecret(_ text: Secret, at path: String) -> Secret? {
    do throws(DeliveryError) {
      var secret = try WebhookSecret.parse(String(decoding: text.bytes, as: UTF8.self))
      secret.until = text.until
      return secret
    } catch {
      complaints.append(file.complaint(at: path + ".secret", "'\(path).secret': \(error)"))
      return nil
    }
  }

  private mutating func readRetry(_ value: JSONCursor, at path: String) -> [Int64] {
    // An empty table: it is tried once.
    if value.string == nil, value.count == 0 { return [] }
    return texts(value, at: path).compactMap { text in
      let milliseconds = DurationText.milliseconds(text)
      if milliseconds == nil {
        complain(path, "has \"\(text)\", which is no duration; write for example {\"5 s\", \"1 m\"}")
      }
      return milliseconds
    }
  }

  private mutating func readRetention(_ value: JSONCursor) {
    checkNames(value, at: "retention", known: ["events", "verdicts", "attempts", "runs", "size"])
    if let time = duration(value, "events", at: "retention.events") { configuration.eventsMilliseconds = time }
    if let time = duration(value, "verdicts", at: "retention.verdicts") { configuration.verdictsMilliseconds = time }
    if let time = duration(value, "attempts", at: "retention.attempts") { configuration.attemptsMilliseconds = time }
    if let size = value["size"] {
      if let bytes = ByteSize.parse(size.string ?? "") {
        configuration.sizeBytes = bytes
      } else {
        complain("retention.size", "must be a size such as \"20 GB\", or \"none\"")
      }
    }
    if let time = duration(value, "runs", at: "retention.runs") { configuration.runsMilliseconds = time }
  }
}

/// What well-known receivers want, so that nobody has to look it up. Every part can be overridden.
enum DestinationPreset: String, CaseIterable {
  case generic, slack, segment, stripe, zapier, n8n, make

  /// Most of them know their callers by the address alone, or by a key of theirs.
  var signing: String { self == .generic ? "standard" : "none" }

  func apply(to destination: inout Destination) {
    switch self {
    case .generic: break
    case .slack, .zapier, .n8n, .make: destination.shape = .bare
    case .segment: destination.shape = .segment
    case .stripe:
      destination.shape = .form
      destination.idHeader = "Idempotency-Key"
    }
  }
}

/// Sizes as people write them: "500 MB", "20 GB"; "none" is 0.
enum ByteSize {
  static func parse(_ text: String) -> Int64? {
    if text == "none" { return 0 }
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let units: [String: Int64] = ["MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000]
    let unit = text.dropFirst(digits.count).filter { $0 != " " }
    guard let number = Int64(digits), number > 0, number < 1_000_000, let factor = units[String(unit)] else {
      return nil
    }
    return number * factor
  }
}

/// Several complaints as one error; printed one a line.
struct Complaints: Error, Sendable, CustomStringConvertible {
  let list: [RuleComplaint]
  init(_ list: [RuleComplaint]) { self.list = list }
  var description: String { list.map(\.description).joined(separator: "\n") }
}

/// "HOST:PORT", or the path of a Unix socket.
enum ListenText {
  static func isPath(_ text: String) -> Bool { text.hasPrefix("/") || text.hasPrefix("unix:") }

  /// Why nobody can listen there, as far as the text says it.
  static func problem(of text: String) -> String? { isPath(text) ? nil : Listener.problem(of: text) }
}

/// "sqlite:PATH" or a plain path.
enum StoreAddress {
  static func path(_ text: String, file: EvaluatedFile? = nil) throws(RuleComplaint) -> String {
    let path = text.hasPrefix("sqlite:") ? String(text.dropFirst(7)) : text
    if path.isEmpty || path.hasPrefix(":") {
      let message = "\"\(text)\" names no file for the store; write \"sqlite:PATH\""
      throw file?.complaint(at: "store", message)
        ?? RuleComplaint(file: "the store's address", line: 1, message: message)
    }
    if text.hasPrefix("postgres:") || text.hasPrefix("postgresql:") {
      let message = "PostgreSQL as the store is not available in this version; write \"sqlite:PATH\""
      throw file?.complaint(at: "store", message)
        ?? RuleComplaint(file: "the store's address", line: 1, message: message)
    }
    return path
  }
}

/// The few things commands do with files.
enum Files {
  static func read(_ path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { Glibc.close(descriptor) }
    return read(descriptor: descriptor)
  }

  /// To its end.
  static func read(descriptor: Int32) -> [UInt8]? {
    var out: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      // Whatever has no end is no file of ours.
      if out.count > 256 << 20 {
        errno = EFBIG
        return nil
      }
      let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count < 0 { return nil }
      if count == 0 { return out }
      out.append(contentsOf: chunk[..<count])
    }
  }

  /// False when the file exists or cannot be written.
  static func create(_ path: String, _ text: String, mode: mode_t = 0o644) -> Bool {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { return false }
    defer { Glibc.close(descriptor) }
    var bytes = Array(text.utf8)
    return bytes.withUnsafeMutableBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
  }

  /// Neither a file nor missing. A pipe would hold whoever opens it for ever.
  static func isSpecial(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT != S_IFREG
  }

  /// Whether anybody but its owner may read or change it.
  static func isOpenToOthers(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & 0o077 != 0
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func makeFolder(_ path: String) {
    var made = ""
    for part in path.split(separator: "/", omittingEmptySubsequences: false) {
      made +=
        made.isEmpty && !path.hasPrefix("/")
        ? String(part) : (made == "/" ? "" : made.isEmpty ? "" : "/") + String(part)
      if made.isEmpty { made = "/" }
      mkdir(made, 0o755)
    }
  }

  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  static func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  /// What lies below a rules folder.
  struct RuleFiles {
    /// Every .lua file, as paths relative to the folder.
    var sources: [RuleSource] = []
    /// What is there and cannot be read: a rule must not vanish without a word.
    var complaints: [RuleComplaint] = []
  }

  /// Nil when there is no such folder.
  static func rules(in folder: String) -> RuleFiles? {
    var out = RuleFiles()
    guard collect(folder, "", depth: 0, into: &out) else { return nil }
    out.sources.sort { $0.path < $1.path }
    return out
  }

  private static func collect(_ root: String, _ below: String, depth: Int, into out: inout RuleFiles) -> Bool {
    func complain(_ path: String, _ why: String) {
      let message = "cannot be read: \(why); mend or remove it"
      out.complaints.append(RuleComplaint(file: root + "/" + path, line: 1, message: message))
    }
    // Deeper than anybody sorts rules: a link leads back up.
    if depth > 16 {
      complain(below, "folders are nested too deeply; is there a link to a folder above it?")
      return true
    }
    guard let folder = opendir(below.isEmpty ? root : root + "/" + below) else { return false }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasPrefix(".") { continue }
      let path = below.isEmpty ? name : below + "/" + name
      var information = stat()
      let isThere = stat(root + "/" + path, &information) == 0
      let kind = information.st_mode & S_IFMT
      if isThere, kind == S_IFDIR {
        if !collect(root, path, depth: depth + 1, into: &out) { complain(path, String(cString: strerror(errno))) }
      } else if isThere, kind != S_IFREG, name.hasSuffix(".lua") || isTable(path) {
        // A pipe in the place of a file would hold whoever opens it for ever, signals and all.
        complain(path, "it is no plain file")
      } else if name.hasSuffix(".lua") {
        if let bytes = read(root + "/" + path) {
          out.sources.append(RuleSource(path: path, text: String(decoding: bytes, as: UTF8.self)))
        } else {
          complain(path, String(cString: strerror(errno)))
        }
      } else if isTable(path) {
        addTable(root, path, to: &out)
      }
    }
    return true
  }

  private static func isTable(_ path: String) -> Bool { path.hasPrefix("data/") && path.hasSuffix(".csv") }

  /// A spreadsheet becomes the library that it stands for.
  private static func addTable(_ root: String, _ path: String, to out: inout RuleFiles) {
    let file = root + "/" + path
    guard let bytes = read(file) else {
      let why = String(cString: strerror(errno))
      return out.complaints.append(
        RuleComplaint(file: file, line: 1, message: "cannot be read: \(why); mend or remove it"))
    }
    let name = path.dropLast(".csv".count) + ".lua"
    if exists(root + "/" + name) {
      let message = "there is also \(name), and use would not know which one is meant; remove one of them"
      return out.complaints.append(RuleComplaint(file: file, line: 1, message: message))
    }
    do throws(RuleComplaint) {
      let text = try LookUpTable.library(bytes, file: file)
      out.sources.append(RuleSource(path: String(name), text: text))
    } catch {
      out.complaints.append(error)
      // It is there, whatever is wrong with it: rules that use it are not to blame.
      out.sources.append(RuleSource(path: String(name), text: "return (function() return {} end)()"))
    }
  }
}
