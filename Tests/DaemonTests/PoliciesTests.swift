// Policies, seen from outside: the configuration, the command for consent, what is told about a subject.
//
// Thread: the test's. Promise: what is waited for is a change that has to come, never a time.

import Basics
import Testing

@Suite struct PoliciesTests {
  private static let offer = """
    return rule {
      title = "Offer", on = "signup", topic = "offers",
      run = function(event, customer) send("crm", "offer.made", { user = event.user }) end,
    }
    """

  @Test func `consent is withdrawn by a command, kept over a kill, and explained`() throws {
    let place = Place(
      more: "policies = { caps = { { topic = 'offers', most = 1, per = '7 days' } } },",
      rules: ["offer": PoliciesTests.offer])
    var daemon = try Daemon(place)
    #expect(
      daemon.command("subjects", "consent", "user:7", "offers", "withdrawn").out
        == "user:7 has withdrawn consent to offers\n")
    #expect(daemon.command("subjects", "consent", "user:7", "offers", "perhaps").code == 2)
    daemon.crash()
    daemon = try Daemon(place)
    for user in ["7", "8", "8"] {
      #expect(try daemon.post("{\"name\":\"signup\",\"user\":\"\(user)\"}").status == 200)
    }
    let told = daemon.command("explain", "user:7")
    #expect(told.out.contains("suppressed, offer.made to crm: consent to 'offers' was withdrawn"), "\(told)")
    #expect(daemon.command("subjects", "show", "user:7").out.contains("\"offers\": false"))
    #expect(daemon.command("explain", "user:8").out.contains("the cap of 1 of 'offers' per 1 w is reached"))
    #expect(try daemon.get("/v1/deliveries?type=offer.made")["deliveries"]?.count == 1)
    #expect(try daemon.post(#"{"name":"nudged.consent","user":"7","data":{"topic":"x"}}"#).status == 400)
  }

  @Test(arguments: [
    ("quiet_hours = { from = '21:00', to = '8' }", "'policies.quiet_hours.to' must be a time of day such as \"21:00\""),
    ("quiet_hours = { from = '21:00', to = '21:00' }", "begins and ends at the same time"),
    ("quiet_hours = { from = '21:00', to = '08:00', spred = '1 h' }", "did you mean 'spread'"),
    ("quiet_hours = { from = '21:00', to = '08:00', destinations = 'cmr' }", "did you mean 'crm'"),
    ("caps = { { most = 2, per = '3 moons' } }", "'policies.caps.1.per' must be a duration such as \"7 days\""),
    ("caps = { { per = 'day' } }", "needs 'most'"),
    ("caps = { { most = 1, per = 'day', destination = 'cmr' } }", "did you mean 'crm'"),
    ("hold_out = 51", "'policies.hold_out' must be a percentage from 0 to 50"),
    ("holdout = 5", "did you mean 'hold_out'"),
    ("hold_out = 0.001", "holds out nobody"), ("hold_out = '5'", "must be a percentage from 0 to 50"),
    ("quiet_hours = { from = '+21:00', to = '-0:30' }", "'policies.quiet_hours.from' must be a time of day"),
    ("quiet_hours = '21:00'", "'policies.quiet_hours' must be a table"),
    ("opt_in = { '*' }", "'policies.opt_in' must name topics of rules"),
    ("opt_in = { 5 }", "must be text or a list of texts"),
    ("caps = { { most = 1, per = 'day', topic = '' } }", "'policies.caps.1.topic' must be text"),
    ("caps = { most = 1, per = 'day' }", "must be a list such as"),
    ("caps = { 5 }", "'policies.caps.1' needs 'most'"),
    ("caps = { { most = 0, per = 'day' } }", "must be a whole number from 1 to 1000"),
    ("caps = { { most = 1.5, per = 'day' } }", "must be a whole number from 1 to 1000"),
  ])
  func `a policy that is none is told with its place, and nothing starts`(policy: String, part: String) {
    let place = Place(more: "policies = { \(policy) },", rules: ["offer": PoliciesTests.offer])
    let result = Child.run(["check"] + place.configuration, in: place)
    #expect(result.code == 1 && (result.out + result.err).contains(part), "\(result)")
  }
}
