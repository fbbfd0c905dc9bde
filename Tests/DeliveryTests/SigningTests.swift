// Signatures beyond the first: Ed25519, others' manners, ids in headers; and who is told what.
//
// Thread: the test's. Promise: what is expected was worked out by hand or by another implementation.

import Basics
import Delivery
import Model
import Testing

@Suite struct SigningTests {
  private let body = Array(#"{"a":1}"#.utf8)
  private let now = Instant(milliseconds: 1_700_000_000_000)

  private func headers(_ destination: Destination) -> [String: String] {
    let lines = WebhookSigner(destination).headers(id: "msg_1", timestampSeconds: 1_700_000_000, body: body)
    return Dictionary(lines.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  private func destination(_ signing: Destination.Signing = .none) -> Destination {
    Destination(name: "d", url: "https://example.com/", signing: signing)
  }

  @Test func `Ed25519 signs as the first test vector of RFC 8032 does`() throws {
    let seed = try #require(Hex.decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"[...]))
    let key = try #require(SigningKey(seed: Secret(bytes: seed)))
    #expect(
      Hex.encode(key.publicKey) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    #expect(
      Hex.encode(key.sign([]))
        == "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
  }

  @Test func `a signing key adds v1a behind v1, and the public key alone checks it`() throws {
    let seed = Secret(bytes: [UInt8](repeating: 7, count: 32))
    let key = try #require(SigningKey(seed: seed))
    var both = destination(.standard([Secret(bytes: [UInt8](repeating: 1, count: 32))]))
    both.signingKeys = [seed]
    let found = headers(both)
    let parts = try #require(found["webhook-signature"]).split(separator: " ")
    #expect(parts.map { $0.prefix { $0 != "," } } == ["v1", "v1a"])
    let check = { (body: [UInt8], key: [UInt8]) in
      SignatureCheck.check(publicKey: key, header: { found[$0] }, body: body, now: self.now)
    }
    #expect(check(body, key.publicKey) == .valid)
    #expect(check(body + [1], key.publicKey) != .valid)
    #expect(check(body, [UInt8](repeating: 9, count: 32)) != .valid)
    var alone = destination(.standard([]))
    alone.signingKeys = [seed]
    #expect(headers(alone)["webhook-signature"]?.hasPrefix("v1a,") == true)
    // An old message is refused whatever its signature.
    let late = SignatureCheck.check(
      publicKey: key.publicKey, header: { found[$0] }, body: body, now: now + 301_000)
    #expect(late == .refused("the message is 301 s old; at most 300 s are accepted"))
  }

  @Test func `keys are written and read as text, and slips in them are told`() throws {
    let seed = Secret(bytes: (0..<32).map { UInt8($0) })
    #expect(try SigningKey.parsePrivate(SigningKey.text(private: seed)) == seed)
    #expect(throws: DeliveryError.self) { try SigningKey.parsePrivate("whsec_AAAA") }
    #expect(throws: DeliveryError.self) { try SigningKey.parsePrivate("whsk_AAAA") }
    #expect(throws: DeliveryError.self) { try SigningKey.parsePublic("whpk_AAAA") }
    #expect("\(seed)" == "(secret)")
  }

  @Test func `headers in the manner of Stripe and GitHub are what their receivers work out`() throws {
    let secret = Secret(bytes: Array("topsecret".utf8))
    let older = Secret(bytes: Array("older".utf8))
    var one = destination()
    one.moreSigning = [
      .stripe(header: "X-Stripe", [secret, older]), .github(header: "X-Hub-Signature-256", [secret]),
    ]
    one.idHeader = "Idempotency-Key"
    let found = headers(one)
    #expect(found["idempotency-key"] == "msg_1")
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac topsecret, and without the time for the other.
    #expect(
      found["x-stripe"]?.hasPrefix(
        "t=1700000000,v1=6a939b0c71853d606167625a15168ee9188c6a511c773ef4f42d307f3849e50f,v1=") == true)
    #expect(
      found["x-hub-signature-256"]
        == "sha256=bf1e6501b7fa928ec2391fea9dd90af3c9ad1b7b1ef6ff319c25940cec746bf8")
    let check = { (name: String, secret: Secret) in
      SignatureCheck.check(
        stripeHeader: name, secrets: [secret], header: { found[$0] }, body: self.body, now: self.now)
    }
    #expect(check("X-Stripe", secret) == .valid)
    #expect(check("X-Stripe", older) == .valid)
    #expect(check("X-Stripe", Secret(bytes: [1])) != .valid)
    #expect(check("X-Missing", secret) == .refused("the header X-Missing is missing"))
    let github = SignatureCheck.check(
      .body(header: "X-Hub-Signature-256", prefix: "sha256=", secrets: [secret]), header: { found[$0] }, body: body,
      now: now)
    #expect(github == .valid)
  }

  private func signatures(_ signer: WebhookSigner, at seconds: Int64) -> [String: String] {
    let lines = signer.headers(id: "msg_1", timestampSeconds: seconds, body: body)
    return Dictionary(lines.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  @Test
  func `a header with room for one signature has the oldest secret's until its time is over, then the next one's`() {
    let second = now.milliseconds / 1000
    let oldest = Secret(bytes: Array("oldest".utf8), until: now + 60_000)
    let older = Secret(bytes: Array("older".utf8), until: now + 120_000)
    let newest = Secret(bytes: Array("newest".utf8))
    let all = [newest, older, oldest]
    let signer = WebhookSigner(
      .body(header: "X-Signature", prefix: "sha256=", secrets: all), more: [.github(header: "X-Hub", all)])
    for (moment, right) in [(0, oldest), (59, oldest), (60, older), (119, older), (120, newest), (9_999, newest)] {
      let alone = WebhookSigner(.body(header: "X-Signature", prefix: "sha256=", secrets: [Secret(bytes: right.bytes)]))
      let expected = signatures(alone, at: second)["X-Signature"]
      let found = signatures(signer, at: second + Int64(moment))
      #expect(found["X-Signature"] == expected && found["X-Hub"] == expected, "\(moment) s later")
    }
    // Without an end all of them count for ever, and the first one signs.
    let forever = WebhookSigner(
      .body(header: "X-Signature", prefix: "sha256=", secrets: [newest, Secret(bytes: oldest.bytes)]))
    let alone = WebhookSigner(.body(header: "X-Signature", prefix: "sha256=", secrets: [newest]))
    #expect(signatures(forever, at: second) == signatures(alone, at: second))
  }

  @Test func `a secret that is over signs nothing from that second on, without a reload`() throws {
    let second = now.milliseconds / 1000
    let old = Secret(bytes: [UInt8](repeating: 1, count: 32), until: now + 60_000)
    let new = Secret(bytes: [UInt8](repeating: 2, count: 32))
    let signer = WebhookSigner(
      .standard([new, old]), keys: [new, old], more: [.stripe(header: "X-Stripe", [new, old])])
    func kinds(_ seconds: Int64) -> [String] {
      (signatures(signer, at: seconds)["webhook-signature"] ?? "").split(separator: " ").map { part in
        String(part.prefix { $0 != "," })
      }
    }
    #expect(kinds(second + 59) == ["v1", "v1", "v1a", "v1a"])
    #expect(kinds(second + 60) == ["v1", "v1a"])
    #expect(signatures(signer, at: second + 59)["X-Stripe"]?.split(separator: ",").count == 3)
    #expect(signatures(signer, at: second + 60)["X-Stripe"]?.split(separator: ",").count == 2)
  }

  @Test func `a destination that could smuggle something through its new parts has a problem`() {
    var wrong = destination()
    wrong.idHeader = "bad header"
    #expect(!DestinationCheck.problems(of: wrong).isEmpty)
    wrong = destination()
    wrong.authorization = Secret(bytes: Array("Bearer a\r\nX: y".utf8))
    #expect(!DestinationCheck.problems(of: wrong).isEmpty)
    wrong = destination()
    wrong.proxy = "ftp://proxy"
    #expect(!DestinationCheck.problems(of: wrong).isEmpty)
    wrong = destination()
    wrong.moreSigning = [.github(header: "webhook-id", [Secret(bytes: [1])])]
    #expect(!DestinationCheck.problems(of: wrong).isEmpty)
    wrong = destination()
    wrong.certificates.client = Array("-----BEGIN".utf8)
    #expect(!DestinationCheck.problems(of: wrong).isEmpty)
    #expect(DestinationCheck.problems(of: destination()).isEmpty)
  }

  @Test func `a type is taken by its name, by its beginning, or always`() {
    var one = destination()
    #expect(one.takes("x"))
    one.types = ["dunning.*", "welcome"]
    #expect(one.takes("dunning.first") && one.takes("welcome"))
    #expect(!one.takes("welcome.back") && !one.takes("dunnin"))
  }
}
