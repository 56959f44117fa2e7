// A set of tokens with a key each, and a heap over it: the best few of a vocabulary are found
// without sorting it. Higher keys are better, and of equal keys the lower token. Keys are never
// NaN.

/// A token and what it is ranked by.
struct RankedToken: Sendable {
  var key: Double
  var token: Int32

  /// Whether this one is better than another.
  @inline(__always) func precedes(_ other: RankedToken) -> Bool {
    key > other.key || (key == other.key && token < other.token)
  }
}

/// Some tokens of a vocabulary.
///
/// Operations allocate nothing within the reserved capacity.
struct Selection: Sendable {
  private(set) var entries: [RankedToken] = []

  /// Makes room for `capacity` tokens.
  mutating func reserve(_ capacity: Int) { entries.reserveCapacity(capacity) }

  /// Takes the tokens whose score is above minus infinity; the keys are the scores.
  mutating func takeAll(_ scores: [Double]) {
    entries.removeAll(keepingCapacity: true)
    for (token, score) in scores.enumerated() where score > -.infinity {
      entries.append(RankedToken(key: score, token: Int32(truncatingIfNeeded: token)))
    }
  }

  /// Takes the `count` best tokens, in no order; the keys are the scores.
  ///
  /// A heap of the best so far with the worst of them on top: most scores cost one comparison.
  mutating func takeBest(_ count: Int, _ scores: [Double]) {
    entries.removeAll(keepingCapacity: true)
    guard count > 0 else { return }
    for (token, score) in scores.enumerated() {
      let entry = RankedToken(key: score, token: Int32(truncatingIfNeeded: token))
      if entries.count < count {
        entries.append(entry)
        if entries.count == count { arrange(Self.worstFirst) }
      } else if score > entries[0].key {
        // Of equal scores the token that came first has the lower id and stays.
        entries[0] = entry
        siftDown(0, count, Self.worstFirst)
      }
    }
  }

  /// Sorts the tokens, best first.
  mutating func sort() {
    arrange(Self.worstFirst)
    var end = entries.count
    while end > 1 {
      end -= 1
      entries.swapAt(0, end)
      siftDown(0, end, Self.worstFirst)
    }
  }

  /// Gives every token a new key.
  mutating func rank(by key: (Int32) -> Double) {
    for i in entries.indices { entries[i].key = key(entries[i].token) }
  }

  /// Keeps the best tokens, one after another, until `isEnough` has been told of one and says so.
  ///
  /// At least one token is kept, unless there is none.
  mutating func keepBest(until isEnough: (RankedToken) -> Bool) {
    arrange(Self.bestFirst)
    var end = entries.count
    while end > 0 {
      // The kept ones gather behind the heap, which shrinks.
      end -= 1
      entries.swapAt(0, end)
      if isEnough(entries[end]) { break }
      siftDown(0, end, Self.bestFirst)
    }
    entries.removeFirst(end)
  }

  private static func bestFirst(_ a: RankedToken, _ b: RankedToken) -> Bool { a.precedes(b) }
  private static func worstFirst(_ a: RankedToken, _ b: RankedToken) -> Bool { b.precedes(a) }

  /// Makes a heap of all entries, with what is `before` all others at index 0.
  @inline(__always) private mutating func arrange(
    _ before: (RankedToken, RankedToken) -> Bool
  ) {
    var i = entries.count / 2
    while i > 0 {
      i -= 1
      siftDown(i, entries.count, before)
    }
  }

  /// Lets the entry at `start` sink to its place in the heap of the first `end` entries.
  @inline(__always) private mutating func siftDown(
    _ start: Int, _ end: Int, _ before: (RankedToken, RankedToken) -> Bool
  ) {
    guard start < end else { return }
    let sinking = entries[start]
    var hole = start
    while true {
      var child = 2 * hole + 1
      guard child < end else { break }
      if child + 1 < end, before(entries[child + 1], entries[child]) { child += 1 }
      guard before(entries[child], sinking) else { break }
      entries[hole] = entries[child]
      hole = child
    }
    entries[hole] = sinking
  }
}
