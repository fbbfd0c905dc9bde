// Ed25519 keys of Standard Webhooks: "whsk_" holds the private key, "whpk_" the public one that receivers
// check with.
//
// Thread: an instance belongs to one thread. Promise: the same key and bytes give the same signature; a
// key never prints its bytes.

internal import Basics
internal import CCrypto
package import Model

package final class SigningKey {
  private let key: OpaquePointer
  private let context: OpaquePointer

  /// `seed` has 32 bytes.
  package init?(seed: Secret) {
    guard seed.bytes.count == 32,
      let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed.bytes, seed.bytes.count)
    else { return nil }
    guard let context = EVP_MD_CTX_new() else {
      EVP_PKEY_free(key)
      return nil
    }
    self.key = key
    self.context = context
  }

  deinit {
    EVP_MD_CTX_free(context)
    EVP_PKEY_free(key)
  }

  package var publicKey: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    var count = bytes.count
    precondition(EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, "OpenSSL could not give a public key")
    return bytes
  }

  /// 64 bytes.
  package func sign(_ message: [UInt8]) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: 64)
    var count = signature.count
    EVP_MD_CTX_reset(context)
    let started = EVP_DigestSignInit(context, nil, nil, nil, key)
    let signed = EVP_DigestSign(context, &signature, &count, message, message.count)
    precondition(started == 1 && signed == 1 && count == 64, "OpenSSL could not sign with Ed25519")
    return signature
  }

  package static func verify(_ signature: [UInt8], of message: [UInt8], publicKey: [UInt8]) -> Bool {
    guard signature.count == 64, publicKey.count == 32,
      let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, publicKey, publicKey.count)
    else { return false }
    defer { EVP_PKEY_free(key) }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
    return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }

  // MARK: as text

  package static func parsePrivate(_ text: String) throws(DeliveryError) -> Secret {
    guard text.hasPrefix("whsk_"), let bytes = Base64.decode(text.dropFirst(5)) else {
      throw DeliveryError("a signing key starts with \"whsk_\", followed by base64; this one does not")
    }
    // Some tools write the public key behind the private one.
    guard bytes.count == 32 || bytes.count == 64 else {
      throw DeliveryError("a signing key holds 32 bytes; this one holds \(bytes.count)")
    }
    return Secret(bytes: Array(bytes.prefix(32)))
  }

  package static func parsePublic(_ text: String) throws(DeliveryError) -> [UInt8] {
    guard text.hasPrefix("whpk_"), let bytes = Base64.decode(text.dropFirst(5)), bytes.count == 32 else {
      throw DeliveryError("a public key is \"whpk_\" and base64 of 32 bytes; this is something else")
    }
    return bytes
  }

  package static func text(private seed: Secret) -> String { "whsk_" + Base64.encode(seed.bytes) }
  package static func text(public bytes: [UInt8]) -> String { "whpk_" + Base64.encode(bytes) }
}
