// One connection to the daemon: a request, its answer, the next request.
//
// Thread: belongs to the one that made it. Promise: no wait is longer than its bound; an answer that
// did not arrive whole is no answer.

import Basics
import Glibc

enum Door: Sendable {
  case port(UInt16)
  case socket(String)
}

struct Response {
  var status: Int
  var body: [UInt8]
}

final class Client {
  private let descriptor: Int32
  private var held: [UInt8] = []

  /// Nil when nobody listens.
  init?(_ door: Door, secondsToWait: Int = 20) {
    switch door {
    case .port(let port): descriptor = Client.connect(port: port)
    case .socket(let path): descriptor = Client.connect(path: path)
    }
    guard descriptor >= 0 else { return nil }
    var wait = timeval(tv_sec: secondsToWait, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private static func connect(port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return finish(descriptor, &address)
  }

  private static func connect(path: String) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    return finish(descriptor, &address)
  }

  private static func finish<Address>(_ descriptor: Int32, _ address: inout Address) -> Int32 {
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
      }
    }
    if code == 0 { return descriptor }
    close(descriptor)
    return -1
  }

  /// A port that is free at this moment.
  static func freePort() -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) { raw in
      raw.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length)
        getsockname(descriptor, $0, &length)
      }
      return UInt16(bigEndian: raw.pointee.sin_port)
    }
  }

  func get(_ path: String) -> Response? {
    exchange(Array("GET \(path) HTTP/1.1\r\nHost: nudged\r\n\r\n".utf8))
  }

  func post(_ path: String, _ body: [UInt8]) -> Response? {
    let head =
      "POST \(path) HTTP/1.1\r\nHost: nudged\r\nContent-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
    return exchange(Array(head.utf8) + body)
  }

  private func exchange(_ request: [UInt8]) -> Response? {
    var sent = 0
    while sent < request.count {
      let count = request[sent...].withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return nil }
      sent += count
    }
    return answer()
  }

  private func answer() -> Response? {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      if let response = takeWhole() { return response }
      let count = chunk.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
      guard count > 0 else { return nil }
      held += chunk[..<count]
    }
  }

  private func takeWhole() -> Response? {
    guard let end = Client.headEnd(held) else { return nil }
    let head = String(decoding: held[..<end], as: UTF8.self).lowercased()
    var length = 0
    for line in head.split(separator: "\r\n") where line.hasPrefix("content-length:") {
      length = Int(line.dropFirst(15).drop { $0 == " " }) ?? 0
    }
    guard held.count >= end + length else { return nil }
    let response = Response(status: Int(head.dropFirst(9).prefix(3)) ?? 0, body: Array(held[end..<end + length]))
    held.removeFirst(end + length)
    return response
  }

  private static func headEnd(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= 4 else { return nil }
    for position in 3..<bytes.count
    where bytes[position] == 10 && bytes[position - 1] == 13 && bytes[position - 2] == 10 {
      return position + 1
    }
    return nil
  }
}
