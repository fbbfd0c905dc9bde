// Where connections come from: a TCP address, a path in the file system, or a descriptor that the
// service manager opened before us.
//
// Thread: opened by whoever starts the daemon, then owned by the intake loop. Promise: a path that is
// not a dead socket is never removed; the file's mode is set before anybody can connect.

internal import CPlatform
internal import Glibc

package enum ListenAddress: Sendable, Equatable {
  /// "127.0.0.1:8484", "[::1]:8484", "localhost:8484", ":8484" for all.
  case tcp(String)
  case unix(path: String, mode: UInt32 = 0o600)
  /// Already bound and listening; socket activation hands these in.
  case descriptor(Int32)
}

package struct ListenError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }

  static func system(_ what: String) -> ListenError {
    ListenError("\(what): \(String(cString: strerror(errno)))")
  }
}

package final class Listener {
  package let kind: ListenerKind
  package let descriptor: Int32
  /// The port that was bound: the kernel's choice when 0 was asked for. 0 for a Unix socket.
  package let port: UInt16
  private let path: String?
  private var isOpen = true

  package init(_ address: ListenAddress, kind: ListenerKind, backlog: Int32 = 1024) throws(ListenError) {
    self.kind = kind
    switch address {
    case .tcp(let text):
      descriptor = try Listener.openTCP(text, backlog)
      path = nil
    case .unix(let file, let mode):
      descriptor = try Listener.openUnix(file, mode, backlog)
      path = file
    case .descriptor(let inherited):
      descriptor = try Listener.adopt(inherited)
      path = nil
    }
    port = Listener.boundPort(descriptor)
  }

  deinit { close() }

  package func close() {
    guard isOpen else { return }
    isOpen = false
    Glibc.close(descriptor)
    if let path { unlink(path) }
  }

  private static func openTCP(_ text: String, _ backlog: Int32) throws(ListenError) -> Int32 {
    let (host, port) = try split(text)
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, port, &hints, &found)
    guard code == 0, let first = found else {
      throw ListenError("cannot listen on \(text): \(String(cString: gai_strerror(code)))")
    }
    defer { freeaddrinfo(first) }
    let descriptor = platform_socket(first.pointee.ai_family, Int32(SOCK_STREAM.rawValue))
    guard descriptor >= 0 else { throw ListenError.system("cannot open a socket for \(text)") }
    set(descriptor, SOL_SOCKET, SO_REUSEADDR)
    set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, listen(descriptor, backlog) == 0
    else {
      let failure = ListenError.system("cannot listen on \(text)")
      Glibc.close(descriptor)
      throw failure
    }
    return descriptor
  }

  /// Why this is no address to listen on; nil: it is one. Asked when a configuration is read.
  package static func problem(of text: String) -> String? {
    do throws(ListenError) {
      _ = try split(text)
      return nil
    } catch {
      return error.description
    }
  }

  private static func split(_ text: String) throws(ListenError) -> (host: String?, port: String) {
    guard let colon = text.lastIndex(of: ":") else {
      throw ListenError("\"\(text)\" is not an address to listen on; write HOST:PORT, for example 127.0.0.1:8484")
    }
    let port = String(text[text.index(after: colon)...])
    guard UInt16(port) != nil else {
      throw ListenError("\"\(port)\" in \"\(text)\" is not a port; write a number from 0 to 65535")
    }
    var host = text[..<colon]
    if host.first == "[", host.last == "]" {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      throw ListenError("\"\(text)\" has several colons; write an IPv6 address in brackets, for example [::1]:8484")
    }
    return (host.isEmpty || host == "*" ? nil : String(host), port)
  }

  private static func openUnix(_ path: String, _ mode: UInt32, _ backlog: Int32) throws(ListenError) -> Int32 {
    try removeDeadSocket(path)
    let descriptor = platform_socket(AF_UNIX, Int32(SOCK_STREAM.rawValue))
    guard descriptor >= 0 else { throw ListenError.system("cannot open a socket for \(path)") }
    guard try withAddress(path, { bind(descriptor, $0, $1) }) == 0, chmod(path, mode) == 0,
      listen(descriptor, backlog) == 0
    else {
      let failure = ListenError.system("cannot listen on \(path)")
      Glibc.close(descriptor)
      throw failure
    }
    return descriptor
  }

  /// A socket file outlives a killed process. Only one that nobody answers is removed.
  private static func removeDeadSocket(_ path: String) throws(ListenError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw ListenError("\(path) exists and is not a socket; name another path or remove it")
    }
    let probe = platform_socket(AF_UNIX, Int32(SOCK_STREAM.rawValue))
    defer { Glibc.close(probe) }
    let code = try withAddress(path) { connect(probe, $0, $1) }
    guard code != 0, errno == ECONNREFUSED else {
      throw ListenError("another process listens on \(path); stop it first or name another path")
    }
    unlink(path)
  }

  private static func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(ListenError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path) - 1
    guard !bytes.isEmpty, bytes.count <= room else {
      throw ListenError("the socket path \"\(path)\" has \(bytes.count) bytes; 1 to \(room) are possible")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }

  private static func adopt(_ descriptor: Int32) throws(ListenError) -> Int32 {
    var accepts: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0, accepts != 0 else {
      throw ListenError("descriptor \(descriptor) is not a listening socket; check the socket unit")
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    // Fails on a Unix socket, which has no such delay.
    set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
    return descriptor
  }

  private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
    var on: Int32 = 1
    setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func boundPort(_ descriptor: Int32) -> UInt16 {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let code = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard code == 0 else { return 0 }
    return Peer(address, descriptor: -1).port
  }
}
