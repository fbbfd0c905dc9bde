// Total deadlines without a heap: every kind of deadline has one fixed length, so a list in order of
// entry is a list in order of time. A slot is on one list at most; entering another leaves the first.
//
// Thread: intake. Promise: setting, clearing and taking the earliest are a few stores each, and a
// deadline once set is never moved by what arrives in between.

struct Deadlines {
  enum Kind: UInt8, CaseIterable {
    case idle, head, body, linger, write
  }

  private static let none: Int32 = -1
  private var next: [Int32]
  private var previous: [Int32]
  private var due: [Int64]
  private var kinds: [Kind?]
  private var first = [Int32](repeating: none, count: Kind.allCases.count)
  private var last = [Int32](repeating: none, count: Kind.allCases.count)

  init(slots: Int) {
    next = [Int32](repeating: Deadlines.none, count: slots)
    previous = next
    due = [Int64](repeating: 0, count: slots)
    kinds = [Kind?](repeating: nil, count: slots)
  }

  func kind(of slot: Int) -> Kind? { kinds[slot] }

  mutating func set(_ slot: Int, _ kind: Kind, at time: Int64) {
    clear(slot)
    let list = Int(kind.rawValue)
    let tail = last[list]
    kinds[slot] = kind
    due[slot] = time
    next[slot] = Deadlines.none
    previous[slot] = tail
    if tail == Deadlines.none { first[list] = Int32(slot) } else { next[Int(tail)] = Int32(slot) }
    last[list] = Int32(slot)
  }

  mutating func clear(_ slot: Int) {
    guard let kind = kinds[slot] else { return }
    let list = Int(kind.rawValue)
    let before = previous[slot]
    let after = next[slot]
    if before == Deadlines.none { first[list] = after } else { next[Int(before)] = after }
    if after == Deadlines.none { last[list] = before } else { previous[Int(after)] = before }
    kinds[slot] = nil
  }

  var earliest: Int64? {
    var found: Int64?
    for slot in first where slot != Deadlines.none {
      let time = due[Int(slot)]
      if found.map({ time < $0 }) ?? true { found = time }
    }
    return found
  }

  /// Takes one slot whose time has come.
  mutating func takeDue(_ now: Int64) -> (slot: Int, kind: Kind)? {
    for slot in first where slot != Deadlines.none && due[Int(slot)] <= now {
      guard let kind = kinds[Int(slot)] else { continue }
      clear(Int(slot))
      return (Int(slot), kind)
    }
    return nil
  }
}
