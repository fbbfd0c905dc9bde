// An answer in pieces, for exports and live feeds. The writer is told how full the queue is; the loop
// takes pieces only as fast as the client reads them.
//
// Thread: written by one thread, emptied by intake. Promise: pieces arrive in order or not at all; a
// writer learns that its client is gone; the queue never holds more than its bound and one piece.

internal import Basics
internal import Model
internal import Synchronization

package final class AnswerStream: Sendable {
  package enum Outcome: Sendable, Equatable {
    case taken
    /// Not taken: the client reads more slowly than this. Try again later.
    case full
    /// Not taken: nobody will read it any more.
    case gone
  }

  let token: AnswerToken
  let head: Answer
  private let box: AnswerBox
  private let queueBytes: Int
  private let pieces = Mailbox<[UInt8]>(capacity: .max)
  private let queued = Atomic(0)
  private let announced = Atomic(true)
  private let ended = Atomic(false)
  private let gone = Atomic(false)

  init(token: AnswerToken, head: Answer, box: AnswerBox, queueBytes: Int?) {
    self.token = token
    self.head = head
    self.box = box
    self.queueBytes = queueBytes ?? Limits.streamQueueBytes
  }

  /// Bytes that wait for the client.
  package var waitingBytes: Int { queued.load(ordering: .relaxed) }
  package var isGone: Bool { gone.load(ordering: .acquiring) }

  package func send(_ bytes: [UInt8]) -> Outcome {
    if isGone || ended.load(ordering: .relaxed) { return .gone }
    if bytes.isEmpty { return .taken }
    if waitingBytes >= queueBytes { return .full }
    queued.add(bytes.count, ordering: .relaxed)
    pieces.sendAlways(bytes)
    announce()
    return .taken
  }

  package func end() {
    guard !ended.exchange(true, ordering: .sequentiallyConsistent) else { return }
    announce()
  }

  private func announce() {
    if !announced.exchange(true, ordering: .sequentiallyConsistent) { box.announce(self) }
  }

  // What follows is the loop's side.

  /// Called when the loop turns to the stream: what comes after this is announced again.
  func heard() { announced.store(false, ordering: .sequentiallyConsistent) }

  /// All that waits, and whether that was the last of it.
  func take() -> (pieces: [[UInt8]], isLast: Bool) {
    // The end is read first: pieces sent before it are then certainly in the queue.
    let isLast = ended.load(ordering: .sequentiallyConsistent)
    let taken = pieces.takeAll()
    let bytes = taken.reduce(0) { $0 + $1.count }
    queued.subtract(bytes, ordering: .relaxed)
    return (taken, isLast)
  }

  func abandon() {
    gone.store(true, ordering: .releasing)
    _ = pieces.takeAll()
    queued.store(0, ordering: .relaxed)
  }
}
