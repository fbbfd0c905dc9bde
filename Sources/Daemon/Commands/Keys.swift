// nudged keys and nudged verify: the secrets that webhooks are signed with, and checking one by hand.
//
// Thread: main. Promise: a secret is shown only where someone asks for it; a file with secrets is replaced as
// a whole or not at all, and keeps its owner and rights; a new one belongs to its owner alone.

internal import Basics
internal import Delivery
internal import Glibc
internal import Model
internal import Rules

extension Command {
  static let keys = Command(
    name: "keys", summary: "make, list and rotate the secrets of webhooks",
    help: """
      nudged keys create secret|signing [FILE]
      nudged keys list
      nudged keys rotate DESTINATION [--signing] [--overlap DURATION]

      `create` writes a new secret (whsec_…) or Ed25519 signing key (whsk_…) into FILE, or prints it. `list` shows
      which destination uses which, without showing any; of signing keys the public part, which receivers need.
      `rotate` puts a new secret first into the destination's file; the old ones sign as well until the overlap
      (default 24 hours) is over. A header with one signature (signing = "body", also_sign = { github = … }) is
      signed with the oldest one until then, and with the new one from then on. It counts from the next reload.
      """
  ) { raw in
    let arguments = try Arguments(raw, values: ["--overlap"], switches: ["--signing"])
    switch (arguments.words.first ?? "list", arguments.words.count) {
    case ("create", 2...3): return try Keys.create(arguments)
    case ("list", 0...1): return try Keys.list(arguments)
    case ("rotate", 2): return try Keys.rotate(arguments)
    default: throw UsageError("write: keys create secret|signing [FILE], keys list, or keys rotate DESTINATION")
    }
  }

  static let verify = Command(
    name: "verify", summary: "check the signature of a webhook",
    help: """
      nudged verify [--secret-file FILE] [--header NAME] [--stripe-header NAME] [--public-key whpk_…] [FILE]

      Reads a webhook from FILE, or from standard input: its headers, an empty line, and the body as it came.
      Says whether the signature is right, and exits with 1 when it is not.
      """
  ) { raw in
    let arguments = try Arguments(raw, values: Verification.flags)
    guard arguments.words.count <= 1 else { throw UsageError("write: verify [FILE]") }
    let verification = try Verification(arguments)
    if verification.isNone { throw UsageError("verify needs --secret-file or --public-key") }
    let found = arguments.words.first.map { Files.read($0) } ?? Files.read(descriptor: 0)
    guard let bytes = found else {
      throw UsageError("cannot read \(arguments.words.first ?? "standard input"): \(String(cString: strerror(errno)))")
    }
    let (headers, body) = Keys.message(bytes)
    switch verification.check(header: { headers[$0] }, body: body, now: Clocks.system.wall()) {
    case .valid:
      Terminal.print("the signature is valid")
      return 0
    case .refused(let reason):
      Terminal.complain("the signature is refused: \(reason)")
      return 1
    }
  }
}

/// What a receiver checks with, from flags.
struct Verification: Sendable {
  private enum Way: Sendable {
    case none
    case signing(Destination.Signing)
    case stripe(header: String, [Secret])
    case publicKey([UInt8])
  }
  private let way: Way

  static let flags = ["--secret-file", "--header", "--stripe-header", "--public-key"]

  init(_ arguments: Arguments) throws {
    if let text = arguments.value("--public-key") {
      way = .publicKey(try SigningKey.parsePublic(text))
      return
    }
    guard let path = arguments.value("--secret-file") else {
      way = .none
      return
    }
    guard let bytes = Files.read(path) else {
      throw UsageError("cannot read the secret from \(path): \(String(cString: strerror(errno)))")
    }
    guard case .success(let file) = SecretFile.parse(bytes), !file.entries.isEmpty else {
      throw UsageError("\(path) holds no secret; a line is SECRET or SECRET until TIME")
    }
    let secrets = file.current(at: Clocks.system.wall())
    guard !secrets.isEmpty else { throw UsageError("\(path) holds no secret that still counts") }
    if let header = arguments.value("--stripe-header") {
      way = .stripe(header: header, secrets)
    } else if let header = arguments.value("--header") {
      way = .signing(.body(header: header, prefix: "sha256=", secrets: secrets))
    } else {
      let texts = secrets.map { String(decoding: $0.bytes, as: UTF8.self) }
      way = .signing(.standard(try texts.map { try WebhookSecret.parse($0) }))
    }
  }

  var isNone: Bool { if case .none = way { true } else { false } }

