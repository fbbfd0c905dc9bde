// The keys of a rule's header: the one table that the check, the file for editors and the pages are made
// from.
//
// Thread: constants. Promise: every key that the loader knows stands here; a test holds the two against each
// other.

package struct HeaderKey: Sendable {
  package var name: String
  package var takes: Takes
  package var isRequired: Bool
  package var isAvailable: Bool
  package var sentence: String

  init(_ name: String, _ takes: Takes, required: Bool = false, later: Bool = false, _ sentence: String) {
    self.name = name
    self.takes = takes
    isRequired = required
    isAvailable = !later
    self.sentence = sentence
  }
}

package enum HeaderKeys {
  package static let all: [HeaderKey] = [
    HeaderKey("title", .text, required: true, "A sentence for people."),
    HeaderKey("on", .events, required: true, "The event that starts the rule, or a list of them."),
    HeaderKey("run", .function, required: true, "What the rule does: function(event, customer) … end."),
    HeaderKey("when", .function, "Decides more finely than `on`: returns true or false."),
    HeaderKey("per", .text, "Whose rule it is: \"user\", \"account\" or a kind of thing."),
    HeaderKey("key", .either([.path, .data]), "A path into the event; each of its values is counted by itself."),
    HeaderKey("again", .either([.choice(["always", "never"]), .duration]), "When the rule may run once more."),
    HeaderKey("stop_on", .either([.events, .data]), "Events that end a run, also while it waits."),
    HeaderKey(
      "goal",
      .options([
        Option("event", .event, "its name", isRequired: true),
        Option("within", .duration, "how long after the start it counts"),
        Option("key", .path, "where it carries the rule's key"),
      ]), "The event that the rule is there for; it ends a run."),
    HeaderKey("second", .choice(["ignore", "restart", "parallel"]), "What a second event does while a run waits."),
    HeaderKey("limit", .integer(1...1_000), "How many runs of one key there may be at once."),
    HeaderKey("mode", .choice(["live", "shadow", "paused"]), "Whether the rule runs, and whether it does anything."),
    HeaderKey("priority", .integer(-1000...1000), "Which rule of one event comes first: the higher one."),
    HeaderKey("class", .text, "\"transactional\": no policy holds back what it sends; or a word of yours."),
    HeaderKey("owner", .text, "Who looks after the rule."),
    HeaderKey("zone", .zone, "The time zone of its times of day."),
    HeaderKey("topic", .text, "What its messages are about, for consent and caps."),
    HeaderKey(
      "cap",
      .either([
        .options([
          Option("most", .integer(1...1_000), "how many", isRequired: true),
          Option("per", .either([.choice(["day", "week", "month"]), .duration]), "in which time", isRequired: true),
        ]), .boolean,
      ]), "How many of its messages one subject gets; false: no cap holds for it."),
    HeaderKey("quiet_hours", .boolean, "false: it sends at any hour."),
    HeaderKey("hold_out", .number, "The percentage of subjects that get nothing from it, for comparison."),
    HeaderKey("late", .choice(["skip", "send"]), "What becomes of a moment before a date that is past already."),
    HeaderKey(
      "collect",
      .options([
        Option("up_to", .integer(2...1_000), "so many begin the run at once", isRequired: true),
        Option("within", .pause, "or what came in this time after the first", isRequired: true),
      ]), "Gathers several events into one run, which gets a list of them."),
    HeaderKey("debounce", .pause, "The run begins when no further event has come for so long."),
    HeaderKey(
      "catch_up", .either([.choice(["fire", "skip"]), .pause]), "What becomes of a run whose time was long ago."),
    HeaderKey("was", .text, later: true, "The path the rule had before."),
  ]

  /// Of files below segments/.
  package static let ofSegments: [HeaderKey] = [
    HeaderKey("title", .text, required: true, "A sentence for people."),
    HeaderKey("when", .function, required: true, "Who belongs to it: function(customer) … end, true or false."),
    HeaderKey("per", .text, "Who it is made of: \"user\", \"account\" or a kind of thing."),
    HeaderKey("owner", .text, "Who looks after the segment."),
  ]

  package static let byName: [String: HeaderKey] = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// What paths into an event begin with.
}
