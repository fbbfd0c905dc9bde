// 100,000 customers through a journey of 30 days and ten waits, in virtual time: prints how long it took
// and a hash over all that was decided, which has to be the same in every process.
//
// Thread: main. Promise: no chance and no clock but the one around it all.

import Basics
import Engine
import Glibc
import Model
import Rehearsal
import Rules
import Store

/// Ten waits of three kinds, five webhooks, one wait that an event ends early for one customer in ten.
let journey = """
  return rule {
    title = "Thirty days", on = "signup", stop_on = { "left" },
    run = function(event, customer)
      for step = 1, 9 do
        if step % 3 == 0 then wait_for("visited", { within = "3 days" }) else wait("3 days") end
        if step % 2 == 1 then send("crm", "step", { customer = customer.id, step = step }) end
      end
      wait_until { days = 3, at = "09:00" }
      finish("done")
    end,
  }
  """

/// Chains the hashes of everything that is decided.
final class Tally {
  private let hash = KeyedHash(key0: 1, key1: 2)
  private(set) var sum = Hash128(high: 0, low: 0)
  private(set) var steps = 0
  private(set) var sent = 0
  private(set) var ended = 0

  func add(_ decisions: Decisions) {
    var writer = PackedWriter(capacity: 4_096)
    writer.fixed64(sum.high)
    writer.fixed64(sum.low)
    for row in decisions.deliveries {
      writer.counted(row.delivery.id)
      writer.counted(row.delivery.body)
    }
    for row in decisions.endedRuns { writer.counted(row.packed) }
    for row in decisions.verdicts { writer.counted(row.packed) }
    writer.counted(Redo.pack([decisions.changes]))
    sum = hash.hash(writer.bytes)
    steps += 1
    sent += decisions.deliveries.count
    ended += decisions.endedRuns.count
  }
}

func event(_ name: String, _ subject: Int) -> [UInt8] {
  Array(#"{"id":"\#(name)-\#(subject)","name":"\#(name)","user":"\#(subject &* 2_654_435_761 % 4_294_967_291)"}"#.utf8)
}

func play(_ subjects: Int) throws -> Tally {
  let set = RuleSet.load(sources: [RuleSource(path: "thirty.lua", text: journey)], knownDestinations: ["crm"])
  if let complaint = set.complaints.first { throw complaint }
  let room = try Rehearsal(
    rules: set.set, destinations: [Destination(name: "crm", url: "http://127.0.0.1:9/", signing: .none)],
    keepsTimeline: false, dedupeBits: 19)
  let tally = Tally()
  room.watch = { tally.add($0) }
  let perMinute = max(1, subjects / 1_440)
  var position = 0
  // They sign up over the first day.
  while position < subjects {
    let end = min(subjects, position + perMinute)
    try room.submit(all: try (position..<end).map { try room.event(event("signup", $0), source: "bench", id: "") })
    position = end
    try room.advance(to: room.now + 60_000)
  }
  try room.advance(to: Rehearsal.start + 8 * 86_400_000)
  for subject in stride(from: 0, to: subjects, by: 10) {
    try room.submit(try room.event(event("visited", subject), source: "bench", id: ""))
  }
  try room.advance(to: Rehearsal.start + 40 * 86_400_000)
  return tally
}

if CommandLine.arguments.contains("--replay") {
  try ReplayBench.run()
  exit(0)
}
if CommandLine.arguments.contains("--dates") {
  try DatesBench.run()
  exit(0)
}
if let place = CommandLine.arguments.firstIndex(of: "--dunning") {
  try DunningBench.run(customers: CommandLine.arguments.dropFirst(place + 1).first.flatMap { Int($0) } ?? 10_000)
  exit(0)
}
let subjects = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 100_000
let began = Clocks.system.steadyNanoseconds()
let tally = try play(subjects)
let seconds = Double(Clocks.system.steadyNanoseconds() - began) / 1e9
print("\(subjects) subjects, \(tally.ended) journeys ended, \(tally.sent) webhooks, \(tally.steps) steps")
print("hash \(tally.sum.hex)")
// Apart from the rest, which has to be the same every time.
let line = Array("\((seconds * 100).rounded() / 100) s\n".utf8)
_ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
