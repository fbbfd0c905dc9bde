// HMAC-SHA-256 with a key that stays set up. Starting a context with a new key costs a microsecond,
// starting it again with the same key a third of that, and every webhook needs one.
//
// Thread: an instance belongs to one thread. Promise: the key is wiped from our memory by OpenSSL when
// the instance goes.

internal import CCrypto
internal import Model

final class MessageHash {
  private let context: OpaquePointer
  private var result = [UInt8](repeating: 0, count: 32)

  init(secret: Secret) {
    guard let mac = EVP_MAC_fetch(nil, "HMAC", nil), let context = EVP_MAC_CTX_new(mac) else {
      preconditionFailure("this OpenSSL has no HMAC; its installation is broken")
    }
    // The context holds its own reference from here on.
    EVP_MAC_free(mac)
    self.context = context
    let code = secret.bytes.withUnsafeBufferPointer { ccrypto_hmac_sha256_start(context, $0.baseAddress, $0.count) }
    precondition(code == 1, "OpenSSL refused an HMAC key of \(secret.bytes.count) bytes")
  }

  deinit { EVP_MAC_CTX_free(context) }

  /// The 32 bytes over `head` followed by `body`.
  func hash(_ head: some Collection<UInt8>, _ body: [UInt8]) -> [UInt8] {
    var code = EVP_MAC_init(context, nil, 0, nil)
    precondition(code == 1, "OpenSSL could not start an HMAC again")
    head.withContiguousStorageIfAvailable { code &= EVP_MAC_update(context, $0.baseAddress, $0.count) }
    body.withUnsafeBufferPointer { code &= EVP_MAC_update(context, $0.baseAddress, $0.count) }
    var written = 0
    result.withUnsafeMutableBufferPointer { code &= EVP_MAC_final(context, $0.baseAddress, &written, $0.count) }
    precondition(code == 1 && written == 32, "OpenSSL could not finish an HMAC")
    return result
  }

  /// Compares without telling by its duration where the difference is.
  static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
  }
}
