// Webhooks and their destinations, seen from outside: held, retried, replayed, cancelled; through HTTP and
// the commands of the real daemon.
//
// Thread: the test's. Promise: what is waited for is a change that has to come, never a time.

import Basics
import Glibc
import Testing

@Suite struct DeliveriesTests {
  private static func signUp(_ daemon: Daemon, _ count: Int, from first: Int = 1) throws {
    let lines = (first..<first + count).map { "{\"name\":\"signup\",\"user\":\"u\($0)\"}" }
    #expect(try daemon.post(lines.joined(separator: "\n")).status == 200)
  }

  private static func count(_ daemon: Daemon, _ query: String) throws -> Int {
    try daemon.get("/v1/deliveries?limit=1000&\(query)")["deliveries"]?.count ?? -1
  }

  private static func end(_ receiver: Receiver) {
    receiver.child.signal(SIGTERM)
    _ = receiver.child.code()
  }

  private static func configure(_ place: Place, _ port: UInt16, retry: String) {
    place.configure(destination: port)
    let lines = place.read("nudged.lua").split(separator: "\n").map {
      $0.contains("retry =") ? "retry = \(retry)," : String($0)
    }
    place.write("nudged.lua", lines.joined(separator: "\n"))
  }

  @Test func `a destination is held, its webhooks wait, also over a kill, and go out when it is released`() throws {
    let place = Place()
    let receiver = try Receiver(in: place)
    place.configure(destination: receiver.port)
    var daemon = try Daemon(place)
    #expect(daemon.command("deliveries", "hold", "crm", "--reason", "moving").out == "crm is held\n")
    #expect(daemon.command("deliveries", "hold", "crn").code == 1)
    try DeliveriesTests.signUp(daemon, 20)
    daemon.crash()
    daemon = try Daemon(place, name: "again")
    let listed = daemon.command("destinations")
    #expect(listed.out.contains("held") && listed.out.contains("moving"), "\(listed)")
    #expect(try DeliveriesTests.count(daemon, "status=waiting") == 20)
    #expect(receiver.ids.isEmpty)
    #expect(daemon.command("deliveries", "cancel", "3").out == "delivery 3 is cancelled\n")
    #expect(daemon.command("deliveries", "show", "3").out.contains("cancelled by hand"))
    let unnamed = daemon.command("deliveries", "list", "--subject", "ada").err
    #expect(unnamed.contains("names are NAMESPACE:ID, such as user:42"), "\(unnamed)")
    #expect(daemon.command("deliveries", "release", "crm").out == "crm is well\n")
    #expect(receiver.waitFor(19))
    #expect(Set(receiver.ids).count == 19)
    let figures = try daemon.get("/metrics").text
    #expect(figures.contains("nudged_deliveries_cancelled_total 1\n"))
    #expect(figures.contains("nudged_deliveries_failed_total 0\n"))
    #expect(daemon.stop() == 0)
  }

