// From bytes to requests. A request that arrives whole is handled where it lies in the loop's own
// buffer; only what is not whole is kept with its connection.
//
// Thread: intake. Promise: one recv a request that arrives whole; no more requests of a connection are
// read than may be outstanding; deadlines run from the first byte, whatever drips in after it.

internal import CPlatform
internal import Glibc

extension ConnectionLoop {
  func receive(_ connection: Connection) {
    if connection.isLingering { return discard(connection) }
    // Bytes that must wait stay in the kernel, and the kernel stops telling of them.
    guard !connection.isClosing, !isPaused(connection) else { return updateInterest(connection) }
    if connection.input.isEmpty {
      let count = recv(connection.descriptor, scratch, ConnectionLoop.scratchBytes, 0)
      guard count > 0 else { return ended(connection, count) }
      values.bytesIn += count
      readScratch(connection, count)
    } else {
      guard makeRoom(connection) else { return refuse(connection, .outOfMemory) }
      let count = recv(connection.descriptor, connection.input.spare, connection.input.room, 0)
      guard count > 0 else { return ended(connection, count) }
      values.bytesIn += count
      connection.input.filled(count)
      readHeld(connection)
    }
    setDeadline(connection)
  }

  /// Connections that could not be read on when their bytes came, because too much was outstanding.
  func readReady() {
    guard !ready.isEmpty else { return }
    var turn: [Connection] = []
    swap(&turn, &ready)
    for connection in turn where connection.isOpen && connection.isReady {
      connection.isReady = false
      guard !connection.isClosing, !isPaused(connection), !connection.input.isEmpty else { continue }
      readHeld(connection)
      setDeadline(connection)
      markDirty(connection)
    }
  }

  func isPaused(_ connection: Connection) -> Bool {
    connection.outstanding >= limits.pipelinedRequests || connection.output.count >= limits.waitingOutputBytes
  }

  private func readScratch(_ connection: Connection, _ received: Int) {
    var count = received
    let used = read(connection, scratch, &count)
    guard used < count, !connection.isClosing else {
      connection.needsLinger = connection.needsLinger || used < count
      return
    }
    guard keepRoom(connection, count - used) else { return refuse(connection, .outOfMemory) }
    connection.input.append(scratch + used, count - used)
  }

  private func readHeld(_ connection: Connection) {
    var count = connection.input.count
    let used = read(connection, connection.input.first, &count)
    connection.input.truncate(count)
    connection.input.drop(used)
    if connection.isClosing, !connection.input.isEmpty { connection.needsLinger = true }
    if connection.input.isEmpty || connection.isClosing {
      heldBytes -= connection.input.capacity
      connection.input.release(above: 0)
    }
  }

  /// Reads as many requests as there are and may be; returns how many bytes they took.
  private func read(_ connection: Connection, _ base: UnsafeMutableRawPointer, _ count: inout Int) -> Int {
    var position = 0
    connection.isHeldBack = false
    while position < count, !connection.isClosing {
      if isPaused(connection) {
        connection.isHeldBack = true
        return position
      }
      var length = count - position
      let step = connection.parser.advance(base + position, count: &length)
      count = position + length
      switch step {
      case .needMore:
        return position
      case .head:
        if let reason = admitBody(connection, base + position, length) { refuse(connection, reason) }
      case .complete:
        dispatch(connection, base + position)
        position += connection.parser.consumed
        connection.parser.reset()
      case .refused(let reason):
        refuse(connection, reason)
      }
    }
    return position
  }

  private func admitBody(_ connection: Connection, _ base: UnsafeMutableRawPointer, _ length: Int) -> Refusal? {
    let empty = UnsafeRawBufferPointer(start: nil, count: 0)
    let limit = handler.bodyLimit(for: view(connection, base, empty))
    if let reason = connection.parser.admitBody(limit: limit) { return reason }
    let head = connection.parser.head
    if head.expectsContinue, head.isCurrentVersion, length == connection.parser.headLength {
      connection.owesContinue = true
      markDirty(connection)
    }
    return nil
  }

