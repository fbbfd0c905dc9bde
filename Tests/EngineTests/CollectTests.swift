// Runs that gather events before they begin: by number, by time, by silence, and what ends them early.
//
// Thread: the test's. Promise: the clock moves only by hand.

import Basics
import Model
import Rules
import Store
import Testing

@testable import Engine

@Suite struct CollectTests {
  private static let minute: Int64 = 60_000

  /// A rule that says how many events it got, and which.
  private static func rule(_ header: String, _ body: String = told) -> String {
    "return rule { title = 'T', on = 'tried', \(header), run = function(event, customer, events, saved)\n\(body)\nend }"
  }

  private static let told = """
    local all = {}
    for place, one in ipairs(events) do all[place] = one.data.n end
    send("crm", "told", { count = #events, all = all, newest = event.data.n })
    """

  private static let collecting = rule("collect = { up_to = 3, within = '10 minutes' }")
  private static let silent = rule(
    "debounce = '10 minutes'", "send('crm', 'told', { newest = event.data.n, saved = events == nil })")

  private func tried(_ number: Int, user: String = "ada", key: String = "") -> String {
    let more = key.isEmpty ? "" : #","key":"\#(key)""#
    return #"{"id":"t\#(number)\#(user)\#(key)","name":"tried","user":"\#(user)","data":{"n":\#(number)\#(more)}}"#
  }

  private func bodies(_ happened: Happened) -> [String] {
    happened.deliveries.map { row in
      let data = (try? Document.parse(row.delivery.body))?.root["data"]
      return data.map { String(decoding: $0.text, as: UTF8.self) } ?? ""
    }
  }

  private func row(_ shop: Workshop, _ run: Int64 = 1) throws -> RunRow? {
    try shop.store.makeReader().value(RowKey(.run, run)).flatMap { RunRow(number: run, $0) }
  }

  @Test func `as many events as are wanted start one run, with all of them in the order of arrival`() throws {
    let shop = try Workshop(["gate": CollectTests.collecting])
    let first = try shop.take(tried(1))
    #expect(first.verdict("gate")?.code == .collected)
    #expect(first.verdict("gate")?.reason == "run 1 collects it (1 of 3) until 2023-11-14T22:23:20.000Z")
    #expect(try shop.take(tried(2)).verdict("gate")?.reason.hasPrefix("run 1 collects it (2 of 3)") == true)
    #expect(try row(shop)?.collecting == "collects 2 of 3")
    let last = try shop.take(tried(3))
    #expect(bodies(last) == [#"{"all":[1,2,3],"count":3,"newest":3}"#])
    #expect(last.deliveries.map(\.run) == [1])
    #expect(last.verdict("gate")?.code == .ran)
    #expect(last.ended.map(\.status) == [.finished])
    shop.now = shop.now + CollectTests.minute * 60
    #expect(try shop.run([]).deliveries.isEmpty)
    for table in [Table.run, .living, .timer] {
      #expect(try shop.store.makeReader().rows(from: RowKey(table, .min), to: RowKey(table, .max), limit: 9).isEmpty)
    }
  }

  @Test func `the time counts from the first event, and the run gets what has come by then`() throws {
    let shop = try Workshop(["gate": CollectTests.collecting])
    try shop.take(tried(1))
    shop.now = shop.now + 9 * CollectTests.minute
    try shop.take(tried(2))
    shop.now = shop.now + (CollectTests.minute - 1)
    #expect(try shop.run([]).deliveries.isEmpty)
    shop.now = shop.now + Int64(1)
    #expect(bodies(try shop.run([])) == [#"{"all":[1,2],"count":2,"newest":2}"#])
    // What comes too late is the first of the next.
    let late = try shop.take(tried(3))
    #expect(late.verdict("gate")?.reason.hasPrefix("run 2 collects it (1 of 3)") == true)
  }

  @Test func `an event that comes at the very moment still joins`() throws {
    let shop = try Workshop(["gate": CollectTests.collecting])
    try shop.take(tried(1))
    shop.now = shop.now + 10 * CollectTests.minute
    #expect(bodies(try shop.take(tried(2))) == [#"{"all":[1,2],"count":2,"newest":2}"#])
  }