  @Test func `what failed is counted, sent once more under its ids, and found by its filters`() throws {
    let place = Place()
    let refusing = try Receiver(["--status", "422"], in: place)
    DeliveriesTests.configure(place, refusing.port, retry: "{ \"10 ms\" }")
    let daemon = try Daemon(place)
    try DeliveriesTests.signUp(daemon, 30)
    #expect(try Wait.until { try DeliveriesTests.count(daemon, "status=failed") == 30 })
    #expect(try DeliveriesTests.count(daemon, "status=failed&subject=user:u7") == 1)
    #expect(try DeliveriesTests.count(daemon, "type=other") == 0)
    #expect(try DeliveriesTests.count(daemon, "from=5&to=9&destination=crm&since=1%20hour") == 5)
    #expect(try daemon.get("/v1/deliveries?since=soon").status == 400)
    let shown = try daemon.get("/v1/deliveries/1")
    #expect(shown["flagged"] == true && shown["last_message"]?.plainText.contains("does not take this message") == true)
    #expect(
      daemon.command("deliveries", "retry", "--destination", "crm").out
        == "30 deliveries would be sent once more; add --yes to do it\n")
    let ids = Set(refusing.ids)
    DeliveriesTests.end(refusing)
    let receiver = try Receiver(port: refusing.port, in: place)
    #expect(daemon.command("deliveries", "retry", "1").out == "delivery 1 is due now\n")
    #expect(receiver.waitFor(1))
    let begun = daemon.command("deliveries", "retry", "--since", "1 hour", "--rate", "500/s", "--yes")
    #expect(begun.out.hasPrefix("replay 1 has begun"), "\(begun)")
    #expect(receiver.waitFor(30))
    #expect(Set(receiver.ids) == ids && ids.count == 30)
    #expect(try Wait.until { try DeliveriesTests.count(daemon, "status=delivered") == 30 })
    #expect(daemon.command("deliveries", "replays").out.contains("ended"))
    #expect(daemon.command("deliveries", "retry", "99").code == 1)
    #expect(daemon.command("deliveries", "retry").code == 2)
    let typo = daemon.command("deliveries", "retry", "--destination", "crn", "--yes")
    #expect(typo.code == 1 && typo.err.contains("no destination is called \"crn\" (did you mean 'crm'?)"), "\(typo)")
  }

  @Test func `mode = "hold" keeps the webhooks of a destination, over a kill, until the configuration says otherwise`()
    throws
  {
    let place = Place()
    let receiver = try Receiver(in: place)
    func configure(_ mode: String) {
      place.configure(destination: receiver.port)
      place.write("nudged.lua", place.read("nudged.lua").replacing("mode = \"live\"", with: "mode = \"\(mode)\""))
    }
    configure("hold")
    var daemon = try Daemon(place)
    try DeliveriesTests.signUp(daemon, 20)
    #expect(daemon.command("destinations").out.contains("held"))
    #expect(try daemon.get("/v1/status")["stopped"] == ["crm"])
    #expect(try daemon.get("/metrics").text.contains("nudged_destination_stopped{destination=\"crm\"} 1"))
    let released = daemon.command("deliveries", "release", "crm")
    #expect(released.out.hasPrefix("crm is held: its configuration has mode = \"hold\""), "\(released)")
    #expect(released.code == 0)
    daemon.crash()
    daemon = try Daemon(place)
    try DeliveriesTests.signUp(daemon, 5, from: 50)
    #expect(try DeliveriesTests.count(daemon, "status=waiting") == 25)
    #expect(receiver.ids.isEmpty)
    configure("live")
    #expect(daemon.command("rules", "reload").code == 0)
    #expect(daemon.command("deliveries", "release", "crm").out == "crm is well\n")
    #expect(try daemon.get("/v1/status")["stopped"] == [])
    #expect(receiver.waitFor(25))
    configure("hold")
    #expect(daemon.command("rules", "reload").code == 0)
    try DeliveriesTests.signUp(daemon, 3, from: 100)
    #expect(try DeliveriesTests.count(daemon, "status=waiting") == 3)
    #expect(Set(receiver.ids).count == 25)
  }

  @Test func `what a rule in shadow would have sent is listed, over a kill, and is never sent`() throws {
    let place = Place()
    let receiver = try Receiver(in: place)
    place.configure(destination: receiver.port)
    place.write(
      "rules/trial.lua",
      """
      return rule {
        title = "Trial", on = "signup", mode = "shadow",
        run = function(event, customer)
          send("crm", "trial.begun", { user = event.user })
          set { trial = true }
          wait("1 day")
        end,
      }
      """)
    var daemon = try Daemon(place)
    try DeliveriesTests.signUp(daemon, 3)
    #expect(try Wait.until { try DeliveriesTests.count(daemon, "status=delivered") == 3 })
    daemon.crash()
    daemon = try Daemon(place, name: "again")
    #expect(try DeliveriesTests.count(daemon, "status=shadow&type=trial.begun") == 3)
    let listed = daemon.command("deliveries", "--status", "shadow", "--subject", "user:u2")
    #expect(listed.out.contains("trial.begun") && listed.out.contains("shadow"), "\(listed)")
    let page = try daemon.get("/v1/deliveries?status=shadow&subject=user:u2")
    guard case .array(let rows) = page["deliveries"] else { return #expect(Bool(false), "\(page.text)") }
    let number = String(decoding: try #require(rows.first?["delivery"]).text, as: UTF8.self)
    let shown = daemon.command("deliveries", "show", number)
    #expect(shown.out.contains("the rule is in shadow: this is only written down"), "\(shown)")
    let refused = daemon.command("deliveries", "retry", number)
    #expect(refused.code == 1 && refused.err.contains("it is never sent"), "\(refused)")
    #expect(daemon.command("deliveries", "cancel", number).code == 1)
    #expect(daemon.command("deliveries", "retry", "--all").out.hasPrefix("0 deliveries"))
    #expect(daemon.command("deliveries", "retry", "--status", "shadow").code != 0)
    let explained = daemon.command("explain", "user:u2", "trial")
    #expect(explained.out.contains("it would send trial.begun to crm; set {\"trial\":true}"), "\(explained)")
    try DeliveriesTests.signUp(daemon, 1, from: 9)
    #expect(receiver.waitFor(4))
    #expect(receiver.ids.count == 4)
  }

  @Test func `410 disables a destination, a rule hears of it, and enable lets it live again`() throws {
    let listening = """
      return rule {
        title = "Alert", on = "nudged.destination.disabled", per = "destination",
        run = function(event) state.reason = event.data.reason end,
      }
      """
    let place = Place(rules: ["welcome": Place.welcome, "alert": listening])
    let gone = try Receiver(["--status", "410"], in: place)
    place.configure(destination: gone.port)
    let daemon = try Daemon(place)
    try DeliveriesTests.signUp(daemon, 3)
    #expect(
      try Wait.until { try daemon.state("destination:crm", "alert")?["reason"]?.plainText.contains("410") == true })
    #expect(daemon.command("destinations").out.contains("disabled"))
    #expect(try daemon.get("/v1/status")["stopped"] == ["crm"])
    DeliveriesTests.end(gone)
    let receiver = try Receiver(port: gone.port, in: place)
    try DeliveriesTests.signUp(daemon, 2, from: 10)
    #expect(daemon.command("deliveries", "enable", "crm").out == "crm is well\n")
    #expect(receiver.waitFor(4))
    #expect(try daemon.get("/metrics").text.contains("nudged_destination_stopped{destination=\"crm\"} 0"))
  }

  @Test func `what waits behind a webhook that was given up says so, and goes on when a reload says skip`() throws {
    let place = Place()
    let refusing = try Receiver(["--status", "422"], in: place)
    func configure(_ poisoned: String) {
      DeliveriesTests.configure(place, refusing.port, retry: "{}")
      let ordered = "mode = \"live\", order = \"subject\", poisoned = \"\(poisoned)\""
      place.write("nudged.lua", place.read("nudged.lua").replacing("mode = \"live\"", with: ordered))
    }
    configure("block")
    let daemon = try Daemon(place)
    try DeliveriesTests.signUp(daemon, 1)
    #expect(try Wait.until { try DeliveriesTests.count(daemon, "status=failed") == 1 })
    try DeliveriesTests.signUp(daemon, 1)
    #expect(try daemon.get("/v1/deliveries/2")["behind"] == 1)
    #expect(daemon.command("deliveries", "show", "2").out.contains("behind"))
    #expect(try DeliveriesTests.count(daemon, "status=waiting") == 1)
    configure("skip")
    #expect(daemon.command("rules", "reload").code == 0)
    #expect(try Wait.until { try DeliveriesTests.count(daemon, "status=failed") == 2 })
  }

  @Test func `a destination that is gone from the configuration is told of with what waits, and what is held stays`()
    throws
  {
    let place = Place()
    let daemon = try Daemon(place)
    #expect(daemon.command("deliveries", "hold", "crm").code == 0)
    try DeliveriesTests.signUp(daemon, 3)
    #expect(try Wait.until { try daemon.get("/v1/destinations").text.contains("\"open\":3") })
    place.write("rules/welcome.lua", "return rule { title = 'T', on = 'other', run = function(event) end }")
    place.write("nudged.lua", place.read("nudged.lua").replacing("crm = {", with: "crm2 = {"))
    let reloaded = try daemon.request("POST", "/v1/rules/reload", at: daemon.admin)
    #expect(reloaded.text.contains(#"{"destination":"crm","webhooks":3,"given_up":false}"#), "\(reloaded.text)")
    #expect(Wait.until { daemon.log.contains("wait, unspent, for a destination that is not configured any more") })
    let listed = daemon.command("destinations")
    #expect(listed.out.contains("gone") && listed.out.contains("nudged deliveries release crm"), "\(listed)")
    #expect(daemon.command("deliveries", "release", "crm").code == 0)
    #expect(try Wait.until { try DeliveriesTests.count(daemon, "status=failed") == 3 })
    #expect(try daemon.get("/v1/deliveries/1")["attempts"] == 0, "nothing was tried")
    #expect(daemon.command("deliveries", "hold", "crn").code == 1)
  }

  @Test func `a run that is stopped takes its webhook along, and says why`() throws {
    let place = Place(rules: ["wait": RunsTests.waiting])
    let daemon = try Daemon(place)
    #expect(daemon.command("deliveries", "hold", "crm").code == 0)
    for key in ["a", "b"] {
      #expect(try daemon.post("{\"name\":\"begin\",\"user\":\"ada\",\"data\":{\"key\":\"\(key)\"}}").status == 200)
    }
    #expect(try daemon.post(#"{"name":"stop","user":"ada","data":{"key":"a"}}"#).status == 200)
    #expect(try Wait.until { try DeliveriesTests.count(daemon, "status=cancelled") == 1 })
    #expect(daemon.command("deliveries", "show", "1").out.contains("was stopped by stop"))
    #expect(try DeliveriesTests.count(daemon, "status=waiting") == 1)
  }

  @Test func `a rule hears of a webhook that was given up`() throws {
    let listening = """
      return rule {
        title = "Note it", on = "nudged.delivery.failed",
        run = function(event) state.lost = event.data.delivery send("crm", "lost", {}) end,
      }
      """
    let place = Place(rules: ["welcome": Place.welcome, "lost": listening])
    let refusing = try Receiver(["--status", "400"], in: place)
    place.configure(destination: refusing.port)
    let text = place.read("nudged.lua").split(separator: "\n").map {
      $0.contains("retry =") ? "retry = {}," : String($0)
    }
    place.write("nudged.lua", text.joined(separator: "\n"))
    let daemon = try Daemon(place)
    try DeliveriesTests.signUp(daemon, 1)
    // Each failure causes one more, eight steps deep, and then it ends.
    #expect(refusing.waitFor(8))
    #expect(try Wait.until { try DeliveriesTests.count(daemon, "status=failed") >= 8 })
    #expect(
      try Wait.until { try daemon.get("/v1/events?limit=1000").text.contains("\"depth\":8") == true })
    #expect(try DeliveriesTests.count(daemon, "type=lost") == 7)
  }
}
