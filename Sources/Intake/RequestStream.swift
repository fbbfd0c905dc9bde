// The requests of one connection, out of bytes that come in pieces, without a socket: the same parser and the
// same handler as behind the epoll loop.
//
// Thread: a value of its owner, the simulator. Promise: a request is handled once it is whole, in order, whatever
// the pieces are.

package struct RequestStream {
  private var parser: RequestParser
  private var bytes: [UInt8] = []
  private let slot: UInt32
  private var sequence: UInt32 = 0
  /// What came was no request; nothing more is taken.
  package private(set) var isRefused = false

  package init(slot: UInt32, limits: IntakeLimits = IntakeLimits()) {
    parser = RequestParser(limits: limits)
    self.slot = slot
  }

  /// Returns what the handler answered at once; the other answers come by way of its answer box.
  package mutating func take(_ piece: some Sequence<UInt8>, _ handler: some RequestHandler) -> [Answer] {
    var answers: [Answer] = []
    bytes.append(contentsOf: piece)
    while !bytes.isEmpty, !isRefused {
      var count = bytes.count
      let given = count
      let step = bytes.withUnsafeMutableBytes { parser.advance($0.baseAddress!, count: &count) }
      bytes.removeLast(given - count)
      switch step {
      case .needMore: return answers
      case .refused: isRefused = true
      case .head:
        let limit = view { handler.bodyLimit(for: $0) }
        isRefused = parser.admitBody(limit: limit) != nil
      case .complete:
        sequence += 1
        let token = AnswerToken(slot: slot, generation: 1, sequence: sequence)
        if let answer = view({ handler.handle($0, token: token) }) { answers.append(answer) }
        bytes.removeFirst(parser.consumed)
        parser.reset()
      }
    }
    return answers
  }

  private func view<Value>(_ body: (borrowing Request) -> Value) -> Value {
    bytes.withUnsafeBytes { raw in
      let content = UnsafeRawBufferPointer(rebasing: raw[parser.headLength..<parser.headLength + parser.bodyLength])
      return body(
        Request(
          base: raw.baseAddress!, head: parser.head, body: content, peer: Peer(kind: .unix, user: 0), listener: .admin))
    }
  }
}
