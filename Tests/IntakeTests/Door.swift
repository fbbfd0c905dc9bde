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

  init(
    _ address: ListenAddress = .tcp("127.0.0.1:0"), kind: ListenerKind = .public, limits: IntakeLimits = IntakeLimits()
  ) throws {
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
