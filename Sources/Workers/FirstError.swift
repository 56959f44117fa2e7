// The error of work that threads share.
import Base
import Synchronization

/// The first error of units that several threads run; those that come after it are left out.
package final class FirstError: Sendable {
  private let isKept = Atomic<Bool>(false)
  private let error = Lock<EngineError?>(nil)

  package init() {}

  /// Runs a unit and keeps what it throws; nothing when an earlier one threw.
  package func attempt(_ unit: () throws(EngineError) -> Void) {
    guard !isKept.load(ordering: .relaxed) else { return }
    do throws(EngineError) { try unit() } catch {
      isKept.store(true, ordering: .relaxed)
      self.error.withLock { if $0 == nil { $0 = error } }
    }
  }

  /// Throws the error that was kept, if one was.
  package func check() throws(EngineError) {
    if let error = error.withLock({ $0 }) { throw error }
  }
}
