// Hashes, hexadecimal and base64 against published values, and their strictness.
//
// Thread: any. Promise: pure.

import Basics
import Testing

@Suite struct BytesTests {
  private let hash = KeyedHash(key0: 0x0706_0504_0302_0100, key1: 0x0f0e_0d0c_0b0a_0908)

  /// The published results are the two halves one after the other, least significant byte first.
  private func published(_ value: Hash128) -> String {
    Hex.encode(
      withUnsafeBytes(of: value.low.littleEndian) { Array($0) }
        + withUnsafeBytes(of: value.high.littleEndian) { Array($0) })
  }

  @Test(arguments: [
    (0, "a3817f04ba25a8e66df67214c7550293"), (1, "da87c1d86b99af44347659119b22fc45"),
    (2, "8177228da4a45dc7fca38bdef60affe4"),
    (3, "9c70b60c5267a94e5f33b6b02985ed51"), (7, "a1f1ebbed8dbc153c0b84aa61ff08239"),
    (8, "3b62a9ba6258f5610f83e264f31497b4"),
    (9, "264499060ad9baabc47f8b02bb6d71ed"), (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
    (16, "6ee2a4ca67b054bbfd3315bf85230577"),
    (31, "2939b0183223fafc1723de4f52c43d35"), (63, "5150d1772f50834a503e069a973fbd7c"),
  ])
  func `SipHash gives the published results`(count: Int, result: String) {
    #expect(published(hash.hash((0..<count).map { UInt8($0) })) == result)
  }

  @Test func `Text hashes as its bytes, and another key gives another hash`() {
    #expect(hash.hash("naïve") == hash.hash(Array("naïve".utf8)))
    #expect(hash.hash("a") != KeyedHash(key0: 1, key1: 2).hash("a"))
    #expect(Hash128(high: 1, low: 0) > Hash128(high: 0, low: .max) && Hash128(high: 0, low: 255).hex.hasSuffix("00ff"))
  }

  @Test func `Hexadecimal goes there and back`() {
    let all = (0...255).map { UInt8($0) }
    #expect(Hex.decode(Hex.encode(all)) == all)
    #expect(Hex.decode("DEADbeef") == [0xDE, 0xAD, 0xBE, 0xEF] && Hex.encode(0xFF as UInt64) == "00000000000000ff")
  }

  @Test(arguments: ["a", "abc", "0g", " 00", "0x00", "é0"])
  func `What is not hexadecimal is refused`(text: String) { #expect(Hex.decode(text) == nil) }

  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func `Base64 gives the results of its standard`(plain: String, encoded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(plain.utf8))
  }

  @Test func `Base64 goes there and back at every length`() {
    var random = SeededRandom(seed: 10)
    for count in 0..<300 {
      let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
  }

  @Test func `Base64 of URLs and without padding is read, too`() {
    #expect(Base64.decode("-_8") == [0xFB, 0xFF] && Base64.decode("+/8=") == [0xFB, 0xFF])
  }

  @Test(arguments: ["Z", "Zg=", "Zg===", "Z===", "=", "Zm9v=", "Zg==Zg==", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm9v!"])
  func `What is not base64, or not its only spelling, is refused`(text: String) { #expect(Base64.decode(text) == nil) }

  @Test func `Seeded chance is the same for ever`() {
    var random = SeededRandom(seed: 0)
    #expect(
      (0..<3).map { _ in random.next() } == [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F])
  }

  @Test func `Bounded chance stays inside and reaches everything`() {
    var random = SeededRandom(seed: 11)
    var seen = Set<UInt64>()
    for _ in 0..<1_000 { seen.insert(random.next(below: 7)) }
    #expect(seen == Set(0..<7))
    var system = SystemRandom()
    #expect(Set((0..<200).map { _ in system.next() }).count == 200)
  }
}
