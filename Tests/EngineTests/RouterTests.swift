// Who an external id is: made, linked, found again, on one lane and on two.
//
// Thread: the test's. Promise: ids of the outside and subjects of the inside, and nothing between.

import Basics
import Engine
import Model
import Store
import Testing

@Suite struct RouterTests {
  private func event(_ id: Int, _ who: String) -> String { "{\"id\": \(id), \"name\": \"tick\", \(who)}" }

  @Test(arguments: [1, 2]) func `a new id becomes one subject and stays it`(lanes: Int) throws {
    let workshop = try Workshop(lanes: lanes)
    let first = try workshop.take(event(1, "\"user\": \"a\""), event(2, "\"user\": \"b\""))
    let second = try workshop.take(event(3, "\"user\": \"a\""))
    #expect(Set(first.events.map(\.subject)).count == 2)
    #expect(second.events[0].subject == first.events.first { $0.number == 1 }?.subject)
    #expect(second.events[0].previous == 1)
    #expect(try workshop.row("user:a")?.names.map(\.description) == ["user:a"])
  }

  /// With few identities all are learned at the start, with many they are looked up.
  @Test(arguments: [3, 4_200]) func `ids are known after a restart, however many there are`(count: Int) throws {
    let disk = MemoryStore.Disk()
    let first = try Workshop(disk: disk)
    try first.run((1...count).map { .incoming(try first.incoming(event($0, "\"user\": \"u\($0)\""))) })
    let subjects = try [1, 2, count].map { try first.subject("user:u\($0)") }
    let second = try Workshop(disk: disk)
    let again = try second.take(
      event(count + 1, "\"user\": \"u1\""), event(count + 2, "\"user\": \"u\(count)\""),
      event(count + 3, "\"user\": \"other\""))
    #expect(again.events.map(\.previous) == [1, Int64(count), 0])
    #expect(try [1, 2, count].map { try second.subject("user:u\($0)") } == subjects)
    #expect(try second.subject("user:other") == Int64(count + 1))
  }

  @Test func `namespaces keep equal ids apart`() throws {
    let workshop = try Workshop()
    let all = ["\"user\": \"x\"", "\"anonymous\": \"x\"", "\"account\": \"x\"", "\"thing\": \"webinar:x\""]
    for (position, who) in all.enumerated() { try workshop.take(event(position, who)) }
    let subjects = try ["user:x", "anon:x", "account:x", "webinar:x"].map { try workshop.subject($0) }
    #expect(Set(subjects.compactMap { $0 }).count == 4)
  }

  @Test func `a new user takes over the visitor it was`() throws {
    let workshop = try Workshop()
    try workshop.take(event(1, "\"anonymous\": \"v\""))
    let visitor = try workshop.subject("anon:v")
    try workshop.take(event(2, "\"user\": \"a\", \"anonymous\": \"v\""))
    #expect(try workshop.subject("user:a") == visitor)
    #expect(try workshop.row("user:a")?.names.map(\.description) == ["user:a", "anon:v"], "rules see the user's id")
  }

  @Test func `a known user gets the unknown visitor`() throws {
    let workshop = try Workshop()
    try workshop.take(event(1, "\"user\": \"a\""), event(2, "\"user\": \"a\", \"anonymous\": \"v\""))
    #expect(try workshop.subject("anon:v") == workshop.subject("user:a"))
    #expect(try workshop.row("user:a")?.names.map(\.description) == ["user:a", "anon:v"])
  }

  @Test func `both new are one`() throws {
    let workshop = try Workshop()
    let happened = try workshop.take(event(1, "\"user\": \"a\", \"anonymous\": \"v\""))
    #expect(try workshop.subject("anon:v") == workshop.subject("user:a"))
    #expect(try workshop.row("anon:v")?.names.map(\.description) == ["user:a", "anon:v"])
    #expect(happened.events.count == 1)
  }

  @Test func `two known and different ones stay apart`() throws {
    let workshop = try Workshop()
    try workshop.take(event(1, "\"user\": \"a\""), event(2, "\"anonymous\": \"v\""))
    try workshop.take(event(3, "\"user\": \"a\", \"anonymous\": \"v\""))
    #expect(try workshop.subject("anon:v") != workshop.subject("user:a"))
    #expect(try workshop.row("user:a")?.names.count == 1)
  }

  @Test func `accounts and things exist from the first event that names them`() throws {
    let workshop = try Workshop(lanes: 2)
    try workshop.take(event(1, "\"user\": \"a\", \"account\": \"acme\", \"thing\": \"webinar:w\""))
    #expect(try workshop.row("account:acme")?.names.map(\.description) == ["account:acme"])
    #expect(try workshop.row("webinar:w")?.names.map(\.description) == ["webinar:w"])
    #expect(try workshop.row("user:a")?.account == "acme")
  }

  @Test func `a restart finds the same subjects and gives no number out twice`() throws {
    let disk = MemoryStore.Disk()
    let before = try Workshop(lanes: 2, disk: disk)
    for position in 1...20 {
      try before.take(event(position, "\"user\": \"u\(position)\", \"account\": \"c\(position)\""))
    }
    let subjects = try (1...20).map { try before.subject("user:u\($0)") }
    let after = try Workshop(lanes: 2, disk: disk)
    #expect(try (1...20).map { try after.subject("user:u\($0)") } == subjects)
    let accounts = try (1...20).compactMap { try after.subject("account:c\($0)") }
    let new = try after.take(event(99, "\"user\": \"new\"")).events[0]
    #expect(!subjects.contains(new.subject) && !accounts.contains(new.subject))
    #expect(new.number == 21)
  }

  @Test func `a subject keeps its shard, and shards spread`() throws {
    let shards = (1...4_096).map { Shards.shard(of: Int64($0)) }
    #expect(shards.allSatisfy { (0..<Limits.shards).contains($0) })
    #expect(Set(shards).count > 900)
    let workshop = try Workshop()
    try workshop.take(event(1, "\"user\": \"a\""))
    let subject = try #require(try workshop.subject("user:a"))
    #expect(try workshop.row("user:a")?.shard == Shards.shard(of: subject))
  }

  @Test(arguments: [1, 2]) func `a repeat is no event, and is answered`(lanes: Int) throws {
    let workshop = try Workshop(lanes: lanes)
    let text = event(1, "\"user\": \"a\"")
    let happened = try workshop.take(text, text)
    #expect(happened.events.count == 1)
    #expect(happened.answered == 2)
    #expect(workshop.desk.repeats == 1)
    #expect(try workshop.take(event(1, "\"user\": \"b\"")).events.isEmpty, "its id makes an event, not its subject")
    #expect(try workshop.take(text, source: "shop").events.count == 1, "ids belong to their source")
    let again = try Workshop(lanes: lanes, disk: workshop.disk)
    #expect(try again.take(text).events.isEmpty)
  }
}
