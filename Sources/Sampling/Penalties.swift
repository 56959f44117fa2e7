// What tokens that were seen before lose: repetition, frequency and presence.

/// Counts the tokens of a window and lowers their scores.
struct Penalties: Sendable {
  private let repetition: Double
  private let frequency: Double
  private let presence: Double
  private let window: Int
  /// How often each token was seen; all zero between two calls.
  private var counts: [UInt32] = []

  init(_ options: SamplerOptions) {
    repetition = options.repetitionPenalty == 0 ? 1 : Double(options.repetitionPenalty)
    frequency = Double(options.frequencyPenalty)
    presence = Double(options.presencePenalty)
    window = options.penaltyWindow == 0 ? .max : Int(options.penaltyWindow)
  }

  /// Whether any score can change.
  var isOn: Bool { repetition != 1 || frequency != 0 || presence != 0 }

  /// Makes room for a vocabulary.
  mutating func prepare(vocabulary: Int) {
    if isOn, counts.count != vocabulary { counts = [UInt32](repeating: 0, count: vocabulary) }
  }

  /// Lowers the scores of what the last tokens of `history` hold.
  ///
  /// Minus infinity stays, and everything else stays finite: a float times, through or less floats
  /// is far inside the range of doubles. Tokens beyond the vocabulary are passed over.
  /// Source: N. S. Keskar et al., CTRL, section 4.1; the reference of OpenAI's API for the others.
  mutating func apply(to scores: inout [Double], history: Span<Int32>) {
    guard isOn else { return }
    let seen = max(0, history.count - min(window, history.count))..<history.count
    for i in seen {
      let token = Int(history[i])
      if counts.indices.contains(token) { counts[token] &+= 1 }
    }
    for i in seen {
      let token = Int(history[i])
      guard counts.indices.contains(token), counts[token] > 0 else { continue }
      var score = scores[token]
      score = score > 0 ? score / repetition : score * repetition
      scores[token] = score - (Double(counts[token]) * frequency + presence)
      counts[token] = 0
    }
  }
}