  @Test func `each subject and each key has a collection of its own`() throws {
    let shop = try Workshop(["gate": CollectTests.rule("key = 'data.key', collect = { up_to = 2, within = '1 hour' }")])
    try shop.take(tried(1, key: "a"), tried(2, key: "b"), tried(3, user: "bob", key: "a"))
    #expect(try bodies(shop.take(tried(4, key: "b"))) == [#"{"all":[2,4],"count":2,"newest":4}"#])
    #expect(try bodies(shop.take(tried(5, user: "bob", key: "a"))) == [#"{"all":[3,5],"count":2,"newest":5}"#])
    #expect(try row(shop)?.gathered?.count == 1)
  }

  @Test(arguments: [CollectTests.collecting, CollectTests.silent])
  func `what is sent for a trial and what is not are collected apart`(rule: String) throws {
    let shop = try Workshop(["gate": rule])
    try shop.take(tried(1))
    let trial = try shop.take(tried(2), source: "test:web")
    #expect(trial.verdict("gate")?.reason.hasPrefix("run 2 collects it (1") == true)
    try shop.take(tried(3))
    try shop.take(tried(4), source: "test:web")
    #expect(try row(shop, 1)?.gathered?.count == 2 && row(shop, 2)?.gathered?.count == 2)
    shop.now = shop.now + 10 * CollectTests.minute
    let sent = bodies(try shop.run([]))
    #expect(sent.count == 1 && sent[0].contains(#""newest":3"#), "what is for a trial reaches no real receiver")
  }

