// Dates in events: what stands at a path, and which moment follows from it.
//
// Thread: pure. Promise: a missing or bad date is a reason that names path and value and never means now.

package import Basics
package import Model

/// What an event has at the path of a date.
package enum DateField: Equatable {
  /// Nothing, so that it says nothing of the date.
  case absent
  /// It says that there is no date, or one that cannot be read: why, in words.
  case wrong(String)
  /// As text, with its zone.
  case date(String, Instant)

  /// Where a date may stand.
  package static let roots = ["data", "traits", "context"]

  package static func read(_ event: Event, _ path: String) -> DateField {
    let steps = path.split(separator: ".", maxSplits: 1)
    let node: UInt32? =
      switch steps[0] {
      case "data": event.data
      case "traits": event.traits
      case "context": event.context
      default: nil
      }
    guard let node, steps.count > 1,
      let value = JSONCursor(document: event.document, index: node).at(path: String(steps[1]))
    else { return .absent }
    if let milliseconds = value.integer, let text = DateField.text(milliseconds) {
      return .date(text, Instant(milliseconds: milliseconds))
    }
    if let text = value.string, let instant = ISO8601.parse(text) { return .date(text, instant) }
    let shown = String(decoding: value.text.prefix(60), as: UTF8.self)
    return .wrong("\(path) is \(shown), which is no date with a time and a zone, such as 2026-03-01T09:00:00Z")
  }

  /// Milliseconds since 1970 in the form of all dates; nil: beyond what can be written.
  private static func text(_ milliseconds: Int64) -> String? {
    let text = ISO8601.format(Instant(milliseconds: milliseconds))
    return ISO8601.parse(text)?.milliseconds == milliseconds ? text : nil
  }

  package static func missing(_ path: String) -> String { "\(path) is missing" }
}

/// What a plan comes to with a date.
package enum DateOutlook: Equatable {
  /// Its moment lies ahead.
  case at(Instant)
  /// Its moment is past, the date itself lies ahead.
  case late(Instant)
  /// The date is past, or nothing can be planned with it: why.
  case over(String)
}

extension DatePlan {
  /// `zone` finds the zone of a time of day by the name in the plan.
  package func outlook(
    of date: Instant, now: Instant, zone: (String?) -> Result<ZoneRules, ZoneError>
  ) -> DateOutlook {
    if date <= now { return .over("\(path), \(ISO8601.format(date)), is past") }
    let moment: Instant
    switch lead {
    case .duration(let milliseconds): moment = date + -milliseconds
    case .calendar(let days, let hour, let minute, let name):
      switch zone(name) {
      case .failure(let error): return .over(error.description)
      case .success(let zone):
        let day = CivilDate(daysSinceEpoch: zone.civil(at: date).date.daysSinceEpoch - days)
        guard let civil = CivilTime(date: day, hour: hour, minute: minute) else {
          return .over("\(path) is out of reach")
        }
        moment = zone.instant(of: civil)
      }
    }
    if moment > date {
      return .over(
        "\(lead.sentence) \(path), \(ISO8601.format(date)), is \(ISO8601.format(moment)), which is behind it")
    }
    if moment <= now { return .late(moment) }
    if moment - now > Limits.waitMilliseconds {
      return .over("\(path), \(ISO8601.format(date)), is more than ten years ahead")
    }
    return .at(moment)
  }

  /// Why nothing is done whose moment is past.
  package func lateReason(_ moment: Instant) -> String {
    "late: \(lead.sentence) \(date), \(path), was \(ISO8601.format(moment))"
  }
}

/// The zone of a time of day: the one that is named, or the rule's, the subject's, the configured one.
package enum DayZone {
  package static func name(_ named: String?, _ header: RuleHeader, _ traits: JSONCursor?, _ configured: String)
    -> String
  {
    named ?? header.zone ?? traits?["timezone"]?.string ?? traits?["zone"]?.string ?? configured
  }

  package static func find(_ name: String, _ zones: ZoneShelf) -> Result<ZoneRules, ZoneError> {
    if let zone = zones.zone(name) { return .success(zone) }
    return .failure(ZoneError(description: "there is no time zone '\(name.prefix(80))'"))
  }
}
