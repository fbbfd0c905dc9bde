// The events that nudged raises itself; rules may react to them like to any other.
//
// Thread: constants. Promise: all of their names begin with "nudged.", which no other event may.

enum OwnEvents {

  static let all: [(String, [String: FieldType])] = [
    entries(
      ["nudged.rule.failed", "nudged.rule.paused"],
      ["rule": .text, "reason": .text, "line": .integer, "event": .integer]),
    entries(
      ["nudged.run.parked"],
      ["rule": .text, "run": .text, "reason": .text]),
    entries(
      ["nudged.destination.failing", "nudged.destination.disabled", "nudged.destination.recovered"],
      ["destination": .text, "status": .text, "failing_since": .time, "reason": .text]),
    entries(
      ["nudged.delivery.failed"],
      [
        "delivery": .integer, "id": .text, "destination": .text, "type": .text, "rule": .text, "attempts": .integer,
        "outcome": .text, "status": .integer, "message": .text, "event": .integer, "run": .integer,
      ]),
    entries(["nudged.trait.changed"], [:]),
    entries(["nudged.schedule"], ["rule": .text, "due": .time]),
    entries(["nudged.absence"], ["rule": .text, "event": .text, "since": .time, "lasting": .text]),
    entries(["nudged.segment.entered", "nudged.segment.left"], ["segment": .text, "since": .time]),
    entries(["nudged.call.late"], ["run": .integer]),
    entries(["nudged.consent"], ["topic": .text, "given": .boolean]),
  ].flatMap { $0 }

  private static func entries(_ names: [String], _ fields: [String: FieldType]) -> [(String, [String: FieldType])] {
    names.map { ($0, fields) }
  }
}
