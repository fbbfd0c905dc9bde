// ISO 8601 as clients write it, to milliseconds and back.
//
// Thread: pure functions. Promise: a text without a zone is refused, never guessed.

package enum ISO8601 {
  package static func parse(_ text: String) -> Instant? {
    var text = text
    return text.withUTF8 { parse($0) }
  }

  package static func parse(_ text: UnsafeBufferPointer<UInt8>) -> Instant? {
    func number(_ from: Int, _ count: Int) -> Int64? {
      guard from + count <= text.count else { return nil }
      var value: Int64 = 0
      for position in from..<(from + count) {
        let digit = text[position] &- 0x30
        guard digit < 10 else { return nil }
        value = value * 10 + Int64(digit)
      }
      return value
    }
    guard text.count >= 20, let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
      let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2), text[4] == 0x2D, text[7] == 0x2D,
      text[13] == 0x3A, text[16] == 0x3A, (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60
    else { return nil }
    var position = 19
    var milliseconds: Int64 = 0
    if text[position] == 0x2E {
      position += 1
      var scale: Int64 = 100
      while position < text.count, text[position] &- 0x30 < 10 {
        milliseconds += Int64(text[position] &- 0x30) * scale
        scale /= 10
        position += 1
      }
    }
    guard position < text.count, text[position] == 0x5A else { return nil }
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yoe = y - era * 400
    let doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy
    let days = era * 146097 + doe - 719468
    return Instant(milliseconds: ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + milliseconds)
  }

  package static func format(_ instant: Instant) -> String {
    let ms = instant.milliseconds
    let days = ms >= 0 ? ms / 86_400_000 : (ms - 86_399_999) / 86_400_000
    let rest = ms - days * 86_400_000
    let z = days + 719468
    let era = (z >= 0 ? z : z - 146096) / 146097
    let doe = z - era * 146097
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100)
    let mp = (5 * doy + 2) / 153
    let day = doy - (153 * mp + 2) / 5 + 1
    let month = mp < 10 ? mp + 3 : mp - 9
    let year = yoe + era * 400 + (month <= 2 ? 1 : 0)
    func pad(_ value: Int64, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
    return "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(pad(rest / 3_600_000, 2)):\(pad(rest / 60_000 % 60, 2)):\(pad(rest / 1000 % 60, 2)).\(pad(rest % 1000, 3))Z"
  }
}
