// "Did you mean": the name nearest to a misspelt one.
//
// Thread: pure functions. Promise: the same word and names give the same suggestion; nothing far off
// is ever suggested.

package enum Suggestion {
  /// The nearest of `names` to `word`, or nil when none is near; ties go to the first in order.
  package static func nearest(to word: String, among names: some Sequence<String>) -> String? {
    let bytes = Array(word.utf8)
    guard bytes.count >= 2, bytes.count <= 64 else { return nil }
    var best: String?
    var bestDistance = bytes.count <= 4 ? 2 : 3
    for name in names.sorted() {
      let other = Array(name.utf8)
      guard abs(other.count - bytes.count) < bestDistance else { continue }
      let found = distance(bytes, other)
      if found < bestDistance {
        best = name
        bestDistance = found
      }
    }
    return best
  }

  /// " (did you mean 'x'?)", or nothing.
  package static func ending(for word: String, among names: some Sequence<String>) -> String {
    nearest(to: word, among: names).map { " (did you mean '\($0)'?)" } ?? ""
  }

  /// Damerau-Levenshtein: edits, a swap of neighbours counting as one.
  package static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    if left.isEmpty || right.isEmpty { return left.count + right.count }
    var twoAbove = [Int](repeating: 0, count: right.count + 1)
    var above = Array(0...right.count)
    var row = above
    for i in 1...left.count {
      row[0] = i
      for j in 1...right.count {
        let change = above[j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1)
        row[j] = min(above[j] + 1, row[j - 1] + 1, change)
        if i > 1, j > 1, left[i - 1] == right[j - 2], left[i - 2] == right[j - 1] {
          row[j] = min(row[j], twoAbove[j - 2] + 1)
        }
      }
      (twoAbove, above, row) = (above, row, twoAbove)
    }
    return above[right.count]
  }
}
