// What libcurl reports about a finished transfer, put into the house's words: an outcome, and a
// sentence for the person who wonders why a webhook did not arrive.
//
// Thread: the delivery thread. Promise: only a status of 2xx that came in completely is `delivered`.

internal import Basics
internal import CCurl
internal import Glibc
internal import Model

enum TransferOutcome {
  static func result(of transfer: Transfer, code: CURLcode, now: Instant) -> TransferResult {
    let status = number(transfer, CURLINFO_RESPONSE_CODE)
    var result = TransferResult(delivery: transfer.delivery, started: transfer.started, outcome: .other, status: status)
    result.outcome = outcome(of: transfer, code: code, status: status)
    result.message = sentence(result.outcome, transfer: transfer, code: code, status: status)
    let secrets = transfer.destination?.secretsInClear ?? []
    result.replyHeaders = transfer.replyHeaders.map { .init(name: $0.name, value: blackened($0.value, secrets)) }
    result.retryAfterMilliseconds = transfer.retryAfter.flatMap { RetrySchedule.retryAfterMilliseconds($0, now: now) }
    // An address that cannot be understood will not be understood later either.
    result.isPermanent = result.outcome == .blocked || code == CURLE_URL_MALFORMAT
    result.address = text(transfer, CURLINFO_PRIMARY_IP)
    result.timings = timings(transfer)
    result.response = blackened(transfer.response, secrets)
    return result
  }

  /// A receiver that repeats what it was sent must not bring a secret into the store.
  static func blackened(_ text: [UInt8], _ secrets: [[UInt8]]) -> [UInt8] {
    secrets.reduce(text, blackened)
  }

  private static func blackened(_ text: String, _ secrets: [[UInt8]]) -> String {
    secrets.isEmpty ? text : String(decoding: blackened(Array(text.utf8), secrets), as: UTF8.self)
  }

  /// Once from its beginning to its end: the receiver says how often the secret is in it.
  private static func blackened(_ text: [UInt8], _ secret: [UInt8]) -> [UInt8] {
    guard let first = secret.first else { return text }
    return text.withUnsafeBufferPointer { text in
      secret.withUnsafeBufferPointer { secret in
        var out: [UInt8] = []
        var kept = 0
        var place = 0
        while place + secret.count <= text.count {
          if text[place] == first, memcmp(text.baseAddress! + place, secret.baseAddress!, secret.count) == 0 {
            out.append(contentsOf: text[kept..<place])
            out.append(contentsOf: "[secret]".utf8)
            place += secret.count
            kept = place
          } else {
            place += 1
          }
        }
        out.append(contentsOf: text[kept...])
        return out
      }
    }
  }

  private static func outcome(of transfer: Transfer, code: CURLcode, status: Int) -> AttemptOutcome {
    // The answer's status counts when it was we who stopped reading a body that is too long.
    if code == CURLE_OK || (code == CURLE_WRITE_ERROR && transfer.answerIsTooLong) {
      return (200...299).contains(status) ? .delivered : .status
    }
    switch code {
    case CURLE_ABORTED_BY_CALLBACK: return .blocked
    case CURLE_COULDNT_CONNECT: return transfer.isBlocked ? .blocked : .refused
    case CURLE_OPERATION_TIMEDOUT: return .timeout
    case CURLE_COULDNT_RESOLVE_HOST: return .dns
    case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE: return .reset
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED,
      CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_PINNEDPUBKEYNOTMATCH,
      CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
      return .tls
    default: return .other
    }
  }

  private static func sentence(_ outcome: AttemptOutcome, transfer: Transfer, code: CURLcode, status: Int) -> String {
    switch outcome {
    case .delivered: ""
    case .status: answered(status)
    case .blocked: "not sent: " + (transfer.refusal ?? "the address may not be reached")
    case .timeout: "no complete answer in time: " + detail(transfer, code)
    case .refused: "no connection: " + detail(transfer, code)
    case .dns: "the name of the receiver leads nowhere: " + detail(transfer, code)
    case .tls: "no trusted TLS connection: " + detail(transfer, code)
    case .reset: "the connection broke before the answer was complete: " + detail(transfer, code)
    default: transfer.headIsTooLong ? "the answer's headers are too long" : "it failed: " + detail(transfer, code)
    }
  }

  private static func answered(_ status: Int) -> String {
    switch status {
    case 300...399:
      "the receiver answered \(status), a redirect; redirects are not followed, configure the new address instead"
    case 410: "the receiver answered 410: it is gone for good and wants no more messages"
    case 401, 403:
      "the receiver answered \(status): it does not accept who we are; look at the secret and the headers"
    case 404: "the receiver answered 404: there is nothing at this address; look at the url"
    case 400, 413, 415, 422:
      "the receiver answered \(status): it does not take this message; another try will hardly change that"
    default: "the receiver answered \(status)"
    }
  }

  private static func detail(_ transfer: Transfer, _ code: CURLcode) -> String {
    let sentence = transfer.errorSentence
    return sentence.isEmpty ? String(cString: curl_easy_strerror(code)) : sentence
  }

  /// Phases of connecting are left at 0 when the connection was open already.
  private static func timings(_ transfer: Transfer) -> TransferResult.Timings {
    var timings = TransferResult.Timings()
    if number(transfer, CURLINFO_NUM_CONNECTS) > 0 {
      timings.dns = microseconds(transfer, CURLINFO_NAMELOOKUP_TIME_T)
      timings.connect = microseconds(transfer, CURLINFO_CONNECT_TIME_T)
      timings.tls = microseconds(transfer, CURLINFO_APPCONNECT_TIME_T)
    }
    timings.firstByte = microseconds(transfer, CURLINFO_STARTTRANSFER_TIME_T)
    timings.total = microseconds(transfer, CURLINFO_TOTAL_TIME_T)
    return timings
  }

  private static func number(_ transfer: Transfer, _ info: CURLINFO) -> Int {
    var value = 0
    return ccurl_get_long(transfer.easy, info, &value) == CURLE_OK ? value : 0
  }

  private static func microseconds(_ transfer: Transfer, _ info: CURLINFO) -> Int64 {
    var value: curl_off_t = 0
    return ccurl_get_offset(transfer.easy, info, &value) == CURLE_OK ? Int64(value) : 0
  }

  private static func text(_ transfer: Transfer, _ info: CURLINFO) -> String {
    var value: UnsafeMutableRawPointer?
    guard ccurl_get_pointer(transfer.easy, info, &value) == CURLE_OK, let value else { return "" }
    return String(cString: value.assumingMemoryBound(to: CChar.self))
  }
}
