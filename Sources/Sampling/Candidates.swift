// The tokens that filters have left, in the order of their ids, with their scores. A filter keeps
// the best of them by some rank until their weights suffice. Few candidates are sorted. Of many
// only the rank is looked for at which the weights suffice, by adding up what is above a bound,
// until few are left to sort. Such sums are rounded elsewhere than sums in order; where that could
// decide, all are sorted.

import Base
import Kernels

/// When the weights of the best candidates suffice.
struct Quota: Sendable {
  /// The sum that they have to reach.
  var target: Double
  /// Whether it has to exceed it.
  var strictly = false
  /// Whether weights are whole numbers, whose sums are exact in any order.
  var isExact = false
  /// How far the target may be from what it should be.
  var error = 0.0
  /// How far a rank may be from what it should be; all on one side of `center` are off alike.
  var rankError = 0.0
  /// The score that would have the highest rank.
  var center = 0.0
  /// Above all numbers that a rank of 0 was worked out from.
  var magnitude = 0.0

  @inline(__always) func isMet(by sum: Double) -> Bool {
    strictly ? sum > target : sum >= target
  }
}

/// Tokens, their scores, and what filters work out for each.
package struct Candidates: Sendable {
  /// As many as are sorted at once.
  private static var few: Int { 128 }
  /// As many as their weights are worked out together, a multiple of 16.
  private static var chunk: Int { 512 }

  /// How many there are.
  package private(set) var count = 0
  private var tokens = Growable<Int32>()
  private var scores = Growable<Double>()
  /// Ranks that are not the scores themselves.
  private var ranks = Growable<Double>()
  private var weights = Growable<Double>()
  /// The sum of the weights up to the end of each chunk.
  private var sums = Growable<Double>()
  private var sorted = Selection()

  package init() {}

  /// Makes room for the tokens of a vocabulary.
  package mutating func reserve(_ vocabulary: Int, needsRanks: Bool) throws(EngineError) {
    let room = (vocabulary &+ scoreBlock &+ 15) & ~15
    guard tokens.count != room else { return }
    scores = try Growable(filled: 0, count: room)
    weights = try Growable(filled: 0, count: room)
    sums = try Growable(filled: 0, count: room / Self.chunk &+ 1)
    if needsRanks { ranks = try Growable(filled: 0, count: room) }
    try sorted.reserve(vocabulary)
    // The last one, by which a call after refused memory sees that it has to make them all.
    tokens = try Growable(filled: 0, count: room)
  }

  mutating func removeAll() { count = 0 }

  /// A candidate by its place.
  package func at(_ place: Int) throws(EngineError) -> (token: Int32, score: Double, weight: Double)
  {
    (try tokens.at(place), try scores.at(place), try weights.at(place))
  }

  /// Appends one; tokens come in the order of their ids.
  mutating func append(_ score: Double, _ token: Int) throws(EngineError) {
    try scores.put(score, at: count)
    try tokens.put(Int32(truncatingIfNeeded: token), at: count)
    count &+= 1
  }

  /// Appends the tokens of a block whose logits are not below a bound.
  mutating func append(
    _ logits: UnsafePointer<Float>, _ length: Int, _ token: Int, _ bound: Float,
    _ kernels: ScoreKernels
  ) throws(EngineError) {
    guard let scores = unsafe try scores.all().baseAddress,
      let tokens = unsafe try tokens.all().baseAddress, length <= self.scores.count &- count
    else { throw EngineError(.internal, "the candidates of a sampler are a fault of the library") }
    var pass = unsafe ScoreCollection(
      logits: logits, count: length, token: Int32(truncatingIfNeeded: token), bound: bound,
      scores: scores, tokens: tokens, found: count)
    unsafe kernels.collect(&pass)
    count = pass.found
  }

  /// The largest score.
  package mutating func largest() throws(EngineError) -> Double {
    var largest = -Double.infinity
    let (columns, count) = unsafe (try columns(), count)
    for place in below(count) {
      // SAFETY: `columns` has checked that each has room for all; so in all loops below.
      largest = max(largest, unsafe columns.scores[place])
    }
    return largest
  }

  /// Where the numbers of the candidates are, for the loops over all of them.
  @unsafe private struct Columns {
    let tokens: UnsafeMutablePointer<Int32>
    let scores: UnsafeMutablePointer<Double>
    let weights: UnsafeMutablePointer<Double>
    /// The scores where these are the ranks.
    let ranks: UnsafeMutablePointer<Double>
  }

  private mutating func columns(byScore: Bool = true) throws(EngineError) -> Columns {
    let ranks = unsafe byScore ? try self.scores.all() : try self.ranks.all()
    guard let tokens = unsafe try tokens.all().baseAddress,
      let scores = unsafe try scores.all().baseAddress,
      let weights = unsafe try weights.all().baseAddress, let start = ranks.baseAddress,
      count <= self.tokens.count, count <= self.scores.count, count <= self.weights.count,
      count <= ranks.count
    else { throw EngineError(.internal, "the candidates of a sampler are a fault of the library") }
    return unsafe Columns(tokens: tokens, scores: scores, weights: weights, ranks: start)
  }

  /// Keeps those whose score is not below `threshold` when `largest` is taken off.
  mutating func keep(notBelow threshold: Double, _ largest: Double) throws(EngineError) {
    let (columns, count) = unsafe (try columns(), count)
    var kept = 0
    for place in below(count) {
      let score = unsafe columns.scores[place]
      unsafe columns.scores[kept] = score
      unsafe columns.tokens[kept] = unsafe columns.tokens[place]
      let excess = (score - largest) - threshold
      kept &+= 1 &- Int(truncatingIfNeeded: excess.bitPattern &>> 63)
    }
    self.count = kept
  }

  /// Keeps those whose rank is above a cut, and those of its rank up to its place.
  private mutating func keep(
    above cut: (rank: Double, place: Int), _ byScore: Bool
  ) throws(EngineError) {
    let (columns, count) = unsafe (try columns(byScore: byScore), count)
    // Signs of differences, so that no processor has to guess. A rank of -0 becomes 0, or two equal
    // ones would have a difference with a sign.
    let bound = cut.rank + 0
    let last = min(cut.place &+ 1, count)
    var kept = 0
    var place = 0
    while place < last {
      let rank = unsafe columns.ranks[place] + 0
      unsafe columns.scores[kept] = unsafe columns.scores[place]
      unsafe columns.tokens[kept] = unsafe columns.tokens[place]
      kept &+= 1 &- Int(truncatingIfNeeded: (rank - bound).bitPattern &>> 63)
      place &+= 1
    }
    while place < count {
      let rank = unsafe columns.ranks[place] + 0
      unsafe columns.scores[kept] = unsafe columns.scores[place]
      unsafe columns.tokens[kept] = unsafe columns.tokens[place]
      kept &+= Int(truncatingIfNeeded: (bound - rank).bitPattern &>> 63)
      place &+= 1
    }
    self.count = kept
  }

  /// Gives every candidate the weight e^((score - largest) / temperature); the sum of all, one
  /// after another.
  package mutating func weigh(
    _ largest: Double, temperature: Double, _ kernels: ScoreKernels
  ) throws(EngineError) -> Double {
    let (columns, count) = unsafe (try columns(), count)
    var total = 0.0
    var start = 0
    while start < count {
      // SAFETY: there is room for a multiple of 16.
      var pass = unsafe ScoreWeights(
        logits: nil, scores: columns.scores + start, count: min(Self.chunk, count &- start),
        weights: columns.weights + start, largest: largest, temperature: temperature)
      pass.total = total
      unsafe kernels.weigh(&pass)
      total = pass.total
      try sums.put(total, at: start / Self.chunk)
      start &+= Self.chunk
    }
    return total
  }

  /// Gives every candidate the weight 1.
  mutating func weighEqually() throws(EngineError) {
    let (columns, count) = unsafe (try columns(), count)
    for place in below(count) {
      unsafe columns.weights[place] = 1
    }
  }

  /// The entropy of the probabilities that the weights stand for.
  mutating func entropy(total: Double, _ largest: Double) throws(EngineError) -> Double {
    let logTotal = Elementary.log(total)
    let (columns, count) = unsafe (try columns(), count)
    var entropy = 0.0
    for place in below(count) {
      let distance = unsafe columns.scores[place] - largest
      entropy += unsafe columns.weights[place] / total * (logTotal - distance)
    }
    return entropy
  }

  /// Ranks by how close a candidate's information is to the entropy.
  mutating func rankTypical(
    _ entropy: Double, _ logTotal: Double, _ largest: Double
  ) throws(EngineError) {
    let (columns, count) = unsafe (try columns(byScore: false), count)
    for place in below(count) {
      let information = logTotal - (unsafe columns.scores[place] - largest)
      unsafe columns.ranks[place] = -(information - entropy).magnitude
    }
  }

  /// The token whose share of the weights that `weigh` added up last holds `fraction` of them.
  package func choose(total: Double, fraction: Double) throws(EngineError) -> Int {
    let target = fraction * total
    var place = 0
    while place &+ Self.chunk <= count, try sums.at(place / Self.chunk) <= target {
      place &+= Self.chunk
    }
    var sum = place > 0 ? try sums.at(place / Self.chunk &- 1) : 0
    while place < count {
      sum += try weights.at(place)
      if sum > target { return Int(try tokens.at(place)) }
      place &+= 1
    }
    // The product was rounded up to the total: the last token that has a weight.
    while place > 1, try weights.at(place &- 1) == 0 { place &-= 1 }
    return Int(try tokens.at(place &- 1))
  }
}

