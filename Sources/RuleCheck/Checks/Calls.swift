// Calls: of our words, of Lua's functions, and of what cannot be called.
//
// Thread: one check. Promise: the arguments of every word are held against the table of words, and against
// nothing else.

extension FileCheck {
  func call(_ function: Expression, _ arguments: [Expression], _ whole: Expression) -> Shape {
    if let name = function.word {
      // What is misspelt is looked at as what it was meant to be.
      if let word = HostWords.byName[name] ?? meant(name) { return call(word, function, arguments, whole) }
      if let known = LuaLibrary.basic[name] {
        return called(name, known, function.span, arguments)
      }
      for argument in arguments { noteState(shape(argument)) }
      return .unknown
    }
    if case .index(let owner, let key, _) = function.kind, let library = owner.word, let name = key.string,
      let known = LuaLibrary.libraries[library]?[name]
    {
      return called("\(library).\(name)", known, function.span, arguments)
    }
    if function.bareText != nil {
      tell(
        function.span.union(arguments.last?.span ?? function.span), .syntax,
        "a call with several arguments needs parentheses and commas: name(…, …)")
      return .unknown
    }
    let found = shape(function)
    for argument in arguments { noteState(shape(argument)) }
    if let kind = found.kind, kind != .function {
      tell(function.span, .wrongType, "\(found.words) cannot be called; is a comma or an operator missing after it?")
    }
    return .unknown
  }

  private func meant(_ name: String) -> HostWord? {
    if knowsName(name) { return nil }
    let available = HostWords.all.filter { $0.isAvailable && $0.name != "rule" }.map(\.name)
    return Nearest.find(name, among: available).flatMap { HostWords.byName[$0] }
  }

  /// A function of Lua.
  private func called(_ name: String, _ known: LuaLibrary.Function, _ span: Span, _ arguments: [Expression]) -> Shape {
    let shapes = arguments.map { shape($0) }
    shapes.forEach(noteState)
    let spreads = arguments.last.map { $0.mayGiveSeveral } ?? false
    if arguments.count > known.most || arguments.count < known.least && !spreads {
      tell(span, .arguments, "\(name) takes \(FileCheck.count(known.least, known.most)); here are \(arguments.count)")
    }
    if name == "tonumber" || name == "tostring" || name == "type" { return Shape(known.gives) }
    if name == "ipairs" || name == "pairs", let kind = shapes.first?.kind, kind != .table {
      tell(arguments[0].span, .wrongType, "\(name) walks a list or a table; this is \(shapes[0].words)")
    }
    if name.hasPrefix("string."), let kind = shapes.first?.kind, kind != .text, kind != .number, name != "string.char" {
      tell(arguments[0].span, .wrongType, "\(name) takes a text first; this is \(shapes[0].words)")
    }
    if case .same = known.gives { return shapes.first ?? .unknown }
    return Shape(known.gives)
  }

  private static func count(_ least: Int, _ most: Int) -> String {
    if most >= 99 {
      return least == 0 ? "any number of arguments" : "at least \(least == 1 ? "one argument" : "\(least) arguments")"
    }
    if least == most { return least == 0 ? "no argument" : least == 1 ? "one argument" : "\(least) arguments" }
    return "\(least) to \(most) arguments"
  }

  func method(_ owner: Expression, _ name: String, _ span: Span, _ arguments: [Expression]) -> Shape {
    let found = shape(owner)
    for argument in arguments { noteState(shape(argument)) }
    switch found {
    case .text, .constants, .eventName:
      guard let known = LuaLibrary.string[name] else {
        let advice = LuaLibrary.moved["string.\(name)"].map { "; \($0)" } ?? ""
        tell(
          span, .unknownName, "a text has no function '\(name)'\(advice)",
          suggestion: Nearest.find(name, among: LuaLibrary.string.keys))
        return .unknown
      }
      return Shape(known.gives)
    case .event, .customer, .traits, .part, .state, .reply:
      tell(span, .wrongType, "\(found.words) has no functions; a field is read with '.'")
    case .integer, .number, .money, .boolean, .nothing, .time, .function:
      tell(span, .wrongType, "\(found.words) has no functions, and so no '\(name)'")
    default: break
    }
    return .unknown
  }

