// Total deadlines without a heap: every kind of deadline has one fixed length, so a list in order of
// entry is a list in order of time. A slot is on one list at most; entering another leaves the first.
//
// Thread: intake. Promise: setting, clearing and taking the earliest are a few stores each, and a
// deadline once set is never moved by what arrives in between.

struct Deadlines {
  enum Kind: UInt8, CaseIterable {
    case idle, head, body, linger, write
  }

  private struct Entry {
    var next: Int32 = none
    var previous: Int32 = none
    var kind: Kind?
    var due: Int64 = 0
  }

  private static let none: Int32 = -1
  private var entries: [Entry]
  private var first = [Int32](repeating: none, count: Kind.allCases.count)
  private var last = [Int32](repeating: none, count: Kind.allCases.count)

  init(slots: Int) { entries = [Entry](repeating: Entry(), count: slots) }

  func kind(of slot: Int) -> Kind? { entries[slot].kind }

  mutating func set(_ slot: Int, _ kind: Kind, at time: Int64) {
    clear(slot)
    let list = Int(kind.rawValue)
    let tail = last[list]
    entries[slot] = Entry(next: Deadlines.none, previous: tail, kind: kind, due: time)
    if tail == Deadlines.none { first[list] = Int32(slot) } else { entries[Int(tail)].next = Int32(slot) }
    last[list] = Int32(slot)
  }

  mutating func clear(_ slot: Int) {
    let entry = entries[slot]
    guard let kind = entry.kind else { return }
    let list = Int(kind.rawValue)
    let (before, after) = (entry.previous, entry.next)
    if before == Deadlines.none { first[list] = after } else { entries[Int(before)].next = after }
    if after == Deadlines.none { last[list] = before } else { entries[Int(after)].previous = before }
    entries[slot].kind = nil
  }

  var earliest: Int64? {
    var found: Int64?
    for slot in first where slot != Deadlines.none { found = min(found ?? .max, entries[Int(slot)].due) }
    return found
  }

  /// Takes one slot whose time has come.
  mutating func takeDue(_ now: Int64) -> (slot: Int, kind: Kind)? {
    for slot in first where slot != Deadlines.none {
      let entry = entries[Int(slot)]
      guard entry.due <= now, let kind = entry.kind else { continue }
      clear(Int(slot))
      return (Int(slot), kind)
    }
    return nil
  }
}
