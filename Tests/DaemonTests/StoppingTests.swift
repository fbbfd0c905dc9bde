// Ends of the process, wanted and unwanted, and what the next one finds.
//
// Thread: the test's. Promise: the real binary, loopback only.

import Basics
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
}

extension JSONValue {
  var plainText: String { if case .string(let text) = self { text } else { "" } }
}

/// A port of loopback that is taken, and on which nobody listens.
final class HeldPort {
  let port: UInt16
  private var descriptor: Int32

  init() {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let held = descriptor
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(held, $0, size)
        getsockname(held, $0, &size)
      }
    }
    port = UInt16(bigEndian: address.sin_port)
  }

  func release() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  deinit { release() }
}
