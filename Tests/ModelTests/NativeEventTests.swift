// Native events: what each field may hold, and what is said when it holds something else.
//
// Thread: the test's. Promise: every refusal names the field and what would be right.

import Basics
import Model
import Testing

@Suite struct NativeEventTests {
  @Test func `every field arrives where rules look for it`() throws {
    let event = try Decoding.event(
      """
      {"id": "e1", "name": "signup", "time": "2023-11-14T22:00:00Z", "user": "42", "anonymous": "v1", "account": "acme",
       "thing": "webinar:w7", "data": {"plan": "pro"}, "traits": {"seats": 5}, "context": {"ip": "::1"}, "mode": "live"}
      """)
    #expect(event.name == "signup")
    #expect(event.id == "e1")
    #expect(event.source == "web")
    #expect(event.time == ISO8601.parse("2023-11-14T22:00:00Z"))
    #expect(event.received == Decoding.received)
    #expect(event.user == SubjectReference(namespace: "user", id: "42"))
    #expect(event.anonymous == SubjectReference(namespace: "anon", id: "v1"))
    #expect(event.account == SubjectReference(namespace: "account", id: "acme"))
    #expect(event.thing == SubjectReference(namespace: "webinar", id: "w7"))
    #expect(event.dataCursor?["plan"]?.string == "pro")
    #expect(event.traits != nil)
    #expect(event.context != nil)
    #expect(event.primary?.description == "user:42")
  }

  @Test func `a visitor stands in for the user who is not known`() throws {
    let event = try Decoding.event(#"{"name": "visit", "anonymous": "v1"}"#)
    #expect(event.user?.description == "anon:v1")
    #expect(event.anonymous == nil)
  }

  @Test func `whole numbers serve as ids, and null is as good as nothing`() throws {
    let event = try Decoding.event(#"{"name": "n", "id": 7, "user": 42, "account": null, "time": null, "data": null}"#)
    #expect(event.id == "7")
    #expect(event.user?.id == "42")
    #expect(event.account == nil)
    #expect(event.time == Decoding.received)
  }

  @Test func `an empty id of a subject counts as none`() throws {
    let event = try Decoding.event(#"{"name": "n", "user": "", "account": "acme"}"#)
    #expect(event.user == nil)
    #expect(event.primary?.description == "account:acme")
    #expect(Decoding.refusal(#"{"name": "n", "user": ""}"#)?.code == "missing_subject")
  }

  @Test(arguments: [
    (#"{"kind": "webinar", "id": "w7"}"#, "webinar:w7"), (#""invoice:in_1:2""#, "invoice:in_1:2"),
  ])
  func `a thing is text or a kind with an id`(thing: String, name: String) throws {
    let event = try Decoding.event("{\"name\": \"n\", \"thing\": \(thing)}")
    #expect(event.thing?.description == name)
    #expect(event.primary?.description == name)
  }

  @Test(arguments: [
    ("[]", "not_an_object", "JSON object"), ("7", "not_an_object", "JSON object"),
    (#"{"user": "1"}"#, "missing_name", "\"name\" is missing"),
    (#"{"name": "", "user": "1"}"#, "bad_name", "1 to 200 bytes"),
    (#"{"name": 7, "user": "1"}"#, "bad_name", "must be text"),
    (#"{"name": "n"}"#, "missing_subject", "give one of"),
    (#"{"name": "n", "user": 1.5}"#, "bad_subject", "\"user\""),
    (#"{"name": "n", "account": {}}"#, "bad_subject", "\"account\""),
    (#"{"name": "n", "thing": "w7"}"#, "bad_thing", "webinar:w7"),
    (#"{"name": "n", "thing": "user:7"}"#, "bad_thing", "webinar:w7"),
    (#"{"name": "n", "thing": "Big:7"}"#, "bad_thing", "webinar:w7"),
    (#"{"name": "n", "thing": {"kind": "webinar"}}"#, "bad_thing", "webinar:w7"),
    (#"{"name": "n", "user": "1", "id": ""}"#, "bad_id", "\"id\""),
    (#"{"name": "n", "user": "1", "id": {}}"#, "bad_id", "\"id\""),
    (#"{"name": "n", "user": "1", "data": []}"#, "bad_field", "\"data\" must be an object"),
    (#"{"name": "n", "user": "1", "traits": "x"}"#, "bad_field", "\"traits\" must be an object"),
    (#"{"name": "n", "user": "1", "context": 1}"#, "bad_field", "\"context\" must be an object"),
    (#"{"name": "n", "user": "1", "time": "yesterday"}"#, "bad_time", "\"time\""),
    (#"{"name": "n", "user": "1", "time": "2026-01-15 10:20"}"#, "bad_time", "with its zone"),
    (#"{"name": "n", "user": "1", "mode": "test"}"#, "bad_mode", "must be \"live\""),
    (#"{"name": "nudged.rule.failed", "user": "1"}"#, "reserved_name", "are our own"),
    (#"{"name": "n", "user": "1", "plan": "pro"}"#, "unknown_field", "put your own fields into \"data\""),
    (#"{"name": "n", "acount": "1"}"#, "unknown_field", "did you mean 'account'"),
    (#"{"name": "n", "user": "1", "depth": 8}"#, "unknown_field", "'depth'"),
  ])
  func `what is wrong is refused with a sentence`(text: String, code: String, part: String) throws {
    let refusal = try #require(Decoding.refusal(text), "\(text) was taken")
    #expect(refusal.code == code)
    #expect(refusal.message.contains(part), "\(refusal.message)")
  }

  @Test func `texts that are too long are refused`() {
    let long = String(repeating: "x", count: 201)
    #expect(Decoding.refusal("{\"name\": \"\(long)\", \"user\": \"1\"}")?.code == "bad_name")
    #expect(Decoding.refusal("{\"name\": \"n\", \"user\": \"\(long)\"}")?.code == "bad_subject")
    #expect(Decoding.refusal("{\"name\": \"n\", \"user\": \"1\", \"id\": \"\(long)\"}")?.code == "bad_id")
    #expect(Decoding.refusal("{\"name\": \"n\", \"thing\": \"webinar:\(long)\"}")?.code == "bad_thing")
    let kind = String(repeating: "k", count: Limits.namespaceBytes + 1)
    #expect(Decoding.refusal("{\"name\": \"n\", \"thing\": \"\(kind):1\"}")?.code == "bad_thing")
  }

  @Test func `our own names and depths are taken from ourselves, and consent from everyone`() throws {
    let own = try Decoding.event(#"{"name": "nudged.rule.failed", "user": "1", "depth": 3}"#, source: "nudged")
    #expect(own.depth == 3)
    let consent = #"{"name": "nudged.consent", "user": "1", "data": {"topic": "*", "given": false}}"#
    #expect(try Decoding.event(consent).depth == 0)
    #expect(Decoding.refusal(#"{"name": "nudged.consent", "user": "1"}"#)?.code == "bad_consent")
  }

  @Test func `a clock that runs ahead is held to five minutes`() throws {
    let ahead = Decoding.received.milliseconds + 3_600_000
    let clamped = try Decoding.event("{\"name\": \"n\", \"user\": \"1\", \"time\": \(ahead)}")
    #expect(clamped.time == Decoding.received + 300_000)
    let near = Decoding.received.milliseconds + 299_000
    #expect(try Decoding.event("{\"name\": \"n\", \"user\": \"1\", \"time\": \(near)}").time.milliseconds == near)
    #expect(try Decoding.event(#"{"name": "n", "user": "1", "time": 0}"#).time == .zero)
  }
}
