// HTTP as plain sockets speak it, to a port of loopback or to a Unix socket.
//
// Thread: the test's. Promise: bounded waits; only this machine is spoken to.

import Basics
import Glibc

struct Reply {
  var status: Int
  var head: String
  var text: String

  var json: JSONValue { (try? Document.parse(text))?.root.value ?? .null }
  subscript(key: String) -> JSONValue? { json[key] }
  /// Whether it is a failure as every client of the house reads it.
  var isRefusal: Bool {
    guard case .object(let members) = json, members.map(\.key) == ["code", "message"] else { return false }
    return members.allSatisfy { if case .string(let text) = $0.value { !text.isEmpty } else { false } }
  }
}

enum Door: Sendable {
  case port(UInt16)
  case unix(String)
}

final class Wire {
  private let descriptor: Int32
  private var unread: [UInt8] = []

  /// Nil when nobody listens.
  init?(_ door: Door) {
    switch door {
    case .port(let port): descriptor = Wire.connectTCP(port)
    case .unix(let path): descriptor = Wire.connectUnix(path)
    }
    guard descriptor >= 0 else { return nil }
    var timeout = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  private static func connectTCP(_ port: UInt16) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if code == 0 { return descriptor }
    close(descriptor)
    return -1
  }

  private static func connectUnix(_ path: String) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if code == 0 { return descriptor }
    close(descriptor)
    return -1
  }

  func send(_ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = []) {
    var head = "\(method) \(path) HTTP/1.1\r\nHost: nudged\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if method == "POST" || !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
    let bytes = Array((head + "\r\n").utf8) + body
    var start = 0
    while start < bytes.count {
      let count = bytes[start...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      start += count
    }
  }

  /// Nil when the connection ends before an answer is whole.
  func reply() -> Reply? {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      if let reply = parse() { return reply }
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count <= 0 { return nil }
      unread += chunk[..<count]
    }
  }

  private func parse() -> Reply? {
    guard let end = unread.indices.first(where: { unread[$0...].starts(with: "\r\n\r\n".utf8) }) else { return nil }
    let head = String(decoding: unread[..<end], as: UTF8.self)
    let field = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
    let length = field.flatMap { Int($0.dropFirst(16)) } ?? 0
    guard unread.count >= end + 4 + length else { return nil }
    let text = String(decoding: unread[(end + 4)..<(end + 4 + length)], as: UTF8.self)
    unread.removeFirst(end + 4 + length)
    return Reply(status: Int(head.dropFirst(9).prefix(3)) ?? 0, head: head, text: text)
  }
}

extension JSONValue {
  var count: Int? { if case .array(let elements) = self { elements.count } else { nil } }
  var plainText: String { if case .string(let text) = self { text } else { "" } }
}
