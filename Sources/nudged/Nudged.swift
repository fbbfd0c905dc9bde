// The key to the house: hands the command line to the Daemon room.
//
// Thread: main. Promise: nothing else happens here.

internal import Daemon
internal import Glibc

@main
struct Main {
  static func main() { exit(Nudged.run(Array(CommandLine.arguments.dropFirst()))) }
}
