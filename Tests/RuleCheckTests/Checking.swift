// What the tests of this room share: the sample rules, a check of one text, and a folder's worth of them.
//
// Thread: the test's own. Promise: reads only.

import Basics
import Glibc
import Model
import RuleCheck
import Rules

enum Checking {
  static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
  static let destinations: Set<String> = ["crm", "billing", "learning"]

  static let isVerbose = getenv("NUDGED_VERBOSE") != nil

  static func read(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk[..<count]
    }
  }

  /// The rules that come with the product, with their catalogue.
  static let samples: [RuleSource] = {
    let folders = ["", "certificates/", "churn/", "dunning/", "events/", "lib/", "segments/", "upsell/"]
    return folders.flatMap { folder -> [RuleSource] in
      guard let open = opendir(root + "/rules/" + folder) else { return [] }
      defer { closedir(open) }
      var out: [RuleSource] = []
      while let entry = readdir(open) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard name.hasSuffix(".lua") else { continue }
        out.append(RuleSource(path: folder + name, text: read(root + "/rules/" + folder + name)))
      }
      return out
    }.sorted { $0.path < $1.path }
  }()

  /// What the static pass says about one rule among libraries.
  static func findings(_ text: String, libraries: [String: String] = [:], world: World = world()) -> [Finding] {
    let sources =
      libraries.map { RuleSource(path: $0.key, text: $0.value) } + [RuleSource(path: "a.lua", text: text)]
    return RuleCheck.findings(sources: sources, world: world)
  }

  static func world(_ catalogue: Catalogue = .builtIn) -> World {
    World(catalogue: catalogue, destinations: destinations, zones: ["Europe/Berlin", "America/New_York", "UTC"])
  }

  /// A catalogue from the text of a table.
  static func catalogue(_ text: String) throws -> (Catalogue, [CatalogueReader.Complaint]) {
    let file = try RuleLoader.evaluate(path: "catalog.lua", text: text, words: ["catalog"])
    let reader = CatalogueReader(file.document.root)
    return (reader.catalogue, reader.complaints)
  }

  /// A rule's file around the body of `run`, which begins on line 2.
  static func rule(_ body: String, header: String = "", before: String = "", on: String = "'x'") -> String {
    "\(before) return rule { title = 'T', on = \(on), \(header) run = function(event, customer)\n\(body)\nend }"
  }

  static func lines(_ findings: [Finding]) -> [String] {
    findings.map { "\($0.line): \($0.sentence)" }
  }
}
