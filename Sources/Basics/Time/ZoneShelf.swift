// Time zones that were read, kept: a rule that names one must not open a file at every wait.
//
// Thread: its owner's. Promise: a zone is read once; a name that is none is remembered as such.

package final class ZoneShelf {
  private let folder: ZoneFolder
  private var known: [String: ZoneRules?] = ["UTC": ZoneRules.utc]

  package init(folder: ZoneFolder = ZoneFolder()) { self.folder = folder }

  /// Nil when there is no such zone.
  package func zone(_ name: String) -> ZoneRules? {
    if let found = known[name] { return found }
    // A customer's trait may hold anything; not everything ever seen is kept.
    if known.count > 1_000 { known = ["UTC": ZoneRules.utc] }
    let found = try? folder.load(name)
    known[name] = .some(found)
    return found
  }
}
