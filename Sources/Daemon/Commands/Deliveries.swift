// The commands about deliveries and destinations: list and show them, send once more, cancel, hold,
// release, enable.
//
// Thread: main. Promise: what changes many deliveries says first how many they are, and does nothing
// without --yes.

internal import Basics
internal import Intake
internal import Store

extension Command {
  static let deliveries = Command(
    name: "deliveries", summary: "list webhooks, show one, send once more, hold a destination",
    help: """
      nudged deliveries list [FILTER] [--limit N] [--before DELIVERY]
      nudged deliveries show DELIVERY
      nudged deliveries retry DELIVERY
      nudged deliveries retry FILTER [--rate N/s] [--yes]
      nudged deliveries replays [cancel REPLAY]
      nudged deliveries cancel DELIVERY [--reason TEXT]
      nudged deliveries hold|release|enable DESTINATION [--reason TEXT]

      FILTER is any of --destination NAME, --type TYPE, --subject NAMESPACE:ID, --since TIME, --until TIME,
      --from DELIVERY, --to DELIVERY and --status waiting|retrying|delivered|failed|cancelled|shadow|held_out; --all stands for none.
      TIME is such as 2026-01-15T10:00:00Z, or how long ago, such as "2 hours". The list is newest first.

      `retry` of one that waits makes it due now; one that is over is sent once more, under its old id. `retry`
      of many takes what has failed unless --status says otherwise, only says how many there are without --yes,
      and goes on after a restart. `hold` lets a destination's webhooks wait, unspent, until `release`;
      `enable` lets one that was switched off live again, and leaves any other as it is.
      """
  ) { raw in
    let names = DeliveryQuery.names.map { "--\($0)" }
    let arguments = try Arguments(
      raw, values: names + ["--limit", "--before", "--rate", "--reason"], switches: ["--yes", "--all"])
    let source = try Source(arguments)
    if arguments.words.first == "show", arguments.words.count == 2 {
      let number = try delivery(arguments.words[1])
      try arguments.take(only: [], with: "the number of one delivery")
      return try show(.delivery(number), path: "/v1/deliveries/\(number)", source)
    }
    let word = arguments.words.first ?? "list"
    switch (word, arguments.words.count) {
    case ("list", 0), ("list", 1):
      try arguments.take(only: names + ["--limit", "--before", "--all"], with: "deliveries list")
      return try listDeliveries(source)
    case ("retry", 1):
      try arguments.take(only: names + ["--rate", "--yes", "--all"], with: "deliveries retry")
      return try retryMany(source)
    case ("retry", 2), ("cancel", 2):
      try arguments.take(
        only: word == "cancel" ? ["--reason", "--yes"] : ["--yes"], with: "the number of one delivery")
      return try changeDelivery(source)
    case ("replays", 1):
      try arguments.take(only: [], with: "deliveries replays")
      return try listReplays(source)
    case ("replays", 3) where arguments.words[1] == "cancel":
      try arguments.take(only: [], with: "the number of a replay")
      return try post(source, "/v1/replays/\(try delivery(arguments.words[2]))/cancel") { _ in "the replay is cancelled"
      }
    case ("hold", 2), ("release", 2), ("enable", 2):
      try arguments.take(only: ["--reason"], with: "deliveries \(word)")
      return try changeDestination(source)
    default: throw UsageError("write: deliveries list, show, retry, replays, cancel, hold, release or enable")
    }
  }

  static let destinations = Command(
    name: "destinations", summary: "list destinations and how they stand",
    help: """
      nudged destinations list

      Shows each destination with its status (well, failing, held, disabled), its open deliveries, its breaker,
      and how many transfers it is trusted with. `nudged deliveries hold|release|enable` changes that.
      """
  ) { raw in
    let arguments = try Arguments(raw)
    guard arguments.words.isEmpty || arguments.words == ["list"] else { throw UsageError("write: destinations list") }
    let source = try Source(arguments)
    guard let response = try source.ask("/v1/destinations") else {
      Terminal.complain("no daemon answers at \(source.configuration.adminPath); start one with: nudged serve")
      return 1
    }
    list(
      source, try Document.parse(response.body).root.value, "destinations",
      columns: ["destination", "status", "open", "breaker", "under_way", "trusted", "failing_since", "reason"],
      empty: "no destinations are configured")
    return 0
  }

