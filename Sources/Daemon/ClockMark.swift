// What tells everyone that a clock runs fast: a header of every answer, and the beginning of every line of the log.
//
// Thread: any. Promise: nothing under a real clock, and nothing any more once a fast one has caught up.

internal import Basics
internal import Model
internal import Synchronization

enum ClockMark {
  static let name = "Nudged-Clock"

  static func text(_ clocks: Clocks) -> String? {
    let rate = clocks.rate()
    return rate > 1 ? "[\(rate)x \(ISO8601.format(clocks.wall()))]" : nil
  }

  /// A command that shows what such a daemon answers says so, once.
  static func tell(_ clock: String?) {
    guard let clock, told.exchange(true, ordering: .relaxed) == false else { return }
    let words = clock.split(separator: "; rate=")
    guard words.count == 2 else { return }
    Terminal.complain("(the daemon's clock runs \(words[1]) times as fast; there it is \(words[0]))")
  }
  private static let told = Atomic(false)

  /// The daemon's own time, out of the header.
  static func moment(_ clock: String) -> Instant? {
    clock.split(separator: ";").first.flatMap { ISO8601.parse(String($0)) }
  }

  /// A line of an HTTP head.
  static func header(_ clocks: Clocks) -> [UInt8] {
    let rate = clocks.rate()
    return rate > 1 ? Array("\(name): \(ISO8601.format(clocks.wall())); rate=\(rate)\r\n".utf8) : []
  }
}