// MARK: The best candidates

extension Candidates {
  /// A stretch of ranks in which the quota is met, and what is above it.
  private struct Window {
    /// The lowest and the highest rank in it, which candidates have.
    var low: Double
    var high: Double
    /// The sum of the weights not below the lowest, and how many.
    var mass: Double
    var count: Double
    /// The same of what is above the highest.
    var massAbove = 0.0
    var countAbove = 0.0
  }

  /// Keeps the best by rank, ties to the lower id, one after another until their weights meet the
  /// quota; at least one.
  ///
  /// The ranks are the scores themselves with `byScore`. With `inOrder` the sums are those of one
  /// weight after another, best first. False, with nothing changed, says that a rounding could have
  /// decided; never with `inOrder` and no errors in the quota.
  mutating func keepBest(
    _ quota: Quota, byScore: Bool, inOrder: Bool, _ kernels: ScoreKernels
  ) throws(EngineError) -> Bool {
    guard count > 1 else { return true }
    var window = try find(quota, byScore, kernels)
    if inOrder { (window.high, window.massAbove, window.countAbove) = (.infinity, 0, 0) }
    var cut = try cut(window, quota, byScore)
    if cut == nil, inOrder {
      window.low = -.infinity
      cut = try self.cut(window, quota, byScore) ?? (rank: -.infinity, place: count)
    }
    guard let cut else { return false }
    if quota.rankError > 0, try isUncertain(cut, quota) { return false }
    try keep(above: cut, byScore)
    return true
  }

