// Commands as a stranger meets them: help, exit codes, what is said when something is wrong.
//
// Thread: the test's. Promise: the real binary.

import Basics
import Glibc
import Testing

@Suite struct CommandTests {
  private static let commands = [
    "serve", "init", "check", "test", "play", "send", "receive", "rules", "subjects", "events", "deliveries", "status",
    "doctor",
  ]

  @Test(arguments: commands) func `every command explains itself and knows its flags`(name: String) {
    let place = Place()
    let help = Child.run([name, "--help"], in: place)
    #expect(help.code == 0 && help.err.isEmpty)
    #expect(help.out.hasPrefix("nudged \(name)") && help.out.contains("--config FILE"))
    #expect(Child.run([name, "-h"], in: place).out == help.out)
    let wrong = Child.run([name, "--jsno"], in: place)
    #expect(wrong.code == 2 && wrong.out.isEmpty)
    #expect(wrong.err.contains("unknown flag --jsno (did you mean '--json'?)"))
    #expect(wrong.err.contains("`nudged \(name) --help`"))
    #expect(Child.run([name, "--config"], in: place).err.contains("--config needs a value"))
  }

  @Test(arguments: [
    (["srve"], "there is no command 'srve' (did you mean 'serve'?)"), (["xyzzy"], "`nudged --help` lists them"),
    (["serve", "now"], "unexpected word \"now\""), (["check", "rules"], "name the folder with --rules"),
    (["doctor", "me"], "unexpected word"), (["status", "me"], "unexpected word"),
    (["receive", "me"], "unexpected word"),
    (["send"], "send NAME --user ID"),
    (["send", "a", "--user", "1", "--data", "{x}"], "--data: this is not valid JSON"),
    (["send", "--file", "nope"], "cannot read nope"), (["send", "a", "--user", "1", "--listen", "x"], "HOST:PORT"),
    (["subjects", "user:1"], "subjects show NAMESPACE:ID"), (["events", "show", "x"], "events show EVENT"),
    (["deliveries", "show", "x"], "it is named by its number, such as 12"),
    (["events", "--limit", "0"], "--limit must be 1 to 1000"), (["events", "--before", "x"], "whole number"),
    (["runs", "cancel", "--rule", "other", "19"], "--rule does not go with the number of one run"),
    (["runs", "show", "19", "--all"], "--all does not go with runs show RUN"),
    (
      ["deliveries", "retry", "--destination", "crm", "83"], "--destination does not go with the number of one delivery"
    ),
    (["deliveries", "hold", "crm", "--type", "x"], "--type does not go with deliveries hold"),
    (["subjects", "consent", "user:42", "news", "no"], "TOPIC given|withdrawn"),
    (["deliveries", "--status", "lost"], "waiting, retrying, delivered, failed, cancelled, shadow or held_out"),
    (["rules", "load"], "rules reload"),
    (["receive", "--status", "9"], "200 to 599"), (["receive", "--secret-file", "nope"], "cannot read the secret"),
    (["init", "a", "b"], "init DIR"), (["serve", "--set", "lane=2"], "did you mean 'lanes'?"),
    (["serve", "--set", "lanes=77"], "1 to 16"), (["serve", "--set", "lanes"], "KEY=VALUE"),
    (["serve", "--set", "retention.events=soon"], "such as \"90 days\""),
    (["serve", "--store", "postgres://x"], "not available in this version"),
    (["serve", "--set", "store=postgres://x"], "not available in this version"),
  ])
  func `a wrong use is told apart from a failure and says what is right`(words: [String], part: String) {
    let result = Child.run(words, in: Place())
    #expect(result.code == 2, "\(result)")
    #expect(result.err.contains(part), "\(result.err)")
    #expect(result.out.isEmpty)
  }

  @Test(arguments: [
    (["send", "a", "--user", "1", "--listen", "127.0.0.1:1"], "is nudged running?"),
    (["subjects", "show", "user:1"], "no daemon answers"), (["rules", "reload"], "is nudged running?"),
    (["status"], "nudged serve"), (["serve", "--rules", "nope"], "cannot read the rules folder nope"),
    (["serve", "--store", "/nowhere/x.db"], "/nowhere/x.db"), (["serve", "--listen", "300"], "write HOST:PORT"),
    (["check", "--rules", "nope"], ""), (["receive", "--listen", "300"], "write HOST:PORT"),
    (["serve", "--config", "nope.lua"], "nope.lua"),
  ])
  func `a failure is exit code 1 and a sentence`(words: [String], part: String) {
    let place = Place()
    let result = Child.run(words + (words.contains("--config") ? [] : place.configuration), in: place)
    #expect(result.code == 1, "\(result)")
    #expect(result.err.contains(part), "\(result.err)")
    #expect(!(result.err + result.out).contains("Error("), "nobody reads a type's name")
  }

