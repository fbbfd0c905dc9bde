// The slips that people make, each with its place, its sentence and what to write instead.
//
// Thread: the test's own. Promise: the first finding is the one that helps, and there is no second one that
// only follows from it.

import Basics
import RuleCheck
import Rules
import Testing

@Suite struct SlipTests {
  private static func body(_ text: String) -> String { Checking.rule(text) }

  /// A text, and all that is said about it.
  static let forms: [(text: String, findings: [String])] = [
    (
      "return rule {\n title = 'T'\n on = 'x',\n run = function() end }",
      ["2: a comma is missing at the end of this line"]
    ),
    ("return rule { title = 'T' on = 'x', run = function() end }", ["1: a comma is missing before 'on'"]),
    (body("if event.id != 'x' then end"), ["2: '!=' is not Lua; write '~=' (did you mean '~='?)"]),
    (body("if event.id && true then end"), ["2: '&&' is not Lua; write 'and' (did you mean 'and'?)"]),
    (body("if event.id || true then end"), ["2: '||' is not Lua; write 'or' (did you mean 'or'?)"]),
    (body("if !event.id then end"), ["2: '!' is not Lua; write 'not' (did you mean 'not'?)"]),
    (body("local x = 1\nx += 1"), ["3: '+=' is not Lua; write 'x = x + …'"]),
    (body("local x = 1\nx++"), ["3: '++' is not Lua; write 'x = x + 1'"]),
    (body("log(“hello”)"), ["2: curly quotes (“) are not Lua; write \""]),
    ("\u{FEFF}" + body(""), ["1: the file begins with a byte order mark; save it as UTF-8 without one"]),
    (body("if event.id = 'x' then end"), ["2: '=' assigns; to compare write '==' (did you mean '=='?)"]),
    (body("log('x') -- ok\nevent.id == 'x'"), ["3: '==' compares; to give a value write '=' (did you mean '='?)"]),
    (
      body("if event.id then\nelse if event.user then log('x') end"),
      ["3: 'else if' opens a second if that needs its own 'end'; write 'elseif' (did you mean 'elseif'?)"]
    ),
    (
      body("  if event.id then\n    log('x')\n  log('y')"),
      ["2: this 'if' has no 'end': it is still open at '}' in line 5"]
    ),
    (body("if event.id\nlog('x') end"), ["2: a 'then' is missing here, after what 'if' asks"]),
    (body("for i = 1, 3\nlog('x') end"), ["2: a 'do' is missing here, after what 'for' asks"]),
    (body("while event.id then log('x') break end"), ["2: 'while' wants 'do' here, not 'then' (did you mean 'do'?)"]),
    (body("if event.id { log('x') }"), ["2: '{' opens no block in Lua; write 'then … end' (did you mean 'then'?)"]),
    (body("log('x)"), ["2: a text is not closed on this line: its second quote is missing"]),
    (body("log('x'"), ["2: a ')' is missing at the end of this line"]),
    (body("send('crm' 'x')"), ["2: a comma is missing before ''x''"]),
    (body("send('crm', 'x', { a: 1 })"), ["2: between a key and its value stands '=': a = … (did you mean '='?)"]),
    (
      body("send('crm', 'x', { 'a': 1 })"),
      ["2: between a key and its value stands '=': [\"a\"] = … (did you mean '='?)"]
    ),
    (body("log('x') end"), ["3: there is one 'end' too many: no function, if or loop is open here"]),
    (body("// a comment\nlog('x')"), ["2: a comment begins with '--' in Lua (did you mean '--'?)"]),
    (body("local x = event.id ? 1 : 2"), ["2: there is no '? :' in Lua; write: condition and this or that"]),
    (body("var x = 1 log(tostring(x))"), ["2: 'var' is not a word of Lua (did you mean 'local'?)"]),
    (
      body("for i = 1, 3 do continue end"),
      ["2: there is no 'continue' in Lua; turn the condition round, or write goto and a label at the end of the loop"]
    ),
    (body("log(event:id)"), ["2: ':' calls a function of a table; a field is read with '.' (did you mean '.'?)"]),
    (body("event.data.x"), ["2: this alone does nothing; a call needs parentheses and an assignment '='"]),
    (body("log 'a', 'b'"), ["2: a call with several arguments needs parentheses: name(…, …)"]),
    (body("retrun finish('x')"), ["2: 'retrun' is not a word of Lua (did you mean 'return'?)"]),
    (body("locla x = 1"), ["2: 'locla' is not a word of Lua (did you mean 'local'?)"]),
    (body("if event.id thne log('x') end"), ["2: 'thne' is not a word of Lua (did you mean 'then'?)"]),
    (body("if event.id then log('x') edn"), ["2: 'edn' is not a word of Lua (did you mean 'end'?)"]),
    (
      body("local f = funtion(x) return x end log(f('a'))"),
      ["2: 'funtion' is not a word of Lua (did you mean 'function'?)"]
    ),
    (body("if nto event.id then log('x') end"), ["2: 'nto' is not a word of Lua (did you mean 'not'?)"]),
    (body("if event.id adn event.user then log('x') end"), ["2: 'adn' is not a word of Lua (did you mean 'and'?)"]),
    (body("return log('y')\nlog('z')"), ["3: nothing may follow 'return' in its block; this is never reached"]),
    (body("break"), ["2: 'break' leaves a loop, and there is none around it"]),
    (body("goto nxt ::next::"), ["2: there is no label '::nxt::' (did you mean 'next'?)"]),
    (
      body("local x = 12abc"),
      ["2: '12abc' is not a number; is a blank or an operator missing, or should it be a text in quotes?"]
    ),
  ]

