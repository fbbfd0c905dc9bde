// What a handler can ask of a request, and what an answer looks like on the wire.
//
// Thread: each test its own. Promise: through the loop, as in the house.

import Basics
import Intake
import Testing

@Suite struct RequestTests {
  /// Sends one request and lets the test look at it while it is valid.
  private func look(_ text: String, _ body: @escaping (borrowing Request) -> Void) throws {
    let door = try Door()
    var looked = false
    door.handler.inspect = {
      looked = true
      body($0)
    }
    let client = door.connect()
    door.exchange(client, text)
    #expect(looked, "\(client.text)")
  }

  /// The macro cannot look inside an expression with a value that may not be copied.
  private func holds(_ condition: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(condition, sourceLocation: sourceLocation)
  }

  private func get(_ target: String, _ headers: String = "") -> String {
    "GET \(target) HTTP/1.1\r\nHost: a\r\n\(headers)\r\n"
  }

  @Test func `headers are found whatever their case, without blanks around them`() throws {
    try look(get("/", "X-Token:  abc \r\ncontent-TYPE: application/JSON\r\nX-Token: second\r\n")) { request in
      holds(request.headerText("x-token") == "abc")
      holds(request.headerCount("x-token") == 2)
      holds(request.header("content-type", is: "application/json"))
      holds(request.header("x-toke") == nil && request.header("x-tokens") == nil)
      holds(request.headerText("host") == "a")
    }
  }

  @Test func `path and query come apart, and segments are decoded`() throws {
    try look(get("/v1/subjects/user%3A%C3%A9/?limit=20&name=a%20b+c&flag&limit=30&e=")) { request in
      holds(request.pathText == "/v1/subjects/user%3A%C3%A9/")
      holds(request.pathSegments == ["v1", "subjects", "user:é", ""])
      holds(request.hasPathPrefix("/v1/") && !request.hasPathPrefix("/v2/") && !request.isPath("/v1/"))
      holds(request.queryValue("limit") == "20")
      holds(request.queryValue("name") == "a b c")
      holds(request.queryValue("flag") == "" && request.queryValue("e") == "")
      holds(request.queryValue("lim") == nil)
    }
  }

  @Test func `an escape that hides no text makes no segment`() throws {
    try look(get("/a/%ff")) { request in holds(request.pathSegments == nil) }
  }

  @Test func `an absolute target has the path of its plain form`() throws {
    try look("GET http://a/x?y=1 HTTP/1.1\r\nHost: a\r\n\r\n") { request in
      holds(request.isPath("/x") && request.queryValue("y") == "1")
    }
  }

  @Test func `the peer is known by its address`() throws {
    try look(get("/")) { request in
      holds(request.peer.isLoopback && !request.peer.isUnix && request.peer.text == "127.0.0.1")
      holds(request.peer.port > 0 && request.listener == .public && request.isCurrentVersion)
    }
  }

  @Test func `the handler learns of the end of a round once, after its requests`() throws {
    let door = try Door()
    let client = door.connect()
    door.exchange(client, get("/1") + get("/2") + get("/3"), answers: 3)
    #expect(door.handler.turns == 1)
    door.settle(client)
    #expect(door.handler.turns == 1)
  }

  @Test func `the body's limit is asked with the head in sight`() throws {
    let door = try Door()
    door.handler.limit = 4
    let client = door.connect()
    door.exchange(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd")
    door.exchange(
      client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n1\r\ne\r\n0\r\n\r\n",
      answers: 2)
    #expect(client.replies.map(\.status) == [200, 413])
  }

  @Test func `an answer is written as HTTP says, and no value breaks out of its line`() throws {
    let door = try Door()
    door.handler.reply = { _ in
      Answer(
        status: 429, contentType: "text/plain", body: Array("wait".utf8), headers: [("Retry-After", "7\r\nX-Evil: 1")])
    }
    let client = door.connect()
    door.exchange(client, get("/"))
    #expect(
      client.text
        == "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nRetry-After: 7  X-Evil: 1\r\nContent-Length: 4\r\n\r\nwait"
    )
  }

  @Test func `a failure is a code and a sentence, as JSON`() throws {
    let door = try Door()
    door.handler.reply = { _ in Answer(status: 404, code: "no_such_path", message: "There is no \"/x\" here.") }
    let client = door.connect()
    door.exchange(client, get("/x"))
    #expect(client.replies[0].body == #"{"code":"no_such_path","message":"There is no \"/x\" here."}"#)
  }

  @Test func `204 has no body and no length`() throws {
    let door = try Door()
    door.handler.reply = { _ in Answer(status: 204, body: Array("ignored".utf8)) }
    let client = door.connect()
    door.exchange(client, get("/"))
    #expect(client.text == "HTTP/1.1 204 No Content\r\n\r\n")
  }

  @Test func `an answer may ask for a new connection`() throws {
    let door = try Door()
    door.handler.reply = { _ in Answer(status: 200, body: [], closes: true) }
    let client = door.connect()
    door.exchange(client, get("/"))
    door.turn(client) { client.isEnded }
    #expect(client.replies[0].head.contains("Connection: close"))
  }

  @Test func `counters tell what went through`() throws {
    let door = try Door()
    let client = door.connect()
    let request = get("/")
    door.exchange(client, request)
    client.send("BAD\r\n")
    door.turn(client) { client.replies.count == 2 }
    let values = door.loop.counters.values
    #expect(values.accepted == 1 && values.requests == 1 && values.refusedRequests == 1 && values.answers == 2)
    #expect(values.bytesIn == request.utf8.count + 5 && values.bytesOut == client.received.count)
    let rounds = door.loop.counters.rounds
    door.settle()
    #expect(door.loop.counters.rounds == rounds + 8)
  }
}