  // Our words.

  private func call(_ word: HostWord, _ function: Expression, _ arguments: [Expression], _ whole: Expression) -> Shape {
    prepare(word, arguments)
    let shapes = arguments.map { shape($0) }
    shapes.forEach(noteState)
    guard word.isAvailable else {
      if case .trigger = word.place {
        tell(
          function.span, .notAvailable,
          "\(word.name)(…) as a trigger is not available in this version; use event names")
      } else {
        tell(function.span, .notAvailable, "\(word.name)(…) is not available in this version")
      }
      return Shape(word.gives)
    }
    checkPlace(word, function.span)
    checkCount(word, function.span, arguments)
    for (position, parameter) in word.parameters.enumerated() where position < arguments.count {
      check(arguments[position], shapes[position], parameter, of: word)
    }
    checkNames(word, arguments, shapes)
    checkWaiting(word, function.span, arguments, shapes)
    return result(word, arguments, shapes)
  }

  /// What a function among the options is called with.
  private func prepare(_ word: HostWord, _ arguments: [Expression]) {
    guard case .event = word.gives, let names = constantEvents(arguments.first) else { return }
    for argument in arguments {
      guard case .table(let fields) = argument.kind else { continue }
      for field in fields where field.name == "match" {
        guard case .function(let body) = field.value.kind else { continue }
        entrances[ObjectIdentifier(body)] = "match"
        givenShapes[ObjectIdentifier(body)] = [.event(.init(names: names, data: world.data(ofAny: names)))]
      }
    }
  }

  func constantEvents(_ value: Expression?) -> [String]? {
    guard let value else { return nil }
    if let name = value.string { return [meantEvent(name)] }
    guard case .table(let fields) = value.kind else { return nil }
    let names = fields.compactMap { field in if case .position = field.key { field.value.string } else { nil } }
    return names.isEmpty ? nil : names.map(meantEvent)
  }

  private func checkPlace(_ word: HostWord, _ span: Span) {
    switch (word.place, place) {
    case (.run, .file): tell(span, .wrongPlace, "\(word.name) can only be used inside run")
    case (.run, .when): tell(span, .wrongPlace, "'when' and 'match' only decide; move \(word.name) into run")
    case (.decision, .file): tell(span, .wrongPlace, "\(word.name) can only be used inside run and when")
    case (.file, .run), (.file, .when), (.file, .other):
      tell(span, .wrongPlace, "\(word.name){…} stands at the end of a \(word.name)'s file: return \(word.name) { … }")
    case (.trigger, .run), (.trigger, .when):
      tell(span, .wrongPlace, "\(word.name)(…) stands in the header: on = \(word.name)(…)")
    default: break
    }
  }

  private func checkCount(_ word: HostWord, _ span: Span, _ arguments: [Expression]) {
    let least = word.parameters.filter { !$0.isOptional }.count
    let most = word.parameters.count
    let spreads = arguments.last.map { $0.mayGiveSeveral } ?? false
    if arguments.count < least, let text = arguments.last?.bareText {
      return tell(text.span, .syntax, "a comma is missing before \(source.text(text.span))")
    }
    if arguments.count > most {
      tell(
        span, .arguments,
        most == 0
          ? "\(word.name)() takes no argument; here \(arguments.count == 1 ? "is one" : "are \(arguments.count)")"
          : "\(word.name) takes at most \(most == 1 ? "one argument" : "\(most) arguments"): \(word.signature); here are \(arguments.count)"
      )
    } else if arguments.count < least, !spreads {
      let missing = word.parameters[arguments.count]
      tell(
        span, .arguments,
        "\(word.signature): the \(missing.name) \(missing.name.hasSuffix("s") ? "are" : "is") missing, \(missing.takes.sentence)"
      )
    }
  }

