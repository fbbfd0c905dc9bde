// Metrics as Prometheus reads them.
//
// Thread: a value of its owner. Promise: names of destinations cannot break a line.

/// Prometheus' text format.
struct MetricsText {
  private(set) var bytes: [UInt8] = []

  mutating func counter(_ name: String, _ help: String, _ value: Int64) { add(name, "counter", help, value) }
  mutating func gauge(_ name: String, _ help: String, _ value: Int64) { add(name, "gauge", help, value) }

  /// One line for each destination.
  mutating func gauge(_ name: String, _ help: String, _ values: [(destination: String, value: Int)]) {
    if values.isEmpty { return }
    bytes += "# HELP \(name) \(help)\n# TYPE \(name) gauge\n".utf8
    for (destination, value) in values {
      var label = ""
      for character in destination {
        switch character {
        case "\\", "\"": label += "\\" + String(character)
        case "\n": label += "\\n"
        default: label.append(character)
        }
      }
      bytes += "\(name){destination=\"\(label)\"} \(value)\n".utf8
    }
  }

  /// `buckets` are cumulated; the last one holds all.
  mutating func histogram(_ name: String, _ help: String, _ buckets: [(bound: String, count: Int64)]) {
    bytes += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n".utf8
    for bucket in buckets { bytes += "\(name)_bucket{le=\"\(bucket.bound)\"} \(bucket.count)\n".utf8 }
    bytes += "\(name)_count \(buckets.last?.count ?? 0)\n".utf8
  }

  private mutating func add(_ name: String, _ kind: String, _ help: String, _ value: Int64) {
    bytes += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n\(name) \(value)\n".utf8
  }
}
