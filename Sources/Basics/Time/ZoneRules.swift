// One time zone: which offset held or will hold at a moment, and which moment a clock on the wall means.
// Read from the compiled files of the tz database (RFC 8536, versions 1 to 4).
//
// Thread: immutable values. Promise: no bytes whatever make it crash; a wall-clock time in a gap is the
// first moment after it, one that comes twice is the first of the two.

package struct ZoneError: Error, Sendable, Equatable, CustomStringConvertible {
  package var description: String

  package init(description: String) { self.description = description }
}

/// What holds between two changes of a zone's clocks.
package struct ZonePeriod: Sendable, Hashable {
  /// East of Greenwich.
  package var offsetSeconds: Int
  package var isDaylightSaving: Bool
  package var abbreviation: String

  package init(offsetSeconds: Int, isDaylightSaving: Bool, abbreviation: String) {
    self.offsetSeconds = offsetSeconds
    self.isDaylightSaving = isDaylightSaving
    self.abbreviation = abbreviation
  }
}

package struct ZoneRules: Sendable {
  package enum Reading: Sendable, Equatable { case exact, gap, overlap }

  package let name: String
  fileprivate let changes: [Int64]
  /// What begins with each change, as a position in `periods`.
  fileprivate let begins: [UInt8]
  fileprivate let periods: [ZonePeriod]
  fileprivate let future: PosixZone?

  package static let utc = ZoneRules(
    name: "UTC", changes: [], begins: [],
    periods: [ZonePeriod(offsetSeconds: 0, isDaylightSaving: false, abbreviation: "UTC")], future: nil)

  fileprivate init(name: String, changes: [Int64], begins: [UInt8], periods: [ZonePeriod], future: PosixZone?) {
    self.name = name
    self.changes = changes
    self.begins = begins
    self.periods = periods
    self.future = future
  }

  package init(name: String, file: [UInt8]) throws(ZoneError) {
    self = try ZoneFile.read(name: name, file)
  }

  package func offsetSeconds(at instant: Instant) -> Int { period(at: instant).offsetSeconds }

  package func period(at instant: Instant) -> ZonePeriod { period(atSeconds: ZoneRules.seconds(instant)) }

  package func civil(at instant: Instant) -> CivilTime {
    let clamped = min(max(instant.milliseconds, -ZoneRules.furthest), ZoneRules.furthest)
    return CivilTime(localMilliseconds: clamped + Int64(offsetSeconds(at: instant)) * 1000)
  }

  /// The next moment at which the clocks of this zone change.
  package func nextChange(after instant: Instant) -> Instant? {
    nextChange(afterSeconds: ZoneRules.seconds(instant)).map { Instant(milliseconds: $0.at * 1000) }
  }

  /// The moment that a clock on the wall means.
  package func instant(of civil: CivilTime) -> Instant { resolve(civil).instant }

  package func resolve(_ civil: CivilTime) -> (instant: Instant, reading: Reading) {
    let (local, fraction) = CivilTime.floorDivide(civil.localMilliseconds, 1000)
    var start = local - ZoneRules.window
    var period = period(atSeconds: start)
    var first: Int64?
    var afterGap: Int64?
    while start <= local + ZoneRules.window {
      let next = nextChange(afterSeconds: start)
      let end = next?.at ?? Int64.max
      let candidate = local - Int64(period.offsetSeconds)
      if candidate >= start, candidate < end {
        if let first { return (Instant(milliseconds: first * 1000 + fraction), .overlap) }
        first = candidate
      }
      guard let next else { break }
      // The clocks jump over it here; a change that jumps back cannot.
      if candidate >= end, local - Int64(next.period.offsetSeconds) < end { afterGap = afterGap ?? end }
      start = next.at
      period = next.period
    }
    if let first { return (Instant(milliseconds: first * 1000 + fraction), .exact) }
    return (Instant(milliseconds: (afterGap ?? local) * 1000), .gap)
  }

  /// More than any offset and any jump, in seconds: a wall-clock time is never further from its moment.
  private static let window: Int64 = 200_000

  private static func seconds(_ instant: Instant) -> Int64 {
    CivilTime.floorDivide(min(max(instant.milliseconds, -furthest), furthest), 1000).quotient
  }
  /// Milliseconds. Far beyond any calendar the sums would no longer fit.
  fileprivate static let furthest: Int64 = 30_000_000_000_000_000

  private func period(atSeconds seconds: Int64) -> ZonePeriod {
    guard let last = changes.last, seconds < last else {
      if let future { return future.period(atSeconds: seconds) }
      return periods[Int(begins.last ?? 0)]
    }
    let after = position(after: seconds)
    return after == 0 ? periods[0] : periods[Int(begins[after - 1])]
  }

  private func nextChange(afterSeconds seconds: Int64) -> (at: Int64, period: ZonePeriod)? {
    let next = position(after: seconds)
    if next < changes.count { return (changes[next], period(atSeconds: changes[next])) }
    return future?.nextTransition(afterSeconds: seconds)
  }

  /// How many changes lie at or before that second.
  private func position(after seconds: Int64) -> Int {
    var low = 0
    var high = changes.count
    while low < high {
      let middle = (low + high) / 2
      if changes[middle] <= seconds { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

/// The layout of a compiled zone file.
private enum ZoneFile {
  private static let headBytes = 44
  private static let mostChanges = 4096

  private struct Counts {
    var utc: Int, standard: Int, leaps: Int, changes: Int, periods: Int, names: Int

    func bytes(timeBytes: Int) -> Int {
      changes * (timeBytes + 1) + periods * 6 + names + leaps * (timeBytes + 4) + standard + utc
    }
  }

  static func read(name: String, _ file: [UInt8]) throws(ZoneError) -> ZoneRules {
    let first = try counts(name, file, at: 0)
    if file[4] < UInt8(ascii: "2") { return try rules(name, file, first, at: headBytes, timeBytes: 4, footer: nil) }
    // Newer files say everything twice; the second time with 64 bits.
    let second = headBytes + first.bytes(timeBytes: 4)
    let counts = try counts(name, file, at: second)
    let start = second + headBytes
    let end = start + counts.bytes(timeBytes: 8)
    guard end < file.count, file[end] == 0x0A, let close = file[(end + 1)...].firstIndex(of: 0x0A) else {
      throw broken(name, "its end is missing")
    }
    return try rules(name, file, counts, at: start, timeBytes: 8, footer: file[(end + 1)..<close])
  }

  private static func broken(_ name: String, _ reason: String) -> ZoneError {
    ZoneError(description: "the file of the time zone \"\(name)\" cannot be read: \(reason)")
  }

  private static func counts(_ name: String, _ file: [UInt8], at start: Int) throws(ZoneError) -> Counts {
    guard start + headBytes <= file.count, file[start..<(start + 4)].elementsEqual("TZif".utf8) else {
      throw broken(name, "it does not begin with \"TZif\"")
    }
    func count(_ position: Int) -> Int { Int(integer(file, start + 20 + position * 4, bytes: 4) & 0xffff_ffff) }
    let counts = Counts(
      utc: count(0), standard: count(1), leaps: count(2), changes: count(3), periods: count(4), names: count(5))
    guard counts.changes <= mostChanges, (1...256).contains(counts.periods), counts.names <= 4096 else {
      throw broken(name, "its counts are out of range")
    }
    guard counts.leaps <= 1000, counts.standard <= counts.periods, counts.utc <= counts.periods else {
      throw broken(name, "its counts are out of range")
    }
    return counts
  }

  /// Big-endian, with its sign.
  private static func integer(_ file: [UInt8], _ start: Int, bytes: Int) -> Int64 {
    var value: Int64 = bytes > 0 && file[start] >= 0x80 ? -1 : 0
    for position in start..<(start + bytes) { value = value << 8 | Int64(file[position]) }
    return value
  }

  private static func rules(
    _ name: String, _ file: [UInt8], _ counts: Counts, at start: Int, timeBytes: Int, footer: ArraySlice<UInt8>?
  ) throws(ZoneError) -> ZoneRules {
    guard start + counts.bytes(timeBytes: timeBytes) <= file.count else { throw broken(name, "it is too short") }
    guard counts.leaps == 0 else { throw broken(name, "it counts leap seconds, which civil time does not") }
    let begins = Array(file[(start + counts.changes * timeBytes)...].prefix(counts.changes))
    guard begins.allSatisfy({ Int($0) < counts.periods }) else { throw broken(name, "a change leads nowhere") }
    // Some files begin with a marker at the beginning of time.
    let earliest = -ZoneRules.furthest / 1000
    let changes = (0..<counts.changes).map { max(earliest, integer(file, start + $0 * timeBytes, bytes: timeBytes)) }
    guard zip(changes, changes.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw broken(name, "its changes are not in order")
    }
    guard changes.last ?? 0 <= -earliest else { throw broken(name, "a change lies beyond all time") }
    let periods = try periods(name, file, counts, at: start + counts.changes * (timeBytes + 1))
    var future: PosixZone?
    if let footer, !footer.isEmpty {
      guard let rule = PosixZone(footer) else { throw broken(name, "its rule for the future is not understood") }
      future = rule
    }
    return written(ZoneRules(name: name, changes: changes, begins: begins, periods: periods, future: future))
  }

  private static let year2100: Int64 = 4_102_444_800

  /// The same zone with its rule for the future written out for this century: looking a change up
  /// costs 10 ns, working it out nearly a thousand.
  private static func written(_ zone: ZoneRules) -> ZoneRules {
    guard let future = zone.future, let last = zone.changes.last, last > 0 else { return zone }
    var (changes, begins, periods) = (zone.changes, zone.begins, zone.periods)
    while let next = future.nextTransition(afterSeconds: changes[changes.count - 1]), next.at < year2100 {
      let known = periods.firstIndex(of: next.period)
      if known == nil { periods.append(next.period) }
      guard let begin = UInt8(exactly: known ?? periods.count - 1) else { return zone }
      changes.append(next.at)
      begins.append(begin)
    }
    return ZoneRules(name: zone.name, changes: changes, begins: begins, periods: periods, future: future)
  }

  private static func periods(
    _ name: String, _ file: [UInt8], _ counts: Counts, at start: Int
  ) throws(ZoneError) -> [ZonePeriod] {
    let names = file[(start + counts.periods * 6)...].prefix(counts.names)
    var periods: [ZonePeriod] = []
    for position in 0..<counts.periods {
      let entry = start + position * 6
      let offset = integer(file, entry, bytes: 4)
      guard (-93_600...93_600).contains(offset), Int(file[entry + 5]) < max(1, counts.names) else {
        throw broken(name, "an offset is out of range")
      }
      let abbreviation = names.dropFirst(Int(file[entry + 5])).prefix { $0 != 0 }
      periods.append(
        ZonePeriod(
          offsetSeconds: Int(offset), isDaylightSaving: file[entry + 4] != 0,
          abbreviation: String(decoding: abbreviation, as: UTF8.self)))
    }
    return periods
  }
}
