// A value that one thread at a time may touch.
//
// Thread: any. Promise: `withLock` runs alone; who waits sleeps in the kernel. It stands on the lock of the
// C library, not on the one of Swift's Synchronization: ThreadSanitizer knows the former, and sees races
// where there are none as soon as somebody had to wait for the latter.

package import Glibc

package final class Guarded<Value>: @unchecked Sendable {
  @usableFromInline let lock: UnsafeMutablePointer<pthread_mutex_t>
  @usableFromInline let value: UnsafeMutablePointer<Value>

  package init(_ initial: sending Value) {
    lock = .allocate(capacity: 1)
    value = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    value.initialize(to: initial)
  }

  deinit {
    value.deinitialize(count: 1)
    value.deallocate()
    pthread_mutex_destroy(lock)
    lock.deallocate()
  }

  /// Must not be called again from within `body`: the lock is not one that its holder may take twice.
  @inlinable
  package func withLock<Result, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return try body(&value.pointee)
  }
}
