// The rules of the repository as sources, with their look-up tables.
//
// Thread: any. Promise: reads only; what cannot be read as a table is left out, and its rule complains.

import Files
import Model
package import Rules

package enum SampleRules {
  package static let folder = Files.root + "/rules"
  package static let destinations: Set<String> = ["billing", "crm", "learning"]

  package static let sources: [RuleSource] = Files.paths(below: folder).sorted().compactMap { path in
    if path.hasSuffix(".lua") { return RuleSource(path: path, text: Files.read(folder + "/" + path)) }
    guard path.hasPrefix("data/"), path.hasSuffix(".csv") else { return nil }
    let table = try? LookUpTable.library(Files.bytes(folder + "/" + path), file: path)
    return table.map { RuleSource(path: path.dropLast("csv".count) + "lua", text: $0) }
  }

  /// What is loaded for some of the rules: themselves, and every library and table.
  package static func sources(of rules: [String]) -> [RuleSource] {
    sources.filter { [.library].contains($0.kind) || $0.kind == .rule && rules.contains($0.name) }
  }

  package static func set(of rules: [String]) throws -> RuleSet {
    let loading = RuleSet.load(sources: sources(of: rules), knownDestinations: destinations)
    if let complaint = loading.complaints.first { throw complaint }
    return loading.set
  }
}
