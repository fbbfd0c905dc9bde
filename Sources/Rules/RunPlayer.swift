// Plays a run: first everything its journal holds, with the answers of then, and from there on live. The
// rule cannot tell the difference; that is what rebuilds it.
//
// Thread: the runtime's. Promise: while playing again nothing is asked for twice, and what is not in the
// journal at its place stops the run.

internal import Basics
internal import CRuleHost
package import Model

final class RunPlayer {
  let activation: Activation
  let header: RuleHeader
  /// What the rule is known to go by dates for.
  let dates: RuleDates
  let input: UnsafeMutablePointer<rule_input>
  private let parser: DocumentParser
  let zones: ZoneShelf

  /// Where in the journal it is; beyond its end it is live.
  private var part = 0
  private var entry = 0
  private(set) var isLive = false
  private(set) var trigger: Trigger
  private(set) var entries: [JournalEntry] = []
  /// Entries before this activation, counted from the run's start.
  private let entriesBefore: Int
  private(set) var reads = ActivationReads()
  private(set) var wait: Wait?
  private(set) var isUnchanged = false
  var saved: [UInt8]?
  var divergence: String?
  /// The run ends before its wait begins: an event has cancelled the date, or nothing can be planned with it.
  var cancelledBy: String?
  var dateReason: String?
  /// The date that `run` gets, in a rule that goes by one; empty: none is known.
  var date: String?

  /// What Lua may still look into until the run has ended.
  private(set) var received: [Event] = []
  private var documents: [Document] = []
  var texts: [UnsafeMutablePointer<CChar>] = []

  /// The wait at hand, how far the heard events were looked at for it, and the one that may end it.
  private struct Looking {
    var hash: UInt32
    var wait: Wait
    var names: Set<String>
    var isNew: Bool
    var match: [(path: String, text: [UInt8])]?
    var place = 0
    var candidate: (number: Int64, event: Event)?
  }
  private var looking: Looking?
  private var work = 0
  /// Heard events that are not to be looked at again.
  private(set) var consumed: Set<Int64> = []

  init(
    _ activation: Activation, header: RuleHeader, dates: RuleDates, input: UnsafeMutablePointer<rule_input>,
    parser: DocumentParser, zones: ZoneShelf
  ) {
    self.dates = dates
    self.activation = activation
    self.header = header
    self.input = input
    self.parser = parser
    self.zones = zones
    trigger = activation.trigger
    entriesBefore = activation.entriesBefore + activation.journal.entryCount
    if !activation.saved.isEmpty { input.pointee.saved = document(activation.saved) }
    input.pointee.journal = true
    input.pointee.skips_when = activation.wait != nil || !activation.saved.isEmpty || activation.skipsWhen
    input.pointee.collected = UInt32(activation.collected.count)
    input.pointee.randoms = activation.randoms
    input.pointee.replay_units = UInt64(
      Limits.replayUnits + Limits.replayUnitsPerEntry * activation.journal.entryCount)
    if activation.journal.parts.isEmpty { isLive = true } else { enter(activation.journal.parts[0]) }
    if let plan = header.before { waitFirst(plan) }
  }

  deinit { for text in texts { text.deallocate() } }

  // MARK: what the rule reads

  func document(_ json: [UInt8]) -> UnsafePointer<document>? {
    guard let document = try? parser.parse(json) else { return nil }
    documents.append(document)
    return document.block
  }

