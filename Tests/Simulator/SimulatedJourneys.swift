// Rules of the simulator that wait: some written, some drawn by the seed. What each must send can be told
// from the events alone, whenever the process ended and however the clock jumped.
//
// Thread: values. Promise: the same seed draws the same rules.

import Basics
import Model
import Store

enum SimulatedJourneys {
  private static let asker = """
    return rule {
      title = "Wait for an answer with the same key", on = "ask", key = "data.k",
      run = function(event, customer)
        wait("20 s")
        local answer = wait_for("answer")
        send("good", "got", { key = "got/" .. event.data.k .. "/" .. answer.data.n })
      end,
    }
    """
  private static let stopper = """
    return rule {
      title = "Stopped in the middle of its wait", on = "open", key = "data.k", stop_on = "close",
      run = function(event, customer)
        wait("100 days")
        send("good", "late", { key = "late/" .. event.data.k })
      end,
    }
    """
  private static let watcher = """
    return rule {
      title = "Wait for someone else's events", on = "join", key = "data.k",
      run = function(event, customer)
        wait("7 s")
        local first = wait_for("moved", { subject = "webinar:w" })
        local second = wait_for("moved", { subject = "webinar:w" })
        send("good", "moved", { key = "moved/" .. event.data.k .. "/" .. first.data.n .. "/" .. second.data.n })
      end,
    }
    """
  private static let caller = """
    return rule {
      title = "Call and wait for the reply", on = "pay", key = "data.k",
      run = function(event, customer)
        local reply = call("bad", "charge", { k = event.data.k }, { within = "2 m", tries = 3 })
        state.calls = (state.calls or 0) + 1
        send("good", "paid", { key = "paid/" .. event.data.k, ok = reply.ok })
      end,
    }
    """

  /// A drawn rule: steps one after the other, some in loops. `count` is what one run of it sends.
  struct Drawn {
    var text: String
    var count: Int
  }

  static func draw(_ seed: UInt64) -> Drawn {
    var random = SeededRandom(seed: seed &* 0x9E37 | 5)
    var lines: [String] = ["local n, kept = (saved and saved.n or 0), customer.traits.none", "local begin = now()"]
    var count = 0
    for step in 0..<Int(2 + random.next(below: 5)) {
      switch random.next(below: 6) {
      case 0: lines.append("wait('\(1 + random.next(below: 90)) s')")
      case 1:
        let rounds = 1 + Int(random.next(below: 4))
        lines.append("for i = 1, \(rounds) do wait('\(1 + random.next(below: 30)) s') \(send("i")) end")
        count += rounds
      case 2: lines.append("local e\(step) = wait_for('noise', { within = '\(1 + random.next(below: 60)) s' })")
      case 3:
        lines.append("state.steps = (state.steps or 0) + 1")
        lines.append("wait_until(now() + \(random.next(below: 40_000)))")
      case 4:
        lines.append(
          "if random() < 0.5 then wait('3 s') else wait('4 s') wait_any({ 'noise', 'tick' }, { within = '9 s' }) end")
      default:
        lines.append(send("0"))
        count += 1
      }
    }
    lines.append(send("0"))
    let body = lines.joined(separator: "\n")
    let text = """
      return rule { title = "Drawn", on = "drawn", key = "data.k", run = function(event, customer, saved)
      \(body)
      end }
      """
    return Drawn(text: text, count: count + 1)
  }

  private static func send(_ what: String) -> String {
    "n = n + 1 send('good', 'drawn', { key = 'drawn/' .. event.data.k .. '/' .. n, i = \(what), after = now() - begin })"
  }

  static func sources(_ seed: UInt64) -> [(String, String)] {
    [
      ("asker", asker), ("stopper", stopper), ("watcher", watcher), ("caller", caller), ("drawn", draw(seed).text),
    ]
  }

  /// Names of events a client sends, with their chances.
  static let names =
    ["ask", "answer", "open", "close", "join", "moved", "pay", "drawn", "noise"] + SimulatedMoments.names

  /// The webhooks that must have been sent, told from the events in the order in which they were decided.
  static func expected(_ events: [(number: Int64, name: String, user: String, k: String, n: Int)], seed: UInt64)
    -> Set<String>
  {
    var out: Set<String> = []
    let count = draw(seed).count
    let moved = events.filter { $0.name == "moved" }
    for event in events {
      let same = { (name: String) in
        events.first { $0.name == name && $0.user == event.user && $0.k == event.k && $0.number > event.number }
      }
      switch event.name {
      case "ask": if let answer = same("answer") { out.insert("got/\(event.k)/\(answer.n)") }
      case "open": if same("close") == nil { out.insert("late/\(event.k)") }
      case "join":
        let later = moved.filter { $0.number > event.number }
        if later.count >= 2 { out.insert("moved/\(event.k)/\(later[0].n)/\(later[1].n)") }
      case "pay": out.insert("paid/\(event.k)")
      case "drawn": for number in 1...count { out.insert("drawn/\(event.k)/\(number)") }
      default: break
      }
    }
    return out
  }
}
