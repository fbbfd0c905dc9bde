// The model store is held to the contract like every engine.

import Basics
import Model
import Store
import StoreContract
import Testing

@Suite struct MemoryStoreTests {
  private var under: EngineUnderTest {
    let disk = MemoryStore.Disk()
    return EngineUnderTest { MemoryStore(disk) }
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
}
