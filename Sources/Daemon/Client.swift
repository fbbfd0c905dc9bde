// A small blocking HTTP client for commands: one request to the daemon over its Unix socket or TCP.
//
// Thread: main, in a command. Promise: a bounded wait; errors are sentences that say what to try.

internal import Basics
internal import CPlatform
internal import Glibc

struct ClientError: Error, CustomStringConvertible {
  var description: String
  /// Nobody listens there.
  var isAbsent = false
}

struct Client {
  enum Target {
    case unix(String)
    case tcp(host: String, port: String)
  }
  let target: Target
  var key: String?

  struct Response {
    var status: Int
    var body: [UInt8]
    /// What the daemon says about a clock of its own; nil: it has none.
    var clock: String?
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  func get(_ path: String) throws(ClientError) -> Response { try send("GET", path, body: [], type: nil) }

  func send(_ method: String, _ path: String, body: [UInt8], type: String?) throws(ClientError) -> Response {
    let descriptor = try connect()
    defer { Glibc.close(descriptor) }
    var timeout = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var head = "\(method) \(path) HTTP/1.1\r\nHost: nudged\r\nConnection: close\r\n"
    if let key { head += "Authorization: Bearer \(key)\r\n" }
    if let type { head += "Content-Type: \(type)\r\n" }
    if method == "POST" { head += "Content-Length: \(body.count)\r\n" }
    try write(Array((head + "\r\n").utf8) + body, to: descriptor)
    return try read(from: descriptor)
  }

  private func connect() throws(ClientError) -> Int32 {
    switch target {
    case .unix(let path): return try connectUnix(path)
    case .tcp(let host, let port): return try connectTCP(host, port)
    }
  }

  private func connectUnix(_ path: String) throws(ClientError) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw ClientError(description: "the socket path \(path) is too long")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard code == 0 else {
      let reason = String(cString: strerror(errno))
      let absent = errno == ENOENT || errno == ECONNREFUSED
      Glibc.close(descriptor)
      throw ClientError(
        description: "cannot reach a daemon at \(path): \(reason); is nudged running?", isAbsent: absent)
    }
    return descriptor
  }

  private func connectTCP(_ host: String, _ port: String) throws(ClientError) -> Int32 {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, port, &hints, &found) == 0, let first = found else {
      throw ClientError(description: "the host \(host) is not known")
    }
    defer { freeaddrinfo(first) }
    let descriptor = socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard Glibc.connect(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
      let reason = String(cString: strerror(errno))
      let absent = errno == ECONNREFUSED
      Glibc.close(descriptor)
      throw ClientError(
        description: "cannot reach a daemon at \(host):\(port): \(reason); is nudged running?", isAbsent: absent)
    }
    return descriptor
  }

  private func write(_ bytes: [UInt8], to descriptor: Int32) throws(ClientError) {
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else {
        throw ClientError(description: "the daemon closed the connection: \(String(cString: strerror(errno)))")
      }
      start += count
    }
  }

  private func read(from descriptor: Int32) throws(ClientError) -> Response {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = chunk.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
      if count < 0, errno == EAGAIN {
        throw ClientError(description: "no answer came within a minute; what was asked for may still be going on")
      }
      if count < 0 { throw ClientError(description: "the daemon did not answer: \(String(cString: strerror(errno)))") }
      if count == 0 { break }
      all.append(contentsOf: chunk[..<count])
    }
    guard let end = Client.headEnd(all), all.count > 12,
      let status = Int(String(decoding: all[9..<12], as: UTF8.self))
    else { throw ClientError(description: "the answer is not HTTP; is another program listening there?") }
    let head = String(decoding: all[..<end], as: UTF8.self).split(separator: "\r\n")
    let clock = head.first { $0.hasPrefix(ClockMark.name + ": ") }.map {
      String($0.dropFirst(ClockMark.name.count + 2))
    }
    ClockMark.tell(clock)
    return Response(status: status, body: Array(all[end...]), clock: clock)
  }

  private static func headEnd(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= 4 else { return nil }
    for position in 0...(bytes.count - 4)
    where bytes[position] == 13 && bytes[position + 1] == 10 && bytes[position + 2] == 13 && bytes[position + 3] == 10 {
      return position + 4
    }
    return nil
  }
}
