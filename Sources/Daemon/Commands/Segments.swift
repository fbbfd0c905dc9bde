// The command that tells who is in which segment.
//
// Thread: main. Promise: it only reads.

internal import Basics
internal import Intake
internal import Rules

extension Command {
  static let segments = Command(
    name: "segments", summary: "tell how many are in each segment, and who",
    help: """
      nudged segments list
      nudged segments show NAME [--limit N] [--after SUBJECT]

      `list` counts the subjects that are in each segment. `show` lists them, those that were seen first at the top;
      `--after` goes on where a list ended. Segments are files below segments/ in the rules folder.
      Example: nudged segments show at_risk
      """
  ) { raw in
    let arguments = try Arguments(raw, values: ["--limit", "--after"])
    let source = try Source(arguments)
    switch (arguments.words.first ?? "list", arguments.words.count) {
    case ("list", 0), ("list", 1):
      for flag in ["--limit", "--after"] where arguments.value(flag) != nil {
        throw UsageError("\(flag) is for: segments show NAME")
      }
      guard let value = try source.value(.segments, path: "/v1/segments") else { return 1 }
      list(
        source, value, "segments", columns: ["segment", "per", "count", "complete"], empty: "there are no segments yet")
      return 0
    case ("show", 2): return try members(source, arguments)
    default: throw UsageError("write: segments list, or segments show NAME")
    }
  }

  private static func members(_ source: Source, _ arguments: Arguments) throws -> Int32 {
    let (limit, _) = try paging(arguments)
    let after = try arguments.integer("--after") ?? 0
    let question = Question.members(segment: arguments.words[1], after: after, limit: limit)
    let path = "/v1/segments/\(Source.escape(arguments.words[1]))?limit=\(limit)&after=\(after)"
    guard let value = try source.value(question, path: path) else {
      Terminal.complain(Reports.missing(question))
      return 1
    }
    list(source, value, "members", columns: ["subject", "since"], empty: "nobody is in it")
    return 0
  }
}
