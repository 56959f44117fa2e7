// The merging of byte pair encoding, shared by all tokenizers: of all pairs of neighbours that may
// merge, the pair of the lowest priority does, the leftmost of equals, until none is left.
//
// Short texts look for that pair among all; longer ones keep the pairs in a heap. Texts beyond a
// window are merged window by window, which gives the same pieces and takes linear time, because
// pieces depend on their neighbours alone: pieces one after the other are the result of merging
// exactly if every two of them that meet are the result of merging their own text. (Merges inside a
// piece happen in one order, whatever is beside it; if a merge across a border came first in the
// whole text, it would come first in the text of the two pieces that meet there.) So where two
// overlapping windows have a piece in common, the pieces of the one up to it and those of the other
// from it on are the pieces of both. Where they have none, the overlap and the window grow.
import Base
import Formats

/// A piece of text, and what it is.
struct MergedPiece: BitwiseCopyable {
  var start: Int32
  /// Bytes.
  var length: Int32
  /// The place after it.
  var end: Int32 { start &+ length }
  /// The piece's id, where it is known already; -1.
  var id: Int32
  /// Index of the merge that made it when it is an unused piece; -1.
  var unusedMerge: Int32
}

/// A merge whose product may not stay: how to take it apart again.
struct UnusedMerge: BitwiseCopyable {
  let left: MergedPiece
  let right: MergedPiece
}

/// Says what merges.
protocol MergeRule {
  /// The id of a piece that `text[start..<start + length]` is as a whole, without merging; -1.
  func whole(
    _ text: borrowing Growable<UInt8>, start: Int, length: Int
  ) throws(EngineError) -> Int32

  /// Whether there are pieces that must not stay in the result.
  var hasUnused: Bool { get }

  /// The first piece of `text[position..<end]` before any merge: its bytes and, where it is known
  /// already, its id, else -1.
  func first(
    _ text: borrowing Growable<UInt8>, at position: Int, end: Int
  ) throws(EngineError) -> (length: Int, id: Int32)

  /// The piece that neighbours with these ids become, whose text is `length` bytes from `start` on,
  /// and its priority, below `UInt32.max`; the lowest is merged first.
  func merge(
    _ left: Int32, _ right: Int32, _ text: borrowing Growable<UInt8>, start: Int, length: Int
  ) throws(EngineError) -> (id: Int32, priority: UInt32)?

  /// Whether the piece must not stay in the result.
  func isUnused(_ id: Int32) throws(EngineError) -> Bool
}

/// How much merging took; tests hold it against the length of the text.
package struct MergeWork: Sendable {
  /// Pieces before any merge.
  package var symbols = 0
  /// Pairs whose product was looked up.
  package var lookups = 0
  /// Comparisons of priorities.
  package var comparisons = 0

  package init() {}

  /// Adds another count; sums of an index's size do not wrap.
  package mutating func add(symbols: Int = 0, lookups: Int = 0, comparisons: Int = 0) {
    self.symbols &+= symbols
    self.lookups &+= lookups
    self.comparisons &+= comparisons
  }
}

/// The memory of merging, and the pieces that the last text became.
struct MergeRun: ~Copyable {
  /// Texts of up to so many bytes are searched for the next pair from end to end.
  private static let shortest = 40
  /// Bytes of a window, and by how many two overlap at first.
  private static let window = 1024
  private static let overlap = 128

  /// The pieces, in order.
  private(set) var pieces = Growable<MergedPiece>()
  private(set) var unusedMerges = Growable<UnusedMerge>()
  private(set) var work = MergeWork()
  private var heap = MergeHeap()
  private var pairs = Growable<MergePair>()

  /// Merges `text[start..<end]`.
  mutating func merge(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int,
    _ rule: borrowing some MergeRule
  ) throws(EngineError) {
    pieces.shorten(to: 0)
    unusedMerges.shorten(to: 0)
    if end &- start <= Self.shortest, !rule.hasUnused {
      try mergeShort(text, from: start, to: end, rule)
    } else {
      try mergeByWindow(text, from: start, to: end, rule)
    }
  }

  private mutating func mergeByWindow(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int,
    _ rule: borrowing some MergeRule
  ) throws(EngineError) {
    var overlap = Self.overlap
    // `pieces` are those of `text[start..<done]`.
    var done = start
    while done < end {
      var kept = pieces.count
      var first = done
      while kept > 0, done &- first < overlap {
        kept &-= 1
        first = Int(try pieces.at(kept).start)
      }
      let wanted = max(done &+ Self.window, first &+ overlap << 3)
      let reached = try heap.merge(
        text, first, until: min(wanted, end), end: end, rule, &unusedMerges, &work)
      guard kept > 0 else {
        pieces.shorten(to: 0)
        try heap.appendPieces(from: 0, to: &pieces)
        done = reached
        continue
      }
      if let common = try commonPiece(from: kept) {
        pieces.shorten(to: common.kept)
        try heap.appendPieces(from: common.fresh, to: &pieces)
        done = reached
      } else {
        overlap = overlap &* 2
      }
    }
  }

