// nudged receive: a receiver for trying things out. It checks signatures and prints what arrives.
//
// Thread: main waits for signals, "intake" serves. Promise: a webhook with a wrong signature is
// answered 401 and says why; nothing is stored.

internal import Basics
internal import CPlatform
internal import Delivery
internal import Glibc
internal import Intake
internal import Model

extension Command {
  static let receive = Command(
    name: "receive", summary: "receive webhooks, check their signatures and print them",
    help: """
      nudged receive [--listen HOST:PORT] [--secret-file FILE] [--header NAME] [--stripe-header NAME]
                     [--public-key whpk_…] [--status N] [--answer 'TYPE=STATUS JSON']… [--count N] [--brief]

      Listens (default 127.0.0.1:9000), verifies the Standard Webhooks signature with the secret in FILE
      (whsec_…); with --header the HMAC of the body in that header (sha256=…), with --stripe-header the form
      t=…,v1=…; with --public-key the signature v1a. Prints each webhook. Without a secret or key nothing is
      verified. --status answers that instead of 200, to see retries; each --answer is for one webhook of its
      type, in the order given; --count ends after so many; --brief prints one line for each.
      Example: --answer 'payment.retry=402 {"outcome": "declined", "code": "insufficient_funds"}'
      """
  ) { raw in
    try Receive(
      Arguments(raw, values: Verification.flags + ["--status", "--answer", "--count"], switches: ["--brief"])
    ).run()
  }
}

private struct Receive {
  let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() throws -> Int32 {
    let signals = platform_signalfd([SIGTERM, SIGINT], 2)
    try arguments.takeNoWords()
    let verification = try Verification(arguments)
    let status = try arguments.integer("--status").map(Int.init) ?? 200
    guard (200...599).contains(status) else { throw UsageError("--status must be 200 to 599, not \(status)") }
    if try arguments.integer("--count") == 0 { throw UsageError("--count must be at least 1") }
    let address = arguments.value("--listen") ?? "127.0.0.1:9000"
    let finished = WakeUp()
    let receiver = Receiving(
      verification: verification, status: status, script: try arguments.all("--answer").map(Scripted.init),
      form: arguments.wantsJSON ? .json : arguments.has("--brief") ? .brief : .full,
      left: try arguments.integer("--count"), finished: finished)
    let listener = try Listener(address.hasPrefix("/") ? .unix(path: address) : .tcp(address), kind: .public)
    let port = listener.port
    let loop = ConnectionLoop(listeners: [listener], handler: receiver, answers: AnswerBox())
    let worker = Worker.start("intake") { loop.run() }
    let how = verification.isNone ? "signatures are not checked" : "signatures are checked"
    Terminal.complain("receiving on \(address.hasSuffix(":0") ? "port \(port)" : address); \(how)")
    wait(signals, finished)
    loop.stop(deadlineMilliseconds: 1_000)
    worker.join()
    return 0
  }

  private func wait(_ signals: Int32, _ finished: WakeUp) {
    let epoll = platform_epoll_create()
    platform_epoll_add(epoll, signals, PLATFORM_READABLE.rawValue, 1)
    platform_epoll_add(epoll, finished.descriptor, PLATFORM_READABLE.rawValue, 2)
    var ready = [platform_event](repeating: platform_event(), count: 2)
    while platform_epoll_wait(epoll, &ready, 2, -1) == 0 {}
    Glibc.close(epoll)
  }
}

/// What one webhook of a type is answered.
private struct Scripted {
  let type: String
  let status: Int
  let body: [UInt8]

  init(_ text: String) throws {
    let sides = text.split(separator: "=", maxSplits: 1)
    let words = sides.count == 2 ? sides[1].split(separator: " ", maxSplits: 1) : []
    guard let first = words.first, let status = Int(first), (200...599).contains(status) else {
      throw UsageError("--answer must be TYPE=STATUS, or TYPE=STATUS JSON, not \"\(text)\"")
    }
    type = String(sides[0])
    self.status = status
    body = words.count == 2 ? Array(words[1].utf8) : Array("{}".utf8)
    do throws(JSONError) { _ = try Document.parse(body) } catch { throw UsageError("--answer \(type): \(error)") }
  }
}

