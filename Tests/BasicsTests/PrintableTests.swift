// Text that others chose, on its way to a terminal.
//
// Thread: the test's. Promise: what steers is replaced, and nothing else is touched.

import Basics
import Testing

@Suite struct PrintableTests {
  @Test(arguments: [
    ("plain, ü, 日本 and 👩‍👩‍👧", "plain, ü, 日本 and 👩‍👩‍👧"), ("", ""), ("a\u{1B}[31mb", "a\u{FFFD}[31mb"),
    ("a\r\nb\tc\u{7F}", "a\u{FFFD}\u{FFFD}b\u{FFFD}c\u{FFFD}"), ("\u{9B}2J", "\u{FFFD}2J"),
    ("a\u{202E}b\u{2066}c\u{2028}d", "a\u{FFFD}b\u{FFFD}c\u{FFFD}d"),
  ])
  func `what could steer a terminal is shown as a mark`(text: String, shown: String) {
    #expect(text.printable == shown)
  }
}
