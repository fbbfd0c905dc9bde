// crash: ends the daemon at its most delicate moments and proves that it keeps its promises.
//
// Thread: main; senders and the receiver of webhooks have their own. Promise: exit 0 and "N passed,
// 0 failed" only when every proof of every round held; otherwise the seed that shows the fault again.

import Basics
import Glibc

@main
enum Crash {
  static func main() {
    let options = Options(Array(CommandLine.arguments.dropFirst()))
    say("crash: seed \(options.seed)")
    if options.trials > 0 { return race(options) }
    let began = Patience.milliseconds()
    var tally = Tally()
    var number = options.firstLife
    while !isEnough(tally, options) {
      guard live(number, options, &tally) else { exit(1) }
      number += 1
    }
    report(tally, seconds: Double(Patience.milliseconds() - began) / 1000)
    say("\(tally.total) passed, 0 failed")
  }

  private static func race(_ options: Options) {
    do { try Races(options).run() } catch {
      say("crash: \(error)")
      exit(1)
    }
  }

  private static func isEnough(_ tally: Tally, _ options: Options) -> Bool {
    let phases = options.phases.isEmpty ? Phase.allCases : options.phases
    return tally.total >= options.rounds && phases.allSatisfy { tally.kills[$0, default: 0] >= options.each }
  }

  /// One store from its beginning to its last proof; false when something was wrong.
  private static func live(_ number: Int, _ options: Options, _ tally: inout Tally) -> Bool {
    var life: Life?
    do {
      life = try Life(options, number: number)
      if options.talks { say("life \(number)") }
      try life!.run(&tally)
      life!.end(removes: !options.keeps)
      return true
    } catch {
      report(tally, seconds: 0)
      say("crash: \(error)")
      say(
        "  seed \(options.seed), life \(number), round \(tally.total), after \(life?.order?.description ?? "nothing")")
      if let life {
        say("  everything is kept in \(life.folder); the daemon's last words:\n\(life.logTail)")
        life.end(removes: false)
      }
      say("\(tally.total) passed, 1 failed")
      return false
    }
  }

  private static func report(_ tally: Tally, seconds: Double) {
    say("phase           kills   too short")
    for phase in Phase.allCases {
      let name = phase.rawValue.padded(to: 14)
      say("\(name)  \("\(tally.kills[phase, default: 0])".padded(to: 6))  \(tally.missed[phase, default: 0])")
    }
    say(
      "\(tally.proofs) proofs over \(tally.events) events (hottest subject \(tally.hottest)), \(tally.webhooks) webhooks, "
        + "\(tally.repeatedWebhooks) repeats of them; \(Int(seconds)) s")
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - utf8.count)) }
}
