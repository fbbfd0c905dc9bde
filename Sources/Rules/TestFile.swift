// A test file beside a rule: loaded in the same sandbox as rules, with words of its own, and run test by
// test. What the words of `t` do is answered by whoever runs the tests.
//
// Thread: the one that made it. Promise: a test file can do no more than a rule can; a word that does not
// exist is a complaint with its line; one test never sees what another has left behind.

internal import Basics
internal import CRuleHost
internal import Model

/// The words of `t`.
package enum TestWord: String, Sendable, CaseIterable {
  case event, identify, advance, at, reply
  case expectSent = "expect_sent"
  case expectCalled = "expect_called"
  case expectEmitted = "expect_emitted"
  case expectLogged = "expect_logged"
  case expectNothing = "expect_nothing"
  case expectWaiting = "expect_waiting"
  case expectNotWaiting = "expect_not_waiting"
  case expectVerdict = "expect_verdict"
  case expectState = "expect_state"
  case expectTraits = "expect_traits"
  case expectIn = "expect_in"
  case expectNotIn = "expect_not_in"
  case expectEnded = "expect_ended"
}

/// Whoever answers them, on the thread of the test, in its middle.
package protocol TestWords: AnyObject {
  func answer(_ word: TestWord, _ call: RuleCall)
}

package final class TestFile {
  package struct Test: Sendable {
    package let sentence: String
    package let line: Int
    fileprivate let slot: UInt32
  }

  /// How a test that did not come to its end failed.
  package struct Failure: Sendable, Equatable {
    package var line: Int
    package var message: String
  }

  package let path: String
  package var tests: [Test] { declared.tests }
  /// Rules that the file wants besides the one it lies beside.
  package var rules: [(name: String, line: Int)] { declared.rules }

  private let host: RuleHost
  private let declared: Declared

  /// The two words that stand at the top of a test file.
  package static let fileWords = ["test", "rules"]

  /// `libraries` in the order in which they must be loaded.
  package init(_ source: RuleSource, libraries: [RuleSource], folder: String) throws(RuleComplaint) {
    path = folder.isEmpty ? source.path : folder + "/" + source.path
    guard let host = RuleHost(cpuMilliseconds: Limits.testCPUMilliseconds) else {
      throw RuleComplaint(file: path, line: 1, message: "there is no memory left for tests")
    }
    self.host = host
    declared = Declared()
    let scan = SourceScan(file: path, text: source.text)
    if let first = scan.complaints.first { throw first }
    if let first = RuleLoader.compile(scan, source.text, host, words: Set(TestFile.fileWords)).first { throw first }
    host.setWords(declared)
    guard host.prepareTests(TestWord.allCases.map(\.rawValue)) else { throw host.complaint }
    try TestFile.use(scan, libraries, host, folder)
    host.keepClosures(true)
    try host.loadTests(file: path, text: source.text)
    try checkClosures()
    declared.settle(scan)
  }

  /// The libraries that it names, and those that they need, which stand before them.
  private static func use(
    _ scan: SourceScan, _ libraries: [RuleSource], _ host: RuleHost, _ folder: String
  ) throws(RuleComplaint) {
    if scan.libraries.isEmpty { return }
    for library in libraries {
      let file = folder.isEmpty ? library.path : folder + "/" + library.path
      try host.loadLibrary(name: library.name, file: file, text: library.text)
    }
  }

  private func checkClosures() throws(RuleComplaint) {
    for dump in host.closures {
      guard let code = Bytecode(dump), let write = code.outerWrites.first else { continue }
      throw RuleComplaint(
        file: path, line: write.line,
        message:
          "'\(write.name)' is set here, but it stands outside of the test, and the next test would see it; make it a local inside"
      )
    }
  }

  /// Runs a test to its end. Nil: it got there.
  package func run(_ position: Int, _ words: any TestWords) -> Failure? {
    let answers = Answers(words)
    host.setWords(answers)
    let status = host.runTest(slot: tests[position].slot)
    if status == RULE_OK { return nil }
    let line = Int(host.report.pointee.line)
    let isHere = host.file.isEmpty || host.file == path
    return Failure(
      line: isHere ? max(1, line) : tests[position].line,
      message: isHere ? host.message : "\(host.file):\(line): \(host.message)")
  }

  /// Takes down what a file declares.
  private final class Declared: RuleWords {
    private(set) var tests: [Test] = []
    private(set) var rules: [(name: String, line: Int)] = []
    private let parser = DocumentParser(maximumBytes: Limits.ruleArgumentBytes)

    func answer(_ call: RuleCall) {
      switch call.word {
      case RULE_WORD_TEST: declare(call)
      case RULE_WORD_RULES: name(call)
      default: call.fail("this can only be used inside of a test")
      }
    }

    private func declare(_ call: RuleCall) {
      guard let sentence = call.text(0), let line = call.integer(1), let slot = call.integer(2) else { return }
      if sentence.isEmpty { return call.fail("a test needs a sentence that says what is expected") }
      if let same = tests.first(where: { $0.sentence == sentence }) {
        return call.fail("there is a test with this sentence already, at line \(same.line): \(sentence)")
      }
      tests.append(Test(sentence: sentence, line: Int(line), slot: UInt32(slot)))
    }

    private func name(_ call: RuleCall) {
      let list = call.json(0).flatMap { try? parser.parse($0) }
      let names = list?.root.elements.compactMap(\.string) ?? []
      guard let list, !names.isEmpty, names.count == list.root.elements.count else {
        return call.fail("rules takes a list of rules, such as rules { \"other/rule\" }")
      }
      rules += names.map { ($0, 1) }
    }

    /// Where the names stand in the text.
    func settle(_ scan: SourceScan) {
      for place in rules.indices {
        let token = scan.tokens.first { $0.kind == .string && $0.text == rules[place].name }
        rules[place].line = token?.line ?? 1
      }
    }
  }

  private final class Answers: RuleWords {
    private let words: any TestWords
    init(_ words: any TestWords) { self.words = words }

    func answer(_ call: RuleCall) {
      let all = TestWord.allCases
      let number = Int(call.word.rawValue) - Int(RULE_WORD_OF_TEST.rawValue)
      if all.indices.contains(number) { return words.answer(all[number], call) }
      if call.word == RULE_WORD_MISSING {
        let name = call.text(0) ?? ""
        let names = all.map(\.rawValue)
        let near = Suggestion.ending(for: name, among: names)
        let list = near.isEmpty ? "; there are \(names.joined(separator: ", "))" : ""
        return call.fail("there is no t:\(name)\(near)\(list)")
      }
      call.fail("this can only be used in rules")
    }
  }
}

extension RuleHost {
  func prepareTests(_ words: [String]) -> Bool {
    guard prepare() else { return false }
    for (number, word) in words.enumerated() {
      guard add(word, RULE_WORD_OF_TEST.rawValue + UInt32(number)) else { return false }
    }
    return true
  }
}
