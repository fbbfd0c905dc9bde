// Events as they are appended: several of one commit in one stretch of bytes, which becomes one row.
// A row of its own for each event would cost the store more than all its bytes do.
//
// Thread: values, filled by a lane, joined by the store. Promise: an entry says everything about its
// event, so that packs can be joined by joining their bytes; a pack never spans more than `span` numbers.

package import Basics

package struct EventPack: Sendable {
  /// The lowest and the highest number inside. Lanes may have packs between them that overlap.
  package private(set) var first: Int64
  package private(set) var last: Int64
  package private(set) var count = 0
  /// When the newest of them was received.
  package private(set) var received: Instant
  private var writer: PackedWriter

  /// From one number on a pack is looked for among so many below it.
  package static let span: Int64 = 1_024
  /// Larger packs would make it slower to read a single event, smaller ones to write them.
  package static let events = 32
  package static let bytes = 16 * 1_024
  private static let format: UInt8 = 1

  package var packed: [UInt8] { writer.bytes }

  fileprivate init(startingWith row: EventRow, capacity: Int) {
    first = row.number
    last = row.number
    received = row.received
    writer = PackedWriter(capacity: max(capacity, row.body.count + 96))
    writer.byte(EventPack.format)
  }

  fileprivate func takes(_ first: Int64, _ last: Int64, count: Int, bytes: Int) -> Bool {
    self.count + count <= EventPack.events && writer.bytes.count + bytes <= EventPack.bytes
      && max(self.last, last) - min(self.first, first) < EventPack.span
  }

  fileprivate mutating func append(_ row: EventRow) {
    widen(row.number, row.number, row.received)
    count += 1
    writer.signed(row.number)
    writer.signed(row.subject)
    writer.signed(row.previous)
    writer.signed(row.received.milliseconds)
    writer.signed(row.cause)
    writer.integer(row.depth)
    writer.counted(row.source)
    writer.counted(row.name)
    writer.counted(row.body)
  }

  fileprivate mutating func append(contentsOf other: EventPack) {
    widen(other.first, other.last, other.received)
    count += other.count
    writer.bytes.append(contentsOf: other.writer.bytes[1...])
  }

  private mutating func widen(_ first: Int64, _ last: Int64, _ received: Instant) {
    self.first = min(self.first, first)
    self.last = max(self.last, last)
    self.received = max(self.received, received)
  }
}

/// The packs of a step or of a group.
package struct EventPacks: Sendable {
  package private(set) var packs: [EventPack] = []

  package init() {}
  package init(_ rows: [EventRow]) { for row in rows { append(row) } }

  package var isEmpty: Bool { packs.isEmpty }
  package var count: Int { packs.reduce(0) { $0 + $1.count } }

  package mutating func append(_ row: EventRow) {
    let newest = packs.count - 1
    if newest < 0 || !packs[newest].takes(row.number, row.number, count: 1, bytes: row.body.count + 96) {
      // Where one pack is full the next one will be.
      packs.append(EventPack(startingWith: row, capacity: newest < 0 ? 0 : packs[newest].packed.count))
    }
    packs[packs.count - 1].append(row)
  }

  /// What several steps decided becomes as few rows as possible.
  package mutating func append(contentsOf others: EventPacks) {
    for pack in others.packs {
      let newest = packs.count - 1
      if newest >= 0, packs[newest].takes(pack.first, pack.last, count: pack.count, bytes: pack.packed.count) {
        packs[newest].append(contentsOf: pack)
      } else {
        packs.append(pack)
      }
    }
  }

  /// All events, as they were appended.
  package var rows: [EventRow] { packs.flatMap { EventPack.unpack($0.packed) } }
}

extension EventPack {
  /// The events of a stored pack; nothing where it cannot be read.
  package static func unpack(_ packed: [UInt8]) -> [EventRow] {
    var rows: [EventRow] = []
    walk(packed) { number, reader in
      rows.append(row(number, &reader))
      return !reader.failed
    }
    return rows
  }

  /// One event of a stored pack.
  package static func find(_ wanted: Int64, in packed: [UInt8]) -> EventRow? {
    var found: EventRow?
    walk(packed) { number, reader in
      if number == wanted {
        let row = row(number, &reader)
        if !reader.failed { found = row }
        return false
      }
      for _ in 0..<5 { _ = reader.signed() }
      for _ in 0..<3 { reader.skipCounted() }
      return true
    }
    return found
  }

  /// Calls `body` behind the number of each event until it says false.
  private static func walk(_ packed: [UInt8], _ body: (Int64, inout PackedReader) -> Bool) {
    PackedReader.read(packed) { reader in
      guard reader.byte() == format else { return }
      while !reader.atEnd {
        let number = reader.signed()
        guard body(number, &reader) else { return }
      }
    }
  }

  private static func row(_ number: Int64, _ reader: inout PackedReader) -> EventRow {
    let subject = reader.signed()
    let previous = reader.signed()
    let received = Instant(milliseconds: reader.signed())
    let cause = reader.signed()
    let depth = reader.integer()
    let source = reader.text()
    let name = reader.text()
    return EventRow(
      number: number, subject: subject, previous: previous, received: received, source: source, name: name,
      cause: cause, depth: depth, body: reader.counted())
  }
}
