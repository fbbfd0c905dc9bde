// Encrypted receivers: certificates that are right, wrong, past their time or asked of us, with nginx at the other
// end. Runs where nginx and openssl are installed, and says so where they are not.
//
// Thread: the test's; nginx as a child. Promise: the child ends with the test, and its folder goes.

import Basics
import Delivery
import Glibc
import Model
import Testing

private let hasTools =
  system("command -v openssl > /dev/null 2>&1") == 0 && access("/usr/sbin/nginx", X_OK) == 0

@Suite(.serialized, .enabled(if: hasTools, "nginx or openssl is missing; nothing encrypted was sent"))
struct EncryptedTests {
  @Test func `a receiver whose certificate our own authority signed is trusted with that authority alone`() throws {
    let receiver = try EncryptedReceiver()
    let trusted = try receiver.send { $0.certificates.authority = receiver.read("ca.pem") }
    #expect(trusted.outcome == .delivered, "\(trusted.message)")
    let untrusted = try receiver.send { _ in }
    #expect(untrusted.outcome == .tls)
    #expect(untrusted.message.contains("certificate"), "\(untrusted.message)")
  }

  @Test func `an expired certificate and one of another name are refused`() throws {
    let expired = try EncryptedReceiver(certificate: "expired.pem")
    let late = try expired.send { $0.certificates.authority = expired.read("ca.pem") }
    #expect(late.outcome == .tls && late.message.contains("expired"), "\(late.message)")
    let other = try EncryptedReceiver(certificate: "other.pem")
    let wrong = try other.send { $0.certificates.authority = other.read("ca.pem") }
    #expect(wrong.outcome == .tls, "\(wrong.message)")
  }

  @Test func `a receiver that asks for a certificate gets ours, and refuses us without`() throws {
    let receiver = try EncryptedReceiver(asksForCertificate: true)
    let shown = try receiver.send {
      $0.certificates.authority = receiver.read("ca.pem")
      $0.certificates.client = receiver.read("server.pem")
      $0.certificates.clientKey = Secret(bytes: receiver.read("server.key"))
    }
    #expect(shown.outcome == .delivered, "\(shown.message)")
    let hidden = try receiver.send { $0.certificates.authority = receiver.read("ca.pem") }
    #expect(hidden.outcome == .status && hidden.status == 400, "\(hidden.outcome) \(hidden.status)")
  }

  @Test func `certificates of one destination are not another's`() throws {
    let receiver = try EncryptedReceiver()
    var trusting = destination(receiver.url, name: "trusting")
    trusting.certificates.authority = receiver.read("ca.pem")
    let sending = Sending([trusting, destination(receiver.url, name: "other", retries: [])])
    defer { sending.stop() }
    for round in 0..<3 {
      let number = Int64(round * 2 + 1)
      #expect(sending.attempts(of: delivery(number, to: "trusting")).first?.outcome == .delivered)
      #expect(sending.attempts(of: delivery(number + 1, to: "other")).first?.outcome == .tls)
    }
  }
}

private final class EncryptedReceiver {
  private let folder: String
  private let port: UInt16
  var url: String { "https://127.0.0.1:\(port)/hook" }

  init(certificate: String = "server.pem", asksForCertificate: Bool = false) throws {
    var pattern = Array("/tmp/nudged-tls-XXXXXX".utf8CString)
    folder = String(cString: mkdtemp(&pattern))
    // A port that was free a moment ago; nginx cannot choose one by itself and tell.
    let probe = LoopbackReceiver.answering()
    port = probe.port
    probe.stop()
    write("make.sh", EncryptedReceiver.script)
    try #require(system("cd \(folder) && sh make.sh > made.log 2>&1") == 0)
    write("nginx.conf", configuration(certificate, asksForCertificate))
    try #require(system("/usr/sbin/nginx -p \(folder) -c \(folder)/nginx.conf 2> \(folder)/start.log") == 0)
  }

  deinit {
    if let text = String(validating: read("nginx.pid"), as: UTF8.self),
      let process = Int32(text.filter { $0.isNumber })
    {
      kill(process, SIGTERM)
      for _ in 0..<200 where kill(process, 0) == 0 { poll(nil, 0, 10) }
    }
    system("rm -rf \(folder)")
  }

  private static let script = """
    set -e
    key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    openssl req -x509 $key -keyout ca.key -out ca.pem -days 30 -subj /CN=authority
    openssl req $key -keyout server.key -out server.csr -subj /CN=localhost
    printf 'subjectAltName=IP:127.0.0.1\\n' > names
    printf 'subjectAltName=DNS:other.example\\n' > names.other
    sign() { openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days "$1" -extfile "$2" -out "$3"; }
    sign 30 names server.pem
    sign -1 names expired.pem
    sign 30 names.other other.pem
    """

  private func configuration(_ certificate: String, _ asksForCertificate: Bool) -> String {
    let asking =
      asksForCertificate ? "ssl_verify_client on; ssl_client_certificate \(folder)/ca.pem;" : ""
    return """
      pid \(folder)/nginx.pid; error_log \(folder)/error.log; worker_processes 1;
      events { worker_connections 64; }
      http {
        access_log off; client_body_temp_path \(folder)/body; proxy_temp_path \(folder)/proxy;
        fastcgi_temp_path \(folder)/fastcgi; uwsgi_temp_path \(folder)/uwsgi; scgi_temp_path \(folder)/scgi;
        server {
          listen 127.0.0.1:\(port) ssl; ssl_certificate \(folder)/\(certificate);
          ssl_certificate_key \(folder)/server.key; \(asking)
          location / { return 200; }
        }
      }
      """
  }

  private func write(_ name: String, _ text: String) {
    guard let file = fopen(folder + "/" + name, "w") else { return }
    fputs(text, file)
    fclose(file)
  }

  func read(_ name: String) -> [UInt8] {
    guard let file = fopen(folder + "/" + name, "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 16_384)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
  }

  func send(_ change: (inout Destination) -> Void) throws -> Attempt {
    var one = destination(url, retries: [])
    change(&one)
    let sending = Sending([one])
    defer { sending.stop() }
    return try #require(sending.attempts(of: delivery(1)).first)
  }
}
