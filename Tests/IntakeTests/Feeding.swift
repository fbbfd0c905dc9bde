// Feeds the parser as the loop would: pieces arrive in a buffer, whole requests leave it.
//
// Thread: values. Promise: what it reports names everything a handler could tell apart.

import Basics

@testable import Intake

struct Outcome: Equatable {
  struct Read: Equatable {
    var method: Method
    var path: String
    var fields: [String]
    var body: [UInt8]
    var staysOpen: Bool
  }

  var requests: [Read] = []
  var refusal: Refusal?
  /// What is left of the input when it ends in the middle.
  var isUnderway = false

  var statuses: [Int] { requests.map { _ in 200 } + (refusal.map { [$0.status] } ?? []) }
}

struct Feed {
  var parser: RequestParser
  let bodyLimit: Int
  var buffer: [UInt8] = []
  var outcome = Outcome()

  init(limits: IntakeLimits = IntakeLimits(), bodyLimit: Int = 1 << 20) {
    parser = RequestParser(limits: limits)
    self.bodyLimit = bodyLimit
  }

  mutating func take(_ piece: some Sequence<UInt8>) {
    buffer.append(contentsOf: piece)
    while !buffer.isEmpty, outcome.refusal == nil, !(outcome.requests.last.map { !$0.staysOpen } ?? false) {
      var count = buffer.count
      let given = count
      let step = advance(&count)
      precondition(count <= given && parser.consumed <= count, "the parser consumed more than it was given")
      buffer.removeLast(given - count)
      switch step {
      case .needMore:
        outcome.isUnderway = !buffer.isEmpty
        return
      case .head: outcome.refusal = parser.admitBody(limit: bodyLimit)
      case .refused(let reason): outcome.refusal = reason
      case .complete:
        outcome.requests.append(read())
        buffer.removeFirst(parser.consumed)
        parser.reset()
      }
    }
    outcome.isUnderway = false
  }

  /// In memory of exactly that size, so that the sanitizer sees a byte read too far.
  private mutating func advance(_ count: inout Int) -> RequestParser.Step {
    let exact = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { exact.deallocate() }
    exact.copyBytes(from: buffer)
    let step = parser.advance(exact.baseAddress!, count: &count)
    buffer.withUnsafeMutableBytes { $0.copyBytes(from: exact) }
    return step
  }

  private func read() -> Outcome.Read {
    buffer.withUnsafeBytes { bytes in
      let head = parser.head
      let fields = head.fields.map { field in
        let name = bytes[Int(field.nameStart)..<Int(field.nameStart) + Int(field.nameLength)]
        let value = bytes[Int(field.valueStart)..<Int(field.valueStart) + Int(field.valueLength)]
        return String(decoding: name, as: UTF8.self) + "=" + String(decoding: value, as: UTF8.self)
      }
      return Outcome.Read(
        method: head.method,
        path: String(decoding: bytes[head.pathStart..<head.pathStart + head.pathLength], as: UTF8.self),
        fields: fields, body: Array(bytes[parser.headLength..<parser.headLength + parser.bodyLength]),
        staysOpen: head.staysOpen)
    }
  }

  static func whole(_ bytes: [UInt8]) -> Outcome {
    var feed = Feed()
    feed.take(bytes)
    return feed.outcome
  }

  static func byteByByte(_ bytes: [UInt8]) -> Outcome {
    var feed = Feed()
    for byte in bytes { feed.take(CollectionOfOne(byte)) }
    return feed.outcome
  }

  static func split(_ bytes: [UInt8], _ random: inout SeededRandom, longest: UInt64 = 40) -> Outcome {
    var feed = Feed()
    var at = 0
    while at < bytes.count {
      let end = min(bytes.count, at + 1 + Int(random.next(below: longest)))
      feed.take(bytes[at..<end])
      at = end
    }
    return feed.outcome
  }
}
