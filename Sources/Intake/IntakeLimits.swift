// The limits of the door as one value, so that a test can shorten a deadline without touching the
// house's numbers, which stand in Model's limits file.
//
// Thread: a value. Promise: the defaults are exactly the numbers of the limits file.

internal import Model

package struct IntakeLimits: Sendable {
  package var headBytes = Limits.requestHeadBytes
  package var headers = Limits.requestHeaders
  package var targetBytes = Limits.requestTargetBytes
  package var connections = Limits.connections
  package var adminConnections = Limits.adminConnections
  package var connectionsPerAddress = Limits.connectionsPerAddress
  package var pipelinedRequests = Limits.pipelinedRequests
  package var heldBytes = Limits.heldRequestBytes
  package var waitingOutputBytes = Limits.waitingOutputBytes
  package var headMilliseconds = Limits.headDeadlineMilliseconds
  package var bodyMilliseconds = Limits.bodyDeadlineMilliseconds
  package var idleMilliseconds = Limits.idleDeadlineMilliseconds
  package var writeMilliseconds = Limits.writeDeadlineMilliseconds
  package var lingerMilliseconds = Limits.lingerDeadlineMilliseconds

  package init() {}
}
