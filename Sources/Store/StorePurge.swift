// The store loop and what is too old: history goes when its time is over, and above the ceiling the oldest
// goes whatever its age. A chunk of one table at a time, between groups.
//
// Thread: the store's. Promise: one look reads and deletes a bounded number of rows, however much there is;
// what is open, what a living run refers to and what recovery needs stay.

internal import Basics
internal import Model

/// How far purging has come.
struct PurgeProgress {
  var next: Instant = .zero
  var turn = PurgeTurn.redo
  var events: EventPurge?
  /// Events up to this one are gone, but for those that are set aside.
  var eventsThrough: Int64 = 0
  var byAge: [WalkedLog: LogWalk] = [:]
  var byCeiling: [WalkedLog: LogWalk] = [:]
}

enum PurgeTurn: Int, CaseIterable {
  case redo, events, verdicts, attempts, deliveries, endedRuns, dedupeRuns

  var following: PurgeTurn { PurgeTurn(rawValue: rawValue + 1) ?? .redo }
}

/// A walk through a log in which what may go stands between what may not.
struct LogWalk {
  /// The next look goes on above this.
  var place = LogPlace.start
  /// When it came to what is too young, which is where it waits.
  var ended: Instant?
}

extension StoreLoop {
  /// Smaller chunks while something waits.
  private var purgeLimit: Int { isBusy ? 200 : 2_000 }

  func purgeSome(now: Instant) throws(StoreError) {
    guard now >= purging.next else { return }
    if try squeeze(now: now) {
      purging.next = now + 20
      return
    }
    let gone = try takePurgeTurn(now: now)
    purging.next = gone > 0 ? now + 20 : now + 1_000
    if gone > 0 { return }
    purging.turn = purging.turn.following
    // Without a reserve the next full disk would end the process, so that the door stays closed till then.
    if status.full, purging.turn == .redo, engine.restoreReserve() { status.full = false }
  }

  private func takePurgeTurn(now: Instant) throws(StoreError) -> Int {
    switch purging.turn {
    case .redo: return try purgeRedo()
    case .events: return try purgeEvents(olderThan: now + -retention.eventsMilliseconds)
    case .verdicts:
      return try engine.purge(
        .verdict, through: .max, olderThan: now + -retention.verdictsMilliseconds, limit: purgeLimit)
    case .attempts: return try age(.attempt, by: retention.attemptsMilliseconds, keepsOpen: false, now: now)
    case .deliveries: return try age(.delivery, by: retention.attemptsMilliseconds, keepsOpen: true, now: now)
    case .endedRuns: return try age(.endedRun, by: retention.endedRunsMilliseconds, keepsOpen: false, now: now)
    case .dedupeRuns:
      // A day later than the router forgets a run, so that it never asks for a page that is gone.
      let time = now + -(retention.dedupeMilliseconds + 86_400_000)
      return try engine.purge(.dedupeRun, through: .max, olderThan: time, limit: purgeLimit)
    }
  }

  private func purgeRedo() throws(StoreError) -> Int {
    try engine.purge(.redo, through: mark, olderThan: .distantFuture, limit: purgeLimit)
  }

  /// Above the ceiling the oldest history goes whatever its age: first tries, then deliveries, verdicts, runs that
  /// have ended, and events that no run refers to. Never what lives, nor the newest minutes. True: there may be more.
  private func squeeze(now: Instant) throws(StoreError) -> Bool {
    guard retention.sizeBytes > 0, try engine.usedBytes > retention.sizeBytes else { return false }
    // This is no history: while history goes for the sake of room, nothing else has its turn.
    if try purgeRedo() > 0 { return true }
    let time = now + -600_000
    if try squeeze(.attempt, olderThan: time, keepsOpen: true, now: now) { return true }
    if try squeeze(.delivery, olderThan: time, keepsOpen: true, now: now) { return true }
    if try engine.purge(.verdict, through: .max, olderThan: time, limit: purgeLimit) > 0 { return true }
    if try squeeze(.endedRun, olderThan: time, keepsOpen: false, now: now) { return true }
    return try purgeEvents(olderThan: time) > 0
  }

  // MARK: events

  /// Goes on with the round that is under way, or begins one; 0 when there is nothing to do.
  private func purgeEvents(olderThan time: Instant) throws(StoreError) -> Int {
    if purging.events == nil {
      let bound = try EventPurge.bound(before: time, reader.engine)
      guard bound > purging.eventsThrough else { return 0 }
      purging.events = EventPurge(bound: bound, before: time)
    }
    if !purging.events!.isComplete {
      try purging.events!.scan(reader, limit: purgeLimit)
      if purging.events!.isComplete { try engine.keepEvents(purging.events!.found) }
      return 1
    }
    let gone = try engine.purge(.event, through: purging.events!.bound, olderThan: time, limit: purgeLimit)
    if gone == 0 {
      // A round that the ceiling began and that age ends has left what is young.
      if time >= purging.events!.before { purging.eventsThrough = purging.events!.bound }
      purging.events = nil
    }
    return gone
  }

  // MARK: walks

  /// The next look of the walk by age. At its end it begins anew: what was open then may be settled now.
  private func age(
    _ log: WalkedLog, by milliseconds: Int64, keepsOpen: Bool, now: Instant
  ) throws(StoreError) -> Int {
    var walk = purging.byAge[log] ?? LogWalk()
    let gone = try look(log, &walk, olderThan: now + -milliseconds, keepsOpen: keepsOpen, now: now)
    purging.byAge[log] = walk.ended == nil ? walk : nil
    return gone
  }

  /// The next look of the walk for the ceiling's sake. It waits at its end for what gets old enough, because all
  /// that is open would be passed by once more for each chunk; it begins anew when it was there for a while.
  private func squeeze(
    _ log: WalkedLog, olderThan time: Instant, keepsOpen: Bool, now: Instant
  ) throws(StoreError) -> Bool {
    var walk = purging.byCeiling[log] ?? LogWalk()
    if let ended = walk.ended, now - ended >= 600_000 || now < ended { walk = LogWalk() }
    let place = walk.place
    let gone = try look(log, &walk, olderThan: time, keepsOpen: keepsOpen, now: now)
    purging.byCeiling[log] = walk
    return gone > 0 || (walk.ended == nil && walk.place > place)
  }

  private func look(
    _ log: WalkedLog, _ walk: inout LogWalk, olderThan time: Instant, keepsOpen: Bool, now: Instant
  ) throws(StoreError) -> Int {
    let page = try engine.page(of: log, after: walk.place, limit: purgeLimit)
    var old: [LogPlace] = []
    for row in page.rows where row.time < time {
      if keepsOpen, try isOpen(row.place.number) { continue }
      old.append(row.place)
    }
    let gone = try engine.delete(log, old)
    if page.rows.count < purgeLimit || page.lastBegan.map({ $0 >= time }) ?? false {
      // What is only too young here is looked at again.
      walk.place = page.rows.prefix { $0.time < time }.last?.place ?? walk.place
      walk.ended = walk.ended ?? now
    } else {
      walk.place = page.rows.last?.place ?? walk.place
    }
    return gone
  }

  private func isOpen(_ delivery: Int64) throws(StoreError) -> Bool {
    try reader.value(RowKey(.openDelivery, delivery)) != nil
  }
}
