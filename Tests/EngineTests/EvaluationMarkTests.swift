// The mark that outlives the process: which rule was being asked about which event.
//
// Thread: the test's. Promise: files in a scratch folder of the test.

import Basics
import Engine
import Glibc
import Model
import Store
import Testing

@Suite struct EvaluationMarkTests {
  private func scratch(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/nudged-mark-XXXXXX".utf8CString)
    let folder = String(cString: mkdtemp(&template))
    defer {
      unlink(folder + "/lanes")
      rmdir(folder)
    }
    try body(folder + "/lanes")
  }

  private let event = Hash128(high: 7, low: 8)

  @Test func `a rule that is left leaves no mark`() throws {
    try scratch { path in
      let mark = try #require(EvaluationMark(path: path, lane: 0))
      mark.enter(rule: 3, event: event)
      mark.leave()
      #expect(EvaluationMark(path: path, lane: 0)?.takeLast() == nil)
    }
  }

  @Test func `the second end at the same event is counted as the second`() throws {
    try scratch { path in
      for times in 1...3 {
        let mark = try #require(EvaluationMark(path: path, lane: 1))
        mark.enter(rule: 3, event: event)
        // The process ends here; the next one opens the file.
        let next = try #require(EvaluationMark(path: path, lane: 1))
        let found = try #require(next.takeLast())
        #expect(found.rule == 3 && found.event == event && found.times == times)
        #expect(next.takeLast() == nil, "it is told once")
      }
      let mark = try #require(EvaluationMark(path: path, lane: 1))
      mark.enter(rule: 3, event: Hash128(high: 9, low: 9))
      #expect(EvaluationMark(path: path, lane: 1)?.takeLast()?.times == 1, "another event begins anew")
    }
  }

  @Test func `lanes do not see each other's marks`() throws {
    try scratch { path in
      let mark = try #require(EvaluationMark(path: path, lane: 0))
      mark.enter(rule: 3, event: event)
      #expect(EvaluationMark(path: path, lane: 1)?.takeLast() == nil)
      #expect(EvaluationMark(path: path, lane: 0)?.takeLast()?.rule == 3)
    }
  }

  @Test func `a lane leaves its mark clean after every rule, failing ones too`() throws {
    try scratch { path in
      let mark = try #require(EvaluationMark(path: path, lane: 0))
      let failing = Workshop.rule("on = 'tick'", "error('no')")
      let workshop = try Workshop(["a": failing], mark: mark)
      #expect(try workshop.take(#"{"id": 1, "name": "tick", "user": "a"}"#).verdict("a")?.code == .failed)
      #expect(EvaluationMark(path: path, lane: 0)?.takeLast() == nil)
    }
  }

  @Test func `a rule that is switched off is not asked, and says why`() throws {
    let rule = Workshop.rule("on = 'tick'", "send('crm', 'x', {})")
    let workshop = try Workshop(["a": rule, "b": rule], switchedOff: ["a"])
    let happened = try workshop.take(#"{"id": 1, "name": "tick", "user": "a"}"#)
    #expect(happened.verdict("a")?.code == .paused)
    #expect(happened.verdict("a")?.reason.contains("switched off") == true)
    #expect(happened.deliveries.map(\.rule) == ["b"])
  }
}
