// Which events were seen before: exact within the horizon, bounded in memory. Two young halves are
// kept whole; what is older lies in closed runs on disk, each with a small filter in memory that
// says "surely not here" for almost every new event.
//
// Thread: the router's. Promise: an event that was decided is known from then on; nothing is said to
// be a repeat that is none, because a filter's "perhaps" is checked against the run itself.

package import Basics
internal import Model
package import Store

/// Open addressing, ordered by the hash's high bits, so that walking it gives almost sorted hashes.
struct HashTable {
  private var slots: [Hash128]
  private(set) var count = 0
  private var shift: UInt64
  private static let empty = Hash128(high: 0, low: 0)

  init(capacityBits: UInt64) {
    slots = Array(repeating: HashTable.empty, count: 1 << Int(capacityBits))
    shift = 64 - capacityBits
  }

  /// Word by word: across rooms `==` of the two words would be a call, and this is met several times an event.
  @inline(__always)
  private static func isFree(_ slot: Hash128) -> Bool { slot.high == 0 && slot.low == 0 }

  /// How many fit before it is called full.
  var limit: Int { HashTable.limit(slots.count) }
  static func limit(capacityBits: UInt64) -> Int { limit(1 << Int(capacityBits)) }
  private static func limit(_ places: Int) -> Int { places / 8 * 7 }
  var isFull: Bool { count >= limit }

  func contains(_ hash: Hash128) -> Bool {
    var position = Int(hash.high >> shift)
    while true {
      let slot = slots[position]
      if HashTable.isFree(slot) { return false }
      if slot.high == hash.high, slot.low == hash.low { return true }
      position = (position + 1) & (slots.count - 1)
    }
  }

  /// Makes what `insert` will read come near; see `FlatTable.touch`.
  func touch(_ hashes: [Hash128]) -> UInt64 {
    var sum: UInt64 = 0
    for hash in hashes { sum &+= slots[Int(hash.high >> shift)].low }
    return sum
  }

  /// False when it was there already.
  mutating func insert(_ hash: Hash128) -> Bool {
    var position = Int(hash.high >> shift)
    while true {
      let slot = slots[position]
      if slot.high == hash.high, slot.low == hash.low { return false }
      if HashTable.isFree(slot) { break }
      position = (position + 1) & (slots.count - 1)
    }
    slots[position] = hash
    count += 1
    return true
  }

  /// Twice the room, for tables that begin small.
  mutating func grow() {
    var larger = HashTable(capacityBits: 64 - shift + 1)
    for slot in slots where !HashTable.isFree(slot) { _ = larger.insert(slot) }
    self = larger
  }

  /// All hashes in order, in the memory of the table, which is of no use afterwards: a second copy would be the
  /// largest piece of memory that the daemon ever asks for at once. The walk meets them almost sorted, so that an
  /// insertion sort is linear.
  mutating func takeSorted() -> [Hash128] {
    var out: [Hash128] = []
    swap(&out, &slots)
    var end = 0
    for place in out.indices where !HashTable.isFree(out[place]) {
      out[end] = out[place]
      var position = end
      while position > 0, out[position] < out[position - 1] {
        out.swapAt(position, position - 1)
        position -= 1
      }
      end += 1
    }
    out.removeLast(out.count - end)
    return out
  }
}

/// One bit pattern in one cache line for each hash: a look costs one memory access.
struct LineFilter {
  private var words: [UInt64]

  init(keys: Int) { words = Array(repeating: 0, count: max(8, (keys + 63) / 64 * 8)) }

  private func place(_ hash: Hash128) -> (line: Int, mask0: UInt64, mask1: UInt64, word0: Int, word1: Int) {
    let line = Int(truncatingIfNeeded: hash.low % UInt64(words.count / 8)) * 8
    let bits = hash.low &* 0x9E37_79B9_7F4A_7C15 ^ hash.high
    return (
      line, 1 << (bits & 63) | 1 << (bits >> 6 & 63), 1 << (bits >> 12 & 63) | 1 << (bits >> 18 & 63),
      Int(bits >> 24 & 7), Int(bits >> 27 & 7)
    )
  }

  mutating func insert(_ hash: Hash128) {
    let place = place(hash)
    words[place.line + place.word0] |= place.mask0
    words[place.line + place.word1] |= place.mask1
  }

  func mayContain(_ hash: Hash128) -> Bool {
    let place = place(hash)
    return words[place.line + place.word0] & place.mask0 == place.mask0
      && words[place.line + place.word1] & place.mask1 == place.mask1
  }
}

