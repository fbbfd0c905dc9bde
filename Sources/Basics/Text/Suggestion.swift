// "Did you mean …?": the nearest known word to a misspelt one.
//
// Thread: pure functions. Promise: a suggestion is made only when it is plausible: at most a third of
// the letters differ, and at most three.

package enum Suggestion {
  package static func nearest(to word: String, in known: some Collection<String>) -> String? {
    let bound = min(3, max(1, word.count / 3))
    var best: (word: String, distance: Int)?
    for candidate in known {
      let distance = distance(word.lowercased(), candidate.lowercased(), bound: bound)
      guard distance <= bound else { continue }
      if let current = best, (current.distance, current.word) <= (distance, candidate) { continue }
      best = (candidate, distance)
    }
    return best?.word
  }

  /// Letters to insert, remove, change or swap with their neighbour; `bound + 1` when it is more.
  package static func distance(_ left: String, _ right: String, bound: Int) -> Int {
    let a = Array(left.unicodeScalars)
    let b = Array(right.unicodeScalars)
    if abs(a.count - b.count) > bound { return bound + 1 }
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      row.reserveCapacity(b.count + 1)
      for j in 0..<b.count {
        var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        row.append(cost)
      }
      beforeLast = last
      last = row
    }
    return min(last[b.count], bound + 1)
  }
}
