// Events in other people's shapes: Segment's calls and CloudEvents.
//
// Thread: the test's. Promise: the shape is told by the item, and by the path only where the item leaves
// it open.

import Basics
import Model
import Testing

@Suite struct ForeignEventTests {
  @Test func `a track call is called by its event and carries its properties`() throws {
    let event = try Decoding.event(
      #"{"type": "track", "event": "Signed Up", "userId": "42", "anonymousId": "v1", "messageId": "m1", "properties": {"plan": "pro"}}"#
    )
    #expect(event.name == "Signed Up")
    #expect(event.id == "m1")
    #expect(event.user?.description == "user:42")
    #expect(event.anonymous?.description == "anon:v1")
    #expect(event.dataCursor?["plan"]?.string == "pro")
  }

  @Test(arguments: ["identify", "page", "screen", "group"])
  func `other calls are named after themselves`(type: String) throws {
    let event = try Decoding.event("{\"type\": \"\(type)\", \"userId\": \"42\", \"traits\": {\"seats\": 5}}")
    #expect(event.name == type)
    #expect(event.traits != nil)
  }

  @Test func `the path tells the call where the item does not`() throws {
    #expect(try Decoding.event(#"{"userId": "42"}"#, call: "identify").name == "identify")
    #expect(try Decoding.event(#"{"userId": "42", "name": "Home"}"#, call: "page").name == "page")
    #expect(try Decoding.event(#"{"anonymousId": "v", "name": "Home"}"#, call: "page").name == "page")
    #expect(try Decoding.event(#"{"type": "group", "userId": "42"}"#, call: "identify").name == "group")
    #expect(try Decoding.event(#"{"event": "e", "userId": "42"}"#).name == "e", "a track call is the likeliest")
  }

  @Test func `an alias links the previous id`() throws {
    let event = try Decoding.event(#"{"type": "alias", "userId": "42", "previousId": "v9", "anonymousId": "v1"}"#)
    #expect(event.user?.description == "user:42")
    #expect(event.anonymous?.description == "anon:v9")
  }

  @Test func `a group comes from the call or from its context`() throws {
    #expect(try Decoding.event(#"{"type": "group", "groupId": "acme", "userId": 1}"#).account?.id == "acme")
    let inContext = #"{"type": "track", "event": "e", "userId": "1", "context": {"groupId": "acme"}}"#
    #expect(try Decoding.event(inContext).account?.id == "acme")
    #expect(try Decoding.event(#"{"type": "group", "groupId": "acme"}"#).primary?.description == "account:acme")
  }

  @Test(arguments: [
    (#"{"type": "track", "userId": "1"}"#, "missing_name", "\"event\""),
    (#"{"type": "track", "event": "", "userId": "1"}"#, "bad_name", "\"event\""),
    (#"{"type": "track", "event": "nudged.x", "userId": "1"}"#, "reserved_name", "nudged.x"),
    (#"{"type": "identify"}"#, "missing_subject", "\"userId\" or \"anonymousId\""),
    (#"{"type": "identify", "userId": true}"#, "bad_subject", "\"userId\""),
    (#"{"type": "identify", "userId": "1", "messageId": ""}"#, "bad_id", "\"messageId\""),
    (#"{"type": "identify", "userId": "1", "traits": []}"#, "bad_field", "\"traits\""),
    (#"{"type": "track", "event": "e", "userId": "1", "properties": 1}"#, "bad_field", "\"properties\""),
    (#"{"type": "identify", "userId": "1", "originalTimestamp": "soon"}"#, "bad_time", "\"originalTimestamp\""),
    (#"{"type": "identify", "userId": "1", "timestamp": "soon"}"#, "bad_time", "\"timestamp\""),
    (#"{"specversion": "0.3", "type": "t", "source": "/s", "subject": "1"}"#, "bad_specversion", "\"1.0\""),
    (#"{"specversion": "1.0", "source": "/s", "subject": "1", "id": "1"}"#, "missing_name", "\"type\""),
    (#"{"specversion": "1.0", "type": "t", "subject": "1", "id": "1"}"#, "missing_source", "\"source\""),
    (#"{"specversion": "1.0", "type": "t", "source": "/s", "id": "1"}"#, "missing_subject", "\"subject\""),
    (#"{"specversion": "1.0", "type": "t", "source": "/s", "subject": "1"}"#, "missing_id", "\"id\""),
  ])
  func `what is wrong is refused with the sender's own field`(text: String, code: String, part: String) throws {
    let refusal = try #require(Decoding.refusal(text), "\(text) was taken")
    #expect(refusal.code == code)
    #expect(refusal.message.contains(part), "\(refusal.message)")
  }

  @Test func `a client's wrong clock is corrected by when it says it sent`() throws {
    // Its clock is an hour slow: the event happened ten seconds before it was sent.
    let sent = Decoding.received + -3_600_000
    let happened = sent.milliseconds - 10_000
    let item = "\"type\": \"identify\", \"userId\": \"1\", \"originalTimestamp\": \(happened)"
    #expect(try Decoding.event("{\(item)}", sent: sent).time == Decoding.received + -10_000)
    let own = try Decoding.event("{\(item), \"sentAt\": \(sent.milliseconds)}")
    #expect(own.time == Decoding.received + -10_000, "an item's own sentAt counts, too")
    #expect(try Decoding.event("{\(item)}").time.milliseconds == happened)
  }

  @Test func `a timestamp that the client's library has corrected is left alone`() throws {
    let time = Decoding.received.milliseconds - 60_000
    let event = try Decoding.event(
      "{\"type\": \"identify\", \"userId\": \"1\", \"timestamp\": \(time)}", sent: Decoding.received + -3_600_000)
    #expect(event.time.milliseconds == time)
  }

  @Test func `a CloudEvent is told apart by its source and id`() throws {
    let event = try Decoding.event(
      #"{"specversion": "1.0", "type": "com.shop.paid", "source": "/shop", "id": "a1", "subject": "42", "time": "2023-11-14T22:00:00Z", "data": {"n": 1}}"#
    )
    #expect(event.name == "com.shop.paid")
    #expect(event.id == "/shop#a1")
    #expect(event.user?.description == "user:42")
    #expect(event.dataCursor?["n"]?.integer == 1)
    let text = #"{"specversion": "1.0", "type": "t", "source": "/s", "id": "1", "subject": "1", "data": "text"}"#
    #expect(try Decoding.event(text).data == nil, "data that is no object has no fields to read")
  }
}
