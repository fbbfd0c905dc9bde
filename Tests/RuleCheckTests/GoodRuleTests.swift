// Nothing is said about rules that are in order.
//
// Thread: the test's own. Promise: every text of the corpus stands for a part of the language.

import Basics
import Model
import RuleCheck
import Rules
import Testing

@Suite struct GoodRuleTests {
  @Test func `the corpus is large enough to mean something`() {
    #expect(GoodRules.all.count >= 50)
    #expect(Set(GoodRules.all).count == GoodRules.all.count)
  }

  @Test(arguments: GoodRules.all) func `nothing is said about a rule that is in order`(text: String) {
    let findings = Checking.findings(text, libraries: GoodRules.libraries)
    #expect(findings.isEmpty, "\(Checking.lines(findings))")
  }

  @Test(arguments: GoodRules.all) func `a rule that the check passes is one that loads`(text: String) {
    let sources =
      GoodRules.libraries.map { RuleSource(path: $0.key, text: $0.value) } + [RuleSource(path: "a.lua", text: text)]
    let report = RuleCheck.check(sources: sources, knownDestinations: Checking.destinations)
    #expect(report.findings.isEmpty, "\(Checking.lines(report.findings))")
    #expect(report.set.count == 1)
  }

  @Test func `nothing is said about the rules that come with the product, by the check or the loader`() {
    let report = RuleCheck.check(sources: Checking.samples, knownDestinations: Checking.destinations)
    #expect(Checking.samples.count > 7)
    #expect(report.findings.isEmpty, "\(Checking.lines(report.findings))")
    #expect(report.set.count == Checking.samples.filter { $0.kind == .rule || $0.kind == .segment }.count)
    #expect(report.catalogue.hasTeamsEvents)
  }
}
