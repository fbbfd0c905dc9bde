// The rules of the house, read off the sources and the manifest: floors, file heads, forbidden words.
//
// Thread: a test's. Promise: what the floor plan says is what the imports are.

import Testing

@Suite struct HouseTests {
  private let tree = Tree()

  /// Who may import whom. What is not in the list of a room, it may not import.
  private static let floors: [String: Set<String>] = [
    "Basics": ["Glibc", "Synchronization", "CPlatform", "CDocument", "CCrypto", "CZlib"],
    "Model": ["Basics", "Synchronization"],
    "Measures": ["Basics", "Model"],
    "Documents": ["Basics", "Model"],
    "Rules": ["Basics", "Model", "CRuleHost", "CDocument", "Glibc", "Synchronization"],
    "Store": ["Basics", "Model", "Synchronization"],
    "RuleCheck": ["Basics", "Model", "Rules"],
    "SQLiteStore": ["Basics", "Model", "Store", "CSQLite", "CStoreFile", "CPlatform", "Glibc"],
    "Intake": ["Basics", "Model", "Store", "CPlatform", "Glibc", "Synchronization"],
    "Engine": ["Basics", "Model", "Documents", "Measures", "Rules", "Store", "CPlatform", "Glibc", "Synchronization"],
    "Delivery": ["Basics", "Model", "Store", "CPlatform", "CCurl", "CCrypto", "Glibc", "Synchronization"],
    "Rehearsal": ["Basics", "Model", "Rules", "Store", "Engine", "Synchronization"],
    "Daemon": [
      "Basics", "Model", "Rules", "RuleCheck", "Store", "SQLiteStore", "Intake", "Engine", "Delivery", "Rehearsal",
      "CPlatform", "Glibc", "Synchronization",
    ],
    "nudged": ["Daemon", "Glibc"],
  ]

  /// Files that hold C handles or locks and answer for what the compiler cannot see.
  private static let answerable: Set<String> = [
    "Sources/Basics/JSON/Document.swift", "Sources/Basics/Threads/Worker.swift", "Sources/Basics/Threads/Mailbox.swift",
    "Sources/Basics/Threads/Guarded.swift",
    "Sources/Basics/Threads/Carried.swift", "Sources/Engine/EvaluationMark.swift",
    "Sources/Intake/ConnectionLoop.swift",
    "Sources/Intake/Gate.swift", "Sources/Daemon/House.swift", "Sources/Daemon/Commands/Receive.swift",
  ]

  @Test func `every room imports only what lies below it`() throws {
    for file in tree.swiftSources {
      let room = file.path.split(separator: "/")[1]
      let allowed = try #require(HouseTests.floors[String(room)], "the room \(room) is not on the floor plan")
      for line in file.lines {
        guard let module = HouseTests.imported(line) else { continue }
        #expect(allowed.contains(module), "\(file.path) imports \(module), which its floor does not allow")
      }
    }
  }

  @Test func `no merge was left half done`() {
    let folders = ["Sources", "Tests", "etc", "rules"]
    let files = folders.flatMap { tree.files(under: $0, endingWith: [".swift", ".c", ".h", ".md", ".lua", "dev"]) }
    #expect(files.count > 300)
    for file in files + [SourceFile(path: "README.md", text: tree.read("README.md"))] {
      let marks = file.lines.filter { line in ["<<<<<<< ", ">>>>>>> "].contains { line.hasPrefix($0) } }
      #expect(marks.isEmpty, "\(file.path) has both sides of a conflict")
    }
  }

  private static func imported(_ line: Substring) -> String? {
    let words = line.split(separator: " ")
    guard let position = words.firstIndex(of: "import"), position <= 1, position + 1 < words.count else { return nil }
    if position == 1, !["internal", "package", "private", "public"].contains(words[0]) { return nil }
    return String(words[position + 1])
  }

