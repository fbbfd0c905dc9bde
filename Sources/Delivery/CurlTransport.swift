// The network side of delivery: libcurl's multi interface driven by epoll, with handles that are used
// again and connections that stay open.
//
// Thread: the delivery thread alone; libcurl calls back on it. Promise: every started transfer ends in
// exactly one result, within its destination's timeout, unless all are abandoned; nothing blocks here
// but `wait`, and that no longer than it is told.

package import Basics
internal import CCurl
internal import CPlatform
internal import Glibc
package import Model

package final class CurlTransport {
  private let multi: UnsafeMutableRawPointer
  private let epoll: Int32
  private let clocks: Clocks
  private let version: String
  private var destinations: [String: PreparedDestination] = [:]

  private var idle: [Transfer] = []
  /// Every transfer there is, so that handles can be taken out of `multi` at the end.
  private var all: [Transfer] = []
  private var active = 0
  private var finished: [TransferResult] = []
  private var lines = HeaderLines()

  /// What is registered with epoll for each descriptor, as CURL_POLL bits; and what libcurl wants.
  private var registered: [UInt8] = []
  private var wanted: [UInt8] = []
  /// Whether we opened it; only then we hear when it is closed.
  private var isConnection: [Bool] = []
  /// When libcurl wants to be called although no socket is ready, in steady nanoseconds.
  private var timer: Int64?
  private let events = UnsafeMutablePointer<platform_event>.allocate(capacity: CurlTransport.mostEvents)

  private static let mostEvents = 256
  private static let wakeUpToken = UInt64.max
  private static let readable = UInt8(CURL_POLL_IN)
  private static let writable = UInt8(CURL_POLL_OUT)
  /// libcurl wants this to have happened once, before any thread uses it.
  private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  package init(version: String, clocks: Clocks) {
    precondition(CurlTransport.isReady, "libcurl could not be started")
    guard let multi = curl_multi_init() else { preconditionFailure("no memory for libcurl") }
    self.multi = multi
    self.version = version
    self.clocks = clocks
    epoll = platform_epoll_create()
    // Left alone libcurl keeps four times as many connections open as transfers are under way, so that who sends
    // to many hosts, now and then, would greet each of them anew.
    ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Limits.connectionsKeptOpen)
    precondition(epoll >= 0, "no file descriptor left for delivery; raise the limit (ulimit -n)")
    ccurl_multi_set_callbacks(
      multi,
      { _, socket, what, context, _ in
        CurlTransport.from(context).socketChanged(socket, what)
        return 0
      },
      { _, milliseconds, context in
        CurlTransport.from(context).timerChanged(milliseconds)
        return 0
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  deinit {
    for transfer in all { curl_multi_remove_handle(multi, transfer.easy) }
    // Handles go before the multi handle: it closes the connections with callbacks to this instance.
    all.removeAll()
    idle.removeAll()
    curl_multi_cleanup(multi)
    close(epoll)
    events.deallocate()
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> CurlTransport {
    Unmanaged<CurlTransport>.fromOpaque(context!).takeUnretainedValue()
  }

  // MARK: What the thread calls

  /// Makes `wait` return when the wake-up is signalled.
  package func listen(to wakeUp: WakeUp) {
    let code = platform_epoll_add(
      epoll, wakeUp.descriptor, UInt32(PLATFORM_READABLE.rawValue), CurlTransport.wakeUpToken)
    precondition(code == 0, "the delivery thread cannot listen to its mailbox")
  }

  package func configure(_ list: [Destination]) {
    var next: [String: PreparedDestination] = [:]
    for destination in list {
      let known = destinations[destination.name]
      next[destination.name] =
        known?.destination == destination ? known : PreparedDestination(destination, version: version)
    }
    destinations = next
  }

  package var transfersUnderWay: Int { active }
  package var hasResults: Bool { !finished.isEmpty }

  package func takeResults() -> [TransferResult] {
    var taken: [TransferResult] = []
    swap(&taken, &finished)
    return taken
  }

  package func start(_ starts: [DeliveryLoop.Start], now: Instant) {
    for start in starts { begin(start, now: now) }
    runTimer()
    // A receiver on this machine may have answered already.
    collect()
  }

  /// Runs what is ready; waits for it no longer than `milliseconds` (nil: until something happens).
  /// True when the wake-up was signalled.
  package func wait(milliseconds: Int64?) -> Bool {
    var isAwoken = false
    let count = platform_epoll_wait(epoll, events, Int32(CurlTransport.mostEvents), waitingTime(milliseconds))
    var running: Int32 = 0
    for position in 0..<Int(max(0, count)) {
      let event = events[position]
      if event.token == CurlTransport.wakeUpToken {
        isAwoken = true
        continue
      }
      let socket = Int32(truncatingIfNeeded: event.token)
      // An idle connection that becomes readable was closed by the receiver; libcurl finds out when it
      // wants to use it, and until then epoll must not report it over and over.
      if wanted[Int(socket)] == 0 {
        forget(socket)
      } else {
        curl_multi_socket_action(multi, socket, CurlTransport.action(for: event.events), &running)
      }
    }
    runTimer()
    collect()
    return isAwoken
  }

  /// Lets everything under way go, without results.
  package func abandonAll() {
    for transfer in all { curl_multi_remove_handle(multi, transfer.easy) }
    idle = all
    active = 0
    finished.removeAll()
  }

  // MARK: Transfers

  private func begin(_ start: DeliveryLoop.Start, now: Instant) {
    guard let destination = destinations[start.delivery.destination] else {
      return refuse(start, now: now, "the destination is not configured")
    }
    if let problem = destination.problem { return refuse(start, now: now, problem) }
    guard DestinationCheck.isSafeValue(start.delivery.id) else {
      return refuse(start, now: now, "its id contains a control character")
    }
    // A receiver compares it with its own clock.
    let seconds = clocks.real().milliseconds / 1000
    guard destination.signer.canSign(at: Instant(milliseconds: seconds * 1000)) else {
      // A person will give it another one, and then the next try goes out.
      return refuse(start, now: now, "none of its secrets counts any more", isPermanent: false)
    }
    let transfer = idle.popLast() ?? makeTransfer()
    lines.removeAll()
    destination.signer.appendLines(
      id: start.delivery.id, timestampSeconds: seconds, body: start.delivery.body, to: &lines)
    transfer.prepare(start, to: destination, lines: lines, now: now)
    let code = curl_multi_add_handle(multi, transfer.easy)
    guard code == CURLM_OK else {
      idle.append(transfer)
      return refuse(start, now: now, "libcurl did not take it: \(String(cString: curl_multi_strerror(code)))")
    }
    active += 1
  }

  private func refuse(_ start: DeliveryLoop.Start, now: Instant, _ reason: String, isPermanent: Bool = true) {
    finished.append(
      TransferResult(
        delivery: start.delivery.number, started: now, outcome: .other, isPermanent: isPermanent,
        message: "not sent: " + reason))
  }

  private func makeTransfer() -> Transfer {
    let transfer = Transfer(
      closing: Unmanaged.passUnretained(self).toOpaque(),
      closeSocket: { context, socket in CurlTransport.from(context).closeSocket(socket) },
      didOpen: { [unowned self] socket in
        makeRoom(for: socket)
        isConnection[Int(socket)] = true
      })
    all.append(transfer)
    return transfer
  }

  private func collect() {
    var code = CURLE_OK
    var now: Instant?
    while let easy = ccurl_next_done(multi, &code) {
      let moment = now ?? clocks.wall()
      now = moment
      var context: UnsafeMutableRawPointer?
      ccurl_get_pointer(easy, CURLINFO_PRIVATE, &context)
      guard let context else { continue }
      let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
      finished.append(TransferOutcome.result(of: transfer, code: code, now: moment))
      curl_multi_remove_handle(multi, easy)
      active -= 1
      let isCurrent = transfer.destination.map { destinations[$0.destination.name] === $0 } ?? false
      transfer.rest(keepingDestination: isCurrent)
      idle.append(transfer)
    }
  }

  // MARK: Sockets

  private static func action(for events: UInt32) -> Int32 {
    var action: Int32 = 0
    if events & UInt32(PLATFORM_READABLE.rawValue) != 0 { action |= CURL_CSELECT_IN }
    if events & UInt32(PLATFORM_WRITABLE.rawValue) != 0 { action |= CURL_CSELECT_OUT }
    if events & UInt32(PLATFORM_ERROR.rawValue | PLATFORM_HANGUP.rawValue) != 0 { action |= CURL_CSELECT_ERR }
    return action
  }

  /// libcurl announces and withdraws its interest for every request. A descriptor that is only waited
  /// for to be readable stays registered in between: that saves two system calls a request. What libcurl
  /// opened itself, for name lookups, it closes without a word, so that is taken out at once.
  private func socketChanged(_ socket: curl_socket_t, _ what: Int32) {
    let index = Int(socket)
    makeRoom(for: socket)
    let wish = what == CURL_POLL_REMOVE ? 0 : UInt8(truncatingIfNeeded: what) & 3
    wanted[index] = wish
    let kept = isConnection[index] ? registered[index] & CurlTransport.readable : 0
    let needed = wish == 0 ? kept : wish
    if needed == registered[index] { return }
    if needed == 0 { return forget(socket) }
    var interest: UInt32 = 0
    if needed & CurlTransport.readable != 0 { interest |= UInt32(PLATFORM_READABLE.rawValue) }
    if needed & CurlTransport.writable != 0 { interest |= UInt32(PLATFORM_WRITABLE.rawValue) }
    let token = UInt64(UInt32(bitPattern: socket))
    if registered[index] == 0 || platform_epoll_change(epoll, socket, interest, token) != 0 {
      if platform_epoll_add(epoll, socket, interest, token) != 0 {
        _ = platform_epoll_change(epoll, socket, interest, token)
      }
    }
    registered[index] = needed
  }

  private func makeRoom(for socket: curl_socket_t) {
    guard Int(socket) >= wanted.count else { return }
    let missing = max(64, Int(socket) + 1 - wanted.count)
    wanted.append(contentsOf: repeatElement(0, count: missing))
    registered.append(contentsOf: repeatElement(0, count: missing))
    isConnection.append(contentsOf: repeatElement(false, count: missing))
  }

  private func forget(_ socket: curl_socket_t) {
    registered[Int(socket)] = 0
    _ = platform_epoll_remove(epoll, socket)
  }

  private func closeSocket(_ socket: curl_socket_t) -> Int32 {
    if Int(socket) < registered.count {
      registered[Int(socket)] = 0
      wanted[Int(socket)] = 0
      isConnection[Int(socket)] = false
    }
    return close(socket)
  }

  // MARK: Time

  private func timerChanged(_ milliseconds: Int) {
    timer =
      milliseconds < 0 ? nil : milliseconds == 0 ? 0 : clocks.steadyNanoseconds() + Int64(milliseconds) * 1_000_000
  }

  private func runTimer() {
    var running: Int32 = 0
    // Each round may set the timer to "at once" again; the bound leaves the rest to the next wait.
    for _ in 0..<8 {
      guard let due = timer, due == 0 || due <= clocks.steadyNanoseconds() else { return }
      timer = nil
      curl_multi_socket_action(multi, -1, 0, &running)
    }
  }

  private func waitingTime(_ milliseconds: Int64?) -> Int32 {
    if !finished.isEmpty { return 0 }
    var time = milliseconds ?? Int64.max
    if let due = timer {
      let left = due == 0 ? 0 : max(0, due - clocks.steadyNanoseconds())
      time = min(time, (left + 999_999) / 1_000_000)
    }
    return time == Int64.max ? -1 : Int32(min(max(0, time), 3_600_000))
  }
}
