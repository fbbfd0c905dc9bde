// Signatures against published values, and the refusals a receiver gives.
//
// Thread: any. Promise: pure, no network.

import Basics
import Delivery
import Model
import Testing

@Suite struct SignatureTests {
  private let secret = try! WebhookSecret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
  private let body = Array(#"{"test": 2432232314}"#.utf8)
  private let now = Instant(milliseconds: 1_614_265_330_000)

  private func signed(_ signing: Destination.Signing) -> [String: String] {
    let headers = WebhookSigner(signing).headers(
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestampSeconds: 1_614_265_330, body: body)
    return Dictionary(uniqueKeysWithValues: headers.map { ($0.name.lowercased(), $0.value) })
  }

  private func check(
    _ headers: [String: String], _ signing: Destination.Signing, body: [UInt8]? = nil, now: Instant? = nil
  ) -> SignatureCheck {
    SignatureCheck.check(signing, header: { headers[$0] }, body: body ?? self.body, now: now ?? self.now)
  }

  private func isRefused(_ check: SignatureCheck, naming words: String) -> Bool {
    if case .refused(let reason) = check { reason.contains(words) } else { false }
  }

  @Test func `The example that Standard Webhooks publishes comes out the same`() {
    let headers = signed(.standard([secret]))
    #expect(headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek")
    #expect(headers["webhook-timestamp"] == "1614265330")
    #expect(headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    #expect(check(headers, .standard([secret])) == .valid)
  }

  @Test func `The example that GitHub publishes for bodies comes out the same`() {
    let key = Secret(bytes: Array("It's a Secret to Everybody".utf8))
    let signing = Destination.Signing.body(header: "X-Hub-Signature-256", prefix: "sha256=", secrets: [key])
    let text = Array("Hello, World!".utf8)
    let header = WebhookSigner(signing).headers(id: "m", timestampSeconds: 0, body: text).last
    #expect(header?.name == "X-Hub-Signature-256")
    #expect(header?.value == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17")
    let headers = ["x-hub-signature-256": header?.value ?? ""]
    #expect(check(headers, signing, body: text) == .valid)
    #expect(isRefused(check(headers, signing), naming: "does not match"))
  }

  @Test func `A signer gives the same signature again and again`() {
    let signer = WebhookSigner(.standard([secret]))
    let first = signer.headers(id: "m", timestampSeconds: 5, body: body)
    _ = signer.headers(id: "other", timestampSeconds: 6, body: [])
    #expect(signer.headers(id: "m", timestampSeconds: 5, body: body) == first)
  }

  @Test func `While secrets overlap, either of them is enough`() {
    let next = Secret(bytes: Array(repeating: 9, count: 24))
    let headers = signed(.standard([secret, next]))
    #expect(headers["webhook-signature"]?.split(separator: " ").count == 2)
    #expect(check(headers, .standard([next])) == .valid)
    #expect(check(headers, .standard([secret])) == .valid)
  }

  @Test func `Unknown versions of signatures are passed over`() {
    var headers = signed(.standard([secret]))
    headers["webhook-signature"] = "v1a,AAAA v9 " + (headers["webhook-signature"] ?? "")
    #expect(check(headers, .standard([secret])) == .valid)
    headers["webhook-signature"] = "v1a,AAAA"
    #expect(isRefused(check(headers, .standard([secret])), naming: "v1,"))
  }

  @Test func `A changed body, id or secret does not match`() {
    let headers = signed(.standard([secret]))
    #expect(isRefused(check(headers, .standard([secret]), body: Array("{}".utf8)), naming: "no signature matches"))
    var renamed = headers
    renamed["webhook-id"] = "msg_other"
    #expect(isRefused(check(renamed, .standard([secret])), naming: "no signature matches"))
    let other = Secret(bytes: Array(repeating: 1, count: 24))
    #expect(isRefused(check(headers, .standard([other])), naming: "no signature matches"))
  }

  @Test func `Five minutes are tolerated both ways, and not a second more`() {
    let headers = signed(.standard([secret]))
    #expect(check(headers, .standard([secret]), now: now + 300_000) == .valid)
    #expect(check(headers, .standard([secret]), now: now + -300_000) == .valid)
    #expect(isRefused(check(headers, .standard([secret]), now: now + 301_000), naming: "301 s old"))
    #expect(isRefused(check(headers, .standard([secret]), now: now + -301_000), naming: "301 s ahead"))
  }

  @Test(arguments: ["webhook-id", "webhook-timestamp", "webhook-signature"])
  func `A missing header is named`(name: String) {
    var headers = signed(.standard([secret]))
    headers[name] = nil
    #expect(isRefused(check(headers, .standard([secret])), naming: name))
  }

  @Test func `A timestamp that is no number is refused`() {
    var headers = signed(.standard([secret]))
    headers["webhook-timestamp"] = "yesterday"
    #expect(isRefused(check(headers, .standard([secret])), naming: "whole seconds"))
  }

  @Test(arguments: ["whsec_", "whsec_AAAA", "whsec_!!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ""])
  func `A secret that is none is refused`(text: String) {
    #expect(throws: DeliveryError.self) { try WebhookSecret.parse(text) }
  }

  @Test func `A secret reads back as it was written, and does not print itself`() throws {
    #expect(WebhookSecret.text(secret) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    #expect("\(secret)" == "(secret)")
  }
}
