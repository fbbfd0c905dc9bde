// The real binary as a child process, with its output in files of the test's scratch folder.
//
// Thread: the test's. Promise: a child never outlives its test, and inherits no descriptor by accident.

import Files
import Glibc

/// Two of glibc's spawn actions that the Glibc module does not show.
private enum SpawnActions {
  typealias Actions = UnsafeMutablePointer<posix_spawn_file_actions_t>

  static func enter(_ actions: Actions, _ folder: String) {
    typealias Call = @convention(c) (Actions, UnsafePointer<CChar>) -> Int32
    _ = unsafeBitCast(find("posix_spawn_file_actions_addchdir_np"), to: Call.self)(actions, folder)
  }

  static func close(_ actions: Actions, from descriptor: Int32) {
    typealias Call = @convention(c) (Actions, Int32) -> Int32
    _ = unsafeBitCast(find("posix_spawn_file_actions_addclosefrom_np"), to: Call.self)(actions, descriptor)
  }

  private static func find(_ name: String) -> UnsafeMutableRawPointer {
    guard let found = dlsym(nil, name) else { preconditionFailure("this glibc has no \(name)") }
    return found
  }
}

final class Child {
  let pid: pid_t
  private let output: String
  private let errors: String
  private var status: Int32?

  /// The binary that was built with the tests.
  static let nudged: String = {
    var path = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &path, path.count - 1)
    let bytes = path.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }
    let beside = String(decoding: bytes, as: UTF8.self).split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
    if access(beside + "/nudged", X_OK) == 0 { return beside + "/nudged" }
    return root + "/.build/debug/nudged"
  }()

  static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }

  /// `input` is a file to read from; `passing` becomes descriptor 3.
  init(
    _ arguments: [String], executable: String = Child.nudged, in place: Place, name: String = "child",
    environment: [String: String] = [:], input: String = "/dev/null", passing: Int32? = nil
  ) {
    output = place.path(name + ".out")
    errors = place.path(name + ".err")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    SpawnActions.enter(&actions, place.folder)
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    if let passing { posix_spawn_file_actions_adddup2(&actions, passing, 3) }
    SpawnActions.close(&actions, from: passing == nil ? 3 : 4)
    var all = ["PATH": "/usr/local/bin:/usr/bin:/bin", "SWIFT_BACKTRACE": "enable=no"]
    all.merge(environment) { $1 }
    var words: [UnsafeMutablePointer<CChar>?] = ([executable] + arguments).map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = all.map { strdup("\($0)=\($1)") } + [nil]
    var child: pid_t = 0
    let code = posix_spawn(&child, executable, &actions, nil, &words, &variables)
    for pointer in words + variables { free(pointer) }
    posix_spawn_file_actions_destroy(&actions)
    precondition(code == 0, "cannot start \(executable): \(String(cString: strerror(code)))")
    pid = child
  }

  deinit {
    guard status == nil else { return }
    kill(pid, SIGKILL)
    waitpid(pid, nil, 0)
  }

  /// What it printed so far.
  var text: String { Files.read(output) }
  var complaint: String { Files.read(errors) }
  var lines: [Substring] { text.split(separator: "\n") }

  func signal(_ number: Int32) { if status == nil { kill(pid, number) } }

  var hasEnded: Bool {
    if status != nil { return true }
    var found: Int32 = 0
    guard waitpid(pid, &found, WNOHANG) == pid else { return false }
    status = found
    return true
  }

  /// Its exit code, 128 and the signal when one ended it; nil when it does not end in time.
  func code(seconds: Int = 30) -> Int32? {
    guard Wait.until(seconds: seconds, { hasEnded }), let status else { return nil }
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
  }

  /// What a command answers.
  struct Result {
    var code: Int32
    var out: String
    var err: String
  }

  /// Runs a command to its end.
  static func run(
    _ arguments: [String], in place: Place, environment: [String: String] = [:], input: String = "/dev/null",
    executable: String = Child.nudged
  ) -> Result {
    let name = "command-\(arguments.hashValue.magnitude)"
    let child = Child(
      arguments, executable: executable, in: place, name: name, environment: environment, input: input)
    let code = child.code() ?? -1
    return Result(code: code, out: child.text, err: child.complaint)
  }
}