  /// The headers it looks at beside those of Standard Webhooks, in small letters.
  var headers: [String] {
    switch way {
    case .signing(.body(let name, _, _)), .stripe(let name, _): [name.lowercased()]
    default: []
    }
  }

  func check(header: (String) -> String?, body: [UInt8], now: Instant) -> SignatureCheck {
    switch way {
    case .none: .valid
    case .signing(let signing): SignatureCheck.check(signing, header: header, body: body, now: now)
    case .stripe(let name, let secrets):
      SignatureCheck.check(stripeHeader: name, secrets: secrets, header: header, body: body, now: now)
    case .publicKey(let key): SignatureCheck.check(publicKey: key, header: header, body: body, now: now)
    }
  }
}

enum Keys {
  static func create(_ arguments: Arguments) throws -> Int32 {
    let kind = arguments.words[1]
    guard kind == "secret" || kind == "signing" else {
      throw UsageError("a key is \"secret\" or \"signing\", not \"\(kind)\"")
    }
    let secret = Secret(bytes: random(32))
    let text = kind == "secret" ? WebhookSecret.text(secret) : SigningKey.text(private: secret)
    let isPublic = kind == "signing" ? SigningKey(seed: secret).map { SigningKey.text(public: $0.publicKey) } : nil
    if arguments.words.count == 3 {
      let path = arguments.words[2]
      guard !Files.exists(path) else {
        throw StartFailure("\(path) is there already; choose another file, or rotate: nudged keys rotate DESTINATION")
      }
      try write(Array((text + "\n").utf8), to: path)
      Terminal.print("\(path) holds a new \(kind == "secret" ? "secret" : "signing key")")
    } else {
      Terminal.print(text)
    }
    if let isPublic { Terminal.print("its public key, for receivers: \(isPublic)") }
    return 0
  }

