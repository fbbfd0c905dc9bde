// nudged init: the first files of a new place.
//
// Thread: main. Promise: nothing that exists is touched, but for what editors read, which is made anew; what is
// written passes `nudged check` and `nudged test`.

internal import Basics
internal import Glibc

extension Command {
  static let initialize = Command(
    name: "init", summary: "make a configuration and a first rule in this folder",
    help: """
      nudged init [DIR]

      Writes into DIR (default: this folder) a configuration with its secret, a rules folder with a catalogue,
      one rule and its test, what editors need to know, and an example of a check on a build server. Files that
      exist are left as they are.
      """
  ) { raw in
    let arguments = try Arguments(raw)
    guard arguments.words.count <= 1 else { throw UsageError("write: init, or init DIR") }
    let folder = arguments.words.first ?? "."
    Files.makeFolder(folder + "/rules")
    var random = SystemRandom()
    let secret = (0..<4).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
    let files: [(String, String, mode_t)] = [
      ("nudged.lua", Starter.configuration, 0o644), ("rules/catalog.lua", Starter.catalogue, 0o644),
      ("rules/welcome.lua", Starter.rule, 0o644), ("rules/welcome_test.lua", Starter.test, 0o644),
      ("webhook.secret", "whsec_" + Base64.encode(secret) + "\n", 0o600), (".gitignore", Starter.ignored, 0o644),
      (".github/workflows/rules.yml", Starter.workflow, 0o644),
    ]
    Files.makeFolder(folder + "/.github/workflows")
    let isNew = !Files.exists(folder + "/nudged.lua")
    for (name, text, mode) in files {
      let path = folder + "/" + name
      if Files.exists(path) {
        Terminal.print("\(path) is there already and stays as it is")
      } else if Files.create(path, text, mode: mode) {
        Terminal.print("wrote \(path)")
      } else {
        throw StartFailure("cannot write \(path): \(String(cString: strerror(errno)))")
      }
    }
    // One that was there may name other rules, and secrets that this machine does not have.
    if isNew { _ = try annotate(Source(Arguments(["--config", folder + "/nudged.lua"])), to: nil) }
    let place = folder == "." ? "" : "cd \(folder) && "
    Terminal.print(
      """

      Next:
        \(place)nudged test                                   (runs the test of the rule)
        \(place)nudged receive --secret-file webhook.secret   (in one terminal)
        \(place)nudged serve                                  (in another)
        \(place)nudged send signup --user 42                  (in a third)
      """)
    return 0
  }
}

/// What `init` writes.
enum Starter {
  static let configuration = """
    -- The configuration of nudged. Relative paths begin at this file's folder.
    return {
      listen = "127.0.0.1:8484",
      store  = "sqlite:nudged.db",
      rules  = "rules",

      -- Who receives webhooks. Secrets stand in files or systemd credentials, never here.
      destinations = {
        crm = {
          url    = "http://127.0.0.1:9000/webhooks",
          secret = file "webhook.secret",
          allow  = { "127.0.0.0/8" },   -- private networks are refused unless named
        },
      },

      -- Keys for senders that are not on this machine:
      -- keys = { web = { secret = credential "web-key", rights = { "ingest" } } },
    }

    """
  static let rule = """
    -- Sends a welcome to everyone who signs up, once.
    return rule {
      title = "Welcome new users",
      on    = "signup",
      again = "never",
      run = function(event, customer)
        state.signups = (state.signups or 0) + 1
        send("crm", "user.welcome", { customer = customer.id, plan = event.data.plan })
      end,
    }

    """
  static let test = """
    test("whoever signs up is welcomed once", function(t)
      t:event("signup", { plan = "pro" })
      t:expect_sent("crm", "user.welcome", { customer = "42", plan = "pro" })
      t:event("signup", { plan = "pro" })
      t:expect_verdict("not again")
      t:expect_nothing()
    end)

    """
  static let catalogue = """
    -- What the rules of this folder may speak of. `nudged check` holds every rule against it, and editors
    -- complete from it (`nudged rules annotate` writes that anew).
    return catalog {
      events = {
        signup = { plan = "text" },
      },
      traits = { plan = "text" },
      templates = {
        ["user.welcome"] = { customer = "text", plan = "text" },
      },
      -- Where there is no configuration at hand, as on a build server.
      destinations = { "crm" },
    }

    """
  static let ignored = """
    *.secret
    nudged.db*

    """
  /// For GitHub; the two commands are the same anywhere.
  static let workflow = """
    # Checks and tests every rule before it is merged. It needs the nudged program and nothing else: no daemon,
    # no database, no secret. Elsewhere than on GitHub, the two commands at the end are all there is to it.
    name: rules
    on: [push, pull_request]
    jobs:
      rules:
        runs-on: ubuntu-latest
        container: debian:12
        steps:
          - uses: actions/checkout@v4
          - name: Install nudged
            # Take the program from where you keep it; these are the libraries that it is linked with.
            run: |
              apt-get update
              apt-get install -y liblua5.4-0 libsqlite3-0 libcurl4 libssl3 libsimdjson14 zlib1g
              install -m 755 tools/nudged /usr/local/bin/nudged
          - run: nudged check --strict --rules rules
          - run: nudged test --rules rules

    """
}
