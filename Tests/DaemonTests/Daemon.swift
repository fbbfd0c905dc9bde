// `nudged serve` and `nudged receive` as children of a test.
//
// Thread: the test's. Promise: when the initialiser returns, it is ready.

import Basics
import Glibc
import Testing

final class Daemon {
  let place: Place
  let child: Child
  /// The public port; 0 when the public door is something else.
  let port: UInt16

  init(_ place: Place, _ flags: [String] = [], name: String = "serve", environment: [String: String] = [:]) throws {
    self.place = place
    let child = Child(["serve"] + place.configuration + flags, in: place, name: name, environment: environment)
    self.child = child
    try Daemon.waitUntilReady(child)
    port = Daemon.number(after: "port ", in: child.complaint)
  }

  static func waitUntilReady(_ child: Child) throws {
    let isReady = Wait.until { child.complaint.contains("is ready") || child.hasEnded }
    try #require(isReady && !child.hasEnded, "the daemon did not start: \(child.complaint)")
  }

  static func number(after word: String, in text: String) -> UInt16 {
    guard let place = text.firstRange(of: word) else { return 0 }
    return UInt16(text[place.upperBound...].prefix { $0.isNumber }) ?? 0
  }

  var door: Door { .port(port) }
  var admin: Door { .unix(place.path("nudged.db.sock")) }
  var log: String { child.complaint }

  func request(
    _ method: String, _ path: String, _ body: String = "", headers: [String: String] = [:], at door: Door? = nil
  ) throws -> Reply {
    let wire = try #require(Wire(door ?? self.door), "nobody listens; the log says: \(log)")
    wire.send(method, path, headers: headers, body: Array(body.utf8))
    return try #require(wire.reply(), "\(method) \(path) was not answered; the log says: \(log)")
  }

  func get(_ path: String, headers: [String: String] = [:], at door: Door? = nil) throws -> Reply {
    try request("GET", path, headers: headers, at: door)
  }

  func post(_ body: String, to path: String = "/v1/events", headers: [String: String] = [:]) throws -> Reply {
    try request("POST", path, body, headers: headers)
  }

  /// What rules remember about a subject, and its newest event.
  func state(_ subject: String, _ rule: String) throws -> JSONValue? {
    try get("/v1/subjects/" + subject, at: admin)["state"]?[rule]
  }

  /// Stops it politely; its exit code.
  func stop() -> Int32? {
    child.signal(SIGTERM)
    return child.code()
  }

  func crash() {
    child.signal(SIGKILL)
    _ = child.code()
  }

  func command(_ words: String...) -> Child.Result { Child.run(words + place.configuration, in: place) }
}

/// `nudged receive`, and what it printed.
final class Receiver {
  let child: Child
  let port: UInt16

  init(_ flags: [String] = [], port: UInt16 = 0, in place: Place) throws {
    let child = Child(["receive", "--json", "--listen", "127.0.0.1:\(port)"] + flags, in: place, name: "receive")
    self.child = child
    let isReady = Wait.until { child.complaint.contains("receiving on") || child.hasEnded }
    try #require(isReady && !child.hasEnded, "the receiver did not start: \(child.complaint)")
    self.port = port == 0 ? Daemon.number(after: "port ", in: child.complaint) : port
  }

  /// The webhooks so far.
  var hooks: [JSONValue] { child.lines.compactMap { try? Document.parse(String($0)).root.value } }
  var ids: [String] { hooks.compactMap { if case .string(let id) = $0["id"] { id } else { nil } } }
  func waitFor(_ count: Int) -> Bool { Wait.until { child.lines.count >= count } }
}
