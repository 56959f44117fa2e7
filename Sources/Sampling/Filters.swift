// The truncations of a draw, in the order the header states, and the draw itself. Keys are logits
// after bias and penalties; probabilities are of the candidates that are left, in Double, taken
// relative to the largest logit so that nothing overflows. Each keeps at least one candidate.
// Semantics as in ggml-org/llama.cpp src/llama-sampling.cpp (top-k, top-p, min-p, typical).

import Kernels

extension Ranking {
  /// Keeps the `k` best; 0 keeps all.
  mutating func keepTopK(_ k: UInt32) {
    guard k > 0 && Int(k) < count else { return }
    var left = Int(k)
    keepBest { _ in
      left &-= 1
      return left == 0
    }
  }

  /// Keeps the fewest of the best whose probabilities sum to at least `p`; 0 and 1 keep all.
  mutating func keepTopP(_ p: Float) {
    guard p > 0 && p < 1 else { return }
    let (largest, total) = mass(temperature: 1)
    let goal = Double(p) * total
    var sum = 0.0
    keepBest { entry in
      sum += Elementary.exp(entry.key - largest)
      return sum >= goal
    }
  }

  /// Keeps what is at least `p` times as likely as the best; 0 keeps all, 1 the best and its
  /// equals.
  mutating func keepMinP(_ p: Float) {
    guard p > 0 else { return }
    let least = largestKey() + Elementary.log(Double(p))
    filter { $0.key >= least }
  }

  /// Keeps the fewest candidates whose probabilities sum to at least `p`, the most typical first;
  /// 0 and 1 keep all.
  ///
  /// Typical is a candidate whose surprise -log q is near the distribution's entropy.
  /// Source: Meister et al., "Locally typical sampling", TACL 2023.
  mutating func keepTypical(_ p: Float, scores: Span<Double>) {
    guard p > 0 && p < 1 else { return }
    let (largest, total) = mass(temperature: 1)
    let logTotal = Elementary.log(total)
    // Entropy = sum of q (-log q) with -log q = logTotal - (key - largest); a q of 0 adds 0.
    var weighted = 0.0
    forEach { entry in
      let difference = entry.key - largest
      let weight = Elementary.exp(difference)
      if weight > 0 { weighted += weight * difference }
    }
    let entropy = logTotal - weighted / total
    rekey { -abs(logTotal - ($0.key - largest) - entropy) }
    let goal = Double(p) * total
    var sum = 0.0
    keepBest { entry in
      sum += Elementary.exp(scores[Int(entry.token)] - largest)
      return sum >= goal
    }
    rekey { scores[Int($0.token)] }
  }

  /// The token at `fraction` of the probability at `temperature`, counted from the best downwards.
  ///
  /// `fraction` is in [0, 1); there must be a candidate. Ranks only as far as the count has to go.
  mutating func draw(fraction: Double, temperature: Float) -> Int32 {
    let (largest, total) = mass(temperature: temperature)
    let divisor = Double(temperature)
    let goal = fraction * total
    var sum = 0.0
    var token: Int32 = -1
    keepBest { entry in
      let weight = Elementary.exp((entry.key - largest) / divisor)
      // Only what has a probability can be drawn, also when rounding leaves the sum below the goal.
      if weight > 0 { token = entry.token }
      sum += weight
      return sum > goal
    }
    return token
  }

  /// Token and probability at `temperature` of every candidate, best first.
  mutating func probabilities(temperature: Float) -> [(token: Int32, probability: Double)] {
    let (largest, total) = mass(temperature: temperature)
    let divisor = Double(temperature)
    keepBest { _ in false }
    var result: [(token: Int32, probability: Double)] = []
    result.reserveCapacity(count)
    forEach { entry in
      result.append((entry.token, Elementary.exp((entry.key - largest) / divisor) / total))
    }
    return result
  }

  /// The largest key, and the sum of exp((key - largest) / temperature) over all candidates, >= 1.
  private func mass(temperature: Float) -> (largest: Double, total: Double) {
    let largest = largestKey()
    let divisor = Double(temperature)
    var total = 0.0
    forEach { total += Elementary.exp(($0.key - largest) / divisor) }
    return (largest, total)
  }
}
