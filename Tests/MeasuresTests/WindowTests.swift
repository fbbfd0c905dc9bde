// Windows alone: what they answer against a plain count over all events, at every age and in every order.
//
// Thread: the test's.

import Basics
import Measures
import Model
import Testing

@Suite struct WindowTests {
  static let minute: Int64 = 60_000
  static let hour: Int64 = 3_600_000
  static let day: Int64 = 86_400_000
  let start = Instant(milliseconds: 1_760_000_000_000)

  private func sample(_ time: Instant, _ number: Int64, _ value: Int64? = nil) -> WindowSample {
    WindowSample(time: time, number: number, value: value.map { .number(.whole($0)) } ?? .absent)
  }

  private func added(_ sample: WindowSample, _ ring: inout WindowRing, now: Instant) -> Bool {
    ring.add(sample, now: now)
  }

  @Test func `a window counts what came within it and forgets what is older`() {
    let definition = WindowDefinition(.count, event: "login", windowMilliseconds: WindowTests.hour)
    var ring = WindowRing(definition)
    for minutes in 0..<90 {
      #expect(
        added(
          sample(start + Int64(minutes) * WindowTests.minute, 1), &ring,
          now: start + Int64(minutes) * WindowTests.minute) == true)
    }
    #expect(ring.value(at: start + 89 * WindowTests.minute) == .number(.whole(60)))
    #expect(ring.value(at: start + 400 * WindowTests.minute) == .number(.whole(0)))
  }

  @Test func `a late event falls into the time it belongs to, and one that is too late into none`() {
    let definition = WindowDefinition(.count, event: "login", windowMilliseconds: WindowTests.hour)
    var ring = WindowRing(definition)
    #expect(added(sample(start + -30 * WindowTests.minute, 1), &ring, now: start) == true)
    #expect(added(sample(start + -90 * WindowTests.minute, 2), &ring, now: start) == false)
    #expect(ring.value(at: start) == .number(.whole(1)))
    #expect(ring.value(at: start + 35 * WindowTests.minute) == .number(.whole(0)))
  }

  @Test func `whole amounts are added exactly, and fractions where there are any`() {
    let definition = WindowDefinition(.sum, event: "paid", field: "amount", windowMilliseconds: WindowTests.day)
    var ring = WindowRing(definition)
    #expect(ring.value(at: start) == .number(.whole(0)))
    for amount: Int64 in [9_007_199_254_740_993, 1, -3] {
      #expect(added(sample(start, 1, amount), &ring, now: start) == true)
    }
    #expect(ring.value(at: start) == .number(.whole(9_007_199_254_740_991)))
    #expect(added(WindowSample(time: start, number: 2, value: .number(.real(0.5))), &ring, now: start) == true)
    guard case .number(.real) = ring.value(at: start) else { return #expect(Bool(false)) }
    #expect(
      added(WindowSample(time: start, number: 3, value: .scalar(Array("\"12\"".utf8))), &ring, now: start) == false)
  }

  @Test func `no event is nothing for min, max, avg, first and last`() {
    for kind in [WindowDefinition.Kind.min, .max, .avg, .first, .last] {
      let ring = WindowRing(WindowDefinition(kind, event: "e", field: "x", windowMilliseconds: WindowTests.day))
      #expect(ring.value(at: start) == .nothing)
      #expect(ring.changesAt(after: start) == nil)
    }
  }

  @Test func `more different values than can be told apart are answered with that number`() {
    let definition = WindowDefinition(.distinct, event: "view", field: "url", windowMilliseconds: WindowTests.day)
    var ring = WindowRing(definition)
    for value in 0..<1_500 { _ = ring.add(sample(start, Int64(value), Int64(value)), now: start) }
    #expect(ring.value(at: start) == .number(.whole(1_000)))
    #expect(added(sample(start, 1, 1_499), &ring, now: start) == false)
  }

  @Test func `1 and 1_0 are one value`() {
    let definition = WindowDefinition(.distinct, event: "view", field: "n", windowMilliseconds: WindowTests.day)
    var ring = WindowRing(definition)
    #expect(added(sample(start, 1, 1), &ring, now: start) == true)
    #expect(added(WindowSample(time: start, number: 2, value: .number(.real(1))), &ring, now: start) == false)
    #expect(ring.value(at: start) == .number(.whole(1)))
  }

  @Test func `damaged bytes are as if nothing had come`() {
    for kind in WindowDefinition.Kind.allCases {
      let definition = WindowDefinition(kind, event: "e", field: "x", windowMilliseconds: WindowTests.day)
      for packed in [[9], [1, 0x80], [1, 2, 3, 0xFF, 0xFF]] as [[UInt8]] {
        #expect(WindowRing(definition, packed: packed).value(at: start) == WindowRing(definition).value(at: start))
      }
    }
  }

  @Test func `definitions read back as they were written`() {
    let definitions = [
      WindowDefinition(.count, event: "login", windowMilliseconds: WindowTests.minute),
      WindowDefinition(
        .sum, event: "paid", field: "amount.total", windowMilliseconds: 7 * WindowTests.day,
        match: .init(path: "plan", value: Array("\"pro\"".utf8)), per: "account"),
    ]
    for definition in definitions {
      var writer = PackedWriter()
      definition.pack(into: &writer)
      #expect(PackedReader.read(writer.bytes) { WindowDefinition(&$0) } == definition)
      #expect(PackedReader.read(Array(writer.bytes.dropLast())) { WindowDefinition(&$0) } == nil)
    }
    #expect(definitions[1].sentence == #"sum("paid", "data.amount.total", "1 w", { match = { plan = "pro" } })"#)
  }

  /// What a window says, told by looking at all events once more.
  struct Plain {
    var time: Instant
    var number: Int64
    var value: Int64

    static func answer(_ definition: WindowDefinition, _ events: [Plain], at now: Instant) -> WindowValue {
      let width = definition.bucketMilliseconds
      let oldest = ((now.milliseconds - definition.windowMilliseconds) / width + 1) * width
      let counted = events.filter { $0.time.milliseconds >= oldest }.sorted {
        ($0.time, $0.number) < ($1.time, $1.number)
      }
      let values = counted.map(\.value)
      switch definition.kind {
      case .count: return .number(.whole(Int64(counted.count)))
      case .sum: return .number(.whole(values.reduce(0, +)))
      case .min: return values.min().map { .number(.whole($0)) } ?? .nothing
      case .max: return values.max().map { .number(.whole($0)) } ?? .nothing
      case .avg: return values.isEmpty ? .nothing : .number(.real(Double(values.reduce(0, +)) / Double(values.count)))
      case .distinct: return .number(.whole(Int64(Set(values).count)))
      case .first: return values.first.map { .json(Array(String($0).utf8)) } ?? .nothing
      case .last: return values.last.map { .json(Array(String($0).utf8)) } ?? .nothing
      }
    }
  }

  @Test(arguments: WindowDefinition.Kind.allCases)
  func `a window agrees with a plain count, whatever the order and however often it is packed`(
    kind: WindowDefinition.Kind
  ) {
    var random = SeededRandom(seed: UInt64(kind.rawValue))
    for window in [WindowTests.minute, 7 * WindowTests.minute + 13, WindowTests.day, 30 * WindowTests.day] {
      let definition = WindowDefinition(
        kind, event: "e", field: kind == .count ? nil : "x", windowMilliseconds: window)
      var ring = WindowRing(definition)
      var events: [Plain] = []
      var now = start
      for number in 0..<600 {
        now = now + Int64(random.next(below: UInt64(window / 40 + 1)))
        let late = random.chance(1, in: 4) ? Int64(random.next(below: UInt64(2 * window))) : 0
        let event = Plain(
          time: now + -late, number: Int64(number), value: Int64(random.next(below: 41)) - 20)
        // What is too late when it comes never counted.
        if definition.bucket(event.time) >= definition.oldest(at: now) { events.append(event) }
        _ = ring.add(sample(event.time, event.number, event.value), now: now)
        if number % 3 == 0 { ring = WindowRing(definition, packed: ring.packed) }
        #expect(ring.value(at: now) == Plain.answer(definition, events, at: now))
        if let change = ring.changesAt(after: now) {
          #expect(change > now)
          #expect(ring.value(at: change + -1) == Plain.answer(definition, events, at: change + -1))
          #expect(ring.value(at: now) == ring.value(at: change + -1))
        }
      }
    }
  }

  @Test(arguments: WindowDefinition.Kind.allCases)
  func `events of the log may be added after newer ones`(kind: WindowDefinition.Kind) {
    var random = SeededRandom(seed: 7)
    let definition = WindowDefinition(
      kind, event: "e", field: kind == .count ? nil : "x", windowMilliseconds: WindowTests.day)
    let events = (0..<200).map { number in
      Plain(
        time: start + -Int64(random.next(below: UInt64(WindowTests.day))), number: Int64(number),
        value: Int64(random.next(below: 10)))
    }
    var forwards = WindowRing(definition)
    for event in events { _ = forwards.add(sample(event.time, event.number, event.value), now: start) }
    var backwards = WindowRing(definition)
    for event in events.reversed() { _ = backwards.add(sample(event.time, event.number, event.value), now: start) }
    #expect(forwards.value(at: start) == backwards.value(at: start))
    #expect(forwards.value(at: start) == Plain.answer(definition, events, at: start))
  }
}
