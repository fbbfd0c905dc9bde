// Rules of the simulator whose run is called later: with what was collected, after silence, and before a date that
// moves or is cancelled. What each must send follows from the events and, for what was collected, their verdicts.
//
// Thread: values. Promise: every event is in exactly one collection, every silence tells its last event, and every
// reminder stands at the newest date; the dates lie behind all that clients send, so that no clock decides it.

import Basics
import Engine
import Model
import Store

enum SimulatedMoments {
  private static let most = 3
  private static let files = """
    return rule {
      title = "Tell of files, some at a time", on = "file", collect = { up_to = \(most), within = "50 s" },
      run = function(event, customer, events)
        local all = {}
        for place, one in ipairs(events) do all[place] = one.data.k end
        send("good", "files", { key = "files/" .. table.concat(all, ".") })
      end,
    }
    """
  private static let typed = """
    return rule {
      title = "Tell of the last key that was pressed", on = "typed", debounce = "30 s",
      run = function(event) send("good", "typed", { key = "typed/" .. event.data.k }) end,
    }
    """
  private static let reminder = """
    return rule {
      title = "Remind of a meeting", key = "thing",
      on = before("data.at", "1 day", { event = "booked", moved = "rebooked", cancelled = "unbooked" }),
      run = function(event, customer, date)
        send("good", "reminder", { key = "reminder/" .. customer.id .. "/" .. date })
      end,
    }
    """

  static let sources = [("files", files), ("typed", typed), ("reminder", reminder)]
  /// Names of events that clients send, with their chances.
  static let names = ["file", "file", "typed", "booked", "booked", "rebooked", "unbooked"]
  static let ofMeetings: Set<String> = ["booked", "rebooked", "unbooked"]

  /// Who has booked books once, so that the order of the events alone says what becomes of it.
  static func meeting(_ name: String, _ count: Int, _ random: inout SeededRandom) -> JSONValue {
    let day = 100 + Int64(random.next(below: 100))
    let at = ISO8601.format(Instant(milliseconds: 1_700_000_000_000 + day * 86_400_000))
    var members: [JSONValue.Member] = [
      .init("id", .string("e\(count)")), .init("name", .string(name)),
      .init("thing", .string("meeting:m\(random.next(below: 6))")),
      .init("data", name == "unbooked" ? .object([]) : .object([.init("at", .string(at))])),
    ]
    if name == "booked" { members.append(.init("user", .string("v\(count)"))) }
    return .object(members)
  }

  // MARK: what must have been sent

  private struct Told {
    var number: Int64
    var name: String
    var user: String
    var thing: String
    var k: String
    var at: String
  }

  /// A complaint, or the webhooks.
  static func expected(_ reader: StoreReader) throws -> (complaint: String?, webhooks: Set<String>) {
    let told = try reader.engine.events(before: .max, limit: 100_000).reversed().map { row in
      let root = try Document.parse(row.body).root
      return Told(
        number: row.number, name: row.name, user: root["user"]?.string ?? "", thing: root["thing"]?.string ?? "",
        k: root["data"]?["k"]?.string ?? "", at: root["data"]?["at"]?.string ?? "")
    }
    var out = reminders(told)
    for (rule, name) in [("files", "file"), ("typed", "typed")] {
      for (user, own) in Dictionary(grouping: told.filter { $0.name == name }, by: \.user) {
        let lists = try collections(own, rule, reader)
        if rule == "files", let long = lists.first(where: { $0.count > most }) {
          return ("\(long.count) files of \(user) are in one collection", [])
        }
        for list in lists { out.insert("\(rule)/" + (rule == "files" ? list.joined(separator: ".") : list.last ?? "")) }
      }
    }
    return (nil, out)
  }

  private static func reminders(_ told: [Told]) -> Set<String> {
    var out: Set<String> = []
    for event in told where event.name == "booked" {
      let later = told.filter { $0.thing == event.thing && $0.number > event.number }
      if later.contains(where: { $0.name == "unbooked" }) { continue }
      out.insert("reminder/\(event.user)/\(later.last { $0.name == "rebooked" }?.at ?? event.at)")
    }
    return out
  }

  /// The events of one user in the order of their numbers, cut where a verdict says that an event is a first one.
  /// One that does not say it was collected has filled what was there.
  private static func collections(_ own: [Told], _ rule: String, _ reader: StoreReader) throws -> [[String]] {
    var lists: [[String]] = []
    for event in own {
      let place = try place(of: event.number, rule, reader)
      if place == 1 || lists.isEmpty { lists.append([]) }
      lists[lists.count - 1].append(event.k)
    }
    return lists
  }

  /// "run 7 collects it (2 of 3)" is 2.
  private static func place(of number: Int64, _ rule: String, _ reader: StoreReader) throws -> Int? {
    for row in try reader.engine.verdicts(around: number) {
      for found in row.unpack() where found.event == number {
        guard let verdict = found.verdicts.first(where: { $0.rule == rule && $0.code == .collected }) else { continue }
        return verdict.reason.split(separator: "(").last.flatMap { Int($0.prefix { $0.isNumber }) }
      }
    }
    return nil
  }
}