package final class DedupeSet {
  private struct ClosedRun {
    var run: Int64
    var newest: Instant
    var filter: LineFilter
    /// The first half of the first hash of each page.
    var fences: [UInt64]
  }

  private var current: HashTable
  private var previous: HashTable?
  /// The newest record on disk when `previous` stopped taking keys: no row up to it holds a later key.
  private var previousCovered: Int64 = 0
  private var runs: [ClosedRun] = []
  private var nextRun: Int64
  /// The full half that is on its way to disk, kept until the store says it is there.
  private var closing: [(run: Int64, hashes: [Hash128])] = []
  private let capacityBits: UInt64
  private var newest = Instant.zero
  private(set) var filterQuestions = 0

  package init(nextRun: Int64, capacityBits: UInt64 = Limits.dedupeHalfBits) {
    self.nextRun = nextRun
    self.capacityBits = capacityBits
    current = HashTable(capacityBits: min(12, capacityBits))
  }

  package var keysInMemory: Int { current.count + (previous?.count ?? 0) + closing.reduce(0) { $0 + $1.hashes.count } }

  /// True when the hash is new; it is known from now on. A full half comes back as a run to be stored.
  package func insert(_ hash: Hash128, now: Instant, committed: Int64, reader: StoreReader) throws(StoreError) -> (
    isNew: Bool, close: DedupeRun?
  ) {
    if previous?.contains(hash) == true { return (false, nil) }
    for one in closing where DedupeSet.holds(one.hashes, hash) { return (false, nil) }
    if try isInRuns(hash, reader) { return (false, nil) }
    guard current.insert(hash) else { return (false, nil) }
    newest = max(newest, now)
    guard current.isFull else { return (true, nil) }
    return (true, makeRoom(committed: committed))
  }

  /// Makes what `insert` will read come near; see `FlatTable.touch`.
  func touch(_ hashes: [Hash128]) -> UInt64 { current.touch(hashes) &+ (previous?.touch(hashes) ?? 0) }

  private static func holds(_ sorted: [Hash128], _ hash: Hash128) -> Bool {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < hash { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == hash
  }

  private func makeRoom(committed: Int64) -> DedupeRun? {
    if current.limit < HashTable.limit(capacityBits: capacityBits) {
      current.grow()
      return nil
    }
    var oldest = previous
    let covered = previousCovered
    previous = current
    previousCovered = committed
    // It grows to its size while the oldest half is on its way to disk.
    current = HashTable(capacityBits: capacityBits > 5 ? capacityBits - 2 : capacityBits)
    guard let hashes = oldest?.takeSorted() else { return nil }
    nextRun += 1
    closing.append((nextRun, hashes))
    return DedupeRun(run: nextRun, newest: newest, hashes: hashes, coveredThrough: covered)
  }

  /// The store has the run on disk: from now on its filter stands for it.
  package func closed(_ run: DedupeRun) {
    closing.removeAll { $0.run == run.run }
    addRun(run.run, newest: run.newest, hashes: run.hashes)
  }

  private func addRun(_ run: Int64, newest: Instant, hashes: [Hash128]) {
    var filter = LineFilter(keys: hashes.count)
    for hash in hashes { filter.insert(hash) }
    let fences = stride(from: 0, to: hashes.count, by: DedupePage.hashesPerPage).map { hashes[$0].high }
    runs.append(ClosedRun(run: run, newest: newest, filter: filter, fences: fences))
  }

  private func isInRuns(_ hash: Hash128, _ reader: StoreReader) throws(StoreError) -> Bool {
    for run in runs.reversed() where run.filter.mayContain(hash) {
      filterQuestions += 1
      if try look(hash, in: run, reader) { return true }
    }
    return false
  }

  private func look(_ hash: Hash128, in run: ClosedRun, _ reader: StoreReader) throws(StoreError) -> Bool {
    // The last page that begins at or below the hash; equal beginnings can spread over the one before.
    var low = 0
    var high = run.fences.count
    while low < high {
      let middle = (low + high) / 2
      if run.fences[middle] <= hash.high { low = middle + 1 } else { high = middle }
    }
    var page = low - 1
    while page >= 0 {
      guard let found = try reader.engine.dedupePage(run: run.run, page: Int64(page)) else {
        throw StoreError(.damaged, "page \(page) of dedupe run \(run.run) is missing; restore the store from a backup")
      }
      if found.unpacked.contains(hash) { return true }
      if run.fences[page] < hash.high { return false }
      page -= 1
    }
    return false
  }

  /// Runs that are older than the horizon go, filter and all.
  package func forget(olderThan time: Instant) { runs.removeAll { $0.newest < time } }

  // MARK: at start

  /// A hash of the young halves, as recovered, oldest first; `record` is the row it stood in.
  package func recover(_ hash: Hash128, time: Instant, record: Int64) -> DedupeRun? {
    if previous?.contains(hash) == true { return nil }
    newest = max(newest, time)
    guard current.insert(hash), current.isFull else { return nil }
    return makeRoom(committed: record - 1)
  }

  /// Closed runs up to `last`, page by page.
  package func recoverRuns(through last: Int64, reader: any EngineReader) throws(StoreError) {
    guard last > 0 else { return }
    for run in 1...last {
      var hashes: [Hash128] = []
      var newest = Instant.zero
      while let page = try reader.dedupePage(run: run, page: Int64(hashes.count / DedupePage.hashesPerPage)) {
        hashes.append(contentsOf: page.unpacked)
        newest = page.newest
        if page.hashes.count < DedupePage.hashesPerPage * 16 { break }
      }
      if !hashes.isEmpty { addRun(run, newest: newest, hashes: hashes) }
    }
  }
}
