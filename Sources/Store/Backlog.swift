// Which deliveries wait in the store, by destination: what was not tried yet apart from what is tried
// again, and what has to keep its order. It says who goes next, so that no destination and no mountain of
// retries stands in the way of the others.
//
// Thread: part of the store loop. Promise: sixteen bytes for each delivery that waits, some sixty more where it
// has a time to be delivered within; of deliveries with one order key at most one goes at a time, the oldest first. What it names may be out of date: the rows
// decide.

internal import Basics

struct Backlog {
  struct Due {
    var due: Int64
    var number: Int64
  }

  private struct Place {
    var name: String
    var first = DueQueue()
    var again = DueQueue()
    /// Deliveries to it that are not settled.
    var open = 0
    var isStopped = false
  }

  private struct OrderKey: Hashable {
    var place: Int
    var key: Int64
  }

  private struct Line {
    var numbers: [Int64]
    var head = 0
    var isEmpty: Bool { head == numbers.count }
  }

  private var places: [Place] = []
  private var placeOf: [String: Int] = [:]
  private var lines: [OrderKey: Line] = [:]
  private var turn = 0
  /// When the time of those that wait is over. What is not in `endOf` has left the queue's meaning behind.
  private var ends = DueQueue()
  private var endOf: [Int64: Int64] = [:]

  /// How many deliveries one destination gets at a turn: first tries, and retries when there are both.
  private static let firstsPerTurn = 64
  private static let retriesPerTurn = 16

  private mutating func place(_ name: String) -> Int {
    if let known = placeOf[name] { return known }
    placeOf[name] = places.count
    places.append(Place(name: name))
    return places.count - 1
  }

  mutating func setStopped(_ name: String, _ isStopped: Bool) { places[place(name)].isStopped = isStopped }
  func isStopped(_ name: String) -> Bool { placeOf[name].map { places[$0].isStopped } ?? false }

  /// A delivery begins to be open. False: others with its key are before it.
  mutating func open(_ number: Int64, _ name: String, orderKey: Int64) -> Bool {
    let place = place(name)
    places[place].open += 1
    if orderKey == 0 { return true }
    let key = OrderKey(place: place, key: orderKey)
    if lines[key] == nil { lines[key] = Line(numbers: []) }
    lines[key]?.numbers.append(number)
    return isHead(number, key)
  }

  private func isHead(_ number: Int64, _ key: OrderKey) -> Bool {
    lines[key].map { $0.numbers[$0.head] == number } ?? false
  }

  /// The one that goes first of those with this key; nil: none is open.
  func head(_ name: String, orderKey: Int64) -> Int64? {
    guard orderKey != 0, let place = placeOf[name] else { return nil }
    return lines[OrderKey(place: place, key: orderKey)].map { $0.numbers[$0.head] }
  }

  /// Whether its order lets it go; what has no order always may.
  func mayGo(_ number: Int64, _ name: String, orderKey: Int64) -> Bool {
    guard orderKey != 0, let place = placeOf[name] else { return true }
    let key = OrderKey(place: place, key: orderKey)
    return lines[key]?.numbers.contains(number) == true ? isHead(number, key) : true
  }

  /// A delivery is settled. Returns the one behind it that may go now.
  mutating func close(_ number: Int64, _ name: String, orderKey: Int64) -> Int64? {
    let place = place(name)
    places[place].open -= 1
    guard orderKey != 0 else { return nil }
    let key = OrderKey(place: place, key: orderKey)
    guard var line = lines[key], !line.isEmpty else { return nil }
    let wasHead = line.numbers[line.head] == number
    if wasHead {
      line.head += 1
      // What is gone from a long line is thrown away now and then, not each time.
      if line.head > 64, line.head * 2 > line.numbers.count {
        line.numbers.removeFirst(line.head)
        line.head = 0
      }
    } else if let found = line.numbers[line.head...].firstIndex(of: number) {
      line.numbers.remove(at: found)
    }
    lines[key] = line.isEmpty ? nil : line
    return wasHead && !line.isEmpty ? line.numbers[line.head] : nil
  }

  /// It waits for its turn.
  mutating func wait(_ number: Int64, _ name: String, due: Instant, isRetry: Bool) {
    let place = place(name)
    let item = Due(due: due.milliseconds, number: number)
    if isRetry { places[place].again.insert(item) } else { places[place].first.insert(item) }
  }

