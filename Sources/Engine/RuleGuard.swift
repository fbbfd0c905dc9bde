// Watches what rules do over time: too many limits in a short while or too many effects in an hour, and
// a rule is paused until someone looks at it. Also holds the pauses that people set.
//
// Thread: shared by all lanes, each call under a lock. Promise: a rule is paused once for one reason, and
// whoever paused it writes that down.

internal import Basics
internal import Model

package final class RuleGuard: Sendable {
  private struct Watched {
    var pause: String?
    var violations: [Instant] = []
    var hour: Int64 = 0
    var effects = 0
  }
  private let rules: Guarded<[Int64: Watched]>
  /// 0: none.
  private let effectsPerHour: Int

  /// How many are paused: almost always none, and then nobody takes the lock.
  private let pausedCount: Counter

  package init(pauses: [Int64: String] = [:], effectsPerHour: Int = 0) {
    rules = Guarded(pauses.mapValues { Watched(pause: $0) })
    pausedCount = Counter(Int64(pauses.count))
    self.effectsPerHour = effectsPerHour
  }

  package func pause(of rule: Int64) -> String? {
    pausedCount.value == 0 ? nil : rules.withLock { $0[rule]?.pause }
  }

  package func setPause(of rule: Int64, _ reason: String?) {
    rules.withLock {
      $0[rule, default: Watched()].pause = reason
      if reason == nil {
        $0[rule]?.violations = []
        $0[rule]?.effects = 0
      }
      pausedCount.set(Int64($0.values.count { $0.pause != nil }))
    }
  }

  package var pauses: [Int64: String] { rules.withLock { $0.compactMapValues(\.pause) } }

  /// A limit stopped the rule. Returns why it is paused from now on.
  func noteViolation(of rule: Int64, _ what: String, now: Instant) -> String? {
    rules.withLock { rules in
      var watched = rules[rule] ?? Watched()
      watched.violations.removeAll { now - $0 > Limits.violationWindowMilliseconds }
      watched.violations.append(now)
      defer { rules[rule] = watched }
      guard watched.violations.count >= Limits.violations, watched.pause == nil else { return nil }
      let reason =
        "it met a limit \(Limits.violations) times within ten minutes, the last time: \(what)"
      watched.pause = reason
      pausedCount.add(1)
      return reason
    }
  }

  /// So many effects more. Returns why the rule is paused from now on.
  func noteEffects(of rule: Int64, _ count: Int, now: Instant) -> String? {
    if effectsPerHour == 0 || count == 0 { return nil }
    return rules.withLock { rules in
      let hour = now.milliseconds / 3_600_000
      if rules[rule]?.hour != hour {
        rules[rule, default: Watched()].hour = hour
        rules[rule]?.effects = 0
      }
      rules[rule]?.effects += count
      guard let watched = rules[rule], watched.effects > effectsPerHour, watched.pause == nil else { return nil }
      let reason = "it had more than \(effectsPerHour) effects within an hour (effects_per_hour)"
      rules[rule]?.pause = reason
      pausedCount.add(1)
      return reason
    }
  }
}
