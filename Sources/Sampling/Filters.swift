// The filters that leave the unlikely out, in their order: top-k, typical, top-p, min-p.
// Probabilities are those of the tokens still left, before temperature, and sums go over them in
// the order of their ids unless it says otherwise. The first filter looks only at tokens that it
// could keep: what is less likely than their bound cannot matter.

import Base
import Kernels

/// The filters of one sampler with their workspace.
package struct Filters: Sendable {
  private let topK: Int
  private let topP: Double
  private let minP: Double
  private let typicalP: Double
  private var best = Selection()
  /// The tokens that are left once a filter has run.
  package private(set) var candidates = Candidates()

  package init(_ options: SamplerOptions) {
    topK = Int(options.topK)
    topP = Double(options.topP)
    minP = Double(options.minP)
    typicalP = Double(options.typicalP)
  }

  private var isTypicalOn: Bool { typicalP > 0 && typicalP < 1 }
  private var isTopPOn: Bool { topP > 0 && topP < 1 }
  private func isTopKOn(_ vocabulary: Int) -> Bool { topK > 0 && topK < vocabulary }
  /// So many that a heap of them is slower than looking for the score of the last one.
  private func isTopKLarge(_ vocabulary: Int) -> Bool { topK > vocabulary / scoreBlock / 2 }

  /// Makes room for a vocabulary.
  package mutating func prepare(vocabulary: Int) throws(EngineError) {
    guard isTopKOn(vocabulary) || isTypicalOn || isTopPOn || minP > 0 else { return }
    try candidates.reserve(vocabulary, needsRanks: isTypicalOn)
    if isTopKOn(vocabulary), !isTopKLarge(vocabulary) { try best.reserve(topK) }
  }

  /// Leaves in `candidates` what the filters keep, at least one token; false when none is on.
  ///
  /// There is at least one finite score, no NaN and no infinity.
  package mutating func apply(to scores: inout Scores) throws(EngineError) -> Bool {
    var isFirst = true
    if isTopKOn(scores.count) {
      try keepTopK(scores)
      isFirst = false
    }
    if isTypicalOn {
      try keepTypical(&scores, isFirst)
      isFirst = false
    }
    if isTopPOn {
      try keepTopP(&scores, isFirst)
      isFirst = false
    }
    if minP > 0 {
      try dropBelowMinP(scores, isFirst)
      isFirst = false
    }
    return !isFirst
  }

  /// Keeps the k most likely tokens.
  private mutating func keepTopK(_ scores: Scores) throws(EngineError) {
    if isTopKLarge(scores.count) {
      try scores.collect(from: -.infinity, into: &candidates)
      return try candidates.keepBest(topK, scores.kernels)
    }
    try best.takeBest(topK, scores)
    try best.sortByToken()
    candidates.removeAll()
    var place = 0
    while place < best.count {
      let entry = try best.at(place)
      if entry.key > -.infinity { try candidates.append(entry.key, Int(entry.token)) }
      place &+= 1
    }
  }

  /// A score above which the weights exceed a share of their sum, which may be off by `error`.
  ///
  /// Above one that is known, or where all that is below has too little.
  private func bound(
    keeping share: Double, of sums: Sums, within error: Double, _ scores: Scores
  ) -> Double {
    let known = sums.reach(exceeding: share * sums.total)
    let weight = (1 - share - error) * sums.total / Double(scores.count)
    let distance = max(known, weight > 0 ? Elementary.log(weight) - 1e-6 : -.infinity)
    return (scores.largest + distance).nextDown
  }

  /// How far sums of all weights may be apart in two orders, as a share of the sum.
  private func orderError(_ scores: Scores) -> Double { Double(scores.count &+ 64) * 0x1p-51 }

  /// Keeps the tokens whose information is closest to the entropy until they are likely enough.
  ///
  /// That is when their probabilities exceed `typicalP`.
  /// Source: C. Meister et al., Locally Typical Sampling, 2022.
  private mutating func keepTypical(
    _ scores: inout Scores, _ isFirst: Bool
  ) throws(EngineError) {
    let kernels = scores.kernels
    guard isFirst else {
      let largest = try candidates.largest()
      let total = try candidates.weigh(largest, temperature: 1, kernels)
      let entropy = try candidates.entropy(total: total, largest)
      return try keepTypical(entropy, total, largest, kernels)
    }
    if let sums = try scores.estimate(),
      try keepTypical(
        &scores, sums, within: scores.estimateError,
        meanWithin: scores.meanError(sums.moment / sums.total))
    {
      return
    }
    let sums = try scores.weigh(temperature: 1)
    let error = orderError(scores)
    let range = 1 + Elementary.log(sums.total) - sums.moment / sums.total
    if try keepTypical(&scores, sums, within: error, meanWithin: 2 * error * range) { return }
    try keepTypical(try scores.entropy(total: sums.total), sums.total, scores.largest, kernels)
  }

  /// The same with sums over all scores that may be off by a share of themselves; false, with
  /// candidates that have weights, where that could decide.
  private mutating func keepTypical(
    _ scores: inout Scores, _ sums: Sums, within error: Double, meanWithin rankError: Double
  ) throws(EngineError) -> Bool {
    let logTotal = Elementary.log(sums.total)
    // The mean of the distances to the largest score; all are at most 0. A token is as far from the
    // mean as its information is from the entropy.
    let mean = sums.moment / sums.total
    let nearest = (scores.largest + (2 * (mean - rankError) - 1e-6)).nextDown
    // What is kept is nearer than the largest score is, or, from there on, the most likely.
    let likely = bound(
      keeping: typicalP, of: sums, within: 2 * error + orderError(scores), scores)
    try scores.collect(from: min(nearest, likely), into: &candidates)
    _ = try candidates.weigh(scores.largest, temperature: 1, scores.kernels)
    try candidates.rankTypical(logTotal - mean, logTotal, scores.largest)
    var quota = Quota(target: typicalP * sums.total, strictly: true)
    quota.error = error * quota.target
    (quota.rankError, quota.center) = (rankError, scores.largest + mean)
    quota.magnitude = 1 + logTotal - mean
    return try candidates.keepBest(quota, byScore: false, inOrder: false, scores.kernels)
  }

  /// The same with the exact entropy, of candidates that have weights.
  private mutating func keepTypical(
    _ entropy: Double, _ total: Double, _ largest: Double, _ kernels: ScoreKernels
  ) throws(EngineError) {
    try candidates.rankTypical(entropy, Elementary.log(total), largest)
    let quota = Quota(target: typicalP * total, strictly: true)
    if try candidates.keepBest(quota, byScore: false, inOrder: false, kernels) { return }
    _ = try candidates.keepBest(quota, byScore: false, inOrder: true, kernels)
  }

  /// Keeps the most likely tokens until their probabilities reach `topP`.
  ///
  /// Source: A. Holtzman et al., The Curious Case of Neural Text Degeneration, 2019.
  private mutating func keepTopP(_ scores: inout Scores, _ isFirst: Bool) throws(EngineError) {
    let kernels = scores.kernels
    guard isFirst else {
      let total = try candidates.weigh(try candidates.largest(), temperature: 1, kernels)
      return try keepTopP(of: total, kernels)
    }
    if let sums = try scores.estimate() {
      let error = scores.estimateError
      try collectTopP(of: sums, within: error, scores)
      var quota = Quota(target: topP * sums.total)
      quota.error = error * quota.target
      if try candidates.keepBest(quota, byScore: true, inOrder: false, kernels) { return }
      return try keepTopP(of: try scores.weigh(temperature: 1).total, kernels)
    }
    let sums = try scores.weigh(temperature: 1)
    try collectTopP(of: sums, within: 0, scores)
    try keepTopP(of: sums.total, kernels)
  }

  /// Collects the tokens that top-p could keep, and weighs them.
  private mutating func collectTopP(
    of sums: Sums, within error: Double, _ scores: Scores
  ) throws(EngineError) {
    let bound = bound(
      keeping: topP, of: sums, within: 2 * error + orderError(scores), scores)
    try scores.collect(from: bound, into: &candidates)
    _ = try candidates.weigh(scores.largest, temperature: 1, scores.kernels)
  }

  /// Keeps of candidates that have weights those that reach `topP` of a sum.
  private mutating func keepTopP(
    of total: Double, _ kernels: ScoreKernels
  ) throws(EngineError) {
    let quota = Quota(target: topP * total)
    if try candidates.keepBest(quota, byScore: true, inOrder: false, kernels) { return }
    _ = try candidates.keepBest(quota, byScore: true, inOrder: true, kernels)
  }

  /// Drops what is less likely than `minP` times the most likely token.
  ///
  /// Ratios of probabilities are differences of scores.
  /// Source: N. N. Minh et al., Turning Up the Heat: Min-p Sampling, 2024.
  private mutating func dropBelowMinP(
    _ scores: Scores, _ isFirst: Bool
  ) throws(EngineError) {
    let threshold = Elementary.log(minP)
    if isFirst {
      try scores.collect(
        from: (scores.largest + (threshold - 1e-6)).nextDown, into: &candidates)
    }
    try candidates.keep(
      notBelow: threshold, isFirst ? scores.largest : try candidates.largest())
  }

  /// Draws one of the candidates by its weight at a temperature.
  package mutating func draw(
    temperature: Double, _ kernels: ScoreKernels, _ random: inout SplitMix64
  ) throws(EngineError) -> Int {
    let total = try candidates.weigh(
      try candidates.largest(), temperature: temperature, kernels)
    return try candidates.choose(total: total, fraction: random.nextFraction())
  }
}
