// A set of tokens with a key each, and a heap over it: the best few of a vocabulary are found
// without sorting it. Higher keys are better, and of equal keys the lower token. Keys are never
// NaN.
import Base
import Kernels

/// A token and what it is ranked by.
package struct RankedToken: BitwiseCopyable, Sendable {
  var key: Double
  package var token: Int32

  /// Whether this one is better than another.
  @inline(__always) func precedes(_ other: RankedToken) -> Bool {
    key > other.key || (key == other.key && token < other.token)
  }
}

/// Some tokens of a vocabulary.
///
/// Operations allocate nothing within the reserved capacity.
package struct Selection: Sendable {
  private var entries = Growable<RankedToken>()

  package init() {}

  /// How many tokens there are.
  package var count: Int { entries.count }

  /// Makes room for `capacity` tokens.
  mutating func reserve(_ capacity: Int) throws(EngineError) { try entries.reserve(capacity) }

  /// The token at a place of 0..<count.
  @inline(__always) package func at(_ place: Int) throws(EngineError) -> RankedToken {
    try entries.at(place)
  }

  mutating func removeAll() { entries.shorten(to: 0) }

  /// Takes the `wanted` best tokens, in no order; the keys are the scores.
  ///
  /// A heap of the best so far with the worst of them on top: most blocks of scores cost one
  /// comparison. So many blocks as there are tokens wanted have a best one each, so the last of
  /// these blocks' largest scores bounds them all from below.
  package mutating func takeBest(_ wanted: Int, _ scores: Scores) throws(EngineError) {
    removeAll()
    guard wanted > 0 else { return }
    var bound = -Double.infinity
    if wanted < scores.blocks {
      var block = 0
      while block < scores.blocks {
        try offer(try scores.maximum(of: block), block, wanted)
        block &+= 1
      }
      bound = try entries.at(0).key
      removeAll()
    }
    var block = 0
    while block < scores.blocks {
      if try scores.maximum(of: block) >= bound {
        var token = block &* scoreBlock
        while token < scores.end(of: block) {
          let score = try scores.at(token)
          if score >= bound { try offer(score, token, wanted) }
          token &+= 1
        }
      }
      block &+= 1
    }
  }

  /// Takes a token if it is one of the `wanted` best so far; tokens come in the order of their ids.
  @inline(__always)
  private mutating func offer(
    _ score: Double, _ token: Int, _ wanted: Int
  ) throws(EngineError) {
    if count < wanted {
      try append(score, token)
      if count == wanted { try entries.makeHeap(count, Self.worstFirst) }
    } else if score > (try entries.at(0)).key {
      // Of equal scores the token that came first has the lower id and stays.
      try entries.put(RankedToken(key: score, token: Int32(truncatingIfNeeded: token)), at: 0)
      try entries.siftDown(0, count, Self.worstFirst)
    }
  }

  /// Adds a token.
  mutating func append(_ score: Double, _ token: Int) throws(EngineError) {
    try entries.append(RankedToken(key: score, token: Int32(truncatingIfNeeded: token)))
  }

  /// Sorts the tokens, best first.
  package mutating func sort() throws(EngineError) { try entries.heapSort(count, Self.bestFirst) }

  /// Sorts the tokens by their ids.
  package mutating func sortByToken() throws(EngineError) {
    try entries.heapSort(count) { $0.token < $1.token }
  }

  private static func bestFirst(_ a: RankedToken, _ b: RankedToken) -> Bool { a.precedes(b) }
  private static func worstFirst(_ a: RankedToken, _ b: RankedToken) -> Bool { b.precedes(a) }
}
