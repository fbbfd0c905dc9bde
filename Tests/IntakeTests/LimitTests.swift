// Doors, limits and the end: how many may come in, through what, and how the loop stops.
//
// Thread: each test its own. Promise: who is turned away is told so.

import Basics
import CPlatform
import Glibc
import Intake
import Testing

@Suite struct LimitTests {
  private let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

  private func temporaryPath() -> String { "/tmp/nudged-intake-\(getpid())-\(platform_monotonic_ns()).sock" }

  @Test func `connections over the limit of an address are told 429`() throws {
    var limits = IntakeLimits()
    limits.connectionsPerAddress = 2
    let door = try Door(limits: limits)
    let clients = (0..<3).map { _ in door.connect() }
    door.turn(clients[2]) { clients[2].isEnded }
    #expect(clients[2].replies.map(\.status) == [429])
    #expect(clients[2].replies[0].head.contains("Retry-After: "))
    clients[0].close()
    door.turn { door.loop.counters.values.open == 1 }
    let next = door.connect()
    #expect(door.exchange(next, request).map(\.status) == [200])
  }

  @Test func `connections over the limit are told 503, and the administrator still gets in`() throws {
    var limits = IntakeLimits()
    limits.connections = 2
    limits.adminConnections = 1
    let path = temporaryPath()
    let clock = HandClock()
    let handler = ScriptedHandler()
    let open = try Listener(.tcp("127.0.0.1:0"), kind: .public)
    let port = open.port
    let admin = try Listener(.unix(path: path), kind: .admin)
    let loop = ConnectionLoop(
      listeners: [open, admin], handler: handler, answers: AnswerBox(), limits: limits, clocks: clock.clocks)
    let clients = (0..<3).map { _ in Client(port: port) }
    let administrator = Client(unix: path)
    administrator.send(request)
    for _ in 0..<20 { loop.turn(waitAtMost: 1) }
    clients[2].collect()
    administrator.collect()
    #expect(clients[2].replies.map(\.status) == [503])
    #expect(administrator.replies.map(\.status) == [200])
    #expect(handler.seen.map(\.listener) == [.admin])
    #expect(handler.seen[0].peer.isUnix && handler.seen[0].peer.isLoopback && handler.seen[0].peer.user == getuid())
  }

