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
}
