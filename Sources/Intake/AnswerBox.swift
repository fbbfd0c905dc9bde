// Where answers come back: whoever decides posts them in batches, and the intake loop takes them all
// at its next turn. A sleeping loop is woken by one write, a busy one by none.
//
// Thread: `post` and streams from any thread, the rest from intake. Promise: nothing posted before
// the loop ends is forgotten, and nothing after it is kept; an answer to a connection that is gone is
// dropped and counted.

internal import Basics
internal import Synchronization

package final class AnswerBox: Sendable {
  private let answers = Mailbox<(AnswerToken, Answer)>(capacity: .max)
  private let streams = Mailbox<AnswerStream>(capacity: .max)
  let wakeUp = WakeUp()
  /// True from just before the loop looks a last time until it is awake again. Whoever posts after
  /// that look sees it and signals: the order of the two pairs of accesses is what makes it safe.
  private let sleeping = Atomic(false)
  private let filled = Atomic(false)

  package init() {}

  package func post(_ batch: sending [(AnswerToken, Answer)]) {
    guard !batch.isEmpty else { return }
    answers.send(all: batch)
    announce()
  }

  package func post(_ token: AnswerToken, _ answer: Answer) {
    answers.sendAlways((token, answer))
    announce()
  }

  /// Answers piece by piece. The head is one made with `Answer(streamStatus:…)`.
  package func beginStream(_ token: AnswerToken, head: Answer, queueBytes: Int? = nil) -> AnswerStream {
    let stream = AnswerStream(token: token, head: head, box: self, queueBytes: queueBytes)
    announce(stream)
    return stream
  }

  /// Makes an idle loop turn once, to see that it still does.
  package func ping() { announce() }

  func announce(_ stream: AnswerStream) {
    guard streams.sendAlways(stream) else { return stream.abandon() }
    announce()
  }

  /// The loop has ended: what is posted from now on is dropped, and streams are told so.
  func close() {
    answers.close()
    streams.close()
    _ = answers.takeAll()
    for stream in streams.takeAll() { stream.abandon() }
  }

  /// Wakes the loop for whatever it should look at: a stop, for example.
  func announce() {
    filled.store(true, ordering: .sequentiallyConsistent)
    if sleeping.exchange(false, ordering: .sequentiallyConsistent) { wakeUp.signal() }
  }

  /// False when something is waiting already; then the loop must not sleep.
  func fallAsleep() -> Bool {
    sleeping.store(true, ordering: .sequentiallyConsistent)
    return !filled.load(ordering: .sequentiallyConsistent)
  }

  func awake() { sleeping.store(false, ordering: .sequentiallyConsistent) }

  func take() -> (answers: [(AnswerToken, Answer)], streams: [AnswerStream])? {
    guard filled.exchange(false, ordering: .sequentiallyConsistent) else { return nil }
    return (answers.takeAll(), streams.takeAll())
  }
}
