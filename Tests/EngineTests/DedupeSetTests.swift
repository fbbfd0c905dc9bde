// The set of what was seen, against a plain Set, with halves so small that most of it lies in closed runs.
//
// Thread: the test's. Promise: exact, in memory, over closed runs, and after a start.

import Basics
import Engine
import Model
import Store
import Testing

@Suite struct DedupeSetTests {
  private static let now = Instant(milliseconds: 1_700_000_000_000)

  /// A set on a store, which commits each hash at once, as the daemon does a little later.
  private final class Kept {
    let store: StoreLoop
    let set: DedupeSet
    let reader: StoreReader
    var now = DedupeSetTests.now
    private(set) var closedRuns = 0

    init(_ disk: MemoryStore.Disk, bits: UInt64 = 5) throws {
      store = try StoreLoop(engine: MemoryStore(disk))
      reader = try store.makeReader()
      set = DedupeSet(nextRun: store.recovered.dedupeRun, capacityBits: bits)
      for run in try Recovery.dedupe(set, from: store, reader: reader) { try close(run) }
    }

    func insert(_ hash: Hash128) throws -> Bool {
      let (isNew, run) = try set.insert(hash, now: now, committed: store.status.record, reader: reader)
      if isNew {
        var decisions = Decisions(lane: 0, sequence: 1)
        decisions.dedupe = [hash]
        _ = try store.step([.decisions(decisions)], now: now)
      }
      if let run { try close(run) }
      return isNew
    }

    private func close(_ run: DedupeRun) throws {
      closedRuns += 1
      var inputs: [StoreInput] = [.closeRun(run)]
      while true {
        let outputs = try store.step(inputs, now: now)
        inputs = []
        if outputs.closedRuns.contains(run.run) { return set.closed(run) }
      }
    }
  }

  private func hash(_ number: UInt64) -> Hash128 {
    var random = SeededRandom(seed: number)
    return Hash128(high: random.next(), low: random.next())
  }

  @Test func `it agrees with a plain set, whatever lies where`() throws {
    let kept = try Kept(MemoryStore.Disk())
    var random = SeededRandom(seed: 11)
    var seen: Set<Hash128> = []
    for _ in 0..<3_000 {
      let hash = hash(random.next(below: 1_500))
      #expect(try kept.insert(hash) == seen.insert(hash).inserted)
    }
    #expect(kept.closedRuns > 20)
    #expect(kept.set.keysInMemory < 100)
  }

  @Test func `hashes with the same first half are told apart over pages of a run`() throws {
    let kept = try Kept(MemoryStore.Disk(), bits: 10)
    let hashes = (0..<4_000).map { Hash128(high: UInt64($0 % 3) << 62, low: UInt64($0 + 1) &* 0x9E37_79B9_7F4A_7C15) }
    for hash in hashes { #expect(try kept.insert(hash)) }
    #expect(kept.closedRuns > 1)
    for hash in hashes { #expect(try !kept.insert(hash)) }
    #expect(try kept.insert(Hash128(high: 0, low: 5)))
  }

  @Test func `a start finds everything again`() throws {
    let disk = MemoryStore.Disk()
    var known: [Hash128] = []
    for life in 0..<6 {
      let kept = try Kept(disk)
      for hash in known { #expect(try !kept.insert(hash)) }
      for number in 0..<UInt64(20 * life + 7) {
        let hash = hash(UInt64(life) * 1_000 + number)
        known.append(hash)
        #expect(try kept.insert(hash))
      }
    }
  }

  @Test func `after a rest in which the store purged old runs, the first event does not look for them`() throws {
    let shop = try Workshop(["count": Workshop.rule("on = 'tick'", "state.n = 1")], dedupeBits: 6)
    let texts = (0..<400).map { #"{"id":"tick-\#($0)","name":"tick","user":"ada"}"# }
    for text in texts { #expect(try shop.take(text).events.count == 1) }
    let page = try #require(try shop.store.makeReader().engine.dedupePage(run: 1, page: 0))
    #expect(!page.hashes.isEmpty)
    shop.now = shop.now + 9 * 86_400_000
    for _ in 0..<2_000 where try shop.store.makeReader().engine.dedupePage(run: 1, page: 0) != nil {
      _ = try shop.store.step([], now: shop.now)
      shop.now = shop.now + 1_000
    }
    #expect(try shop.store.makeReader().engine.dedupePage(run: 1, page: 0) == nil)
    #expect(try shop.take(texts[0]).events.count == 1, "it is older than what is remembered")
  }

  @Test func `what is older than the horizon is forgotten, and nothing younger`() throws {
    let kept = try Kept(MemoryStore.Disk())
    for number in 0..<UInt64(300) { _ = try kept.insert(hash(number)) }
    kept.now = kept.now + 1_000_000
    for number in 300..<UInt64(600) { _ = try kept.insert(hash(number)) }
    kept.set.forget(olderThan: DedupeSetTests.now + 1)
    #expect(try kept.insert(hash(0)), "the oldest is gone")
    for number in 300..<UInt64(600) { #expect(try !kept.insert(hash(number))) }
  }
}
