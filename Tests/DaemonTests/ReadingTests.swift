// What can be read right after an answer, and that commands read the same with a daemon and without.
//
// Thread: the test's. Promise: nothing is waited for between the answer and the read.

import Basics
import Glibc
import Testing

@Suite struct ReadingTests {
  @Test func `a reload asked for with GET is told how to ask`() throws {
    let daemon = try Daemon(Place())
    let wire = try #require(Wire(daemon.door))
    wire.send("GET", "/v1/rules/reload")
    #expect(wire.reply()?.status == 405)
    wire.send("GET", "/v1/rules/other")
    #expect(wire.reply()?.status == 404)
  }

  @Test func `a slip in a parameter is told and does not look like an answer`() throws {
    let daemon = try Daemon(Place())
    let wire = try #require(Wire(daemon.door))
    let slips = [
      "limit=abc", "limit=0", "before=x", "before=99999999999999999999", "status=bogus", "destnation=crm",
      "status=failed&status=waiting", "subject=%ff", "status=parked", "limit=1001", "after=5",
    ]
    for slip in slips {
      wire.send("GET", "/v1/deliveries?" + slip)
      let reply = wire.reply()
      #expect(reply?.status == 400 && reply?["code"] == .string("bad_query"), "\(slip)")
    }
    for slip in [
      "runs?status=delivered", "events?after=5", "subjects/user:1/events?after=5", "runs?before=3",
      "runs?status=ended&after=1", "deliveries?from=5&to=3", "deliveries?type=", "rules/history",
    ] {
      wire.send("GET", "/v1/" + slip)
      #expect(wire.reply()?["code"] == .string("bad_query"), "\(slip)")
    }
    wire.send("GET", "/v1/deliveries?limit=5&before=9&status=failed")
    #expect(wire.reply()?.status == 200)
    for page in ["runs?after=9223372036854775807", "runs?status=ended&before=0", "events?before=9223372036854775807"] {
      wire.send("GET", "/v1/" + page)
      #expect(wire.reply()?.status == 200, "\(page)")
    }
  }

