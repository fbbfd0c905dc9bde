// What is said about a configuration, a rules folder and a machine that are not as they should be.
//
// Thread: the test's. Promise: the real binary; every complaint has its file and line.

import Basics
import Glibc
import Testing

@Suite struct ConfigurationTests {
  @Test(arguments: [
    ("lisen = \"x\"", "unknown key 'lisen' (did you mean 'listen'?)"), ("listen = 7", "'listen' must be text"),
    ("listen = \"127.0.0.1\"", "'listen' is wrong: \"127.0.0.1\" is not an address to listen on; write HOST:PORT"),
    ("listen = { \"unix:x\", \"[::1]:99999\" }", "is not a port"),
    ("keys = { web = { secret = file \"pipe\" } }", "it is no plain file"),
    ("lanes = 99", "'lanes' must be a whole number from 1 to 16"), ("open_locally = 1", "must be true or false"),
    ("store = \"postgres://x\"", "not available in this version"),
    ("retention = { events = \"soon\" }", "'retention.events' must be a duration"),
    ("retention = { event = \"1 day\" }", "did you mean 'events'?"),
    ("keys = { web = { secret = \"hunter2\" } }", "must not stand in the configuration"),
    ("keys = { web = {} }", "'keys.web' needs a secret"),
    ("keys = { web = { secret = file \"nope\" } }", "cannot be read from"),
    ("keys = { web = { secret = credential \"web\" } }", "LoadCredential="),
    ("keys = { web = { secret = file \"empty\" } }", "is empty in"),
    ("keys = { web = { secret = file \"secret\", rights = { \"reed\" } } }", "unknown right \"reed\""),
    ("keys = { web = { secret = file \"secret\", source = \"nudged\" } }", "must not be \"nudged\""),
    ("destinations = { crm = { secret = file \"secret\" } }", "'destinations.crm' needs a url"),
    ("destinations = { crm = { url = \"nowhere\", signing = \"none\" } }", "'destinations.crm': its address"),
    ("destinations = { crm = { url = \"ftp://x\", signing = \"none\" } }", "only https and http"),
    ("destinations = { crm = { url = \"https://x\" } }", "needs a secret to sign with"),
    ("destinations = { crm = { url = \"https://x\", secret = file \"secret\" } }", "whsec_"),
    ("destinations = { crm = { url = \"https://x\", signing = \"none\", allow = \"10.0.0.0/99\" } }", "10.0.0.0/99"),
    ("destinations = { crm = { url = \"https://x\", signing = \"none\", timeout = \"9\" } }", "must be a duration"),
    ("destinations = { crm = { url = \"https://x\", signing = \"none\", retry = { \"x\" } } }", "which is no duration"),
    ("destinations = { crm = { url = \"https://x\", signing = \"none\", shap = \"x\" } }", "did you mean 'shape'?"),
    ("destinations = { crm = { url = file \"secret\", signing = \"none\" } }", "what its file holds is not a URL"),
    ("destinations = { crm = { url = file \"nope\", signing = \"none\" } }", "cannot be read from"),
    (
      "destinations = { crm = { url = \"https://x\", signing = \"none\", proxy = file \"secret\" } }",
      "what the file of its proxy holds is not a URL"
    ),
    ("destinations = { crm = { url = \"https://x\", signing = \"none\", headers = { A = 7 } } }", "must be credential"),
    ("store = os.getenv('HOME')", "os"),
  ])
  func `a wrong key is told with its line and what is right`(line: String, part: String) {
    let place = Place(rules: [:])
    place.write("secret", "hunter2")
    place.write("empty", "\n")
    mkfifo(place.path("pipe"), 0o600)
    place.write("nudged.lua", "-- A comment.\nreturn {\n  \(line)\n}")
    let result = Child.run(["check"] + place.configuration, in: place)
    #expect(result.code == 1 && result.err.isEmpty, "\(result)")
    #expect(result.out.contains("nudged.lua:3:3: error: "), "\(result.out)")
    #expect(result.out.contains(part), "\(result.out)")
    #expect(!result.out.contains("hunter2"), "a secret is never shown")
    let serve = Child.run(["serve"] + place.configuration, in: place)
    #expect(serve.code == 1 && serve.err.contains(part))
  }

