// How connections begin and end.
//
// Thread: intake. Promise: the limits hold for every listener but leave room for the administrator;
// who is turned away is told why where that can be done without waiting.

internal import Basics
internal import CPlatform
internal import Glibc

extension ConnectionLoop {
  func accept(_ index: Int) {
    guard acceptPausedUntil == nil, index < listeners.count else { return }
    let listener = listeners[index]
    // A bound, so that a flood of connections does not keep the requests waiting.
    for _ in 0..<64 {
      var address = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let descriptor = platform_accept(listener.descriptor, &address, &length)
      if descriptor < 0 {
        if errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS { pauseAccepting() }
        if errno == EINTR || errno == ECONNABORTED { continue }
        return
      }
      lacksDescriptors = false
      admit(descriptor, Peer(address, descriptor: descriptor), listener.kind)
    }
  }

  private func pauseAccepting() {
    // Once an episode: it is tried again ten times a second.
    if !lacksDescriptors {
      log.warning("no descriptors left for new connections; they wait", ["open": "\(openPublic + openAdmin)"])
    }
    lacksDescriptors = true
    for listener in listeners { platform_epoll_remove(epoll, listener.descriptor) }
    acceptPausedUntil = now + 100
  }

  private func admit(_ descriptor: Int32, _ peer: Peer, _ kind: ListenerKind) {
    if let reason = reasonAgainst(peer, kind) { return turnAway(descriptor, reason) }
    let connection: Connection
    if let slot = freeSlots.popLast() {
      connection = connections[slot]
    } else {
      connection = Connection(slot: connections.count, limits: limits)
      connections.append(connection)
    }
    connection.open(descriptor, peer, kind, ring: ring)
    connection.interest = PLATFORM_READABLE.rawValue
    guard platform_epoll_add(epoll, descriptor, connection.interest, connection.tag) == 0 else {
      connection.clear()
      freeSlots.append(connection.slot)
      return turnAway(descriptor, .tooManyConnections)
    }
    if kind == .public { openPublic += 1 } else { openAdmin += 1 }
    if let counted = peer.countedAs { perAddress[counted, default: 0] += 1 }
    values.accepted += 1
    values.open = openPublic + openAdmin
    reading.set(connection.slot, .idle, at: now + limits.idleMilliseconds)
  }

  private func reasonAgainst(_ peer: Peer, _ kind: ListenerKind) -> Refusal? {
    if kind == .public, openPublic >= limits.connections { return .tooManyConnections }
    if openPublic + openAdmin >= limits.connections + limits.adminConnections { return .tooManyConnections }
    if let counted = peer.countedAs, perAddress[counted, default: 0] >= limits.connectionsPerAddress {
      return .tooManyFromAddress
    }
    return nil
  }

  /// There is no slot to wait in, so the answer is sent at once; what has already come in is read
  /// away, because closing over unread bytes would take the answer back.
  private func turnAway(_ descriptor: Int32, _ reason: Refusal) {
    values.refusedConnections += 1
    var reply = ByteBuffer()
    ConnectionLoop.write(reason.answer, to: &reply, withoutBody: false, connection: .close)
    _ = send(descriptor, reply.first, reply.count, Int32(MSG_NOSIGNAL))
    shutdown(descriptor, Int32(SHUT_WR))
    _ = recv(descriptor, scratch, ConnectionLoop.scratchBytes, 0)
    Glibc.close(descriptor)
  }

  func close(_ connection: Connection) {
    guard connection.isOpen else { return }
    Glibc.close(connection.descriptor)
    connection.stream?.abandon()
    for waiting in connection.due {
      if case .stream(let stream) = waiting.reply { stream.abandon() }
    }
    if connection.listener == .public { openPublic -= 1 } else { openAdmin -= 1 }
    if let counted = connection.peer.countedAs, let count = perAddress[counted] {
      perAddress[counted] = count > 1 ? count - 1 : nil
    }
    values.open = openPublic + openAdmin
    reading.clear(connection.slot)
    writing.clear(connection.slot)
    heldBytes -= connection.input.capacity
    connection.clear()
    freeSlots.append(connection.slot)
  }

  /// The end after the last answer. Bytes that were sent and never read would make the kernel answer
  /// with a reset, which may overtake the answer; so they are read away for a while.
  func finish(_ connection: Connection) {
    guard connection.needsLinger, !connection.peerFinished else { return close(connection) }
    shutdown(connection.descriptor, Int32(SHUT_WR))
    connection.isLingering = true
    heldBytes -= connection.input.capacity
    connection.input.release(above: 0)
    reading.set(connection.slot, .linger, at: now + limits.lingerMilliseconds)
    setInterest(connection, PLATFORM_READABLE.rawValue)
  }

  func setInterest(_ connection: Connection, _ wanted: UInt32) {
    guard wanted != connection.interest else { return }
    connection.interest = wanted
    platform_epoll_change(epoll, connection.descriptor, wanted, connection.tag)
  }
}
