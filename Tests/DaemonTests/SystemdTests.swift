// The service manager's protocols, spoken with a test in systemd's place.
//
// Thread: the test's. Promise: real sockets, nothing of the machine's own systemd is touched.

import Basics
import Glibc
import Testing

/// What systemd listens on for its services' notes.
private final class NotifySocket {
  let descriptor: Int32
  private(set) var notes: [String] = []

  init(_ path: String) {
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  deinit { close(descriptor) }

  /// The place of the first note since `start` that has all of these lines.
  func wait(for lines: String..., from start: Int = 0) -> Int? {
    var found: Int?
    _ = Wait.until {
      var chunk = [UInt8](repeating: 0, count: 4096)
      while case let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT)), count > 0 {
        notes.append(String(decoding: chunk[..<count], as: UTF8.self))
      }
      found = notes.indices.first { place in
        place >= start
          && lines.allSatisfy { line in notes[place].split(separator: "\n").contains { $0.hasPrefix(line) } }
      }
      return found != nil
    }
    return found
  }
}

@Suite struct SystemdTests {
  private static let event = #"{"name": "signup", "user": "42"}"#

  @Test func `it tells when it is ready, reloading and stopping`() throws {
    let place = Place()
    let socket = NotifySocket(place.path("notify"))
    let daemon = try Daemon(place, environment: ["NOTIFY_SOCKET": place.path("notify")])
    let ready = try #require(socket.wait(for: "READY=1", "STATUS=serving 1 rule"))
    daemon.child.signal(SIGHUP)
    let reloading = try #require(socket.wait(for: "RELOADING=1", "MONOTONIC_USEC=", from: ready + 1))
    let again = try #require(socket.wait(for: "READY=1", from: reloading + 1))
    let line = socket.notes[reloading].split(separator: "\n").first { $0.hasPrefix("MONOTONIC_USEC=") }
    #expect((line.flatMap { Int64($0.dropFirst(15)) } ?? 0) > 0)
    // A refused reload is over, too, or systemd would wait for it.
    place.write("rules/welcome.lua", "return")
    daemon.child.signal(SIGHUP)
    let refused = try #require(socket.wait(for: "RELOADING=1", from: again + 1))
    let back = try #require(socket.wait(for: "READY=1", "STATUS=serving 1 rule", from: refused + 1))
    daemon.child.signal(SIGTERM)
    #expect(socket.wait(for: "STOPPING=1", "STATUS=", from: back + 1) != nil)
    #expect(daemon.child.code() == 0)
    #expect(!socket.notes.contains { $0.contains("WATCHDOG") }, "nobody asked for it")
  }

  @Test func `it feeds the watchdog while its loops turn`() throws {
    let place = Place()
    let socket = NotifySocket(place.path("notify"))
    let daemon = try Daemon(
      place, environment: ["NOTIFY_SOCKET": place.path("notify"), "WATCHDOG_USEC": "400000"])
    let first = try #require(socket.wait(for: "WATCHDOG=1"))
    let second = try #require(socket.wait(for: "WATCHDOG=1", from: first + 1))
    #expect(socket.wait(for: "WATCHDOG=1", from: second + 1) != nil)
    #expect(daemon.stop() == 0)
    let other = Place()
    let silent = NotifySocket(other.path("notify"))
    let unasked = try Daemon(
      other,
      environment: ["NOTIFY_SOCKET": other.path("notify"), "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"])
    #expect(unasked.stop() == 0)
    #expect(silent.wait(for: "STOPPING=1") != nil)
    #expect(!silent.notes.contains { $0.contains("WATCHDOG") }, "the watchdog is another process's")
  }

  @Test func `a restart on a socket that was handed in refuses no connection`() throws {
    let place = Place()
    let held = HeldPort()
    held.hang()
    let words = ["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\"", Child.nudged, "serve"] + place.configuration
    let environment = ["LISTEN_FDS": "1", "LISTEN_FDNAMES": "public"]
    func start(_ name: String) throws -> Child {
      let child = Child(
        words, executable: "/bin/sh", in: place, name: name, environment: environment, passing: held.descriptor)
      try Daemon.waitUntilReady(child)
      return child
    }
    let first = try start("first")
    var answered = 0
    func knock(_ wire: Wire?) { wire?.send("POST", "/v1/events", body: Array(SystemdTests.event.utf8)) }
    func hear(_ wire: Wire?) { if wire?.reply()?.status == 200 { answered += 1 } }
    let before = Wire(.port(held.port))
    knock(before)
    hear(before)
    first.signal(SIGTERM)
    #expect(first.code() == 0)
    // Nobody runs now: the kernel keeps these for the next one.
    let between = (0..<10).map { _ in Wire(.port(held.port)) }
    for wire in between { knock(wire) }
    let second = try start("second")
    for wire in between { hear(wire) }
    #expect(answered == 11)
    second.signal(SIGTERM)
    #expect(second.code() == 0)
  }

  private static let activator = "/usr/bin/systemd-socket-activate"

  @Test(.enabled(if: access(activator, X_OK) == 0, "there is no systemd-socket-activate on this machine"))
  func `systemd's own activation works`() throws {
    let place = Place()
    let path = place.path("act.sock")
    let child = Child(
      ["--listen", path, "--fdname", "public", Child.nudged, "serve"] + place.configuration,
      executable: SystemdTests.activator, in: place)
    // The first connection starts it.
    #expect(Wait.until { Wire(.unix(path)) != nil })
    let wire = try #require(Wire(.unix(path)))
    wire.send("POST", "/v1/events", body: Array(SystemdTests.event.utf8))
    #expect(wire.reply()?.status == 200, "\(child.complaint)")
    child.signal(SIGTERM)
    #expect(child.code() == 0)
    #expect(access(path, F_OK) == 0, "the socket is systemd's and stays")
  }

  private static let analyzer = "/usr/bin/systemd-analyze"

  @Test(.enabled(if: access(analyzer, X_OK) == 0, "there is no systemd-analyze on this machine"))
  func `the unit leaves little open`() throws {
    let place = Place()
    let result = Child.run(
      ["security", "--offline=yes", "--no-pager", Child.root + "/etc/nudged.service"], in: place,
      executable: SystemdTests.analyzer)
    let line = result.out.split(separator: "\n").first { $0.contains("Overall exposure level") }
    let level = line?.split(separator: " ").compactMap { Double($0) }.first
    #expect((level ?? 10) <= 2.0, "\(line ?? "") \(result.err)")
  }

  @Test func `log lines carry journald's priorities only when journald reads them`() throws {
    let place = Place()
    place.write("serve.err", "")
    var information = stat()
    stat(place.path("serve.err"), &information)
    let stream = "\(information.st_dev):\(information.st_ino)"
    let daemon = try Daemon(place, environment: ["JOURNAL_STREAM": stream])
    #expect(daemon.stop() == 0)
    let lines = daemon.log.split(separator: "\n")
    #expect(lines.count >= 2 && lines.allSatisfy { $0.hasPrefix("<5>") || $0.hasPrefix("<6>") }, "\(daemon.log)")
    let other = try Daemon(place, environment: ["JOURNAL_STREAM": "8:12345"])
    #expect(other.stop() == 0)
    #expect(!other.log.contains("<5>"), "the stream is not ours")
  }
}
