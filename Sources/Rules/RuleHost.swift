// The one owner of a Lua state: a class around CRuleHost that gives its entries Swift types.
//
// Thread: the one that created it. Promise: no Lua type and no pointer into a Lua state gets out of here;
// words of rules are answered while Lua waits, with plain values.

internal import Basics
internal import CDocument
package import CRuleHost
internal import Model

/// Whoever answers the words of rules. Called on the host's thread, in the middle of a run.
package protocol RuleWords: AnyObject {
  func answer(_ call: RuleCall)
}

/// One word with its decoded arguments, and the reply to fill.
package struct RuleCall {
  package let word: rule_word
  private let arguments: UnsafeBufferPointer<rule_value>
  private let reply: UnsafeMutablePointer<rule_reply>
  private let host: RuleHost

  fileprivate init(
    word: UInt32, arguments: UnsafeBufferPointer<rule_value>, reply: UnsafeMutablePointer<rule_reply>, host: RuleHost
  ) {
    self.word = rule_word(rawValue: word)
    self.arguments = arguments
    self.reply = reply
    self.host = host
  }

  package var count: Int { arguments.count }

  private func bytes(_ position: Int, kind: rule_value_kind) -> UnsafeRawBufferPointer? {
    guard position < arguments.count, arguments[position].kind == kind.rawValue else { return nil }
    return UnsafeRawBufferPointer(start: arguments[position].bytes, count: Int(arguments[position].count))
  }

  package func isNil(_ position: Int) -> Bool {
    position >= arguments.count || arguments[position].kind == RULE_NIL.rawValue
  }
  package func text(_ position: Int) -> String? {
    bytes(position, kind: RULE_TEXT).map { String(decoding: $0, as: UTF8.self) }
  }
  /// A table or event data, as JSON text.
  package func json(_ position: Int) -> [UInt8]? { bytes(position, kind: RULE_JSON).map { Array($0) } }
  package func integer(_ position: Int) -> Int64? {
    guard position < arguments.count, arguments[position].kind == RULE_INTEGER.rawValue else { return nil }
    return arguments[position].integer
  }

  package func boolean(_ position: Int) -> Bool? {
    guard position < arguments.count, arguments[position].kind == RULE_BOOLEAN.rawValue else { return nil }
    return arguments[position].integer != 0
  }

  /// What an argument is, for messages.
  package func describe(_ position: Int) -> String {
    guard position < arguments.count else { return "missing" }
    switch rule_value_kind(rawValue: arguments[position].kind) {
    case RULE_NIL: return "nil"
    case RULE_BOOLEAN: return arguments[position].integer == 0 ? "false" : "true"
    case RULE_INTEGER: return String(arguments[position].integer)
    case RULE_NUMBER: return String(arguments[position].number)
    case RULE_TEXT: return "the text \"\((text(position) ?? "").prefix(60))\""
    default: return "a table"
    }
  }

  package func answer(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      reply.pointee.value.bytes = host.keep(bytes)
      reply.pointee.value.count = UInt32(bytes.count)
      reply.pointee.value.kind = RULE_TEXT.rawValue
    }
  }

  package func answer(_ value: Int64) {
    reply.pointee.value.kind = RULE_INTEGER.rawValue
    reply.pointee.value.integer = value
  }

  package func answer(_ value: Double) {
    reply.pointee.value.kind = RULE_NUMBER.rawValue
    reply.pointee.value.number = value
  }

  package func answer(_ value: Bool) {
    reply.pointee.value.kind = RULE_BOOLEAN.rawValue
    reply.pointee.value.integer = value ? 1 : 0
  }

  /// Both in one stretch: only the newest one that was kept is there when Lua looks.
  func answer(_ text: String, _ second: String) {
    var both = text + second
    let count = text.utf8.count
    both.withUTF8 { bytes in
      let kept = host.keep(bytes)
      reply.pointee.value.bytes = kept
      reply.pointee.value.count = UInt32(count)
      reply.pointee.value.kind = RULE_TEXT.rawValue
      reply.pointee.second.bytes = kept + count
      reply.pointee.second.count = UInt32(bytes.count - count)
      reply.pointee.second.kind = RULE_TEXT.rawValue
    }
  }

  /// Two answers; an empty text is none.
  func answer(_ value: Bool, _ text: String) {
    answer(value)
    if text.isEmpty { return }
    var text = text
    text.withUTF8 { bytes in
      reply.pointee.second.bytes = host.keep(bytes)
      reply.pointee.second.count = UInt32(bytes.count)
      reply.pointee.second.kind = RULE_TEXT.rawValue
    }
  }

  /// `index` comes back when a field of the event is asked for.
  func answer(_ event: Event, index: Int) {
    reply.pointee.value.kind = RULE_EVENT.rawValue
    reply.pointee.event = RuleCall.handle(event, index: index)
  }

  func answer(_ document: UnsafePointer<document>) {
    reply.pointee.value.kind = RULE_DOCUMENT.rawValue
    reply.pointee.document = document
  }

  /// Asks the rule's own function about an event.
  func propose(_ event: Event, index: Int) {
    reply.pointee.code = RULE_REPLY_CANDIDATE.rawValue
    reply.pointee.event = RuleCall.handle(event, index: index)
  }

  static func handle(_ event: Event, index: Int) -> rule_event {
    var handle = rule_event()
    handle.document = event.document.block
    handle.data = event.data ?? UInt32.max
    handle.traits = event.traits ?? UInt32.max
    handle.context = event.context ?? UInt32.max
    handle.time = event.time.milliseconds
    handle.index = UInt32(index)
    return handle
  }

  /// What answering has cost beyond a plain word.
  func charge(_ units: Int) { reply.pointee.work = UInt32(clamping: units) }

  /// A wait is over and the input is another one: what depends on the moment is read anew.
  func moveOn() { reply.pointee.moved = true }
  /// The run ends here for now and keeps its effects.
  func suspend() { refuse(RULE_REPLY_SUSPEND, "") }
  /// Likewise, for good.
  func finish(_ reason: String) { refuse(RULE_REPLY_FINISH, reason) }
  /// The run ends here, and nothing it asked for happens.
  func skip(_ reason: String) { refuse(RULE_REPLY_SKIP, reason) }
  func diverge(_ message: String) { refuse(RULE_REPLY_DIVERGED, message) }

  /// Raised in the rule, at the line of the call.
  package func fail(_ message: String) { refuse(RULE_REPLY_ERROR, message) }
  /// Ends the run; no pcall holds it.
  package func exceed(_ message: String) { refuse(RULE_REPLY_LIMIT, message) }

  private func refuse(_ code: rule_reply_code, _ message: String) {
    reply.pointee.code = code.rawValue
    let bytes = message.utf8.prefix(RULE_MESSAGE_BYTES)
    let target = rule_reply_message(reply)!
    var count = 0
    for byte in bytes {
      target[count] = CChar(bitPattern: byte)
      count += 1
    }
    reply.pointee.message_count = UInt32(count)
  }
}

