// `state` between runs: what goes in comes out, in one form only.
//
// Thread: the test's own. Promise: equal states are equal bytes.

import Basics
import Model
import Rules
import Testing

@Suite struct StateTests {
  private func state(_ body: String, _ given: String = "") throws -> String {
    let outcome = try Fixture.run(body, Fixture.input(state: given))
    if outcome.code != .ran { return outcome.reason }
    return outcome.state.map { String(decoding: $0, as: UTF8.self) } ?? "(unchanged)"
  }

  /// Given text, body, text after.
  static let steps: [(given: String, body: String, after: String)] = [
    ("", "state.b = 1 state.a = 2 state.c = 3 state.b = nil", #"{"a":2,"c":3}"#),
    ("{}", "state.x = true", #"{"x":true}"#),
    (#"{"b":1,"a":2}"#, "state.c = 3", #"{"a":2,"b":1,"c":3}"#),
    (#"{ "a" : 1 }"#, "state.b = state.a", #"{"a":1,"b":1}"#),
    (#"{"a":"q\"\\\n"}"#, "state.b = state.a", #"{"a":"q\"\\\n","b":"q\"\\\n"}"#),
    (#"{"a":"ä\u00e4"}"#, "state.b = #state.a", #"{"a":"ää","b":4}"#),
    (#"{"ö":1.5}"#, "state.ö2 = 1", "rules/a.lua:2: 'ö' is not Lua outside of a text"),
    (#"{"ö":1.5}"#, "state['ö'] = state['ö'] * 2", #"{"ö":3.0}"#),
    (
      #"{"a":9223372036854775807,"b":-9223372036854775808}"#,
      "state.c = state.a == math.maxinteger and state.b == math.mininteger",
      #"{"a":9223372036854775807,"b":-9223372036854775808,"c":true}"#
    ),
    (#"{"a":1e3,"b":0.1}"#, "state.c = state.a + state.b", #"{"a":1000.0,"b":0.1,"c":1000.1}"#),
    (
      #"{"a":null,"b":{"c":1},"d":[1]}"#, "state.e = tostring(state.a) .. tostring(state.b) .. tostring(state.d)",
      #"{"e":"nilnilnil"}"#
    ),
    (#"{"a":1,"a":2}"#, "state.b = state.a", #"{"a":1,"b":1}"#),
    (#"{"a":1}"#, "state.a = nil", "{}"),
    (#"{"a":1}"#, "local x = state.a", "(unchanged)"),
    (#"{"a":1}"#, "state.a = state.a", #"{"a":1}"#),
    ("", "state[''] = 1", "a key of state has 1 to 200 bytes; this one has 0"),
    ("", "state.x = '\\xff'", "a text in state must be valid UTF-8"),
    ("", "for i = 1, 64 do state['k' .. i] = i end state.k1 = nil state.new = 1", "64 keys"),
    ("", "for i = 1, 20000 do state.x = ('y'):rep(20) .. i end", #"{"x":"yyyyyyyyyyyyyyyyyyyy20000"}"#),
    (
      #"{"a":"kept","b":"kept too"}"#,
      "for i = 1, 2000 do state['k' .. i % 7] = ('y'):rep(100) end for i = 0, 6 do state['k' .. i] = nil end",
      #"{"a":"kept","b":"kept too"}"#
    ),
    ("", "state.x = ('\\1'):rep(4000)", "state would take 24008 bytes as JSON; it may have 8192"),
    ("[]", "state.a = 1", "the stored state of this rule is not a JSON object"),
    (#"{"a":1"#, "state.a = 1", "the stored state of this rule is not a JSON object"),
    (#"{"a":01}"#, "state.b = 1", #"{"a":1,"b":1}"#),
    (#"{"a":12345678901234567890}"#, "state.b = math.type(state.a)", #"{"a":12345678901234567168.0,"b":"float"}"#),
  ]

  @Test(arguments: steps)
  func `what goes in comes out`(given: String, body: String, after: String) throws {
    do {
      let text = try state(body, given)
      if after == "64 keys" {
        #expect(Fixture.parse(text).root.count == 64)
      } else {
        #expect(text == after)
      }
    } catch let complaint as RuleComplaint {
      #expect(complaint.description == after)
    }
  }

  @Test func `many random states are read back as they were written`() throws {
    let body = """
      for i = 1, 30 do
        local key = 'k' .. random(1, 12)
        local kind = random(1, 5)
        if kind == 1 then state[key] = nil
        elseif kind == 2 then state[key] = random(-1000000, 1000000)
        elseif kind == 3 then state[key] = random() * 1e6
        elseif kind == 4 then state[key] = ('tä"\\n'):rep(random(0, 4))
        else state[key] = random(1, 2) == 1 end
      end
      """
    let writer = try Fixture.runtime(body)
    let copier = try Fixture.runtime(
      "local t = {} for i = 1, 12 do t[i] = state['k' .. i] end for i = 1, 12 do state['k' .. i] = nil state['k' .. i] = t[i] end"
    )
    var text = ""
    for seed in 1...300 {
      let written = writer.run(0, Fixture.input(state: text, seed: UInt64(seed)))
      #expect(written.code == .ran)
      text = String(decoding: written.state ?? [], as: UTF8.self)
      let copied = copier.run(0, Fixture.input(state: text))
      #expect(copied.state == written.state)
    }
  }
}
