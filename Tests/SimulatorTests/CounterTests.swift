// Numbers that are given out once: what a lane writes down about them after a start.
//
// Thread: a test's. Promise: one lane at a time, on a store in memory.

import Basics
import Engine
import Model
import Rules
import Store
import Testing

@Suite struct CounterTests {
  private let disk = MemoryStore.Disk(hashKey: (3, 5))
  private let now = Instant(milliseconds: 1_700_000_000_000)

  /// A process that decides one event about this subject and ends.
  private func decide(_ subject: Int64, id: String) throws -> Decisions {
    let store = try StoreLoop(engine: MemoryStore(disk))
    let rules = RuleSet.load(sources: [], knownDestinations: []).set
    let book = RuleBook(rules: rules, known: [:], highest: 0, destinations: [])
    let lane = try Lane(
      index: 0, lanes: 1, reader: try store.makeReader(), numbers: Numbers(event: store.recovered.event, delivery: 0),
      hashKey: disk.hashKey, mark: EvaluationMark(), book: book, highestSubject: store.highestSubject)
    let reference = SubjectReference(namespace: "user", id: "\(subject)")
    let body = OwnEvent.body("tick", [], id: id, about: reference, depth: 0, time: now)
    let parser = DocumentParser(maximumBytes: 4_096)
    let incoming = try #require(
      OwnEvent.decode(body, received: now, parser: parser, hash: KeyedHash(key0: disk.hashKey.0, key1: disk.hashKey.1)))
    // A router that is made to give out just this number.
    let router = Router(
      reader: try store.makeReader(), hashKey: disk.hashKey, highestSubject: subject - 1, dedupe: DedupeSet(nextRun: 0),
      numbers: Numbers(event: store.recovered.event, delivery: 0), committed: Counter(), lanes: 1)
    let decisions = try lane.step([.event(try #require(try router.route(incoming, now: now)))], now: now)
    _ = try store.step([.decisions(decisions)], now: now)
    return decisions
  }

  @Test func `a lane that starts again never lowers the highest subject`() throws {
    let first = try decide(9, id: "a")
    #expect(first.changes.changes.contains { $0.key.table == .counter })
    let second = try decide(2, id: "b")
    #expect(!second.changes.changes.contains { $0.key.table == .counter })
    #expect(try StoreLoop(engine: MemoryStore(disk)).highestSubject == 9)
  }
}
