// A lock of one word, held for a few instructions. The standard library's Mutex is not there in
// Embedded Swift, and a mutex of the C library differs from system to system.
import Platform
import Synchronization

/// A value that one thread at a time may use.
///
/// Without contention it is two atomic operations. A thread that waits sleeps in the kernel.
@safe package final class Lock<Value>: @unchecked Sendable {
  /// The states of the word.
  private enum State {
    static var free: UInt32 { 0 }
    static var held: UInt32 { 1 }
    /// Held, and others sleep until it is free.
    static var awaited: UInt32 { 2 }
  }

  private let word = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
  private var value: Value

  package init(_ value: Value) {
    unsafe word.initialize(to: Atomic(State.free))
    self.value = value
  }

  deinit {
    unsafe word.deinitialize(count: 1)
    unsafe word.deallocate()
  }

  /// Runs `body` while no other thread has the value.
  ///
  /// Not for a thread that has it already. A check that fails in `body` leaves it taken.
  package func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    take()
    defer { giveBack() }
    return body(&value)
  }

  private func take() {
    if unsafe word.pointee.compareExchange(
      expected: State.free, desired: State.held, ordering: .acquiring
    ).exchanged {
      return
    }
    // A thread that has waited cannot know whether others still do.
    while unsafe word.pointee.exchange(State.awaited, ordering: .acquiring) != State.free {
      unsafe platform_futex_wait(word, State.awaited)
    }
  }

  private func giveBack() {
    if unsafe word.pointee.exchange(State.free, ordering: .releasing) == State.awaited {
      unsafe platform_futex_wake(word, 1)
    }
  }
}
