// The last step: from scores to weights to one token. The tokens stand in the order of their ids,
// also after filters that rank them; which token a fraction stands for is part of the library's
// promise.

import Base
import Kernels

/// Divides the scores by the temperature and turns them into weights; returns their sum.
///
/// The largest score becomes 1, so the sum is never 0; minus infinity becomes 0. No temperature
/// above zero is too low or too high: the differences are at most 0, and their quotients stay
/// finite.
package func weigh(
  _ scores: inout Growable<Double>, temperature: Double
) throws(EngineError) -> Double {
  let maximum = try largest(scores)
  var total = 0.0
  try scores.replaceEach { _, score in
    let weight = score > -.infinity ? Elementary.exp((score - maximum) / temperature) : 0
    total += weight
    return weight
  }
  return total
}

/// The token whose share of the weights holds `fraction` of them, [0, 1).
package func choose(
  from weights: Growable<Double>, total: Double, fraction: Double
) throws(EngineError) -> Int {
  let target = fraction * total
  var sum = 0.0
  var last = 0
  var token = 0
  while token < weights.count {
    let weight = try weights.at(token)
    if weight > 0 {
      sum += weight
      if sum > target { return token }
      last = token
    }
    token &+= 1
  }
  // The product may have been rounded up to the total.
  return last
}