  /// A window of few candidates, or of many of equal rank.
  private mutating func find(
    _ quota: Quota, _ byScore: Bool, _ kernels: ScoreKernels
  ) throws(EngineError) -> Window {
    var window = Window(low: -.infinity, high: .infinity, mass: .infinity, count: Double(count))
    guard count > Self.few else { return window }
    let all = try massNotBelow(-.infinity, byScore, kernels)
    let none = try massNotBelow(.infinity, byScore, kernels)
    (window.low, window.mass, window.high) = (all.lowest, all.mass, none.highestBelow)
    var round = 0
    while window.count - window.countAbove > Double(Self.few), window.low < window.high {
      // Where the target would be if the weights lay evenly, and every other time the middle.
      let share = (quota.target - window.massAbove) / (window.mass - window.massAbove)
      let part = round & 1 == 1 || !(share > 0.02 && share < 0.98) ? 0.5 : share
      let bound = window.high - (window.high - window.low) * part
      let pass = try massNotBelow(
        min(max(bound, window.low.nextUp), window.high), byScore, kernels)
      if quota.isMet(by: pass.mass) {
        (window.low, window.mass, window.count) = (pass.lowest, pass.mass, pass.found)
      } else {
        (window.massAbove, window.countAbove) = (pass.mass, pass.found)
        window.high = pass.highestBelow
      }
      round &+= 1
    }
    return window
  }

