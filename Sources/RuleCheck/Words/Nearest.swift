// "Did you mean", as the check wants it: nearest in edits, then in case, first letter and length.
//
// Thread: pure functions. Promise: the same word and names give the same suggestion; nothing far off is ever
// suggested.

internal import Basics

enum Nearest {
  /// `strict`: for words of the language, where a name of one's own is no slip. `short`: for small closed
  /// lists, where even two letters with one wrong are plain.
  static func find(_ word: String, among names: some Sequence<String>, strict: Bool = false, short: Bool = false)
    -> String?
  {
    let small = Array(word.lowercased().utf8)
    guard !small.isEmpty, small.count <= 80 else { return nil }
    let bound = small.count <= 4 ? 1 : small.count <= 5 && strict ? 1 : small.count <= 12 ? 2 : 3
    var best: (name: String, rank: (Int, Int, Int, Int))?
    for name in names where name != word {
      let other = Array(name.lowercased().utf8)
      guard abs(other.count - small.count) <= bound else { continue }
      let found = Suggestion.distance(small, other)
      guard found <= min(bound, max(1, other.count - 1)),
        short && shareALetter(small, other) || !isTooShort(small, other, found)
      else { continue }
      let rank = (
        found, isLostLetter(small, other) ? 0 : 1, small.first == other.first ? 0 : 1, abs(other.count - small.count)
      )
      if best.map({ rank < $0.rank || rank == $0.rank && name < $0.name }) ?? true { best = (name, rank) }
    }
    return best?.name ?? (short ? prefixed(word, names) : nil)
  }

  /// okay → ok: the only name that begins like the word, or that the word begins with.
  private static func prefixed(_ word: String, _ names: some Sequence<String>) -> String? {
    guard word.utf8.count >= 2 else { return nil }
    let near = names.filter { $0 != word && $0.utf8.count >= 2 && ($0.hasPrefix(word) || word.hasPrefix($0)) }
    return near.count == 1 ? near[0] : nil
  }

  /// A single slip of the keyboard, and in a word long enough that it is none of its own.
  static func isOneEdit(_ word: String, _ name: String) -> Bool {
    word.utf8.count >= 4 && distance(word, name) <= 1
  }

  /// The same words, joined and capitalised in another way: a name of one's own and no slip.
  static func isOtherStyle(_ word: String, _ name: String) -> Bool {
    let letters = { (text: String) in text.lowercased().filter { $0.isLetter || $0.isNumber } }
    return letters(word) == letters(name)
  }

  private static func shareALetter(_ word: [UInt8], _ name: [UInt8]) -> Bool {
    word.count == 2 && name.count == 2 && (word[0] == name[0] || word[1] == name[1])
  }

  /// A letter too few or too many, or letters in another order: likelier slips than a wrong letter.
  private static func isLostLetter(_ word: [UInt8], _ name: [UInt8]) -> Bool {
    if word.count == name.count { return word.sorted() == name.sorted() }
    let (short, long) = word.count < name.count ? (word, name) : (name, word)
    var rest = short[...]
    for letter in long where letter == rest.first { rest = rest.dropFirst() }
    return rest.isEmpty
  }

  private static func isTooShort(_ word: [UInt8], _ name: [UInt8], _ distance: Int) -> Bool {
    if distance == 0 { return false }
    if word.count >= 3 && name.count >= 3 { return false }
    if name.count == 3 || word.count == 3 { return false }
    return word.sorted() != name.sorted()
  }

  static func distance(_ left: String, _ right: String) -> Int {
    Suggestion.distance(Array(left.lowercased().utf8), Array(right.lowercased().utf8))
  }
}
