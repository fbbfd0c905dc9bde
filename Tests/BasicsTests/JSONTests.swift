// JSON, read and written: what is written reads back equal, and what is wrong is refused by its name.
//
// Thread: any. Promise: seeded; the same values every time.

import Basics
import Testing

/// Random values, biased towards the odd ones.
private struct ValueMaker {
  var random: SeededRandom

  mutating func value(depth: Int) -> JSONValue {
    switch random.next(below: depth > 0 ? 9 : 7) {
    case 0: .null
    case 1: .boolean(random.chance(1, in: 2))
    case 2: .integer(integer())
    case 3: .unsigned(UInt64(Int64.max) + 1 + random.next(below: 1 << 62))
    case 4: .double(double())
    case 5, 6: .string(string())
    case 7: .array((0..<random.next(below: 5)).map { _ in value(depth: depth - 1) })
    default: .object((0..<random.next(below: 5)).map { JSONValue.Member("\($0)" + string(), value(depth: depth - 1)) })
    }
  }

  private mutating func integer() -> Int64 {
    switch random.next(below: 4) {
    case 0: [Int64.min, .max, 0, -1][Int(random.next(below: 4))]
    case 1: Int64(random.next(below: 200)) - 100
    default: Int64(bitPattern: random.next())
    }
  }

  private mutating func double() -> Double {
    let value = Double(bitPattern: random.next())
    return value.isFinite ? value : 0.1
  }

  private mutating func string() -> String {
    let pieces = [
      "a", "\"", "\\", "\n", "\0", "\u{7f}", "é", "漢", "🙂", "\u{2028}", "/", "\u{1f}", "e\u{301}", "\u{10ffff}",
    ]
    return (0..<random.next(below: 8)).map { _ in pieces[Int(random.next(below: UInt64(pieces.count)))] }.joined()
  }
}

@Suite struct JSONTests {
  @Test func `Twenty thousand random values read back equal`() throws {
    var maker = ValueMaker(random: SeededRandom(seed: 7))
    let parser = DocumentParser(maximumBytes: 1 << 20)
    for _ in 0..<20_000 {
      let value = maker.value(depth: 4)
      let document = try parser.parse(value.text)
      #expect(document.root.value == value)
      #expect(document.root.text == value.text)
    }
  }

  @Test func `Pretty text says the same`() throws {
    var maker = ValueMaker(random: SeededRandom(seed: 8))
    for _ in 0..<500 {
      let value = maker.value(depth: 3)
      #expect(try Document.parse(value.pretty).root.value == value)
    }
  }

  @Test(arguments: [
    ("9223372036854775807", JSONValue.integer(.max)), ("-9223372036854775808", .integer(.min)),
    ("9223372036854775808", .unsigned(9_223_372_036_854_775_808)), ("18446744073709551615", .unsigned(.max)),
    ("-0", .integer(0)),
    ("9007199254740993", .integer(9_007_199_254_740_993)), ("1e2", .double(100)), ("0.1", .double(0.1)),
  ])
  func `Whole numbers of 64 bits are exact`(text: String, value: JSONValue) throws {
    #expect(try Document.parse(text).root.value == value)
  }

  @Test(arguments: ["18446744073709551616", "-9223372036854775809", "1e400"])
  func `Numbers that do not fit are refused`(text: String) {
    #expect(throws: JSONError(code: .numberRange)) { try Document.parse(text) }
  }

