// The thread "delivery": takes deliveries in, lets the loop decide, lets the transport send, and hands
// what came of it to the store, grouped by round.
//
// Thread: `DeliveryThread` may be called from anywhere; the callbacks are called on the delivery thread
// and must not wait. Promise: what is not settled when it stops was not counted as tried and comes up
// again after the next start.

package import Basics
internal import CPlatform
internal import Glibc
package import Model
internal import Synchronization

package final class DeliveryThread: Sendable {
  package struct Callbacks: Sendable {
    /// The results of one round, to be committed together.
    package var settle: @Sendable ([Attempt]) -> Void
    /// Deliveries that left memory; each has to be brought again when it is due.
    package var handBack: @Sendable ([DeliveryLoop.HandBack]) -> Void
    /// So many more deliveries may be brought, beyond what was asked for before.
    package var wants: @Sendable (DeliveryLoop.Wants) -> Void
    /// What is to be remembered of destinations.
    package var changes: @Sendable ([DeliveryLoop.Change]) -> Void
    /// Deliveries that could not be cancelled any more.
    package var tooLate: @Sendable ([Int64]) -> Void

    package init(
      settle: @escaping @Sendable ([Attempt]) -> Void,
      handBack: @escaping @Sendable ([DeliveryLoop.HandBack]) -> Void = { _ in },
      wants: @escaping @Sendable (DeliveryLoop.Wants) -> Void = { _ in },
      changes: @escaping @Sendable ([DeliveryLoop.Change]) -> Void = { _ in },
      tooLate: @escaping @Sendable ([Int64]) -> Void = { _ in }
    ) {
      self.settle = settle
      self.handBack = handBack
      self.wants = wants
      self.changes = changes
      self.tooLate = tooLate
    }
  }

  fileprivate enum Command: Sendable {
    case deliver([Delivery])
    case configure([Destination])
    case states([DestinationState])
    case cancel([CancelRequest])
    case stop(withinMilliseconds: Int64)
  }

  private let mailbox: Mailbox<Command>
  private let gauges: Gauges
  private let worker: Worker

  package init(
    version: String, destinations: [Destination], clocks: Clocks = .system, log: Log = .silent,
    bounds: DeliveryLoop.Bounds = DeliveryLoop.Bounds(), callbacks: Callbacks
  ) {
    let wakeUp = WakeUp()
    let mailbox = Mailbox<Command>(capacity: Limits.deliveriesInMemory, wakeUp: wakeUp)
    let gauges = Gauges()
    self.mailbox = mailbox
    self.gauges = gauges
    mailbox.sendAlways(.configure(destinations))
    worker = Worker.start("delivery") {
      let rounds = Rounds(
        transport: CurlTransport(version: version, clocks: clocks), loop: DeliveryLoop(bounds: bounds), clocks: clocks,
        log: log, callbacks: callbacks, gauges: gauges)
      rounds.run(mailbox: mailbox, wakeUp: wakeUp)
    }
  }

  /// False when it has stopped or its mailbox is full; then nothing was taken.
  package func deliver(_ deliveries: [Delivery]) -> Bool { mailbox.send(.deliver(deliveries)) }

  package func configure(_ destinations: [Destination]) { mailbox.sendAlways(.configure(destinations)) }

  /// What is remembered of destinations, as it stands on disk.
  package func remember(_ states: [DestinationState]) { mailbox.sendAlways(.states(states)) }

  /// What has not been tried yet is to go; each ends as settled or as too late.
  package func cancel(_ requests: [CancelRequest]) { mailbox.sendAlways(.cancel(requests)) }

  /// Starts nothing more, gives what is under way that long to end, and returns when the thread has.
  /// To be called once.
  package func stop(withinMilliseconds: Int64) {
    mailbox.sendAlways(.stop(withinMilliseconds: withinMilliseconds))
    mailbox.close()
    worker.join()
  }

  /// For the watchdog: odd while the thread waits, which is healthy for any time; even while it works,
  /// and then it has to change soon.
  package var progress: Int { gauges.progress.load(ordering: .relaxed) }

  package struct Figures: Sendable, Equatable {
    package var counters: DeliveryLoop.Counters
    package var held: Int
    package var bytesHeld: Int
    package var transfersUnderWay: Int
  }

  package var figures: Figures { gauges.figures.withLock { $0 } }

  /// How destinations stand, at most half a second ago.
  package var standings: [DeliveryLoop.Standing] { gauges.standings.withLock { $0 } }
}

/// What other threads may look at.
private final class Gauges: Sendable {
  let progress = Atomic<Int>(0)
  let figures = Guarded(
    DeliveryThread.Figures(counters: DeliveryLoop.Counters(), held: 0, bytesHeld: 0, transfersUnderWay: 0))
  let standings = Guarded<[DeliveryLoop.Standing]>([])
}

