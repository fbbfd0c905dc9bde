// The logs of the SQLite file in which what may go stands between what may not: read a page at a time, and
// deleted row by row.
//
// Thread: the store thread. Promise: a page is read in the order of the key that the table stands in, so that it
// costs what its rows cost, wherever it is.

internal import Basics
internal import CSQLite
internal import Model
package import Store

extension SQLiteStore {
  package func page(of log: WalkedLog, after place: LogPlace, limit: Int) throws(StoreError) -> LogPage {
    let statement = try connection.statement(log.reading)
    statement.bind(1, place.number)
    statement.bind(2, place.attempt)
    statement.bind(3, limit)
    var page = LogPage()
    while try statement.next() {
      let place = LogPlace(statement.integer(0), attempt: statement.integer(1))
      page.rows.append(LogPage.Row(place, Instant(milliseconds: statement.integer(2))))
    }
    guard let last = page.rows.last?.place.number else { return page }
    let reader = SQLiteReader(connection)
    page.lastBegan =
      log == .endedRun ? try reader.endedRun(last)?.started : try reader.delivery(last)?.delivery.created
    return page
  }

  package func delete(_ log: WalkedLog, _ places: [LogPlace]) throws(StoreError) -> Int {
    if places.isEmpty { return 0 }
    let statement = try connection.statement(log.deleting)
    return try together { () throws(StoreError) in
      var gone = 0
      for place in places {
        statement.bind(1, place.number)
        if log == .attempt { statement.bind(2, place.attempt) }
        try statement.finish()
        gone += Int(sqlite3_changes(connection.handle))
      }
      return gone
    }
  }
}

extension WalkedLog {
  fileprivate var reading: String {
    switch self {
    case .delivery: "SELECT delivery, 0, created FROM delivery WHERE delivery > ?1 ORDER BY delivery LIMIT ?3"
    case .attempt:
      """
      SELECT delivery, attempt, started FROM attempt WHERE (delivery, attempt) > (?1, ?2)
      ORDER BY delivery, attempt LIMIT ?3
      """
    case .endedRun: "SELECT run, 0, ended FROM ended_run WHERE run > ?1 ORDER BY run LIMIT ?3"
    }
  }

  /// The newest delivery and the newest run stay, because numbers go on from them.
  fileprivate var deleting: String {
    switch self {
    case .delivery: "DELETE FROM delivery WHERE delivery = ?1 AND delivery < (SELECT max(delivery) FROM delivery)"
    case .attempt: "DELETE FROM attempt WHERE delivery = ?1 AND attempt = ?2"
    case .endedRun: "DELETE FROM ended_run WHERE run = ?1 AND run < (SELECT max(run) FROM ended_run)"
    }
  }
}
