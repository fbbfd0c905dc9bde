// What the crash test is asked to do.
//
// Thread: main, read once. Promise: an unknown flag ends the program with the list of those there are.

import Glibc

struct Options: Sendable {
  var daemon = ""
  var preload = ""
  var fixtures = ""
  /// Kills of every phase, at least.
  var each = 10
  /// Kills in total, at least.
  var rounds = 0
  /// How often the hot subject is to be counted up over one store's life, at least.
  var increments = 0
  var connections = 16
  var seed = UInt64(0)
  var firstLife = 1
  /// Only these, when not empty.
  var phases: [Phase] = []
  /// Races instead of kills: so many.
  var trials = 0
  var keeps = false
  var talks = false

  static let help = """
    crash --daemon FILE --preload FILE --fixtures FOLDER [FLAGS]

    Kills the daemon at chosen system calls, starts it again and proves that nothing was lost or doubled.

      --each N          kills of every phase, at least (default 10)
      --rounds N        kills in total, at least
      --increments N    counts one subject up at least that often over the life of each store
      --connections N   how many connections send (default 16)
      --phase NAME      only this phase; may be given several times
      --seed N          repeats the choices of an earlier run
      --life N          begins with the N-th store of that seed
      --trials N        no kills: N races of events with the waits they end
      --keep            leaves the scratch folder of the last store
      --talk            says what each round does
    """

  init(_ words: [String]) {
    var random = SystemSeed()
    seed = random.next()
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--keep": keeps = true
      case "--talk": talks = true
      case "--help": Options.end(0, Options.help)
      default:
        guard let value = rest.popFirst() else {
          Options.end(2, "\(word) needs a value, or is not known\n\(Options.help)")
        }
        take(word, value)
      }
    }
    if daemon.isEmpty || preload.isEmpty || fixtures.isEmpty { Options.end(2, Options.help) }
  }

  private mutating func take(_ word: String, _ value: String) {
    switch word {
    case "--daemon": daemon = value
    case "--preload": preload = value
    case "--fixtures": fixtures = value
    case "--each": each = Options.number(value)
    case "--rounds": rounds = Options.number(value)
    case "--trials": trials = Options.number(value)
    case "--increments": increments = Options.number(value)
    case "--connections": connections = max(1, Options.number(value))
    case "--life": firstLife = Options.number(value)
    case "--seed": seed = UInt64(Options.number(value))
    case "--phase":
      guard let phase = Phase(rawValue: value) else {
        Options.end(
          2, "there is no phase \(value); there are \(Phase.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      phases.append(phase)
    default: Options.end(2, "\(word) is not known\n\(Options.help)")
    }
  }

  private static func number(_ text: String) -> Int {
    guard let number = Int(text), number >= 0 else { end(2, "\"\(text)\" is not a whole number") }
    return number
  }

  private static func end(_ code: Int32, _ text: String) -> Never {
    say(text, to: code == 0 ? 1 : 2)
    exit(code)
  }
}

/// One line, at once: what stands on the screen is what has happened.
func say(_ text: String, to descriptor: Int32 = 1) {
  let line = Array((text + "\n").utf8)
  _ = write(descriptor, line, line.count)
}

/// A seed short enough to be typed again.
private struct SystemSeed {
  mutating func next() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_nsec ^ time.tv_sec ^ Int(getpid()) << 12) % 1_000_000_000
  }
}
