// What a catalogue changes: names and fields that are known, and how sure a complaint is.
//
// Thread: the test's own. Promise: without a catalogue of its own a team is never stopped by an unknown name.

import Basics
import RuleCheck
import Rules
import Testing

@Suite struct CatalogueTests {
  private static let shop = """
    return catalog {
      events = {
        order_placed = { id = "text", total = "money", lines = { { sku = "text", n = "integer" } }, to = { city = "text" } },
        order_sent = { id = "text" }, login = "any", ["Order Completed"] = { gift = "boolean" },
      },
      traits = { plan = "text", seats = "integer" },
      templates = { ["order.thanks"] = { id = "text", total = "money" }, ["order.any"] = "any" },
    }
    """

  private static func lines(_ body: String, header: String = "", on: String = "'order_placed'", _ text: String = shop)
    throws
    -> [String]
  {
    let world = Checking.world(try Checking.catalogue(text).0)
    return Checking.lines(Checking.findings(Checking.rule(body, header: header, on: on), world: world))
  }

  @Test func `the catalogue of a shop is in order`() throws {
    let (catalogue, complaints) = try Checking.catalogue(CatalogueTests.shop)
    #expect(complaints.isEmpty, "\(complaints)")
    #expect(catalogue.hasTeamsEvents && catalogue.events["invoice.paid"]?.isTeams == false)
    #expect(catalogue.events["Order Completed"]?.isTeams == true)
  }

  @Test(arguments: [
    ("log(event.data.totl)", "2: the event 'order_placed' has no field 'totl' (did you mean 'total'?)"),
    ("local d = event.data\nlog(d.totl)", "3: the event 'order_placed' has no field 'totl' (did you mean 'total'?)"),
    ("log(event.data.to.cty)", "2: 'to' of the event 'order_placed' has no field 'cty' (did you mean 'city'?)"),
    (
      "for _, line in ipairs(event.data.lines) do log(line.skuu) end",
      "2: 'lines' of the event 'order_placed' has no field 'skuu' (did you mean 'sku'?)"
    ),
    (
      "log(event.data.weight)",
      "2: the event 'order_placed' has no field 'weight'; it has id, lines, to, total. New ones belong into catalog.lua"
    ),
    (
      "local sent = wait_for('order_sent') if sent then\nlog(sent.data.total) end",
      "3: the event 'order_sent' has no field 'total'; it has id. New ones belong into catalog.lua"
    ),
    (
      "wait_for('order_sent', { match = function(e) return e.data.idd == event.data.id end })",
      "2: the event 'order_sent' has no field 'idd' (did you mean 'id'?)"
    ),
    ("wait_for('order_snet')", "2: there is no event 'order_snet' (did you mean 'order_sent'?)"),
    ("emit('order_snet')", "2: there is no event 'order_snet' (did you mean 'order_sent'?)"),
    ("log(customer.traits.pln)", "2: there is no trait 'pln' (did you mean 'plan'?)"),
    (
      "log(customer.plan)",
      "2: customer has no field 'plan'; it is a trait: customer.traits.plan (did you mean 'traits.plan'?)"
    ),
    (
      "log(event.total)", "2: event has no field 'total'; its own fields are in event.data (did you mean 'data.total'?)"
    ),
    ("set { seats = 'many' }", "2: the trait 'seats' is a number; here stands the text \"many\""),
    ("send('crm', 'order.thaks')", "2: there is no template 'order.thaks' (did you mean 'order.thanks'?)"),
    (
      "send('crm', 'order.thanks', { idd = 'x' })",
      "2: the template 'order.thanks' has no field 'idd' (did you mean 'id'?)"
    ),
    (
      "send('crm', 'order.thanks', { total = 49.9 })",
      "2: 'total' of the template 'order.thanks' is an amount in minor units, a whole number; it is 49.9"
    ),
    (
      "if event.data.total > 49.99 then log('x') end",
      "2: amounts are whole numbers in minor units, such as cents; write 4999 for 49.99 (did you mean '4999'?)"
    ),
    (
      "if event.data.id > 5 then log('x') end", "2: '>' compares two numbers or two texts; here are a text and a number"
    ),
    (
      "if event.name == 'order_sent' then log('x') end",
      "2: the name of this event is never 'order_sent'; it is 'order_placed'"
    ),
  ])
  func `a slip against the catalogue is named`(body: String, line: String) throws {
    #expect(try CatalogueTests.lines(body) == [line])
  }

