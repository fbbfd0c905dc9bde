// Ends of the process, wanted and unwanted, and what the next one finds.
//
// Thread: the test's. Promise: the real binary, loopback only.

import Basics
import Files
import Glibc
import Testing

@Suite struct StoppingTests {
  private func event(_ id: String) -> [UInt8] {
    Array("{\"id\":\"\(id)\",\"name\":\"signup\",\"user\":\"\(id)\"}".utf8)
  }

  @Test(arguments: [1, 2]) func `a stop under load answers everything it accepted and leaves nothing to recover`(
    lanes: Int
  ) throws {
    let place = Place()
    let daemon = try Daemon(place, ["--set", "lanes=\(lanes)"])
    let wires = try (0..<16).map { _ in try #require(Wire(daemon.door)) }
    var sent = 0
    var acknowledged: [String] = []
    // Each connection has several requests under way when the signal comes.
    for round in 0..<12 {
      for (position, wire) in wires.enumerated() {
        wire.send("POST", "/v1/events", body: event("\(round)-\(position)"))
        sent += 1
      }
      if round == 8 { daemon.child.signal(SIGTERM) }
    }
    for (position, wire) in wires.enumerated() {
      var round = 0
      while let reply = wire.reply() {
        if reply.status == 200 { acknowledged.append("\(round)-\(position)") }
        #expect([200, 503].contains(reply.status), "\(reply.text)")
        round += 1
      }
    }
    #expect(daemon.child.code(seconds: 25) == 0, "\(daemon.log)")
    #expect(daemon.log.contains("stopped"))
    #expect(acknowledged.count >= 16)
    let next = try Daemon(place)
    #expect(try next.get("/v1/status")["unswept"] == 0, "a clean stop leaves nothing to recover")
    for id in acknowledged { #expect(try next.state("user:\(id)", "welcome")?["n"] == 1, "\(id) is missing") }
    let stored = try next.get("/v1/events?limit=1000")["events"]?.count ?? 0
    #expect(stored >= acknowledged.count && stored <= sent)
  }

  @Test(arguments: [1, 2]) func `what was acknowledged is there after kill -9, once`(lanes: Int) throws {
    let place = Place()
    var acknowledged: Set<String> = []
    for life in 0..<3 {
      let daemon = try Daemon(place, ["--set", "lanes=\(lanes)"])
      for id in acknowledged.prefix(20) {
        #expect(try daemon.post(String(decoding: event(id), as: UTF8.self))["duplicates"] == 1, "\(id) was forgotten")
      }
      let wires = try (0..<8).map { _ in try #require(Wire(daemon.door)) }
      for round in 0..<10 {
        for (position, wire) in wires.enumerated() {
          wire.send("POST", "/v1/events", body: event("\(life)-\(round)-\(position)"))
        }
      }
      // The first five rounds are waited for; the process ends somewhere in the others.
      for (position, wire) in wires.enumerated() {
        for round in 0..<5 where wire.reply()?.status == 200 { acknowledged.insert("\(life)-\(round)-\(position)") }
      }
      daemon.crash()
    }
    #expect(acknowledged.count == 120)
    let daemon = try Daemon(place, ["--set", "lanes=\(lanes)"])
    for id in acknowledged { #expect(try daemon.state("user:\(id)", "welcome")?["n"] == 1, "\(id)") }
  }

  @Test func `webhooks to a receiver that is down are kept over kill -9 and arrive under their ids`() throws {
    let place = Place()
    // A bound port that nobody listens on refuses connections and is given to nobody else.
    let held = HeldPort()
    place.configure(destination: held.port)
    let daemon = try Daemon(place)
    let lines = (0..<20).map { String(decoding: event("\($0)"), as: UTF8.self) }.joined(separator: "\n")
    #expect(try daemon.post(lines)["accepted"] == 20)
    #expect(Wait.until { (try? daemon.get("/v1/deliveries/1"))?["status"] == "retrying" })
    #expect(try daemon.get("/v1/deliveries/1")["last_message"] != nil)
    var ids: Set<String> = []
    for number in 1...20 {
      if case .string(let id) = try daemon.get("/v1/deliveries/\(number)")["id"] { ids.insert(id) }
    }
    daemon.crash()
    held.release()
    let receiver = try Receiver(port: held.port, in: place)
    let next = try Daemon(place)
    #expect(Wait.until { Set(receiver.ids) == ids }, "\(receiver.ids.count) of \(ids.count) arrived; \(next.log)")
    #expect(Wait.until { (try? next.get("/v1/deliveries?status=delivered"))?["deliveries"]?.count == 20 })
    let delivery = try next.get("/v1/deliveries/1")
    #expect(delivery["status"] == "delivered")
    #expect((delivery["tries"]?.count ?? 0) >= 2, "\(delivery.text)")
    #expect(next.stop() == 0)
    let third = try Daemon(place)
    #expect(try third.post(#"{"id": "end", "name": "signup", "user": "end"}"#).status == 200)
    #expect(Wait.until { receiver.hooks.count >= 21 })
    #expect(Set(receiver.ids).count == 21, "what was delivered is not sent again")
    #expect(receiver.ids.count == 21)
  }

  @Test func `a receiver that fails at first gets the same webhook again`() throws {
    let place = Place()
    let failing = try Receiver(["--status", "500"], in: place)
    place.configure(destination: failing.port)
    let daemon = try Daemon(place)
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#).status == 200)
    #expect(failing.waitFor(3))
    #expect(Set(failing.ids).count == 1)
    let delivery = try daemon.get("/v1/deliveries/1")
    #expect(delivery["status"] == "retrying" && delivery.text.contains("500"))
    failing.child.signal(SIGTERM)
    #expect(failing.child.code() == 0)
    let working = try Receiver(port: failing.port, in: place)
    #expect(Wait.until { (try? daemon.get("/v1/deliveries/1"))?["status"] == "delivered" })
    #expect(Set(working.ids) == [try #require(daemon.get("/v1/deliveries/1")["id"]).plainText])
  }

  @Test func `a receiver that never answers does not hold up the stop`() throws {
    let place = Place()
    let held = HeldPort()
    held.hang()
    place.configure(destination: held.port)
    let daemon = try Daemon(place)
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#).status == 200)
    #expect(Wait.until { (try? daemon.get("/v1/status"))?["transfers"] == 1 })
    daemon.child.signal(SIGTERM)
    #expect(daemon.child.code(seconds: 10) == 0)
    let next = try Daemon(place)
    #expect(try next.get("/v1/deliveries/1")["status"] != "delivered", "what nobody confirmed stays due")
    #expect(Wait.until { (try? next.get("/v1/status"))?["transfers"] == 1 })
    next.crash()
  }

  @Test func `a rule that ended the process twice at one event is switched off, even before anything was stored`()
    throws
  {
    let place = Place(rules: ["bad": Place.welcome, "good": Place.welcome])
    // What a lane leaves behind: the rule's number and the event, and the same again as met once before.
    let words: [UInt64] = [1, 7, 8, 1, 7, 8, 1, 0]
    let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) } }
    let file = try #require(fopen(place.path("nudged.db.lanes"), "w"))
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
    let daemon = try Daemon(place)
    #expect(daemon.log.contains("switched off") && daemon.log.contains("rule=bad"), "\(daemon.log)")
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#).status == 200)
    let event = try daemon.get("/v1/events/1")
    #expect(event.text.contains("switched off: it ended the process"), "\(event.text)")
    #expect(try daemon.state("user:42", "bad") == nil)
    #expect(try daemon.state("user:42", "good")?["n"] == 1)
    #expect(try daemon.get("/v1/rules").text.contains("\"switched_off\":true"))
  }

  @Test func `a damaged store ends with the code that systemd does not restart after`() throws {
    let place = Place()
    place.write("nudged.db", String(repeating: "This was a store once. ", count: 1_000))
    let result = Child.run(["serve"] + place.configuration, in: place)
    #expect(result.code == 70)
    #expect(result.err.contains("nudged.db is damaged") && result.err.contains("restore it from a backup"), "\(result)")
    #expect(place.read("nudged.db").hasPrefix("This was"), "it is left as it was found")
    #expect(Files.read(Child.root + "/etc/nudged.service").contains("RestartPreventExitStatus=70"))
    let doctor = Child.run(["doctor"] + place.configuration, in: place)
    #expect(doctor.code == 1 && doctor.out.contains("wrong: the store"))
  }
}
