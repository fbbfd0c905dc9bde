// systemd by its documented protocols: readiness datagrams, the watchdog, passed-in sockets.
//
// Thread: main. Promise: without systemd everything here does nothing; no library is needed.

internal import CPlatform
internal import Glibc

struct Systemd {
  private let address: String?
  /// How often to say that we live; nil when nobody asks.
  let watchdogMilliseconds: Int64?

  init() {
    address = Files.environment("NOTIFY_SOCKET")
    let ours = Files.environment("WATCHDOG_PID").flatMap { Int32($0) }.map { $0 == getpid() } ?? true
    watchdogMilliseconds = ours ? Files.environment("WATCHDOG_USEC").flatMap { Int64($0) }.map { $0 / 1000 / 2 } : nil
  }

  /// Whether standard error goes to journald, which understands priority prefixes. The variable is
  /// inherited by everyone below a service; it means us only when it names our own stream.
  static var writesToJournal: Bool {
    guard let stream = Files.environment("JOURNAL_STREAM") else { return false }
    var information = stat()
    guard fstat(2, &information) == 0 else { return false }
    return stream == "\(information.st_dev):\(information.st_ino)"
  }

  func ready(_ status: String) { notify("READY=1\nSTATUS=\(status)") }
  func status(_ text: String) { notify("STATUS=\(text)") }
  func reloading() { notify("RELOADING=1\nMONOTONIC_USEC=\(platform_monotonic_ns() / 1000)") }
  func stopping() { notify("STOPPING=1\nSTATUS=stopping") }
  func alive() { notify("WATCHDOG=1") }

  private func notify(_ text: String) {
    guard let address else { return }
    let descriptor = platform_socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue))
    guard descriptor >= 0 else { return }
    defer { Glibc.close(descriptor) }
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    var path = Array(address.utf8)
    // "@" stands for the NUL of an abstract address.
    if path.first == UInt8(ascii: "@") { path[0] = 0 }
    guard path.count < MemoryLayout.size(ofValue: name.sun_path) else { return }
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
    let bytes = Array(text.utf8)
    _ = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bytes.withUnsafeBytes { sendto(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL), pointer, length) }
      }
    }
  }

  /// Sockets that systemd opened for us, with their names.
  static func passedSockets() -> [(descriptor: Int32, name: String)] {
    guard let pid = Files.environment("LISTEN_PID").flatMap({ Int32($0) }), pid == getpid(),
      let count = Files.environment("LISTEN_FDS").flatMap({ Int32($0) }), count > 0, count < 64
    else { return [] }
    let names = (Files.environment("LISTEN_FDNAMES") ?? "").split(separator: ":", omittingEmptySubsequences: false)
    return (0..<count).map { (3 + $0, Int($0) < names.count ? String(names[Int($0)]) : "") }
  }
}
