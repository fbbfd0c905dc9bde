// Limits that must stand in a relation to each other, and secrets that must not be seen.
//
// Thread: the test's. Promise: whoever changes one number learns which other one it breaks.

import Basics
import Model
import Testing

@Suite struct LimitsTests {
  @Test func `caches hold more than can be under way`() {
    // One request is let in although it goes beyond the bound, and each event may name three subjects.
    let underWay = Limits.eventsUnderWay + Limits.eventsPerRequest
    #expect(Limits.subjectsInMemory > 2 * underWay)
    #expect(Limits.identitiesInMemory > 2 * underWay)
  }

  @Test func `half of the dedupe set holds far more than can be under way`() {
    let half = (1 << Int(Limits.dedupeHalfBits)) / 8 * 7
    #expect(half > 10 * (Limits.eventsUnderWay + Limits.eventsPerRequest))
  }

  @Test func `queues take what the door lets in`() {
    #expect(Limits.laneQueue >= Limits.eventsUnderWay + Limits.eventsPerRequest)
    #expect(Limits.storeQueue >= Limits.eventsUnderWay)
    #expect(Limits.deliveriesInMemory >= Limits.transfers)
  }

  @Test func `the reserve is worth a whole tail`() {
    #expect(Limits.reserveBytes >= Int64(Limits.tailBytes))
  }

  @Test func `sizes fit into each other`() {
    #expect(Limits.nativeBodyBytes <= Limits.requestBodyBytes)
    #expect(Limits.requestBodyBytes <= Limits.inflatedBodyBytes)
    #expect(Limits.eventBytes < Limits.nativeBodyBytes)
    #expect(Limits.requestTargetBytes < Limits.requestHeadBytes)
    #expect(Limits.stateBytes < Limits.traitsBytes)
    #expect(Limits.ruleArgumentBytes <= Limits.deliveryBodyBytes)
    #expect(Limits.adminConnections < Limits.connections)
    #expect(Limits.connectionsPerAddress < Limits.connections)
    #expect(Limits.rulesPerEvent <= Limits.rules)
  }

  @Test func `a secret never prints its bytes`() {
    let secret = Secret(bytes: Array("s3cr3t-s3cr3t".utf8))
    let destination = Destination(
      name: "crm", url: "https://x", signing: .body(header: "h", prefix: "p", secrets: [secret]))
    var dumped = ""
    dump(destination, to: &dumped)
    for text in ["\(secret)", secret.debugDescription, "\(destination)", String(reflecting: destination), dumped] {
      #expect(!text.contains("s3cr3t"))
      #expect(!text.contains("115, 51, 99"), "the bytes as numbers")
      #expect(!text.contains("- 115\n"), "the bytes as numbers, one a line")
    }
  }
}
