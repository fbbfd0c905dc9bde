// Seeds of the simulator. NUDGED_SEEDS sets how many; NUDGED_SEED runs one again.

import Basics
import Glibc
import Rules
import Simulator
import Testing

@Suite struct SimulatorTests {
  private static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

  @Test func `nothing is lost, nothing is doubled and ids are stable, whenever the process ends`() throws {
    let rules = try SimulatedRules.load()
    if let seed = SimulatorTests.number("NUDGED_SEED") {
      try Simulation(seed: seed, rules: rules).run(events: 150)
      return
    }
    var crashes = 0
    var deliveries = 0
    var probing = 0
    var replaying = 0
    for seed in 1...(SimulatorTests.number("NUDGED_SEEDS") ?? 60) {
      let simulation = try Simulation(seed: seed, rules: rules)
      try simulation.run(events: 150)
      crashes += simulation.crashes
      deliveries += simulation.deliveries
      probing += simulation.crashesWhileProbing
      replaying += simulation.crashesWhileReplaying
    }
    #expect(crashes > 0)
    #expect(deliveries > 0)
    #expect(probing > 0 && replaying > 0, "kills during a probe: \(probing), during a replay: \(replaying)")
  }

  @Test func `no policy is broken, nothing held is lost and both sides are counted once, whenever the process ends`()
    throws
  {
    let rules = try SimulatedRules.load(hasPolicies: true)
    let one = SimulatorTests.number("NUDGED_SEED")
    var sums = (crashes: 0, held: 0, suppressed: 0, heldOut: 0)
    for seed in one.map({ $0...$0 }) ?? 1...(SimulatorTests.number("NUDGED_SEEDS") ?? 40) {
      let simulation = try Simulation(seed: seed, rules: rules, hasPolicies: true)
      try simulation.run(events: 120)
      sums.crashes += simulation.crashes
      sums.held += simulation.held
      sums.suppressed += simulation.suppressed
      sums.heldOut += simulation.heldOut
    }
    #expect(one != nil || sums.crashes > 0 && sums.held > 0 && sums.suppressed > 0 && sums.heldOut > 0, "\(sums)")
  }

  @Test func `windows, segments and silences are those of a plain count, whenever the process ends`() throws {
    let rules = try SimulatedRules.load(hasMeasures: true)
    let one = SimulatorTests.number("NUDGED_SEED")
    var crashes = 0
    // 68: what was sent to a lane that heard of a window only after a kill, and came after one more. 1736: that lane
    // told the others its own cutoff.
    let seeds = Array(1...(SimulatorTests.number("NUDGED_SEEDS") ?? 30)) + [68, 1_736]
    for seed in one.map({ [$0] }) ?? seeds {
      let simulation = try Simulation(seed: seed, rules: rules, hasMeasures: true)
      try simulation.run(events: 120)
      crashes += simulation.crashes
    }
    #expect(one != nil || crashes > 0)
  }

  @Test func `runs that wait do everything once, whenever the process ends and however the clock jumps`() throws {
    if let seed = SimulatorTests.number("NUDGED_SEED") {
      try Simulation(seed: seed, rules: SimulatedRules.load(seed: seed), hasJourneys: true).run(events: 100)
      return
    }
    var crashes = 0
    for seed in 1...(SimulatorTests.number("NUDGED_SEEDS") ?? 40) {
      let simulation = try Simulation(seed: seed, rules: SimulatedRules.load(seed: seed), hasJourneys: true)
      try simulation.run(events: 100)
      crashes += simulation.crashes
    }
    #expect(crashes > 0)
  }
}
