// Whether a destination can be delivered to at all: its address, headers and networks. Asked when a
// configuration is read, and once more before anything is sent.
//
// Thread: pure functions (libcurl's URL parser keeps no state). Promise: a destination without problems
// cannot smuggle a header or a request; problems are sentences for the person who wrote it.

internal import CCurl
package import Model

package enum DestinationCheck {
  package static func problems(of destination: Destination) -> [String] {
    addressProblems(destination) + headerProblems(destination) + repeatedHeaders(destination)
      + numberProblems(destination) + moreProblems(destination)
  }

  private static func numberProblems(_ destination: Destination) -> [String] {
    var found: [String] = []
    if !(1...3_600_000).contains(destination.timeoutMilliseconds) {
      found.append("its timeout has to be from 1 ms to 1 hour")
    }
    if destination.connectTimeoutMilliseconds < 1 { found.append("its connect timeout has to be at least 1 ms") }
    if destination.concurrency < 1 { found.append("its concurrency has to be at least 1") }
    if destination.retryDelaysMilliseconds.contains(where: { $0 < 0 }) {
      found.append("its retry delays must not be negative")
    }
    return found
  }

  private static func addressProblems(_ destination: Destination) -> [String] {
    var networks: [Network] = []
    for text in destination.allowedNetworks {
      do throws(DeliveryError) { networks.append(try Network(text)) } catch { return [error.description] }
    }
    guard let parts = URLParts(destination.url) else {
      let shown = destination.hasSecretAddress ? "what its file holds" : "its address \"\(destination.url)\""
      return ["\(shown) is not a URL; write it like \"https://example.com/hooks\""]
    }
    guard parts.scheme == "https" || parts.scheme == "http" else {
      return ["its address starts with \"\(parts.scheme):\"; only https and http are spoken"]
    }
    if parts.hasCredentials {
      return ["its address contains a user name or password; use basic = file \"PATH\" instead"]
    }
    let host = parts.host.hasPrefix("[") ? String(parts.host.dropFirst().dropLast()) : parts.host
    let guardian = AddressGuard(allowed: networks)
    if let address = IPText.parse(host), let refusal = guardian.refusal(of: address, port: parts.port) {
      return [refusal]
    }
    if let service = AddressGuard.refusedPorts[parts.port] {
      return ["port \(parts.port) (\(service)) is never spoken to"]
    }
    return []
  }

  /// Scheme, host and port of an address.
  static func origin(of address: String) -> String {
    guard let parts = URLParts(address) else { return "" }
    return "\(parts.scheme)://\(parts.host):\(parts.port)"
  }

  private static func moreProblems(_ destination: Destination) -> [String] {
    var found: [String] = []
    if !isSafeValue(String(decoding: destination.authorization.bytes, as: UTF8.self)) {
      found.append("its authorization contains a line break or another control character")
    }
    for name in ownNames(destination) where !mayBeOwn(name) {
      found.append("\"\(name)\" cannot be the name of a header of its own")
    }
    if let problem = proxyProblem(destination) { found.append(problem) }
    let certificates = destination.certificates
    if certificates.client.isEmpty != certificates.clientKey.bytes.isEmpty {
      found.append("a client certificate and its key belong together")
    }
    return found
  }

  private static func proxyProblem(_ destination: Destination) -> String? {
    let proxy = destination.proxy
    if proxy.isEmpty { return nil }
    let parts = URLParts(proxy)
    // Not shown then: what is wrong with it may be what stands beside a password.
    if !destination.hasSecretProxy, parts?.hasCredentials ?? proxy.contains("@") {
      return
        "its proxy contains a user name or password, which must not stand in the configuration; use proxy = file \"PATH\""
    }
    guard let parts, ["http", "https", "socks5", "socks5h"].contains(parts.scheme) else {
      let shown = destination.hasSecretProxy ? "what the file of its proxy holds" : "its proxy \"\(proxy)\""
      return "\(shown) is not a URL such as \"http://proxy.example.com:3128\""
    }
    // Here and not with the first webhook, which would be given up for it.
    let guardian = AddressGuard(allowed: destination.allowedNetworks.compactMap { try? Network($0) })
    let host = parts.host.hasPrefix("[") ? String(parts.host.dropFirst().dropLast()) : parts.host
    return IPText.parse(host).flatMap { guardian.refusal(of: $0, port: parts.port) }.map { "its proxy: \($0)" }
  }

  /// Headers that would change how the request is framed, or that belong to the signature.
  private static let reserved: Set<String> = [
    "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer", "keep-alive",
    "proxy-connection", "webhook-id", "webhook-timestamp", "webhook-signature",
  ]

  private static func headerProblems(_ destination: Destination) -> [String] {
    var found: [String] = []
    for header in destination.headers {
      if !isToken(header.name) {
        found.append("\"\(header.name)\" is not the name of a header")
      } else if reserved.contains(header.name.lowercased()) {
        found.append("the header \(header.name) is set by nudged and cannot be configured")
      } else if !isSafeValue(header.value) {
        found.append("the value of the header \(header.name) contains a line break or another control character")
      } else if let key = DestinationCheck.key(for: header) {
        found.append(
          "the header \(header.name) holds a secret, which must not stand in the configuration; use \(key) = file \"PATH\""
        )
      }
    }
    if case .body(let name, let prefix, _) = destination.signing, !mayBeOwn(name) || !isSafeValue(prefix) {
      found.append("the header of its signature has a name or prefix that cannot be sent: \"\(name)\"")
    }
    return found
  }

  /// The key of the configuration that would make this header from a file.
  private static func key(for header: Destination.Header) -> String? {
    guard header.name.lowercased() == "authorization", !header.isSecret else { return nil }
    return ["bearer", "basic"].first { header.value.lowercased().hasPrefix("\($0) ") }
  }

  /// The names of headers that carry ids and further signatures.
  private static func ownNames(_ destination: Destination) -> [String] {
    (destination.idHeader.isEmpty ? [] : [destination.idHeader])
      + destination.moreSigning.map { more in
        switch more {
        case .stripe(let header, _), .github(let header, _): header
        }
      }
  }

  /// What every request has already: a second line would be taken for the first, or the first for it.
  private static let always: Set<String> = ["content-type", "host", "user-agent", "accept", "content-encoding"]

  private static func mayBeOwn(_ name: String) -> Bool {
    isToken(name) && !reserved.contains(name.lowercased()) && !always.contains(name.lowercased())
  }

  /// To HTTP two names that differ in case are one, and which of two lines counts is the receiver's guess.
  private static func repeatedHeaders(_ destination: Destination) -> [String] {
    var names = destination.headers.map(\.name) + ownNames(destination)
    if case .body(let name, _, _) = destination.signing { names.append(name) }
    if !destination.authorization.bytes.isEmpty { names.append("Authorization") }
    var seen: Set<String> = []
    return names.filter { !seen.insert($0.lowercased()).inserted }.map {
      "the header \($0) would be sent twice; names that differ only in case are the same"
    }
  }

  static func isSafeValue(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 } }

  private static func isToken(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
      }
  }
}

/// A URL as libcurl will understand it; asking the same parser leaves no room between check and use.
private struct URLParts {
  var scheme: String
  var host: String
  var port: UInt16
  var hasCredentials: Bool

  init?(_ text: String) {
    guard DestinationCheck.isSafeValue(text), let handle = curl_url() else { return nil }
    defer { curl_url_cleanup(handle) }
    guard curl_url_set(handle, CURLUPART_URL, text, UInt32(CURLU_NON_SUPPORT_SCHEME)) == CURLUE_OK else { return nil }
    guard let scheme = URLParts.part(handle, CURLUPART_SCHEME), let host = URLParts.part(handle, CURLUPART_HOST) else {
      return nil
    }
    self.scheme = scheme.lowercased()
    self.host = host
    let port = URLParts.part(handle, CURLUPART_PORT, flags: UInt32(CURLU_DEFAULT_PORT))
    self.port = port.flatMap { UInt16($0) } ?? 0
    hasCredentials = URLParts.part(handle, CURLUPART_USER) != nil || URLParts.part(handle, CURLUPART_PASSWORD) != nil
  }

  private static func part(_ handle: OpaquePointer, _ part: CURLUPart, flags: UInt32 = 0) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(handle, part, &text, flags) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
  }
}