package final class RuleHost {
  private let host: OpaquePointer
  @exclusivity(unchecked) private var words: (any RuleWords)?
  /// The last text answered; Lua copies it right after the callback.
  private var kept: UnsafeMutablePointer<CChar>
  private var keptCapacity = 256

  /// Nil when memory is short. `failFrom` is for tests: see `fail(from:)`.
  package init?(failFrom: Int = 0, cpuMilliseconds: Int64 = Limits.ruleCPUMilliseconds) {
    var limits = rule_limits()
    limits.units = UInt64(Limits.ruleInstructions)
    limits.cpu_ns = cpuMilliseconds * 1_000_000
    limits.state_bytes = Limits.ruleStateMemoryBytes
    limits.growth_bytes = Limits.ruleMemoryGrowthBytes
    limits.block_bytes = Limits.ruleBlockBytes
    limits.argument_bytes = Limits.ruleArgumentBytes
    limits.state_keys = UInt32(Limits.stateKeys)
    limits.state_text_bytes = Limits.stateBytes
    guard let host = rule_host_create(&limits, UInt64(failFrom)) else { return nil }
    self.host = host
    kept = .allocate(capacity: keptCapacity)
  }

  deinit {
    rule_host_close(host)
    kept.deallocate()
  }

  fileprivate func keep(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafePointer<CChar> {
    if bytes.count > keptCapacity {
      kept.deallocate()
      keptCapacity = bytes.count * 2
      kept = .allocate(capacity: keptCapacity)
    }
    UnsafeMutableRawPointer(kept).copyMemory(
      from: UnsafeRawPointer(bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!), byteCount: bytes.count)
    return UnsafePointer(kept)
  }

  /// Who answers from now on.
  package func setWords(_ words: any RuleWords) {
    self.words = words
    rule_host_set_callback(
      host,
      { context, word, arguments, count, reply in
        let host = Unmanaged<RuleHost>.fromOpaque(context!).takeUnretainedValue()
        let call = RuleCall(
          word: word, arguments: UnsafeBufferPointer(start: arguments, count: Int(count)), reply: reply!, host: host)
        host.words?.answer(call)
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  // For tests of what happens when memory runs out.

  /// Every allocation from the `number`-th on, counted from now, is refused; 0 ends that.
  package func fail(from number: Int) { rule_host_fail_from(host, UInt64(number)) }
  package var allocations: Int { Int(rule_host_allocations(host)) }
  package var bytes: Int { rule_host_bytes(host) }

  // Reports.

  var report: UnsafePointer<rule_report> { rule_host_report(host) }

  var message: String {
    let start = UnsafeRawPointer(rule_report_message(report)!)
    return String(
      decoding: UnsafeRawBufferPointer(start: start, count: Int(report.pointee.message_count)), as: UTF8.self)
  }
  var file: String { String(cString: rule_report_file(report)) }
  var reportText: [UInt8] {
    Array(UnsafeRawBufferPointer(start: report.pointee.text, count: report.pointee.text_count))
  }
  var complaint: RuleComplaint {
    RuleComplaint(file: file, line: max(1, Int(report.pointee.line)), message: message)
  }

  // Files. Each gives the complaint, or nil.

  private func entry(_ file: String, _ text: String, _ body: (UnsafePointer<CChar>, UnsafePointer<CChar>, Int) -> Int32)
    -> Bool
  {
    var text = text
    return file.withCString { path in
      text.withUTF8 { bytes in
        let start = bytes.baseAddress.map { UnsafeRawPointer($0) } ?? UnsafeRawPointer(path)
        return body(path, start.assumingMemoryBound(to: CChar.self), bytes.count) == RULE_OK.rawValue
      }
    }
  }

  func compile(file: String, text: String) throws(RuleComplaint) -> [UInt8] {
    guard entry(file, text, { rule_host_compile(host, $0, $1, $2) }) else { throw complaint }
    return reportText
  }

  func loadLibrary(name: String, file: String, text: String) throws(RuleComplaint) {
    let loaded = entry(file, text) { path, start, count in
      name.withCString { rule_host_load_library(host, $0, path, start, count) }
    }
    guard loaded else { throw complaint }
  }

  /// The slot of the rule, and its header as JSON.
  func loadRule(file: String, text: String) throws(RuleComplaint) -> (slot: UInt32, header: [UInt8]) {
    guard entry(file, text, { rule_host_load_rule(host, $0, $1, $2) }) else { throw complaint }
    return (report.pointee.slot, reportText)
  }

  func evaluate(file: String, text: String) throws(RuleComplaint) -> [UInt8] {
    guard entry(file, text, { rule_host_evaluate(host, $0, $1, $2) }) else { throw complaint }
    return reportText
  }

  /// Nil: the library wants nothing sent.
  func transform(library: String, _ message: Document) throws(RuleComplaint) -> [UInt8]? {
    var status = library.withCString { rule_host_transform(host, $0, message.block) }
    // The clock is the second net, and a machine that stands still must not cost a webhook.
    if status == RULE_TIME.rawValue { status = library.withCString { rule_host_transform(host, $0, message.block) } }
    guard status == RULE_OK.rawValue else { throw complaint }
    return report.pointee.text_count == 0 ? nil : reportText
  }

  // Tests of rules; see TestFile.

  func prepare() -> Bool { rule_host_prepare_tests(host) == RULE_OK.rawValue }
  func add(_ word: String, _ number: UInt32) -> Bool {
    rule_host_add_test_word(host, word, number) == RULE_OK.rawValue
  }
  func loadTests(file: String, text: String) throws(RuleComplaint) {
    guard entry(file, text, { rule_host_load_tests(host, $0, $1, $2) }) else { throw complaint }
  }
  func runTest(slot: UInt32) -> rule_status { rule_status(rawValue: UInt32(rule_host_run_test(host, slot))) }

  func addConstructor(_ word: String) throws(RuleComplaint) {
    guard rule_host_add_constructor(host, word) == RULE_OK.rawValue else { throw complaint }
  }

  func keepClosures(_ keep: Bool) { rule_host_keep_closures(host, keep) }

  /// The bytecode of each closure that outlives the last load.
  var closures: [[UInt8]] {
    let buffer = rule_host_closures(host)!.pointee
    let all = UnsafeRawBufferPointer(start: buffer.bytes, count: buffer.count)
    var out: [[UInt8]] = []
    var position = 0
    while position + 8 <= all.count {
      let size = Int(all.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      out.append(Array(all[(position + 8)..<(position + 8 + size)]))
      position += 8 + size
    }
    return out
  }

  /// See rule_host_trust.
  func trust(slot: UInt32) { rule_host_trust(host, slot) }

  @inline(__always)
  func run(slot: UInt32, _ input: inout rule_input) -> rule_status {
    rule_status(rawValue: UInt32(rule_host_run(host, slot, &input)))
  }
}
