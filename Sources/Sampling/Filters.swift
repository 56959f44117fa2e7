// The filters that leave the unlikely out, in their order: top-k, typical, top-p, min-p.
// Probabilities are those of the tokens still left, before temperature. A score is a logit after
// filter callback, bias and penalties; minus infinity means that the token is out.

import Kernels

/// The filters of one sampler with their workspace.
struct Filters: Sendable {
  private let topK: Int
  private let topP: Double
  private let minP: Double
  private let typicalP: Double
  private var selection = Selection()

  init(_ options: SamplerOptions) {
    topK = Int(options.topK)
    topP = Double(options.topP)
    minP = Double(options.minP)
    typicalP = Double(options.typicalP)
  }

  private var isTypicalOn: Bool { typicalP > 0 && typicalP < 1 }
  private var isTopPOn: Bool { topP > 0 && topP < 1 }

  /// Makes room for a vocabulary.
  mutating func prepare(vocabulary: Int) {
    if isTypicalOn || isTopPOn || topK > 0 {
      selection.reserve(topK > 0 ? min(topK, vocabulary) : vocabulary)
    }
  }

  /// Sets the scores of the tokens left out to minus infinity.
  ///
  /// There is at least one finite score, no NaN and no infinity, before and afterwards.
  mutating func apply(to scores: inout [Double]) {
    let isTopKOn = topK > 0 && topK < scores.count
    if isTopKOn || isTypicalOn || isTopPOn {
      if isTopKOn { selection.takeBest(topK, scores) } else { selection.takeAll(scores) }
      if isTypicalOn { keepTypical(scores) }
      if isTopPOn { keepTopP(scores) }
      // Back in the order of ids, without sorting by them.
      selection.rank { scores[Int($0)] }
      for i in scores.indices { scores[i] = -.infinity }
      for entry in selection.entries { scores[Int(entry.token)] = entry.key }
    }
    if minP > 0 { dropBelowMinP(&scores) }
  }

  /// Keeps the tokens whose information is closest to the entropy until they are likely enough.
  ///
  /// That is when their probabilities exceed `typicalP`.
  /// Source: C. Meister et al., Locally Typical Sampling, 2022.
  private mutating func keepTypical(_ scores: [Double]) {
    let (maximum, total) = weigh()
    let logTotal = Elementary.log(total)
    var entropy = 0.0
    for entry in selection.entries where entry.key > -.infinity {
      let relative = entry.key - maximum
      entropy += Elementary.exp(relative) / total * (logTotal - relative)
    }
    selection.rank { -((logTotal - (scores[Int($0)] - maximum)) - entropy).magnitude }
    var sum = 0.0
    selection.keepBest { entry in
      sum += Elementary.exp(scores[Int(entry.token)] - maximum)
      return sum > typicalP * total
    }
    selection.rank { scores[Int($0)] }
  }

  /// Keeps the most likely tokens until their probabilities reach `topP`.
  ///
  /// Source: A. Holtzman et al., The Curious Case of Neural Text Degeneration, 2019.
  private mutating func keepTopP(_ scores: [Double]) {
    let (maximum, total) = weigh()
    var sum = 0.0
    selection.keepBest { entry in
      sum += Elementary.exp(entry.key - maximum)
      return sum >= topP * total
    }
  }

  /// Drops what is less likely than `minP` times the most likely token.
  ///
  /// Ratios of probabilities are differences of scores.
  /// Source: N. N. Minh et al., Turning Up the Heat: Min-p Sampling, 2024.
  private func dropBelowMinP(_ scores: inout [Double]) {
    let threshold = Elementary.log(minP)
    let maximum = largest(scores)
    for i in scores.indices where scores[i] - maximum < threshold { scores[i] = -.infinity }
  }

  /// The largest key and the sum of exp(key - largest key).
  private func weigh() -> (maximum: Double, total: Double) {
    var maximum = -Double.infinity
    for entry in selection.entries where entry.key > maximum { maximum = entry.key }
    var total = 0.0
    for entry in selection.entries { total += Elementary.exp(entry.key - maximum) }
    return (maximum, total)
  }
}

/// The largest of some scores.
func largest(_ scores: [Double]) -> Double {
  var maximum = -Double.infinity
  for score in scores where score > maximum { maximum = score }
  return maximum
}
