// What the house tells about itself: rules, destinations, status, metrics.
//
// Thread: any that asks; everything read here is a counter or stands behind a lock. Promise: no secret and no address in it.

internal import Basics
internal import Delivery
internal import Engine
internal import Intake
internal import Model
internal import Rules
internal import Store

extension House {
  func rulesReport() -> [UInt8] {
    guard let book = book.withLock({ $0 }) else { return [] }
    var living: [Int64: Int64] = [:]
    for counters in laneCounters {
      for (version, count) in counters.livingRuns { living[version, default: 0] += count }
    }
    let pauses = guardian.pauses
    return House.report(book.rules, switchedOff: book.switchedOff) { place in
      let rule = book.numbers[place]
      let runs = (book.knownVersions[rule] ?? []).reduce(0) { $0 + (living[$1.number] ?? 0) }
      return [.init("runs", .integer(runs)), .init("paused", pauses[rule].map { .string($0) } ?? .null)]
    }.text + [0x0A]
  }

  /// What `rules list` tells, with a daemon or without.
  static func report(
    _ rules: RuleSet, switchedOff: Set<String> = [], more: (Int) -> [JSONValue.Member] = { _ in [] }
  ) -> JSONValue {
    let list: [JSONValue] = rules.rules.enumerated().filter { !$0.element.isSegment }.map { place, rule in
      let before = rule.header.before.map { "\($0.lead.sentence) \($0.path) of " }
      let occasion =
        rule.header.occasion.map { [$0.sentence] } ?? before.map { lead in rule.header.on.map { lead + $0 } }
      var members: [JSONValue.Member] = [
        .init("rule", .string(rule.path)), .init("title", .string(rule.header.title)),
        .init("on", .array((occasion ?? rule.header.on).map { .string($0) })), .init("per", .string(rule.header.per)),
        .init("mode", .string(rule.header.mode.rawValue)), .init("priority", .integer(Int64(rule.header.priority))),
        .init("hash", .string(rule.contentHash.hex)),
      ]
      if switchedOff.contains(rule.path) { members.append(.init("switched_off", true)) }
      members += more(place)
      return .object(members)
    }
    return .object([.init("rules", .array(list))])
  }

  /// Destinations that get nothing: held by a person or by the configuration, or disabled.
  var stopped: Set<String> {
    let byFile = book.withLock { $0?.destinations.values.filter { $0.mode == .hold }.map(\.name) ?? [] }
    return destinationStates.withLock { states in
      Set(states.values.filter(\.takesNothing).map(\.name)).union(byFile)
    }
  }

  var failing: [String] {
    destinationStates.withLock { $0.values.filter { $0.failingSince != nil }.map(\.name).sorted() }
  }

  func statusReport() -> [UInt8] {
    let figures = delivery?.figures
    let events = laneCounters.reduce(0) { $0 + $1.events.value }
    let value: JSONValue = [
      "version": .string(House.version), "started": .string(ISO8601.format(startedAt)),
      "uptime_seconds": .integer((clocks.wall() - startedAt) / 1000), "rules": .integer(Int64(ruleCount)),
      "destinations": .array(configuration.destinations.map { .string($0.name) }), "events": .integer(events),
      "repeats": .integer(laneCounters.first?.repeats.value ?? 0), "under_way": .integer(underWay.value),
      "stopped": .array(stopped.sorted().map { .string($0) }), "failing": .array(failing.map { .string($0) }),
      "deliveries_held": .integer(Int64(figures?.held ?? 0)),
      "transfers": .integer(Int64(figures?.transfersUnderWay ?? 0)), "record": .integer(committed.value),
      "unswept": .integer(storeCounters.behind.value),
      "store": .string(configuration.storePath), "obstacle": obstacle().map { .string($0.message) } ?? .null,
    ]
    return value.text + [0x0A]
  }

