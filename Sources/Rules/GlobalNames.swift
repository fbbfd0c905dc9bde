// The names a rule may use without declaring them, and the complaints about others.
//
// Thread: constants. Promise: the list is the sandbox's; a test holds the two against each other.
internal import Basics

package enum GlobalNames {
  package static let available: Set<String> = [
    "assert", "error", "ipairs", "pairs", "pcall", "select", "tonumber", "tostring", "type",
    "string", "table", "math", "utf8", "null", "empty_list", "state",
    "rule", "use", "send", "set", "emit", "log", "skip", "check", "now", "random",
    "every", "absence", "before", "enters", "leaves",
    "wait", "wait_until", "wait_for", "wait_any", "call", "finish", "checkpoint", "calendar",
    "segment", "count", "sum", "min", "max", "avg", "distinct", "first", "last",
  ]

  /// Words of the design that nothing answers yet.
  package static let later: Set<String> = [
    "issue_certificate", "variant",
  ]

  /// Names of Lua that people look for, and what to use.
  package static let replaced: [String: String] = [
    "print": "use log(text)", "require": "use use(\"lib/…\")", "dofile": "use use(\"lib/…\")",
    "os": "use now() for the time", "io": "rules do not touch files", "next": "use pairs",
    "coroutine": "a rule is a plain function", "debug": "", "load": "", "loadstring": "",
    "setmetatable": "", "getmetatable": "", "rawget": "", "rawset": "", "rawequal": "", "rawlen": "",
    "xpcall": "use pcall", "collectgarbage": "", "package": "use use(\"lib/…\")", "_G": "",
    "unpack": "use table.unpack",
    "warn": "use log(text)",
  ]

  /// Names that are right in other places or other languages.
  package static let elsewhere: [String: String] = [
    "event": "it is the first argument of run and when: run = function(event, customer)",
    "customer": "it is the second argument of run and when: run = function(event, customer)",
    "True": "write true", "TRUE": "write true", "False": "write false", "FALSE": "write false",
    "None": "write nil, or null for an explicit null", "undefined": "write nil, or null for an explicit null",
    "NULL": "write nil, or null for an explicit null", "Null": "write nil, or null for an explicit null",
    "self": "call a function of a table with ':' to have self",
  ]

  static func complaints(file: String, code: Bytecode, words: Set<String>) -> [RuleComplaint] {
    var told: Set<String> = []
    var out: [RuleComplaint] = []
    for write in code.globalWrites.sorted(by: { $0.line < $1.line }) where told.insert(write.name).inserted {
      out.append(
        RuleComplaint(
          file: file, line: write.line,
          message:
            "cannot set the global '\(write.name)'; write 'local \(write.name) = …' or 'local function \(write.name)(…)'"
        ))
    }
    let known = available.union(words)
    for read in code.globalReads.sorted(by: { $0.line < $1.line }) where !known.contains(read.name) {
      if told.insert(read.name).inserted { out.append(complaint(file: file, read: read, known: known, words: words)) }
    }
    return out.sorted { $0.line < $1.line }
  }

  private static func complaint(file: String, read: Bytecode.Mention, known: Set<String>, words: Set<String>)
    -> RuleComplaint
  {
    if later.contains(read.name) {
      return RuleComplaint(file: file, line: read.line, message: "\(read.name)(…) is not available in this version")
    }
    if let advice = replaced[read.name] {
      let ending = advice.isEmpty ? "" : "; \(advice)"
      return RuleComplaint(file: file, line: read.line, message: "'\(read.name)' is not available in rules\(ending)")
    }
    if let advice = elsewhere[read.name] {
      return RuleComplaint(file: file, line: read.line, message: "there is no '\(read.name)' here; \(advice)")
    }
    // The words of this kind of file are meant before those of every file.
    let suggestion = Suggestion.nearest(to: read.name, among: words) ?? Suggestion.nearest(to: read.name, among: known)
    let message = "there is no '\(read.name)'" + (suggestion == nil ? "; is it misspelt, or is a 'local' missing?" : "")
    return RuleComplaint(file: file, line: read.line, message: message, suggestion: suggestion)
  }
}
