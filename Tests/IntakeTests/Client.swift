// A client of the tests: a plain socket, and the answers read from it.
//
// Thread: the test's. Promise: never blocks; only loopback and Unix sockets.

import Glibc

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
      if count > 0 {
        received += chunk[..<count]
      } else {
        isEnded = count == 0 || errno != EAGAIN
        return
      }
    }
  }

  var text: String { String(decoding: received, as: UTF8.self) }

  /// Bytes of an answer that is not whole.
  var unread: Int {
    _ = replies
    return received.count - read
  }

  private var found: [Reply] = []
  private var read = 0

  /// The whole answers so far; each byte is looked at a few times at most.
  var replies: [Reply] {
    while let (reply, behind) = Client.reply(in: received[read...], hasBody: !headRequests.contains(found.count)) {
      if reply.status != 100 { found.append(reply) }
      read = behind
    }
    return found
  }

  private static func reply(in bytes: ArraySlice<UInt8>, hasBody: Bool) -> (Reply, behind: Int)? {
    guard let end = position(of: "\r\n\r\n", in: bytes) else { return nil }
    let head = String(decoding: bytes[bytes.startIndex..<end], as: UTF8.self)
    let status = Int(head.dropFirst(9).prefix(3)) ?? 0
    let start = end + 4
    if hasBody, head.contains("Transfer-Encoding: chunked") {
      guard let (body, behind) = unchunked(bytes[start...]) else { return nil }
      return (Reply(status: status, head: head, body: body), behind)
    }
    let field = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
    let length = hasBody ? field.flatMap { Int($0.dropFirst(16)) } ?? 0 : 0
    guard bytes.endIndex - start >= length else { return nil }
    let body = String(decoding: bytes[start..<start + length], as: UTF8.self)
    return (Reply(status: status, head: head, body: body), start + length)
  }

  private static func unchunked(_ bytes: ArraySlice<UInt8>) -> (String, behind: Int)? {
    var body: [UInt8] = []
    var rest = bytes
    while let end = position(of: "\r\n", in: rest) {
      let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16) ?? 0
      guard rest.endIndex >= end + 4 + size else { return nil }
      body += rest[(end + 2)..<(end + 2 + size)]
      rest = rest[(end + 4 + size)...]
      if size == 0 { return (String(decoding: body, as: UTF8.self), rest.startIndex) }
    }
    return nil
  }

  private static func position(of pattern: String, in bytes: ArraySlice<UInt8>) -> Int? {
    let wanted = Array(pattern.utf8)
    guard bytes.count >= wanted.count else { return nil }
    return bytes.withUnsafeBytes { window in
      (0...(window.count - wanted.count)).first { start in
        memcmp(window.baseAddress! + start, wanted, wanted.count) == 0
      }.map { $0 + bytes.startIndex }
    }
  }
}
