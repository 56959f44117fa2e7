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
/// A range `start..<end` has a check of the compiler where `end` is unknown; this has none.
@inlinable @inline(__always)
package func below(_ end: Int, from start: Int = 0) -> Below { Below(next: start, end: end) }

/// Counting upwards, see `below`.
@frozen @usableFromInline
package struct Below: Sequence, IteratorProtocol {
  @usableFromInline var following: Int
  @usableFromInline let end: Int

  @inlinable @inline(__always)
  package init(next: Int, end: Int) {
    following = next
    self.end = end
  }

  @inlinable @inline(__always)
  package mutating func next() -> Int? {
    guard following < end else { return nil }
    // Below `end`: one more does not wrap.
    defer { following &+= 1 }
    return following
  }
}