  @Test func `a Unix socket is private, replaces a dead one, and goes with its listener`() throws {
    let path = temporaryPath()
    var status = stat()
    do {
      let door = try Door(.unix(path: path), kind: .admin)
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
      #expect(throws: ListenError.self) { try Listener(.unix(path: path), kind: .admin) }
      let client = Client(unix: path)
      #expect(door.exchange(client, request).map(\.status) == [200])
    }
    #expect(stat(path, &status) != 0)
    try leaveDeadSocket(path)
    #expect(stat(path, &status) == 0)
    let door = try Door(.unix(path: path, mode: 0o660))
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o660)
    #expect(door.port == 0)
  }

  /// What a killed process leaves behind: the file, and nobody who listens.
  private func leaveDeadSocket(_ path: String) throws {
    let listener = try Listener(.unix(path: path), kind: .admin)
    let kept = path + ".kept"
    #expect(rename(path, kept) == 0)
    listener.close()
    #expect(rename(kept, path) == 0)
  }

  @Test func `a file that is no socket is left alone`() throws {
    let path = temporaryPath()
    let file = open(path, O_CREAT | O_WRONLY, 0o600)
    defer {
      close(file)
      unlink(path)
    }
    #expect(throws: ListenError.self) { try Listener(.unix(path: path), kind: .admin) }
    var status = stat()
    #expect(stat(path, &status) == 0)
  }

  @Test func `a listening descriptor from outside is taken, another is refused`() throws {
    let outside = try Listener(.tcp("127.0.0.1:0"), kind: .public)
    let door = try Door(.descriptor(dup(outside.descriptor)))
    #expect(door.port == outside.port)
    let client = door.connect()
    #expect(door.exchange(client, request).map(\.status) == [200])
    #expect(door.handler.seen[0].peer.text == "127.0.0.1")
    #expect(throws: ListenError.self) { try Listener(.descriptor(1), kind: .public) }
  }

  @Test(arguments: ["nowhere", "127.0.0.1:99999", "127.0.0.1:", "::1:80", "256.0.0.1:1"])
  func `an address that is none is refused with a sentence`(_ text: String) {
    let error = #expect(throws: ListenError.self) { try Listener(.tcp(text), kind: .public) }
    #expect(error?.description.contains(text.split(separator: ":").first.map(String.init) ?? text) == true)
  }

  @Test func `IPv6 is listened on where the machine has it`() throws {
    guard let listener = try? Listener(.tcp("[::1]:0"), kind: .public) else { return }
    #expect(listener.port > 0)
  }

  @Test func `a stop answers what was accepted and closes what was not busy`() throws {
    let door = try Door()
    door.handler.reply = { _ in nil }
    let idle = door.connect()
    let busy = door.connect()
    let half = door.connect()
    busy.send(request)
    half.send("GET /half HTTP/1.1\r\n")
    door.turn { door.handler.seen.count == 1 && door.loop.counters.values.accepted == 3 }
    door.settle()
    door.loop.stop(deadlineMilliseconds: 5000)
    door.turn(idle) { idle.isEnded }
    half.send("Host: a\r\n\r\n")
    door.turn { door.handler.seen.count == 2 }
    for seen in door.handler.seen { door.box.post(seen.token, Answer(status: 200, body: Array(seen.path.utf8))) }
    door.turn(busy, half) { busy.isEnded && half.isEnded }
    #expect(busy.replies.map(\.body) == ["/"] && half.replies.map(\.body) == ["/half"])
    #expect(busy.replies[0].head.contains("Connection: close"))
    busy.close()
    half.close()
    door.turn { door.loop.isFinished }
  }

  @Test func `a stop does not wait longer than it may`() throws {
    let door = try Door()
    door.handler.reply = { _ in nil }
    let client = door.connect()
    client.send(request)
    door.turn { door.handler.seen.count == 1 }
    door.loop.stop(deadlineMilliseconds: 3000)
    door.settle(client)
    #expect(!door.loop.isFinished && !client.isEnded)
    door.clock.advance(milliseconds: 3000)
    door.turn(client) { door.loop.isFinished && client.isEnded }
    // Whoever still answers does no harm.
    door.box.post(door.handler.seen[0].token, Answer(status: 200, body: []))
    let stream = door.box.beginStream(
      door.handler.seen[0].token, head: Answer(streamStatus: 200, contentType: "text/plain"))
    #expect(stream.send([1]) == .gone)
  }

  @Test func `who connected just before a stop is still served`() throws {
    let door = try Door()
    let client = door.connect()
    client.send(request)
    door.loop.stop(deadlineMilliseconds: 3000)
    door.turn(client) { client.isEnded }
    #expect(client.replies.map(\.status) == [200])
  }

  // In a process of its own, because it uses up all descriptors.
  @Test func `without descriptors new connections wait, and the loop does not spin`() async {
    await #expect(processExitsWith: .success) {
      var few = rlimit(rlim_cur: 200, rlim_max: 200)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &few)
      let door = try Door()
      let early = door.connect()
      door.turn { door.loop.counters.values.open == 1 }
      let late = door.connect()
      var taken: [Int32] = []
      while true {
        let copy = dup(early.descriptor)
        if copy < 0 { break }
        taken.append(copy)
      }
      door.settle()
      let rounds = door.loop.counters.rounds
      // The listener is off now: a round waits its full time instead of ending at once.
      let start = platform_monotonic_ns()
      door.loop.turn(waitAtMost: 50)
      precondition(platform_monotonic_ns() - start > 30_000_000 && door.loop.counters.rounds == rounds + 1)
      precondition(door.loop.counters.values.open == 1)
      for copy in taken { close(copy) }
      door.clock.advance(milliseconds: 101)
      door.exchange(late, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
      precondition(late.replies.map(\.status) == [200])
    }
  }
}