/// The body of the thread: one round takes what came in, decides, sends and reports.
private final class Rounds {
  private let transport: CurlTransport
  private var loop: DeliveryLoop
  private let clocks: Clocks
  private let log: Log
  private let callbacks: DeliveryThread.Callbacks
  private let gauges: Gauges
  private var wakeUpAt: Instant?
  /// Steady nanoseconds at which what is still under way is abandoned.
  private var stopBy: Int64?
  /// When the standings are written down again, which is too much for each round.
  private var standingsAt = Instant.zero
  private static let standingsMilliseconds: Int64 = 500

  init(
    transport: CurlTransport, loop: DeliveryLoop, clocks: Clocks, log: Log, callbacks: DeliveryThread.Callbacks,
    gauges: Gauges
  ) {
    self.transport = transport
    self.loop = loop
    self.clocks = clocks
    self.log = log
    self.callbacks = callbacks
    self.gauges = gauges
  }

  func run(mailbox: Mailbox<DeliveryThread.Command>, wakeUp: WakeUp) {
    Rounds.blockBrokenPipes()
    transport.listen(to: wakeUp)
    while !isOver {
      gauges.progress.add(1, ordering: .relaxed)
      let isAwoken = transport.wait(milliseconds: waitingTime())
      gauges.progress.add(1, ordering: .relaxed)
      if isAwoken { wakeUp.drain() }
      round(isAwoken ? mailbox.takeAll() : [])
    }
    transport.abandonAll()
  }

  /// OpenSSL writes to sockets without the flag that spares a process this signal.
  private static func blockBrokenPipes() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  private var isOver: Bool {
    guard let stopBy else { return false }
    let nothingLeft = transport.transfersUnderWay == 0 && !transport.hasResults
    return nothingLeft || clocks.steadyNanoseconds() >= stopBy
  }

  private func waitingTime() -> Int64? {
    if let stopBy { return max(0, (stopBy - clocks.steadyNanoseconds()) / 1_000_000 + 1) }
    return wakeUpAt.map { max(0, clocks.realMilliseconds($0 - clocks.wall())) }
  }

  private func round(_ commands: [DeliveryThread.Command]) {
    var inputs = transport.takeResults().map { DeliveryLoop.Input.result($0) }
    for command in commands {
      switch command {
      case .deliver(let deliveries): inputs.append(.deliver(deliveries))
      case .configure(let destinations):
        transport.configure(destinations)
        inputs.append(.configure(destinations))
      case .states(let states): inputs.append(.states(states))
      case .cancel(let requests): inputs.append(.cancel(requests))
      case .stop(let milliseconds):
        stopBy = clocks.steadyNanoseconds() + milliseconds * 1_000_000
        inputs.append(.stop)
      }
    }
    let now = clocks.wall()
    let outputs = loop.step(inputs, now: now)
    wakeUpAt = outputs.wakeUp
    if !outputs.starts.isEmpty { transport.start(outputs.starts, now: now) }
    report(outputs)
    noteStandings(now: now, isIdle: inputs.isEmpty && outputs.starts.isEmpty)
  }

  /// A round that did something is followed by one that writes down how destinations stand.
  private func noteStandings(now: Instant, isIdle: Bool) {
    if now >= standingsAt {
      gauges.standings.withLock { $0 = loop.standings }
      standingsAt = isIdle ? .distantFuture : now + Rounds.standingsMilliseconds
    } else if !isIdle, standingsAt == .distantFuture {
      standingsAt = now + Rounds.standingsMilliseconds
    }
    if standingsAt != .distantFuture { wakeUpAt = min(wakeUpAt ?? standingsAt, standingsAt) }
  }

  private func report(_ outputs: DeliveryLoop.Outputs) {
    for delivery in outputs.logged {
      log.info(
        "a delivery was written to the log and not sent",
        [
          "destination": delivery.destination, "id": delivery.id, "type": delivery.type,
          "body": String(decoding: delivery.body.prefix(2_000), as: UTF8.self),
        ])
    }
    let current = DeliveryThread.Figures(
      counters: loop.counters, held: loop.held, bytesHeld: loop.bytesHeld, transfersUnderWay: loop.transfersUnderWay)
    gauges.figures.withLock { $0 = current }
    if !outputs.settled.isEmpty { callbacks.settle(outputs.settled) }
    if !outputs.handedBack.isEmpty { callbacks.handBack(outputs.handedBack) }
    if let wants = outputs.wants { callbacks.wants(wants) }
    if !outputs.changes.isEmpty { callbacks.changes(outputs.changes) }
    if !outputs.tooLate.isEmpty { callbacks.tooLate(outputs.tooLate) }
  }
}
