// Hostile scripts with waits through the runtime alone, on a test's thread and on threads with little
// stack, and what playing a long journal again costs.
//
// Thread: the test's own, and one for each width of stack. Promise: no script takes the process with it,
// goes on for ever, or leaves anything behind for the rule beside it.

import Basics
import Glibc
import Model
import Rules
import Testing

@Suite struct HostileWaitTests {
  @Test(arguments: HostileWaits.all)
  func `a hostile script with waits ends as it must and leaves nothing behind`(script: HostileScript) throws {
    try HostileWaitTests.check(script)
  }

  static func check(_ script: HostileScript) throws {
    let text = Fixture.rule(script.body, header: script.header, before: script.before)
      .replacing("function(event, customer)\n", with: "function(event, customer, saved)\n")
    let loading = Fixture.load(["a.lua": text, "b.lua": Fixture.rule(Sleeper.honest)])
    if case .refused(let part) = script.end {
      #expect(loading.complaints.contains { $0.message.contains(part) }, "\(loading.complaints)")
      return
    }
    try #require(loading.complaints.isEmpty, "\(loading.complaints)")
    let sleeper = try Sleeper(script, loading.set)
    let outcome = sleeper.live()
    expect(script.end, outcome)
    #expect(sleeper.isHonestUntouched)
    #expect(sleeper.units <= Limits.ruleInstructions + 70_000, "\(sleeper.units)")
    // Far above what the slowest sanitizer needs: only a script that is not bounded at all gets here.
    #expect(sleeper.milliseconds < 30_000)
  }

  private static func expect(_ end: HostileScript.End, _ outcome: ActivationOutcome) {
    let told = "\(outcome.ending) \(outcome.line): \(outcome.reason)"
    switch (end, outcome.ending) {
    case (.finished, .finished), (.waiting, .waiting), (.waiting, .unchanged): break
    case (.skipped(let part), .skipped): #expect(outcome.reason.contains(part), "\(told)")
    case (.parked(let part), .failed), (.parked(let part), .overBudget), (.parked(let part), .diverged):
      #expect(outcome.reason.contains(part) && (outcome.line >= 1 || outcome.ending == .diverged), "\(told)")
    default: Issue.record("it ended otherwise: \(told)")
    }
  }
  // MARK: stacks

  /// Every hostile body of this room as a script, those without waits as well.
  private static let everything: [HostileScript] =
    HostileWaits.all
    + (HostileTests.endless + HostileTests.insideC + HostileTests.memory + HostileTests.errors.map(\.body)).map {
      HostileScript($0, .parked(""))
    }

  @Test(arguments: [1, 8])
  func `every hostile script ends on a thread with so many megabytes of stack, and the rule beside it is untouched`(
    megabytes: Int
  ) throws {
    let ends = Counter()
    let worker = Worker.start("narrow", stackBytes: megabytes << 20) {
      for script in HostileWaitTests.everything where HostileWaitTests.outlive(script) { ends.add(1) }
    }
    worker.join()
    #expect(ends.value == Int64(HostileWaitTests.everything.count))
    #expect(HostileWaitTests.everything.count >= 300)
  }

  /// The file is checked, loaded and run, and the honest rule after it; whether that one was untouched.
  private static func outlive(_ script: HostileScript) -> Bool {
    let text = Fixture.rule(script.body, header: script.header, before: script.before)
      .replacing("function(event, customer)\n", with: "function(event, customer, saved)\n")
    let loading = Fixture.load(["a.lua": text, "b.lua": Fixture.rule(Sleeper.honest)])
    guard loading.complaints.isEmpty else { return loading.set.count <= 1 }
    guard let sleeper = try? Sleeper(script, loading.set) else { return false }
    _ = sleeper.live()
    return sleeper.isHonestUntouched
  }

  // MARK: long journals

  /// A run of a loop that has gone round so often already.
  private func wake(_ body: String, _ part: JournalPart, times: Int, trigger: Trigger) throws -> ActivationOutcome {
    let loading = Fixture.load(["a.lua": Fixture.rule(body)])
    try #require(loading.complaints.isEmpty, "\(loading.complaints)")
    let runtime = try RuleRuntime(loading.set, cpuMilliseconds: 60_000)
    var journal = Journal()
    for place in 0..<times {
      var part = part
      if place == 0 { part.trigger = .start }
      journal.append(part)
    }
    var wait = Wait(kind: .wait, until: part.now)
    wait.kind = part.entries.last?.kind ?? .wait
    return runtime.activate(0, Activation(input: Fixture.input(), trigger: trigger, journal: journal, wait: wait))
  }

  private static let now = Instant(milliseconds: 1_700_000_001_000)

  @Test func `a journal of ten thousand entries is played again, and is full`() throws {
    let part = JournalPart(
      trigger: .timer, now: HostileWaitTests.now, reads: ActivationReads(), entries: [JournalEntry(.wait)])
    let body = "while true do wait('1 s') end"
    let outcome = try wake(body, part, times: Limits.journalEntries - 1, trigger: .timer)
    guard case .waiting = outcome.ending else { throw Sentence("\(outcome.ending) \(outcome.reason)") }
    #expect(outcome.entryCount == Limits.journalEntries)
    let full = try wake(body, part, times: Limits.journalEntries, trigger: .timer)
    #expect(full.ending == .overBudget && full.reason.contains("has 10000 entries"))
  }

  @Test func `a journal of replies of sixty-four kilobytes is played again up to a megabyte`() throws {
    let reply = Array(
      (#"{"ok":true,"body":"# + String(repeating: "[", count: 60) + String(repeating: "]", count: 60)
        + #","text":""# + String(repeating: "x", count: 64_000) + #""}"#).utf8)
    let part = JournalPart(
      trigger: .reply(reply), now: HostileWaitTests.now, reads: ActivationReads(),
      entries: [JournalEntry(.call, hash: JournalEntry.hash("crm", "x"))])
    let body =
      "local n = 0 while true do local r = call('crm', 'x', {}) n = n + #r.text if #r.text ~= 64000 then error('short') end end"
    let outcome = try wake(body, part, times: 16, trigger: .reply(reply))
    guard case .waiting = outcome.ending else { throw Sentence("\(outcome.ending) \(outcome.reason)") }
    var journal = Journal()
    for _ in 0..<15 { journal.append(part) }
    #expect(!journal.isTooLong(with: part))
    journal.append(part)
    #expect(journal.isTooLong(with: part))
  }

  @Test func `what playing again may cost grows with the journal and is bounded`() throws {
    let part = JournalPart(
      trigger: .timer, now: HostileWaitTests.now, reads: ActivationReads(), entries: [JournalEntry(.wait)])
    let outcome = try wake("while true do for i = 1, 4000 do end wait('1 s') end", part, times: 5_000, trigger: .timer)
    #expect(outcome.ending == .overBudget && outcome.reason.contains("playing this run again"))
    let cheap = try wake("while true do for i = 1, 1000 do end wait('1 s') end", part, times: 5_000, trigger: .timer)
    guard case .waiting = cheap.ending else { throw Sentence("\(cheap.ending) \(cheap.reason)") }
  }
}

struct Sentence: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
