// What destinations get: shapes, transforms, the types they take, and test events.
//
// Thread: the test's. Promise: what is compared are the bytes that would leave.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct ShapeTests {
  private static func shop(_ change: (inout Destination) -> Void, library: String? = nil) throws -> Workshop {
    var files = ["r": Workshop.rule("on = 'a'", "send('crm', 'paid', event.data)")]
    if let library { files["lib/shape"] = library }
    var destination = Destination(name: "crm", url: "http://127.0.0.1:9/", signing: .none)
    change(&destination)
    return try Workshop(files, destinations: [destination])
  }

  private static func sent(_ shop: Workshop, _ data: String, source: String = "web") throws -> (
    body: String, request: String, told: [Verdict]
  ) {
    let event = #"{"id":"e","name":"a","user":"ada","data":\#(data)}"#
    let happened = try shop.take(event, source: source)
    let delivery = happened.deliveries.first?.delivery
    return (
      String(decoding: delivery?.body ?? [], as: UTF8.self), delivery?.request ?? "",
      happened.verdicts.flatMap(\.verdicts).filter { $0.code != .ran }
    )
  }

  @Test func `a form has brackets for what is nested, and leaves null out`() throws {
    let shop = try ShapeTests.shop { $0.shape = .form }
    let sent = try ShapeTests.sent(
      shop, #"{"customer":"cus 1&x","items":[{"price":5},{"price":6}],"meta":{"ä":true},"none":null}"#)
    #expect(
      sent.body == "customer=cus%201%26x&items[0][price]=5&items[1][price]=6&meta[%C3%A4]=true")
  }

  @Test func `Segment's shape is a track call with the webhook's id as its message id`() throws {
    let shop = try ShapeTests.shop { $0.shape = .segment }
    let body = try ShapeTests.sent(shop, #"{"plan":"pro"}"#).body
    let root = try Document.parse(body).root
    #expect(root["userId"]?.string == "ada" && root["event"]?.string == "paid")
    #expect(root["properties"]?["plan"]?.string == "pro")
    #expect(root["messageId"]?.string?.hasPrefix("msg_") == true)
  }

  @Test func `a transform makes path, method and data, from the rules folder and under the sandbox`() throws {
    let library = """
      return function(message)
        return { method = "PUT", path = "/v1/invoices/" .. message.data.invoice .. "/pay", data = { of = message.subject } }
      end
      """
    let shop = try ShapeTests.shop(
      {
        $0.transform = "lib/shape"
        $0.shape = .bare
      }, library: library)
    let sent = try ShapeTests.sent(shop, #"{"invoice":"in_1"}"#)
    #expect(sent.body == #"{"of":"user:ada"}"#)
    #expect(sent.request == "PUT /v1/invoices/in_1/pay")
  }

  @Test(arguments: [
    ("return function(m) return nil end", "its transform returned nil: nothing is sent"),
    (
      "return function(m) return 'x' end",
      "its transform lib/shape: it must return a table or nil, and returned a string"
    ),
    (
      "return function(m) local t = {} for n = 1, 9 do t[n] = ('x'):rep(30000) end return { data = { t = t } } end",
      "262144 are allowed; nothing is sent"
    ),
    ("return function(m) return { dta = {} } end", "unknown field 'dta' (did you mean 'data'?)"),
    ("return function(m) return { data = {}, path = '//evil.example/x' } end", "'path' must begin with one /"),
    ("return function(m) return { data = {}, path = '/a/%2e%2E/x' } end", "no step of it may be '..'"),
    ("return function(m) return { data = {}, path = '/a/..' } end", "no step of it may be '..'"),
    ("return function(m) return { data = {}, path = '/x y' } end", "'path' must begin with one /"),
    ("return function(m) return { data = {}, method = 'GET' } end", "'method' must be one of POST"),
    ("return function(m) return m.data.x.y end", "rules/lib/shape.lua:1: attempt to index"),
    ("return function(m) while true do end end", "the budget of"),
    ("return function(m) send('crm', 'x', {}) return { data = {} } end", "send can only be used inside run"),
    ("return 5", "must return a function"),
  ])
  func `a transform that goes wrong sends nothing and says why`(library: String, reason: String) throws {
    let shop = try ShapeTests.shop({ $0.transform = "lib/shape" }, library: library)
    let sent = try ShapeTests.sent(shop, "{}")
    #expect(sent.body.isEmpty)
    #expect(sent.told.contains { $0.reason.contains(reason) }, "\(sent.told)")
    // The next rule finds the runtime as new.
    let next = try shop.take(#"{"id":"f","name":"a","user":"bob"}"#)
    #expect(next.verdicts.flatMap(\.verdicts).contains { $0.rule == "r" && $0.code == .ran })
  }

  @Test func `a destination gets only the types it takes, and says so`() throws {
    let shop = try ShapeTests.shop { $0.types = ["dunning.*"] }
    let sent = try ShapeTests.sent(shop, "{}")
    #expect(sent.body.isEmpty)
    #expect(sent.told.map(\.reason) == ["paid to crm: the destination does not take this type (types)"])
  }

  @Test func `test events reach test destinations alone, and others reach them never`() throws {
    let plain = try ShapeTests.shop { _ in }
    #expect(try ShapeTests.sent(plain, "{}", source: "test:web").body.isEmpty)
    let test = try ShapeTests.shop { $0.isTest = true }
    #expect(try ShapeTests.sent(test, "{}").body.isEmpty)
    #expect(try !ShapeTests.sent(try ShapeTests.shop { $0.isTest = true }, "{}", source: "test:web").body.isEmpty)
    // What a test event causes is a test event.
    let chain = try Workshop(
      [
        "a": Workshop.rule("on = 'a'", "emit('b', {}) wait('1 s') emit('b', {})"),
        "b": Workshop.rule("on = 'b'", "send('crm', 'x', {})"),
      ], destinations: [Destination(name: "crm", url: "http://127.0.0.1:9/", signing: .none)])
    #expect(try chain.take(#"{"id":"e","name":"a","user":"ada"}"#, source: "test:web").deliveries.isEmpty)
    chain.now = chain.now + 1_000
    let later = try chain.run([])
    #expect(later.deliveries.isEmpty)
    #expect(later.events.map(\.name) == ["b"], "\(later.logs) \(later.ended) \(later.verdicts)")
  }

  @Test func `a call that cannot be made is answered at once`() throws {
    let shop = try Workshop(
      [
        "r": Workshop.rule(
          "on = 'a'", "local reply = call('crm', 'x', {}) finish(tostring(reply.ok) .. ' ' .. reply.error)")
      ],
      destinations: [Destination(name: "crm", url: "http://127.0.0.1:9/", signing: .none)].map {
        var one = $0
        one.types = ["other"]
        return one
      })
    let happened = try shop.take(#"{"id":"e","name":"a","user":"ada"}"#)
    #expect(happened.ended.map(\.reason) == ["false the destination does not take this type (types)"])
  }
}
