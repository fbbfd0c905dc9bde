// Named threads for blocking C, and how they start and stop.
//
// Contract: `start` returns once the thread runs. The body runs on the new thread alone and owns the
// C handles it opens there. Stopping is the owner's affair: it tells the loop through its mailbox and
// then calls `join`, which returns when the body has returned; `join` may be called once, by one thread.
// Stack: 8 MiB unless a test wants less, address space only, because the deepest error message of a rule
// needs it.

internal import CPlatform
internal import Glibc

package final class Worker: @unchecked Sendable {
  package let name: String
  private var thread = pthread_t()

  private final class Start {
    let name: String
    let body: () -> Void
    init(name: String, body: @escaping () -> Void) {
      self.name = name
      self.body = body
    }
  }

  private init(name: String) { self.name = name }

  package static func start(_ name: String, stackBytes: Int = 8 << 20, _ body: @escaping @Sendable () -> Void) -> Worker
  {
    let worker = Worker(name: name)
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, stackBytes)
    defer { pthread_attr_destroy(&attributes) }
    let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
      let start = Unmanaged<Start>.fromOpaque(context!).takeRetainedValue()
      platform_name_thread(start.name)
      start.body()
      return nil
    }
    let code = pthread_create(&worker.thread, &attributes, entry, start.toOpaque())
    // Without its threads the daemon cannot do anything at all; the limit is the machine's.
    precondition(code == 0, "cannot start the thread \(name): error \(code)")
    return worker
  }

  package func join() { pthread_join(thread, nil) }
}

/// A wake-up that an epoll loop can wait for. Signalling is cheap and may happen from any thread.
package final class WakeUp: Sendable {
  package let descriptor: Int32

  package init() {
    descriptor = platform_eventfd()
    precondition(descriptor >= 0, "no file descriptor left for a wake-up; raise the limit (ulimit -n)")
  }

  deinit { close(descriptor) }

  package func signal() { platform_eventfd_signal(descriptor) }
  package func drain() { platform_eventfd_drain(descriptor) }
}
