// The words of windows, answered: count("login", "7 days") and its like.
//
// Thread: the runtime's. Promise: what a run was told once it is told again whenever it is played again.

internal import Basics
internal import CRuleHost
package import Model

/// Whoever keeps the windows of the subject that a rule is asked about.
package protocol WindowReader: AnyObject {
  /// Nil: nobody keeps it.
  func value(of definition: WindowDefinition) -> WindowValue?
}

extension EffectWords {
  private static func kind(_ word: rule_word) -> WindowDefinition.Kind? {
    switch word {
    case RULE_WORD_COUNT: .count
    case RULE_WORD_SUM: .sum
    case RULE_WORD_MIN: .min
    case RULE_WORD_MAX: .max
    case RULE_WORD_AVG: .avg
    case RULE_WORD_DISTINCT: .distinct
    case RULE_WORD_FIRST: .first
    case RULE_WORD_LAST: .last
    default: nil
    }
  }

  func window(_ call: RuleCall) {
    guard let kind = EffectWords.kind(call.word) else { return call.fail("this word is not available in this version") }
    guard let definition = windowDefinition(kind, call) else { return }
    // A function that only decides is not asked again when a run is played again.
    let decides = call.boolean(call.count - 1) == true
    guard let player, !decides else { return answer(definition, windows?.value(of: definition), call) }
    let hash = JournalEntry.hash(definition.sentence)
    switch player.window(hash, { windows?.value(of: definition) }) {
    case .value(let value): answer(definition, value, call)
    case .diverged: call.diverge(player.divergence ?? "")
    case .full: call.exceed(EffectWords.journalIsFull)
    }
  }

  private func answer(_ definition: WindowDefinition, _ value: WindowValue?, _ call: RuleCall) {
    switch value {
    case nil:
      call.fail(
        "\(definition.kind.word): the window \(definition.sentence) is not kept; its arguments must be constant texts of this file"
      )
    case .nothing: break
    case .number(.whole(let number)): call.answer(number)
    case .number(.real(let number)): call.answer(number)
    case .json(let text): answer(json: text, call)
    }
  }

  private func answer(json text: [UInt8], _ call: RuleCall) {
    guard let value = try? storedParser.parse(text).root else { return }
    switch value.kind {
    case .string: call.answer(value.string ?? "")
    case .boolean: call.answer(value.boolean ?? false)
    case .integer: call.answer(value.integer ?? 0)
    case .double: call.answer(value.double ?? 0)
    default: break
    }
  }

  /// The window that a call means; the same texts are only taken apart once.
  private func windowDefinition(_ kind: WindowDefinition.Kind, _ call: RuleCall) -> WindowDefinition? {
    var texts: [String] = []
    while let text = call.text(texts.count) { texts.append(text) }
    let options = call.count - 1 > texts.count ? call.json(texts.count) : nil
    let key = kind.word + "\u{1}" + texts.joined(separator: "\u{1}") + "\u{1}" + per + "\u{1}"
    let whole = options.map { key + String(decoding: $0, as: UTF8.self) } ?? key
    if let known = knownWindows[whole] { return known }
    var match: WindowDefinition.Match?
    if let options {
      guard let root = try? parser.parse(options).root, let pair = root["match"]?.members.first else {
        call.fail("\(kind.word): \(WindowProblem.form.message)")
        return nil
      }
      match = WindowDefinition.Match(path: WindowWords.path(pair.key), value: pair.value.text)
    }
    switch WindowWords.definition(kind, texts, match) {
    case .success(var definition):
      definition.per = per
      if knownWindows.count < Limits.rules { knownWindows[whole] = definition }
      return definition
    case .failure(let problem):
      call.fail(problem.message)
      return nil
    }
  }
}