  private func check(_ argument: Expression, _ found: Shape, _ parameter: Parameter, of word: HostWord) {
    if parameter.isConstant, !argument.isWrittenOut {
      let example =
        word.name == "use"
        ? "use needs a constant name, such as use(\"lib/score\"), so that it is known what a rule is made of"
        : "\(word.name): the \(parameter.name) must be written out here, because it is read before anything runs"
      return tell(argument.span, .notConstant, example)
    }
    if parameter.isOptional, case .nothing = found { return }
    // "wait takes a duration", not "the duration must be a duration".
    let isPlain = parameter.takes.sentence.hasPrefix("a \(parameter.name)")
    check(
      argument, found, takes: parameter.takes,
      label: isPlain ? word.name : "\(word.name): the \(parameter.name)")
    for way in parameter.takes.ways {
      if case .options(let options) = way { checkOptionValues(argument, options, word: word.name) }
    }
    if case .data = parameter.takes { checkFunctions(argument, word) }
    if case .traits = parameter.takes { checkTraits(argument) }
  }

  private func checkFunctions(_ argument: Expression, _ word: HostWord) {
    guard word.name != "rule", word.name != "segment", case .table(let fields) = argument.kind else { return }
    for field in fields {
      if case .function = field.value.kind {
        tell(field.value.span.first(in: source), .wrongType, "\(word.name): a function cannot be part of data")
      }
    }
  }

  private func checkTraits(_ argument: Expression) {
    guard let traits = world.catalogue.traits, case .table(let fields) = argument.kind else { return }
    for field in fields {
      guard let name = field.name else { continue }
      guard let type = traits[name] else {
        let near = Nearest.find(name, among: traits.keys.sorted())
        let list =
          near == nil ? "; there are \(Sentence.few(traits.keys.sorted())). New ones belong into catalog.lua" : ""
        tell(inside(field.keySpan), .unknownField, "there is no trait '\(name)'\(list)", suggestion: near)
        continue
      }
      checkField(field, type, owner: "the trait '\(name)'")
    }
  }

  /// A constant of another kind than a field was said to have.
  func checkField(_ field: TableField, _ type: FieldType, owner: String) {
    checkKind(of: field, is: Shape(type, owner: owner, isTeams: true), owner: owner)
  }

  func checkKind(of field: TableField, is wanted: Shape, owner: String) {
    let found = fieldShape(field.value)
    if case .number = found, case .money = wanted, case .number = field.value.kind {
      return tell(
        field.value.span, .wrongType,
        "\(owner) is an amount in minor units, a whole number; it is \(source.text(field.value.span))")
    }
    guard let one = wanted.kind, let other = found.kind, other != .nothing, one != other else { return }
    tell(field.value.span, .wrongType, "\(owner) is \(wanted.words); here stands \(found.words)")
  }

  private func result(_ word: HostWord, _ arguments: [Expression], _ shapes: [Shape]) -> Shape {
    switch word.gives {
    case .same: return shapes.first ?? .unknown
    case .event:
      guard let names = constantEvents(arguments.first) else { return .unknown }
      return .event(.init(names: names, data: world.data(ofAny: names)))
    case .library:
      guard let name = arguments.first?.string else { return .unknown }
      // A library whose fields are not plain to see may be anything, a function too.
      guard let fields = world.libraries[name] ?? nil else { return .unknown }
      return .library(.init(name: name, fields: fields))
    default: return Shape(word.gives)
    }
  }
}

extension Expression {
  /// `name "text"`: the text, where a call has no parentheses.
  fileprivate var bareText: Expression? {
    guard case .call(_, let arguments) = kind, let text = arguments.first, case .string = text.kind else { return nil }
    return text.span.end == span.end ? text : nil
  }
}

extension Takes {
  var isDuration: Bool {
    switch self {
    case .duration, .pause: true
    default: false
    }
  }

  var ways: [Takes] { if case .either(let ways) = self { ways } else { [self] } }
}

extension Expression {
  /// A call or … may give several values.
  var mayGiveSeveral: Bool {
    switch kind {
    case .call, .method, .varargs, .many: true
    default: false
    }
  }

  /// Read as it stands, before anything runs.
  var isWrittenOut: Bool {
    switch kind {
    case .string, .number, .boolean, .nil: true
    case .table(let fields):
      fields.allSatisfy { field in
        if case .computed(let key) = field.key, !key.isWrittenOut { return false }
        if case .function = field.value.kind { return true }
        return field.value.isWrittenOut || field.name != nil
      }
    case .parentheses(let inner), .unary("-", let inner): inner.isWrittenOut
    default: false
    }
  }
}
