// Who met a rule that has a goal, on which side, and what became of it; and how many that are.
//
// Thread: values. Promise: every row begins with its format number; what belongs to one subject is found by the
// subject, and the counts tell of nobody.

package import Basics
package import Model

/// Who is on a side because of what. Both may be true.
package struct LiftSides: OptionSet, Sendable, Hashable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  /// The rule holds this subject out.
  package static let rule = LiftSides(rawValue: 1)
  /// The configuration holds it out of all rules.
  package static let all = LiftSides(rawValue: 2)
}

/// How many of ten thousand are held out.
package struct LiftShares: Sendable, Hashable {
  package var rule: Int
  package var all: Int

  package init(rule: Int, all: Int) {
    self.rule = rule
    self.all = all
  }

  package static let nobody = LiftShares(rule: 0, all: 0)

  /// Of all, by either.
  package var heldOut: Double { 1 - (1 - Double(rule) / 10_000) * (1 - Double(all) / 10_000) }
}

/// What is counted. Another goal, another time or another share is another count.
package struct LiftDefinition: Sendable, Hashable {
  package var goal: String
  /// Where the goal's event carries the rule's key; "": where the rule's events do.
  package var path: String
  /// The rule's key in words; "": the subject.
  package var key: String
  package var withinMilliseconds: Int64?
  /// "user", "account" or a kind of thing.
  package var per: String
  package var shares: LiftShares

  package init(
    goal: String, path: String, key: String, withinMilliseconds: Int64?, per: String, shares: LiftShares
  ) {
    self.goal = goal
    self.path = path
    self.key = key
    self.withinMilliseconds = withinMilliseconds
    self.per = per
    self.shares = shares
  }
}

/// The counts of one rule in one lane.
package struct ArmsRow: Sendable, Equatable {
  package var definition: LiftDefinition
  /// When this count began, the same in all lanes; it tells it from earlier ones of the same definition.
  package var since: Instant
  package var sent = LiftSide()
  package var heldOut = LiftSide()
  /// There is no such rule with a goal any more; what was counted stays to be read.
  package var isGone = false

  package init(_ definition: LiftDefinition, since: Instant) {
    self.definition = definition
    self.since = since
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 64)
    writer.byte(1)
    writer.counted(definition.goal)
    writer.counted(definition.path)
    writer.counted(definition.key)
    writer.signed(definition.withinMilliseconds ?? -1)
    writer.counted(definition.per)
    writer.integer(definition.shares.rule)
    writer.integer(definition.shares.all)
    writer.signed(since.milliseconds)
    for side in [sent, heldOut] {
      writer.integer(side.subjects)
      writer.integer(side.converted)
    }
    if isGone { writer.byte(1) }
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let found: ArmsRow? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      let goal = reader.text()
      let path = reader.text()
      let key = reader.text()
      let within = reader.signed()
      let per = reader.text()
      let rule = reader.integer()
      let shares = LiftShares(rule: rule, all: reader.integer())
      let definition = LiftDefinition(
        goal: goal, path: path, key: key, withinMilliseconds: within < 0 ? nil : within, per: per, shares: shares)
      var row = ArmsRow(definition, since: Instant(milliseconds: reader.signed()))
      row.sent.subjects = reader.integer()
      row.sent.converted = reader.integer()
      row.heldOut.subjects = reader.integer()
      row.heldOut.converted = reader.integer()
      row.isGone = !reader.atEnd && reader.byte() == 1
      return reader.failed ? nil : row
    }
    guard let found else { return nil }
    self = found
  }
}

/// One subject and one rule with a goal.
package struct ExposureRow: Sendable, Equatable {
  package var sides: LiftSides
  /// The shares when its side was drawn; nil: it met the rule again when that hold-out had ended, and stands for
  /// neither side any more.
  package var shares: LiftShares?
  /// The count it belongs to, by when that began.
  package var since: Instant
  package var at: Instant
  /// The rule's key when it met it.
  package var key: String
  /// When it reached the goal.
  package var converted: Instant?

  package init(sides: LiftSides, shares: LiftShares?, since: Instant, at: Instant, key: String) {
    self.sides = sides
    self.shares = shares
    self.since = since
    self.at = at
    self.key = key
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: 32 + key.utf8.count)
    writer.byte(1)
    writer.byte(sides.rawValue | (shares == nil ? 0 : 4) | (converted == nil ? 0 : 8))
    if let shares {
      writer.integer(shares.rule)
      writer.integer(shares.all)
    }
    writer.signed(since.milliseconds)
    writer.signed(at - since)
    writer.counted(key)
    if let converted { writer.signed(converted - at) }
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    let found: ExposureRow? = PackedReader.read(bytes) { reader in
      guard reader.byte() == 1 else { return nil }
      let flags = reader.byte()
      var shares: LiftShares?
      if flags & 4 != 0 {
        let rule = reader.integer()
        shares = LiftShares(rule: rule, all: reader.integer())
      }
      let since = Instant(milliseconds: reader.signed())
      let at = Instant(milliseconds: since.milliseconds &+ reader.signed())
      var row = ExposureRow(
        sides: LiftSides(rawValue: flags & 3), shares: shares, since: since, at: at, key: reader.text())
      if flags & 8 != 0 { row.converted = Instant(milliseconds: at.milliseconds &+ reader.signed()) }
      return reader.failed ? nil : row
    }
    guard let found else { return nil }
    self = found
  }
}
