// The examples of what a receiver does: each is run by its own language, where that is on the machine.
//
// Thread: the test's. Promise: the webhook that is checked was signed by the daemon's own signer.

import Basics
import Delivery
import Files
import Glibc
import Model
import Testing

@Suite struct ReceiverTests {
  struct Example: Sendable, CustomTestStringConvertible {
    var language: String
    var file: String
    /// What runs it, as a shell command; SECRET, ID, TIME, SIGNATURE and the file `body` are there.
    var command: String
    var program: String
    var testDescription: String { file }
  }

  static let examples = [
    Example(
      language: "python", file: "verify.py",
      command: """
        python3 -c 'import os, sys; sys.path.insert(0, "."); from verify import verify
        e = os.environ; h = {"webhook-id": e["ID"], "webhook-timestamp": e["TIME"], "webhook-signature": e["SIGNATURE"]}
        sys.exit(0 if verify(e["SECRET"], h, open("body", "rb").read()) else 1)'
        """, program: "python3"),
    Example(
      language: "js", file: "verify.js",
      command: """
        node -e 'const e = process.env, h = { "webhook-id": e.ID, "webhook-timestamp": e.TIME, "webhook-signature": e.SIGNATURE }
        process.exit(require("./verify.js").verify(e.SECRET, h, require("fs").readFileSync("body")) ? 0 : 1)'
        """, program: "node"),
    Example(
      language: "php", file: "verify.php",
      command: """
        php -r 'require "verify.php"; $h = ["webhook-id" => getenv("ID"), "webhook-timestamp" => getenv("TIME"), "webhook-signature" => getenv("SIGNATURE")];
        exit(verify(getenv("SECRET"), $h, file_get_contents("body")) ? 0 : 1);'
        """, program: "php"),
    Example(
      language: "ruby", file: "verify.rb",
      command: """
        ruby -e 'require "./verify.rb"; h = { "webhook-id" => ENV["ID"], "webhook-timestamp" => ENV["TIME"], "webhook-signature" => ENV["SIGNATURE"] }
        exit(verify(ENV["SECRET"], h, File.binread("body")) ? 0 : 1)'
        """, program: "ruby"),
    Example(
      language: "sh", file: "verify.sh",
      command: #"printf %s "$SECRET" > webhook.secret; sh verify.sh "$ID" "$TIME" "$SIGNATURE""#, program: "openssl"),
  ].filter { system("command -v \($0.program) > /dev/null 2>&1") == 0 }

  @Test(arguments: ReceiverTests.examples)
  func `an example accepts what we sign and refuses what was changed`(example: Example) throws {
    let block = try #require(
      Pages.blocks(example.language, in: ["etc/doc/webhooks.md"]).first { $0.name == example.file })
    let body = Array(#"{"type":"t","data":{"name":"Ädä"}}"#.utf8)
    let secret = Secret(bytes: (0..<32).map { UInt8($0) })
    let time = Clocks.system.wall().milliseconds / 1000
    let signer = WebhookSigner(.standard([Secret(bytes: [UInt8](repeating: 9, count: 24)), secret]))
    let headers = signer.headers(id: "msg_1", timestampSeconds: time, body: body)
    let signature = try #require(headers.first { $0.name == "webhook-signature" }).value
    let kept = TemporaryFolder([
      (example.file, block.text), ("body", String(decoding: body, as: UTF8.self)), ("run", example.command),
    ])
    func run(time: Int64, signature: String) -> Bool {
      let variables =
        "SECRET='\(WebhookSecret.text(secret))' ID=msg_1 TIME=\(time) SIGNATURE='\(signature)' PYTHONDONTWRITEBYTECODE=1"
      return system("cd \(kept.path) && \(variables) sh run > /dev/null 2>&1") == 0
    }
    #expect(run(time: time, signature: signature))
    #expect(!run(time: time + 1, signature: signature))
    #expect(!run(time: time, signature: "v1,AAAA"))
    #expect(!run(time: time, signature: "v1,ä"))
    // The time is checked, too.
    let old = signer.headers(id: "msg_1", timestampSeconds: time - 600, body: body)
    let late = try #require(old.first { $0.name == "webhook-signature" }).value
    #expect(!run(time: time - 600, signature: late))
  }
}
