// Runs that wait: through the desk, the lanes and the store, with a clock that the test moves.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct JourneyTests {
  static let dunning = Workshop.rule(
    "on = 'invoice.payment_failed', key = 'data.invoice', stop_on = { 'invoice.paid' }",
    """
    for attempt, pause in ipairs { "1 day", "3 days" } do
      wait(pause)
      send("crm", "dunning.reminder", { customer = customer.id, attempt = attempt })
    end
    finish("exhausted")
    """)

  static func failed(_ id: String, _ invoice: String, user: String = "ada") -> String {
    #"{"id":"\#(id)","name":"invoice.payment_failed","user":"\#(user)","data":{"invoice":"\#(invoice)"}}"#
  }

  static func event(_ name: String, _ id: String, user: String = "ada", _ data: String = "{}") -> String {
    #"{"id":"\#(id)","name":"\#(name)","user":"\#(user)","data":\#(data)}"#
  }

  static let day: Int64 = 86_400_000

  @Test func `a run sleeps, wakes at its times, sends each effect once and ends with its reason`() throws {
    let shop = try Workshop(["dunning": JourneyTests.dunning])
    let began = try shop.take(JourneyTests.failed("e1", "in_1"))
    #expect(began.deliveries.isEmpty)
    #expect(began.verdict("dunning")?.code == .waiting)
    #expect(began.verdict("dunning")?.reason == "run 1 sleeps until 2023-11-15T22:13:20.000Z")
    shop.now = shop.now + (JourneyTests.day - 1)
    #expect(try shop.run([]).deliveries.isEmpty)
    shop.now = shop.now + Int64(1)
    let first = try shop.run([])
    #expect(first.deliveries.map(\.delivery.type) == ["dunning.reminder"])
    #expect(first.deliveries.map(\.run) == [1])
    shop.now = shop.now + 3 * JourneyTests.day
    let second = try shop.run([])
    #expect(second.deliveries.count == 1)
    #expect(String(decoding: second.deliveries[0].delivery.body, as: UTF8.self).contains(#""attempt":2"#))
    #expect(second.ended.map(\.status) == [.finished])
    #expect(second.ended.map(\.reason) == ["exhausted"])
    #expect(second.deliveries[0].delivery.id != first.deliveries[0].delivery.id)
    // Nothing of it is left among what lives.
    for table in [Table.run, .living, .timer] {
      #expect(try shop.store.makeReader().rows(from: RowKey(table, .min), to: RowKey(table, .max), limit: 9).isEmpty)
    }
  }

  @Test func `an event of stop_on with the same key ends a run in the middle of its wait, one of another key does not`()
    throws
  {
    let shop = try Workshop(["dunning": JourneyTests.dunning])
    try shop.take(JourneyTests.failed("e1", "in_1"))
    try shop.take(JourneyTests.event("invoice.paid", "p0", #"{"invoice":"in_2"}"#))
    shop.now = shop.now + JourneyTests.day
    #expect(try shop.run([]).deliveries.count == 1)
    let stopped = try shop.take(JourneyTests.event("invoice.paid", "p1", #"{"invoice":"in_1"}"#))
    #expect(stopped.verdict("dunning")?.code == .stopped)
    #expect(stopped.ended.map(\.status) == [.stopped])
    shop.now = shop.now + 10 * JourneyTests.day
    #expect(try shop.run([]).deliveries.isEmpty)
  }

  @Test func `a run goes on after a restart where it slept`() throws {
    let disk = MemoryStore.Disk()
    let first = try Workshop(["dunning": JourneyTests.dunning], disk: disk)
    try first.take(JourneyTests.failed("e1", "in_1"))
    let later = try Workshop(["dunning": JourneyTests.dunning], disk: disk)
    later.now = first.now + JourneyTests.day
    let woken = try later.run([])
    #expect(woken.deliveries.count == 1)
    let last = try Workshop(["dunning": JourneyTests.dunning], disk: disk)
    last.now = later.now + 3 * JourneyTests.day
    #expect(try last.run([]).ended.map(\.reason) == ["exhausted"])
  }

  @Test func `wait_for takes an event that came before the wait began, and the oldest first`() throws {
    let rule = Workshop.rule(
      "on = 'cart'",
      """
      wait("1 hour")
      local first = wait_for("added", { within = "1 day" })
      local second = wait_for("added", { within = "1 day" })
      send("crm", "seen", { first = first.data.n, second = second.data.n })
      """)
    let shop = try Workshop(["cart": rule])
    try shop.take(JourneyTests.event("cart", "c"))
    try shop.take(JourneyTests.event("added", "a1", #"{"n":1}"#))
    try shop.take(JourneyTests.event("added", "a2", #"{"n":2}"#))
    shop.now = shop.now + 3_600_000
    let sent = try shop.run([])
    #expect(sent.deliveries.count == 1)
    #expect(String(decoding: sent.deliveries[0].delivery.body, as: UTF8.self).contains(#"{"first":1,"second":2}"#))
  }

  @Test func `wait_for gives nil when its time is up, and the event when it comes in time`() throws {
    let rule = Workshop.rule(
      "on = 'trial'",
      """
      local paid = wait_for("paid", { within = "2 days" })
      send("crm", paid and "thanks" or "reminder", { plan = paid and paid.data.plan })
      """)
    let shop = try Workshop(["trial": rule])
    try shop.take(JourneyTests.event("trial", "t1", user: "ada"), JourneyTests.event("trial", "t2", user: "bob"))
    shop.now = shop.now + JourneyTests.day
    let woken = try shop.take(JourneyTests.event("paid", "p", user: "ada", #"{"plan":"pro"}"#))
    #expect(woken.deliveries.map(\.delivery.type) == ["thanks"])
    #expect(woken.verdict("trial")?.reason == "run 1 has finished")
    shop.now = shop.now + JourneyTests.day
    #expect(try shop.run([]).deliveries.map(\.delivery.type) == ["reminder"])
  }

  @Test func `since = "now" does not look back`() throws {
    let rule = Workshop.rule(
      "on = 'a'",
      """
      wait("1 hour")
      local b = wait_for("b", { within = "1 day", since = "now" })
      send("crm", b and "yes" or "no", {})
      """)
    let shop = try Workshop(["r": rule])
    try shop.take(JourneyTests.event("a", "a"))
    try shop.take(JourneyTests.event("b", "b"))
    shop.now = shop.now + 3_600_000
    #expect(try shop.run([]).deliveries.isEmpty)
    shop.now = shop.now + JourneyTests.day
    #expect(try shop.run([]).deliveries.map(\.delivery.type) == ["no"])
  }

  @Test func `match picks the event by its fields, by a table or by a function`() throws {
    for match in ["{ order = event.data.order }", "function(e) return e.data.order == event.data.order end"] {
      let rule = Workshop.rule(
        "on = 'ordered'",
        """
        local shipped = wait_for("shipped", { match = \(match) })
        send("crm", "shipped", { by = shipped.data.by })
        """)
      let shop = try Workshop(["r": rule])
      try shop.take(JourneyTests.event("ordered", "o", #"{"order":7}"#))
      let other = try shop.take(JourneyTests.event("shipped", "s1", #"{"order":8,"by":"x"}"#))
      #expect(other.deliveries.isEmpty)
      #expect(other.verdict("r")?.code == .heard)
      let right = try shop.take(JourneyTests.event("shipped", "s2", #"{"order":7,"by":"y"}"#))
      #expect(String(decoding: right.deliveries[0].delivery.body, as: UTF8.self).contains(#""by":"y""#))
    }
  }

  @Test func `wait_any takes whichever comes first and says which`() throws {
    let rule = Workshop.rule(
      "on = 'a'",
      """
      local e = wait_any({ "x", "y" }, { within = "1 day" })
      send("crm", e.name, {})
      """)
    let shop = try Workshop(["r": rule])
    try shop.take(JourneyTests.event("a", "a"))
    #expect(try shop.take(JourneyTests.event("y", "y")).deliveries.map(\.delivery.type) == ["y"])
  }

  @Test func `what a run read before a wait stays as it was, what it reads after is new`() throws {
    let rule = Workshop.rule(
      "on = 'a'",
      """
      local before = customer.traits.plan
      state.n = (state.n or 0) + 1
      local start = now()
      wait("1 hour")
      wait("1 hour")
      send("crm", "t", { before = before, after = customer.traits.plan, n = state.n, waited = now() - start })
      """)
    let shop = try Workshop(["r": rule])
    try shop.take(#"{"id":"i","name":"identify","user":"ada","traits":{"plan":"free"}}"#)
    try shop.take(JourneyTests.event("a", "a"))
    try shop.take(#"{"id":"j","name":"identify","user":"ada","traits":{"plan":"pro"}}"#)
    shop.now = shop.now + 3_600_000
    try shop.run([])
    shop.now = shop.now + 3_600_000
    let sent = try shop.run([])
    #expect(
      String(decoding: sent.deliveries[0].delivery.body, as: UTF8.self).contains(
        #"{"after":"pro","before":"free","n":1,"waited":7200000}"#))
    #expect(try shop.state("user:ada", "r") == #"{"n":1}"#)
  }

  @Test func `second decides what becomes of an event while a run with its key lives`() throws {
    func shop(_ header: String) throws -> Workshop {
      try Workshop(["r": Workshop.rule("on = 'a', \(header)", "wait('1 day') send('crm', 't', { n = event.data.n })")])
    }
    func bodies(_ shop: Workshop) throws -> [String] {
      shop.now = shop.now + 2 * JourneyTests.day
      return try shop.run([]).deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self).suffix(9).description }
    }
    let first = JourneyTests.event("a", "1", #"{"n":1}"#)
    let second = JourneyTests.event("a", "2", #"{"n":2}"#)
    let third = JourneyTests.event("a", "3", #"{"n":3}"#)
    let ignore = try shop("second = 'ignore'")
    try ignore.take(first)
    #expect(try ignore.take(second).verdict("r")?.code == .second)
    #expect(try bodies(ignore) == [#"{"n":1}}"#].map { ":" + $0 })
    let restart = try shop("second = 'restart'")
    try restart.take(first)
    #expect(try restart.take(second).ended.map(\.status) == [.replaced])
    #expect(try bodies(restart) == [#":{"n":2}}"#])
    let parallel = try shop("second = 'parallel', limit = 2")
    try parallel.take(first, second)
    #expect(try parallel.take(third).verdict("r")?.code == .second)
    #expect(try bodies(parallel) == [#":{"n":1}}"#, #":{"n":2}}"#])
  }

  @Test func `a goal ends a run that lives`() throws {
    let rule = Workshop.rule(
      "on = 'offered', goal = { event = 'upgraded', within = '14 days' }", "wait('30 days') send('crm', 't', {})")
    let shop = try Workshop(["r": rule])
    try shop.take(JourneyTests.event("offered", "o"))
    shop.now = shop.now + JourneyTests.day
    #expect(try shop.take(JourneyTests.event("upgraded", "u")).ended.map(\.status) == [.goal])
  }

  @Test func `a call waits for the reply of its destination and reads it`() throws {
    let rule = Workshop.rule(
      "on = 'a'",
      """
      local reply = call("crm", "payment.retry", { amount = 5 }, { within = "10 s" })
      send("crm", reply.ok and "paid" or "failed", { status = reply.status, id = reply.body and reply.body.id, unknown = reply.unknown })
      """)
    let shop = try Workshop(["r": rule])
    try shop.run([])
    let asked = try shop.take(JourneyTests.event("a", "a"))
    #expect(asked.deliveries.map(\.delivery.tries) == [1])
    #expect(asked.verdict("r")?.code == .waiting)
    _ = try shop.store.step([.wants(10, except: [])], now: shop.now)
    shop.settled = [
      Attempt(
        delivery: asked.deliveries[0].delivery.number, attempt: 1, started: shop.now, outcome: .delivered, status: 200,
        settlement: .delivered, response: Array(#"{"id":"ch_1"}"#.utf8))
    ]
    let answered = try shop.run([])
    #expect(answered.deliveries.map(\.delivery.type) == ["paid"])
    #expect(
      String(decoding: answered.deliveries[0].delivery.body, as: UTF8.self).contains(#"{"id":"ch_1","status":200}"#))
    // Without an answer in time nobody knows.
    try shop.take(JourneyTests.event("a", "b"))
    shop.now = shop.now + 10_000
    let late = try shop.run([])
    #expect(late.deliveries.map(\.delivery.type) == ["failed"])
    #expect(String(decoding: late.deliveries[0].delivery.body, as: UTF8.self).contains(#""unknown":true"#))
  }

  @Test func `a reply has the headers its destination lets through, and a body of any kind`() throws {
    let rule = Workshop.rule(
      "on = 'a'",
      "local r = call('crm', 'x', {}) finish(tostring(r.headers and r.headers['x-id']) .. ' ' .. tostring(r.body))")
    let shop = try Workshop(["r": rule])
    let asked = try shop.take(JourneyTests.event("a", "a"))
    _ = try shop.store.step([.wants(10, except: [])], now: shop.now)
    var attempt = Attempt(
      delivery: asked.deliveries[0].delivery.number, attempt: 1, started: shop.now, outcome: .delivered, status: 200,
      settlement: .delivered, response: Array("plain \"text\"".utf8))
    attempt.replyHeaders = [.init(name: "x-id", value: "7")]
    shop.settled = [attempt]
    #expect(try shop.run([]).ended.map(\.reason) == ["7 plain \"text\""])
  }

  @Test func `an error after a wait parks that run only, and a person can wake or cancel it`() throws {
    let rule = Workshop.rule(
      "on = 'a'",
      "wait('1 hour')\nsend('crm', 'before', {})\nlocal n = customer.traits.limit + 1\nsend('crm', 'after', {})")
    let shop = try Workshop(["r": rule])
    try shop.take(JourneyTests.event("a", "a", user: "ada"), JourneyTests.event("a", "b", user: "bob"))
    try shop.take(#"{"id":"i","name":"identify","user":"bob","traits":{"limit":1}}"#)
    shop.now = shop.now + 3_600_000
    let woken = try shop.run([])
    #expect(woken.deliveries.map(\.delivery.type) == ["before", "after"])
    #expect(woken.logs.count == 1)
    #expect(woken.logs[0].hasPrefix("run 1 is parked: attempt to perform arithmetic"))
    let parked = try #require(try shop.store.makeReader().value(RowKey(.run, 1)).flatMap { RunRow(number: 1, $0) })
    #expect(parked.status == .parked)
    #expect(parked.line == 4)
    try shop.take(#"{"id":"j","name":"identify","user":"ada","traits":{"limit":1}}"#)
    let again = try shop.run([.command(RunCommand(.wake, run: 1, subject: parked.subject))])
    #expect(again.deliveries.map(\.delivery.type) == ["before", "after"])
    try shop.take(JourneyTests.event("a", "c", user: "cleo"))
    shop.now = shop.now + 3_600_000
    try shop.run([])
    let subject = try #require(try shop.subject("user:cleo"))
    #expect(try shop.run([.command(RunCommand(.cancel, run: 3, subject: subject))]).ended.map(\.status) == [.cancelled])
  }

  @Test func `a run keeps the version it began with, and a new run has the new one`() throws {
    let old = Workshop.rule("on = 'a'", "wait('1 day') send('crm', 'old', {})")
    let new = Workshop.rule("on = 'a'", "send('crm', 'started', {}) wait('1 day') send('crm', 'new', {})")
    let disk = MemoryStore.Disk()
    let shop = try Workshop(["r": old], disk: disk)
    try shop.take(JourneyTests.event("a", "1", user: "ada"))
    try shop.publish(["r": new], highest: 1)
    #expect(try shop.take(JourneyTests.event("a", "2", user: "bob")).deliveries.map(\.delivery.type) == ["started"])
    shop.now = shop.now + JourneyTests.day
    #expect(Set(try shop.run([]).deliveries.map(\.delivery.type)) == ["old", "new"])
    try shop.take(JourneyTests.event("a", "3", user: "cleo"))
    // Also after a start, when the old text is in the store alone.
    let later = try Workshop(["r": old.replacing("old", with: "older")], disk: disk)
    later.now = shop.now + JourneyTests.day
    #expect(try later.run([]).deliveries.map(\.delivery.type) == ["new"])
  }

  @Test func `checkpoint begins the run anew with what it keeps, and ids go on`() throws {
    let rule = """
      return rule { title = 'T', on = 'a', run = function(event, customer, saved)
        local day = saved and saved.day or 0
        while day < 6 do
          wait('1 day')
          day = day + 1
          send('crm', 'day', { day = day })
          if day % 2 == 0 then checkpoint { day = day } end
        end
        finish('done')
      end }
      """
    let shop = try Workshop(["r": rule])
    try shop.take(JourneyTests.event("a", "a"))
    var ids: Set<String> = []
    var days = 0
    for _ in 0..<6 {
      shop.now = shop.now + JourneyTests.day
      let happened = try shop.run([])
      days += happened.deliveries.count
      for row in happened.deliveries { ids.insert(row.delivery.id) }
      if let row = try shop.store.makeReader().value(RowKey(.run, 1)).flatMap({ RunRow(number: 1, $0) }) {
        #expect(row.journal.entryCount <= 4)
      }
    }
    #expect(days == 6)
    #expect(ids.count == 6)
    #expect(try shop.store.makeReader().engine.endedRun(1)?.reason == "done")
  }

  @Test func `wait_until knows days, weekdays, zones and changes of clocks`() throws {
    func wakes(_ argument: String, at now: String, zone: String = "Europe/Berlin") throws -> String {
      let shop = try Workshop([
        "r": Workshop.rule(
          "on = 'a', zone = '\(zone)'", "local waited = wait_until(\(argument)) send('crm', tostring(waited), {})")
      ])
      shop.now = try #require(ISO8601.parse(now))
      let began = try shop.take(
        JourneyTests.event("a", "a", #"{"at":"2026-05-01T10:00:00Z","past":"2020-01-01T00:00:00Z","bad":"soon"}"#))
      if let sent = began.deliveries.first { return sent.delivery.type }
      let verdict = began.verdict("r")
      return verdict?.code == .waiting ? String(verdict!.reason.suffix(24)) : verdict?.reason ?? ""
    }
    #expect(try wakes("{ days = 1, at = '09:00' }", at: "2026-01-10T12:00:00Z") == "2026-01-11T08:00:00.000Z")
    #expect(try wakes("{ at = '09:00' }", at: "2026-01-10T07:00:00Z") == "2026-01-10T08:00:00.000Z")
    #expect(try wakes("{ at = '09:00' }", at: "2026-01-10T08:00:00Z") == "2026-01-11T08:00:00.000Z")
    // 2026-01-10 is a Saturday.
    #expect(try wakes("{ weekday = 'monday', at = '09:00' }", at: "2026-01-10T12:00:00Z") == "2026-01-12T08:00:00.000Z")
    // 02:30 does not exist on 29 March 2026 in Berlin, and comes twice on 25 October.
    #expect(try wakes("{ days = 1, at = '02:30' }", at: "2026-03-28T12:00:00Z") == "2026-03-29T01:00:00.000Z")
    #expect(try wakes("{ days = 1, at = '02:30' }", at: "2026-10-24T12:00:00Z") == "2026-10-25T00:30:00.000Z")
    #expect(
      try wakes("{ at = '09:00', zone = 'America/New_York' }", at: "2026-01-10T12:00:00Z") == "2026-01-10T14:00:00.000Z"
    )
    #expect(try wakes("event.data.at", at: "2026-04-30T00:00:00Z") == "2026-05-01T10:00:00.000Z")
    #expect(try wakes("event.data.past", at: "2026-04-30T00:00:00Z") == "false")
    #expect(try wakes("event.data.missing", at: "2026-04-30T00:00:00Z") == "wait_until: the date is missing")
    #expect(try wakes("event.data.bad", at: "2026-04-30T00:00:00Z").hasPrefix("wait_until: 'soon' is no date"))
  }

  @Test(arguments: [1, 2, 3])
  func `a run waits for the events of another subject, also for those that came before it asked`(lanes: Int) throws {
    let rule = Workshop.rule(
      "on = 'registered'",
      """
      local webinar = "webinar:" .. event.data.webinar
      wait("1 hour")
      local moved = wait_for("webinar.moved", { subject = webinar, within = "7 days" })
      send("crm", "moved", { to = moved and moved.data.to })
      local again = wait_for("webinar.moved", { subject = webinar, within = "7 days" })
      send("crm", "again", { to = again and again.data.to })
      """)
    let shop = try Workshop(["r": rule], lanes: lanes)
    for user in ["ada", "bob", "cleo"] {
      try shop.take(JourneyTests.event("registered", user, user: user, #"{"webinar":"w7"}"#))
    }
    func moved(_ id: String, _ to: Int) -> String {
      #"{"id":"\#(id)","name":"webinar.moved","thing":"webinar:w7","data":{"to":\#(to)}}"#
    }
    try shop.take(moved("m1", 1))
    shop.now = shop.now + 3_600_000
    var sent = try shop.run([])
    #expect(sent.deliveries.map(\.delivery.type) == ["moved", "moved", "moved"])
    sent = try shop.take(moved("m2", 2), #"{"id":"x","name":"webinar.moved","thing":"webinar:w8","data":{"to":9}}"#)
    #expect(sent.deliveries.map(\.delivery.type) == ["again", "again", "again"])
    #expect(sent.deliveries.allSatisfy { String(decoding: $0.delivery.body, as: UTF8.self).contains(#""to":2"#) })
    // All have ended, and nobody is registered any more.
    let reader = try shop.store.makeReader()
    #expect(try reader.rows(from: RowKey(.waiter, .min), to: RowKey(.waiter, .max), limit: 9).isEmpty)
    #expect(try reader.rows(from: RowKey(.message, .min), to: RowKey(.message, .max), limit: 9).isEmpty)
  }

  @Test func `a paused rule keeps its runs asleep until it is live again`() throws {
    let body = "wait('1 hour') send('crm', 't', {})"
    let shop = try Workshop(["r": Workshop.rule("on = 'a'", body)])
    try shop.take(JourneyTests.event("a", "a"))
    try shop.publish(["r": Workshop.rule("on = 'a', mode = 'paused'", body)], highest: 1)
    shop.now = shop.now + JourneyTests.day
    #expect(try shop.run([]).deliveries.isEmpty)
    try shop.publish(["r": Workshop.rule("on = 'a'", body)], highest: 1)
    #expect(try shop.store.makeReader().engine.deliveries(before: .max, limit: 9).count == 1)
  }

  @Test func `in shadow effects are written down and not sent, and a run ends at its first call`() throws {
    let shop = try Workshop([
      "r": Workshop.rule(
        "on = 'a', mode = 'shadow'",
        "send('crm', 't', {}) wait('1 hour') set { x = 1 } send('crm', 'u', {}) call('crm', 'c', {}) send('crm', 'never', {})"
      )
    ])
    let begun = try shop.take(JourneyTests.event("a", "a"))
    #expect(begun.verdict("r")?.reason.hasSuffix("; it would send t to crm") == true)
    #expect(begun.logs == ["only written down, run 1: it would send t to crm"])
    #expect(begun.shadowed.map(\.delivery.type) == ["t"] && begun.deliveries.isEmpty && begun.handedOut.isEmpty)
    shop.now = shop.now + 3_600_000
    let ended = try shop.run([])
    #expect(ended.shadowed.map(\.delivery.type) == ["u", "c"] && ended.deliveries.isEmpty && ended.handedOut.isEmpty)
    #expect(ended.logs == [#"only written down, run 1: it would set {"x":1}; send u to crm; send c to crm"#])
    #expect(ended.ended.first?.reason == "in shadow: a run ends at its first call that has no shadow_reply")
  }

  @Test func `five limits within ten minutes switch a rule off, and its run is told`() throws {
    let shop = try Workshop(["r": Workshop.rule("on = 'a'", "wait('1 s') while true do end")])
    for user in 1...6 {
      try shop.take(JourneyTests.event("a", "a\(user)", user: "u\(user)"))
    }
    shop.now = shop.now + 1_000
    let woken = try shop.run([])
    #expect(woken.logs.contains { $0.hasPrefix("the rule is paused: it met a limit 5 times within ten minutes") })
    #expect(shop.guardian.pauses.count == 1)
    #expect(try shop.take(JourneyTests.event("a", "z", user: "z")).verdict("r")?.code == .paused)
  }

  @Test func `a rule with more effects in an hour than it may have is paused`() throws {
    let shop = try Workshop(
      ["r": Workshop.rule("on = 'a'", "send('crm', 't', {}) send('crm', 't', {})")], effectsPerHour: 3)
    try shop.take(JourneyTests.event("a", "1"))
    #expect(
      try shop.take(JourneyTests.event("a", "2")).logs.contains { $0.contains("more than 3 effects within an hour") })
    #expect(try shop.take(JourneyTests.event("a", "3")).verdict("r")?.code == .paused)
  }

  @Test func `a rule can watch the others fail and be paused, and is not woken by failing itself`() throws {
    let shop = try Workshop([
      "bad": Workshop.rule("on = 'a'", "local n = event.data.none + 1"),
      "loop": Workshop.rule("on = 'b'", "while true do end"),
      "watch": Workshop.rule(
        "on = { 'nudged.rule.failed', 'nudged.rule.paused' }, per = 'rule'",
        "log(event.name .. ' ' .. event.data.rule) local n = event.data.none + 1"),
    ])
    let failed = try shop.take(JourneyTests.event("a", "a"))
    #expect(failed.verdict("watch")?.code == .failed)
    #expect(failed.verdict("watch")?.reads.isEmpty == true)
    var told: [String] = []
    for number in 1...5 {
      for verdict in try shop.take(JourneyTests.event("b", "b\(number)")).verdicts.flatMap(\.verdicts)
      where verdict.rule == "watch" { told.append(verdict.code.word) }
    }
    // Five failures and the pause; a watcher that fails wakes nobody.
    #expect(told == Array(repeating: "failed", count: 6))
  }

  @Test func `an event that comes with a due timer in one batch wins`() throws {
    let rule = Workshop.rule(
      "on = 'a'", "local b = wait_for('b', { within = '1 hour' }) send('crm', b and 'event' or 'timer', {})")
    let shop = try Workshop(["r": rule])
    try shop.take(JourneyTests.event("a", "a"))
    shop.now = shop.now + 3_600_000
    #expect(try shop.take(JourneyTests.event("b", "b")).deliveries.map(\.delivery.type) == ["event"])
  }
}

extension String {
  fileprivate func replacing(_ old: String, with new: String) -> String {
    split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
  }
}
