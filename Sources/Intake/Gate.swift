// The gate: looks at each request's path, right and body, and either answers at once, hands events to
// the engine, or asks those who know. It is the one place where a path becomes an action.
//
// Thread: intake. Promise: nothing here blocks; overload is answered with 429 and a time, a full disk
// with 503, and every refusal with a code and a sentence.

package import Basics
package import Model
package import Store
internal import Synchronization

/// What the gate asks of the rest of the house.
package struct GateExits: Sendable {
  /// Events for the engine; all or none. False: there is no room.
  package var submit: @Sendable (sending [IncomingEvent]) -> Bool
  /// A question to the store; the closure runs on the store's thread.
  package var ask: @Sendable (@escaping @Sendable (StoreReader) -> Void) -> Void
  /// Something else for the store.
  package var tell: @Sendable (StoreInput) -> Void
  /// How the configuration has a destination, or had one that the store remembers; nil: there is none of this name.
  package var mode: @Sendable (String) -> Destination.Mode?
  package var destinations: @Sendable () -> [UInt8]
  /// The names of all that are configured.
  package var destinationNames: @Sendable () -> [String]
  /// Something for the main thread; it answers through the answer box.
  package var command: @Sendable (GateCommand, AnswerToken) -> Void
  /// Something for one run; `done` is called when it is on disk, with what became of it.
  package var run:
    @Sendable (RunAction, _ run: Int64, _ subject: Int64, _ done: @escaping @Sendable (RunAnswer) -> Void) -> Void
  package var rules: @Sendable () -> [UInt8]
  package var metrics: @Sendable () -> [UInt8]
  package var status: @Sendable () -> [UInt8]
  /// Why no events can be taken just now; nil when they can.
  package var obstacle: @Sendable () -> Obstacle?

  package init(
    submit: @escaping @Sendable (sending [IncomingEvent]) -> Bool,
    ask: @escaping @Sendable (@escaping @Sendable (StoreReader) -> Void) -> Void,
    tell: @escaping @Sendable (StoreInput) -> Void = { _ in },
    mode: @escaping @Sendable (String) -> Destination.Mode? = { _ in nil },
    destinations: @escaping @Sendable () -> [UInt8] = { [] },
    destinationNames: @escaping @Sendable () -> [String] = { [] },
    command: @escaping @Sendable (GateCommand, AnswerToken) -> Void,
    run: @escaping @Sendable (RunAction, Int64, Int64, @escaping @Sendable (RunAnswer) -> Void) -> Void = {
      _, _, _, _ in
    },
    rules: @escaping @Sendable () -> [UInt8],
    metrics: @escaping @Sendable () -> [UInt8], status: @escaping @Sendable () -> [UInt8],
    obstacle: @escaping @Sendable () -> Obstacle?
  ) {
    self.submit = submit
    self.ask = ask
    self.tell = tell
    self.mode = mode
    self.destinations = destinations
    self.destinationNames = destinationNames
    self.command = command
    self.run = run
    self.rules = rules
    self.metrics = metrics
    self.status = status
    self.obstacle = obstacle
  }
}

package enum GateCommand: Sendable {
  case reload
  case pause(rule: String, reason: String)
  case resume(rule: String)
}

/// What is to be done with runs.
package enum RunAction: String, Sendable, CaseIterable { case wake, cancel }

package struct Obstacle: Sendable {
  package enum Kind: Sendable { case busy, full, stopping }
  package var kind: Kind
  package var message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }
}