  private static func random(_ count: Int) -> [UInt8] {
    var source = SystemRandom()
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: source.next()) }
  }

  private static func write(_ bytes: [UInt8], to path: String) throws(StartFailure) {
    let draft = path + ".new"
    unlink(draft)
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw StartFailure("cannot write \(draft): \(String(cString: strerror(errno)))")
    }
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let isWhole = written == bytes.count && keepOwner(of: path, descriptor) && fsync(descriptor) == 0
    Glibc.close(descriptor)
    guard isWhole, rename(draft, path) == 0 else {
      unlink(draft)
      throw StartFailure("cannot write \(path): \(String(cString: strerror(errno)))")
    }
  }

  /// Who rotates is often not who the daemon runs as, and the daemon has to read it at its next reload.
  private static func keepOwner(of path: String, _ descriptor: Int32) -> Bool {
    var was = stat()
    guard stat(path, &was) == 0 else { return errno == ENOENT }
    return fchown(descriptor, was.st_uid, was.st_gid) == 0 && fchmod(descriptor, was.st_mode & 0o777) == 0
  }

  // MARK: list and rotate

  private static let uses = ["secret", "signing_key"]

  static func list(_ arguments: Arguments) throws -> Int32 {
    let (configuration, complaints) = try arguments.readableConfiguration()
    for complaint in complaints { Terminal.complain(complaint.description) }
    let now = Clocks.system.wall()
    var rows: [[String]] = []
    for (path, place) in configuration.secretPlaces.sorted(by: { $0.key < $1.key }) {
      let words = path.split(separator: ".").map(String.init)
      guard words.first == "destinations", words.count >= 3, words[2].hasPrefix("secret") || words[2] == "signing_key"
      else { continue }
      guard let bytes = Files.read(place), case .success(let file) = SecretFile.parse(bytes) else { continue }
      for entry in file.entries {
        rows.append([
          words[1], words[2...].joined(separator: "."), place, entry.until.map { ISO8601.format($0) } ?? "-",
          entry.until.map { $0 > now } ?? true ? "counts" : "over", describe(entry.text),
        ])
      }
    }
    let columns = ["destination", "key", "file", "until", "status", "what"]
    if arguments.wantsJSON {
      let list = rows.map { row in JSONValue.object(zip(columns, row).map { .init($0, .string($1)) }) }
      Terminal.print(JSONValue.object([.init("keys", .array(list))]).pretty)
    } else if rows.isEmpty {
      Terminal.print("no destination has a secret or a signing key")
    } else {
      Columns.print(columns, rows)
    }
    return complaints.isEmpty ? 0 : 1
  }

  /// Never the secret: of signing keys the public part, of others a mark to tell them apart.
  private static func describe(_ text: [UInt8]) -> String {
    let text = String(decoding: text, as: UTF8.self)
    if let seed = try? SigningKey.parsePrivate(text), let key = SigningKey(seed: seed) {
      return "Ed25519, public key \(SigningKey.text(public: key.publicKey))"
    }
    let mark = KeyedHash(key0: 0x6E75_6467_6564_2E6D, key1: 0x6172_6B73).hash(text).hex.prefix(8)
    return (text.hasPrefix("whsec_") ? "Standard Webhooks" : "text") + ", mark \(mark)"
  }

  static func rotate(_ arguments: Arguments) throws -> Int32 {
    let name = arguments.words[1]
    let configuration = try arguments.configuration()
    let use = arguments.has("--signing") ? "signing_key" : "secret"
    guard configuration.destinations.contains(where: { $0.name == name }) else {
      let ending = Suggestion.ending(for: name, among: configuration.destinations.map(\.name))
      throw UsageError("there is no destination '\(name)'\(ending)")
    }
    guard let place = configuration.secretPlaces["destinations.\(name).\(use)"] else {
      throw UsageError("the destination '\(name)' has no \(use) in a file\(otherUse(name, use, configuration))")
    }
    let overlap = arguments.value("--overlap") ?? "24 hours"
    guard let milliseconds = DurationText.milliseconds(overlap) else {
      throw UsageError("--overlap must be a duration such as \"24 hours\", not \"\(overlap)\"")
    }
    guard let bytes = Files.read(place), case .success(let file) = SecretFile.parse(bytes) else {
      throw StartFailure("cannot read the secrets in \(place)")
    }
    let now = Clocks.system.wall()
    let secret = Secret(bytes: random(32))
    let isPlain = file.entries.first.map { !$0.text.starts(with: Array("wh".utf8)) } ?? false
    let text =
      use == "signing_key"
      ? SigningKey.text(private: secret) : isPlain ? Hex.encode(secret.bytes) : WebhookSecret.text(secret)
    let rotated = file.rotated(Array(text.utf8), until: now + milliseconds, now: now)
    try write(rotated.bytes, to: place)
    Terminal.print("the first line of \(place) is the new one")
    let destination = configuration.destinations.first { $0.name == name }
    for line in Keys.overlapLines(of: use, destination, file, until: now + milliseconds, now: now) {
      Terminal.print(line)
    }
    if let key = use == "signing_key" ? SigningKey(seed: secret) : nil {
      Terminal.print("its public key, for receivers: \(SigningKey.text(public: key.publicKey))")
    }
    Terminal.print("give it to the receiver, then: nudged rules reload")
    return 0
  }

  private static func otherUse(_ name: String, _ use: String, _ configuration: Configuration) -> String {
    let other = use == "secret" ? "signing_key" : "secret"
    guard configuration.secretPlaces["destinations.\(name).\(other)"] != nil else { return "" }
    return use == "secret" ? "; add --signing to rotate its signing_key" : "; leave --signing out to rotate its secret"
  }

  /// Who signs until when: a header with one signature cannot carry two.
  private static func overlapLines(
    of use: String, _ destination: Destination?, _ file: SecretFile, until: Instant, now: Instant
  ) -> [String] {
    let current = file.current(at: now)
    guard !current.isEmpty else { return ["no other one counts any more: it signs alone"] }
    // Those of an earlier rotation may have less time left.
    let ends = min(current.first?.until ?? until, until)
    let moment = ISO8601.format(ends)
    let together = "the old one signs as well until \(moment)"
    guard let destination, use == "secret" else { return [together] }
    var single: [String] = []
    if case .body(let header, _, _) = destination.signing { single.append(header) }
    for case .github(let header, _) in destination.moreSigning { single.append(header) }
    var lines = single.isEmpty || hasSignatureOfMany(destination) ? [together] : []
    for header in single {
      lines.append(
        "\(header) has room for one signature: it is the old one's until \(moment), and the new one's from then on")
    }
    return lines
  }

  private static func hasSignatureOfMany(_ destination: Destination) -> Bool {
    if case .standard = destination.signing { return true }
    return destination.moreSigning.contains { if case .stripe = $0 { true } else { false } }
  }

  // MARK: messages

  /// Headers by small letters, and the body behind the empty line; a request line is passed over.
  static func message(_ bytes: [UInt8]) -> ([String: String], [UInt8]) {
    var headers: [String: String] = [:]
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A) {
      var line = rest[..<end]
      rest = rest[(end + 1)...]
      if line.last == 0x0D { line = line.dropLast() }
      if line.isEmpty { break }
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
      let value = line[(colon + 1)...].drop { $0 == 0x20 }
      headers[name] = String(decoding: value, as: UTF8.self)
    }
    return (headers, Array(rest))
  }
}
