// Which rule a lane is evaluating, in a small mapped file: when an evaluation ends the process, the
// next start reads there which rule and which event it was.
//
// Thread: each lane writes its own slot. Promise: entering and leaving cost a few stores; the kernel
// keeps the page when the process is killed.

package import Basics
internal import CPlatform
internal import Glibc

package final class EvaluationMark: @unchecked Sendable {
  /// One slot, 64 bytes: rule, event (two words), and how often the process ended there.
  private let slot: UnsafeMutablePointer<UInt64>
  private let mapping: UnsafeMutableRawPointer?
  private var last: Int64 = 0

  package struct Found: Sendable, Equatable {
    package var rule: Int64
    package var event: Hash128
    package var times: Int
  }

  /// Without a file: for the simulator and for commands.
  package init() {
    slot = .allocate(capacity: 8)
    slot.initialize(repeating: 0, count: 8)
    mapping = nil
  }

  /// Nil when the file cannot be made; then there is only the memory of this process.
  package init?(path: String, lane: Int) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return nil }
    defer { Glibc.close(descriptor) }
    guard ftruncate(descriptor, 4096) == 0,
      let mapped = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), mapped != MAP_FAILED
    else { return nil }
    mapping = mapped
    slot = mapped.assumingMemoryBound(to: UInt64.self) + lane % 64 * 8
  }

  deinit {
    if let mapping { munmap(mapping, 4096) } else { slot.deallocate() }
  }

  /// What the last process was evaluating when it ended, if it did not leave; counted.
  package func takeLast() -> Found? {
    guard slot[0] != 0 else { return nil }
    let event = Hash128(high: slot[1], low: slot[2])
    let same = slot[3] == slot[0] && slot[4] == event.high && slot[5] == event.low
    let times = same ? slot[6] + 1 : 1
    let found = Found(rule: Int64(bitPattern: slot[0]), event: event, times: Int(times))
    (slot[3], slot[4], slot[5], slot[6]) = (slot[0], slot[1], slot[2], times)
    slot[0] = 0
    return found
  }

  @inline(__always)
  package func enter(rule: Int64, event: Hash128) {
    slot[1] = event.high
    slot[2] = event.low
    slot[0] = UInt64(bitPattern: rule)
    last = rule
  }

  /// What was left last goes on, with what follows from it.
  @inline(__always)
  package func enterAgain() { slot[0] = UInt64(bitPattern: last) }

  @inline(__always)
  package func leave() { slot[0] = 0 }
}
