// The SQLite engine: the contract, the lock, migrations, a full disk.

import Basics
import Glibc
import Model
import SQLiteStore
import Store
import StoreContract
import Testing

/// A folder that goes with the test.
final class Scratch {
  let path: String

  init() {
    var template = Array("/tmp/nudged-test-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }

  deinit {
    empty()
    rmdir(path)
  }

  func empty() {
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.db.lock", "store.db.reserve"] {
      unlink(path + "/" + name)
    }
  }
}

@Suite struct SQLiteStoreTests {
  private let scratch = Scratch()
  private var path: String { scratch.path + "/store.db" }
  private var under: EngineUnderTest {
    let path = path
    return EngineUnderTest { try SQLiteStore(path: path) }
  }

  @Test func `a group comes back whole`() throws { try StoreContract.keepsWholeGroups(under) }

  @Test func `events that are set aside stay, and ended runs are found`() throws {
    try StoreContract.keepsEventsAndEndedRuns(under)
  }
  @Test func `a sweep replaces, removes and marks`() throws { try StoreContract.sweepsAndMarks(under) }
  @Test func `ranges come in order`() throws { try StoreContract.readsRangesInOrder(under) }
  @Test func `old rows go in chunks`() throws { try StoreContract.purgesInChunks(under) }
  @Test func `what may go stands between what may not`() throws { try StoreContract.walksThroughLogs(under) }
  @Test func `what is too old goes behind what is young`() throws { try StoreContract.purgesBehindWhatIsYoung(under) }
  @Test func `what is settled goes between what is open`() throws {
    try StoreContract.purgesBetweenOpenDeliveries(under)
  }
  @Test func `events of several lanes are found`() throws { try StoreContract.findsEventsOfSeveralLanes(under) }
  @Test func `verdicts of several steps are found`() throws { try StoreContract.joinsVerdicts(under) }
  @Test func `closed runs come page by page`() throws { try StoreContract.closesRuns(under) }
  @Test func `the hash key stays`() throws { try StoreContract.keepsItsHashKey(under) }
  @Test(arguments: [true, false])
  func `the loop recovers`(sweeping: Bool) throws { try StoreContract.loopRecovers(under, sweeping: sweeping) }

  @Test func `a second process is refused and told what to do`() throws {
    let first = try SQLiteStore(path: path)
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
    #expect(error?.code == .locked)
    #expect(error?.message.contains("stop it") == true)
    first.close()
    try SQLiteStore(path: path).close()
  }

  @Test func `a folder that is missing is named`() throws {
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: scratch.path + "/nowhere/store.db") }
    #expect(error?.message.contains("/nowhere/store.db") == true)
  }

  @Test func `a file that is no store is damage, not something to write into`() throws {
    let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
    let text = String(repeating: "this is not a database. ", count: 100)
    _ = write(descriptor, text, text.utf8.count)
    close(descriptor)
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
    #expect(error?.code == .damaged)
  }

  @Test func `the file is its owner's alone`() throws {
    let engine = try SQLiteStore(path: path)
    defer { engine.close() }
    for suffix in ["", "-wal", ".lock", ".reserve"] {
      var status = stat()
      #expect(stat(path + suffix, &status) == 0)
      #expect(status.st_mode & 0o077 == 0, "\(suffix) can be read by others")
    }
  }

  private func group(_ record: Int64, bytes: Int) -> Group {
    var group = Group(record: record, time: StoreContract.now)
    group.events = EventPacks([
      EventRow(
        number: record, subject: 1, previous: record - 1, received: StoreContract.now, source: "web", name: "n",
        cause: 0,
        depth: 0, body: [UInt8](repeating: UInt8(record % 251), count: bytes))
    ])
    return group
  }

  /// What is written page by page is gathered on its way to the disk; no reader may notice.
  @Test func `a reader sees a group as soon as it is committed, however large it is`() throws {
    let engine = try SQLiteStore(path: path)
    let reader = try engine.makeReader()
    for (position, bytes) in [10, 5_000, 130_000, 400_000, 126_976, 3_000_000, 1].enumerated() {
      let number = Int64(position + 1)
      try engine.commit(group(number, bytes: bytes))
      #expect(try reader.event(number)?.body == [UInt8](repeating: UInt8(number), count: bytes))
      try engine.tidy()
    }
    engine.close()
    let again = try SQLiteStore(path: path)
    defer { again.close() }
    #expect(try again.makeReader().events(before: .max, limit: 9).map(\.body.count).reversed().last == 1)
    #expect(try again.makeReader().event(6)?.body.count == 3_000_000)
  }

  private func size(_ suffix: String) -> Int {
    var status = stat()
    return stat(path + suffix, &status) == 0 ? Int(status.st_size) : 0
  }

  @Test func `the log is copied between commits and never within one`() throws {
    let engine = try SQLiteStore(path: path)
    defer { engine.close() }
    for record in Int64(1)...40 { try engine.commit(group(record, bytes: 200_000)) }
    #expect(size("-wal") > 8_000_000, "nothing was copied so far")
    #expect(size("") < 1_000_000)
    try engine.tidy()
    #expect(size("") > 8_000_000)
    let long = size("-wal")
    for record in Int64(41)...400 {
      try engine.commit(group(record, bytes: 20_000))
      try engine.tidy()
    }
    #expect(size("-wal") == long, "the log begins anew at its front")
    #expect(try engine.makeReader().event(400)?.body.count == 20_000)
  }

  @Test func `the reserve is there and can be freed once`() throws {
    let engine = try SQLiteStore(path: path)
    #expect(engine.freeReserve())
    #expect(!engine.freeReserve())
    engine.restoreReserve()
    #expect(engine.freeReserve())
    engine.close()
  }
}
