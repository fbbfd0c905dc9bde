// 90 days of dunning for many customers: prints what became of their invoices, and ends with an error when a limit was
// exceeded, a paid invoice charged, a try made twice, or an invoice left without an outcome.
//
// Thread: main. Promise: the same number of customers gives the same lines in every process.

import Basics
import Glibc
import Samples

enum DunningBench {
  static func run(customers: Int) throws {
    let quarter = try DunningQuarter(customers: customers, seed: 1)
    try quarter.run()
    print("\(customers) customers, \(quarter.invoices) failed invoices, \(quarter.watch.charges) charges")
    for (name, count) in quarter.counts.sorted(by: { $0.key < $1.key }) { print("  \(name): \(count)") }
    let share = Double(quarter.recoveredAmount) / Double(max(1, quarter.failedAmount)) * 100
    print("recovered \((share * 10).rounded() / 10) % of the amount that had failed")
    for (network, count) in quarter.watch.mostInMonth.sorted(by: { $0.key < $1.key }) {
      print("most tries of a card and amount in 30 days, \(network.isEmpty ? "unknown network" : network): \(count)")
    }
    print("hash \(quarter.sum.hex)")
    for fault in quarter.faults.prefix(20) { print("FAULT \(fault)") }
    if !quarter.faults.isEmpty {
      print("\(quarter.faults.count) faults")
      exit(1)
    }
  }
}
