// How a wait is said to people.
//
// Thread: the test's. Promise: one sentence for each kind of wait, the same wherever a run is shown.

import Model
import Testing

@Suite struct WaitTests {
  @Test(arguments: [
    (Wait(kind: .wait), "sleeps", "its time"), (Wait(kind: .waitUntil), "sleeps", "its time"),
    (Wait(kind: .call), "waits for the reply of its call", "the reply of its call"),
    (Wait(kind: .waitFor, names: ["paid"]), "waits for paid", "paid"),
    (
      Wait(kind: .waitAny, names: ["paid", "left"], subject: SubjectReference(namespace: "user", id: "7")),
      "waits for paid or left of user:7", "paid or left of user:7"
    ),
  ])
  func `a wait is a sentence and names what it waits for`(wait: Wait, sentence: String, awaited: String) {
    #expect(wait.sentence == sentence && wait.awaited == awaited)
  }

  @Test func `a wait for a date says which date and how long before`() {
    var wait = Wait(kind: .waitUntil)
    wait.plan = DatePlan(path: "data.at", lead: .calendar(days: 1, hour: 18, minute: 5, zone: nil))
    #expect(wait.sentence == "waits for a date at data.at" && wait.planned.isEmpty)
    wait.plan?.date = "2026-03-01T09:00:00Z"
    #expect(wait.sentence == "sleeps" && wait.planned == " (18:05, 1 day before 2026-03-01T09:00:00Z, data.at)")
    wait.plan?.lead = .duration(milliseconds: 5_400_000)
    #expect(wait.awaited == "1 hour 30 minutes before 2026-03-01T09:00:00Z, data.at")
    wait.plan?.isLate = true
    #expect(wait.planned == " (2026-03-01T09:00:00Z, data.at, unless that moves: its moment is past)")
  }
}
