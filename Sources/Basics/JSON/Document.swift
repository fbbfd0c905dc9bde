// JSON as it is read: an immutable, self-contained document, and a cursor into it. Parsing is
// simdjson's, behind CDocument; when a key stands twice in an object, the first one counts.
//
// Thread: a Document is immutable and may be read anywhere; a DocumentParser belongs to one thread.
// Promise: bounds on size and depth are kept, integers of 64 bits are exact, text is valid UTF-8.

package import CDocument

package struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Code: Sendable { case invalid, tooDeep, tooLarge, badText, numberRange, noMemory, empty }
  package var code: Code

  package init(code: Code) { self.code = code }

  package var description: String {
    switch code {
    case .invalid: "this is not valid JSON"
    case .tooDeep: "the JSON is nested too deeply"
    case .tooLarge: "the JSON text is too large"
    case .badText: "the JSON text is not valid UTF-8"
    case .numberRange: "a number does not fit 64 bits"
    case .noMemory: "no memory left to read the JSON"
    case .empty: "the JSON text is empty"
    }
  }
}

/// Reads texts one after the other, reusing its buffers.
package final class DocumentParser {
  private let parser: OpaquePointer

  package init(maximumBytes: Int, maximumDepth: Int = 64) {
    guard let parser = document_parser_create(maximumBytes, UInt32(maximumDepth)) else {
      preconditionFailure("no memory for a JSON parser of \(maximumBytes) bytes")
    }
    self.parser = parser
  }

  deinit { document_parser_free(parser) }

  package func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> Document {
    var status: Int32 = 0
    let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
    guard let block = document_parse(parser, start, bytes.count, &status) else {
      throw JSONError(code: DocumentParser.code(of: UInt32(status)))
    }
    return Document(owning: block)
  }

  package func parse(_ bytes: [UInt8]) throws(JSONError) -> Document {
    let result: Result<Document, JSONError> = bytes.withUnsafeBytes { raw in
      do throws(JSONError) { return .success(try parse(raw)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  package func parse(_ text: String) throws(JSONError) -> Document { try parse(Array(text.utf8)) }

  private static func code(of status: UInt32) -> JSONError.Code {
    switch status {
    case DOCUMENT_TOO_DEEP.rawValue: .tooDeep
    case DOCUMENT_TOO_LARGE.rawValue: .tooLarge
    case DOCUMENT_BAD_UTF8.rawValue: .badText
    case DOCUMENT_NUMBER_RANGE.rawValue: .numberRange
    case DOCUMENT_NO_MEMORY.rawValue: .noMemory
    case DOCUMENT_EMPTY.rawValue: .empty
    default: .invalid
    }
  }
}

/// One parsed text. Immutable from birth, which is why it may cross threads.
package final class Document: @unchecked Sendable {
  /// For CRuleHost, which reads the same block.
  package let block: UnsafePointer<document>

  package init(owning block: UnsafeMutablePointer<document>) { self.block = UnsafePointer(block) }

  deinit { document_free(UnsafeMutablePointer(mutating: block)) }

  package var root: JSONCursor { JSONCursor(document: self, index: 0) }

  /// A one-off parse, for configuration and tests; hot paths keep a DocumentParser.
  package static func parse(_ text: String) throws(JSONError) -> Document {
    try DocumentParser(maximumBytes: max(text.utf8.count, 1)).parse(text)
  }
  package static func parse(_ bytes: [UInt8]) throws(JSONError) -> Document {
    try DocumentParser(maximumBytes: max(bytes.count, 1)).parse(bytes)
  }
}

/// One value inside a document.
package struct JSONCursor: Sendable {
  package let document: Document
  package let index: UInt32

  package init(document: Document, index: UInt32) {
    self.document = document
    self.index = index
  }

  package enum Kind: Sendable { case null, boolean, integer, double, string, array, object }

  @inline(__always)
  private var node: document_node { document_nodes(document.block)[Int(index)] }

  package var kind: Kind {
    switch node.kind {
    case DOCUMENT_FALSE.rawValue, DOCUMENT_TRUE.rawValue: .boolean
    case DOCUMENT_INTEGER.rawValue, DOCUMENT_UNSIGNED.rawValue: .integer
    case DOCUMENT_DOUBLE.rawValue: .double
    case DOCUMENT_STRING.rawValue: .string
    case DOCUMENT_ARRAY.rawValue: .array
    case DOCUMENT_OBJECT.rawValue: .object
    default: .null
    }
  }

  package var isNull: Bool { node.kind == DOCUMENT_NULL.rawValue }
  package var boolean: Bool? {
    switch node.kind {
    case DOCUMENT_TRUE.rawValue: true
    case DOCUMENT_FALSE.rawValue: false
    default: nil
    }
  }
  /// A whole number that fits Int64.
  package var integer: Int64? { node.kind == DOCUMENT_INTEGER.rawValue ? node.integer : nil }
  /// Any number, as a double.
  package var double: Double? {
    switch node.kind {
    case DOCUMENT_DOUBLE.rawValue: node.number
    case DOCUMENT_INTEGER.rawValue: Double(node.integer)
    case DOCUMENT_UNSIGNED.rawValue: Double(UInt64(bitPattern: node.integer))
    default: nil
    }
  }
  package var string: String? {
    withText { String(decoding: $0, as: UTF8.self) }
  }

  /// A time: ISO 8601 text with a zone, or whole milliseconds since 1970.
  package var instant: Instant? {
    integer.map(Instant.init(milliseconds:)) ?? withText { ISO8601.parse($0) } ?? nil
  }

  /// The bytes of a string, without a copy; nil when it is none.
  @inline(__always)
  package func withText<T>(_ body: (UnsafeBufferPointer<UInt8>) -> T) -> T? {
    let node = node
    guard node.kind == DOCUMENT_STRING.rawValue else { return nil }
    let start = document_text(document.block)! + Int(node.offset)
    return start.withMemoryRebound(to: UInt8.self, capacity: Int(node.count)) {
      body(UnsafeBufferPointer(start: $0, count: Int(node.count)))
    }
  }

  /// Elements of an array, members of an object, bytes of a string.
  package var count: Int { Int(node.count) }

  package subscript(key: StaticString) -> JSONCursor? {
    let found = key.withUTF8Buffer {
      document_member(
        document.block, index, UnsafeRawPointer($0.baseAddress!).assumingMemoryBound(to: CChar.self), $0.count)
    }
    return found == UInt32.max ? nil : JSONCursor(document: document, index: found)
  }

  package subscript(name key: String) -> JSONCursor? {
    var key = key
    let found = key.withUTF8 { text -> UInt32 in
      guard let start = text.baseAddress else { return document_member(document.block, index, "", 0) }
      return document_member(
        document.block, index, UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self), text.count)
    }
    return found == UInt32.max ? nil : JSONCursor(document: document, index: found)
  }

  package subscript(position: Int) -> JSONCursor? {
    guard position >= 0, position < Int(UInt32.max) else { return nil }
    let found = document_element(document.block, index, UInt32(position))
    return found == UInt32.max ? nil : JSONCursor(document: document, index: found)
  }

  /// The same text as `string`, made only once for as long as the table remembers it.
  package func string(from table: TextTable?) -> String? {
    guard let table else { return string }
    return withText { table.text($0) }
  }

  /// Several members at once, in one pass over the object.
  package func fields(_ names: FieldNames) -> Fields {
    var fields = Fields(document: document)
    withUnsafeMutableBytes(of: &fields.found) {
      document_fields(
        document.block, index, names.names, UInt32(names.count), $0.baseAddress!.assumingMemoryBound(to: UInt32.self))
    }
    return fields
  }

  /// The node after this one and everything in it: the next element, when this is one of an array.
  package var following: JSONCursor { JSONCursor(document: document, index: document_after(document.block, index)) }
  /// The first element of an array that is not empty.
  package var firstElement: JSONCursor { JSONCursor(document: document, index: index + 1) }

  /// The elements of an array, in order; empty for anything else.
  package var elements: [JSONCursor] {
    guard kind == .array else { return [] }
    var out: [JSONCursor] = []
    out.reserveCapacity(count)
    var next = index + 1
    for _ in 0..<count {
      out.append(JSONCursor(document: document, index: next))
      next = document_after(document.block, next)
    }
    return out
  }

  /// The members of an object, in the order of the text, doubles included; empty for anything else.
  package var members: [(key: String, value: JSONCursor)] {
    guard kind == .object else { return [] }
    var out: [(key: String, value: JSONCursor)] = []
    out.reserveCapacity(count)
    var next = index + 1
    for _ in 0..<count {
      let key = JSONCursor(document: document, index: next)
      let value = JSONCursor(document: document, index: next + 1)
      out.append((key.string ?? "", value))
      next = document_after(document.block, next + 1)
    }
    return out
  }

  /// The value at a dotted path such as "data.invoice.id"; nil when a step is missing.
  package func at(path: String) -> JSONCursor? {
    var cursor = self
    for step in path.split(separator: ".", omittingEmptySubsequences: false) {
      guard let next = cursor[name: String(step)] else { return nil }
      cursor = next
    }
    return cursor
  }

  /// The value as compact JSON text.
  package var text: [UInt8] {
    var buffer = document_buffer()
    document_write_node(&buffer, document.block, index)
    defer { document_buffer_free(&buffer) }
    guard let bytes = buffer.bytes else { return [] }
    return Array(UnsafeRawBufferPointer(start: bytes, count: buffer.count))
  }

  package var value: JSONValue {
    let node = node
    switch node.kind {
    case DOCUMENT_FALSE.rawValue: return .boolean(false)
    case DOCUMENT_TRUE.rawValue: return .boolean(true)
    case DOCUMENT_INTEGER.rawValue: return .integer(node.integer)
    case DOCUMENT_UNSIGNED.rawValue: return .unsigned(UInt64(bitPattern: node.integer))
    case DOCUMENT_DOUBLE.rawValue: return .double(node.number)
    case DOCUMENT_STRING.rawValue: return .string(string ?? "")
    case DOCUMENT_ARRAY.rawValue: return .array(elements.map(\.value))
    case DOCUMENT_OBJECT.rawValue: return .object(members.map { JSONValue.Member($0.key, $0.value.value) })
    default: return .null
    }
  }
}

/// Names of members to look for together.
package struct FieldNames: @unchecked Sendable {
  fileprivate let names: UnsafeMutablePointer<document_name>
  fileprivate let count: Int

  /// Made once for the life of the process; at most as many as `Fields` has room for.
  package init(_ list: [StaticString]) {
    precondition(list.count <= Fields.capacity)
    count = list.count
    names = .allocate(capacity: list.count)
    for (position, name) in list.enumerated() {
      let bytes = UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
      names[position] = document_name(bytes: bytes, count: name.utf8CodeUnitCount)
    }
  }
}

/// What was found of them.
package struct Fields {
  static let capacity = 24
  private let document: Document
  fileprivate var found:
    (
      UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32,
      UInt32, UInt32,
      UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32
    ) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

  fileprivate init(document: Document) { self.document = document }

  private func index(_ position: Int) -> UInt32 {
    withUnsafeBytes(of: found) { $0.loadUnaligned(fromByteOffset: position * 4, as: UInt32.self) }
  }

  package subscript(position: Int) -> JSONCursor? {
    let index = index(position)
    return index == UInt32.max ? nil : JSONCursor(document: document, index: index)
  }

  package func has(_ position: Int) -> Bool { index(position) != UInt32.max }
}

/// Where the elements of an array stand in the text it was parsed from.
package enum JSONText {
  /// Nil when there are not exactly `count` of them.
  package static func elements(of text: UnsafeRawBufferPointer, count: Int) -> [Range<Int>]? {
    guard count > 0, let start = text.baseAddress else { return count == 0 ? [] : nil }
    return withUnsafeTemporaryAllocation(of: document_span.self, capacity: count) { spans in
      let bytes = start.assumingMemoryBound(to: CChar.self)
      guard document_split(bytes, text.count, spans.baseAddress, count) == count else { return nil }
      return spans.map { $0.offset..<$0.offset + $0.count }
    }
  }
}
