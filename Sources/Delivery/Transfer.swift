// One reusable libcurl handle with everything a transfer needs around it: the bytes that go out, the
// first bytes of the answer, and what was noticed on the way.
//
// Thread: the delivery thread; libcurl calls back on it. Promise: what libcurl points to lives until the
// transfer is over; memory held between transfers is bounded.

internal import Basics
internal import CCurl
internal import CPlatform
internal import Glibc
internal import Model

final class Transfer {
  let easy: UnsafeMutableRawPointer
  private(set) var delivery: Int64 = 0
  private(set) var started = Instant.zero
  private(set) var destination: PreparedDestination?
  private(set) var response: [UInt8] = []
  private(set) var retryAfter: String?
  /// Of a call: those headers of the answer that its destination lets through.
  private(set) var replyHeaders: [Destination.Header] = []
  private var isCall = false
  /// Why addresses were refused, and how many sockets were opened all the same.
  private(set) var refusal: String?
  private(set) var socketsOpened = 0
  private(set) var answerIsTooLong = false

  private var hasCertificates = false
  private var request = ""
  private let didOpen: (Int32) -> Void
  private var bodyBytesSeen = 0
  private var headerBytesSeen = 0
  private var buffer: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  /// The lines that differ from message to message; the fixed ones of the destination follow them.
  private var lines = UnsafeMutablePointer<curl_slist>.allocate(capacity: Transfer.usualLines)
  private var lineCapacity = Transfer.usualLines
  private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

  /// The last connection that was judged and found right, and for whom.
  private var judgedFor: PreparedDestination?
  private var judgedPort: Int32 = 0
  private let judgedAddress = UnsafeMutablePointer<CChar>.allocate(capacity: Transfer.addressBytes)

  private static let addressBytes = 64
  private static let usualLines = 4
  private static let usualCapacity = 2048
  private static let keptCapacity = 64 * 1024
  /// So much of an answer is read before the connection is given up; only the first part is kept.
  private static let mostResponseBytes = 16 * Limits.responseBytes

  init(
    closing: UnsafeMutableRawPointer, closeSocket: @escaping ccurl_close_callback, didOpen: @escaping (Int32) -> Void
  ) {
    guard let easy = curl_easy_init() else { preconditionFailure("no memory for another transfer") }
    self.easy = easy
    self.didOpen = didOpen
    capacity = Transfer.usualCapacity
    buffer = .allocate(capacity: capacity)
    lines.initialize(repeating: curl_slist(), count: Transfer.usualLines)
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    judgedAddress.initialize(repeating: 0, count: Transfer.addressBytes)
    setFixedOptions()
    ccurl_set_close_socket(easy, closeSocket, closing)
  }

  deinit {
    curl_easy_cleanup(easy)
    buffer.deallocate()
    lines.deallocate()
    errorText.deallocate()
    judgedAddress.deallocate()
  }

