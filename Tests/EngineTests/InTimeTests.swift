// An event and the end of the wait for it, close together: what came in time wins, however long the way
// of the event is.
//
// Thread: the test's. Promise: each step of desk, lanes and store is taken by the test.

import Basics
import Engine
import Model
import Store
import Testing

@Suite struct InTimeTests {
  private static let hour: Int64 = 3_600_000
  private static let body = """
    local moved = wait_for("moved", { subject = "user:w", within = "1 hour" })
    send("crm", moved and "moved" or "late", {})
    """

  private static func event(_ name: String, _ text: String, id: String) -> String {
    #"{"name":"\#(name)","id":"\#(id)",\#(text)}"#
  }

  /// A run of a user on the one lane waits for a user on the other, or on the same.
  private static func waiting(lanes: Int) throws -> Workshop {
    let shop = try Workshop(["r": Workshop.rule("on = 'joined'", body)], lanes: lanes)
    try shop.take(event("opened", #""user":"w""#, id: "1"))
    let other = try #require(try shop.subject("user:w"))
    var number = 0
    while true {
      number += 1
      try shop.take(event("joined-not", #""user":"u\#(number)""#, id: "n\(number)"))
      let subject = try #require(try shop.subject("user:u\(number)"))
      if lanes == 1 || Desk.lane(of: subject, lanes: lanes) != Desk.lane(of: other, lanes: lanes) { break }
    }
    try shop.take(event("joined", #""user":"u\#(number)""#, id: "j"))
    return shop
  }

  @Test(arguments: [1, 2])
  func `an event of another subject that came before the time was up is heard, though its lane is behind`(
    lanes count: Int
  ) throws {
    let shop = try InTimeTests.waiting(lanes: count)
    let other = try #require(try shop.subject("user:w"))
    let far = Desk.lane(of: other, lanes: count)
    shop.now = shop.now + InTimeTests.hour + -1
    let moved = try shop.incoming(InTimeTests.event("moved", #""user":"w""#, id: "m"))
    let routed = try shop.desk.step([.incoming(moved)], now: shop.now).lanes
    shop.now = shop.now + 1
    // The run's time is up, and its lane knows nothing yet of what waits before the other one.
    var steps: [Decisions] = []
    if count > 1 { steps.append(try shop.lanes[1 - far].step([], now: shop.now)) }
    steps.append(try shop.lanes[far].step(routed[far], now: shop.now))
    let sent = steps.flatMap(\.deliveries)
    let after = try shop.run(shop.commit(steps))
    #expect((sent + after.deliveries).map(\.delivery.type) == ["moved"])
  }

  @Test(arguments: [1, 2])
  func `without an event the wait ends, also when nobody has ever told of its subject`(lanes count: Int) throws {
    for subject in ["user:w", "user:unknown"] {
      let rule = Workshop.rule("on = 'joined'", InTimeTests.body.replacing("user:w", with: subject))
      let shop = try Workshop(["r": rule], lanes: count)
      try shop.take(InTimeTests.event("joined", #""user":"u""#, id: "j"))
      shop.now = shop.now + InTimeTests.hour
      #expect(try shop.run([]).deliveries.map(\.delivery.type) == ["late"])
      shop.now = shop.now + InTimeTests.hour
      #expect(try shop.run([]).deliveries.isEmpty)
    }
  }

  @Test func `a lane that what arrived has not reached asks for it before its timers fire`() throws {
    let body = "send('crm', wait_for('moved', { within = '1 hour' }) and 'moved' or 'late', {})"
    let shop = try Workshop(["r": Workshop.rule("on = 'joined'", body)])
    try shop.take(InTimeTests.event("joined", #""user":"u""#, id: "j"))
    let lane = shop.lanes[0]
    lane.caughtUp = shop.now
    shop.now = shop.now + InTimeTests.hour + -1
    let moved = try shop.incoming(InTimeTests.event("moved", #""user":"u""#, id: "m"))
    shop.now = shop.now + 2
    #expect(try lane.step([], now: shop.now).isEmpty)
    #expect(lane.wakeAt > shop.now + InTimeTests.hour)
    let question = try #require(lane.takeQuestion())
    #expect(lane.takeQuestion() == nil)
    // What arrived before the question stands before it.
    #expect(try shop.run([.incoming(moved), question]).deliveries.map(\.delivery.type) == ["moved"])
    #expect(lane.wakeAt > shop.now)
  }

  @Test func `a timer that is due after the answer asks again`() throws {
    let shop = try Workshop(["r": Workshop.rule("on = 'joined'", "wait('1 hour') send('crm', 'late', {})")])
    try shop.take(InTimeTests.event("joined", #""user":"u1""#, id: "1"))
    shop.now = shop.now + 10
    try shop.take(InTimeTests.event("joined", #""user":"u2""#, id: "2"))
    let lane = shop.lanes[0]
    lane.caughtUp = .zero
    shop.now = shop.now + InTimeTests.hour + -5
    #expect(try shop.decide([]).deliveries.isEmpty)
    let first = try #require(lane.takeQuestion())
    shop.now = shop.now + 10
    let decided = try shop.decide([first])
    #expect(decided.deliveries.count == 1)
    let second = try #require(lane.takeQuestion())
    _ = try shop.commit([decided])
    #expect(try shop.run([second]).deliveries.count == 1)
  }
}
