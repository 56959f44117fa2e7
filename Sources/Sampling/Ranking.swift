// Selection without sorting: the candidates become a binary heap in linear time, and only as many
// leave it, best first, as a filter asks for. The order is total, so that ties have one answer.

/// A candidate of a draw: a token and the key it is ranked by.
struct Entry: BitwiseCopyable {
  /// Never NaN.
  var key: Double
  var token: Int32

  /// Whether this entry ranks before `other`: by the larger key, then by the lower token.
  @inline(__always)
  func precedes(_ other: Entry) -> Bool {
    key > other.key || (key == other.key && token < other.token)
  }
}

/// Candidates in no order, or ranked best first by `keepBest`.
struct Ranking: ~Copyable {
  /// Room for a vocabulary; the first `count` are the candidates.
  var memory = Memory<Entry>()
  private(set) var count = 0
  /// Whether the entries lie best first.
  private(set) var isRanked = false

  /// Makes an entry of each token in 0..<`count`, in the order of their ids.
  ///
  /// `memory` must have room for them; no key may be NaN.
  mutating func load(count: Int, key: (Int) -> Double) {
    var entries = unsafe memory.prefix(count).mutableSpan
    for token in 0..<count {
      entries[token] = Entry(key: key(token), token: Int32(truncatingIfNeeded: token))
    }
    self.count = count
    isRanked = false
  }

  /// Keeps the entries that satisfy `isKept`, in their order.
  mutating func filter(_ isKept: (Entry) -> Bool) {
    var entries = unsafe memory.prefix(count).mutableSpan
    var kept = 0
    for i in 0..<count where isKept(entries[i]) {
      entries[kept] = entries[i]
      kept &+= 1
    }
    count = kept
  }

  /// Replaces every key; the entries then count as unranked.
  mutating func rekey(_ newKey: (Entry) -> Double) {
    var entries = unsafe memory.prefix(count).mutableSpan
    for i in 0..<count { entries[i].key = newKey(entries[i]) }
    isRanked = false
  }

  /// Calls `body` with each entry in the present order.
  func forEach(_ body: (Entry) -> Void) {
    let entries = unsafe memory.prefix(count).span
    for i in 0..<count { body(entries[i]) }
  }

  /// The largest key, or -infinity without candidates.
  func largestKey() -> Double {
    var largest = -Double.infinity
    forEach { largest = max(largest, $0.key) }
    return largest
  }

  /// The token that ranks first, or -1 without candidates.
  var best: Int32 {
    var best = Entry(key: -.infinity, token: -1)
    forEach { if best.token < 0 || $0.precedes(best) { best = $0 } }
    return best.token
  }

  /// Hands the entries to `isEnough` best first until it says so, and keeps exactly those, ranked.
  ///
  /// Costs O(count) plus O(log count) for each entry handed out; nothing but the calls when ranked.
  mutating func keepBest(until isEnough: (Entry) -> Bool) {
    var entries = unsafe memory.prefix(count).mutableSpan
    guard !isRanked else {
      var kept = 0
      while kept < count {
        kept &+= 1
        if isEnough(entries[kept &- 1]) { break }
      }
      count = kept
      return
    }
    Self.makeHeap(&entries, count: count)
    var heapCount = count
    while heapCount > 0 {
      heapCount &-= 1
      let best = entries[0]
      let last = entries[heapCount]
      entries[heapCount] = best
      if heapCount > 0 { Self.sift(&entries, last, from: 0, count: heapCount) }
      if isEnough(best) { break }
    }
    // The best lie at the end, best last: mirror them to the front.
    let kept = count - heapCount
    for i in 0..<min(kept, count / 2) { entries.swapAt(i, count - 1 - i) }
    count = kept
    isRanked = true
  }

  private static func makeHeap(_ entries: inout MutableSpan<Entry>, count: Int) {
    var node = count / 2
    while node > 0 {
      node &-= 1
      sift(&entries, entries[node], from: node, count: count)
    }
  }

  /// Puts `entry` at `start` of a heap of `count` or below, where it belongs.
  @inline(__always)
  private static func sift(
    _ entries: inout MutableSpan<Entry>, _ entry: Entry, from start: Int, count: Int
  ) {
    var node = start
    while true {
      // `node` < `count` <= 2^31, so this cannot overflow.
      var child = 2 &* node &+ 1
      guard child < count else { break }
      if child &+ 1 < count && entries[child &+ 1].precedes(entries[child]) { child &+= 1 }
      guard entries[child].precedes(entry) else { break }
      entries[node] = entries[child]
      node = child
    }
    entries[node] = entry
  }
}
