// What one window knows of one subject: a ring of at most sixty buckets by event time.
//
// Thread: values. Promise: adding an event costs no more the longer the window is; the order in which events are
// added makes no difference but for the last digit of sums of fractions, so that those of the log can be added
// after newer ones.

package import Basics
package import Model

/// What a window takes of an event.
package struct WindowSample: Sendable {
  package var time: Instant
  /// Tells events of the same millisecond apart, always in the same way.
  package var number: Int64
  /// What its field holds; nothing where the window looks at none, or the event has none.
  package var value: Value

  package enum Value: Sendable {
    case absent
    case number(MeasuredNumber)
    /// JSON text of a text or a boolean.
    case scalar([UInt8])
  }

  package init(time: Instant, number: Int64, value: Value = .absent) {
    self.time = time
    self.number = number
    self.value = value
  }
}

package struct WindowRing: Sendable {
  /// What came in one stretch of time.
  private struct Bucket {
    var index: Int64
    var count: Int64 = 0
    var number = MeasuredNumber.whole(0)
  }

  /// When a value was seen last.
  private struct Seen {
    var hash: UInt64
    var index: Int64
  }

  /// The event of a bucket, or of all of them, that is the first or the last.
  private struct Mark {
    var index: Int64
    var time: Instant
    var number: Int64
    var text: [UInt8]

    func isBefore(_ other: Mark) -> Bool { (time, number) < (other.time, other.number) }
  }

  private let definition: WindowDefinition
  /// Each kind of window uses one of these; the oldest first.
  private var buckets: [Bucket] = []
  private var seen: [Seen] = []
  private var marks: [Mark] = []

  package init(_ definition: WindowDefinition) { self.definition = definition }

  package var isEmpty: Bool { buckets.isEmpty && seen.isEmpty && marks.isEmpty }

  // MARK: adding

  /// `now` is when it is added: what does not count any more by then is forgotten. Whether anything is another
  /// than before and has to be written.
  package mutating func add(_ sample: WindowSample, now: Instant) -> Bool {
    let oldest = definition.oldest(at: now)
    let index = definition.bucket(sample.time)
    guard index >= oldest else { return false }
    switch definition.kind {
    case .count: change(index) { $0.count += 1 }
    case .sum, .avg, .min, .max:
      guard case .number(let number) = sample.value else { return false }
      gather(number, index)
    case .distinct: guard note(sample.value, index) else { return false }
    case .first, .last: guard mark(sample, index) else { return false }
    }
    forget(before: oldest)
    return true
  }

  private mutating func gather(_ number: MeasuredNumber, _ index: Int64) {
    let kind = definition.kind
    change(index) { bucket in
      let isFirst = bucket.count == 0
      bucket.count += 1
      switch kind {
      case .min: if isFirst || number < bucket.number { bucket.number = number }
      case .max: if isFirst || bucket.number < number { bucket.number = number }
      default: bucket.number = isFirst ? number : bucket.number + number
      }
    }
  }

  private mutating func change(_ index: Int64, _ body: (inout Bucket) -> Void) {
    var place = buckets.count
    while place > 0, buckets[place - 1].index >= index { place -= 1 }
    if place == buckets.count || buckets[place].index != index { buckets.insert(Bucket(index: index), at: place) }
    body(&buckets[place])
  }

  private mutating func note(_ value: WindowSample.Value, _ index: Int64) -> Bool {
    let hash: UInt64
    switch value {
    case .absent: return false
    case .number(let number): hash = WindowRing.hash(number)
    case .scalar(let text): hash = WindowRing.hash(text)
    }
    if let place = seen.firstIndex(where: { $0.hash == hash }) {
      if seen[place].index >= index { return false }
      seen[place].index = index
    } else {
      seen.append(Seen(hash: hash, index: index))
    }
    guard seen.count > Limits.windowDistinct else { return true }
    // More than can be told apart: the one that would be forgotten first goes.
    let oldest = seen.indices.min { (seen[$0].index, seen[$0].hash) < (seen[$1].index, seen[$1].hash) }
    if let oldest { seen.remove(at: oldest) }
    return true
  }

  private mutating func mark(_ sample: WindowSample, _ index: Int64) -> Bool {
    var text: [UInt8] = []
    if definition.field != nil {
      switch sample.value {
      case .absent: return false
      case .number(let number): text = WindowRing.text(number)
      case .scalar(let value): text = value
      }
      guard text.count <= Limits.windowValueBytes else { return false }
    }
    let mark = Mark(index: index, time: sample.time, number: sample.number, text: text)
    guard definition.kind == .first else {
      if let known = marks.first, mark.isBefore(known) { return false }
      marks = [mark]
      return true
    }
    var place = marks.count
    while place > 0, marks[place - 1].index >= index { place -= 1 }
    if place == marks.count || marks[place].index != index {
      marks.insert(mark, at: place)
    } else {
      guard mark.isBefore(marks[place]) else { return false }
      marks[place] = mark
    }
    return true
  }

  private mutating func forget(before oldest: Int64) {
    if let first = buckets.first, first.index < oldest { buckets.removeAll { $0.index < oldest } }
    if seen.contains(where: { $0.index < oldest }) { seen.removeAll { $0.index < oldest } }
    if let first = marks.first, first.index < oldest { marks.removeAll { $0.index < oldest } }
  }

  private static let hashes = KeyedHash(key0: 0x6E75_6467_6564_2E77, key1: 0x696E_646F_7773_2E76)

  private static func hash(_ text: [UInt8]) -> UInt64 { hashes.hash(text).low }

  /// 1 and 1.0 are the same value.
  private static func hash(_ number: MeasuredNumber) -> UInt64 { hash(text(number)) }

  private static func text(_ number: MeasuredNumber) -> [UInt8] {
    var writer = JSONWriter(capacity: 24)
    switch number {
    case .whole(let value): writer.integer(value)
    case .real(let value):
      if let whole = Int64(exactly: value) { writer.integer(whole) } else { writer.double(value) }
    }
    return writer.bytes
  }

  // MARK: asking

  package func value(at now: Instant) -> WindowValue {
    let oldest = definition.oldest(at: now)
    switch definition.kind {
    case .count: return .number(.whole(buckets.reduce(0) { $1.index < oldest ? $0 : $0 + $1.count }))
    case .distinct: return .number(.whole(Int64(seen.count { $0.index >= oldest })))
    case .first, .last: return marked(oldest)
    case .sum, .avg, .min, .max: return gathered(oldest)
    }
  }

  private func marked(_ oldest: Int64) -> WindowValue {
    guard let mark = marks.first(where: { $0.index >= oldest }) else { return .nothing }
    return definition.field == nil ? .number(.whole(mark.time.milliseconds)) : .json(mark.text)
  }

  private func gathered(_ oldest: Int64) -> WindowValue {
    var count: Int64 = 0
    var total: MeasuredNumber?
    for bucket in buckets where bucket.index >= oldest {
      count += bucket.count
      guard let known = total else {
        total = bucket.number
        continue
      }
      switch definition.kind {
      case .min: if bucket.number < known { total = bucket.number }
      case .max: if known < bucket.number { total = bucket.number }
      default: total = known + bucket.number
      }
    }
    guard let total else { return definition.kind == .sum ? .number(.whole(0)) : .nothing }
    return .number(definition.kind == .avg ? .real(total.double / Double(count)) : total)
  }

  /// When the answer may be another one although nothing came; nil: never.
  package func changesAt(after now: Instant) -> Instant? {
    let oldest = definition.oldest(at: now)
    let indices = [
      buckets.first { $0.index >= oldest }?.index, marks.first { $0.index >= oldest }?.index,
      seen.lazy.map(\.index).filter { $0 >= oldest }.min(),
    ]
    return indices.compactMap { $0 }.min().map { definition.end(of: $0) }
  }

  // MARK: packed

  package var packed: [UInt8] {
    if isEmpty { return [] }
    var writer = PackedWriter(capacity: 16 + 4 * buckets.count + 10 * seen.count + 24 * marks.count)
    writer.byte(1)
    var before: Int64 = 0
    switch definition.kind {
    case .count, .sum, .avg, .min, .max:
      for bucket in buckets {
        writer.signed(bucket.index - before)
        before = bucket.index
        writer.signed(bucket.count)
        if definition.kind != .count { WindowRing.pack(bucket.number, into: &writer) }
      }
    case .distinct:
      for one in seen {
        writer.fixed64(one.hash)
        writer.signed(one.index - before)
        before = one.index
      }
    case .first, .last:
      for mark in marks {
        writer.signed(mark.time.milliseconds - before)
        before = mark.time.milliseconds
        writer.signed(mark.number)
        if definition.field != nil { writer.counted(mark.text) }
      }
    }
    return writer.bytes
  }

  private static func pack(_ number: MeasuredNumber, into writer: inout PackedWriter) {
    switch number {
    case .whole(let value):
      writer.byte(0)
      writer.signed(value)
    case .real(let value):
      writer.byte(1)
      writer.fixed64(value.bitPattern)
    }
  }

  /// What cannot be read is as if nothing had come.
  package init(_ definition: WindowDefinition, packed: [UInt8]) {
    self.definition = definition
    if packed.isEmpty { return }
    let isWhole = PackedReader.read(packed) { reader in
      guard reader.byte() == 1 else { return false }
      var before: Int64 = 0
      while !reader.atEnd { readOne(&reader, &before) }
      return !reader.failed
    }
    guard !isWhole else { return }
    (buckets, seen, marks) = ([], [], [])
  }

  private mutating func readOne(_ reader: inout PackedReader, _ before: inout Int64) {
    switch definition.kind {
    case .count, .sum, .avg, .min, .max:
      before &+= reader.signed()
      var bucket = Bucket(index: before, count: reader.signed())
      if definition.kind != .count {
        bucket.number = reader.byte() == 0 ? .whole(reader.signed()) : .real(Double(bitPattern: reader.fixed64()))
      }
      buckets.append(bucket)
    case .distinct:
      let hash = reader.fixed64()
      before &+= reader.signed()
      seen.append(Seen(hash: hash, index: before))
    case .first, .last:
      before &+= reader.signed()
      let time = Instant(milliseconds: before)
      let number = reader.signed()
      let text = definition.field == nil ? [] : reader.counted()
      marks.append(Mark(index: definition.bucket(time), time: time, number: number, text: text))
    }
  }
}
