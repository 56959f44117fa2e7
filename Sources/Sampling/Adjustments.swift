// What happens to single logits before candidates are compared: bias, then penalties of seen
// tokens. In Double no sum or product of the allowed values overflows, so a score is finite or
// -infinity.

extension SamplerOptions {
  /// Whether seen tokens change the logits.
  var hasPenalties: Bool {
    (repetitionPenalty != 0 && repetitionPenalty != 1) || frequencyPenalty != 0
      || presencePenalty != 0
  }

  /// Adds the biases to `scores`; tokens beyond them must have been refused.
  func applyBias(to scores: inout MutableSpan<Double>) {
    for (token, bias) in bias where Int(token) < scores.count {
      scores[Int(token)] += Double(bias)
    }
  }

  /// Lowers (or raises) the scores of the tokens in the last `penaltyWindow` of `history`.
  ///
  /// `counts` is as long as `scores`, all zero before and after. Tokens beyond the vocabulary, of
  /// a session of another model, are passed over.
  /// Source: ggml-org/llama.cpp src/llama-sampling.cpp; the repetition penalty is that of Keskar et
  /// al., "CTRL", 2019, with its sign corrected for negative logits.
  func applyPenalties(
    to scores: inout MutableSpan<Double>, history: Span<Int32>,
    counts: inout MutableSpan<UInt32>
  ) {
    let window = penaltyWindow == 0 ? history.count : min(Int(penaltyWindow), history.count)
    let seen = (history.count - window)..<history.count
    for i in seen {
      guard let token = Self.index(history[i], below: counts.count) else { continue }
      counts[token] &+= 1
    }
    for i in seen {
      guard let token = Self.index(history[i], below: counts.count), counts[token] > 0 else {
        continue
      }
      scores[token] = penalized(scores[token], count: counts[token])
      counts[token] = 0
    }
  }

  private func penalized(_ score: Double, count: UInt32) -> Double {
    var score = score
    if repetitionPenalty != 0 {
      let penalty = Double(repetitionPenalty)
      score = score > 0 ? score / penalty : score * penalty
    }
    return score - (Double(count) * Double(frequencyPenalty) + Double(presencePenalty))
  }

  private static func index(_ token: Int32, below limit: Int) -> Int? {
    let index = Int(token)
    return index >= 0 && index < limit ? index : nil
  }
}
