// What a host may ask of a sampler: the fields of mixtral_sampler_options, zero meaning off.

import Formats

/// How to choose a token; all zero is greedy.
package struct SamplerOptions: Sendable {
  /// Most entries of `bias`: twice the largest vocabulary in use, so a larger list is a mistake.
  package static let biasLimit = 524_288

  /// Candidates kept by likelihood; 0: all.
  package var topK: UInt32 = 0
  /// Divides the logits; at least 0, 0: greedy.
  package var temperature: Float = 0
  /// The share of probability to keep, in (0, 1]; 0: off.
  package var topP: Float = 0
  /// The least probability relative to the most likely candidate, in [0, 1]; 0: off.
  package var minP: Float = 0
  /// The share of probability to keep in order of typicality, in (0, 1]; 0: off.
  package var typicalP: Float = 0
  /// Divides positive and multiplies negative logits of seen tokens; above 0, 0: off.
  package var repetitionPenalty: Float = 0
  /// Subtracted from a token's logit as often as it was seen; in [-100, 100].
  package var frequencyPenalty: Float = 0
  /// Subtracted once from the logit of a seen token; in [-100, 100].
  package var presencePenalty: Float = 0
  /// How many of the last tokens count as seen; 0: all.
  package var penaltyWindow: UInt32 = 0
  /// How many candidates a draw reports besides the drawn one; 0: no report.
  package var report: UInt32 = 0
  /// The first state of the random numbers; every value is valid.
  package var seed: UInt64 = 0
  /// Added to the logits, no token twice; a bias of -infinity bans its token.
  package var bias: [(token: Int32, bias: Float)] = []

  /// Makes the options of a greedy sampler: every field zero.
  package init() {}

  /// Refuses values outside the ranges of the header, naming the field, the value and the range.
  ///
  /// - Throws: `.invalidArgument`; `.limitExceeded` for more than `biasLimit` biases.
  package func check() throws(EngineError) {
    guard temperature >= 0 && temperature.isFinite else {
      throw refusal("temperature", temperature, "0 (greedy) or a finite number above it")
    }
    try checkShare("top_p", topP)
    try checkShare("min_p", minP)
    try checkShare("typical_p", typicalP)
    guard repetitionPenalty >= 0 && repetitionPenalty.isFinite else {
      throw refusal(
        "repetition_penalty", repetitionPenalty, "0 (off) or a finite number above it")
    }
    try checkPenalty("frequency_penalty", frequencyPenalty)
    try checkPenalty("presence_penalty", presencePenalty)
    try checkBias()
  }

  private func checkShare(_ field: String, _ value: Float) throws(EngineError) {
    guard value >= 0 && value <= 1 else { throw refusal(field, value, "0 (off) to 1") }
  }

  private func checkPenalty(_ field: String, _ value: Float) throws(EngineError) {
    guard value >= -100 && value <= 100 else { throw refusal(field, value, "-100 to 100") }
  }

  private func checkBias() throws(EngineError) {
    guard bias.count <= Self.biasLimit else {
      throw EngineError(
        .limitExceeded, "bias_count is \(bias.count); allowed 0 to \(Self.biasLimit)")
    }
    for (index, entry) in bias.enumerated() {
      guard entry.token >= 0 else {
        throw EngineError(
          .invalidArgument,
          "bias[\(index)].token is \(entry.token); allowed 0 to the vocabulary's last")
      }
      guard entry.bias < .infinity else {
        throw refusal("bias[\(index)].bias", entry.bias, "a finite number or -infinity")
      }
    }
    let order = bias.indices.sorted { (bias[$0].token, $0) < (bias[$1].token, $1) }
    for (first, second) in zip(order, order.dropFirst())
    where bias[first].token == bias[second].token {
      throw EngineError(
        .invalidArgument,
        "bias[\(second)].token is \(bias[second].token), as bias[\(first)].token; allowed once")
    }
  }

  private func refusal(_ field: String, _ value: Float, _ allowed: String) -> EngineError {
    EngineError(.invalidArgument, "\(field) is \(value); allowed \(allowed)")
  }
}
