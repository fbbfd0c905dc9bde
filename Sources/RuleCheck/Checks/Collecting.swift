// What a header says about gathering events and about what is late, and what `run` gets for it.
//
// Thread: one check. Promise: only what is written out is judged.

internal import Basics
internal import Model
internal import Rules

extension FileCheck {
  private func value(of key: String) -> Expression? { header?.first { $0.name == key }?.value }

  /// Whether `run` gets a list of events.
  var collects: Bool { value(of: "collect") != nil }
  var gathers: Bool { collects || value(of: "debounce") != nil }

  /// What `run` is called with, beyond the event and the customer.
  var moreArguments: [String] { (dateTrigger == nil ? [] : ["date"]) + (collects ? ["events"] : []) + ["saved"] }
  var runForm: String { "function(event, customer, \(moreArguments.joined(separator: ", ")))" }

  func checkCollect(_ field: TableField) {
    guard case .options(let options)? = HeaderKeys.byName["collect"]?.takes else { return }
    checkOptionValues(field.value, options, word: "collect")
  }

  func checkGathering(_ header: [TableField]) {
    if collects, let debounce = header.first(where: { $0.name == "debounce" }) {
      tell(debounce.keySpan, .wrongValue, RuleHeader.collectAndDebounce)
    }
    if !collects { checkListWithoutCollect(header) }
  }

  /// run = function(event, customer, events) in a rule that gets no list.
  private func checkListWithoutCollect(_ header: [TableField]) {
    guard let run = header.first(where: { $0.name == "run" })?.value.function, run.parameters.count == 3 else { return }
    let third = run.parameters[2]
    guard third.name == "events" else { return }
    let reason =
      gathers
      ? "with 'debounce' the run gets the newest event alone; for all of them write collect = \(RuleHeader.collectForm)"
      : "a run gets a list of events only in a rule with collect = \(RuleHeader.collectForm)"
    tell(third.span, .arguments, reason, severity: .warning)
  }

  /// Less late than a minute is on time.
  func checkCatchUp(_ field: TableField, _ found: Shape) {
    guard let text = found.constant, let milliseconds = DurationText.milliseconds(text),
      milliseconds < Limits.lateMilliseconds
    else { return }
    tell(
      inside(field.value.span), .wrongValue,
      "'catch_up' must be \(RuleHeader.catchUpForm); \"\(text)\" late is on time")
  }
}
