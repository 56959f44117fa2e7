// A window of merging: pieces in a linked list, pairs of neighbours in a heap. Every merge takes
// a piece away and adds at most two pairs, so n pieces make fewer than 3 n pairs, whatever the
// text.
import Base
import Formats

/// A piece of a window.
struct MergeSymbol: BitwiseCopyable {
  var start: Int32
  /// Bytes; 0 once it was merged into its left neighbour.
  var length: Int32
  var previous: Int32
  var next: Int32
  var id: Int32
  var unusedMerge: Int32

  var piece: MergedPiece {
    MergedPiece(start: start, length: length, id: id, unusedMerge: unusedMerge)
  }
}

/// A pair of neighbours that may be merged.
struct MergeCandidate: BitwiseCopyable {
  /// Priority in the upper half, index of the left symbol in the lower: the least is merged first.
  let order: UInt64
  /// Bytes of both; a pair that has changed since has other lengths.
  let length: Int32
  /// The piece that it becomes.
  let id: Int32
}

/// The pieces of one window and the pairs among them.
struct MergeHeap {
  private(set) var symbols = Growable<MergeSymbol>()
  private var heap = Growable<MergeCandidate>()

  /// Merges the pieces that begin in `text[start..<until]`, and says where the last of them ends,
  /// at most at `end`.
  mutating func merge(
    _ text: borrowing Growable<UInt8>, _ start: Int, until: Int, end: Int,
    _ rule: borrowing some MergeRule, _ unusedMerges: inout Growable<UnusedMerge>,
    _ work: inout MergeWork
  ) throws(EngineError) -> Int {
    symbols.shorten(to: 0)
    heap.shorten(to: 0)
    var position = start
    while position < until {
      let first = try rule.first(text, at: position, end: end)
      try append(start: position, length: first.length, id: first.id)
      position &+= first.length
    }
    work.add(symbols: symbols.count)
    for index in below(symbols.count &- 1) { try consider(index, rule, text, &work) }
    while let candidate = try pop(&work) {
      try apply(candidate, rule, text, &unusedMerges, &work)
    }
    return position
  }

  /// Appends the pieces that are left, from the symbol at `first` on.
  func appendPieces(
    from first: Int, to pieces: inout Growable<MergedPiece>
  ) throws(EngineError) {
    var index = first
    while index >= 0, index < symbols.count {
      let symbol = try symbols.at(index)
      try pieces.append(symbol.piece)
      index = Int(symbol.next)
    }
  }

  private mutating func append(start: Int, length: Int, id: Int32) throws(EngineError) {
    let index = symbols.count
    if index > 0 {
      var last = try symbols.at(index &- 1)
      last.next = Int32(truncatingIfNeeded: index)
      try symbols.put(last, at: index &- 1)
    }
    try symbols.append(
      MergeSymbol(
        start: Int32(truncatingIfNeeded: start), length: Int32(truncatingIfNeeded: length),
        previous: Int32(truncatingIfNeeded: index &- 1), next: -1, id: id, unusedMerge: -1))
  }

  /// Merges a pair, unless one of the two has changed since it became a candidate.
  private mutating func apply(
    _ candidate: MergeCandidate, _ rule: borrowing some MergeRule,
    _ text: borrowing Growable<UInt8>, _ unusedMerges: inout Growable<UnusedMerge>,
    _ work: inout MergeWork
  ) throws(EngineError) {
    let left = Int(truncatingIfNeeded: candidate.order & 0xFFFF_FFFF)
    var symbol = try symbols.at(left)
    guard symbol.length > 0, symbol.next >= 0 else { return }
    var right = try symbols.at(Int(symbol.next))
    // Lengths only grow, so an equal sum means that neither has changed.
    guard symbol.length &+ right.length == candidate.length else { return }
    var unusedMerge: Int32 = -1
    if try rule.isUnused(candidate.id) {
      unusedMerge = Int32(truncatingIfNeeded: unusedMerges.count)
      try unusedMerges.append(UnusedMerge(left: symbol.piece, right: right.piece))
    }
    right.length = 0
    try symbols.put(right, at: Int(symbol.next))
    symbol.unusedMerge = unusedMerge
    symbol.length = candidate.length
    symbol.id = candidate.id
    symbol.next = right.next
    try symbols.put(symbol, at: left)
    if symbol.next >= 0 {
      var next = try symbols.at(Int(symbol.next))
      next.previous = Int32(truncatingIfNeeded: left)
      try symbols.put(next, at: Int(symbol.next))
      try consider(left, rule, text, &work)
    }
    if symbol.previous >= 0 { try consider(Int(symbol.previous), rule, text, &work) }
  }

  /// Makes a candidate of the symbol at `left` and the next one, if they may merge.
  private mutating func consider(
    _ left: Int, _ rule: borrowing some MergeRule, _ text: borrowing Growable<UInt8>,
    _ work: inout MergeWork
  ) throws(EngineError) {
    let symbol = try symbols.at(left)
    let right = try symbols.at(Int(symbol.next))
    let length = symbol.length &+ right.length
    work.add(lookups: 1)
    guard
      let product = try rule.merge(
        symbol.id, right.id, text, start: Int(symbol.start), length: Int(length))
    else { return }
    try heap.append(
      MergeCandidate(
        order: UInt64(product.priority) << 32 | UInt64(UInt32(truncatingIfNeeded: left)),
        length: length, id: product.id))
    var comparisons = 0
    try heap.siftUp(heap.count &- 1) { a, b in
      comparisons &+= 1
      return a.order < b.order
    }
    work.add(comparisons: comparisons)
  }

  private mutating func pop(_ work: inout MergeWork) throws(EngineError) -> MergeCandidate? {
    guard let last = heap.removeLast() else { return nil }
    guard heap.count > 0 else { return last }
    let top = try heap.at(0)
    try heap.put(last, at: 0)
    var comparisons = 0
    try heap.siftDown(0, heap.count) { a, b in
      comparisons &+= 1
      return a.order < b.order
    }
    work.add(comparisons: comparisons)
    return top
  }
}
