// The last step: from scores to weights to one token. The tokens stand in the order of their ids,
// also after filters that rank them; which token a fraction stands for is part of the library's
// promise.

import Kernels

/// Divides the scores by the temperature and turns them into weights; returns their sum.
///
/// The largest score becomes 1, so the sum is never 0; minus infinity becomes 0. No temperature
/// above zero is too low or too high: the differences are at most 0, and their quotients stay
/// finite.
func weigh(_ scores: inout [Double], temperature: Double) -> Double {
  let maximum = largest(scores)
  var total = 0.0
  for i in scores.indices {
    let score = scores[i]
    scores[i] = score > -.infinity ? Elementary.exp((score - maximum) / temperature) : 0
    total += scores[i]
  }
  return total
}

/// The token whose share of the weights holds `fraction` of them, [0, 1).
func choose(from weights: [Double], total: Double, fraction: Double) -> Int {
  let target = fraction * total
  var sum = 0.0
  var last = 0
  for i in weights.indices where weights[i] > 0 {
    sum += weights[i]
    if sum > target { return i }
    last = i
  }
  // The product may have been rounded up to the total.
  return last
}
