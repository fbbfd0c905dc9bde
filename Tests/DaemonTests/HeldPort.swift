// A port that a test keeps for later.
//
// Thread: the test's. Promise: nobody else gets it meanwhile.

import Glibc

/// A port of loopback that is taken, and on which nobody listens.
final class HeldPort {
  let port: UInt16
  private(set) var descriptor: Int32

  init() {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let held = descriptor
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(held, $0, size)
        getsockname(held, $0, &size)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
  }

  /// From now on connections are accepted by the kernel, and nobody ever answers them.
  func hang() { listen(descriptor, 64) }

  func release() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  deinit { release() }
}
