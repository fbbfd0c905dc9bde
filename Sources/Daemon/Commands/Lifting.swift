// The command that tells what rules bring about: a table, and a sentence for each rule.
//
// Thread: main. Promise: the numbers are those of the report; nothing is worked out here.

internal import Basics
internal import Intake

extension Command {
  static func lift(_ source: Source) throws -> Int32 {
    let words = source.arguments.words
    let question = Question.lift(rule: words.count == 2 ? words[1] : nil)
    let path = "/v1/rules/lift" + (words.count == 2 ? "?rule=" + Source.escape(words[1]) : "")
    guard let value = try source.value(question, path: path) else {
      Terminal.complain(Reports.missing(question))
      return 1
    }
    guard case .array(let rows) = value["rules"] ?? .null, !source.arguments.wantsJSON else {
      Terminal.print(value.pretty)
      return 0
    }
    if rows.isEmpty {
      Terminal.print(
        "no rule has a goal; write one into a rule, such as goal = { event = \"order.placed\", within = \"14 days\" }")
      return 0
    }
    Columns.print(["rule", "goal", "since", "held out", "", "got it", "", "difference", "verdict"], rows.map(liftRow))
    // Of many rules that nobody has met one sentence is enough.
    let unmet = words.count == 2 ? [] : rows.filter { $0["gone"] != true && isUnmet($0) }
    for row in rows where !unmet.contains(row) {
      Terminal.print("")
      let isGone = row["gone"] == true
      let end = isGone ? " The rule is gone, or has no goal any more: nothing is counted any more." : ""
      Terminal.print("\(row["rule"]?.plain ?? ""): \(row["sentence"]?.plain ?? "")\(end)")
    }
    if !unmet.isEmpty {
      let names = unmet.map { $0["rule"]?.plain ?? "" }.joined(separator: ", ")
      Terminal.print("\nNobody new has met these since their count began: \(names).")
    }
    return 0
  }

  private static func isUnmet(_ row: JSONValue) -> Bool {
    ["sent", "held_out"].allSatisfy { row[$0]?["subjects"] == .integer(0) }
  }

  private static func liftRow(_ row: JSONValue) -> [String] {
    var goal = row["goal"]?.plain ?? ""
    if let within = row["within"], within != .null { goal += " in " + within.plain }
    func side(_ name: String) -> [String] {
      let side = row[name] ?? .null
      let subjects = side["subjects"]?.plain ?? "0"
      return [subjects, subjects == "0" ? "-" : "\(side["percent"]?.plain ?? "") %"]
    }
    var difference = "-"
    if let found = row["difference"], found != .null {
      difference = "\(found["points"]?.plain ?? "") (\(found["low"]?.plain ?? "") to \(found["high"]?.plain ?? ""))"
    }
    let verdict = row["verdict"]?.plain.split(separator: "_").joined(separator: " ") ?? ""
    let name = (row["rule"]?.plain ?? "") + (row["gone"] == true ? " (gone)" : "")
    return [name, goal, String((row["since"]?.plain ?? "").prefix(10))] + side("held_out")
      + side("sent") + [difference, verdict]
  }
}
