// What of Lua's own there is in rules: functions with the number of their arguments, and what people look for
// in vain.
//
// Thread: constants. Promise: the list is the sandbox's; a test holds the two against each other.

enum LuaLibrary {
  struct Function: Sendable {
    var least: Int
    var most: Int
    var gives: Gives
    init(_ least: Int, _ most: Int, _ gives: Gives = .any) {
      self.least = least
      self.most = most
      self.gives = gives
    }
  }

  static let basic: [String: Function] = [
    "assert": Function(1, 99, .same), "error": Function(0, 2), "ipairs": Function(1, 1), "pairs": Function(1, 1),
    "pcall": Function(1, 99), "select": Function(1, 99), "tonumber": Function(1, 2, .number),
    "tostring": Function(1, 1, .text), "type": Function(1, 1, .text),
  ]

  static let string: [String: Function] = [
    "byte": Function(1, 3, .integer), "char": Function(0, 99, .text), "find": Function(2, 4, .integer),
    "format": Function(1, 99, .text), "gmatch": Function(2, 3), "gsub": Function(3, 4, .text),
    "len": Function(1, 1, .integer), "lower": Function(1, 1, .text), "match": Function(2, 3, .any),
    "rep": Function(2, 3, .text), "reverse": Function(1, 1, .text), "sub": Function(2, 3, .text),
    "upper": Function(1, 1, .text),
  ]

  static let table: [String: Function] = [
    "concat": Function(1, 4, .text), "insert": Function(2, 3), "remove": Function(1, 2), "sort": Function(1, 2),
    "unpack": Function(1, 3),
  ]

  static let math: [String: Function] = [
    "abs": Function(1, 1, .number), "ceil": Function(1, 1, .integer), "floor": Function(1, 1, .integer),
    "fmod": Function(2, 2, .number), "max": Function(1, 99, .number), "min": Function(1, 99, .number),
    "modf": Function(1, 1, .number), "sqrt": Function(1, 1, .number), "tointeger": Function(1, 1, .integer),
    "type": Function(1, 1, .text), "ult": Function(2, 2, .boolean),
  ]
  static let mathValues: [String: Gives] = [
    "huge": .number, "pi": .number, "maxinteger": .integer, "mininteger": .integer,
  ]

  static let utf8: [String: Function] = [
    "char": Function(0, 99, .text), "codepoint": Function(1, 4, .integer), "codes": Function(1, 2),
    "len": Function(1, 4, .integer), "offset": Function(2, 3, .integer),
  ]

  static let libraries: [String: [String: Function]] = ["string": string, "table": table, "math": math, "utf8": utf8]

  static func values(of library: String) -> [String: Gives] {
    switch library {
    case "math": mathValues
    case "utf8": ["charpattern": .text]
    default: [:]
    }
  }

  /// What people look for in a library that has it elsewhere or not at all.
  static let moved: [String: String] = [
    "math.random": "use random(1, n)", "math.randomseed": "random() needs no seed", "table.getn": "write #list",
    "math.round": "write math.floor(x + 0.5)", "table.unpack": "", "string.split": "use text:gmatch(\"[^,]+\")",
    "string.trim": "use text:match(\"^%s*(.-)%s*$\")", "table.pack": "write { … }", "math.pow": "write x ^ y",
    "table.contains": "write a loop over ipairs(list)", "string.contains": "use text:find(part, 1, true)",
    "math.sum": "write a loop", "table.move": "write a loop", "table.length": "write #list",
    "table.size": "write #list",
    "string.length": "write #text", "string.replace": "use text:gsub(pattern, replacement)",
    "string.startswith": "use text:sub(1, n) == start", "string.substring": "use text:sub(first, last)",
  ]

  static let names: [String] =
    Array(basic.keys) + Array(libraries.keys) + HostWords.all.map(\.name) + HostWords.values
}
