// Calendar files under their links, as a calendar program fetches them.
//
// Thread: the test's. Promise: the real daemon, over a kill.

import Basics
import Glibc
import Testing

@Suite struct CalendarTests {
  private static let invite = """
    return rule {
      title = "Invite", on = "registered",
      run = function(event, customer)
        local text, link = calendar {
          uid = "e7/" .. customer.id, sequence = event.data.sequence, title = "Rules", starts_at = event.data.starts_at,
          zone = "Europe/Berlin", cancelled = event.data.cancelled or false,
        }
        send("crm", "invite", { text = text, link = link })
      end,
    }
    """

  @Test func `a link gives the newest version to whoever has it, also after a kill`() throws {
    let place = Place(rules: ["invite": CalendarTests.invite])
    let receiver = try Receiver(in: place)
    place.configure(destination: receiver.port, more: "public_url = \"https://nudged.example.com/\",")
    var daemon = try Daemon(place)
    let first =
      "{\"name\":\"registered\",\"user\":\"ada\",\"data\":{\"sequence\":0,\"starts_at\":\"2030-06-01T10:00:00Z\"}}"
    #expect(try daemon.post(first).status == 200)
    #expect(receiver.waitFor(1))
    let sent = try #require(receiver.hooks.first?["body"]?["data"])
    let link = try #require(sent["link"]?.plainText)
    #expect(link.hasPrefix("https://nudged.example.com/calendars/") && link.hasSuffix(".ics"), "\(link)")
    let path = String(link.dropFirst("https://nudged.example.com".count))
    #expect(path.count == "/calendars/.ics".count + 32)
    let found = try daemon.get(path)
    #expect(found.status == 200 && found.text == sent["text"]?.plainText, "\(found)")
    #expect(found.head.contains("Content-Type: text/calendar; charset=utf-8; method=PUBLISH\r\n"))
    let second = first.replacing("\"sequence\":0", with: "\"sequence\":1,\"cancelled\":true")
    #expect(try daemon.post(second).status == 200)
    let newest = try daemon.get(path)
    #expect(newest.text.contains("SEQUENCE:1\r\n") && newest.text.contains("STATUS:CANCELLED\r\n"), "\(newest)")
    daemon.crash()
    daemon = try Daemon(place, name: "again")
    #expect(try daemon.get(path).text == newest.text)
    for wrong in ["/calendars/", "/calendars/x.ics", path.replacing(".ics", with: ""), path.uppercased()] {
      #expect(try daemon.get(wrong).status == 404, "\(wrong)")
    }
    let other = try daemon.get("/calendars/00000000000000000000000000000000.ics")
    #expect(other.status == 404 && other.isRefusal)
    #expect(try daemon.request("POST", path, "{}").status == 405)
    #expect(daemon.stop() == 0)
    receiver.child.signal(SIGTERM)
  }

  @Test func `an address that is none is told of`() {
    let place = Place()
    place.configure(destination: 0, more: "public_url = \"nudged.example.com\",")
    let check = Child.run(["check"] + place.configuration, in: place)
    #expect(check.code == 1 && check.out.contains("'public_url' must be the address"), "\(check)")
  }
}
