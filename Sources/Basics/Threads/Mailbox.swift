// The bounded queue between two threads: senders add items, the one receiver takes all that are there
// at once. The swap of whole batches is what makes a hand-over cost tens of nanoseconds per item.
//
// Thread: `send` from any thread, `receive` from one. Promise: order per sender is kept, nothing is
// dropped silently: a full mailbox says so and the sender decides (at the door that is a 429).

internal import Glibc
internal import Synchronization

package final class Mailbox<Item>: @unchecked Sendable {
  private let capacity: Int
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let arrived: UnsafeMutablePointer<pthread_cond_t>
  private var items: [Item] = []
  private var closed = false
  private var waiting = false
  /// Signalled when an item arrives, for receivers that sit in epoll instead of `receive`.
  private let wakeUp: WakeUp?

  package init(capacity: Int, wakeUp: WakeUp? = nil) {
    self.capacity = capacity
    self.wakeUp = wakeUp
    lock = .allocate(capacity: 1)
    arrived = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(arrived, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(arrived)
    pthread_mutex_destroy(lock)
    lock.deallocate()
    arrived.deallocate()
  }

  /// False when the mailbox is full or closed; then the item was not taken.
  @discardableResult
  package func send(_ item: sending Item) -> Bool {
    pthread_mutex_lock(lock)
    guard !closed, items.count < capacity else {
      pthread_mutex_unlock(lock)
      return false
    }
    items.append(item)
    finishSending(wasEmpty: items.count == 1)
    return true
  }

  /// Takes all or none. A batch larger than the capacity is taken when the mailbox is empty.
  @discardableResult
  package func send(all batch: sending [Item]) -> Bool {
    if batch.isEmpty { return true }
    pthread_mutex_lock(lock)
    guard !closed, items.isEmpty || items.count + batch.count <= capacity else {
      pthread_mutex_unlock(lock)
      return false
    }
    let wasEmpty = items.isEmpty
    if wasEmpty { items = batch } else { items.append(contentsOf: batch) }
    finishSending(wasEmpty: wasEmpty)
    return true
  }

  /// For what must arrive (results, answers, stop): ignores the capacity, refuses only when closed.
  @discardableResult
  package func sendAlways(_ item: sending Item) -> Bool {
    pthread_mutex_lock(lock)
    guard !closed else {
      pthread_mutex_unlock(lock)
      return false
    }
    items.append(item)
    finishSending(wasEmpty: items.count == 1)
    return true
  }

  private func finishSending(wasEmpty: Bool) {
    let wake = waiting
    pthread_mutex_unlock(lock)
    if wake { pthread_cond_signal(arrived) }
    if wasEmpty { wakeUp?.signal() }
  }

  /// How full it is, for back-pressure and metrics.
  package var count: Int {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return items.count
  }

  /// Takes everything there is without waiting; empty when there is nothing.
  package func takeAll() -> [Item] {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    var taken: [Item] = []
    swap(&taken, &items)
    return taken
  }

  /// Waits until something is there, the mailbox is closed, or the time is over. Nil means closed and
  /// empty: the receiver ends.
  package func receive(timeoutMilliseconds: Int64? = nil) -> [Item]? {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    var deadline = timespec()
    if let timeoutMilliseconds {
      clock_gettime(CLOCK_MONOTONIC, &deadline)
      deadline.tv_sec += Int(timeoutMilliseconds / 1000)
      deadline.tv_nsec += Int(timeoutMilliseconds % 1000) * 1_000_000
      if deadline.tv_nsec >= 1_000_000_000 {
        deadline.tv_nsec -= 1_000_000_000
        deadline.tv_sec += 1
      }
    }
    while items.isEmpty {
      if closed { return nil }
      waiting = true
      let code =
        timeoutMilliseconds == nil ? pthread_cond_wait(arrived, lock) : pthread_cond_timedwait(arrived, lock, &deadline)
      waiting = false
      if code == ETIMEDOUT { break }
    }
    var taken: [Item] = []
    swap(&taken, &items)
    return taken
  }

  /// No more items are accepted; what is inside can still be taken.
  package func close() {
    pthread_mutex_lock(lock)
    closed = true
    pthread_mutex_unlock(lock)
    pthread_cond_broadcast(arrived)
    wakeUp?.signal()
  }
}
