// The mailbox between two threads, the threads themselves, and their wake-ups.
//
// Thread: the test's and those it starts. Promise: every wait has a deadline.

import Basics
import Glibc
import Synchronization
import Testing

@Suite struct ThreadsTests {
  private let clock = Clocks.system.steadyNanoseconds

  @Test func `A mailbox takes no more than it holds, and says so`() {
    let mailbox = Mailbox<Int>(capacity: 2)
    #expect(mailbox.send(1) && mailbox.send(2) && !mailbox.send(3))
    #expect(mailbox.count == 2 && mailbox.takeAll() == [1, 2] && mailbox.count == 0)
    #expect(mailbox.send(4))
  }

  @Test func `A batch is taken whole or not at all, and a large one when there is nothing else`() {
    let mailbox = Mailbox<Int>(capacity: 3)
    #expect(mailbox.send(all: [1, 2, 3, 4, 5]))
    #expect(!mailbox.send(all: [6]) && mailbox.takeAll() == [1, 2, 3, 4, 5])
    #expect(mailbox.send(1) && mailbox.send(all: [2, 3]) && !mailbox.send(all: [4, 5]))
    #expect(mailbox.takeAll() == [1, 2, 3] && mailbox.send(all: []))
  }

  @Test func `What must arrive ignores the capacity`() {
    let mailbox = Mailbox<Int>(capacity: 1)
    #expect(mailbox.send(1) && mailbox.sendAlways(2) && mailbox.sendAlways(3))
    #expect(mailbox.takeAll() == [1, 2, 3])
  }

  @Test func `A closed mailbox takes nothing and still gives what it has`() {
    let mailbox = Mailbox<Int>(capacity: 10)
    mailbox.send(1)
    mailbox.close()
    #expect(!mailbox.send(2) && !mailbox.sendAlways(3) && !mailbox.send(all: [4]))
    #expect(mailbox.receive() == [1])
    #expect(mailbox.receive() == nil)
  }

  @Test func `Waiting ends when the time is over`() {
    let mailbox = Mailbox<Int>(capacity: 1)
    let start = clock()
    #expect(mailbox.receive(timeoutMilliseconds: 30)?.isEmpty == true)
    #expect(clock() - start >= 29_000_000)
    #expect(mailbox.receive(timeoutMilliseconds: 0)?.isEmpty == true)
  }

  @Test func `Waiting ends when something comes, and when the mailbox is closed`() {
    let mailbox = Mailbox<Int>(capacity: 1)
    let sender = Worker.start("sender") { mailbox.send(7) }
    #expect(mailbox.receive(timeoutMilliseconds: 10_000) == [7])
    sender.join()
    let closer = Worker.start("closer") { mailbox.close() }
    #expect(mailbox.receive(timeoutMilliseconds: 10_000) == nil)
    closer.join()
  }

  @Test func `Order is kept for each of several senders, and nothing is lost`() {
    let mailbox = Mailbox<(sender: Int, number: Int)>(capacity: 1_000)
    let workers = (0..<4).map { sender in
      Worker.start("sender \(sender)") {
        for number in 0..<5_000 {
          while !mailbox.send((sender, number)) { sched_yield() }
        }
      }
    }
    var last = [Int](repeating: -1, count: 4)
    var count = 0
    while count < 20_000, let batch = mailbox.receive(timeoutMilliseconds: 10_000), !batch.isEmpty {
      for item in batch {
        #expect(item.number == last[item.sender] + 1)
        last[item.sender] = item.number
      }
      count += batch.count
    }
    #expect(count == 20_000)
    for worker in workers { worker.join() }
  }

  @Test func `A worker carries its name, runs beside its starter and is over when joined`() {
    let done = Mailbox<String>(capacity: 1)
    let worker = Worker.start("a name too long for Linux") {
      guard let file = fopen("/proc/thread-self/comm", "r") else { return }
      defer { fclose(file) }
      var name = [UInt8](repeating: 0, count: 32)
      let count = fread(&name, 1, name.count, file)
      done.send(String(decoding: name[..<max(0, count - 1)], as: UTF8.self))
    }
    worker.join()
    #expect(worker.name == "a name too long for Linux")
    #expect(done.takeAll() == ["a name too long"])
  }

  @Test func `A wake-up makes its descriptor readable until it is drained`() {
    let wakeUp = WakeUp()
    func isReadable() -> Bool {
      var poller = pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0)
      return poll(&poller, 1, 0) == 1
    }
    #expect(!isReadable())
    let mailbox = Mailbox<Int>(capacity: 10, wakeUp: wakeUp)
    mailbox.send(1)
    mailbox.send(2)
    #expect(isReadable())
    wakeUp.drain()
    #expect(!isReadable())
    mailbox.close()
    #expect(isReadable())
  }
}
