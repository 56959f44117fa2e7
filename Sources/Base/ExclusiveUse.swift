// Objects that one call at a time may use: sessions and samplers. A second call is BUSY, and an
// object on which a call failed half-way is refused for good.
import Synchronization

/// Whether a call runs on an object that takes one at a time, and whether it can still be used.
package final class ExclusiveUse: Sendable {
  private enum State {
    static let free: UInt8 = 0
    static let taken: UInt8 = 1
    /// A call on it met a failure (Recovery.swift).
    static let broken: UInt8 = 2
  }

  private let state = Atomic<UInt8>(State.free)
  /// The object's name in errors.
  private let name: StaticString

  package init(_ name: StaticString) { self.name = name }

  /// Takes the object; BUSY when a call has it, INTERNAL when a call on it failed half-way.
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

  /// Marks the object as broken: no call gets it any more.
  package func breakDown() { state.store(State.broken, ordering: .releasing) }

  /// Takes the object for good, broken or not; false when a call has it.
  package func close() -> Bool {
    state.exchange(State.taken, ordering: .acquiring) != State.taken
  }

  /// Runs `body` while nobody else can; a failure breaks the object.
  package func hold(
    _ body: () throws(EngineError) -> Void
  ) throws(EngineError) {
    try begin()
    defer { end() }
    try recovering(body) { _ in breakDown() }
  }
}
