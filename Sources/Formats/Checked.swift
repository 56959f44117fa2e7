// Reading by an index that may be wrong, as an error that is thrown where Swift's own subscripts
// would end the call (Sources/Platform/landing.c). Inlined into every room: what a bound proves
// costs nothing.

extension Array {
  /// The element; `internal` where there is none.
  @inlinable @inline(__always)
  package func at(_ index: Int) throws(EngineError) -> Element {
    guard index >= 0, index < count else { throw indexFault(index, count) }
    return self[index]
  }
}

extension UnsafeBufferPointer {
  /// The element; `internal` where there is none.
  @inlinable @inline(__always)
  package func at(_ index: Int) throws(EngineError) -> Element {
    guard index >= 0, index < count else { throw indexFault(index, count) }
    // SAFETY: checked in the line above.
    return unsafe self[index]
  }
}
