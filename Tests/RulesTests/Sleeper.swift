// One run of a rule that waits, woken again and again by whatever it waits for, with an honest rule in the
// same runtime that runs after each of its activations.
//
// Thread: the test's own. Promise: each activation is played twice and must come out the same; what the
// run did is kept only when the activation counts, as the lane does it.

import Basics
import Glibc
import Model
import Rules
import Testing

/// A body of `run`, and how its life must end.
struct HostileScript: Sendable, CustomTestStringConvertible {
  enum End: Sendable {
    case finished
    /// It still sleeps when nothing more comes.
    case waiting
    case skipped(String)
    /// An error, a limit or a divergence, with a part of its reason.
    case parked(String)
    /// It does not even load.
    case refused(String)
  }
  var body: String
  var end: End
  var header = ""
  var before = ""
  /// How often it is woken, at most, and how many events it gets of those that it waits for.
  var wakes = 12
  var events = 6
  /// Events named b that came before the run was woken for the first time.
  var heard = 0
  var reply = #"{"ok":true,"status":200,"body":{"n":1,"list":[1,2,3],"text":"x"}}"#

  init(
    _ body: String, _ end: End, header: String = "", before: String = "", wakes: Int = 12, events: Int = 6,
    heard: Int = 0, reply: String? = nil
  ) {
    self.body = body
    self.end = end
    self.header = header
    self.before = before
    self.wakes = wakes
    self.events = events
    self.heard = heard
    if let reply { self.reply = reply }
  }

  var testDescription: String { String(body.prefix(90)) }
}