  private mutating func massNotBelow(
    _ bound: Double, _ byScore: Bool, _ kernels: ScoreKernels
  ) throws(EngineError) -> ScoreMass {
    let (columns, count) = unsafe (try columns(byScore: byScore), count)
    var pass = unsafe ScoreMass(
      ranks: columns.ranks, weights: columns.weights, count: count, bound: bound)
    unsafe kernels.mass(&pass)
    return pass
  }

  /// The rank and place of the candidate in the window that meets the quota; nil when there is
  /// none, or when a rounding could have decided.
  private mutating func cut(
    _ window: Window, _ quota: Quota, _ byScore: Bool
  ) throws(EngineError) -> (rank: Double, place: Int)? {
    // Sums of at most `count` weights in two orders, each within one ulp of an exponential.
    let isRounded = !quota.isExact && window.countAbove > 0
    let rounding = isRounded ? Double(count &+ 64) * 0x1p-51 * quota.target : 0
    let error = isRounded || quota.error > 0 ? rounding + quota.error : -1
    var sum = window.massAbove
    if (sum - quota.target).magnitude <= error { return nil }
    sorted.removeAll()
    let (columns, count) = unsafe (try columns(byScore: byScore), count)
    // The sign of a difference, as in `keep`: one branch that is hardly ever taken.
    let (low, high) = (window.low + 0, window.high + 0)
    for place in below(count) {
      let rank = unsafe columns.ranks[place] + 0
      let signs = (rank - low).bitPattern | (high - rank).bitPattern
      if signs &>> 63 == 0 { try sorted.append(rank, place) }
    }
    if window.low < window.high { try sorted.sort() }
    for next in below(sorted.count) {
      let entry = try sorted.at(next)
      sum += try weights.at(Int(entry.token))
      if (sum - quota.target).magnitude <= error { return nil }
      if quota.isMet(by: sum) { return (entry.key, Int(entry.token)) }
    }
    // Not even all of them suffice: all are kept.
    return window.countAbove == 0 && sorted.count == count && quota.error == 0
      ? (-.infinity, count) : nil
  }

  /// Whether an error of the ranks could change what is above the cut: another score's rank is
  /// near, on the other side of the center, or so near that they may be equal.
  private mutating func isUncertain(
    _ cut: (rank: Double, place: Int), _ quota: Quota
  ) throws(EngineError) -> Bool {
    guard cut.place < count else { return false }
    let (columns, count) = unsafe (try columns(byScore: false), count)
    let score = try scores.at(cut.place)
    let isAbove = score > quota.center
    let reach = 2 * quota.rankError
    let rounding = 0x1p-48 * (quota.magnitude + cut.rank.magnitude)
    var isUncertain = false
    for place in below(count) {
      let rank = unsafe columns.ranks[place]
      let distance = (rank - cut.rank).magnitude
      if distance <= reach {
        let other = unsafe columns.scores[place]
        let isOpposite = (other > quota.center) != isAbove || rank >= -reach
        if other != score, isOpposite || distance <= rounding { isUncertain = true }
      }
    }
    return isUncertain
  }

  /// Keeps the `wanted` best by score.
  package mutating func keepBest(_ wanted: Int, _ kernels: ScoreKernels) throws(EngineError) {
    guard wanted < count else { return }
    try weighEqually()
    _ = try keepBest(
      Quota(target: Double(wanted), isExact: true), byScore: true, inOrder: false, kernels)
  }
}
