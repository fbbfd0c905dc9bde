// The boundary between Swift, C and Lua: errors do not leak, memory may run out anywhere, handles of a
// past run are refused.
//
// Thread: the test's own. Promise: whatever is refused, the state stays usable or says that it is not.

import Basics
import Model
import Rules
import Synchronization
import Testing

/// Counts the objects of this kind that are alive.
private final class Witness {
  static let alive = Atomic<Int>(0)
  init() { Witness.alive.add(1, ordering: .relaxed) }
  deinit { Witness.alive.subtract(1, ordering: .relaxed) }
}

/// Answers each word with an error, holding an object while it does.
private final class Refusing: RuleWords {
  var calls = 0
  func answer(_ call: RuleCall) {
    let witness = Witness()
    calls += 1
    call.fail("no: \(call.text(0) ?? "")")
    withExtendedLifetime(witness) {}
  }
}

@Suite struct BoundaryTests {
  @Test func `a million errors through Swift leak nothing`() throws {
    let runtime = try Fixture.runtime("for i = 1, 10000 do local ok, why = pcall(log, 'x') end")
    let words = Refusing()
    runtime.answer(with: words)
    for _ in 0..<100 {
      let outcome = runtime.run(0, Fixture.input())
      #expect(outcome.code == .ran, "\(outcome)")
    }
    #expect(words.calls == 1_000_000)
    #expect(Witness.alive.load(ordering: .relaxed) == 0)
  }

  @Test func `memory does not grow over many runs`() throws {
    let runtime = try Fixture.runtime(
      "local t = { event.data.plan, state.n } state.n = (state.n or 0) + 1 log(table.concat(t, 'x') .. now())")
    for _ in 0..<2000 { _ = runtime.run(0, Fixture.input()) }
    let before = runtime.bytes
    for _ in 0..<20_000 { _ = runtime.run(0, Fixture.input()) }
    #expect(runtime.bytes < before + 200_000)
  }

  @Test func `creating a host survives a refusal at every allocation`() {
    var refused = 0
    for allocation in 1...10_000 {
      if RuleHost(failFrom: allocation) != nil { break }
      refused = allocation
    }
    #expect(refused > 100 && refused < 10_000)
  }

  static let body = """
    local t = { amount = event.data.amount, tags = event.data.tags, name = event.name }
    state.count = (state.count or 0) + 1 state.text = ('x'):rep(50):upper()
    local s = ('a=1,b=2'):gsub('%w', function(c) return c .. c end)
    for k, v in pairs(t) do s = s .. k end
    pcall(function() error({}) end)
    local list = { 3, 1, 2 } table.sort(list)
    send('crm', 'x', { t = t, s = s, list = list, f = string.format('%5.1f', 2) })
    log(table.concat(list, ',') .. customer.id)
    """

  @Test func `a run survives a refusal at every allocation`() throws {
    let runtime = try Fixture.runtime(Self.body)
    let wanted = runtime.run(0, Fixture.input())
    #expect(wanted.code == .ran)
    var refused = 0
    for allocation in 1...10_000 {
      runtime.fail(from: allocation)
      let outcome = runtime.run(0, Fixture.input())
      let reached = runtime.allocations >= allocation
      runtime.fail(from: 0)
      if !reached { break }
      refused = allocation
      #expect(outcome.code == .overBudget && outcome.limit == .memory, "\(outcome)")
      #expect(outcome.effects.isEmpty && outcome.state == nil)
    }
    #expect(refused > 20 && refused < 10_000)
    #expect(runtime.run(0, Fixture.input()).effects == wanted.effects)
  }

  @Test func `loading survives a refusal at every allocation`() throws {
    let loading = Fixture.load([
      "a.lua": Fixture.rule(Self.body, before: "local l = use('lib/a')"), "lib/a.lua": "return { x = { 1, 2 } }",
    ])
    #expect(loading.complaints.isEmpty)
    var refused = 0
    for allocation in 1...20_000 {
      do throws(RuleComplaint) {
        _ = try RuleRuntime(loading.set, failFrom: allocation)
        break
      } catch {
        refused = allocation
        #expect(error.message.contains("memory"), "\(error)")
      }
    }
    #expect(refused > 200 && refused < 20_000)
  }

  @Test func `time is the second net and has a code of its own`() throws {
    let set = Fixture.load([
      "a.lua": Fixture.rule("local s = ('a'):rep(1000000) while true do local b = s == s .. 'b' end")
    ]).set
    let outcome = try RuleRuntime(set, cpuMilliseconds: 1).run(0, Fixture.input())
    #expect(outcome.code == .overBudget && outcome.limit == .time && outcome.line == 2, "\(outcome)")
    #expect(outcome.reason == "the limit of 1 ms of CPU time is reached")
  }

  /// Rules without loops run without the instruction hook; none of these may count as one.
  @Test(arguments: [
    "use('lib/a').loop()", "local f = use('lib/a').loop f()", "pcall(use('lib/a').loop)", "lib.loop()",
    "::again:: local x = 1 goto again", "while event do end", "local f f = function() f() return f() end f()",
    "local t = { \((1...140).map { "k\($0) = 'v\($0)'" }.joined(separator: ", ")) } use('lib/a').loop()",
    "('x'):gsub('.', use('lib/a').loop)", "table.sort({ 3, 1, 2 }, use('lib/a').loop)",
  ])
  func `a rule without loops of its own cannot reach one unseen`(body: String) throws {
    let outcome = try Fixture.run(
      body, before: body.hasPrefix("lib") ? "local lib = use('lib/a')" : "",
      libraries: ["lib/a.lua": "return { loop = function() while true do end end }"])
    #expect(outcome.code == .overBudget && outcome.limit != .time, "\(outcome)")
  }

  @Test func `a handle used after its run is refused`() throws {
    // There is no place a handle could be kept in; state, the only memory, does not take one.
    #expect(
      try Fixture.run("state.e = event.data").reason == "state holds texts, numbers and true or false; this is a table")
  }

  @Test func `a large state and large traits are read whole`() throws {
    let state =
      "{" + (1...64).map { "\"key\($0)\":\"\(String(repeating: "x", count: 100))\"" }.joined(separator: ",") + "}"
    let outcome = try Fixture.run("state.key1 = 1 state.key64 = nil", Fixture.input(state: state))
    #expect(outcome.code == .ran)
    #expect(outcome.state?.count ?? 0 > 6000)
    #expect(
      try Fixture.run("local x = state.y", Fixture.input(state: "[1]")).reason
        == "the stored state of this rule is not a JSON object")
    #expect(try Fixture.run("local x = state.y", Fixture.input(state: "{")).code == .failed)
  }
}
