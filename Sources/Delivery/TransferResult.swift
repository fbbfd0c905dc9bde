// How one transfer ended, as the network saw it: what the transport (or the simulator's network) hands
// to the delivery loop, which decides what follows from it.
//
// Thread: a value. Promise: no decision inside; bounded in size by the limits on answers.

package import Basics
package import Model

package struct TransferResult: Sendable, Equatable {
  package var delivery: Int64
  package var started: Instant
  package var outcome: AttemptOutcome
  package var status: Int
  /// What the receiver asked for with Retry-After.
  package var retryAfterMilliseconds: Int64?
  /// Trying again cannot help, such as a header that must not be sent.
  package var isPermanent: Bool
  /// A sentence for people; empty when delivered.
  package var message: String
  package var address: String
  package var timings: Timings
  package var response: [UInt8]
  package var replyHeaders: [Destination.Header] = []

  /// Microseconds since the start of the transfer at which each phase was over; 0 when it did not
  /// take place, as on a connection that was open already.
  package struct Timings: Sendable, Equatable {
    package var dns: Int64 = 0
    package var connect: Int64 = 0
    package var tls: Int64 = 0
    package var firstByte: Int64 = 0
    package var total: Int64 = 0
    package init() {}
  }

  package init(
    delivery: Int64, started: Instant, outcome: AttemptOutcome, status: Int = 0, retryAfterMilliseconds: Int64? = nil,
    isPermanent: Bool = false, message: String = "", address: String = "", timings: Timings = Timings(),
    response: [UInt8] = []
  ) {
    self.delivery = delivery
    self.started = started
    self.outcome = outcome
    self.status = status
    self.retryAfterMilliseconds = retryAfterMilliseconds
    self.isPermanent = isPermanent
    self.message = message
    self.address = address
    self.timings = timings
    self.response = response
  }

  func attempt(number: Int, settlement: Settlement) -> Attempt {
    var attempt = Attempt(
      delivery: delivery, attempt: number, started: started, outcome: outcome, status: status, settlement: settlement,
      message: message, address: address, dnsMicroseconds: timings.dns, connectMicroseconds: timings.connect,
      tlsMicroseconds: timings.tls, firstByteMicroseconds: timings.firstByte, totalMicroseconds: timings.total,
      response: response)
    attempt.replyHeaders = replyHeaders
    return attempt
  }
}
