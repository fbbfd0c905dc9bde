// A request as the handler sees it: a view into the loop's buffer, valid during the call only, which
// is why it cannot be copied or kept. Bytes first; text is made when asked for.
//
// Thread: intake, inside `handle`. Promise: what it shows passed the strict parser; names compare
// without case, values are without surrounding blanks.

/// Which door a request came through. Admin requests have passed the rights of the socket file.
package enum ListenerKind: UInt8, Sendable {
  case `public`, admin
}

/// Names one request for as long as its answer is due. A token outlives its connection harmlessly:
/// the loop recognises a late one.
package struct AnswerToken: Sendable, Hashable {
  let slot: UInt32
  let generation: UInt32
  let sequence: UInt32

  init(slot: UInt32, generation: UInt32, sequence: UInt32) {
    self.slot = slot
    self.generation = generation
    self.sequence = sequence
  }

  /// As two plain numbers, for those who carry it without knowing what it is.
  package var numbers: (UInt64, UInt32) { (UInt64(slot) << 32 | UInt64(generation), sequence) }

  package init(numbers: (UInt64, UInt32)) {
    self.init(
      slot: UInt32(truncatingIfNeeded: numbers.0 >> 32), generation: UInt32(truncatingIfNeeded: numbers.0),
      sequence: numbers.1)
  }
}

package struct Request: ~Copyable {
  let base: UnsafeRawPointer
  let head: RequestHead
  package let body: UnsafeRawBufferPointer
  package let peer: Peer
  package let listener: ListenerKind

  package var method: Method { head.method }
  package var isCurrentVersion: Bool { head.isCurrentVersion }

  /// As sent: escapes are not decoded. Without the query.
  package var path: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + head.pathStart, count: head.pathLength)
  }

  package var pathText: String { String(decoding: path, as: UTF8.self) }

  /// From behind the question mark, as sent; empty when there is none.
  package var query: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + head.queryStart, count: head.queryLength)
  }

  package func isPath(_ path: StaticString) -> Bool {
    head.pathLength == path.utf8CodeUnitCount && hasPathPrefix(path)
  }

  package func hasPathPrefix(_ prefix: StaticString) -> Bool {
    guard head.pathLength >= prefix.utf8CodeUnitCount else { return false }
    return Bytes.equal(base + head.pathStart, UnsafeRawPointer(prefix.utf8Start), prefix.utf8CodeUnitCount)
  }

  /// The path's segments, decoded: "/v1/subjects/user%3A7" gives v1, subjects, user:7. Nil where an
  /// escape hides bytes that are not UTF-8.
  package var pathSegments: [String]? {
    var segments: [String] = []
    for part in path.dropFirst().split(separator: 0x2F, omittingEmptySubsequences: false) {
      guard let text = PercentText.decode(part, plusIsSpace: false) else { return nil }
      segments.append(text)
    }
    return segments
  }

  /// The first value of a query parameter, decoded.
  package func queryValue(_ name: StaticString) -> String? {
    let wanted = name.description
    for pair in query.split(separator: 0x26) {
      let parts = pair.split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
      guard PercentText.decode(parts[0], plusIsSpace: true) == wanted else { continue }
      return parts.count == 1 ? "" : PercentText.decode(parts[1], plusIsSpace: true)
    }
    return nil
  }

  /// Every query parameter, decoded; nil where one is not UTF-8.
  package var queryPairs: [(name: String, value: String)]? {
    var pairs: [(name: String, value: String)] = []
    for pair in query.split(separator: 0x26) {
      let parts = pair.split(separator: 0x3D, maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = PercentText.decode(parts[0], plusIsSpace: true),
        let value = parts.count == 1 ? "" : PercentText.decode(parts[1], plusIsSpace: true)
      else { return nil }
      pairs.append((name, value))
    }
    return pairs
  }

  /// The first header of that name, which is given in lower case.
  package func header(_ name: StaticString) -> UnsafeRawBufferPointer? {
    for field in head.fields where matches(base + Int(field.nameStart), Int(field.nameLength), name) {
      return UnsafeRawBufferPointer(start: base + Int(field.valueStart), count: Int(field.valueLength))
    }
    return nil
  }

  package func headerText(_ name: StaticString) -> String? {
    header(name).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The same for a name that is not known when this is compiled.
  package func headerText(named name: String) -> String? {
    for field in head.fields where Int(field.nameLength) == name.utf8.count {
      let found = UnsafeRawBufferPointer(start: base + Int(field.nameStart), count: Int(field.nameLength))
      guard String(decoding: found, as: UTF8.self).lowercased() == name else { continue }
      return String(
        decoding: UnsafeRawBufferPointer(start: base + Int(field.valueStart), count: Int(field.valueLength)),
        as: UTF8.self)
    }
    return nil
  }

  /// How often a header occurs, for those that must not be ambiguous.
  package func headerCount(_ name: StaticString) -> Int {
    var count = 0
    for field in head.fields where matches(base + Int(field.nameStart), Int(field.nameLength), name) { count += 1 }
    return count
  }

  package func header(_ name: StaticString, is value: StaticString) -> Bool {
    guard let found = header(name), let start = found.baseAddress else { return false }
    return matches(start, found.count, value)
  }
}
