// One connection's state: its parser, what it holds of an unfinished request, what it still has to
// send, and the ring of requests that wait for their answers.
//
// Thread: intake alone. Promise: a slot is used again with another generation, so that nothing meant
// for one connection reaches the next.

/// What is remembered of a request between its arrival and its answer.
struct DueAnswer {
  enum Reply {
    case none
    case answer(Answer)
    case stream(AnswerStream)
  }

  var withoutBody = false
  var isCurrentVersion = true
  var staysOpen = true
  var reply = Reply.none
}

final class Connection {
  let slot: Int
  var generation: UInt32 = 0
  var descriptor: Int32 = -1
  var peer = Peer(kind: .unix)
  var listener = ListenerKind.public

  var parser: RequestParser
  /// Bytes of a request that is not whole yet, and of those behind it that may not be read yet.
  var input = ByteBuffer()
  var output = ByteBuffer()

  /// The ring of due answers: sequences from `oldest` up to, not including, `next`.
  var due: [DueAnswer] = []
  var oldest: UInt32 = 0
  var next: UInt32 = 0
  /// The stream that is being answered with now; it belongs to `oldest`.
  var stream: AnswerStream?

  var interest: UInt32 = 0
  /// Nothing more is read: the last due answer is followed by the end.
  var isClosing = false
  var peerFinished = false
  /// The client may still be sending what nobody will read.
  var needsLinger = false
  var isLingering = false
  /// "100 Continue" is owed as soon as all earlier answers are out.
  var owesContinue = false
  var isBlocked = false
  var isDirty = false
  var isReady = false
  /// Whole requests may lie in `input`, unread because too much was outstanding.
  var isHeldBack = false

  init(slot: Int, limits: IntakeLimits) {
    self.slot = slot
    parser = RequestParser(limits: limits)
  }

  var isOpen: Bool { descriptor >= 0 }
  var outstanding: Int { Int(next &- oldest) }
  var tag: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

  @inline(__always)
  func place(_ sequence: UInt32) -> Int { Int(sequence) & (due.count - 1) }

  func open(_ descriptor: Int32, _ peer: Peer, _ listener: ListenerKind, ring: Int) {
    self.descriptor = descriptor
    self.peer = peer
    self.listener = listener
    if due.isEmpty { due = [DueAnswer](repeating: DueAnswer(), count: ring) }
  }

  /// Back to the state of an empty slot, under a new generation.
  func clear() {
    descriptor = -1
    // The top bit of a tag marks the loop's own descriptors.
    generation = (generation &+ 1) & 0x7fff_ffff
    parser.reset()
    input.release(above: 0)
    output.release(above: 4096)
    for index in due.indices { due[index].reply = .none }
    oldest = 0
    next = 0
    stream = nil
    interest = 0
    isClosing = false
    peerFinished = false
    needsLinger = false
    isLingering = false
    owesContinue = false
    isBlocked = false
    isReady = false
    isHeldBack = false
  }
}