  @Test func `a wrong method and a number that is none are told in their own words`() throws {
    let daemon = try Daemon(Place())
    let wire = try #require(Wire(daemon.admin))
    for (method, path, status, part) in [
      ("POST", "/v1/runs/abc/cancel", 404, "abc is no number; runs have numbers"),
      ("GET", "/v1/runs/cancel?rule=r", 405, "takes only POST"),
      ("GET", "/v1/rules/reload", 405, "takes only POST"),
      ("POST", "/v1/runs", 405, "takes only GET"),
    ] {
      wire.send(method, path)
      let reply = wire.reply()
      #expect(
        reply?.status == status && reply?["message"]?.plainText.contains(part) == true, "\(path) \(reply?.text ?? "")")
    }
  }

  @Test func `a slip in a parameter of a command changes nothing`() throws {
    let daemon = try Daemon(
      Place(rules: ["r": "return rule { title = 'T', on = 'a', run = function() wait('1 day') end }"]))
    let wire = try #require(Wire(daemon.admin))
    wire.send("POST", "/v1/events", body: Array(#"{"name":"a","user":"u"}"#.utf8))
    #expect(wire.reply()?.status == 200)
    let slips = [
      "cancel?status=waiting&rul=other", "cancel?rule=other&rule=r", "cancel?subject=%ff&all=1", "cancel?all=yes",
      "cancel?all=1&count=true", "cancel?all=1&limit=1", "cancel?rule=&all=1", "cancel?subject=", "1/cancel?rule=r",
    ]
    for slip in slips {
      wire.send("POST", "/v1/runs/" + slip)
      let reply = wire.reply()
      #expect(reply?.status == 400 && reply?["code"] == .string("bad_query"), "\(slip)")
    }
    wire.send("POST", "/v1/deliveries/retry?destnation=crm&all=1")
    #expect(wire.reply()?.status == 400)
    wire.send("POST", "/v1/runs/cancel?all=1&count=1")
    #expect(wire.reply()?["count"] == .integer(1))
  }

  @Test func `what a sender calls an event cannot steer a terminal`() throws {
    let place = Place()
    let daemon = try Daemon(place)
    let wire = try #require(Wire(daemon.door))
    wire.send("POST", "/v1/events", body: Array(#"{"name":"x\u001b[31m\ny","user":"u"}"#.utf8))
    #expect(wire.reply()?.status == 200)
    let listed = Child.run(["events", "list"] + place.configuration, in: place)
    #expect(listed.code == 0 && listed.out.contains("x\u{FFFD}[31m\u{FFFD}y"), "\(listed)")
    #expect(!listed.out.contains("\u{1B}"))
  }

  @Test(arguments: [1, 2]) func `a read that follows a 200 shows the event, its state and its delivery`(lanes: Int)
    throws
  {
    let daemon = try Daemon(Place(), ["--set", "lanes=\(lanes)"])
    let wire = try #require(Wire(daemon.door))
    var missing: [String] = []
    for number in 1...300 {
      let user = "u\(number % 7)"
      wire.send(
        "POST", "/v1/events", body: Array("{\"id\":\"\(number)\",\"name\":\"signup\",\"user\":\"\(user)\"}".utf8))
      guard wire.reply()?.status == 200 else { return #expect(Bool(false), "event \(number) was refused") }
      wire.send("GET", "/v1/subjects/user:\(user)")
      wire.send("GET", "/v1/deliveries/\(number)")
      wire.send("GET", "/v1/events/\(number)")
      let state = wire.reply()?["state"]?["welcome"]?["n"]
      if state != .integer(Int64(number / 7 + (number % 7 == 0 ? 0 : 1))) {
        missing.append("state of \(number): \(String(describing: state))")
      }
      let delivery = wire.reply()
      if delivery?["body"]?["data"]?["customer"] != .string(user) { missing.append("delivery \(number)") }
      let event = wire.reply()
      if event?.text.contains("\"verdict\":\"ran\"") != true { missing.append("event \(number)") }
    }
    #expect(missing.isEmpty, "\(missing.prefix(5))")
  }

  @Test func `ids of every kind can be asked for`() throws {
    let daemon = try Daemon(Place())
    for (id, escaped) in [("a/b", "a%2Fb"), ("a b+c", "a%20b+c"), ("é:x", "%C3%A9:x"), ("100%", "100%25")] {
      #expect(try daemon.post("{\"name\": \"signup\", \"user\": \"\(id)\"}").status == 200)
      #expect(try daemon.get("/v1/subjects/user:\(escaped)")["names"] == [.string("user:" + id)])
      #expect(try daemon.get("/v1/subjects/user:\(escaped)/events")["events"]?.count == 1)
      let shown = daemon.command("subjects", "show", "user:" + id, "--json")
      #expect(shown.code == 0 && shown.out.contains("welcome"), "\(shown.err)")
    }
  }

  @Test func `lists come in pages, newest first`() throws {
    let daemon = try Daemon(Place())
    let lines = (1...25).map { "{\"id\":\"\($0)\",\"name\":\"signup\",\"user\":\"u\($0 % 2)\"}" }.joined(
      separator: "\n")
    #expect(try daemon.post(lines)["accepted"] == 25)
    for path in ["/v1/events?", "/v1/deliveries?", "/v1/events?subject=user:u1&"] {
      var seen: [Int64] = []
      var before = ""
      while true {
        let page = try daemon.get(path + "limit=10" + before)
        let key = path.contains("deliveries") ? "deliveries" : "events"
        guard case .array(let rows) = page[key] else { break }
        for row in rows {
          if case .integer(let number) = row[key == "events" ? "event" : "delivery"] { seen.append(number) }
        }
        guard case .integer(let next) = page["next_before"] else { break }
        before = "&before=\(next)"
      }
      #expect(seen == seen.sorted(by: >))
      #expect(seen.count == (path.contains("subject") ? 13 : 25), "\(path): \(seen)")
    }
  }

  @Test func `commands give the same answer with a daemon and without`() throws {
    let place = Place()
    let daemon = try Daemon(place)
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42", "traits": {"plan": "pro"}}"#).status == 200)
    #expect(try daemon.post(#"{"id": "2", "name": "other", "user": "42"}"#).status == 200)
    #expect(
      Wait.until { (try? daemon.get("/v1/deliveries/1"))?["status"] == "delivered" }, "a logged delivery counts")
    let questions: [[String]] = [
      ["subjects", "show", "user:42"], ["events"], ["events", "list", "--subject", "user:42", "--json"],
      ["events", "show", "1"], ["deliveries", "list", "--status", "delivered"], ["deliveries", "show", "1"],
      ["rules"], ["rules", "list", "--json"], ["subjects", "show", "user:nobody"], ["events", "show", "99"],
      ["deliveries", "show", "99"], ["events", "list", "--limit", "1"],
    ]
    let ask = { Child.run($0 + place.configuration, in: place) }
    let online = questions.map(ask)
    #expect(daemon.stop() == 0)
    for (question, before) in zip(questions, online) {
      let after = ask(question)
      #expect(after.out == before.out, "\(question)")
      #expect(after.err == before.err, "\(question)")
      #expect(after.code == before.code, "\(question)")
      #expect(!before.out.isEmpty || before.code == 1, "\(question): \(before.err)")
    }
    let status = ask(["status"])
    #expect(status.code == 1 && status.err.contains("start one with: nudged serve"))
  }

  @Test func `metrics count what happened`() throws {
    let daemon = try Daemon(Place())
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#).status == 200)
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#).status == 200)
    let text = try daemon.get("/metrics").text
    for line in ["nudged_events_total 1\n", "nudged_events_repeated_total 1\n", "nudged_rules_ran_total 1\n"] {
      #expect(text.contains(line), "\(text)")
    }
  }
}
