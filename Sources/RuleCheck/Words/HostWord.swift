// What the table of words is made of: a word, its arguments, what they may be, and a sentence for people.
//
// Thread: values. Promise: the check, the file for editors and the pages are made from the same entries.

/// What an argument, an option or a key of the header takes.
package indirect enum Takes: Sendable {
  case any
  case text
  case number
  case integer(ClosedRange<Int64>)
  case boolean
  /// A text that says why.
  case reason
  case duration
  /// A duration that a run may wait in one go.
  case pause
  /// A time of day: "09:00".
  case clock
  case weekday
  case zone
  case destination
  case template
  case event
  /// Whose event it is: a kind and an id.
  case subject
  /// What a call answers, written out.
  case reply
  /// One name or a list of them.
  case events
  /// A list of names.
  case eventList
  case library
  /// A path into the event: "data.invoice".
  case path
  case function
  /// A table with names.
  case data
  case traits
  case list
  /// One of few texts.
  case choice([String])
  /// A table with these keys and no others.
  case options([Option])
  case either([Takes])

  /// Each of few texts by itself.
  private var sentences: [String] {
    if case .choice(let values) = self { values.map { "\"\($0)\"" } } else { [sentence] }
  }

  /// For sentences: "a duration such as "3 days"".
  package var sentence: String {
    switch self {
    case .any: "any value"
    case .text: "a text"
    case .number: "a number"
    case .integer(let range):
      range.upperBound >= 1_000_000
        ? "a whole number" : "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .boolean: "true or false"
    case .reason: "a reason as text"
    case .duration, .pause: "a duration such as \"3 days\""
    case .clock: "a time of day such as \"09:00\""
    case .weekday: "a day of the week such as \"monday\""
    case .zone: "a time zone such as \"Europe/Berlin\""
    case .destination: "the name of a destination"
    case .template: "a type such as \"user.welcome\""
    case .event: "the name of an event"
    case .subject: "a kind and an id, such as \"webinar:w7\""
    case .reply: "a table with \(Sentence.alternatives(HostWords.reply.map(\.name))), such as { ok = true }"
    case .events: "an event name or a list of them"
    case .eventList: "a list of event names, such as { \"invoice.paid\" }"
    case .library: "a constant name such as \"lib/plans\""
    case .path: "a path such as \"data.invoice\""
    case .function: "a function"
    case .data: "a table with names, such as { plan = \"pro\" }"
    case .traits: "a table of traits, such as { plan = \"pro\" }"
    case .list: "a list"
    case .choice(let values): Sentence.alternatives(values.map { "\"\($0)\"" })
    case .options(let options): "a table such as { \(options.first?.name ?? "key") = … }"
    case .either(let ways): Sentence.alternatives(ways.flatMap(\.sentences))
    }
  }
}

package struct Option: Sendable {
  package var name: String
  package var takes: Takes
  package var sentence: String
  package var isRequired: Bool

  init(_ name: String, _ takes: Takes, _ sentence: String, isRequired: Bool = false) {
    self.name = name
    self.takes = takes
    self.sentence = sentence
    self.isRequired = isRequired
  }
}

package struct Parameter: Sendable {
  package var name: String
  package var takes: Takes
  package var isOptional: Bool
  /// Has to be written out, because it is read before anything runs.
  package var isConstant: Bool

  init(_ name: String, _ takes: Takes, isOptional: Bool = false, isConstant: Bool = false) {
    self.name = name
    self.takes = takes
    self.isOptional = isOptional
    self.isConstant = isConstant
  }
}

/// What a word gives back.
package enum Gives: Sendable {
  case nothing, any, text, integer, number, boolean, time, event, reply, library, header, same, list
}

package struct HostWord: Sendable {
  /// Where a word may stand.
  package enum Place: Sendable {
    /// Inside run, and in functions that it calls.
    case run
    /// There, and in `when`.
    case decision
    case anywhere
    /// In the value of `on`.
    case trigger
    /// At the top of a file, outside of functions.
    case file
  }

  package var name: String
  package var parameters: [Parameter]
  package var gives: Gives
  package var place: Place
  package var sentence: String
  /// False for words of the design that nothing answers yet.
  package var isAvailable: Bool
  /// Nothing after it is reached.
  package var endsRun: Bool

  init(
    _ name: String, _ parameters: [Parameter], gives: Gives = .nothing, place: Place = .run, endsRun: Bool = false,
    later: Bool = false, _ sentence: String
  ) {
    self.name = name
    self.parameters = parameters
    self.gives = gives
    self.place = place
    self.sentence = sentence
    isAvailable = !later
    self.endsRun = endsRun
  }

  /// The names of all options.
  package var options: [String] {
    parameters.flatMap { parameter in
      parameter.takes.ways.flatMap { way in if case .options(let list) = way { list.map(\.name) } else { [String]() } }
    }
  }

  /// send(destination, type, data, options)
  package var signature: String { "\(name)(\(parameters.map(\.name).joined(separator: ", ")))" }
}

/// Small things that sentences are made of.
enum Sentence {
  static func alternatives(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }

  /// The first few of many.
  static func few(_ words: some Sequence<String>, most: Int = 8) -> String {
    let all = Array(words)
    return all.prefix(most).joined(separator: ", ") + (all.count > most ? ", …" : "")
  }
}