  @inline(__always)
  private func view(
    _ connection: Connection, _ base: UnsafeRawPointer, _ body: UnsafeRawBufferPointer
  ) -> Request {
    Request(base: base, head: connection.parser.head, body: body, peer: connection.peer, listener: connection.listener)
  }

  private func dispatch(_ connection: Connection, _ base: UnsafeMutableRawPointer) {
    connection.owesContinue = false
    values.requests += 1
    handledInRound += 1
    let token = expectAnswer(connection)
    let start = base + connection.parser.headLength
    let body = UnsafeRawBufferPointer(start: start, count: connection.parser.bodyLength)
    if let answer = handler.handle(view(connection, base, body), token: token) { settle(token, .answer(answer)) }
  }

  /// Takes the next place in the ring for the request that the parser holds.
  private func expectAnswer(_ connection: Connection) -> AnswerToken {
    let head = connection.parser.head
    let sequence = connection.next
    connection.next &+= 1
    connection.due[connection.place(sequence)] = DueAnswer(
      withoutBody: head.method == .head, isCurrentVersion: head.isCurrentVersion, staysOpen: head.staysOpen)
    if !head.staysOpen { connection.isClosing = true }
    reading.clear(connection.slot)
    return AnswerToken(slot: UInt32(connection.slot), generation: connection.generation, sequence: sequence)
  }

  /// The loop's own answer to what cannot be handled; it takes its turn behind those still due.
  func refuse(_ connection: Connection, _ reason: Refusal) {
    guard connection.isOpen, !connection.isClosing else { return }
    values.refusedRequests += 1
    let token = expectAnswer(connection)
    connection.isClosing = true
    connection.needsLinger = true
    connection.owesContinue = false
    settle(token, .answer(reason.answer))
  }

  private func ended(_ connection: Connection, _ code: Int) {
    if code < 0 {
      if errno == EAGAIN || errno == EINTR { return }
      return close(connection)
    }
    connection.peerFinished = true
    connection.isClosing = true
    reading.clear(connection.slot)
    if connection.outstanding == 0, connection.output.isEmpty { return close(connection) }
    // A readable end of file would wake every round; the answers still due go out first.
    markDirty(connection)
  }

  private func discard(_ connection: Connection) {
    let count = recv(connection.descriptor, scratch, ConnectionLoop.scratchBytes, 0)
    if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { close(connection) }
  }

  /// Head and body are each given their time once; idleness begins when nothing is due.
  func setDeadline(_ connection: Connection) {
    guard connection.isOpen, !connection.isClosing else { return }
    let slot = connection.slot
    if connection.parser.isReadingBody {
      if reading.kind(of: slot) != .body { reading.set(slot, .body, at: now + limits.bodyMilliseconds) }
    } else if connection.parser.isUnderway || (!connection.input.isEmpty && !isPaused(connection)) {
      if reading.kind(of: slot) != .head { reading.set(slot, .head, at: now + limits.headMilliseconds) }
    } else if connection.outstanding == 0 {
      if reading.kind(of: slot) != .idle { reading.set(slot, .idle, at: now + limits.idleMilliseconds) }
    } else {
      reading.clear(slot)
    }
  }

  // MARK: Memory of unfinished requests

  /// Room to receive into: what the head announced, as far as the growth so far justifies it.
  private func makeRoom(_ connection: Connection) -> Bool {
    guard connection.input.room == 0 || connection.input.room < 2048 else { return true }
    let held = connection.input.count
    var more = max(4096, min(held, 1 << 20))
    if let announced = connection.parser.announcedLength, announced > held {
      more = min(announced - held, max(more, 1 << 18))
    }
    return keepRoom(connection, more)
  }

  private func keepRoom(_ connection: Connection, _ more: Int) -> Bool {
    let before = connection.input.capacity
    guard heldBytes + more <= limits.heldBytes else { return false }
    connection.input.reserve(more)
    heldBytes += connection.input.capacity - before
    return true
  }
}
