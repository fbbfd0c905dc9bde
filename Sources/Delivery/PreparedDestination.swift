// A destination made ready for sending: its address and fixed header lines as C text, its signer with
// the keys set up, its guard. Made once for each configuration, used by every transfer to it.
//
// Thread: the delivery thread. Promise: the C text lives as long as the instance; transfers under way
// hold the instance they started with.

internal import CCurl
internal import Glibc
internal import Model

final class PreparedDestination {
  let destination: Destination
  let signer: WebhookSigner
  let addressGuard: AddressGuard
  /// Why nothing can be sent to it; then the lists are never used.
  let problem: String?
  /// The header lines that are the same for every message.
  let fixedLines: UnsafeMutablePointer<curl_slist>?
  let address: UnsafeMutablePointer<CChar>?
  /// Scheme, host and port, without a path.
  let origin: String
  /// Empty: no proxy, not even one of the environment, which would hide the receiver from the guard.
  let proxy: UnsafeMutablePointer<CChar>?
  let secretsInClear: [[UInt8]]

  init(_ destination: Destination, version: String) {
    self.destination = destination
    signer = WebhookSigner(destination)
    let problems = DestinationCheck.problems(of: destination)
    problem = problems.isEmpty ? nil : problems.joined(separator: "; ")
    addressGuard = AddressGuard(allowed: destination.allowedNetworks.compactMap { try? Network($0) })
    var list: UnsafeMutablePointer<curl_slist>?
    for line in PreparedDestination.lines(destination, version: version) { list = curl_slist_append(list, line) }
    fixedLines = list
    address = strdup(destination.url)
    proxy = strdup(destination.proxy)
    secretsInClear = destination.secretsInClear
    origin = DestinationCheck.origin(of: destination.url)
  }

  deinit {
    curl_slist_free_all(fixedLines)
    free(address)
    free(proxy)
  }

  /// "Expect:" and "Accept:" without a value take libcurl's own lines out.
  private static func lines(_ destination: Destination, version: String) -> [String] {
    var lines = ["expect:", "accept:"]
    let own = Set(destination.headers.map { $0.name.lowercased() })
    if !own.contains("content-type") { lines.append("content-type: \(destination.shape.contentType)") }
    if !destination.authorization.bytes.isEmpty {
      lines.append("authorization: " + String(decoding: destination.authorization.bytes, as: UTF8.self))
    }
    if !own.contains("user-agent") { lines.append("user-agent: nudged/\(version)") }
    for header in destination.headers {
      // A semicolon is how libcurl wants to be told to send a header without a value.
      lines.append(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
    }
    return lines
  }
}