private final class Receiving: RequestHandler, @unchecked Sendable {
  private let verification: Verification
  private let status: Int
  /// What is left of it; the loop's thread alone uses it up.
  private var script: [Scripted]
  private let form: Form
  private var left: Int64?
  private let finished: WakeUp

  enum Form { case full, brief, json }

  init(
    verification: Verification, status: Int, script: [Scripted], form: Form, left: Int64?, finished: WakeUp
  ) {
    self.verification = verification
    self.status = status
    self.script = script
    self.form = form
    self.left = left
    self.finished = finished
  }

  func bodyLimit(for request: borrowing Request) -> Int { 5 << 20 }
  func turnEnded() {}

  func handle(_ request: borrowing Request, token: AnswerToken) -> Answer? {
    guard request.method == .post else {
      return Answer(status: 405, code: "wrong_method", message: "webhooks come with POST")
    }
    var headers: [String: String] = [:]
    for name in Receiving.names + verification.headers { headers[name] = request.headerText(named: name) }
    let body = Array(request.body)
    let found = headers
    let check = verification.check(header: { found[$0] }, body: body, now: Clocks.system.wall())
    let value = (try? Document.parse(body))?.root.value ?? .string(String(decoding: body, as: UTF8.self))
    show(check, headers, value, at: request.pathText)
    if let count = left {
      left = count - 1
      if count <= 1 { finished.signal() }
    }
    if case .refused(let reason) = check { return Answer(status: 401, code: "bad_signature", message: reason) }
    return answer(to: value)
  }

  private func answer(to value: JSONValue) -> Answer {
    guard case .string(let type) = value["type"], let place = script.firstIndex(where: { $0.type == type }) else {
      return Answer(status: status, body: Array("{}\n".utf8))
    }
    let scripted = script.remove(at: place)
    if form == .brief {
      Terminal.print("         answered \(scripted.status) \(String(decoding: scripted.body, as: UTF8.self))")
    }
    return Answer(status: scripted.status, body: scripted.body)
  }

  /// Long texts are cut, so that every field fits into the line.
  private static func shortened(_ value: JSONValue) -> JSONValue {
    switch value {
    case .string(let text): return text.count > 50 ? .string(text.prefix(24) + "…") : value
    case .array(let elements): return .array(elements.map(shortened))
    case .object(let members): return .object(members.map { JSONValue.Member($0.key, shortened($0.value)) })
    default: return value
    }
  }

  private static let names = ["webhook-id", "webhook-timestamp", "webhook-signature"]

  private func show(_ check: SignatureCheck, _ headers: [String: String], _ value: JSONValue, at path: String) {
    let verdict: String =
      switch check {
      case .valid: verification.isNone ? "not checked" : "valid"
      case .refused(let reason): "REFUSED: " + reason
      }
    switch form {
    case .json:
      let line: JSONValue = ["id": .string(headers["webhook-id"] ?? ""), "signature": .string(verdict), "body": value]
      Terminal.print(String(decoding: line.text, as: UTF8.self))
    case .brief:
      let time = value["timestamp"]?.text.dropFirst().prefix(16).map { $0 == 0x54 ? 0x20 : $0 } ?? []
      // As JSON has it, without the quotes: whoever sends cannot begin a line of the terminal.
      var type: ArraySlice<UInt8> = []
      if let given = value["type"], case .string = given { type = given.text[...].dropFirst().dropLast() }
      let whole = String(decoding: Receiving.shortened(value["data"] ?? value).text, as: UTF8.self)
      let data = whole.count > 500 ? whole.prefix(500) + "…" : whole
      let head = String(decoding: time, as: UTF8.self) + "  \(path) " + String(decoding: type, as: UTF8.self)
      Terminal.print("\(head) \(data)  (signature \(verdict))")
    case .full:
      Terminal.print("webhook \(headers["webhook-id"] ?? "") (signature \(verdict))\n\(value.pretty)\n")
    }
  }
}
