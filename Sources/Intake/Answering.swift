// From answers to bytes. An answer waits in the ring until all before it are written; what is written
// in one round goes out with one send.
//
// Thread: intake. Promise: order per connection; an answer is written once; a client that does not
// read holds at most its bound of bytes and at most the write deadline.

internal import CPlatform
internal import Glibc

enum ConnectionHeader {
  case none, keepAlive, close
}

extension ConnectionLoop {
  func markDirty(_ connection: Connection) {
    guard !connection.isDirty else { return }
    connection.isDirty = true
    dirty.append(connection)
  }

  func settle(_ token: AnswerToken, _ reply: DueAnswer.Reply) {
    guard let connection = find(token) else {
      values.lateAnswers += 1
      if case .stream(let stream) = reply { stream.abandon() }
      return
    }
    let place = connection.place(token.sequence)
    // Where two answers came for one request the first stands.
    guard case .none = connection.due[place].reply else {
      values.lateAnswers += 1
      return
    }
    if token.sequence == connection.oldest, connection.stream == nil {
      write(connection, reply)
      writeNext(connection)
    } else if connection.stream != nil, token.sequence == connection.oldest {
      values.lateAnswers += 1
    } else {
      connection.due[place].reply = reply
    }
  }

  private func find(_ token: AnswerToken) -> Connection? {
    guard token.slot < connections.count else { return nil }
    let connection = connections[Int(token.slot)]
    guard connection.isOpen, connection.generation == token.generation,
      token.sequence &- connection.oldest < connection.next &- connection.oldest
    else { return nil }
    return connection
  }

  /// Writes the answers that were waiting for the one before them.
  private func writeNext(_ connection: Connection) {
    while connection.outstanding > 0, connection.stream == nil {
      let place = connection.place(connection.oldest)
      let reply = connection.due[place].reply
      if case .none = reply { return }
      connection.due[place].reply = .none
      write(connection, reply)
    }
  }

  private func write(_ connection: Connection, _ reply: DueAnswer.Reply) {
    markDirty(connection)
    switch reply {
    case .none: return
    case .answer(let answer): write(connection, answer)
    case .stream(let stream): begin(connection, stream)
    }
  }

  private func write(_ connection: Connection, _ answer: Answer) {
    let due = connection.due[connection.place(connection.oldest)]
    let last = lastAnswer(connection, answer)
    if last { connection.isClosing = true }
    let header: ConnectionHeader = last ? .close : due.isCurrentVersion ? .none : .keepAlive
    ConnectionLoop.write(answer, to: &connection.output, withoutBody: due.withoutBody, connection: header, mark: mark())
    values.answers += 1
    connection.oldest &+= 1
  }

  /// Whether nothing may follow this answer on its connection.
  private func lastAnswer(_ connection: Connection, _ answer: Answer) -> Bool {
    let due = connection.due[connection.place(connection.oldest)]
    if !due.staysOpen { return true }
    guard connection.outstanding == 1 else { return false }
    if connection.isClosing { return true }
    let rests = connection.input.isEmpty && !connection.parser.isReadingBody
    guard answer.closes || (isDraining && rests) else { return false }
    // The end is our decision, so the client may be sending its next request already.
    connection.needsLinger = true
    return true
  }

  static func write(
    _ answer: Answer, to output: inout ByteBuffer, withoutBody: Bool, connection: ConnectionHeader, mark: [UInt8] = []
  ) {
    answer.bytes.withUnsafeBytes { bytes in
      let end = withoutBody ? answer.headLength + 2 : bytes.count
      guard let start = bytes.baseAddress else { return }
      if case .none = connection, mark.isEmpty { return output.append(start, end) }
      output.append(start, answer.headLength)
      mark.withUnsafeBytes { output.append($0) }
      switch connection {
      case .none: break
      case .close: output.append("Connection: close\r\n")
      default: output.append("Connection: keep-alive\r\n")
      }
      output.append(start + answer.headLength, end - answer.headLength)
    }
  }

  // MARK: Streams

  /// A stream has news: its beginning, bytes, or its end.
  func attend(_ stream: AnswerStream) {
    stream.heard()
    guard let connection = find(stream.token) else {
      if !stream.isGone { values.lateAnswers += 1 }
      return stream.abandon()
    }
    if connection.stream === stream { return markDirty(connection) }
    if case .stream = connection.due[connection.place(stream.token.sequence)].reply { return }
    settle(stream.token, .stream(stream))
  }

  private func begin(_ connection: Connection, _ stream: AnswerStream) {
    let due = connection.due[connection.place(connection.oldest)]
    // Without chunks only the end of the connection marks the end of the answer.
    if !due.isCurrentVersion { connection.due[connection.place(connection.oldest)].staysOpen = false }
    let isLast = connection.outstanding == 1 && (connection.isClosing || stream.head.closes)
    let closes = !due.isCurrentVersion || !due.staysOpen || isLast
    if closes { connection.isClosing = true }
    let head = stream.head
    head.bytes.withUnsafeBytes { connection.output.append(UnsafeRawBufferPointer(rebasing: $0[..<head.headLength])) }
    mark().withUnsafeBytes { connection.output.append($0) }
    if due.isCurrentVersion { connection.output.append("Transfer-Encoding: chunked\r\n") }
    if closes { connection.output.append("Connection: close\r\n") }
    connection.output.append("\r\n")
    connection.stream = stream
    values.answers += 1
    if due.withoutBody { endStream(connection, stream) }
  }

