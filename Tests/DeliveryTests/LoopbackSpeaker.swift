// A listener that says one thing to whoever connects and closes, for protocols that do not match.
//
// Thread: a thread of its own. Promise: loopback only; gone when `stop` returns.

import Basics
import CPlatform
import Glibc
import Synchronization

final class LoopbackSpeaker: Sendable {
  let port: UInt16
  private let listener: Int32
  private let worker: Worker
  private let stopped: Stopped

  private final class Stopped: Sendable { let flag = Atomic<Bool>(false) }

  init(_ words: String) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        precondition(bind(listener, $0, size) == 0 && listen(listener, 16) == 0, "cannot listen")
        getsockname(listener, $0, &size)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    self.listener = listener
    let stopped = Stopped()
    self.stopped = stopped
    worker = Worker.start("speaker") {
      while !stopped.flag.load(ordering: .relaxed) {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { continue }
        let bytes = Array(words.utf8)
        _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        shutdown(connection, Int32(SHUT_WR))
        var rest = [UInt8](repeating: 0, count: 4096)
        _ = recv(connection, &rest, rest.count, 0)
        close(connection)
      }
    }
  }

  func stop() {
    stopped.flag.store(true, ordering: .relaxed)
    shutdown(listener, Int32(SHUT_RDWR))
    worker.join()
    close(listener)
  }
}
