// A cache in two generations: what is used moves to the young one; when that is full, it becomes the
// old one and what was old goes. Bounded, no lists, no clock.
//
// Thread: its owner's. Promise: an entry survives at least `capacity` uses of other entries, which is
// what lets lanes keep undecided changes in such a cache: fewer are ever under way.

struct Generations<Key: Hashable, Value> {
  private var young: [Key: Value] = [:]
  private var old: [Key: Value] = [:]
  let capacity: Int

  init(capacity: Int) { self.capacity = capacity }

  var count: Int { young.count + old.count }

  mutating func find(_ key: Key) -> Value? {
    if let value = young[key] { return value }
    guard let value = old.removeValue(forKey: key) else { return nil }
    insert(key, value)
    return value
  }

  mutating func insert(_ key: Key, _ value: Value) {
    if young.count >= capacity {
      old = young
      young = [:]
    }
    young[key] = value
  }
}