  /// The first piece that is both among `pieces`, from the one at `kept` on, and in the heap's
  /// window: where it stands in each.
  private func commonPiece(from kept: Int) throws(EngineError) -> (kept: Int, fresh: Int)? {
    var (kept, fresh) = (kept, 0)
    while kept < pieces.count, fresh >= 0 {
      let (old, new) = (try pieces.at(kept), try heap.symbols.at(fresh).piece)
      if old.start == new.start, old.length == new.length { return (kept, fresh) }
      if old.end <= new.end {
        kept &+= 1
      } else {
        fresh = Int(try heap.symbols.at(fresh).next)
      }
    }
    return nil
  }
}

/// A piece of a short text and what it becomes together with the next one.
private struct MergePair: BitwiseCopyable {
  var start: Int32
  var id: Int32
  /// `UInt32.max` where they do not merge.
  var priority: UInt32
  var product: Int32
}

extension MergeRun {
  private mutating func mergeShort(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int,
    _ rule: borrowing some MergeRule
  ) throws(EngineError) {
    let none = MergePair(start: 0, id: -1, priority: .max, product: -1)
    if pairs.count == 0 { pairs = try Growable(filled: none, count: Self.shortest &+ 1) }
    let all = unsafe try pairs.all()
    guard let base = all.baseAddress else { return }
    var count = 0
    var position = start
    while position < end, count < Self.shortest {
      let first = try rule.first(text, at: position, end: end)
      // SAFETY: there is room for `shortest` pieces, of at least a byte each, and for one more
      // element, which says where the last of them ends.
      unsafe base[count] = MergePair(
        start: Int32(truncatingIfNeeded: position), id: first.id, priority: .max, product: -1)
      position &+= max(first.length, 1)
      count &+= 1
    }
    unsafe base[count] = MergePair(
      start: Int32(truncatingIfNeeded: position), id: -1, priority: .max, product: -1)
    work.add(symbols: count)
    count = unsafe try Self.mergePairs(base, count, text, rule, &work)
    for index in below(count) {
      // SAFETY: as above; only fewer are left.
      let (piece, next) = unsafe (base[index], base[index &+ 1].start)
      try pieces.append(
        MergedPiece(
          start: piece.start, length: next &- piece.start, id: piece.id, unusedMerge: -1))
    }
  }

  /// Merges `count` pieces, which one more follows that says where they end; how many are left.
  private static func mergePairs(
    _ pairs: UnsafeMutablePointer<MergePair>, _ count: Int, _ text: borrowing Growable<UInt8>,
    _ rule: borrowing some MergeRule, _ work: inout MergeWork
  ) throws(EngineError) -> Int {
    var count = count
    var index = 0
    // SAFETY, here and below: every index is at most `count`, and `count` only falls.
    while index &+ 1 < count {
      unsafe try consider(pairs + index, text, rule, &work)
      index &+= 1
    }
    while count > 1 {
      var best = 0
      var lowest = unsafe pairs[0].priority
      index = 1
      while index &+ 1 < count {
        let priority = unsafe pairs[index].priority
        if priority < lowest { (best, lowest) = (index, priority) }
        index &+= 1
      }
      work.add(comparisons: count)
      guard lowest != .max else { break }
      unsafe pairs[best].id = pairs[best].product
      let next = unsafe pairs + best + 1
      count &-= 1
      unsafe next.copy(from: next + 1, count: count &- best)
      unsafe pairs[best].priority = .max
      if best &+ 1 < count { unsafe try consider(pairs + best, text, rule, &work) }
      if best > 0 { unsafe try consider(pairs + best - 1, text, rule, &work) }
    }
    return count
  }

  /// Looks up what the first of three pieces becomes together with the second.
  @inline(__always)
  private static func consider(
    _ pair: UnsafeMutablePointer<MergePair>, _ text: borrowing Growable<UInt8>,
    _ rule: borrowing some MergeRule, _ work: inout MergeWork
  ) throws(EngineError) {
    // SAFETY: the caller has three pieces there.
    let (left, right, end) = unsafe (pair[0], pair[1], pair[2].start)
    let product = try rule.merge(
      left.id, right.id, text, start: Int(left.start), length: Int(end &- left.start))
    unsafe pair[0].priority = product?.priority ?? .max
    unsafe pair[0].product = product?.id ?? -1
    work.add(lookups: 1)
  }
}
