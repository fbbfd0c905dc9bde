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
    receiver.signal(SIGTERM)
  }

  @Test func `what a receiver was told to answer has a form`() {
    let place = Place()
    for wrong in ["ask", "ask=99", "ask=200 {", "=200"] {
      #expect(Child.run(["receive", "--answer", wrong], in: place).code == 2, "\(wrong)")
    }
  }
}