  // MARK: filters

  private static func query(_ arguments: Arguments) throws(UsageError) -> (DeliveryQuery, String) {
    var query = DeliveryQuery()
    var text = ""
    for name in DeliveryQuery.names {
      guard let value = arguments.value("--\(name)") else { continue }
      if let right = query.set("\(name)", value, now: Clocks.system.wall()) {
        throw UsageError("--\(name) must be \(right), not \"\(value)\"")
      }
      text += "&\(name)=" + Source.escape(value)
    }
    return (query, text)
  }

  private static func delivery(_ text: String) throws(UsageError) -> Int64 {
    guard let number = Int64(text), number > 0 else {
      throw UsageError("it is named by its number, such as 12; this is \"\(text)\"")
    }
    return number
  }

  // MARK: reading

  private static func listDeliveries(_ source: Source) throws -> Int32 {
    let (limit, before) = try paging(source.arguments)
    let (query, text) = try query(source.arguments)
    let question = Question.deliveries(query, before: before, limit: limit)
    guard let value = try source.value(question, path: "/v1/deliveries?limit=\(limit)&before=\(before)\(text)") else {
      Terminal.complain(Reports.missing(question))
      return 1
    }
    list(
      source, value, "deliveries",
      columns: ["delivery", "created", "destination", "type", "who", "status", "attempts", "last_message"],
      empty: query.isEmpty ? "there are no deliveries yet" : "there are no such deliveries")
    return 0
  }

  private static func listReplays(_ source: Source) throws -> Int32 {
    let value = try source.value(.replays, path: "/v1/replays") ?? .null
    list(
      source, value, "replays", columns: ["replay", "created", "status", "of", "sent", "position", "last", "ended"],
      empty: "nothing was sent once more")
    return 0
  }

  // MARK: changing

  private static func changeDelivery(_ source: Source) throws -> Int32 {
    let action = source.arguments.words[0]
    let number = try delivery(source.arguments.words[1])
    var path = "/v1/deliveries/\(number)/\(action)"
    if action == "cancel", let reason = source.arguments.value("--reason") {
      path += "?reason=" + Source.escape(reason)
    }
    return try post(source, path) { _ in
      action == "retry" ? "delivery \(number) is due now" : "delivery \(number) is cancelled"
    }
  }

  private static func retryMany(_ source: Source) throws -> Int32 {
    let arguments = source.arguments
    let (query, text) = try query(arguments)
    guard !query.isEmpty || arguments.has("--all") else {
      throw UsageError("say which deliveries: retry DELIVERY, --destination, --type, --subject, --since, … or --all")
    }
    guard DeliveryFilter.settled.contains(query.filter.status ?? "failed") else {
      throw UsageError("only what is over can be sent once more: --status failed, delivered or cancelled")
    }
    var path = "/v1/deliveries/retry?all=1\(text)"
    if let rate = arguments.value("--rate") {
      guard let number = Int64(rate.hasSuffix("/s") ? String(rate.dropLast(2)) : rate), number > 0 else {
        throw UsageError("--rate must be how many a second, such as 50/s, not \"\(rate)\"")
      }
      path += "&rate=\(number)"
    }
    if arguments.has("--yes") {
      return try post(source, path) { root in
        "replay \(root["replay"]?.integer ?? 0) has begun; look at it with: nudged deliveries replays"
      }
    }
    return try post(source, path + "&count=1") { root in
      let count = root["count"]?.integer ?? 0
      return "\(count) \(count == 1 ? "delivery" : "deliveries") would be sent once more; add --yes to do it"
    }
  }

  private static func changeDestination(_ source: Source) throws -> Int32 {
    let action = source.arguments.words[0]
    let name = source.arguments.words[1]
    var path = "/v1/destinations/\(Source.escape(name))/\(action)"
    if let reason = source.arguments.value("--reason") { path += "?reason=" + Source.escape(reason) }
    return try post(source, path) { root in
      "\(name) is \(root["status"]?.string ?? "")" + (root["reason"]?.string.map { ": \($0)" } ?? "")
    }
  }
}