package final class Gate: RequestHandler, @unchecked Sendable {
  let exits: GateExits
  let answers: AnswerBox
  let clocks: Clocks
  let reports: Reports
  private let keyring: Guarded<Keyring>
  private var endpoint: EventsEndpoint
  /// The events of this round, handed over as one batch when it ends.
  private var batch: [IncomingEvent] = []
  private var now = Instant.zero
  package let counters: GateCounters

  package init(
    exits: GateExits, answers: AnswerBox, keyring: Keyring, hashKey: (UInt64, UInt64), clocks: Clocks,
    counters: GateCounters
  ) {
    self.exits = exits
    self.answers = answers
    self.clocks = clocks
    self.counters = counters
    self.keyring = Guarded(keyring)
    reports = Reports(hashKey: hashKey)
    endpoint = EventsEndpoint(hashKey: hashKey)
    ring = keyring
  }

  /// The keyring that counts, and whether there is a newer one.
  private var ring: Keyring
  private let hasNewRing = Atomic(false)

  /// From any thread: counts from the next request on.
  package func replace(_ next: Keyring) {
    keyring.withLock { $0 = next }
    hasNewRing.store(true, ordering: .releasing)
  }

  package func turnEnded() {
    guard !batch.isEmpty else { return }
    var taken: [IncomingEvent] = []
    swap(&taken, &batch)
    let count = taken.count
    let tickets = Gate.distinct(taken)
    if exits.submit(taken) {
      counters.underWay.add(Int64(count))
      counters.events.add(Int64(count))
    } else {
      answers.post(tickets.map { (AnswerToken(numbers: $0.request), Gate.busy("the queue is full")) })
    }
  }

  private static func distinct(_ events: [IncomingEvent]) -> [Ticket] {
    var out: [Ticket] = []
    for event in events { if let ticket = event.ticket, out.last !== ticket { out.append(ticket) } }
    return out
  }

  package func bodyLimit(for request: borrowing Request) -> Int {
    request.isPath("/v1/events") ? Limits.nativeBodyBytes : Limits.requestBodyBytes
  }

  // MARK: paths

  package func handle(_ request: borrowing Request, token: AnswerToken) -> Answer? {
    if hasNewRing.load(ordering: .relaxed), hasNewRing.exchange(false, ordering: .acquiring) {
      ring = keyring.withLock { $0 }
    }
    if request.isPath("/v1/events") {
      if request.method == .post { return takeEvents(request, call: nil, token) }
      return query(request, token)
    }
    if request.isPath("/healthz") {
      return onlyGet(request) ?? Answer(status: 200, body: Array("{\"status\":\"ok\"}\n".utf8))
    }
    if request.isPath("/readyz") { return onlyGet(request) ?? readiness() }
    if request.hasPathPrefix("/calendars/") { return calendar(request, token) }
    if let call = Gate.segmentCall(request) {
      return request.method == .post ? takeEvents(request, call: call, token) : wrongMethod("POST")
    }
    return query(request, token)
  }

  /// Whoever has the link may read it: calendar programs send no key.
  private func calendar(_ request: borrowing Request, _ token: AnswerToken) -> Answer? {
    if let refusal = onlyGet(request) { return refusal }
    let name = request.pathText.dropFirst("/calendars/".count)
    guard name.hasSuffix(".ics"), let id = Hash128(hex: name.dropLast(4)) else { return notFound(request.pathText) }
    exits.ask { [answers] reader in
      do throws(StoreError) {
        if let row = try reader.value(CalendarRow.key(id)).flatMap({ CalendarRow($0) }) {
          // A calendar program that subscribes to it asks again by itself.
          answers.post(
            token,
            Answer(
              status: 200, contentType: Gate.calendarType(row.text), body: Array(row.text.utf8),
              headers: [("Cache-Control", "private, max-age=300"), ("X-Robots-Tag", "noindex")]))
        } else {
          answers.post(
            token,
            Answer(status: 404, code: "not_found", message: "there is no such calendar entry, or it is long over"))
        }
      } catch {
        answers.post(token, Answer(error))
      }
    }
    return nil
  }

  /// RFC 5545, 3.7.2: where a file has a method, its type names the same.
  private static func calendarType(_ text: String) -> StaticString {
    switch text.split(separator: "\r\n").first(where: { $0.hasPrefix("METHOD:") }) {
    case "METHOD:REQUEST": "text/calendar; charset=utf-8; method=REQUEST"
    case "METHOD:CANCEL": "text/calendar; charset=utf-8; method=CANCEL"
    case "METHOD:PUBLISH": "text/calendar; charset=utf-8; method=PUBLISH"
    default: "text/calendar; charset=utf-8"
    }
  }

  private static func segmentCall(_ request: borrowing Request) -> String? {
    guard request.hasPathPrefix("/v1/") else { return nil }
    switch request.pathText {
    case "/v1/track": return "track"
    case "/v1/identify": return "identify"
    case "/v1/group": return "group"
    case "/v1/alias": return "alias"
    case "/v1/page": return "page"
    case "/v1/screen": return "screen"
    case "/v1/batch", "/v1/import": return "batch"
    default: return nil
    }
  }

  private func onlyGet(_ request: borrowing Request) -> Answer? {
    request.method == .get || request.method == .head ? nil : wrongMethod("GET")
  }

  private func wrongMethod(_ right: String) -> Answer {
    Answer(
      status: 405, code: "wrong_method", message: "this path takes only \(right)", headers: [("Allow", right)])
  }

  private func readiness() -> Answer {
    guard let obstacle = exits.obstacle() else {
      return Answer(status: 200, body: Array("{\"status\":\"ready\"}\n".utf8))
    }
    return Answer(status: 503, code: "not_ready", message: obstacle.message)
  }

  private static func busy(_ why: String) -> Answer {
    Answer(
      status: 429, code: "busy", message: "too much is under way (\(why)); send again after a second",
      headers: [("Retry-After", "1")])
  }

  private func refusal(_ caller: Caller?, needs right: Right) -> Answer? {
    guard let caller else {
      return Answer(
        status: 401, code: "no_key",
        message: "a key is needed: send the header \"Authorization: Bearer KEY\" with a key from the configuration",
        headers: [("WWW-Authenticate", "Bearer")])
    }
    if caller.rights.contains(right) { return nil }
    return Answer(status: 403, code: "no_right", message: "this key lacks the right \"\(right.rawValue)\"")
  }

  // MARK: events in

  private func takeEvents(_ request: borrowing Request, call: String?, _ token: AnswerToken) -> Answer? {
    let caller = ring.caller(of: request)
    if let refusal = refusal(caller, needs: .ingest) { return refusal }
    if let refusal = contentRefusal(request) { return refusal }
    if let obstacle = exits.obstacle() {
      counters.turnedAway.add(1)
      if obstacle.kind == .busy { return Gate.busy(obstacle.message) }
      return Answer(status: 503, code: "not_ready", message: obstacle.message, headers: [("Retry-After", "5")])
    }
    if counters.underWay.value + Int64(batch.count) >= Int64(Limits.eventsUnderWay) {
      counters.turnedAway.add(1)
      return Gate.busy("\(Limits.eventsUnderWay) events are not on disk yet")
    }
    if let encoding = request.header("content-encoding"), !encoding.isEmpty,
      !request.header("content-encoding", is: "identity")
    {
      return takeCompressed(request, call: call, caller: caller!, token)
    }
    return take(request.body, call: call, caller: caller!, token)
  }

  private func contentRefusal(_ request: borrowing Request) -> Answer? {
    if request.header("content-type", is: "application/json") { return nil }
    guard let type = request.headerText("content-type") else { return nil }
    let plain = type.prefix { $0 != ";" }.lowercased()
    let known =
      plain.hasSuffix("json") || plain == "application/x-ndjson" || plain == "text/plain"
      || plain == "application/octet-stream"
      || plain == "application/cloudevents-batch+json" || plain == "application/x-www-form-urlencoded"
    // curl's -d says form-urlencoded; the body decides, and a real form is not JSON.
    return known
      ? nil
      : Answer(
        status: 415, code: "wrong_type",
        message: "the content type \(plain.prefix(60)) is not taken; send application/json")
  }

  private func takeCompressed(
    _ request: borrowing Request, call: String?, caller: Caller, _ token: AnswerToken
  ) -> Answer? {
    guard request.header("content-encoding", is: "gzip") else {
      return Answer(
        status: 415, code: "wrong_encoding", message: "bodies are taken plain or with Content-Encoding: gzip")
    }
    do throws(GunzipError) {
      let inflated = try Gunzip.inflate(
        request.body, maximumBytes: Limits.inflatedBodyBytes, maximumRatio: Limits.inflationRatio)
      return inflated.withUnsafeBytes { take($0, call: call, caller: caller, token) }
    } catch {
      return Answer(status: 400, code: "bad_gzip", message: "\(error)")
    }
  }

  private func take(
    _ body: UnsafeRawBufferPointer, call: String?, caller: Caller, _ token: AnswerToken
  ) -> Answer? {
    let received = max(clocks.wall(), now)
    now = received
    switch endpoint.read(body, call: call == "batch" ? nil : call, caller: caller, token: token, received: received) {
    case .events(let events, _):
      batch.append(contentsOf: events)
      return nil
    case .refused(let answer):
      counters.refused.add(1)
      return answer
    }
  }

  // MARK: questions

  private func query(_ request: borrowing Request, _ token: AnswerToken) -> Answer? {
    guard let segments = request.pathSegments else {
      return Answer(status: 400, code: "bad_path", message: "the path is not valid UTF-8")
    }
    let isKnown = segments.first == "metrics" || segments.first == "v1"
    guard isKnown else { return notFound(request.pathText) }
    let caller = ring.caller(of: request)
    if request.method == .post { return command(segments, caller, request, token) }
    if let refusal = refusal(caller, needs: .read) { return refusal }
    if request.isPath("/v1/events"), onlyGet(request) != nil { return wrongMethod("GET, POST") }
    if let refusal = onlyGet(request) { return refusal }
    if Gate.isCommand(segments) { return wrongMethod("POST") }
    if let refusal = Gate.parameterRefusal(request, segments, isCommand: false) { return refusal }
    if segments == ["v1", "rules", "history"], request.queryValue("rule") == nil {
      return Answer(
        status: 400, code: "bad_query", message: "the parameter rule is missing, such as ?rule=dunning/failed")
    }
    switch segments.dropFirst().first ?? "" {
    case "" where segments.first == "metrics":
      return Answer(status: 200, contentType: "text/plain; version=0.0.4", body: exits.metrics())
    case "status" where segments.count == 2: return Answer(status: 200, body: exits.status())
    case "rules" where segments.count == 2: return Answer(status: 200, body: exits.rules())
    case "destinations" where segments.count == 2: return Answer(status: 200, body: exits.destinations())
    default: break
    }
    let question: Question
    if segments.dropFirst().elementsEqual(["deliveries"]) {
      let (wanted, refusal) = deliveryQuery(request)
      if let refusal { return refusal }
      question = Question(deliveries: wanted, request)
    } else {
      guard let found = Question(segments: Array(segments.dropFirst()), request) else {
        return notFound(request.pathText)
      }
      question = found
    }
    let reports = reports
    report(question, token) { reader throws(StoreError) in try reports.begin(question, reader) }
    return nil
  }

  /// Each piece is a question of its own: between two of them the store commits what has come.
  private func report(
    _ question: Question, _ token: AnswerToken,
    _ piece: @escaping @Sendable (StoreReader) throws(StoreError) -> ReportProgress
  ) {
    exits.ask { [self] reader in
      do throws(StoreError) {
        switch try piece(reader) {
        case .done(let value): answers.post(token, Reports.answer(question, value))
        case .further(let next): report(question, token, next)
        }
      } catch {
        answers.post(token, Answer(error))
      }
    }
  }

  private func command(
    _ segments: [String], _ caller: Caller?, _ request: borrowing Request, _ token: AnswerToken
  ) -> Answer? {
    let known = Gate.isCommand(segments)
    guard known else {
      if Gate.isCommand(segments, named: true) {
        return Answer(
          status: 404, code: "not_found",
          message: "\(segments[2].prefix(40)) is no number; \(segments[1]) have numbers, such as 12")
      }
      return ["subjects", "deliveries", "destinations", "replays", "rules", "runs", "status"].contains(
        segments.dropFirst().first ?? "")
        ? wrongMethod("GET") : notFound(request.pathText)
    }
    if let refusal = refusal(caller, needs: .admin) { return refusal }
    if let refusal = Gate.parameterRefusal(request, segments, isCommand: true) { return refusal }
    if segments[1] == "runs" { return runCommand(Array(segments.dropFirst(2)), request, token) }
    if ["deliveries", "replays", "destinations"].contains(segments[1]) {
      return deliveryCommand(Array(segments.dropFirst()), request, token)
    }
    if segments[2] == "reload" {
      exits.command(.reload, token)
      return nil
    }
    guard let rule = request.queryValue("rule"), !rule.isEmpty else {
      return Answer(
        status: 400, code: "bad_query", message: "the parameter rule is missing, such as ?rule=dunning/failed")
    }
    exits.command(
      segments[2] == "pause"
        ? .pause(rule: rule, reason: request.queryValue("reason") ?? "by hand") : .resume(rule: rule),
      token)
    return nil
  }

  /// `named`: also with something else in the place of a number.
  private static func isCommand(_ segments: [String], named: Bool = false) -> Bool {
    commands.contains { pattern in
      pattern.count == segments.count - 1
        && zip(pattern, segments.dropFirst()).allSatisfy {
          $0 == "?" || ($0 == "*" ? named || Int64($1) != nil : $0 == $1)
        }
    }
  }

  /// Paths below /v1 that take POST and do something; "*" is a number, "?" a name.
  private static let commands = [
    ["rules", "reload"], ["rules", "pause"], ["rules", "resume"], ["runs", "*", "wake"], ["runs", "*", "cancel"],
    ["runs", "wake"], ["runs", "cancel"], ["deliveries", "*", "retry"], ["deliveries", "*", "cancel"],
    ["deliveries", "retry"], ["replays", "*", "cancel"], ["destinations", "?", "hold"],
    ["destinations", "?", "release"],
    ["destinations", "?", "enable"],
  ]

  // MARK: runs

  private func runCommand(_ segments: [String], _ request: borrowing Request, _ token: AnswerToken) -> Answer? {
    guard let action = segments.last.flatMap({ RunAction(rawValue: $0) }) else { return notFound(request.pathText) }
    if segments.count == 2, let number = Int64(segments[0]) {
      oneRun(action, number, token)
      return nil
    }
    let filter = RunFilter(
      status: request.queryValue("status") ?? "alive", rule: request.queryValue("rule"),
      subject: request.queryValue("subject"))
    guard filter.isAlive else {
      return Answer(status: 400, code: "bad_query", message: "only runs that live can be woken or cancelled")
    }
    guard filter != RunFilter() || request.queryValue("all") == "1" else {
      return Answer(
        status: 400, code: "no_filter", message: "say which runs: rule=, subject=, status=, or all=1 for every one")
    }
    manyRuns(action, filter, isCount: request.queryValue("count") == "1", after: 0, done: 0, token)
    return nil
  }

  private func oneRun(_ action: RunAction, _ number: Int64, _ token: AnswerToken) {
    let answers = answers
    let exits = exits
    exits.ask { reader in
      do throws(StoreError) {
        guard let packed = try reader.value(RowKey(.run, number)) else {
          return answers.post(token, Gate.answer(action, number, .missing))
        }
        let row = RunRow.stored(number: number, packed)
        exits.run(action, number, row.subject) { answers.post(token, Gate.answer(action, number, $0)) }
      } catch {
        answers.post(token, Answer(error))
      }
    }
  }

  private static func answer(_ action: RunAction, _ number: Int64, _ what: RunAnswer) -> Answer {
    switch what {
    case .done: Answer(status: 200, body: Array("{\"run\":\(number),\"done\":\"\(action.rawValue)\"}\n".utf8))
    case .later(let reason):
      Answer(
        status: 200,
        body: Array("{\"run\":\(number),\"done\":\"\(action.rawValue)\",\"later\":".utf8)
          + JSONValue.string(reason).text + Array("}\n".utf8))
    case .missing: Answer(status: 404, code: "not_found", message: "there is no run \(number) that lives")
    case .refused(let reason):
      Answer(
        status: 409, code: "run_refused", message: "it is not possible to \(action.rawValue) run \(number): \(reason)")
    }
  }

  /// Page by page, so that the store is not kept from committing; `done` counts those before this page.
  private func manyRuns(
    _ action: RunAction, _ filter: RunFilter, isCount: Bool, after: Int64, done: Int, _ token: AnswerToken
  ) {
    let reports = reports
    let answers = answers
    exits.ask { [self] reader in
      do throws(StoreError) {
        guard let page = try reports.livingRuns(filter, after: after, limit: 500, reader) else {
          return answers.post(token, Gate.nobody(filter.subject))
        }
        let count = done + page.rows.count
        let next = page.next
        let goOn = { @Sendable [self] in
          if let next { return manyRuns(action, filter, isCount: isCount, after: next, done: count, token) }
          let word = isCount ? "count" : "asked"
          answers.post(token, Answer(status: 200, body: Array("{\"\(word)\":\(count)}\n".utf8)))
        }
        if isCount { goOn() } else { command(action, page.rows, then: goOn) }
      } catch {
        answers.post(token, Answer(error))
      }
    }
  }

  /// Goes on when every run of the page has obeyed: however many runs are meant, the lanes never have more
  /// than a page of commands before them, and events come in between.
  private func command(_ action: RunAction, _ rows: [RunRow], then goOn: @escaping @Sendable () -> Void) {
    if rows.isEmpty { return goOn() }
    let count = Int64(rows.count)
    let obeyed = Counter()
    for row in rows { exits.run(action, row.number, row.subject) { _ in if obeyed.next() == count { goOn() } } }
  }

  static func nobody(_ subject: String?) -> Answer {
    Answer(status: 404, code: "not_found", message: Reports.noSubject(subject ?? ""))
  }

  private func notFound(_ path: String) -> Answer {
    Answer(
      status: 404, code: "not_found",
      message: "there is nothing at \(path.prefix(100)); events go to POST /v1/events")
  }
}

/// What the gate counts, read by other threads.
package final class GateCounters: Sendable {
  package let events = Counter()
  /// Events let in and not yet on disk.
  package let underWay: Counter
  package let refused = Counter()
  package let turnedAway = Counter()

  /// Whoever sees events reach the disk lowers `underWay`.
  package init(underWay: Counter) { self.underWay = underWay }
}
