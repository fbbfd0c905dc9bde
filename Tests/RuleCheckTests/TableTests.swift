// The table of words is the sandbox's: nothing is missing in either, and editors get all of it.
//
// Thread: the test's own. Promise: a word or a key that the runtime gets and the table does not fails here.

import Basics
import RuleCheck
import Rules
import Testing

@Suite struct TableTests {
  private static let words = Set(HostWords.all.map(\.name)).union(HostWords.values)

  @Test func `every word of the sandbox is in the table`() {
    let lua: Set<String> = [
      "assert", "error", "ipairs", "pairs", "pcall", "select", "tonumber", "tostring", "type", "string", "table",
      "math",
      "utf8",
    ]
    for name in GlobalNames.available.subtracting(lua) {
      #expect(TableTests.words.contains(name), "\(name) is missing")
    }
    for name in GlobalNames.later { #expect(TableTests.words.contains(name), "\(name) is missing") }
    for name in TableTests.words {
      #expect(GlobalNames.available.contains(name) || GlobalNames.later.contains(name), "\(name) is nowhere else")
    }
  }

  @Test func `a word that is not available yet is so in the runtime, too`() {
    for word in HostWords.all where !word.isAvailable {
      if case .trigger = word.place { continue }
      #expect(GlobalNames.later.contains(word.name), "\(word.name) is available by now")
    }
  }

  @Test func `every key of the header is in the table`() {
    let keys = Set(HeaderKeys.all.map(\.name))
    #expect(keys == Set(RuleHeader.availableKeys + RuleHeader.laterKeys))
    for key in RuleHeader.availableKeys { #expect(HeaderKeys.byName[key]?.isAvailable == true, "\(key) is available") }
  }

  @Test func `every word and key has a sentence`() {
    for word in HostWords.all { #expect(word.sentence.hasSuffix("."), "\(word.name)") }
    for key in HeaderKeys.all { #expect(key.sentence.hasSuffix("."), "\(key.name)") }
  }

  // Editors.

  private static func annotations() -> String {
    let catalogue = RuleCheck.check(sources: Checking.samples, knownDestinations: nil).catalogue
    return Annotations.text(catalogue: catalogue, destinations: ["crm", "billing"], libraries: ["lib/plans"])
  }

  @Test func `editors get every word, key, event, trait, template and destination`() {
    let text = TableTests.annotations()
    #expect(text.hasPrefix("---@meta\n"))
    for word in HostWords.all where word.isAvailable {
      #expect(text.contains("function \(word.name)("), "\(word.name)")
    }
    for key in HeaderKeys.all where key.isAvailable { #expect(text.contains("---@field \(key.name)"), "\(key.name)") }
    for part in [
      "---| \"crm\"", "---| \"lib/plans\"", "---| \"Usage Reported\"", "---| \"invoice.voided\"",
      "---| \"upsell.offer\"",
      "---@field payment_failing boolean?", "---@class nudged.event.Course_Completed.data", "---@field score number?",
      "---@overload fun(event: \"payment.answered\", options?: table): nudged.event.payment_answered?",
      "---@param options? { within?: nudged.Duration }", "---@field again? \"always\"|\"never\"|nudged.Duration",
    ] {
      #expect(text.contains(part + "\n") || text.contains(part + " "), "\(part)")
    }
  }

  @Test func `what editors get is Lua`() throws {
    // The loader of configurations compiles it; only the globals that it declares are not for rules.
    let findings = RuleCheck.findings(
      sources: [RuleSource(path: "lib/meta.lua", text: TableTests.annotations())], world: Checking.world())
    #expect(
      findings.allSatisfy { $0.code == .globalWrite }, "\(Checking.lines(findings.filter { $0.code != .globalWrite }))")
    _ = try Document.parse(Annotations.settings(library: ".nudged"))
  }
}
