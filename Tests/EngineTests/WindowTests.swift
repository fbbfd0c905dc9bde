// Windows as rules use them: counted while events come in, filled from the log when they are new, the same after
// a restart and when a run is played again.
//
// Thread: the test's.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct WindowTests {
  static let day: Int64 = 86_400_000

  private func login(_ id: Int, _ user: String = "ann", data: String = "{}", name: String = "login") -> String {
    #"{"id":"\#(name)-\#(user)-\#(id)","name":"\#(name)","user":"\#(user)","data":\#(data)}"#
  }

  private func bodies(_ happened: Happened) -> [String] {
    happened.deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self) }
  }

  static let counting = Workshop.rule("on = 'login'", "send('bare', 't', { n = count('login', '7 days') })")

  @Test func `a rule sees how often something happened of late, the event at hand among it`() throws {
    let workshop = try Workshop(["count": WindowTests.counting])
    #expect(bodies(try workshop.take(login(1))) == [#"{"n":1}"#])
    workshop.now = workshop.now + 3 * WindowTests.day
    #expect(bodies(try workshop.take(login(2))) == [#"{"n":2}"#])
    #expect(bodies(try workshop.take(login(1, "bob"))) == [#"{"n":1}"#])
    workshop.now = workshop.now + 5 * WindowTests.day
    #expect(bodies(try workshop.take(login(3))) == [#"{"n":2}"#])
  }

  @Test func `what a window said stands among what the rule read`() throws {
    let workshop = try Workshop(["count": WindowTests.counting])
    let read = try #require(try workshop.take(login(1)).verdict("count")?.reads.first)
    #expect(read == ReadValue(name: "count(login, 7 days)", value: "1"))
  }

  @Test func `every kind of window answers in a rule`() throws {
    let rule = Workshop.rule(
      "on = 'paid'",
      """
      send('bare', 't', {
        count = count('paid', '30 days'), sum = sum('paid', 'data.amount', '30 days'),
        min = min('paid', 'data.amount', '30 days'), max = max('paid', 'data.amount', '30 days'),
        avg = avg('paid', 'data.amount', '30 days'), distinct = distinct('paid', 'data.plan', '30 days'),
        first = first('paid', 'data.plan', '30 days'), last = last('paid', 'data.plan', '30 days'),
        at = last('paid', '30 days'), pro = count('paid', '30 days', { match = { plan = 'pro' } }),
        none = last('refunded', 'data.plan', '30 days') or 'none' })
      """)
    let workshop = try Workshop(["paid": rule])
    _ = try workshop.take(login(1, data: #"{"amount":300,"plan":"basic"}"#, name: "paid"))
    let at = workshop.now.milliseconds + 5
    workshop.now = workshop.now + 5
    let happened = try workshop.take(login(2, data: #"{"amount":100,"plan":"pro"}"#, name: "paid"))
    let body = try #require(bodies(happened).first)
    for part in [
      #""count":2"#, #""sum":400"#, #""min":100"#, #""max":300"#, #""avg":200"#, #""distinct":2"#, #""first":"basic""#,
      #""last":"pro""#, #""at":\#(at)"#, #""pro":1"#, #""none":"none""#,
    ] { #expect(body.contains(part), "\(part) in \(body)") }
  }

  @Test func `what a lane sends over two kills is counted, although another lane had not heard of the window`() throws {
    let disk = MemoryStore.Disk()
    let body = "send('bare', 't', { n = count('login', '7 days') })"
    let rules = ["n": Workshop.rule("on = 'check', per = 'account'", body)]
    let first = try Workshop(lanes: 3, disk: disk)
    func lane(_ name: String) throws -> Int? { try first.subject(name).map { Desk.lane(of: $0, lanes: 3) } }
    var pair: String?
    for place in 0..<200 where pair == nil {
      let names = "\"user\":\"u\(place)\",\"account\":\"a\(place)\""
      _ = try first.take("{\"id\":\"\(place)\",\"name\":\"seen\",\(names)}")
      if try lane("user:u\(place)") == 2, try lane("account:a\(place)") == 1 { pair = names }
    }
    let names = try #require(pair)
    // Lane 0 is killed before it hears of the book, and the message to lane 1 is still on its way then.
    let published = try first.desk.step([.publish(first.draft(rules, highest: 0))], now: first.now).lanes
    _ = try first.commit([1, 2].map { try first.lanes[$0].step(published[$0], now: first.now) })
    let login = try first.incoming("{\"id\":\"l\",\"name\":\"login\",\(names)}")
    let routed = try first.desk.step([.incoming(login)], now: first.now).lanes
    #expect(try first.commit([first.lanes[2].step(routed[2], now: first.now)]).count == 1)
    // And once more, as soon as lane 0 has written what it knows.
    let second = try Workshop(rules, lanes: 3, disk: disk)
    _ = try second.commit([second.lanes[0].step([], now: second.now)])
    let third = try Workshop(rules, lanes: 3, disk: disk)
    let key = third.store.recovered.hashKey
    let messages = try Recovery.messages(third.store.makeReader(), hash: KeyedHash(key0: key.0, key1: key.1))
    #expect(messages.count == 1)
    _ = try third.run(messages.map { .message($0) })
    let account = String(names.split(separator: ",")[1])
    #expect(bodies(try third.take("{\"id\":\"c\",\"name\":\"check\",\(account)}")) == [#"{"n":1}"#])
  }

  @Test func `a late event counts where it belongs, and one from outside the window does not`() throws {
    let workshop = try Workshop(["count": WindowTests.counting])
    let early = workshop.now.milliseconds - 2 * WindowTests.day
    let old = workshop.now.milliseconds - 8 * WindowTests.day
    _ = try workshop.take(#"{"id":"a","name":"login","user":"ann","time":\#(early)}"#)
    _ = try workshop.take(#"{"id":"b","name":"login","user":"ann","time":\#(old)}"#)
    workshop.now = workshop.now + 6 * WindowTests.day
    #expect(bodies(try workshop.take(login(3))) == [#"{"n":1}"#])
  }

  @Test(arguments: [1, 2]) func `windows are the same after a restart`(lanes: Int) throws {
    let disk = MemoryStore.Disk()
    var workshop = try Workshop(["count": WindowTests.counting], lanes: lanes, disk: disk)
    for number in 1...3 { _ = try workshop.take(login(number), login(number, "bob")) }
    workshop = try Workshop(["count": WindowTests.counting], lanes: lanes, disk: disk)
    #expect(bodies(try workshop.take(login(4))) == [#"{"n":4}"#])
    #expect(bodies(try workshop.take(login(4, "bob"))) == [#"{"n":4}"#])
    #expect(bodies(try workshop.take(login(4))).isEmpty)
  }

  @Test(arguments: [1, 2]) func `a new window is filled from the log before its rule is asked`(lanes: Int) throws {
    let other = Workshop.rule("on = 'other'", "log('x')")
    let workshop = try Workshop(["other": other], lanes: lanes)
    for number in 1...5 { _ = try workshop.take(login(number), login(number, "bob")) }
    try workshop.publish(["other": other, "count": WindowTests.counting], highest: 1)
    #expect(bodies(try workshop.take(login(6))) == [#"{"n":6}"#])
    #expect(bodies(try workshop.take(login(6, "bob"))) == [#"{"n":6}"#])
  }

  @Test(arguments: [1, 2]) func `a window that is new at a start is filled, too`(lanes: Int) throws {
    let disk = MemoryStore.Disk()
    let before = try Workshop(lanes: lanes, disk: disk)
    for number in 1...5 { _ = try before.take(login(number)) }
    let workshop = try Workshop(["count": WindowTests.counting], lanes: lanes, disk: disk)
    try workshop.run([])
    #expect(bodies(try workshop.take(login(6))) == [#"{"n":6}"#])
  }

  @Test func `until its windows are filled a rule is not asked, and the verdict says why`() throws {
    let disk = MemoryStore.Disk()
    let before = try Workshop(disk: disk)
    for number in 1...3_000 { _ = try before.take(login(number)) }
    let workshop = try Workshop(["count": WindowTests.counting], disk: disk)
    let decisions = try workshop.decide([.incoming(try workshop.incoming(login(6, "bob")))])
    let verdict = try #require(decisions.verdicts.flatMap { $0.unpack() }.flatMap(\.verdicts).first)
    #expect(verdict.code == .paused)
    #expect(verdict.reason.contains("being filled"))
    _ = try workshop.commit([decisions])
    try workshop.run([])
    #expect(bodies(try workshop.take(login(7, "bob"))) == [#"{"n":2}"#])
    #expect(bodies(try workshop.take(login(0))) == [#"{"n":3001}"#])
  }

  @Test func `while a reload fills its windows the old rules go on`() throws {
    let old = Workshop.rule("on = 'login'", "send('bare', 't', { old = true })")
    let workshop = try Workshop(["count": old])
    for number in 1...3_000 { _ = try workshop.take(login(number)) }
    // The reload's first step only asks for what is under way.
    let next = RuleBook(
      rules: try Workshop.rules(["count": WindowTests.counting]), known: workshop.book.known, highest: 1,
      destinations: Workshop.destinations, versions: workshop.book.knownVersions,
      highestVersion: workshop.book.highestVersion)
    let done = Counter()
    let decisions = try workshop.decide([.publish(next), .completion { done.add(1) }])
    _ = try workshop.commit([decisions])
    let during = try workshop.decide([.incoming(try workshop.incoming(login(1, "bob")))])
    #expect(during.deliveries.map { String(decoding: $0.delivery.body, as: UTF8.self) } == [#"{"old":true}"#])
    _ = try workshop.commit([during])
    #expect(done.value == 0)
    try workshop.run([])
    #expect(done.value == 1)
    #expect(bodies(try workshop.take(login(2, "bob"))) == [#"{"n":2}"#])
  }

  @Test(arguments: [1, 2, 3]) func `an account's windows count its users' events, also from the log`(lanes: Int) throws
  {
    let rule = Workshop.rule("on = 'check', per = 'account'", "send('bare', 't', { n = count('login', '7 days') })")
    func user(_ id: Int) -> String {
      #"{"id":"l\#(id)","name":"login","user":"u\#(id % 5)","account":"acme"}"#
    }
    let workshop = try Workshop(["old": Workshop.rule("on = 'other'", "log('x')")], lanes: lanes)
    for number in 0..<20 { _ = try workshop.take(user(number)) }
    try workshop.publish(["count": rule], highest: 1)
    for number in 20..<30 { _ = try workshop.take(user(number)) }
    #expect(bodies(try workshop.take(#"{"id":"c","name":"check","account":"acme"}"#)) == [#"{"n":30}"#])
  }

  @Test func `a run that is played again is told what it was told before`() throws {
    let rule = Workshop.rule(
      "on = 'begin'",
      """
      local before = count('login', '7 days')
      wait('1 day')
      send('bare', 't', { before = before, after = count('login', '7 days') })
      wait('1 day')
      send('bare', 't', { before = before })
      """)
    let workshop = try Workshop(["run": rule])
    _ = try workshop.take(login(1))
    _ = try workshop.take(login(1, name: "begin"))
    _ = try workshop.take(login(2))
    workshop.now = workshop.now + WindowTests.day
    #expect(bodies(try workshop.run([])) == [#"{"after":2,"before":1}"#])
    workshop.now = workshop.now + WindowTests.day
    #expect(bodies(try workshop.run([])) == [#"{"before":1}"#])
  }

  @Test func `a window that no rule asks for any more is kept as long as a run sleeps that may ask`() throws {
    let rule = Workshop.rule(
      "on = 'begin'", "wait('1 day')\nsend('bare', 't', { n = count('login', '7 days') })")
    let workshop = try Workshop(["run": rule])
    _ = try workshop.take(login(1, name: "begin"))
    _ = try workshop.take(login(1))
    try workshop.publish(["run": Workshop.rule("on = 'begin'", "log('x')")], highest: 1)
    _ = try workshop.take(login(2))
    workshop.now = workshop.now + WindowTests.day
    #expect(bodies(try workshop.run([])) == [#"{"n":2}"#])
  }

  @Test func `when may look at windows`() throws {
    let rule = Workshop.rule(
      "on = 'login', when = function(event) return count('login', '1 hour') == 3 end", "send('bare', 't', {})")
    let workshop = try Workshop(["three": rule])
    for number in 1...5 {
      #expect(try workshop.take(login(number)).deliveries.count == (number == 3 ? 1 : 0))
    }
  }

  @Test func `a log that does not reach as far back as a window is told in the verdict`() throws {
    let workshop = try Workshop(["count": WindowTests.counting])
    let verdict = try #require(try workshop.take(login(1)).verdict("count"))
    #expect(verdict.reads.contains { $0.name == "windows since" })
    workshop.now = workshop.now + 8 * WindowTests.day
    let later = try #require(try workshop.take(login(2)).verdict("count"))
    #expect(!later.reads.contains { $0.name == "windows since" })
  }

  @Test(arguments: [
    ("count('login')", "takes the event's name and the window"),
    ("count('login', '7 dayz')", "must be a duration from 1 minute to 366 days"),
    ("count('login', '10 s')", "must be a duration from 1 minute to 366 days"),
    ("sum('paid', '7 days')", "the event's name, the field and the window"),
    ("sum('paid', 'amount', '7 days')", "must be a path such as"),
    ("count(event.name, '7 days')", "needs constant texts"),
    ("count('login', '7 days', { mach = { plan = 'pro' } })", "unknown option 'mach'"),
    ("count('login', '7 days', { match = { plan = event.name } })", "constant"),
    ("count('login', '7 days', { match = { a = 1, b = 2 } })", "one field and one constant value"),
    ("count('nudged.run.parked', '7 days')", "leave out nudged's own events"),
  ])
  func `a window that is not right is told when the rule is loaded`(call: String, message: String) {
    let loading = RuleSet.load(
      sources: [RuleSource(path: "a.lua", text: Workshop.rule("on = 'login'", "log(tostring(\(call)))"))],
      knownDestinations: nil)
    #expect(loading.complaints.map(\.message).contains { $0.contains(message) }, "\(loading.complaints)")
  }

  @Test(arguments: [
    ("count", 33, "a rule may ask for 32 windows; this one asks for 33"),
    ("distinct", 5, "a rule may ask for 4 windows of distinct; this one asks for 5"),
  ])
  func `a rule that asks for too much is told so`(word: String, number: Int, message: String) {
    let field = word == "count" ? "" : ", 'data.x'"
    let calls = (1...number).map { "log(tostring(\(word)('login'\(field), '\($0) days')))" }
    let loading = RuleSet.load(
      sources: [RuleSource(path: "a.lua", text: Workshop.rule("on = 'login'", calls.joined(separator: "\n")))],
      knownDestinations: nil)
    #expect(loading.complaints.map(\.message).contains(message), "\(loading.complaints)")
  }

  @Test func `a name of one's own is no window`() throws {
    let rule = Workshop.rule(
      "on = 'login'",
      """
      local function count(list) return #list end
      local sum = function(a, b) return a + b end
      send('bare', 't', { n = count({ 1, 2 }), s = sum(1, 2), m = math.max(1, 2) })
      """)
    let workshop = try Workshop(["own": rule])
    #expect(bodies(try workshop.take(login(1))) == [#"{"m":2,"n":2,"s":3}"#])
  }

  @Test func `windows that would keep too much of a subject leave events out, and say so until these would not count`()
    throws
  {
    // Thirty-two windows, each of which would keep sixty long texts.
    let asked = (1...32).map { "first('login', 'data.f\($0)', '1 hour')" }.joined(separator: " or ")
    let rule = Workshop.rule("on = { 'login', 'ask' }", "local x = \(asked)\nsend('bare', 't', { x = x or 'none' })")
    let workshop = try Workshop(["long": rule])
    let long = String(repeating: "x", count: 190)
    let data = "{" + (1...32).map { "\"f\($0)\":\"\(long)\"" }.joined(separator: ",") + "}"
    var told: [String] = []
    for minute in 0..<60 {
      told.append(try workshop.take(login(minute, data: data)).verdict("long")?.reason ?? "")
      workshop.now = workshop.now + 60_000
    }
    #expect(told[0].isEmpty && told[30].isEmpty)
    let last = try #require(told.last)
    #expect(last.hasPrefix("its windows of 'login' miss events, the last one at 2023-11-14T23:"), "\(last)")
    #expect(last.hasSuffix("of one subject they keep 262144 bytes"), "\(last)")
    let subject = try #require(try workshop.subject("user:ann"))
    let rows = try workshop.store.makeReader().rows(
      from: RowKey(.measure, subject, 1), to: RowKey(.measure, subject, .max), limit: 9)
    #expect(rows.allSatisfy { ($0.value?.count ?? 0) <= 262_144 + 1_024 })
    // Another subject has its own room.
    #expect(try workshop.take(login(1, "bob", data: data)).verdict("long")?.reason == "")
    workshop.now = workshop.now + 3_600_000
    #expect(try workshop.take(login(1, name: "ask")).verdict("long")?.reason == "")
    #expect(try workshop.take(login(99, data: data)).verdict("long")?.reason == "")
  }

  @Test func `a run whose time comes while a start fills its rule's windows goes on when they are filled`() throws {
    let disk = MemoryStore.Disk()
    let body = "wait('1 hour') send('bare', 't', {})"
    let before = try Workshop(["wait": Workshop.rule("on = 'go'", body)], disk: disk)
    _ = try before.take(login(1, name: "go"))
    for part in 0..<10 {
      try before.run(try (0..<500).map { .incoming(try before.incoming(login(part * 500 + $0))) })
    }
    let counting = Workshop.rule("on = 'go', when = function() return count('login', '7 days') > 0 end", body)
    let after = try Workshop(["wait": counting], disk: disk)
    after.now = before.now + WindowTests.day / 24
    #expect(try after.run([]).deliveries.count == 1)
  }
}
