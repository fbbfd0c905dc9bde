// The same bytes to nginx and to our parser: where nginx refuses, we refuse. Where only we refuse, the
// probe says why. Runs where nginx is installed, and says so where it is not.
//
// Thread: each test its own, nginx as a child. Promise: the child ends with the test.

import Basics
import CPlatform
import Glibc
import Testing

@testable import Intake

private let nginxPath = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"].first { (path: String) in
  access(path, X_OK) == 0
}

@Suite(.serialized, .enabled(if: nginxPath != nil, "nginx is not installed; the comparison with it was not made"))
struct NginxTests {
  @Test func `we are never laxer than nginx, and every stricter refusal has its reason`() throws {
    let nginx = try Nginx()
    for probe in wellFormed + malformed {
      let theirs = nginx.statuses(probe.bytes)
      let accepted = theirs.prefix { $0 == 200 }.count
      let ours = probe.statuses.prefix { $0 == 200 }.count
      #expect(ours <= accepted, "\(probe.name): nginx says \(theirs), we say \(probe.statuses)")
      if ours < accepted { #expect(probe.stricter != nil, "\(probe.name): nginx says \(theirs); why do we refuse?") }
    }
  }

  @Test func `damaged requests that nginx refuses are refused here`() throws {
    let nginx = try Nginx()
    var mutations = Mutations(seed: 99 &+ FuzzTests.seed)
    var laxer = 0
    for _ in 0..<(FuzzTests.rounds / 20) where laxer < 20 {
      let bytes = mutations.next()
      let ours = Feed.whole(bytes).requests.count
      if ours == 0 { continue }
      let theirs = nginx.statuses(bytes)
      let accepted = theirs.prefix { $0 == 200 }.count
      if ours > accepted {
        laxer += 1
        let text = String(decoding: bytes, as: UTF8.self).debugDescription
        Issue.record("\(text): we read \(ours) requests, nginx says \(theirs)")
      }
    }
  }
}

/// nginx as a proxy before itself, so that it reads bodies to their end as a proxy before us would.
private final class Nginx {
  private let directory: String
  private var process: pid_t = 0
  private var front: String { directory + "/front.sock" }

  init() throws {
    directory = "/tmp/nudged-nginx-\(getpid())-\(platform_monotonic_ns())"
    mkdir(directory, 0o700)
    let file = directory + "/nginx.conf"
    let descriptor = open(file, O_CREAT | O_WRONLY, 0o600)
    let text = Nginx.configuration(directory)
    _ = write(descriptor, text, text.utf8.count)
    close(descriptor)
    let words = [nginxPath ?? "", "-p", directory, "-c", file, "-e", directory + "/error.log"]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    let code = posix_spawn(&process, words[0], nil, nil, &arguments, nil)
    try #require(code == 0)
    let limit = platform_monotonic_ns() + 5_000_000_000
    let back = directory + "/back.sock"
    while access(front, F_OK) != 0 || access(back, F_OK) != 0, platform_monotonic_ns() < limit { poll(nil, 0, 10) }
    try #require(access(front, F_OK) == 0)
  }

  deinit {
    kill(process, SIGKILL)
    var status: Int32 = 0
    waitpid(process, &status, 0)
    for name in ["front.sock", "back.sock", "nginx.conf", "error.log", "pid"] { unlink(directory + "/" + name) }
    for name in ["body", "proxy", "fastcgi", "uwsgi", "scgi"] { rmdir(directory + "/" + name) }
    rmdir(directory)
  }

  private static func configuration(_ directory: String) -> String {
    """
    daemon off; master_process off; pid \(directory)/pid;
    events { worker_connections 256; }
    http {
      access_log off; keepalive_timeout 5s; client_header_buffer_size 16k; client_max_body_size 1m;
      client_body_temp_path \(directory)/body; proxy_temp_path \(directory)/proxy;
      fastcgi_temp_path \(directory)/fastcgi; uwsgi_temp_path \(directory)/uwsgi; scgi_temp_path \(directory)/scgi;
      server {
        listen unix:\(directory)/front.sock;
        proxy_ignore_client_abort on; proxy_http_version 1.1;
        location / { proxy_pass http://unix:\(directory)/back.sock; }
      }
      server { listen unix:\(directory)/back.sock; location / { return 200 ok; } }
    }
    """
  }

  /// All statuses that nginx gives to these bytes.
  func statuses(_ bytes: [UInt8]) -> [Int] {
    let client = Client(unix: front)
    client.send(bytes)
    client.finishSending()
    let limit = platform_monotonic_ns() + 3_000_000_000
    while !client.isEnded, platform_monotonic_ns() < limit {
      var wanted = pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0)
      poll(&wanted, 1, 100)
      client.collect()
    }
    return client.text.split(separator: "HTTP/1.1 ").compactMap { Int($0.prefix(3)) }.filter { $0 != 100 }
  }
}
