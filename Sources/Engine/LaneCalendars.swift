// Calendar files of rules: made with the zones of the lane, kept under links that nobody can guess.
//
// Thread: the lane's. Promise: one entry has one link, whatever version of it is kept.

internal import Basics
internal import Documents
internal import Model
internal import Rules
internal import Store

final class LaneCalendarMaker: CalendarMaker {
  private let zones: ZoneShelf
  private let hash: KeyedHash
  weak var lane: Lane?

  init(zones: ZoneShelf, hash: KeyedHash) {
    self.zones = zones
    self.hash = hash
  }

  func page(_ entry: CalendarEntry, now: Instant) -> CalendarPage? {
    let isUTC = entry.zone.isEmpty || entry.zone == "UTC"
    let zone = isUTC ? nil : zones.zone(entry.zone)
    if !isUTC, zone == nil { return nil }
    let id = hash.hash(Array("calendar\u{0}\(entry.uid)".utf8))
    return CalendarPage(
      id: id, link: "\(lane?.book.publicURL ?? "")/calendars/\(id.hex).ics",
      text: CalendarFile.text(entry, zone: zone, now: now),
      ends: entry.ends)
  }
}

extension Lane {
  func keep(_ page: CalendarPage, now: Instant) {
    let key = CalendarRow.key(page.id)
    out.changes.append(key, CalendarRow(ends: page.ends, text: page.text).packed)
    dropOver(near: key, now: now)
  }

  /// Nobody asks for an entry that was over long ago. Ids are spread evenly, so that whoever writes one clears a few
  /// behind it: then at most a third of all are old, and no walk through the table is needed.
  private func dropOver(near key: RowKey, now: Instant) {
    let end = RowKey(.calendar, .max, .max)
    // A store that cannot be read says so where something depends on it.
    guard let rows = try? reader.rows(from: key, to: end, limit: 5) else { return }
    for row in rows where row.key != key {
      guard let old = row.value.flatMap({ CalendarRow($0) }), now - old.ends > Limits.calendarKeptMilliseconds else {
        continue
      }
      out.changes.append(row.key, nil)
    }
  }
}
