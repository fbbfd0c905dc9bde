// nudged serve: the daemon itself.
//
// Thread: main waits for signals, for what other threads report, and for systemd's watchdog. Promise:
// SIGTERM and SIGINT stop within a bound and exit 0; SIGHUP reloads; a failed store ends the process.

internal import Basics
internal import CPlatform
internal import Glibc
internal import Intake
internal import Rules
internal import Store

extension Command {
  static let serve = Command(
    name: "serve", summary: "run the daemon",
    help: """
      nudged serve [FLAGS]

      Runs the daemon until SIGTERM. SIGHUP (or `nudged rules reload`) loads rules, keys and destinations
      anew; when something is wrong with them the old ones stay and the log says what.
      """
  ) { raw in try Serve(Arguments(raw)).run() }
}

private struct Serve {
  private let arguments: Arguments
  private static let stopMilliseconds: Int64 = 20_000

  init(_ arguments: Arguments) { self.arguments = arguments }

  func run() throws -> Int32 {
    try arguments.takeNoWords()
    platform_tune_memory()
    // Before any thread is made, so that all of them have these signals blocked.
    let signals = platform_signalfd([SIGTERM, SIGINT, SIGHUP], 3)
    guard signals >= 0 else { throw StartFailure("cannot watch for signals: \(String(cString: strerror(errno)))") }
    let systemd = Systemd()
    let configuration = try arguments.configuration()
    let clocks = configuration.clock.map { Clocks.fast($0) } ?? .system
    let log = Log.standardError(journald: Systemd.writesToJournal).marked { ClockMark.text(clocks) }
    raiseDescriptorLimit()
    let arguments = arguments
    let house = House(configuration: configuration, clocks: clocks, log: log) { try arguments.configuration() }
    try house.start()
    let status = "serving \(house.ruleCount) rules"
    log.notice(
      "nudged \(House.version) is ready",
      [
        "listen": house.ports.enumerated().map {
          $1 == 0 ? configuration.listen[min($0, configuration.listen.count - 1)] : "port \($1)"
        }
        .joined(separator: ","),
        "admin": configuration.adminPath, "store": configuration.storePath, "rules": "\(house.ruleCount)",
      ])
    systemd.ready(status)
    return loop(house, signals, systemd, log)
  }

  /// One connection needs one descriptor; the soft limit of 1,024 is for programs that use select.
  private func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < 65_536 else { return }
    limit.rlim_cur = min(limit.rlim_max, 65_536)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  private func loop(_ house: House, _ signals: Int32, _ systemd: Systemd, _ log: Log) -> Int32 {
    let epoll = platform_epoll_create()
    platform_epoll_add(epoll, signals, PLATFORM_READABLE.rawValue, 1)
    platform_epoll_add(epoll, house.wakeUp.descriptor, PLATFORM_READABLE.rawValue, 2)
    var watch = Watch(systemd: systemd)
    var ready = [platform_event](repeating: platform_event(), count: 4)
    while true {
      platform_epoll_wait(epoll, &ready, 4, watch.timeoutMilliseconds)
      watch.turn(house)
      while case let signal = platform_signalfd_next(signals), signal != 0 {
        if signal == SIGHUP {
          reload(house, nil, systemd, log)
        } else {
          return stop(house, systemd, log)
        }
      }
      house.wakeUp.drain()
      for event in house.events.takeAll() {
        switch event {
        case .reload(let token): reload(house, token, systemd, log)
        case .pause(let rule, let reason, let token): house.pause(rule, reason, token)
        case .failed(let error): return fail(error, log)
        }
      }
    }
  }

  private func reload(_ house: House, _ token: AnswerToken?, _ systemd: Systemd, _ log: Log) {
    systemd.reloading()
    let complaints = house.reload()
    if let complaints {
      log.error("the new rules or configuration are refused, the old ones stay")
      for complaint in complaints.list { log.error(complaint.description) }
    } else {
      log.notice("rules and configuration are loaded anew", ["rules": "\(house.ruleCount)"])
    }
    systemd.ready("serving \(house.ruleCount) rules")
    if let token { house.answer(token, complaints) }
  }

  private func stop(_ house: House, _ systemd: Systemd, _ log: Log) -> Int32 {
    log.notice("stopping: what was accepted is finished first")
    systemd.stopping()
    house.stop(withinMilliseconds: Serve.stopMilliseconds)
    log.notice("stopped")
    return 0
  }

  /// Nothing may go on after a failed commit: what is in memory and what is on disk can differ.
  private func fail(_ error: StoreError, _ log: Log) -> Int32 {
    log.error("nudged ends: " + error.message)
    _exit(error.code == .damaged ? ExitCode.damaged : 1)
  }
}

/// Feeds systemd's watchdog as long as the loops move.
private struct Watch {
  private let systemd: Systemd
  private var last: [Int64] = []
  private var stillSince: Int64 = 0

  init(systemd: Systemd) { self.systemd = systemd }

  var timeoutMilliseconds: Int32 { systemd.watchdogMilliseconds.map { Int32(clamping: max(100, $0)) } ?? -1 }

  /// The store turns at least once a second and lanes every five; a loop that stands for longer is
  /// stuck, and then the watchdog is left to bite.
  mutating func turn(_ house: House) {
    guard systemd.watchdogMilliseconds != nil else { return }
    house.ping()
    let now = platform_monotonic_ns() / 1_000_000
    let progress = house.progress
    if last.isEmpty || zip(progress, last).allSatisfy({ $0 > $1 }) {
      last = progress
      stillSince = now
    }
    if now - stillSince < 15_000 { systemd.alive() }
  }
}
