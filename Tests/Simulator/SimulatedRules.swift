// The rules of the simulator: small, and between them every kind of effect.
//
// Thread: constants. Promise: what they do to an account can be told from the events alone.

package import Rules

package enum SimulatedRules {
  private static let count = """
    return rule {
      title = "Count ticks", on = "tick",
      run = function(event, customer)
        state.count = (state.count or 0) + 1
        if state.count % 2 == 0 then emit("echo", { of = state.count }) end
        local key = customer.id .. "/" .. state.count
        if state.count % 3 == 0 then send("good", "third", { key = "good/" .. key }) end
        if state.count % 5 == 0 then send("bad", "fifth", { key = "bad/" .. key }) end
        if event.account then emit("tell", {}, { subject = "account:" .. event.account }) end
      end,
    }
    """
  private static let echo = """
    return rule {
      title = "Count echoes", on = "echo",
      run = function(event) state.echoes = (state.echoes or 0) + 1 end,
    }
    """
  private static let seen = """
    return rule {
      title = "Count for accounts", on = "tick", per = "account",
      run = function(event) state.seen = (state.seen or 0) + 1 end,
    }
    """
  private static let told = """
    return rule {
      title = "Count what accounts were told", on = "tell", per = "account",
      run = function(event) state.told = (state.told or 0) + 1 end,
    }
    """

  /// What windows, a segment and an absence tell is right when it equals a plain count of the events.
  private static let measures = [
    (
      "window",
      """
      return rule {
        title = "Ask a window for ticks", on = "tick",
        run = function() state.window = count("tick", "30 days") end,
      }
      """
    ),
    (
      "account_window",
      """
      return rule {
        title = "Ask an account's window for ticks", on = "tick", per = "account",
        run = function() state.account_window = count("tick", "30 days") end,
      }
      """
    ),
    (
      "echo_window",
      """
      return rule {
        title = "Ask a window for what a rule emits", on = "echo",
        run = function() state.echo_window = count("echo", "30 days") end,
      }
      """
    ),
    (
      "segments/busy",
      "return segment { title = \"Three ticks\", when = function() return count(\"tick\", \"30 days\") >= 3 end }"
    ),
    (
      "entered",
      """
      return rule {
        title = "Count who comes into a segment", on = enters("busy"),
        run = function() state.entered = (state.entered or 0) + 1 end,
      }
      """
    ),
    (
      "silent",
      """
      return rule {
        title = "Count silences", on = absence { of = "tick", lasting = "2 days" },
        run = function() state.silent = (state.silent or 0) + 1 end,
      }
      """
    ),
  ]

  /// With a seed, also rules that wait, one of them drawn.
  package static func load(
    seed: UInt64? = nil, hasPolicies: Bool = false, hasMeasures: Bool = false
  ) throws -> RuleSet {
    var sources = [("count", count), ("echo", echo), ("seen", seen), ("told", told)]
    if hasMeasures { sources += measures }
    if let seed { sources += SimulatedJourneys.sources(seed) + SimulatedMoments.sources }
    if hasPolicies { sources += SimulatedPolicies.sources }
    let loading = RuleSet.load(
      sources: sources.map { RuleSource(path: $0.0 + ".lua", text: $0.1) }, knownDestinations: ["good", "bad", "mail"])
    if let complaint = loading.complaints.first { throw complaint }
    return loading.set
  }
}
