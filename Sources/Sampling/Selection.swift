// A set of tokens with a key each, and a heap over it: the best few of a vocabulary are found
// without sorting it. Higher keys are better, and of equal keys the lower token. Keys are never
// NaN.
import Base

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

  /// Takes the tokens whose score is above minus infinity; the keys are the scores.
  package mutating func takeAll(_ scores: Growable<Double>) throws(EngineError) {
    entries.shorten(to: 0)
    var token = 0
    while token < scores.count {
      let score = try scores.at(token)
      if score > -.infinity { try append(score, token) }
      token &+= 1
    }
  }

  /// Takes the `wanted` best tokens, in no order; the keys are the scores.
  ///
  /// A heap of the best so far with the worst of them on top: most scores cost one comparison.
  package mutating func takeBest(_ wanted: Int, _ scores: Growable<Double>) throws(EngineError) {
    entries.shorten(to: 0)
    guard wanted > 0 else { return }
    var token = 0
    while token < scores.count {
      let score = try scores.at(token)
      if count < wanted {
        try append(score, token)
        if count == wanted { try entries.makeHeap(count, Self.worstFirst) }
      } else if score > (try entries.at(0)).key {
        // Of equal scores the token that came first has the lower id and stays.
        try entries.put(RankedToken(key: score, token: Int32(truncatingIfNeeded: token)), at: 0)
        try entries.siftDown(0, count, Self.worstFirst)
      }
      token &+= 1
    }
  }

  private mutating func append(_ score: Double, _ token: Int) throws(EngineError) {
    try entries.append(RankedToken(key: score, token: Int32(truncatingIfNeeded: token)))
  }

  /// Sorts the tokens, best first.
  package mutating func sort() throws(EngineError) { try entries.heapSort(count, Self.bestFirst) }

  /// Gives every token a new key.
  mutating func rank(by key: (Int32) throws(EngineError) -> Double) throws(EngineError) {
    var place = 0
    while place < count {
      let token = try entries.at(place).token
      try entries.put(RankedToken(key: try key(token), token: token), at: place)
      place &+= 1
    }
  }

  /// Keeps the best tokens, one after another, until `isEnough` has been told of one and says so.
  ///
  /// At least one token is kept, unless there is none.
  package mutating func keepBest(
    until isEnough: (RankedToken) throws(EngineError) -> Bool
  ) throws(EngineError) {
    try entries.makeHeap(count, Self.bestFirst)
    var end = count
    while end > 0 {
      // The kept ones gather behind the heap, which shrinks.
      end &-= 1
      try entries.exchange(0, end)
      if try isEnough(try entries.at(end)) { break }
      try entries.siftDown(0, end, Self.bestFirst)
    }
    var kept = 0
    while end &+ kept < count {
      try entries.put(try entries.at(end &+ kept), at: kept)
      kept &+= 1
    }
    entries.shorten(to: kept)
  }

  private static func bestFirst(_ a: RankedToken, _ b: RankedToken) -> Bool { a.precedes(b) }
  private static func worstFirst(_ a: RankedToken, _ b: RankedToken) -> Bool { b.precedes(a) }
}
