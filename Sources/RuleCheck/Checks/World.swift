// What a check knows beside the file it looks at: the catalogue, what is configured, and what the other files
// of the folder say.
//
// Thread: values. Promise: made once for a whole folder, in time linear in its files.

package struct World: Sendable {
  package var catalogue: Catalogue
  /// Nil: any name will do.
  package var destinations: Set<String>?
  /// Nil: zones are not looked up.
  package var zones: Set<String>?
  /// The libraries of the folder, with the fields of those that return a plain table.
  var libraries: [String: Set<String>?] = [:]
  /// Events that some rule emits.
  var emitted: Set<String> = []
  /// Traits that some rule sets.
  var setTraits: Set<String> = []

  package init(catalogue: Catalogue = .builtIn, destinations: Set<String>? = nil, zones: Set<String>? = nil) {
    self.catalogue = catalogue
    self.destinations = destinations ?? (catalogue.destinations.isEmpty ? nil : catalogue.destinations)
    self.zones = zones
  }

  /// Takes in what a file gives to the others.
  mutating func learn(name: String, isLibrary: Bool, tree: Block) {
    if isLibrary { libraries.updateValue(LibraryFields.of(tree), forKey: name) }
    TreeWalk.calls(in: tree) { word, arguments in
      guard let first = arguments.first else { return }
      if word == "emit", let name = first.string { emitted.insert(name) }
      if word == "set", case .table(let fields) = first.kind { setTraits.formUnion(fields.compactMap(\.name)) }
    }
  }

  func isKnown(event: String) -> Bool { catalogue.events[event] != nil || emitted.contains(event) }

  /// Where this event's data is written down.
  func data(of event: String, as owner: String) -> Shape {
    guard let entry = catalogue.events[event] else { return .unknown }
    return Shape(entry.fields, owner: owner, isTeams: entry.isTeams)
  }

  /// The data of one of several events: the fields of all of them.
  func data(ofAny names: [String]) -> Shape {
    var type: FieldType?
    var isTeams = true
    for name in names {
      guard let entry = catalogue.events[name] else { return .unknown }
      type = type?.union(entry.fields) ?? entry.fields
      isTeams = isTeams && entry.isTeams
    }
    let owner =
      names.count == 1
      ? "the event '\(names[0])'" : "each of the events \(Sentence.few(names.map { "'\($0)'" }, most: 3))"
    return type.map { Shape($0, owner: owner, isTeams: isTeams) } ?? .unknown
  }
}

/// The fields of what a library returns, where that is a table that is written out or built from the top of
/// the file.
enum LibraryFields {
  static func of(_ tree: Block) -> Set<String>? {
    guard case .return(let values)? = tree.statements.last?.kind, values.count == 1 else { return nil }
    switch values[0].kind {
    case .table(let fields): return names(of: fields)
    case .name(let name): return built(name, tree)
    default: return nil
    }
  }

  private static func names(of fields: [TableField]) -> Set<String>? {
    let names = fields.compactMap(\.name)
    return names.count == fields.count ? Set(names) : nil
  }

  private static func built(_ name: String, _ tree: Block) -> Set<String>? {
    var found: Set<String>?
    for statement in tree.statements {
      switch statement.kind {
      case .local(let names, let values) where names.count == 1 && names[0].name == name && values.count == 1:
        guard case .table(let fields) = values[0].kind else { return nil }
        found = LibraryFields.names(of: fields)
      case .assignment(let targets, _):
        for target in targets {
          guard case .index(let owner, let key, _) = target.kind, owner.name == name else { continue }
          guard let key = key.string else { return nil }
          found?.insert(key)
        }
      case .function(let target, _):
        guard case .index(let owner, let key, _) = target.kind, owner.name == name, let key = key.string else {
          continue
        }
        found?.insert(key)
      case .local, .localFunction, .return: continue
      default:
        // A loop or a call may add more.
        return nil
      }
    }
    return found
  }
}
