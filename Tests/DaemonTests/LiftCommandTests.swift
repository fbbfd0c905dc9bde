// What a rule brings about, seen from outside: the command, the path, and over a kill.
//
// Thread: the test's. Promise: what is waited for is a change that has to come, never a time.

import Basics
import Testing

@Suite struct LiftCommandTests {
  private static let offer = """
    return rule {
      title = "Offer", on = "signup", hold_out = 50, goal = { event = "bought", within = "14 days" },
      run = function(event, customer) send("crm", "offer.made", { user = event.user }) end,
    }
    """

  private static func batch(_ name: String, _ users: [Int]) -> String {
    "[" + users.map { "{\"id\":\"\(name)\($0)\",\"name\":\"\(name)\",\"user\":\"\($0)\"}" }.joined(separator: ",") + "]"
  }

  @Test func `a product person reads what a rule brings about, also after a kill and without a daemon`() throws {
    let place = Place(rules: ["offer": LiftCommandTests.offer, "welcome": Place.welcome])
    var daemon = try Daemon(place)
    #expect(try daemon.post(LiftCommandTests.batch("signup", Array(0..<600))).status == 200)
    let early = daemon.command("rules", "lift", "offer")
    #expect(early.out.contains("people were held out: 0.0 % reached the goal."), "\(early)")
    #expect(early.out.contains("Not enough data: a verdict needs on each side at least 10 people who reached"))
    // Of those who got the offer all buy, of the others a tenth.
    var silent: [Int] = []
    for user in 0..<600 {
      let met = try daemon.get("/v1/subjects/user:\(user)", at: daemon.admin)["goals"]?["offer"]
      if met?["held_out"] == true { silent.append(user) }
    }
    let buyers = (0..<600).filter { !silent.contains($0) || $0 % 10 == 0 }
    #expect(try daemon.post(LiftCommandTests.batch("bought", Array(buyers.prefix(200)))).status == 200)
    daemon.crash()
    daemon = try Daemon(place)
    #expect(try daemon.post(LiftCommandTests.batch("bought", buyers)).status == 200)
    let report = try daemon.get("/v1/rules/lift?rule=offer", at: daemon.admin)
    var lift = JSONValue.null
    if case .array(let list) = report["rules"] ?? .null, list.count == 1 { lift = list[0] }
    #expect(lift["sent"]?["converted"] == .integer(Int64(600 - silent.count)))
    #expect(lift["held_out"]?["subjects"] == .integer(Int64(silent.count)))
    #expect(lift["held_out"]?["converted"] == .integer(Int64(silent.count { $0 % 10 == 0 })))
    #expect(lift["verdict"] == "raises" && lift["hold_out"] == 50.0)
    let told = daemon.command("rules", "lift")
    #expect(told.out.contains("The rule brings more to the goal.") && told.out.contains("bought in 2 w"), "\(told)")
    #expect(daemon.command("rules", "lift", "welcome").err.contains("there is no rule welcome with a goal"))
    #expect(try daemon.get("/v1/rules/lift?rule=welcome", at: daemon.admin).status == 404)
    #expect(try daemon.get("/v1/rules/lift?rul=offer", at: daemon.admin).status == 400)
    let live = daemon.command("rules", "lift", "--json").out
    #expect(daemon.stop() == 0)
    #expect(Child.run(["rules", "lift", "--json"] + place.configuration, in: place).out == live)
  }

  @Test func `a rule whose file is gone is told as gone, until it comes back`() throws {
    let place = Place(rules: ["offer": LiftCommandTests.offer, "welcome": Place.welcome])
    var daemon = try Daemon(place)
    #expect(try daemon.post(LiftCommandTests.batch("signup", Array(0..<20))).status == 200)
    #expect(!daemon.command("rules", "lift").out.contains("gone"))
    place.remove("rules/offer.lua")
    #expect(daemon.command("rules", "reload").code == 0)
    func isTold() -> Bool {
      let told = daemon.command("rules", "lift").out
      return told.contains("offer (gone)") && told.contains("nothing is counted any more")
    }
    #expect(Wait.until { isTold() })
    daemon.crash()
    place.write("rules/offer.lua", LiftCommandTests.offer)
    daemon = try Daemon(place)
    #expect(Wait.until { !isTold() })
    // It may also go while no daemon runs.
    #expect(daemon.stop() == 0)
    place.remove("rules/offer.lua")
    daemon = try Daemon(place)
    #expect(Wait.until { isTold() })
  }
}
