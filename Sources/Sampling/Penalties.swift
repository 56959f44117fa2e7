// What tokens that were seen before lose: repetition, frequency and presence.
import Base

/// Counts the tokens of a window and lowers their scores.
package struct Penalties: Sendable {
  private let repetition: Double
  private let frequency: Double
  private let presence: Double
  private let window: Int
  /// How often each token was seen; all zero between two calls.
  private var counts = Growable<UInt32>()

  package init(_ options: SamplerOptions) {
    repetition = options.repetitionPenalty == 0 ? 1 : Double(options.repetitionPenalty)
    frequency = Double(options.frequencyPenalty)
    presence = Double(options.presencePenalty)
    window = options.penaltyWindow == 0 ? .max : Int(options.penaltyWindow)
  }

  /// Whether any score can change.
  var isOn: Bool { repetition != 1 || frequency != 0 || presence != 0 }

  /// Makes room for a vocabulary.
  package mutating func prepare(vocabulary: Int) throws(EngineError) {
    if isOn, counts.count != vocabulary {
      counts = try Growable(filled: 0, count: vocabulary)
    }
  }

  /// Lowers the scores of what the last tokens of `history` hold.
  ///
  /// Minus infinity stays, and everything else stays finite: a float times, through or less floats
  /// is far inside the range of doubles. Tokens beyond the vocabulary are passed over.
  /// Source: N. S. Keskar et al., CTRL, section 4.1; the reference of OpenAI's API for the others.
  package mutating func apply(
    to scores: inout Scores, history: UnsafeBufferPointer<Int32>
  ) throws(EngineError) {
    guard isOn else { return }
    let start = max(0, history.count &- window)
    var place = start
    while place < history.count {
      let token = Int(unsafe try history.at(place))
      if token >= 0, token < counts.count { try counts.put(try counts.at(token) &+ 1, at: token) }
      place &+= 1
    }
    place = start
    while place < history.count {
      let token = Int(unsafe try history.at(place))
      place &+= 1
      guard token >= 0, token < counts.count else { continue }
      let count = try counts.at(token)
      guard count > 0 else { continue }
      var score = try scores.at(token)
      score = score > 0 ? score / repetition : score * repetition
      try scores.put(score - (Double(count) * frequency + presence), at: token)
      try counts.put(0, at: token)
    }
  }
}
