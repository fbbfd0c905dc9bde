// The requests that servers read differently, each with what this one says. Shared by the parser's
// tests, the loop's, and the comparison with nginx.
//
// Thread: constants. Promise: a probe is one connection's bytes; `statuses` are all answers it gets.

import Intake
import Testing

struct Probe: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  let statuses: [Int]
  /// Why we refuse what nginx lets pass, where we do.
  let stricter: String?

  init(_ name: String, _ text: String, _ statuses: Int..., stricter: String? = nil) {
    self.name = name
    bytes = Array(text.utf8)
    self.statuses = statuses
    self.stricter = stricter
  }

  var testDescription: String { name }
}

private let line = "POST /v1/events HTTP/1.1\r\n"
private let host = "Host: localhost\r\n"

private func post(_ headers: String, _ body: String = "") -> String { line + host + headers + "\r\n" + body }
private func get(_ target: String) -> String { "GET \(target) HTTP/1.1\r\n\(host)\r\n" }

let wellFormed: [Probe] = [
  Probe("a plain GET", get("/healthz"), 200),
  Probe("a POST with a length", post("Content-Length: 3\r\n", "abc"), 200),
  Probe("a length of zero", post("Content-Length: 0\r\n"), 200),
  Probe("a length with leading zeros", post("Content-Length: 003\r\n", "abc"), 200),
  Probe("no body at all", post(""), 200),
  Probe("chunked", post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), 200),
  Probe("chunked in capitals", post("TRANSFER-ENCODING: Chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), 200),
  Probe(
    "chunked with extensions and trailers",
    post("Transfer-Encoding: chunked\r\n", "3;a=b\r\nabc\r\nA;x=\"y z\"\r\n0123456789\r\n0;last\r\nX-Sum: 1\r\n\r\n"),
    200),
  Probe("three at once", get("/a") + post("Content-Length: 2\r\n", "hi") + get("/b"), 200, 200, 200),
  Probe("close after the first", post("Connection: close\r\n"), 200),
  Probe("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 200),
  Probe("HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", 200, 200),
  Probe("an empty line before the request", "\r\n" + get("/"), 200),
  Probe("a query", get("/v1/subjects?limit=3&name=a%20b"), 200),
  Probe("an escaped identifier", get("/v1/subjects/user%3A7"), 200),
  Probe("dots inside names", get("/certificates/a.b..c"), 200),
  Probe("blanks and tabs around a value", post("X-A: \t b c \t\r\n"), 200),
  Probe("an empty header value", post("X-A:\r\n"), 200),
  Probe("bytes above ASCII in a value", post("X-A: caf\u{e9}\r\n"), 200),
  Probe("a Host with a port", "GET / HTTP/1.1\r\nHost: example.org:8484\r\n\r\n", 200),
  Probe("an IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:8484\r\n\r\n", 200),
  Probe("the absolute form", "GET http://example.org/a HTTP/1.1\r\nHost: Example.org\r\n\r\n", 200),
]

let malformed: [Probe] = [
  Probe("two different lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), 400),
  Probe("two equal lengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400),
  Probe("a list of lengths", post("Content-Length: 3, 3\r\n", "abc"), 400),
  Probe("length and chunked", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
  Probe("chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400),
  Probe("xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501),
  Probe("gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501),
  Probe("identity", post("Transfer-Encoding: identity\r\n"), 501),
  Probe("an empty encoding", post("Transfer-Encoding:\r\n"), 501),
  Probe("chunked with a vertical tab", post("Transfer-Encoding: \u{b}chunked\r\n", "0\r\n\r\n"), 400),
  Probe("chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400),
  Probe(
    "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
    stricter: "RFC 9112 6.1: the framing of such a message is faulty"),
  Probe("a space before the colon", post("Content-Length : 3\r\n", "abc"), 400),
  Probe("a tab before the colon", post("X-A\t: 3\r\n"), 400, stricter: "nginx drops the header"),
  Probe("NUL in a value", post("X-A: a\0b\r\n"), 400),
  Probe("NUL in a name", post("X\0A: b\r\n"), 400),
  Probe("a control character in a value", post("X-A: a\u{1}b\r\n"), 400, stricter: "RFC 9110 5.5"),
  Probe("DEL in a value", post("X-A: a\u{7f}b\r\n"), 400, stricter: "RFC 9110 5.5"),
  Probe("a folded header", post("X-A: b\r\n c\r\n"), 400),
  Probe("a folded first header", line + " X-A: b\r\n" + host + "\r\n", 400),
  Probe("bare line feeds", "POST / HTTP/1.1\nHost: localhost\n\n", 400, stricter: "nginx takes them for line ends"),
  Probe("one bare line feed", line + "Host: localhost\n\r\n", 400, stricter: "nginx takes them for line ends"),
  Probe("a bare carriage return", line + host + "X-A: b\rc\r\n\r\n", 400, stricter: "nginx keeps it in the value"),
  Probe("a tab before the Host", line + "Host:\tlocalhost\r\n\r\n", 400),
  Probe("a tab behind the length", post("Content-Length: 3\t\r\n", "abc"), 400),
  Probe("no Host", line + "\r\n", 400),
  Probe("two Hosts", line + host + host + "\r\n", 400),
  Probe("an empty Host", line + "Host:\r\n\r\n", 400),
  Probe("a Host with a slash", line + "Host: a/b\r\n\r\n", 400),
  Probe("a Host with a user", line + "Host: a@b\r\n\r\n", 400, stricter: "userinfo is not part of Host"),
  Probe("a Host with two ports", line + "Host: a:1:2\r\n\r\n", 400, stricter: "not a port"),
  Probe("a Host of two dots", line + "Host: a..b\r\n\r\n", 400),
  Probe("an IPv6 Host that is none", line + "Host: [::1..]\r\n\r\n", 400),
  Probe("an open bracket in the Host", line + "Host: [::1\r\n\r\n", 400, stricter: "not an address"),
  Probe("an empty bracket in the Host", line + "Host: []\r\n\r\n", 400, stricter: "not an address"),
  Probe("a signed length", post("Content-Length: +3\r\n", "abc"), 400),
  Probe("a negative length", post("Content-Length: -3\r\n", "abc"), 400),
  Probe("a hexadecimal length", post("Content-Length: 0x3\r\n", "abc"), 400),
  Probe("a length with a space", post("Content-Length: 3 3\r\n", "abc"), 400),
  Probe("an empty length", post("Content-Length:\r\n"), 400),
  Probe("an overflowing length", post("Content-Length: 99999999999999999999\r\n"), 400),
  Probe("a length of 2^64", post("Content-Length: 18446744073709551616\r\n"), 400),
  Probe("a length over the limit", post("Content-Length: 2000000\r\n"), 413),
  Probe("a chunk over the limit", post("Transfer-Encoding: chunked\r\n", "1fffff\r\n"), 413),
  Probe("an overflowing chunk", post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400),
  Probe("a signed chunk", post("Transfer-Encoding: chunked\r\n", "+3\r\nabc\r\n0\r\n\r\n"), 400),
  Probe("a prefixed chunk", post("Transfer-Encoding: chunked\r\n", "0x3\r\nabc\r\n0\r\n\r\n"), 400),
  Probe("a chunk without size", post("Transfer-Encoding: chunked\r\n", "\r\nabc\r\n0\r\n\r\n"), 400),
  Probe("a chunk that is too long", post("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n0\r\n\r\n"), 400),
  Probe(
    "a space behind a chunk's size", post("Transfer-Encoding: chunked\r\n", "3 \r\nabc\r\n0\r\n\r\n"), 400,
    stricter: "nginx skips it"),
  Probe(
    "a chunk that ends with a line feed", post("Transfer-Encoding: chunked\r\n", "3\nabc\n0\n\n"), 400,
    stricter: "nginx takes line feeds for line ends"),
  Probe(
    "a trailer with a space before its colon", post("Transfer-Encoding: chunked\r\n", "0\r\nX-A : b\r\n\r\n"), 400,
    stricter: "nginx does not read trailers"),
  Probe("small letters in the method", "get / HTTP/1.1\r\n" + host + "\r\n", 400),
  Probe("an unknown method", "BREW / HTTP/1.1\r\n" + host + "\r\n", 501, stricter: "seven methods are known"),
  Probe("CONNECT", "CONNECT a:1 HTTP/1.1\r\n" + host + "\r\n", 501),
  Probe("TRACE", "TRACE / HTTP/1.1\r\n" + host + "\r\n", 501),
  Probe("a method with a comma", "GE,T / HTTP/1.1\r\n" + host + "\r\n", 400),
  Probe("two spaces in the request line", "GET  / HTTP/1.1\r\n" + host + "\r\n", 400, stricter: "nginx skips spaces"),
  Probe("two spaces before the version", "GET /  HTTP/1.1\r\n" + host + "\r\n", 400, stricter: "nginx skips spaces"),
  Probe("a space behind the version", "GET / HTTP/1.1 \r\n" + host + "\r\n", 400, stricter: "nginx skips spaces"),
  Probe("a space before the method", " GET / HTTP/1.1\r\n" + host + "\r\n", 400),
  Probe("a tab in the request line", "GET\t/ HTTP/1.1\r\n" + host + "\r\n", 400),
  Probe("a space in the target", "GET /a b HTTP/1.1\r\n" + host + "\r\n", 400),
  Probe("no version", "GET /\r\n" + host + "\r\n", 400, stricter: "nginx takes it for HTTP/0.9"),
  Probe("no target", "GET HTTP/1.1\r\n" + host + "\r\n", 400),
  Probe("HTTP/2.0", "GET / HTTP/2.0\r\n" + host + "\r\n", 505),
  Probe("HTTP/1.2", "GET / HTTP/1.2\r\n" + host + "\r\n", 505, stricter: "there is no such version"),
  Probe("HTTP/0.9 by name", "GET / HTTP/0.9\r\n" + host + "\r\n", 505),
  Probe("a version in small letters", "GET / http/1.1\r\n" + host + "\r\n", 400),
  Probe("another protocol", "GET / FTP/1.1\r\n" + host + "\r\n", 400),
  Probe("a target without a slash", get("a"), 400),
  Probe("an asterisk", "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400),
  Probe("a fragment", get("/a#b"), 400, stricter: "RFC 9112 3.2: a target has no fragment"),
  Probe("a quote in the target", get("/a\"b"), 400, stricter: "RFC 3986"),
  Probe("bytes above ASCII in the target", get("/caf\u{e9}"), 400, stricter: "RFC 3986"),
  Probe("half an escape", get("/a%2"), 400),
  Probe("a wrong escape", get("/a%zz"), 400),
  Probe("an escaped NUL", get("/a%00"), 400),
  Probe("above the root", get("/../etc/passwd"), 400),
  Probe("above the root, escaped", get("/%2e%2E/etc/passwd"), 400),
  Probe("above the root, all escaped", get("/a%2F..%2f..%2f.."), 400),
  Probe("a dot segment", get("/a/./b"), 400, stricter: "clients resolve dot segments before they send"),
  Probe("an absolute form without a path", get("http://localhost"), 400, stricter: "no path"),
  Probe("an absolute form with another host", get("http://other/"), 400, stricter: "two servers would differ"),
  Probe("an absolute form with a user", get("http://a@localhost/"), 400),
  Probe("an absolute form of another scheme", get("ftp://localhost/"), 400, stricter: "only http"),
  Probe("no colon in a header", post("nonsense\r\n"), 400, stricter: "nginx drops the header"),
  Probe("an empty header name", post(": b\r\n"), 400, stricter: "nginx drops the header"),
  Probe("a bracket in a header name", post("X[0]: b\r\n"), 400, stricter: "nginx drops the header"),
  Probe("another expectation", post("Expect: coffee\r\n"), 417, stricter: "nginx ignores it"),
  Probe("a target that is too long", get("/" + String(repeating: "a", count: 5000)), 414, stricter: "4 KB"),
  Probe("a request line without end", "GET /" + String(repeating: "a", count: 20_000), 414),
  Probe(
    "a head that is too large", post("X-A: " + String(repeating: "a", count: 17_000) + "\r\n"), 431, stricter: "16 KB"),
  Probe(
    "too many headers", post(String(repeating: "X-A: b\r\n", count: 101)), 431, stricter: "100 headers"),
  Probe("a TLS hello", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}", 400),
  Probe("a good request and a bad one", get("/a") + "GET / HTTP/1.1\r\n\r\n", 200, 400),
]