final class Sleeper {
  /// What an honest rule comes to in a fresh runtime.
  static let honest = """
    local names = {}
    for name in pairs(event.data) do names[#names + 1] = name end
    table.sort(names, function(a, b) return a > b end)
    state.seen = (state.seen or 0) + 1
    send('crm', 'honest', { names = table.concat(names, ','), plan = customer.traits.plan, n = random(1000) })
    log(('%d of %s'):format(event.data.amount, ('abc'):gsub('.', { b = 'B' })))
    """
  private static let reference: RuleOutcome? = {
    let loading = Fixture.load(["b.lua": Fixture.rule(honest)])
    guard loading.complaints.isEmpty, let runtime = try? RuleRuntime(loading.set, cpuMilliseconds: 60_000) else {
      return nil
    }
    return runtime.run(0, Fixture.input(state: #"{"seen":4}"#, traits: #"{"plan":"pro"}"#))
  }()

  private let script: HostileScript
  private let runtime: RuleRuntime
  private var journal = Journal()
  private var wait: Wait?
  private var saved: [UInt8] = []
  private var entriesBefore = 0
  private var randoms: UInt64 = 0
  private var state: [UInt8] = []
  private var now = Instant(milliseconds: 1_700_000_001_000)
  private var events: [Int64: Event] = [:]
  private var heard: [HeardEvent] = []
  private(set) var effects: [Effect] = []
  private(set) var activations = 0
  /// What the honest rule came to after each of them was what it comes to alone.
  private(set) var isHonestUntouched = true
  /// The most units of one activation, and the most CPU time, in milliseconds.
  private(set) var units = 0
  private(set) var milliseconds: Int64 = 0

  init(_ script: HostileScript, _ set: RuleSet) throws {
    self.script = script
    runtime = try RuleRuntime(set, cpuMilliseconds: 60_000)
    for _ in 0..<script.heard { hear("b") }
  }

  /// From its start until it ends, or nothing wakes it any more.
  func live() -> ActivationOutcome {
    var outcome = activate(.start)
    for _ in 0..<script.wakes {
      switch outcome.ending {
      case .waiting(let wait):
        self.wait = wait
        guard let trigger = trigger(wait) else { return outcome }
        outcome = activate(trigger)
      case .unchanged:
        guard let wait, let trigger = trigger(wait) else { return outcome }
        outcome = activate(trigger)
      case .checkpoint: outcome = activate(.start)
      default: return outcome
      }
    }
    return outcome
  }

  // MARK: one activation

  private func activate(_ trigger: Trigger) -> ActivationOutcome {
    // The traits have another shape at every wake.
    let traits =
      activations % 2 == 0
      ? #"{"plan":"pro","address":{"city":"Ulm","lines":["a","b","c"]},"list":[1,2,3,4,5,6,7,8],"n":1}"#
      : #"{"n":2}"#
    activations += 1
    var input = Fixture.input(traits: traits)
    input.state = state
    input.now = now
    let known = events
    var activation = Activation(
      input: input, trigger: trigger, journal: journal, wait: wait, load: { known[$0] })
    activation.entriesBefore = entriesBefore
    activation.randoms = randoms
    activation.saved = saved
    activation.heard = heard
    let began = Sleeper.threadMilliseconds()
    let outcome = runtime.activate(0, activation)
    milliseconds = max(milliseconds, Sleeper.threadMilliseconds() - began)
    units = max(units, outcome.units)
    let again = runtime.activate(0, activation)
    expectSame(outcome, again)
    expectHonest()
    take(outcome)
    return outcome
  }

  private func expectSame(_ one: ActivationOutcome, _ other: ActivationOutcome) {
    #expect(one.ending == other.ending && one.reason == other.reason && one.line == other.line)
    #expect(one.effects == other.effects && one.entries == other.entries && one.state == other.state)
    #expect(one.part == other.part && one.consumed == other.consumed && one.entryCount == other.entryCount)
    // When memory runs out depends on what others left behind in it.
    #expect((one.units == other.units || one.limit == .memory) && one.randoms == other.randoms)
  }

  /// The rule beside it finds the runtime as new.
  private func expectHonest() {
    let outcome = runtime.run(
      runtime.set.count - 1, Fixture.input(state: #"{"seen":4}"#, traits: #"{"plan":"pro"}"#))
    if outcome != Sleeper.reference { isHonestUntouched = false }
  }

  private func take(_ outcome: ActivationOutcome) {
    switch outcome.ending {
    case .waiting, .finished, .checkpoint: break
    default:
      #expect(outcome.effects.isEmpty && outcome.state == nil && outcome.part == nil)
      return
    }
    effects += outcome.effects
    if let changed = outcome.state { state = changed }
    if let part = outcome.part { journal.append(part) }
    expectPackable()
    heard.removeAll { outcome.consumed.contains($0.number) }
    if case .event(let number) = outcome.part?.trigger { heard.removeAll { $0.number == number } }
    guard case .checkpoint(let table) = outcome.ending else { return }
    saved = table
    journal = Journal()
    entriesBefore = outcome.entryCount
    randoms = outcome.randoms
    wait = nil
  }

  /// A journal reads back as it was written, whatever is in it.
  private func expectPackable() {
    var writer = PackedWriter()
    journal.pack(since: now, into: &writer)
    let read = PackedReader.read(writer.bytes) { Journal.unpack(&$0, since: now) }
    #expect(read == journal)
  }

  // MARK: the world

  private func trigger(_ wait: Wait) -> Trigger? {
    switch wait.kind {
    case .call: return .reply(Array(script.reply.utf8))
    case .waitFor, .waitAny:
      if events.count < script.events + script.heard, let name = wait.names.first { return .event(hear(name)) }
      fallthrough
    default:
      guard let until = wait.until else { return nil }
      now = max(now, until)
      return .timer
    }
  }

  @discardableResult
  private func hear(_ name: String) -> Int64 {
    let number = Int64(events.count + 1)
    let document = Fixture.parse(#"{"data":{"n":\#(number),"text":"x","deep":{"list":[1,[2,[3]]]}},"traits":{"t":1}}"#)
    events[number] = Event(
      name: name, id: "h\(number)", source: "api", time: now, received: now,
      user: SubjectReference(namespace: "user", id: "42"), account: nil, thing: nil, depth: 0, document: document,
      item: 0, data: document.root["data"]?.index, traits: document.root["traits"]?.index, context: nil)
    heard.append(HeardEvent(number: number, name: name, isOwn: true))
    return number
  }

  static func threadMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
  }
}
