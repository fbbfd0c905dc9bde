// The words of rules: the one table that the check, the file for editors and the pages are made from.
//
// Thread: constants. Promise: every word of the sandbox stands here; a test holds the two against each other.

internal import Model

package enum HostWords {
  private static let data = Parameter("data", .data, isOptional: true)

  /// What wait_for and wait_any may be told.
  private static let listening = [
    Option("within", .pause, "how long to wait at most; then the answer is nil"),
    Option("match", .either([.function, .data]), "which of them: a function of the event, or fields it must have"),
    Option("since", .choice(["start", "now"]), "\"now\" leaves out what came before the wait began"),
    Option("subject", .subject, "whose event it is, such as \"webinar:w7\""),
  ]

  /// What a call answers.
  package static let reply = [
    Option("ok", .boolean, "whether it was answered with a status of 2xx"),
    Option("status", .integer(100...599), "the status of the answer"),
    Option("body", .any, "what was answered"),
    Option("headers", .data, "those that the destination names"),
    Option("error", .text, "why it is not ok"),
    Option("unknown", .boolean, "true when nobody knows whether it was acted on"),
  ]

  /// Steps in the calendar, for wait_until.
  private static let calendar = [
    Option("at", .clock, "the time of day", isRequired: true),
    Option("days", .integer(0...Int64(Limits.daysAhead)), "how many days ahead"),
    Option("weekday", .weekday, "the next such day"),
    Option("zone", .zone, "the time zone in which it is meant"),
  ]

  /// How long before a date, in the calendar.
  static let lead = [
    Option("days", .integer(0...Int64(Limits.daysAhead)), "how many days before", isRequired: true),
    Option("at", .clock, "the time of day", isRequired: true),
    Option("zone", .zone, "the time zone in which it is meant"),
  ]

  private static let moved = [
    Option("moved", .events, "events that carry a new date"), Option("cancelled", .events, "events that end the run"),
  ]

  /// A date in the events, for wait_until.
  private static let date =
    [
      Option("date", .path, "where the events carry the date", isRequired: true),
      Option("before", .either([.options(lead), .pause]), "how long before it"),
    ] + moved

  package static let all: [HostWord] = effects + pauses + decisions + files + windows

  private static let effects = [
    HostWord(
      "send",
      [
        Parameter("destination", .destination), Parameter("type", .template), data,
        Parameter(
          "options", .options([Option("within", .duration, "given up when it could not be delivered in this time")]),
          isOptional: true),
      ], "Sends a webhook."),
    HostWord(
      "call",
      [
        Parameter("destination", .destination), Parameter("type", .template), data,
        Parameter(
          "options",
          .options([
            Option("within", .pause, "how long to wait for the answer"),
            Option("tries", .integer(1...10), "how often it is tried"),
            Option("shadow_reply", .reply, "the answer while the rule is in shadow"),
          ]), isOptional: true),
      ], gives: .reply, "Sends a webhook and waits for the answer: { ok, status, body, error, unknown }."),
    HostWord("set", [Parameter("traits", .traits)], "Merges traits into those of the subject; null removes one."),
    HostWord(
      "emit",
      [
        Parameter("name", .event), data,
        Parameter(
          "options", .options([Option("subject", .subject, "whose event it is, such as \"account:acme\"")]),
          isOptional: true),
      ], "Makes an event of your own."),
    HostWord("log", [Parameter("text", .text)], "Writes a line to the log."),
    HostWord(
      "calendar", [Parameter("entry", .options(calendarEntry))], gives: .text,
      "Makes a calendar file; gives its text, and a link under which its newest version is served."),
    HostWord(
      "issue_certificate", [Parameter("template", .text), Parameter("data", .data, isOptional: true)], gives: .any,
      later: true, "Issues a certificate."),
  ]

  private static let person = Takes.options([
    Option("name", .text, "what people call them"),
    Option("email", .text, "their address", isRequired: true),
  ])
  private static let calendarEntry = [
    Option("uid", .text, "what tells it from all others, in every version of it", isRequired: true),
    Option("title", .text, "what stands in the calendar", isRequired: true),
    Option("starts_at", .either([.text, .integer(0...Int64.max)]), "when it begins", isRequired: true),
    Option("ends_at", .either([.text, .integer(0...Int64.max)]), "when it ends; an hour later without it"),
    Option("sequence", .integer(0...1_000_000), "grows with each version"),
    Option("zone", .zone, "the zone its times are told in"),
    Option("description", .text, "what it is about"),
    Option("location", .text, "where it is"),
    Option("url", .text, "where to read more"),
    Option("organizer", person, "who invites"),
    Option("attendee", person, "who is invited"),
    Option("cancelled", .boolean, "it does not take place"),
    Option("alarms", .list, "durations before it begins, such as { \"1 hour\" }"),
  ]

  private static let pauses = [
    HostWord("wait", [Parameter("duration", .pause)], "Sleeps for a time."),
    HostWord(
      "wait_until", [Parameter("time", .either([.options(calendar), .options(date), .integer(0...Int64.max), .text]))],
      gives: .boolean,
      "Sleeps until a moment, a step in the calendar, or so long before a date in the events; false when that is past."
    ),
    HostWord(
      "wait_for",
      [Parameter("event", .event, isConstant: true), Parameter("options", .options(listening), isOptional: true)],
      gives: .event, "Sleeps until an event comes, and gives it back; nil when it does not come in time."),
    HostWord(
      "wait_any",
      [Parameter("events", .eventList, isConstant: true), Parameter("options", .options(listening), isOptional: true)],
      gives: .event, "Sleeps until one of several events comes, and gives it back."),
    HostWord(
      "finish", [Parameter("reason", .reason, isOptional: true)], endsRun: true,
      "Ends the run; what it asked for happens, and the reason stands in the verdict."),
    HostWord(
      "checkpoint", [Parameter("table", .data)], endsRun: true,
      "Begins the run anew, with the table as the third argument of run and without its past."),
  ]

  private static let decisions = [
    HostWord(
      "skip", [Parameter("reason", .reason)], place: .decision, endsRun: true,
      "Ends the run for a reason; nothing it asked for happens."),
    HostWord(
      "check", [Parameter("condition", .any), Parameter("reason", .reason)], gives: .same, place: .decision,
      "Ends the run for a reason when the condition is false or nil; gives the condition back."),
    HostWord("now", [], gives: .time, place: .decision, "The moment of this decision, in milliseconds since 1970."),
    HostWord(
      "random",
      [
        Parameter("low", .integer(Int64.min...Int64.max), isOptional: true),
        Parameter("high", .integer(Int64.min...Int64.max), isOptional: true),
      ], gives: .number, place: .decision, "A number drawn by chance: from 0 to 1, from 1 to n, or from m to n."),
    HostWord(
      "variant", [Parameter("name", .text, isConstant: true), Parameter("arms", .any, isConstant: true)], gives: .text,
      place: .decision, later: true, "Draws one of several arms, always the same for a subject."),
  ]

  private static let files = [
    HostWord("rule", [Parameter("header", .data)], gives: .header, place: .file, "Stands at the end of a rule's file."),
    HostWord(
      "segment", [Parameter("header", .data)], gives: .header, place: .file, "Stands at the end of a segment's file."),
    HostWord(
      "use", [Parameter("name", .library, isConstant: true)], gives: .library, place: .anywhere,
      "Loads a library from the rules folder."),
    HostWord(
      "every",
      [
        Parameter("schedule", .text, isConstant: true),
        Parameter(
          "options",
          .options([
            Option(
              "for_each", .text, "the kind of subjects that it starts for: \"user\", \"account\" or a kind of thing"),
            Option("segment", .text, "only those in this segment"),
            Option("rate", .integer(1...Int64(Limits.scheduleHighestRatePerSecond)), "how many of them in a second"),
          ]), isOptional: true, isConstant: true),
      ], gives: .any, place: .trigger, "Starts a rule at times."),
    HostWord(
      "absence",
      [
        Parameter(
          "what",
          .options([
            Option("of", .event, "the event that does not come", isRequired: true),
            Option("lasting", .duration, "for how long", isRequired: true),
            Option("match", .data, "one field of the event and the value it must have"),
          ]))
      ], gives: .any, place: .trigger, "Starts a rule when an event does not come."),
    HostWord(
      "before",
      [
        Parameter("path", .path), Parameter("lead", .either([.options(lead), .pause])),
        Parameter(
          "events", .options([Option("event", .events, "events that begin a run", isRequired: true)] + moved)),
      ], gives: .any, place: .trigger, "Starts a rule ahead of a date in its events."),
    HostWord(
      "enters", [Parameter("segment", .text, isConstant: true)], gives: .any, place: .trigger,
      "Starts a rule when a subject enters a segment."),
    HostWord(
      "leaves", [Parameter("segment", .text, isConstant: true)], gives: .any, place: .trigger,
      "Starts a rule when a subject leaves a segment."),
  ]

  /// event, field where there is one, window, options: all constant, so that they are kept while events come in.
  private static func window(_ name: String, hasField: Bool, gives: Gives, _ sentence: String) -> HostWord {
    var parameters = [Parameter("event", .event, isConstant: true)]
    if hasField { parameters.append(Parameter("field", .path, isConstant: true)) }
    parameters.append(Parameter("window", .duration, isConstant: true))
    parameters.append(
      Parameter(
        "options", .options([Option("match", .data, "one field of the event and the value it must have")]),
        isOptional: true, isConstant: true))
    return HostWord(name, parameters, gives: gives, place: .decision, sentence)
  }

  /// The field may be left out, and then the window stands in its place.
  private static func edge(_ name: String, _ sentence: String) -> HostWord {
    HostWord(
      name,
      [
        Parameter("event", .event, isConstant: true),
        Parameter("field", .either([.path, .duration]), isConstant: true),
        Parameter("window", .duration, isOptional: true, isConstant: true),
        Parameter(
          "options", .options([Option("match", .data, "one field of the event and the value it must have")]),
          isOptional: true, isConstant: true),
      ], gives: .any, place: .decision, sentence)
  }

  private static let windows = [
    window("count", hasField: false, gives: .integer, "How many such events there were lately."),
    window("sum", hasField: true, gives: .number, "The sum of a field over the events of late."),
    window("min", hasField: true, gives: .number, "The smallest value of a field of late."),
    window("max", hasField: true, gives: .number, "The largest value of a field of late."),
    window("avg", hasField: true, gives: .number, "The mean of a field of late."),
    window("distinct", hasField: true, gives: .integer, "How many different values of a field there were of late."),
    edge("first", "What a field of the first such event of late held; without a field, its time."),
    edge("last", "What a field of the last such event of late held; without a field, its time."),
  ]

  package static let byName: [String: HostWord] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// Values rather than functions.
  package static let values = ["state", "null", "empty_list"]
}
