// Reading by an index that may be wrong, as an error that is thrown where Swift's own subscripts
// would end the call (Sources/Platform/recovery.c). Inlined into every room: what a bound proves
// costs nothing.

extension Array {
  /// The element; `internal` where there is none.
  @inlinable @inline(__always)
  package func at(_ index: Int) throws(EngineError) -> Element {
    // The array's own subscript would read its count once more and compare again.
    try unsafe withUnsafeBufferPointer { elements throws(EngineError) in
      try unsafe elements.at(index)
    }
  }
}

/// `start..<end`; `internal` where it ends before it begins.
@inlinable @inline(__always)
package func checkedRange(_ start: Int, _ end: Int) throws(EngineError) -> Range<Int> {
  guard start <= end else { throw indexFault(start, end) }
  return start..<end
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

/// The integers from `start`, by default 0, up to but not `end`; none where `end` is not beyond.
///
/// A range `start..<end` has checks of the compiler where `end` is unknown; this has none.
@inlinable @inline(__always)
package func below<Bound: FixedWidthInteger>(_ end: Bound, from start: Bound = 0) -> Below<Bound> {
  Below(start, end)
}

/// Counting upwards, see `below`.
@frozen @usableFromInline
package struct Below<Bound: FixedWidthInteger>: Sequence, IteratorProtocol {
  @usableFromInline var following: Bound
  @usableFromInline let end: Bound

  @inlinable @inline(__always)
  init(_ start: Bound, _ end: Bound) {
    following = start
    self.end = end
  }

  @inlinable @inline(__always)
  package mutating func next() -> Bound? {
    guard following < end else { return nil }
    // Below `end`: one more does not wrap.
    defer { following &+= 1 }
    return following
  }
}
