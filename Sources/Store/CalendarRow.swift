// The newest version of a calendar file, under its link.
//
// Thread: values. Promise: damaged bytes are as if nothing had been there.

package import Basics

package struct CalendarRow: Sendable, Equatable {
  package var ends: Instant
  package var text: String

  package init(ends: Instant, text: String) {
    self.ends = ends
    self.text = text
  }

  package static func key(_ id: Hash128) -> RowKey {
    RowKey(.calendar, Int64(bitPattern: id.high), Int64(bitPattern: id.low))
  }

  package init?(_ packed: [UInt8]) {
    let found: CalendarRow? = PackedReader.read(packed) { reader in
      let ends = Instant(milliseconds: reader.signed())
      let text = String(decoding: reader.counted(), as: UTF8.self)
      return reader.failed ? nil : CalendarRow(ends: ends, text: text)
    }
    guard let found else { return nil }
    self = found
  }

  package var packed: [UInt8] {
    var writer = PackedWriter(capacity: text.utf8.count + 16)
    writer.signed(ends.milliseconds)
    writer.counted(Array(text.utf8))
    return writer.bytes
  }
}