  @Test func `the manifest lets no room depend on its neighbours`() throws {
    let manifest = tree.read("Package.swift")
    for (room, neighbours) in [
      "Intake": ["Engine", "Delivery"], "Engine": ["Intake", "Delivery"], "Delivery": ["Intake", "Engine"],
      "SQLiteStore": ["Rules", "RuleCheck"], "RuleCheck": ["Store", "SQLiteStore"],
      "Rehearsal": ["Delivery", "Intake", "SQLiteStore"], "Model": ["Store", "Rules"],
    ] {
      let start = try #require(manifest.firstRange(of: "name: \"\(room)\""), "\(room) is missing in the manifest")
      let end = manifest[start.upperBound...].firstRange(of: "swiftSettings")?.lowerBound ?? manifest.endIndex
      let entry = manifest[start.upperBound..<end]
      for neighbour in neighbours { #expect(!entry.contains("\"\(neighbour)\""), "\(room) depends on \(neighbour)") }
    }
  }

  @Test func `every file opens with what it is, its thread and its promise`() {
    for file in tree.files(under: "Sources", endingWith: [".swift", ".c", ".cpp", ".h"]) {
      // Doors are a few lines over a library's header; what they are is all there is to say.
      if file.path.hasPrefix("Sources/C/") { continue }
      let isSwift = file.path.hasSuffix(".swift")
      let head = file.text.prefix(1_500)
      #expect(
        head.hasPrefix(isSwift ? "//" : "/*") || head.hasPrefix("//"), "\(file.path) does not open with a comment")
      let says = { (words: [Substring]) in words.contains { head.contains($0) } }
      #expect(says(["Thread:", "Contract:"]), "\(file.path) does not say on which thread it lives")
      #expect(says(["Promise:", "Promise of", "Contract:"]), "\(file.path) does not say what it promises")
    }
  }

  @Test func `Foundation and the words of unfinished work occur nowhere`() {
    for file in tree.files(under: "Sources", endingWith: [".swift", ".c", ".cpp", ".h"]) {
      #expect(!file.text.contains("import Foundation"), "\(file.path) imports Foundation")
      for word in ["TO" + "DO", "FIX" + "ME", "X" + "XX", "try" + "!", "as" + "! "] {
        #expect(!file.text.contains(word), "\(file.path) contains \(word)")
      }
    }
  }

  @Test func `only named files switch a check of the compiler off`() {
    for file in tree.swiftSources where file.text.contains("@unchecked") || file.text.contains("nonisolated(unsafe)") {
      #expect(HouseTests.answerable.contains(file.path), "\(file.path) switches a check off and is not named here")
    }
  }

  @Test func `Lua is met in one room only`() {
    for file in tree.files(under: "Sources", endingWith: [".swift", ".c", ".cpp", ".h"]) {
      if file.path.hasPrefix("Sources/CRuleHost/") || file.path.hasPrefix("Sources/C/CLua/") { continue }
      #expect(!file.text.contains("lua.h"), "\(file.path) includes lua.h")
      #expect(!file.text.contains("import CLua"), "\(file.path) imports CLua")
    }
  }

  @Test func `tests wait for something and never for a while`() {
    for file in tree.files(under: "Tests", endingWith: [".swift"]) where !file.path.contains("HouseTests") {
      for word in ["sleep(", "nanosleep", "Task.sleep"] {
        #expect(!file.text.contains(word), "\(file.path) sleeps")
      }
    }
  }

  @Test func `the top level holds what belongs there and nothing else`() {
    let allowed: Set<String> = [
      "Package.swift", "Sources", "Tests", "rules", "etc", "README.md", "LICENSE", ".ci", ".git", ".gitignore",
      ".swift-format",
      ".build", ".swiftpm",
    ]
    for name in tree.topLevel { #expect(allowed.contains(name), "\(name) does not belong at the top level") }
  }

  @Test func `functions stay short enough to be read at once`() {
    for file in tree.swiftSources {
      for function in file.functions where function.lines > 70 {
        Issue.record("\(file.path): \(function.name) has \(function.lines) lines; 70 are enough")
      }
    }
  }
}