  @Test(arguments: forms) func `a slip in the form is named once, at its line`(text: String, findings: [String]) {
    #expect(Checking.lines(Checking.findings(text)) == findings)
  }

  static let meanings: [(body: String, header: String, findings: [String])] = [
    ("sned('crm', 'x')", "", ["2: there is no 'sned' (did you mean 'send'?)"]),
    ("local total = 1\ntotla = total + 1", "", ["3: cannot set the global 'totla' (did you mean 'total'?)"]),
    (
      "count_all = 1", "",
      ["2: cannot set the global 'count_all'; write 'local count_all = …' or 'local function count_all(…)'"]
    ),
    ("log(totl)", "", ["2: there is no 'totl'; is it misspelt, or is a 'local' missing?"]),
    (
      "if event.data.x == null then log(None) end", "",
      ["2: there is no 'None' here; write nil, or null for an explicit null (did you mean 'nil'?)"]
    ),
    ("print('x')", "", ["2: 'print' is not available in rules; use log(text)"]),
    ("log(os.time())", "", ["2: 'os' is not available in rules; use now() for the time"]),
    ("log(string.uper('x'))", "", ["2: there is no 'string.uper' (did you mean 'upper'?)"]),
    ("log(math.random(3))", "", ["2: there is no 'math.random' in rules; use random(1, n)"]),
    ("log(('x'):uper())", "", ["2: a text has no function 'uper' (did you mean 'upper'?)"]),
    ("log(event.dta.x)", "", ["2: event has no field 'dta' (did you mean 'data'?)"]),
    ("log(customer.email)", "", ["2: customer has no field 'email'; it has id, traits, account"]),
    (
      "wait(5)", "",
      ["2: wait takes a duration such as \"3 days\"; it is 5 (did you mean '\"5 days\"'?)"]
    ),
    (
      "wait('3 dyas')", "",
      [
        "2: wait: \"dyas\" is not a unit of time; known are seconds, minutes, hours, days and weeks (s, min, h, d, w) (did you mean '3 days'?)"
      ]
    ),
    ("wait_until { days = 1 }", "", ["2: wait_until: the time needs 'at', a time of day such as \"09:00\""]),
    (
      "wait_until { at = '9am' }", "",
      ["2: wait_until: 'at' must be a time of day such as \"09:00\"; it is \"9am\" (did you mean '09:00'?)"]
    ),
    (
      "wait_until { at = '09:00', zone = 'Europe/Berln' }", "",
      ["2: wait_until: 'zone': there is no time zone called \"Europe/Berln\" (did you mean 'Europe/Berlin'?)"]
    ),
    ("wait_for('y', { wihtin = '1 day' })", "", ["2: unknown option 'wihtin' (did you mean 'within'?)"]),
    (
      "wait_for('y', '1 day')", "",
      [
        "2: wait_for: the options must be a table, such as { within = … }; it is the text \"1 day\" (did you mean '{ within = '1 day' }'?)"
      ]
    ),
    (
      "local n = event.data.n\nwait_for(n)", "",
      ["3: wait_for: the event must be written out here, because it is read before anything runs"]
    ),
    (
      "send('crmm', 'x')", "",
      ["2: there is no destination 'crmm'; configured are billing, crm, learning (did you mean 'crm'?)"]
    ),
    (
      "send('crm')", "",
      ["2: send(destination, type, data, options): the type is missing, a type such as \"user.welcome\""]
    ),
    (
      "send('crm', 'x', 'y')", "",
      ["2: send: the data must be a table with names, such as { plan = \"pro\" }; it is the text \"y\""]
    ),
    (
      "send('crm', 'x', { 1, 2 })", "",
      ["2: send: the data must be a table with names, such as { plan = \"pro\" }; it is a list"]
    ),
    ("log('a', 'b')", "", ["2: log takes at most one argument: log(text); here are 2"]),
    ("log(customer)", "", ["2: log takes a text; it is the customer"]),
    (
      "log('at ' .. customer)", "",
      ["2: '..' joins texts and numbers; this is the customer, use tostring(…) or a field of it"]
    ),
    (
      "if now() - event.time > '3 days' then log('x') end", "",
      ["2: times are compared in milliseconds; \"3 days\" are 259200000 (did you mean '259200000'?)"]
    ),
    (
      "if event.id == 'a' or 'b' then log('x') end", "",
      ["2: this alone is always true; write or event.id == 'b' (did you mean 'event.id == 'b''?)"]
    ),
    ("if event.id == 5 then log('x') end", "", ["2: this is never true: a text is not a number"]),
    (
      "if not event.id == 'x' then log('x') end", "", ["2: 'not' belongs to 'event.id' alone here; write event.id ~= …"]
    ),
    ("event.data.x = 1", "", ["2: a table cannot be changed here; it can only be read"]),
    ("skip('x')\nlog('y')", "", ["3: this is never reached: 'skip' ends what stands before it"]),
    (
      "while true do log('x') end", "",
      ["2: this loop never ends: there is no break, return, finish, skip or wait in it"]
    ),
    (
      "state.failures = 1 log(tostring(state.failurs))", "",
      ["2: nothing in this rule sets state.failurs (did you mean 'failures'?)"]
    ),
    (
      "local t = { a = 1, a = 2 } log(tostring(t.a))", "",
      ["2: the key 'a' stands in this table twice; the first one would be lost"]
    ),
    ("local x <const> = 1\nx = 2", "", ["3: 'x' is <const> and cannot be given another value"]),
    ("log('at ' + event.id)", "", ["2: texts are joined with '..', not with '+' (did you mean ''at ' .. event.id'?)"]),
    (
      "total = total + 1", "",
      ["2: cannot set the global 'total'; write 'local total = …' or 'local function total(…)'"]
    ),
    (
      "local r = call('crm', 'x') if r.okay then log('x') end", "",
      ["2: a reply has no field 'okay' (did you mean 'ok'?)"]
    ),
    ("send 'crm' 'x'", "", ["2: a call with several arguments needs parentheses and commas: name(…, …)"]),
    (
      "for _, x in event.data do log(x) end", "",
      ["2: 'for' needs ipairs(…) or pairs(…) around a table (did you mean 'ipairs(event.data)'?)"]
    ),
    ("variant('y', { 'a', 'b' })", "", ["2: variant(…) is not available in this version"]),
    (
      "check(count('invoice.paid', '1 dya') > 1, 'few')", "",
      [
        "2: count: the window: \"dya\" is not a unit of time; known are seconds, minutes, hours, days and weeks (s, min, h, d, w) (did you mean '1 day'?)"
      ]
    ),
    ("check(cuont('invoice.paid', '1 day') > 1, 'few')", "", ["2: there is no 'cuont' (did you mean 'count'?)"]),
    (
      "check(sum('invoice.paid', '1 day') > 1, 'few')", "",
      ["2: sum(event, field, window, options): the window is missing, a duration such as \"3 days\""]
    ),
    ("", "agian = 'never',", ["1: unknown key 'agian' (did you mean 'again'?)"]),
    (
      "", "again = 'nevr',",
      [
        "1: 'again' must be \"always\", \"never\" or a duration such as \"3 days\"; it is \"nevr\" (did you mean 'never'?)"
      ]
    ),
    (
      "", "mode = 'shadwo',",
      ["1: 'mode' must be \"live\", \"shadow\" or \"paused\"; it is \"shadwo\" (did you mean 'shadow'?)"]
    ),
    ("", "priority = '5',", ["1: 'priority' must be a whole number from -1000 to 1000; it is the text \"5\""]),
    (
      "", "key = 'date.x',",
      [
        "1: the path 'date.x' must begin with one of data, traits, context, user, account, thing, id, name (did you mean 'data.x'?)"
      ]
    ),
    ("", "cap = 3,", ["1: 'cap' must be a table such as { most = … } or true or false; it is 3"]),
    ("", "was = 'old',", ["1: 'was' is not available in this version; remove it"]),
    (
      "", "when = function() send('crm', 'x') return true end,",
      ["1: 'when' and 'match' only decide; move send into run"]
    ),
    ("", "limit = 3,", ["1: 'limit' says how many runs may live at once: it needs second = \"parallel\""]),
    ("", "goal = { evnt = 'y' },", ["1: unknown option 'evnt' (did you mean 'event'?)"]),
    ("", "per = 'acount',", ["1: 'per' is \"acount\" (did you mean 'account'?)"]),
  ]