  @Test func `check says everything in one pass`() throws {
    let place = Place(rules: [
      "a": "return rule { title = 'A', on = 'x', run = function(event) snd('crm', 'x', {}) end }",
      "b": "return rule {\n titel = 'B', on = 'x',\n run = function(event) end }",
      "c": "return rule {",
    ])
    place.write("nudged.lua", "return {\n  rules = \"rules\",\n  lisen = 1,\n  lanes = 0,\n}")
    let result = Child.run(["check"] + place.configuration, in: place)
    #expect(result.code == 1)
    for part in [
      "nudged.lua:3:3: error: ", "nudged.lua:4:", "rules/a.lua:1:", "did you mean 'send'?", "rules/b.lua:2:",
      "did you mean 'title'?", "rules/c.lua:1:",
    ] {
      #expect(result.out.contains(part), "\(part) is missing in \(result.out)")
    }
    let json = Child.run(["check", "--json"] + place.configuration, in: place)
    #expect(json.code == 1)
    let value = try Document.parse(json.out).root.value
    guard case .array(let complaints) = value["complaints"] else { return #expect(Bool(false), "\(json.out)") }
    #expect(complaints.count >= 5)
    #expect(complaints.contains { $0["line"] == 3 && $0["suggestion"] == "listen" }, "\(json.out)")
    let missing = Child.run(["check", "--json", "--rules", "nope"], in: place)
    #expect(missing.code == 1)
    #expect(try Document.parse(missing.out).root["complaints"]?.count ?? 0 > 0)
    let good = Place()
    #expect(Child.run(["check"] + good.configuration, in: good).out == "1 rule, nothing to complain about\n")
  }

  @Test func `of very many complaints the first fifty are shown, and how many there are more`() {
    let place = Place(rules: [:])
    let wrong = (0..<1_000).map { "d\($0) = { url = \"nowhere\", signing = \"none\" }," }
    place.write("nudged.lua", "return { destinations = {\n\(wrong.joined(separator: "\n"))\n} }")
    let result = Child.run(["check"] + place.configuration, in: place)
    #expect(result.code == 1 && result.out.contains("error: and 950 more"), "\(result.out.prefix(300))")
    #expect(result.out.split(separator: "\n").count < 200)
    let serve = Child.run(["serve"] + place.configuration, in: place)
    #expect(serve.code == 1 && serve.err.split(separator: "\n").count < 60 && serve.err.contains("and 950 more"))
  }

  @Test func `an address of the command line that is none is told before anything starts`() {
    let place = Place()
    let result = Child.run(["check", "--listen", "127.0.0.1"] + place.configuration, in: place)
    #expect(result.code == 1 && result.out.contains("write HOST:PORT"), "\(result)")
  }

  @Test func `doctor tells of a secret that others can read, and of no certificate`() {
    let place = Place(more: "keys = { web = { secret = file \"web\" }, more = { secret = file \"more\" } }")
    place.write("web", "key-of-web")
    place.write("more", "key-of-more")
    chmod(place.path("web"), 0o640)
    chmod(place.path("more"), 0o600)
    place.write("ca", "-----BEGIN CERTIFICATE-----")
    place.write(
      "nudged.lua",
      place.read("nudged.lua").replacing("signing = \"none\"", with: "signing = \"none\", ca = file \"ca\""))
    let result = Child.run(["doctor"] + place.configuration, in: place)
    #expect(result.out.contains("attention: the secret in \(place.path("web")) can be read by others"), "\(result)")
    #expect(result.out.contains("chmod 600"))
    #expect(result.out.ranges(of: "can be read by others").count == 1)
  }

  @Test func `a rule that cannot be read does not vanish without a word`() {
    let place = Place()
    symlink("nowhere.lua", place.path("rules/lost.lua"))
    let result = Child.run(["check"] + place.configuration, in: place)
    #expect(
      result.code == 1 && result.out.contains("rules/lost.lua:1:1: error: cannot be read: No such file"), "\(result)")
    unlink(place.path("rules/lost.lua"))
    mkfifo(place.path("rules/pipe.lua"), 0o600)
    let pipe = Child.run(["check"] + place.configuration, in: place)
    #expect(
      pipe.code == 1 && pipe.out.contains("rules/pipe.lua:1:1: error: cannot be read: it is no plain file"), "\(pipe)")
    unlink(place.path("rules/pipe.lua"))
    symlink("../rules", place.path("rules/again"))
    let loop = Child.run(["check"] + place.configuration, in: place)
    #expect(loop.code == 1 && loop.out.contains("is there a link to a folder above it?"), "\(loop)")
    #expect(Child.run(["serve"] + place.configuration, in: place).code == 1)
  }

  @Test func `the environment and the flags say what the file does not`() throws {
    let place = Place()
    mkdir(place.path("none"), 0o700)
    let environment = ["NUDGED_CONFIG": place.path("nudged.lua"), "NUDGED_RULES": place.path("none")]
    let result = Child.run(["check"], in: place, environment: environment)
    #expect(result.out == "0 rules, nothing to complain about\n", "\(result)")
    let flag = Child.run(["check", "--rules=" + place.path("rules")], in: place, environment: environment)
    #expect(flag.out.hasPrefix("1 rule,"), "a flag comes before the environment")
    let here = Child.run(["check"], in: place)
    #expect(here.out.hasPrefix("1 rule,"), "nudged.lua in this folder is found by itself")
  }

  @Test func `a credential of systemd's is read from where it lies`() {
    let place = Place(more: "keys = { web = { secret = credential \"web\" } }")
    place.write("web", "key-of-web")
    let result = Child.run(
      ["check"] + place.configuration, in: place, environment: ["CREDENTIALS_DIRECTORY": place.folder])
    #expect(result.code == 0, "\(result)")
  }

  @Test func `doctor tells what is well, what needs attention and what is wrong`() throws {
    let place = Place(more: "open_locally = false, keys = { web = { secret = file \"web\" } }")
    place.write("web", "key-of-web")
    let text = place.read("nudged.lua")
    place.write("hook", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    place.write("nudged.lua", text.replacing("signing = \"none\"", with: "secret = file \"hook\""))
    let well = Child.run(["doctor"] + place.configuration, in: place)
    #expect(well.out.contains("ok: every request needs a key"), "\(well)")
    #expect(well.out.contains("ok: the rule in"))
    #expect(!well.out.contains("wrong:"))
    let daemon = try Daemon(place)
    #expect(daemon.command("doctor").out.contains("ok: a daemon answers at"))
    #expect(daemon.stop() == 0)
    #expect(Child.run(["doctor"] + place.configuration, in: place).out.contains("its newest record is"))
    place.write("nudged.lua", text.replacing("open_locally = false", with: "open_locally = true"))
    let open = Child.run(["doctor"] + place.configuration, in: place)
    #expect(open.code == 1 && open.out.contains("attention: every process of this machine"))
    #expect(open.out.contains("attention: some destinations get unsigned webhooks"))
    place.write("rules/welcome.lua", "return rule {")
    let broken = Child.run(["doctor", "--json"] + place.configuration, in: place)
    #expect(broken.code == 1)
    #expect(broken.out.contains("\"level\": \"wrong\"") && broken.out.contains("nudged check"), "\(broken.out)")
    place.write("nudged.lua", "return { lanes = 0 }")
    let wrong = Child.run(["doctor"] + place.configuration, in: place)
    #expect(wrong.code == 1 && wrong.out.contains("wrong: the configuration has errors"))
  }

  @Test func `an address and a header may be secrets, which come from files and are shown nowhere`() throws {
    let place = Place()
    let receiver = try Receiver(in: place)
    place.write("address", "http://127.0.0.1:\(receiver.port)/T000/hunter2-B000\n")
    place.write("key", "hunter2-key\n")
    place.configure(destination: receiver.port)
    place.write(
      "nudged.lua",
      place.read("nudged.lua").replacing(
        "url = \"http://127.0.0.1:\(receiver.port)/hooks\"", with: "url = file \"address\""
      )
      .replacing("signing = \"none\"", with: "signing = \"none\", headers = { [\"X-Api-Key\"] = file \"key\" }"))
    let daemon = try Daemon(place)
    #expect(try daemon.post("{\"name\":\"signup\",\"user\":1}").status == 200)
    #expect(receiver.waitFor(1))
    for words in [["deliveries", "show", "1"], ["destinations"], ["status"], ["doctor"], ["deliveries"]] {
      let shown = Child.run(words + place.configuration, in: place)
      #expect(!(shown.out + shown.err).contains("hunter2"), "\(words): \(shown)")
    }
    #expect(!daemon.log.contains("hunter2"))
    #expect(daemon.stop() == 0)
    receiver.child.signal(SIGTERM)
  }
}
