// Events over HTTP in every shape, and what is answered.
//
// Thread: the test's. Promise: the real binary, loopback only.

import Basics
import Glibc
import Testing

@Suite struct EventsTests {
  private static let one = "{\"accepted\":1,\"duplicates\":0,\"refused\":[]}\n"

  @Test func `one event, several, one a line, and the same again`() throws {
    let daemon = try Daemon(Place())
    let single = try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#)
    #expect(single.status == 200)
    #expect(single.text == EventsTests.one)
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#)["duplicates"] == 1)
    let array = try daemon.post(#"[{"id": "2", "name": "n", "user": 1}, {"id": "1", "name": "n", "user": 1}]"#)
    #expect(array.text == "{\"accepted\":2,\"duplicates\":1,\"refused\":[]}\n")
    let lines = try daemon.post(
      "{\"id\":\"3\",\"name\":\"n\",\"user\":1}\r\n\n{\"id\":\"4\",\"name\":\"n\",\"user\":1}\n")
    #expect(lines["accepted"] == 2)
    #expect(try daemon.get("/v1/events")["events"]?.count == 4)
    #expect(try daemon.post(#"{"name": "n", "user": 1}"#).text == EventsTests.one, "an id is made where none is given")
    #expect(try daemon.state("user:42", "welcome")?["n"] == 1)
  }

  @Test func `what is wrong in a batch is refused alone, with its place`() throws {
    let daemon = try Daemon(Place())
    let reply = try daemon.post(#"[{"id": "1", "name": "n", "user": 1}, {"name": "n"}, {"nam": "n", "user": 1}, 7]"#)
    #expect(reply.status == 200)
    #expect(reply["accepted"] == 1)
    guard case .array(let refused) = reply["refused"] else { return #expect(Bool(false), "\(reply.text)") }
    #expect(refused.map { $0["index"] } == [1, 2, 3])
    #expect(refused.map { $0["code"] } == ["missing_subject", "unknown_field", "not_an_object"])
    let large = "{\"name\":\"n\",\"user\":1,\"data\":{\"x\":\"\(String(repeating: "x", count: 70_000))\"}}"
    let oversize = try daemon.post("[\(large),{\"name\":\"n\",\"user\":1}]")
    #expect(oversize["accepted"] == 1)
    #expect(oversize.text.contains("at most 65536 are taken"))
    let line = try daemon.post("{\"name\":\"n\",\"user\":1}\n{\"name\":\n")
    #expect(line["accepted"] == 1)
    #expect(line.text.contains("\"index\":1,\"code\":\"invalid_json\""))
  }

  @Test func `Segment's clients are understood, with their key and their paths`() throws {
    let place = Place(more: "open_locally = false, keys = { app = { secret = file \"key\" } }")
    place.write("key", "sekrit\n")
    let daemon = try Daemon(place)
    // "sekrit:" in Base64, the way Segment's clients send their write key.
    let key = ["Authorization": "Basic c2Vrcml0Og==", "Content-Type": "application/json"]
    let batch = """
      {"sentAt": "2023-11-14T22:13:20Z", "batch": [
        {"type": "identify", "userId": "42", "messageId": "m1", "traits": {"plan": "pro"}},
        {"type": "track", "event": "signup", "userId": "42", "messageId": "m2", "properties": {"a": 1}},
        {"type": "group", "groupId": "acme", "userId": "42", "messageId": "m3", "traits": {"seats": 5}},
        {"type": "track", "userId": "42"}]}
      """
    let reply = try daemon.post(batch, to: "/v1/batch", headers: key)
    #expect(reply["accepted"] == 3)
    #expect(reply.text.contains("\"index\":3,\"code\":\"missing_name\""))
    #expect(
      try daemon.post(#"{"userId": "7", "traits": {"plan": "free"}}"#, to: "/v1/identify", headers: key).status == 200)
    let user = try daemon.get("/v1/subjects/user:42", at: daemon.admin)
    #expect(user["traits"]?["plan"] == "pro")
    #expect(user["account"] == "acme")
    #expect(user["state"]?["welcome"]?["n"] == 1)
    #expect(try daemon.get("/v1/subjects/account:acme", at: daemon.admin)["traits"]?["seats"] == 5)
    #expect(try daemon.get("/v1/subjects/user:7", at: daemon.admin)["traits"]?["plan"] == "free")
    let events = try daemon.get("/v1/events", at: daemon.admin)
    #expect(events.text.contains("\"source\":\"app\""))
    let newest = try daemon.get("/v1/events/4", at: daemon.admin)
    #expect(newest["body"]?["type"] == "identify", "what only the path told stands in the stored event")
    let second = try daemon.get("/v1/events/2", at: daemon.admin)
    #expect(second["body"]?["sentAt"] == 1_700_000_000_000, "and what only the batch told, too")
  }

  @Test func `a compressed body is taken, a broken one is refused`() throws {
    let daemon = try Daemon(Place())
    let cut = Array(EventsTests.gzip.dropLast(20))
    let wire = try #require(Wire(daemon.door))
    wire.send("POST", "/v1/events", headers: ["Content-Encoding": "gzip"], body: EventsTests.gzip)
    #expect(wire.reply()?.text == EventsTests.one)
    #expect(try daemon.state("user:42", "welcome")?["n"] == 1)
    wire.send("POST", "/v1/events", headers: ["Content-Encoding": "gzip"], body: cut)
    let broken = try #require(wire.reply())
    #expect(broken.status == 400 && broken.isRefusal)
    wire.send("POST", "/v1/events", headers: ["Content-Encoding": "br"], body: cut)
    let unknown = try #require(wire.reply())
    #expect(unknown.status == 415 && unknown.isRefusal)
  }

  /// {"id": "g1", "name": "signup", "user": "42"}
  private static let gzip: [UInt8] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 76, 81, 178, 82, 80, 74, 55, 84, 210, 81, 80, 202, 75, 204, 77, 5,
    241, 138, 51, 211, 243, 74, 11, 64, 34, 165, 197, 169, 69, 32, 17, 19, 35, 165, 90, 0, 19, 249, 152, 54, 44, 0, 0,
    0,
  ]

  @Test func `the same new id on many connections at once becomes one subject`() throws {
    for lanes in [1, 2] {
      let daemon = try Daemon(Place(), ["--set", "lanes=\(lanes)"])
      let wires = try (0..<64).map { _ in try #require(Wire(daemon.door)) }
      for (position, wire) in wires.enumerated() {
        let body = "{\"id\":\"\(position)\",\"name\":\"signup\",\"user\":\"new\",\"account\":\"acme\"}"
        wire.send("POST", "/v1/events", body: Array(body.utf8))
      }
      #expect(wires.allSatisfy { $0.reply()?.status == 200 })
      #expect(try daemon.state("user:new", "welcome")?["n"] == 64)
      // One event id under many users is one event.
      for (position, wire) in wires.enumerated() {
        wire.send("POST", "/v1/events", body: Array("{\"id\":\"x\",\"name\":\"signup\",\"user\":\"\(position)\"}".utf8))
      }
      let repeats = wires.compactMap { $0.reply() }.filter { $0["duplicates"] == 1 }
      #expect(repeats.count == 63)
      #expect(daemon.stop() == 0)
    }
  }
}
