// A loop under the test's own hand: the test turns it round by round on its own thread and moves its
// clock, so that nothing depends on how long something takes.
//
// Thread: the test's. Promise: waiting ends by a condition or fails after five real seconds.

import Basics
import CPlatform
import Glibc
import Intake
import Synchronization
import Testing

final class HandClock: Sendable {
  private let nanoseconds = Atomic<Int64>(1_000_000_000)
  func advance(milliseconds: Int64) { nanoseconds.add(milliseconds * 1_000_000, ordering: .relaxed) }
  var clocks: Clocks {
    Clocks(wall: { .zero }, steadyNanoseconds: { [self] in nanoseconds.load(ordering: .relaxed) })
  }
}

/// What a test saw of a request, copied while it was valid.
struct Seen {
  var token: AnswerToken
  var method: Method
  var path: String
  var body: [UInt8]
  var listener: ListenerKind
  var peer: Peer
}

final class ScriptedHandler: RequestHandler {
  var seen: [Seen] = []
  var turns = 0
  var limit = 1 << 20
  /// Nil leaves the request to the test.
  var reply: (Seen) -> Answer? = { _ in Answer(status: 200, body: Array("{}".utf8)) }
  var inspect: (borrowing Request) -> Void = { _ in }

  func handle(_ request: borrowing Request, token: AnswerToken) -> Answer? {
    inspect(request)
    let now = Seen(
      token: token, method: request.method, path: request.pathText, body: Array(request.body),
      listener: request.listener, peer: request.peer)
    seen.append(now)
    return reply(now)
  }

  func bodyLimit(for request: borrowing Request) -> Int { limit }
  func turnEnded() { turns += 1 }
}

final class Door {
  let clock = HandClock()
  let handler = ScriptedHandler()
  let box = AnswerBox()
  let loop: ConnectionLoop
  let port: UInt16

  init(_ address: ListenAddress = .tcp("127.0.0.1:0"), kind: ListenerKind = .public, limits: IntakeLimits = IntakeLimits())
    throws
  {
    let listener = try Listener(address, kind: kind)
    port = listener.port
    loop = ConnectionLoop(
      listeners: [listener], handler: handler, answers: box, limits: limits, clocks: clock.clocks)
  }

  func connect() -> Client { Client(port: port) }

  /// Turns the loop until the condition holds.
  func turn(_ clients: Client..., sourceLocation: SourceLocation = #_sourceLocation, until condition: () -> Bool) {
    let limit = platform_monotonic_ns() + 5_000_000_000
    while platform_monotonic_ns() < limit {
      loop.turn(waitAtMost: 1)
      for client in clients { client.collect() }
      if condition() { return }
    }
    Issue.record("the condition did not come true within five seconds", sourceLocation: sourceLocation)
  }

  /// Lets everything happen that is going to: a few rounds without an event.
  func settle(_ clients: Client...) {
    for _ in 0..<8 {
      loop.turn(waitAtMost: 1)
      for client in clients { client.collect() }
    }
  }

  /// Sends and waits for so many answers.
  @discardableResult
  func exchange(_ client: Client, _ text: String, answers: Int = 1, sourceLocation: SourceLocation = #_sourceLocation)
    -> [Reply]
  {
    client.send(Array(text.utf8))
    turn(client, sourceLocation: sourceLocation) { client.replies.count >= answers }
    return client.replies
  }
}

struct Reply: Equatable {
  var status: Int
  var head: String
  var body: String
}

final class Client {
  private(set) var descriptor: Int32
  private(set) var received: [UInt8] = []
  private(set) var isEnded = false
  /// Which answers carry no body although they announce one.
  var headRequests: Set<Int> = []

  init(descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  convenience init(port: UInt16) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    precondition(code == 0, "cannot connect to port \(port)")
    self.init(descriptor: descriptor)
  }

  convenience init(unix path: String) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    precondition(code == 0, "cannot connect to \(path)")
    self.init(descriptor: descriptor)
  }

  deinit { close() }

  func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// As much as the kernel takes; what is refused is refused on purpose in these tests.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Int { Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }

  func collect() {
    guard descriptor >= 0, !isEnded else { return }
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count > 0 { received += chunk[..<count] } else { return isEnded = count == 0 || errno != EAGAIN }
    }
  }

  var text: String { String(decoding: received, as: UTF8.self) }

  /// The whole answers so far.
  var replies: [Reply] {
    var rest = received[...]
    var found: [Reply] = []
    while let end = Client.position(of: "\r\n\r\n", in: rest) {
      let head = String(decoding: rest[..<end], as: UTF8.self)
      let status = Int(head.dropFirst(9).prefix(3)) ?? 0
      var length = 0
      for line in head.split(separator: "\r\n") where line.hasPrefix("Content-Length: ") { length = Int(line.dropFirst(16)) ?? 0 }
      if headRequests.contains(found.count) { length = 0 }
      guard rest.endIndex - (end + 4) >= length else { break }
      if status != 100 { found.append(Reply(status: status, head: head, body: String(decoding: rest[(end + 4)..<(end + 4 + length)], as: UTF8.self))) }
      rest = rest[(end + 4 + length)...]
    }
    return found
  }

  static func position(of pattern: StaticString, in bytes: ArraySlice<UInt8>) -> Int? {
    let wanted = Array(pattern.description.utf8)
    guard bytes.count >= wanted.count else { return nil }
    return (bytes.startIndex...(bytes.endIndex - wanted.count)).first { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
  }
}
