// The slips that people make, each with the sentence that names it at its true line.
//
// Thread: the test's own. Promise: the first complaint is the one that helps.

import Rules
import Testing

@Suite struct SlipTests {
  /// A whole file, and the complaint expected of it.
  static let slips: [(text: String, complaint: String)] = [
    (
      "return rule {\n title = 'T'\n on = 'x',\n run = function() end }",
      "rules/a.lua:2: a comma is missing at the end of this line"
    ),
    ("return rule { title = 'T' on = 'x', run = function() end }", "rules/a.lua:1: a comma is missing before 'on'"),
    (Fixture.rule("if event.id != 'x' then end"), "rules/a.lua:2: '!=' is not Lua; write '~='"),
    (Fixture.rule("if a && b then end"), "rules/a.lua:2: '&&' is not Lua; write 'and'"),
    (Fixture.rule("local x = 1\nx += 1"), "rules/a.lua:3: '+=' is not Lua; write 'x = x + …'"),
    (Fixture.rule("log(“hello”)"), "rules/a.lua:2: curly quotes (“) are not Lua; write \""),
    (Fixture.rule("if event.id = 'x' then end"), "rules/a.lua:2: '=' assigns; to compare write '=='"),
    (
      Fixture.rule("if true then\nelse if false then log('x') end"),
      "rules/a.lua:3: 'else if' opens a second if that needs its own 'end'; write 'elseif'"
    ),
    (
      "return rule { title = 'T', on = 'x', run = function()\nlog(event.id) end }",
      "rules/a.lua:2: there is no 'event' here; it is the first argument of run and when: run = function(event, customer)"
    ),
    (
      Fixture.rule("if event == None then end"),
      "rules/a.lua:2: there is no 'None' here; write nil, or null for an explicit null"
    ),
    (
      Fixture.rule("if true then"),
      "rules/a.lua:3: an 'end' is missing before this '}': a function, if or loop above is still open"
    ),
    (Fixture.rule("log('x)"), "rules/a.lua:2: a text is not closed on this line: its second quote is missing"),
    (Fixture.rule("", header: "\n\npriorty = 3,"), "rules/a.lua:3: unknown key 'priorty' (did you mean 'priority'?)"),
    (Fixture.rule("sned('crm', 'x')"), "rules/a.lua:2: there is no 'sned' (did you mean 'send'?)"),
    (Fixture.rule("if false then\nlgo('x') end"), "rules/a.lua:3: there is no 'lgo' (did you mean 'log'?)"),
    (
      Fixture.rule("if false then\nlog(event.dta.x) end"),
      "rules/a.lua:3: event has no field 'dta' (did you mean 'data'?)"
    ),
    (Fixture.rule("log(customer.email)"), "rules/a.lua:2: customer has no field 'email'; it has id, traits, account"),
    (
      Fixture.rule("total = 3"),
      "rules/a.lua:2: cannot set the global 'total'; write 'local total = …' or 'local function total(…)'"
    ),
    (Fixture.rule("print('x')"), "rules/a.lua:2: 'print' is not available in rules; use log(text)"),
    (Fixture.rule("variant('a')"), "rules/a.lua:2: variant(…) is not available in this version"),
    (Fixture.rule("local e = _ENV"), "rules/a.lua:2: _ENV is not available in rules"),
    (Fixture.rule("log(1 | 2)"), "rules/a.lua:2: bit operators (|) are not available in rules"),
    (
      Fixture.rule("", header: "was = 'old',"),
      "rules/a.lua:1: 'was' is not available in this version; remove it"
    ),
    (
      Fixture.rule("", header: "class = 'transactionl',"),
      "rules/a.lua:1: 'class' is \"transactionl\"; what no policy may hold back is \"transactional\" (did you mean 'transactional'?)"
    ),
    (
      Fixture.rule("", header: "class = 'transactional', hold_out = 5,"),
      "rules/a.lua:1: 'hold_out' has no effect with class = \"transactional\", which no policy holds back; remove one of them"
    ),
    (
      Fixture.rule("", header: "cap = { most = 2, pre = 'day' },"),
      "rules/a.lua:1: unknown key 'pre' in 'cap' (did you mean 'per'?)"
    ),
    (
      Fixture.rule("", header: "cap = { most = 0, per = 'day' },"),
      "rules/a.lua:1: 'most' of 'cap' must be a whole number from 1 to 1000"
    ),
    (
      Fixture.rule("", header: "hold_out = 80,"),
      "rules/a.lua:1: 'hold_out' must be a percentage from 0 to 50; it is 80"
    ),
    (
      Fixture.rule("", header: "topic = '*',"),
      "rules/a.lua:1: 'topic' must be a text of 1 to 64 bytes such as \"newsletter\"; it is \"*\""
    ),
    (
      "return rule { title = 'T', run = function() end,\non = every('monday') }",
      "rules/a.lua:2: every takes a schedule such as \"monday 09:00\", \"weekday 08:30\", \"day 18:00\", \"month 1 09:00\", \"month last 09:00\" or \"15 minutes\"; it is \"monday\""
    ),
    (
      Fixture.rule("", header: "again = '3 moons',"),
      "rules/a.lua:1: 'again' must be \"always\", \"never\" or a duration such as \"30 days\"; it is \"3 moons\""
    ),
    (
      Fixture.rule("", header: "mode = 'shadwo',"),
      "rules/a.lua:1: 'mode' must be \"live\", \"shadow\" or \"paused\"; it is \"shadwo\" (did you mean 'shadow'?)"
    ),
    (
      Fixture.rule("", header: "key = 'date.x',"),
      "rules/a.lua:1: the path 'date.x' of 'key' must begin with one of data, traits, context, user, account, thing, id, name (did you mean 'data'?)"
    ),
    (Fixture.rule("", header: "when = true,"), "rules/a.lua:1: 'when' must be a function; it is true"),
    (
      "return rule { title = 'T', on = 'x' }",
      "rules/a.lua:1: a rule needs 'run', such as run = function(event, customer) … end"
    ),
    ("return { title = 'T' }", "rules/a.lua:1: a rule's file must end with: return rule { … }"),
    ("local x = nil\nlocal y = x.z", "rules/a.lua:2: attempt to index a nil value (local 'x')"),
    ("log('x')", "rules/a.lua:1: log can only be used inside run"),
    (
      "local t = { mode = 1 }\nreturn rule { title = 'T', on = 'x', run = function() end,\nmode = 2 }",
      "rules/a.lua:3: 'mode' must be \"live\", \"shadow\" or \"paused\"; it is 2"
    ),
    (
      Fixture.rule("use(event.name)"),
      "rules/a.lua:2: use needs a constant name, such as use(\"lib/score\"), so that it is known what a rule is made of"
    ),
    (
      Fixture.rule("", before: "local s = use('lib/scor')"),
      "rules/a.lua:1: there is no library 'lib/scor'; its file would be lib/scor.lua"
    ),
    (
      Fixture.rule("", header: "\nstop_on = { paid = 'data.invoice' },"),
      "rules/a.lua:2: 'stop_on' has the path 'data.invoice', which is compared with the rule's key, and there is no 'key'; write key = \"data.invoice\", or name the event alone"
    ),
    (
      Fixture.rule("", header: "goal = { event = 'paid', key = 'data.invoice' },"),
      "rules/a.lua:1: 'goal' has the path 'data.invoice', which is compared with the rule's key, and there is no 'key'; write key = \"data.invoice\", or name the event alone"
    ),
    (
      Fixture.rule("", header: "stop_on = {},"),
      "rules/a.lua:1: 'stop_on' is empty; name at least one event, or leave it out"
    ),
    ("\u{1B}Lua", "rules/a.lua:1: this looks like compiled Lua; only source text is read"),
    ("return\n\u{0}", "rules/a.lua:2: the file holds a zero byte; save it as plain text"),
  ]

  @Test(arguments: slips)
  func `a common slip is named at its line`(text: String, complaint: String) {
    #expect(Fixture.complaints(text).first == complaint)
  }
}
