// The daemon as a process: started, waited for, told to stop, killed.
//
// Thread: main. Promise: only the process that was started here is ever signalled, by its number; none
// is left behind.

import Basics
import Glibc

enum Ending: Equatable, CustomStringConvertible {
  case exited(Int32)
  case signalled(Int32)

  var description: String {
    switch self {
    case .exited(let code): "exit code \(code)"
    case .signalled(let signal): "signal \(signal)"
    }
  }
}

final class DaemonProcess {
  private let process: pid_t
  private var ending: Ending?
  let port: UInt16
  private let markPath: String

  /// With an order, the preload library goes along.
  init(_ options: Options, folder: String, order: Order?) throws {
    port = Client.freePort()
    markPath = folder + "/mark"
    unlink(markPath)
    // A rule at which the process ended twice would be switched off. Here it was never the rule's fault.
    unlink(folder + "/nudged.db.lanes")
    let words = [options.daemon, "serve", "--config", folder + "/nudged.lua", "--listen", "127.0.0.1:\(port)"]
    var environment = ["PATH=/usr/bin:/bin", "TZ=UTC"]
    if let order, order.phase != .moment {
      environment += [
        "LD_PRELOAD=\(options.preload)", "CRASH_PHASE=\(order.phase.rawValue)", "CRASH_COUNT=\(order.count)",
        "CRASH_SIDE=\(order.side)", "CRASH_MARK=\(markPath)",
      ]
    }
    process = try DaemonProcess.spawn(words, environment, log: folder + "/serve.log")
  }

  deinit { kill() }

  private static func spawn(_ words: [String], _ environment: [String], log: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
    defer { for pointer in arguments + variables { free(pointer) } }
    var process = pid_t()
    let code = posix_spawn(&process, words[0], &actions, nil, &arguments, &variables)
    guard code == 0 else { throw Wrong("cannot start \(words[0]): \(String(cString: strerror(code)))") }
    return process
  }

  /// How it ended; nil while it runs.
  func ended() -> Ending? {
    if let ending { return ending }
    var status: Int32 = 0
    guard waitpid(process, &status, WNOHANG) == process else { return nil }
    ending = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signalled(status & 0x7F)
    return ending
  }

  /// Whether the preload library says that it ended the process at its phase.
  var isMarked: Bool { access(markPath, F_OK) == 0 }

  func signal(_ number: Int32) { if ended() == nil { Glibc.kill(process, number) } }

  func kill() {
    signal(SIGKILL)
    _ = wait(milliseconds: 10_000)
  }

  func wait(milliseconds: Int) -> Ending? {
    Patience.until(milliseconds: milliseconds) { ended() != nil }
    return ended()
  }

  enum Start: Equatable { case ready, ended }

  /// Until it serves or has ended.
  func start() throws -> Start {
    var isReady = false
    let port = port
    Patience.until(milliseconds: 20_000) {
      if ended() != nil { return true }
      isReady = Client(.port(port))?.get("/readyz")?.status == 200
      return isReady
    }
    if isReady { return .ready }
    if ended() != nil { return .ended }
    throw Wrong("the daemon was not ready within 20 s")
  }
}

/// Waiting for something, never for a while.
enum Patience {
  static func milliseconds() -> Int64 { Clocks.system.steadyNanoseconds() / 1_000_000 }

  /// Asks again and again, a little less often as time goes by; false when the bound came first.
  @discardableResult
  static func until(milliseconds bound: Int, _ isDone: () -> Bool) -> Bool {
    let deadline = milliseconds() + Int64(bound)
    var pause: Int32 = 1
    while true {
      if isDone() { return true }
      if milliseconds() >= deadline { return false }
      poll(nil, 0, pause)
      pause = min(pause + 1, 20)
    }
  }
}