  /// The next that are due, round and round the destinations. Retries only while fewer than `forRetries` are
  /// taken, so that there is room for first tries that come.
  mutating func take(_ limit: Int, forRetries: Int, except: Set<String>, now: Instant) -> [Due] {
    var out: [Due] = []
    var idle = 0
    while out.count < limit, idle < places.count {
      turn = turn + 1 < places.count ? turn + 1 : 0
      let before = out.count
      let waits = places[turn].first.firstDue != nil || places[turn].again.firstDue != nil
      if waits, !places[turn].isStopped, except.isEmpty || !except.contains(places[turn].name) {
        takeTurn(turn, limit, forRetries, now, &out)
      }
      idle = out.count == before ? idle + 1 : 0
    }
    return out
  }

  private mutating func takeTurn(_ place: Int, _ limit: Int, _ forRetries: Int, _ now: Instant, _ out: inout [Due]) {
    let start = out.count
    while out.count < min(limit, start + Backlog.firstsPerTurn),
      let next = places[place].first.popDue(at: now.milliseconds)
    {
      out.append(next)
    }
    let share = out.count == start ? Backlog.firstsPerTurn : Backlog.retriesPerTurn
    let most = min(limit, forRetries, out.count + share)
    while out.count < most, let next = places[place].again.popDue(at: now.milliseconds) { out.append(next) }
  }

  /// When the first of those that may be taken is due.
  func nextDue(except: Set<String>) -> Instant? {
    var found: Int64?
    for place in places {
      let due = min(place.first.firstDue ?? .max, place.again.firstDue ?? .max)
      // Almost all have nothing that waits.
      guard due < found ?? .max, !place.isStopped, except.isEmpty || !except.contains(place.name) else { continue }
      found = due
    }
    return found.map { Instant(milliseconds: $0) }
  }

  // MARK: what is given up while it waits

  /// It waits, in vain from this moment on.
  mutating func wait(_ number: Int64, until end: Instant?) {
    guard let end, endOf.updateValue(end.milliseconds, forKey: number) != end.milliseconds else { return }
    ends.insert(Due(due: end.milliseconds, number: number))
  }

  /// It waits no more: it goes out, or is over.
  mutating func forgetEnd(of number: Int64) {
    guard endOf.removeValue(forKey: number) != nil, ends.count > 2 * endOf.count + 1_024 else { return }
    ends = DueQueue()
    for (number, end) in endOf { ends.insert(Due(due: end, number: number)) }
  }

  /// When to look again.
  var nextEnd: Instant? { ends.firstDue.map { Instant(milliseconds: $0) } }

  /// Those whose time is over, after looking at so many.
  mutating func takeEnded(_ limit: Int, now: Instant) -> [Int64] {
    var out: [Int64] = []
    for _ in 0..<limit {
      guard let item = ends.popDue(at: now.milliseconds) else { break }
      guard endOf[item.number] == item.due else { continue }
      endOf[item.number] = nil
      out.append(item.number)
    }
    return out
  }

  /// How many deliveries are open, by destination.
  var counts: [String: Int] {
    var out: [String: Int] = [:]
    for place in places where place.open > 0 { out[place.name] = place.open }
    return out
  }
}

/// A heap by moment, then number. What comes in order, as most does, costs nothing to insert.
struct DueQueue {
  private var items: [Backlog.Due] = []

  var firstDue: Int64? { items.first?.due }
  var count: Int { items.count }

  private static func isBefore(_ left: Backlog.Due, _ right: Backlog.Due) -> Bool {
    left.due != right.due ? left.due < right.due : left.number < right.number
  }

  mutating func insert(_ item: Backlog.Due) {
    items.append(item)
    var child = items.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard DueQueue.isBefore(items[child], items[parent]) else { break }
      items.swapAt(child, parent)
      child = parent
    }
  }

  mutating func popDue(at now: Int64) -> Backlog.Due? {
    guard let first = items.first, first.due <= now else { return nil }
    let last = items.removeLast()
    if items.isEmpty {
      // A backlog that is gone gives its memory back.
      items = []
      return first
    }
    items[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in (2 * parent + 1)...(2 * parent + 2) where child < items.count {
        if DueQueue.isBefore(items[child], items[least]) { least = child }
      }
      if least == parent { return first }
      items.swapAt(parent, least)
      parent = least
    }
  }
}
