// The typos that the check is measured by: twelve classes, each with its share. The table was written down
// before the checker, so that it cannot be cut to what the checker happens to find.
//
//   class         share  what is done to a rule that is in order
//   word            12   a word of ours is misspelt where it is called: send → sned
//   variable        12   a local or a parameter is misspelt where it is read: customer → custmer
//   headerKey       10   a key of the header is misspelt: again → agian
//   event            8   the name of an event is misspelt: in on, key, stop_on, goal, wait_for
//   field           16   a field of event, customer, data, traits, state or a reply is misspelt
//   destination      8   a destination or a template is misspelt: "crm" → "cmr"
//   option           6   an option or one of few allowed values is misspelt: within → wihtin, "never" → "nevr"
//   duration         6   a duration, a time of day or a zone is not one: "3 days" → "3 dyas", "1 month"
//   separator        8   a comma, a closing bracket or a quote is lost
//   keyword          8   then, do or end is lost, a keyword is misspelt, or elseif is written else if
//   foreign          3   a sign of another language: !=, &&, ||, +=, == as =, curly quotes, None
//   wrongKind        3   a value of another kind: a number for a duration, a text for a table, a lost local
//
// Found: at least one complaint. Exact line: a complaint stands on the line that was changed; where an `end`
// was lost, the line of what it closed counts as well. Right suggestion: what stood there before.
//
// Thread: the test's own. Promise: the shares add up to a hundred.

enum TypoClass: String, CaseIterable, Sendable {
  case word, variable, headerKey, event, field, destination, option, duration, separator, keyword, foreign, wrongKind

  var share: Int {
    switch self {
    case .word, .variable: 12
    case .headerKey: 10
    case .event, .destination, .separator, .keyword: 8
    case .field: 16
    case .option, .duration: 6
    case .foreign, .wrongKind: 3
    }
  }
}