  @Test func `a collection that could not begin meets its rule when a person lets it go on`() throws {
    let shop = try Workshop([
      "gate": CollectTests.rule(
        "collect = { up_to = 2, within = '1 hour' }, again = '1 day', goal = { event = 'won' }",
        "if customer.traits.ok then send('crm', 'told', {}) else error('not yet') end")
    ])
    try shop.take(tried(1), tried(2))
    #expect(try row(shop)?.status == .parked)
    try shop.take(#"{"id":"i","name":"identify","user":"ada","traits":{"ok":true}}"#)
    let subject = try #require(try row(shop)?.subject)
    #expect(try shop.run([.command(RunCommand(.wake, run: 1, subject: subject))]).deliveries.count == 1)
    let reader = try shop.store.makeReader()
    #expect(try reader.rows(from: RowKey(.exposure, 0), to: RowKey(.exposure, .max), limit: 9).count == 1)
    #expect(try shop.take(tried(3)).verdict("gate")?.code == .notAgain)
  }

  @Test func `when is asked of each event before it joins, and not again when the run begins`() throws {
    let shop = try Workshop([
      "gate": CollectTests.rule(
        "collect = { up_to = 2, within = '1 hour' }, when = function(event) return event.data.n ~= 2 end")
    ])
    try shop.take(tried(2))
    #expect(try row(shop) == nil)
    try shop.take(tried(1))
    #expect(try shop.take(tried(2, key: "x")).verdict("gate") == nil)
    #expect(try bodies(shop.take(tried(3))) == [#"{"all":[1,3],"count":2,"newest":3}"#])
  }

  @Test func `when that fails keeps an event out, and the others stay`() throws {
    let shop = try Workshop([
      "gate": CollectTests.rule(
        "collect = { up_to = 2, within = '1 hour' }, when = function(event) return event.data.n + 0 > 0 end")
    ])
    try shop.take(tried(1))
    let broken = try shop.take(#"{"id":"x","name":"tried","user":"ada","data":{}}"#)
    #expect(broken.verdict("gate")?.code == .failed)
    #expect(try row(shop)?.gathered?.count == 1)
  }

  @Test func `silence starts the run with the last event, however often it was put off`() throws {
    let shop = try Workshop(["gate": CollectTests.silent])
    for number in 1...5 {
      try shop.take(tried(number))
      shop.now = shop.now + 9 * CollectTests.minute
      #expect(try shop.run([]).deliveries.isEmpty)
    }
    #expect(try row(shop)?.collecting == "collects 5")
    shop.now = shop.now + (CollectTests.minute - 1)
    #expect(try shop.run([]).deliveries.isEmpty)
    shop.now = shop.now + Int64(1)
    #expect(bodies(try shop.run([])) == [#"{"newest":5,"saved":true}"#])
  }

  @Test func `ten thousand events of one silence make a small row, one timer and one run`() throws {
    let shop = try Workshop(["gate": CollectTests.silent])
    for part in 0..<100 {
      let incoming = try (0..<100).map { DeskInput.incoming(try shop.incoming(tried(part * 100 + $0))) }
      try shop.run(incoming)
      shop.now = shop.now + 1_000
    }
    let reader = try shop.store.makeReader()
    #expect(try #require(try reader.value(RowKey(.run, 1))).count < 120)
    #expect(try reader.rows(from: RowKey(.timer, .min), to: RowKey(.timer, .max), limit: 9).count == 1)
    #expect(try row(shop)?.gathered?.count == 10_000)
    #expect(try row(shop)?.journal.parts.isEmpty == true)
    shop.now = shop.now + 10 * CollectTests.minute
    #expect(bodies(try shop.run([])) == [#"{"newest":9999,"saved":true}"#])
  }

  @Test func `an event of stop_on ends a collection, and a goal does`() throws {
    for (key, status) in [("stop_on = 'passed'", RunStatus.stopped), ("goal = { event = 'passed' }", .goal)] {
      let shop = try Workshop(["gate": CollectTests.rule("\(key), collect = { up_to = 3, within = '1 hour' }")])
      try shop.take(tried(1), tried(2))
      let passed = try shop.take(JourneyTests.event("passed", "p"))
      #expect(passed.ended.map(\.status) == [status])
      #expect(passed.verdict("gate")?.reason == "passed ended run 1")
      shop.now = shop.now + 60 * CollectTests.minute
      #expect(try shop.run([]).deliveries.isEmpty)
      #expect(try shop.take(tried(3)).verdict("gate")?.reason.hasPrefix("run 2 collects it (1 of 3)") == true)
    }
  }

  @Test func `a collection outlives a start, and no event is lost or taken twice`() throws {
    let disk = MemoryStore.Disk()
    let first = try Workshop(["gate": CollectTests.collecting], disk: disk)
    try first.take(tried(1), tried(2))
    let second = try Workshop(["gate": CollectTests.collecting], disk: disk)
    second.now = first.now + 1_000
    #expect(try bodies(second.take(tried(3))) == [#"{"all":[1,2,3],"count":3,"newest":3}"#])
    try second.take(tried(4))
    let third = try Workshop(["gate": CollectTests.collecting], disk: disk)
    third.now = second.now + 10 * CollectTests.minute
    #expect(try bodies(third.run([])) == [#"{"all":[4],"count":1,"newest":4}"#])
  }

  @Test func `silence outlives a start`() throws {
    let disk = MemoryStore.Disk()
    let first = try Workshop(["gate": CollectTests.silent], disk: disk)
    try first.take(tried(1))
    first.now = first.now + 6 * CollectTests.minute
    try first.take(tried(2))
    let second = try Workshop(["gate": CollectTests.silent], disk: disk)
    second.now = first.now + 6 * CollectTests.minute
    #expect(try second.run([]).deliveries.isEmpty)
    second.now = first.now + 10 * CollectTests.minute
    #expect(try bodies(second.run([])) == [#"{"newest":2,"saved":true}"#])
  }

  @Test func `subjects on two lanes collect side by side, and so does an account`() throws {
    let rule = CollectTests.rule("per = 'account', collect = { up_to = 4, within = '1 hour' }")
    let shop = try Workshop(["gate": CollectTests.collecting, "team": rule], lanes: 2)
    var sent: [String] = []
    for number in 1...3 {
      for user in ["ada", "bob", "cyd", "dan"] where number < 3 || user < "d" {
        let text = tried(number, user: user).replacing(#","data""#, with: #","account":"acme","data""#)
        sent += bodies(try shop.take(text))
      }
    }
    #expect(sent.filter { $0 == #"{"all":[1,2,3],"count":3,"newest":3}"# }.count == 3)
    #expect(
      sent.filter { $0.contains(#""count":4"#) } == [
        #"{"all":[1,1,1,1],"count":4,"newest":1}"#, #"{"all":[2,2,2,2],"count":4,"newest":2}"#,
      ])
  }

  @Test func `a person can cancel a collection or let it begin at once`() throws {
    let shop = try Workshop(["gate": CollectTests.collecting])
    try shop.take(tried(1), tried(1, user: "bob"))
    let ada = try #require(try shop.subject("user:ada"))
    let bob = try #require(try shop.subject("user:bob"))
    #expect(try shop.run([.command(RunCommand(.cancel, run: 1, subject: ada))]).ended.map(\.status) == [.cancelled])
    let woken = try shop.run([.command(RunCommand(.wake, run: 2, subject: bob))])
    #expect(bodies(woken) == [#"{"all":[1],"count":1,"newest":1}"#])
    shop.now = shop.now + 60 * CollectTests.minute
    #expect(try shop.run([]).deliveries.isEmpty)
  }

  @Test func `in shadow it collects and only writes down what it would do`() throws {
    let shop = try Workshop(["gate": CollectTests.rule("mode = 'shadow', collect = { up_to = 2, within = '1 hour' }")])
    try shop.take(tried(1))
    let last = try shop.take(tried(2))
    #expect(last.deliveries.isEmpty && last.shadowed.map(\.run) == [1])
  }

  @Test func `while its rule is paused nothing joins and nothing begins; then the run gets what was there`() throws {
    let live = ["gate": CollectTests.collecting]
    let shop = try Workshop(live)
    try shop.take(tried(1), tried(2))
    try shop.publish(
      ["gate": CollectTests.rule("mode = 'paused', collect = { up_to = 3, within = '10 minutes' }")], highest: 1)
    #expect(try shop.take(tried(3)).verdict("gate")?.code == .paused)
    shop.now = shop.now + 60 * CollectTests.minute
    #expect(try shop.run([]).deliveries.isEmpty)
    try shop.publish(live, highest: 1)
    let ended = try #require(try shop.store.makeReader().engine.endedRun(1))
    #expect(ended.status == .finished && ended.gathered?.count == 2 && ended.effects == 1)
  }

  @Test func `a run that waits later sees the same list when it is played again, also after a start`() throws {
    let body = """
      local first = events[1].data.n
      wait("1 day")
      send("crm", "told", { first = first, again = events[1].data.n, last = events[#events].data.n, count = #events })
      """
    let rules = ["gate": CollectTests.rule("collect = { up_to = 2, within = '10 minutes' }", body)]
    let disk = MemoryStore.Disk()
    let shop = try Workshop(rules, disk: disk)
    try shop.take(tried(1), tried(2))
    #expect(try row(shop)?.gathered?.numbers.count == 2)
    let later = try Workshop(rules, disk: disk)
    later.now = shop.now + JourneyTests.day
    #expect(try bodies(later.run([])) == [#"{"again":1,"count":2,"first":1,"last":2}"#])
  }

  @Test func `a run that has begun and lives on keeps no event from being collected`() throws {
    let rules = [
      "gate": CollectTests.rule(
        "collect = { up_to = 2, within = '10 minutes' }", "wait('7 days')\n" + CollectTests.told)
    ]
    let shop = try Workshop(rules)
    try shop.take(tried(1), tried(2))
    #expect(try shop.take(tried(3)).verdict("gate")?.reason.hasPrefix("run 2 collects it (1 of 2)") == true)
    #expect(try shop.take(tried(4)).verdict("gate")?.code == .waiting)
    shop.now = shop.now + 7 * JourneyTests.day
    #expect(
      bodies(try shop.run([])) == [#"{"all":[1,2],"count":2,"newest":2}"#, #"{"all":[3,4],"count":2,"newest":4}"#])
  }

  @Test func `second = "ignore" collects nothing while a run lives, and "restart" ends it when the next begins`() throws
  {
    func shop(_ second: String) throws -> Workshop {
      let header = "second = '\(second)', collect = { up_to = 2, within = '10 minutes' }"
      let shop = try Workshop(["gate": CollectTests.rule(header, "wait('7 days')")])
      try shop.take(tried(1), tried(2))
      return shop
    }
    #expect(try shop("ignore").take(tried(3)).verdict("gate")?.code == .second)
    let other = try shop("restart")
    #expect(try other.take(tried(3)).ended.isEmpty)
    let begun = try other.take(tried(4))
    #expect(begun.ended.map(\.status) == [.replaced] && begun.ended.map(\.number) == [1])
  }

  @Test func `again counts from the start of the run`() throws {
    let shop = try Workshop([
      "gate": CollectTests.rule("again = '1 hour', collect = { up_to = 9, within = '50 minutes' }")
    ])
    try shop.take(tried(1))
    shop.now = shop.now + 50 * CollectTests.minute
    #expect(try shop.run([]).deliveries.count == 1)
    shop.now = shop.now + 59 * CollectTests.minute
    #expect(try shop.take(tried(2)).verdict("gate")?.code == .notAgain)
    shop.now = shop.now + CollectTests.minute
    #expect(try shop.take(tried(3)).verdict("gate")?.code == .collected)
  }

  @Test func `a run that fails with what it has collected is parked and keeps it`() throws {
    let shop = try Workshop([
      "gate": CollectTests.rule("collect = { up_to = 2, within = '1 hour' }", "error('no ' .. #events)")
    ])
    try shop.take(tried(1))
    #expect(try shop.take(tried(2)).verdict("gate")?.code == .parked)
    let parked = try #require(try row(shop))
    #expect(parked.status == .parked && parked.reason.contains("no 2") && parked.gathered?.numbers.count == 2)
    // The next one is not swallowed by it.
    #expect(try shop.take(tried(3)).verdict("gate")?.reason.hasPrefix("run 2 collects it") == true)
  }

  @Test func `a collection of an older version is collected to its end, and by its numbers`() throws {
    let shop = try Workshop(["gate": CollectTests.collecting])
    try shop.take(tried(1))
    try shop.publish(["gate": CollectTests.rule("collect = { up_to = 9, within = '1 hour' }")], highest: 1)
    try shop.take(tried(2))
    #expect(bodies(try shop.take(tried(3))) == [#"{"all":[1,2,3],"count":3,"newest":3}"#])
    #expect(try shop.take(tried(4)).verdict("gate")?.reason.hasPrefix("run 2 collects it (1 of 9)") == true)
  }

  @Test func `checkpoint has its table behind the list, which stays`() throws {
    let body = """
      if not saved then checkpoint { seen = #events } end
      wait("1 hour")
      send("crm", "told", { seen = saved.seen, count = #events })
      """
    let shop = try Workshop(["gate": CollectTests.rule("collect = { up_to = 2, within = '1 hour' }", body)])
    try shop.take(tried(1), tried(2))
    shop.now = shop.now + 60 * CollectTests.minute
    #expect(bodies(try shop.run([])) == [#"{"count":2,"seen":2}"#])
  }

  @Test func `the list is read-only, ends where it ends, and is walked by pairs, too`() throws {
    let body = """
      local sum = 0
      for place, one in pairs(events) do sum = sum + place * one.data.n end
      check(events[0] == nil and events[3] == nil and events[1] == events[1] and events[1].name == "tried", "ends")
      check(not pcall(function() events[1] = 1 end), "changed")
      check(not pcall(function() return events.data end), "named")
      send("crm", "told", { sum = sum, user = events[2].user, data = events[1].data })
      """
    let shop = try Workshop(["gate": CollectTests.rule("collect = { up_to = 2, within = '1 hour' }", body)])
    try shop.take(tried(1))
    #expect(bodies(try shop.take(tried(2))) == [#"{"data":{"n":1},"sum":5,"user":"ada"}"#])
  }

  @Test func `events that were collected outlive the retention of events, as long as their run lives`() throws {
    let rules = [
      "gate": CollectTests.rule(
        "collect = { up_to = 2, within = '10 minutes' }", "wait('120 days')\n" + CollectTests.told)
    ]
    let disk = MemoryStore.Disk()
    let shop = try Workshop(rules, disk: disk)
    try shop.take(tried(1), JourneyTests.event("else", "x"), tried(2))
    shop.now = shop.now + 100 * JourneyTests.day
    for _ in 0..<60 {
      shop.now = shop.now + 1_000
      try shop.run([])
    }
    let engine = try shop.store.makeReader().engine
    #expect(try engine.event(1) != nil && engine.event(2) == nil && engine.event(3) != nil)
    let later = try Workshop(rules, disk: disk)
    later.now = shop.now + 20 * JourneyTests.day
    #expect(try bodies(later.run([])) == [#"{"all":[1,2],"count":2,"newest":2}"#])
  }

  @Test func `up to a thousand are collected, each by a row that grows by a few bytes`() throws {
    let shop = try Workshop(["gate": CollectTests.rule("collect = { up_to = 1000, within = '1 hour' }")])
    try shop.run(try (1...999).map { .incoming(try shop.incoming(tried($0))) })
    #expect(try #require(try shop.store.makeReader().value(RowKey(.run, 1))).count < 1_100)
    let last = try shop.take(tried(1_000))
    #expect(bodies(last).first?.hasSuffix(#""count":1000,"newest":1000}"#) == true)
  }

  @Test func `a collection that goes on while its rule is paused by hand can be woken later`() throws {
    let shop = try Workshop(["gate": CollectTests.collecting])
    try shop.take(tried(1))
    let ada = try #require(try shop.subject("user:ada"))
    let rule = try #require(shop.book.known["gate"])
    shop.guardian.setPause(of: rule, "by hand")
    try shop.run([.command(RunCommand(.wake, run: 1, subject: ada))])
    #expect(try row(shop)?.pending == .hand)
    shop.guardian.setPause(of: rule, nil)
    #expect(try bodies(shop.run([.pause(rule: rule, nil)])) == [#"{"all":[1],"count":1,"newest":1}"#])
  }
}
