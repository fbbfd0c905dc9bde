// Names of the outer world in calls: events, destinations, templates, libraries.
//
// Thread: one check. Promise: without a catalogue of the team's own, an unknown event is at most a warning.

internal import Rules

extension FileCheck {
  func checkNames(_ word: HostWord, _ arguments: [Expression], _ shapes: [Shape]) {
    for (position, parameter) in word.parameters.enumerated() where position < arguments.count {
      let argument = arguments[position]
      switch parameter.takes {
      case .destination: for constant in shapes[position].constants { checkDestination(constant) }
      case .template: for constant in shapes[position].constants { checkTemplate(constant, arguments, position) }
      case .event, .events, .eventList: checkEvents(argument, shapes[position], isEmitted: word.name == "emit")
      case .library: if let name = argument.string { checkLibrary(name, argument) }
      default: break
      }
    }
    if word.name == "emit", let name = arguments.first?.string, arguments.count > 1,
      let entry = world.catalogue.events[name], entry.isTeams, case .part(let fields, _) = entry.fields
    {
      checkData(arguments[1], fields, owner: "the event '\(name)'")
    }
  }

  private func checkDestination(_ constant: Shape.Constant) {
    let name = constant.text
    guard let known = world.destinations, !known.contains(name) else { return }
    let list =
      known.isEmpty ? "none is configured" : "configured are \(Sentence.few(known.sorted()))"
    tell(
      inside(constant.span), .unknownDestination, "there is no destination '\(name)'; \(list)", word: name,
      among: known.sorted())
  }

  private func checkTemplate(_ constant: Shape.Constant, _ arguments: [Expression], _ position: Int) {
    let name = constant.text
    guard let templates = world.catalogue.templates else { return }
    guard let type = templates[name] else {
      let near = Nearest.find(name, among: templates.keys.sorted())
      let list = near == nil ? "; new ones belong into catalog.lua" : ""
      return tell(inside(constant.span), .unknownTemplate, "there is no template '\(name)'\(list)", suggestion: near)
    }
    if case .part(let fields, _) = type, position + 1 < arguments.count {
      checkData(arguments[position + 1], fields, owner: "the template '\(name)'")
    }
  }

  private func checkData(_ data: Expression, _ fields: [String: FieldType], owner: String) {
    guard case .table(let given) = data.kind else { return }
    for field in given {
      guard let name = field.name else { continue }
      guard let type = fields[name] else {
        let near = Nearest.find(name, among: fields.keys.sorted())
        let list = near == nil ? "; it has \(Sentence.few(fields.keys.sorted())). New ones belong into catalog.lua" : ""
        tell(inside(field.keySpan), .unknownField, "\(owner) has no field '\(name)'\(list)", suggestion: near)
        continue
      }
      checkField(field, type, owner: "'\(name)' of \(owner)")
    }
  }

  private func checkLibrary(_ name: String, _ argument: Expression) {
    guard world.libraries[name] == nil else { return }
    let names = world.libraries.keys.sorted()
    let bare = names.first { $0 == "lib/\(name)" || $0 == String(name.dropLast(name.hasSuffix(".lua") ? 4 : 0)) }
    tell(
      inside(argument.span), .unknownLibrary,
      "there is no library '\(name)'; its file would be \(RuleSource.file(ofLibrary: name))",
      suggestion: bare ?? Nearest.find(name, among: names))
  }

  // Events.

  func checkEvents(_ value: Expression, _ found: Shape, isEmitted: Bool = false) {
    if case .table(let fields) = value.kind {
      for field in fields {
        if case .position = field.key, let name = field.value.string {
          checkEvent(name, inside(field.value.span), isEmitted: isEmitted)
        }
      }
    } else {
      for constant in found.constants { checkEvent(constant.text, inside(constant.span), isEmitted: isEmitted) }
    }
  }

  func checkEvent(_ name: String, _ span: Span, isEmitted: Bool = false) {
    let catalogue = world.catalogue
    if name.hasPrefix("nudged."), isEmitted {
      return tell(span, .wrongValue, "names that begin with 'nudged.' are reserved; this one is '\(name)'")
    }
    if catalogue.events[name] != nil || !isEmitted && world.isKnown(event: name) { return }
    let near = nearestEvent(name)
    if name.hasPrefix("nudged.") {
      return tell(span, .unknownEvent, "nudged raises no event '\(name)'", suggestion: near)
    }
    if catalogue.hasTeamsEvents {
      // An event of a rule's own need not be in the catalogue.
      if isEmitted, near == nil { return }
      let advice = near == nil ? "; new ones belong into catalog.lua" : ""
      tell(span, .unknownEvent, "there is no event '\(name)'\(advice)", suggestion: near)
    } else if let near, Nearest.isOneEdit(name, near), !Nearest.isOtherStyle(name, near) {
      tell(span, .unknownEvent, "the event '\(name)' is not known", suggestion: near, severity: .warning)
    }
  }

  /// A misspelt event has the fields of the one that was meant.
  func meantEvent(_ name: String) -> String {
    if world.catalogue.events[name] != nil || !world.catalogue.hasTeamsEvents { return name }
    return nearestEvent(name) ?? name
  }

  /// The team's own come first.
  private func nearestEvent(_ name: String) -> String? {
    let events = world.catalogue.events
    let own = Nearest.find(
      name, among: events.filter { $0.value.isTeams }.map(\.key) + world.emitted.filter { $0 != name })
    guard let any = Nearest.find(name, among: events.keys) else { return own }
    guard let own else { return any }
    return Nearest.distance(name, any) < Nearest.distance(name, own) ? any : own
  }
}
