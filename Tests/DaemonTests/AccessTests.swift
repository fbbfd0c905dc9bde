// Who may do what, and how every refusal is written.
//
// Thread: the test's. Promise: the real binary, loopback only.

import Basics
import Glibc
import Testing

@Suite struct AccessTests {
  private static let event = #"{"name": "signup", "user": "42"}"#

  private func place(_ more: String = "") -> Place {
    let place = Place(
      more: """
        \(more) keys = {
          web = { secret = file "web" }, reader = { secret = file "reader", rights = { "read" } },
          chief = { secret = file "chief", rights = { "ingest", "read", "admin" }, source = "office" },
        }
        """)
    for name in ["web", "reader", "chief"] { place.write(name, "key-of-\(name)\n") }
    return place
  }

  private func bearer(_ name: String) -> [String: String] { ["Authorization": "Bearer key-of-\(name)"] }

  @Test func `every refusal is a code and a sentence`() throws {
    let daemon = try Daemon(Place())
    let requests: [(method: String, path: String, status: Int, code: String)] = [
      ("GET", "/nothing", 404, "not_found"), ("GET", "/v1/nothing", 404, "not_found"),
      ("POST", "/v1/nothing", 404, "not_found"), ("GET", "/v1/subjects/user:nobody", 404, "not_found"),
      ("GET", "/v1/events/999", 404, "not_found"), ("GET", "/v1/deliveries/999", 404, "not_found"),
      ("DELETE", "/v1/events", 405, "wrong_method"), ("GET", "/v1/track", 405, "wrong_method"),
      ("POST", "/v1/subjects/user:1", 405, "wrong_method"), ("PUT", "/healthz", 405, "wrong_method"),
      ("DELETE", "/v1/deliveries", 405, "wrong_method"), ("POST", "/v1/rules/reload", 403, "no_right"),
      ("POST", "/v1/events", 400, "invalid_json"),
    ]
    for request in requests {
      let reply = try daemon.request(request.method, request.path)
      #expect(reply.status == request.status, "\(request.method) \(request.path): \(reply.text)")
      #expect(reply.isRefusal && reply["code"] == .string(request.code), "\(reply.text)")
    }
    let wrongType = try daemon.post(AccessTests.event, headers: ["Content-Type": "image/png"])
    #expect(wrongType.status == 415 && wrongType.isRefusal)
    let large = try daemon.post(String(repeating: " ", count: 1_100_000))
    #expect(large.status == 413 && large.isRefusal)
    let many = try daemon.post("[" + String(repeating: "1,", count: 10_000) + "1]")
    #expect(many.status == 413 && many.isRefusal)
    let lines = try daemon.post(String(repeating: "{\"name\":\"n\",\"user\":1}\n", count: 10_001))
    #expect(lines.status == 413 && lines["code"] == "too_many_events", "\(lines.text)")
    for body in [#"{"name": "n"}"#, "[7]7", "text", "\"\""] {
      let reply = try daemon.post(body)
      #expect(reply.status == 400 && reply.isRefusal, "\(body): \(reply.text)")
    }
    #expect(try daemon.request("DELETE", "/v1/events").head.contains("Allow: GET, POST"))
  }

  @Test func `this machine needs no key unless the configuration says so`() throws {
    let open = try Daemon(place())
    #expect(try open.post(AccessTests.event).status == 200)
    #expect(try open.get("/v1/events").status == 200)
    #expect(try open.request("POST", "/v1/rules/reload").status == 403, "changing something needs more")
    #expect(try open.post(AccessTests.event, headers: ["Authorization": "Bearer wrong"]).status == 401)
    let closed = try Daemon(place("open_locally = false,"))
    for reply in [try closed.post(AccessTests.event), try closed.get("/v1/events"), try closed.get("/metrics")] {
      #expect(reply.status == 401 && reply.isRefusal && reply["code"] == "no_key")
      #expect(reply.head.contains("WWW-Authenticate: Bearer"))
    }
    #expect(try closed.get("/healthz").status == 200, "whoever watches needs no key")
    #expect(try closed.get("/readyz").status == 200)
    #expect(try closed.get("/v1/events", at: closed.admin).status == 200, "the admin socket is guarded by its mode")
  }

  @Test func `a key may do what its rights say and no more`() throws {
    let daemon = try Daemon(place("open_locally = false,"))
    #expect(try daemon.post(AccessTests.event, headers: bearer("web")).status == 200)
    #expect(try daemon.post(AccessTests.event, headers: bearer("chief")).status == 200)
    let denied = try daemon.post(AccessTests.event, headers: bearer("reader"))
    #expect(denied.status == 403 && denied.isRefusal)
    #expect(denied["message"] == "this key lacks the right \"ingest\"")
    #expect(try daemon.get("/v1/events", headers: bearer("web")).status == 403)
    let events = try daemon.get("/v1/events", headers: bearer("reader"))
    #expect(events.text.contains("\"source\":\"web\"") && events.text.contains("\"source\":\"office\""))
    #expect(try daemon.request("POST", "/v1/rules/reload", headers: bearer("reader")).status == 403)
    #expect(try daemon.request("POST", "/v1/rules/reload", headers: bearer("chief")).status == 200)
    for header in ["Bearer", "Basic !!!", "Digest x", "Bearer key-of-web2", "bearer  key-of-web"] {
      #expect(try daemon.post(AccessTests.event, headers: ["Authorization": header]).status == 401, "\(header)")
    }
    #expect(!daemon.log.contains("key-of"))
  }

  @Test func `a Unix socket counts as this machine`() throws {
    let place = Place()
    place.write("rules/welcome.lua", Place.welcome)
    let path = place.path("public.sock")
    let child = Child(["serve", "--listen", "unix:" + path] + place.configuration, in: place)
    try Daemon.waitUntilReady(child)
    let wire = try #require(Wire(.unix(path)))
    wire.send("POST", "/v1/events", body: Array(AccessTests.event.utf8))
    #expect(wire.reply()?.status == 200)
    #expect(child.complaint.contains("listen=unix:" + path))
  }
}