  @Test(arguments: [
    "{", "}", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "01", "1.", ".5", "+1", "nul", "[1 2]", "\"a", "\"\\x\"",
    "\"\u{1}\"",
    "{} {}", "// c\n1", "NaN", "Infinity", "[1]]", "\"\\ud800\"",
  ])
  func `What is no JSON is refused`(text: String) { #expect(throws: JSONError.self) { try Document.parse(text) } }

  @Test func `An empty text is called empty`() {
    #expect(throws: JSONError(code: .empty)) { try Document.parse("") }
    #expect(throws: JSONError.self) { try Document.parse("   ") }
  }

  @Test(
    arguments: [
      [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22],
      [0x22, 0xFF, 0x22],
      [0x22, 0xE2, 0x82, 0x22], [0x22, 0x80, 0x22],
    ] as [[UInt8]])
  func `Text that is not valid UTF-8 is refused`(bytes: [UInt8]) {
    #expect(throws: JSONError(code: .badText)) { try Document.parse(bytes) }
  }

  @Test func `Nesting is bounded`() throws {
    let parser = DocumentParser(maximumBytes: 10_000, maximumDepth: 64)
    func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
    #expect(try parser.parse(nested(64)).root.kind == .array)
    #expect(throws: JSONError(code: .tooDeep)) { try parser.parse(nested(65)) }
    #expect(throws: JSONError.self) { try parser.parse(String(repeating: "[", count: 9_999)) }
    #expect(try parser.parse("1").root.integer == 1)
  }

  @Test func `Size is bounded`() throws {
    let parser = DocumentParser(maximumBytes: 100)
    #expect(throws: JSONError(code: .tooLarge)) { try parser.parse("\"" + String(repeating: "x", count: 99) + "\"") }
    #expect(try parser.parse("\"" + String(repeating: "x", count: 98) + "\"").root.string?.count == 98)
  }

  @Test func `Of a key that stands twice the first counts`() throws {
    let root = try Document.parse(#"{"a":1,"b":2,"a":3,"\u0061":4}"#).root
    #expect(root["a"]?.integer == 1)
    #expect(root.members.map(\.key) == ["a", "b", "a", "a"])
  }

  @Test func `Paths and positions find what is there and nothing else`() throws {
    let root = try Document.parse(#"{"data":{"items":[10,{"id":"x"}],"":7},"n":null}"#).root
    #expect(root.at(path: "data.items")?.count == 2)
    #expect(root.at(path: "data.items")?[1]?["id"]?.string == "x")
    #expect(root.at(path: "data.")?.integer == 7)
    #expect(root.at(path: "n")?.isNull == true)
    #expect(root.at(path: "data.missing.id") == nil && root.at(path: "data.items")?[2] == nil)
    #expect(root["data"]?[0] == nil && root.at(path: "data.items")?["id"] == nil && root["n"]?["x"] == nil)
    #expect(root.at(path: "data.items")?.elements.map(\.kind) == [.integer, .object])
  }

  @Test func `A document outlives its parser and the next text`() throws {
    var parser: DocumentParser? = DocumentParser(maximumBytes: 1_000)
    let first = try #require(try parser?.parse(#"{"a":"first"}"#))
    _ = try parser?.parse(#"{"a":"second"}"#)
    parser = nil
    #expect(first.root["a"]?.string == "first")
  }

  @Test func `The writer puts commas where they belong and nothing into numbers that are none`() {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("a", 1)
    writer.key("b")
    writer.beginArray()
    writer.double(.nan)
    writer.double(-.infinity)
    writer.double(1)
    writer.raw("{}".utf8)
    writer.null()
    writer.endArray()
    writer.member("c\"", "d")
    writer.endObject()
    #expect(String(decoding: writer.bytes, as: UTF8.self) == #"{"a":1,"b":[null,null,1.0,{},null],"c\"":"d"}"#)
  }

  @Test func `Random bytes never crash the reader`() {
    var random = SeededRandom(seed: 9)
    let parser = DocumentParser(maximumBytes: 4_096)
    let alphabet = Array("{}[]\",:0123456789.eE+-truefalsn \\u\u{e9}".utf8) + [0, 0xFF, 0xC0]
    for _ in 0..<20_000 {
      let bytes = (0..<random.next(below: 60)).map { _ in alphabet[Int(random.next(below: UInt64(alphabet.count)))] }
      if let document = try? parser.parse(bytes) { _ = document.root.value }
    }
  }
}
