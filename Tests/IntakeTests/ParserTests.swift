// The parser against every class of request that servers are known to read differently.
//
// Thread: each test its own. Promise: an outcome depends on the bytes, not on how they were split.

import Basics
import Testing

@testable import Intake

@Suite struct ParserTests {
  @Test(arguments: wellFormed) func `a well-formed request is read`(_ probe: Probe) {
    let outcome = Feed.whole(probe.bytes)
    #expect(outcome.statuses == probe.statuses, "\(outcome)")
  }

  @Test(arguments: malformed) func `a malformed request is refused`(_ probe: Probe) {
    let outcome = Feed.whole(probe.bytes)
    #expect(outcome.statuses == probe.statuses, "\(outcome)")
  }

  @Test(arguments: wellFormed + malformed) func `the outcome does not depend on how bytes arrive`(_ probe: Probe) {
    let whole = Feed.whole(probe.bytes)
    #expect(Feed.byteByByte(probe.bytes) == whole)
    var random = SeededRandom(seed: 7)
    for _ in 0..<40 { #expect(Feed.split(probe.bytes, &random) == whole) }
  }

  @Test func `a chunked body arrives as one piece`() {
    let text =
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nA: b\r\n\r\n"
    #expect(Feed.byteByByte(Array(text.utf8)).requests.first?.body == Array("hello world".utf8))
  }

  @Test func `the largest head allowed passes, one byte more does not`() {
    var limits = IntakeLimits()
    limits.headBytes = 200
    func request(_ bytes: Int) -> [UInt8] {
      let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
      return Array((start + String(repeating: "x", count: bytes - start.utf8.count - 4) + "\r\n\r\n").utf8)
    }
    for (size, passes) in [(200, true), (201, false)] {
      var feed = Feed(limits: limits)
      feed.take(request(size))
      #expect((feed.outcome.refusal == nil) == passes, "\(size): \(feed.outcome)")
    }
  }

  @Test func `endless chunk extensions are refused`() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    let chunk = "1;" + String(repeating: "e", count: 500) + "\r\nx\r\n"
    let outcome = Feed.whole(Array((head + String(repeating: chunk, count: 100)).utf8))
    #expect(outcome.refusal == .badChunk)
  }

  @Test func `endless trailers are refused`() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    let few = head + String(repeating: "A: " + String(repeating: "b", count: 900) + "\r\n", count: 50)
    #expect(Feed.whole(Array(few.utf8)).refusal == .headTooLarge)
    let many = head + String(repeating: "A: b\r\n", count: 200)
    #expect(Feed.whole(Array(many.utf8)).refusal == .tooManyHeaders)
  }

  @Test func `the sets of characters are those they name`() {
    let word = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for (set, characters) in [
      (ByteSet.token, word + "!#$%&'*+-.^_`|~"), (ByteSet.target, word + "-._~!$&'()*+,;=:@/?%"),
      (ByteSet.host, word + "-._"), (ByteSet.address6, "0123456789abcdefABCDEF:."),
    ] {
      let members = Set(characters.utf8)
      for byte in UInt8.min...UInt8.max { #expect(set.contains(byte) == members.contains(byte)) }
    }
  }

  @Test func `a name may hold exactly the characters of a token, wherever they stand`() {
    let members = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~".utf8)
    for byte in UInt8(1)...255 where byte != 0x3A {
      for place in [0, 1, 6, 7, 8, 9, 15, 16, 17] {
        var name = Array("abcdefghijklmnopqrs".utf8)
        name[place] = byte
        let outcome = Feed.whole(Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8) + name + Array(": value\r\n\r\n".utf8))
        #expect((outcome.refusal == nil) == members.contains(byte), "\(byte) at \(place)")
      }
    }
  }

  @Test func `every refusal has a sentence and its own code`() {
    #expect(Set(Refusal.allCases.map { $0.code.description }).count == Refusal.allCases.count)
    for refusal in Refusal.allCases { #expect(refusal.sentence.description.hasSuffix(".") && refusal.status >= 400) }
  }
}
