// Faults of the library inside a pass. Code that meets an impossible state raises one and goes on;
// the step then says INTERNAL instead of a wrong result.
import Synchronization

/// An impossible state that a pass met.
package enum PassFault: UInt8, Sendable {
  /// A row names a page that its session does not hold.
  case missingPage = 1
  /// More products were queued than the queue was made for.
  case fullQueue = 2

  package var text: String {
    switch self {
    case .missingPage: "a page of the cache is missing"
    case .fullQueue: "more products are queued than there is room for"
    }
  }
}

/// The first fault since it was last taken, raised by any thread.
final class FaultFlag: Sendable {
  private let first = Atomic<UInt8>(0)

  func raise(_ fault: PassFault) {
    _ = first.compareExchange(expected: 0, desired: fault.rawValue, ordering: .relaxed)
  }

  func take() -> PassFault? {
    guard first.load(ordering: .relaxed) != 0 else { return nil }
    return PassFault(rawValue: first.exchange(0, ordering: .relaxed))
  }
}
