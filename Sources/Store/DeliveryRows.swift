// What the packed bytes of destinations and replays mean, and which deliveries a filter takes.
//
// Thread: values. Promise: every row begins with its format number, so that a later version can tell.

package import Basics
package import Model

/// What is remembered of a destination.
package struct DestinationRow: Sendable, Equatable {
  package var state: DestinationState
  package init(_ state: DestinationState) { self.state = state }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 48)
    writer.byte(1)
    writer.counted(state.name)
    for moment in [state.heldSince, state.disabledSince, state.failingSince] {
      writer.byte(moment == nil ? 0 : 1)
      if let moment { writer.signed(moment.milliseconds) }
    }
    writer.counted(state.reason)
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let found: DestinationRow? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      var state = DestinationState(name: reader.text())
      var moments: [Instant?] = []
      for _ in 0..<3 { moments.append(reader.byte() == 1 ? Instant(milliseconds: reader.signed()) : nil) }
      (state.heldSince, state.disabledSince, state.failingSince) = (moments[0], moments[1], moments[2])
      state.reason = reader.text()
      return reader.failed ? nil : DestinationRow(state)
    }
    guard let found else { return nil }
    self = found
  }
}

/// Which deliveries are meant. What is nil takes all.
package struct DeliveryFilter: Sendable, Equatable {
  /// "waiting", "retrying", "delivered", "failed", "cancelled", "shadow" or "held_out".
  package var status: String?
  package var destination: String?
  package var type: String?
  package var subject: Int64?
  /// When it was decided: not before, and before.
  package var since: Instant?
  package var until: Instant?
  /// Numbers, both included.
  package var from: Int64?
  package var to: Int64?

  package init() {}

  package static let statuses = ["waiting", "retrying", "delivered", "failed", "cancelled", "shadow", "held_out"]
  /// Those that can be sent once more.
  package static let settled = ["delivered", "failed", "cancelled"]

  /// Everything but the status, which stands in other tables.
  package func takes(_ row: DeliveryRow) -> Bool {
    let delivery = row.delivery
    if let destination, delivery.destination != destination { return false }
    if let type, delivery.type != type { return false }
    if let subject, row.subject != subject { return false }
    if let since, delivery.created < since { return false }
    if let until, delivery.created >= until { return false }
    if let from, delivery.number < from { return false }
    if let to, delivery.number > to { return false }
    return true
  }

  package static func status(_ open: OpenDelivery?, _ last: Attempt?) -> String {
    if let open, !open.isPoisoned { return open.isRetry ? "retrying" : "waiting" }
    if let outcome = last?.outcome, outcome == .cancelled || outcome.isRecorded { return outcome.word }
    return last?.settlement == .delivered ? "delivered" : "failed"
  }
}

/// A job that sends deliveries once more.
package struct ReplayRow: Sendable, Equatable {
  package var filter: DeliveryFilter
  /// So many a second; 0: as many as the store can take.
  package var ratePerSecond: Int64
  package var created: Instant
  /// Deliveries up to this one were looked at.
  package var position: Int64 = 0
  /// It ends here: what is younger was not there when it began.
  package var last: Int64
  package var sent: Int64 = 0
  package var ended: Instant?
  package var isCancelled = false

  package init(filter: DeliveryFilter, ratePerSecond: Int64, created: Instant, last: Int64) {
    self.filter = filter
    self.ratePerSecond = ratePerSecond
    self.created = created
    self.last = last
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 96)
    writer.byte(1)
    for text in [filter.status, filter.destination, filter.type] {
      writer.byte(text == nil ? 0 : 1)
      if let text { writer.counted(text) }
    }
    for number in [
      filter.subject, filter.since?.milliseconds, filter.until?.milliseconds, filter.from, filter.to,
      ended?.milliseconds,
    ] {
      writer.byte(number == nil ? 0 : 1)
      if let number { writer.signed(number) }
    }
    for number in [ratePerSecond, created.milliseconds, position, last, sent] { writer.signed(number) }
    writer.byte(isCancelled ? 1 : 0)
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let found: ReplayRow? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      var filter = DeliveryFilter()
      filter.status = reader.byte() == 1 ? reader.text() : nil
      filter.destination = reader.byte() == 1 ? reader.text() : nil
      filter.type = reader.byte() == 1 ? reader.text() : nil
      filter.subject = reader.byte() == 1 ? reader.signed() : nil
      filter.since = reader.byte() == 1 ? Instant(milliseconds: reader.signed()) : nil
      filter.until = reader.byte() == 1 ? Instant(milliseconds: reader.signed()) : nil
      filter.from = reader.byte() == 1 ? reader.signed() : nil
      filter.to = reader.byte() == 1 ? reader.signed() : nil
      let ended = reader.byte() == 1 ? Instant(milliseconds: reader.signed()) : nil
      let rate = reader.signed()
      var row = ReplayRow(filter: filter, ratePerSecond: rate, created: Instant(milliseconds: reader.signed()), last: 0)
      row.position = reader.signed()
      row.last = reader.signed()
      row.sent = reader.signed()
      row.ended = ended
      row.isCancelled = reader.byte() == 1
      return reader.failed ? nil : row
    }
    guard let found else { return nil }
    self = found
  }
}