  private func setFixedOptions() {
    let context = Unmanaged.passUnretained(self).toOpaque()
    ccurl_set_pointer(easy, CURLOPT_PRIVATE, context)
    ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
    ccurl_set_long(easy, CURLOPT_POST, 1)
    ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, lines)
    // HTTP/2 of this libcurl loses requests, and is slower for small messages.
    ccurl_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    // Signals belong to the main thread.
    ccurl_set_long(easy, CURLOPT_NOSIGNAL, 1)
    // A proxy from the environment would hide the receiver's address from the guard.
    ccurl_set_pointer(easy, CURLOPT_PROXY, "")
    ccurl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
    ccurl_set_pointer(easy, CURLOPT_PROTOCOLS_STR, "http,https")
    ccurl_set_pointer(easy, CURLOPT_REDIR_PROTOCOLS_STR, "")
    ccurl_set_long(easy, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    ccurl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 1)
    ccurl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 2)
    // Debian's libcurl trusts a file and a folder with the same certificates. With a folder it reads
    // them anew for each connection, 28 ms in which nothing else moves; the file alone is kept.
    ccurl_set_pointer(easy, CURLOPT_CAPATH, nil)
    ccurl_set_long(easy, CURLOPT_TCP_NODELAY, 1)
    ccurl_set_long(easy, CURLOPT_BUFFERSIZE, Limits.responseBytes)
    // Without it libcurl waits, when a transfer times out, for the thread that looks its name up, and
    // with a slow name server all other deliveries would stand still.
    ccurl_set_long(easy, CURLOPT_QUICK_EXIT, 1)
    ccurl_set_write(easy, { Transfer.from($3).take($0, $1 * $2) }, context)
    ccurl_set_header_sink(easy, { Transfer.from($3).takeHeader($0, $1 * $2) }, context)
    ccurl_set_prerequest(
      easy, { context, remote, _, port, _ in Transfer.from(context).judgeConnection(remote, port: port) }, context)
    ccurl_set_open_socket(easy, { Transfer.from($0).openSocket($2) }, context)
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> Transfer {
    Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
  }

  // MARK: Before

  func prepare(_ start: DeliveryLoop.Start, to destination: PreparedDestination, lines head: HeaderLines, now: Instant)
  {
    delivery = start.delivery.number
    started = now
    response.removeAll(keepingCapacity: true)
    retryAfter = nil
    isCall = start.delivery.tries > 0
    replyHeaders.removeAll(keepingCapacity: true)
    refusal = nil
    socketsOpened = 0
    bodyBytesSeen = 0
    headerBytesSeen = 0
    answerIsTooLong = false
    errorText[0] = 0
    if self.destination !== destination { address(destination) }
    if start.delivery.request != request { aim(start.delivery.request, destination) }
    fill(head, body: start.delivery.body)
  }

  private func address(_ prepared: PreparedDestination) {
    destination = prepared
    aim("", prepared)
    ccurl_set_long(easy, CURLOPT_TIMEOUT_MS, Int(prepared.destination.timeoutMilliseconds))
    let connect = min(prepared.destination.connectTimeoutMilliseconds, prepared.destination.timeoutMilliseconds)
    ccurl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, Int(connect))
    ccurl_set_pointer(easy, CURLOPT_PROXY, prepared.proxy)
    trust(prepared)
  }

  /// Method and path of this message, where they are not the destination's.
  private func aim(_ wanted: String, _ prepared: PreparedDestination) {
    request = wanted
    let parts = wanted.split(separator: " ", maxSplits: 1)
    let method = parts.first.map(String.init) ?? prepared.destination.method
    // Nothing is followed, so that the method stays what it is.
    ccurl_set_pointer(easy, CURLOPT_CUSTOMREQUEST, method == "POST" ? nil : method)
    if parts.count == 2 {
      ccurl_set_pointer(easy, CURLOPT_URL, prepared.origin + String(parts[1]))
    } else {
      ccurl_set_pointer(easy, CURLOPT_URL, prepared.address)
    }
  }

  /// Certificates in place of the usual ones; libcurl keeps copies of them.
  private func trust(_ prepared: PreparedDestination) {
    let certificates = prepared.destination.certificates
    if hasCertificates { ccurl_forget_certificates(easy) }
    hasCertificates = certificates != Destination.Certificates()
    guard hasCertificates else { return }
    func set(_ bytes: [UInt8], _ option: CURLoption) {
      guard !bytes.isEmpty else { return }
      _ = bytes.withUnsafeBytes { ccurl_set_blob(easy, option, $0.baseAddress, $0.count) }
    }
    set(certificates.authority, CURLOPT_CAINFO_BLOB)
    set(certificates.client, CURLOPT_SSLCERT_BLOB)
    set(certificates.clientKey.bytes, CURLOPT_SSLKEY_BLOB)
  }

  /// Lines and body go into one buffer of ours, so that the delivery's own array need not stand still.
  private func fill(_ head: HeaderLines, body: [UInt8]) {
    let needed = head.bytes.count + body.count
    if needed > capacity { resize(to: needed) }
    if head.starts.count > lineCapacity { addLines(head.starts.count) }
    head.bytes.withUnsafeBufferPointer { buffer.update(from: $0.baseAddress!, count: $0.count) }
    let bodyStart = buffer + head.bytes.count
    body.withUnsafeBufferPointer { bytes in
      if let start = bytes.baseAddress { bodyStart.update(from: start, count: bytes.count) }
    }
    for (position, start) in head.starts.enumerated() {
      lines[position].data = UnsafeMutableRawPointer(buffer + start).assumingMemoryBound(to: CChar.self)
      lines[position].next = position + 1 < head.starts.count ? lines + position + 1 : destination?.fixedLines
    }
    ccurl_set_pointer(easy, CURLOPT_POSTFIELDS, bodyStart)
    ccurl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, body.count)
  }

  private func addLines(_ count: Int) {
    lines.deallocate()
    lineCapacity = count
    lines = .allocate(capacity: count)
    lines.initialize(repeating: curl_slist(), count: count)
    ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, lines)
  }

  private func resize(to size: Int) {
    buffer.deallocate()
    capacity = size
    buffer = .allocate(capacity: size)
  }

  /// Gives memory of an unusually large message back and lets an outdated destination go.
  func rest(keepingDestination: Bool) {
    if capacity > Transfer.keptCapacity { resize(to: Transfer.usualCapacity) }
    if keepingDestination { return }
    destination = nil
    judgedFor = nil
  }

  // MARK: While libcurl works

  private func take(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
    bodyBytesSeen += count
    let room = (isCall ? Limits.callReplyBytes : Limits.responseBytes) - response.count
    if room > 0, let bytes {
      response.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: min(room, count)))
    }
    if bodyBytesSeen <= Transfer.mostResponseBytes { return count }
    answerIsTooLong = true
    return 0
  }

  private func takeHeader(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
    headerBytesSeen += count
    if headerBytesSeen > Limits.responseHeaderBytes { return 0 }
    guard let bytes else { return count }
    let wantsAll = isCall && !(destination?.destination.replyHeaders.isEmpty ?? true)
    // Almost every header is of no interest, and then no text is made of it.
    guard wantsAll || (count > 12 && bytes[0] | 0x20 == 0x72 && bytes[5] == 0x2D) else { return count }
    let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
    let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return count }
    let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D || $0 == 0x0A }
    let value = Array(parts[1].utf8).drop(while: isBlank).reversed().drop(while: isBlank).reversed()
    let name = parts[0].lowercased()
    if name == "retry-after" { retryAfter = String(decoding: value.prefix(64), as: UTF8.self) }
    if wantsAll, destination?.destination.replyHeaders.contains(name) == true {
      replyHeaders.append(.init(name: name, value: String(decoding: value.prefix(1_000), as: UTF8.self)))
    }
    return count
  }

  /// A connection that is open already may have been opened for another destination, which is allowed
  /// more than this one; so it is judged again, before a byte is sent.
  private func judgeConnection(_ remote: UnsafeMutablePointer<CChar>?, port: Int32) -> Int32 {
    if socketsOpened > 0 { return CURL_PREREQFUNC_OK }
    guard let remote, let destination else { return CURL_PREREQFUNC_ABORT }
    if destination === judgedFor, judgedPort == port, strcmp(remote, judgedAddress) == 0 { return CURL_PREREQFUNC_OK }
    guard let address = IPAddress(String(cString: remote)) else { return CURL_PREREQFUNC_ABORT }
    if let reason = destination.addressGuard.refusal(of: address, port: UInt16(truncatingIfNeeded: port)) {
      refusal = reason
      return CURL_PREREQFUNC_ABORT
    }
    judgedFor = destination
    judgedPort = port
    strncpy(judgedAddress, remote, Transfer.addressBytes - 1)
    return CURL_PREREQFUNC_OK
  }

  /// The one place where a connection comes into being, and so the place of the guard.
  private func openSocket(_ address: UnsafeMutablePointer<curl_sockaddr>?) -> curl_socket_t {
    guard let address, let destination else { return -1 }
    let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr)!
    let raw = UnsafeRawPointer(address) + offset
    guard let (target, port) = SocketAddress.read(raw, family: address.pointee.family) else {
      refusal = "it leads to something that is not an IP address"
      return -1
    }
    if let reason = destination.addressGuard.refusal(of: target, port: port) {
      refusal = reason
      return -1
    }
    let socket = platform_socket(address.pointee.family, address.pointee.socktype)
    guard socket >= 0 else { return socket }
    socketsOpened += 1
    didOpen(socket)
    return socket
  }

  var isBlocked: Bool { refusal != nil && socketsOpened == 0 }
  var headIsTooLong: Bool { headerBytesSeen > Limits.responseHeaderBytes }
  var errorSentence: String { String(cString: errorText) }
}

enum SocketAddress {
  static func read(_ raw: UnsafeRawPointer, family: Int32) -> (IPAddress, UInt16)? {
    switch family {
    case AF_INET:
      let address = raw.loadUnaligned(as: sockaddr_in.self)
      return (.v4(UInt32(bigEndian: address.sin_addr.s_addr)), UInt16(bigEndian: address.sin_port))
    case AF_INET6:
      let address = raw.loadUnaligned(as: sockaddr_in6.self)
      let halves = withUnsafeBytes(of: address.sin6_addr) { bytes in
        (bytes.loadUnaligned(as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      }
      let target = IPAddress.v6(high: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1))
      return (target, UInt16(bigEndian: address.sin6_port))
    default: return nil
    }
  }
}
