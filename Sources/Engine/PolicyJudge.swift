// Whether a message may go out now: consent, quiet hours, caps.
//
// Thread: pure functions. Promise: the same record, policies and moment give the same ruling, with a reason that
// a person understands.

internal import Basics
internal import Model
internal import Rules

enum Ruling: Equatable {
  case go
  case hold(until: Instant, String)
  case suppress(String)
}

/// What is asked about: one webhook of one rule, to one subject.
struct PolicyQuestion {
  var webhook: Webhook
  var rule: RuleHeader
  var ruleNumber: Int64
  var record: PolicyRecord
  var policies: Policies
  var zone: ZoneRules
  var zoneName: String
  var now: Instant
  /// The same for a subject on one day: its place in the spread after quiet hours, from 0 to 1.
  var share: Double
}

enum PolicyJudge {
  static func rule(on question: PolicyQuestion) -> Ruling {
    if let reason = consent(question) { return .suppress(reason) }
    if let ruling = quietHours(question) { return ruling }
    if let reason = cap(question) { return .suppress(reason) }
    return .go
  }

  // MARK: consent

  private static func consent(_ question: PolicyQuestion) -> String? {
    if question.record.isUnreadable {
      return "what it consented to cannot be read; nudged.consent about \"*\" says it anew"
    }
    if question.record.consent(to: PolicyRecord.everything) == false { return "consent to all messages was withdrawn" }
    guard let topic = question.rule.topic else { return nil }
    switch question.record.consent(to: topic) {
    case false: return "consent to '\(topic)' was withdrawn"
    case nil where question.policies.optIn.contains(topic): return "no consent to '\(topic)' was given"
    default: return nil
    }
  }

  // MARK: quiet hours

  private static func quietHours(_ question: PolicyQuestion) -> Ruling? {
    guard question.rule.obeysQuietHours, let hours = question.policies.quietHours else { return nil }
    guard hours.destinations.isEmpty || hours.destinations.contains(question.webhook.destination) else { return nil }
    let civil = question.zone.civil(at: question.now)
    let minute = civil.hour * 60 + civil.minute
    let isOverMidnight = hours.from > hours.to
    let isQuiet =
      isOverMidnight ? minute >= hours.from || minute < hours.to : minute >= hours.from && minute < hours.to
    guard isQuiet else { return nil }
    let words = "quiet hours \(clock(hours.from)) to \(clock(hours.to)) (\(question.zoneName))"
    if hours.drops { return .suppress(words) }
    let days = isOverMidnight && minute >= hours.from ? 1 : 0
    let date = CivilDate(daysSinceEpoch: civil.date.daysSinceEpoch + days)
    guard let end = CivilTime(date: date, hour: hours.to / 60, minute: hours.to % 60) else { return nil }
    let until = instant(of: end, question)
    // A spread that is longer than the day would end in the next night, and some would never go out.
    let open = Int64((hours.from - hours.to + 1440) % 1440) * 60_000
    return .hold(until: until + Int64(question.share * Double(min(hours.spreadMilliseconds, open))), words)
  }

  /// When the clocks go back, the first of two readings may be over.
  private static func instant(of end: CivilTime, _ question: PolicyQuestion) -> Instant {
    let first = question.zone.instant(of: end)
    if first > question.now { return first }
    let back = question.zone.offsetSeconds(at: first) - question.zone.offsetSeconds(at: question.now)
    let second = first + Int64(back) * 1_000
    return second > question.now ? second : question.now + 60_000
  }

  static func clock(_ minutes: Int) -> String {
    let (hour, minute) = (minutes / 60, minutes % 60)
    return (hour < 10 ? "0" : "") + "\(hour):" + (minute < 10 ? "0" : "") + "\(minute)"
  }

  // MARK: caps

  private static func cap(_ question: PolicyQuestion) -> String? {
    guard question.rule.obeysCaps else { return nil }
    let wanted = PolicyRecord.Sent(
      at: question.now, topic: question.rule.topic ?? "", destination: question.webhook.destination,
      rule: question.ruleNumber)
    for cap in question.policies.caps where cap.counts(wanted) {
      if let reason = exceeded(cap, question, { cap.counts($0) }) { return reason }
    }
    guard let own = question.rule.cap else { return nil }
    return exceeded(own, question) { $0.rule == question.ruleNumber }
  }

  private static func exceeded(
    _ cap: Policies.Cap, _ question: PolicyQuestion, _ counts: (PolicyRecord.Sent) -> Bool
  ) -> String? {
    let start = start(of: cap.window, question)
    let found = question.record.sent.filter { $0.at >= start && counts($0) }
    guard found.count >= cap.most else { return nil }
    let what = cap.topic.map { " of '\($0)'" } ?? ""
    let whereTo = cap.destination.map { " to \($0)" } ?? ""
    let last = found.map(\.at).max().map { ISO8601.format($0) } ?? ""
    return "the cap of \(cap.most)\(what)\(whereTo) per \(cap.window.word) is reached; the last was at \(last)"
  }

  private static func start(of window: Policies.Window, _ question: PolicyQuestion) -> Instant {
    let today = question.zone.civil(at: question.now).date
    let back: Int
    switch window {
    // A message exactly one window ago does not count any more.
    case .rolling(let milliseconds): return question.now + (1 - milliseconds)
    case .day: back = 0
    case .week: back = (today.weekday + 6) % 7
    case .month: back = today.day - 1
    }
    let first = CivilDate(daysSinceEpoch: today.daysSinceEpoch - back)
    return CivilTime(date: first, hour: 0, minute: 0).map { question.zone.instant(of: $0) } ?? question.now
  }

  /// What caps can still ask for: of what each counts, the newest as many as it allows. What one counts must not
  /// push out what another one does.
  static func remembered(
    _ sent: [PolicyRecord.Sent], _ policies: Policies, now: Instant, ownCap: (Int64) -> Policies.Cap?
  ) -> [PolicyRecord.Sent] {
    var left = policies.caps.map(\.most)
    var leftOfRules: [Int64: Int] = [:]
    var kept: [PolicyRecord.Sent] = []
    for one in sent.reversed() {
      var isWanted = false
      for (place, cap) in policies.caps.enumerated() where left[place] > 0 && cap.counts(one) {
        guard now - one.at <= cap.window.longestMilliseconds else { continue }
        left[place] -= 1
        isWanted = true
      }
      if let cap = ownCap(one.rule), now - one.at <= cap.window.longestMilliseconds {
        let rest = leftOfRules[one.rule] ?? cap.most
        leftOfRules[one.rule] = rest - 1
        isWanted = isWanted || rest > 0
      }
      if isWanted { kept.append(one) }
    }
    return kept.reversed()
  }

  /// How long what was sent has to be remembered for the caps that count it; 0: not at all.
  static func memory(of sent: PolicyRecord.Sent, _ rule: RuleHeader, _ policies: Policies) -> Int64 {
    guard rule.obeysCaps || !policies.caps.isEmpty else { return 0 }
    let configured = policies.caps.filter { $0.counts(sent) }.map(\.window.longestMilliseconds)
    return max(configured.max() ?? 0, rule.cap?.window.longestMilliseconds ?? 0)
  }
}
