// The options of a sampler, as mixtral_sampler_options of include/mixtral.h says. Zero in any field
// means that the field does nothing; all zero is greedy.
import Base

/// How to choose a token from logits.
package struct SamplerOptions: Sendable {
  /// Entries that `bias` may have.
  package static let maximumBiasCount = 1_048_576

  /// Keep the k most likely tokens; 0: all.
  package var topK: UInt32 = 0
  /// Divides the logits; finite, 0 or more; 0: greedy.
  package var temperature: Float = 0
  /// Keep the fewest tokens whose probabilities reach this sum; 0..1; 0 and 1: off.
  package var topP: Float = 0
  /// Drop tokens less likely than this part of the most likely one; 0..1; 0: off.
  package var minP: Float = 0
  /// Keep the most typical tokens whose probabilities exceed this sum; 0..1; 0 and 1: off.
  package var typicalP: Float = 0
  /// Divides positive and multiplies negative logits of seen tokens; finite, 0 or more; 0 and 1:
  /// off.
  package var repetitionPenalty: Float = 0
  /// Subtracted from a token's logit for every time it was seen; -100..100.
  package var frequencyPenalty: Float = 0
  /// Subtracted once from the logit of a seen token; -100..100.
  package var presencePenalty: Float = 0
  /// The last n tokens of the history count as seen; 0: all.
  package var penaltyWindow: UInt32 = 0
  /// How many of the most likely tokens a report lists; 0: no report.
  package var report: UInt32 = 0
  /// The state that the random numbers start from.
  package var seed: UInt64 = 0
  /// Numbers added to logits, minus infinity to ban a token; no token twice.
  package var bias: [(token: Int32, bias: Float)] = []

  /// The options that are all zero: greedy.
  package init() {}

  /// Looks at the range of every field.
  ///
  /// - Throws: `invalidArgument` with the field's name as in the header, its value and its range;
  ///   `limitExceeded` for more than `maximumBiasCount` entries of bias.
  @export(interface)
  package func check() throws(EngineError) {
    // A comparison with NaN is false: NaN is in no range.
    try check("temperature", temperature, 0...Float.greatestFiniteMagnitude, "a finite number >= 0")
    try check("top_p", topP, 0...1, "0..1 (0: off)")
    try check("min_p", minP, 0...1, "0..1 (0: off)")
    try check("typical_p", typicalP, 0...1, "0..1 (0: off)")
    try check(
      "repetition_penalty", repetitionPenalty, 0...Float.greatestFiniteMagnitude,
      "a finite number > 0 (0: off)")
    try check("frequency_penalty", frequencyPenalty, -100...100, "-100..100")
    try check("presence_penalty", presencePenalty, -100...100, "-100..100")
    try checkBias()
  }

  private func check(
    _ field: String, _ value: Float, _ range: ClosedRange<Float>, _ allowed: String
  ) throws(EngineError) {
    guard range.contains(value) else {
      throw EngineError(.invalidArgument, "\(field) is \(value); allowed \(allowed)")
    }
  }

  private func checkBias() throws(EngineError) {
    guard bias.count <= Self.maximumBiasCount else {
      throw EngineError(
        .limitExceeded, "bias_count is \(bias.count); allowed 0..\(Self.maximumBiasCount)")
    }
    for (index, entry) in bias.enumerated() {
      guard entry.token >= 0 else {
        throw EngineError(
          .invalidArgument, "bias[\(index)].token is \(entry.token); allowed 0 or more")
      }
      guard entry.bias < .infinity else {
        throw EngineError(
          .invalidArgument,
          "bias[\(index)].bias is \(entry.bias); allowed a finite number or -inf")
      }
    }
    // Token and place in one number each: sorted, equal tokens are neighbours, the earlier first.
    var order = Growable<UInt64>()
    try order.reserve(bias.count)
    for (index, entry) in bias.enumerated() {
      try order.append(
        UInt64(UInt32(bitPattern: entry.token)) << 32 | UInt64(truncatingIfNeeded: index))
    }
    try order.heapSort(order.count, <)
    var place = 1
    while place < order.count {
      let (earlier, later) = (try order.at(place &- 1), try order.at(place))
      place &+= 1
      guard earlier >> 32 == later >> 32 else { continue }
      throw EngineError(
        .invalidArgument,
        "bias[\(UInt32(truncatingIfNeeded: later))].token is \(later >> 32), as in "
          + "bias[\(UInt32(truncatingIfNeeded: earlier))]; allowed once")
    }
  }
}
