// A scratch folder with a configuration and rules in it, which is where a test's daemon lives.
//
// Thread: the test's. Promise: everything of it is gone when the test ends.

import Files
import Glibc

/// Waiting for something, with an end.
enum Wait {
  /// True as soon as the condition holds; false when the time is over.
  static func until(seconds: Int = 20, _ condition: () throws -> Bool) rethrows -> Bool {
    var start = timespec()
    clock_gettime(CLOCK_MONOTONIC, &start)
    while true {
      if try condition() { return true }
      var now = timespec()
      clock_gettime(CLOCK_MONOTONIC, &now)
      if now.tv_sec - start.tv_sec > seconds { return false }
      poll(nil, 0, 5)
    }
  }
}

final class Place {
  private let kept = TemporaryFolder([])
  var folder: String { kept.path }

  static let welcome = """
    return rule {
      title = "Welcome", on = "signup",
      run = function(event, customer)
        state.n = (state.n or 0) + 1
        send("crm", "welcome", { customer = customer.id, n = state.n })
      end,
    }
    """

  /// `destination` is the port of the receiver, 0 for none: then webhooks are only logged; `more` are further lines of the configuration.
  init(destination port: UInt16 = 0, more: String = "", rules: [String: String] = ["welcome": Place.welcome]) {
    mkdir(folder + "/rules", 0o700)
    for (name, text) in rules { write("rules/\(name).lua", text) }
    configure(destination: port, more: more)
  }

  func configure(destination port: UInt16, more: String = "") {
    write(
      "nudged.lua",
      """
      return {
        listen = "127.0.0.1:0",
        store = "sqlite:nudged.db",
        rules = "rules",
        destinations = {
          crm = {
            url = "http://127.0.0.1:\(port == 0 ? 9999 : port)/hooks", mode = "\(port == 0 ? "log" : "live")",
            signing = "none", allow = { "127.0.0.0/8" },
            retry = { "100 ms", "100 ms", "200 ms", "200 ms", "400 ms", "1 s", "1 s", "1 s", "2 s", "5 s", "5 s" },
          },
        },
        \(more)
      }
      """)
  }

  var configuration: [String] { ["--config", folder + "/nudged.lua"] }

  func path(_ name: String) -> String { folder + "/" + name }

  func write(_ name: String, _ text: String) { Files.write(path(name), text) }
  func read(_ name: String) -> String { Files.read(path(name)) }
  func delete(_ name: String) { Files.remove(path(name)) }
  func remove(_ name: String) { Files.remove(path(name)) }
}