  func destinationsReport() -> [UInt8] {
    let states = destinationStates.withLock { $0 }
    let open = storeCounters.openByDestination
    let standings = Dictionary(
      (delivery?.standings ?? []).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let destinations = book.withLock { $0?.destinations ?? [:] }
    let list = destinations.values.sorted { $0.name < $1.name }.map {
      DestinationReport.value($0, states[$0.name], standings[$0.name], open: open[$0.name] ?? 0)
    }
    let gone = open.keys.filter { destinations[$0] == nil }.sorted().map {
      DestinationReport.gone($0, states[$0], open: open[$0] ?? 0)
    }
    return JSONValue.object([.init("destinations", .array(list + gone))]).text + [0x0A]
  }

  func addDestinations(to lines: inout MetricsText) {
    let open = storeCounters.openByDestination
    let standings = delivery?.standings ?? []
    lines.gauge(
      "nudged_destination_open", "Deliveries that are not settled.", standings.map { ($0.name, open[$0.name] ?? 0) })
    lines.gauge(
      "nudged_destination_breaker", "0: closed, 1: half-open, 2: open.",
      standings.map { ($0.name, ["closed": 0, "half-open": 1][$0.breaker] ?? 2) })
    lines.gauge(
      "nudged_destination_trusted", "Transfers a destination is trusted with.", standings.map { ($0.name, $0.trusted) })
    let stopped = stopped
    lines.gauge(
      "nudged_destination_stopped", "1: held or disabled.",
      standings.map { ($0.name, stopped.contains($0.name) ? 1 : 0) })
  }

  func addRuns(to lines: inout MetricsText) {
    let lanes = laneCounters
    lines.gauge(
      "nudged_runs", "Runs that live.", lanes.reduce(0) { $0 + $1.livingRuns.values.reduce(0, +) })
    lines.counter("nudged_runs_ended_total", "Runs that have ended.", lanes.reduce(0) { $0 + $1.endedRuns.value })
    lines.counter("nudged_runs_parked_total", "Times a run was parked.", lanes.reduce(0) { $0 + $1.parkedRuns.value })
    var late: [(bound: String, count: Int64)] = []
    var sum: Int64 = 0
    for (place, bound) in (LaneCounters.latenessBoundsMilliseconds.map { "\($0)" } + ["+Inf"]).enumerated() {
      sum += lanes.reduce(0) { $0 + $1.lateness[place].value }
      late.append((bound, sum))
    }
    lines.histogram("nudged_timer_lateness_ms", "Timers by how late they fired.", late)
  }

  func metricsReport() -> [UInt8] {
    var lines = MetricsText()
    let lanes = laneCounters
    lines.counter("nudged_events_total", "Events decided.", lanes.reduce(0) { $0 + $1.events.value })
    lines.counter("nudged_events_repeated_total", "Events that had been seen before.", lanes.first?.repeats.value ?? 0)
    lines.counter("nudged_rules_ran_total", "Rules that ran to their end.", lanes.reduce(0) { $0 + $1.ran.value })
    lines.counter(
      "nudged_rules_failed_total", "Rules that failed or went over budget.", lanes.reduce(0) { $0 + $1.failed.value })
    addRuns(to: &lines)
    lines.counter("nudged_commits_total", "Groups committed.", storeCounters.commits.value)
    lines.gauge("nudged_unswept_rows", "Rows newer than their table.", storeCounters.behind.value)
    lines.gauge("nudged_events_under_way", "Events accepted and not yet on disk.", underWay.value)
    if let gate {
      lines.counter(
        "nudged_requests_refused_total", "Requests with a body that was refused.", gate.counters.refused.value)
      lines.counter(
        "nudged_requests_turned_away_total", "Requests answered 429 or 503.", gate.counters.turnedAway.value)
    }
    if let figures = delivery?.figures {
      lines.counter("nudged_deliveries_delivered_total", "Deliveries that arrived.", Int64(figures.counters.delivered))
      lines.counter("nudged_deliveries_retried_total", "Tries that will be repeated.", Int64(figures.counters.retried))
      lines.counter("nudged_deliveries_failed_total", "Deliveries given up.", Int64(figures.counters.failed))
      lines.counter(
        "nudged_deliveries_cancelled_total", "Deliveries cancelled, by hand or with their run.",
        storeCounters.deliveriesCancelled.value)
      lines.gauge("nudged_deliveries_held", "Deliveries in memory.", Int64(figures.held))
      lines.counter(
        "nudged_breakers_opened_total", "Times a destination's breaker opened.", Int64(figures.counters.breakersOpened))
      lines.gauge("nudged_transfers", "Transfers under way.", Int64(figures.transfersUnderWay))
    }
    addDestinations(to: &lines)
    if let values = loop?.counters.values {
      lines.gauge("nudged_connections", "Open connections.", Int64(values.open))
      lines.counter("nudged_http_requests_total", "Requests handled.", Int64(values.requests))
      lines.counter("nudged_http_timeouts_total", "Connections ended by a deadline.", Int64(values.timeouts))
    }
    return lines.bytes
  }
}