  @Test func `the program introduces itself`() {
    let place = Place()
    #expect(Child.run(["--version"], in: place).out == "nudged 0.1.0\n")
    let overview = Child.run(["--help"], in: place)
    #expect(overview.code == 0)
    for name in CommandTests.commands { #expect(overview.out.contains("\n  \(name) ")) }
    #expect(Child.run([], in: place).code == 2)
  }

  @Test func `init makes what serve can run, and leaves what is there`() throws {
    let place = Place(rules: [:])
    unlink(place.path("nudged.lua"))
    let made = Child.run(["init", "new/folder"], in: place)
    #expect(made.code == 0 && made.out.contains("wrote new/folder/nudged.lua"), "\(made)")
    #expect(Child.run(["check", "--config", "new/folder/nudged.lua"], in: place).out.hasPrefix("1 rule, nothing"))
    let tested = Child.run(["test", "--config", "new/folder/nudged.lua"], in: place)
    #expect(tested.code == 0 && tested.out.hasSuffix("1 test passed\n"), "\(tested)")
    var information = stat()
    stat(place.path("new/folder/webhook.secret"), &information)
    #expect(information.st_mode & 0o777 == 0o600)
    let secret = place.read("new/folder/webhook.secret")
    place.write("new/folder/nudged.lua", "return {}")
    let again = Child.run(["init", "new/folder"], in: place)
    #expect(again.code == 0 && again.out.contains("nudged.lua is there already and stays as it is"))
    #expect(place.read("new/folder/nudged.lua") == "return {}")
    #expect(place.read("new/folder/webhook.secret") == secret && secret.hasPrefix("whsec_"))
    // One that cannot be read here is nobody's hindrance.
    place.write("new/folder/nudged.lua", "return { keys = { web = { secret = credential \"elsewhere\" } } }")
    unlink(place.path("new/folder/.gitignore"))
    let third = Child.run(["init", "new/folder"], in: place)
    #expect(third.code == 0 && third.out.contains("wrote new/folder/.gitignore"), "\(third)")
    place.write("file", "")
    #expect(Child.run(["init", "file"], in: place).code == 1)
  }

  @Test func `send takes a file, standard input and words`() throws {
    let place = Place()
    let daemon = try Daemon(place)
    let at = ["--listen", "127.0.0.1:\(daemon.port)"]
    place.write("events", "{\"id\":1,\"name\":\"signup\",\"user\":1}\n{\"id\":2,\"name\":\"signup\"}\n")
    let file = Child.run(["send", "--file", "events"] + at, in: place)
    #expect(file.code == 1 && file.out == "accepted 1, of these seen before 0, refused 1\n", "\(file)")
    #expect(file.err.hasPrefix("event 2: the event says nobody"))
    place.write("good", "[{\"id\":1,\"name\":\"signup\",\"user\":1},{\"id\":3,\"name\":\"signup\",\"user\":1}]")
    let input = Child.run(["send", "--file", "-"] + at, in: place, input: place.path("good"))
    #expect(input.code == 0 && input.out == "accepted 2, of these seen before 1, refused 0\n", "\(input)")
    let words = ["send", "signup", "--user", "42", "--account", "acme", "--thing", "webinar:w", "--data", "{\"a\":1}"]
    let sent = Child.run(words + ["--id", "x", "--time", "2023-11-14T22:13:20Z", "--json"] + at, in: place)
    #expect(sent.code == 0 && sent.out.contains("\"accepted\":1"))
    let refused = Child.run(["send", "nudged.x", "--user", "1"] + at, in: place)
    #expect(refused.code == 1 && refused.err.contains("reserved"), "\(refused)")
    #expect(try daemon.get("/v1/subjects/webinar:w").status == 200)
  }

  @Test func `receive checks signatures`() throws {
    let place = Place()
    place.write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
    let receiver = try Receiver(["--secret-file", "secret"], in: place)
    let wire = try #require(Wire(.port(receiver.port)))
    let headers = ["webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"]
    wire.send("POST", "/", headers: headers, body: Array("{}".utf8))
    let reply = try #require(wire.reply())
    #expect(reply.status == 401 && reply.isRefusal && reply["code"] == "bad_signature")
    #expect(receiver.waitFor(1))
    #expect(receiver.hooks[0]["signature"]?.plainText.hasPrefix("REFUSED: ") == true)
    wire.send("GET", "/")
    #expect(wire.reply()?.status == 405)
    place.configure(destination: receiver.port)
    let text = place.read("nudged.lua")
    place.write("nudged.lua", text.replacing("signing = \"none\"", with: "secret = file \"secret\""))
    let daemon = try Daemon(place)
    #expect(try daemon.post(#"{"id": "1", "name": "signup", "user": "42"}"#).status == 200)
    #expect(receiver.waitFor(2))
    #expect(receiver.hooks[1]["signature"] == "valid")
  }

  @Test func `a second daemon on the same store is refused with a sentence`() throws {
    let place = Place()
    let daemon = try Daemon(place)
    let second = Child.run(["serve"] + place.configuration, in: place)
    #expect(second.code == 1 && second.err.contains("another nudged has the store"), "\(second)")
    #expect(try daemon.post(#"{"name": "signup", "user": "42"}"#).status == 200, "the first one is not disturbed")
    #expect(daemon.command("status").code == 0)
  }
}
