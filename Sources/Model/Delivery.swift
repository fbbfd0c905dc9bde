// Destinations, deliveries and attempts: the nouns of webhooks going out.
//
// Thread: values. Promise: a Secret never prints its bytes.

package import Basics

/// Key material. It describes itself as redacted wherever it is printed, dumped or mirrored.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var bytes: [UInt8]
  /// Of one that is rotated out: until when it counts. Nil: for ever.
  package var until: Instant?

  package init(bytes: [UInt8], until: Instant? = nil) {
    self.bytes = bytes
    self.until = until
  }

  package func counts(at now: Instant) -> Bool { until.map { $0 > now } ?? true }
  package var description: String { "(secret)" }
  package var debugDescription: String { "(secret)" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A named receiver of webhooks.
package struct Destination: Sendable, Equatable {
  package enum Signing: Sendable, Equatable {
    /// Standard Webhooks `v1`; one signature for each secret, so that secrets can overlap.
    case standard([Secret])
    /// HMAC-SHA-256 of the body alone, as hex after a prefix, in a header of choice. The newest secret stands
    /// first, and one of them signs, because the header has room for one signature.
    case body(header: String, prefix: String, secrets: [Secret])
    case none
  }
  package enum Shape: String, Sendable, Equatable, CaseIterable {
    /// {"type","timestamp","data"}
    case standard
    /// The data alone.
    case bare
    /// The data as a form: customer=cus_1&items[0][price]=5
    case form
    /// A call of Segment's track: the type is the event, the data its properties.
    case segment

    package var contentType: String {
      self == .form ? "application/x-www-form-urlencoded" : "application/json"
    }
  }

  /// A signature in another's manner, in addition to the first.
  package enum MoreSigning: Sendable, Equatable {
    /// t=…,v1=… with HMAC-SHA-256 over "timestamp.body".
    case stripe(header: String, [Secret])
    /// sha256=… with HMAC-SHA-256 of the body, by one of the secrets.
    case github(header: String, [Secret])
  }

  /// What an encrypted connection shows and trusts; PEM text.
  package struct Certificates: Sendable, Equatable {
    /// Whom to trust in place of the system's list.
    package var authority: [UInt8] = []
    /// Who we are.
    package var client: [UInt8] = []
    package var clientKey = Secret(bytes: [])
    package init() {}
  }
  package enum Mode: String, Sendable, Equatable {
    case live
    /// Deliveries are recorded and logged, and count as delivered; nothing leaves.
    case log
    /// Deliveries are recorded and wait, unspent, until the mode is another one.
    case hold
  }

  package var name: String
  package var url: String
  package var signing: Signing
  package var shape: Shape
  package var mode: Mode
  package var headers: [Header]
  package var timeoutMilliseconds: Int64
  package var connectTimeoutMilliseconds: Int64
  /// How many transfers to it may be under way at once.
  package var concurrency: Int
  /// The pause before the second try, the third, and so on; after the last the delivery has failed.
  package var retryDelaysMilliseconds: [Int64]
  /// Networks it may reach although they are private, in CIDR notation, such as "127.0.0.0/8".
  package var allowedNetworks: [String]
  /// Ed25519 keys that sign as `v1a` beside the secrets.
  package var signingKeys: [Secret] = []
  package var moreSigning: [MoreSigning] = []
  package var method = "POST"
  package static let methods = ["POST", "PUT", "PATCH", "DELETE"]
  /// A header that carries the webhook's id, such as "Idempotency-Key".
  package var idHeader = ""
  /// A header with a secret in it, such as "Authorization: Bearer …".
  package var authorization = Secret(bytes: [])
  package var certificates = Certificates()
  /// Headers of an answer that a call may read, in small letters.
  package var replyHeaders: [String] = []
  /// The proxy it is reached through; empty: none.
  package var proxy = ""
  /// The types it takes, with "*" at the end for all that begin so; empty: all.
  package var types: [String] = []
  /// A library of the rules folder that makes the request out of the message; empty: none.
  package var transform = ""
  /// It gets what test events cause, and nothing else.
  package var isTest = false

  package func takes(_ type: String) -> Bool {
    types.isEmpty
      || types.contains { $0.hasSuffix("*") ? type.hasPrefix($0.dropLast()) : type == $0 }
  }
  /// How many tries may start within a second; 0: as many as it takes.
  package var ratePerSecond = 0.0
  /// Whose deliveries keep their order: "subject", a path into the data such as "data.invoice", or "" for none.
  package var order = ""
  /// Whether a delivery that was given up holds back those behind it with the same key until a person
  /// has tried it again or cancelled it.
  package var blocksPoisoned = false

  package struct Header: Sendable, Equatable {
    package var name: String
    package var value: String
    /// It came from a file of secrets.
    package var isSecret: Bool
    package init(name: String, value: String, isSecret: Bool = false) {
      self.name = name
      self.value = value
      self.isSecret = isSecret
    }
  }

  /// The address, or that of the proxy, came from a file of secrets: it is not shown.
  package var hasSecretAddress = false
  package var hasSecretProxy = false

  /// What goes out in clear and must not be kept where an answer repeats it.
  package var secretsInClear: [[UInt8]] {
    var found = headers.filter(\.isSecret).map { Array($0.value.utf8) }
    if hasSecretAddress {
      found.append(Array(url.utf8))
      // Who answers that there is nothing at this address names it without the host.
      found.append(Array(url.utf8.drop { $0 != 0x3A }.dropFirst(3).drop { $0 != 0x2F }))
    }
    let words = authorization.bytes.split(separator: 0x20, maxSplits: 1)
    if words.count == 2 { found.append(Array(words[1])) }
    // In JSON some write a slash with a backslash before it.
    found += found.filter { $0.contains(0x2F) }.map { $0.flatMap { $0 == 0x2F ? [0x5C, 0x2F] : [$0] } }
    // Shorter ones would blacken half of every answer.
    return found.filter { $0.count >= 8 }
  }

  package init(
    name: String, url: String, signing: Signing, shape: Shape = .standard, mode: Mode = .live, headers: [Header] = [],
    timeoutMilliseconds: Int64 = 15_000, connectTimeoutMilliseconds: Int64 = 5_000, concurrency: Int = 64,
    retryDelaysMilliseconds: [Int64] = Destination.defaultRetryDelaysMilliseconds, allowedNetworks: [String] = []
  ) {
    self.name = name
    self.url = url
    self.signing = signing
    self.shape = shape
    self.mode = mode
    self.headers = headers
    self.timeoutMilliseconds = timeoutMilliseconds
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.concurrency = concurrency
    self.retryDelaysMilliseconds = retryDelaysMilliseconds
    self.allowedNetworks = allowedNetworks
  }

  /// 5 s, 1 m, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
  package static let defaultRetryDelaysMilliseconds: [Int64] = [
    5_000, 60_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000,
  ]
}

/// One message to one destination. Its id never changes, however often it is tried.
package struct Delivery: Sendable, Equatable {
  package var number: Int64
  /// "msg_…", derived from the run and the effect; what receivers see as the webhook id.
  package var id: String
  package var destination: String
  package var type: String
  package var created: Instant
  /// The exact bytes that are sent.
  package var body: [UInt8]
  /// Tries made so far.
  package var attempts: Int
  /// When the next try is due.
  package var due: Instant
  /// After this moment it is not worth sending any more.
  package var expires: Instant?
  /// How often it is tried at most; 0: as its destination's schedule says.
  package var tries: Int
  /// Method and path where they are not the destination's, such as "POST /v1/invoices/in_1/pay"; empty: they are.
  package var request: String
  /// Tries made before a person asked for it once more: its schedule begins anew after them.
  package var triesBefore = 0
  /// Deliveries to one destination with the same key go out one after the other; 0: it has none.
  package var orderKey: Int64 = 0
  /// It has been tried and was not delivered.
  package var isRetry: Bool { attempts > triesBefore }

  package init(
    number: Int64, id: String, destination: String, type: String, created: Instant, body: [UInt8], attempts: Int = 0,
    due: Instant, expires: Instant? = nil, tries: Int = 0, request: String = ""
  ) {
    self.request = request
    self.number = number
    self.id = id
    self.destination = destination
    self.type = type
    self.created = created
    self.body = body
    self.attempts = attempts
    self.due = due
    self.expires = expires
    self.tries = tries
  }
}

/// How one try ended.
package enum AttemptOutcome: UInt8, Sendable, CaseIterable {
  /// A status of 2xx.
  case delivered = 1
  /// Any other status.
  case status = 2
  case timeout = 3
  case refused = 4
  case dns = 5
  case tls = 6
  /// The connection broke.
  case reset = 7
  /// The address is private or its port refused; never tried again.
  case blocked = 8
  /// Past its `within`.
  case expired = 9
  /// The destination is not configured any more.
  case noDestination = 10
  case other = 11
  /// Its run has ended, or a person wanted it gone, before it was tried.
  case cancelled = 12
  /// A rule in shadow wanted it: it is only written down.
  case shadow = 13
  /// Its subject is in the hold-out: it is only written down.
  case heldOut = 14

  /// Something was tried, and it was not only settled.
  package var isTry: Bool {
    switch self {
    case .cancelled, .shadow, .heldOut, .expired, .noDestination: false
    case .delivered, .status, .timeout, .refused, .dns, .tls, .reset, .blocked, .other: true
    }
  }

  /// It was never meant to be sent.
  package var isRecorded: Bool { self == .shadow || self == .heldOut }

  package var word: String {
    switch self {
    case .delivered: "delivered"
    case .status: "status"
    case .timeout: "timeout"
    case .refused: "refused"
    case .dns: "dns"
    case .tls: "tls"
    case .reset: "reset"
    case .blocked: "blocked"
    case .expired: "expired"
    case .noDestination: "no destination"
    case .other: "other"
    case .cancelled: "cancelled"
    case .shadow: "shadow"
    case .heldOut: "held_out"
    }
  }
}

/// What happens with the delivery after a try.
package enum Settlement: Sendable, Equatable {
  case delivered
  case retry(at: Instant)
  /// No more tries.
  case failed
}

/// One try, as it is stored and shown.
package struct Attempt: Sendable, Equatable {
  package var delivery: Int64
  /// 1 for the first try.
  package var attempt: Int
  package var started: Instant
  package var outcome: AttemptOutcome
  /// The HTTP status; 0 when none came.
  package var status: Int
  package var settlement: Settlement
  /// A sentence for people; empty when delivered.
  package var message: String
  package var address: String
  package var dnsMicroseconds: Int64
  package var connectMicroseconds: Int64
  package var tlsMicroseconds: Int64
  package var firstByteMicroseconds: Int64
  package var totalMicroseconds: Int64
  /// The first bytes of the answer.
  package var response: [UInt8]
  /// Of a call: headers for its run. They are in the run's journal and not stored with the try.
  package var replyHeaders: [Destination.Header] = []

  package static let expiredMessage = "it was not delivered within the time the rule gave it"

  /// Another try will hardly change the answer: the message, the address or the key is wrong. The
  /// schedule is kept all the same, because a person may mend it meanwhile.
  package var isFlagged: Bool { outcome == .status && [400, 401, 403, 404, 413, 415, 422].contains(status) }

  package init(
    delivery: Int64, attempt: Int, started: Instant, outcome: AttemptOutcome, status: Int, settlement: Settlement,
    message: String = "", address: String = "", dnsMicroseconds: Int64 = 0, connectMicroseconds: Int64 = 0,
    tlsMicroseconds: Int64 = 0, firstByteMicroseconds: Int64 = 0, totalMicroseconds: Int64 = 0, response: [UInt8] = []
  ) {
    self.delivery = delivery
    self.attempt = attempt
    self.started = started
    self.outcome = outcome
    self.status = status
    self.settlement = settlement
    self.message = message
    self.address = address
    self.dnsMicroseconds = dnsMicroseconds
    self.connectMicroseconds = connectMicroseconds
    self.tlsMicroseconds = tlsMicroseconds
    self.firstByteMicroseconds = firstByteMicroseconds
    self.totalMicroseconds = totalMicroseconds
    self.response = response
  }
}
