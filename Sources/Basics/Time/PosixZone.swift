// The rule for the future at the end of a zone file: a POSIX TZ text such as
// "CET-1CEST,M3.5.0,M10.5.0/3", with the extension that times may reach from -167 to 167 hours.
//
// Thread: a value. Promise: any text that is not exactly such a rule is nil.

struct PosixZone: Sendable, Equatable {
  /// A day of the year and a time on its clock.
  private struct Turn: Sendable, Equatable {
    enum Day: Sendable, Equatable {
      /// 1 to 365; February 29 is never counted.
      case julian(Int)
      /// 0 to 365; February 29 is counted.
      case ordinal(Int)
      /// The `week`th such weekday of the month; week 5 is the last.
      case weekday(month: Int, week: Int, day: Int)
    }
    var day: Day
    var seconds: Int

    /// Local seconds since 1970 of this turn in that year.
    func localSeconds(in year: Int) -> Int {
      let newYear = CivilDate.daysSinceEpoch(year: year, month: 1, day: 1)
      switch day {
      case .julian(let number):
        let afterLeapDay = CivilDate.isLeap(year: year) && number >= 60 ? 1 : 0
        return (newYear + number - 1 + afterLeapDay) * 86_400 + seconds
      case .ordinal(let number): return (newYear + number) * 86_400 + seconds
      case .weekday(let month, let week, let day):
        let first = CivilDate.daysSinceEpoch(year: year, month: month, day: 1)
        let ahead = (day - CivilDate.weekday(daysSinceEpoch: first) + 7) % 7
        let length = CivilDate.days(inMonth: month, ofYear: year)
        var date = ahead + (week - 1) * 7
        if date >= length { date -= 7 }
        return (first + date) * 86_400 + seconds
      }
    }
  }

  let standard: ZonePeriod
  private let saving: (period: ZonePeriod, begins: Turn, ends: Turn)?

  static func == (left: PosixZone, right: PosixZone) -> Bool {
    left.standard == right.standard && left.saving?.period == right.saving?.period
      && left.saving?.begins == right.saving?.begins && left.saving?.ends == right.saving?.ends
  }

  func period(atSeconds seconds: Int64) -> ZonePeriod {
    guard saving != nil else { return standard }
    return turns(around: seconds).last { $0.at <= seconds }?.period ?? standard
  }

  func nextTransition(afterSeconds seconds: Int64) -> (at: Int64, period: ZonePeriod)? {
    turns(around: seconds).first { $0.at > seconds }
  }

  /// The turns of the year, the one before and two after, in order: enough for any moment near a New
  /// Year, also in zones that count the other half of the world's summer.
  private func turns(around seconds: Int64) -> [(at: Int64, period: ZonePeriod)] {
    guard let saving else { return [] }
    let year = CivilTime(localMilliseconds: (seconds + Int64(standard.offsetSeconds)) * 1000).date.year
    var found: [(at: Int64, period: ZonePeriod)] = []
    for year in (year - 1)...(year + 2) {
      found.append((Int64(saving.begins.localSeconds(in: year) - standard.offsetSeconds), saving.period))
      found.append((Int64(saving.ends.localSeconds(in: year) - saving.period.offsetSeconds), standard))
    }
    // Where one period ends as the next one of its kind begins, it never ends; the later entry counts.
    return found.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
  }

  // MARK: Reading

  init?(_ text: some Collection<UInt8>) {
    var scanner = Scanner(Array(text))
    guard let name = scanner.name(), let west = scanner.seconds(hours: 0...24) else { return nil }
    standard = ZonePeriod(offsetSeconds: -west, isDaylightSaving: false, abbreviation: name)
    if scanner.isAtEnd {
      saving = nil
      return
    }
    guard let savingName = scanner.name() else { return nil }
    var savingOffset = standard.offsetSeconds + 3600
    if scanner.peek != UInt8(ascii: ",") {
      guard let west = scanner.seconds(hours: 0...24) else { return nil }
      savingOffset = -west
    }
    guard let begins = PosixZone.turn(&scanner), let ends = PosixZone.turn(&scanner), scanner.isAtEnd else {
      return nil
    }
    let period = ZonePeriod(offsetSeconds: savingOffset, isDaylightSaving: true, abbreviation: savingName)
    saving = (period, begins, ends)
  }

  private static func turn(_ scanner: inout Scanner) -> Turn? {
    guard scanner.take(","), let day = day(&scanner) else { return nil }
    guard scanner.take("/") else { return Turn(day: day, seconds: 7200) }
    return scanner.seconds(hours: 0...167).map { Turn(day: day, seconds: $0) }
  }

  private static func day(_ scanner: inout Scanner) -> Turn.Day? {
    if scanner.take("J") { return scanner.number(in: 1...365).map { .julian($0) } }
    guard scanner.take("M") else { return scanner.number(in: 0...365).map { .ordinal($0) } }
    guard let month = scanner.number(in: 1...12), scanner.take("."), let week = scanner.number(in: 1...5),
      scanner.take("."), let day = scanner.number(in: 0...6)
    else { return nil }
    return .weekday(month: month, week: week, day: day)
  }

  private struct Scanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }
    var peek: UInt8? { isAtEnd ? nil : bytes[position] }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard peek == UInt8(ascii: character) else { return false }
      position += 1
      return true
    }

    /// Letters, or anything of letters, digits and signs between angle brackets.
    mutating func name() -> String? {
      let isQuoted = take("<")
      let start = position
      while let byte = peek, isLetter(byte) || (isQuoted && (isDigit(byte) || byte == 0x2B || byte == 0x2D)) {
        position += 1
      }
      let name = String(decoding: bytes[start..<position], as: UTF8.self)
      guard (3...31).contains(name.utf8.count), !isQuoted || take(">") else { return nil }
      return name
    }

    /// [+-]h[:m[:s]] in seconds; the limit is on the hours.
    mutating func seconds(hours: ClosedRange<Int>) -> Int? {
      let sign = take("-") ? -1 : 1
      if sign == 1 { _ = take("+") }
      guard let whole = number(in: hours) else { return nil }
      var total = whole * 3600
      guard take(":") else { return sign * total }
      guard let minutes = number(in: 0...59) else { return nil }
      total += minutes * 60
      guard take(":") else { return sign * total }
      guard let rest = number(in: 0...59) else { return nil }
      return sign * (total + rest)
    }

    mutating func number(in range: ClosedRange<Int>) -> Int? {
      let start = position
      var value = 0
      while let byte = peek, isDigit(byte), position - start < 4 {
        value = value * 10 + Int(byte - 0x30)
        position += 1
      }
      return position > start && range.contains(value) ? value : nil
    }

    private func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
    private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
  }
}
