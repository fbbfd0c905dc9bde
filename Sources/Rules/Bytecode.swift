// A reader of Lua 5.4 bytecode: which globals a file reads and writes, and which variables its functions
// assign that would live on between runs. It reads every branch, also those no test ever enters.
//
// Thread: pure functions. Promise: bytes that are not what Lua 5.4 writes give nil, never a trap.

struct Bytecode {
  struct Mention: Equatable {
    var name: String
    var line: Int
  }

  private(set) var globalReads: [Mention] = []
  private(set) var globalWrites: [Mention] = []
  /// Assignments to variables outside of the outermost function that was dumped.
  private(set) var outerWrites: [Mention] = []
  /// Instructions in all.
  private(set) var instructionCount = 0
  /// No loop, no inner function, and no variable from outside but the globals: what such a function can
  /// do is bounded by its length and by what it calls.
  private(set) var isStraight = true

  private let bytes: [UInt8]
  private var position: Int

  init?(_ bytes: [UInt8]) {
    self.bytes = bytes
    position = 0
    do throws(Malformed) {
      try header()
      _ = try function(outer: nil)
    } catch {
      return nil
    }
  }

  private struct Malformed: Error {}

  // The pieces.

  private mutating func byte() throws(Malformed) -> UInt8 {
    guard position < bytes.count else { throw Malformed() }
    defer { position += 1 }
    return bytes[position]
  }

  private mutating func skip(_ count: Int) throws(Malformed) {
    guard count >= 0, count <= bytes.count - position else { throw Malformed() }
    position += count
  }

  /// Seven bits a byte, the highest first; the last byte is marked.
  private mutating func size() throws(Malformed) -> Int {
    var value = 0
    while true {
      let next = try byte()
      guard value < Int.max >> 8 else { throw Malformed() }
      value = value << 7 | Int(next & 0x7F)
      if next & 0x80 != 0 { return value }
    }
  }

  /// A count of things that take at least one byte each.
  private mutating func count() throws(Malformed) -> Int {
    let value = try size()
    guard value <= bytes.count - position else { throw Malformed() }
    return value
  }

  private mutating func string() throws(Malformed) -> String? {
    let length = try size()
    if length == 0 { return nil }
    let start = position
    try skip(length - 1)
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func header() throws(Malformed) {
    guard bytes.starts(with: [0x1B, 0x4C, 0x75, 0x61, 0x54, 0x00]) else { throw Malformed() }
    // Signature, version, format, check data, three sizes, an integer and a number to compare, upvalues.
    try skip(6 + 6 + 3 + 8 + 8 + 1)
  }

  private mutating func instructions() throws(Malformed) -> [UInt32] {
    let count = try count()
    var code: [UInt32] = []
    code.reserveCapacity(count)
    for _ in 0..<count {
      let start = position
      try skip(4)
      code.append(
        UInt32(bytes[start]) | UInt32(bytes[start + 1]) << 8 | UInt32(bytes[start + 2]) << 16 | UInt32(bytes[start + 3])
          << 24)
    }
    return code
  }

  /// Text constants by their index; others are nil.
  private mutating func constants() throws(Malformed) -> [String?] {
    var constants: [String?] = []
    for _ in 0..<(try count()) {
      switch try byte() {
      case 0, 1, 17: constants.append(nil)
      case 3, 19:
        try skip(8)
        constants.append(nil)
      case 4, 20: constants.append(try string())
      default: throw Malformed()
      }
    }
    return constants
  }

  private struct Upvalue {
    var inStack: Bool
    var index: Int
  }

  private mutating func upvalues() throws(Malformed) -> [Upvalue] {
    var upvalues: [Upvalue] = []
    for _ in 0..<(try count()) {
      let inStack = try byte() != 0
      let index = Int(try byte())
      _ = try byte()
      upvalues.append(Upvalue(inStack: inStack, index: index))
    }
    return upvalues
  }

  private mutating func lines(first: Int) throws(Malformed) -> [Int] {
    let count = try count()
    let start = position
    try skip(count)
    var absolute: [Int: Int] = [:]
    for _ in 0..<(try self.count()) {
      let instruction = try size()
      absolute[instruction] = try size()
    }
    var line = first
    return (0..<count).map { index in
      let delta = Int8(bitPattern: bytes[start + index])
      line = delta == -128 ? absolute[index] ?? line : line + Int(delta)
      return line
    }
  }

  private mutating func debugNames() throws(Malformed) -> [String?] {
    for _ in 0..<(try count()) {
      _ = try string()
      _ = try size()
      _ = try size()
    }
    var names: [String?] = []
    for _ in 0..<(try count()) { names.append(try string()) }
    return names
  }

  /// `outer`: for each variable around this function, whether it lies outside of everything dumped.
  private mutating func function(outer: [Bool]?) throws(Malformed) -> Int {
    _ = try string()
    let first = try size()
    _ = try size()
    try skip(3)
    let code = try instructions()
    let constants = try constants()
    let upvalues = try upvalues()
    let lives = upvalues.map { upvalue in
      guard let outer else { return true }
      return !upvalue.inStack && outer.indices.contains(upvalue.index) && outer[upvalue.index]
    }
    for _ in 0..<(try count()) { _ = try function(outer: lives) }
    let lines = try lines(first: first)
    let names = try debugNames()
    read(code, constants: constants, names: names, lines: lines, lives: lives)
    return first
  }

  private mutating func read(_ code: [UInt32], constants: [String?], names: [String?], lines: [Int], lives: [Bool]) {
    instructionCount += code.count
    if names.contains(where: { $0 != "_ENV" }) { isStraight = false }
    func name(_ upvalue: Int) -> String { upvalue < names.count ? names[upvalue] ?? "" : "" }
    func constant(_ index: Int) -> String { index < constants.count ? constants[index] ?? "" : "" }
    for (index, instruction) in code.enumerated() {
      let a = Int(instruction >> 7 & 0xFF)
      let b = Int(instruction >> 16 & 0xFF)
      let c = Int(instruction >> 24)
      let line = index < lines.count ? lines[index] : 0
      switch instruction & 0x7F {
      // The table of globals in a register: what is read from it is not seen here.
      case 9 where name(b) == "_ENV": isStraight = false  // GETUPVAL
      case 10 where b < lives.count && lives[b]: outerWrites.append(Mention(name: name(b), line: line))  // SETUPVAL
      case 11 where name(b) == "_ENV": globalReads.append(Mention(name: constant(c), line: line))  // GETTABUP
      case 15 where name(a) == "_ENV": globalWrites.append(Mention(name: constant(b), line: line))  // SETTABUP
      case 56 where instruction >> 7 < 0xFF_FFFF: isStraight = false  // JMP backwards
      case 73, 77, 79: isStraight = false  // FORLOOP, TFORLOOP, CLOSURE
      // Lua 5.4.4 tells the wrong line of a division by zero unless a hook is on.
      case 25, 28, 37, 40: isStraight = false  // MODK, IDIVK, MOD, IDIV
      default: break
      }
    }
  }
}
