// What a lane decides with: the rules, their stored numbers and the destinations, as one snapshot that
// is swapped between two events.
//
// Thread: immutable. Promise: rules and destinations of one event are of one publish.

internal import Basics
package import Model
package import Rules
package import Store

package final class RuleBook: Sendable {
  package let rules: RuleSet
  /// The stored number of each rule, by its place in the set.
  package let numbers: [Int64]
  package let destinations: [String: Destination]
  /// Rows that tell which number is which rule: those of rules that are new in this book.
  package let rows: [Change]
  /// Rules that are not asked any more because they ended the process.
  package let switchedOff: Set<String>

  package init(
    rules: RuleSet, known: [String: Int64], highest: Int64, destinations: [Destination], switchedOff: Set<String> = []
  ) {
    self.rules = rules
    self.switchedOff = switchedOff
    var next = highest
    var numbers: [Int64] = []
    var rows: [Change] = []
    for rule in rules.rules {
      let number: Int64
      if let old = known[rule.path] {
        number = old
      } else {
        next += 1
        number = next
        rows.append(Change(RowKey(.rule, number), Array(rule.path.utf8)))
      }
      numbers.append(number)
    }
    self.numbers = numbers
    self.rows = rows
    self.destinations = Dictionary(destinations.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Numbers by path, for the next book.
  package var known: [String: Int64] {
    Dictionary(zip(rules.rules.map(\.path), numbers), uniquingKeysWith: { first, _ in first })
  }
}

/// The counters that lanes share.
package final class Numbers: Sendable {
  private let events: Counter
  private let deliveries: Counter

  package init(event: Int64, delivery: Int64) {
    events = Counter(event)
    deliveries = Counter(delivery)
  }

  package func nextEvent() -> Int64 { events.next() }
  package func nextDelivery() -> Int64 { deliveries.next() }
}
