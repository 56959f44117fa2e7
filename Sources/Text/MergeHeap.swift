// The merging of byte pair encoding, shared by both tokenizers: symbols in a linked list, candidate
// pairs in a binary heap. Every merge removes a symbol and adds at most two candidates, so n
// symbols make fewer than 3 n pushes and O(n log n) moves, whatever the text.
import Base

/// A stretch of text that is one piece so far.
struct MergeSymbol: BitwiseCopyable {
  var start: Int32
  /// Bytes; 0 once it was merged into its left neighbour.
  var length: Int32
  var previous: Int32
  var next: Int32
  /// The piece it is, where that is known already; -1.
  var id: Int32
  /// Index of the merge that made it when the product is an unused piece; -1.
  var unusedMerge: Int32
}

/// A merge whose product may not stay: how to take it apart again.
struct UnusedMerge: BitwiseCopyable {
  let left: MergeSymbol
  let right: MergeSymbol
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

/// Says which neighbours may be merged.
protocol MergeRule {
  /// The product of `left` and `right` and its priority, the lowest of which is merged first.
  func merge(
    _ left: MergeSymbol, _ right: MergeSymbol, in text: borrowing Growable<UInt8>
  ) throws(EngineError) -> (id: Int32, priority: UInt32)?

  /// Whether the piece must not stay in the result.
  func isUnused(_ id: Int32) throws(EngineError) -> Bool
}

/// How much a run of merging did; tests hold it against n log n.
package struct MergeWork: Sendable {
  package var symbols = 0
  package var pushes = 0
  /// Steps up and down the heap.
  package var moves = 0

  package init() {}
}

/// The symbols of one stretch of text and the candidates among them.
struct MergeRun: ~Copyable {
  private(set) var symbols = Growable<MergeSymbol>()
  private(set) var unusedMerges = Growable<UnusedMerge>()
  private var heap = Growable<MergeCandidate>()
  private(set) var work = MergeWork()

  mutating func removeAll() {
    symbols.shorten(to: 0)
    unusedMerges.shorten(to: 0)
    heap.shorten(to: 0)
  }

  /// Adds a symbol at the end.
  mutating func append(start: Int, length: Int, id: Int32) throws(EngineError) {
    let index = Int32(truncatingIfNeeded: symbols.count)
    if index > 0 {
      var last = try symbols.at(symbols.count &- 1)
      last.next = index
      try symbols.put(last, at: symbols.count &- 1)
    }
    try symbols.append(
      MergeSymbol(
        start: Int32(truncatingIfNeeded: start), length: Int32(truncatingIfNeeded: length),
        previous: index &- 1, next: -1, id: id, unusedMerge: -1))
    work.symbols &+= 1
  }

  /// Merges until no pair is left that `rule` allows.
  mutating func merge(
    _ rule: some MergeRule, in text: borrowing Growable<UInt8>
  ) throws(EngineError) {
    guard symbols.count > 1 else { return }
    var first = 0
    while first < symbols.count &- 1 {
      try consider(first, rule, in: text)
      first &+= 1
    }
    while let candidate = try pop() {
      let left = Int(truncatingIfNeeded: candidate.order & 0xFFFF_FFFF)
      var symbol = try symbols.at(left)
      guard symbol.length > 0, symbol.next >= 0 else { continue }
      var right = try symbols.at(Int(symbol.next))
      // Lengths only grow, so an equal sum means that neither has changed since the push.
      guard symbol.length &+ right.length == candidate.length else { continue }
      var unusedMerge: Int32 = -1
      if try rule.isUnused(candidate.id) {
        unusedMerge = Int32(truncatingIfNeeded: unusedMerges.count)
        try unusedMerges.append(UnusedMerge(left: symbol, right: right))
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
        try consider(left, rule, in: text)
      }
      if symbol.previous >= 0 { try consider(Int(symbol.previous), rule, in: text) }
    }
  }

  private mutating func consider(
    _ left: Int, _ rule: some MergeRule, in text: borrowing Growable<UInt8>
  ) throws(EngineError) {
    let symbol = try symbols.at(left)
    let right = try symbols.at(Int(symbol.next))
    guard let product = try rule.merge(symbol, right, in: text) else { return }
    try push(
      MergeCandidate(
        order: UInt64(product.priority) << 32 | UInt64(UInt32(truncatingIfNeeded: left)),
        length: symbol.length &+ right.length, id: product.id))
  }

  private mutating func push(_ candidate: MergeCandidate) throws(EngineError) {
    work.pushes &+= 1
    var place = heap.count
    try heap.append(candidate)
    while place > 0 {
      let parent = (place &- 1) / 2
      let above = try heap.at(parent)
      guard candidate.order < above.order else { break }
      try heap.put(above, at: place)
      place = parent
      work.moves &+= 1
    }
    try heap.put(candidate, at: place)
  }

  private mutating func pop() throws(EngineError) -> MergeCandidate? {
    guard let last = heap.removeLast() else { return nil }
    guard heap.count > 0 else { return last }
    let top = try heap.at(0)
    var place = 0
    while true {
      var child = 2 &* place &+ 1
      guard child < heap.count else { break }
      if child &+ 1 < heap.count, try heap.at(child &+ 1).order < heap.at(child).order {
        child &+= 1
      }
      let below = try heap.at(child)
      guard below.order < last.order else { break }
      try heap.put(below, at: place)
      place = child
      work.moves &+= 1
    }
    try heap.put(last, at: place)
    return top
  }
}