  @Test func `paths and events of the header are held against it, too`() throws {
    #expect(
      try CatalogueTests.lines("", header: "key = 'data.idd',")
        == ["1: the event 'order_placed' has no field 'idd' (did you mean 'id'?)"])
    #expect(
      try CatalogueTests.lines("", header: "stop_on = 'order_snet',")
        == ["1: there is no event 'order_snet' (did you mean 'order_sent'?)"])
    #expect(
      try CatalogueTests.lines("", on: "'ordr_placed'") == [
        "1: there is no event 'ordr_placed' (did you mean 'order_placed'?)"
      ])
    #expect(
      try CatalogueTests.lines("", on: "'signup'") == [
        "1: there is no event 'signup'; new ones belong into catalog.lua"
      ])
  }

  @Test func `of several events each field may be used, and events without fields may have any`() throws {
    #expect(
      try CatalogueTests.lines("log(event.data.total .. event.data.id)", on: "{ 'order_placed', 'order_sent' }") == [])
    #expect(try CatalogueTests.lines("log(event.data.anything)", on: "{ 'order_placed', 'login' }") == [])
    #expect(
      try CatalogueTests.lines("if event.data.gift then log(event.data.coupon) end", on: "'Order Completed'") == [])
  }

  @Test func `without a catalogue an unknown name is quiet, and a slip against a known one is a warning`() throws {
    let quiet = Checking.findings(
      Checking.rule("log(event.data.whatever) emit('thing')", on: "{ 'signup', 'invoice_paid' }"))
    #expect(quiet.isEmpty, "\(Checking.lines(quiet))")
    let slips = Checking.findings(Checking.rule("log(event.data.currncy)", on: "'invoice.pait'"))
    #expect(slips.map(\.severity) == [.warning] && slips.first?.suggestion == "invoice.paid")
    let fields = Checking.findings(Checking.rule("log(event.data.currncy)", on: "'invoice.paid'"))
    #expect(fields.map(\.severity) == [.warning] && fields.first?.suggestion == "currency")
  }

  @Test func `a rule with warnings is loaded, one with errors is not`() {
    let warned = Checking.rule("log('x') do return end log('y')", on: "'invoice.pait'")
    let report = RuleCheck.check(
      sources: [RuleSource(path: "a.lua", text: warned), RuleSource(path: "b.lua", text: Checking.rule("log(x)"))],
      knownDestinations: nil)
    #expect(report.errors.map(\.file) == ["rules/b.lua"] && report.findings.count > report.errors.count)
    #expect(report.set.rules.map(\.path) == ["a"])
  }

  @Test(arguments: [
    (
      "return catalog { evnts = {} }",
      "unknown key 'evnts' of the catalogue; it has events, traits, templates, destinations", "events"
    ),
    (
      "return catalog { events = { x = { a = 'string' } } }",
      "there is no type \"string\"; there are any, boolean, integer, list, money, number, text, time", "text"
    ),
    (
      "return catalog { events = { ['nudged.x'] = {} } }",
      "names that begin with 'nudged.' are reserved; this one is 'nudged.x'", nil
    ),
    (
      "return catalog { events = { x = 'text' } }",
      "the fields of an event are a table, such as { plan = \"text\" }, or \"any\"", nil
    ),
    ("return catalog { traits = 5 }", "'traits' must be a table of names and types, such as { plan = \"text\" }", nil),
    (
      "return catalog { templates = { a = { b = 5 } } }", "a type is a word such as \"text\", or a table of fields", nil
    ),
    ("return catalog 'x'", "rules/catalog.lua must return a table: return catalog { events = { … } }", nil),
    ("return 5", "this file must end with: return { … }", nil),
  ])
  func `a slip in the catalogue is named with its line`(text: String, message: String, suggestion: String?) {
    let report = RuleCheck.check(sources: [RuleSource(path: "catalog.lua", text: "\n" + text)], knownDestinations: nil)
    #expect(
      report.findings.map(\.message) == [message] && report.findings.first?.suggestion == suggestion,
      "\(report.findings)")
    #expect(report.findings.first?.file == "rules/catalog.lua")
  }

  @Test func `libraries are looked into, and their fields are known`() {
    let libraries = ["lib/plans.lua": "local m = {} function m.after(plan) return plan end m.all = {} return m"]
    let text = "local plans = use('lib/plans')\n" + Checking.rule("log(plans.aftr('x'))\nplans.all.x = 1 plans.all = 2")
    let lines = Checking.lines(Checking.findings(text, libraries: libraries))
    #expect(lines.contains("3: the library 'lib/plans' has no 'aftr' (did you mean 'after'?)"))
    #expect(lines.contains("4: a library is shared by all rules and cannot be changed"))
    let lost = Checking.findings(Checking.rule("log('x')", before: "local p = use('lib/plan')"), libraries: libraries)
    #expect(lost.first?.suggestion == "lib/plans" && lost.first?.code == .unknownLibrary)
  }
}