  /// Sets the world as it was in a part of the journal.
  private func enter(_ part: JournalPart) {
    input.pointee.now = part.now.milliseconds
    input.pointee.customer_traits = part.reads.traits.flatMap { document($0) }
    input.pointee.state_count = 0
    if let state = part.reads.state, !state.isEmpty {
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: state.count)
      for (position, byte) in state.enumerated() { copy[position] = CChar(bitPattern: byte) }
      texts.append(copy)
      input.pointee.state = UnsafePointer(copy)
      input.pointee.state_count = state.count
    }
  }

  /// Sets the world as it is.
  private func goLive() {
    isLive = true
    input.pointee.now = activation.input.now.milliseconds
    input.pointee.customer_traits = activation.input.traits?.block
    input.pointee.state_count = 0
    activation.input.state.withUnsafeBytes { bytes in
      guard bytes.count > 0 else { return }
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
      UnsafeMutableRawPointer(copy).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
      texts.append(copy)
      input.pointee.state = UnsafePointer(copy)
      input.pointee.state_count = bytes.count
    }
  }

  /// The zone that is named, or the rule's, the subject's, the configured one, in this order.
  func zone(_ named: String?) -> Result<ZoneRules, ZoneError> {
    let name = DayZone.name(named, header, activation.input.traits?.root, activation.defaultZone)
    return DayZone.find(name, zones)
  }

  var now: Instant { Instant(milliseconds: input.pointee.now) }

  var customerID: String {
    guard !isLive else {
      reads.customerID = activation.input.customerID
      return activation.input.customerID
    }
    return activation.journal.parts[part].reads.customerID ?? ""
  }

  var account: String? {
    guard !isLive else {
      reads.account = activation.input.account ?? ""
      return activation.input.account
    }
    let account = activation.journal.parts[part].reads.account ?? ""
    return account.isEmpty ? nil : account
  }

  /// Of the live activation, when the run has ended: what Lua touched.
  func noteReads(state: Bool, traits: [UInt8]?) {
    guard isLive else { return }
    if state { reads.state = activation.input.state }
    reads.traits = traits
  }

  func event(_ index: Int64) -> Event? {
    index > 0 && index <= received.count ? received[Int(index) - 1] : activation.input.event
  }

  // MARK: entries

  enum Recorded {
    case again
    /// The entry's number, counted from the run's start.
    case live(Int)
    case diverged
    case full
  }

  /// An effect: done before, or new.
  func record(_ kind: JournalKind, hash: UInt32 = 0) -> Recorded {
    let wanted = JournalEntry(kind, hash: hash)
    guard isLive else { return take(wanted) == nil ? .diverged : .again }
    guard entriesBefore - activation.entriesBefore + entries.count < Limits.journalEntries else { return .full }
    entries.append(wanted)
    return .live(entriesBefore + entries.count - 1)
  }

  enum Told {
    case value(WindowValue?)
    case diverged
    case full
  }

  /// What a window said when it was asked here before, or says now.
  func window(_ hash: UInt32, _ ask: () -> WindowValue?) -> Told {
    var wanted = JournalEntry(.window, hash: hash)
    guard isLive else { return take(wanted).map { .value($0.value ?? .nothing) } ?? .diverged }
    guard entriesBefore - activation.entriesBefore + entries.count < Limits.journalEntries else { return .full }
    guard let value = ask() else { return .value(nil) }
    wanted.value = value
    entries.append(wanted)
    return .value(value)
  }

  /// The next entry of the journal, if it is the one that is wanted.
  private func take(_ wanted: JournalEntry) -> JournalEntry? {
    let known = activation.journal.parts[part].entries
    guard entry < known.count else {
      diverge(wanted, nil)
      return nil
    }
    let found = known[entry]
    // Journals of older programs say nothing of what a wait was for.
    guard found.kind == wanted.kind, found.hash == wanted.hash || found.hash == 0 else {
      diverge(wanted, found)
      return nil
    }
    entry += 1
    return found
  }

  private func diverge(_ wanted: JournalEntry, _ found: JournalEntry?) {
    let number = activation.entriesBefore + playedEntries + 1
    let what = found.map { $0.kind == wanted.kind ? "another \($0.kind.word)" : $0.kind.word } ?? "nothing"
    divergence =
      "played again, it does \(wanted.kind.word) where it did \(what) before (entry \(number)); \(RunPlayer.why)"
  }

  /// What a rule's author can do about it.
  private static let why =
    "what a rule decides by must be the same each time: the event, the customer, state, now, random and what waits answer"

  private var playedEntries: Int {
    activation.journal.parts[..<part].reduce(0) { $0 + $1.entries.count } + entry
  }

  /// Called when the rule has ended: whether its journal says more.
  func endsEarly() -> Bool {
    guard !isLive else { return false }
    let number = activation.entriesBefore + playedEntries + 1
    divergence = "played again, it ends where it went on before (entry \(number)); \(RunPlayer.why)"
    return true
  }

  var entryCount: Int { entriesBefore + entries.count }

  // MARK: waits

  enum Settled {
    /// It was over at once, long ago; by the event, if there was one.
    case atOnce(Int64?)
    /// It was slept in, and this ended it. `moved`: the world is another one now.
    case ended(Trigger)
    /// It is slept in, and what woke the run now is not in the journal: the caller looks.
    case here
    /// It is new.
    case new
    case diverged
    case full
  }

  func meet(_ kind: JournalKind, hash: UInt32 = 0) -> Settled {
    let wanted = JournalEntry(kind, hash: hash)
    if isLive {
      let count = entriesBefore - activation.entriesBefore + entries.count
      return count < Limits.journalEntries ? .new : .full
    }
    guard let found = take(wanted) else { return .diverged }
    if let number = found.settledBy { return .atOnce(number == 0 ? nil : number) }
    guard entry == activation.journal.parts[part].entries.count else {
      divergence = "the journal goes on behind a wait (entry \(activation.entriesBefore + playedEntries))"
      return .diverged
    }
    if part + 1 < activation.journal.parts.count {
      part += 1
      entry = 0
      enter(activation.journal.parts[part])
      return .ended(activation.journal.parts[part].trigger)
    }
    goLive()
    return .here
  }

  /// A new wait: the run sleeps.
  func sleep(_ wait: Wait, hash: UInt32 = 0) {
    entries.append(JournalEntry(wait.kind, hash: hash))
    self.wait = wait
  }

  /// A new wait that is over at once.
  func passOver(_ kind: JournalKind, hash: UInt32 = 0, event: Int64 = 0) {
    entries.append(JournalEntry(kind, hash: hash, settledBy: event))
  }

  /// What woke the run is nothing for it.
  func sleepOn() { isUnchanged = true }

  // MARK: events that were waited for

  func receive(_ number: Int64) -> Event? {
    guard let event = activation.load(number) else {
      divergence = "the event \(number), which its journal refers to, is gone"
      return nil
    }
    received.append(event)
    return event
  }

  /// Begins to look for the event that ends a wait: the oldest that fits.
  /// `forgets`: what was heard before a new wait does not count.
  func look(hash: UInt32, _ wait: Wait, isNew: Bool, forgets: Bool, match: [(path: String, text: [UInt8])]?) {
    looking = Looking(hash: hash, wait: wait, names: Set(wait.names), isNew: isNew, match: match)
    guard isNew, forgets else { return }
    for heard in activation.heard where wait.names.contains(heard.name) { consumed.insert(heard.number) }
    work += activation.heard.count
  }

  /// Goes on to the next event that fits, unless one is at hand. No further: a run that takes a thousand
  /// events one after the other must not look at all of them each time.
  func findCandidate() {
    guard var looking else { return }
    self.looking = nil
    defer { self.looking = looking }
    while looking.candidate == nil, looking.place < activation.heard.count {
      let heard = activation.heard[looking.place]
      looking.place += 1
      work += 1
      guard looking.names.contains(heard.name), !consumed.contains(heard.number) else { continue }
      work += RunPlayer.unitsPerLook
      if let event = activation.load(heard.number), fits(event, isOwn: heard.isOwn, looking.wait, looking.match) {
        looking.candidate = (heard.number, event)
      }
    }
  }

  private static let unitsPerLook = 12

  /// What looking has cost since this was asked last.
  func takeWork() -> Int {
    defer { work = 0 }
    return work
  }

  private func fits(_ event: Event, isOwn: Bool, _ wait: Wait, _ match: [(path: String, text: [UInt8])]?) -> Bool {
    if let subject = wait.subject {
      guard [event.user, event.anonymous, event.account, event.thing].contains(subject) else { return false }
    } else if !isOwn {
      return false
    }
    if let match {
      return match.allSatisfy { wanted in event.dataCursor?.at(path: wanted.path)?.text == wanted.text }
    }
    return RunKey.fits(header, event, activation.key)
  }

  /// The next event to ask the rule's own function about.
  func nextCandidate() -> Event? {
    guard let event = looking?.candidate?.event else { return nil }
    received.append(event)
    return event
  }

  func refuseCandidate() { looking?.candidate = nil }

  /// The event at hand ends the wait.
  func acceptCandidate() -> Event? {
    guard let looking, let heard = looking.candidate else { return nil }
    consumed.insert(heard.number)
    if looking.isNew {
      passOver(looking.wait.kind, hash: looking.hash, event: heard.number)
    } else {
      trigger = .event(heard.number)
    }
    received.append(heard.event)
    return heard.event
  }

  /// No event ends the wait: time may be up, or the run sleeps. True when it goes on.
  func endWithoutEvent() -> Bool {
    guard let looking else { return false }
    if looking.isNew {
      sleep(looking.wait, hash: looking.hash)
      return false
    }
    if activation.trigger.endsWait { return true }
    sleepOn()
    return false
  }
}

/// Whether an event that a run hears is about its key: it is when it carries none. One whose key cannot be
/// read, because it is null, empty, a list or too long, is about no run at all.
package enum RunKey {
  package static func fits(_ header: RuleHeader, _ event: Event, _ key: String, path: String? = nil) -> Bool {
    let place: String? =
      if let path {
        path
      } else {
        switch header.key {
        case .subject: nil
        case .path(let path): path
        case .byEvent(let paths): paths[event.name]
        }
      }
    guard let place else { return true }
    guard let found = RuleKey.value(at: place, event: event) else { return !RuleKey.isPresent(at: place, event: event) }
    return found == key
  }
}
