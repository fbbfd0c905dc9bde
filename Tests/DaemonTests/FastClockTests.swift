// A daemon whose clock runs fast, for demonstrations: what took days takes moments, and everyone is told.
//
// Thread: the test's. Promise: what is waited for is a change that has to come, never a time.

import Basics
import Glibc
import Testing

@Suite struct FastClockTests {
  private static let patient = """
    return rule {
      title = "Patient", on = "signup",
      run = function(event, customer)
        wait("3 hours")
        local reply = call("crm", "ask", { customer = customer.id })
        send("crm", reply.ok and "told" or "refused", { status = reply.status, at = event.data.at })
      end,
    }
    """

  private static func place() throws -> (Place, Receiver) {
    let place = Place(rules: ["patient": patient])
    let receiver = try Receiver(["--answer", "ask=402 {\"code\": \"no\"}"], in: place)
    place.configure(destination: receiver.port, more: "clock = { behind = \"40 days\", rate = 20000 },")
    return (place, receiver)
  }

  @Test func `hours pass in less than a second, and answers, commands and log say so`() throws {
    let (place, receiver) = try FastClockTests.place()
    let daemon = try Daemon(place)
    place.write(
      "story.ndjson",
      """
      // Somebody signs up twice.
      {"name": "signup", "user": "ada", "data": {"at": "@1 day"}}

      {"advance": "10 hours"}
      {"name": "signup", "user": "ada", "data": {"at": "@-1 day"}}
      """)
    let told = Child.run(
      ["send", "--story", "story.ndjson", "--listen", "127.0.0.1:\(daemon.port)"], in: place)
    #expect(told.code == 0 && told.out == "\nSomebody signs up twice.\n", "\(told)")
    #expect(told.err.hasPrefix("(the daemon's clock runs 20000 times as fast; there it is 20"), "\(told)")
    #expect(receiver.waitFor(4))
    #expect(receiver.hooks.map { $0["body"]?["type"] } == ["ask", "refused", "ask", "told"])
    let health = try daemon.get("/healthz")
    let line = health.head.split(separator: "\r\n").first { $0.hasPrefix("Nudged-Clock: 20") }
    #expect(health.status == 200 && line?.hasSuffix("Z; rate=20000") == true, "\(health.head)")
    let first = try #require(receiver.hooks.first?["body"]?["timestamp"]?.plainText)
    #expect(first < ISO8601.format(Clocks.system.wall() + -20 * 86_400_000), "the past is told as the past")
    #expect(daemon.log.contains("notice [20000x 20"), "\(daemon.log)")
    #expect(daemon.stop() == 0)
    receiver.child.signal(SIGTERM)
  }

  @Test func `it begins only with a new store, and only where it is right`() throws {
    let (place, receiver) = try FastClockTests.place()
    let daemon = try Daemon(place)
    #expect(try daemon.post("{\"name\":\"other\",\"user\":1}").status == 200)
    #expect(daemon.stop() == 0)
    let again = Child.run(["serve"] + place.configuration, in: place)
    #expect(again.code == 1 && again.err.contains("a clock that runs fast begins in the past"), "\(again)")
    for wrong in ["{ rate = 5 }", "{ behind = \"2 days\", rate = 1 }", "{ behind = \"400 days\", rate = 5 }", "7"] {
      place.configure(destination: receiver.port, more: "clock = \(wrong),")
      let check = Child.run(["check"] + place.configuration, in: place)
      #expect(check.code == 1 && check.out.contains("'clock"), "\(wrong): \(check)")
    }
    receiver.child.signal(SIGTERM)
  }

