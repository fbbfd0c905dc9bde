// JSON as it is written: a value built in Swift, and the writer that turns it into compact text.
// Members keep their order, so that the same value always gives the same bytes.
//
// Thread: values. Promise: what is written reads back equal; a double that is not finite is null.

internal import CDocument

package enum JSONValue: Sendable, Equatable {
  case null
  case boolean(Bool)
  case integer(Int64)
  case unsigned(UInt64)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  package struct Member: Sendable, Equatable {
    package var key: String
    package var value: JSONValue
    package init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  package var text: [UInt8] {
    var writer = JSONWriter()
    writer.write(self)
    return writer.bytes
  }

  /// For people: two spaces a level.
  package var pretty: String {
    var out = ""
    appendPretty(to: &out, indent: "")
    return out
  }

  private func appendPretty(to out: inout String, indent: String) {
    let deeper = indent + "  "
    switch self {
    case .array(let elements) where !elements.isEmpty:
      out += "[\n"
      for (position, element) in elements.enumerated() {
        out += deeper
        element.appendPretty(to: &out, indent: deeper)
        out += position + 1 < elements.count ? ",\n" : "\n"
      }
      out += indent + "]"
    case .object(let members) where !members.isEmpty:
      out += "{\n"
      for (position, member) in members.enumerated() {
        out += deeper + String(decoding: JSONValue.string(member.key).text, as: UTF8.self) + ": "
        member.value.appendPretty(to: &out, indent: deeper)
        out += position + 1 < members.count ? ",\n" : "\n"
      }
      out += indent + "}"
    default:
      out += String(decoding: text, as: UTF8.self)
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByFloatLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int64) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .boolean(value) }
  package init(floatLiteral value: Double) { self = .double(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
}

/// Writes compact JSON straight into bytes; for hot paths, where no JSONValue is built.
package struct JSONWriter: Sendable {
  package var bytes: [UInt8] = []
  /// Whether a comma is due before the next member or element of the open container.
  private var needsComma = false

  package init() {}
  package init(capacity: Int) { bytes.reserveCapacity(capacity) }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  package mutating func beginObject() {
    separate()
    bytes.append(UInt8(ascii: "{"))
    needsComma = false
  }
  package mutating func endObject() {
    bytes.append(UInt8(ascii: "}"))
    needsComma = true
  }
  package mutating func beginArray() {
    separate()
    bytes.append(UInt8(ascii: "["))
    needsComma = false
  }
  package mutating func endArray() {
    bytes.append(UInt8(ascii: "]"))
    needsComma = true
  }
  package mutating func key(_ name: String) {
    separate()
    quote(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  package mutating func string(_ value: String) {
    separate()
    quote(value)
  }
  package mutating func integer(_ value: Int64) {
    separate()
    JSONWriter.appendDecimal(value, to: &bytes)
  }
  package mutating func double(_ value: Double) {
    separate()
    guard value.isFinite else { return literal("null") }
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 40) { text in
      let count = document_format_double(value, text.baseAddress)
      for position in 0..<count { bytes.append(UInt8(bitPattern: text[position])) }
    }
  }
  package mutating func boolean(_ value: Bool) {
    separate()
    literal(value ? "true" : "false")
  }
  package mutating func null() {
    separate()
    literal("null")
  }
  /// Text that is JSON already, copied as it stands.
  package mutating func raw(_ json: some Sequence<UInt8>) {
    separate()
    bytes.append(contentsOf: json)
  }

  package mutating func member(_ name: String, _ value: String) {
    key(name)
    string(value)
  }
  package mutating func member(_ name: String, _ value: Int64) {
    key(name)
    integer(value)
  }

  package mutating func write(_ value: JSONValue) {
    switch value {
    case .null: null()
    case .boolean(let value): boolean(value)
    case .integer(let value): integer(value)
    case .unsigned(let value):
      separate()
      bytes.append(contentsOf: String(value).utf8)
    case .double(let value): double(value)
    case .string(let value): string(value)
    case .array(let elements):
      beginArray()
      for element in elements { write(element) }
      endArray()
    case .object(let members):
      beginObject()
      for member in members {
        key(member.key)
        write(member.value)
      }
      endObject()
    }
  }

  private mutating func literal(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  package static func appendDecimal(_ value: Int64, to bytes: inout [UInt8]) {
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    var rest = value.magnitude
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var start = 20
      repeat {
        start -= 1
        digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0
      bytes.append(contentsOf: digits[start..<20])
    }
  }

  private mutating func quote(_ value: String) {
    bytes.append(UInt8(ascii: "\""))
    var value = value
    value.withUTF8 { text in JSONWriter.appendEscaped(text, to: &bytes) }
    bytes.append(UInt8(ascii: "\""))
  }

  private static let hexDigits: StaticString = "0123456789abcdef"

  package static func appendEscaped(_ text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
    var start = 0
    for position in 0..<text.count {
      let byte = text[position]
      guard byte < 0x20 || byte == 0x22 || byte == 0x5C else { continue }
      bytes.append(contentsOf: text[start..<position])
      start = position + 1
      bytes.append(0x5C)
      switch byte {
      case 0x22, 0x5C: bytes.append(byte)
      case 0x0A: bytes.append(UInt8(ascii: "n"))
      case 0x0D: bytes.append(UInt8(ascii: "r"))
      case 0x09: bytes.append(UInt8(ascii: "t"))
      case 0x08: bytes.append(UInt8(ascii: "b"))
      case 0x0C: bytes.append(UInt8(ascii: "f"))
      default:
        bytes.append(contentsOf: [0x75, 0x30, 0x30])
        bytes.append(hexDigits.utf8Start[Int(byte >> 4)])
        bytes.append(hexDigits.utf8Start[Int(byte & 15)])
      }
    }
    bytes.append(contentsOf: text[start...])
  }
}
