// Fields of what a rule reads: the event, its data, the customer, traits, state, replies, libraries.
//
// Thread: one check. Promise: an unknown field is an error only where all fields are known.

internal import Rules

extension FileCheck {
  static let eventFields = ["name", "time", "id", "data", "user", "account", "thing", "source", "traits", "context"]
  static let customerFields = ["id", "traits", "account"]
  static let replyFields = HostWords.reply.map(\.name)

  func index(_ owner: Expression, _ key: Expression) -> Shape {
    if let library = owner.word, LuaLibrary.libraries[library] != nil, let name = key.string {
      return libraryMember(library, name, key.span)
    }
    let found = shape(owner)
    guard let name = key.string else {
      _ = shape(key)
      if case .list(let element) = found { return element }
      if case .state = found { hasDynamicState = true }
      return .unknown
    }
    return field(of: found, name, key.span)
  }

  private func field(of owner: Shape, _ name: String, _ span: Span) -> Shape {
    let place = inside(span)
    switch owner {
    case .event(let event): return eventField(event, name, place)
    case .customer: return customerField(name, place)
    case .reply: return replyField(name, place)
    case .part(let part): return partField(part, name, place)
    case .traits: return traitField(name, place)
    case .state:
      stateReads.append((name, place))
      return .unknown
    case .library(let library): return libraryField(library, name, place)
    case .list:
      tell(place, .unknownField, "this is a list: its elements are counted from 1, '\(name)' is a field of an element")
      return .unknown
    case .boolean, .integer, .number, .money, .time, .nothing, .function:
      tell(place, .wrongType, "\(owner.words) has no fields, and so no '\(name)'")
      return .unknown
    case .text, .constants, .eventName:
      if LuaLibrary.string[name] == nil { tell(place, .wrongType, "\(owner.words) has no field '\(name)'") }
      return .function
    case .unknown, .table: return .unknown
    }
  }

  private func eventField(_ event: Shape.EventShape, _ name: String, _ span: Span) -> Shape {
    switch name {
    case "data":
      // Data that nobody has written down is a table all the same.
      if case .unknown = event.data {
        return .part(.init(fields: [:], isOpen: true, owner: "the data", isTeams: false))
      }
      return event.data
    case "time": return .time
    case "name": return event.names.isEmpty ? .text : .eventName(event.names)
    case "id", "source": return .text
    case "user", "account", "thing": return .text
    case "traits", "context": return .unknown
    default:
      if case .part(let part) = event.data, part.fields[name] != nil {
        tell(
          span, .unknownField, "event has no field '\(name)'; its own fields are in event.data",
          suggestion: "data.\(name)")
      } else {
        unknownField("event", name, span, FileCheck.eventFields)
      }
      return .unknown
    }
  }

  private func customerField(_ name: String, _ span: Span) -> Shape {
    switch name {
    case "id", "account": return .text
    case "traits": return .traits
    default:
      if let traits = world.catalogue.traits, traits[name] != nil {
        tell(
          span, .unknownField, "customer has no field '\(name)'; it is a trait: customer.traits.\(name)",
          suggestion: "traits.\(name)")
      } else {
        unknownField("customer", name, span, FileCheck.customerFields)
      }
      return .unknown
    }
  }

  private func replyField(_ name: String, _ span: Span) -> Shape {
    if !FileCheck.replyFields.contains(name) { unknownField("a reply", name, span, FileCheck.replyFields) }
    switch name {
    case "ok", "unknown": return .boolean
    case "status": return .integer
    default: return .unknown
    }
  }

  private func unknownField(_ owner: String, _ name: String, _ span: Span, _ known: [String]) {
    let near = Nearest.find(name, among: known, short: true)
    let list = near == nil ? "; it has \(known.joined(separator: ", "))" : ""
    tell(span, .unknownField, "\(owner) has no field '\(name)'\(list)", suggestion: near)
  }

