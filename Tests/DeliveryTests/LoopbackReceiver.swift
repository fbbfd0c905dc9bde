// A webhook receiver for these tests: plain sockets on a thread of its own, one thread more for each
// connection, so that a behaviour may block as long as it likes.
//
// Thread: made and asked by the test, served by its own threads. Promise: listens on loopback only, on
// a port the kernel chose, and is gone when `stop` returns.

import Basics
import Glibc
import Synchronization

struct ReceivedRequest: Sendable {
  var line: String
  var headers: [String: String]
  var body: [UInt8]
  /// Which connection it came on, from 0.
  var connection: Int
}

final class LoopbackReceiver: Sendable {
  /// What a connection may do once a request is read.
  struct Answering: Sendable {
    let socket: Int32
    let stopping: @Sendable () -> Bool

    func send(_ text: String) {
      let bytes = Array(text.utf8)
      _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
    func answer(_ status: Int, headers: String = "", body: String = "") {
      send("HTTP/1.1 \(status) X\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
    /// Waits until the other side closes, or the test ends.
    func hang() {
      while !stopping() {
        var poller = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        if poll(&poller, 1, 20) > 0 { return }
      }
    }
    func pause(_ milliseconds: Int32) -> Bool {
      var nothing = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      return poll(&nothing, 1, milliseconds) == 0 && !stopping()
    }
    /// False: the connection is to be closed.
    func perform(_ line: Line) -> Bool {
      switch line {
      case .status(let status, let headers): answer(status, headers: headers)
      case .slow(let milliseconds):
        guard pause(milliseconds) else { return false }
        answer(200)
      case .hang:
        hang()
        return false
      case .drip:
        send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while pause(20) { send("x") }
        return false
      case .reset:
        reset()
        return false
      case .half:
        send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        reset()
        return false
      case .huge(let status):
        send("HTTP/1.1 \(status) X\r\nContent-Length: 100000000\r\n\r\n")
        let part = String(repeating: "y", count: 65_536)
        for _ in 0..<64 where !stopping() { send(part) }
        return false
      }
      return true
    }
    /// Closes with a reset instead of a polite end.
    func reset() {
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
      shutdown(socket, Int32(SHUT_RD))
    }
  }

  /// Returns false when the connection is to be closed.
  typealias Behaviour = @Sendable (ReceivedRequest, Answering) -> Bool

  let port: UInt16
  private let listener: Int32
  private let behaviour: Behaviour
  private let requests = Mailbox<ReceivedRequest>(capacity: 1_000_000)
  private let stopped = Atomic<Bool>(false)
  private let connections = Atomic<Int>(0)
  private let workers = Guarded<[Worker]>([])

  init(family: Int32 = AF_INET, _ behaviour: @escaping Behaviour) {
    listener = socket(family, Int32(SOCK_STREAM.rawValue), 0)
    port = LoopbackReceiver.listen(listener, family: family)
    self.behaviour = behaviour
    let accepting = Worker.start("accept") { [self] in accept() }
    workers.withLock { $0.append(accepting) }
  }

  /// Answers 200 to everything.
  static func answering(_ status: Int = 200, headers: String = "") -> LoopbackReceiver {
    LoopbackReceiver { _, answering in
      answering.answer(status, headers: headers)
      return true
    }
  }

  /// What a receiver does with one request.
  enum Line: Sendable {
    case status(Int, String = "")
    /// Answers 200 after so many milliseconds.
    case slow(Int32)
    /// Never answers.
    case hang
    /// A byte of its answer now and then, never all of it.
    case drip
    /// Breaks the connection before an answer, or in the middle of one.
    case reset
    case half
    /// An answer of a hundred megabytes, as far as anybody reads it.
    case huge(Int)
  }

  /// Does one line of the script for each request, and the last one for all that follow.
  static func following(_ script: [Line]) -> LoopbackReceiver {
    let served = Counter()
    return LoopbackReceiver { _, answering in
      let place = Int(served.value)
      served.add(1)
      return answering.perform(script[min(place, script.count - 1)])
    }
  }

  var url: String { "http://127.0.0.1:\(port)/hook" }
  var connectionCount: Int { connections.load(ordering: .relaxed) }

  /// The next requests, waiting for the first no longer than the time given.
  func received(withinMilliseconds: Int64 = 5_000) -> [ReceivedRequest] {
    requests.receive(timeoutMilliseconds: withinMilliseconds) ?? []
  }

  func received(count: Int, withinMilliseconds: Int64 = 5_000) -> [ReceivedRequest] {
    var all: [ReceivedRequest] = []
    let clock = Clocks.system.steadyNanoseconds
    let deadline = clock() + withinMilliseconds * 1_000_000
    while all.count < count, clock() < deadline { all += received(withinMilliseconds: 100) }
    return all
  }

  func stop() {
    stopped.store(true, ordering: .relaxed)
    shutdown(listener, Int32(SHUT_RDWR))
    while let worker = workers.withLock({ $0.popLast() }) { worker.join() }
    close(listener)
  }

  private static func listen(_ socket: Int32, family: Int32) -> UInt16 {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        address.pointee.sa_family = sa_family_t(family)
        storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          if family == AF_INET { $0.pointee.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian }
        }
        storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          if family == AF_INET6 { $0.pointee.sin6_addr = in6addr_loopback }
        }
        let length = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        precondition(bind(socket, address, socklen_t(length)) == 0 && Glibc.listen(socket, 512) == 0, "cannot listen")
        getsockname(socket, address, &size)
        // The port stands at the same place in both kinds of address.
        return storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
      }
    }
  }

  private func accept() {
    while !stopped.load(ordering: .relaxed) {
      let connection = Glibc.accept(listener, nil, nil)
      guard connection >= 0 else { continue }
      let number = connections.add(1, ordering: .relaxed).oldValue
      let worker = Worker.start("connection") { [self] in
        serve(connection, number: number)
        close(connection)
      }
      workers.withLock { $0.append(worker) }
    }
  }

  private func serve(_ connection: Int32, number: Int) {
    var unread: [UInt8] = []
    let answering = Answering(socket: connection) { [self] in stopped.load(ordering: .relaxed) }
    while let request = RequestReader.next(connection, &unread, number: number, stopping: answering.stopping) {
      requests.sendAlways(request)
      if !behaviour(request, answering) { return }
    }
  }
}

/// Just enough HTTP to read what libcurl sends.
private enum RequestReader {
  static func next(
    _ socket: Int32, _ unread: inout [UInt8], number: Int, stopping: () -> Bool
  ) -> ReceivedRequest? {
    while true {
      if let request = parse(&unread, number: number) { return request }
      var poller = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      if poll(&poller, 1, 20) == 0 {
        if stopping() { return nil }
        continue
      }
      var chunk = [UInt8](repeating: 0, count: 65_536)
      let count = recv(socket, &chunk, chunk.count, 0)
      if count <= 0 { return nil }
      unread += chunk[..<count]
    }
  }

  private static func parse(_ bytes: inout [UInt8], number: Int) -> ReceivedRequest? {
    guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: "\r\n\r\n".utf8) }) else { return nil }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      headers[parts[0].lowercased()] = parts.count == 2 ? String(parts[1].drop { $0 == " " }) : ""
    }
    let length = Int(headers["content-length"] ?? "") ?? 0
    guard bytes.count >= end + 4 + length else { return nil }
    let body = Array(bytes[(end + 4)..<(end + 4 + length)])
    bytes.removeFirst(end + 4 + length)
    return ReceivedRequest(line: String(lines.first ?? ""), headers: headers, body: body, connection: number)
  }
}
