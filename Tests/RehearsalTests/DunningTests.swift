// Ninety days of dunning, judged from the outside. NUDGED_DUNNING_CUSTOMERS sets how many customers there are.
//
// Thread: the test's. Promise: no chance but the seed's.

import Glibc
import Rehearsal
import Samples
import Testing

@Suite struct DunningTests {
  @Test(arguments: [1, 2] as [UInt64])
  func `in 90 days no limit is exceeded, nothing is charged twice, and every invoice has an outcome`(seed: UInt64)
    throws
  {
    let customers = getenv("NUDGED_DUNNING_CUSTOMERS").flatMap { Int(String(cString: $0)) } ?? 60
    let quarter = try DunningQuarter(customers: customers, seed: seed)
    try quarter.run()
    #expect(quarter.faults.isEmpty, "\(quarter.faults.count), the first ones: \(quarter.faults.prefix(5))")
    #expect(quarter.invoices > customers && quarter.watch.charges > customers)
    for outcome in ["Payment Recovered", "Payment Lost"] {
      #expect(quarter.counts[outcome] ?? 0 > 0, "none ended as \(outcome)")
    }
    // A limit was met, or nothing is proven.
    #expect(quarter.watch.mostInMonth.contains { $0.value >= 15 }, "\(quarter.watch.mostInMonth)")
  }
}
