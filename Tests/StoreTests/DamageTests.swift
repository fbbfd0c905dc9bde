// Packed rows of runs with bits turned, bytes cut out, doubled and made up: what is read is a value or
// nothing.
//
// Thread: the test's own. Promise: the same seed makes the same damage; NUDGED_FUZZ_ROUNDS sets how much.

import Basics
import Glibc
import Model
import Store
import Testing

@Suite struct DamageFuzzTests {
  private static let rounds = getenv("NUDGED_FUZZ_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 30_000

  static func run() -> RunRow {
    var row = RunRow(
      number: 7, subject: 1_026, rule: 3, version: 9, event: 44, seed: Hash128(high: 5, low: 6), depth: 2, key: "in_1",
      started: Instant(milliseconds: 1_700_000_000_000))
    row.wait = Wait(
      kind: .waitAny, until: Instant(milliseconds: 1_700_000_900_000), names: ["paid", "voided"],
      subject: SubjectReference("webinar:w7"), line: 12)
    row.reason = "why"
    row.line = 3
    row.entriesBefore = 40
    row.randoms = 9
    row.saved = Array(#"{"day":3}"#.utf8)
    row.heard = [Heard(number: 50, name: 1, isOwn: true), Heard(number: 61, name: 0, isOwn: false)]
    row.pending = .reply(Array(#"{"ok":true}"#.utf8))
    row.listening = [SubjectReference(namespace: "webinar", id: "w7")]
    row.gathered = Gathered(
      numbers: [40, 41, 44], count: 3, most: 10, until: Instant(milliseconds: 1_700_000_600_000))
    row.effects = 5
    row.journal = journal()
    return row
  }

  /// A run that waits for a date, after one that has come.
  static func planned() -> RunRow {
    var row = run()
    var wait = Wait(kind: .waitUntil, until: Instant(milliseconds: 1_700_000_900_000), line: 4)
    wait.subject = SubjectReference(namespace: "webinar", id: "w7")
    var plan = DatePlan(
      path: "data.starts_at", lead: .calendar(days: 1, hour: 18, minute: 30, zone: "Europe/Berlin"),
      moved: ["webinar.rescheduled"], cancelled: ["webinar.cancelled", "webinar.deleted"], late: .send)
    plan.date = "2023-11-15T18:00:00Z"
    plan.by = 61
    plan.isLate = true
    wait.plan = plan
    row.wait = wait
    row.pending = .date("2023-11-15T18:00:00Z", isLate: true)
    row.journal.append(
      JournalPart(
        trigger: .date("2023-11-14T18:00:00Z", isLate: false), now: Instant(milliseconds: 1_700_000_300_000),
        reads: ActivationReads(), entries: [JournalEntry(.waitUntil, hash: 4, settledBy: 61)]))
    return row
  }

  static func journal() -> Journal {
    var journal = Journal()
    let reads = ActivationReads(
      customerID: "ada", account: "acme", traits: Array(#"{"plan":"pro"}"#.utf8), state: Array(#"{"n":1}"#.utf8))
    journal.append(
      JournalPart(
        trigger: .start, now: Instant(milliseconds: 1_700_000_000_000), reads: reads,
        entries: [JournalEntry(.send, hash: 77), JournalEntry(.waitFor, hash: 5, settledBy: 48), JournalEntry(.wait)]))
    journal.append(
      JournalPart(
        trigger: .timer, now: Instant(milliseconds: 1_700_000_100_000), reads: reads,
        entries: [JournalEntry(.call, hash: 1)]))
    journal.append(
      JournalPart(
        trigger: .reply(Array(#"{"ok":true}"#.utf8)), now: Instant(milliseconds: 1_700_000_200_000),
        reads: ActivationReads(), entries: [JournalEntry(.log), JournalEntry(.waitAny, hash: 4)]))
    return journal
  }

  private static func damage(_ bytes: [UInt8], _ random: inout SeededRandom) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.next(below: 4) where !bytes.isEmpty {
      let place = Int(random.next(below: UInt64(bytes.count)))
      switch random.next(below: 6) {
      case 0: bytes[place] ^= 1 << UInt8(random.next(below: 8))
      case 1: bytes[place] = UInt8(truncatingIfNeeded: random.next())
      case 2: bytes.removeSubrange(place...)
      case 3: bytes.insert(contentsOf: Array(repeating: 0xFF, count: Int(1 + random.next(below: 10))), at: place)
      case 4: bytes.remove(at: place)
      default: bytes.append(contentsOf: bytes[place...].prefix(8))
      }
    }
    return bytes
  }

  /// What reads the damaged bytes also writes what it has read, and reads that again.
  private static func visit(_ seed: UInt64, _ bytes: [UInt8], _ body: ([UInt8]) -> Bool) -> Int {
    var random = SeededRandom(seed: seed)
    var read = 0
    for _ in 0..<rounds { read += body(damage(bytes, &random)) ? 1 : 0 }
    return read
  }

  @Test(arguments: [DamageFuzzTests.run(), DamageFuzzTests.planned()])
  func `a damaged run is a run or nothing, and what was read is written and read again as the same`(whole: RunRow) {
    #expect(RunRow(number: 7, whole.packed) == whole)
    let read = DamageFuzzTests.visit(11, whole.packed) { bytes in
      let stored = RunRow.stored(number: 7, bytes)
      guard let row = RunRow(number: 7, bytes) else {
        #expect(stored.status == .parked && stored.reason == RunRow.unreadableReason)
        return false
      }
      #expect(RunRow(number: 7, row.packed) == row)
      _ = row.due
      _ = row.journal.entryCount + row.entriesBefore + row.effects + row.depth + row.line
      return true
    }
    #expect(read > 0 && read < DamageFuzzTests.rounds)
  }

  @Test(arguments: [[], ["data.at"]])
  func `a damaged listener is a listener or nothing`(paths: [String]) {
    var whole = RunListener(run: 7, subject: 9, after: 44, names: ["webinar.rescheduled"])
    whole.paths = paths
    if !paths.isEmpty { whole.ends = ["webinar.cancelled"] }
    #expect(RunListener(whole.packed) == whole)
    _ = DamageFuzzTests.visit(13, whole.packed) { bytes in
      guard let listener = RunListener(bytes) else { return false }
      #expect(RunListener(listener.packed)?.names == listener.names)
      return true
    }
  }

  @Test func `a row of a program without dates reads as it was meant`() throws {
    // A run that sleeps in wait_until, as it stood before a wait could have a plan.
    let hex = "01060606580500000000000000060000000000000080a0abfef96201108780f0b25208000002000000024704030201"
    let bytes = stride(from: 0, to: hex.count, by: 2).map { place in
      UInt8(hex.dropFirst(place).prefix(2), radix: 16) ?? 0
    }
    let row = try #require(RunRow(number: 1, bytes))
    #expect(row.wait?.kind == .waitUntil && row.wait?.plan == nil)
    #expect(row.packed == bytes)
  }

  @Test func `a damaged journal is a journal or nothing`() {
    let since = Instant(milliseconds: 1_700_000_000_000)
    var writer = PackedWriter()
    DamageFuzzTests.journal().pack(since: since, into: &writer)
    let read = DamageFuzzTests.visit(12, writer.bytes) { bytes in
      guard let journal = PackedReader.read(bytes, { Journal.unpack(&$0, since: since) }) else { return false }
      var again = PackedWriter()
      journal.pack(since: since, into: &again)
      #expect(PackedReader.read(again.bytes) { Journal.unpack(&$0, since: since) } == journal)
      if let part = journal.parts.first { _ = journal.isTooLong(with: part) }
      return true
    }
    #expect(read > 0 && read < DamageFuzzTests.rounds)
  }

  @Test func `damaged rows of what lives, of versions and of listeners are values or nothing`() {
    var living = LivingRow()
    living.runs = [3, 9, 1_000_000]
    living.hasWaiters = true
    let version = VersionRow(
      rule: 3, created: .zero, hash: Hash128(high: 1, low: 2),
      parts: [("a.lua", Hash128(high: 3, low: 4)), ("lib/b.lua", Hash128(high: 5, low: 6))])
    let listener = RunListener(run: 7, subject: 1_026, after: 44, names: ["moved", "gone"])
    #expect(LivingRow(living.packed) == living)
    #expect(VersionRow(version.packed) == version)
    #expect(RunListener(listener.packed)?.packed == listener.packed)
    let lived = DamageFuzzTests.visit(13, living.packed) { bytes in
      LivingRow(bytes).map { #expect(LivingRow($0.packed) == $0) } != nil
    }
    let versions = DamageFuzzTests.visit(14, version.packed) { bytes in
      VersionRow(bytes).map { #expect(VersionRow($0.packed) == $0) } != nil
    }
    let listeners = DamageFuzzTests.visit(15, listener.packed) { bytes in
      RunListener(bytes).map { #expect(RunListener($0.packed)?.packed == $0.packed) } != nil
    }
    #expect(lived > 0 && versions > 0 && listeners > 0)
  }
}
