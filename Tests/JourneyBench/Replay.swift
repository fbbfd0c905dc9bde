// How long it takes to play a run again: journals of 10, 100 and 1,000 entries, half of them effects and half
// waits, as the lane does it at a wake.
//
// Thread: main. Promise: each round plays the same activation; the least of many rounds is printed.

import Basics
import Model
import Rules

enum ReplayBench {
  private static let rule = """
    return rule {
      title = "Replay", on = "a",
      run = function(event, customer)
        for step = 1, 100000 do
          send("crm", "step", { customer = customer.id, step = step })
          wait("1 day")
        end
      end,
    }
    """

  static func run() throws {
    let loading = RuleSet.load(
      sources: [RuleSource(path: "replay.lua", text: rule)], knownDestinations: ["crm"], folder: "rules")
    if let complaint = loading.complaints.first { throw complaint }
    let runtime = try RuleRuntime(loading.set)
    let document = try Document.parse(#"{"id":"e","name":"a","user":"ada","data":{}}"#)
    let event = try EventDecoder(source: "bench").decode(document.root, received: .zero)
    for entries in [10, 100, 1_000] {
      let journal = try journal(runtime, event, entries)
      var least = Int64.max
      for _ in 0..<(200_000 / entries) {
        let began = Clocks.system.steadyNanoseconds()
        let outcome = play(runtime, event, journal)
        least = min(least, Clocks.system.steadyNanoseconds() - began)
        guard case .waiting = outcome.ending else { throw RuleComplaint(file: "", line: 0, message: outcome.reason) }
      }
      print("replay of \(entries) entries: \(Double(least) / 1_000) µs")
    }
  }

  private static func play(_ runtime: RuleRuntime, _ event: Event, _ journal: Journal) -> ActivationOutcome {
    let input = RuleInput(event: event, customerID: "ada", now: .zero, seed: Hash128(high: 1, low: 2))
    let isFirst = journal.parts.isEmpty
    let wait = isFirst ? nil : Wait(kind: .wait, until: .zero)
    return runtime.activate(
      0, Activation(input: input, trigger: isFirst ? .start : .timer, journal: journal, wait: wait))
  }

  /// As waking the run again and again would have written it.
  private static func journal(_ runtime: RuleRuntime, _ event: Event, _ entries: Int) throws -> Journal {
    var journal = Journal()
    while journal.entryCount < entries {
      guard let part = play(runtime, event, journal).part else {
        throw RuleComplaint(file: "", line: 0, message: "the run did not go on")
      }
      journal.append(part)
    }
    return journal
  }
}
