// What a draw saw: the likeliest tokens of the logits as the model gave them.

import Kernels

/// A token with its logit and the natural logarithm of its probability, both of the model.
package struct Candidate: Equatable, Sendable, BitwiseCopyable {
  package let token: Int32
  package let logit: Float
  package let logProbability: Float

  /// Makes a candidate.
  package init(token: Int32, logit: Float, logProbability: Float) {
    self.token = token
    self.logit = logit
    self.logProbability = logProbability
  }
}

/// The normaliser of a softmax: log probability = (logit - largest) - logTotal.
struct LogNormalizer {
  private let largest: Double
  private let logTotal: Double

  /// Sums over `logits`, none of them NaN or infinity; -infinity has probability 0.
  init(_ logits: Span<Float>) {
    var largest = -Float.infinity
    for i in logits.indices { largest = max(largest, logits[i]) }
    self.largest = Double(largest)
    var total = 0.0
    for i in logits.indices where logits[i] > -.infinity {
      total += Elementary.exp(Double(logits[i]) - Double(largest))
    }
    logTotal = Elementary.log(total)
  }

  /// The candidate of one token; only a logit of -infinity has a log probability of -infinity.
  func candidate(_ token: Int32, logit: Float) -> Candidate {
    var logProbability = -Float.infinity
    if logit > -.infinity {
      let exact = (Double(logit) - largest) - logTotal
      logProbability = max(Float(exact), -.greatestFiniteMagnitude)
    }
    return Candidate(token: token, logit: logit, logProbability: logProbability)
  }
}