  /// Takes what the stream has, when the client has read what there was.
  private func pull(_ connection: Connection) {
    guard let stream = connection.stream, connection.output.isEmpty else { return }
    let (pieces, isLast) = stream.take()
    let chunked = connection.due[connection.place(connection.oldest)].isCurrentVersion
    for piece in pieces {
      if chunked { appendHex(piece.count, to: &connection.output) }
      piece.withUnsafeBytes { connection.output.append($0) }
      if chunked { connection.output.append("\r\n") }
    }
    guard isLast else { return }
    if chunked { connection.output.append("0\r\n\r\n") }
    endStream(connection, stream)
  }

  private func endStream(_ connection: Connection, _ stream: AnswerStream) {
    stream.abandon()
    connection.stream = nil
    if !connection.due[connection.place(connection.oldest)].staysOpen { dropBehind(connection) }
    connection.oldest &+= 1
    writeNext(connection)
  }

  /// Nothing can follow an answer that ends with its connection, whatever was asked meanwhile.
  private func dropBehind(_ connection: Connection) {
    while connection.outstanding > 1 {
      connection.next &-= 1
      let place = connection.place(connection.next)
      if case .stream(let stream) = connection.due[place].reply { stream.abandon() }
      connection.due[place].reply = .none
    }
  }

  private func appendHex(_ number: Int, to output: inout ByteBuffer) {
    withUnsafeTemporaryAllocation(byteCount: 18, alignment: 1) { digits in
      var at = 16
      var rest = number
      digits[16] = 13
      digits[17] = 10
      repeat {
        at -= 1
        digits[at] = UInt8(rest & 15) < 10 ? UInt8(0x30 + rest & 15) : UInt8(0x57 + rest & 15)
        rest >>= 4
      } while rest > 0
      output.append(UnsafeRawBufferPointer(rebasing: digits[at...]))
    }
  }

  // MARK: Sending

  func flushDirty() {
    guard !dirty.isEmpty else { return }
    var turn: [Connection] = []
    swap(&turn, &dirty)
    for connection in turn {
      connection.isDirty = false
      if connection.isOpen, !connection.isLingering { flush(connection) }
    }
    guard dirty.isEmpty else { return }
    // The array goes back, so that the next round needs no new one.
    turn.removeAll(keepingCapacity: true)
    swap(&turn, &dirty)
  }

  private func flush(_ connection: Connection) {
    if connection.owesContinue, connection.outstanding == 0 {
      connection.owesContinue = false
      connection.output.append("HTTP/1.1 100 Continue\r\n\r\n")
    }
    pull(connection)
    while !connection.output.isEmpty {
      let count = send(
        connection.descriptor, connection.output.first, connection.output.count, Int32(MSG_NOSIGNAL))
      if count < 0, errno == EINTR { continue }
      if count < 0, errno != EAGAIN { return close(connection) }
      if count > 0 {
        values.bytesOut += count
        connection.output.drop(count)
      }
      if !connection.output.isEmpty { return block(connection) }
      writing.clear(connection.slot)
      pull(connection)
    }
    drained(connection)
  }

  /// The peer's window is full. The time it may take is counted from here until all is out.
  private func block(_ connection: Connection) {
    connection.isBlocked = true
    if writing.kind(of: connection.slot) == nil {
      writing.set(connection.slot, .write, at: now + limits.writeMilliseconds)
    }
    updateInterest(connection)
  }

  private func drained(_ connection: Connection) {
    connection.isBlocked = false
    connection.output.release(above: 16 * 1024)
    if connection.isClosing, connection.outstanding == 0 { return finish(connection) }
    if isDraining, closeIfDrained(connection) { return }
    updateInterest(connection)
    setDeadline(connection)
    guard connection.isHeldBack, !connection.isClosing, !connection.isReady, !isPaused(connection) else { return }
    connection.isReady = true
    ready.append(connection)
  }

  func updateInterest(_ connection: Connection) {
    let reads = !connection.isClosing && !isPaused(connection)
    setInterest(
      connection,
      (reads ? PLATFORM_READABLE.rawValue : 0) | (connection.isBlocked ? PLATFORM_WRITABLE.rawValue : 0))
  }

  @discardableResult
  func closeIfDrained(_ connection: Connection) -> Bool {
    guard connection.isOpen, connection.outstanding == 0, connection.output.isEmpty, connection.input.isEmpty,
      !connection.parser.isUnderway, !connection.isLingering
    else { return false }
    close(connection)
    return true
  }
}
