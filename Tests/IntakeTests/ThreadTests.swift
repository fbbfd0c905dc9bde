// The loop on its own thread, as in the daemon: answers and streams come from others, clients from
// yet others, and the stop from the test.
//
// Thread: workers, joined before a test ends. Promise: what was answered arrived; nothing hangs.

import Basics
import CPlatform
import Glibc
import Intake
import Synchronization
import Testing

/// Hands each round's requests to another thread.
private final class Passing: RequestHandler {
  private let queue: Mailbox<AnswerToken>
  private var batch: [AnswerToken] = []
  init(_ queue: Mailbox<AnswerToken>) { self.queue = queue }
  func handle(_ request: borrowing Request, token: AnswerToken) -> Answer? {
    batch.append(token)
    return nil
  }
  func bodyLimit(for request: borrowing Request) -> Int { 1024 }
  func turnEnded() {
    var full: [AnswerToken] = []
    swap(&full, &batch)
    queue.send(all: full)
  }
}

/// A loop and two threads that answer, every fifth request with a stream.
private final class House {
  let loop: ConnectionLoop
  let port: UInt16
  private let queue = Mailbox<AnswerToken>(capacity: .max)
  private var workers: [Worker] = []

  init(streams: Bool) throws {
    let listener = try Listener(.tcp("127.0.0.1:0"), kind: .public)
    port = listener.port
    let box = AnswerBox()
    let loop = ConnectionLoop(listeners: [listener], handler: Passing(queue), answers: box)
    self.loop = loop
    workers.append(Worker.start("intake") { loop.run() })
    for _ in 0..<2 { workers.append(Worker.start("answering") { [queue] in House.answer(queue, box, streams) }) }
  }

  private static func answer(_ queue: Mailbox<AnswerToken>, _ box: AnswerBox, _ streams: Bool) {
    let ok = Answer(status: 200, body: Array("ok".utf8))
    var count = 0
    while let batch = queue.receive() {
      var plain: [(AnswerToken, Answer)] = []
      for token in batch.reversed() {
        count += 1
        if streams, count % 5 == 0 {
          let stream = box.beginStream(token, head: Answer(streamStatus: 200, contentType: "text/plain"))
          _ = stream.send(Array("o".utf8))
          _ = stream.send(Array("k".utf8))
          stream.end()
        } else {
          plain.append((token, ok))
        }
      }
      box.post(plain)
    }
  }

  func stop() {
    loop.stop(deadlineMilliseconds: 3000)
    workers[0].join()
    queue.close()
    for worker in workers.dropFirst() { worker.join() }
  }
}

@Suite struct ThreadTests {
  private static let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"

  /// Waits until so many answers are there or the connection ended.
  private static func wait(_ client: Client, for count: Int) {
    let limit = platform_monotonic_ns() + 10_000_000_000
    while client.replies.count < count, !client.isEnded, platform_monotonic_ns() < limit {
      var wanted = pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0)
      poll(&wanted, 1, 1000)
      client.collect()
    }
  }

  @Test func `answers from another thread wake a sleeping loop, and a stop ends it`() throws {
    let house = try House(streams: false)
    let clients = (0..<8).map { _ in Client(port: house.port) }
    for round in 1...50 {
      for client in clients { client.send(ThreadTests.request) }
      for client in clients {
        ThreadTests.wait(client, for: round)
        #expect(client.replies.count == round)
      }
    }
    #expect(house.loop.counters.values.open == 8 && house.loop.counters.rounds > 0)
    house.stop()
    #expect(house.loop.counters.values.requests == 400 && house.loop.counters.values.answers == 400)
  }

  @Test func `a stop under full load loses no answer that was begun`() throws {
    let house = try House(streams: true)
    let port = house.port
    let answered = Atomic(0)
    let wrong = Atomic(0)
    let clients = (0..<4).map { _ in
      Worker.start("client") {
        let client = Client(port: port)
        var sent = 0
        while !client.isEnded, sent < 100_000 {
          for _ in 0..<3 { client.send(ThreadTests.request) }
          sent += 3
          ThreadTests.wait(client, for: sent)
        }
        answered.add(client.replies.count, ordering: .relaxed)
        wrong.add(client.replies.count { $0.status != 200 || $0.body != "ok" }, ordering: .relaxed)
        if client.unread > 0 { wrong.add(1, ordering: .relaxed) }
      }
    }
    let limit = platform_monotonic_ns() + 10_000_000_000
    while house.loop.counters.values.answers < 2000, platform_monotonic_ns() < limit { poll(nil, 0, 5) }
    house.stop()
    for client in clients { client.join() }
    #expect(wrong.load(ordering: .relaxed) == 0)
    #expect(answered.load(ordering: .relaxed) == house.loop.counters.values.answers)
    #expect(house.loop.counters.values.open == 0)
  }
}
