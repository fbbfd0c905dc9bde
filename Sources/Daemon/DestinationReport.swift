// How a destination stands, as JSON: what the configuration says, what is remembered of it, and what the
// delivery loop knows.
//
// Thread: pure. Promise: no secret and no address in it.

internal import Basics
internal import Delivery
internal import Model

enum DestinationReport {
  static func value(
    _ destination: Destination, _ state: DestinationState?, _ standing: DeliveryLoop.Standing?, open: Int
  ) -> JSONValue {
    let isHeld = destination.mode == .hold && state?.takesNothing != true
    func time(_ moment: Instant?) -> JSONValue { moment.map { .string(ISO8601.format($0)) } ?? .null }
    var members: [JSONValue.Member] = [
      .init("destination", .string(destination.name)),
      .init("status", .string(isHeld ? "held" : state?.word ?? "well")),
      .init("reason", .string(isHeld ? "mode = \"hold\" in the configuration" : state?.reason ?? "")),
      .init("open", .integer(Int64(open))),
      .init("breaker", .string(standing?.breaker ?? "closed")), .init("probes_at", time(standing?.probesAt)),
      .init("under_way", .integer(Int64(standing?.underWay ?? 0))),
      .init("trusted", .integer(Int64(standing?.trusted ?? 1))),
      .init("concurrency", .integer(Int64(destination.concurrency))), .init("mode", .string(destination.mode.rawValue)),
      .init("held_since", time(state?.heldSince)), .init("disabled_since", time(state?.disabledSince)),
      .init("failing_since", time(state?.failingSince ?? standing?.failingSince)),
    ]
    if destination.ratePerSecond > 0 { members.append(.init("rate", .double(destination.ratePerSecond))) }
    if !destination.order.isEmpty { members.append(.init("order", .string(destination.order))) }
    return .object(members)
  }

  /// One that is not configured any more and still has webhooks: those of one that is held wait until it is
  /// released, and then they are given up.
  static func gone(_ name: String, _ state: DestinationState?, open: Int) -> JSONValue {
    let isStopped = state?.takesNothing == true
    let word = state?.disabledSince == nil ? "release" : "enable"
    let advice = isStopped ? "; configure it again, or give up what waits: nudged deliveries \(word) \(name)" : ""
    return .object([
      .init("destination", .string(name)), .init("status", "gone"),
      .init("reason", .string("it is not configured any more" + advice)), .init("open", .integer(Int64(open))),
    ])
  }
}
