// The loop at the door: one thread, one epoll, every connection. Each round reads what has arrived,
// hands whole requests to the handler, takes the answers that came back, and sends once to every
// connection that has something to get.
//
// Thread: everything but `stop` and `counters` belongs to the thread that calls `run`. Promise: answers
// leave in the order of their requests; no client, however slow or wrong, holds more than its limits
// or longer than its deadlines; an accepted request is answered before a stop closes it, if its answer
// comes within the bound.

package import Basics
internal import CPlatform
internal import Glibc
internal import Synchronization

/// Who decides about requests. All calls come on the intake thread and must not block.
package protocol RequestHandler: AnyObject {
  /// An answer now, or nil and one through the answer box later. Each request must get one.
  func handle(_ request: borrowing Request, token: AnswerToken) -> Answer?
  /// How large this request's body may be. The body is empty here; only the head is known.
  func bodyLimit(for request: borrowing Request) -> Int
  /// All requests of this round were handled: the moment to pass them on as one batch.
  func turnEnded()
}

package final class ConnectionLoop: @unchecked Sendable {
  package let answers: AnswerBox
  package let counters = IntakeCounters()

  let limits: IntakeLimits
  let handler: any RequestHandler
  let log: Log
  private let clocks: Clocks
  /// A line that every answer carries; nil but in demonstrations.
  private let marking: (@Sendable () -> [UInt8])?
  let epoll: Int32
  var listeners: [Listener]
  var connections: [Connection] = []
  var freeSlots: [Int] = []
  var openPublic = 0
  var openAdmin = 0
  var perAddress: [UInt64: Int] = [:]
  /// Two sets, because a connection may owe us a request while we owe it bytes.
  var reading: Deadlines
  var writing: Deadlines
  var values = IntakeCounters.Values()
  let scratch: UnsafeMutableRawPointer
  static let scratchBytes = 64 * 1024
  let ring: Int
  var heldBytes = 0
  var now: Int64 = 0
  var handledInRound = 0
  /// Connections with output, and those whose held bytes may be read on.
  var dirty: [Connection] = []
  var ready: [Connection] = []
  /// Set when descriptors ran out: accepting again at once would only spin.
  var acceptPausedUntil: Int64?
  var lacksDescriptors = false
  private var drainUntil: Int64?
  private let stopWithin = Atomic<Int64>(-1)
  private var finished = false

  func mark() -> [UInt8] {
    guard let marking else { return [] }
    return marking()
  }

  static let listenerTag: UInt64 = 1 << 63
  static let wakeTag: UInt64 = .max

  package init(
    listeners: sending [Listener], handler: any RequestHandler, answers: AnswerBox,
    limits: IntakeLimits = IntakeLimits(), clocks: Clocks = .system, log: Log = .silent,
    marking: (@Sendable () -> [UInt8])? = nil
  ) {
    self.listeners = listeners
    self.handler = handler
    self.answers = answers
    self.limits = limits
    self.clocks = clocks
    self.marking = marking
    self.log = log
    let slots = limits.connections + limits.adminConnections
    reading = Deadlines(slots: slots)
    writing = Deadlines(slots: slots)
    scratch = .allocate(byteCount: ConnectionLoop.scratchBytes, alignment: 64)
    // One more than may be asked: the loop's own refusal needs a place, too.
    var ring = 1
    while ring <= limits.pipelinedRequests { ring *= 2 }
    self.ring = ring
    epoll = platform_epoll_create()
    precondition(epoll >= 0, "no file descriptor left for the connections; raise the limit (ulimit -n)")
    now = clocks.steadyNanoseconds() / 1_000_000
    platform_epoll_add(epoll, answers.wakeUp.descriptor, PLATFORM_READABLE.rawValue, ConnectionLoop.wakeTag)
    watchListeners()
  }

  deinit {
    for connection in connections where connection.isOpen { Glibc.close(connection.descriptor) }
    Glibc.close(epoll)
    scratch.deallocate()
  }

  /// Turns until a stop has been carried out.
  package func run() {
    // Never longer than a second, so that the watchdog can tell an idle loop from a hanging one.
    while !finished { turn(waitAtMost: 1000) }
  }

  /// From any thread: accept nobody more, answer what was accepted, close everything within the bound.
  package func stop(deadlineMilliseconds: Int64) {
    stopWithin.store(max(0, deadlineMilliseconds), ordering: .sequentiallyConsistent)
    answers.announce()
  }

  package var isFinished: Bool { finished }
  var isDraining: Bool { drainUntil != nil }

  /// One round; tests and the simulator call it instead of `run`.
  package func turn(waitAtMost: Int32) {
    if finished { return }
    readReady()
    waitForEvents(patience(waitAtMost))
    if handledInRound > 0 {
      handledInRound = 0
      handler.turnEnded()
    }
    deliverAnswers()
    flushDirty()
    expireDeadlines()
    flushDirty()
    turnStop()
    counters.publish(values)
  }

  /// Milliseconds until something is due by itself.
  private func patience(_ atMost: Int32) -> Int32 {
    if !ready.isEmpty || handledInRound > 0 || !dirty.isEmpty { return 0 }
    var next = now + Int64(atMost)
    for time in [reading.earliest, writing.earliest, acceptPausedUntil, drainUntil] { next = min(next, time ?? next) }
    return min(Int32(clamping: max(0, next - now + 1)), atMost)
  }

  private func waitForEvents(_ wait: Int32) {
    let patience = wait != 0 && answers.fallAsleep() ? wait : 0
    withUnsafeTemporaryAllocation(of: platform_event.self, capacity: 256) { events in
      let count = platform_epoll_wait(epoll, events.baseAddress, 256, patience)
      answers.awake()
      now = clocks.steadyNanoseconds() / 1_000_000
      for index in 0..<max(0, Int(count)) { take(events[index]) }
    }
  }

  private func take(_ event: platform_event) {
    if event.token == ConnectionLoop.wakeTag { return answers.wakeUp.drain() }
    if event.token & ConnectionLoop.listenerTag != 0 {
      return accept(Int(event.token & 0xffff))
    }
    let connection = connections[Int(event.token & 0xffff_ffff)]
    // An earlier event of this round may have closed it, and the slot may be another's by now.
    guard connection.isOpen, connection.tag == event.token else { return }
    if event.events & (PLATFORM_ERROR.rawValue | PLATFORM_HANGUP.rawValue) != 0 { return close(connection) }
    if event.events & PLATFORM_WRITABLE.rawValue != 0 { markDirty(connection) }
    if event.events & PLATFORM_READABLE.rawValue != 0 { receive(connection) }
  }

  private func deliverAnswers() {
    guard let taken = answers.take() else { return }
    for (token, answer) in taken.answers { settle(token, .answer(answer)) }
    for stream in taken.streams { attend(stream) }
  }

  private func expireDeadlines() {
    while let (slot, kind) = reading.takeDue(now) ?? writing.takeDue(now) {
      let connection = connections[slot]
      if kind != .idle, kind != .linger { values.timeouts += 1 }
      switch kind {
      case .head: refuse(connection, .headTooSlow)
      case .body: refuse(connection, .bodyTooSlow)
      case .idle, .linger, .write: close(connection)
      }
    }
    if let until = acceptPausedUntil, until <= now {
      acceptPausedUntil = nil
      watchListeners()
    }
  }

  private func turnStop() {
    let within = stopWithin.load(ordering: .sequentiallyConsistent)
    if within >= 0, drainUntil == nil { beginDrain(within) }
    guard let drainUntil else { return }
    let open = openPublic + openAdmin
    guard open == 0 || now >= drainUntil else { return }
    if open > 0 { log.warning("the intake stopped with connections still open", ["connections": "\(open)"]) }
    for connection in connections where connection.isOpen { close(connection) }
    answers.close()
    finished = true
  }

  private func beginDrain(_ within: Int64) {
    // Who is in the queue of the kernel has been accepted in the eyes of the client.
    for index in listeners.indices { accept(index) }
    for listener in listeners {
      platform_epoll_remove(epoll, listener.descriptor)
      listener.close()
    }
    listeners = []
    drainUntil = now + within
    for connection in connections where connection.isOpen {
      receive(connection)
      closeIfDrained(connection)
    }
  }

  func watchListeners() {
    for (index, listener) in listeners.enumerated() {
      platform_epoll_add(
        epoll, listener.descriptor, PLATFORM_READABLE.rawValue, ConnectionLoop.listenerTag | UInt64(index))
    }
  }
}