  @Test(arguments: meanings)
  func `a slip in the meaning is named once, at its line`(body: String, header: String, findings: [String]) {
    #expect(Checking.lines(Checking.findings(Checking.rule(body, header: header))) == findings)
  }

  @Test func `a rule without its return is looked at all the same, and swapped arguments are told once`() {
    let text = "rule { title = 'T', on = 'x', agian = 'never',\nrun = function(customer, event) log(event.dta) end }"
    let lines = Checking.lines(Checking.findings(text))
    #expect(
      lines == [
        "1: 'return' is missing before rule { … } (did you mean 'return rule'?)",
        "1: unknown key 'agian' (did you mean 'again'?)",
        "2: 'run' gets the event first: function(event, customer)",
        "2: event has no field 'dta' (did you mean 'data'?)",
      ])
  }

  @Test func `a lost quote hides nothing on the lines below`() {
    let body = "send('crm', 'x, {\n a = event.data.x })\nsned('crm', 'x')\nif event.id == 'x then\nlgo('y') end"
    let lines = Checking.findings(Checking.rule(body)).map(\.line)
    #expect(lines == [2, 4, 5, 6])
  }

  @Test func `the place is exact to the character, and a suggestion replaces what stands there`() throws {
    let finding = try #require(Checking.findings(Checking.rule("local a = 'ß' send('crmm', 'x')")).first)
    #expect(finding.line == 2 && finding.column == 21 && finding.endColumn == 25 && finding.suggestion == "crm")
    #expect(finding.code == .unknownDestination && finding.severity == .error)
    #expect(finding.json["column"] == 21 && finding.json["end_column"] == 25 && finding.json["severity"] == "error")
    #expect(finding.json["code"] == "unknown-destination" && finding.json["suggestion"] == "crm")
  }

  @Test func `all of a file and of all files comes out of one pass, in order`() {
    let sources = [
      RuleSource(path: "b.lua", text: Checking.rule("sned('crm', 'x')\nlog(evnt.id)\nwait(5)\nsend('crmm', 'x')")),
      RuleSource(path: "a.lua", text: Checking.rule("lgo('x')")),
    ]
    let report = RuleCheck.check(sources: sources, knownDestinations: ["crm"])
    let places = report.findings.map { "\($0.file):\($0.line)" }
    #expect(places.starts(with: ["rules/a.lua:2", "rules/b.lua:2", "rules/b.lua:3", "rules/b.lua:4", "rules/b.lua:5"]))
    #expect(Set(places).count == places.count, "nothing is said twice: \(Checking.lines(report.findings))")
    #expect(report.set.count == 0)
  }

  @Test func `a variable of the file that a function sets is named, as the loader does`() {
    let text = "local n = 0\nreturn rule { title = 'T', on = 'x', run = function()\nn = n + 1 end }"
    let report = RuleCheck.check(sources: [RuleSource(path: "a.lua", text: text)], knownDestinations: nil)
    #expect(report.findings.map(\.line) == [3] && report.findings.first?.code == .outerWrite)
  }

  @Test func `what only running the file can show comes from the loader`() {
    let text = "local x = nil\nlocal y = x.z\nreturn rule { title = y, on = 'x', run = function() end }"
    let report = RuleCheck.check(sources: [RuleSource(path: "a.lua", text: text)], knownDestinations: nil)
    #expect(report.findings.map(\.line) == [2], "\(Checking.lines(report.findings))")
  }

  @Test(arguments: [
    ("return rule { title = 'T', -- at_risc\non = enters('at_risc'),", 2, 14),
    ("return rule { title = 'Ü at_risc', on = leaves(\"at_risc\"),", 1, 49),
    ("return rule { title = 'T', on = every('09:00', { for_each = 'user',\n  segment = 'at_risc' }),", 2, 14),
  ])
  func `a segment that is not there is marked where its name stands`(header: String, line: Int, column: Int) throws {
    let sources = [
      RuleSource(path: "a.lua", text: header + " run = function() log('x') end }"),
      RuleSource(
        path: "segments/at_risk.lua", text: "return segment { title = 'S', when = function() return true end }"),
    ]
    let found = RuleCheck.check(sources: sources, knownDestinations: nil, zones: { ["UTC"] }).findings
    let only = try #require(found.first)
    #expect(found.count == 1 && only.suggestion == "at_risk" && only.message.hasPrefix("there is no segment 'at_risc'"))
    // What stands between the columns is what the suggestion replaces.
    #expect((only.line, only.column, only.endColumn) == (line, column, column + 7))
  }
}
