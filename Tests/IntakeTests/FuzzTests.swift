// Damaged requests by the hundred thousand. NUDGED_FUZZ_ROUNDS asks for more of them, NUDGED_FUZZ_SEED
// for others.
//
// Thread: the shards run beside each other. Promise: the same seeds every time; the shard and the
// number of the input are named when something differs.

import Basics
import Glibc
import Testing

@testable import Intake

@Suite struct FuzzTests {
  static let rounds = number("NUDGED_FUZZ_ROUNDS") ?? 200_000
  /// Another starting point for the nightly run; it is named with every finding.
  static let seed = UInt64(number("NUDGED_FUZZ_SEED") ?? 0)
  static let shards = 8

  private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

  @Test(arguments: 0..<shards) func `no damage crashes the parser, and no split changes what it reads`(_ shard: Int) {
    var mutations = Mutations(seed: UInt64(shard) &+ FuzzTests.seed &* 1000)
    var random = SeededRandom(seed: UInt64(shard + 100))
    var accepted = 0
    for round in 0..<(FuzzTests.rounds / FuzzTests.shards) {
      let bytes = mutations.next()
      let whole = Feed.whole(bytes)
      let split = Feed.split(bytes, &random, longest: round % 3 == 0 ? 8 : 60)
      if whole != split {
        let text = String(decoding: bytes, as: UTF8.self).debugDescription
        Issue.record("seed \(FuzzTests.seed) shard \(shard) round \(round): \(text): \(whole) but split \(split)")
        return
      }
      accepted += whole.requests.count
    }
    // The mutations must not all be hopeless, or they would prove nothing.
    #expect(accepted > FuzzTests.rounds / FuzzTests.shards / 8)
  }

  @Test func `the loop says of damaged requests what the parser says, and keeps no connection`() throws {
    var mutations = Mutations(seed: 4711 &+ FuzzTests.seed)
    let door = try Door()
    for round in 0..<3000 {
      let bytes = mutations.next()
      let client = door.connect()
      client.send(bytes)
      client.finishSending()
      door.turn(client) { client.isEnded }
      let expected = Feed.whole(bytes)
      let heads = client.text.split(separator: "HTTP/1.1 ", omittingEmptySubsequences: true)
      let statuses = heads.compactMap { Int($0.prefix(3)) }.filter { $0 != 100 }
      if statuses != expected.statuses {
        let text = String(decoding: bytes, as: UTF8.self).debugDescription
        Issue.record("round \(round): \(text): \(statuses), not \(expected.statuses)")
        return
      }
    }
    door.turn { door.loop.counters.values.open == 0 }
  }
}
