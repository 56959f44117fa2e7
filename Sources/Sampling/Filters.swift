// The filters that leave the unlikely out, in their order: top-k, typical, top-p, min-p.
// Probabilities are those of the tokens still left, before temperature. A score is a logit after
// filter callback, bias and penalties; minus infinity means that the token is out.

import Base
import Kernels

/// The filters of one sampler with their workspace.
package struct Filters: Sendable {
  private let topK: Int
  private let topP: Double
  private let minP: Double
  private let typicalP: Double
  private var selection = Selection()

  package init(_ options: SamplerOptions) {
    topK = Int(options.topK)
    topP = Double(options.topP)
    minP = Double(options.minP)
    typicalP = Double(options.typicalP)
  }

  private var isTypicalOn: Bool { typicalP > 0 && typicalP < 1 }
  private var isTopPOn: Bool { topP > 0 && topP < 1 }

  /// Makes room for a vocabulary.
  package mutating func prepare(vocabulary: Int) throws(EngineError) {
    if isTypicalOn || isTopPOn || topK > 0 {
      try selection.reserve(topK > 0 ? min(topK, vocabulary) : vocabulary)
    }
  }

  /// Sets the scores of the tokens left out to minus infinity.
  ///
  /// There is at least one finite score, no NaN and no infinity, before and afterwards.
  package mutating func apply(to scores: inout Growable<Double>) throws(EngineError) {
    let isTopKOn = topK > 0 && topK < scores.count
    if isTopKOn || isTypicalOn || isTopPOn {
      if isTopKOn { try selection.takeBest(topK, scores) } else { try selection.takeAll(scores) }
      if isTypicalOn { try keepTypical(scores) }
      if isTopPOn { try keepTopP(scores) }
      // Back in the order of ids, without sorting by them.
      try selection.rank { token throws(EngineError) in try scores.at(Int(token)) }
      try scores.replaceEach { _, _ in -.infinity }
      var place = 0
      while place < selection.count {
        let entry = try selection.at(place)
        try scores.put(entry.key, at: Int(entry.token))
        place &+= 1
      }
    }
    if minP > 0 { try dropBelowMinP(&scores) }
  }

  /// Keeps the tokens whose information is closest to the entropy until they are likely enough.
  ///
  /// That is when their probabilities exceed `typicalP`.
  /// Source: C. Meister et al., Locally Typical Sampling, 2022.
  private mutating func keepTypical(_ scores: Growable<Double>) throws(EngineError) {
    let (maximum, total) = try weigh()
    let logTotal = Elementary.log(total)
    var entropy = 0.0
    var place = 0
    while place < selection.count {
      let key = try selection.at(place).key
      place &+= 1
      guard key > -.infinity else { continue }
      let relative = key - maximum
      entropy += Elementary.exp(relative) / total * (logTotal - relative)
    }
    try selection.rank { token throws(EngineError) in
      -((logTotal - (try scores.at(Int(token)) - maximum)) - entropy).magnitude
    }
    var sum = 0.0
    try selection.keepBest { entry throws(EngineError) in
      sum += Elementary.exp(try scores.at(Int(entry.token)) - maximum)
      return sum > typicalP * total
    }
    try selection.rank { token throws(EngineError) in try scores.at(Int(token)) }
  }

  /// Keeps the most likely tokens until their probabilities reach `topP`.
  ///
  /// Source: A. Holtzman et al., The Curious Case of Neural Text Degeneration, 2019.
  private mutating func keepTopP(_ scores: Growable<Double>) throws(EngineError) {
    let (maximum, total) = try weigh()
    var sum = 0.0
    try selection.keepBest { entry in
      sum += Elementary.exp(entry.key - maximum)
      return sum >= topP * total
    }
  }

  /// Drops what is less likely than `minP` times the most likely token.
  ///
  /// Ratios of probabilities are differences of scores.
  /// Source: N. N. Minh et al., Turning Up the Heat: Min-p Sampling, 2024.
  private func dropBelowMinP(_ scores: inout Growable<Double>) throws(EngineError) {
    let threshold = Elementary.log(minP)
    let maximum = try largest(scores)
    try scores.replaceEach { _, score in score - maximum < threshold ? -.infinity : score }
  }

  /// The largest key and the sum of exp(key - largest key).
  private func weigh() throws(EngineError) -> (maximum: Double, total: Double) {
    var maximum = -Double.infinity
    var place = 0
    while place < selection.count {
      maximum = max(maximum, try selection.at(place).key)
      place &+= 1
    }
    var total = 0.0
    place = 0
    while place < selection.count {
      total += Elementary.exp(try selection.at(place).key - maximum)
      place &+= 1
    }
    return (maximum, total)
  }
}

/// The largest of some scores.
func largest(_ scores: Growable<Double>) throws(EngineError) -> Double {
  try scores.at(try indexOfLargest(scores))
}
