// The Swift side of Sources/Platform/landing.c: a trap and a refused allocation end the work that
// was begun here, not the process.
import Formats
import Platform
import Synchronization

/// Runs `body`; 0, or what it fell for.
///
/// No header can name a Swift closure, so it is declared here.
@_silgen_name("platform_land")
private func platformLand(_ body: () -> Void) -> Int32

/// Why work ended before its end.
package enum Fall: Int32, Sendable {
  case trap = 1
  case memory = 2

  package var error: EngineError {
    switch self {
    case .trap:
      EngineError(
        .internal,
        "a check inside the library failed, which is a fault of the library; free what was in use")
    case .memory:
      EngineError(.outOfMemory, "the system refused memory, and the reserve is used up")
    }
  }
}

/// Runs `body`; why it ended early, nil when it did not.
///
/// After a fall everything that `body` owned is lost, and what it changed may be half done.
package func fall(in body: () -> Void) -> Fall? { Fall(rawValue: platformLand(body)) }

/// Runs `body`; a fall is marked by `mark` and thrown.
package func land(
  _ body: () throws(EngineError) -> Void, mark: (Fall) -> Void = { _ in }
) throws(EngineError) {
  var thrown: EngineError?
  let end = fall {
    do throws(EngineError) { try body() } catch { thrown = error }
  }
  if let fall = end {
    mark(fall)
    throw fall.error
  }
  if let thrown { throw thrown }
}

/// Whether a call runs on an object that takes one at a time, and whether it can still be used.
package final class Occupancy: Sendable {
  private enum State {
    static let free: UInt8 = 0
    static let taken: UInt8 = 1
    /// A call on it fell.
    static let broken: UInt8 = 2
  }

  private let state = Atomic<UInt8>(State.free)
  /// What the object is called in errors.
  private let name: StaticString

  package init(_ name: StaticString) { self.name = name }

  /// Takes the object; BUSY when a call has it, INTERNAL when a call on it fell.
  package func begin() throws(EngineError) {
    let found = state.compareExchange(
      expected: State.free, desired: State.taken, ordering: .acquiring
    ).original
    switch found {
    case State.free: return
    case State.taken: throw EngineError(.busy, "another call runs on this \(name)")
    default:
      throw EngineError(
        .internal, "an earlier call on this \(name) met a fault of the library; free it")
    }
  }

  /// Gives back what `begin` took.
  package func end() {
    _ = state.compareExchange(
      expected: State.taken, desired: State.free, ordering: .releasing)
  }

  /// Nobody takes the object any more.
  package func breakDown() { state.store(State.broken, ordering: .releasing) }

  /// Takes the object for good, broken or not; false when a call has it.
  package func close() -> Bool {
    state.exchange(State.taken, ordering: .acquiring) != State.taken
  }

  /// Runs `body` while nobody else can; a fall breaks the object.
  package func hold(
    _ body: () throws(EngineError) -> Void
  ) throws(EngineError) {
    try begin()
    defer { end() }
    try land(body) { _ in breakDown() }
  }
}
