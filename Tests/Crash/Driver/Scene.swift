// The scratch folder of one store's life: configuration, rules, secret, and the older store it begins
// with.
//
// Thread: main. Promise: everything is below one folder, which goes with the scene unless it is kept.

import Basics
import Delivery
import Glibc
import Model

struct Scene {
  let folder: String
  let secret: String
  var store: String { folder + "/nudged.db" }
  var admin: Door { .socket(folder + "/nudged.db.sock") }

  private static let rules = [
    "count": """
    return rule {
      title = "Count ticks", on = "tick",
      run = function(event, customer)
        state.ticks = (state.ticks or 0) + 1
        for part = 1, event.data.hooks do
          send("hook", "tick", { event = event.id, part = part, subject = customer.id, ticks = state.ticks })
        end
        if event.data.echo then emit("echo", {}) end
        if event.account then emit("tell", {}, { subject = "account:" .. event.account }) end
      end,
    }
    """,
    "nap": """
    return rule {
      title = "Sleep and work", on = "tick", key = "id", second = "parallel", limit = 1000,
      when = function(event) return event.data.naps ~= nil end,
      run = function(event, customer)
        local n = 0
        for i = 1, 3000 do n = n + i % 7 end
        for nap = 1, event.data.naps do
          wait(event.data.pause)
          state.naps = (state.naps or 0) + 1
          send("hook", "nap", { event = event.id, part = 100 + nap, sum = n })
        end
        finish("slept well")
      end,
    }
    """,
    "echo": """
    return rule {
      title = "Count echoes", on = "echo",
      run = function(event) state.echoes = (state.echoes or 0) + 1 end,
    }
    """,
    "seen": """
    return rule {
      title = "Count for accounts", on = "tick", per = "account",
      run = function(event) state.seen = (state.seen or 0) + 1 end,
    }
    """,
    "told": """
    return rule {
      title = "Count what accounts were told", on = "tell", per = "account",
      run = function(event) state.told = (state.told or 0) + 1 end,
    }
    """,
  ]

  init(random: inout SeededRandom) throws {
    var template = Array("/tmp/nudged-crash-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Wrong("cannot make a scratch folder") }
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let bytes = (0..<32).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    secret = "whsec_" + Base64.encode(bytes)
    mkdir(folder + "/rules", 0o700)
    for (name, text) in Scene.rules { try Scene.write(text, to: folder + "/rules/\(name).lua") }
    try Scene.write(secret, to: folder + "/webhook.secret")
  }

  func configure(hookPort: UInt16, lanes: Int) throws {
    let pauses = Array(repeating: "\"100 ms\"", count: 20).joined(separator: ", ")
    try Scene.write(
      """
      return {
        store = "sqlite:nudged.db",
        rules = "rules",
        lanes = \(lanes),
        timers_after_start = 0,
        retention = { events = "20000 days", verdicts = "20000 days", attempts = "20000 days" },
        destinations = {
          hook = {
            url = "http://127.0.0.1:\(hookPort)/hook", secret = file "webhook.secret", allow = { "127.0.0.0/8" },
            retry = { \(pauses) },
          },
        },
      }
      """, to: folder + "/nudged.lua")
  }

  static func write(_ text: String, to path: String) throws {
    guard let file = fopen(path, "w") else { throw Wrong("cannot write \(path)") }
    defer { fclose(file) }
    guard fwrite(text, 1, text.utf8.count, file) == text.utf8.count else { throw Wrong("cannot write \(path)") }
  }

  static func read(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw Wrong("cannot read \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The last lines of what the daemon said.
  var logTail: String {
    ((try? Scene.read(folder + "/serve.log")) ?? "").split(separator: "\n").suffix(12).joined(separator: "\n")
  }

  static let ruleNames = ["count", "echo", "seen", "told", "nap", "ask", "near", "far"]

  func remove() {
    for name in Scene.ruleNames { unlink(folder + "/rules/\(name).lua") }
    rmdir(folder + "/rules")
    for name in ["nudged.lua", "webhook.secret", "serve.log", "mark"] { unlink(folder + "/" + name) }
    for end in ["", "-wal", "-shm", ".lock", ".reserve", ".sock", ".lanes"] { unlink(store + end) }
    rmdir(folder)
  }
}

/// The older stores that a life may begin with, and what is in them.
enum OlderStore {
  static let versions = [1, 2, 3]
  /// About how many writes and syncs it takes to the newest version, from none, 1, 2 and 3.
  static let writes: [UInt64] = [28, 17, 15, 13]

  /// What the fixtures' events and records amount to.
  static func expected(version: Int) -> Expected {
    var out = Expected()
    out.ticks = ["user:old": 3, "user:older": 2]
    out.hooks = ["old-3/1", "old-4/1"]
    // Version 2 has a message that was not taken yet.
    if version >= 2 { out.told = ["account:aold": 1] }
    return out
  }

  static let eventIDs = ["old-1", "old-2", "old-3", "old-4", "old-5"]
}
