// Secrets from making to rotating, and checking a webhook by hand; and the keys of destinations that concern them.
//
// Thread: the test's. Promise: no secret of these tests is ever in an answer that was not asked for it.

import Basics
import Glibc
import Testing

@Suite struct KeysTests {
  private func place(_ destination: String) -> Place {
    let place = Place()
    place.write(
      "nudged.lua",
      """
      return { listen = "127.0.0.1:0", store = "nudged.db", rules = "rules", destinations = { crm = { \(destination) } } }
      """)
    return place
  }

  private func run(_ place: Place, _ words: String...) -> Child.Result {
    Child.run(words + place.configuration, in: place)
  }

  @Test func `a secret is made, used, rotated with an overlap, and never shown by a list`() throws {
    let place = place(#"url = "https://example.com/", secret = file "crm.secret", signing_key = file "crm.key""#)
    #expect(run(place, "keys", "create", "secret", place.path("crm.secret")).code == 0)
    let made = run(place, "keys", "create", "signing", place.path("crm.key"))
    let publicKey = try #require(made.out.split(separator: " ").last.map { $0.filter { $0 != "\n" } })
    #expect(publicKey.hasPrefix("whpk_"))
    #expect(run(place, "keys", "create", "secret", place.path("crm.secret")).code == 1)
    let first = place.read("crm.secret").filter { $0 != "\n" }
    #expect(first.hasPrefix("whsec_"))
    var status = stat()
    stat(place.path("crm.secret"), &status)
    #expect(status.st_mode & 0o777 == 0o600)
    let listed = run(place, "keys", "list")
    #expect(listed.code == 0 && listed.out.contains(publicKey) && !listed.out.contains(first), "\(listed)")
    let rotated = run(place, "keys", "rotate", "crm", "--overlap", "2 hours")
    #expect(rotated.code == 0 && !rotated.out.contains("whsec_"), "\(rotated)")
    let lines = place.read("crm.secret").split(separator: "\n")
    #expect(lines.count == 2 && lines[1].hasPrefix(first + " until 20") && !lines[0].contains("until"))
    #expect(run(place, "check").code == 0)
    #expect(run(place, "keys", "rotate", "crmm").err.contains("did you mean 'crm'"))
  }

  @Test func `a rotated file keeps its owner and rights, so that the daemon can still read it`() throws {
    let place = place(#"url = "https://example.com/", secret = file "crm.secret""#)
    #expect(run(place, "keys", "create", "secret", place.path("crm.secret")).code == 0)
    chmod(place.path("crm.secret"), 0o640)
    // Only root can give a file away.
    let isRoot = chown(place.path("crm.secret"), 1_234, 1_235) == 0
    #expect(run(place, "keys", "rotate", "crm").code == 0)
    var status = stat()
    stat(place.path("crm.secret"), &status)
    #expect(status.st_mode & 0o777 == 0o640)
    #expect(!isRoot || (status.st_uid == 1_234 && status.st_gid == 1_235))
    let refused = run(place, "keys", "rotate", "crm", "--signing")
    #expect(refused.code == 2 && refused.err.contains("leave --signing out to rotate its secret"), "\(refused)")
  }

  @Test
  func `rotating says who signs a header with one signature, the list says which secret is over, verify takes both`()
    throws
  {
    let place = place(
      #"url = "https://example.com/", signing = "body", secret = file "s", also_sign = { github = "X-Hub" }"#)
    place.write("s", "topsecret\n")
    let rotated = run(place, "keys", "rotate", "crm", "--overlap", "2 hours")
    #expect(rotated.code == 0 && !rotated.out.contains("signs as well"), "\(rotated)")
    for header in ["X-Signature", "X-Hub"] {
      #expect(
        rotated.out.contains("\(header) has room for one signature: it is the old one's until 20"), "\(rotated)")
    }
    let signature = "sha256=bf1e6501b7fa928ec2391fea9dd90af3c9ad1b7b1ef6ff319c25940cec746bf8"
    place.write("webhook", "X-Signature: \(signature)\n\n" + #"{"a":1}"#)
    let verify = ["verify", "--secret-file", place.path("s"), "--header", "X-Signature", place.path("webhook")]
    #expect(Child.run(verify, in: place).code == 0)
    place.write("s", "newsecret\ntopsecret until 2020-01-01T00:00:00Z\n")
    let listed = run(place, "keys", "list")
    #expect(listed.out.contains("2020-01-01T00:00:00.000Z  over"), "\(listed)")
    #expect(Child.run(verify, in: place).code == 1, "what is over proves nothing")
  }

  @Test func `a saved webhook is checked by hand`() throws {
    let place = Place()
    let body = #"{"a":1}"#
    place.write("s", "topsecret\n")
    // printf '{"a":1}' | openssl dgst -sha256 -hmac topsecret
    let signature = "sha256=bf1e6501b7fa928ec2391fea9dd90af3c9ad1b7b1ef6ff319c25940cec746bf8"
    place.write("webhook", "POST /hook HTTP/1.1\r\nX-Signature: \(signature)\r\n\r\n\(body)")
    let right = Child.run(
      ["verify", "--secret-file", place.path("s"), "--header", "X-Signature", place.path("webhook")], in: place)
    #expect(right.code == 0 && right.out == "the signature is valid\n", "\(right)")
    place.write("webhook", "X-Signature: \(signature)\n\n\(body) ")
    let wrong = Child.run(
      ["verify", "--secret-file", place.path("s"), "--header", "X-Signature", place.path("webhook")], in: place)
    #expect(wrong.code == 1 && wrong.err.contains("does not match"), "\(wrong)")
    #expect(Child.run(["verify", place.path("webhook")], in: place).code == 2)
  }

  @Test(arguments: [
    (#"preset = "slak", url = "https://example.com/""#, "did you mean 'slack'?"),
    (#"url = "https://example.com/", signing = "none", shape = "from""#, "did you mean 'form'?"),
    (#"url = "https://example.com/", signing = "none", transform = "lib/nope""#, "there is no library 'lib/nope'"),
    (#"url = "https://example.com/", signing = "none", id_header = "bad header""#, "cannot be the name of a header"),
    (#"url = "https://example.com/", signing = "none", proxy = "gopher://x""#, "is not a URL such as"),
    (
      #"url = "https://example.com/", signing = "none", proxy = "http://ada:geheim@proxy.example.com:3128""#,
      "its proxy contains a user name or password, which must not stand in the configuration"
    ),
    (
      #"url = "https://example.com/", signing = "none", proxy = "http://[fd00::1]:3128""#,
      "its proxy: the address fd00::1 is not public"
    ),
    (
      #"url = "https://example.com/", signing = "none", headers = { authorization = "bearer geheim" }"#,
      #"which must not stand in the configuration; use bearer = file "PATH""#
    ),
    (#"url = "https://ada:geheim@example.com/", signing = "none""#, #"use basic = file "PATH" instead"#),
    (#"url = "https://example.com/", signing = "none", test = "yes""#, "must be true or false"),
    (#"url = "https://example.com/", signing = "none", ca = file "secret""#, "must be PEM text"),
    (#"url = "https://example.com/", signing_key = file "secret""#, "a signing key starts with"),
    (#"url = "https://example.com/", secret = file "two""#, "holds a line 2 that is no secret"),
    (#"url = "https://example.com/", signing = "none", also_sign = { strip = "X" }"#, "did you mean 'stripe'?"),
    (
      #"url = "https://example.com/", signing = "none", bearer = file "secret", headers = { authorization = "x" }"#,
      "the header Authorization would be sent twice"
    ),
    (
      #"url = "https://example.com/", signing = "none", headers = { ["X-Team"] = "a", ["x-team"] = "b" }"#,
      "would be sent twice"
    ),
    (
      #"url = "https://example.com/", signing = "body", secret = file "secret", header = "Content-Type""#,
      "a name or prefix that cannot be sent"
    ),
    (
      #"url = "https://example.com/", signing = "none", secret = file "secret", also_sign = { github = "host" }"#,
      #""host" cannot be the name of a header of its own"#
    ),
    (
      #"url = "https://example.com/", signing = "none", id_header = "X-Id", headers = { ["x-ID"] = "1" }"#,
      "the header X-Id would be sent twice"
    ),
  ])
  func `a slip in a destination is told with its place`(destination: String, complaint: String) {
    let place = place(destination)
    place.write("secret", "something\n")
    place.write("two", "whsec_AAAA\nwhsec_BBBB until soon\n")
    let checked = run(place, "check")
    #expect(checked.code == 1 && checked.out.contains(complaint) && checked.out.contains("nudged.lua:1"), "\(checked)")
    #expect(!checked.out.contains("something"))
  }
}
