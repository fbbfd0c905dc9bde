// The word calendar in rules: what it gives, what it refuses, and what runs that wait see again.
//
// Thread: the test's, and workers. Promise: virtual time.

import Model
import Rehearsal
import Rules
import Testing

@Suite struct CalendarTests {
  private func run(_ rule: String, _ test: String) -> TestRun.FileResult {
    let sources = [RuleSource(path: "a.lua", text: rule), RuleSource(path: "a_test.lua", text: test)]
    let run = TestRun(sources: sources, folder: "rules")
    return run.run(sources.filter { $0.kind == .test }, jobs: 1)[0]
  }

  private func rule(_ entry: String, after: String = "") -> String {
    """
    return rule {
      title = "T", on = "registered",
      run = function(event, customer)
        \(after)
        local text, link = calendar { \(entry) }
        send("crm", "file", { text = text, link = link })
      end,
    }
    """
  }

  private func expectPass(_ result: TestRun.FileResult) {
    #expect(result.complaints.isEmpty && !result.results.isEmpty, "\(result.complaints)")
    for one in result.results { #expect(one.failure == nil, "\(one.failure?.unmet as Any)") }
  }

  @Test func `it gives a file and a link that stays the same for the same uid`() {
    let entry = """
      uid = "e7/" .. customer.id, sequence = event.data.sequence, title = event.data.title, starts_at = event.data.starts_at,
      zone = "Europe/Berlin", alarms = { "1 hour" }, cancelled = event.data.sequence == 2
      """
    let test = """
      test("two versions", function(t)
        t:event("registered", { sequence = 1, title = "A", starts_at = "2026-02-01T17:00:00Z" })
        t:expect_sent("crm", "file", { text = "BEGIN:VCALENDAR\\r\\nVERSION:2.0\\r\\nPRODID:-//nudged//calendar//EN\\r\\nMETHOD:PUBLISH\\r\\nBEGIN:VTIMEZONE\\r\\nTZID:Europe/Berlin\\r\\nBEGIN:STANDARD\\r\\nDTSTART:20251026T030000\\r\\nTZOFFSETFROM:+0200\\r\\nTZOFFSETTO:+0100\\r\\nTZNAME:CET\\r\\nEND:STANDARD\\r\\nBEGIN:DAYLIGHT\\r\\nDTSTART:20260329T020000\\r\\nTZOFFSETFROM:+0100\\r\\nTZOFFSETTO:+0200\\r\\nTZNAME:CEST\\r\\nEND:DAYLIGHT\\r\\nBEGIN:STANDARD\\r\\nDTSTART:20261025T030000\\r\\nTZOFFSETFROM:+0200\\r\\nTZOFFSETTO:+0100\\r\\nTZNAME:CET\\r\\nEND:STANDARD\\r\\nEND:VTIMEZONE\\r\\nBEGIN:VEVENT\\r\\nUID:e7/42\\r\\nSEQUENCE:1\\r\\nDTSTAMP:20260105T090000Z\\r\\nDTSTART;TZID=Europe/Berlin:20260201T180000\\r\\nDTEND;TZID=Europe/Berlin:20260201T190000\\r\\nSUMMARY:A\\r\\nSTATUS:CONFIRMED\\r\\nBEGIN:VALARM\\r\\nACTION:DISPLAY\\r\\nDESCRIPTION:A\\r\\nTRIGGER:-PT60M\\r\\nEND:VALARM\\r\\nEND:VEVENT\\r\\nEND:VCALENDAR\\r\\n" })
      end)
      """
    expectPass(run(rule(entry), test))
  }

  @Test func `a run that waits gets it again and keeps it once`() {
    let after = "calendar { uid = \"x\", title = \"A\", starts_at = event.data.starts_at } wait(\"1 day\")"
    let test = """
      test("over a wait", function(t)
        t:event("registered", { starts_at = "2026-02-01T17:00:00Z" })
        t:advance("1 day")
        t:expect_sent("crm", "file")
        t:expect_ended("finished")
      end)
      """
    expectPass(run(rule("uid = \"x\", title = \"A\", starts_at = event.data.starts_at", after: after), test))
  }

  @Test(arguments: [
    ("title = \"A\", starts_at = 1", "'uid' must be a text; it is missing"),
    ("uid = \"x\", title = \"A\", starts_at = event.data.when", "'starts_at' must be a date"),
    ("uid = \"x\", title = \"A\", starts_at = \"tomorrow\" .. \"\"", "'starts_at' must be a date"),
    ("uid = \"x\", title = \"A\", starts_at = 5000, ends_at = 1000", "'ends_at' must be a date that is not before"),
    ("uid = \"x\", title = \"A\", starts_at = 1780000000000000000 + 0", "'starts_at' must be a date"),
    ("uid = \"x\", title = \"A\", starts_at = 1, ends_at = 1780000000000000000 + 0", "'ends_at' must be a date"),
    (
      "uid = \"x\", title = \"A\", starts_at = 1, organizer = { name = (\"A\"):rep(201), email = \"a@b\" }",
      "'organizer' must be"
    ),
    ("uid = \"x\", title = \"A\", starts_at = 1, alarms = 5 + 0", "'alarms' must be a list"),
    ("uid = \"x\", title = \"A\", starts_at = 1, zone = \"Mars/\" .. \"One\"", "there is no zone \"Mars/One\""),
    ("uid = \"x\", title = \"A\", starts_at = 1, sequence = -1 + 0", "'sequence' must be a whole number"),
    (
      "uid = \"x\", title = \"A\", starts_at = 1, attendee = { name = \"A\", email = \"nobody\" }", "'attendee' must be"
    ),
    ("uid = \"x\", title = \"A\", starts_at = 1, alarms = { \"so\" .. \"on\" }", "'alarms' must be a list"),
  ])
  func `what is wrong is told by its name`(entry: String, part: String) {
    let test = """
      test("fails", function(t)
        t:event("registered", {})
        t:expect_verdict("failed", [[\(part)]])
      end)
      """
    expectPass(run(rule(entry), test))
  }
}
