// Text that others chose, on its way to a terminal.
//
// Thread: pure functions. Promise: what comes out cannot steer a terminal, forge a line or turn the order of
// letters round; whatever could is shown as U+FFFD.

extension String {
  package var printable: String {
    guard unicodeScalars.contains(where: String.steers) else { return self }
    return String(String.UnicodeScalarView(unicodeScalars.map { String.steers($0) ? "\u{FFFD}" : $0 }))
  }

  private static func steers(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // Controls of both sets, with the ends of lines among them.
    case ..<0x20, 0x7F...0x9F, 0x2028, 0x2029: true
    // Marks that change the direction of what follows.
    case 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
