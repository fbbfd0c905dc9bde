// The scenarios that lie beside the rules, and the story of the demo, played in virtual time against all rules.
//
// Thread: the test's. Promise: a rule without a scenario, or one whose scenario does not show it, is found.

import Basics
import Files
import Model
import Rehearsal
import Rules
import Samples
import Testing

@Suite struct ScenarioFileTests {
  private static let set = RuleSet.load(sources: SampleRules.sources, knownDestinations: SampleRules.destinations).set
  /// As etc/demo.lua has them.
  private static let policies = {
    var policies = Policies()
    policies.caps = [.init(most: 1, window: .rolling(milliseconds: 30 * 86_400_000), topic: "offers")]
    return policies
  }()

  private static func play(_ text: String) throws -> [TimelineEntry] {
    let scenario = try Scenario(Array(text.utf8), knownDestinations: SampleRules.destinations)
    return try scenario.play(set, destinations: [], zone: "UTC", policies: policies, until: nil).timeline.entries
  }

  @Test(arguments: SampleRules.sources.filter { $0.kind == .rule }.map(\.name))
  func `a rule's scenario shows the rule at work, and nothing fails in it`(rule: String) throws {
    let text = Files.read(SampleRules.folder + "/\(rule).ndjson")
    #expect(!text.isEmpty, "there is no scenario \(rule).ndjson")
    let timeline = try ScenarioFileTests.play(text)
    let codes = timeline.filter { $0.rule == rule }.compactMap(\.code)
    #expect(codes.contains(.ran) || codes.contains(.waiting) || codes.contains(.collected), "\(codes)")
    for entry in timeline where entry.kind == .parked || entry.code == .failed || entry.code == .overBudget {
      Issue.record("\(entry.rule): \(entry.reason)")
    }
  }

  @Test func `the demo's story brings about what its lines tell`() throws {
    let start = try #require(ISO8601.parse("2026-01-05T09:00:00Z"))
    var lines: [String] = []
    for line in Files.read(Files.root + "/etc/demo.ndjson").split(separator: "\n") {
      // A story's "@2 days" is the moment two days after it began.
      lines.append(
        line.split(separator: "\"", omittingEmptySubsequences: false).map { part in
          guard part.hasPrefix("@"), let after = DurationText.milliseconds(String(part.dropFirst())) else {
            return String(part)
          }
          return ISO8601.format(start + after)
        }.joined(separator: "\""))
    }
    let replies = [(402, #"{"outcome":"declined","code":"generic_decline"}"#), (200, #"{"outcome":"paid"}"#)].map {
      #"{"reply":{"destination":"billing","type":"payment.charge","status":\#($0.0),"body":\#($0.1)}}"#
    }
    let timeline = try ScenarioFileTests.play((replies + lines).joined(separator: "\n"))
    func count(_ type: String) -> Int { timeline.count { ($0.kind == .send || $0.kind == .call) && $0.type == type } }
    #expect(count("upsell.offer") == 1 && count("payment.charge") == 2 && count("churn.silence") == 1)
    #expect(count("reminder.calendar") == 4 && count("certificate.issue") == 2 && count("reminder.follow_up") == 2)
    #expect(count("reminder.event") == 8)
    #expect(timeline.contains { $0.name == "Payment Recovered" })
    #expect(!timeline.contains { $0.kind == .parked || $0.code == .failed })
  }
}
