// What a request costs at the door. Not a test: it is run beside a load generator, see main.swift.
//
// Thread: starts intake and an answering thread. Promise: figures are CPU time of the threads, which
// carry over to other machines better than requests a second do.

internal import Basics
internal import CPlatform
internal import Intake
internal import Synchronization

/// Passes each round's tokens to another thread, as the lanes and the store will.
private final class LaterHandler: RequestHandler {
  private let queue: Mailbox<AnswerToken>?
  private var batch: [AnswerToken] = []
  private let ok = Answer(status: 200, body: Array("{\"accepted\":1}".utf8))

  init(queue: Mailbox<AnswerToken>?) { self.queue = queue }

  func handle(_ request: borrowing Request, token: AnswerToken) -> Answer? {
    guard queue != nil else { return ok }
    batch.append(token)
    return nil
  }

  func bodyLimit(for request: borrowing Request) -> Int { 1 << 20 }

  func turnEnded() {
    guard let queue, !batch.isEmpty else { return }
    var full: [AnswerToken] = []
    swap(&full, &batch)
    queue.send(all: full)
  }
}

enum Bench {
  static func run(_ arguments: [String]) {
    if arguments.count == 2, arguments[1] == "parse" { return parse() }
    guard arguments.count == 4, let port = UInt16(arguments[2]), let seconds = Int64(arguments[3]) else {
      return print("usage: intake-bench serve|later PORT SECONDS, or intake-bench parse")
    }
    serve(port: port, seconds: seconds, later: arguments[1] == "later")
  }

  private static func serve(port: UInt16, seconds: Int64, later: Bool) {
    guard let listener = try? Listener(.tcp("127.0.0.1:\(port)"), kind: .public) else { return print("cannot listen") }
    let queue = later ? Mailbox<AnswerToken>(capacity: .max) : nil
    let box = AnswerBox()
    let loop = ConnectionLoop(listeners: [listener], handler: LaterHandler(queue: queue), answers: box)
    let cpu = Atomic<Int64>(0)
    let intake = Worker.start("intake") {
      loop.run()
      cpu.store(platform_thread_cpu_ns(), ordering: .relaxed)
    }
    let answering = Worker.start("answering") {
      let ok = Answer(status: 200, body: Array("{\"accepted\":1}".utf8))
      while let batch = queue?.receive() { box.post(batch.map { ($0, ok) }) }
    }
    let until = platform_monotonic_ns() + seconds * 1_000_000_000
    let idle = Mailbox<Int>(capacity: 1)
    while platform_monotonic_ns() < until { _ = idle.receive(timeoutMilliseconds: 100) }
    loop.stop(deadlineMilliseconds: 1000)
    intake.join()
    queue?.close()
    answering.join()
    let values = loop.counters.values
    let requests = max(1, values.requests)
    print(
      "requests \(requests) rounds \(loop.counters.rounds) intake \(cpu.load(ordering: .relaxed) / Int64(requests)) ns/request,",
      "process \(platform_process_cpu_ns() / Int64(requests)) ns/request")
  }

  private static func parse() {
    let head =
      "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:8484\r\nUser-Agent: nudged-client/1.0\r\nAccept: */*\r\n"
      + "Content-Type: application/json\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\n"
      + "Content-Length: 3\r\n\r\n"
    var bytes = Array((head + "abc").utf8)
    var parser = RequestParser(limits: IntakeLimits())
    var best = Int64.max
    for _ in 0..<10 {
      let rounds = 200_000
      let start = platform_monotonic_ns()
      bytes.withUnsafeMutableBytes { buffer in
        for _ in 0..<rounds {
          var count = buffer.count
          _ = parser.advance(buffer.baseAddress!, count: &count)
          _ = parser.admitBody(limit: 1000)
          _ = parser.advance(buffer.baseAddress!, count: &count)
          parser.reset()
        }
      }
      best = min(best, (platform_monotonic_ns() - start) / Int64(rounds))
    }
    print("head of \(head.utf8.count) bytes: \(best) ns")
  }
}
