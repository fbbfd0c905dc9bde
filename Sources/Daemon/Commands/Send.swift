// nudged send: sends an event, or a file of them, to a daemon.
//
// Thread: main. Promise: exit 0 only when the daemon has all of it on disk.

internal import Basics
internal import Glibc

extension Command {
  static let send = Command(
    name: "send", summary: "send an event to a daemon",
    help: """
      nudged send NAME --user ID [--account ID] [--thing KIND:ID] [--data JSON] [--id ID] [--time TIME]
      nudged send --file EVENTS.ndjson    (one event a line, or a JSON array; - reads standard input)
      nudged send --story STORY.ndjson    (one after the other, each when the daemon's clock has come to it)

      Goes over HTTP to --listen (default 127.0.0.1:8484); --key KEY or NUDGED_KEY sends a key.
      A story has the lines of `nudged play` but replies: events, {"advance": "3 days"}, and comments (//),
      which are printed. "@2 days" in an event stands for the moment two days after the story began.
      Example: nudged send signup --user 42 --data '{"plan": "pro"}'
      """
  ) { raw in
    try Send(
      Arguments(
        raw, values: ["--user", "--account", "--thing", "--data", "--id", "--time", "--file", "--story", "--key"])
    )
    .run()
  }
}

private struct Send {
  let arguments: Arguments

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() throws -> Int32 {
    if let path = arguments.value("--story") {
      try arguments.takeNoWords()
      return try Story(try file(path), name: path).tell(to: try client())
    }
    let body = try arguments.value("--file").map(file) ?? event()
    let response = try client().send("POST", "/v1/events", body: body, type: "application/json")
    let root = try? Document.parse(response.body).root
    if arguments.wantsJSON { Terminal.print(response.text) }
    guard response.status == 200, let root else {
      if !arguments.wantsJSON {
        Terminal.complain(root?["message"]?.string ?? "the daemon answered \(response.status)")
      }
      return 1
    }
    let refused = root["refused"]?.elements ?? []
    if !arguments.wantsJSON {
      Terminal.print(
        "accepted \(root["accepted"]?.integer ?? 0), of these seen before \(root["duplicates"]?.integer ?? 0), refused \(refused.count)"
      )
      for refusal in refused {
        Terminal.complain("event \((refusal["index"]?.integer ?? 0) + 1): \(refusal["message"]?.string ?? "")")
      }
    }
    return refused.isEmpty ? 0 : 1
  }

  private func client() throws -> Client {
    let address =
      arguments.shared("listen") ?? (try? arguments.configuration().listen.first) ?? "127.0.0.1:8484"
    let key = arguments.value("--key") ?? Files.environment("NUDGED_KEY")
    if address.hasPrefix("/") || address.hasPrefix("unix:") {
      return Client(target: .unix(address.hasPrefix("unix:") ? String(address.dropFirst(5)) : address), key: key)
    }
    guard let colon = address.lastIndex(of: ":") else {
      throw UsageError("--listen must be HOST:PORT, not \"\(address)\"")
    }
    var host = String(address[..<colon]).filter { $0 != "[" && $0 != "]" }
    if host.isEmpty || host == "*" || host == "0.0.0.0" { host = "127.0.0.1" }
    return Client(target: .tcp(host: host, port: String(address[address.index(after: colon)...])), key: key)
  }

  private func file(_ path: String) throws -> [UInt8] {
    // Standard input by its number: where it is a socket, /dev/stdin cannot be opened.
    guard let bytes = path == "-" ? Files.read(descriptor: 0) : Files.read(path) else {
      throw UsageError("cannot read \(path): \(String(cString: strerror(errno)))")
    }
    return bytes
  }

  private func event() throws -> [UInt8] {
    guard arguments.words.count == 1 else { throw UsageError("write: send NAME --user ID, or send --file FILE") }
    var members: [JSONValue.Member] = [.init("name", .string(arguments.words[0]))]
    for field in ["id", "time", "user", "account", "thing"] {
      if let value = arguments.value("--" + field) { members.append(.init(field, .string(value))) }
    }
    if let data = arguments.value("--data") {
      do throws(JSONError) {
        members.append(.init("data", try Document.parse(data).root.value))
      } catch {
        throw UsageError("--data: \(error); write an object such as '{\"plan\": \"pro\"}'")
      }
    }
    return JSONValue.object(members).text
  }
}
