// The receiver of webhooks: checks each signature and remembers what came.
//
// Thread: "intake" of this process serves; whoever proves reads, under a lock. Promise: what is called
// arrived was answered 200; the first wrong thing is remembered as a sentence.

import Basics
import Delivery
import Intake
import Model
import Synchronization

struct Arrived: Sendable {
  /// Webhook ids by "event/part"; more than one is wrong.
  var ids: [String: String] = [:]
  var bodies: [String: [UInt8]] = [:]
  /// How often each webhook was answered 200.
  var counts: [String: Int] = [:]
  var times = 0
  var complaint: String?
}

final class Hooks: RequestHandler, @unchecked Sendable {
  private let signing: Destination.Signing
  private let arrived = Guarded(Arrived())
  private let loop: Guarded<ConnectionLoop?> = Guarded(nil)
  private var worker: Worker?
  private var received: UInt64 = 0
  /// Refuses everything.
  let isDown = Atomic(false)
  private(set) var port: UInt16 = 0

  init(secret: String) throws {
    signing = .standard([try WebhookSecret.parse(secret)])
    let listener = try Listener(.tcp("127.0.0.1:0"), kind: .public)
    port = listener.port
    let made = ConnectionLoop(listeners: [listener], handler: self, answers: AnswerBox())
    loop.withLock { $0 = made }
    worker = Worker.start("intake") { made.run() }
  }

  func stop() {
    let running = loop.withLock { loop -> ConnectionLoop? in
      defer { loop = nil }
      return loop
    }
    running?.stop(deadlineMilliseconds: 0)
    worker?.join()
    worker = nil
  }

  var content: Arrived { arrived.withLock { $0 } }
  var count: Int { arrived.withLock { $0.ids.count } }

  func bodyLimit(for request: borrowing Request) -> Int { 1 << 20 }
  func turnEnded() {}

  func handle(_ request: borrowing Request, token: AnswerToken) -> Answer? {
    var headers: [String: String] = [:]
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
      headers[name] = request.headerText(named: name)
    }
    let found = headers
    let body = Array(request.body)
    let check = SignatureCheck.check(signing, header: { found[$0] }, body: body, now: Clocks.system.wall())
    received += 1
    // After a failure the first that come are well, or the breaker would wait for a minute.
    if isDown.load(ordering: .relaxed) { received = 0 }
    // Now and then one is refused, so that tries after the first are among what is proved.
    if received % 23 == 0 { return Answer(status: 500, body: Array("{}".utf8)) }
    note(check, id: headers["webhook-id"] ?? "", body)
    return Answer(status: 200, body: Array("{}".utf8))
  }

  private func note(_ check: SignatureCheck, id: String, _ body: [UInt8]) {
    let data = (try? Document.parse(body))?.root["data"]
    let name = "\(data?["event"]?.string ?? "?")/\(data?["part"]?.integer ?? 0)"
    arrived.withLock { arrived in
      arrived.times += 1
      if case .refused(let reason) = check { arrived.complaint = arrived.complaint ?? "webhook \(id): \(reason)" }
      if let known = arrived.ids[name], known != id {
        arrived.complaint = arrived.complaint ?? "the effect \(name) came as \(known) and as \(id)"
      }
      if let known = arrived.bodies[id], known != body {
        arrived.complaint = arrived.complaint ?? "the webhook \(id) came with two bodies"
      }
      arrived.ids[name] = id
      arrived.bodies[id] = body
      arrived.counts[id, default: 0] += 1
    }
  }
}

/// Webhooks that a job sends once more: each has to come again after it was asked for.
final class ComesAgain: Sendable {
  private let counts = Guarded<[String: Int]>([:])

  func note(_ before: [String: Int]) { counts.withLock { $0 = before } }

  /// One that has not come again yet.
  func first(missing arrived: Arrived) -> String? {
    counts.withLock { counts in counts.first { arrived.counts[$0.key, default: 0] <= $0.value }?.key }
  }
}
