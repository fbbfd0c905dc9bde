// swift-tools-version: 6.2
// The floor plan of nudged: each heading is a floor, and a room may import only rooms on lower
// floors. SwiftPM does not enforce that by itself; Tests/HouseTests reads this file and the
// sources and does.

import PackageDescription

/// Settings of every Swift room: warnings are errors and imports say what they mean.
let plain: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  // Overlapping accesses are found while developing; at run time the search would cost a tenth.
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// Rooms that touch no C pointer: there the word `unsafe` does not occur.
let strict: [SwiftSetting] = plain + [.strictMemorySafety()]

/// The same for our own C and C++.
let careful: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]
let carefulPlusPlus: [CXXSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]

let package = Package(
  name: "nudged",
  products: [.executable(name: "nudged", targets: ["nudged"])],
  targets: [
    // Cellar: the doors to Debian's C libraries, and the only C and C++ of our own.
    .systemLibrary(name: "CLua", path: "Sources/C/CLua", pkgConfig: "lua5.4"),
    .systemLibrary(name: "CSQLite", path: "Sources/C/CSQLite", pkgConfig: "sqlite3"),
    .systemLibrary(name: "CCurl", path: "Sources/C/CCurl", pkgConfig: "libcurl"),
    .systemLibrary(name: "CCrypto", path: "Sources/C/CCrypto", pkgConfig: "libcrypto"),
    .systemLibrary(name: "CZlib", path: "Sources/C/CZlib", pkgConfig: "zlib"),
    .target(name: "CPlatform", cSettings: careful),
    .target(
      name: "CDocument", cxxSettings: carefulPlusPlus, linkerSettings: [.linkedLibrary("simdjson")]),
    .target(name: "CStoreFile", dependencies: ["CSQLite"], cSettings: careful),
    .target(name: "CRuleHost", dependencies: ["CLua", "CDocument"], cSettings: careful),

    // Floor 0: time, JSON, bytes, threads, text. No word of the trade.
    .target(name: "Basics", dependencies: ["CPlatform", "CDocument", "CCrypto", "CZlib"], swiftSettings: plain),

    // Floor 1: the nouns and the limits.
    .target(name: "Model", dependencies: ["Basics"], swiftSettings: strict),

    // Floor 2: scripts, what windows know, and the contract every store fulfils.
    .target(name: "Documents", dependencies: ["Basics", "Model"], swiftSettings: strict),
    .target(name: "Measures", dependencies: ["Basics", "Model"], swiftSettings: strict),
    .target(name: "Rules", dependencies: ["Basics", "Model", "CRuleHost", "CDocument"], swiftSettings: plain),
    .target(name: "Store", dependencies: ["Basics", "Model"], swiftSettings: strict),

    // Floor 3: engines behind the contract, and the check of rules before they are live.
    .target(name: "RuleCheck", dependencies: ["Basics", "Model", "Rules"], swiftSettings: strict),
    .target(
      name: "SQLiteStore", dependencies: ["Basics", "Model", "Store", "CSQLite", "CStoreFile"], swiftSettings: plain),

    // Floor 4: the three loops. They do not know each other.
    .target(name: "Intake", dependencies: ["Basics", "Model", "Store", "CPlatform"], swiftSettings: plain),
    .target(
      name: "Engine", dependencies: ["Basics", "Model", "Documents", "Measures", "Rules", "Store"], swiftSettings: plain
    ),
    .target(
      name: "Delivery", dependencies: ["Basics", "Model", "Store", "CPlatform", "CCurl", "CCrypto"],
      swiftSettings: plain),

    // Floor 5: the loops in virtual time, for tests and scenarios. Delivery is not among what it may know.
    .target(name: "Rehearsal", dependencies: ["Basics", "Model", "Rules", "Store", "Engine"], swiftSettings: plain),

    // Floor 6: knows everyone, starts and stops.
    .target(
      name: "Daemon",
      dependencies: [
        "Basics", "Model", "Rules", "RuleCheck", "Store", "SQLiteStore", "Intake", "Engine", "Delivery", "Rehearsal",
        "CPlatform",
      ],
      swiftSettings: plain),

    // Floor 7: the key.
    .executableTarget(name: "nudged", dependencies: ["Daemon"], swiftSettings: plain),

    // Tests mirror the rooms. Plain targets under Tests are shared by several of them.
    .target(name: "Files", path: "Tests/Files", swiftSettings: plain),
    .target(
      name: "Samples", dependencies: ["Basics", "Model", "Rules", "Store", "Engine", "Rehearsal", "Files"],
      path: "Tests/Samples", swiftSettings: plain),
    .testTarget(name: "BasicsTests", dependencies: ["Basics", "CZlib"], swiftSettings: plain),
    .testTarget(name: "ModelTests", dependencies: ["Basics", "Model"], swiftSettings: plain),
    .testTarget(name: "DocumentsTests", dependencies: ["Basics", "Model", "Documents"], swiftSettings: plain),
    .testTarget(name: "MeasuresTests", dependencies: ["Basics", "Model", "Measures"], swiftSettings: plain),
    .testTarget(name: "RulesTests", dependencies: ["Basics", "Model", "Rules"], swiftSettings: plain),
    .testTarget(
      name: "RuleCheckTests", dependencies: ["Basics", "Model", "Rules", "RuleCheck", "Files", "Samples"],
      swiftSettings: plain),
    .testTarget(name: "IntakeTests", dependencies: ["Basics", "Model", "Intake", "CPlatform"], swiftSettings: plain),
    .executableTarget(
      name: "intake-bench", dependencies: ["Basics", "Intake", "CPlatform"], path: "Tests/IntakeBench",
      swiftSettings: plain),
    .target(
      name: "StoreContract", dependencies: ["Basics", "Model", "Store"], path: "Tests/StoreContract",
      swiftSettings: plain),
    .testTarget(
      name: "StoreTests", dependencies: ["Basics", "Model", "Store", "StoreContract"], swiftSettings: plain),
    .testTarget(
      name: "SQLiteStoreTests", dependencies: ["Basics", "Model", "Store", "SQLiteStore", "StoreContract", "CSQLite"],
      exclude: ["Fixtures"], swiftSettings: plain),
    .target(
      name: "Simulator", dependencies: ["Basics", "Model", "Rules", "Store", "Engine", "Delivery", "Intake"],
      path: "Tests/Simulator",
      swiftSettings: plain),
    .testTarget(
      name: "SimulatorTests", dependencies: ["Basics", "Engine", "Model", "Rules", "Simulator", "Store"],
      swiftSettings: plain),
    .testTarget(
      name: "EngineTests", dependencies: ["Basics", "Model", "Rules", "Store", "Engine", "Samples"],
      swiftSettings: plain),
    .testTarget(
      name: "RehearsalTests",
      dependencies: ["Basics", "Model", "Rules", "Store", "Engine", "Rehearsal", "Files", "Samples"],
      swiftSettings: plain),
    .executableTarget(
      name: "journey-bench", dependencies: ["Basics", "Model", "Rules", "Store", "Engine", "Rehearsal", "Samples"],
      path: "Tests/JourneyBench", swiftSettings: plain),
    .testTarget(
      name: "DaemonTests", dependencies: ["Basics", "Model", "Store", "Intake", "Files"], swiftSettings: plain),
    .executableTarget(
      name: "crash", dependencies: ["Basics", "Model", "Store", "Intake", "Delivery", "CSQLite"],
      path: "Tests/Crash/Driver",
      swiftSettings: plain),
    .testTarget(name: "HouseTests", dependencies: ["Files"], swiftSettings: plain),
    .testTarget(
      name: "DocsTests",
      dependencies: ["Basics", "Model", "Rules", "RuleCheck", "Rehearsal", "Daemon", "Delivery", "Files"],
      swiftSettings: plain),
    .testTarget(
      name: "DeliveryTests", dependencies: ["Basics", "Model", "Store", "Delivery", "CPlatform"], swiftSettings: plain),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17,
  cxxLanguageStandard: .gnucxx17
)
