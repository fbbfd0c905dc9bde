// What people do about deliveries and destinations over HTTP: send once more, cancel, hold, release, enable.
//
// Thread: intake; what the store says comes back on its thread and goes through the answer box. Promise:
// what changes many deliveries is counted first and then goes on as a job of the store, which a restart
// does not end.

package import Basics
internal import Model
package import Store

/// Which deliveries are meant, as a person writes it.
package struct DeliveryQuery: Sendable, Equatable {
  package var filter = DeliveryFilter()
  package var subject: String?

  package init() {}

  package static let names: [StaticString] = [
    "status", "destination", "type", "subject", "since", "until", "from", "to",
  ]

  /// Takes one of the names above with its value; a sentence when the value is wrong.
  package mutating func set(_ name: String, _ value: String, now: Instant) -> String? {
    switch name {
    case "status":
      guard DeliveryFilter.statuses.contains(value) else {
        let all = DeliveryFilter.statuses
        return "\(all.dropLast().joined(separator: ", ")) or \(all.last ?? "")"
      }
      filter.status = value
    case "destination": filter.destination = value
    case "type": filter.type = value
    case "subject": subject = value
    case "from", "to":
      guard let number = Int64(value), number >= 0 else { return "the number of a delivery" }
      if name == "from" { filter.from = number } else { filter.to = number }
    default:
      let ago = DurationText.milliseconds(value).map { now + -$0 }
      guard let moment = ISO8601.parse(value) ?? ago else {
        return "a time such as 2026-01-15T10:00:00Z, or how long ago, such as \"2 hours\""
      }
      if name == "since" { filter.since = moment } else { filter.until = moment }
    }
    return nil
  }

  package var isEmpty: Bool { filter == DeliveryFilter() && subject == nil }
}

extension Gate {
  /// The filter of a request, or why it is none.
  func deliveryQuery(_ request: borrowing Request) -> (DeliveryQuery, Answer?) {
    var query = DeliveryQuery()
    for name in DeliveryQuery.names {
      guard let value = request.queryValue(name) else { continue }
      if let right = query.set("\(name)", value, now: clocks.wall()) {
        let message = "the parameter \(name) must be \(right)"
        return (query, Answer(status: 400, code: "bad_query", message: message))
      }
    }
    return (query, nil)
  }

  /// Below /v1/deliveries, /v1/replays and /v1/destinations.
  func deliveryCommand(_ segments: [String], _ request: borrowing Request, _ token: AnswerToken) -> Answer? {
    switch (segments[0], segments.last ?? "") {
    case ("destinations", let word): return destinationCommand(segments[1], word, request, token)
    case ("replays", _): endReplay(Int64(segments[1]) ?? 0, token)
    case ("deliveries", "cancel"): cancelDelivery(Int64(segments[1]) ?? 0, request.queryValue("reason"), token)
    case ("deliveries", _) where segments.count == 3: retryDelivery(Int64(segments[1]) ?? 0, token)
    default: return retryMany(request, token)
    }
    return nil
  }

  // MARK: one

  private func retryDelivery(_ number: Int64, _ token: AnswerToken) {
    let answers = answers
    exits.tell(
      .retry(number) { found in
        switch found {
        case .done, .cancelled:
          answers.post(token, Answer(status: 200, body: Array("{\"delivery\":\(number),\"done\":\"retry\"}\n".utf8)))
        case .tooLate:
          answers.post(
            token,
            Answer(status: 409, code: "under_way", message: "delivery \(number) is under way or due within a minute"))
        case .recorded:
          answers.post(
            token,
            Answer(
              status: 409, code: "only_recorded",
              message: "delivery \(number) was only written down, for a rule in shadow or a hold-out; it is never sent")
          )
        case .missing:
          answers.post(token, Answer(status: 404, code: "not_found", message: "there is no delivery \(number)"))
        }
      })
  }

  private func cancelDelivery(_ number: Int64, _ reason: String?, _ token: AnswerToken) {
    let answers = answers
    exits.tell(
      .cancel(number, reason: "cancelled by hand" + (reason.map { ": " + $0.prefix(200) } ?? "")) { found in
        switch found {
        case .done, .cancelled:
          answers.post(
            token, Answer(status: 200, body: Array("{\"delivery\":\(number),\"done\":\"cancelled\"}\n".utf8)))
        case .recorded:
          answers.post(
            token,
            Answer(
              status: 409, code: "only_recorded", message: "delivery \(number) was only written down; it is never sent")
          )
        case .tooLate:
          answers.post(
            token, Answer(status: 409, code: "too_late", message: "delivery \(number) is under way or over"))
        case .missing:
          answers.post(token, Answer(status: 404, code: "not_found", message: "there is no delivery \(number)"))
        }
      })
  }

