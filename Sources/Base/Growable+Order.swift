// The elements of a Growable as a whole: heaps, and sorting by one. Nothing here
// allocates, and a loop's own bound is all that is checked where it proves an index.

extension Growable {
  /// Replaces every element by what `body` makes of its index and itself.
  @inlinable @inline(__always)
  package mutating func replaceEach(
    _ body: (Int, Element) throws(EngineError) -> Element
  ) throws(EngineError) {
    try reserve(count)
    guard let base = unsafe base else { return }
    for index in below(count) {
      // SAFETY: the loop's bound; `reserve` made the memory ours alone.
      unsafe base[index] = try body(index, base[index])
    }
  }

  /// Swaps two elements; `internal` where there is none.
  @inlinable @inline(__always)
  package mutating func exchange(_ first: Int, _ second: Int) throws(EngineError) {
    let kept = try at(first)
    try put(try at(second), at: first)
    try put(kept, at: second)
  }

  /// Lets the element at `start` sink to its place in the heap of the first `end` elements, which
  /// has what is `before` all others at index 0.
  @inlinable @inline(__always)
  package mutating func siftDown(
    _ start: Int, _ end: Int, _ before: (Element, Element) throws(EngineError) -> Bool
  ) throws(EngineError) {
    guard start >= 0, start < end else { return }
    let sinking = try at(start)
    var hole = start
    while true {
      // An index of an array of elements is far below half of what an Int holds.
      var child = hole &* 2 &+ 1
      guard child < end else { break }
      if child &+ 1 < end, try before(try at(child &+ 1), try at(child)) { child &+= 1 }
      guard try before(try at(child), sinking) else { break }
      try put(try at(child), at: hole)
      hole = child
    }
    try put(sinking, at: hole)
  }

  /// Lets the element at `start` rise to its place in the heap of the elements up to it.
  @inlinable @inline(__always)
  package mutating func siftUp(
    _ start: Int, _ before: (Element, Element) throws(EngineError) -> Bool
  ) throws(EngineError) {
    guard start > 0, start < count else { return }
    let rising = try at(start)
    var hole = start
    while hole > 0 {
      let parent = (hole - 1) / 2
      guard try before(rising, try at(parent)) else { break }
      try put(try at(parent), at: hole)
      hole = parent
    }
    try put(rising, at: hole)
  }

  /// Makes a heap of the first `end` elements.
  @inlinable @inline(__always)
  package mutating func makeHeap(
    _ end: Int, _ before: (Element, Element) throws(EngineError) -> Bool
  ) throws(EngineError) {
    var start = end / 2
    while start > 0 {
      start &-= 1
      try siftDown(start, end, before)
    }
  }

  /// Sorts the first `end` elements in place, what is `before` first.
  ///
  /// Equal elements end up in any order; nothing is allocated.
  @inlinable @inline(__always)
  package mutating func heapSort(
    _ end: Int, _ before: (Element, Element) throws(EngineError) -> Bool
  ) throws(EngineError) {
    let after = { (a: Element, b: Element) throws(EngineError) in try before(b, a) }
    try makeHeap(end, after)
    var end = end
    while end > 1 {
      end &-= 1
      try exchange(0, end)
      try siftDown(0, end, after)
    }
  }
}
