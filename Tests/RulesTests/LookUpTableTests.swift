// Tables that come from spreadsheets.
//
// Thread: the test's. Promise: what is compared is what a rule reads from them.

import Basics
import Model
import Rules
import Testing

@Suite struct LookUpTableTests {
  private static func log(_ csv: String, _ body: String) throws -> String {
    let library = try LookUpTable.library(csv, file: "rules/data/plans.csv")
    let runtime = try Fixture.runtime(
      "log(\(body))", before: "local plans = use('data/plans')", libraries: ["data/plans.lua": library])
    let outcome = runtime.run(0, Fixture.input())
    guard case .log(text: let text)? = outcome.effects.first else { return outcome.reason }
    return text
  }

  private static let plans =
    "plan,price,share,open,zip,name\r\npro,4900,0.5,true,01067,\"Pro, \"\"big\"\"\"\r\nfree,0,,false,,Größe\r\n"

  @Test(arguments: [
    ("plans.pro.price + 1", "4901"), ("math.type(plans.pro.price)", "integer"), ("plans.pro.share * 2", "1.0"),
    ("plans.pro.open", "true"), ("plans.pro.zip", "01067"), ("plans.pro.name", "Pro, \"big\""),
    ("tostring(plans.free.share)", "nil"), ("plans.free.name", "Größe"), ("tostring(plans.none)", "nil"),
  ])
  func `cells are what they look like`(expression: String, value: String) throws {
    #expect(try LookUpTableTests.log(LookUpTableTests.plans, "tostring(\(expression))") == value)
  }

  @Test func `semicolons, a mark at the front and empty lines are as spreadsheets write them`() throws {
    let csv = "\u{FEFF}plan;price\n\nteam;12\n\n"
    #expect(try LookUpTableTests.log(csv, "tostring(plans.team.price)") == "12")
  }

  @Test(arguments: [
    ("", 1, "the table is empty"), ("plan,price\npro\n", 2, "the line has 1 columns, the first line names 2"),
    ("plan,price\npro,1\npro,2\n", 3, "'pro' stands in line 2 already"),
    ("plan,price\n,1\n", 2, "the first column is what a row is found by"),
    ("plan,plan\n", 1, "two columns are named 'plan'"), ("plan,,x\n", 1, "column 2 has no name"),
    ("plan,text\npro,\"a\nb\nc\n", 2, "a quote is opened here and never closed"),
    ("plan,text\npro,\"a\"b\n", 2, "something stands behind the closing quote"),
    ("k,v\n" + (0..<9_000).map { "\($0),1\n" }.joined(), 1, "leave out columns"),
    ("plan\tprice\npro\t5\n", 1, "separated by tabs"),
  ])
  func `what is no table is told with its line`(csv: String, line: Int, part: String) {
    do throws(RuleComplaint) {
      _ = try LookUpTable.library(csv, file: "rules/data/plans.csv")
      Issue.record("it was taken")
    } catch {
      #expect(error.line == line && error.message.contains(part) && error.file == "rules/data/plans.csv", "\(error)")
    }
  }

  @Test(arguments: [
    // Spreadsheets write them so; "FALSE" as a text would be true for an if.
    ("TRUE", "boolean"), ("FALSE", "boolean"), ("True", "string"), ("1e5", "string"), ("12.50", "float"),
    ("007", "string"), ("-3", "integer"), ("+3", "string"), ("1.", "string"), (".5", "string"), ("0x10", "string"),
    ("12345678901234567", "string"), ("-", "string"), ("1.2.3", "string"), ("0", "integer"), ("-0.5", "float"),
  ])
  func `what looks like a number to nobody stays a text`(cell: String, kind: String) throws {
    let body = "math.type(plans.x.v) or type(plans.x.v)"
    #expect(try LookUpTableTests.log("k,v\nx,\(cell)\n", body) == kind)
    #expect(try LookUpTableTests.log("k,v\nx,\(cell)", body) == kind)
  }

  @Test func `a table of 1,400 rows with texts and addresses is taken, whatever its words are`() throws {
    let rows = (0..<1_400).map { "key\($0),a@b.c.d:e[\n" }.joined()
    #expect(try LookUpTableTests.log("k,v\n" + rows, "plans.key1399.v") == "a@b.c.d:e[")
    for key in ["end", "1st", "_x", "é", "a-b", "nil"] {
      #expect(try LookUpTableTests.log("k,\(key)\n\(key),7\n", "tostring(plans['\(key)']['\(key)'])") == "7", "\(key)")
    }
  }

  @Test func `rows that a spreadsheet left empty are no rows`() throws {
    #expect(try LookUpTableTests.log("k,v,w\n,,\nx,1,2\n ,, \n,,\n", "tostring(plans.x.w)") == "2")
  }

  @Test func `a comma inside of quotes does not make a table of commas`() throws {
    #expect(try LookUpTableTests.log("k;\"a, b\"\nx;1\n", "tostring(plans.x['a, b'])") == "1")
  }

  @Test func `old ends of lines are ends of lines`() throws {
    #expect(try LookUpTableTests.log("k;v\rx;1,5\ry;2\r", "plans.x.v .. plans.y.v") == "1,52")
  }

  @Test func `a file that is no UTF-8 is told with the line, and nothing is guessed`() {
    do throws(RuleComplaint) {
      _ = try LookUpTable.library(Array("k,v\nx,1\n".utf8) + [0x47, 0x72, 0xF6, 0xDF, 0x65], file: "data/t.csv")
      Issue.record("it was taken")
    } catch {
      #expect(error.line == 3 && error.message.contains("UTF-8"), "\(error)")
    }
  }

  @Test func `whatever stands in a cell stays a text and runs as nothing`() throws {
    let csv = "plan,text\npro,\"\\\"\"] = os.exit() --\"\n"
    #expect(try LookUpTableTests.log(csv, "plans.pro.text") == "\\\"] = os.exit() --")
  }
}