  // MARK: many

  private func retryMany(_ request: borrowing Request, _ token: AnswerToken) -> Answer? {
    var (query, refusal) = deliveryQuery(request)
    if let refusal { return refusal }
    guard !query.isEmpty || request.queryValue("all") == "1" else {
      return Answer(
        status: 400, code: "no_filter",
        message: "say which deliveries: destination=, type=, subject=, status=, since=, until=, from=, to=, or all=1")
    }
    if let name = query.filter.destination, let refusal = unknown(name) { return refusal }
    query.filter.status = query.filter.status ?? "failed"
    guard DeliveryFilter.settled.contains(query.filter.status ?? "") else {
      return Answer(
        status: 400, code: "bad_query",
        message: "only deliveries that are over can be sent once more: status failed, delivered or cancelled")
    }
    let rate = request.queryValue("rate").map { Int64($0) ?? -1 } ?? 0
    guard (0...100_000).contains(rate) else {
      return Answer(
        status: 400, code: "bad_query",
        message: "the parameter rate must be how many a second, a whole number up to 100000")
    }
    let isCount = request.queryValue("count") == "1"
    let reports = reports
    let answers = answers
    let exits = exits
    let asked = query
    exits.ask { [self] reader in
      do throws(StoreError) {
        guard let filter = try reports.filter(asked, reader) else {
          return answers.post(token, Gate.nobody(asked.subject))
        }
        if isCount { return count(filter, after: (filter.from ?? 1) - 1, done: 0, token) }
        exits.tell(
          .replay(filter, ratePerSecond: rate) { number in
            answers.post(token, Answer(status: 200, body: Array("{\"replay\":\(number)}\n".utf8)))
          })
      } catch {
        answers.post(token, Answer(error))
      }
    }
    return nil
  }

  /// Page by page, so that the store is not kept from committing.
  private func count(_ filter: DeliveryFilter, after: Int64, done: Int, _ token: AnswerToken) {
    let reports = reports
    let answers = answers
    exits.ask { [self] reader in
      do throws(StoreError) {
        let page = try reports.count(filter, after: after, limit: 1_000, reader)
        if let next = page.next { return count(filter, after: next, done: done + page.count, token) }
        answers.post(token, Answer(status: 200, body: Array("{\"count\":\(done + page.count)}\n".utf8)))
      } catch {
        answers.post(token, Answer(error))
      }
    }
  }

  private func endReplay(_ number: Int64, _ token: AnswerToken) {
    let answers = answers
    exits.tell(
      .endReplay(number) { found in
        answers.post(
          token,
          found
            ? Answer(status: 200, body: Array("{\"replay\":\(number),\"done\":\"cancelled\"}\n".utf8))
            : Answer(status: 404, code: "not_found", message: "no replay \(number) goes on"))
      })
  }

  // MARK: destinations

  /// The refusal when there is none of this name.
  private func unknown(_ name: String) -> Answer? {
    if exits.mode(name) != nil { return nil }
    let ending = Suggestion.ending(for: name, among: exits.destinationNames())
    return Answer(status: 404, code: "not_found", message: "no destination is called \"\(name.prefix(100))\"\(ending)")
  }

  private func destinationCommand(
    _ name: String, _ word: String, _ request: borrowing Request, _ token: AnswerToken
  ) -> Answer? {
    if let refusal = unknown(name) { return refusal }
    let reason = request.queryValue("reason").map { String($0.prefix(200)) } ?? "by hand"
    let change: DestinationChange =
      switch word {
      case "hold": .hold(reason)
      case "release": .release
      default: .enable
      }
    let answers = answers
    let exits = exits
    exits.tell(
      .destination(name, change) { state in
        let isHeld = exits.mode(name) == .hold && !state.takesNothing
        answers.post(token, Answer(status: 200, body: Gate.standing(state, isHeldByMode: isHeld).text + [0x0A]))
      })
    return nil
  }

  /// What people do does not change what the configuration says, and so they are told where to change it.
  private static func standing(_ state: DestinationState, isHeldByMode: Bool) -> JSONValue {
    guard isHeldByMode else { return ["destination": .string(state.name), "status": .string(state.word)] }
    return [
      "destination": .string(state.name), "status": "held",
      "reason":
        "its configuration has mode = \"hold\"; give it another mode there, then: nudged rules reload",
    ]
  }
}
