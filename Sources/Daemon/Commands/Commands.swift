// The commands by name, and what all of them share: help, exit codes, how errors are shown.
//
// Thread: main. Promise: exit 0 when all is well, 1 when something was found or failed, 2 when the
// command was used wrongly; nothing but the answer goes to standard output.

internal import Basics
internal import Glibc
internal import Rules

struct Command: Sendable {
  var name: String
  var summary: String
  var help: String
  var run: @Sendable (_ raw: [String]) throws -> Int32
}

package enum Nudged {
  static let commands: [Command] = [
    .serve, .initialize, .check, .test, .play, .send, .receive, .verify, .keys, .rules, .runs, .explain, .subjects,
    .segments, .events, .deliveries, .destinations, .status, .doctor,
  ]

  /// The whole program. `arguments` are without the program's own name.
  package static func run(_ arguments: [String]) -> Int32 {
    // A reader that goes away, such as `head`, is no reason to be killed by a signal.
    signal(SIGPIPE, SIG_IGN)
    guard let name = arguments.first, name != "--help", name != "-h", name != "help" else {
      Terminal.print(overview)
      return arguments.isEmpty ? 2 : 0
    }
    if name == "--version" || name == "version" {
      Terminal.print("nudged \(House.version)")
      return 0
    }
    guard let command = commands.first(where: { $0.name == name }) else {
      Terminal.complain(
        "nudged: there is no command '\(name)'" + Suggestion.ending(for: name, among: commands.map(\.name))
          + "; `nudged --help` lists them")
      return 2
    }
    let rest = Array(arguments.dropFirst())
    if rest.contains("--help") || rest.contains("-h") {
      Terminal.print(command.help + "\n\n" + sharedHelp)
      return 0
    }
    do {
      return try command.run(rest)
    } catch let error as UsageError {
      Terminal.complain("nudged \(name): \(error); `nudged \(name) --help` shows how")
      return 2
    } catch let error as StartFailure {
      Terminal.complain("nudged \(name): \(error)")
      return error.code
    } catch {
      Terminal.complain("nudged \(name): \(error)")
      return 1
    }
  }

  private static var overview: String {
    let width = commands.map(\.name.count).max() ?? 0
    let lines = commands.map { command in
      "  " + command.name + String(repeating: " ", count: width - command.name.count + 2) + command.summary
    }
    return """
      nudged \(House.version): events in, Lua rules decide, signed webhooks out

      Usage: nudged COMMAND [FLAGS]

      \(lines.joined(separator: "\n"))

      `nudged COMMAND --help` tells more about one.
      """
  }

  private static let sharedHelp = """
    Flags of every command:
      --config FILE       the configuration (default etc/nudged.lua or nudged.lua)
      --rules DIR         the folder with the rules
      --store URL         the store, such as sqlite:nudged.db
      --listen HOST:PORT  where HTTP is served
      --admin PATH        the admin socket
      --set KEY=VALUE     override one key of the configuration
      --json              answer as JSON
    NUDGED_CONFIG, NUDGED_RULES, NUDGED_STORE, NUDGED_LISTEN and NUDGED_ADMIN do the same.
    """
}