  func partField(_ part: Shape.Part, _ name: String, _ span: Span) -> Shape {
    if let type = part.fields[name] {
      return Shape(type, owner: "'\(name)' of \(part.owner)", isTeams: part.isTeams)
    }
    if part.fields.isEmpty { return .unknown }
    let near = Nearest.find(name, among: part.fields.keys.sorted())
    if part.isTeams, !part.isOpen || near != nil {
      let list =
        near == nil ? "; it has \(Sentence.few(part.fields.keys.sorted())). New ones belong into catalog.lua" : ""
      tell(span, .unknownField, "\(part.owner) has no field '\(name)'\(list)", suggestion: near)
    } else if let near, Nearest.isOneEdit(name, near) {
      // The team may well send fields of its own under a name that others use, too.
      tell(
        span, .unknownField, "\(part.owner) is not known to have a field '\(name)'", suggestion: near,
        severity: .warning)
    }
    return .unknown
  }

  private func traitField(_ name: String, _ span: Span) -> Shape {
    if let traits = world.catalogue.traits {
      if let type = traits[name] { return Shape(type, owner: "the trait '\(name)'", isTeams: true) }
      let near = Nearest.find(name, among: traits.keys.sorted())
      let list =
        near == nil ? "; there are \(Sentence.few(traits.keys.sorted())). New ones belong into catalog.lua" : ""
      tell(span, .unknownField, "there is no trait '\(name)'\(list)", suggestion: near)
      return .unknown
    }
    let known = world.setTraits.union(FileCheck.commonTraitSet)
    if !known.contains(name), let near = Nearest.find(name, among: known.sorted()), name.utf8.count > 3 {
      tell(span, .unknownField, "no rule sets the trait '\(name)'", suggestion: near, severity: .warning)
    }
    return .unknown
  }

  private static let commonTraitSet = Set(Catalogue.commonTraits)

  private func libraryField(_ library: Shape.LibraryShape, _ name: String, _ span: Span) -> Shape {
    if library.fields.contains(name) { return .unknown }
    let known = library.fields.sorted()
    let near = Nearest.find(name, among: known)
    let isTable = library.name.hasPrefix("data/")
    let list =
      near != nil ? "" : known.isEmpty ? "; it is empty" : "; it \(isTable ? "has" : "returns") \(Sentence.few(known))"
    let what = isTable ? "the table '\(library.name)' has no row" : "the library '\(library.name)' has no"
    tell(span, .unknownField, "\(what) '\(name)'\(list)", suggestion: near)
    return .unknown
  }

  private func libraryMember(_ library: String, _ name: String, _ span: Span) -> Shape {
    let functions = LuaLibrary.libraries[library] ?? [:]
    if functions[name] != nil { return .function }
    if let value = LuaLibrary.values(of: library)[name] { return Shape(value) }
    if let advice = LuaLibrary.moved["\(library).\(name)"] {
      tell(span, .unknownName, "there is no '\(library).\(name)' in rules; \(advice)")
    } else {
      let known = Array(functions.keys) + Array(LuaLibrary.values(of: library).keys)
      let near = Nearest.find(name, among: known)
      let list = near == nil ? "; it has \(known.sorted().joined(separator: ", "))" : ""
      tell(span, .unknownName, "there is no '\(library).\(name)'\(list)", suggestion: near)
    }
    return .unknown
  }

  // Paths as texts: "data.invoice".

  /// `events`: whose data the path goes into.
  func checkPath(_ text: String, _ span: Span, what: String, events: [String]?) {
    let steps = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let place = inside(span)
    guard let root = steps.first, !steps.contains("") else {
      return tell(place, .wrongValue, "\(what) must be a path such as \"data.invoice\"; it is \"\(text)\"")
    }
    guard RuleHeader.keyRoots.contains(root) else {
      let near = Nearest.find(root, among: RuleHeader.keyRoots)
      let rest = steps.dropFirst().joined(separator: ".")
      let suggestion =
        near.map { rest.isEmpty ? $0 : "\($0).\(rest)" } ?? (steps.count == 1 ? "data.\(root)" : nil)
      return tell(
        place, .wrongValue,
        "the path '\(text)' must begin with one of \(RuleHeader.keyRoots.joined(separator: ", "))",
        suggestion: suggestion)
    }
    guard root == "data", let events else { return }
    checkDataPath(steps, place, events)
  }

  private func checkDataPath(_ steps: [String], _ span: Span, _ events: [String]) {
    var found = world.data(ofAny: events)
    var offset = span.start + 5
    for step in steps.dropFirst() {
      guard case .part(let part) = found else { return }
      found = partField(part, step, Span(start: offset, end: min(span.end, offset + step.utf8.count)))
      offset += step.utf8.count + 1
    }
  }
}
