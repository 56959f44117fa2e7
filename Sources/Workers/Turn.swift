// Whose pass it is: sessions of one model step in the order in which they came.
import Platform
import Synchronization

/// A lock that threads get in the order in which they came: a ticket each.
///
/// Without contention it is two atomic additions.
package final class Turn: @unchecked Sendable {
  private let next = Atomic<UInt32>(0)
  /// The ticket whose turn it is; what the others sleep on.
  private let serving = UnsafeMutablePointer<UInt32>.allocate(capacity: 16)
  private let sleepers = Atomic<Int>(0)

  package init() { serving.initialize(repeating: 0, count: 16) }

  deinit { serving.deallocate() }

  private var word: UnsafeMutablePointer<Atomic<UInt32>> {
    UnsafeMutableRawPointer(serving).assumingMemoryBound(to: Atomic<UInt32>.self)
  }

  package func wait() {
    let ticket = next.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue
    var now = word.pointee.load(ordering: .acquiring)
    while now != ticket {
      sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
      platform_futex_wait(serving, now)
      sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
      now = word.pointee.load(ordering: .acquiring)
    }
  }

  package func done() {
    word.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
      platform_futex_wake(serving, Int32.max)
    }
  }
}