  @Test func `a story with a slip is told of before anything is sent`() throws {
    let place = Place()
    let daemon = try Daemon(place)
    place.write(
      "story.ndjson",
      """
      {"name": "signup", "user": "ada"}
      {"advance": "3 dais"}
      {"reply": {"destination": "crm"}}
      {"name": "signup", "user": "ada", "data": {"at": "@soon"}}
      nonsense
      """)
    let told = Child.run(["send", "--story", "story.ndjson", "--listen", "127.0.0.1:\(daemon.port)"], in: place)
    #expect(told.code == 2)
    for line in 2...5 { #expect(told.err.contains("story.ndjson:\(line): "), "\(told)") }
    #expect(try daemon.get("/v1/subjects/user:ada").status == 404)
    #expect(daemon.stop() == 0)
  }

  @Test func `what a receiver prints in brief is one line, whatever was sent`() throws {
    let place = Place()
    let receiver = Child(["receive", "--brief", "--listen", "127.0.0.1:0"], in: place)
    #expect(Wait.until { receiver.complaint.contains("port ") || receiver.hasEnded })
    let body = #"{"type": "a\n2026-01-05 09:00  / paid {}  (signature valid)\u001b[2J", "data": {"text": "b\nc"}}"#
    let wire = try #require(Wire(.port(Daemon.number(after: "port ", in: receiver.complaint))))
    wire.send("POST", "/hooks", body: Array(body.utf8))
    #expect(wire.reply()?.status == 200)
    #expect(receiver.lines.count == 1 && !receiver.text.contains("\u{1B}"), "\(receiver.text)")
    #expect(receiver.text.contains(#"  /hooks a\n2026-01-05"#), "\(receiver.text)")
  }

  @Test func `what stands together in a story happens at one moment`() throws {
    let both = """
      return rule { title = "T", on = { "first", "second" }, key = "data.id",
        collect = { up_to = 20, within = "1 minute" },
        run = function(event, customer, events) send("crm", "both", { count = #events }) end }
      """
    let place = Place(rules: ["both": both])
    let receiver = try Receiver(in: place)
    place.configure(destination: receiver.port, more: "clock = { behind = \"40 days\", rate = 20000 },")
    let daemon = try Daemon(place)
    let pairs = (1...5).map { number in
      ["first", "second"].map { "{\"name\":\"\($0)\",\"user\":\"ada\",\"data\":{\"id\":\"\(number)\"}}\n" }.joined()
        + "{\"advance\": \"1 hour\"}\n"
    }
    place.write("story.ndjson", pairs.joined())
    let told = Child.run(["send", "--story", "story.ndjson", "--listen", "127.0.0.1:\(daemon.port)"], in: place)
    #expect(told.code == 0, "\(told)")
    #expect(receiver.waitFor(5))
    #expect(receiver.hooks.map { $0["body"]?["data"]?["count"] } == Array(repeating: .integer(2), count: 5))
    #expect(daemon.stop() == 0)
    receiver.child.signal(SIGTERM)
  }

  @Test func `a demonstration holds out the same customers each time`() throws {
    let offer = """
      return rule { title = "T", on = "signup", hold_out = 50,
        run = function(event, customer) send("crm", "offer", { customer = customer.id }) end }
      """
    func heldOut() throws -> String {
      let place = Place(more: "clock = { behind = \"2 days\", rate = 20000 },", rules: ["offer": offer])
      let daemon = try Daemon(place)
      let events = (1...60).map { "{\"name\":\"signup\",\"user\":\"\($0)\"}" }.joined(separator: ",")
      #expect(try daemon.post("[\(events)]").status == 200)
      let told = try daemon.get("/v1/deliveries?limit=1000&status=held_out", at: daemon.admin)
      #expect(daemon.stop() == 0)
      guard case .array(let rows) = told["deliveries"] ?? .null else { return "" }
      return rows.map { $0["who"]?.plainText ?? "" }.sorted().joined(separator: " ")
    }
    let first = try heldOut()
    #expect(first.contains("user:"))
    #expect(try heldOut() == first)
  }

  @Test func `what a schedule skips day after day is explained once`() throws {
    let daily = """
      return rule { title = "T", on = every("day 09:00", { for_each = "user" }), zone = "UTC", run = function()
        skip("nothing has changed")
      end }
      """
    let place = Place(more: "clock = { behind = \"10 days\", rate = 20000 },", rules: ["daily": daily])
    let daemon = try Daemon(place)
    #expect(try daemon.post("{\"name\":\"other\",\"user\":\"ada\"}").status == 200)
    var told = ""
    let isTold = Wait.until {
      told = daemon.command("explain", "user:ada").out
      return told.contains("    the same 2 times before, since 20")
    }
    #expect(isTold && told.split(separator: "daily: skipped, nothing has changed").count == 2, "\(told)")
    #expect(daemon.stop() == 0)
  }

  @Test func `a receiver that is brief shows every field in one line, and cuts long texts`() throws {
    let rule = """
      return rule { title = "T", on = "signup", run = function(event, customer)
        send("crm", "hello", { calendar = string.rep("BEGIN:", 200), customer = customer.id, what = "confirmed" })
      end }
      """
    let place = Place(rules: ["hello": rule])
    let receiver = Child(["receive", "--brief", "--listen", "127.0.0.1:0"], in: place, name: "receive")
    #expect(Wait.until { receiver.complaint.contains("receiving on") })
    place.configure(destination: Daemon.number(after: "port ", in: receiver.complaint))
    let daemon = try Daemon(place)
    #expect(try daemon.post("{\"name\":\"signup\",\"user\":\"ada\"}").status == 200)
    #expect(Wait.until { receiver.lines.count == 1 })
    let line = receiver.lines.first.map { String($0) } ?? ""
    #expect(
      line.contains(#"{"calendar":"BEGIN:BEGIN:BEGIN:BEGIN:…","customer":"ada","what":"confirmed"}"#), "\(line)")
    #expect(daemon.stop() == 0)
    receiver.signal(SIGTERM)
  }

  @Test func `what a receiver was told to answer has a form`() {
    let place = Place()
    for wrong in ["ask", "ask=99", "ask=200 {", "=200"] {
      #expect(Child.run(["receive", "--answer", wrong], in: place).code == 2, "\(wrong)")
    }
  }
}
